"""Write a report as text or JSON. Pure: a report in, a string out.

Not SARIF and not GitHub's annotations: those point at a line of a file, and a table has neither.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.distribution.finding import Finding, Report


def text(report: Report) -> str:
    """Write three lines a finding, and the summary."""
    return "".join(map(_block, report.findings)) + f"{summary(report)}\n"


def summary(report: Report) -> str:
    """Return one line: how many rules and tables there were, and how many findings of which severity."""
    count = Counter(found.severity for found in report.findings)
    found = ", ".join(_count(count[kind], kind) for kind in ("error", "warning", "note") if count[kind])
    return f"{_count(report.rules, 'rule')}, {_count(report.tables, 'table')}: {found or 'no findings'}"


def as_json(report: Report) -> str:
    """Write one object: the numbers of rules and tables, and the list of findings."""
    findings = [asdict(found) for found in report.findings]
    shown = {"rules": report.rules, "tables": report.tables, "findings": findings}
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


FORMATS: Final[Mapping[str, Callable[[Report], str]]] = MappingProxyType({"text": text, "json": as_json})


def _block(found: Finding) -> str:
    return (
        f"{found.table}: {found.severity} {found.code}: {found.problem}\n"
        f"    Citus: {found.citus}\n"
        f"    Hint: {found.hint}\n"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
