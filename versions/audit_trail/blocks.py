"""Put the leaves of entries in their places, and compare each block with its root. No database here.

Entries come in any order, once, from one reading of the table; the leaves lie in a file without a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from spotify_ai_agent_migrations.versions.audit_trail.fault import Fault, Kind, about_entries, about_seal
from spotify_ai_agent_migrations.versions.audit_trail.merkle import HASH_BYTES, Tree
from spotify_ai_agent_migrations.versions.audit_trail.spans import Numbers, Places, Spans, numbers_at, runs

# Of an entry as it is read: its number, its transaction, the leaf of what it says now, and of its commitment.
LEAF: Final = np.dtype([("id", ">i8"), ("xid", ">u8"), ("now", "u1", HASH_BYTES), ("then", "u1", HASH_BYTES)])
Leaves = NDArray[Any]
Hashes = NDArray[np.uint8]
# A partition boundary and the order of numbers are not the same to the last entry: writers overlap.
_OVERLAP: Final = 10_000
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Block:
    """What a believed seal says of its entries; one that `retires` may miss those that retention took.

    `base` is the place of its first leaf, -1 where nothing is kept.
    """

    seal_id: int
    spans: Spans
    count: int
    root: bytes
    base: int
    retires: bool
    opens: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Of which transactions an entry has to be in a seal: from one on, before another, some left out."""

    first: int
    last: int
    gaps: tuple[tuple[int, int], ...] = ()

    def holds(self, xids: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell of each transaction whether its entries have to be sealed."""
        inside = (xids >= self.first) & (xids < self.last)
        for first, last in self.gaps:
            inside &= (xids < first) | (xids >= last)
        return inside


class Blocks:
    """Takes leaves, and tells in the end what is wrong with them."""

    def __init__(self, blocks: Sequence[Block], *, window: Window, file: IO[bytes]) -> None:
        """Keep the leaves of all *blocks* in *file*, 32 bytes for each of their entries."""
        self._blocks = blocks
        self._window = window
        self._places = Places([(block.spans, block.base) for block in blocks])
        size = sum(block.count for block in blocks if block.base >= 0)
        self._present = np.zeros(size, np.bool_)
        self._leaves = _in_file(file, size)
        self._changed: dict[int, bytes] = {}
        self._twice: list[int] = []
        self._uncovered: list[Numbers] = []
        self.entries = 0
        self.unsealed = 0
        self.retired = 0

    def take(self, leaves: Leaves) -> None:
        """Put *leaves* in their places."""
        ids = leaves["id"].astype(np.int64)
        held, places = self._places.find(ids)
        self.entries += int(held.sum())
        self._leave(ids[~held], leaves["xid"][~held].astype(np.uint64))
        kept = places >= 0
        self._keep(leaves[kept], ids[kept], places[kept])

    def candidates(self) -> Numbers:
        """Return the numbers of entries that ought to be in a seal and are in none of these, ascending."""
        return np.sort(np.concatenate([*self._uncovered, np.empty(0, np.int64)])).astype(np.int64)

    def faults(self, foreign: Numbers) -> list[Fault]:
        """Return what is wrong: with each block, with entries twice in it, and with the *foreign* ones."""
        edited = np.sort(np.fromiter(self._changed, np.int64, len(self._changed)))
        found = [
            about_entries(Kind.SEALED_TWICE, self._blocks[later].seal_id, first, first,
                          f"block {self._blocks[earlier].seal_id} holds it too")
            for earlier, later, first in self._places.overlaps()
        ]  # fmt: skip
        for block in self._blocks:
            if block.base >= 0:
                first, behind = np.searchsorted(edited, (block.base, block.base + block.count))
                found += self._of_block(block, edited[first:behind])
        found += [
            about_entries(Kind.DUPLICATE, None, number, number, "is there more than once")
            for number in sorted(set(self._twice))
        ]
        return found + [
            about_entries(Kind.FOREIGN, None, first, last, "is in no seal, and was not there when it was due")
            for first, last in runs(np.unique(foreign))
        ]

    def _leave(self, ids: Numbers, xids: NDArray[np.uint64]) -> None:
        due = self._window.holds(xids)
        self.unsealed += int((~due).sum())
        if due.any():
            self._uncovered.append(ids[due])

    def _keep(self, leaves: Leaves, ids: Numbers, places: Numbers) -> None:
        if not len(places):
            return
        order = np.argsort(places, kind="stable")
        leaves, ids, places = leaves[order], ids[order], places[order]
        again = self._present[places]
        again[1:] |= places[1:] == places[:-1]
        if again.any():
            self._twice += ids[again].tolist()
            leaves, places = leaves[~again], places[~again]
        self._present[places] = True
        self._leaves[places] = leaves["then"]
        changed = np.flatnonzero((leaves["now"] != leaves["then"]).any(axis=1) | ~leaves["now"].any(axis=1))
        for at in changed.tolist():
            self._changed[int(places[at])] = leaves["now"][at].tobytes()

    def _of_block(self, block: Block, edited: Numbers) -> list[Fault]:
        here = slice(block.base, block.base + block.count)
        found = [
            about_entries(Kind.EDITED, block.seal_id, number, number, "is not what was written")
            for number in numbers_at(block.spans, edited - block.base).tolist()
        ]
        gone = np.flatnonzero(~self._present[here])
        if len(gone):
            return found + self._of_gone(block, numbers_at(block.spans, gone))
        if block.root != self._root(here) and (not len(edited) or block.root != self._root(here, edited)):
            what = f"block {block.seal_id}: its entries are not those that were sealed"
            found.append(about_seal(Kind.BLOCK, block.seal_id, what))
        return found

    def _of_gone(self, block: Block, gone: Numbers) -> list[Fault]:
        if self._retired(block, gone):
            self.retired += len(gone)
            return []
        return [
            about_entries(Kind.MISSING, block.seal_id, first, last, "is gone") for first, last in runs(gone)
        ]

    def _retired(self, block: Block, gone: Numbers) -> bool:
        if block.retires or not block.opens:
            return block.retires
        # A block that began an epoch holds years: what retention takes of it are its oldest ones.
        there = np.flatnonzero(self._present[block.base : block.base + block.count])
        return not len(there) or int(gone[-1]) < int(numbers_at(block.spans, there[:1])[0]) + _OVERLAP

    def _root(self, here: slice, edited: Numbers | None = None) -> bytes:
        """Return the root over what was committed to; where *edited*, over what these entries say now."""
        tree = Tree()
        for at in range(here.start, here.stop, _CHUNK):
            behind = min(at + _CHUNK, here.stop)
            leaves = np.array(self._leaves[at:behind])
            for place in [] if edited is None else edited[(edited >= at) & (edited < behind)].tolist():
                leaves[place - at] = np.frombuffer(self._changed[place], np.uint8)
            tree.add_all(leaves.tobytes())
        return tree.root()


def _in_file(file: IO[bytes], size: int) -> Hashes:
    if not size:
        return np.empty((0, HASH_BYTES), np.uint8)
    file.truncate(size * HASH_BYTES)
    return np.memmap(file, np.uint8, "r+", shape=(size, HASH_BYTES))
