"""Count the rows that a step, once it was tried, would destroy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from alembic.script import Script
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.rollback.observe import Observed
from spotify_ai_agent_migrations.versions.rollback.plan import Loss, Reverse, StepPlan
from spotify_ai_agent_migrations.versions.rollback.storage import Gone
from spotify_ai_agent_migrations.versions.rollback.tables import STATEMENTS, key_columns, named, value


def step_plan(
    connection: Connection,
    script: Script,
    observed: Observed,
    *,
    reverses: Mapping[str, str],
    earlier: Counter[str],
) -> StepPlan:
    """Return the plan of a step; *earlier* is by how many rows the steps before it made each table grow.

    Raises:
        RevisionError: what it destroys could not be put back.
    """
    counted = (_loss(connection, thing, observed, earlier) for thing in observed.gone)
    losses = tuple(loss for loss in counted if loss.rows > 0)
    _refuse_unkeyed(connection, script.revision, losses)
    said = reverses.get(script.revision, "lossy")
    reverse: Reverse = "lossless" if said.startswith("lossless") and not losses else "lossy"
    return StepPlan(
        revision=script.revision,
        slug=Path(script.path).stem[4:],
        reverse=reverse,
        losses=losses,
        locks=observed.locks,
        grants=observed.grants,
        duration_ms=observed.duration_ms,
        written_since=_written_since(connection, script),
    )


def _loss(connection: Connection, thing: Gone, observed: Observed, earlier: Counter[str]) -> Loss:
    if thing.kind in {"deleted", "updated"}:
        return Loss(*thing, getattr(observed.touched[thing.table], thing.kind), 0)
    rows = _count(connection, thing.table, thing.column)
    if thing.column:
        return Loss(*thing, rows, 0)
    return Loss(*thing, rows + earlier[thing.table], _bytes(connection, thing.table))


def _refuse_unkeyed(connection: Connection, revision: str, losses: tuple[Loss, ...]) -> None:
    """Refuse to lose values that nothing says the row of, once they are to be put back."""
    for loss in losses:
        if loss.kind in {"table", "deleted"}:
            continue
        with connection.cursor() as cursor:
            key = set(key_columns(cursor, loss.table))
        dropped = {other.column for other in losses if other.table == loss.table}
        if not key or key & dropped:
            what = f"{loss.table}.{loss.column}" if loss.column else loss.table
            keeps = "keeps no primary key" if key else "has no primary key"
            raise RevisionError(
                f'revision {revision} takes values of "{what}", and {loss.table} {keeps} '
                "to put them back by; nothing was executed",
                hint=f"add one to {loss.table}, or export it and empty it first",
            )


def _count(connection: Connection, table: str, column: str | None) -> int:
    counted = SQL("count({})").format(Identifier(column)) if column else SQL("count(*)")
    with connection.cursor() as cursor:
        return int(value(cursor, SQL("SELECT {} FROM {}").format(counted, named(table))))


def _bytes(connection: Connection, table: str) -> int:
    with connection.cursor() as cursor:
        in_parts = int(value(cursor, STATEMENTS["table_bytes"], {"table": table}))
        return in_parts or int(value(cursor, STATEMENTS["plain_table_bytes"], {"table": table}))


def _written_since(connection: Connection, script: Script) -> int:
    """Return how many rows a revision's own `point_of_no_return`, a query that counts, finds."""
    query = getattr(script.module, "point_of_no_return", None)
    if query is None:
        return 0
    with connection.cursor() as cursor:
        return int(value(cursor, str(query)) or 0)
