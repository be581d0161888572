"""What an erasure is going to do, as a value that is hashed, signed and compared. No database here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from spotify_ai_agent_migrations.versions.core.signing import Keyring, SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Kept, Refusal, Step, Treated


@dataclass(frozen=True)
class ErasurePlan:
    """What an erasure is going to do to the data of one person, step by step.

    kept: what stays, and why. derived: materialised views to be refreshed afterwards, in that order.
    refusals: what cannot be done; one refuses the whole. warnings: what cannot be proved, or is costly.
    is_deferred: whether the steps only work in one transaction, its constraints deferred.
    hash: of its structure, as hexadecimal digits; not of the counts, which change while people go on.
    """

    subject: int
    steps: tuple[Step, ...]
    kept: tuple[Kept, ...]
    derived: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    is_deferred: bool = False
    signature: str | None = None

    def signed(self, key: SigningKey) -> ErasurePlan:
        """Return it with the signature of *key*, of what it does and to whom."""
        return replace(self, signature=f"{key.key_id}:{key.sign(self._message()).hex()}")

    def is_signed_by(self, keyring: Keyring) -> bool:
        """Tell whether one of the keys has signed what it does, and to whom."""
        name, _, digits = (self.signature or "").partition(":")
        key = keyring.get(name)
        return key is not None and key.has_signed(self._message(), bytes.fromhex(digits))

    def changed_since(self, before: ErasurePlan) -> tuple[str, ...]:
        """Return the tables, and views, of which it does or keeps something else than *before*."""
        now, then = self._by_place(), before._by_place()
        return tuple(sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name)))

    def _by_place(self) -> Mapping[str, list[dict[str, Any]]]:
        """Return what is done and kept, by table; a step moves where one before it goes."""
        found: dict[str, list[dict[str, Any]]] = {name: [{"derived": True}] for name in self.derived}
        for one in (*map(_step, self.steps), *map(_kept, self.kept)):
            found.setdefault(one["table"], []).append({**one, "position": None})
        return found

    def _message(self) -> bytes:
        return f"agentdb erasure plan 1\0{self.subject}\0{self.hash}".encode()

    @property
    def rows(self) -> int:
        """Return how many rows it deletes or changes."""
        return sum(step.rows for step in self.steps)

    @cached_property
    def hash(self) -> str:
        """Return the SHA-256 of what it does and keeps."""
        return hashlib.sha256(_canonical(self._structure()).encode()).hexdigest()

    def as_json(self) -> str:
        """Return it as JSON, without the number of the person and without statements."""
        told = self._structure() | {
            "hash": self.hash,
            "signature": self.signature,
            "rows": self.rows,
            "counts": [step.rows for step in self.steps],
            "kept_counts": [[one.rows, one.until and one.until.isoformat()] for one in self.kept],
            "refusals": [[one.place, one.problem, one.hint] for one in self.refusals],
            "warnings": list(self.warnings),
        }
        return _canonical(told)

    def _structure(self) -> dict[str, Any]:
        return {
            "version": 1,
            "steps": [_step(step) for step in self.steps],
            "kept": [_kept(one) for one in self.kept],
            "derived": list(self.derived),
            "deferred": self.is_deferred,
        }


def _step(step: Step) -> dict[str, Any]:
    return {
        "position": step.position,
        "table": step.table,
        "action": step.action.value,
        "columns": [_treated(one) for one in step.columns],
    }


def _treated(one: Treated) -> dict[str, Any]:
    return {
        "name": one.name,
        "strategy": one.strategy.value,
        "outcome": one.outcome.value,
        "args": _plain(one.args),
    }


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return dict(arguments)


def _kept(one: Kept) -> dict[str, Any]:
    """Return it without what goes on by itself: how many rows, and until when."""
    return {
        "table": one.table,
        "columns": list(one.columns),
        "basis": one.basis,
        "why": one.why,
        "hold": one.hold,
        "rule": one.rule,
    }


def _canonical(told: Mapping[str, Any]) -> str:
    return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
