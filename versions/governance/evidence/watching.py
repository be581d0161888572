"""Say what was watched: the journal itself, the health of the server, and runs that failed."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.evidence.changes import failures, unended
from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import counted


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
    """Yield the runs that failed, and those whose end nobody knows; without any, that there is none."""
    found: list[Claim | Gap] = [*failures(evidence), *unended(evidence)]
    yield from found
    rows = evidence.rows("journal")
    if rows and not found:
        yield claim("No entry of the period says that a run failed.", [rows[0], rows[-1]])
    yield Gap("incidents that left no row in this database, and how people responded, are not shown")
