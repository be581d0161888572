"""Put the rows of one table back, or the values of one of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composed, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.rollback.plan import spoken_rows
from spotify_ai_agent_migrations.versions.rollback.tables import (
    ORDER,
    STATEMENTS,
    columns,
    counted,
    kept_values,
    key_columns,
    named,
    own_rows,
    statement,
    value,
)

_ALL: Final = SQL(" AND ")
_LIST: Final = SQL(", ")


@dataclass(frozen=True)
class Kept:
    """One thing that a rollback kept: the rows of a table, the values of a column, where a sequence was."""

    id: int
    revision: str
    kind: str
    source: str
    column: str | None
    kept_as: str | None
    moved: bool
    key: Sequence[str]
    rows: int
    checksum: str | None
    keep_until: datetime
    restored_at: datetime | None


@dataclass(frozen=True)
class Returned:
    """How many rows, or values of a column, came back into a table.

    `replaced` rows that were there with the same key gave way to what was kept, and are kept now themselves.
    `missing` changed rows and values of a column found their row gone since, and stay in the quarantine.
    """

    table: str
    rows: int
    replaced: int
    missing: int

    def __str__(self) -> str:
        said = f"{self.table}: {spoken_rows(self.rows)}"
        if self.replaced:
            said += f", {self.replaced} in the place of others, which are kept now"
        if self.missing:
            said += f"; {spoken_rows(self.missing)} gone since"
        return said


@dataclass(frozen=True)
class _Way:
    """How the rows of *own* table and the kept ones are matched, and what is put back of them."""

    table: Identifier
    own: Composed
    kept: Composed
    key: tuple[str, ...]
    changed: tuple[str, ...]
    given: tuple[str, ...]
    types: Mapping[str, str]

    def matched(self, names: Sequence[str]) -> Composed:
        """Return the condition that a row and a kept one are equal in these columns."""
        return _ALL.join(
            SQL("own.{0} = kept.{0}::{1}").format(Identifier(name), SQL(self.types[name])) for name in names
        )

    def other(self) -> Composed:
        """Return the condition that they differ in what is put back."""
        own = _LIST.join(SQL("own.{}").format(Identifier(name)) for name in self.changed)
        kept = _LIST.join(self.values(self.changed))
        return SQL("ROW({})::text IS DISTINCT FROM ROW({})::text").format(own, kept)

    def values(self, names: Sequence[str]) -> list[Composed]:
        """Return the kept values in the types that the columns have."""
        return [SQL("kept.{}::{}").format(Identifier(name), SQL(self.types[name])) for name in names]


def put_back(cursor: Cursor, schema: str, item: Kept) -> Returned:
    """Put back what was kept of one table; rows that have to give way are kept in its stead.

    Raises:
        TableError: a row did not go back in, as where a rule drops it.
    """
    way = _way(cursor, schema, item)
    whole = item.kind not in {"column", "updated"}
    if whole:
        _take_over(cursor, item, way)
    replaced = _replace(cursor, schema, item, way) if way.key and way.changed else 0
    if whole:
        cursor.execute(_insert(way))
    rows = int(value(cursor, SQL("SELECT count(*) FROM {} AS kept").format(way.kept)))
    there = rows - _absent(cursor, way)
    if whole and there != rows:
        raise TableError(
            f"{there} of {rows} kept rows went back into {item.source}; nothing was restored",
            hint=f"look for a rule of {item.source} that drops them",
        )
    return Returned(item.source, there, replaced, rows - there)


def _way(cursor: Cursor, schema: str, item: Kept) -> _Way:
    assert item.kept_as is not None
    kept = Identifier(schema, item.kept_as)
    key = tuple(item.key) if item.kind in {"column", "updated"} else key_columns(cursor, item.source)
    every = {column.name: column for column in columns(cursor, item.source)}
    made = _made(cursor, item.source) - set(key)
    shared = [
        every[column.name]
        for column in columns(cursor, kept.as_string(cursor))
        if column.name in every and not every[column.name].generated and column.name not in made
    ]
    cursor.execute(STATEMENTS["own_types"], {"table": item.source})
    types = dict(cursor.fetchall())
    free = tuple(one.name for one in shared if one.name not in key and not one.numbered)
    return _Way(
        table=named(item.source),
        own=own_rows(cursor, item.source),
        kept=_first(kept, key) if item.kind == "updated" else SQL("{}").format(kept),
        key=key,
        changed=free if item.column is None or item.column in made else (item.column,),
        given=tuple(one.name for one in shared),
        types=types,
    )


def _made(cursor: Cursor, table: str) -> set[str]:
    """Return the columns that a trigger keeps at what others make of them, which may be other by now."""
    cursor.execute(STATEMENTS["made_columns"], {"table": table})
    return {str(name) for (name,) in cursor.fetchall()}


def _first(kept: Identifier, key: Sequence[str]) -> Composed:
    """Return each kept row as it was at first: one that was changed twice was kept twice."""
    names = _LIST.join(map(Identifier, key))
    return SQL("(SELECT DISTINCT ON ({0}) * FROM {1} ORDER BY {0}, {2})").format(
        names, kept, Identifier(ORDER)
    )


def _replace(cursor: Cursor, schema: str, item: Kept, way: _Way) -> int:
    """Give rows that are there what was kept of them, and keep what they were; return how many differed."""
    differ = SQL("{} AND {}").format(way.matched(way.key), way.other())
    found = SQL("SELECT count(*) FROM {} AS own, {} AS kept WHERE {}").format(way.own, way.kept, differ)
    replaced = int(value(cursor, found))
    if not replaced:
        return 0
    name = f"replaced_{item.id}"
    wanted = {*way.key, *way.changed}
    own = tuple(one for one in columns(cursor, item.source) if one.name in wanted)
    cursor.execute(
        SQL(
            "CREATE TABLE {} AS SELECT {} FROM {} AS own WHERE EXISTS (SELECT FROM {} AS kept WHERE {})"
        ).format(Identifier(schema, name), kept_values(own), way.own, way.kept, differ)
    )
    _note_replaced(cursor, schema, item, name, way.key)
    cursor.execute(_update(way, way.changed, differ))
    return replaced


def _update(way: _Way, names: Sequence[str], where: Composed) -> Composed:
    pairs = zip(names, way.values(names), strict=True)
    given = _LIST.join(SQL("{} = {}").format(Identifier(name), kept) for name, kept in pairs)
    return SQL("UPDATE {} AS own SET {} FROM {} AS kept WHERE {}").format(way.own, given, way.kept, where)


def _note_replaced(cursor: Cursor, schema: str, item: Kept, name: str, key: Sequence[str]) -> None:
    rows, checksum = counted(cursor, Identifier(schema, name))
    entry = {"revision": item.revision, "kind": "replaced", "source": item.source, "column": item.column}
    rest = {"kept_as": name, "moved": False, "key": list(key), "rows": rows, "checksum": checksum}
    cursor.execute(statement("note", schema=Identifier(schema)), {**entry, **rest})


def _insert(way: _Way) -> Composed:
    given, values = _LIST.join(map(Identifier, way.given)), _LIST.join(way.values(way.given))
    return SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS kept").format(
        way.table, given, values, _missing(way)
    )


def _absent(cursor: Cursor, way: _Way) -> int:
    """Return how many kept rows are not there."""
    return int(value(cursor, SQL("SELECT count(*) FROM {} AS kept").format(_missing(way))))


def _missing(way: _Way) -> Composed:
    """Return the kept rows that are not there: by their key, or without one by all of it, doubles counted."""
    if way.key:
        return SQL(
            "(SELECT kept.* FROM {} AS kept WHERE NOT EXISTS (SELECT FROM {} AS own WHERE {}))"
        ).format(way.kept, way.own, way.matched(way.key))
    own = _LIST.join(SQL("own.{}").format(Identifier(name)) for name in way.given)
    return SQL(
        "(SELECT kept.*"
        " FROM (SELECT kept.*, row_number() OVER (PARTITION BY ROW({values})::text) AS {number}"
        " FROM {kept} AS kept) AS kept"
        " LEFT JOIN (SELECT ROW({own})::text AS said, count(*) AS many FROM {there} AS own GROUP BY 1)"
        " AS there"
        " ON there.said = ROW({values})::text"
        " WHERE kept.{number} > coalesce(there.many, 0))"
    ).format(
        values=_LIST.join(way.values(way.given)),
        number=Identifier("rollback number"),
        kept=way.kept,
        own=own,
        there=way.own,
    )


def _take_over(cursor: Cursor, item: Kept, way: _Way) -> None:
    """Give rows that came meanwhile the keys of the kept rows that are unique in the same way.

    As the pseudonym of a person, which an upgrade makes anew: two rows of one person cannot be.
    """
    cursor.execute(STATEMENTS["unique_keys"], {"table": item.source})
    every = [unique for (unique,) in cursor.fetchall() if set(unique) <= set(way.given)] if way.key else []
    for unique in every:
        same = SQL("{} AND NOT ({})").format(way.matched(unique), way.matched(way.key))
        found = SQL("SELECT EXISTS (SELECT FROM {} AS own, {} AS kept WHERE {})")
        if value(cursor, found.format(way.own, way.kept, same)):
            with _numbers_given(cursor, item.source, way):
                cursor.execute(_update(way, way.key, same))


@contextmanager
def _numbers_given(cursor: Cursor, table: str, way: _Way) -> Iterator[None]:
    """Let numbers of the key be given that else only the server gives."""
    numbered = [one.name for one in columns(cursor, table) if one.numbered and one.name in way.key]
    alter = SQL("ALTER TABLE {} ALTER COLUMN {} SET GENERATED {}")
    for name in numbered:
        cursor.execute(alter.format(way.table, Identifier(name), SQL("BY DEFAULT")))
    yield
    for name in numbered:
        cursor.execute(alter.format(way.table, Identifier(name), SQL("ALWAYS")))
