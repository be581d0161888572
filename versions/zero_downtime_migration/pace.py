"""How fast a backfill goes, and what it stops for. Frozen values; no database here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20
GIB: Final = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What a backfill stops for until it is over; None, or False, is never.

    `lag_bytes` and `lag_s`: a standby or subscriber is that far behind. `slot_bytes`: a replication slot
    holds that much WAL, or is about to be lost. `ignored` are names of standbys and slots not looked at.
    `wal_bytes_per_s`: the server writes more WAL than that. `archive_files`: so many wait to be archived, or
    the archive fails. `vacuum`: an autovacuum is at the table. `waiting_s`: somebody has waited that long for
    a row that a batch holds. `own` is asked too, and gives its reason; it is called in the caller's thread.
    """

    lag_bytes: int | None = 256 * MIB
    lag_s: float | None = 10.0
    slot_bytes: int | None = 8 * GIB
    ignored: frozenset[str] = frozenset()
    wal_bytes_per_s: int | None = None
    archive_files: int | None = 64
    vacuum: bool = True
    waiting_s: float | None = 0.2
    own: Callable[[], str | None] | None = None


@dataclass(frozen=True)
class Pace:
    """How a backfill goes.

    A batch is to take `target_s`: it begins with `first_rows`, grows to twice as many at most from one to
    the next, shrinks at once, and stays between `least_rows` and `most_rows`. A row that others hold is
    waited for `lock_timeout_ms`, then the batch is split; a single one for `row_wait_s` in all. `workers`
    sessions fill at once, each a range of keys of its own. Before a batch a pause of `pause_s` is made.

    While other sessions of the server write, a worker fills for a `share` of its time: a batch is to take so
    much less, and a rest follows for the remainder. What is written faster than the disk takes it up without
    a queue is waited for by every commit. 1.0 never rests.

    Every `look_every_s` it is looked whether to stop. What it stops for may last `most_held_s`, and a pause
    that was asked for `most_paused_s`. Every `tell_every_s` it is told how far it is.

    With `quiet` the table's own triggers do not fire for what is filled, where the role may set
    session_replication_role, except those that are ENABLE ALWAYS; else they fire, as for any update.
    """

    workers: int = 1
    target_s: float = 0.1
    first_rows: int = 2_000
    least_rows: int = 100
    most_rows: int = 200_000
    pause_s: float = 0.0
    share: float = 0.25
    lock_timeout_ms: int = 500
    row_wait_s: float = 60.0
    look_every_s: float = 1.0
    most_held_s: float = 3_600.0
    most_paused_s: float = 86_400.0
    tell_every_s: float = 10.0
    quiet: bool = False
    limits: Limits = Limits()

    def next_rows(self, rows: int, took_s: float, share: float = 1.0) -> int:
        """Return how many rows the next batch is to have, after one of *rows* that took *took_s*."""
        wanted = rows * self.target_s * share / max(took_s, 1e-6)
        return int(max(self.least_rows, min(wanted, rows * 2, self.most_rows)))
