"""How fast a backfill goes, and what it stops for. Frozen values; no database here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError

MIB: Final = 1 << 20
GIB: Final = 1 << 30
_SHARE: Final = 0.25


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
    the next, shrinks at once, and stays between `least_rows` and `most_rows`; where the key is a whole number
    its end is reckoned by the batch before, and it may have twice as many as it is to have. A row that others
    hold is waited for `lock_timeout_ms`, then the batch is split; a single one for `row_wait_s` in all.
    `workers` sessions fill at once, each a range of keys of its own. Before a batch a pause of `pause_s` is
    made.

    While other sessions of the server write, each worker fills for a `share` of its time: a batch is to take
    so much less, and a rest follows for the remainder. What is written faster than the disk takes it up
    without a queue is waited for by every commit. Others count for `heeded_s` after they were last seen to
    write. 1.0 never rests; None is a quarter, or what MIGRATIONS_FILL_SHARE says.

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
    share: float | None = None
    heeded_s: float = 10.0
    lock_timeout_ms: int = 500
    row_wait_s: float = 60.0
    look_every_s: float = 1.0
    most_held_s: float = 3_600.0
    most_paused_s: float = 86_400.0
    tell_every_s: float = 10.0
    quiet: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        """Refuse a share that is none.

        Raises:
            SettingsError: it is not above 0, or above 1.
        """
        if self.share is not None and not 0 < self.share <= 1:
            raise SettingsError(
                f"a backfill cannot have {self.share:g} of the time", hint="give it a share of 0.25, or of 1"
            )

    @property
    def part(self) -> float:
        """The share of the time that it has while others write."""
        return _SHARE if self.share is None else self.share

    def under(self, environ: Mapping[str, str]) -> Pace:
        """Return the pace with what the environment says where nothing else was said.

        Raises:
            SettingsError: MIGRATIONS_FILL_SHARE is no share.
        """
        said = environ.get("MIGRATIONS_FILL_SHARE")
        if self.share is not None or said is None:
            return self
        try:
            return replace(self, share=float(said))
        except (ValueError, SettingsError):
            raise SettingsError(
                f'MIGRATIONS_FILL_SHARE is "{said}", and no share of the time',
                hint="set MIGRATIONS_FILL_SHARE=0.25",
            ) from None

    def next_rows(self, rows: int, took_s: float, share: float = 1.0) -> int:
        """Return how many rows the next batch is to have, after one of *rows* that took *took_s*."""
        wanted = rows * self.target_s * share / max(took_s, 1e-6)
        return int(max(self.least_rows, min(wanted, rows * 2, self.most_rows)))
