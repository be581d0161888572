"""Look whether all rows keep a rule, then let the server look, while others read and write."""

from __future__ import annotations

from dataclasses import replace

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration import constraints
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def proof_of_values(session: Session, table: Table, column: str) -> Step:
    """Return the step that looks for a row without a value, before anything is validated."""
    query = SQL("SELECT count(*) FROM {table} WHERE {column} IS NULL HAVING count(*) > 0").format(
        table=SQL(table.name), column=Identifier(column)
    )
    called = f'rows of "{table.name}" have no value in "{column}"'
    return Step(
        name="look for rows without a value",
        phase=Phase.VERIFY,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        locks=(Lock(table.name, "ACCESS SHARE"),),
        held="while it reads the table",
        plain=(),
        failure="{first} " + called,
        hint="give them one: the backfill operation does it in batches",
    )


def validated(session: Session, table: Table, name: str, phase: Phase) -> Step:
    """Return the step that validates the only constraint that a change is about."""
    return replace(constraints.validated(session, table.name, name, phase=phase), name="validate it")


def late(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps for a column that an abort drops: nothing is asked of old writers before the end."""
    return tuple(
        replace(
            step,
            phase=step.phase if step.kind is Kind.PROOF else Phase.COMPLETE,
            undo=(),
            plain=(),
            final=False,
        )
        for step in steps
    )
