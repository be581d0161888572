"""Put another index in the place of one, or build the same one anew; nobody waits or misses it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import trial_definition
from spotify_ai_agent_migrations.versions.zero_downtime_migration.covering import Cover, cover
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.indexes import (
    Index,
    Place,
    build,
    commented,
    index_named,
    indexes,
    proof_of_uniqueness,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.create_index import (
    CreateIndex,
    definition,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_index import (
    dropped,
    refuse_needed,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_definition import IndexShape
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import only_if


@dataclass(frozen=True)
class ReplaceIndex(CreateIndex):
    """Put the index that the fields define, see `CreateIndex`, in the place of the one called `name`.

    It is built beside the old one; the two change names in a moment, then the old one is dropped. The
    comment goes on to the new one. The last step at a partitioned table needs `at_once`, see `DropIndex`.
    """

    at_once: bool = False
    operation: ClassVar[str] = "replace_index"

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the index is usable and defined so.

        Raises:
            TableError: there is none to be replaced, something needs it, or PostgreSQL refuses the new one.
        """
        place = Place(table.name, table.schema, self.name or "")
        there = index_named(session, table.oid, place)
        if there is None:
            raise TableError(f'"{table.name}" has no index "{place.index}"', hint="CreateIndex makes one")
        shape = trial_definition.shape(session, table, definition(self, table), unique=self.unique)
        if there.valid and there.is_shaped(shape):
            return ()
        refuse_needed(table, there)
        return self._replaced(session, table, there, shape)

    def _replaced(self, session: Session, table: Table, there: Index, shape: IndexShape) -> tuple[Step, ...]:
        new, old = (Place(table.name, table.schema, fitted(there.plain, word)) for word in ("new", "old"))
        for place in (new, old):
            found = index_named(session, table.oid, place)
            if found is not None and not found.leftover:
                raise TableError(
                    f'an index is called "{place.index}" already', hint="rename that one, or drop it"
                )
        comment = self.comment or there.comment
        built = build(session, new, shape)
        return (
            *((proof_of_uniqueness(session, table.name, shape),) if shape.unique else ()),
            *(
                cover(
                    session, table, new.index, Cover(shape, (*shape.columns, "idx"), plain=built.plain or ())
                )
                if table.partitioned
                else (built,)
            ),
            *((commented(session, new, comment),) if comment else ()),
            _swapped(session, table, there, new, old),
            replace(dropped(session, table, there, old.index, at_once=self.at_once), plain=()),
        )


def _swapped(session: Session, table: Table, there: Index, new: Place, old: Place) -> Step:
    """Return the step that lets two indexes change names; the lock keeps nobody from using them."""
    now = Identifier(table.schema, there.plain)
    cluster = [SQL("ALTER TABLE {} CLUSTER ON {}").format(SQL(table.name), Identifier(there.plain))]
    forth = (
        SQL("ALTER INDEX {} RENAME TO {}").format(now, Identifier(old.index)),
        SQL("ALTER INDEX {} RENAME TO {}").format(new.identifier, Identifier(there.plain)),
        *(cluster if there.clustered else []),
    )
    was_swapped = SQL("pg_catalog.to_regclass({}) IS NOT NULL").format(Literal(session.text(old.identifier)))
    back = (
        SQL("ALTER INDEX {} RENAME TO {}").format(now, Identifier(new.index)),
        SQL("ALTER INDEX {} RENAME TO {}").format(old.identifier, Identifier(there.plain)),
    )
    return Step(
        name="let the two indexes change names",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=tuple(map(session.text, forth)),
        locks=tuple(Lock(session.text(index), "SHARE UPDATE EXCLUSIVE") for index in (now, new.identifier)),
        undo=(only_if(session, was_swapped, *back),),
        undo_locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
        plain=(
            session.text(SQL("DROP INDEX {}").format(now)),
            *map(session.text, forth[1:]),
        ),
    )


@dataclass(frozen=True)
class RebuildIndex:
    """Build the index `name` of *table* anew as it is: it is bloated, or a build of it has failed.

    Each part of a partitioned table's index is a step of its own. What REINDEX leaves behind that was cut off
    is removed. Asked for again, it is built again.
    """

    table: str
    name: str
    operation: ClassVar[str] = "rebuild_index"

    @property
    def subject(self) -> str:
        """The index."""
        return self.name

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps.

        Raises:
            TableError: the table has no such index.
        """
        there = next(iter(indexes(session, table.oid, self.name)), None)
        if there is None:
            raise TableError(f'"{table.name}" has no index "{self.name}"', hint="CreateIndex makes one")
        leaves = session.ask("leaf_indexes", index=there.oid)
        return tuple(step for leaf in leaves for step in _rebuilt(session, *leaf))


def _rebuilt(session: Session, oid: int, index: str, plain: str, _held: int, table: str) -> tuple[Step, ...]:
    litter = session.asked("index_litter", table=table, name=plain, itself=False)
    rebuilt = Step(
        name=f"build {index} anew",
        phase=Phase.START,
        kind=Kind.ALONE,
        sql=(session.text(SQL("REINDEX INDEX CONCURRENTLY {}").format(SQL(index))),),
        locks=(Lock(table, "SHARE UPDATE EXCLUSIVE"),),
        held="while it reads the table twice; others read and write meanwhile",
        done=session.asked("index_rebuilt", index=index, oid=oid),
        sweep=litter,
        plain=(session.text(SQL("REINDEX INDEX {}").format(SQL(index))),),
    )
    swept = replace(
        rebuilt,
        name=f"remove what is left beside {index}",
        sql=(),
        held="until the transactions have ended that use it; others read and write meanwhile",
        done=f"SELECT NOT EXISTS ({litter})",
        plain=(),
    )
    return rebuilt, swept
