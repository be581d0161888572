"""Add a unique constraint of an index that nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import trial_definition
from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import deferrable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.key_of_index import Key, key_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class AddUnique:
    """Let *columns* of *table*, which is named with its schema, be unique together.

    Keys that are there twice are counted before anything is built. `include` are further columns of the
    index; `deferrable` is "", "deferrable" or "deferred". Without a `name` it is called after the table and
    its columns. An index of that name that is defined so is used.
    """

    table: str
    columns: tuple[str, ...]
    name: str | None = None
    include: tuple[str, ...] = ()
    nulls_not_distinct: bool = False
    deferrable: str = ""
    comment: str | None = None
    operation: ClassVar[str] = "add_unique"

    @property
    def subject(self) -> str:
        """Its name, or the columns."""
        return self.name or ", ".join(self.columns)

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if it is there.

        Raises:
            TableError: another one is called so, or the columns do not hold what the table is partitioned by.
        """
        ending = deferrable(self.deferrable)
        nulls = " NULLS NOT DISTINCT" if self.nulls_not_distinct else ""
        said = SQL("UNIQUE{} {}{}").format(SQL(nulls), listed(table, self.columns, self.include), SQL(ending))
        rule = trial_definition.rule(session, table, said)
        assert rule.shape is not None
        name = self.name or fitted(table.plain, *self.columns, "key")
        return key_steps(
            session, table, Key(name, "UNIQUE", rule.definition, rule.shape, ending, self.comment)
        )


def listed(table: Table, columns: tuple[str, ...], include: tuple[str, ...] = ()) -> Composable:
    """Return columns as a key lists them.

    Raises:
        TableError: there is none, or not such a one.
    """
    if not columns:
        raise TableError(f'a key of "{table.name}" is of no column', hint="name its columns")
    for column in (*columns, *include):
        table.column(column)
    keys = SQL("({})").format(SQL(", ").join(map(Identifier, columns)))
    if not include:
        return keys
    return SQL("{} INCLUDE ({})").format(keys, SQL(", ").join(map(Identifier, include)))
