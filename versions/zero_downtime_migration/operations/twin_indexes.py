"""Build for a second column the indexes that the first one has, so that code finds rows by either."""

from __future__ import annotations

from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import rolled_back
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_column import PROBE

_INDEX: Final = SQL("zz_probe_index")
_DEFINED: Final[Composable] = SQL("SELECT pg_catalog.pg_get_indexdef('pg_temp.zz_probe_index'::regclass)")


def twin_indexes(session: Session, table: Table, column: str, twin: str) -> tuple[Step, ...]:
    """Return the steps that build for *twin* what indexes *column* is in, on each partition by itself."""
    return tuple(
        _built(session, called, schema, name=fitted("zz", index, twin), unique=unique and at_once, tail=tail)
        for called, schema, _ in session.ask("leaves_of", oid=table.oid)
        for index, definition, unique, at_once, _ in session.ask("indexes_with", table=called, column=column)
        for tail in (_renamed(session, called, definition, column, twin),)
    )


def _built(session: Session, table: str, schema: str, *, name: str, unique: bool, tail: str) -> Step:
    called = session.text(Identifier(schema, name))
    if session.value(SQL("SELECT pg_catalog.to_regclass({})").format(Literal(called))) is not None:
        raise TableError(
            f"{called} is in the way: an index of that name is to be built", hint="drop or rename it first"
        )
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {called}"
    build = SQL("CREATE {}INDEX CONCURRENTLY {} ON {} USING {}").format(
        SQL("UNIQUE " if unique else ""), Identifier(name), SQL(table), SQL(tail)
    )
    done = SQL(
        "SELECT made.indisvalid FROM pg_catalog.pg_index AS made"
        " WHERE made.indexrelid = pg_catalog.to_regclass({}) AND made.indrelid = pg_catalog.to_regclass({})"
    ).format(Literal(called), Literal(table))
    return Step(
        name=f"build the index {called}",
        phase=Phase.BACKFILL,
        kind=Kind.ALONE,
        sql=(session.text(build),),
        locks=(Lock(table, "SHARE UPDATE EXCLUSIVE"),),
        held="while it builds; others read and write meanwhile",
        done=session.text(done),
        sweep=session.asked("index_litter", table=table, name=name, itself=True),
        undo=(drop,),
        plain=(),
    )


def _renamed(session: Session, table: str, definition: str, column: str, to: str) -> str:
    """Return what follows USING in an index's definition, once a column has another name.

    Locks: ACCESS SHARE on the table, for milliseconds.
    """
    with rolled_back(session):
        session.run(SQL("CREATE TEMP TABLE zz_probe (LIKE {})").format(SQL(table)))
        session.run(
            SQL("CREATE INDEX {} ON {} USING {}").format(_INDEX, PROBE, SQL(_after_using(definition)))
        )
        session.run(
            SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(PROBE, Identifier(column), Identifier(to))
        )
        return _after_using(str(session.value(_DEFINED)))


def _after_using(definition: str) -> str:
    """Return what follows the first USING behind the names of an index and its table."""
    quoted = False
    for place, letter in enumerate(definition):
        quoted ^= letter == '"'
        if not quoted and definition.startswith(" USING ", place):
            return definition[place + len(" USING ") :]
    return definition
