"""What several outputs say in the same words. No database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, State

TOOL: Final = "spotify-ai-agent-migrations"
CHECK_OF: Final[Mapping[str, Check]] = MappingProxyType({check.id: check for check in CHECKS})
_PLURAL: Final = MappingProxyType({State.WARNING: "warnings"})


def explained(check: str) -> str:
    """Return the command that tells all about *check*."""
    return f"agentdb health-check --explain {check}"


def title(check: str) -> str:
    """Return what *check* looks at; nothing of one that is not in the catalogue."""
    return CHECK_OF[check].title if check in CHECK_OF else ""


def why(check: str) -> str:
    """Return why what *check* finds matters."""
    return CHECK_OF[check].why if check in CHECK_OF else ""


def counts(report: HealthReport) -> dict[State, int]:
    """Return how many checks ended in each state, the worst first."""
    found = Counter(ran.state for ran in report.checks)
    return {state: found[state] for state in State if found[state]}


def summed(report: HealthReport) -> str:
    """Return the counts on one line."""
    said = (
        f"{number} {_PLURAL.get(state, state.value) if number > 1 else state.value}"
        for state, number in counts(report).items()
    )
    return ", ".join(said) or "no checks"


def heading(report: HealthReport) -> str:
    """Return one line: which server was asked, and in how long."""
    release = version(report.server_version)
    asked = f"{len(report.checks)} {'check' if len(report.checks) == 1 else 'checks'}"
    return f"{report.server or 'server'}: {release}, {report.role}, {asked} in {report.seconds:.2f} s"


def version(number: int | None) -> str:
    """Return the version of a server as people say it: 180006 is PostgreSQL 18.6."""
    return f"PostgreSQL {number // 10_000}.{number % 10_000}" if number else "PostgreSQL of unknown version"


def silent(report: HealthReport) -> Iterator[tuple[State, str, list[str]]]:
    """Yield what could not be asked, or was not to be, and has no finding: its state, reason and checks."""
    together: dict[tuple[State, str], list[str]] = defaultdict(list)
    for ran in report.checks:
        if ran.state in {State.UNKNOWN, State.SKIPPED} and not ran.findings:
            together[ran.state, ran.reason].append(ran.check)
    yield from ((state, reason, checks) for (state, reason), checks in together.items())


def number(value: float) -> str:
    """Return *value* with four digits at the most behind the point, and none where there are none."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def measured(finding: Finding) -> str:
    """Return what was measured and where its limits are; nothing where nothing was measured."""
    if finding.measure is None:
        return ""
    limits = (("warning", finding.warning), ("critical", finding.critical))
    said = [f"{name} at {number(limit)}" for name, limit in limits if limit is not None]
    return "; ".join([f"{number(finding.measure)} {finding.unit}".strip(), *said])
