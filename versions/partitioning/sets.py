"""Read what partitioned tables there are, however they are divided, and which partitions each has."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import facts, policies
from spotify_ai_agent_migrations.versions.partitioning.schemes import How, Value
from spotify_ai_agent_migrations.versions.partitioning.session import Session, said


@dataclass(frozen=True)
class Set:
    """A partitioned table: its names, plain and as SQL writes them, how and by what it is divided."""

    oid: int
    schema: str
    plain: str
    name: str
    owner: str
    how: How
    keys: tuple[str, ...]

    @property
    def identifier(self) -> Identifier:
        """Its name."""
        return Identifier(self.schema, self.plain)


@dataclass(frozen=True)
class Part:
    """A partition: its name, plain and as SQL writes it, its bound as the server writes it, its size."""

    oid: int
    schema: str
    plain: str
    name: str
    bound: str
    ours: bool
    detaching: bool
    rows: int
    size_bytes: int


def find(session: Session, name: str) -> Set | None:
    """Return the partitioned table called *name*; None where there is no table of that name.

    Raises:
        TableError: there is one, which is not partitioned.
    """
    found = session.ask("set_facts", table=name)
    if found:
        oid, schema, plain, qualified, owner, divided, keys = found[0]
        return Set(oid, schema, plain, qualified, owner, divided, tuple(keys or ()))
    if session.value("oid_of", table=name) is not None:
        raise TableError(
            f'table "{name}" is there, and is not partitioned',
            hint="a live table is converted by time alone: agentdb partitioning convert; "
            "to divide one by LIST or HASH, create another beside it and copy its rows",
        )
    return None


def whole(session: Session, name: str) -> Set:
    """Return the partitioned table called *name*.

    Raises:
        TableError: there is none, or it is not partitioned.
    """
    facts.number_of(session, name)
    found = find(session, name)
    assert found is not None
    return found


def how(session: Session, name: str) -> How | None:
    """Tell how the table called *name* is divided; None where it is not."""
    found = session.ask("set_facts", table=name)
    return found[0][5] if found else None


def parts(session: Session, whole: Set) -> tuple[Part, ...]:
    """Return the partitions of a table, in the order of their names."""
    found = [
        Part(oid, schema, plain, name, bound or "", (comment or "").startswith(facts.MARK), *rest)
        for oid, schema, plain, name, bound, comment, *rest in session.ask("partitions", oid=whole.oid)
    ]
    return tuple(sorted(found, key=lambda one: one.plain))


def unclocked(session: Session) -> tuple[Set, ...]:
    """Return the tables divided by list or hash that have a partition made here, or a policy."""
    names = [str(name) for (name,) in session.ask("unclocked", mark=facts.MARK)]
    names += [
        policy.table for policy in policies.read(session) if how(session, policy.table) in {"list", "hash"}
    ]
    every = (find(session, name) for name in sorted(set(names)))
    return tuple(one for one in every if one is not None)


def normal(session: Session, type_name: str, values: tuple[Value, ...]) -> frozenset[Value]:
    """Return values as the server writes them as a type: `01` and `1` are one bigint."""
    statement = said("as_written", type=SQL(type_name))
    return frozenset(value for (value,) in session.ask(statement, values=list(values)))
