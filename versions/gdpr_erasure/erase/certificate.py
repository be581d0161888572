"""What proves an erasure: a signed document that is verified without a database.

No number, pseudonym or value of the person stands in it: `subject_ref` is random, and whoever erased keeps
which person it was. Nor does a reason that somebody typed: of a hold it says the ground, its number and its
end. What is signed is the canonical form of its part `certificate` (see `canonical`) behind the name of what
it is, so that no other document can be taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.core.signing import Keyring, SigningKey, is_signed, read_keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.canonical import (
    canonical,
    document,
    instant,
    plain,
    written,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import (
    Action,
    Kept,
    Outcome,
    Step,
    Treated,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Strategy

FORMAT: Final = "agentdb erasure certificate 1"
_DOMAIN: Final = FORMAT.encode() + b"\0"
_GROUNDS: Final = re.compile(r"[a-e](?:, ?[a-e])*")
# From the best that can become of a value to the worst.
_WEAKEST_LAST: Final = (Outcome.DELETED, Outcome.ANONYMISED, Outcome.PSEUDONYMISED)
_PARTS: Final = frozenset({
    "format", "id", "completes", "subject_ref", "reason", "requested_at", "hidden_at", "erased_at",
    "swept_at", "issued_at", "outcome", "plan_hash", "tables", "derived", "kept", "pending", "residue",
    "ledger", "verified", "key",
})  # fmt: skip


class Whole(str, Enum):
    """What became of all that there was of a person: the weakest of it, and whether something is kept.

    Where nothing was erased, and something is there, it is kept.
    """

    DELETED = "deleted"
    ANONYMISED = "anonymised"
    PSEUDONYMISED = "pseudonymised"
    DELETED_WITH_EXCEPTIONS = "deleted_with_exceptions"
    ANONYMISED_WITH_EXCEPTIONS = "anonymised_with_exceptions"
    PSEUDONYMISED_WITH_EXCEPTIONS = "pseudonymised_with_exceptions"
    KEPT = "kept"


class Planned(Protocol):
    """What a certificate needs to know of a plan."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was done, table by table."""

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What was not erased."""

    @property
    def derived(self) -> tuple[str, ...]:
        """The materialised views that were made anew."""

    @property
    def hash(self) -> str:
        """What it is known by."""


@dataclass(frozen=True)
class StepDone:
    """What a step did: rows at once, and rows that came meanwhile."""

    position: int
    rows: int
    swept: int = 0


@dataclass(frozen=True)
class CertificateFacts:
    """All that a certificate says.

    pending: recipients who were not told yet. residue: what is physically left, a value or a mapping.
    ledger: hash of the line of the ledger that says it is erased; None where there is no ledger outside.
    """

    id: UUID
    subject_ref: UUID
    reason: str
    requested_at: datetime
    hidden_at: datetime
    erased_at: datetime
    swept_at: datetime
    plan: Planned
    done: tuple[StepDone, ...]
    pending: tuple[str, ...]
    residue: object
    now: datetime
    completes: UUID | None = None
    ledger: str | None = None
    verified: str = "reached"


@dataclass(frozen=True)
class ErasedTable:
    """One table: how many rows, how many of them only when it was looked at again, what became of them."""

    table: str
    action: Action
    rows: int
    swept: int
    columns: tuple[Treated, ...]


@dataclass(frozen=True)
class ErasureCertificate:
    """A certificate, as it is signed; `from_json` reads one, and `verify` tells whether it is genuine."""

    body: Mapping[str, Any] = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def id(self) -> UUID:
        """Number of the erasure."""
        return UUID(self.body["id"])

    @property
    def completes(self) -> UUID | None:
        """Number of the erasure that had left something, if this one completes it."""
        return UUID(self.body["completes"]) if self.body["completes"] else None

    @property
    def outcome(self) -> Whole:
        """The weakest of what became of the values that were not kept, and whether rows were: see `kept`."""
        return Whole(self.body["outcome"])

    @property
    def issued_at(self) -> datetime:
        """When it was issued."""
        return instant(self.body["issued_at"])

    @cached_property
    def tables(self) -> tuple[ErasedTable, ...]:
        """What was erased."""
        return tuple(
            ErasedTable(
                one["table"], Action(one["action"]), one["rows"], one["swept"],
                tuple(
                    Treated(column["name"], Strategy(column["strategy"]), Outcome(column["outcome"]))
                    for column in one["columns"]
                ),
            )
            for one in self.body["tables"]
        )  # fmt: skip

    @cached_property
    def kept(self) -> tuple[Kept, ...]:
        """What was not erased, on which ground and until when; `why` is empty where somebody typed it."""
        return tuple(
            Kept(
                one["table"], tuple(one["columns"]), one["rows"], one["basis"], one["why"] or "",
                instant(one["until"]) if one["until"] else None, one["hold"], one["rule"],
            )
            for one in self.body["kept"]
        )  # fmt: skip

    @property
    def pending(self) -> tuple[str, ...]:
        """Recipients who were not told yet when it was issued."""
        return tuple(self.body["pending"])

    @property
    def verified(self) -> str:
        """How far it was looked for what is left, at the least: reached, indexed or everything."""
        return str(self.body["verified"])

    @property
    def residue(self) -> Mapping[str, Any]:
        """What was physically left when it was issued, and until when at the latest."""
        found: Mapping[str, Any] = self.body["residue"]
        return found

    def as_json(self) -> str:
        """Return it as it is kept and handed out, the same letters each time."""
        return canonical({"certificate": self.body, "signature": self.signature.hex()}).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> ErasureCertificate:
        """Return the certificate that *text* is; it says nothing yet, until `verify` has said it is genuine.

        Raises:
            FileError: it is no certificate.
        """
        try:
            return _checked(document(text))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FileError(
                "this is no certificate of an erasure", hint="give the text of one, as `as_json` wrote it"
            ) from error

    def verify(self, keys: Keyring) -> bool:
        """Tell whether one of *keys* signed it, and nothing of it was changed since; asks no database."""
        return is_signed(keys, str(self.body["key"]), self.signature, _message(self.body))


def verify_certificate(file: Path, public_key: Path) -> ErasureCertificate:
    """Return the certificate in *file*, which one of the keys in *public_key* has signed; asks no database.

    Raises:
        FileError: it is none, or not genuine: changed since, or signed by another key.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be read: {error.strerror}', hint="name the file of a certificate"
        ) from error
    found = ErasureCertificate.from_json(text)
    if not found.verify(read_keyring(public_key)):
        raise FileError(
            f'"{file}" is not genuine: it was changed, or none of the keys in "{public_key}" signed it',
            hint="give the certificate as it was issued, and all public keys that ever signed one",
        )
    return found


