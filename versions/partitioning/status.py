"""See how partitioned tables are: how far ahead, with which gaps, what is due, and what is wrong about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import facts, policies, sets
from spotify_ai_agent_migrations.versions.partitioning.plan import Policy, ahead, due, gaps
from spotify_ai_agent_migrations.versions.partitioning.schemes import uncovered
from spotify_ai_agent_migrations.versions.partitioning.session import Session, opened
from spotify_ai_agent_migrations.versions.partitioning.sets import Set

_METRICS: Final = (
    ("ahead", "periods after the present one that have a partition"),
    ("premake", "periods that should have one"),
    ("gaps", "spans between partitions that no partition covers"),
    ("due", "partitions that retention would take away"),
    ("detaching", "partitions that are half detached"),
    ("detached", "partitions that wait to be archived or dropped"),
    ("partitions", "partitions there are"),
    ("rows", "rows, as the planner estimates"),
    ("size_bytes", "size with indexes"),
)


@dataclass(frozen=True)
class Status:
    """One partitioned table; `problems` is empty when nothing has to be done about it."""

    table: str
    period: str
    ahead: int
    premake: int
    gaps: int
    due: int
    detaching: int
    detached: int
    partitions: int
    rows: int
    size_bytes: int
    newest_until: str
    problems: tuple[str, ...]


def status(*, settings: Settings | None = None) -> tuple[Status, ...]:
    """Return how every table with a policy is, and every list and hash that was made here. Reads only."""
    with translated(), opened(settings or resolve_settings(), "agentdb partitioning") as connection:
        session = Session(connection)
        now, _ = facts.clock(session)
        gone = (
            [one.table for one in policies.detached(session, facts.MARK)]
            if policies.are_there(session)
            else []
        )
        every = sets.unclocked(session)
        names = {one.name for one in every}
        clocked = [policy for policy in policies.read(session) if policy.table not in names]
        return (
            *(_of(session, policy, now, gone.count(policy.table)) for policy in clocked),
            *(_of_set(session, one) for one in every),
        )


def _of_set(session: Session, whole: Set) -> Status:
    """Return how a table divided by list or hash is: the clock asks nothing of it."""
    there = sets.parts(session, whole)
    found = Status(
        table=whole.name,
        period=whole.how,
        ahead=0,
        premake=0,
        gaps=uncovered(one.bound for one in there) if whole.how == "hash" else 0,
        due=0,
        detaching=sum(one.detaching for one in there),
        detached=0,
        partitions=len(there),
        rows=sum(one.rows for one in there),
        size_bytes=sum(one.size_bytes for one in there),
        newest_until="",
        problems=(),
    )
    return Status(**{**vars(found), "problems": tuple(_problems(found))})


def _of(session: Session, policy: Policy, now: datetime, waiting: int) -> Status:
    try:
        table = facts.table(session, policy.table)
        there = facts.partitions(session, table)
    except TableError as error:
        return _unknown(policy, waiting, error.problem)
    spans = [one.span for one in there if not one.detaching]
    ends = [span.until for span in spans if span.until is not None]
    found = Status(
        table=policy.table,
        period=policy.period.value,
        ahead=ahead(policy, spans, now),
        premake=policy.premake,
        gaps=len(gaps(spans)),
        due=len(due(policy, there, now)),
        detaching=sum(one.detaching for one in there),
        detached=waiting,
        partitions=len(there),
        rows=sum(one.rows for one in there),
        size_bytes=sum(one.size_bytes for one in there),
        newest_until=f"{max(ends):%Y-%m-%d}" if ends else "",
        problems=(),
    )
    split = ["a split was begun and is not over"] if facts.is_being_split(session, table) else []
    return Status(**{**vars(found), "problems": (*_problems(found), *split)})


def _unknown(policy: Policy, waiting: int, problem: str) -> Status:
    """Return the status of what cannot be looked at, as a table that is gone."""
    zero = dict.fromkeys(("ahead", "gaps", "due", "detaching", "partitions", "rows", "size_bytes"), 0)
    return Status(
        table=policy.table,
        period=policy.period.value,
        premake=policy.premake,
        detached=waiting,
        newest_until="",
        problems=(problem,),
        **zero,
    )


def _problems(found: Status) -> Iterator[str]:
    if found.ahead < found.premake - 1:
        yield f"partitions for {found.ahead} {found.period}s ahead, not {found.premake}"
    if found.gaps:
        yield f"{found.gaps} gaps, whose rows are refused"
    if found.detaching:
        yield f"{found.detaching} partitions half detached"
    if found.due > 1:
        yield f"{found.due} partitions are over"


def as_text(found: Sequence[Status]) -> str:
    """Return one line a table, and one for each problem."""
    lines = []
    for one in found:
        by_clock = (
            f", {one.ahead} ahead of now, until {one.newest_until}; {one.due} due, {one.detached} detached"
        )
        lines.append(
            f"{one.table}: {one.partitions} partitions by {one.period}" + (by_clock if one.premake else "")
        )
        lines += [f"  problem: {problem}" for problem in one.problems]
    return "\n".join(lines) + "\n"


def as_json(found: Sequence[Status]) -> str:
    """Return everything, for programs."""
    return json.dumps([asdict(one) for one in found], indent=2) + "\n"


def _label(text: str) -> str:
    """Return a label's value: quoted, as in JSON, but that no letter is escaped."""
    return json.dumps(text, ensure_ascii=False)


def as_prometheus(found: Sequence[Status]) -> str:
    """Return gauges in Prometheus' text format, for a node exporter's folder."""
    lines = []
    for name, words in _METRICS:
        metric = f"agentdb_partitioning_{name}"
        lines += [f"# HELP {metric} {words}", f"# TYPE {metric} gauge"]
        lines += [
            f"{metric}{{table={_label(one.table)}}} {getattr(one, name)}"
            for one in found
            # Of what does not follow the clock nothing is ahead, and nobody is to be woken for it.
            if one.premake or name not in {"ahead", "premake"}
        ]
    return "\n".join(lines) + "\n"


FORMATS: Final = {"text": as_text, "json": as_json, "prometheus": as_prometheus}
