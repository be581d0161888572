"""Judge in which of the old encodings a text is, and whether it can be told at all. No file and no database.

Each encoding gives the same bytes other letters. Which of them are letters of one language, stand where that
language has them, and are large or small as their neighbours, says which was meant; where two readings are
about as likely, nobody knows but who wrote it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Final

# The letters of each beyond those of ASCII: common ones, usual ones, rare ones.
_LANGUAGES: Final[Mapping[str, str]] = {
    "western": "éáíóöüäñèç|åøàêúãæôëïßâ|îûõœýìòùðþ",
    "french": "éèà|êçâîôûùëïœ|æü",
    "german": "üäöß||é",
    "spanish": "óíáéñ|ú|ü",
    "portuguese": "ãçáéóí|êõúâàô|ü",
    "italian": "èàùòì||éíóú",
    "catalan": "àéèíòó|úïüç|",
    "dutch": "ëéïö|èü|áóêç",
    "swedish": "äöå||éü",
    "danish": "øåæ||éöäü",
    "icelandic": "ðáíéóö|úæþ|ý",
    "polish": "ąęłóż|ćńśź|",
    "czech": "áíéěřčšýžů|úňť|ďó",
    "slovak": "áíéčšýžúľť|ňôď|äóĺŕ",
    "hungarian": "áéöóő|íüúű|",
    "romanian": "ăîâşţ||",
    "croatian": "čšžćđ||",
    "turkish": "ıüşğçöİ||âî",
    "turkish among others": "éáíóöüäñèç|åøàêúãæôëïß|âîûõœığşİ",
    "lithuanian": "ėšžųąįūčę||",
    "latvian": "āīēšņļčžūķģ||",
    "estonian": "äõöü||šž",
    "russian": "оеаинтсрвлкм|дпуяыьгзбчйхжю|шцщэфъё",
    "ukrainian": "оаинтвреслкд|мпузяьібгйчхжї|юшцщєфґ",
    "bulgarian": "аоеитнрсвлдк|пмзъугбящчжй|цхшюфь",
    "serbian": "аоеинрстудвк|јмлпзгбчшцжњ|хљћђџф",
    "greek": "αοιεστνηυρκπ|μλωάόέίήςγδ|θύχφώβξζψ",
    "arabic": "اليمنرتوبةهع|دسفكقحجأشصطىخ|إضذثزغئءظآؤ",
    "hebrew": "יולהתרמבאשנ|קדחעפםסגטצ|זכךןףץ",
}
_WEST: Final = (
    "western", "french", "german", "spanish", "portuguese", "italian", "catalan", "dutch", "swedish",
    "danish", "icelandic",
)  # fmt: skip
_MIDDLE: Final = ("polish", "czech", "slovak", "hungarian", "romanian", "croatian", "german")
_CYRILLIC: Final = ("russian", "ukrainian", "bulgarian", "serbian")
# Of two that give the same letters the first is named.
_PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "cp1252": _WEST, "cp1250": _MIDDLE, "iso8859-2": _MIDDLE, "cp1254": ("turkish", "turkish among others"),
    "cp1257": ("lithuanian", "latvian", "estonian"), "cp1251": _CYRILLIC, "koi8-r": _CYRILLIC,
    "koi8-u": _CYRILLIC, "iso8859-5": _CYRILLIC, "cp866": _CYRILLIC, "mac_cyrillic": _CYRILLIC,
    "cp1253": ("greek",), "cp1255": ("hebrew",), "cp1256": ("arabic",), "cp850": _WEST, "cp852": _MIDDLE,
    "mac_roman": _WEST,
}  # fmt: skip
# How much more or less usual a page is than the others, as a logarithm: of few letters that tells as well.
_USUAL: Final[Mapping[str, float]] = {
    "cp1252": 1, "cp1257": -2, "iso8859-5": -4, "mac_cyrillic": -3, "cp866": -2, "cp850": -4, "cp852": -4,
    "mac_roman": -4,
}  # fmt: skip
_WINDOWS: Final = ("cp1252", "cp1250", "cp1254", "cp1257", "cp1251")
# A character set of two bytes a letter, the first bytes of its common letters, and how many are among them.
_WIDE: Final[Mapping[str, tuple[str, frozenset[int], float]]] = {
    "cp932": ("shift_jis", frozenset({0x81, 0x82, 0x83, *range(0x88, 0x98)}), 0.85),
    "euc_jp": ("euc_jp", frozenset({0xA1, 0xA4, 0xA5, *range(0xB0, 0xD0)}), 0.85),
    "gb18030": ("gb2312", frozenset({0xA1, 0xA3, *range(0xB0, 0xD8)}), 0.85),
    "big5": ("big5", frozenset({0xA1, *range(0xA4, 0xC7)}), 0.85),
    "cp949": ("euc_kr", frozenset({0xA1, *range(0xB0, 0xC9)}), 0.98),
}
_WIDE_LEAST: Final = 6
# So many letters of Chinese are hardly all in the first half of them, where those of Korean lie.
_HANGUL_LEAST: Final = 16
_JUDGED_MOST: Final = 4_000
_JUDGED_BYTES: Final = 64 << 10
_LONELY: Final = re.compile(r"[A-Za-z][^\x00-\x7f]")
_WORD: Final = re.compile(rb"[A-Za-z0-9\x80-\xff]+")
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
# Twenty to one.
_MARGIN: Final = log(20)
_MARGIN_A_SIGN: Final = 0.5
_ODD: Final = -5
# What a letter has to be worth on the average, to be more than a way to read the bytes.
_LEAST: Final = -4.8
_LEAST_NAMED: Final = -6.0
# Beside a likely one of two bytes a letter.
_LEAST_BESIDE: Final = -4.0
_TIERS: Final = (1.0, 0.3, 0.05)
_STRANGER: Final = log(0.0005)
_TYPOGRAPHY: Final = frozenset("€¢¥£§°©®™«»“”„…·•¿¡ºª½¼¾±²³µ¶\xd7\u2018\u2019\u201a\u2013\u2014\xa0")
_BEHIND: Final = frozenset("®™©°²³ªº”»…·•\u2019\u2013\u2014\xa0")
_BEFORE: Final = frozenset("«“„¿¡…·•§©µ°\u2018\u2019\u2013\u2014\xa0")
_VOWELS: Final = frozenset("aeiouyæøœ\u0131")
# Before a vowel the one is written otherwise, and the other stands nowhere else.
_NEVER_BEFORE_VOWELS: Final = frozenset("ńćśź")
# The only letters that some stand before, and behind; a blank is the end or the beginning of the word.
_ONLY_BEFORE: Final = {
    "ç": "aeioué\u0131íãõáóúâàôèêäöü ",
    "ñ": "aeiouáéíóúü",
    "ì": " ",
    "õ": "e",
    "ã": "oesi ",
    "œ": "uisdtc ",
}
_NEVER_BEFORE: Final = {"ă": "oe"}
_ONLY_BEHIND: Final = {"ě": "dtnbpvfm", "ů": "bcčdďfghjklmnňpqrřsštťvwxzž "}
_SYLLABIC: Final = frozenset("rl")


@dataclass(frozen=True)
class Judgement:
    """The encoding that a text is in; None where it cannot be told which of the `candidates` it is."""

    encoding: str | None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Reading:
    """How likely a reading is, as a logarithm, of how many signs, and how many of them are out of place."""

    worth: float
    signs: int
    odd: int
    usual: float = 0

    @property
    def likely(self) -> float:
        """How likely it is where nothing else is known of the file."""
        return self.worth + self.usual

    def is_near(self, other: _Reading, *, alike: bool) -> bool:
        """Tell whether *other*, less likely, may be meant as well; *alike*: it is of the same languages."""
        # Of names of many languages a few letters would tell, and the others only how common they are.
        margin = _MARGIN if alike else max(_MARGIN, _MARGIN_A_SIGN * self.signs)
        return self.likely - other.likely < margin or other.odd < self.odd


def judge(sample: bytes) -> Judgement:
    """Judge a text that begins with *sample*, and is not UTF-8."""
    whole = sample if len(sample) < _JUDGED_BYTES else sample[: sample.rfind(b"\n", 0, _JUDGED_BYTES) + 1]
    data = b"".join(line for line in whole.splitlines(keepends=True) if not line.isascii())
    # A word that is there many times says no more than once.
    words = {word for word in _WORD.findall(data) if not word.isascii()}
    wide = _likely_wide(data)
    found = _likely_pages(b" ".join(sorted(words)), beside=any(wide.values()))
    # Of letters of two bytes, some second ones would be beyond ASCII as well.
    of_one = found and _USUAL.get(_likeliest(found), 0) > 0 and max(map(len, _HIGH.findall(data))) < 2
    if wide and not of_one:
        every = tuple({**found, **wide})
        return Judgement(every[0] if len(every) == 1 and wide[every[0]] else None, every)
    if not found:
        return Judgement(None)
    name = _likeliest(found)
    best = found[name]
    near = tuple(
        one
        for one, other in found.items()
        if one == name or best.is_near(other, alike=_PAGES[one] == _PAGES[name])
    )
    is_likely = best.worth / best.signs > _LEAST and near == (name,)
    if is_likely and _USUAL.get(name, 0) < 0 and _is_in_pairs(data):
        return Judgement(None, (*near, "gb18030"))
    return Judgement(name if is_likely else None, near)


def _likeliest(found: Mapping[str, _Reading]) -> str:
    return max(found, key=lambda name: found[name].likely)


def _likely_pages(data: bytes, *, beside: bool) -> dict[str, _Reading]:
    """Return how likely each page is that gives other letters than those before, as a logarithm."""
    read: dict[str, list[str]] = {}
    for name in _PAGES:
        with suppress(UnicodeDecodeError):
            read.setdefault(data.decode(name), []).append(name)
    found: dict[str, _Reading] = {}
    for text, names in read.items():
        if names[0] not in _WINDOWS and not any(sign > "\x7f" and sign.isalpha() for sign in text):
            # Of signs alone nobody takes anything else.
            continue
        languages = [language for name in names for language in _PAGES[name]]
        reading = _worth(text, languages, _USUAL.get(names[0], 0))
        if reading.worth / reading.signs > (_LEAST_BESIDE if beside else _LEAST_NAMED):
            found[names[0]] = reading
    return found


def _worth(text: str, languages: Sequence[str], usual: float) -> _Reading:
    """Return how likely *text* is in the likeliest of *languages*."""
    places = [place for place, sign in enumerate(text) if sign > "\x7f"][:_JUDGED_MOST]
    letters = Counter(text[place] for place in places if _is_letter(text[place]))
    around = [_around(text, place) for place in places]
    worth = sum(around) + max(_in_language(letters, one) for one in languages)
    return _Reading(worth, max(1, len(places)), sum(one <= _ODD for one in around), usual)


def _is_letter(sign: str) -> bool:
    """Tell a letter of a language from a sign, as the ordinals and the micro are."""
    return sign.isalpha() and sign not in _TYPOGRAPHY


def _in_language(letters: Counter[str], language: str) -> float:
    weights = _weights(language)
    return sum(
        count * weights.get(letter, weights.get(letter.lower(), _STRANGER))
        for letter, count in letters.items()
    )


@cache
def _weights(language: str) -> Mapping[str, float]:
    tiers = _LANGUAGES[language].split("|")
    plain = {letter: tier for tier, letters in zip(_TIERS, tiers, strict=True) for letter in letters}
    total = sum(plain.values())
    return {letter: log(weight / total) for letter, weight in plain.items()}


def _around(text: str, place: int) -> float:
    """Return how likely what stands at *place* is beside its neighbours, as a logarithm."""
    sign = text[place]
    before, behind = text[place - 1 : place], text[place + 1 : place + 2]
    if not _is_letter(sign):
        return _sign(sign, before, behind)
    worth = 0.0
    if sign.isupper() and before.islower():
        worth -= 6
    if sign.isupper() and before.isupper() and behind.islower():
        worth -= 3
    if before.isdigit() or behind.isdigit():
        worth -= 2
    if sign.islower() and before.isupper() and (behind.isupper() or text[place - 2 : place - 1].isupper()):
        worth -= 3
    for other in (before, behind):
        if other.isalpha():
            worth += _beside(sign, other)
    return worth - _misplaced(sign.lower(), before.lower(), behind.lower())


def _misplaced(sign: str, before: str, behind: str) -> float:
    """Return how much speaks against a letter, because its languages have it elsewhere."""
    before, behind = before if before.isalpha() else " ", behind if behind.isalpha() else " "
    if behind in _NEVER_BEFORE.get(sign, "") or (sign in _NEVER_BEFORE_VOWELS and _base(behind) in _VOWELS):
        return 5
    if behind not in _ONLY_BEFORE.get(sign, behind) or before not in _ONLY_BEHIND.get(sign, before):
        return 3 if sign in "õãç" else 5
    among = (_base(sign), _base(before), _base(behind))
    between = not {" ", *_VOWELS} & {*among} and before not in _SYLLABIC
    return 1.5 if between and _is_latin(sign) else 0


def _sign(sign: str, before: str, behind: str) -> float:
    if "\x7f" < sign < "\xa0":
        # It controls a terminal, and is in no file.
        return -15
    if sign not in _TYPOGRAPHY:
        return -8
    is_odd = (before.isalpha() and sign not in _BEHIND) or (behind.isalpha() and sign not in _BEFORE)
    if is_odd:
        return -12
    if before > "\x7f" or behind > "\x7f":
        return -5
    if sign in "ºª" and before.isalnum():
        return -0.7 if before.isdigit() or before in "nN" else -6
    opens = sign in "«“„\u2018¿¡µ£" and behind.isalnum()
    closes = sign in "»”\u2019…" and before.isalnum()
    return -0.7 if opens or closes else -2


def _beside(sign: str, other: str) -> float:
    """Return how likely two letters stand beside each other."""
    if _is_latin(sign) != _is_latin(other):
        return -4
    if not _is_latin(sign):
        return 0
    worth = -1.0 if other > "\x7f" else 0.0
    if {sign, other} == {"œ", "u"}:
        return 0
    one, two = _base(sign) in _VOWELS, _base(other) in _VOWELS
    if one:
        return worth + log(0.25 if two else 0.75)
    return worth + log(0.65 if two else 0.35)


@cache
def _is_latin(letter: str) -> bool:
    return letter < "\x80" or unicodedata.name(letter, "").startswith("LATIN")


@cache
def _base(letter: str) -> str:
    """Return a letter without what stands above or below it."""
    return unicodedata.normalize("NFD", letter.lower())[:1]


def _likely_wide(data: bytes) -> dict[str, bool]:
    """Return the sets of two bytes a letter in which nearly all are common, and whether they are enough."""
    found = {name: count >= _WIDE_LEAST for name in _WIDE if (count := _common(data, name))}
    if "cp949" in found and len({sign for sign in data.decode("cp949") if sign > "\x7f"}) >= _HANGUL_LEAST:
        return {"cp949": True}
    if {"euc_jp", "gb18030"} <= set(found) and _kana(data.decode("euc_jp")):
        del found["gb18030"]
    return found


def _common(data: bytes, name: str) -> int:
    """Return how many letters there are in *data*, of which nearly all are common ones; else 0."""
    charset, first, least = _WIDE[name]
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        return 0
    signs = Counter(sign for sign in text if sign > "\x7f")
    if 2 * len(_LONELY.findall(text)) > sum(signs.values()):
        # A letter among ASCII ones, the next of which is taken for its second byte.
        return 0
    lead: Callable[[str], int] = lambda sign: (sign.encode(charset, "replace") + b"?")[0]  # noqa: E731
    common = sum(count for sign, count in signs.items() if lead(sign) in first)
    return len(signs) if common >= least * sum(signs.values()) else 0


def _is_in_pairs(data: bytes) -> bool:
    """Tell whether it may be rare letters of Chinese: each of two bytes, with none between."""
    with suppress(UnicodeDecodeError):
        runs = _HIGH.findall(data)
        return bool(data.decode("gb18030")) and all(len(run) % 2 == 0 for run in runs)
    return False


def _kana(text: str) -> bool:
    return any("\u3041" <= sign <= "\u30fa" for sign in text)
