"""Look whether all rows keep a rule, then let the server look, while others read and write."""

from __future__ import annotations

from dataclasses import replace

from psycopg2.sql import SQL, Composable, Identifier, Literal

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
        failure="{first} " + called.replace("{", "{{").replace("}", "}}"),
        hint="give them one: the backfill operation does it in batches",
    )


def validated(session: Session, table: Table, name: str, phase: Phase) -> Step:
    """Return the step that validates a constraint of that name."""
    done: Composable = SQL(
        "SELECT made.convalidated FROM pg_catalog.pg_constraint AS made"
        " WHERE made.conrelid = pg_catalog.to_regclass({table}) AND made.conname = {name}"
    ).format(table=Literal(table.name), name=Literal(name))
    return Step(
        name="validate it",
        phase=phase,
        kind=Kind.ALONE,
        sql=(
            session.text(
                SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(SQL(table.name), Identifier(name))
            ),
        ),
        locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
        held="while it reads the table; others read and write meanwhile",
        done=session.text(done),
        plain=(),
    )


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
