"""Write a report as Prometheus reads it, and as OpenMetrics has it. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.finding import (
    Finding,
    HealthReport,
    Measured,
    State,
    Subject,
)
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import exit_code
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.units import in_base_units

# Each object is a series that is kept for weeks: a schema of thousands of bad tables must not be thousands.
MOST_OBJECTS: Final = 200
_CODES: Final = {State.WARNING: 1, State.CRITICAL: 2, State.UNKNOWN: 3}
Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True)
class _Family:
    """All samples of one name; an `is_info` one is a gauge of 1 to Prometheus."""

    name: str
    help: str
    samples: tuple[Sample, ...]
    unit: str = ""
    is_info: bool = False


def prometheus(report: HealthReport, extra: Extra) -> str:
    """Write the text format of Prometheus, version 0.0.4."""
    return "".join(f"{line}\n" for family in _families(report, extra) for line in _plain(family))


def openmetrics(report: HealthReport, extra: Extra) -> str:
    """Write OpenMetrics 1.0, of which the end is marked."""
    lines = [line for family in _families(report, extra) for line in _open(family)]
    return "".join(f"{line}\n" for line in [*lines, "# EOF"])


def _families(report: HealthReport, extra: Extra) -> Iterator[_Family]:
    kept = _told_apart(report.findings)
    yield _single("pghealth_up", "Whether the server answered.", float(words.is_answered(report)))
    state = "The whole: 0 ok, 1 warning, 2 critical, 3 unknown and nothing worse."
    yield _single("pghealth_state", state, exit_code(report))
    yield _Family("pghealth_server", "Which server was asked.", ((_server(report), 1.0),), is_info=True)
    yield _Family("pghealth_check_status", "Of each check: 0 ok, 1 warning, 2 critical, 3 unknown.", tuple(
        ({"check": ran.check, "group": ran.check.partition(".")[0]}, float(_CODES.get(ran.state, 0)))
        for ran in report.checks if ran.state is not State.SKIPPED
    ))  # fmt: skip
    yield _Family("pghealth_check_duration_seconds", "How long each check took.", tuple(
        ({"check": ran.check}, ran.seconds) for ran in report.checks if ran.state is not State.SKIPPED
    ), unit="seconds")  # fmt: skip
    yield _Family("pghealth_findings", "How many findings there are.", tuple(_counted(report)))
    yield _Family("pghealth_finding", f"What was found, {MOST_OBJECTS} of them at the most.", tuple(
        (_labels(found, severity=found.state.value), 1.0) for found in kept[:MOST_OBJECTS]
    ), is_info=True)  # fmt: skip
    yield from _measures(report)
    yield _single("pghealth_run_duration_seconds", "How long all took.", report.seconds, unit="seconds")
    now = extra.now.timestamp()
    yield _single("pghealth_last_run_timestamp_seconds", "When it was asked.", now, unit="seconds")


def _single(name: str, told: str, value: float, *, unit: str = "") -> _Family:
    return _Family(name, told, (({}, float(value)),), unit=unit)


def _server(report: HealthReport) -> dict[str, str]:
    return {"server": report.server, "version": str(report.server_version or ""), "role": report.role}


def _told_apart(findings: Iterable[Finding]) -> list[Finding]:
    """Return the worst finding of each check and object: two samples with the same labels are refused."""
    kept: dict[str, Finding] = {}
    for found in findings:
        kept.setdefault(found.fingerprint, found)
    return list(kept.values())


def _counted(report: HealthReport) -> Iterator[Sample]:
    for state in (State.CRITICAL, State.WARNING, State.UNKNOWN, State.INFO, State.SUPPRESSED):
        yield {"severity": state.value}, float(sum(found.state is state for found in report.findings))


def _measures(report: HealthReport) -> Iterator[_Family]:
    """Yield one family for each unit, of what was compared with limits, the worst of many."""
    together: dict[str, dict[tuple[str, Subject], Sample]] = {}
    for one in words.measures(report):
        unit, scale = in_base_units(one.unit)
        family = together.setdefault(unit, {})
        family.setdefault((one.check, one.subject), (_labels(one), one.measure * scale))
    for unit, samples in together.items():
        name = f"pghealth_measured{'_' + unit if unit else ''}"
        told = f"What was measured of each object, {MOST_OBJECTS} of them at the most."
        yield _Family(name, told, tuple(samples.values())[:MOST_OBJECTS], unit=unit)


def _labels(found: Finding | Measured, **more: str) -> dict[str, str]:
    subject = found.subject
    name = f"{subject.schema}.{subject.name}" if subject.schema else subject.name
    return {"check": found.check, "kind": subject.kind, "object": name, **more}


def _plain(family: _Family) -> Iterator[str]:
    name = f"{family.name}_info" if family.is_info else family.name
    if family.samples:
        yield f"# HELP {name} {family.help}"
        yield f"# TYPE {name} gauge"
    yield from (_sample(name, labels, value) for labels, value in family.samples)


def _open(family: _Family) -> Iterator[str]:
    if family.samples:
        yield f"# TYPE {family.name} {'info' if family.is_info else 'gauge'}"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}"
        yield f"# HELP {family.name} {family.help}"
    name = f"{family.name}_info" if family.is_info else family.name
    yield from (_sample(name, labels, value) for labels, value in family.samples)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(said)}"' for label, said in labels.items())
    return f"{name}{{{shown}}} {value!r}" if shown else f"{name} {value!r}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
