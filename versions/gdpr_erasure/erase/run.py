"""Erase a person: hidden, erased, looked at again once every older transaction has ended, certified.

Each word with the database leaves a state that the next call goes on from. Nothing is certified but what was
looked at after the last transaction that could have written of the person without being refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certifying import certify
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.hiding import Brake, hide, known
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import remember
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys, keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import note
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Kind
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import State
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import (
    BATCH_ROWS,
    COMPLETION,
    REPLAY,
    WAIT_S,
    WHOLE_ROWS,
    Order,
    Portions,
    ordered,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.renewing import look_before
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import (
    STATEMENTS,
    eraser,
    lightly,
    patiently,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import Seen
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import (
    Erasure,
    erasure,
    progress,
    unfinished,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.steps import do_in_batches, do_whole
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.sweeping import look_again
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.reading import checked_subject


@dataclass(frozen=True)
class _Run:
    """One person's erasure, under the lock that nobody else erases them meanwhile."""

    connection: Connection
    subject: int
    order: Order
    brake: Brake
    portions: Portions
    keys: Keys


def erase_user(
    user_id: int,
    *,
    reason: str = "request",
    requested_at: datetime | None = None,
    requested_by: int | None = None,
    request: int | None = None,
    completes: UUID | None = None,
    plan: ErasurePlan | None = None,
    most_rows: int | None = None,
    most_share: float | None = None,
    wait_s: float = WAIT_S,
    batch_rows: int = BATCH_ROWS,
    whole_rows: int = WHOLE_ROWS,
    scan_everything: bool = False,
    key: SigningKey | Path | str | None = None,
    url: str | None = None,
) -> ErasureCertificate:
    """Erase a person and return the certificate; of one who was erased before, the same certificate.

    reason: a code, the ground of GDPR art. 17(1). requested_by: number of who ordered it; the login without.
    request: number of the request it answers. completes: the erasure that left something.
    plan: what `plan_erasure` returned, where nothing else may be done. most_rows, most_share: lower the
    limits of the database. wait_s: how long older transactions, and another call for the person, are waited
    for.
    scan_everything: reads the texts of all tables before the certificate, which says so (`verified`).
    Up to whole_rows all is done in one transaction, above it in batches of batch_rows.

    Locks: ROW EXCLUSIVE on the tables, and the person's rows; what is derived of them while it is renewed.

    Raises:
        SubjectError: there is no such person.
        SettingsError: a key is missing, before anything is touched; or the order makes no sense.
        PrivilegeError: the login may not act as agent_eraser.
        ApprovalError: it does more than it may, and too few persons approve.
        RevisionError: it would not do what was planned.
        TableError: something of it cannot be done at all.
        LockError: others were in the way for too long; called again it goes on.
    """
    subject = checked_subject(user_id)
    order = ordered(reason, requested_at, requested_by, request, completes)
    portions = Portions(wait_s, batch_rows, whole_rows, scan_everything)
    brake = Brake(most_rows, most_share, plan)
    if plan is not None and plan.subject != subject:
        raise SubjectError("the plan is of another person", hint="give the plan of the one who is erased")
    keys = keys_for(resolve_settings(url), key=key)
    with eraser(url) as connection:
        return _alone(_Run(connection, subject, order, brake, portions, keys))


def resume(
    erasure_id: UUID | str | None = None,
    *,
    wait_s: float = WAIT_S,
    batch_rows: int = BATCH_ROWS,
    whole_rows: int = WHOLE_ROWS,
    key: SigningKey | Path | str | None = None,
    url: str | None = None,
) -> tuple[ErasureCertificate, ...]:
    """Go on with an erasure, or with all that have no certificate yet, and return their certificates.

    Raises:
        SubjectError: there is no such erasure.
        MigrationError: as `erase_user`; those before it have their certificates.
    """
    portions = Portions(wait_s, batch_rows, whole_rows)
    keys = keys_for(resolve_settings(url), key=key)
    with eraser(url) as connection:
        wanted = patiently(connection, unfinished) if erasure_id is None else (UUID(str(erasure_id)),)
        runs = [_again(connection, number, portions, keys) for number in wanted]
        return tuple(_alone(run) for run in runs)


