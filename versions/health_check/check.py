"""What a check is, and how what the server says becomes findings. No database, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any, Final

from spotify_ai_agent_migrations.versions.health_check.finding import (
    Finding,
    Fix,
    Measured,
    State,
    Subject,
)

Summary = Callable[[Mapping[str, Any]], str]
PRIMARY: Final = frozenset({"primary"})
STANDBY: Final = frozenset({"standby"})
BOTH: Final = PRIMARY | STANDBY


@dataclass(frozen=True)
class Check:
    """One question to the server.

    Its statement, named as its id with `_` for the point, gives rows of `kind`, `schema`, `name`, `measure`,
    `state`, `values` and `fixes`: no row is ok. A `state` that is not NULL is the finding's; else `measure`
    is compared with the limits, above which (or below which, where `falling`) it is worse. `fixes` are pairs
    of SQL and lock. `values` holds numbers and names, never a value of a row. `settings` are parameters of
    the statement beside `warning` and `critical`.

    One that is `watching` others would see a part only without pg_read_all_stats, and is not run then. Below
    the version `renamed` the statement is the one with `_older` behind its name.

    One that is `probed` asks first what to ask: rows of kind, schema, name, a question, and what would cure
    that the login may not ask it; these questions may take `most_s`, or where that is None all the time that
    is left. One of a `table`, or an `extension`, is skipped where there is none; and one that is `told`
    something, by one of its `settings`, where it was not.

    One that `follows` another asks what that one asks, and says what becomes of it if it goes on as it did.
    One that `wants` what a run is given beside the server is skipped where it was not. One that is `on_disk`
    is told by the server where to look, and looks there itself.
    """

    id: str
    title: str
    why: str
    summary: str
    warning: float | None = None
    critical: float | None = None
    unit: str = ""
    falling: bool = False
    roles: frozenset[str] = BOTH
    since: int = 0
    needs: str = ""
    deep: bool = False
    most_s: float | None = 0.3
    watching: bool = False
    renamed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    probed: bool = False
    table: str = ""
    extension: str = ""
    follows: str = ""
    wants: str = ""
    on_disk: bool = False
    told: str = ""

    @property
    def statement(self) -> str:
        """The name of its statement."""
        return (self.follows or self.id).replace(".", "_")

    @property
    def is_plain(self) -> bool:
        """Whether its statement says all that it says: nothing beside the server is looked at."""
        return not (self.follows or self.wants or self.on_disk)

    @property
    def group(self) -> str:
        """What stands before the point of its id."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class Row:
    """One row of a check's statement, and the statement as it was sent."""

    kind: str
    schema: str | None
    name: str
    measure: float | None
    state: str | None
    values: Mapping[str, Any]
    fixes: tuple[tuple[str, str], ...]
    evidence_sql: str


def findings_of(check: Check, rows: Iterable[Row]) -> tuple[Finding, ...]:
    """Return what *rows* say, but for what is within the limits."""
    found = (_finding(check, row) for row in rows)
    return tuple(one for one in found if one.state is not State.OK)


def measured_of(check: Check, rows: Iterable[Row]) -> tuple[Measured, ...]:
    """Return every number among *rows*, also what is within the limits."""
    return tuple(
        Measured(
            check.id,
            Subject(row.kind, row.schema, row.name),
            row.measure,
            check.unit,
            State(row.state) if row.state is not None else judged(check, row.measure),
            check.warning,
            check.critical,
            check.falling,
        )
        for row in rows
        if row.measure is not None
    )


def _finding(check: Check, row: Row) -> Finding:
    return Finding(
        check.id,
        State(row.state) if row.state is not None else judged(check, row.measure),
        Subject(row.kind, row.schema, row.name),
        _summary(check, row),
        row.values,
        row.measure,
        check.warning,
        check.critical,
        check.unit,
        row.evidence_sql,
        tuple(Fix(sql, lock) for sql, lock in row.fixes),
        str(row.values["cure"]) if "cure" in row.values else None,
    )


def _summary(check: Check, row: Row) -> str:
    if "reason" in row.values:
        return f"{Subject(row.kind, row.schema, row.name)}: {row.values['reason']}"
    return check.summary.format(name=row.name, schema=row.schema, measure=row.measure, **row.values)


def judged(check: Check, measure: float | None) -> State:
    """Return the state that *measure* is in by the limits of *check*; what nobody knows is unknown."""
    if measure is None or isnan(measure):
        return State.UNKNOWN
    for limit, state in ((check.critical, State.CRITICAL), (check.warning, State.WARNING)):
        if limit is not None and (measure <= limit if check.falling else measure >= limit):
            return state
    return State.OK


def worst(findings: Iterable[Finding]) -> State:
    """Return the worst state of *findings*; ok of none."""
    return min((one.state for one in findings), key=lambda state: state.rank, default=State.OK)
