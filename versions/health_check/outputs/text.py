"""Write a report as plain text, for a terminal without colours and for a log. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, State
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra


def text(report: HealthReport, extra: Extra) -> str:
    """Write the findings, the worst first, then what could not be asked, then the counts."""
    blocks = ["\n".join(_block(found, extra)) for found in report.findings]
    blocks += [
        f"{state.value}: {reason}: {', '.join(checks)}" for state, reason, checks in words.silent(report)
        if state is State.UNKNOWN
    ]  # fmt: skip
    return "\n".join([words.heading(report), *blocks, f"{report.state.value}: {words.summed(report)}"]) + "\n"


def _block(found: Finding, extra: Extra) -> Iterator[str]:
    yield f"{found.state.value}: {found.check}: {found.summary or found.subject}"
    if said := words.measured(found):
        yield f"    Measured: {said}"
    if because := words.why(found.check):
        yield f"    Why: {because}"
    for fix in found.fixes:
        yield f"    Fix: {fix.sql} (lock: {fix.lock})"
    if found.cure:
        yield f"    Cure: {found.cure}"
    if since := extra.first_seen(found):
        yield f"    First seen: {since.isoformat(timespec='seconds')}"
