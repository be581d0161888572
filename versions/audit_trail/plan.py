"""Decide what the next seal covers. No database here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Protocol

from spotify_ai_agent_migrations.versions.audit_trail.canonical import NO_SEAL, Seal, seal_hash


@dataclass(frozen=True)
class Standing:
    """Where a chain ends, and what the server is that goes on with it.

    Transactions before `ended` have ended, all of them; those from `unborn` on have not begun.
    """

    last: Seal | None
    system_identifier: str
    timeline: int
    now: datetime
    ended: int
    unborn: int


class Signer(Protocol):
    """Who signs seals."""

    @property
    def key_id(self) -> str:
        """What a seal calls it by."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of *message*."""


@dataclass(frozen=True)
class Block:
    """What a seal is to cover: from one transaction to before another; with a note, whatever no seal does."""

    epoch: int
    first_xid: int
    horizon: int
    note: str | None = None

    @property
    def begins(self) -> bool:
        """Whether it begins an epoch, and so covers whatever no seal does."""
        return self.note is not None


def doubt(last: Seal, key: Signer) -> str | None:
    """Return why the *last* seal cannot be gone on from, None where it can.

    Whoever owns the table could otherwise have an epoch begun, and put the seal back afterwards. Signatures
    of Ed25519 depend on nothing but key and message; those of an older key are left to verification.
    """
    if seal_hash(last) != last.hash:
        return "does not hash to what it was sealed with"
    if last.key_id == key.key_id and key.sign(last.hash) != last.signature:
        return "is not signed by its key"
    return None


def block_of(standing: Standing) -> Block:
    """Return all that may be sealed now as one block."""
    last = standing.last
    reason = _reason(standing)
    if last is None or reason:
        return Block(last.epoch + 1 if last else 1, 0, standing.ended, reason)
    return Block(last.epoch, last.horizon, standing.ended)


def shortened(block: Block, *, first: int, cut: int | None) -> Block:
    """Return *block* up to transaction *cut*, which finds no room in it; the *first* one always does."""
    if cut is None:
        return block
    return replace(block, horizon=cut if cut > first else cut + 1)


def sealed(
    standing: Standing, block: Block, *, entry_count: int, entry_ids: str, root: bytes, key: Signer
) -> Seal:
    """Return the seal of *block*, hashed, signed and chained to the last one."""
    last = standing.last
    bare = Seal(
        id=last.id + 1 if last else 1,
        epoch=block.epoch,
        sealed_at=standing.now,
        previous_hash=last.hash if last else NO_SEAL,
        first_xid=block.first_xid,
        horizon=block.horizon,
        entry_count=entry_count,
        entry_ids=entry_ids,
        root=root,
        system_identifier=standing.system_identifier,
        timeline=standing.timeline,
        note=block.note,
        key_id=key.key_id,
    )
    digest = seal_hash(bare)
    return replace(bare, hash=digest, signature=key.sign(digest))


class Numbers:
    """Numbers in ascending order as the server writes a multirange of them."""

    def __init__(self) -> None:
        self.count = 0
        self._done: list[str] = []
        self._first = self._next = 0

    @property
    def last(self) -> int | None:
        """The one that was added last."""
        return self._next - 1 if self.count else None

    def add(self, number: int) -> None:
        """Add one; what follows on the last one makes its range longer."""
        if not self.count:
            self._first = number
        elif number > self._next:
            self._done.append(f"[{self._first},{self._next})")
            self._first = number
        self.count += 1
        self._next = number + 1

    def __str__(self) -> str:
        last = [f"[{self._first},{self._next})"] if self.count else []
        return "{" + ",".join(self._done + last) + "}"


def _reason(standing: Standing) -> str | None:
    last = standing.last
    if last is None:
        return "the first seal"
    when = last.sealed_at.astimezone(timezone.utc).isoformat(timespec="seconds")
    if last.system_identifier != standing.system_identifier:
        return f"restored from a backup of {when} or later, of server {last.system_identifier}"
    if last.horizon > standing.unborn:
        return f"restored from a backup of {when} or later: transactions count from {standing.unborn}"
    return None
