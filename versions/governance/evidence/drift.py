"""Say when the schema was compared with the journal, and what that found."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import counted

_RECORD = "agentdb health-check --deep --only mig.drift --history table, again and again"


def drift(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield which comparisons of the schema with the journal are recorded, and what they found."""
    rows = evidence.rows("drift")
    for result, text in (
        ("same", "the schema was the one the journal knew"),
        ("differs", "the schema differed from the one the journal knew"),
    ):
        found = [row for row in rows if row.get("result") == result]
        if found:
            yield claim(
                f"Before {counted(len(found), 'run')} {text}, by its fingerprint.",
                found,
                exception=result == "differs",
            )
    refused = [row for row in evidence.rows("journal") if row.get("gate") == "drift"]
    if refused:
        what = counted(len(refused), "run")
        yield claim(f"Refused for drift: {what}; nothing was executed.", refused, exception=True)
    checks = [row for row in evidence.rows("health") if row.key == "mig.drift"]
    for row in checks:
        yield claim(
            f"Drift was looked for by the health check {row.get('times')} times; the worst it "
            f"found is {row.get('worst')}.",
            [row],
            exception=row.get("worst") in {"warning", "critical"},
        )
    if not checks and not refused and not [row for row in rows if row.get("result") != "unknown"]:
        yield Gap("no drift check of the period is recorded", _RECORD)
    now = evidence.rows("drift-now")
    for row in now:
        yield claim(
            f"When this report was made, the schema was compared with the journal: {row.get('result')}.",
            [row],
            exception=row.get("differs") == "yes",
        )
    if not now:
        yield Gap(
            f"the schema was not compared with the journal for this report: {evidence.unread('drift-now')}"
        )
