"""Recognise personal data by the name of a column, and by the look of a value. Keeps and returns no value."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# By the words of a name, in English and French; a word with a space is two that follow each other.
_NAMED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "e-mail address": ("email", "mail", "e mail", "courriel"),
        "phone number": ("phone", "telephone", "mobile", "msisdn", "tel", "fax"),
        "name of a person": (
            "firstname", "lastname", "first name", "last name", "surname", "full name", "fullname",
            "given name", "family name", "maiden name", "middle name", "birth name", "prenom",
            "nom famille", "nickname", "username", "user name", "login",
        ),
        "postal address": (
            "address", "street", "postcode", "postal code", "zip", "zipcode", "zip code", "adresse",
            "rue", "code postal",
        ),
        "date of birth": ("birth", "birthday", "birthdate", "dob", "born", "naissance"),
        "IP address": ("ip", "ipv4", "ipv6", "ipaddress", "remote addr", "client addr"),
        "IBAN": ("iban", "bic", "bank account", "rib"),
        "credit card": ("card number", "creditcard", "credit card", "pan", "cvv", "cvc", "carte bancaire"),
        "national number": (
            "ssn", "nir", "passport", "national id", "tax id", "nino", "insee", "social security",
            "securite sociale", "passeport",
        ),
        "special category": ("religion", "ethnicity", "health", "disability", "sexual orientation"),
        "device": ("imei", "idfa", "gaid", "advertising id", "device id", "mac address", "user agent"),
        "secret": ("password", "passwd", "mot passe", "secret", "access token", "refresh token", "api key"),
    }
)  # fmt: skip
_NAMES: Final = {words: kind for kind, all_words in _NAMED.items() for words in all_words}
_MOST_WORDS: Final = max(len(words.split()) for words in _NAMES)

_EMAIL: Final = re.compile(
    r"[^\s@<>\"',;:()\[\]\\]{1,64}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,}", re.UNICODE
)
_PHONE: Final = re.compile(r"(?<![\w+])\+[1-9](?:[ .()-]?\d){7,14}(?!\d)")
_IBAN: Final = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Z0-9])")
_CARD: Final = re.compile(r"(?<![\w.])[2-6]\d{3}(?:[ -]?\d){8,15}(?![\w.])")
# Some are a card's digits by chance, and none is a card.
_UUID: Final = re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b")
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{2,4}(?::{1,2}[0-9A-Fa-f]{1,4}){2,7}(?![\w:.])")


def kind_of_name(name: str) -> str | None:
    """Return what a column or a key called *name* looks as if it held; None where it does not."""
    words = [word.lower() for word in _WORD.findall(name)]
    for length in range(_MOST_WORDS, 0, -1):
        for start in range(len(words) - length + 1):
            if (kind := _NAMES.get(" ".join(words[start : start + length]))) is not None:
                return kind
    return None


def kinds_of_value(text: str) -> Iterator[str]:
    """Yield what stands somewhere in *text*, each kind once."""
    looked = _UUID.sub(" ", text)
    for kind, pattern, holds in _LOOKS:
        if any(holds(found.group()) for found in pattern.finditer(looked)):
            yield kind


def keys_of(document: object) -> Iterator[str]:
    """Yield the keys of a JSON value, at any depth."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield str(key)
            yield from keys_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from keys_of(value)


def is_iban(text: str) -> bool:
    """Tell whether *text* is an IBAN whose check digits are right (ISO 13616: remainder 1 of 97)."""
    code = text.replace(" ", "")
    if not (15 <= len(code) <= 34):
        return False
    return int("".join(str(int(character, 36)) for character in code[4:] + code[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """Tell whether *text* is a card number whose check digit is right (ISO/IEC 7812: Luhn)."""
    digits = [int(character) for character in text if character.isdigit()]
    if not (13 <= len(digits) <= 19) or len(set(digits)) == 1:
        return False
    doubled = (sum(divmod(digit * 2, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # Of nobody, of everybody, or a mask.
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_reserved)


def _always(text: str) -> bool:
    del text
    return True


_Look = tuple[str, "re.Pattern[str]", Callable[[str], bool]]
_LOOKS: Final[tuple[_Look, ...]] = (
    ("e-mail address", _EMAIL, _always),
    ("phone number", _PHONE, _always),
    ("IBAN", _IBAN, is_iban),
    ("credit card", _CARD, is_card),
    ("IP address", _IPV4, _is_address),
    ("IP address", _IPV6, _is_address),
)


def counted(values: Iterable[Any]) -> dict[str, int]:
    """Return how many of *values* hold each kind; a kind that none holds is left out."""
    found: dict[str, int] = {}
    for value in values:
        for kind in dict.fromkeys(kinds_of_value(str(value))):
            found[kind] = found.get(kind, 0) + 1
    return found