def erase_again(
    connection: Connection, subject: int, requested_at: datetime, *, keys: Keys, wait_s: float = WAIT_S,
    completes: UUID | None = None,
) -> ErasureCertificate:  # fmt: skip
    """Erase a person who was erased before a restore brought them back; nothing that holds back is asked.

    completes: the erasure of which the database knows, where only the person has come back.

    Raises:
        MigrationError: as `erase_user`.
    """
    order = Order(COMPLETION if completes else REPLAY, requested_at, completes=completes)
    return _alone(_Run(connection, subject, order, Brake(is_off=True), Portions(wait_s), keys))


def go_on(connection: Connection, number: UUID, *, keys: Keys, wait_s: float = WAIT_S) -> ErasureCertificate:
    """Go on with the erasure *number* and return its certificate; as `resume`."""
    return _alone(_again(connection, number, Portions(wait_s), keys))


def _again(connection: Connection, number: UUID, portions: Portions, keys: Keys) -> _Run:
    found = patiently(connection, lambda cursor: erasure(cursor, number))
    if found is None:
        raise SubjectError("there is no such erasure", hint="ops.erasures lists them")
    order = Order(found.reason, found.requested_at, completes=found.completes)
    return _Run(connection, found.subject, order, Brake(), portions, keys)


def _alone(run: _Run) -> ErasureCertificate:
    """Do *run* while nobody else erases that person: who comes second finds it done."""
    lock = lock_key(f"erasure of {run.subject}")
    wait_ms = int(run.portions.wait_s * 1_000)
    with advisory_lock(run.connection, lock, wait_ms=wait_ms, called="the erasure of that person"):
        return _certificate(run)


def _certificate(run: _Run) -> ErasureCertificate:
    found = patiently(run.connection, lambda cursor: known(cursor, run.subject, run.order.completes))
    if found is not None and found.certificate is not None:
        return ErasureCertificate.from_json(found.certificate)
    now, plan, by = patiently(
        run.connection, lambda cursor: hide(cursor, run.subject, run.order, run.brake, run.keys)
    )
    lightly(run.connection, lambda cursor: remember(cursor, run.subject, now.id, known=by))
    if now.state is State.HIDDEN:
        patiently(run.connection, lambda cursor: note(cursor, run.keys, now.id, Kind.HIDDEN))
        _erase(run, now, plan, by)
    # Of one that was swept by another call only the least is known.
    verified = "reached"
    if now.state in {State.HIDDEN, State.ERASED}:
        verified = look_again(
            run.connection, now, plan, wait_s=run.portions.wait_s, everything=run.portions.scan_everything
        ).value
    return certify(run.connection, now.id, plan, run.keys, verified=verified)


def _erase(run: _Run, now: Erasure, plan: ErasurePlan, by: Seen) -> None:
    """Do all steps, and forget whom the trail is about."""
    is_begun = any(
        one.done for one in patiently(run.connection, lambda cursor: progress(cursor, now.id)).values()
    )
    if not is_begun:
        # Of one that goes on, what was done is not there to be looked at: then all of it is counted anew.
        look_before(run.connection, plan, by)
    if plan.is_deferred or (plan.rows <= run.portions.whole_rows and not is_begun):
        lightly(run.connection, lambda cursor: do_whole(cursor, now, plan.steps))
    else:
        do_in_batches(run.connection, now, plan.steps, most=run.portions.batch_rows)
    patiently(run.connection, lambda cursor: _forget(cursor, now))


def _forget(cursor: Cursor, now: Erasure) -> None:
    cursor.execute(STATEMENTS["work_on"], {"erasure": str(now.id)})
    cursor.execute(STATEMENTS["forget"], {"erasure": str(now.id)})
    values = {"erasure": str(now.id), "state": State.ERASED.value, "horizon": None}
    cursor.execute(STATEMENTS["reached"], values)
