"""Write a report as SARIF 2.1.0: a rule a check, a result a finding. Pure.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, State
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.as_json import dumped
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {State.CRITICAL: "error", State.WARNING: "warning", State.INFO: "note"}


def sarif(report: HealthReport, extra: Extra) -> str:
    """Write every finding at its object's name; what could not be asked is a notification."""
    names = [ran.check for ran in report.checks]
    run = {
        "tool": {"driver": {"name": words.TOOL, "rules": [_rule(name) for name in names]}},
        "invocations": [_invocation(report, extra)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, names) for found in report.findings],
    }
    return dumped({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(name: str) -> dict[str, Any]:
    title = words.title(name) or name
    return {
        "id": name,
        "name": name,
        "shortDescription": {"text": title},
        "fullDescription": {"text": words.why(name) or title},
        "help": {"text": words.explained(name), "markdown": f"`{words.explained(name)}`"},
        "defaultConfiguration": {"level": "warning"},
    }


def _invocation(report: HealthReport, extra: Extra) -> dict[str, Any]:
    return {
        "executionSuccessful": words.is_answered(report),
        "endTimeUtc": extra.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "toolExecutionNotifications": [
            {"level": "warning", "message": {"text": f"{reason}: {', '.join(checks)}"}}
            for reason, checks in words.silent(report)
        ],
    }


def _result(found: Finding, names: Sequence[str]) -> dict[str, Any]:
    one = found.suppressed
    # "open" is what could not be decided; of anything but a failure the level has to be none.
    undecided = {"kind": "open", "level": "none"}
    reached = {"kind": "fail", "level": _LEVELS.get(found.severity, "note")}
    return {
        "ruleId": found.check,
        "ruleIndex": names.index(found.check),
        **(undecided if found.state is State.UNKNOWN else reached),
        "message": {"text": _message(found)},
        "locations": [_location(found)],
        "partialFingerprints": {"finding/v1": found.fingerprint},
        "suppressions": [{"kind": "external", "justification": visible(one.reason)}] if one else [],
    }


def _message(found: Finding) -> str:
    fixes = (f"Fix: {visible(fix.sql)} (lock: {visible(fix.lock)})" for fix in found.fixes)
    cure = (f"Cure: {visible(found.cure)}",) if found.cure else ()
    return "\n".join([words.said(found), *fixes, *cure])


def _location(found: Finding) -> dict[str, Any]:
    """Return where it is; who shows results beside code wants a file, which the name stands for."""
    subject = found.subject
    name = ".".join(filter(None, (subject.schema, subject.name))) or "server"
    uri = quote(f"database/{subject.kind}/{name}")
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}},
        "logicalLocations": [
            {
                "name": visible(subject.name or "server"),
                "fullyQualifiedName": visible(name),
                "kind": subject.kind,
            }
        ],
    }
