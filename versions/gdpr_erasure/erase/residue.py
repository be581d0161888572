"""Say what is physically left of what was erased, and want the files written anew that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import asked
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.remaining import (
    BackupResidue,
    ReplicaResidue,
    Residue,
    SlotResidue,
    TableResidue,
    WalResidue,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.rewriting import Rewritten, rewrite

__all__ = ["Residue", "Rewritten", "residue", "residue_of", "rewrite"]

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
# Written to by every erasure, beside the tables of its steps: the trail, the places it went on from, and what
# the planner knew.
ALWAYS: Final = ("public.audit_log", "ops.pseudonyms", "ops.erasure_steps", "pg_catalog.pg_statistic")
WITHIN_DAYS: Final = 30


def residue_of(
    cursor: Cursor, tables: Sequence[str], since: datetime, *, within_days: int = WITHIN_DAYS
) -> Residue:
    """Return what is left of what was erased from *tables* until *since*; wants their files written anew.

    In the transaction of *cursor*, whose role erases. Views that were refreshed are tables here.
    Locks: ACCESS SHARE on the tables; ROW EXCLUSIVE on ops.rewrites, and the rows of these tables there.
    """
    wanted = list(dict.fromkeys((*tables, *ALWAYS)))
    cursor.execute(_SQL["residue_want"], {"tables": wanted, "within_days": within_days})
    return _read(cursor, wanted, since)


def residue(url: str | None = None, *, erasure: UUID | str | None = None) -> Residue:
    """Return what is left of one *erasure* at this moment, or of all there were; wants nothing.

    Raises:
        SubjectError: there is no such erasure.
    """
    with asked(url) as cursor:
        if erasure is None:
            return _read(cursor, None, _now(cursor))
        rows = _rows(cursor, "residue_of_erasure", erasure=str(UUID(str(erasure))))
        if not rows:
            raise SubjectError("there is no such erasure", hint="ops.erasures lists them")
        return _read(cursor, list(dict.fromkeys((*(name for name, _ in rows), *ALWAYS))), rows[0][1])


def _read(cursor: Cursor, tables: Sequence[str] | None, since: datetime) -> Residue:
    files = tuple(TableResidue(*row) for row in _rows(cursor, "residue_tables", tables=tables))
    clean_at = max((_clean_at(one, since) for one in files), default=since)
    backups = tuple(
        BackupResidue(*row) for row in _rows(cursor, "residue_backups", since=since, clean_at=clean_at)
    )
    wal = _wal(cursor)
    slots = tuple(SlotResidue(*row) for row in _rows(cursor, "residue_slots"))
    at = _now(cursor)
    unknown = tuple(_unknown(files, backups, wal, slots, at))
    ends = max((one.ends_at for one in backups if one.ends_at is not None), default=clean_at)
    return Residue(
        at=at,
        since=since,
        tables=files,
        wal=wal,
        slots=slots,
        replicas=tuple(ReplicaResidue(*row) for row in _rows(cursor, "residue_replicas")),
        backups=backups,
        statistics=_statistics(cursor, files if tables is None else tables),
        snapshots=_rows(cursor, "residue_snapshots", catalogs=False)[0][0],
        logged=tuple(name for (name,) in _rows(cursor, "residue_logged")),
        last_copy_ends_at=None if unknown else max(ends, clean_at),
        unknown=unknown,
    )


def _wal(cursor: Cursor) -> WalResidue:
    ((is_archived, may_look),) = _rows(cursor, "residue_log")
    ((size, oldest_at),) = _rows(cursor, "residue_log_files") if may_look else ((None, None),)
    return WalResidue(size, oldest_at, is_archived)


def _statistics(cursor: Cursor, tables: Sequence[str | TableResidue]) -> tuple[str, ...]:
    names = [one if isinstance(one, str) else one.name for one in tables]
    return tuple(name for (name,) in _rows(cursor, "residue_statistics", tables=names))


def _clean_at(one: TableResidue, since: datetime) -> datetime:
    """Return from when on nothing that was erased until *since* is in the files of a table."""
    return one.due_at or one.rewritten_at or since


def _unknown(
    tables: Sequence[TableResidue],
    backups: Sequence[BackupResidue],
    wal: WalResidue,
    slots: Sequence[SlotResidue],
    at: datetime,
) -> Iterator[str]:
    """Yield why nobody can tell when the last copy ends."""
    if not backups:
        yield "backups_not_declared"
    if wal.is_archived and not any(one.kind == "archive" for one in backups):
        yield "archive_not_declared"
    if any(not one.is_active for one in slots):
        yield "slot_without_reader"
    if any(one.due_at is not None and one.due_at <= at for one in tables):
        yield "rewrite_overdue"


def _now(cursor: Cursor) -> datetime:
    now: datetime = _rows(cursor, "residue_now")[0][0]
    return now


def _rows(cursor: Cursor, name: str, **values: object) -> list[tuple[Any, ...]]:
    cursor.execute(_SQL[name], _adapted(values))
    return cursor.fetchall()


def _adapted(values: Mapping[str, object]) -> Mapping[str, object]:
    return {name: list(one) if isinstance(one, tuple) else one for name, one in values.items()}
