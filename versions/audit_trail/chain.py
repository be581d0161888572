"""Check seals one after the other: their numbers, hashes, signatures, and what was published of them.

No database here.
"""

from __future__ import annotations

from collections.abc import Mapping

from spotify_ai_agent_migrations.versions.audit_trail.canonical import NO_SEAL, Seal, seal_hash
from spotify_ai_agent_migrations.versions.audit_trail.fault import Fault, Kind, about_seal
from spotify_ai_agent_migrations.versions.core.signing import Keyring, is_signed


class Chain:
    """Takes seals in the order of their numbers and tells which of them can be believed.

    `faults` is what was found so far; `gaps` are the transactions of which it is not known any more what was
    sealed, because a seal is gone or was edited; `last` is the last one that can be believed.
    """

    def __init__(
        self,
        *,
        keys: Keyring | None,
        published: Mapping[int, bytes],
        since: int = 0,
        hash_: bytes | None = NO_SEAL,
    ) -> None:
        """Begin behind the seal *since*, whose hash is *hash_*; None where nobody knows.

        *published* are hashes by number.
        """
        self.faults: list[Fault] = []
        self.gaps: list[tuple[int, int]] = []
        self.last_id = since
        self.last: Seal | None = None
        self._hash: bytes | None = hash_
        self._keys = keys
        self._published = published
        self._rewritten = self._lost = False

    def take(self, number: int, seal: Seal | None) -> bool:
        """Check one seal, None where it cannot be read; tell whether what it says is what was sealed."""
        self._follow(number)
        believed = seal is not None and seal_hash(seal) == seal.hash
        if not believed or seal is None:
            self._found(Kind.SEAL_EDITED, number, "does not hash to what it was sealed with")
        else:
            self._chain(seal)
            self._sign(seal)
        self._compare(number, seal)
        self._hash = seal.hash if seal is not None else None
        self.last_id = number
        if seal is None or not believed:
            self._lost = True
            return False
        if self._lost:
            self.gaps.append((self.last.horizon if self.last else 0, seal.first_xid))
        self._lost, self.last = False, seal
        return True

    def end(self, *, anchored: int = 0) -> None:
        """Say which seals ought to follow the last one: published ones, and those up to *anchored*."""
        beyond = max([number for number in self._published if number > self.last_id] + [anchored])
        if beyond > self.last_id:
            which = _numbers(self.last_id + 1, beyond)
            self._found(Kind.TRUNCATED, self.last_id + 1, "is gone, and was published", which)

    def _follow(self, number: int) -> None:
        if number <= self.last_id:
            self._found(Kind.SEAL_EDITED, number, "is there twice")
        elif number > self.last_id + 1:
            which = _numbers(self.last_id + 1, number - 1)
            self._found(Kind.SEAL_MISSING, self.last_id + 1, "is gone, and a later one is there", which)
            self._hash, self._lost = None, True

    def _chain(self, seal: Seal) -> None:
        if self._hash is not None and seal.previous_hash != self._hash:
            self._found(Kind.SEAL_CHAIN, seal.id, f"is not chained to seal {self.last_id} as it is now")

    def _sign(self, seal: Seal) -> None:
        if self._keys is not None and not is_signed(self._keys, seal.key_id, seal.signature, seal.hash):
            known = "is not signed by its key" if seal.key_id in self._keys else "is signed by an unknown key"
            self._found(Kind.SEAL_SIGNATURE, seal.id, known)

    def _compare(self, number: int, seal: Seal | None) -> None:
        # The first says from where on; all later ones differ then, being chained to it.
        published = self._published.get(number)
        if published is None or self._rewritten or seal is None or published == seal.hash:
            return
        self._rewritten = True
        self._found(Kind.REWRITTEN, number, "is not the one that was published")

    def _found(self, kind: Kind, number: int, what: str, which: str | None = None) -> None:
        self.faults.append(about_seal(kind, number, f"{which or _numbers(number, number)} {what}"))


def _numbers(first: int, last: int) -> str:
    return f"seal {first}" if first == last else f"each seal from {first} to {last}"
