"""What verification finds: numbers of seals and entries, never a value of one. No database here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal

# More of one kind are counted and not listed: a table that was emptied may have millions.
MOST_FAULTS: Final = 1_000


class Kind(str, Enum):
    """What can be wrong."""

    EDITED = "edited"
    MISSING = "missing"
    FOREIGN = "foreign"
    DUPLICATE = "duplicate"
    BLOCK = "block"
    SEAL_EDITED = "seal_edited"
    SEAL_MISSING = "seal_missing"
    SEAL_CHAIN = "seal_chain"
    SEAL_SIGNATURE = "seal_signature"
    SEALED_TWICE = "sealed_twice"
    REWRITTEN = "rewritten"
    TRUNCATED = "truncated"
    UNEXPLAINED = "unexplained"
    IMPOSTOR = "impostor"


HINTS: Final = {
    Kind.EDITED: "compare with a backup or an export from before; restore the entry from there",
    Kind.MISSING: "restore the entries from a backup or an export",
    Kind.FOREIGN: "whoever owns the table wrote them without a seal: compare with the log of the server",
    Kind.DUPLICATE: "one of them was put in afterwards: compare with a backup or an export",
    Kind.BLOCK: "an entry and its commitment were both changed: compare the block with an export",
    Kind.SEAL_EDITED: "restore the seal from its digest, then verify again",
    Kind.SEAL_MISSING: "restore the seals from their digests, then verify again",
    Kind.SEAL_CHAIN: "the seal before it is another one now: compare both with their digests",
    Kind.SEAL_SIGNATURE: "name a file of all public keys that ever sealed; or somebody without one sealed",
    Kind.SEALED_TWICE: "one of the seals is not the sealer's: compare both with their digests",
    Kind.REWRITTEN: "the trail was rewritten from here on, or restored to before it, and sealed again",
    Kind.TRUNCATED: "seals that were published are gone: restore them and their entries from a backup",
    Kind.UNEXPLAINED: "somebody took parts of it and told nobody: look at who owns the table",
    Kind.IMPOSTOR: "something else stands where the table was: look at who made it",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, what, and what to do."""

    kind: Kind
    seal_id: int | None
    entry_id: int | None
    last_entry_id: int | None
    problem: str

    @property
    def hint(self) -> str:
        """What to do about it."""
        return HINTS[self.kind]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, and everything that is wrong with it.

    `unsealed` entries wait for the sealer, and are counted where all are read; `retired` ones were taken by
    the rule of retention. `more_faults` were found beyond those listed.
    """

    entries: int
    seals: int
    unsealed: int | None
    retired: int
    signatures_checked: bool
    last_seal: Seal | None
    faults: tuple[Fault, ...]
    more_faults: int = 0
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing was found to be wrong."""
        return not self.faults


def about_seal(kind: Kind, seal_id: int, problem: str) -> Fault:
    """Return a fault of a seal or of its block as a whole."""
    return Fault(kind, seal_id, None, None, problem)


def about_entries(kind: Kind, seal_id: int | None, first: int, last: int, what: str) -> Fault:
    """Return a fault of the entries from *first* to *last*, which *what* is said of."""
    which = f"entry {first}" if first == last else f"each entry from {first} to {last}"
    where = "" if seal_id is None else f" of block {seal_id}"
    return Fault(kind, seal_id, first, last, f"{which}{where}: {what}")


def listed(faults: Sequence[Fault]) -> tuple[tuple[Fault, ...], int]:
    """Return the first faults of each kind, and how many there are beyond them."""
    taken: dict[Kind, int] = {}
    kept = []
    for fault in faults:
        taken[fault.kind] = taken.get(fault.kind, 0) + 1
        if taken[fault.kind] <= MOST_FAULTS:
            kept.append(fault)
    return tuple(kept), len(faults) - len(kept)
