"""Take from a table that is a model what a new one, divided, is to have: all but its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import facts
from spotify_ai_agent_migrations.versions.partitioning.schemes import Scheme
from spotify_ai_agent_migrations.versions.partitioning.session import Session, said
from spotify_ai_agent_migrations.versions.partitioning.sets import Set

# Places among the statements that carry a table over, of what LIKE does not copy: targets of statistics,
# triggers, policies, grants, the comment.
_NOT_COPIED: Final = frozenset({10, 11, 30, 31, 32, 40, 41, 42, 43, 50, 51, 52, 60})
_ASIDE: Final = "agentdb_template"


@dataclass(frozen=True)
class New:
    """A table that is to be made: its names, and the one it is modelled on."""

    schema: str
    plain: str
    name: str
    like: Set

    @property
    def identifier(self) -> Identifier:
        """Its name."""
        return Identifier(self.schema, self.plain)

    @property
    def as_set(self) -> Set:
        """What it will be, with the number and the owner of its model."""
        return replace(self.like, schema=self.schema, plain=self.plain, name=self.name)


def spoken_name(session: Session, table: str, like: str) -> tuple[str, str, str]:
    """Return schema and name of a table to be made, and both as SQL writes them.

    Without a schema it comes to that of its model.
    """
    facts.number_of(session, like)
    schema, plain, name = session.ask("spoken_name", table=table, like=like)[0]
    if plain is None:
        raise TableError(f'"{table}" is no name of a table', hint="say schema.table, as SQL writes it")
    return str(schema), str(plain), str(name)


def model_of(session: Session, like: str, by: Scheme) -> Set:
    """Return the table that is the model.

    Raises:
        TableError: it cannot be divided so; everything is named.
    """
    oid, schema, plain, name, owner = session.ask("template_facts", table=like)[0]
    found = session.ask("template_obstacles", oid=oid, keys=list(by.keys), how=by.how)
    begin = f'table "{name}" cannot be divided by {by.how} of {", ".join(by.keys)}'
    facts.refuse_all(begin, [str(line) for (line,) in found])
    return Set(oid, schema, plain, name, owner, by.how, by.keys)


def left_out(session: Session, like: Set) -> tuple[str, ...]:
    """Return what gives a table of the name of a model what LIKE does not copy.

    The server writes triggers, policies, grants and foreign keys for the name of the table they are on.
    """
    carried = [str(text) for place, _, text in session.ask("carry", oid=like.oid) if place in _NOT_COPIED]
    return (*carried, *(str(text) for text, _ in session.ask("outgoing", oid=like.oid)))


def parent(new: New, by: Scheme) -> Iterator[Composable]:
    """Yield what makes the table without its partitions."""
    yield said(
        "create_set",
        table=new.identifier,
        like=new.like.identifier,
        how=SQL(by.how.upper()),
        keys=SQL(", ").join(map(Identifier, by.keys)),
    )
    yield SQL("ALTER TABLE {} OWNER TO {}").format(new.identifier, SQL(new.like.owner))


def numbers(session: Session, new: New) -> Iterator[str | Composable]:
    """Yield what gives each serial column a sequence of the new table's own; LIKE copies the name of the old.

    An identity is copied with a sequence.
    """
    for number in facts.numbered(session, new.like.oid):
        if number.identity:
            continue
        sequence = Identifier(new.schema, f"{new.plain}_{number.column}_seq")
        name, column = session.text(sequence), Identifier(number.column)
        yield SQL("CREATE SEQUENCE {} {}").format(sequence, SQL(number.options))
        yield SQL("ALTER SEQUENCE {} OWNER TO {}").format(sequence, SQL(new.like.owner))
        yield SQL("ALTER SEQUENCE {} OWNED BY {}.{}").format(sequence, new.identifier, column)
        yield SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT pg_catalog.nextval({})").format(
            new.identifier, column, Literal(name)
        )
        old = facts.qualified(session, session.text(Identifier(number.schema, number.sequence)))
        for grant in number.grants:
            yield grant.replace(f" ON SEQUENCE {old} TO ", f" ON SEQUENCE {name} TO ", 1)


def named_as_model(new: New, carried: Sequence[str]) -> Iterator[str | Composable]:
    """Yield *carried*, before it what gives the new table its model's name, after it what takes that back."""
    like, aside = new.like, f"{_ASIDE}_{new.like.oid}"
    beside = Identifier(like.schema, new.plain)
    yield SQL("ALTER TABLE {} RENAME TO {}").format(like.identifier, Identifier(aside))
    if new.schema != like.schema:
        yield SQL("ALTER TABLE {} SET SCHEMA {}").format(new.identifier, Identifier(like.schema))
    yield SQL("ALTER TABLE {} RENAME TO {}").format(beside, Identifier(like.plain))
    yield from carried
    yield SQL("ALTER TABLE {} RENAME TO {}").format(like.identifier, Identifier(new.plain))
    if new.schema != like.schema:
        yield SQL("ALTER TABLE {} SET SCHEMA {}").format(beside, Identifier(new.schema))
    yield SQL("ALTER TABLE {} RENAME TO {}").format(Identifier(like.schema, aside), Identifier(like.plain))
