"""Decide whether a change may be contracted: what is proven, and what is missing. No database here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.durations import lasting, spelled
from spotify_ai_agent_migrations.versions.zero_downtime_migration.evidence import Evidence
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import Going
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms


@dataclass(frozen=True)
class Proof:
    """Something that speaks for it: which demand it meets, and how."""

    demand: str
    how: str


@dataclass(frozen=True)
class Missing:
    """Something that speaks against it: which demand is not met, what is wrong, and what to do."""

    demand: str
    problem: str
    hint: str


@dataclass(frozen=True)
class Verdict:
    """All that speaks for a contract, and all that speaks against it."""

    proofs: tuple[Proof, ...] = ()
    missing: tuple[Missing, ...] = field(default=())

    def refusal(self, called: str) -> TableError:
        """Return the error that names everything that is missing, and what to do of each."""
        hints = list(dict.fromkeys(one.hint for one in self.missing))
        if self.may_be_overridden:
            hints.append("or override it, with a reason, which is recorded")
        return TableError(
            f"{called} cannot be contracted yet: " + "; ".join(one.problem for one in self.missing),
            hint="; ".join(hints),
        )

    @property
    def may_be_overridden(self) -> bool:
        """Whether a reason lets it through: none does for rows that may be missed."""
        return all(one.demand != "verified" for one in self.missing)


def judge(taken: Going | None, evidence: Evidence, terms: Terms) -> Verdict:
    """Return what speaks for contracting a change and what against it; *taken* is what goes, if anything."""
    found: list[Proof | Missing] = [_verified(evidence)]
    if taken is not None:
        found += [*_known(evidence), _released(evidence, terms.soak_s or 0.0)]
        if terms.soak_s:
            found += [_unread(taken, evidence, terms.soak_s), *_named(taken, evidence)]
    return Verdict(
        tuple(one for one in found if isinstance(one, Proof)),
        tuple(one for one in found if isinstance(one, Missing)),
    )


def _verified(evidence: Evidence) -> Proof | Missing:
    if not evidence.left:
        return Proof("verified", "every proof has passed")
    return Missing("verified", f"not all of {evidence.left} is done", f"{evidence.left} it first")


def _known(evidence: Evidence) -> list[Proof | Missing]:
    """Look at every application that may run: none may know the old form alone."""
    late = [one for one in evidence.applications if not one.knows(evidence)]
    if evidence.applications and not late:
        return [Proof("acknowledged", f"all {len(evidence.applications)} that may run know the new form")]
    return [
        Missing(
            "acknowledged",
            f'"{one.name}" {one.version} may run, which acknowledged revision {one.revision} at '
            f"{spelled(one.acknowledged_at)}",
            "deploy what knows the new form, let it acknowledge that, and once no old one runs: "
            f"agentdb zero-downtime-migration acknowledge {one.name} {one.version} --retire",
        )
        for one in late
    ]


def _released(evidence: Evidence, soak_s: float) -> Proof | Missing:
    if not evidence.released:
        return Missing(
            "released",
            f"revision {evidence.revision} is not applied to its end",
            "apply it, deploy, then contract in a later one",
        )
    if _all_know(evidence):
        return Proof("released", "every application that may run has acknowledged it")
    since = max(filter(None, (evidence.expanded_at, evidence.released_at)))
    out_s = (evidence.now - since).total_seconds()
    if out_s >= soak_s:
        return Proof("released", f"out since {spelled(since)}")
    return Missing(
        "released",
        f"the new form is out for {lasting(out_s)} of {lasting(soak_s)}",
        f"complete it after {spelled(since + timedelta(seconds=soak_s))}, or let every application "
        "acknowledge it",
    )


def _unread(taken: Going, evidence: Evidence, soak_s: float) -> Proof | Missing:
    reading = evidence.reading
    if reading is None:
        if _all_know(evidence):
            return Proof("unread", f"by what the applications say: {evidence.unknown}")
        return Missing(
            "unread",
            f"nobody knows whether {taken} is read: {evidence.unknown}",
            "let pg_stat_statements count it, or let every application acknowledge it",
        )
    for_s = (evidence.now - reading.unread_since).total_seconds()
    since = spelled(reading.unread_since)
    if for_s >= soak_s and reading.forgotten:
        if _all_know(evidence):
            return Proof("unread", f"by what the applications say: statements were forgotten since {since}")
        return Missing(
            "unread",
            f"nobody knows whether {taken} is read: pg_stat_statements has forgotten some "
            f"{reading.forgotten} times since {since}",
            "raise pg_stat_statements.max and reset it, or let every application acknowledge it",
        )
    if for_s >= soak_s:
        return Proof("unread", f"by no counted statement since {since}")
    return Missing(
        "unread",
        f"{taken} is unread for {lasting(for_s)} of {lasting(soak_s)}",
        f"see pg_stat_statements for who names {taken}; complete it when nobody has for so long",
    )


def _all_know(evidence: Evidence) -> bool:
    return bool(evidence.applications) and all(one.knows(evidence) for one in evidence.applications)


def _named(taken: Going, evidence: Evidence) -> list[Proof | Missing]:
    return [
        Missing("unread", f"the function {name} names {taken}", f"let {name} use the new form")
        for name in evidence.naming
    ]
