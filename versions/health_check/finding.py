"""What a check says: states, findings, and the report of a run. Frozen values, no database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class State(str, Enum):
    """What became of a check; in a report the worst comes first."""

    CRITICAL = "critical"
    UNKNOWN = "unknown"
    WARNING = "warning"
    INFO = "info"
    OK = "ok"
    SUPPRESSED = "suppressed"
    SKIPPED = "skipped"

    @property
    def rank(self) -> int:
        """Its place among all, the worst first."""
        return list(State).index(self)


@dataclass(frozen=True)
class Subject:
    """What a finding is about: a table, an index, a slot, a setting, or the whole server."""

    kind: str = "server"
    schema: str | None = None
    name: str = ""

    def __str__(self) -> str:
        """Its name as a person says it."""
        qualified = f"{self.schema}.{self.name}" if self.schema else self.name
        return f"{self.kind} {qualified}".strip()


@dataclass(frozen=True)
class Fix:
    """SQL that mends a finding, and the lock that it takes; executed as it is, it clears the finding."""

    sql: str
    lock: str = "none"


@dataclass(frozen=True)
class Suppressed:
    """What a finding was, why it is allowed, and the last day of that."""

    was: State
    reason: str
    expires: date


@dataclass(frozen=True)
class Finding:
    """One thing that one check found; `values` and `evidence_sql` hold no value of a row.

    `measure` is what was compared with `warning` and `critical`, in `unit`. `first_seen` is since when it has
    been there without a break, where a history tells.
    """

    check: str
    state: State
    subject: Subject = Subject()
    summary: str = ""
    values: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    measure: float | None = None
    warning: float | None = None
    critical: float | None = None
    unit: str = ""
    evidence_sql: str = ""
    fixes: tuple[Fix, ...] = ()
    cure: str | None = None
    first_seen: datetime | None = None
    suppressed: Suppressed | None = None

    @property
    def severity(self) -> State:
        """How bad it is, whether it is allowed or not."""
        return self.state if self.suppressed is None else self.suppressed.was

    @property
    def group(self) -> str:
        """The group of the check: what stands before the point of its id."""
        return self.check.partition(".")[0]

    @property
    def fingerprint(self) -> str:
        """The same for the same thing in every run, whatever its numbers are."""
        parts = (self.check, self.subject.kind, self.subject.schema or "", self.subject.name)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Measured:
    """A number that a check looked at, within its limits or not; worse is less of it, where `falling`."""

    check: str
    subject: Subject
    measure: float
    unit: str
    state: State
    warning: float | None = None
    critical: float | None = None
    falling: bool = False


@dataclass(frozen=True)
class Ran:
    """How a check ended: the worst state of its findings, how long it took, and every number that it saw."""

    check: str
    state: State
    seconds: float
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    measured: tuple[Measured, ...] = ()


@dataclass(frozen=True)
class HealthReport:
    """All that was found, in how long, on which server; nothing in it raises.

    `database` names what was measured, whatever its address is: its name, the cluster's number, its timeline.
    """

    checks: tuple[Ran, ...]
    seconds: float
    server: str = ""
    server_version: int | None = None
    role: str = "unknown"
    database: str = ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, the worst first."""
        found = [one for ran in self.checks for one in ran.findings]
        return tuple(sorted(found, key=lambda one: (one.state.rank, one.check, str(one.subject))))

    @property
    def state(self) -> State:
        """The worst that counts: what is suppressed is as good as ok, what was skipped says nothing."""
        counted = [ran.state for ran in self.checks if ran.state is not State.SKIPPED]
        found = min(counted, key=lambda state: state.rank, default=State.UNKNOWN)
        return State.OK if found is State.SUPPRESSED else found
