"""Hash an address or a number with a key, so that it can be known again and not be read. No database here.

An objection holds for every spelling of an address: letters are compared without their case, in one Unicode
form; what stands behind a plus in the name of a mailbox is left out, for `anna+news@` and `anna@` are one
person's; a domain is compared as DNS has it. Dots in the name of a mailbox count: with most providers they
tell two people apart. Of a telephone number the digits are compared.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError

_DOMAIN: Final = b"agentdb suppression 1\x00"
_LEAST_BYTES: Final = 32
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()./-]{5,}")


def normalised(identifier: str) -> str:
    """Return the one spelling of an e-mail address or a telephone number."""
    text = _folded(identifier)
    if "@" in text:
        name, _, domain = text.rpartition("@")
        return f"{name.partition('+')[0] or name}@{_as_dns(domain)}"
    if _NUMBER.fullmatch(text):
        return "+" * text.startswith("+") + re.sub(r"\D", "", text)
    return text


def _folded(text: str) -> str:
    """Return *text* in composed form, without case and outer blanks; folding may decompose, hence twice."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).casefold())


def _as_dns(domain: str) -> str:
    bare = domain.rstrip(".")
    with suppress(UnicodeError):
        return bare.encode("idna").decode("ascii")
    return bare


def hashed(identifier: str, key: bytes) -> bytes:
    """Return the keyed hash under which *identifier* is kept."""
    return hmac.new(key, _DOMAIN + normalised(identifier).encode(), hashlib.sha256).digest()


def hashes(identifiers: Iterable[str], keys: Iterable[bytes]) -> list[bytes]:
    """Return the hashes of all *identifiers* under all *keys*."""
    known = tuple(keys)
    return [hashed(identifier, key) for identifier in identifiers for key in known]


def key_id(key: bytes) -> str:
    """Return the name of a key, which says nothing of it."""
    return hashlib.sha256(b"agentdb suppression key 1\x00" + key).hexdigest()[:16]


@dataclass(frozen=True)
class HashKeys:
    """Where the keys of one kind are named: a file with one a line, or the keys themselves.

    hashed: what they hash, or do what *verb* says with. The first is the one to write with; the others know
    again what was written before it, for no hash can be made anew with another key.
    """

    file_setting: str
    setting: str
    hashed: str
    verb: str = "hash"

    def read(self, environ: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return the keys, the newest first.

        Raises:
            SettingsError: there is none, or one is shorter than 32 bytes.
        """
        keys = tuple(self._key(line) for line in self._written(environ).split())
        if not keys:
            raise SettingsError(f"there is no key to {self.verb} {self.hashed} with", hint=self._hint)
        return keys

    @property
    def _hint(self) -> str:
        return (
            f"set {self.file_setting} to a file, or {self.setting}, with at least 64 hexadecimal digits, the "
            'newest key first: python -c "import secrets; print(secrets.token_hex(32))"'
        )

    def _written(self, environ: Mapping[str, str]) -> str:
        path = environ.get(self.file_setting)
        if not path:
            return environ.get(self.setting, "").replace(",", " ")
        try:
            return Path(path).read_text(encoding="ascii")
        except (OSError, UnicodeError) as unreadable:
            raise SettingsError(
                f'"{path}" cannot be read ({self.file_setting})', hint=self._hint
            ) from unreadable

    def _key(self, written: str) -> bytes:
        with suppress(ValueError):
            key = bytes.fromhex(written)
            if len(key) >= _LEAST_BYTES:
                return key
        raise SettingsError(
            f"a key to {self.verb} {self.hashed} with is not hexadecimal, or shorter than "
            f"{_LEAST_BYTES} bytes",
            hint=self._hint,
        )


_KEYS: Final = HashKeys("SUPPRESSION_KEY_FILE", "SUPPRESSION_KEY", "addresses")


def read_keys(environ: Mapping[str, str] | None = None) -> tuple[bytes, ...]:
    """Return the keys, the one to write with first; the others know again what was written before it.

    They come from the file that `SUPPRESSION_KEY_FILE` names, one a line, or from `SUPPRESSION_KEY`. No hash
    can be made anew with another key, so an old one is kept for as long as what it hashed.

    Raises:
        SettingsError: there is none, or one is shorter than 32 bytes.
    """
    return _KEYS.read(os.environ if environ is None else environ)
