"""Prove that no row was missed: look along the key, in short transactions, for rows that are still due."""

from __future__ import annotations

import time
from typing import Final

from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import blame, facts, walkable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.batch import ALONG_THE_KEY, settings_of
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import Pace
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Row, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.walkable import ROW, At, Part, said

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
        failure=f'{{count}} rows of "{_escaped(table.name)}" were missed; the first: {{first}}',
        hint="backfill it again; if it goes on, something writes rows that no trigger sees",
    )


def missed(session: Session, fill: Fill, *, most: int | None = None) -> tuple[int, str]:
    """Return how many rows are due, and what may be shown of the key of the first; looks for *most* only.

    Rows that come in meanwhile are looked at too, as long as they come slower than they are read.
    """
    count, first = 0, ""
    for part in walkable.parts(session, facts.table(session, fill.table)):
        at: At | None = None
        rows = _PACE.first_rows
        while most is None or count < most:
            began_s = time.monotonic()
            last, walked, due = session.once(lambda: _look(session, part, fill.due, at, rows))  # noqa: B023
            if due and not count:
                first = _first(session, part, fill.due, at)
            count += due
            if walked < rows:
                break
            at, rows = last, _PACE.next_rows(rows, time.monotonic() - began_s)
    return count, first


def _look(session: Session, part: Part, due: str, at: At | None, rows: int) -> tuple[At, int, int]:
    """Return the last key of the next rows, how many they are, and how many of them are due."""
    _along_the_key(session)
    asked = {"behind": part.key.behind(at), "due": SQL(due), "rows": Literal(rows)}
    found = session.ask(said(session, "due_in_next", part.name, part.key, **asked))
    walkable.require_progress(part.name, at, found and found[0][:-2])
    return (found[0][:-2], found[0][-2], found[0][-1]) if found else ((), 0, 0)


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


def _escaped(name: str) -> str:
    return name.replace("{", "{{").replace("}", "}}")
