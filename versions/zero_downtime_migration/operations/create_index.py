"""Build an index that nobody waits for, of a partitioned table too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Composable, Identifier

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
    proof_of_uniqueness,
    refuse_other,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_definition import IndexShape


@dataclass(frozen=True)
class CreateIndex:
    """Build an index of *table*, which is named with its schema.

    `columns` are names; `keys` stands for them where it is more than that, as SQL writes it between the
    brackets: expressions, operator classes, orders. `include` are names, `where` and `storage` ("fillfactor =
    70") are SQL, `using` is the access method. Without a `name` it is called after the table and its columns.
    An index that is there, usable and defined so is left alone; what a failed build has left is removed.
    """

    table: str
    columns: tuple[str, ...] = ()
    keys: str = ""
    name: str | None = None
    unique: bool = False
    using: str = "btree"
    include: tuple[str, ...] = ()
    where: str = ""
    nulls_not_distinct: bool = False
    storage: str = ""
    comment: str | None = None
    operation: ClassVar[str] = "create_index"

    @property
    def subject(self) -> str:
        """Its name, or what it is an index of."""
        return self.name or ", ".join(self.columns) or self.keys

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if it is there, usable and defined so.

        Raises:
            TableError: another index is called so, or PostgreSQL refuses the definition.
        """
        shape = trial_definition.shape(session, table, definition(self, table), unique=self.unique)
        place = Place(table.name, table.schema, self.name or fitted(table.plain, *shape.columns, "idx"))
        there = index_named(session, table.oid, place)
        refuse_other(there, shape)
        return (
            *(() if there and there.valid else self._built(session, table, place, shape)),
            *self._commented(session, place, there),
        )

    def _built(self, session: Session, table: Table, place: Place, shape: IndexShape) -> tuple[Step, ...]:
        proofs = (proof_of_uniqueness(session, table.name, shape),) if shape.unique else ()
        built = build(session, place, shape)
        if not table.partitioned:
            return (*proofs, built)
        return (
            *proofs,
            *cover(
                session, table, place.index, Cover(shape, (*shape.columns, "idx"), plain=built.plain or ())
            ),
        )

    def _commented(self, session: Session, place: Place, there: Index | None) -> tuple[Step, ...]:
        if self.comment is None or (there and there.valid and there.comment == self.comment):
            return ()
        return (commented(session, place, self.comment),)


def definition(wish: CreateIndex, table: Table) -> Composable:
    """Return how an index is defined, behind the table's name.

    Raises:
        TableError: a column is not there, or there is nothing to build it of.
    """
    if bool(wish.columns) == bool(wish.keys):
        raise TableError(
            f'an index of "{table.name}" is of columns or of keys', hint="give one of the two, and not both"
        )
    for column in (*wish.columns, *wish.include):
        table.column(column)
    return SQL("USING {using} ({keys}){include}{nulls}{storage}{where}").format(
        using=Identifier(wish.using),
        keys=SQL(", ").join(map(Identifier, wish.columns)) if wish.columns else SQL(wish.keys),
        include=SQL(" INCLUDE ({})").format(SQL(", ").join(map(Identifier, wish.include)))
        if wish.include
        else SQL(""),
        nulls=SQL(" NULLS NOT DISTINCT" if wish.nulls_not_distinct else ""),
        storage=SQL(" WITH ({})").format(SQL(wish.storage)) if wish.storage else SQL(""),
        where=SQL(" WHERE {}").format(SQL(wish.where)) if wish.where else SQL(""),
    )
