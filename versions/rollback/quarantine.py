"""Put back what a rollback kept, after the revisions are applied again; list and purge what is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, RevisionError, TableError
from spotify_ai_agent_migrations.versions.rollback.plan import spoken_rows
from spotify_ai_agent_migrations.versions.rollback.putting import Kept, Returned, put_back
from spotify_ai_agent_migrations.versions.rollback.tables import (
    STATEMENTS,
    columns,
    counted,
    lock,
    named,
    statement,
    value,
)
from spotify_ai_agent_migrations.versions.runner import Options

_RUN: Final = re.compile(r"(?:rollback_)?(?P<run>[0-9a-f]{12})")


class Link(NamedTuple):
    """A foreign key of a table to another."""

    table: str
    other: str
    constraint: str
    deferrable: bool
    deferred: bool


@dataclass(frozen=True)
class Restored:
    """What came back, by table."""

    tables: tuple[Returned, ...]


def quarantines(options: Options | None = None) -> tuple[tuple[str, tuple[Kept, ...]], ...]:
    """Return what every rollback kept that this login may look into, by its schema."""
    settings = (options or Options()).settings()
    with connect(settings, purpose="agentdb rollback") as connection, connection.cursor() as cursor:
        cursor.execute(STATEMENTS["quarantines"])
        return tuple(
            (str(name), _contents(cursor, str(name))) for name, _, usable in cursor.fetchall() if usable
        )


def restore(run: str, options: Options | None = None) -> Restored:
    """Put everything back that rollback *run* kept, in one transaction; a dry run undoes it.

    A kept row takes the place of one with its key, or with what else is unique about it; the other is kept in
    its stead. Rows with other keys stay. Triggers of the tables do not fire: the rows are what they were. But
    a column that a trigger keeps at what others make of it is made anew. Sequences go on behind what they
    gave out.

    Locks: SHARE ROW EXCLUSIVE on each table, until all of it is back; ACCESS EXCLUSIVE on one whose numbers
        only the server gives, where one of them has to be given again.

    Raises:
        RevisionError: there is no such run, or a table or column is not there again yet.
        PrivilegeError: somebody else kept it.
        TableError: what was kept is not what it was when it was kept; nothing was restored.
    """
    schema = _schema(run)
    options = options or Options()
    with (
        connect(options.settings(), purpose="agentdb rollback", row_security=False) as connection,
        connection.cursor() as cursor,
    ):
        _require_usable(cursor, schema)
        items = _contents(cursor, schema)
        _refuse_again(schema, items)
        _require_back(cursor, items)
        tables, circle = _in_order(cursor, {item.source for item in items if item.kept_as})
        for table in tables:
            lock(cursor, table)
        with _silenced(cursor, tables), _deferred(cursor, circle):
            found = tuple(_restored(cursor, schema, items, tables))
        for item in items:
            if item.kind == "sequence":
                cursor.execute(STATEMENTS["move_on"], {"name": item.source, "last": item.rows})
        cursor.execute(
            SQL("UPDATE {} SET restored_at = pg_catalog.now()").format(Identifier(schema, "contents"))
        )
        if options.dry_run:
            connection.rollback()
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


def _require_usable(cursor: Cursor, schema: str) -> None:
    cursor.execute(STATEMENTS["quarantines"])
    owners = {name: (owner, usable) for name, owner, usable in cursor.fetchall()}
    if schema not in owners:
        raise _no_quarantine(schema)
    owner, usable = owners[schema]
    if not usable:
        raise PrivilegeError(
            f'"{schema}" was kept by "{owner}"', hint=f'connect as "{owner}", or as a superuser'
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


def _in_order(cursor: Cursor, tables: set[str]) -> tuple[tuple[str, ...], tuple[Link, ...]]:
    """Return *tables* so that those referred to come before those that refer to them.

    Beside it the foreign keys that no order suits, since they make a circle.
    """
    cursor.execute("SET LOCAL search_path = pg_catalog")
    cursor.execute(STATEMENTS["references"])
    links = tuple(link for link in map(Link._make, cursor.fetchall()) if {link.table, link.other} <= tables)
    ordered: list[str] = []
    circle: list[Link] = []
    while left := tables - set(ordered):
        waiting = {link.table for link in links if link.table in left and link.other in left}
        # In a circle one of them has to begin.
        ready = sorted(left - waiting) or [min(waiting)]
        circle += [link for link in links if link.table in ready and link.other in left - set(ready)]
        ordered += ready
    return tuple(ordered), tuple(circle)


@contextmanager
def _deferred(cursor: Cursor, circle: Iterable[Link]) -> Iterator[None]:
    """Let the foreign keys of a circle be held at the end of the block, all at once."""
    alter = "ALTER TABLE {} ALTER CONSTRAINT {} {}"
    for link in circle:
        names = (named(link.table), Identifier(link.constraint))
        cursor.execute(SQL(alter).format(*names, SQL("DEFERRABLE INITIALLY DEFERRED")))
    yield
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for link in circle:
        names = (named(link.table), Identifier(link.constraint))
        deferred = "DEFERRED" if link.deferred else "IMMEDIATE"
        was = f"DEFERRABLE INITIALLY {deferred}" if link.deferrable else "NOT DEFERRABLE"
        cursor.execute(SQL(alter).format(*names, SQL(was)))


@contextmanager
def _silenced(cursor: Cursor, tables: Iterable[str]) -> Iterator[None]:
    """Keep the triggers of *tables* from firing in the block, beside those that keep a column in step."""
    silenced = []
    for table in tables:
        cursor.execute(STATEMENTS["user_triggers"], {"table": table})
        silenced += [(table, str(trigger), bool(always)) for trigger, always in cursor.fetchall()]
    alter = SQL("ALTER TABLE {} {} TRIGGER {}")
    for table, trigger, _ in silenced:
        cursor.execute(alter.format(named(table), SQL("DISABLE"), Identifier(trigger)))
    yield
    for table, trigger, always in silenced:
        cursor.execute(
            alter.format(named(table), SQL("ENABLE ALWAYS" if always else "ENABLE"), Identifier(trigger))
        )


def _restored(
    cursor: Cursor, schema: str, items: Sequence[Kept], tables: Iterable[str]
) -> Iterator[Returned]:
    for table in tables:
        # Whole rows before values of a column, and what was kept last before what was kept before it.
        own = [item for item in reversed(items) if item.source == table and item.kept_as]
        for item in sorted(own, key=lambda one: one.column is not None):
            _require_kept(cursor, schema, item)
            yield put_back(cursor, schema, item)


def _require_kept(cursor: Cursor, schema: str, item: Kept) -> None:
    assert item.kept_as is not None
    # A table that was moved was not read: nobody but its owner could change it since.
    if item.moved:
        return
    rows, checksum = counted(cursor, Identifier(schema, item.kept_as))
    if (rows, checksum) != (item.rows, item.checksum):
        raise TableError(
            f'"{schema}"."{item.kept_as}" is not what was kept: {rows} rows, and {item.rows} were',
            hint="somebody changed it since; restore from a backup",
        )


def summary(items: Iterable[Kept]) -> str:
    """Return what a quarantine keeps on one line."""
    every = list(items)
    rows = sum(item.rows for item in every if item.kept_as)
    tables = len({item.source for item in every if item.kept_as})
    until = min((f"{item.keep_until:%Y-%m-%d}" for item in every), default="now")
    back = ", restored" if any(item.restored_at for item in every) else ""
    where = "1 table" if tables == 1 else f"{tables} tables"
    return f"{spoken_rows(rows)} of {where}, kept until {until}{back}"
