"""Prove that a fill has missed no row: look along the key, in short transactions, for what is still due."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    blame,
    facts,
    filling,
    ledger,
    row_order,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.batch import (
    ALONG_THE_KEY,
    bound,
    settings_of,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    Change,
    Fill,
    Kind,
    Lock,
    Phase,
    Step,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import Pace
from spotify_ai_agent_migrations.versions.zero_downtime_migration.row_order import ROW, At, Part, said
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Row, Session

_TRIES: Final = 3
_PACE: Final = Pace(first_rows=10_000, most_rows=1_000_000)


def proof_of_fill(session: Session, table: facts.Table, due: str) -> Step:
    """Return the step that proves, before anything is contracted, that no row of a table is *due* any more.

    It reads the table in many short transactions, so that nobody's dead rows are kept for it. Where it fails,
    the table is filled again by the next `backfill`.
    """
    query = SQL("SELECT count(*) FROM {} AS {} WHERE ({}) HAVING count(*) > 0").format(
        SQL(table.name), SQL(ROW), SQL(due)
    )
    return Step(
        name="look for rows that were missed",
        phase=Phase.VERIFY,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        locks=(Lock(table.name, "ACCESS SHARE"),),
        held="while it reads some thousand rows, again and again",
        plain=(),
        fill=Fill(table.name, (), due),
        failure=f'{{count}} rows of "{table.name}" were missed; the first: {{first}}',
        hint="backfill it again; if it goes on, something writes rows that no trigger sees",
    )


def prove(session: Session, change: Change, step: Step, wanted: Fill, manner: Manner) -> None:
    """Look for rows that were missed.

    Rows that a writer without a trigger has left meanwhile are filled; where a trigger should have seen them,
    they are not, since something is wrong then.

    Raises:
        TableError: rows were missed; the change has to be backfilled again.
    """
    for _ in range(_TRIES):
        count, first = missed(session, wanted)
        if not count:
            return
        place = change.filling(wanted.table)
        fill = None if place is None else change.steps[place].fill
        if place is None or fill is None or filling.is_synchronised(session, fill):
            break
        filling.fill(session, change, place, manner)
    ledger.reopen(session, change, wanted.table)
    raise step.failed(count, first)


def missed(session: Session, fill: Fill, *, most: int | None = None) -> tuple[int, str]:
    """Return how many rows are due, and what may be shown of the key of the first; stops behind *most*.

    It ends with the keys that are there when it begins, however many rows come in.
    """
    count, first = 0, ""
    for part in row_order.parts(session, facts.table(session, fill.table)):
        for at, upto in _spans(session, part):
            due = session.once(partial(_due, session, part, fill.due, (at, upto)))
            if due and not count:
                first = _first(session, part, fill.due, at)
            count += due
            if most is not None and count >= most:
                return count, first
    return count, first


def _spans(session: Session, part: Part) -> Iterator[tuple[At | None, At]]:
    """Yield the table in pieces that each take a moment to read, once the one before was."""
    last = session.ask(said(session, "last_key", part.name, part.key))
    at, rows = None, _PACE.first_rows
    while last and (at is None or list(at) != list(last[0])):
        began_s = time.monotonic()
        upto = session.once(partial(_next, session, part, (at, last[0]), rows))
        if upto is None:
            return
        yield at, upto
        at, rows = upto, _PACE.next_rows(rows, time.monotonic() - began_s)


def _next(session: Session, part: Part, span: tuple[At | None, At], rows: int) -> At | None:
    _along_the_key(session)
    return bound(session, part.name, part.key, span, rows)


def _due(session: Session, part: Part, due: str, span: tuple[At | None, At]) -> int:
    _along_the_key(session)
    asked = {"behind": part.key.behind(span[0]), "upto": part.key.upto(span[1]), "due": SQL(due)}
    return int(session.value(said(session, "count_due", part.name, part.key, **asked)))


def _first(session: Session, part: Part, due: str, at: At | None) -> str:
    """Return what may be shown of the key of the first row behind *at* that is due."""

    def look() -> list[Row]:
        _along_the_key(session)
        asked = {"behind": part.key.behind(at), "due": SQL(due)}
        return session.ask(said(session, "first_due", part.name, part.key, **asked))

    found = session.once(look)
    return blame.first_key(part.key, found[0]) if found else "gone by now"


def _along_the_key(session: Session) -> None:
    for setting in settings_of(ALONG_THE_KEY):
        session.run(setting)
