"""Create a partitioned table after the model of a plain one, and give a list its later values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import facts, policies, sets
from spotify_ai_agent_migrations.versions.partitioning.divided import (
    attach_leaf,
    make_leaves,
    take_grants_back,
)
from spotify_ai_agent_migrations.versions.partitioning.model import (
    New,
    left_out,
    model_of,
    named_as_model,
    numbers,
    parent,
    spoken_name,
)
from spotify_ai_agent_migrations.versions.partitioning.plan import Policy, missing
from spotify_ai_agent_migrations.versions.partitioning.premake import premake, statements
from spotify_ai_agent_migrations.versions.partitioning.schemes import (
    ByRange,
    Scheme,
    Value,
    leaf,
    leaves,
)
from spotify_ai_agent_migrations.versions.partitioning.session import (
    Bounds,
    Session,
    Written,
    maintenance_key,
    opened,
)
from spotify_ai_agent_migrations.versions.partitioning.sets import Set

_PURPOSE: Final = "agentdb partitioning"


@dataclass(frozen=True)
class Creation:
    """A partitioned table, and the partitions that were made; none on a second run."""

    table: str
    made: tuple[str, ...]


def create(
    table: str, like: str, by: Scheme, *, settings: Settings | None = None, bounds: Bounds | None = None
) -> Creation:
    """Make the partitioned *table* that is in everything like the table *like*, and its partitions.

    One transaction: killed anywhere, nothing is left. A second run makes the partitions that are missing.
    Its way back is DROP TABLE, and by time, to strike its row of ops.partition_policy. No row is copied.

    Locks: *like* in ACCESS EXCLUSIVE for some milliseconds if it has triggers, policies, grants, foreign keys
    or a comment, which are carried over too, and what it refers to against writers; else as a reader.

    Raises:
        TableError: *like* cannot be divided so, all of it named; or *table* is there and is another one.
    """
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection, bounds)
        name = spoken_name(session, table, like)[2]
        with advisory_lock(
            connection, maintenance_key(name), wait_ms=60_000, called=f"the partitions of {name}"
        ):
            return created(session, table, like, by)


def add_values(
    table: str,
    name: str,
    values: Sequence[Value],
    *,
    settings: Settings | None = None,
    bounds: Bounds | None = None,
) -> Creation:
    """Give values of a list the partition *name*: made alone, then attached.

    Locks: SHARE UPDATE EXCLUSIVE on the table, for a moment: nobody who reads or writes waits, but for those
    who use the DEFAULT partition, where there is one, until it was read.

    Raises:
        TableError: it is no list, one of the values has a partition, or rows of them are in the DEFAULT one.
    """
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection, bounds)
        qualified = facts.qualified(session, table)
        with advisory_lock(
            connection, maintenance_key(qualified), wait_ms=60_000, called=f"the partitions of {qualified}"
        ):
            return added(session, table, name, values)


def creation_written(table: str, like: str, by: Scheme, *, settings: Settings) -> tuple[str, ...]:
    """Return the statements that `create` would execute; executes none."""
    with translated(), opened(settings, _PURPOSE) as connection:
        session = Written(connection)
        created(session, table, like, by)
        return tuple(session.statements)


def addition_written(
    table: str, name: str, values: Sequence[Value], *, settings: Settings
) -> tuple[str, ...]:
    """Return the statements that `add_values` would execute; executes none."""
    with translated(), opened(settings, _PURPOSE) as connection:
        session = Written(connection)
        added(session, table, name, values)
        return tuple(session.statements)


def created(session: Session, table: str, like: str, by: Scheme) -> Creation:
    """Create a table in *session*; see `create`."""
    schema, plain, name = spoken_name(session, table, like)
    if isinstance(by, ByRange):
        policies.refuse_unwritable(session, name, by.premake)
    there = sets.find(session, name)
    if there is not None:
        _refuse_another(there, by)
        return Creation(there.name, _completed(session, there, by))
    new = New(schema, plain, name, model_of(session, like, by))
    made = session.transaction(lambda: _make(session, new, by))
    return Creation(new.name, made)


def added(session: Session, table: str, name: str, values: Sequence[Value]) -> Creation:
    """Add a partition in *session*; see `add_values`."""
    there = sets.whole(session, table)
    if there.how != "list":
        raise TableError(f'table "{there.name}" is divided by {there.how}', hint="a list has values")
    return Creation(there.name, make_leaves(session, there, (leaf(there.plain, name, values),)))


def _refuse_another(there: Set, by: Scheme) -> None:
    if (there.how, there.keys) != (by.how, by.keys):
        raise TableError(
            f'table "{there.name}" is there, by {there.how} of {", ".join(there.keys)}',
            hint="choose another name, or drop it",
        )


def _completed(session: Session, there: Set, by: Scheme) -> tuple[str, ...]:
    """Make the partitions that are missing of a table that is there."""
    if isinstance(by, ByRange):
        policy = Policy(there.name, by.period, by.premake)
        policies.remember(session, policy)
        return premake(session, facts.table(session, there.name), policy, facts.clock(session)[0])
    return make_leaves(session, there, leaves(by, there.plain))


def _make(session: Session, new: New, by: Scheme) -> tuple[str, ...]:
    """Make table and partitions; the caller holds the transaction."""
    carried = left_out(session, new.like)
    if carried:
        # At once and first: a weaker lock would have to be raised, which is how deadlocks are made.
        session.run(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(new.like.identifier))
    for statement in parent(new, by):
        session.run(statement)
    take_grants_back(session, new.identifier)
    for number in numbers(session, new):
        session.run(number)
    for change in named_as_model(new, carried) if carried else ():
        session.run(change)
    if isinstance(by, ByRange):
        return _periods(session, new, by)
    made = leaves(by, new.plain)
    for one in made:
        attach_leaf(session, new.as_set, one, new.like.oid)
    return tuple(one.plain for one in made)


def _periods(session: Session, new: New, by: ByRange) -> tuple[str, ...]:
    model = facts.table(session, new.like.name, by.key)
    table = replace(model, schema=new.schema, plain=new.plain, name=new.name, partitioned=True)
    policy = Policy(new.name, by.period, by.premake)
    made = missing(policy, new.plain, (), facts.clock(session)[0])
    for one in made:
        for statement in statements(session, table, one, new.like.oid):
            session.run(statement)
        take_grants_back(session, table.beside(one.plain))
    policies.remember(session, policy)
    return tuple(one.plain for one in made)
