"""Which entry belongs in which block, and where in it, for many entries at once. No database here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

_MULTIRANGE: Final = re.compile(r"\{(?:\[-?\d{1,19},-?\d{1,19}\)(?:,(?!\})|(?=\})))*\}")
_BOUND: Final = re.compile(r"-?\d+")
_LARGEST: Final = 2**63 - 1
# What a seal claims to hold is not believed beyond this: space is made for all of it.
MOST_ENTRIES: Final = 2**36


class Spans(NamedTuple):
    """Ranges of numbers, ascending and apart: first ones, and the first ones behind."""

    starts: Numbers
    ends: Numbers

    @property
    def size(self) -> int:
        """How many numbers they hold."""
        return sum(int(end) - int(start) for start, end in zip(self.starts, self.ends, strict=True))


def read_spans(text: str) -> Spans:
    """Return the spans of an int8multirange, as the server writes it.

    Raises:
        ValueError: not one, or not in the one form that the server writes.
    """
    if not _MULTIRANGE.fullmatch(text):
        raise ValueError("not a multirange of whole numbers")
    bounds = [int(bound) for bound in _BOUND.findall(text)]
    if any(abs(bound) > _LARGEST for bound in bounds) or any(
        later <= earlier for earlier, later in pairwise(bounds)
    ):
        raise ValueError("not a multirange in ascending order")
    both = np.array(bounds, dtype=np.int64).reshape(-1, 2)
    return Spans(np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1]))


def written_spans(numbers: Numbers) -> str:
    """Return ascending, distinct *numbers* as an int8multirange, as the server writes it."""
    return "{" + ",".join(f"[{first},{last + 1})" for first, last in runs(numbers)) + "}"


def runs(numbers: Numbers) -> list[tuple[int, int]]:
    """Return the first and the last of each run of neighbours among ascending *numbers*."""
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    firsts = numbers[np.concatenate(([0], breaks + 1))]
    lasts = numbers[np.concatenate((breaks, [len(numbers) - 1]))]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


class Places:
    """Finds the place of an entry by its number: blocks lie one behind the other, ascending inside.

    A block without a place of its own has `base` -1: its entries are known, and nothing is kept of them.
    """

    def __init__(self, blocks: Sequence[tuple[Spans, int]]) -> None:
        """Take the spans of each block and its base: the place of its first entry."""
        starts = [spans.starts for spans, _ in blocks] or [np.empty(0, np.int64)]
        ends = [spans.ends for spans, _ in blocks] or [np.empty(0, np.int64)]
        first = [_places(spans, base) for spans, base in blocks] or [np.empty(0, np.int64)]
        sizes = [len(spans.starts) for spans, _ in blocks]
        owner = np.repeat(np.arange(len(blocks), dtype=np.int64), sizes)
        order = np.argsort(np.concatenate(starts), kind="stable")
        self._starts = np.concatenate(starts)[order]
        self._ends = np.concatenate(ends)[order]
        self._first = np.concatenate(first)[order]
        self._owner = owner[order]

    def overlaps(self) -> list[tuple[int, int, int]]:
        """Return the blocks that hold a same entry, by their position, with the first such entry."""
        shared = np.flatnonzero(self._starts[1:] < self._ends[:-1])
        return [(int(self._owner[at]), int(self._owner[at + 1]), int(self._starts[at + 1])) for at in shared]

    def find(self, ids: Numbers) -> tuple[NDArray[np.bool_], Numbers]:
        """Tell of each of *ids* whether a block holds it, and its place; -1 is none."""
        if not len(self._starts):
            return np.zeros(len(ids), np.bool_), np.full(len(ids), -1, np.int64)
        at = np.searchsorted(self._starts, ids, "right") - 1
        held = (at >= 0) & (ids < self._ends[at])
        first = self._first[at]
        return held, np.where(held & (first >= 0), first + ids - self._starts[at], -1)


def numbers_at(spans: Spans, ranks: Numbers) -> Numbers:
    """Return the numbers of *spans* that have *ranks*, from 0."""
    before = _places(spans, 0)
    at = np.searchsorted(before, ranks, "right") - 1
    return np.asarray(spans.starts[at] + ranks - before[at], dtype=np.int64)


def _places(spans: Spans, base: int) -> Numbers:
    if base < 0:
        return np.full(len(spans.starts), -1, np.int64)
    sizes = spans.ends - spans.starts
    return np.asarray(base + np.cumsum(sizes) - sizes, dtype=np.int64)
