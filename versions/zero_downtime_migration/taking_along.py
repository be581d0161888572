"""Drop what goes with a column before the column does, so that its own lock is short."""

from __future__ import annotations

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def without_indexes(session: Session, table: Table, column: str) -> tuple[Step, ...]:
    """Return the steps that drop the indexes a column is in, while others read and write."""
    if table.partitioned:
        # An index of all partitions cannot be dropped CONCURRENTLY: it goes with the column.
        return ()
    return tuple(
        _dropped_index(session, table, session.text(table.beside(name)))
        for name, _, _, _, is_rule in session.ask("indexes_with", table=table.name, column=column)
        if not is_rule
    )


def without_references(session: Session, table: Table, column: str) -> tuple[Step, ...]:
    """Return the steps that drop the foreign keys of a column alone, which locks two tables each."""
    number = session.value("column_number", oid=table.oid, column=column)
    drop = SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}")
    return tuple(
        Step(
            name=f"drop the foreign key {name}",
            phase=Phase.COMPLETE,
            kind=Kind.BRIEF,
            sql=(session.text(drop.format(SQL(table.name), Identifier(name))),),
            locks=(Lock(table.name), Lock(referred)),
            plain=(),
            final=True,
        )
        for name, referred in session.ask("refers_to", oid=table.oid, number=number)
    )


def _dropped_index(session: Session, table: Table, index: str) -> Step:
    return Step(
        name=f"drop the index {index}",
        phase=Phase.COMPLETE,
        kind=Kind.ALONE,
        sql=(f"DROP INDEX CONCURRENTLY IF EXISTS {index}",),
        locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
        held="while those end who use it; others read and write meanwhile",
        done=session.text(SQL("SELECT pg_catalog.to_regclass({}) IS NULL").format(Literal(index))),
        plain=(),
        final=True,
    )
