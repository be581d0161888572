"""Make a key of whole numbers bigint, with every column that refers to it: one table a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import dragging, facts
from spotify_ai_agent_migrations.versions.zero_downtime_migration.column_swap import contracted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.conversion import expanded
from spotify_ai_agent_migrations.versions.zero_downtime_migration.dragging import Dragged
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.family import WIDE, family
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.change_type import (
    refuse_family,
    refuse_generated,
    with_plain,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_type import altered, asked
from spotify_ai_agent_migrations.versions.zero_downtime_migration.turning import Turn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import written


@dataclass(frozen=True)
class WidenKey:
    """Do at *table* what makes *column* of the table *key*, and what refers to it, bigint.

    A key comes to as many changes as tables refer to it; `together` begins them all, fills them all, proves
    them all, and completes each table before those it refers to. Until the last one is completed code writes
    numbers that fit into both. Foreign keys hold at every moment: one to the new column is validated before
    the one to the old column is dropped. Sequences become bigint; what keys, identities, indexes, checks,
    views, policies, triggers and grants are comes along.
    Locks: ACCESS EXCLUSIVE for milliseconds at a time, on a foreign key's two tables together.

    Raises:
        TableError: the column is no whole number, a table is partitioned, tables refer to each other in a
            circle, or something that depends on a column cannot be carried over, and is named.
    """

    table: str
    key: str
    column: str
    operation: ClassVar[str] = "widen_key"

    @property
    def subject(self) -> str:
        """The key."""
        return f"{self.key}.{self.column}"

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps at this table; none if nothing of it hangs on the key, or all is bigint."""
        key = facts.table(session, self.key)
        found = family(session, key, self.column)
        names = found.of(table.name)
        if not names:
            return ()
        for name in names:
            refuse_generated(table, name)
        refuse_family(session, table)
        turns = [Turn(name, WIDE) for name in names]
        elsewhere = {
            there: {name: fitted(name, "new") for name in found.of(there)} for there in found.columns
        }
        dragged = dragging.read(session, table, asked(session, table, turns), elsewhere=elsewhere)
        steps = (
            *expanded(session, dragged),
            _left(session, dragged),
            *contracted(session, dragged, whole=WIDE),
        )
        return with_plain(steps, _plain(session, dragged, turns))


def _left(session: Session, dragged: Dragged) -> Step:
    """Look for foreign keys of other tables that still are to the old columns: their tables come first."""
    table = dragged.table
    query = SQL(
        "SELECT made.conrelid::pg_catalog.regclass::text FROM pg_catalog.pg_constraint AS made"
        " JOIN pg_catalog.pg_attribute AS part"
        " ON part.attrelid = made.confrelid AND part.attnum = ANY (made.confkey)"
        " WHERE made.contype = 'f' AND made.confrelid = pg_catalog.to_regclass({table})"
        " AND made.conrelid <> made.confrelid AND part.attname IN ({names})"
    ).format(table=Literal(table.name), names=SQL(", ").join(Literal(one.name) for one in dragged.columns))
    return Step(
        name="look for foreign keys to the old column",
        phase=Phase.COMPLETE,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        locks=(Lock(table.name, "ACCESS SHARE"),),
        plain=(),
        failure=f'{{first}} still refers to the old key of "{table.name}"',
        hint="complete the change of {first} first",
    )


def _plain(session: Session, dragged: Dragged, turns: list[Turn]) -> tuple[str, ...]:
    how = SQL(", ").join(map(altered, turns))
    sequences = (
        written(session, "ALTER SEQUENCE {name} AS bigint", name=Identifier(one.schema, one.name))
        for one in dragged.sequences
        if not one.identity
    )
    change = written(session, "ALTER TABLE {table} {how}", table=SQL(dragged.table.name), how=how)
    return (*dragged.carried.drop, change, *sequences, *dragged.carried.create)
