"""Say what was watched: the journal itself, the schema beside it, and the health of the server."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.evidence.changes import failures
from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import counted

_RECORD = "agentdb health-check --deep --only mig.drift --history table, again and again"


def journal_whole(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield whether the chain of the journal holds for the entries of the period."""
    chain, rows = evidence.chain, evidence.rows("journal")
    if chain.broken:
        first = chain.faults[0]
        yield Gap(
            f"the chain of the journal is broken, at {first}: what its entries say is shown "
            "as they say it, and proves nothing",
            "agentdb governance journal --verify lists every fault",
        )
    elif rows:
        yield claim(
            f"The journal is as it was written up to entry {chain.last}: every hash was "
            "recomputed, from entry 1 on.",
            [rows[0], rows[-1]],
        )
    if chain.faults and not chain.broken:
        yield Gap(f"behind the period the journal is not as it was written: {chain.faults[0]}")
    yield Gap(
        "whoever owns the database can write the whole journal anew, with new hashes",
        f"compare with a hash kept elsewhere: agentdb governance journal --verify --head {chain.head}",
    )


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


def health(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield which health checks left a record in the period, and what they found."""
    rows = evidence.rows("health")
    if not rows:
        why = evidence.unread("health")
        yield Gap(
            f"health checks are not shown: {why}" if why else "no health check of the period is recorded",
            "agentdb health-check --history table",
        )
        return
    yield claim(f"{counted(len(rows), 'health check')} left a record in the period.", rows)
    wrong = [
        row for row in rows if row.get("worst") in {"critical", "warning", "unknown"} and row.key != "run"
    ]
    if wrong:
        yield claim(
            f"{counted(len(wrong), 'health check')} found something of level critical, warning or unknown.",
            wrong,
            exception=True,
        )


def incidents(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield the runs that failed; without any, that the journal has none."""
    found = list(failures(evidence))
    yield from found
    rows = evidence.rows("journal")
    if rows and not found:
        yield claim("No entry of the period says that a run failed.", [rows[0], rows[-1]])
    yield Gap("incidents that left no row in this database, and how people responded, are not shown")
