"""Write a report as `application/health+json`, in the form of draft-inadarei-api-health-check-06. Pure.

https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06
"""

from __future__ import annotations

from typing import Any, Final

from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, Ran, State
from spotify_ai_agent_migrations.versions.health_check.outputs import words
from spotify_ai_agent_migrations.versions.health_check.outputs.as_json import dumped
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra

MEDIA_TYPE: Final = "application/health+json"
# It has no word for what nobody knows: that is no pass, and its output says what it is.
_STATUSES: Final = {State.CRITICAL: "fail", State.WARNING: "warn", State.UNKNOWN: "warn"}


def health_json(report: HealthReport, extra: Extra) -> str:
    """Write the status, and an object for each finding, or for each check that found nothing."""
    time = extra.now.isoformat()
    return dumped(
        {
            "status": status(report),
            "description": "the health of a PostgreSQL server",
            "serviceId": report.server,
            "output": words.summed(report),
            "checks": {
                ran.check.replace(".", ":"): [
                    {**one, "time": time} for one in (*map(_finding, ran.findings),) or (_check(ran),)
                ]
                for ran in report.checks
                if ran.state is not State.SKIPPED
            },
        }
    )


def status(report: HealthReport) -> str:
    """Return pass, warn or fail; a server that does not answer fails."""
    return _STATUSES.get(report.state, "pass") if words.is_answered(report) else "fail"


def _check(ran: Ran) -> dict[str, Any]:
    said = {"output": ran.reason} if ran.state in _STATUSES else {}
    return {"componentType": "datastore", "status": _STATUSES.get(ran.state, "pass"), **said}


def _finding(found: Finding) -> dict[str, Any]:
    observed = {"observedValue": found.measure, **({"observedUnit": found.unit} if found.unit else {})}
    return {
        "componentId": str(found.subject),
        "componentType": "datastore",
        **(observed if found.measure is not None else {}),
        "status": _STATUSES.get(found.state, "pass"),
        "state": found.state.value,
        "output": "; ".join(filter(None, (found.summary or str(found.subject), found.cure))),
    }
