"""Read all sources of a report: the schema as it is, journal and tables in one snapshot, then files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.database import open_connection, translate, translated
from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, RevisionError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.governance.evidence import (
    Evidence,
    Report,
    Row,
    Source,
    assess,
    read_period,
)
from spotify_ai_agent_migrations.versions.governance.evidence.period import instant
from spotify_ai_agent_migrations.versions.runner import journal
from spotify_ai_agent_migrations.versions.runner.drift import Drift, find_drift
from spotify_ai_agent_migrations.versions.runner.evidence.exempt import read_exempt
from spotify_ai_agent_migrations.versions.runner.evidence.journaled import (
    ENTRIES_MOST,
    Journaled,
    read_journaled,
)
from spotify_ai_agent_migrations.versions.runner.evidence.sources import TABLES, read_table, why_unread

STATEMENT_TIMEOUT_MS: Final = 60_000
_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner.evidence")
_PURPOSE: Final = "agentdb governance evidence"
_LIVE: Final = (
    "drift-now",
    "The schema now",
    "the schema, compared with the journal's last; before the snapshot",
)


def gather(
    settings: Settings,
    since: str,
    until: str | None = None,
    *,
    folder: Path = PACKAGE_ROOT / "versions",
    most_entries: int = ENTRIES_MOST,
    more: Callable[[], tuple[Source, ...]] = tuple,
) -> Report:
    """Return what the period from *since* up to *until* shows, each a date or an instant in UTC.

    *folder* is where the revisions are whose suppressions are told; *more* reads further sources, last.
    Memory: the rows of the report, of which there are at most *most_entries* of the journal and 1,000 of each
    other table. Each statement is bounded by the settings; a table that takes longer is told as not read.

    Raises:
        PeriodError: no period, one that is not over, or one with more entries than a report lists.
        RevisionError: the database has no journal.
        PrivilegeError: this login may not read the journal.
    """
    with translated(), closing(open_connection(settings, purpose=_PURPOSE, row_security=False)) as connection:
        connection.set_session(readonly=True)
        now, database, server, login = _where(connection)
        period = read_period(since, until, now=now)
        _require_journal(connection)
        live = _drift_now(connection, now)
        with connection.cursor() as cursor:
            cursor.execute(_SQL["evidence_session"])
        journaled = read_journaled(connection, period, most_entries)
        sources = [
            *_of_journal(journaled),
            live,
            *(read_table(connection, table, period) for table in TABLES),
        ]
        connection.rollback()
    application = str(sys.modules["spotify_ai_agent_migrations"].__version__)
    every = [*sources, *read_exempt(folder), *more()]
    evidence = Evidence(
        period, now, database, server, login, application, journaled.chain, {one.name: one for one in every}
    )
    return assess(evidence)


def _where(connection: Connection) -> tuple[datetime, str, str, str]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL["evidence_server"])
        now, database, server, login = cursor.fetchone() or ()
    connection.rollback()
    return now, database, server, login


def _require_journal(connection: Connection) -> None:
    try:
        is_there = journal.exists(connection)
        if is_there:
            journal.recorded_end(connection)
    except psycopg2.errors.InsufficientPrivilege as error:
        raise PrivilegeError(
            translate(error).problem, hint="connect as a member of agent_auditor, or as who migrates"
        ) from error
    finally:
        connection.rollback()
    if not is_there:
        raise RevisionError(
            "this database has no journal: no migration has run in it yet",
            hint="alembic upgrade head begins one",
        )


def _drift_now(connection: Connection, now: datetime) -> Source:
    """Return how the schema differs from the journal at this moment; its own transaction, for it is long."""
    name, title, asked = _LIVE
    try:
        found = find_drift(connection)
    except psycopg2.Error as error:
        connection.rollback()
        reason = why_unread(error)
        if reason is None:
            raise
        return Source(name, title, "now", asked, unread=reason)
    row = Row(name, "1", _said(found), at=instant(now))
    return Source(name, title, "now", asked, (row,))


def _said(found: Drift) -> dict[str, str]:
    if found.incomparable and not found:
        return {"result": f"it cannot be compared: {found.incomparable}", "differs": "unknown"}
    return {
        "result": str(found) if found else "nothing differs",
        "differs": "yes" if found else "no",
        "database_at": ", ".join(found.heads) or "base",
        "differences": "; ".join(map(str, found.differences[:20])),
    }


def _of_journal(found: Journaled) -> list[Source]:
    table = "ops.migration_journal by at"
    return [
        Source(
            "journal",
            "Entries of the journal",
            "period",
            f"{table}, in order of id; answer is the entry of the gate on which a step ran",
            found.entries,
        ),
        Source(
            "approval",
            "Approvals",
            "period",
            f"{table}: those that an entry of the gate names; the hash is of that entry",
            found.approvals,
        ),
        Source(
            "receipt",
            "Receipts of rehearsals",
            "period",
            f"{table}: those that an entry of the gate names; the hash is the receipt's",
            found.receipts,
        ),
        Source(
            "drift",
            "Comparisons of the schema before each run",
            "period",
            f"{table}: the fingerprint before a run's first step, and the last one known; the "
            "hash is of that entry",
            found.drift,
        ),
    ]
