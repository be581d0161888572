"""Put a table away where only its owner finds it, and drop it from there."""

from __future__ import annotations

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    refusals,
    unbinding,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table, version
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import only_if


def steps(session: Session, table: Table) -> tuple[Step, ...]:
    """Return the steps that put a table away and drop it; all but the last can be taken back."""
    schema = fitted("dropped", table.schema, table.plain)
    refusals.refuse(
        f'there is a schema "{schema}" already, where "{table.name}" would be put away',
        (schema for _ in session.ask("schema_owner", name=schema)),
        "drop it, or rename it",
    )
    parts = [(space, name) for space, name in session.ask("homes_of", oid=table.oid)]
    names = [name for _, name in parts]
    refusals.refuse(
        f'partitions of "{table.name}" have the same name in different schemas',
        sorted({name for name in names if names.count(name) > 1}),
        "rename one of them, so that all can be put into one schema",
    )
    return (
        *_away(session, table, schema, parts),
        *unbinding.unbound(session, table, schema),
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
                only_if(session, is_there, back),
                *(() if number else (session.text(unmade),)),
            ),
            plain=(),
        )

    return tuple(step(number, space, name) for number, (space, name) in enumerate(parts))


def _dropped(session: Session, table: Table, schema: str, parts: list[tuple[str, str]]) -> Step:
    sequences = refusals.firsts(session, "owned_sequences", oid=table.oid)
    drops: tuple[Composable, ...] = (
        SQL("DROP TABLE {}").format(Identifier(schema, table.plain)),
        SQL("DROP SCHEMA {}").format(Identifier(schema)),
    )
    left = session.ask("foreign_keys_of", oid=table.oid) if table.partitioned else ()
    far = {row[4] for row in left if version(session) < unbinding.NOT_VALID_WHEN_PARTITIONED}
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
