"""Write a report as Markdown, for a pull request, an issue or a page. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.governance.markup import escaped
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra


def markdown(report: HealthReport, extra: Extra) -> str:
    """Write a table of the findings, below it what mends each, and what could not be asked."""
    return "\n".join(_lines(report, extra)) + "\n"


def _lines(report: HealthReport, extra: Extra) -> Iterator[str]:
    yield f"## Health: {report.state.value}"
    yield ""
    yield f"{escaped(words.heading(report))}, at {extra.now.isoformat(timespec='seconds')}"
    yield ""
    yield f"{words.summed(report)}."
    if report.findings:
        yield from ("", "| state | check | finding | measured |", "|---|---|---|---|")
    yield from map(_row, report.findings)
    for found in report.findings:
        yield from _mended(found)
    for reason, checks in words.silent(report):
        yield from ("", f"Unknown, {escaped(reason)}: {', '.join(f'`{check}`' for check in checks)}")


def _row(found: Finding) -> str:
    cells = (
        found.state.value,
        f"`{found.check}`",
        escaped(words.said(found)),
        escaped(words.measured(found)),
    )
    return f"| {' | '.join(cells)} |"


def _mended(found: Finding) -> Iterator[str]:
    """Yield what mends *found*, or lets the login see it; nothing where it is not known."""
    if not found.fixes and not found.cure:
        return
    yield from (
        "",
        f"**{found.check}**, {escaped(str(found.subject))}: {escaped(words.why(found.check))}",
        "",
    )
    statements = [f"{fix.sql.rstrip(';')};  -- lock: {visible(fix.lock)}" for fix in found.fixes]
    yield from fenced("\n".join([*statements, *([f"{found.cure};"] if found.cure else [])]))


def fenced(sql: str) -> Iterator[str]:
    """Yield *sql* as a block of code, which nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", sql)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"{fence}sql", words.lines(sql), fence)
