"""Look whether a backfill should stop for a while: each brake returns its reason, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import MIB, Limits
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass
class Look:
    """What is looked at: the parts of a table by oid, the sessions that fill it, the WAL at the last look."""

    session: Session
    limits: Limits
    oids: Sequence[int]
    pids: Callable[[], Collection[int]]
    wal: list[tuple[float, int]] = field(default_factory=list)


def reason(look: Look) -> str | None:
    """Return the first reason to stop, if there is one."""
    return next(filter(None, (brake(look) for brake in _BRAKES)), None)


def lag(look: Look) -> str | None:
    """A standby or subscriber is behind; seen by members of pg_read_all_stats."""
    limits = look.limits
    if limits.lag_bytes is None and limits.lag_s is None:
        return None
    for name, bytes_, seconds in look.session.ask(
        "behind_primary", bytes=limits.lag_bytes, seconds=limits.lag_s, ignored=list(limits.ignored)
    ):
        return f"{name} is {bytes_ / MIB:.0f} MiB and {seconds:.0f} s behind"
    return None


def slots(look: Look) -> str | None:
    """A replication slot keeps much WAL, or is about to be lost."""
    if look.limits.slot_bytes is None:
        return None
    for name, bytes_, is_lost in look.session.ask(
        "held_by_slot", bytes=look.limits.slot_bytes, ignored=list(look.limits.ignored)
    ):
        end = ", and is about to be lost" if is_lost else ""
        return f'the replication slot "{name}" keeps {bytes_ / MIB:.0f} MiB of WAL{end}'
    return None


def wal_rate(look: Look) -> str | None:
    """The server writes much WAL, whoever it is for: measured from the look before to this one."""
    if look.limits.wal_bytes_per_s is None:
        return None
    before, now = look.wal[-1:], (time.monotonic(), look.session.value("wal_so_far"))
    look.wal[:] = [now]
    if not before:
        return None
    rate = (now[1] - before[0][1]) / max(now[0] - before[0][0], 1e-6)
    if rate <= look.limits.wal_bytes_per_s:
        return None
    return f"the server writes {rate / MIB:.1f} MiB of WAL a second"


def archive(look: Look) -> str | None:
    """WAL waits to be archived, or cannot be; how many files wait is seen by members of pg_monitor."""
    if look.limits.archive_files is None:
        return None
    is_on, may_list = look.session.ask("may_list_archive")[0]
    if not is_on:
        return None
    for (file,) in look.session.ask("archive_fails"):
        return f"{file} cannot be archived"
    waiting = look.session.value("waiting_for_archive") if may_list else 0
    return f"{waiting} files of WAL wait to be archived" if waiting > look.limits.archive_files else None


def vacuum(look: Look) -> str | None:
    """An autovacuum is at the table."""
    if not look.limits.vacuum:
        return None
    found = look.session.value("vacuumed_now", oids=list(look.oids))
    return f"an autovacuum is at {found}" if found else None


def waiting(look: Look) -> str | None:
    """Somebody waits for a row that a batch holds; the sessions that fill do not count."""
    pids = sorted(look.pids())
    if look.limits.waiting_s is None or not pids:
        return None
    for pid, seconds in look.session.ask("behind_us", seconds=look.limits.waiting_s, pids=pids):
        return f"pid {pid} has waited {seconds:.1f} s for a batch"
    return None


def others_write(look: Look) -> bool:
    """Tell whether a transaction of another session has written and is at work.

    Who may not see what that session does takes one that stands still for one that works.
    """
    return bool(look.session.value("others_write", pids=sorted(look.pids())))


def own(look: Look) -> str | None:
    """What the caller looks at."""
    return look.limits.own() if look.limits.own else None


_BRAKES: Final[tuple[Callable[[Look], str | None], ...]] = (
    lag, slots, wal_rate, archive, vacuum, own,
)  # fmt: skip
