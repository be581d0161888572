"""Read what the indexes of a table are, and build one that nobody waits for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import free
from spotify_ai_agent_migrations.versions.zero_downtime_migration.refusals import refuse_long
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_definition import IndexShape


@dataclass(frozen=True)
class Place:
    """Where an index is, or will be: the table, as SQL writes it, its schema, and its own plain name."""

    table: str
    schema: str
    index: str

    @property
    def identifier(self) -> Identifier:
        """Its name with the schema, as SQL takes it."""
        return Identifier(self.schema, self.index)


@dataclass(frozen=True)
class Index:
    """An index as it is: `constraint` it backs, `keys_of` foreign keys, `parent` index, `builder` at work."""

    oid: int
    plain: str
    name: str
    partitioned: bool
    unique: bool
    body: str
    valid: bool
    comment: str | None
    constraint: str | None
    keys_of: tuple[str, ...]
    parent: str | None
    replica_identity: bool
    clustered: bool
    builder: int | None

    def is_shaped(self, shape: IndexShape) -> bool:
        """Tell whether it is defined so."""
        return (self.unique, self.body) == (shape.unique, shape.body)

    @property
    def leftover(self) -> bool:
        """Whether it is what a build has left that failed."""
        return not (self.valid or self.partitioned or self.parent or self.builder)


def indexes(session: Session, table: int, name: str | None = None) -> tuple[Index, ...]:
    """Return the indexes of the table of that number, or the one of a name."""
    rows = session.ask("index_facts", table=table, name=name)
    return tuple(replace(Index(*row), keys_of=tuple(row[9])) for row in rows)


def index_named(session: Session, table: int, place: Place) -> Index | None:
    """Return the index of that name.

    Raises:
        TableError: something else is called so, or a session is building it just now.
    """
    refuse_long(place.index)
    found = next(iter(indexes(session, table, place.index)), None)
    if found is None:
        _refuse_taken(session, place)
    elif found.builder and not found.valid:
        raise TableError(
            f'the session {found.builder} is building the index "{found.name}" just now',
            hint="wait until it is done, or end it with " + f"SELECT pg_cancel_backend({found.builder})",
        )
    return found


def refuse_other(there: Index | None, shape: IndexShape) -> None:
    """Refuse to build an index whose name another one has; what failed and is of no use is none."""
    if there is not None and not there.leftover and not there.is_shaped(shape):
        raise TableError(
            f'the index "{there.name}" is another one: {"UNIQUE " if there.unique else ""}{there.body}',
            hint="give the new one another name, or replace it: ReplaceIndex does",
        )


def free_name(session: Session, schema: str, name: str) -> str:
    """Return *name*, with a number where something else is called so."""
    return free(name, lambda each: session.ask("relation_named", schema=schema, name=each))


def build(session: Session, place: Place, shape: IndexShape, phase: Phase = Phase.START) -> Step:
    """Return the step that builds an index; what a failed build has left is removed before the next one."""
    parts = {
        "unique": SQL("UNIQUE " if shape.unique else ""),
        "index": Identifier(place.index),
        "table": SQL(place.table),
        "body": SQL(shape.body),
    }
    asked = {"table": place.table, "name": place.index}
    return Step(
        name=f"build the index {place.index}",
        phase=phase,
        kind=Kind.ALONE,
        sql=(
            session.text(SQL("CREATE {unique}INDEX CONCURRENTLY {index} ON {table} {body}").format(**parts)),
        ),
        locks=(Lock(place.table, "SHARE UPDATE EXCLUSIVE"),),
        held="while it reads the table twice; others read and write meanwhile",
        done=session.asked("index_is", **asked, unique=shape.unique, body=shape.body),
        sweep=session.asked("index_litter", **asked, itself=True),
        undo=(session.text(SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(place.identifier)),),
        plain=(session.text(SQL("CREATE {unique}INDEX {index} ON {table} {body}").format(**parts)),),
    )


def commented(session: Session, place: Place, comment: str, phase: Phase = Phase.START) -> Step:
    """Return the step that says what an index is for."""
    return Step(
        name=f"comment on the index {place.index}",
        phase=phase,
        kind=Kind.BRIEF,
        sql=(session.text(_comment(place, comment)),),
        locks=(Lock(session.text(place.identifier), "SHARE UPDATE EXCLUSIVE"),),
    )


def proof_of_uniqueness(session: Session, table: str, shape: IndexShape) -> Step:
    """Return the step that counts the keys that are there more than once, before anything is built."""
    keys = SQL(", ").join(map(SQL, shape.keys))
    conditions = [SQL("({})").format(SQL(shape.where))] if shape.where else []
    if not shape.nulls_equal:
        conditions += [SQL("({}) IS NOT NULL").format(SQL(key)) for key in shape.keys]
    again = SQL("FROM {} {} GROUP BY {} HAVING count(*) > 1").format(
        SQL(table),
        SQL("WHERE {}").format(SQL(" AND ").join(conditions)) if conditions else SQL(""),
        keys,
    )
    query = SQL("SELECT count(*) FROM (SELECT {again}) AS twice HAVING count(*) > 0").format(again=again)
    shown = session.text(SQL("SELECT {}, count(*) {}").format(keys, again))
    return Step(
        name="look for keys that are there twice",
        phase=Phase.START,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        locks=(Lock(table, "ACCESS SHARE"),),
        held="while it reads the table",
        plain=(),
        failure=f'{{first}} keys of "{table}" ({", ".join(shape.keys)}) are there more than once',
        hint=f"{shown} shows them; leave one row of each",
    )


def _comment(place: Place, comment: str) -> Composable:
    return SQL("COMMENT ON INDEX {} IS {}").format(place.identifier, Literal(comment))


def _refuse_taken(session: Session, place: Place) -> None:
    taken = session.ask("relation_named", schema=place.schema, name=place.index)
    if taken:
        whose = f"an index of {taken[0][1]}" if taken[0][1] else "no index"
        raise TableError(
            f'"{place.index}" in the schema "{place.schema}" is {whose}, and none of "{place.table}"',
            hint="give it another name",
        )
