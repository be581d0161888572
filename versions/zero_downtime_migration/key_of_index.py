"""Make a key of an index that is built first: a unique constraint or a primary key."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import (
    added,
    comments,
    constraint_named,
    removed,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.covering import Cover, cover
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.indexes import (
    Place,
    build,
    index_named,
    proof_of_uniqueness,
    refuse_other,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_definition import IndexShape


@dataclass(frozen=True)
class Key:
    """A key to be made: `word` is UNIQUE or PRIMARY KEY, `definition` all of it, `ending` its deferral."""

    name: str
    word: str
    definition: str
    shape: IndexShape
    ending: str
    comment: str | None

    @property
    def named(self) -> tuple[str, ...]:
        """What the parts of it are called behind the name of their table."""
        return (*self.shape.columns, "key") if self.word == "UNIQUE" else ("pkey",)

    @property
    def using(self) -> str:
        """How SQL makes it of an index, whose name is left out."""
        return f"{self.word} USING INDEX {{index}}{self.ending}"


def key_steps(session: Session, table: Table, key: Key) -> tuple[Step, ...]:
    """Return the steps; none if the key is there and so defined.

    Raises:
        TableError: another constraint or index is called so, or it cannot be unique across partitions.
    """
    found = constraint_named(session, table.oid, key.name, key.definition)
    place = Place(table.name, table.schema, key.name)
    there = index_named(session, table.oid, place)
    refuse_other(there, key.shape)
    if found is not None and there is not None and there.valid:
        return ()
    said = comments(session, table.name, key.name, key.comment)
    plain = (added(session, table.name, key.name, key.definition), *said)
    proof = proof_of_uniqueness(session, table.name, key.shape)
    if table.partitioned:
        # A primary key is made of columns that are NOT NULL, which is seen to before.
        whole = Phase.START if key.word == "UNIQUE" else Phase.COMPLETE
        asked = Cover(key.shape, key.named, key.definition, key.using, whole, said, plain)
        return (proof, *cover(session, table, key.name, asked))
    built = replace(build(session, place, key.shape), plain=())
    return (
        *(() if there and there.valid else (proof, built)),
        _made(session, table, key, said, plain),
    )


def _made(session: Session, table: Table, key: Key, said: tuple[str, ...], plain: tuple[str, ...]) -> Step:
    using = session.text(SQL(key.using).format(index=Identifier(key.name)))
    return Step(
        name="make the constraint of the index",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=(added(session, table.name, key.name, using), *said),
        locks=(Lock(table.name),),
        undo=(removed(session, table.name, key.name),),
        plain=plain,
    )
