"""Say what the journal shows of changes: each run that made some, each that failed, each exception."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap, Row, claim
from spotify_ai_agent_migrations.versions.governance.evidence.phrases import counted, named

NO_ENTRY = "the journal has no entry of the period: that nothing was changed by this package is all it shows"
_STEP = ("direction", "revision")


def runs(evidence: Evidence) -> tuple[tuple[Row, ...], ...]:
    """Return the entries of the journal by the run that wrote them, in order."""
    grouped = groupby(evidence.rows("journal"), key=lambda row: row.get("run"))
    return tuple(tuple(rows) for _, rows in grouped)


def changes(evidence: Evidence) -> Iterator[Claim | Gap]:
    """Yield what was changed, taken back and set aside, and what about it is not known."""
    if not evidence.rows("journal"):
        yield Gap(NO_ENTRY)
        return
    for rows in runs(evidence):
        yield from _run(rows)
    yield from failures(evidence)
    yield from exceptions(evidence)
    yield from _rollbacks(evidence)
    yield from _online(evidence)
    yield from _unknown(evidence)


def failures(evidence: Evidence) -> Iterator[Claim]:
    """Yield a claim for each attempt that failed, and whether the same step was done later in the period."""
    entries = evidence.rows("journal")
    for place, row in enumerate(entries):
        if row.get("state") not in {"failed", "dirty"}:
            continue
        what = f"{row.get('direction')} of revision {row.get('revision')}"
        left = "all of it was undone" if row.get("state") == "failed" else "not all of it was undone"
        code = f" with SQLSTATE {row.get('sqlstate')}" if row.get("sqlstate") else ""
        later = _done_later(row, entries[place + 1 :])
        after = f"; it was done at {later.at}" if later else "; it was not done later in the period"
        shown = [row, *([later] if later else [])]
        yield claim(f"A run failed at {row.at}: {what}{code}; {left}{after}.", shown, exception=True)


def unended(evidence: Evidence) -> Iterator[Gap]:
    """Yield a gap for each attempt of which no entry of the period says how it ended, whatever came after."""
    tried: Row | None = None
    for row in evidence.rows("journal"):
        if row.get("state") == "started":
            if tried is not None:
                yield _open(tried)
            tried = row
        elif tried is not None and _ends(tried, row):
            tried = None
    if tried is not None:
        yield _open(tried)


def exceptions(evidence: Evidence) -> Iterator[Claim]:
    """Yield a claim for each exception that somebody made: what was accepted, and where was stamped."""
    for row in evidence.rows("journal"):
        reason = f": {row.get('reason')}" if row.get("reason") else ", and no reason is recorded"
        if row.get("direction") == "accept":
            what = (
                f"revision {row.get('revision')} as its file is"
                if row.get("revision")
                else "the schema as it was"
            )
            yield claim(f"{row.get('by')} accepted {what} at {row.at}{reason}", [row], exception=True)
        elif row.get("direction") == "stamp":
            where = row.get("heads_after") or "base"
            yield claim(
                f"{row.get('by')} stamped the database as being at {where}, at {row.at}; "
                f"nothing was executed{reason}",
                [row],
                exception=True,
            )


def _run(rows: Sequence[Row]) -> Iterator[Claim]:
    """Yield a claim for what one run applied upwards, and another for what it took back."""
    forced = any(row.get("state") == "overridden" for row in rows)
    for verb, called in (("upgrade", "Release"), ("downgrade", "Rollback")):
        done = [row for row in rows if row.get("direction") == verb and row.get("state") == "applied"]
        if not done:
            continue
        tried = [row for row in rows if row.get("direction") == verb and row.get("state") == "started"]
        revisions = named("revision", [row.get("revision") for row in done])
        where = done[-1].get("heads_after") or "base"
        commit = done[-1].get("commit")
        source = f"commit {commit}" if commit else "no recorded commit"
        yield claim(
            f"{called}{' under break-glass' if forced else ''} at {done[0].at} by {done[0].get('by')}, "
            f"from {source}: {verb} of {revisions}; {counted(len(tried), 'start')} and "
            f"{counted(len(done), 'end')} are recorded; then the database was at {where}.",
            [*tried, *done],
            exception=forced,
        )


def _open(tried: Row) -> Gap:
    return Gap(
        f"how the attempt of entry {tried.key} ended, {tried.get('direction')} of revision "
        f"{tried.get('revision')}, is not recorded in the period: it ran on, or its process was killed"
    )


def _ends(tried: Row, row: Row) -> bool:
    """Tell whether *row* says how *tried* ended; of a process that was killed, a later run says it."""
    same = all(row.get(name) == tried.get(name) for name in _STEP)
    return same and row.get("state") in {"applied", "failed", "dirty"}


def _done_later(failed: Row, later: Sequence[Row]) -> Row | None:
    for row in later:
        if row.get("state") == "applied" and all(row.get(name) == failed.get(name) for name in _STEP):
            return row
    return None


def _rollbacks(evidence: Evidence) -> Iterator[Claim | Gap]:
    for row in evidence.rows("rollback"):
        yield claim(
            f"A planned rollback from {row.get('from')} to {row.get('to')} was done at {row.at}: "
            f"the plan said that {row.get('at_risk')} rows or values would go, and "
            f"{row.get('kept')} are kept.",
            [row],
        )
    if evidence.unread("rollback"):
        yield Gap(f"planned rollbacks and what they kept are not shown: {evidence.unread('rollback')}")


def _online(evidence: Evidence) -> Iterator[Claim | Gap]:
    rows = evidence.rows("online")
    if rows:
        states = named("", sorted({row.get("state") for row in rows}))
        yield claim(
            f"{counted(len(rows), 'change')} of live tables began in the period; now: {states}.", rows
        )
    if evidence.unread("online"):
        yield Gap(f"changes of live tables are not shown: {evidence.unread('online')}")


def _unknown(evidence: Evidence) -> Iterator[Gap]:
    """Yield what the entries of the period do not say."""
    entries = evidence.rows("journal")
    bare = [row for row in entries if row.get("state") == "applied" and not row.get("commit")]
    if bare:
        yield Gap(
            f"{counted(len(bare), 'applied entry', 'applied entries')} of the period name no "
            "commit: what text they ran is "
            "known by its checksum alone",
            "migrate from a checkout",
        )
    yield from unended(evidence)
