"""Say what stands beside the data, in the language of the person: English or French. No database here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError

LANGUAGES: Final = ("en", "fr")
_PACKAGE: Final = "spotify_ai_agent_migrations.versions"


@dataclass(frozen=True)
class Words:
    """The sentences of one language, and its texts of the catalogue."""

    code: str
    sentences: Mapping[str, str] = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)

    def say(self, key: str, **values: object) -> str:
        """Return a sentence, with *values* in place of its braces."""
        return self.sentences[key].format(**values)

    def text(self, english: str) -> str:
        """Return what somebody wrote into the database; in English where nobody has translated it."""
        return self.sentences.get(english) or self.texts.get(english, english)


@cache
def words(code: str) -> Words:
    """Return the words of a language.

    Raises:
        SettingsError: it is neither English nor French.
    """
    if code not in LANGUAGES:
        raise SettingsError(f'"{code}" is no language of an export', hint=f"choose {' or '.join(LANGUAGES)}")
    held = _read("gdpr_erasure", "export", "words.json")
    spoken = {key: said[code] for key, said in held.items() if code in said}
    # The pages about the schema have the French of every comment; read as a file, for rooms import no room.
    texts = _read("docs", "french.json")["texts"] if code == "fr" else {}
    return Words(code, MappingProxyType(spoken), MappingProxyType(texts))


def language_of(locale: str | None) -> str:
    """Return the language of *locale* that an export speaks: French where it is French, otherwise English."""
    return "fr" if (locale or "").lower().partition("-")[0] == "fr" else "en"


def _read(*place: str) -> Any:  # noqa: ANN401
    return json.loads(files(_PACKAGE).joinpath(*place).read_text(encoding="utf-8"))
