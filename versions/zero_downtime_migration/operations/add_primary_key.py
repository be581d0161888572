"""Add a primary key: its columns NOT NULL, then an index, then the constraint, and nobody waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import trial_definition
from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import constraints, deferrable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.key_of_index import Key, key_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_unique import listed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import not_null_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class AddPrimaryKey:
    """Let *columns* be the primary key of *table*, which is named with its schema.

    They become NOT NULL first, so that the table is not read under a lock. `include` are further columns of
    the index; `deferrable` is "", "deferrable" or "deferred". Without a `name` it is {table}_pkey.
    """

    table: str
    columns: tuple[str, ...]
    name: str | None = None
    include: tuple[str, ...] = ()
    deferrable: str = ""
    comment: str | None = None
    operation: ClassVar[str] = "add_primary_key"

    @property
    def subject(self) -> str:
        """The columns."""
        return ", ".join(self.columns)

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if it is there.

        Raises:
            TableError: the table has another one, or the columns do not hold what it is partitioned by.
        """
        name = self.name or fitted(table.plain, "pkey")
        ending = deferrable(self.deferrable)
        said = SQL("PRIMARY KEY {}{}").format(listed(table, self.columns, self.include), SQL(ending))
        rule = trial_definition.rule(session, table, said)
        assert rule.shape is not None
        _refuse_second(session, table, name)
        key = Key(name, "PRIMARY KEY", rule.definition, rule.shape, ending, self.comment)
        steps = key_steps(session, table, key)
        if not steps:
            return ()
        filled = tuple(
            step
            for column in self.columns
            if not table.column(column).not_null
            for step in not_null_steps(session, table, column)
        )
        # What cannot be taken back comes last.
        return tuple(sorted((*filled, *steps), key=lambda step: step.final))


def _refuse_second(session: Session, table: Table, name: str) -> None:
    other = next((one for one in constraints(session, table.oid) if one.kind == "p"), None)
    if other is not None and other.name != name:
        raise TableError(
            f'"{table.name}" has the primary key "{other.name}" already: {other.definition}',
            hint="AddUnique adds a second key; WidenKey changes the type of the first",
        )
