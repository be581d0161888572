"""Write a report as plain text, for a terminal without colours and for a log. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra


def text(report: HealthReport, extra: Extra) -> str:
    """Write the findings, the worst first, then what could not be asked, then the counts."""
    del extra
    lines = [words.heading(report)]
    for found in report.findings:
        lines += _block(found)
    lines += [f"unknown: {reason}: {', '.join(checks)}" for reason, checks in words.silent(report)]
    return "\n".join([*lines, f"{report.state.value}: {words.summed(report)}"]) + "\n"


def _block(found: Finding) -> Iterator[str]:
    yield f"{found.state.value}: {found.check}: {words.said(found)}"
    for label, value in _details(found):
        if value:
            yield f"    {label}: {visible(value)}"


def _details(found: Finding) -> Iterator[tuple[str, str]]:
    yield "Measured", words.measured(found)
    yield "Why", words.why(found.check)
    for fix in found.fixes:
        yield "Fix", f"{fix.sql} (lock: {fix.lock})"
    yield "Cure", found.cure or ""
    since = found.first_seen
    yield "First seen", since.isoformat(timespec="seconds") if since else ""
