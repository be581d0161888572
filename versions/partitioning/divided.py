"""Make the partitions of a list or of a hash, each alone, and attach them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import facts, sets
from spotify_ai_agent_migrations.versions.partitioning.premake import like_its_neighbours
from spotify_ai_agent_migrations.versions.partitioning.schemes import Leaf, Value, hashed, listed
from spotify_ai_agent_migrations.versions.partitioning.session import Session, said
from spotify_ai_agent_migrations.versions.partitioning.sets import Set

# Place among the statements that strip a table, of those that take grants back.
_GRANTS: Final = 5


def make_leaves(session: Session, there: Set, wanted: Sequence[Leaf]) -> tuple[str, ...]:
    """Make those of some partitions that are not there, each in its transaction; return their names."""
    _refuse_contradiction(session, there, wanted)
    parts = sets.parts(session, there)
    known = {one.plain for one in parts}
    like = next((one.oid for one in parts if not one.detaching), None)
    made = [one for one in wanted if one.plain not in known]
    for one in made:
        session.transaction(lambda one=one: attach_leaf(session, there, one, like))  # type: ignore[misc]
    return tuple(one.plain for one in made)


def _refuse_contradiction(session: Session, there: Set, wanted: Sequence[Leaf]) -> None:
    """Refuse partitions whose values or remainders others have, or that have others than are wanted."""
    bounds = {one.plain: one.bound for one in sets.parts(session, there)}
    if there.how == "hash":
        _refuse_other_modulus(there, bounds.values(), wanted)
        return
    type_name = str(session.value("key_type", oid=there.oid, key=there.keys[0]))
    held = {
        plain: sets.normal(session, type_name, values)
        for plain, bound in bounds.items()
        if (values := listed(bound)) is not None
    }
    for one in wanted:
        _refuse_other_values(
            one, is_there=one.plain in bounds, held=held, values=sets.normal(session, type_name, one.values)
        )
        if one.plain not in bounds:
            for plain in sorted(name for name in bounds if bounds[name] == "DEFAULT"):
                _refuse_rows(session, there, one, plain)


def _refuse_other_modulus(there: Set, bounds: Iterable[str], wanted: Sequence[Leaf]) -> None:
    moduli = {pair[0] for bound in bounds if (pair := hashed(bound))}
    if moduli - {one.modulus for one in wanted}:
        raise TableError(
            f'table "{there.name}" is divided into {", ".join(map(str, sorted(moduli)))}',
            hint="the number of partitions of a hash is for good; create another table beside it",
        )


def _refuse_other_values(
    one: Leaf, *, is_there: bool, held: Mapping[str, frozenset[Value]], values: frozenset[Value]
) -> None:
    if is_there and held.get(one.plain, frozenset()) != values:
        raise TableError(f'partition "{one.plain}" is there, with other values', hint="choose another name")
    taken = sorted(plain for plain, some in held.items() if plain != one.plain and some & values)
    if taken:
        raise TableError(
            f'partition "{taken[0]}" has values that are meant for "{one.plain}"',
            hint="a value belongs to one partition",
        )


def _refuse_rows(session: Session, there: Set, one: Leaf, default: str) -> None:
    """Refuse a partition whose rows are in the DEFAULT one, which the server would find while it holds it."""
    found = said(
        "rows_of_values",
        table=Identifier(there.schema, default),
        key=Identifier(there.keys[0]),
        values=_values(one.values),
        null=Literal(None in one.values),
    )
    if one.values and session.value(found):
        raise TableError(
            f'the DEFAULT partition "{default}" has rows that are meant for "{one.plain}"',
            hint="move them away and back, in one transaction with the attaching",
        )


def attach_leaf(session: Session, there: Set, one: Leaf, like: int | None) -> None:
    """Make one partition alone and attach it; the caller holds the transaction."""
    partition = Identifier(there.schema, one.plain)
    options = session.value("storage", oid=like) if like is not None else ""
    session.run(
        said("create_partition", partition=partition, table=there.identifier, options=SQL(options or ""))
    )
    session.run(SQL("ALTER TABLE {} OWNER TO {}").format(partition, SQL(there.owner)))
    for statement in like_its_neighbours(session, partition, there.oid, like):
        session.run(statement)
    session.run(
        SQL("COMMENT ON TABLE {} IS {}").format(
            partition, Literal(f"{facts.MARK}: {there.name} by {there.how}")
        )
    )
    session.run(SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(there.identifier, partition, _bound(one)))
    take_grants_back(session, partition)


def _bound(one: Leaf) -> Composable:
    if one.modulus is not None:
        return SQL("FOR VALUES WITH (MODULUS {}, REMAINDER {})").format(
            Literal(one.modulus), Literal(one.remainder)
        )
    return SQL("FOR VALUES IN ({})").format(_values(one.values)) if one.values else SQL("DEFAULT")


def _values(values: Sequence[Value]) -> Composable:
    return SQL(", ").join(map(Literal, values))


def take_grants_back(session: Session, table: Identifier) -> None:
    """Take back what default privileges gave on a table that was just made."""
    oid = session.value("oid_of", table=session.text(table))
    if oid is None:
        return
    for place, statement in session.ask("strip", oid=oid):
        if place == _GRANTS:
            session.run(statement)
