"""Refuse to add an exclusion constraint to a live table, and say what can be done instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import trial_definition
from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import constraint_named
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class AddExclusion:
    """Let no two rows of *table*, which is named with its schema, conflict: `definition`, from EXCLUDE on.

    PostgreSQL builds the index of it under a lock that every writer waits for, and has no NOT VALID for it.
    """

    table: str
    name: str
    definition: str
    operation: ClassVar[str] = "add_exclusion"

    @property
    def subject(self) -> str:
        """Its name."""
        return self.name

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return no steps if it is there.

        Raises:
            TableError: it is not, and cannot be added online.
        """
        rule = trial_definition.rule(session, table, SQL(self.definition))
        if constraint_named(session, table.oid, self.name, rule.definition) is not None:
            return ()
        if " WITH =" in rule.definition and set(_operators(rule.definition)) == {"="}:
            hint = (
                f"it compares with = only: AddUnique({table.name!r}, {rule.columns!r}) does the same online"
            )
        else:
            hint = (
                "put the rows into a new table that has it from the beginning, and swap the two: the "
                "swap_table operation does; or add it in a window in which nobody writes"
            )
        raise TableError(
            f'an exclusion constraint cannot be added to "{table.name}" while it is in use: its index is '
            "built while every writer waits",
            hint=hint,
        )


def _operators(definition: str) -> tuple[str, ...]:
    """Return the operators of an exclusion constraint, as PostgreSQL writes it."""
    return tuple(part.split()[0].rstrip(",)") for part in definition.split(" WITH ")[1:])
