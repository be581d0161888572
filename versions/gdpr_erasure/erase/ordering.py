"""Put tables in the order in which their rows can go: a table before those that its ways pass through."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue


def ordered(
    catalogue: Catalogue, reaches: Sequence[Reach], worked: Collection[str], deleted: Collection[str]
) -> tuple[str, ...]:
    """Return the tables *worked* on, in order; the table of people last, but for what kept rows hang on.

    Tables of a cycle come in the order of their names; see `cycles`.
    """
    after = _constraints(catalogue, reaches, worked, deleted)
    subject = reaches[0].subject.name
    late = _above(_bearers(reaches, worked, subject), after, subject)
    early = [name for name in worked if name != subject and name not in late]
    own = [subject] if subject in worked else []
    last = _sorted(sorted(late), after)
    return (*_sorted(early, after), *((*last, *own) if subject in deleted else (*own, *last)))


def _constraints(
    catalogue: Catalogue, reaches: Sequence[Reach], worked: Collection[str], deleted: Collection[str]
) -> dict[str, set[str]]:
    """Return, by table, those that have to be done before it."""
    after: dict[str, set[str]] = {name: set() for name in worked}
    for reach in reaches:
        for way in reach.ways:
            for edge in way:
                if edge.to_table in after and edge.to_table != reach.name and reach.name in after:
                    after[edge.to_table].add(reach.name)
    for edge in catalogue.edges:
        is_binding = edge.constraint and edge.from_table != edge.to_table
        if is_binding and edge.from_table in after and edge.to_table in deleted:
            after[edge.to_table].add(edge.from_table)
    return after


def _bearers(reaches: Sequence[Reach], worked: Collection[str], subject: str) -> set[str]:
    """Return the tables that rows are reached through which no step is about: they go when all is done."""
    return {
        edge.to_table
        for reach in reaches
        if reach.name not in worked
        for way in reach.ways
        for edge in way
        if edge.to_table in worked and edge.to_table != subject
    }


def _above(bearers: set[str], after: Mapping[str, Collection[str]], subject: str) -> set[str]:
    """Return *bearers* with the tables that they are reached through themselves."""
    found, size = set(bearers), -1
    while size != len(found):
        size = len(found)
        found |= {name for name, before in after.items() if name != subject and found & set(before)}
    return found


def _sorted(names: Sequence[str], after: Mapping[str, Collection[str]]) -> list[str]:
    left, found = sorted(names), []
    while left:
        free = [name for name in left if not set(after.get(name, ())) & (set(left) - {name})] or left[:1]
        found.append(free[0])
        left.remove(free[0])
    return found
