"""Put back what a rollback kept, after the revisions are applied again; list and purge what is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composed, Identifier

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import RevisionError, TableError
from spotify_ai_agent_migrations.versions.rollback.plan import spoken_rows
from spotify_ai_agent_migrations.versions.rollback.tables import (
    STATEMENTS,
    Column,
    columns,
    counted,
    key_columns,
    named,
    names,
    statement,
    value,
)
from spotify_ai_agent_migrations.versions.runner import Options

_RUN: Final = re.compile(r"(?:rollback_)?(?P<run>[0-9a-f]{12})")


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
class Restored:
    """How many rows, or values of a column, came back, by table."""

    rows: tuple[tuple[str, int], ...]


def quarantines(options: Options | None = None) -> tuple[tuple[str, tuple[Kept, ...]], ...]:
    """Return what every rollback kept, by its schema."""
    settings = (options or Options()).settings()
    with connect(settings, purpose="agentdb rollback") as connection, connection.cursor() as cursor:
        cursor.execute(STATEMENTS["quarantines"])
        return tuple((str(name), _contents(cursor, str(name))) for (name,) in cursor.fetchall())


def restore(run: str, options: Options | None = None) -> Restored:
    """Put everything back that rollback *run* kept; one transaction, rows that are there meanwhile stay.

    A kept row takes the place of one with its key, or with what else is unique about it. Triggers of the
    tables do not fire: the rows are what they were. Sequences go on behind what they gave out.

    Locks: SHARE ROW EXCLUSIVE on each table, until all of it is back.

    Raises:
        RevisionError: there is no such run, or a table or column is not there again yet.
        TableError: what was kept is not what it was when it was kept; nothing was restored.
    """
    schema = _schema(run)
    settings = (options or Options()).settings()
    with (
        connect(settings, purpose="agentdb rollback", row_security=False) as connection,
        connection.cursor() as cursor,
    ):
        if not value(cursor, STATEMENTS["has_quarantine"], {"schema": schema}):
            raise _no_quarantine(schema)
        items = _contents(cursor, schema)
        _refuse_again(schema, items)
        _require_back(cursor, items)
        tables = _in_order(cursor, {item.source for item in items if item.kept_as})
        with _silenced(cursor, tables):
            found = tuple(_restored(cursor, schema, items, tables))
        for item in items:
            if item.kind == "sequence":
                cursor.execute(STATEMENTS["move_on"], {"name": item.source, "last": item.rows})
        cursor.execute(
            SQL("UPDATE {} SET restored_at = pg_catalog.now()").format(Identifier(schema, "contents"))
        )
    return Restored(found)


def purge(run: str | None = None, options: Options | None = None) -> tuple[str, ...]:
    """Drop what rollback *run* kept for good; without it, whatever is kept no longer than it has to be.

    Returns the schemas that went.
    """
    wanted = _schema(run) if run else None
    settings = (options or Options()).settings()
    gone = []
    for name, items in quarantines(options):
        expired = all(_expired(item) for item in items)
        if name == wanted or (wanted is None and expired):
            with connect(settings, purpose="agentdb rollback") as connection, connection.cursor() as cursor:
                cursor.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(name)))
            gone.append(name)
    if wanted and not gone:
        raise _no_quarantine(wanted)
    return tuple(gone)


def _refuse_again(schema: str, items: Iterable[Kept]) -> None:
    if any(item.restored_at for item in items):
        raise RevisionError(
            f'what "{schema}" keeps was put back already', hint=f"`agentdb rollback purge {schema}` drops it"
        )


def _no_quarantine(schema: str) -> RevisionError:
    return RevisionError(f'there is no quarantine "{schema}"', hint="`agentdb rollback list` names them")


def _expired(item: Kept) -> bool:
    return item.keep_until <= datetime.now(item.keep_until.tzinfo)


def _schema(run: str) -> str:
    read = _RUN.fullmatch(run)
    if read is None:
        raise RevisionError(f'"{run}" is not the name of a run', hint="`agentdb rollback list` names them")
    return f"rollback_{read['run']}"


def _contents(cursor: Cursor, schema: str) -> tuple[Kept, ...]:
    cursor.execute(statement("contents", schema=Identifier(schema)))
    return tuple(Kept(*row) for row in cursor.fetchall())


def _require_back(cursor: Cursor, items: Iterable[Kept]) -> None:
    for item in items:
        there = value(cursor, "SELECT pg_catalog.to_regclass(%(name)s)", {"name": item.source}) is not None
        known = {column.name for column in columns(cursor, item.source)} if there else set()
        if not there or (item.column and item.column not in known):
            what = f"{item.source}.{item.column}" if item.column else item.source
            raise RevisionError(
                f'"{what}" is not there to be restored',
                hint=f"alembic upgrade {item.revision} brings it back, then run this again",
            )


def _in_order(cursor: Cursor, tables: set[str]) -> tuple[str, ...]:
    """Return *tables* so that those referred to come before those that refer to them."""
    cursor.execute("SET LOCAL search_path = pg_catalog")
    cursor.execute(STATEMENTS["references"])
    needs: dict[str, set[str]] = {table: set() for table in tables}
    for referring, referred in cursor.fetchall():
        if referring in needs and referred in needs:
            needs[referring].add(referred)
    ordered: list[str] = []
    while needs:
        ready = sorted(table for table, others in needs.items() if others <= set(ordered))
        if not ready:
            raise TableError(
                f"{', '.join(sorted(needs))} refer to each other in a circle",
                hint="restore them by hand from the quarantine, with their foreign keys deferred",
            )
        ordered += ready
        for table in ready:
            del needs[table]
    return tuple(ordered)


@contextmanager
def _silenced(cursor: Cursor, tables: Iterable[str]) -> Iterator[None]:
    """Keep the triggers of *tables* from firing in the block."""
    silenced = []
    for table in tables:
        cursor.execute(STATEMENTS["user_triggers"], {"table": table})
        silenced += [(table, str(trigger)) for (trigger,) in cursor.fetchall()]
    for verb in ("DISABLE", "ENABLE"):
        for table, trigger in silenced:
            cursor.execute(
                SQL("ALTER TABLE {} {} TRIGGER {}").format(named(table), SQL(verb), Identifier(trigger))
            )
        if verb == "DISABLE":
            yield


def _restored(
    cursor: Cursor, schema: str, items: Sequence[Kept], tables: Iterable[str]
) -> Iterator[tuple[str, int]]:
    for table in tables:
        # Whole rows before values of a column, and what was kept last before what was kept before it.
        own = [item for item in reversed(items) if item.source == table and item.kept_as]
        for item in sorted(own, key=lambda one: one.column is not None):
            yield table, _put_back(cursor, schema, item)


def _put_back(cursor: Cursor, schema: str, item: Kept) -> int:
    assert item.kept_as is not None
    kept = Identifier(schema, item.kept_as)
    rows, checksum = counted(cursor, kept)
    # A table that was moved was not read: nobody but its owner could change it since.
    if not item.moved and (rows, checksum) != (item.rows, item.checksum):
        raise TableError(
            f'"{schema}"."{item.kept_as}" is not what was kept: {rows} rows, and {item.rows} were',
            hint="somebody changed it since; restore from a backup",
        )
    every = {column.name: column for column in columns(cursor, item.source)}
    shared = tuple(
        every[column.name]
        for column in columns(cursor, f"{schema}.{_quoted(item.kept_as)}")
        if column.name in every and not every[column.name].generated
    )
    types = _own_types(cursor, item.source)
    if not item.column:
        _take_over(cursor, item, kept, types)
    cursor.execute(_update(item, kept, types) if item.column else _upsert(cursor, item, kept, shared))
    if cursor.rowcount != rows:
        raise TableError(
            f"{cursor.rowcount} of {rows} kept rows went back into {item.source}; nothing was restored",
            hint=f"look for rows of {item.source} that are gone since, or for a rule that drops them",
        )
    return rows


def _take_over(cursor: Cursor, item: Kept, kept: Identifier, types: Mapping[str, str]) -> None:
    """Give rows that came meanwhile the keys of the kept rows that are unique in the same way.

    As the pseudonym of a person, which an upgrade makes anew: two rows of one person cannot be.
    """
    key = key_columns(cursor, item.source)
    cursor.execute(STATEMENTS["unique_keys"], {"table": item.source})
    for (unique,) in cursor.fetchall() if key else ():
        cursor.execute(
            SQL("UPDATE {} AS own SET {} FROM {} AS kept WHERE {} AND NOT ({})").format(
                named(item.source),
                SQL(", ").join(_matched(part, types) for part in key),
                kept,
                SQL(" AND ").join(SQL("own.{}").format(_matched(part, types)) for part in unique),
                SQL(" AND ").join(SQL("own.{}").format(_matched(part, types)) for part in key),
            )
        )


def _matched(column: str, types: Mapping[str, str]) -> Composed:
    """Return a column and the kept value of it, with a sign of equality between them."""
    return SQL("{0} = kept.{0}::{1}").format(Identifier(column), SQL(types[column]))


def _upsert(cursor: Cursor, item: Kept, kept: Identifier, shared: tuple[Column, ...]) -> Composed:
    key = key_columns(cursor, item.source)
    types = _own_types(cursor, item.source)
    values = SQL(", ").join(
        SQL("{}::{}").format(Identifier(column.name), SQL(types[column.name])) for column in shared
    )
    # With nothing but a key, a row that is there is the row that was kept.
    changed = [column.name for column in shared if column.name not in key and not column.numbered] or list(
        key
    )
    renewed = SQL(", ").join(SQL("{0} = EXCLUDED.{0}").format(Identifier(name)) for name in changed)
    conflict = SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(SQL(", ").join(map(Identifier, key)), renewed)
    return SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}{}").format(
        named(item.source), names(shared), values, kept, conflict if key else SQL("")
    )


def _update(item: Kept, kept: Identifier, types: Mapping[str, str]) -> Composed:
    assert item.column is not None
    return SQL("UPDATE {} AS own SET {column} = kept.{column}::{type} FROM {} AS kept WHERE {}").format(
        named(item.source),
        kept,
        SQL(" AND ").join(SQL("own.{}").format(_matched(part, types)) for part in item.key),
        column=Identifier(item.column),
        type=SQL(types[item.column]),
    )


def _own_types(cursor: Cursor, table: str) -> dict[str, str]:
    cursor.execute(STATEMENTS["own_types"], {"table": table})
    return dict(cursor.fetchall())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def summary(items: Iterable[Kept]) -> str:
    """Return what a quarantine keeps on one line."""
    every = list(items)
    rows = sum(item.rows for item in every if item.kept_as)
    tables = len({item.source for item in every if item.kept_as})
    until = min((f"{item.keep_until:%Y-%m-%d}" for item in every), default="now")
    back = ", restored" if any(item.restored_at for item in every) else ""
    where = "1 table" if tables == 1 else f"{tables} tables"
    return f"{spoken_rows(rows)} of {where}, kept until {until}{back}"
