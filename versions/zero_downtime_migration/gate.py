"""What the workers of a backfill pass before each batch: open, held for a reason, or over."""

from __future__ import annotations

from threading import Condition
from typing import Final

# A share near 0 asks for more than Python can wait.
_LONGEST_S: Final = 3_600.0


class Over(Exception):  # noqa: N818  (no error: the workers are told to end)
    """The backfill is to end here; what is committed stays."""


class Gate:
    """Held by the one who watches, passed by those who work; `pids` are the sessions of these.

    `is_shared` while other sessions write: those who work rest between batches then.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.is_shared = False
        self.pids: frozenset[int] = frozenset()
        self._over = False
        self._eased = 0
        self._changed = Condition()

    def join(self, pid: int) -> None:
        """Take up the session of one who works."""
        with self._changed:
            self.pids |= {pid}

    def hold(self, reason: str) -> None:
        """Let nobody pass until it is opened."""
        with self._changed:
            self.reason = reason

    def open(self) -> None:
        """Let everybody pass."""
        with self._changed:
            self.reason = ""
            self._changed.notify_all()

    def share(self, *, shared: bool) -> None:
        """Say whether others write; where they do no longer, a rest is over."""
        with self._changed:
            self.is_shared = shared
            self._changed.notify_all()

    def end(self) -> None:
        """Let nobody pass any more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def ease(self) -> None:
        """Ask for smaller batches: somebody waits for what one holds."""
        with self._changed:
            self._eased += 1

    @property
    def eased(self) -> int:
        """How often smaller batches were asked for."""
        return self._eased

    def rest(self, rest_s: float) -> None:
        """Wait for so long, an hour at most, or until it is shared no longer or over."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or not self.is_shared, min(rest_s, _LONGEST_S))

    def enter(self, pause_s: float = 0.0) -> None:
        """Wait until it is open, and *pause_s* in any case.

        Raises:
            Over: it will not be opened any more.
        """
        with self._changed:
            if pause_s:
                self._changed.wait_for(lambda: self._over, pause_s)
            self._changed.wait_for(lambda: self._over or not self.reason)
            if self._over:
                raise Over
