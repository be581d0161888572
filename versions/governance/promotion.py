"""Decide whether production may run revisions: who approved of them, and what staging says of them.

No database here, no Git and no clock: they are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from spotify_ai_agent_migrations.versions.governance.approvals import Approval
from spotify_ai_agent_migrations.versions.governance.approving import approved
from spotify_ai_agent_migrations.versions.governance.pending import Missing, Pending, Production
from spotify_ai_agent_migrations.versions.governance.proof import proof
from spotify_ai_agent_migrations.versions.governance.trust import KEYS, Held, Trust

_STAMP: Final = Missing("stamp", "a stamp says that it ran, and nothing shows that")
_UNKNOWN: Final = Missing(
    "authors-unknown", "Git cannot say who wrote it, and so nobody knows whether they approve of it"
)


@dataclass(frozen=True)
class Verdict:
    """What is missing for one revision, and what counted for it."""

    pending: Pending
    missing: tuple[Missing, ...]
    approvals: tuple[Approval, ...] = ()
    receipt: Held | None = None

    @property
    def said(self) -> str:
        """All that is missing, in words."""
        return "; ".join(missing.said for missing in self.missing)

    @property
    def ready(self) -> str:
        """What counted, without a name."""
        proved = f', receipt "{self.receipt.file_name}"' if self.receipt else ""
        return f"ready; {len(self.approvals)} of {self.pending.approvers} approve{proved}"

    @property
    def details(self) -> dict[str, Any]:
        """The same for programs, and what counted, persons by name."""
        return {
            "gate": "promotion",
            "missing": [dict(vars(missing)) for missing in self.missing],
            "approvals": [
                {"reviewer": str(one.reviewer), "authors": list(map(str, one.authors)), "at": one.at}
                for one in self.approvals
            ],
            "receipt": _summary(self.receipt),
        }


def decide(
    pending: Sequence[Pending], approvals: Iterable[Approval], trust: Trust, production: Production
) -> tuple[Verdict, ...]:
    """Return for each revision what is missing, in order.

    The schema is held against the first of them alone: the others find what those before them leave.
    """
    every, held = tuple(approvals), trust.held()
    later = replace(production, schema=None)
    return tuple(
        _verdict(one, every, held, trust, later if place else production) for place, one in enumerate(pending)
    )


def _verdict(
    pending: Pending,
    approvals: Sequence[Approval],
    held: Sequence[Held],
    trust: Trust,
    production: Production,
) -> Verdict:
    if pending.verb == "stamp":
        return Verdict(pending, (_STAMP,))
    counted, unapproved = approved(pending, approvals)
    receipt, unproved = proof(pending, production, held, trust)
    # It casts doubt on who approved; where nobody did, that says enough.
    unknown = (_UNKNOWN,) if pending.authors_unknown and counted else ()
    return Verdict(pending, (*unapproved, *unknown, *unproved), counted, receipt)


def remedy(verdicts: Iterable[Verdict]) -> str:
    """Return what to do about all that is missing."""
    told = [(missing.code, verdict.pending) for verdict in verdicts for missing in verdict.missing]
    steps = []
    if any(code == _UNKNOWN.code for code, _ in told):
        steps.append(
            "let Git answer: git fetch --unshallow, or git config --global --add safe.directory FOLDER; "
            "or take a copy without .git"
        )
    unapproved = next((one for code, one in told if "approv" in code), None)
    if unapproved is not None:
        command = f'agentdb governance approve {unapproved.revision} --reviewer "NAME <E-MAIL>"'
        steps.append(f"let a reviewer say {command}")
    if any(code == "no-keys" for code, _ in told):
        steps.append(f"set {KEYS}")
    unproved = [one for code, one in told if "receipt" in code]
    if unproved:
        back = ", and back, and up again," if any(one.reverts for one in unproved) else ""
        steps.append(f"run it in staging{back} and there agentdb governance receipt")
    steps.append('in an emergency -x break-glass=1 -x reason="…"')
    return "; ".join(steps)


def _summary(held: Held | None) -> dict[str, Any] | None:
    if held is None or held.receipt is None:
        return None
    said = held.receipt
    return {
        "id": held.id,
        "key": held.key_id,
        "at": said.at,
        "file": held.file_name,
        "server_version": said.server_version,
        "fingerprint": said.fingerprint,
    }
