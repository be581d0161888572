"""Read the journal once from end to end: verify its chain, and keep the entries of the period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from spotify_ai_agent_migrations.versions.core.errors import PeriodError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.governance.evidence.model import Chain, Row
from spotify_ai_agent_migrations.versions.governance.evidence.period import Period
from spotify_ai_agent_migrations.versions.runner.entry import Fault, Written, from_columns, verify
from spotify_ai_agent_migrations.versions.runner.evidence.promoted import Answers, grounds
from spotify_ai_agent_migrations.versions.runner.evidence.sources import said
from spotify_ai_agent_migrations.versions.runner.journal import recorded_end

ENTRIES_MOST: Final = 10_000
_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner")
_FETCHED_ROWS: Final = 1_000
_FAULTS_MOST: Final = 100
_TEXT_MOST: Final = 2_000


@dataclass
class Journaled:
    """What one reading of the journal came to."""

    chain: Chain
    entries: tuple[Row, ...] = ()
    drift: tuple[Row, ...] = ()
    approvals: tuple[Row, ...] = ()
    receipts: tuple[Row, ...] = ()


@dataclass
class _Kept:
    """What is kept of the entries that go by: those of the period, and the schema as it was known last."""

    period: Period
    most: int
    rows: list[Row] = field(default_factory=list)
    drift: list[Row] = field(default_factory=list)
    grounds: list[Row] = field(default_factory=list)
    known: tuple[int, str] | None = None
    answers: Answers = field(default_factory=Answers)
    run: str = ""
    entries: int = 0
    head: str = ""
    upto: int = 0

    def pass_on(self, found: Iterator[Written]) -> Iterator[Written]:
        """Yield every entry again, after a look at it."""
        for written in found:
            self.entries, self.head = self.entries + 1, written.hash
            answer = self.answers.behind(written)
            if self.period.ends_after(written.at):
                self.upto = written.id
                if self.period.holds(written.at):
                    self._keep(written, answer)
            self._follow(written)
            yield written

    def _keep(self, written: Written, answer: int | None) -> None:
        if len(self.rows) == self.most:
            raise PeriodError(
                f"the period has more than {self.most:,} entries of the journal, and a report lists no more",
                hint="make one report for each half of it",
            )
        self.rows.append(_row(written, answer))
        self.grounds += grounds(written)
        if self._is_compared(written):
            self.drift.append(_compared(written, self.known))

    def _is_compared(self, written: Written) -> bool:
        """Tell whether the schema was described for it: by the first step of a run, and not remembered."""
        entry = written.entry
        return (
            entry.state == "started"
            and written.origin.run != self.run
            and entry.fingerprint_before is not None
        )

    def _follow(self, written: Written) -> None:
        entry = written.entry
        if entry.state == "started":
            self.run = written.origin.run
        if entry.state == "applied" and entry.heads_after is not None:
            after = entry.fingerprint_after
            self.known = (written.id, after) if after is not None else None


def read_journaled(connection: Connection, period: Period, most: int) -> Journaled:
    """Return the entries of *period*, in order, and whether the chain holds, in one reading of all entries.

    Memory: the entries of the period.

    Raises:
        PeriodError: there are more than *most*.
    """
    kept = _Kept(period, most)
    end = recorded_end(connection)
    with connection.cursor(name="evidence_journal", cursor_factory=RealDictCursor) as cursor:
        cursor.itersize = _FETCHED_ROWS
        cursor.execute(_SQL["journal_entries"], {"since": 1})
        faults = list(_first(verify(kept.pass_on(from_columns(row) for row in cursor), end, None)))
    rows = tuple(kept.rows)
    first, last = (int(rows[0].key), int(rows[-1].key)) if rows else (None, None)
    broken = any(fault.id <= kept.upto for fault in faults)
    answered = kept.answers.first
    chain = Chain(
        kept.entries,
        kept.head or end.head,
        first,
        last,
        tuple(map(str, faults)),
        broken,
        answered if answered is not None and answered <= kept.upto else None,
    )
    by_source = {
        name: tuple(row for row in kept.grounds if row.source == name) for name in ("approval", "receipt")
    }
    return Journaled(chain, rows, tuple(kept.drift), by_source["approval"], by_source["receipt"])


def _first(faults: Iterator[Fault]) -> Iterator[Fault]:
    """Yield the first faults; what comes behind is still read, for the entries of the period are among it."""
    for number, fault in enumerate(faults):
        if number < _FAULTS_MOST:
            yield fault


def _row(written: Written, answer: int | None) -> Row:
    entry, origin = written.entry, written.origin
    cells = {
        "direction": entry.direction,
        "revision": entry.revision,
        "state": entry.state,
        "by": written.database_user,
        "from": f"{origin.os_user or 'somebody'}@{origin.host}",
        "run": origin.run,
        "commit": origin.git_commit,
        "checksum": entry.checksum,
        "heads_after": entry.heads_after,
        "duration_ms": entry.duration_ms,
        "sqlstate": entry.sqlstate,
        "statement": entry.statement,
        "reason": entry.reason,
        "gate": (entry.details or {}).get("gate"),
        "answer": answer,
        "missing": missing(written),
        "previous_hash": written.previous_hash,
    }
    shown = {name: _cut(said(value)) for name, value in cells.items()}
    return Row("journal", str(written.id), shown, at=written.at, hash=written.hash)


def missing(written: Written) -> str:
    """Return the codes of what was missing for an entry of the gate."""
    found = (written.entry.details or {}).get("missing", [])
    return ", ".join(dict.fromkeys(str(one.get("code", "")) for one in found))


def _compared(written: Written, known: tuple[int, str] | None) -> Row:
    """Return what came of comparing the schema, before a run, with the one that was journaled last."""
    before = written.entry.fingerprint_before or ""
    result = "unknown" if known is None else ("same" if known[1] == before else "differs")
    cells = {
        "revision": written.entry.revision or "",
        "result": result,
        "found": before,
        "known": known[1] if known else "",
        "known_by_entry": str(known[0]) if known else "",
    }
    return Row("drift", str(written.id), cells, at=written.at, hash=written.hash)


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MOST else f"{text[:_TEXT_MOST]}…"
