"""Write a report for a terminal: what is bad first, what mends it below, what is well on one line. Pure."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, State
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_STYLES: Final = {
    State.CRITICAL: "bold red", State.UNKNOWN: "magenta", State.WARNING: "yellow", State.INFO: "cyan",
    State.OK: "green", State.SUPPRESSED: "dim", State.SKIPPED: "dim",
}  # fmt: skip
# Of thousands of tables without an index a few tell as much as all of them.
_MOST_EACH: Final = 5


def table(report: HealthReport, extra: Extra) -> str:
    """Write the findings as a table, the worst first, a few of each check."""
    from rich.console import Console  # late: only a terminal waits for it

    written = io.StringIO()
    console = Console(
        file=written, width=extra.width_columns, force_terminal=extra.is_colored,
        no_color=not extra.is_colored, color_system="standard" if extra.is_colored else None,
        markup=False, highlight=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    _draw(console, report)
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def _draw(console: Console, report: HealthReport) -> None:
    from rich.text import Text

    console.print(Text(words.heading(report), style="bold"))
    if report.findings:
        console.print(_grid(report))
    for reason, checks in words.silent(report):
        console.print(Text.assemble(("unknown", _STYLES[State.UNKNOWN]), f"  {reason}: {', '.join(checks)}"))
    if well := _well(report):
        console.print(Text.assemble(("ok", _STYLES[State.OK]), f"  {well}"))
    console.print(Text.assemble((report.state.value, _STYLES[report.state]), f": {words.summed(report)}"))
    if report.findings:
        console.print(Text(f"{words.explained('CHECK')} tells what a check asks, and why", style="dim"))


def _grid(report: HealthReport) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE, pad_edge=False, show_header=False)
    for width in (max(len(found.state.value) for found in report.findings), None, None):
        grid.add_column(min_width=width, overflow="fold")
    shown: Counter[str] = Counter()
    every = Counter(found.check for found in report.findings)
    for found in report.findings:
        shown[found.check] += 1
        if shown[found.check] <= _MOST_EACH:
            grid.add_row(Text(found.state.value, style=_STYLES[found.state]), found.check, _cell(found))
        if shown[found.check] == every[found.check] > _MOST_EACH:
            more = f"and {every[found.check] - _MOST_EACH} more; --format text --only {found.check} shows all"
            grid.add_row("", "", Text(more, style="dim"))
    return grid


def _cell(found: Finding) -> Text:
    from rich.text import Text

    lines = [(words.said(found), ""), *_details(found)]
    return Text("\n").join(Text(line, style=style) for line, style in lines)


def _details(found: Finding) -> Iterator[tuple[str, str]]:
    if measured := words.measured(found):
        yield measured, "dim"
    if why := words.why(found.check):
        yield why, "dim"
    for fix in found.fixes:
        yield f"{visible(fix.sql)}  -- lock: {visible(fix.lock)}", "green"
    if found.cure:
        yield visible(found.cure), "green"
    if since := found.first_seen:
        yield f"first seen {since.isoformat(sep=' ', timespec='minutes')}", "dim"


def _well(report: HealthReport) -> str:
    """Return how many checks of each group are well."""
    groups = Counter(ran.check.partition(".")[0] for ran in report.checks if ran.state is State.OK)
    return ", ".join(f"{group} {number}" for group, number in groups.items())
