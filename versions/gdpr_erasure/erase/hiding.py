"""Plan an erasure and begin it: from the end of that transaction on, nothing new of the person is taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import RevisionError, SubjectError, TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.brakes import hold_back
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import intend
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Step
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import queue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import Order
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import planned
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, SUBJECT, about
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import Seen, seen
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import Erasure, begun, erasure
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.suppressing import suppress


@dataclass(frozen=True)
class Brake:
    """What holds an erasure back: more rows than these, and any other plan than that one, if there is one.

    is_off: it was ordered, and approved of, before a restore undid it.
    """

    most_rows: int | None = None
    most_share: float | None = None
    plan: ErasurePlan | None = None
    is_off: bool = False


def known(cursor: Cursor, subject: int, completes: UUID | None) -> Erasure | None:
    """Return the erasure of *subject* that has begun, or the one that completes another."""
    about(cursor, subject)
    return begun(cursor, completes)


def hide(
    cursor: Cursor, subject: int, order: Order, brake: Brake, keys: Keys
) -> tuple[Erasure, ErasurePlan, Seen]:
    """Begin to erase *subject*, or go on, in the transaction of *cursor*.

    Return what is done, how, and what was read for it. Locks: no hold is placed or released meanwhile.

    Raises:
        SubjectError: there is no such person, or they cannot be erased.
        RevisionError: it is not what was planned.
        ApprovalError: it does more than it may.
    """
    found = known(cursor, subject, order.completes)
    if found is None and order.completes is None:
        _refuse_unknown(cursor)
    if found is None:
        # A hold that comes while it is planned would be seen too late.
        cursor.execute(STATEMENTS["settle_holds"])
    by = seen(cursor)
    plan = planned(cursor, subject, completes=order.completes, at=found.hidden_at if found else None, by=by)
    about(cursor, subject)
    _refuse_drift(plan, brake.plan.hash if brake.plan else found.plan_hash if found else plan.hash)
    if found is not None:
        return found, plan, by
    refuse(plan)
    if not brake.is_off:
        hold_back(cursor, plan, most_rows=brake.most_rows, most_share=brake.most_share)
    return _begun(cursor, order, plan, keys), plan, by


def refuse(plan: ErasurePlan) -> None:
    """Let *plan* pass if all of it can be done.

    Raises:
        TableError: something cannot, of which the first is told.
    """
    for refusal in plan.refusals[:1]:
        more = f" (and {len(plan.refusals) - 1} more)" if len(plan.refusals) > 1 else ""
        raise TableError(f"{refusal.place} {refusal.problem}{more}", hint=refusal.hint)


def _begun(cursor: Cursor, order: Order, plan: ErasurePlan, keys: Keys) -> Erasure:
    values = {
        "subject": SUBJECT,
        "reason": order.reason,
        "requested_at": order.requested_at,
        "plan": plan.as_json(),
        "plan_hash": plan.hash,
        "steps": _steps(plan.steps),
        "requested_by": _requester(cursor, plan.subject, order),
        "request": order.request,
        "completes": order.completes and str(order.completes),
    }
    cursor.execute(STATEMENTS["begin"], values)
    ((number,),) = cursor.fetchall()
    begun_now = erasure(cursor, UUID(number))
    assert begun_now is not None, "what was written in this transaction is there"
    suppress(cursor, begun_now.id, plan.subject)
    queue(cursor, begun_now.id, plan.subject, keys)
    # Last of all: behind it nothing but the end of the transaction can fail.
    intend(cursor, keys, begun_now.id)
    return begun_now


def _steps(steps: Sequence[Step]) -> str:
    return json.dumps([
        {"position": step.position, "table": step.table, "action": step.action.value, "rows": step.rows}
        for step in steps
    ])  # fmt: skip


def _requester(cursor: Cursor, subject: int, order: Order) -> int | None:
    """Return the pseudonym of who ordered it; None is the login at work."""
    if order.requested_by is None:
        return None
    about(cursor, order.requested_by)
    cursor.execute(STATEMENTS["requester"])
    row = cursor.fetchone()
    about(cursor, subject)
    if row is None:
        raise SubjectError(
            "there is no such person to have ordered it", hint="name them by users.id, or nobody: the login"
        )
    return int(row[0])


def _refuse_unknown(cursor: Cursor) -> None:
    cursor.execute(STATEMENTS["is_person"], {"subject": SUBJECT})
    if cursor.fetchone() is None:
        raise SubjectError("there is no such person", hint="name a person by users.id")


def _refuse_drift(plan: ErasurePlan, wanted: str) -> None:
    if plan.hash != wanted:
        raise RevisionError(
            "what would be erased now is not what was planned",
            hint="the catalogue, a hold or a table has changed: look at plan_erasure, and give that plan",
        )
