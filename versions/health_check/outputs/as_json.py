"""Write a report as JSON, of which report.schema.json tells the form. Pure."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

from spotify_ai_agent_migrations.versions.health_check.finding import (
    Finding,
    HealthReport,
    Measured,
    Ran,
    Subject,
    Suppressed,
)
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import exit_code
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra

# What is added raises the second number; what is taken away, or means something else, the first.
SCHEMA_VERSION: Final = "1.0"


def as_json(report: HealthReport, extra: Extra) -> str:
    """Write one object: the server, the state, every check and every finding."""
    return dumped(
        {
            "schema_version": SCHEMA_VERSION,
            "generated_at": extra.now.isoformat(),
            "server": {"url": report.server, "version": report.server_version, "role": report.role},
            "state": report.state.value,
            "exit_code": exit_code(report),
            "seconds": round(report.seconds, 6),
            "counts": {state.value: number for state, number in words.counts(report).items()},
            "checks": [_check(ran) for ran in report.checks],
            "findings": [_finding(found) for found in report.findings],
        }
    )


def schema() -> str:
    """Return the JSON Schema of what `as_json` writes."""
    return resources.files(__package__).joinpath("report.schema.json").read_text(encoding="utf-8")


def dumped(value: object) -> str:
    """Return *value* as JSON; what JSON has no form for as text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _check(ran: Ran) -> dict[str, Any]:
    return {
        "check": ran.check,
        "title": words.title(ran.check),
        "state": ran.state.value,
        "seconds": round(ran.seconds, 6),
        "reason": ran.reason or None,
        "measured": [_measured(one) for one in ran.measured],
    }


def _measured(one: Measured) -> dict[str, Any]:
    return {
        "object": _object(one.subject),
        "observed": one.measure,
        "unit": one.unit or None,
        "state": one.state.value,
        "warning": one.warning,
        "critical": one.critical,
    }


def _object(subject: Subject) -> dict[str, str | None]:
    return {"type": subject.kind, "schema": subject.schema, "name": subject.name}


def _suppressed(one: Suppressed | None) -> dict[str, Any] | None:
    return {"was": one.was.value, "reason": one.reason, "expires": one.expires.isoformat()} if one else None


def _finding(found: Finding) -> dict[str, Any]:
    since = found.first_seen
    return {
        "check": found.check,
        "group": found.group,
        "state": found.state.value,
        "object": _object(found.subject),
        "summary": found.summary,
        "why": words.why(found.check),
        "observed": found.measure,
        "unit": found.unit or None,
        "warning": found.warning,
        "critical": found.critical,
        "values": dict(found.values),
        "evidence_sql": found.evidence_sql,
        "fixes": [{"sql": fix.sql, "lock": fix.lock} for fix in found.fixes],
        "cure": found.cure,
        "suppressed": _suppressed(found.suppressed),
        "fingerprint": found.fingerprint,
        "first_seen": since.isoformat() if since else None,
        "explain": words.explained(found.check),
    }
