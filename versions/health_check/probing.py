"""Ask the questions that the server itself makes up: one for each table, sequence or index. No SQL here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg2
from psycopg2.errors import DataCorrupted, IndexCorrupted, InsufficientPrivilege

from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.session import Session

Raw = tuple[Any, ...]
# So many questions in one statement: one after another, they would wait for the network most of the time.
_TOGETHER: Final = 50
_BETWEEN: Final = "\nUNION ALL\n"
# Who waits for the lock of one table asks no other meanwhile.
_TOGETHER_LOCK_MS: Final = 20
_ALONE_LOCK_MS: Final = 100
_LEAST_S: Final = 0.01


@dataclass(frozen=True)
class Target:
    """A thing, what is asked of it, what would cure that it may not be, what mends it where it is corrupt."""

    kind: str
    schema: str
    name: str
    question: str | None
    cure: str | None
    fixes: Sequence[Sequence[str]] | None = None

    @property
    def subject(self) -> Raw:
        """What its rows begin with."""
        return self.kind, self.schema, self.name

    def unknown(self, why: str, *, cure: str | None = None) -> Raw:
        """Return a row that says *why* nothing is known of it."""
        values = {"reason": why} | ({"cure": cure} if cure else {})
        return *self.subject, None, "unknown", values, None

    def corrupt(self, code: str) -> Raw:
        """Return a row that says that it is, and what mends it."""
        return *self.subject, None, "critical", {"reason": f"it is corrupt: {code}"}, self.fixes


@dataclass(frozen=True)
class Probe:
    """One check's questions, and until when, by the monotonic clock, they are asked."""

    session: Session
    check: Check
    until: float
    reason: Callable[[Check, psycopg2.Error], str]

    @property
    def left_s(self) -> float:
        """How many seconds there are left."""
        return self.until - time.monotonic()

    def answers(self, found: Sequence[Raw]) -> Iterator[tuple[Raw, str | None]]:
        """Yield the rows that the questions give, each with its question; what cannot be asked says why."""
        targets = [Target(*one) for one in found]
        for target in targets:
            if target.question is None:
                yield target.unknown("the login may not read it", cure=target.cure), None
        asked = [target for target in targets if target.question is not None]
        place = 0
        for some, rows in self._asked(asked):
            place += len(some)
            questions = _questions(some)
            for row in rows:
                # The answers to one question may be of many things.
                yield row, questions.get(row[:3], str(some[0].question)) + ";"
        if place < len(asked):
            yield self._unasked(len(asked) - place, len(asked)), None

    def _asked(self, targets: Sequence[Target]) -> Iterator[tuple[Sequence[Target], Sequence[Raw]]]:
        """Yield one part of the targets after another with what was answered, until there is no time left."""
        for first in range(0, len(targets), _TOGETHER):
            if self.left_s <= 0:
                return
            some = targets[first : first + _TOGETHER]
            try:
                rows = self._rows(some, lock_ms=_TOGETHER_LOCK_MS)
            except psycopg2.Error:
                # One that is locked, or broken, hides no other.
                answered = ((target, self._alone(target)) for target in some)
                yield from (([target], alone) for target, alone in answered if alone is not None)
            else:
                yield some, rows

    def _alone(self, target: Target) -> Sequence[Raw] | None:
        if self.left_s <= 0:
            return None
        try:
            return self._rows([target], lock_ms=_ALONE_LOCK_MS)
        except psycopg2.Error as error:
            if isinstance(error, DataCorrupted | IndexCorrupted):
                return [target.corrupt(str(error.pgcode))]
            if self.left_s <= 0:
                return None
            cure = target.cure if isinstance(error, InsufficientPrivilege) else None
            return [target.unknown(self.reason(self.check, error), cure=cure)]

    def _unasked(self, count: int, total: int) -> Raw:
        """Say of how many nothing is known; to look at what the time allows may be the intent."""
        reason = f"there was no time to ask {count} of {total}"
        if self.check.most_s is None:
            return "check", None, self.check.id, None, "unknown", {"reason": reason}, None
        values = {"reason": f"{reason}; a deep run asks all", "unasked": count}
        return "check", None, self.check.id, None, "info", values, None

    def _rows(self, targets: Sequence[Target], *, lock_ms: int) -> Sequence[Raw]:
        asked = _BETWEEN.join(str(target.question) for target in targets)
        return self.session.rows(asked, most_s=max(self.left_s, _LEAST_S), lock_ms=lock_ms)


def _questions(targets: Sequence[Target]) -> Mapping[Raw, str]:
    """Return what is asked of each subject, which may be that of two questions."""
    found: dict[Raw, str] = {}
    for target in targets:
        before = found.get(target.subject)
        found[target.subject] = _BETWEEN.join(filter(None, (before, target.question)))
    return found
