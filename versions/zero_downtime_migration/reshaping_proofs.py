"""Prove of columns that have another form that none was missed, and that nothing is lost."""

from __future__ import annotations

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.shape import Shape, listed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.two_way_sync import differing


def missing(row: str, shape: Shape) -> Composable:
    """Whether a row has old values and no new ones."""
    empty = SQL(" AND ").join(SQL("{} IS NULL").format(Identifier(row, one.name)) for one in shape.new)
    given = SQL(" OR ").join(SQL("{} IS NOT NULL").format(Identifier(row, name)) for name, _ in shape.old)
    return SQL("{} AND ({})").format(empty, given)


def of_filling(session: Session, table: Table, shape: Shape) -> Step:
    """Return the step that looks for rows that no new column was filled of."""
    owed = SQL(" OR ").join(SQL("({}) IS NOT NULL").format(SQL(one.value)) for one in shape.new)
    wrong = SQL("{} AND ({})").format(missing("new", shape), owed)
    return _count(
        session, table, wrong, "look for rows that were missed", "were not filled", "backfill it again"
    )


def of_values(session: Session, table: Table, shape: Shape) -> Step:
    """Return the step that looks for old values that the new columns do not give back."""
    wrong = SQL(" OR ").join(differing(SQL(value), Identifier("new", name)) for name, value in shape.old)
    return _count(
        session,
        table,
        wrong,
        "look for values that do not come back as they were",
        f"would lose a part of {listed([name for name, _ in shape.old])}",
        "abort it and give other expressions, or say that it may be lossy",
    )


def _count(session: Session, table: Table, wrong: Composable, name: str, failure: str, hint: str) -> Step:
    query = SQL("SELECT count(*) FROM {} AS new WHERE {} HAVING count(*) > 0").format(SQL(table.name), wrong)
    return Step(
        name=name,
        phase=Phase.VERIFY,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        locks=(Lock(table.name, "ACCESS SHARE"),),
        held="while it reads the table",
        plain=(),
        failure=f'{{first}} rows of "{table.name}" {failure}',
        hint=hint,
    )


def of_dependents(session: Session, table: Table, shape: Shape) -> Step:
    """Return the step that looks, right before old columns are dropped, for what would be lost with them."""
    columns = [name for name, _ in shape.old]
    query = SQL(
        STATEMENTS["columns_dependents"].replace("%(oid)s", "{oid}").replace("%(columns)s", "{columns}")
    )
    return Step(
        name="look for what hangs on the old columns",
        phase=Phase.COMPLETE,
        kind=Kind.PROOF,
        sql=(
            session.text(
                query.format(
                    oid=SQL("pg_catalog.to_regclass({})").format(Literal(table.name)),
                    columns=Literal(columns),
                )
            ),
        ),
        plain=(),
        failure=f"what hangs on {listed(columns)} would be lost: {{first}}, one of {{count}}",
        hint="make what is like it for the new columns, and drop it",
    )
