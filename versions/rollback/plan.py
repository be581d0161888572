"""Decide what a rollback would lose, whether it may run, and what has to be kept first. No database here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, Literal

from spotify_ai_agent_migrations.versions.core.errors import RevisionError

Reverse = Literal["lossless", "lossy", "irreversible"]
Kind = Literal["table", "column", "rewritten", "deleted", "updated"]

_SHOWN: Final = 12


@dataclass(frozen=True)
class Loss:
    """Rows that a step destroys: those of a table or of a column, or those it deletes or changes.

    A table is rewritten where it is truncated or a column takes on another type. `rows` of a column are those
    that hold a value. `bytes` are of the whole table, 0 where only some rows go.
    """

    kind: Kind
    table: str
    column: str | None
    rows: int
    bytes: int

    def __str__(self) -> str:
        what = f"{self.table}.{self.column}" if self.column else self.table
        how = {"table": "dropped", "column": "dropped", "updated": "changed"}.get(self.kind, self.kind)
        size = f", {_size(self.bytes)}" if self.bytes else ""
        return f"{what} {how}: {spoken_rows(self.rows)}{size}"


@dataclass(frozen=True)
class StepPlan:
    """One revision on the way back.

    `locks` maps a relation to the modes the way back takes; `duration_ms` is what it took when it was tried
    and rolled back, without keeping rows. `grants` are those of roles that are not ours on what goes.
    `written_since` counts the rows that the revision itself calls a point of no return.
    """

    revision: str
    slug: str
    reverse: Reverse
    losses: tuple[Loss, ...] = ()
    locks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    grants: tuple[str, ...] = ()
    duration_ms: int = 0
    written_since: int = 0

    @property
    def rows_at_risk(self) -> int:
        """How many rows, or values of a column, the step destroys."""
        return sum(loss.rows for loss in self.losses)


@dataclass(frozen=True)
class RollbackPlan:
    """The way back from `start` to `target`, step by step; "base" is before the first revision."""

    start: str
    target: str
    steps: tuple[StepPlan, ...] = field(default=())

    @property
    def rows_at_risk(self) -> int:
        """How many rows, or values of a column, it destroys."""
        return sum(step.rows_at_risk for step in self.steps)

    @property
    def written_since(self) -> int:
        """How many rows were written past a point of no return."""
        return sum(step.written_since for step in self.steps)

    @property
    def digests(self) -> tuple[str, ...]:
        """The digest of the whole plan, then that of what is left after each step."""
        found: list[str] = []
        after = f"to {self.target}"
        for step in reversed(self.steps):
            after = hashlib.sha256(f"{_told(step)}\n{after}".encode()).hexdigest()[:16]
            found.append(after)
        return tuple(reversed(found))

    @property
    def digest(self) -> str:
        """Stands for the plan and every number of rows in it: other rows, another digest."""
        return self.digests[0] if self.steps else ""


def _told(step: StepPlan) -> str:
    """Return what the digest of a step is over: not its locks and its time, which are another each time."""
    return json.dumps(
        [
            step.revision,
            step.reverse,
            [asdict(loss) | {"bytes": 0} for loss in step.losses],
            step.written_since,
        ]
    )


def refuse_irreversible(steps: Sequence[tuple[str, str]]) -> None:
    """Refuse a way back on which a revision, with its `Reverse`, says that there is none.

    Raises:
        RevisionError: names the first one, and how far back the way goes.
    """
    for place, (revision, reverse) in enumerate(steps):
        if reverse.split(";")[0].split(" ")[0].strip(".,") == "irreversible":
            reached = (
                f"agentdb rollback to {revision} goes as far as it can" if place else "nothing can be undone"
            )
            raise RevisionError(
                f"revision {revision} is irreversible: {reverse}; nothing was executed",
                hint=f"{reached}; restore a backup to go further",
            )


def refuse_unaccepted(plan: RollbackPlan, accepted: str | None, earlier: Sequence[str]) -> None:
    """Refuse to destroy rows that nobody accepted to lose.

    *earlier* are the digests of what was left of a rollback that was accepted and cut off.

    Raises:
        RevisionError: no digest, or one of other rows than there are now.
    """
    at_risk = plan.rows_at_risk + plan.written_since
    if not at_risk or accepted == plan.digest or (accepted and plan.digest in earlier):
        return
    problem = f"rolling back to {plan.target} loses {spoken_rows(at_risk)}"
    if accepted:
        problem += f", and the digest {accepted} is of another plan: rows came or went since"
    raise RevisionError(
        f"{problem}; nothing was executed",
        hint=f"read `agentdb rollback plan {plan.target}`, then say --accept-data-loss {plan.digest}",
    )


def lines(plan: RollbackPlan) -> Iterator[str]:
    """Yield a plan as a person reads it."""
    if not plan.steps:
        yield f"the database is at {plan.start}: nothing to roll back"
        return
    yield f"from {plan.start} back to {plan.target}"
    for step in plan.steps:
        yield f"{step.revision} {step.slug}: {step.reverse}, {step.duration_ms} ms"
        yield from (f"    {loss}" for loss in step.losses)
        if step.written_since:
            yield f"    past its point of no return: {spoken_rows(step.written_since)}"
        strong = [name for name, modes in step.locks if "AccessExclusiveLock" in modes]
        if strong:
            yield f"    readers and writers wait for: {_listed(strong)}"
        yield from (f"    takes from others: {grant}" for grant in step.grants)
    if plan.rows_at_risk + plan.written_since:
        yield f"loses {spoken_rows(plan.rows_at_risk)}; to accept that: --accept-data-loss {plan.digest}"
    else:
        yield "loses nothing"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def spoken_rows(count: int) -> str:
    """Return how many rows, as a person says it."""
    return "1 row" if count == 1 else f"{count} rows"


def _size(size_bytes: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size_bytes < 10_240:
            return f"{size_bytes} {unit}"
        size_bytes //= 1_024
    return f"{size_bytes} GB"
