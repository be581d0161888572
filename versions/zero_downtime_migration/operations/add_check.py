"""Add a check without reading the table under a lock that others wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.zero_downtime_migration import trial_definition
from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import (
    added,
    comments,
    constraint_named,
    removed,
    validated,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.refusals import refuse_long
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.tree import all_locks, below, together


@dataclass(frozen=True)
class AddCheck:
    """Let every row of *table*, which is named with its schema, meet a condition, which is SQL.

    New rows have to from the start on; those that are there are looked at while others read and write. Each
    partition is validated on its own. Without a `name` it is called after the table and its columns.
    """

    table: str
    condition: str
    name: str | None = None
    comment: str | None = None
    operation: ClassVar[str] = "add_check"

    @property
    def subject(self) -> str:
        """Its name, or the condition."""
        return self.name or self.condition

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if it is there and validated, the last ones if it is not validated.

        Raises:
            TableError: another constraint is called so, or PostgreSQL refuses the condition.
        """
        rule = trial_definition.rule(session, table, SQL("CHECK ({})").format(SQL(self.condition)))
        name = self.name or fitted(table.plain, *rule.columns, "check")
        refuse_long(name)
        there = constraint_named(session, table.oid, name, rule.definition)
        if there is not None and there.valid:
            return ()
        leaves = [node.name for node in below(session, table) if not node.partitioned]
        return (
            *((self._added(session, table, name, rule.definition),) if there is None else ()),
            _proof(session, table, rule.condition or ""),
            *(validated(session, leaf, name) for leaf in leaves),
            validated(session, table.name, name),
        )

    def _added(self, session: Session, table: Table, name: str, definition: str) -> Step:
        locks = all_locks(table, below(session, table))
        said = comments(session, table.name, name, self.comment)
        return Step(
            name="add the check, not valid",
            phase=Phase.START,
            kind=Kind.BRIEF,
            sql=(
                *together(session, locks),
                added(session, table.name, name, definition, " NOT VALID"),
                *said,
            ),
            locks=locks,
            undo=(*together(session, locks), removed(session, table.name, name)),
            plain=(added(session, table.name, name, definition), *said),
        )


def _proof(session: Session, table: Table, condition: str) -> Step:
    query = SQL("SELECT count(*) FROM {} WHERE NOT ({}) HAVING count(*) > 0")
    return Step(
        name="look for rows that do not meet it",
        phase=Phase.VERIFY,
        kind=Kind.PROOF,
        sql=(session.text(query.format(SQL(table.name), SQL(condition))),),
        locks=(Lock(table.name, "ACCESS SHARE"),),
        held="while it reads the table",
        plain=(),
        failure=f'{{first}} rows of "{table.name}" do not meet {condition}',
        hint="mend them, or abort: the backfill operation writes in batches",
    )
