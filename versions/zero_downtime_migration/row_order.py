"""Find what a table can be walked along: its primary key, or another unique index without NULL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

At = Sequence[str]
# What a row is called in every statement of a backfill, and in what its user writes.
ROW: Final = "t"
_WHOLE: Final = (("smallint",), ("integer",), ("bigint",))


@dataclass(frozen=True)
class Key:
    """The columns of an index that puts all rows in an order, with their types as SQL writes a cast.

    `open` are those of its columns whose values may be shown: whole numbers and UUIDs.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    open: frozenset[str]

    @property
    def names(self) -> Composable:
        """Its columns, of the row."""
        return SQL(", ").join(Identifier(ROW, name) for name in self.columns)

    @property
    def texts(self) -> Composable:
        """Its values as text."""
        return SQL(", ").join(SQL("{}::text").format(Identifier(ROW, name)) for name in self.columns)

    @property
    def falling(self) -> Composable:
        """Its columns, the last key first."""
        return SQL(", ").join(SQL("{} DESC").format(Identifier(ROW, name)) for name in self.columns)

    def behind(self, at: At | None) -> Composable:
        """The condition of rows behind a key; of all rows, if there is none."""
        return SQL("true") if at is None else SQL("({}) > ({})").format(self.names, self._values(at))

    def upto(self, at: At | None) -> Composable:
        """The condition of rows up to a key; of all rows, if there is none."""
        return SQL("true") if at is None else SQL("({}) <= ({})").format(self.names, self._values(at))

    @property
    def is_whole(self) -> bool:
        """Whether it is one column of whole numbers, so that their distance bounds the rows between."""
        return self.types in _WHOLE

    def _values(self, at: At) -> Composable:
        pairs = zip(at, self.types, strict=True)
        return SQL(", ").join(SQL("{}::{}").format(Literal(value), SQL(type_)) for value, type_ in pairs)


@dataclass(frozen=True)
class Part:
    """A table that holds rows of its own: the table itself, a partition or a child."""

    oid: int
    name: str
    size_bytes: int
    key: Key


def parts(session: Session, table: Table) -> tuple[Part, ...]:
    """Return the tables that hold the rows of a table, each with its key.

    Raises:
        TableError: one of them has nothing to walk along, or is a foreign table.
    """
    found = []
    for oid, name, kind, size_bytes in session.ask("parts_of", oid=table.oid):
        if kind != "r":
            raise TableError(
                f'"{name}", which holds rows of "{table.name}", is a foreign table',
                hint="detach it, and fill it where it lives",
            )
        found.append(Part(oid, name, size_bytes, _key(session, oid, name)))
    return tuple(found)


def _key(session: Session, oid: int, name: str) -> Key:
    rows = session.ask("key_of", oid=oid)
    if not rows:
        raise TableError(
            f'"{name}" has neither a primary key nor a unique index of NOT NULL columns to walk along',
            hint="give it one first: add_primary_key",
        )
    columns, types, shown = rows[0]
    return Key(
        tuple(columns), tuple(types), frozenset(name for name, may in zip(columns, shown, strict=True) if may)
    )


def require_progress(table: str, at: At | None, last: At | None) -> None:
    """Refuse a key whose type does not read what it wrote: it would be walked along for ever.

    Raises:
        TableError: the last of the next rows is the one that was the last before.
    """
    if at and last and list(at) == list(last):
        raise TableError(
            f'the key of "{table}" is not read as it is written',
            hint="give it another key",
        )


def said(session: Session, statement: str, table: str, key: Key, **parts: Composable) -> Composable:
    """Return a named statement about the rows of one table along its key."""
    names = {"names": key.names, "texts": key.texts, "falling": key.falling}
    # What is computed beside the key must not be called like a column of it.
    free = {name: Identifier(_free(name, key)) for name in ("many", "part", "count")}
    return SQL(session.named[statement]).format(row=SQL(ROW), table=SQL(table), **names, **free, **parts)


def _free(name: str, key: Key) -> str:
    return name if name not in key.columns else _free(f"{name}_", key)
