"""Trees of hashes as RFC 6962 builds them, in memory that grows with the height of the tree. Pure.

A leaf and a node are hashed apart (0x00, 0x01), so that no node can be passed off as a leaf; a tree of n
leaves is split at the largest power of two below n. https://www.rfc-editor.org/rfc/rfc6962#section-2.1
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256().digest()

_LEAF: Final = b"\0"
_NODE: Final = b"\1"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of the leaf that holds *data*."""
    return sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node over *left* and *right*."""
    return sha256(_NODE + left + right).digest()


class Tree:
    """A tree that leaves are added to from the left; it keeps one hash for each bit of their number.

    Whole subtrees, of the largest power of two first, are all that the root depends on.
    """

    __slots__ = ("_count", "_peaks")

    def __init__(self) -> None:
        self._count = 0
        self._peaks: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return self._count

    def add(self, leaf: bytes) -> None:
        """Add one leaf by its hash."""
        self._push(1, leaf)

    def add_all(self, leaves: bytes | memoryview) -> None:
        """Add leaves that lie one behind the other, 32 bytes each."""
        view, taken, count = memoryview(leaves), 0, len(leaves) // HASH_BYTES
        while taken < count:
            size = self._fitting(count - taken)
            self._push(size, _whole(view[taken * HASH_BYTES : (taken + size) * HASH_BYTES]))
            taken += size

    def root(self) -> bytes:
        """Return the root over the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        *others, (_, root) = self._peaks
        for _, peak in reversed(others):
            root = node_hash(peak, root)
        return root

    def _fitting(self, waiting: int) -> int:
        # The largest subtree that may begin at this place, and that the waiting leaves fill.
        most: int = 1 << (waiting.bit_length() - 1)
        return min(most, self._count & -self._count) if self._count else most

    def _push(self, size: int, peak: bytes) -> None:
        self._count += size
        while self._peaks and self._peaks[-1][0] == size:
            peak = node_hash(self._peaks.pop()[1], peak)
            size *= 2
        self._peaks.append((size, peak))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over *leaves*, hashes of 32 bytes, in their order."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def _whole(level: bytes | memoryview) -> bytes:
    """Return the root over a power of two of leaves, level by level: the quickest way in Python."""
    while len(level) > HASH_BYTES:
        level = b"".join(
            [sha256(_NODE + level[at : at + 64]).digest() for at in range(0, len(level), 2 * HASH_BYTES)]
        )
    return bytes(level)
