"""Break the cycles of tables that name each other, so that the rows of all of them can be deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Refusal
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import Live
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Work
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.treating import Change
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Edge

Columns = Mapping[str, Mapping[str, Live]]


@dataclass(frozen=True)
class Broken:
    """Where cycles are broken.

    edges: what is followed no more. nulled: those of them whose columns become NULL before rows are deleted.
    is_deferred: whether the others only hold at the end of one transaction.
    """

    edges: tuple[Edge, ...] = ()
    nulled: tuple[Edge, ...] = ()
    is_deferred: bool = False
    refusals: tuple[Refusal, ...] = ()


def broken(
    edges: Sequence[Edge],
    deleted: Collection[str],
    live: Columns,
    *,
    is_lossless: Callable[[tuple[Edge, ...]], bool],
) -> Broken:
    """Return where to break the cycles among the tables that are *deleted*.

    is_lossless: tells whether all rows of the person are reached without some edges.
    """
    left = [one for one in dict.fromkeys(edges) if _orders(one, deleted)]
    found = Broken()
    while cycle := _cycle(left):
        candidates = sorted((_cost(one, live), place) for place, one in enumerate(cycle))
        chosen = next(
            (
                cycle[place]
                for cost, place in candidates
                if cost < _NEVER and is_lossless((*found.edges, cycle[place]))
            ),
            None,
        )
        if chosen is None:
            names = ", ".join(sorted({one.from_table for one in cycle}))
            refusal = Refusal(
                names, "name each other, and none can go first", "let one of their foreign keys be deferrable"
            )
            return replace(found, refusals=(refusal,))
        left.remove(chosen)
        found = _with(found, chosen, live)
    return found


def without(reach: Reach, edges: Collection[Edge]) -> Reach:
    """Return how a table is reached where *edges* are not followed."""
    return replace(reach, ways=tuple(way for way in reach.ways if not set(way) & set(edges)))


def lets_go(reach: Reach, edge: Edge, live: Mapping[str, Live]) -> Work:
    """Return the work that takes from rows what they name by *edge*."""
    changes = [Change(name, SQL("NULL"), live[name]) for name in _nullable(edge, live)]
    return Work(reach, Action.UPDATE, live, changes, lets_go=True)


_DECLARED, _NULLED, _DEFERRED, _NEVER = range(4)


def _cost(edge: Edge, live: Columns) -> int:
    if edge.constraint is None:
        return _DECLARED
    if _nullable(edge, live.get(edge.from_table, {})):
        return _NULLED
    return _DEFERRED if edge.is_deferrable else _NEVER


def _nullable(edge: Edge, live: Mapping[str, Live]) -> tuple[str, ...]:
    return tuple(name for name in edge.from_columns if not live[name].shape.not_null)


def _with(found: Broken, chosen: Edge, live: Columns) -> Broken:
    cost = _cost(chosen, live)
    return Broken(
        (*found.edges, chosen),
        (*found.nulled, chosen) if cost == _NULLED else found.nulled,
        found.is_deferred or cost == _DEFERRED,
    )


def _orders(edge: Edge, deleted: Collection[str]) -> bool:
    """Tell whether rows of one deleted table have to go before those of another, by *edge*."""
    is_followed = edge.constraint is not None or edge.own_columns is None
    return (
        is_followed and edge.from_table != edge.to_table and {edge.from_table, edge.to_table} <= set(deleted)
    )


def _cycle(edges: Sequence[Edge]) -> list[Edge]:
    """Return the edges of one cycle, in their order; none where there is none."""
    for start in sorted({one.from_table for one in edges}):
        for path in _paths(edges, start, start, frozenset()):
            return path
    return []


def _paths(edges: Sequence[Edge], at: str, goal: str, visited: frozenset[str]) -> Iterator[list[Edge]]:
    for edge in edges:
        if edge.from_table != at:
            continue
        if edge.to_table == goal:
            yield [edge]
        elif edge.to_table not in visited:
            for path in _paths(edges, edge.to_table, goal, visited | {at}):
                yield [edge, *path]
