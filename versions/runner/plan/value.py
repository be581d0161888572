"""What a plan is: every statement of the revisions, where it is written, and what it did. Values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from spotify_ai_agent_migrations.versions.core.measurement import Measurement, Verdict

_WORST_FIRST = tuple(Verdict)


class Where(Enum):
    """Where the revisions were executed."""

    ROLLED_BACK = "executed and rolled back"
    CLONE = "executed on a clone with its rows"
    EMPTY_CLONE = "executed on a clone without rows"


@dataclass(frozen=True)
class Planned:
    """One statement of a revision: where it is written, what it says without a literal, what it did.

    `measurement` is None where it was not executed, since it cannot run in a transaction.
    """

    revision: str
    path: str
    line: int
    statement: str
    measurement: Measurement | None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, if it was executed."""
        return self.measurement.verdict if self.measurement else None


@dataclass(frozen=True)
class Moved:
    """A sequence that gave numbers out, which no rollback takes back."""

    sequence: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Plan:
    """The statements of the revisions, in order, and the sequences that moved."""

    where: Where
    statements: tuple[Planned, ...] = ()
    moved: tuple[Moved, ...] = ()

    @property
    def verdicts(self) -> Mapping[str, int]:
        """How many statements there are of each verdict, and how many that were not executed."""
        found = Counter(one.verdict.value if one.verdict else "not executed" for one in self.statements)
        return {name: found[name] for name in (*(verdict.value for verdict in Verdict), "not executed")}

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revisions, in order."""
        return tuple(dict.fromkeys(one.revision for one in self.statements))

    @property
    def hides_locks(self) -> bool:
        """Whether a revision's locks may hide behind those that an earlier one still holds."""
        return self.where is Where.ROLLED_BACK and len(self.revisions) > 1

    def fails(self, verdict: Verdict) -> bool:
        """Tell whether a statement is as bad as *verdict*, or may be: not executed, or its locks hidden."""
        refused = _WORST_FIRST[: _WORST_FIRST.index(verdict) + 1]
        return self.hides_locks or any(
            one.verdict is None or one.verdict in refused for one in self.statements
        )
