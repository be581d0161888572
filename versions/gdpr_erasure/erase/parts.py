"""Say what is done to the rows of each table, from the catalogue and the holds in force. No database here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.cycles import lets_go
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keeping import (
    Held,
    Spare,
    any_of,
    keyed,
    of_table,
    spares,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Outcome, Treated
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import Live
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Work, located
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.treating import (
    Change,
    Place,
    change,
    is_derived,
    is_object,
    outcome,
    own,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column, Edge, Kind, Strategy

# It is redacted, by itself and last of all; a step it has none.
TRAIL: Final = "public.audit_log"


@dataclass(frozen=True)
class Part:
    """What is done to the rows of one table, or to some columns of rows of somebody else.

    columns: what is said of each. changed: the columns that get another value. spared: what keeps some rows.
    """

    work: Work
    columns: tuple[Treated, ...]
    changed: tuple[Column, ...] = ()
    spared: tuple[Spare, ...] = ()


@dataclass(frozen=True)
class Known:
    """What parts are made from.

    live: the columns of each table as they are. held: the holds in force. let_go: edges by which rows of a
    cycle let go of each other before any of them goes.
    """

    catalogue: Catalogue
    reaches: tuple[Reach, ...]
    live: Mapping[str, Mapping[str, Live]]
    held: tuple[Held, ...]
    let_go: tuple[Edge, ...] = ()

    @property
    def by_name(self) -> dict[str, Reach]:
        """Return how each table is reached."""
        return {reach.name: reach for reach in self.reaches}


def personal(catalogue: Catalogue, table: str) -> tuple[Column, ...]:
    """Return the columns of *table* that speak of people of the service."""
    return tuple(one for one in catalogue.columns_of(table) if one.is_personal and one.people == "users")


def parts(known: Known) -> tuple[Part, ...]:
    """Return all that is done, in no order."""
    goes = deleted(known)
    return tuple(part for reach in known.reaches for part in _of_table(known, reach, goes))


def is_trail(reach: Reach) -> bool:
    """Tell whether it is the trail, or was a part of it."""
    return TRAIL in {reach.name, reach.table.root}


def deleted(known: Known) -> frozenset[str]:
    """Return the tables whose rows are deleted: by the catalogue, or because they hang on such."""
    found = {
        reach.name
        for reach in known.reaches
        if not is_trail(reach)
        and reach.owned() is not None
        and any(one.strategy is Strategy.DELETE for one in personal(known.catalogue, reach.name))
    }
    bare = {reach.name for reach in known.reaches if not personal(known.catalogue, reach.name)}
    size = 0
    while size != len(found):
        size = len(found)
        found |= {
            edge.from_table
            for edge in known.catalogue.edges
            if edge.constraint and edge.to_table in found and edge.own_columns is None
            if edge.from_table in bare and not edge.on_delete.startswith("SET")
        }
    return frozenset(found)


def _of_table(known: Known, reach: Reach, gone: Collection[str]) -> Iterator[Part]:
    """Yield what is done to the rows of one table: those of the person, and those that mention the person."""
    if is_trail(reach):
        return
    columns, live = personal(known.catalogue, reach.name), known.live.get(reach.name, {})
    owned = reach.owned()
    goes = owned is not None and reach.name in gone
    for names, mention in reach.mentions():
        # A row of another person that names one of these lets go of it before it goes.
        for part in _changed(known, mention, _mentioning(mention, columns, names), live):
            yield _but_for(part, owned) if owned is not None and goes else part
    if owned is not None and goes:
        yield from _gone(known, owned, columns, live)
    elif owned is not None:
        yield from _changed(known, owned, columns, live)


def _gone(known: Known, reach: Reach, columns: Sequence[Column], live: Mapping[str, Live]) -> Iterator[Part]:
    """Yield the part that deletes rows, but for those that are kept; none where all are."""
    spared = spares(known.catalogue, known.by_name, known.held, reach.name)
    if any(not one.via and not one.hold.key for one in spared):
        return
    for edge in known.let_go:
        if edge.from_table == reach.name:
            yield Part(replace(lets_go(reach, edge, live), spared=any_of(spared)), ())
    treated = tuple(Treated(one.name, Strategy.DELETE, Outcome.DELETED) for one in columns)
    objects = tuple(one.name for one in columns if is_object(one))
    yield Part(
        Work(reach, Action.DELETE, live, spared=any_of(spared), objects=objects), treated, spared=spared
    )


def _but_for(part: Part, owned: Reach) -> Part:
    """Return *part* without the rows that are the person's own, which are deleted."""
    return replace(part, work=replace(part.work, spared=located(owned)))


def _mentioning(reach: Reach, columns: Sequence[Column], names: Collection[str]) -> list[Column]:
    """Return what is about the person in rows of somebody else, where its strategy is of the whole row."""
    naming = {name: way[-1].kind for way in reach.ways for name in way[-1].from_columns}
    return [_let_go(one, naming) for one in columns if one.name in names]


def _let_go(column: Column, naming: Mapping[str, Kind]) -> Column:
    if column.strategy is not Strategy.DELETE or column.name not in naming:
        return column
    among = naming[column.name] in {Kind.ARRAY, Kind.JSON}
    return replace(column, strategy=Strategy.REDACT if among else Strategy.NULL, strategy_args={})


def _changed(
    known: Known, reach: Reach, columns: Sequence[Column], live: Mapping[str, Live]
) -> Iterator[Part]:
    """Yield the parts that change *columns*: first what needs the values of others, then the rest."""
    held = of_table(known.held, reach)
    if any(one.column is None and not one.key for one in held):
        return
    free = [one for one in columns if not any(one.name == hold.column and not hold.key for hold in held)]
    places = {one.name: Place(one, live[one.name], reach.table.key) for one in free if one.name in live}
    changes = {name: made for name, place in places.items() if (made := change(place)) is not None}
    for name, place in places.items():
        if name in changes and is_derived(place):
            others = {one: made.value for one, made in changes.items() if not made.is_early}
            changes[name] = change(replace(place, others=others)) or changes[name]
    for is_early in (True, False):
        now = [_unless_held(one, held, reach.name) for one in changes.values() if one.is_early is is_early]
        if now:
            yield _part(reach, live, free, now)


def _unless_held(made: Change, held: Sequence[Held], table: str) -> Change:
    """Return the change for the rows of which no hold keeps the column."""
    conditions = [keyed(one, table) for one in held if one.key and one.column in {None, made.column}]
    if not conditions:
        return made
    value = SQL("CASE WHEN {} THEN {} ELSE {} END").format(
        SQL(" OR ").join(conditions), own(made.column), made.value
    )
    return replace(made, value=value)


def follows(column: Column, live: Mapping[str, Live], changed: Collection[str]) -> bool:
    """Tell whether the server makes a column anew, from columns that are changed."""
    sources = live[column.name].sources if column.name in live else ()
    return column.strategy is not Strategy.KEEP and bool(set(sources) & set(changed))


def _part(reach: Reach, live: Mapping[str, Live], columns: Sequence[Column], made: Sequence[Change]) -> Part:
    names = {one.column for one in made}
    changed = tuple(one for one in columns if one.name in names)
    follow = tuple(one for one in columns if follows(one, live, names))
    treated = tuple(
        Treated(one.name, one.strategy, outcome(one.strategy), one.strategy_args)
        for one in (*changed, *follow)
    )
    work = Work(
        reach,
        Action.UPDATE,
        live,
        made,
        objects=tuple(one.column for one in made if one.is_object),
        is_early=made[0].is_early,
    )
    return Part(work, treated, changed)
