"""Decide whom a restore has brought back, by what a ledger says and who is in the database. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Kind, Line, person


@dataclass(frozen=True)
class Case:
    """What a ledger says of one erasure: of whom, and whether it had begun or was only about to."""

    erasure: UUID
    completes: UUID | None
    person: str
    requested_at: datetime
    has_begun: bool


@dataclass(frozen=True)
class Returned:
    """Who is to be erased again, in the order of the ledger, and who perhaps.

    known: cases whose person is known here to be erased. absent: cases that mean nobody here.
    """

    again: tuple[tuple[Case, int], ...]
    doubtful: tuple[tuple[Case, int], ...]
    known: int
    absent: int


def cases(lines: Iterable[Line]) -> tuple[Case, ...]:
    """Return the erasures that *lines* tell of, in their order, but for those that did not come about."""
    told: dict[UUID, list[Line]] = {}
    for line in lines:
        told.setdefault(line.erasure, []).append(line)
    return tuple(_case(some) for some in told.values() if not _was_dropped(some))


def named(people: Iterable[tuple[int, int]], keys: Sequence[bytes]) -> Iterator[tuple[str, int]]:
    """Yield what a ledger may call each of *people*, their number and registration, with their number."""
    for subject, registered_us in people:
        for key in keys:
            yield person(key, subject, registered_us), subject


def returned(firsts: Iterable[Case], erased_here: Mapping[str, int], people: Mapping[str, int]) -> Returned:
    """Return what is to be done about the cases; each person once, who may have been erased several times."""
    known = absent = 0
    found: dict[int, list[Case]] = {}
    for case in firsts:
        if case.person in erased_here:
            known += 1
        elif case.person not in people:
            absent += 1
        else:
            found.setdefault(people[case.person], []).append(case)
    sure = [(_first_begun(some), subject) for subject, some in found.items()]
    return Returned(
        tuple((case, subject) for case, subject in sure if case.has_begun),
        tuple((case, subject) for case, subject in sure if not case.has_begun),
        known,
        absent,
    )


def _case(lines: Sequence[Line]) -> Case:
    first = lines[0]
    return Case(first.erasure, first.completes, first.person, first.requested_at, _has_begun(lines))


def _has_begun(lines: Sequence[Line]) -> bool:
    return any(line.kind in {Kind.HIDDEN, Kind.ERASED} for line in lines)


def _was_dropped(lines: Sequence[Line]) -> bool:
    return any(line.kind is Kind.DROPPED for line in lines) and not _has_begun(lines)


def _first_begun(some: Sequence[Case]) -> Case:
    return next((case for case in some if case.has_begun), some[0])
