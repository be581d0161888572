"""Count the rows that a step, once it was tried, would destroy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alembic.script import Script
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.rollback.observe import Found, Observed
from spotify_ai_agent_migrations.versions.rollback.plan import Loss, Reverse, StepPlan
from spotify_ai_agent_migrations.versions.rollback.storage import Gone
from spotify_ai_agent_migrations.versions.rollback.tables import STATEMENTS, key_columns, own_rows, value


def step_plan(
    connection: Connection,
    script: Script,
    observed: Observed,
    *,
    reverses: Mapping[str, str],
) -> StepPlan:
    """Return the plan of a step.

    Raises:
        RevisionError: what it destroys could not be put back.
    """
    counted = {_loss(connection, thing, found): found for thing, found in observed.gone.items()}
    losses = tuple(loss for loss in counted if loss.rows > 0)
    _refuse_unkeyed(connection, script.revision, {loss: counted[loss] for loss in losses})
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


def _loss(connection: Connection, thing: Gone, found: Found) -> Loss:
    rows = found.rows
    if rows is None:
        # Nothing on the way has touched it before, so that it is today what it is then but for its name.
        assert found.table is not None
        rows = _count(connection, found.table, found.column)
    whole = thing.kind in {"table", "rewritten"} and found.table is not None
    return Loss(*thing, rows, _bytes(connection, str(found.table)) if whole else 0)


def _refuse_unkeyed(connection: Connection, revision: str, losses: Mapping[Loss, Found]) -> None:
    """Refuse to lose values that nothing says the row of, once they are to be put back."""
    for loss, found in losses.items():
        # What an earlier step makes is not there to be asked; keeping it is tried before anything is done.
        if loss.kind in {"table", "deleted"} or found.table is None:
            continue
        with connection.cursor() as cursor:
            key = set(key_columns(cursor, found.table))
        dropped = {other.column for other in losses.values() if other.table == found.table}
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
        return int(value(cursor, SQL("SELECT {} FROM {}").format(counted, own_rows(cursor, table))))


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