def issue(facts: CertificateFacts, key: SigningKey) -> ErasureCertificate:
    """Return the certificate that says *facts*, signed.

    Raises:
        ValueError: they are not those of an erasure that has ended.
    """
    _refuse_unfinished(facts)
    body = _body(facts, key.key_id)
    return ErasureCertificate(body, key.sign(_message(body)))


def _checked(outer: dict[str, Any]) -> ErasureCertificate:
    body, signature = outer.pop("certificate"), bytes.fromhex(outer.pop("signature"))
    if outer or body["format"] != FORMAT or body.keys() != _PARTS:
        raise ValueError("it is something else")
    found = ErasureCertificate(body, signature)
    # Read here what would otherwise be found out to be nonsense by whoever asks for it later.
    _ = found.id, found.completes, found.outcome, found.issued_at, found.tables, found.kept
    return found


def _refuse_unfinished(facts: CertificateFacts) -> None:
    if sorted(one.position for one in facts.done) != sorted(step.position for step in facts.plan.steps):
        raise ValueError("what was done is not what was planned")
    if not facts.hidden_at <= facts.erased_at <= facts.swept_at <= facts.now:
        raise ValueError("an erasure is hidden, erased, swept and certified in this order")


def _body(facts: CertificateFacts, key_id: str) -> dict[str, Any]:
    done = {one.position: one for one in facts.done}
    return {
        "format": FORMAT,
        "id": str(facts.id),
        "completes": plain(facts.completes),
        "subject_ref": str(facts.subject_ref),
        "reason": facts.reason,
        "requested_at": written(facts.requested_at),
        "hidden_at": written(facts.hidden_at),
        "erased_at": written(facts.erased_at),
        "swept_at": written(facts.swept_at),
        "issued_at": written(facts.now),
        "outcome": _whole(facts.plan, done).value,
        "plan_hash": facts.plan.hash,
        "tables": [_table(step, done[step.position]) for step in facts.plan.steps],
        "derived": list(facts.plan.derived),
        "kept": [_kept(one) for one in facts.plan.kept],
        "pending": list(facts.pending),
        "residue": plain(facts.residue),
        "ledger": facts.ledger,
        "verified": facts.verified,
        "key": key_id,
    }


def _outcome(steps: tuple[Step, ...], done: Mapping[int, StepDone]) -> Outcome:
    """Return the weakest outcome of what was done; of what would have been, where there was nothing."""
    touched = [step for step in steps if done[step.position].rows or done[step.position].swept]
    found = {column.outcome for step in touched or steps for column in step.columns} - {Outcome.KEPT}
    return max(found, key=_WEAKEST_LAST.index, default=Outcome.DELETED)


def _whole(plan: Planned, done: Mapping[int, StepDone]) -> Whole:
    weakest = _outcome(plan.steps, done).value
    if not any(one.rows for one in plan.kept):
        return Whole(weakest)
    is_touched = any(one.rows or one.swept for one in done.values())
    return Whole(f"{weakest}_with_exceptions") if is_touched else Whole.KEPT


def _table(step: Step, done: StepDone) -> dict[str, Any]:
    columns = [
        {"name": one.name, "strategy": one.strategy.value, "outcome": one.outcome.value}
        for one in step.columns
    ]
    return {
        "table": step.table,
        "action": step.action.value,
        "rows": done.rows + done.swept,
        "swept": done.swept,
        "columns": columns,
    }


def _kept(kept: Kept) -> dict[str, Any]:
    """Return what is said of it: of a hold nothing that was typed in, which may name somebody."""
    typed = kept.hold is not None
    return {
        "table": kept.table,
        "columns": list(kept.columns),
        "rows": kept.rows,
        "basis": "law" if typed and not _GROUNDS.fullmatch(kept.basis) else kept.basis,
        "why": None if typed else kept.why,
        "until": plain(kept.until),
        "hold": kept.hold,
        "rule": kept.rule,
    }


def _message(body: Mapping[str, Any]) -> bytes:
    return _DOMAIN + canonical(body)
