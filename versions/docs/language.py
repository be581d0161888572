"""The languages of the pages: English, as code and catalogue are written in, and French. No database here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

_PACKAGE: Final = "spotify_ai_agent_migrations.versions.docs"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True)
class Language:
    """What a page is called and how it speaks: `words` of this room, and `texts` of the catalogue."""

    code: str
    page: str
    words: Mapping[str, str] = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)

    def say(self, english: str, *values: object) -> str:
        """Return a word or sentence of this room, with *values* in place of its braces."""
        return self.words.get(english, english).format(*values)

    def text(self, english: str) -> str:
        """Return a text of the catalogue; in English where nobody has translated it."""
        return self.texts.get(english, english)


@cache
def english() -> Language:
    """Return the language that everything is written in."""
    return Language("en", "schema.md", _NOTHING, _NOTHING)


@cache
def french() -> Language:
    """Return the language whose words and texts are in `french.json`."""
    held = json.loads(files(_PACKAGE).joinpath("french.json").read_text(encoding="utf-8"))
    return Language("fr", "schema.fr.md", MappingProxyType(held["words"]), MappingProxyType(held["texts"]))
