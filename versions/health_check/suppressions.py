"""Take findings out of the verdict that a committed file allows, for a reason and until a day. No database.

    [[suppress]]
    check = "idx.unused"
    object = "public.plays_*"
    reason = "for the report of the year, which is in January"
    expires = 2027-02-01

`check` is an id, a group or a pattern; `object` is a pattern for the object with its schema. A session is
known by its role, since its number is another's tomorrow. What is suppressed is still told. What nobody could
look at is not suppressed: that something is known to be bad does not say how it is now. A rule that is over,
and one that met nothing, are findings themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import Check, Row, findings_of, worst
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, Ran, State, Suppressed

EXPIRED: Final = Check(
    "suppression.expired", "findings that were allowed until a day that is over",
    "What was to be mended until then is not, or nobody looked whether it is.",
    "{rule} was allowed until {until}: {why}",
)  # fmt: skip
UNUSED: Final = Check(
    "suppression.unused", "findings that are allowed and that nobody finds",
    "It is mended, or the rule has a slip of the pen and allows nothing.",
    "nothing is found of {rule}, which is allowed until {until}",
)  # fmt: skip
RULE_CHECKS: Final = (EXPIRED, UNUSED)


@dataclass(frozen=True)
class Suppression:
    """A rule of the file: what is allowed, of what, why, and the last day of it."""

    check: str
    object: str
    reason: str
    expires: date

    def __str__(self) -> str:
        """What it is about, as a person says it."""
        return f"{self.check} of {self.object}"

    def means(self, check: str) -> bool:
        """Tell whether it is about *check*."""
        return self.check in {check, check.partition(".")[0]} or fnmatchcase(check, self.check)

    def meets(self, found: Finding) -> bool:
        """Tell whether it is about *found*, on whatever day."""
        return (
            found.state is not State.UNKNOWN
            and self.means(found.check)
            and fnmatchcase(_name(found), self.object)
        )


def suppressed(checks: Sequence[Ran], rules: Sequence[Suppression], *, today: date) -> tuple[Ran, ...]:
    """Return *checks* with what *rules* allow marked, and behind them what is to be said of the rules."""
    if not rules:
        return tuple(checks)
    in_force = [rule for rule in rules if rule.expires >= today]
    over = [rule for rule in rules if rule.expires < today]
    idle = [rule for rule in in_force if _is_idle(rule, checks)]
    return (
        *(_without(one, in_force) for one in checks),
        _said(EXPIRED, State.WARNING, over),
        _said(UNUSED, State.INFO, idle),
    )


def _name(found: Finding) -> str:
    """Return what a rule calls the object of *found*."""
    subject = found.subject
    if subject.kind == "session":
        return str(found.values.get("role", ""))
    return f"{subject.schema}.{subject.name}" if subject.schema else subject.name


def _without(one: Ran, rules: Sequence[Suppression]) -> Ran:
    found = tuple(_marked(finding, rules) for finding in one.findings)
    return one if found == one.findings else replace(one, state=worst(found), findings=found)


def _marked(found: Finding, rules: Sequence[Suppression]) -> Finding:
    rule = next((rule for rule in rules if rule.meets(found)), None)
    if rule is None:
        return found
    return replace(
        found, state=State.SUPPRESSED, suppressed=Suppressed(found.state, rule.reason, rule.expires)
    )


def _is_idle(rule: Suppression, checks: Sequence[Ran]) -> bool:
    """Tell whether all that *rule* is about was looked at, and nothing of it is there."""
    asked = [one for one in checks if rule.means(one.check) and one.state is not State.SKIPPED]
    is_seen = bool(asked) and not any(
        one.state is State.UNKNOWN or State.UNKNOWN in {found.state for found in one.findings}
        for one in asked
    )
    return is_seen and not any(rule.meets(found) for one in asked for found in one.findings)


def _said(check: Check, state: State, rules: Sequence[Suppression]) -> Ran:
    found = findings_of(check, _rows(state, rules))
    return Ran(check.id, worst(found), 0.0, found)


def _rows(state: State, rules: Sequence[Suppression]) -> Iterator[Row]:
    for rule in rules:
        values = {"rule": str(rule), "until": rule.expires.isoformat(), "why": rule.reason}
        yield Row("suppression", None, str(rule), None, state.value, values, (), "")
