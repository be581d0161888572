"""Ask the questions that the server itself makes up: one for each table, sequence or index. No SQL here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import psycopg2

from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.session import Session

Raw = tuple[Any, ...]
# So many questions in one statement: one after another, they would wait for the network most of the time.
_TOGETHER: Final = 50
_CORRUPT: Final = frozenset({"XX001", "XX002"})


def probed(
    session: Session,
    check: Check,
    targets: Sequence[Raw],
    *,
    most_s: float,
    reason: Callable[[Check, psycopg2.Error], str],
) -> Iterator[Raw]:
    """Yield the rows that the questions of *targets* give; what cannot be asked is unknown, and says why.

    A target is kind, schema, name, question, cure, and what mends it where it is corrupt; the question is
    NULL where the login may not ask it.
    """
    until = time.monotonic() + most_s
    asked = [target for target in targets if target[3] is not None]
    yield from (_unknown(target, "the login may not read it") for target in targets if target[3] is None)
    for first in range(0, len(asked), _TOGETHER):
        some = asked[first : first + _TOGETHER]
        try:
            yield from _rows(session, some, until)
        except psycopg2.Error:
            # One that is locked, or broken, hides no other.
            for target in some:
                yield from _one(session, check, target, until, reason)


def _one(
    session: Session,
    check: Check,
    target: Raw,
    until: float,
    reason: Callable[[Check, psycopg2.Error], str],
) -> Sequence[Raw]:
    try:
        return _rows(session, [target], until)
    except psycopg2.Error as error:
        if error.pgcode in _CORRUPT:
            return [_corrupt(target, str(error.pgcode))]
        return [_unknown(target, reason(check, error))]


def _rows(session: Session, targets: Sequence[Raw], until: float) -> Sequence[Raw]:
    left_s = until - time.monotonic()
    if left_s <= 0:
        return [_unknown(target, "there was no time left for it") for target in targets]
    return session.rows("\nUNION ALL\n".join(str(target[3]) for target in targets), most_s=left_s)


def _unknown(target: Raw, why: str) -> Raw:
    kind, schema, name, _, cure, *_ = target
    return kind, schema, name, None, "unknown", {"reason": why} | ({"cure": cure} if cure else {}), None


def _corrupt(target: Raw, code: str) -> Raw:
    kind, schema, name, _, _, *fixes = target
    return kind, schema, name, None, "critical", {"reason": f"it is corrupt: {code}"}, *(fixes or [None])
