"""Say what the gate of production decided: allowed with approvals and a receipt, refused, or overridden."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance.evidence.changes import runs
from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, Row, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import named

_DECIDED = ("allowed", "overridden")
_STEPS = ("upgrade", "downgrade", "stamp")


def promotion(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield what was allowed and on which ground, what was refused, and what ran without being asked."""
    decided = [row for row in evidence.rows("journal") if row.get("state") in _DECIDED]
    for row in evidence.rows("journal"):
        if row.get("state") == "allowed":
            yield _allowed(evidence, row)
    yield from refusals(evidence)
    yield from break_glass(evidence)
    yield from _beside(evidence)
    if decided or not evidence.rows("journal"):
        return
    yield Gap(
        "no approval and no receipt of a rehearsal is recorded in the period: none of its "
        "changes passed the gate of production"
    )


def refusals(evidence: Evidence) -> Iterator[Claim]:
    """Yield a claim for each entry that says a change was refused before anything was executed."""
    for row in evidence.rows("journal"):
        if row.get("state") == "refused":
            what = (
                f"{row.get('direction')} of revision {row.get('revision')}"
                if row.get("revision")
                else row.get("direction")
            )
            yield claim(f"Refused at {row.at}, {what}: {row.get('reason')}", [row], exception=True)


def break_glass(evidence: Evidence) -> Iterator[Claim]:
    """Yield a claim for each entry that says somebody went on although something was missing."""
    for row in evidence.rows("journal"):
        if row.get("state") == "overridden":
            after = [
                one for one in _of_run(evidence, row) if one.get("state") in {"applied", "failed", "dirty"}
            ]
            ended = f"; it ended as {named('', [one.get('state') for one in after])}" if after else ""
            yield claim(
                f"Break-glass at {row.at} by {row.get('by')}, {row.get('direction')} of "
                f"revision {row.get('revision')}, in spite of: {row.get('missing') or 'nothing'}; "
                f"the reason given: {row.get('reason') or 'none'}{ended}.",
                [row, *_grounds(evidence, row), *after],
                exception=True,
            )


def _allowed(evidence: Evidence, row: Row) -> Claim:
    grounds = _grounds(evidence, row)
    by = [one.get("reviewer") for one in grounds if one.source == "approval"]
    wrote = sorted({one.get("authors") for one in grounds if one.get("authors")})
    receipt = any(one.source == "receipt" for one in grounds)
    written = f", written by {', '.join(wrote)}" if wrote else ""
    approved = f"approved by {named('', by)}" if by else "with no approval"
    rehearsed = "with a receipt of its rehearsal" if receipt else "with no receipt"
    return claim(
        f"Allowed at {row.at}: {row.get('direction')} of revision {row.get('revision')}{written}, "
        f"{approved}, {rehearsed}.",
        [row, *grounds],
        exception=not (by and receipt),
    )


def _grounds(evidence: Evidence, row: Row) -> list[Row]:
    """Return the approvals and the receipt that an entry of the gate names."""
    return [
        one
        for source in ("approval", "receipt")
        for one in evidence.rows(source)
        if one.get("entry") == row.key
    ]


def _of_run(evidence: Evidence, row: Row) -> list[Row]:
    return [
        one
        for one in evidence.rows("journal")
        if one.get("run") == row.get("run") and one.get("revision") == row.get("revision")
    ]


def _beside(evidence: Evidence) -> Iterator[Claim]:
    """Yield each run that changed the database without an answer of the gate, where there is one to ask."""
    first = evidence.chain.answered
    for rows in runs(evidence) if first is not None else ():
        bare = [row for row in rows if _is_change(row) and not row.get("answer")]
        if bare:
            steps = [f"{row.get('direction')} of revision {row.get('revision') or 'base'}" for row in bare]
            yield claim(
                f"Ran outside the gate at {bare[0].at}, by {bare[0].get('by')}: {named('', steps)}; "
                "it reached the database, and no answer of the gate of production is recorded for it. "
                f"That gate answered in this database first with entry {first}.",
                bare,
                exception=True,
            )


def _is_change(row: Row) -> bool:
    return row.get("state") in {"applied", "dirty"} and row.get("direction") in _STEPS
