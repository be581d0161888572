"""Put a table away where only its owner finds it, and drop it from there."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import relations
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table, version
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

# Before it a foreign key of a partitioned table could not be added without reading both tables.
_NOT_VALID_WHEN_PARTITIONED = 18


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key out: the table and the name that it has, how it is defined, and what it references."""

    table: str
    name: str
    definition: str
    valid: bool
    far: str


def steps(session: Session, table: Table) -> tuple[Step, ...]:
    """Return the steps that put a table away and drop it; all but the last can be taken back."""
    schema = fitted("dropped", table.schema, table.plain)
    relations.refuse(
        f'there is a schema "{schema}" already, where "{table.name}" would be put away',
        (schema for _ in session.ask("schema_owner", name=schema)),
        "drop it, or rename it",
    )
    parts = [(space, name) for space, name in session.ask("homes_of", oid=table.oid)]
    names = [name for _, name in parts]
    relations.refuse(
        f'partitions of "{table.name}" have the same name in different schemas',
        sorted({name for name in names if names.count(name) > 1}),
        "rename one of them, so that all can be put into one schema",
    )
    return (
        *_away(session, table, schema, parts),
        *_unbound(session, table, schema),
        _dropped(session, table, schema, parts),
    )


def _away(session: Session, table: Table, schema: str, parts: list[tuple[str, str]]) -> tuple[Step, ...]:
    """Return a step for the table and each partition: one lock at a time."""
    place = Identifier(schema)
    made = SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(place, SQL(table.owner))
    unmade = SQL("DROP SCHEMA IF EXISTS {}").format(place)

    def step(number: int, space: str, name: str) -> Step:
        there = session.text(Identifier(schema, name))
        is_there = SQL("pg_catalog.to_regclass({}) IS NOT NULL").format(Literal(there))
        back = SQL("ALTER TABLE {} SET SCHEMA {}").format(SQL(there), Identifier(space))
        away = SQL("ALTER TABLE {} SET SCHEMA {}").format(Identifier(space, name), place)
        return Step(
            name=f'put "{name}" away',
            phase=Phase.VERIFY,
            kind=Kind.BRIEF,
            sql=tuple(map(session.text, (away,) if number else (made, away))),
            locks=(Lock(session.text(Identifier(space, name))), Lock(there)),
            undo=(
                relations.only_if(session, is_there, back),
                *(() if number else (session.text(unmade),)),
            ),
            plain=(),
        )

    return tuple(step(number, space, name) for number, (space, name) in enumerate(parts))


def _unbound(session: Session, table: Table, schema: str) -> tuple[Step, ...]:
    """Return the steps that drop foreign keys out; what was validated is validated again on the way back."""
    if table.partitioned and version(session) < _NOT_VALID_WHEN_PARTITIONED:
        return ()
    return tuple(
        step
        for row in session.ask("foreign_keys_of", oid=table.oid)
        for step in _one_unbound(session, ForeignKey(session.text(Identifier(schema, row[0])), *row[1:]))
    )


def _one_unbound(session: Session, key: ForeignKey) -> tuple[Step, ...]:
    alter, name = SQL("ALTER TABLE {} ").format(SQL(key.table)), Identifier(key.name)
    # The other table first: whoever is at both comes from it.
    lock = SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(SQL(key.far))
    drop = alter + SQL("DROP CONSTRAINT IF EXISTS {}").format(name)
    definition = SQL(key.definition.removesuffix(" NOT VALID"))
    add = alter + SQL("ADD CONSTRAINT {} {} NOT VALID").format(name, definition)
    validate = session.text(alter + SQL("VALIDATE CONSTRAINT {}").format(name))
    validated = Step(
        name=f'know that "{key.name}" was valid',
        phase=Phase.COMPLETE,
        kind=Kind.ALONE,
        undo=(validate,),
        undo_alone=True,
        plain=(),
    )
    dropped = Step(
        name=f'drop the foreign key "{key.name}"',
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=tuple(map(session.text, (lock, drop))),
        locks=(Lock(key.far), Lock(key.table)),
        undo=tuple(map(session.text, (drop, add))),
        plain=(),
    )
    return (validated, dropped) if key.valid else (dropped,)


def _dropped(session: Session, table: Table, schema: str, parts: list[tuple[str, str]]) -> Step:
    sequences = relations.firsts(session, "owned_sequences", oid=table.oid)
    drops: tuple[Composable, ...] = (
        SQL("DROP TABLE {}").format(Identifier(schema, table.plain)),
        SQL("DROP SCHEMA {}").format(Identifier(schema)),
    )
    left = session.ask("foreign_keys_of", oid=table.oid) if table.partitioned else ()
    far = {row[4] for row in left if version(session) < _NOT_VALID_WHEN_PARTITIONED}
    return Step(
        name="drop the table" + (f", and with it {', '.join(sequences)}" if sequences else ""),
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=tuple(map(session.text, drops)),
        locks=(
            *(Lock(session.text(Identifier(schema, name))) for _, name in parts),
            *map(Lock, sorted(far)),
        ),
        plain=(session.text(SQL("DROP TABLE {}").format(SQL(table.name))),),
        final=True,
    )
