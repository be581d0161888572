"""Drop an index that nothing needs, so that nobody waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.indexes import Index, indexes
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.tree import all_locks, below, together


@dataclass(frozen=True)
class DropIndex:
    """Drop the index `name` of *table*, which is named with its schema.

    The index of a partitioned table cannot be dropped CONCURRENTLY, nor part by part: that locks the table
    and all of its partitions at once for some milliseconds, which is done with `at_once` only.
    """

    table: str
    name: str
    at_once: bool = False
    operation: ClassVar[str] = "drop_index"

    @property
    def subject(self) -> str:
        """The index."""
        return self.name

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the table has no such index.

        Raises:
            TableError: something needs it, or it is a partitioned table's and `at_once` was not said.
        """
        there = next(iter(indexes(session, table.oid, self.name)), None)
        if there is None:
            return ()
        refuse_needed(table, there)
        return (dropped(session, table, there, self.name, at_once=self.at_once),)


def dropped(session: Session, table: Table, there: Index, name: str, *, at_once: bool) -> Step:
    """Return the step that drops an index, which by then is called *name*.

    Raises:
        TableError: it is a partitioned table's and *at_once* was not said.
    """
    index = Identifier(table.schema, name)
    plain = session.text(SQL("DROP INDEX IF EXISTS {}").format(index))
    if there.partitioned:
        return _at_once(session, table, there, plain, allowed=at_once)
    gone = SQL("SELECT pg_catalog.to_regclass({}) IS NULL").format(Literal(session.text(index)))
    return Step(
        name=f"drop the index {name}",
        phase=Phase.COMPLETE,
        kind=Kind.ALONE,
        sql=(session.text(SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index)),),
        locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
        held="until the transactions have ended that use it; others read and write meanwhile",
        done=session.text(gone),
        plain=(plain,),
        final=True,
    )


def refuse_needed(table: Table, there: Index) -> None:
    """Refuse to take away an index that something needs."""
    if there.constraint:
        raise TableError(
            f'the index "{there.name}" is that of the constraint "{there.constraint}"',
            hint=f'drop the constraint: ALTER TABLE {table.name} DROP CONSTRAINT "{there.constraint}"',
        )
    if there.keys_of:
        raise TableError(
            f'the foreign key {there.keys_of[0]} needs the index "{there.name}"', hint="drop that first"
        )
    if there.parent:
        raise TableError(
            f'the index "{there.name}" is a part of "{there.parent}"',
            hint="drop that one, of the partitioned table",
        )
    if there.replica_identity:
        raise TableError(
            f'"{there.name}" is the index that replication knows the rows of "{table.name}" by',
            hint=f"choose another one first: ALTER TABLE {table.name} REPLICA IDENTITY DEFAULT",
        )


def _at_once(session: Session, table: Table, there: Index, plain: str, *, allowed: bool) -> Step:
    locks = all_locks(table, below(session, table))
    if not allowed:
        raise TableError(
            f'the index "{there.name}" of a partitioned table can only be dropped whole: that locks the '
            f"table and its {len(locks) - 1} partitions together for a moment",
            hint="say at_once=True in a quiet minute; who is in the way is waited for before, not within",
        )
    return Step(
        name=f"drop the index {there.plain} and its parts",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=(*together(session, locks), plain),
        locks=locks,
        held="some milliseconds, all together",
        plain=(plain,),
        final=True,
    )
