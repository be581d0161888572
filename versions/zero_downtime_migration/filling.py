"""Write what a change needs into the rows that are there, in batches that each commit."""

from __future__ import annotations

from functools import partial

from psycopg2.extras import Json
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import facts
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Fill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.sync import FILLING

_BATCH = 1_000


def fill(session: Session, change: Change, place: int, manner: Manner) -> None:
    """Write the rows of a step's table that are due, from where an earlier process came to."""
    del manner
    wanted = change.steps[place].fill
    assert wanted is not None
    table = facts.table(session, wanted.table)
    if not table.primary:
        raise TableError(
            f'"{table.name}" has no primary key to walk along', hint="give it one first: add_primary_key"
        )
    at = session.value("range_of", id=change.id, place=place)
    started = False
    while at is not None or not started:
        started = True
        at = session.transaction(partial(_batch, session, change, place, table, wanted, at))


def _batch(
    session: Session, change: Change, place: int, table: facts.Table, wanted: Fill, at: list[str] | None
) -> list[str] | None:
    """Write one batch behind *at*; return the key of its last row, None behind the last one."""
    session.run(SQL("SET LOCAL {} = 'on'").format(SQL(FILLING)))
    key = SQL(", ").join(Identifier("t", name) for name in table.primary)
    texts = SQL(", ").join(SQL("{}::text").format(Identifier("t", name)) for name in table.primary)
    behind = SQL("({}) > ({})").format(key, SQL(", ").join(map(Literal, at))) if at else SQL("true")
    last = session.ask(
        SQL(
            "SELECT {texts} FROM (SELECT {key} FROM {table} AS t WHERE {behind} ORDER BY {key} LIMIT {many})"
            " AS t ORDER BY {key} DESC LIMIT 1"
        ).format(texts=texts, key=key, table=SQL(table.name), behind=behind, many=Literal(_BATCH))
    )
    if not last:
        return None
    upto = SQL("({}) <= ({})").format(key, SQL(", ").join(map(Literal, last[0])))
    rows = session.run(_update(wanted, table, SQL("{} AND {}").format(behind, upto)))
    session.ask("range_at", id=change.id, place=place, at=Json(list(last[0])), rows=rows)
    return list(last[0])


def _update(wanted: Fill, table: facts.Table, span: Composable) -> Composable:
    return SQL("UPDATE {} AS t SET {} WHERE {} AND ({})").format(
        SQL(table.name),
        SQL(", ").join(SQL("{} = {}").format(Identifier(name), SQL(value)) for name, value in wanted.values),
        span,
        SQL(wanted.due),
    )
