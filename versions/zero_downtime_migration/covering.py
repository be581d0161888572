"""Build an index of a partitioned table: the whole without its parts, each part on its own, then together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import added, removed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.indexes import (
    Index,
    Place,
    build,
    free_name,
    indexes,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.tree import (
    Node,
    all_locks,
    below,
    together,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_definition import IndexShape
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import only_if


@dataclass(frozen=True)
class Cover:
    """What is built: `whole` is the phase of the table's own index, which holds no rows.

    `rule` is the constraint that it is for, as SQL defines it, and `using` that constraint of an index that
    is there; `named` is what its parts are called behind the name of their table, `said` what is said of it.
    """

    shape: IndexShape
    named: tuple[str, ...]
    rule: str | None = None
    using: str | None = None
    whole: Phase = Phase.START
    said: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A table of the tree, the index it gets, the index that is a part of, and the one it has already."""

    node: Node
    place: Place
    parent: Place
    there: Index | None


def cover(session: Session, table: Table, name: str, asked: Cover) -> tuple[Step, ...]:
    """Return the steps: no partition is locked for longer than a moment, and no two of them together.

    Raises:
        TableError: a partition is a foreign table, or the keys cannot be unique across partitions.
    """
    nodes = below(session, table)
    if asked.shape.unique:
        refuse_ambiguous(session, table, nodes, asked.shape)
    top = Place(table.name, table.schema, name)
    parts = _parts(session, table, top, nodes, asked)
    every = all_locks(table, nodes)
    there = next(iter(indexes(session, table.oid, name)), None)
    attached = {one for one in parts if one.there is not None and one.there.parent is not None}
    whole = _whole(session, top, _taken_back(session, every, asked, top), asked, asked.plain)
    steps = [] if there else [replace(whole, sql=(*whole.sql, *asked.said))]
    for part in parts:
        if part.node.partitioned and part.there is None:
            back = _taken_back(session, every, asked, top, part.place)
            steps.append(_whole(session, part.place, back, asked, ()))
        elif not part.node.partitioned:
            steps += _leaf(session, part, asked)
    steps += [
        _attached(session, part, _taken_back(session, every, asked, top, part.parent))
        for part in sorted(parts, key=lambda one: (-one.node.level, one.there is not None))
        if part not in attached
    ]
    return (*steps, _proof(session, top))


def refuse_ambiguous(session: Session, table: Table, nodes: Sequence[Node], shape: IndexShape) -> None:
    """Refuse what cannot be unique across partitions: it has to hold what they are cut by."""
    for oid, name in ((table.oid, table.name), *((node.oid, node.name) for node in nodes)):
        cut_by = [row[0] for row in session.ask("partition_keys", oid=oid)]
        if not {*cut_by} <= {*shape.columns[: len(shape.keys)]}:
            keys = ", ".join(f'"{key}"' if key else "an expression" for key in cut_by)
            raise TableError(
                f'"{name}" is partitioned by {keys}, and is unique only in keys that hold that',
                hint="add it to the columns, or make each partition unique on its own",
            )


def _parts(
    session: Session, table: Table, top: Place, nodes: Sequence[Node], asked: Cover
) -> tuple[_Part, ...]:
    places: dict[int, Place] = {table.oid: top}
    parts: list[_Part] = []
    for node in nodes:
        there = _usable(session, node, places[node.parent], asked)
        name = there.plain if there else _part_name(session, node, fitted(node.plain, *asked.named))
        places[node.oid] = Place(node.name, node.schema, name)
        parts.append(_Part(node, places[node.oid], places[node.parent], there))
    return tuple(parts)


def _usable(session: Session, node: Node, parent: Place, asked: Cover) -> Index | None:
    """Return an index that is there and can be a part, or is one of the right whole already."""
    wanted = session.text(parent.identifier)
    for index in indexes(session, node.oid):
        if index.parent is not None and _same(session, index.parent, wanted):
            return index
        if (
            index.is_shaped(asked.shape)
            and index.parent is None
            and (index.valid or index.partitioned)
            and bool(index.constraint) == bool(asked.rule)
        ):
            return index
    return None


