"""What the forms of a report say in the same words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.evidence.model import Evidence, Gap, Row, Source
from spotify_ai_agent_migrations.versions.governance.evidence.period import instant

TITLE: Final = "Evidence of compliance"
EXCEPTION: Final = "Exception"
NOTHING: Final = "Nothing: no row of this report shows anything of it."
NO_GAP: Final = "Nothing that this package could know of."
READING: Final = (
    "Each claim below names the rows that show it, and they stand in the same report. "
    "What no row shows is not claimed; it is listed as not shown. "
    "Whether a control is met is for the auditor to say. "
    "Logins, and persons who approved, are named as the rows name them, and reasons are as "
    "they were written; "
    "people of the service are counted, not named."
)
# What is long stands below its row; of these, what nobody reads as words.
HASHES: Final = frozenset(
    {
        "run",
        "commit",
        "checksum",
        "previous_hash",
        "hash",
        "plan_hash",
        "found",
        "known",
        "schema",
        "signed_with",
    }
)
LONG: Final = HASHES | {
    "statement",
    "reason",
    "missing",
    "names",
    "differences",
    "first_fault",
    "legal_reference",
}
_CELLS_MOST: Final = 2_000
# Read before the snapshot is taken, or after it.
_BESIDE: Final = ("drift-now", "suppression", "revision", "trail-verified")


def facts(found: Evidence) -> Iterator[tuple[str, str]]:
    """Yield what the report is of, and what it stands on."""
    yield "Period", f"{found.period}, the end left out, in UTC"
    yield "Read", f"from {instant(found.taken_at)} on, by login {found.login}; {_snapshot(found)}"
    yield "Database", f"{found.database}, PostgreSQL {found.server}"
    yield "Written by", f"spotify-ai-agent-migrations {found.application}"
    chain = found.chain
    part = f"entries {chain.first} to {chain.last}" if chain.first is not None else "no entry"
    yield "Journal", f"{chain.entries} entries, the last with hash {chain.head}; {part} of the period"
    if chain.broken:
        yield "Chain", f"BROKEN, at {chain.faults[0]}"
    else:
        yield "Chain", "every hash up to the period's last entry was recomputed, and is as it was written"


def sentence(text: str) -> str:
    """Return what is not shown as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def remedy(gap: Gap) -> str:
    """Return how it could be shown; nothing where it cannot."""
    return f" To show it: {gap.remedy}." if gap.remedy else ""


def written_by(found: Evidence) -> str:
    """Return what wrote the report, and when."""
    read = instant(found.taken_at)
    return f"Written by spotify-ai-agent-migrations {found.application}, of what was read on {read}."


def labels(found: Evidence) -> dict[str, str]:
    """Return what a link to each row says, by its anchor."""
    return {row.anchor: _label(source, row) for source in found.sources.values() for row in source.rows}


def scope(source: Source) -> str:
    """Return which rows these are, and how to ask for them again."""
    which = "Rows of the period." if source.scope == "period" else "As it is when the report is made."
    beside = " Read outside of the snapshot." if source.name in _BESIDE else ""
    return f"{which}{beside} Asked: {source.asked}"


def remarks(source: Source) -> Iterator[str]:
    """Yield what has to be known of the rows of a source: that there are none, or more."""
    if source.unread:
        yield f"Not read, for {source.unread}."
    elif not source.rows:
        yield "None."
    if source.left_out:
        yield f"{source.left_out:,} more are counted, and not listed."


def columns(source: Source) -> list[str]:
    """Return the names of the columns that at least one row fills, the moment first and the hash last."""
    filled = dict.fromkeys(name for row in source.rows for name, value in row.cells.items() if value)
    first = ["at"] if any(row.at for row in source.rows) else []
    last = ["hash"] if any(row.hash for row in source.rows) else []
    return [*first, *filled, *last]


def cell(row: Row, name: str) -> str:
    """Return what a row says in a column, cut where it is long."""
    value = {"at": row.at, "hash": row.hash}.get(name) or row.get(name)
    return value if len(value) <= _CELLS_MOST else f"{value[:_CELLS_MOST]}…"


def _snapshot(found: Evidence) -> str:
    beside = [source.title for name, source in found.sources.items() if name in _BESIDE]
    apart = f"; outside of it: {', '.join(beside)}" if beside else ""
    return f"tables in one read-only snapshot{apart}"


def _label(source: Source, row: Row) -> str:
    mark = f" {row.hash[:8]}" if row.hash else ""
    return f"{source.name} {row.key}{mark}"
