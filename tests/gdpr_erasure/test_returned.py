"""Whom a restore has brought back: decided by the ledger and by who is here, without a database."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Kind, Line, person
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.returned import Returned, cases, named, returned

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
OLD, NEW = bytes(32), bytes(range(32))


def line(erasure: int, kind: Kind, called: str, completes: int | None = None) -> Line:
    first = None if completes is None else uuid.UUID(int=completes)
    return Line(1, NOON, kind, uuid.UUID(int=erasure), first, called, "", "request", NOON, "")


def begun(*said: tuple[int, Kind]) -> list[tuple[int, bool]]:
    told = cases(line(erasure, kind, "x") for erasure, kind in said)
    return [(case.erasure.int, case.has_begun) for case in told]


def test_an_erasure_has_begun_when_a_line_says_so_whatever_the_others_say() -> None:
    assert begun((1, Kind.INTENDED)) == [(1, False)]
    assert begun((1, Kind.INTENDED), (1, Kind.DROPPED)) == []
    assert begun((1, Kind.INTENDED), (1, Kind.HIDDEN), (1, Kind.ERASED)) == [(1, True)]
    assert begun((1, Kind.HIDDEN)) == [(1, True)]
    # A writer that believes it was rolled back, and was not.
    assert begun((1, Kind.INTENDED), (1, Kind.DROPPED), (1, Kind.HIDDEN)) == [(1, True)]


def test_the_order_is_that_of_the_ledger() -> None:
    said = [(3, Kind.INTENDED), (1, Kind.INTENDED), (1, Kind.HIDDEN), (2, Kind.HIDDEN), (3, Kind.HIDDEN)]
    assert begun(*said) == [(3, True), (1, True), (2, True)]


def test_each_person_is_erased_once_however_often_they_were_and_by_whatever_key_they_are_called() -> None:
    old, new = person(OLD, 5, 1), person(NEW, 5, 1)
    told = cases(
        [
            line(1, Kind.INTENDED, old),
            line(2, Kind.HIDDEN, new),
            line(3, Kind.HIDDEN, "gone"),
            line(4, Kind.HIDDEN, "here"),
        ]
    )
    people = dict(named([(5, 1), (6, 1)], (NEW, OLD)))
    assert len(people) == 4
    found = returned(told, {"here": 9}, people)
    assert found == Returned(((told[1], 5),), (), known=1, absent=1)


def test_whoever_was_only_to_be_erased_is_in_doubt() -> None:
    told = cases([line(1, Kind.INTENDED, "a"), line(2, Kind.HIDDEN, "b")])
    assert returned(told, {}, {"a": 5, "b": 6}) == Returned(((told[1], 6),), ((told[0], 5),), 0, 0)
    assert returned(told, {"a": 5}, {"b": 6}).doubtful == ()
    assert returned([], {}, {}) == Returned((), (), 0, 0)
