"""What one statement did, as the server tells it, and whom it kept waiting. No database here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

# Weakest first: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
MODES: Final = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE", "ACCESS EXCLUSIVE",
)  # fmt: skip
_STOPS_READS: Final = "ACCESS EXCLUSIVE"
_STOPS_WRITES: Final = frozenset(MODES[MODES.index("SHARE") :])
# Nobody writes to these but by commands of their own: what matters is whether they can be read.
_ONLY_READ: Final = frozenset({"m", "i", "I"})

Blocks = Literal["", "writes", "reads and writes"]


class Verdict(str, Enum):
    """How a statement treats those who use the database meanwhile.

    `long_blocking`: it keeps readers or writers of a table away while it reads, rewrites or indexes one, so
    for longer the more rows there are. `brief_blocking`: it keeps them away for a change of the catalogue.
    `nonblocking`: neither; rows it changes are locked, no table is.
    """

    LONG = "long_blocking"
    BRIEF = "brief_blocking"
    NONE = "nonblocking"


@dataclass(frozen=True)
class Lock:
    """A lock on a relation, of which `kind` is PostgreSQL's letter; `fresh` when this revision made it."""

    relation: str
    mode: str
    kind: str = "r"
    fresh: bool = False

    @property
    def blocks(self) -> Blocks:
        """What others cannot do with the relation; nothing where nobody can know it yet."""
        if self.fresh:
            return ""
        if self.mode == _STOPS_READS:
            return "reads and writes"
        return "writes" if self.mode in _STOPS_WRITES and self.kind not in _ONLY_READ else ""

    def __str__(self) -> str:
        return f"{self.mode} on {self.relation}"


@dataclass(frozen=True)
class Work:
    """What takes longer the more rows there are: `rows` of *relation* were read for it in this run."""

    kind: Literal["rewrite", "index build", "scan"]
    relation: str
    rows: int = 0
    fresh: bool = False

    def __str__(self) -> str:
        return f"{self.kind} of {self.relation}"


@dataclass(frozen=True)
class Measurement:
    """One statement: what it locked and worked on, and what it cost.

    `locks` are those it took itself; `held` those that earlier statements of the transaction had taken;
    `unclear` those that an earlier revision had, in one transaction with this one, on what this statement
    worked on: whether it would have taken them as well cannot be seen. Strongest first, blocking or not.
    `rows` were changed, None where that is no question; `wal_bytes` are the whole server's meanwhile.
    """

    locks: tuple[Lock, ...] = ()
    held: tuple[Lock, ...] = ()
    unclear: tuple[Lock, ...] = ()
    work: tuple[Work, ...] = ()
    rows: int | None = None
    wal_bytes: int = 0
    duration_ms: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """The verdict; where something is unclear, the worst it can be."""
        worked = any(not work.fresh for work in self.work)
        if worked and any(lock.blocks for lock in (*self.locks, *self.held, *self.unclear)):
            return Verdict.LONG
        return Verdict.BRIEF if any(lock.blocks for lock in self.locks) else Verdict.NONE

    @property
    def blocks(self) -> Blocks:
        """What others could not do while the statement ran, with the locks held already."""
        found = {lock.blocks for lock in (*self.locks, *self.held, *self.unclear)}
        if self.verdict is Verdict.NONE:
            return ""
        return "reads and writes" if "reads and writes" in found else "writes"


def strongest_first(lock: Lock) -> tuple[int, str]:
    """Sort key of locks."""
    return -MODES.index(lock.mode), lock.relation
