"""Read from the catalogue what a table is."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.sql import Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class Column:
    """A column: `type` and `default` as SQL writes them; `generated` is "", "s" (stored) or "v" (virtual)."""

    name: str
    type: str
    not_null: bool
    default: str | None
    generated: str
    identity: str
    collation: str | None


@dataclass(frozen=True)
class Table:
    """A table: its names, as they are and as SQL writes them (`name`), its owner, its columns and its key."""

    oid: int
    schema: str
    plain: str
    name: str
    owner: str
    kind: str
    size_bytes: int
    is_partition: bool
    primary: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return self.kind == "p"

    def column(self, name: str) -> Column:
        """Return one of its columns.

        Raises:
            TableError: it has none of that name.
        """
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise TableError(
                f'"{self.name}" has no column "{name}"',
                hint=f"its columns are {', '.join(column.name for column in self.columns)}",
            )
        return found

    def has(self, name: str) -> bool:
        """Tell whether it has a column of that name."""
        return any(column.name == name for column in self.columns)

    def beside(self, name: str) -> Identifier:
        """Return the name of something in the same schema."""
        return Identifier(self.schema, name)


def table(session: Session, name: str) -> Table:
    """Return what the table of that name is.

    Raises:
        TableError: there is none, or it is something else.
    """
    found = session.ask("table_facts", table=name)
    if not found:
        raise TableError(f'there is no table "{name}"', hint="write it as schema.table")
    oid, schema, plain, called, owner, kind, size_bytes, is_partition, primary = found[0]
    if kind not in {"r", "p"}:
        raise TableError(f'"{called}" is no table that holds rows of its own', hint="name the table itself")
    columns = tuple(Column(*row) for row in session.ask("columns_of", oid=oid))
    return Table(oid, schema, plain, called, owner, kind, size_bytes, is_partition, tuple(primary), columns)


def version(session: Session) -> int:
    """Return the server's major version."""
    return session.connection.server_version // 10_000
