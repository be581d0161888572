"""What a report of evidence consists of: rows, and claims that rest on them. Values only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from spotify_ai_agent_migrations.versions.governance.evidence.period import Period

Scope = Literal["period", "now"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9-]")


@dataclass(frozen=True)
class Row:
    """One row that a claim can rest on; `key` tells it from the others of its source.

    `at` is in UTC, "" where the row is of no moment; `hash` is what the row itself is sealed with, or that of
    a document it holds, "" where it has none. No cell holds a value of a person of the service.
    """

    source: str
    key: str
    cells: Mapping[str, str]
    at: str = ""
    hash: str = ""

    @property
    def anchor(self) -> str:
        """Return the name of its place in the report, the same for no other row of its source."""
        return f"{self.source}-{_UNSAFE.sub(lambda one: f'_{ord(one[0]):x}_', self.key)}"

    def get(self, name: str) -> str:
        """Return a cell; "" where there is none."""
        return self.cells.get(name, "")


@dataclass(frozen=True)
class Source:
    """Where rows come from. `asked` tells how to ask again; `unread` why nothing could be read, else "".

    `scope` is `period` where the rows are those of the period, and `now` where they are what there is at the
    time of the report. `left_out` is how many more rows there are, which are counted and not listed.
    """

    name: str
    title: str
    scope: Scope
    asked: str
    rows: tuple[Row, ...] = ()
    unread: str = ""
    left_out: int = 0


@dataclass(frozen=True)
class Chain:
    """What verifying the whole journal came to; `faults` are empty where nothing is wrong.

    `first` and `last` are the numbers of the entries of the period, None where it has none; `broken` tells of
    faults on which the entries of the period stand: at those before its end, or behind the last there is.
    `answered` is the first entry before its end in which production was allowed or refused something.
    """

    entries: int
    head: str
    first: int | None = None
    last: int | None = None
    faults: tuple[str, ...] = ()
    broken: bool = False
    answered: int | None = None


@dataclass(frozen=True)
class Evidence:
    """All that was read for a report from `taken_at` on: the tables in one snapshot, the rest beside it."""

    period: Period
    taken_at: datetime
    database: str
    server: str
    login: str
    application: str
    chain: Chain
    sources: Mapping[str, Source] = field(default_factory=dict)

    def rows(self, source: str) -> tuple[Row, ...]:
        """Return the rows of a source; none where it was not read."""
        found = self.sources.get(source)
        return found.rows if found is not None else ()

    def unread(self, source: str) -> str:
        """Return why a source was not read; "" where it was."""
        found = self.sources.get(source)
        return found.unread if found is not None else "it was not asked"


@dataclass(frozen=True)
class Claim:
    """A sentence, and the anchors of the rows that show it; `exception` marks what departs from the rule."""

    text: str
    rows: tuple[str, ...]
    exception: bool = False

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("a claim rests on rows, and this one has none")


@dataclass(frozen=True)
class Gap:
    """What this report does not show, and how it could be shown, "" where it cannot."""

    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Control:
    """One control: what it asks, in our words, what is claimed of it, and what is not shown."""

    framework: str
    code: str
    title: str
    asks: str
    claims: tuple[Claim, ...]
    gaps: tuple[Gap, ...]

    @property
    def anchor(self) -> str:
        """Return the name of its place in the report."""
        return f"control-{self.code.lower().replace('.', '-')}"


@dataclass(frozen=True)
class Report:
    """What was read, and what it shows of each control."""

    evidence: Evidence
    controls: tuple[Control, ...]


def claim(text: str, rows: Iterable[Row], *, exception: bool = False) -> Claim:
    """Return a claim that rests on *rows*."""
    return Claim(text, tuple(row.anchor for row in rows), exception)
