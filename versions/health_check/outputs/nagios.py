"""Write a report as a plugin of Nagios and Icinga does: one line, more below it, numbers behind bars. Pure.

https://www.monitoring-plugins.org/doc/guidelines.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, Measured, State
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import exit_code
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.units import in_base_units

WORDS: Final = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_UNITS: Final = {"seconds": "s", "bytes": "B"}
_COUNTED: Final = (State.CRITICAL, State.WARNING, State.UNKNOWN)
# What reads them cuts them off somewhere; the worst stand first.
_MOST: Final = 100


def nagios(report: HealthReport, extra: Extra) -> str:
    """Write the state, the worst finding and the counts; below it every finding, and what was measured."""
    del extra
    first = f"HEALTH {WORDS[exit_code(report)]} - {_worst(report)} | {' '.join(_totals(report))}"
    measures = list(_measures(report))[:_MOST]
    lines = list(_lines(report))
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    long = [*lines[:_MOST], *more] or ([words.heading(report)] if measures else [])
    if measures:
        long[-1] += f" | {measures[0]}"
    return "\n".join([first, *long, *measures[1:]]) + "\n"


def refusal(problem: str) -> str:
    """Return the line of a check that could not be run at all."""
    return f"HEALTH {WORDS[3]} - {_plain(problem)}\n"


def _worst(report: HealthReport) -> str:
    bad = [found for found in report.findings if found.state in _COUNTED]
    told = next((found for code in (2, 1, 3) for found in bad if _code(found) == code), None)
    reasons = [reason for reason, _ in words.silent(report)]
    leading = _plain(words.said(told)) if told else _plain(reasons[0]) if reasons else ""
    return f"{leading} ({words.summed(report)})" if leading else words.summed(report)


def _code(found: Finding) -> int:
    return {State.WARNING: 1, State.CRITICAL: 2}.get(found.state, 3)


def _lines(report: HealthReport) -> Iterator[str]:
    for found in report.findings:
        yield f"{found.state.value}: {found.check}: {_plain(words.said(found))}"
    for reason, checks in words.silent(report):
        yield f"unknown: {_plain(reason)}: {', '.join(checks)}"


def _totals(report: HealthReport) -> Iterator[str]:
    counts = words.counts(report)
    yield from (f"{state.value}={counts.get(state, 0)};;;0" for state in _COUNTED)
    yield f"time={report.seconds:.6f}s;;;0"


def _measures(report: HealthReport) -> Iterator[str]:
    data: dict[str, str] = {}
    for one in words.measures(report):
        data.setdefault(_label(one), _measure(one))
    yield from (f"{label}={datum}" for label, datum in data.items())


def _measure(found: Measured) -> str:
    """Return value, unit and limits; where less is worse a limit is a range that is open above."""
    unit, scale = in_base_units(found.unit)
    open_above = ":" if found.falling else ""
    limits = (
        "" if limit is None else words.number(limit * scale) + open_above
        for limit in (found.warning, found.critical)
    )
    return f"{words.number(found.measure * scale)}{_UNITS.get(unit, '')};{';'.join(limits)}"


def _label(found: Measured) -> str:
    named = f"{found.check} {found.subject}".replace("=", " ").replace("'", "''")
    return f"'{_plain(named)}'"


def _plain(text: str) -> str:
    """Return *text* on one line, without the bar behind which numbers would stand."""
    return visible(text).replace("|", "¦")
