"""Drop the foreign keys of a table that is put away, one by one, so that each can come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table, version
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

# Before it a foreign key of a partitioned table could not be added without reading both tables.
NOT_VALID_WHEN_PARTITIONED: Final = 18


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key out: the table and the name that it has, how it is defined, and what it references."""

    table: str
    name: str
    definition: str
    valid: bool
    far: str


def unbound(session: Session, table: Table, schema: str) -> tuple[Step, ...]:
    """Return the steps that drop foreign keys out; what was validated is validated again on the way back."""
    if table.partitioned and version(session) < NOT_VALID_WHEN_PARTITIONED:
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
