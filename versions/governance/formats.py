"""Write a report as text, JSON, JUnit XML, SARIF, or as GitHub or GitLab show it. Pure: no file is written.

Every format ends with a newline, or is empty; each is valid without a single finding.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as Xml

from spotify_ai_agent_migrations.versions.governance import rules
from spotify_ai_agent_migrations.versions.governance.finding import (
    Comparison,
    Finding,
    Report,
    severity,
    visible,
)
from spotify_ai_agent_migrations.versions.governance.rules import RULES, Rule

_TOOL: Final = "spotify-ai-agent-migrations"
_SHOWN: Final = ("code", "rule", "severity", "path", "line", "column", "problem", "hint")


def text(report: Report) -> str:
    """Write two lines a finding, and the summary."""
    blocks = (
        f"{found.path}:{found.line}:{found.column}: {found.severity} {found.code}: {found.problem}\n"
        f"    Hint: {found.hint}\n"
        for found in report.findings
    )
    return f"{''.join(blocks)}{summary(report)}\n"


def summary(report: Report) -> str:
    """Return one line: how many rules and revisions there were, and how many findings."""
    found = _count(len(report.findings), "finding") if report.findings else "no findings"
    allowed = f", {len(report.suppressed)} suppressed" if report.suppressed else ""
    read = f"{_count(len(RULES), 'rule')}, {_count(report.revisions, 'revision')}"
    return f"{read}: {found}{allowed}{_against(report.compared)}"


def _against(compared: Comparison | None) -> str:
    if compared is None:
        return ""
    older = f", {_count(compared.older, 'older finding')} left out" if compared.older else ""
    return f"; merged into {visible(compared.base)} it changes {_count(compared.files, 'file')}{older}"


def as_json(report: Report) -> str:
    """Write one object: the numbers of rules and revisions, the findings, and the suppressed ones."""
    return _json(
        {
            "rules": len(RULES),
            "revisions": report.revisions,
            "findings": list(map(_shown, report.findings)),
            "suppressed": [{**_shown(one.finding), "reason": one.reason} for one in report.suppressed],
            **({} if report.compared is None else {"compared": asdict(report.compared)}),
        }
    )


def github(report: Report) -> str:
    """Write one workflow command a finding, which GitHub shows at the line in the pull request."""
    return "".join(map(_annotation, report.findings))


def gitlab(report: Report) -> str:
    """Write the report on code quality that GitLab shows in the merge request.

    https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
    """
    severities = {"error": "blocker", "warning": "minor"}
    issues = [
        {
            "description": _both(found),
            "check_name": f"{found.code} {found.rule}",
            "fingerprint": fingerprint,
            "severity": severities[found.severity],
            "location": {"path": found.path, "lines": {"begin": found.line}},
        }
        for found, fingerprint in _fingerprinted(report.findings)
    ]
    return _json(issues)


def junit(report: Report) -> str:
    """Write one test case a rule; a rule that is broken is one failure, which lists where."""
    broken = Counter(found.code for found in report.findings if found.severity == "error")
    numbers = {"tests": str(len(RULES)), "failures": str(len(broken)), "errors": "0", "skipped": "0"}
    root = Xml.Element("testsuites", {"name": _TOOL, **numbers})
    suite = Xml.SubElement(root, "testsuite", {"name": "governance", **numbers})
    for rule in RULES:
        case = Xml.SubElement(suite, "testcase", {"classname": "governance", "name": _title(rule)})
        _fill(case, [found for found in report.findings if found.code == rule.CODE])
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def sarif(report: Report) -> str:
    """Write SARIF 2.1.0, with the documentation of every rule."""
    found = (*report.findings, *(one.finding for one in report.suppressed))
    reasons = (*(None for _ in report.findings), *(one.reason for one in report.suppressed))
    results = [
        {**_result(one, fingerprint), **_suppressions(reason)}
        for (one, fingerprint), reason in zip(_fingerprinted(found), reasons, strict=True)
    ]
    driver = {"name": _TOOL, "rules": [_descriptor(rule) for rule in RULES]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return _json({"$schema": schema, "version": "2.1.0", "runs": [run]})


FORMATS: Final[Mapping[str, Callable[[Report], str]]] = MappingProxyType(
    {"text": text, "json": as_json, "github": github, "gitlab": gitlab, "junit": junit, "sarif": sarif}
)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shown(found: Finding) -> dict[str, Any]:
    return {name: getattr(found, name) for name in _SHOWN}


def _fingerprinted(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """Yield each finding with a hash of it, which stays when lines move and tells equal ones apart."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for found in findings:
        key = (found.code, found.path, found.problem)
        stable = "\n".join((*key, str(seen[key])))
        seen[key] += 1
        yield found, hashlib.sha256(stable.encode()).hexdigest()


def _suppressions(reason: str | None) -> dict[str, Any]:
    """Return the property that tells whether a result is suppressed; all results have it, or none may."""
    given = [] if reason is None else [{"kind": "inSource", "justification": visible(reason)}]
    return {"suppressions": given}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _title(rule: Rule) -> str:
    return f"{rule.CODE} {rules.name(rule)}"


def _annotation(found: Finding) -> str:
    properties = {
        "file": found.path, "line": found.line, "col": found.column, "title": f"{found.code} {found.rule}",
    }  # fmt: skip
    shown = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{found.severity} {shown}::{_message(_both(found))}\n"


def _both(found: Finding) -> str:
    return f"{found.problem}\nHint: {found.hint}"


# https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
def _message(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _message(value).replace(":", "%3A").replace(",", "%2C")


def _fill(case: Xml.Element, findings: list[Finding]) -> None:
    """Put the errors of one rule into its test case as a failure, and its warnings as output."""
    errors = [found for found in findings if found.severity == "error"]
    warnings = [found for found in findings if found.severity == "warning"]
    if errors:
        attributes = {"message": _count(len(errors), "finding"), "type": errors[0].rule}
        Xml.SubElement(case, "failure", attributes).text = "\n".join(_lines(errors))
    if warnings:
        Xml.SubElement(case, "system-out").text = "\n".join(_lines(warnings))


def _lines(findings: list[Finding]) -> Iterator[str]:
    for found in findings:
        yield f"{found.path}:{found.line}:{found.column}: {found.problem}"
        yield f"    Hint: {found.hint}"


def _descriptor(rule: Rule) -> dict[str, Any]:
    full = rules.documentation(rule)
    return {
        "id": rule.CODE,
        "name": rules.name(rule),
        "shortDescription": {"text": full.partition("\n")[0]},
        "fullDescription": {"text": full},
        "help": {"text": full, "markdown": full},
        "defaultConfiguration": {"level": severity(rules.name(rule))},
    }


def _result(found: Finding, fingerprint: str) -> dict[str, Any]:
    return {
        "ruleId": found.code,
        "ruleIndex": [rule.CODE for rule in RULES].index(found.code),
        "level": found.severity,
        "message": {"text": _both(found)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(found.path), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": found.line, "startColumn": found.column},
                }
            }
        ],
        "partialFingerprints": {"finding/v1": fingerprint},
    }
