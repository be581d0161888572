"""What a change of a live table is, and the steps it comes to, as they are recorded. No database here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.errors import TableError


class Phase(str, Enum):
    """When a step is done; `complete` is the contraction, after which old code no longer runs."""

    START = "start"
    BACKFILL = "backfill"
    VERIFY = "verify"
    COMPLETE = "complete"


PHASES: Final = tuple(Phase)
# Of operations that take a name away before they are completed.
_HALVES: Final[Mapping[str, Phase]] = {"drop_column": Phase.BACKFILL, "drop_table": Phase.BACKFILL}


def half(operation: str) -> Phase:
    """Return the last phase of an operation with which old code runs."""
    return _HALVES.get(operation, Phase.VERIFY)


def expansion(operation: str) -> tuple[Phase, ...]:
    """Return the phases of an operation that old code runs with."""
    return PHASES[: PHASES.index(half(operation)) + 1]


def contraction(operation: str) -> tuple[Phase, ...]:
    """Return the phases of an operation behind those, in which names are taken away."""
    return PHASES[PHASES.index(half(operation)) + 1 :]


class Kind(str, Enum):
    """How a step is executed.

    BRIEF is one transaction under a short lock time-out, tried again as a whole, and recorded in itself.
    ALONE is what cannot run in a transaction or takes long, and which no reader or writer waits for.
    FILL writes rows in batches. PROOF is a query that returns a row for whatever stands against going on.
    """

    BRIEF = "brief"
    ALONE = "alone"
    FILL = "fill"
    PROOF = "proof"


class State(str, Enum):
    """How far a change has come; the last two are its ends."""

    BEGUN = "begun"
    STARTED = "started"
    FILLED = "filled"
    VERIFIED = "verified"
    CONTRACTING = "contracting"
    ABORTING = "aborting"
    COMPLETED = "completed"
    ABORTED = "aborted"


ENDED: Final = frozenset({State.COMPLETED, State.ABORTED})
# What a change is once all steps of a phase are done.
REACHED: Final[Mapping[Phase, State]] = {
    Phase.START: State.STARTED,
    Phase.BACKFILL: State.FILLED,
    Phase.VERIFY: State.VERIFIED,
    Phase.COMPLETE: State.COMPLETED,
}


@dataclass(frozen=True)
class Lock:
    """The strongest lock on a table: its name as SQL writes it, and the mode in PostgreSQL's words."""

    table: str
    mode: str = "ACCESS EXCLUSIVE"


@dataclass(frozen=True)
class Fill:
    """What a backfill writes: columns and the expressions they get (`values`), in rows that are `due`."""

    table: str
    values: tuple[tuple[str, str], ...]
    due: str


@dataclass(frozen=True)
class Step:
    """One step of a change.

    `sql` are its statements as they are sent, `locks` what they lock and `held` for how long at most.
    `done` is a query of an ALONE step that is true when an earlier try has done it all; `sweep` is one that
    returns the statements that take away what a try has left that failed; `blame` is one that names the rows
    where it failed for their being equal, said as a PROOF says it. `undo` takes the step back in the way of
    its kind, under `undo_locks` if they are others, and may be executed twice. `plain` does the same as `sql`
    in the transaction of a migration. A PROOF says with `failure` and `hint` what is wrong,
    `{count}` and `{first}` being how many rows there are and the first value of the first; one that is
    `only_said` stops nothing. After a `final` step there is no way back.
    """

    name: str
    phase: Phase
    kind: Kind
    sql: tuple[str, ...] = ()
    locks: tuple[Lock, ...] = ()
    held: str = "some milliseconds"
    done: str | None = None
    sweep: str | None = None
    blame: str | None = None
    undo: tuple[str, ...] = ()
    undo_locks: tuple[Lock, ...] = ()
    plain: tuple[str, ...] | None = None
    fill: Fill | None = None
    failure: str = ""
    hint: str = ""
    only_said: bool = False
    final: bool = False

    def failed(self, count: int, first: object) -> TableError:
        """Return what it says of what was found: how much, and the first of it."""
        # Not `format`: a name in it may hold braces of its own.
        texts = (
            text.replace("{count}", str(count)).replace("{first}", str(first))
            for text in (self.failure, self.hint)
        )
        failure, hint = texts
        return TableError(failure, hint=hint)


@dataclass(frozen=True)
class Change:
    """A change as it is recorded: what was wished, its steps, how far it is; `done` are their places."""

    id: int
    operation: str
    table: str
    subject: str
    arguments: Mapping[str, Any]
    steps: tuple[Step, ...]
    state: State
    begun: frozenset[int] = field(default=frozenset())
    done: frozenset[int] = field(default=frozenset())
    # The first whose applications know the new form.
    revision: str | None = None

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in ENDED

    def left(self, phase: Phase) -> tuple[tuple[int, Step], ...]:
        """Return the steps of a phase that are not done, each with its place."""
        return tuple(
            (place, step)
            for place, step in enumerate(self.steps)
            if step.phase is phase and place not in self.done
        )

    def filling(self, table: str) -> int | None:
        """Return the place of the step that fills a table."""
        return next(
            (
                place
                for place, step in enumerate(self.steps)
                if step.kind is Kind.FILL and step.fill is not None and step.fill.table == table
            ),
            None,
        )

    def is_contracting(self) -> bool:
        """Tell whether something of its contract was begun that is more than a look."""
        return any(place in self.begun for place in self._contracting())

    def contracts(self) -> bool:
        """Tell whether its contract does more than to look."""
        return bool(self._contracting())

    def _contracting(self) -> tuple[int, ...]:
        return tuple(
            place
            for place, step in enumerate(self.steps)
            if step.phase in contraction(self.operation) and step.kind is not Kind.PROOF
        )

    def is_final(self) -> bool:
        """Tell whether a step was begun after which there is no way back."""
        return any(step.final and place in self.begun for place, step in enumerate(self.steps))


def written(step: Step) -> dict[str, Any]:
    """Return a step as JSON takes it."""
    return asdict(step)


def read(document: Mapping[str, Any]) -> Step:
    """Return the step that `written` wrote."""
    known: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    fill = known.pop("fill")
    for locks in ("locks", "undo_locks"):
        known[locks] = tuple(Lock(**lock) for lock in known[locks])
    phase, kind = Phase(known.pop("phase")), Kind(known.pop("kind"))
    return Step(**known, phase=phase, kind=kind, fill=_read_fill(fill) if fill else None)


def _read_fill(document: Mapping[str, Any]) -> Fill:
    values = tuple((name, value) for name, value in document["values"])
    return Fill(**{**document, "values": values})
