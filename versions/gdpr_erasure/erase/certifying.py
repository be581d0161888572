"""Certify an erasure that was swept: a line of the ledger that is durable first, and then the certificate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import (
    CertificateFacts,
    ErasureCertificate,
    StepDone,
    issue,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import name_subject
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keeping import counted
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import note
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Kind
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Kept
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import pending
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.residue import residue_of
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, patiently
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import Erasure, erasure, progress

# What is kept, but for how many rows it is, and until when.
_Place = tuple[str, tuple[str, ...], str, str, int | None, str | None]


def certify(
    connection: Connection, number: UUID, plan: ErasurePlan, keys: Keys, *, verified: str = "reached"
) -> ErasureCertificate:
    """Return the certificate of the erasure *number*, which is swept, once the database keeps it."""
    return patiently(connection, lambda cursor: _certified(cursor, number, plan, keys, verified))


def _certified(
    cursor: Cursor, number: UUID, plan: ErasurePlan, keys: Keys, verified: str
) -> ErasureCertificate:
    swept = erasure(cursor, number)
    if swept is None or swept.certificate is not None:
        raise RevisionError("the erasure has changed meanwhile", hint="call it again")
    # On the disk before anybody is told that nothing is left.
    line = note(cursor, keys, number, Kind.ERASED)
    certificate = issue(replace(_facts(cursor, swept, plan, line), verified=verified), keys.signing)
    values = {"erasure": str(swept.id), "certificate": certificate.as_json()}
    cursor.execute(STATEMENTS["certify"], values)
    return certificate


def _facts(cursor: Cursor, swept: Erasure, plan: ErasurePlan, line: str | None) -> CertificateFacts:
    assert swept.erased_at is not None, "it was erased"
    assert swept.swept_at is not None, "it was swept"
    done = _done(cursor, swept)
    return CertificateFacts(
        id=swept.id,
        subject_ref=swept.subject_ref,
        reason=swept.reason,
        requested_at=swept.requested_at,
        hidden_at=swept.hidden_at,
        erased_at=swept.erased_at,
        swept_at=swept.swept_at,
        plan=replace(plan, kept=tuple(_kept(cursor, swept, plan))),
        done=done,
        pending=pending(cursor, swept.id),
        residue=residue_of(cursor, _touched(plan, done), swept.swept_at),
        now=_now(cursor),
        completes=swept.completes,
        ledger=line,
    )


def _kept(cursor: Cursor, swept: Erasure, plan: ErasurePlan) -> Iterator[Kept]:
    """Yield what *plan* keeps, counted now, and no fewer rows than at first: some lead to nobody since."""
    first = _kept_at_first(cursor, swept)
    name_subject(cursor, swept.subject)
    for one, found in zip(plan.kept, counted(cursor, plan.kept), strict=True):
        rows, until = first.get(_place(one), (0, None))
        yield replace(one, rows=max(rows, found.rows), until=found.until or until)


def _kept_at_first(cursor: Cursor, swept: Erasure) -> dict[_Place, tuple[int, datetime | None]]:
    cursor.execute(STATEMENTS["kept_at_first"], {"erasure": str(swept.id)})
    return {
        (one["table"], tuple(one["columns"]), one["basis"], one["why"], one["hold"], one["rule"]): (
            counted[0],
            datetime.fromisoformat(counted[1]) if counted[1] else None,
        )
        for one, counted in cursor.fetchall()
        if counted
    }


def _place(one: Kept) -> _Place:
    return one.table, one.columns, one.basis, one.why, one.hold, one.rule


def _done(cursor: Cursor, swept: Erasure) -> tuple[StepDone, ...]:
    known = progress(cursor, swept.id)
    return tuple(StepDone(position, one.done, one.swept) for position, one in known.items())


def _touched(plan: ErasurePlan, done: Sequence[StepDone]) -> tuple[str, ...]:
    """Return what was written to: in the files of the others nothing was erased."""
    found = {one.position for one in done if one.rows or one.swept}
    return tuple(
        dict.fromkeys((*(step.table for step in plan.steps if step.position in found), *plan.derived))
    )


def _now(cursor: Cursor) -> datetime:
    """Return the server's time, in which everything else of a certificate is."""
    cursor.execute("SELECT pg_catalog.clock_timestamp()")
    ((now,),) = cursor.fetchall()
    return now  # type: ignore[no-any-return]
