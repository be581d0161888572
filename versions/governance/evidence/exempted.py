"""Say what the revisions allow that a rule forbids, and which released revisions do."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import counted, named


def exempted(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield the suppressions that stand, those of the period, and those in what was released in it."""
    rows = evidence.rows("suppression")
    if evidence.unread("suppression"):
        yield Gap(f"suppressions are not shown: {evidence.unread('suppression')}")
        return
    if rows:
        reasons = sum(bool(row.get("reason")) for row in rows)
        files = len({row.get("file") for row in rows})
        yield claim(
            f"{counted(len(rows), 'suppression')} of a rule stand in "
            f"{counted(files, 'revision')}; {reasons} give a reason.",
            rows,
        )
    new = [row for row in rows if row.at and evidence.period.holds(row.at)]
    if new:
        yield claim(
            f"{counted(len(new), 'suppression')} came in a commit of the period.", new, exception=True
        )
    undated = [row for row in rows if not row.at]
    if undated:
        yield Gap(
            f"when {counted(len(undated), 'suppression')} came is not known",
            "make the report in a checkout with its history",
        )
    yield from _released(evidence)
    yield Gap(
        "suppressions that were taken away before this report are not shown: they are read "
        "from the files as they are"
    )


def _released(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield which suppressions stand in the very text that was applied in the period."""
    other: list[str] = []
    texts = {row.get("revision"): row.get("checksum") for row in evidence.rows("revision")}
    for entry in evidence.rows("journal"):
        if (entry.get("state"), entry.get("direction")) != ("applied", "upgrade"):
            continue
        revision = entry.get("revision")
        if texts.get(revision) != entry.get("checksum"):
            other.append(revision)
            continue
        found = [row for row in evidence.rows("suppression") if row.get("revision") == revision]
        if found:
            yield claim(
                f"Revision {revision}, applied at {entry.at} with the text that is read here, holds "
                f"{counted(len(found), 'suppression')}: "
                f"{named('', sorted({row.get('rule') for row in found}))}.",
                [entry, *found],
            )
    if other:
        yield Gap(
            f"{named('revision', sorted(set(other)))} had another text when applied than "
            "here: what it allowed is not known"
        )
