"""What several outputs say in the same words. No database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, Measured, State
from spotify_ai_agent_migrations.versions.health_check.suppressions import RULE_CHECKS

TOOL: Final = "spotify-ai-agent-migrations"
CHECK_OF: Final[Mapping[str, Check]] = MappingProxyType(
    {check.id: check for check in (*CHECKS, *RULE_CHECKS)}
)


def explained(check: str) -> str:
    """Return the command that tells all about *check*."""
    return f"agentdb health-check --explain {check}"


def title(check: str) -> str:
    """Return what *check* looks at; nothing of one that is not in the catalogue."""
    return CHECK_OF[check].title if check in CHECK_OF else ""


def why(check: str) -> str:
    """Return why what *check* finds matters."""
    return CHECK_OF[check].why if check in CHECK_OF else ""


def said(found: Finding) -> str:
    """Return on one line what *found* says, with nothing in it that a terminal would obey."""
    return visible(f"{found.summary or found.subject}{_allowed(found)}")


def _allowed(found: Finding) -> str:
    """Return what *found* would be, until when it is allowed and why; nothing where it is not."""
    one = found.suppressed
    return f" ({one.was.value}, allowed until {one.expires}: {one.reason})" if one is not None else ""


def lines(sql: str) -> str:
    """Return *sql* line by line, with nothing in it that a terminal would obey."""
    return "\n".join(map(visible, sql.splitlines()))


def counts(report: HealthReport) -> dict[State, int]:
    """Return how many checks ended in each state, the worst first."""
    found = Counter(ran.state for ran in report.checks)
    return {state: found[state] for state in State if found[state]}


def summed(report: HealthReport) -> str:
    """Return the counts on one line."""
    return ", ".join(f"{number} {state.value}" for state, number in counts(report).items()) or "no checks"


def is_answered(report: HealthReport) -> bool:
    """Tell whether the server answered at all."""
    return report.server_version is not None


def heading(report: HealthReport) -> str:
    """Return one line: which server was asked, and in how long."""
    asked = f"{len(report.checks)} {'check' if len(report.checks) == 1 else 'checks'}"
    server = visible(report.server) or "the server"
    return f"{server}: {version(report)}, {asked} in {report.seconds:.2f} s"


def version(report: HealthReport) -> str:
    """Return which server it is as people say it: 180006 is PostgreSQL 18.6."""
    if report.server_version is None:
        return "no answer"
    return f"PostgreSQL {report.server_version // 10_000}.{report.server_version % 10_000}, {report.role}"


def measures(report: HealthReport) -> list[Measured]:
    """Return every number that was looked at, the worst first."""
    every = [one for ran in report.checks for one in ran.measured]
    return sorted(every, key=lambda one: one.state.rank)


def silent(report: HealthReport, state: State = State.UNKNOWN) -> Iterator[tuple[str, list[str]]]:
    """Yield why checks that ended in *state* have no finding, each reason with the checks that have it."""
    together: dict[str, list[str]] = defaultdict(list)
    for ran in report.checks:
        if ran.state is state and not ran.findings:
            together[ran.reason].append(ran.check)
    yield from ((visible(reason), checks) for reason, checks in together.items())


def number(value: float) -> str:
    """Return *value* as a program reads it: four digits at the most behind the point, none where none are."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def amount(value: float) -> str:
    """Return *value* as a person reads it, with commas between thousands."""
    return f"{value:,.4f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"


def measured(found: Finding) -> str:
    """Return what was measured and where its limits are; nothing where nothing was measured."""
    if found.measure is None:
        return ""
    limits = (("warning", found.warning), ("critical", found.critical))
    shown = [f"{name} at {_amount_in(found.unit, limit)}" for name, limit in limits if limit is not None]
    return "; ".join([f"{_amount_in(found.unit, found.measure)} {found.unit}".strip(), *shown])


def _amount_in(unit: str, value: float) -> str:
    """Return *value* as a person reads it; a share of something in hundredths."""
    return f"{amount(round(100 * value, 2))} %" if unit.startswith("of ") else amount(value)