def _same(session: Session, left: str, right: str) -> bool:
    return bool(
        session.value(
            SQL("SELECT pg_catalog.to_regclass({}) = pg_catalog.to_regclass({})").format(
                Literal(left), Literal(right)
            )
        )
    )


def _part_name(session: Session, node: Node, name: str) -> str:
    """Return what a part is called; the leftover of a failed build gives its name back."""
    found = next(iter(indexes(session, node.oid, name)), None)
    return name if found is not None and found.leftover else free_name(session, node.schema, name)


def _whole(session: Session, place: Place, taken_back: Step, asked: Cover, plain: tuple[str, ...]) -> Step:
    """Return the step that makes an index of a partitioned table, of which no partition is a part yet."""
    named = Identifier(place.index)
    made = (
        SQL("ALTER TABLE ONLY {} ADD CONSTRAINT {} {}").format(SQL(place.table), named, SQL(asked.rule))
        if asked.rule
        else SQL("CREATE {}INDEX {} ON ONLY {} {}").format(
            SQL("UNIQUE " if asked.shape.unique else ""), named, SQL(place.table), SQL(asked.shape.body)
        )
    )
    return replace(
        taken_back,
        name=f"make {place.index} of {place.table}, without its partitions",
        phase=asked.whole,
        sql=(session.text(made),),
        locks=(Lock(place.table, "ACCESS EXCLUSIVE" if asked.rule else "SHARE"),),
        plain=plain,
    )


def _leaf(session: Session, part: _Part, asked: Cover) -> tuple[Step, ...]:
    """Return the steps that give a partition its part of the index."""
    if part.there is not None:
        return ()
    made = replace(build(session, part.place, asked.shape), plain=())
    if asked.using is None:
        return (made,)
    using = session.text(SQL(asked.using).format(index=Identifier(part.place.index)))
    return (
        made,
        Step(
            name=f"make the constraint {part.place.index} of the index",
            phase=Phase.COMPLETE,
            kind=Kind.BRIEF,
            sql=(added(session, part.place.table, part.place.index, using),),
            locks=(Lock(part.place.table),),
            undo=(removed(session, part.place.table, part.place.index),),
            plain=(),
        ),
    )


def _attached(session: Session, part: _Part, taken_back: Step) -> Step:
    attach = SQL("ALTER INDEX {} ATTACH PARTITION {}").format(part.parent.identifier, part.place.identifier)
    index = session.text(part.place.identifier)
    # A partition may have been dropped or detached meanwhile.
    is_part = SQL(
        "EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE link.inhrelid = pg_catalog.to_regclass({}))"
    ).format(Literal(part.node.name))
    return replace(
        taken_back,
        name=f"put {part.place.index} into {part.parent.index}",
        phase=Phase.COMPLETE,
        sql=(only_if(session, is_part, attach),),
        # A vacuum of the partition has a lock on its indexes.
        locks=(
            Lock(part.node.name, "SHARE UPDATE EXCLUSIVE"),
            Lock(session.text(part.parent.identifier), "SHARE UPDATE EXCLUSIVE"),
            Lock(index),
        ),
        plain=(),
        # Taken back it would be dropped with the whole, and it was there before.
        final=part.there is not None,
    )


def _taken_back(session: Session, locks: tuple[Lock, ...], asked: Cover, *places: Place) -> Step:
    """Return a step without a content, whose undoing drops whole indexes and those that are in them.

    A part can neither be taken out of the whole nor be dropped without it.
    """
    dropped = (
        removed(session, place.table, place.index)
        if asked.rule
        else session.text(SQL("DROP INDEX IF EXISTS {}").format(place.identifier))
        for place in dict.fromkeys(places)
    )
    return Step(
        name="",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        undo=(*together(session, locks), *dropped),
        undo_locks=locks,
    )


def _proof(session: Session, top: Place) -> Step:
    index = session.text(top.identifier)
    return Step(
        name="look for partitions without it",
        phase=Phase.COMPLETE,
        kind=Kind.PROOF,
        sql=(session.asked("uncovered_partitions", table=top.table, index=index),),
        plain=(),
        failure=f'{{count}} partitions of "{top.table}" were made meanwhile and have no part of '
        f'"{top.index}", "{{first}}" first',
        hint="abort it, and start it again",
    )
