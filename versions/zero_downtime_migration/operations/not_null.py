"""Make a column NOT NULL without reading the table under a lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table, version
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.server_names import free_name, not_null_name
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.validating import proof_of_values, validated

FIRST_WITH_NOT_VALID: Final = 18
_LABEL: Final = ("not_null", "check")


@dataclass(frozen=True)
class SetNotNull:
    """Make *column* NOT NULL; *table* with its schema, its partitions with it.

    PostgreSQL 18 adds the constraint NOT VALID and validates it; before that a check is validated, which SET
    NOT NULL then believes instead of reading the table, and which is dropped after it, not with it. A check
    or a constraint that is there already is used, and validated where it is not.

    Locks: ACCESS EXCLUSIVE for milliseconds; SHARE UPDATE EXCLUSIVE while the table is read.

    Raises:
        TableError: there is no such column; when verified, rows that have no value.
    """

    table: str
    column: str
    operation: ClassVar[str] = "set_not_null"

    @property
    def subject(self) -> str:
        """The column."""
        return self.column

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the column is NOT NULL."""
        rule = session.ask("not_null_rule", oid=table.oid, column=self.column)
        if table.column(self.column).not_null and not (rule and not rule[0][1]):
            return ()
        return not_null_steps(session, table, self.column)


def not_null_steps(session: Session, table: Table, column: str) -> tuple[Step, ...]:
    """Return what makes a column NOT NULL, whether or not it is there already."""
    rules = session.ask("not_null_rule", oid=table.oid, column=column)
    if rules:
        # It holds for what is written since; what was there before has not been looked at.
        name = rules[0][0]
        return (proof_of_values(session, table, column), validated(session, table, name, Phase.COMPLETE))
    ours = fitted(table.plain, column, *_LABEL)
    checks = session.ask("not_null_checks", oid=table.oid, column=column)
    if checks:
        name, is_valid = checks[0]
        _, *proved, stated, dropped = _by_check(session, table, column, name)
        # One of ours is what an earlier try has left.
        return (*(() if is_valid else proved), stated, *((dropped,) if name == ours else ()))
    if version(session) >= FIRST_WITH_NOT_VALID:
        return _by_constraint(session, table, column)
    return _by_check(session, table, column, free_name(session, table, ours))


def _by_constraint(session: Session, table: Table, column: str) -> tuple[Step, ...]:
    name = not_null_name(session, table, column)
    parts = {"table": SQL(table.name), "name": Identifier(name), "column": Identifier(column)}

    def said(text: str) -> str:
        return session.text(SQL(text).format(**parts))

    return (
        Step(
            name="add the constraint, not valid",
            phase=Phase.START,
            kind=Kind.BRIEF,
            sql=(said("ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {column} NOT VALID"),),
            locks=(Lock(table.name),),
            undo=(said("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"),),
            plain=(said("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),),
        ),
        proof_of_values(session, table, column),
        validated(session, table, name, Phase.COMPLETE),
    )


def _by_check(session: Session, table: Table, column: str, name: str) -> tuple[Step, ...]:
    """Return what makes a column NOT NULL by a check that is added first and dropped last."""
    parts = {"table": SQL(table.name), "name": Identifier(name), "column": Identifier(column)}

    def said(text: str) -> str:
        return session.text(SQL(text).format(**parts))

    plain = (said("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),)
    added = Step(
        name="add a check, not valid",
        phase=Phase.START,
        kind=Kind.BRIEF,
        sql=(said("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"),),
        locks=(Lock(table.name),),
        undo=(said("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"),),
        plain=(),
    )
    proved = (proof_of_values(session, table, column), validated(session, table, name, Phase.VERIFY))
    stated = Step(
        name="set NOT NULL, which the check proves",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=plain,
        locks=(Lock(table.name),),
        undo=(said("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"),),
    )
    dropped = Step(
        # Together with SET NOT NULL it would be dropped first, and the table be read.
        name="drop the check",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=(said("ALTER TABLE {table} DROP CONSTRAINT {name}"),),
        locks=(Lock(table.name),),
        plain=(),
        final=True,
    )
    return (added, *proved, stated, dropped)
