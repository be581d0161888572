"""What is physically left of what was erased, as values. No database here.

A row that is deleted stays in its file until its page is used again, in the log of changes until that is
recycled or its archive ends, and in every copy until the copy ends. Nothing here holds a value of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class TableResidue:
    """The files of one table: of a partitioned one, those of one partition.

    dead_rows: versions of rows that the server believes to be there and dead; an estimate.
    erased_at: when something was last erased there. rewritten_at: when its files were last written anew; what
    was erased before is gone from them. due_at: until when that is to be done, None where it is.
    """

    name: str
    bytes: int
    dead_rows: int
    erased_at: datetime
    vacuumed_at: datetime | None
    rewritten_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True)
class WalResidue:
    """The log of changes: what is kept of it, and whether it is copied away.

    bytes, oldest_at: of its files; None where the login may not look at them.
    """

    bytes: int | None
    oldest_at: datetime | None
    is_archived: bool


@dataclass(frozen=True)
class SlotResidue:
    """A replication slot, and how much of the log it keeps; one that nobody reads keeps it without end."""

    name: str
    kind: str
    is_active: bool
    bytes: int | None


@dataclass(frozen=True)
class ReplicaResidue:
    """A server that is sent the changes; behind_bytes are not applied there, None where nobody knows."""

    name: str
    state: str | None
    behind_bytes: int | None


@dataclass(frozen=True)
class BackupResidue:
    """Backups of one kind, and when the last of them ends that holds what was erased; None is open.

    kind: `dump` holds rows, and nothing from the instant of the erasure on; `files` and `archive` hold
    whatever is in the files, and so until these are rewritten. kept_for: as ISO 8601 writes a duration.
    """

    name: str
    kind: str
    kept_for: str
    ends_at: datetime | None


@dataclass(frozen=True)
class Residue:
    """What is left of what was erased until `since`, as it was at `at`.

    last_copy_ends_at: when the last copy ends, if what is due is done by then; None where that cannot be
    told, of which `unknown` says why: backups_not_declared, archive_not_declared, slot_without_reader,
    rewrite_overdue. statistics: tables of which the planner may still know values: those without a row, in
    servers before 18, which forget them when rows are there again and counted, or when a superuser rewrites
    the table; and those that are not agent_owner's.
    snapshots: sessions and prepared transactions that may still see what was deleted; None where the login
    may not know. logged: settings by which values of statements reach the server's log.
    """

    at: datetime
    since: datetime
    tables: tuple[TableResidue, ...]
    wal: WalResidue
    slots: tuple[SlotResidue, ...]
    replicas: tuple[ReplicaResidue, ...]
    backups: tuple[BackupResidue, ...]
    statistics: tuple[str, ...]
    snapshots: int | None
    logged: tuple[str, ...]
    last_copy_ends_at: datetime | None
    unknown: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        """Return it as JSON holds it: objects, lists, numbers and text, instants as ISO 8601 writes them."""
        written: Mapping[str, Any] = _plain(asdict(self))
        return written


def _plain(value: object) -> Any:  # noqa: ANN401  (whatever JSON holds)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value
