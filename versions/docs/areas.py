"""Which tables belong together: by the patterns of `areas.json`, else by their schema. No database here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Final

from spotify_ai_agent_migrations.versions.docs.language import Language
from spotify_ai_agent_migrations.versions.docs.markdown import code
from spotify_ai_agent_migrations.versions.docs.schema import Table

_PACKAGE: Final = "spotify_ai_agent_migrations.versions.docs"


@dataclass(frozen=True)
class Area:
    """A part of the schema that is read together, and drawn together."""

    title: str
    tables: tuple[Table, ...]


@cache
def _declared() -> tuple[tuple[dict[str, str], tuple[str, ...]], ...]:
    content = json.loads(files(_PACKAGE).joinpath("areas.json").read_text(encoding="utf-8"))
    return tuple((area["title"], tuple(area["tables"])) for area in content)


def areas(tables: Sequence[Table], language: Language) -> tuple[Area, ...]:
    """Return *tables* by area: each in the first that has a pattern for it, in the order of the patterns."""
    left = {table.key: table for table in tables}
    found = []
    for title, patterns in _declared():
        inside = [key for pattern in patterns for key in left if fnmatchcase(key, pattern)]
        if inside:
            found.append(Area(title[language.code], tuple(left.pop(key) for key in dict.fromkeys(inside))))
    for schema in sorted({key.partition(".")[0] for key in left}):
        rest = tuple(table for key, table in left.items() if key.partition(".")[0] == schema)
        found.append(Area(language.say("Schema {}", code(schema)), rest))
    return tuple(found)
