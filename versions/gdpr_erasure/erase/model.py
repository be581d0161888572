"""What an erasure is planned and told in, as values. No database here but the statements it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any

from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Strategy


class Action(str, Enum):
    """What a step does to rows."""

    DELETE = "delete"
    UPDATE = "update"


class Outcome(str, Enum):
    """What has become of a value: a pseudonym is personal data still, and is not called erased."""

    DELETED = "deleted"
    ANONYMISED = "anonymised"
    PSEUDONYMISED = "pseudonymised"
    KEPT = "kept"


class State(str, Enum):
    """How far an erasure has come."""

    HIDDEN = "hidden"
    ERASED = "erased"
    SWEPT = "swept"
    CERTIFIED = "certified"


@dataclass(frozen=True)
class Treated:
    """One column, and what becomes of it."""

    name: str
    strategy: Strategy
    outcome: Outcome
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What is done to the person's rows of one table.

    rows: how many the plan counted. by_index: whether they are found by an index; without one the whole table
    is read, of which `cost_rows` tells how many rows it has. lock: what it takes, and for how long.
    whole: does all of them at once, with the parameter `subject`, and returns one row: how many it did, and
    NULL. left: counts the rows that are still to be done, with the parameter `subject`.
    batch: writes `statement`, as long as the session that planned is open.
    """

    position: int
    table: str
    action: Action
    columns: tuple[Treated, ...]
    rows: int
    by_index: bool
    cost_rows: int
    lock: str
    batch: Callable[[], str] = field(compare=False, repr=False)
    whole: str = field(compare=False, repr=False)
    left: str = field(compare=False, repr=False)

    @cached_property
    def statement(self) -> str:
        """Return what does one batch, which most erasures need none of.

        Its parameters: `subject`, `most` (rows) and `after` (key of the last row done, JSON, or None). It
        returns one row: how many it did, and the key of the last, None when it is over.
        """
        return self.batch()


@dataclass(frozen=True)
class Kept:
    """What is not erased: of which table and columns, how many rows, on which ground, until when.

    basis: letters of GDPR art. 17(3), or the law. hold: number of the hold, rule: name of the rule of
    retention; one of the two where it ends by itself.
    counting: counts its rows, with the parameter `subject`, and says when the last is over by the rule.
    """

    table: str
    columns: tuple[str, ...]
    rows: int
    basis: str
    why: str
    until: datetime | None = None
    hold: int | None = None
    rule: str | None = None
    counting: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Refusal:
    """What cannot be done, and what to do about it; one of them refuses the whole erasure."""

    place: str
    problem: str
    hint: str
