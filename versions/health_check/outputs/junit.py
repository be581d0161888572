"""Write a report as JUnit XML, as Ant's own schema has it: a suite a group, a case a check. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timezone
from itertools import groupby
from typing import Final
from xml.etree import ElementTree as Xml

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport, Ran, State
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra

# What nobody knows is an error: the test itself could not be made.
_TAGS: Final = {
    State.CRITICAL: "failure", State.WARNING: "failure", State.UNKNOWN: "error", State.SKIPPED: "skipped",
}  # fmt: skip


def junit(report: HealthReport, extra: Extra) -> str:
    """Write a failure for each check that is warning or critical, an error for each that is unknown."""
    root = Xml.Element("testsuites")
    checks = sorted(report.checks, key=lambda ran: _group(ran))
    for place, (group, ran) in enumerate(groupby(checks, key=_group)):
        _suite(root, report, extra, group=group, ran=list(ran), place=place)
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def _group(ran: Ran) -> str:
    return ran.check.partition(".")[0]


def _suite(
    root: Xml.Element, report: HealthReport, extra: Extra, *, group: str, ran: Sequence[Ran], place: int
) -> None:
    tags = [_TAGS.get(one.state) for one in ran]
    suite = Xml.SubElement(root, "testsuite", {
        "name": group, "package": "health", "id": str(place), "hostname": "localhost",
        "timestamp": extra.now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"),
        "tests": str(len(ran)), "failures": str(tags.count("failure")), "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")), "time": _seconds(sum(one.seconds for one in ran)),
    })  # fmt: skip
    properties = Xml.SubElement(suite, "properties")
    Xml.SubElement(properties, "property", {"name": "server", "value": visible(words.heading(report))})
    for one in ran:
        _case(suite, one)
    Xml.SubElement(suite, "system-out").text = "\n".join(_passed(ran))
    Xml.SubElement(suite, "system-err")


def _case(suite: Xml.Element, ran: Ran) -> None:
    title = f"{ran.check.partition('.')[2]}: {words.title(ran.check)}".removesuffix(": ")
    attributes = {"classname": f"health.{_group(ran)}", "name": title, "time": _seconds(ran.seconds)}
    case = Xml.SubElement(suite, "testcase", attributes)
    tag = _TAGS.get(ran.state)
    if tag == "skipped":
        Xml.SubElement(case, tag)
    elif tag:
        said = visible(ran.reason) or words.said(ran.findings[0])
        Xml.SubElement(case, tag, {"type": ran.state.value, "message": said}).text = "\n".join(_lines(ran))


def _lines(ran: Ran) -> Iterator[str]:
    for found in ran.findings:
        yield f"{found.state.value}: {words.said(found)}"
        yield from (f"    Fix: {visible(fix.sql)} (lock: {visible(fix.lock)})" for fix in found.fixes)
        if found.cure:
            yield f"    Cure: {visible(found.cure)}"


def _passed(ran: Sequence[Ran]) -> Iterator[str]:
    """Yield what checks say that did not fail."""
    for one in ran:
        if one.state not in _TAGS:
            yield from (f"{one.check}: {line}" for line in _lines(one))


def _seconds(value: float) -> str:
    return f"{value:.6f}"
