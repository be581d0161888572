"""Keep an answer for a while, and let one at a time find the next, so that who asks often costs nothing."""

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
    """What *find* found last, given to all for *fresh_s*; then one finds the next, which takes *most_s*.

    Meanwhile others are given the last one, unless it is older than both together: an answer that is out of
    date would be a false all-clear. They wait then, for *most_s* at the most.
    """

    def __init__(self, find: Callable[[], T], *, fresh_s: float, most_s: float) -> None:
        self._find = find
        self._fresh_s = fresh_s
        self._most_s = most_s
        self._finding = threading.Lock()
        self._last: tuple[T, float] | None = None

    def get(self) -> Aged[T] | None:
        """Return the answer; None where none was found in time."""
        if (fresh := self._younger_than(self._fresh_s)) is not None:
            return fresh
        usable_s = self._fresh_s + self._most_s
        wait_s = 0.0 if self._younger_than(usable_s) is not None else self._most_s
        if self._finding.acquire(timeout=wait_s):
            try:
                if (found := self._younger_than(self._fresh_s)) is not None:
                    return found
                self._last = (self._find(), time.monotonic())
            finally:
                self._finding.release()
        return self._younger_than(usable_s)

    def _younger_than(self, most_s: float) -> Aged[T] | None:
        last = self._last
        if last is None or (age_s := time.monotonic() - last[1]) > most_s:
            return None
        return Aged(last[0], age_s)
