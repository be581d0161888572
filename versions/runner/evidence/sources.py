"""Which tables a report reads besides the journal, and read one so that no other has to do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from spotify_ai_agent_migrations.versions.core.database import LOCK_NOT_AVAILABLE, hides_rows
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.governance.evidence.model import Row, Scope, Source
from spotify_ai_agent_migrations.versions.governance.evidence.period import Period, instant

_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner.evidence")
LISTED_MOST: Final = 1_000
_COUNTED_MOST: Final = 100_000
_CELL_MOST: Final = 20_000
_ABSENT: Final = ("42P01", "3F000", "42703")
_DENIED: Final = "42501"
_CANCELED: Final = "57014"


@dataclass(frozen=True)
class Table:
    """A source that one query answers; its name with `evidence_` in front is that of the query."""

    name: str
    title: str
    scope: Scope
    asked: str


TABLES: Final = (
    Table("rollback", "Planned rollbacks", "period", "ops.rollbacks by done_at"),
    Table("online", "Changes of live tables", "period", "ops.online_change by started_at"),
    Table(
        "health",
        "Health checks",
        "period",
        "ops.health_history by taken_at, of this database, check by check",
    ),
    Table(
        "role",
        "Roles",
        "now",
        "pg_roles and pg_auth_members: below the roles agent_…, below those that PostgreSQL lets read or "
        "write everything; superusers; BYPASSRLS",
    ),
    Table(
        "grant",
        "Grants",
        "now",
        "the grants on tables and views of schemas public and ops and on their columns, of partitions what "
        "their parent does not grant; but for owners, and for what belongs to an extension",
    ),
    Table("row-security", "Row security", "now", "pg_class of schemas public and ops"),
    Table(
        "erasures", "Erasures, counted", "period", "ops.erasures by certified_at, or by hidden_at without one"
    ),
    Table(
        "erasure",
        "Certificates of erasure",
        "period",
        "ops.erasures by certified_at; the hash is of the certificate's text",
    ),
    Table("destroyed", "Destroyed keys", "period", "ops.destroyed_keys by destroyed_at"),
    Table(
        "archive", "Partitions that are over", "period", "ops.partition_archives by detached_at or dropped_at"
    ),
    Table("retention", "Rules of retention", "now", "public.retention_policies"),
    Table("heartbeat", "Jobs", "now", "ops.job_heartbeat"),
    Table(
        "personal",
        "Classes of columns",
        "now",
        "ops.personal_data by class and strategy, and the columns it has not",
    ),
    Table(
        "trail", "Audit trail", "period", f"public.audit_log by created_at, counted up to {_COUNTED_MOST:,}"
    ),
    Table(
        "seal",
        "Seals of the audit trail",
        "period",
        "ops.audit_seal by sealed_at: all counted, the first and the last shown",
    ),
    Table("anchor", "Seals that were told outside", "period", "ops.audit_anchor by anchored_at"),
)


def read_table(connection: Connection, table: Table, period: Period) -> Source:
    """Return the rows of *table*; where it is not there, not allowed or too slow, why.

    Works in the open transaction, which goes on whatever the server says.
    """
    values = {"since": period.since, "until": period.until, "most": LISTED_MOST, "counted": _COUNTED_MOST}
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute("SAVEPOINT evidence")
        try:
            cursor.execute(_SQL[f"evidence_{table.name.replace('-', '_')}"], values)
            found = cursor.fetchall()
        except psycopg2.Error as error:
            reason = why_unread(error)
            if reason is None:
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT evidence")
            return Source(table.name, table.title, table.scope, table.asked, unread=reason)
        cursor.execute("RELEASE SAVEPOINT evidence")
    total = int(found[0].get("total", len(found))) if found else 0
    rows = tuple(_row(table.name, one) for one in found)
    return Source(table.name, table.title, table.scope, table.asked, rows, left_out=total - len(rows))


def why_unread(error: psycopg2.Error) -> str | None:
    """Return in words why a source cannot be read; None where the error is about something else."""
    if error.pgcode in _ABSENT:
        return "this database has no such table: the revision that makes it is not applied"
    if hides_rows(error):
        return "row security would hide rows of it from this login"
    if error.pgcode == _DENIED:
        return "this login may not read it; agent_auditor may"
    if error.pgcode == _CANCELED:
        return "it took longer than a statement may take here"
    if error.pgcode == LOCK_NOT_AVAILABLE:
        return "somebody held a lock on it for longer than this waits"
    return None


def _row(source: str, found: Mapping[str, Any]) -> Row:
    cells = {name: said(value) for name, value in found.items() if name not in {"key", "at", "hash", "total"}}
    return Row(source, said(found["key"]), cells, at=said(found.get("at")), hash=said(found.get("hash")))


def said(value: object) -> str:
    """Return a value of the database as text: nothing for NULL, moments in UTC, long ones cut."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return instant(value)
    text = str(value)
    return text if len(text) <= _CELL_MOST else f"{text[:_CELL_MOST]}…"
