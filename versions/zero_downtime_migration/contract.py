"""Decide whether a change may be contracted: what is proven, and what is missing. No database here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError, TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import Going

_PRODUCTION_S: Final = 86_400.0


@dataclass(frozen=True)
class Terms:
    """On what terms a change is contracted.

    The expanded form is to be out for `soak_s` and the old one unread for as long; None is a day in
    production and nothing elsewhere, or what MIGRATIONS_SOAK_HOURS says. With `override`, a reason, what is
    missing is recorded instead; that all rows are there is proven in any case.
    """

    soak_s: float | None = None
    override: str | None = None

    def under(self, environment: str, environ: Mapping[str, str]) -> Terms:
        """Return the terms with what the environment says where nothing else was said.

        Raises:
            SettingsError: MIGRATIONS_SOAK_HOURS is no number of hours, or a reason is empty.
        """
        override = environ.get("MIGRATIONS_CONTRACT_OVERRIDE") if self.override is None else self.override
        if override is not None and not override.strip():
            raise SettingsError("the reason of an override is empty", hint="say why it cannot wait")
        soak_s = self.soak_s
        if soak_s is None:
            soak_s = _hours(environ, _PRODUCTION_S if environment == "production" else 0.0)
        return replace(self, soak_s=soak_s, override=override)


def _hours(environ: Mapping[str, str], otherwise_s: float) -> float:
    said = environ.get("MIGRATIONS_SOAK_HOURS")
    if said is None:
        return otherwise_s
    try:
        hours = float(said)
    except ValueError:
        hours = -1.0
    if not 0 <= hours < 100_000:
        raise SettingsError(
            f'MIGRATIONS_SOAK_HOURS is "{said}", and no number of hours', hint="set MIGRATIONS_SOAK_HOURS=24"
        )
    return hours * 3_600


@dataclass(frozen=True)
class Application:
    """A version of an application that may run, and the last revision whose new forms it knows."""

    name: str
    version: str
    revision: str
    acknowledged_at: datetime

    def knows(self, evidence: Evidence) -> bool:
        """Tell whether it said that it knows the new form, when the form was there."""
        return self.revision >= (evidence.revision or "") and self.acknowledged_at >= evidence.expanded_at


@dataclass(frozen=True)
class Reading:
    """Since when no counted statement has named what goes; `forgotten` is how often some were forgotten.

    `calls` is how often each was executed when they were last looked at, by its number.
    """

    calls: Mapping[str, int]
    unread_since: datetime
    forgotten: int

    def looked(self, calls: Mapping[str, int], now: datetime, reset_at: datetime) -> Reading:
        """Return what is known after another look."""
        begun_anew = reset_at > self.unread_since
        before: Mapping[str, int] = {} if begun_anew else self.calls
        if any(count > before.get(number, 0) for number, count in calls.items()):
            return replace(self, calls=calls, unread_since=now)
        return replace(self, calls=calls, unread_since=max(self.unread_since, reset_at))


@dataclass(frozen=True)
class Evidence:
    """What is known of a change.

    `left` is the first phase that is not over, if one is not. `released` tells whether its revision is
    applied to its end; `reading` is None, and `unknown` says why, where nobody counts who reads what goes;
    `naming` are functions of the database that name it.
    """

    now: datetime
    left: str
    expanded_at: datetime
    revision: str | None = None
    released: bool = True
    released_at: datetime | None = None
    applications: tuple[Application, ...] = ()
    reading: Reading | None = None
    unknown: str = ""
    naming: tuple[str, ...] = ()


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
            f"{_spelled(one.acknowledged_at)}",
            "deploy what knows the new form, let it acknowledge that, and once no old one runs: "
            f"agentdb zero-downtime-migration acknowledge {one.name} {one.version} --retire",
        )
        for one in late
    ]


def _released(evidence: Evidence, soak_s: float) -> Proof | Missing:
    if not evidence.released:
        return Missing(
            "released", f"revision {evidence.revision} is not applied to its end", "apply it, then deploy"
        )
    if evidence.applications and all(one.knows(evidence) for one in evidence.applications):
        return Proof("released", "every application that may run has acknowledged it")
    since = max(filter(None, (evidence.expanded_at, evidence.released_at)))
    out_s = (evidence.now - since).total_seconds()
    if out_s >= soak_s:
        return Proof("released", f"out since {_spelled(since)}")
    return Missing(
        "released",
        f"the new form is out for {lasting(out_s)} of {lasting(soak_s)}",
        f"complete it after {_spelled(since + timedelta(seconds=soak_s))}, or let every application "
        "acknowledge it",
    )


def _unread(taken: Going, evidence: Evidence, soak_s: float) -> Proof | Missing:
    reading = evidence.reading
    if reading is None:
        if evidence.applications and all(one.knows(evidence) for one in evidence.applications):
            return Proof("unread", f"by what the applications say: {evidence.unknown}")
        return Missing(
            "unread",
            f"nobody knows whether {taken} is read: {evidence.unknown}",
            "let pg_stat_statements count it, or let every application acknowledge it",
        )
    for_s = (evidence.now - reading.unread_since).total_seconds()
    if for_s >= soak_s:
        forgotten = f"; statements were forgotten {reading.forgotten} times" if reading.forgotten else ""
        return Proof("unread", f"by no counted statement since {_spelled(reading.unread_since)}{forgotten}")
    return Missing(
        "unread",
        f"{taken} is unread for {lasting(for_s)} of {lasting(soak_s)}",
        f"see pg_stat_statements for who names {taken}; complete it when nobody has for so long",
    )


def _named(taken: Going, evidence: Evidence) -> list[Proof | Missing]:
    return [
        Missing("unread", f"the function {name} names {taken}", f"let {name} use the new form")
        for name in evidence.naming
    ]


def _spelled(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def lasting(seconds: float) -> str:
    """Return a duration as people say it, in its two greatest units at most."""
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1_440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{max(0, int(seconds))} s"
