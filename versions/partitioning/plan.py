"""Decide what partitions are called, which are missing and which are due. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from spotify_ai_agent_migrations.versions.partitioning.periods import Period, Span

ArchiveFormat = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Partition:
    """A partition as the catalogue has it; `name` is as SQL writes it, `ours` when this package made it."""

    oid: int
    schema: str
    plain: str
    name: str
    span: Span
    ours: bool
    detaching: bool = False
    rows: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class Policy:
    """How a partitioned table is kept: how far ahead, and how long back.

    Rows from before `cutoff` are due; None keeps everything. A partition that was detached is dropped after
    `grace`.
    """

    table: str
    period: Period
    premake: int
    cutoff: datetime | None = None
    grace: timedelta = timedelta(days=7)
    hold: str | None = None
    archive: bool = True
    archive_format: ArchiveFormat = "csv"


@dataclass(frozen=True)
class Done:
    """What was done about a partition or a table, or was not, and why."""

    what: Literal[
        "made", "finalized", "detached", "archived", "dropped", "kept", "unbound", "skipped", "failed"
    ]
    name: str
    why: str | None = None


@dataclass(frozen=True)
class New:
    """A partition to be made."""

    plain: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Due:
    """A partition that is over, and what keeps it if something does."""

    partition: Partition
    kept_by: str | None = None


def missing(policy: Policy, table: str, spans: Iterable[Span], now: datetime) -> tuple[New, ...]:
    """Return the partitions that are to be made: gaps, and *policy*'s number of periods after *now*.

    By the clock, never by the rows: one row far ahead must not make thousands of partitions.
    """
    taken = tuple(spans)
    ends = [span.until for span in taken]
    if None in ends:
        return ()
    # Where the oldest partition ends: what retention has taken away before it does not come back.
    begin = min((end for end in ends if end is not None), default=policy.period.start_of(now))
    wanted = (
        new
        for since, until in _free(taken, begin, _ahead(policy, now))
        for new in cut(policy.period, table, since, until)
    )
    # What retention would take away at once is not made for its sake.
    return tuple(new for new in wanted if policy.cutoff is None or new.until > policy.cutoff)


def cut(period: Period, table: str, since: datetime, until: datetime) -> Iterator[New]:
    """Yield the partitions from *since* to *until*: whole periods, and what is left of one at either end."""
    while since < until:
        start = period.start_of(since)
        end = min(period.after(start), until)
        whole = (since, end) == (start, period.after(start))
        # A part of a period has another name than the whole of it.
        yield New(f"{table}_{period.suffix(since) if whole else _day(since)}", since, end)
        since = end


def _day(since: datetime) -> str:
    midnight = (since.hour, since.minute, since.second) == (0, 0, 0)
    return f"p{since:%Y_%m_%d}" if midnight else f"p{since:%Y_%m_%d_%H%M%S}"


def _free(taken: Iterable[Span], since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield what of the time between is in no span."""
    for span in sorted(taken, key=lambda one: (one.since is not None, one.since)):
        if span.since is not None and since < span.since:
            yield since, min(span.since, until)
        if span.until is None or span.until >= until:
            return
        since = max(since, span.until)
    if since < until:
        yield since, until


def _ahead(policy: Policy, now: datetime) -> datetime:
    """Return the end of the last period that has to be there."""
    end = policy.period.after(policy.period.start_of(now))
    for _ in range(policy.premake):
        end = policy.period.after(end)
    return end


def _overlaps(span: Span, since: datetime, until: datetime) -> bool:
    return (span.since is None or span.since < until) and (span.until is None or span.until > since)


def ahead(policy: Policy, spans: Iterable[Span], now: datetime) -> int:
    """Return how many periods after the present one are there without a gap."""
    every = tuple(spans)
    start, count = policy.period.start_of(now), -1
    while count < 1_000 and any(_overlaps(span, start, start + timedelta(microseconds=1)) for span in every):
        start, count = policy.period.after(start), count + 1
    return max(count, 0)


def gaps(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans between the partitions that no partition covers."""
    ordered = sorted(spans, key=lambda span: (span.since is not None, span.since))
    return tuple(
        Span(one.until, other.since)
        for one, other in pairwise(ordered)
        if one.until is not None and other.since is not None and one.until < other.since
    )


def due(policy: Policy, partitions: Iterable[Partition], now: datetime) -> tuple[Due, ...]:
    """Return the partitions whose last row is older than *policy* keeps rows, oldest first.

    By the upper bound and never by the name. Never the present period, and never the last partition.
    """
    every = sorted(partitions, key=lambda one: (one.span.since is not None, one.span.since))
    if policy.cutoff is None:
        return ()
    cutoff = min(policy.cutoff, policy.period.start_of(now))
    over = [one for one in every if one.span.until is not None and one.span.until <= cutoff]
    if len(over) == len(every):
        over = over[:-1]
    return tuple(Due(one, _kept_by(policy, one)) for one in over)


def _kept_by(policy: Policy, partition: Partition) -> str | None:
    if policy.hold:
        return f"a legal hold: {policy.hold}"
    return None if partition.ours else "it was not made by this package"
