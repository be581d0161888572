"""How far a backfill is, by what is written down of it: for its own process, and for any other."""

from __future__ import annotations

import time
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class Progress:
    """How far a backfill is: rows it came by, rows it wrote, and about how many there are in all.

    `rows_per_s` is how many it came by in a second since it was watched; `held` is what it stands still for.
    """

    walked: int
    written: int
    total: int
    rows_per_s: float
    held: str = ""

    @property
    def left_s(self) -> float | None:
        """How long it will take at this speed; None is unknown."""
        return max(0, self.total - self.walked) / self.rows_per_s if self.rows_per_s else None

    @property
    def line(self) -> str:
        """All of it on one line."""
        share = 100 * self.walked // max(1, self.total)
        parts = [f"{self.written} rows written", f"{self.rows_per_s:.0f} rows/s", f"{min(99, share)} %"]
        if self.left_s is not None:
            parts.append(f"{self.left_s:.0f} s left")
        if self.held:
            parts.append(f"waiting: {self.held}")
        return ", ".join(parts)


class Meter:
    """Reads the progress of one step again and again, and so knows its speed."""

    def __init__(self, session: Session, change_id: int, place: int) -> None:
        self._session, self._change_id, self._place = session, change_id, place
        self._began_s, self._began = time.monotonic(), self._sum()[0]

    def read(self, held: str = "") -> Progress:
        """Return how far it is now."""
        walked, written, total = self._sum()
        passed_s = max(1e-6, time.monotonic() - self._began_s)
        return Progress(walked, written, total, (walked - self._began) / passed_s, held)

    def _sum(self) -> tuple[int, int, int]:
        walked, written, total = self._session.ask("sum_of_ranges", id=self._change_id, place=self._place)[0]
        return walked, written, total
