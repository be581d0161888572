"""Keep an answer for a while, and let one at a time find the next: who asks often costs the server nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Aged(Generic[T]):
    """An answer, and how many seconds ago it was found."""

    value: T
    age_s: float


class Kept(Generic[T]):
    """What *find* found last, for *fresh_s*; while somebody finds the next, others are given the last one.

    Who asks before there is a first one waits for it, *most_s* at the most.
    """

    def __init__(self, find: Callable[[], T], *, fresh_s: float, most_s: float) -> None:
        self._find = find
        self._fresh_s = fresh_s
        self._most_s = most_s
        self._finding = threading.Lock()
        self._last: tuple[T, float] | None = None

    def get(self) -> Aged[T] | None:
        """Return the answer; None where nothing was found in time."""
        if (fresh := self._aged()) is not None and fresh.age_s < self._fresh_s:
            return fresh
        # Whoever has something to say does not wait for who finds something newer.
        wait_s = 0.0 if self._last is not None else self._most_s
        if not self._finding.acquire(timeout=wait_s or -1, blocking=bool(wait_s)):
            return self._aged()
        try:
            aged = self._aged()
            if aged is None or aged.age_s >= self._fresh_s:
                self._last = (self._find(), time.monotonic())
        finally:
            self._finding.release()
        return self._aged()

    def _aged(self) -> Aged[T] | None:
        last = self._last
        return None if last is None else Aged(last[0], time.monotonic() - last[1])
