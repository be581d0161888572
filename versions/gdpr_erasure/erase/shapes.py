"""Read how the tables are that an erasure may write to; reads catalogs only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import Shape
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")


@dataclass(frozen=True)
class Live:
    """A column as it is: what it can hold, and whether the server fills it itself.

    type: as SQL writes it. length: the most characters of its type; None is any number.
    element: type of the elements of an array. sources: the columns that the server makes it from, or a
    trigger, which is what `is_kept` says.
    """

    type: str
    shape: Shape
    is_filled: bool
    length: int | None
    element: str | None
    sources: tuple[str, ...] = ()
    is_kept: bool = False

    @property
    def is_text(self) -> bool:
        """Tell whether it can hold what a person is known by, as text."""
        return self.shape.category == "S" or self.shape.base == "uuid"


@dataclass(frozen=True)
class Seen:
    """What an erasure is planned by, read once and handed on: `reaches` with materialised views.

    live: the columns of the tables that are reached, by their names.
    """

    catalogue: Catalogue
    reaches: tuple[Reach, ...]
    live: Mapping[str, Mapping[str, Live]]


def seen(cursor: Cursor) -> Seen:
    """Return the catalogue, what it reaches and the columns there are, in the transaction of *cursor*."""
    catalogue = read_catalogue(cursor)
    reaches = reached(catalogue)
    live = live_columns(cursor, [one.name for one in reaches])
    for one in catalogue.columns:
        if one.follows and one.name in live.get(one.table_name, {}):
            filled = replace(
                live[one.table_name][one.name], is_filled=True, sources=one.follows, is_kept=True
            )
            live[one.table_name][one.name] = filled
    return Seen(catalogue, reaches, live)


def live_columns(cursor: Cursor, tables: Sequence[str]) -> dict[str, dict[str, Live]]:
    """Return the columns of *tables* by their names, in their order."""
    cursor.execute(STATEMENTS["live_columns"], {"tables": list(tables)})
    found: dict[str, dict[str, Live]] = {}
    for table, name, type_, *shape, is_filled, length, element, sources in cursor:
        column = Live(type_, Shape(*shape), is_filled, length, element, tuple(sources))
        found.setdefault(table, {})[name] = column
    return found
