"""Let a change be contracted on proof, recorded with it, or refuse it with all that is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

from psycopg2.extras import Json

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import applications, ledger, readers
from spotify_ai_agent_migrations.versions.zero_downtime_migration.contract import Verdict, judge
from spotify_ai_agent_migrations.versions.zero_downtime_migration.evidence import Evidence
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import Going, going
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Kind, Phase, expansion
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms


def verdict(session: Session, change: Change, terms: Terms) -> Verdict:
    """Return what speaks for contracting a change and what against it; writes nothing, takes no lock."""
    taken = going(change)
    return judge(taken, _evidence(session, change, taken, terms), terms)


def admit(session: Session, change: Change, terms: Terms, prove: Callable[[], None]) -> None:
    """Let a change be contracted, or refuse it.

    *prove* looks again whether no row was missed: after everything else, which is asked once more behind it,
    for it reads the tables and may take hours. Once a contract was begun it goes on, whatever is the case by
    then.

    Raises:
        TableError: something is missing, all of which is said, or *prove* finds something.
    """
    if change.is_contracting():
        return
    taken = going(change)
    refuse(session, change, terms)
    prove()
    if taken is not None:
        readers.overlook(session, change, taken)
    found = refuse(session, change, terms)
    if found.missing:
        session.note(f"contracted for a reason that is recorded, in spite of {len(found.missing)} missing")
    if taken is not None:
        session.ask(
            "allow",
            id=change.id,
            proofs=Json([asdict(one) for one in found.proofs]),
            missing=Json([asdict(one) for one in found.missing]),
            reason=terms.override if found.missing else None,
        )


def refuse(session: Session, change: Change, terms: Terms) -> Verdict:
    """Refuse a contract of which something is missing that is not overridden; else return the verdict.

    Raises:
        TableError: all that is missing; what was not verified is overridden by no reason.
    """
    taken = going(change)
    if change.is_contracting() or not change.contracts():
        return Verdict()
    found = verdict(session, change, terms)
    if taken is not None:
        readers.keep(session, change, taken, _now(session))
    if found.missing and (terms.override is None or not found.may_be_overridden):
        raise found.refusal(f"{change.operation} of {change.subject} on {change.table} (change {change.id})")
    return found


def refuse_at_once(session: Session, change: Change, terms: Terms) -> None:
    """Refuse to begin and to contract in the revision that is being applied what takes a name away.

    Raises:
        TableError: no deploy could come between, and no reason overrides that.
    """
    if terms.override is not None or going(change) is None or change.ended or change.is_contracting():
        return
    revision = change.revision or ledger.next_revision(session)
    _, released = _released(session, revision)
    if not released:
        raise TableError(
            f"{change.operation} of {change.subject} on {change.table} takes a name away, and cannot be made "
            f"in one revision: old code runs until revision {revision} is applied to its end",
            hint="expand it there, and contract it in a later revision, with a deploy between them",
        )


def proven_again(change: Change) -> tuple[int, ...]:
    """Return the places of the proofs that are due again before a contract: those of what was filled."""
    if not any(step.kind is Kind.FILL for step in change.steps):
        return ()
    return tuple(
        place
        for place, step in enumerate(change.steps)
        if step.kind is Kind.PROOF and step.phase is Phase.VERIFY
    )


def watch(session: Session, change: Change) -> None:
    """Begin to watch who reads what a change that was just expanded takes away."""
    taken = going(change)
    if taken is not None:
        readers.begin(session, change, taken, _now(session))


def _evidence(session: Session, change: Change, taken: Going | None, terms: Terms) -> Evidence:
    now, expanded_at, revision = session.ask("how_far", id=change.id)[0]
    found = Evidence(now, _left(change), expanded_at, revision)
    if taken is None:
        return found
    released_at, released = _released(session, revision)
    reading, unknown = readers.look(session, change, taken, now) if terms.soak_s else (None, "")
    return Evidence(
        now,
        _left(change),
        expanded_at,
        revision,
        released,
        released_at,
        applications.may_run(session),
        reading,
        unknown,
        readers.naming(session, change, taken) if terms.soak_s else (),
    )


def _left(change: Change) -> str:
    return next((phase.value for phase in expansion(change.operation) if change.left(phase)), "")


def _released(session: Session, revision: str | None) -> tuple[datetime | None, bool]:
    """Return when the revision of a change was applied, and whether it is not just being applied."""
    _, has_journal = session.ask("has_versions")[0]
    if revision is None or not has_journal:
        return None, True
    released_at: datetime | None = session.value("released_at", revision=revision)
    return released_at, not session.value("begun_in_run", revision=revision)


def _now(session: Session) -> datetime:
    found = session.value("now")
    assert isinstance(found, datetime)
    return found
