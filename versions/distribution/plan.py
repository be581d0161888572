"""What the catalogue says of a schema, as frozen values. No database here.

A name comes twice where SQL is written with it: as it is (`name`), and as SQL wants it written (`quoted`,
`qualified`), which the server knows best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Partitioning = Literal["RANGE", "LIST", "HASH"]
KeyKind = Literal["primary key", "unique constraint", "exclusion constraint", "unique index"]


@dataclass(frozen=True)
class Sequence:
    """A sequence that numbers a column: its qualified name and its type."""

    qualified: str
    type: str


@dataclass(frozen=True)
class Column:
    """A column of a table; `type` is without a length, `default` as the server writes it."""

    name: str
    quoted: str
    type: str
    not_null: bool
    identity: bool
    generated: bool
    hashable: bool
    deterministic: bool
    default: str | None = None
    sequence: Sequence | None = None


@dataclass(frozen=True)
class Key:
    """A unique index or an exclusion, with or without a constraint.

    `columns` are those compared by equality, None for an expression or another operator; `included` only
    come along. `index` is the statement that makes the index.
    """

    kind: KeyKind
    name: str
    quoted: str
    columns: tuple[str | None, ...]
    included: tuple[str, ...]
    index: str


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key; its actions as SQL says them, `definition` as it would be added again."""

    name: str
    quoted: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    on_delete: str
    on_update: str
    definition: str
    validated: bool
    comment: str | None = None


@dataclass(frozen=True)
class Trigger:
    """A trigger that somebody made: the function it calls, and that function's source."""

    name: str
    quoted: str
    function: str
    source: str


@dataclass(frozen=True)
class Policy:
    """A policy of row security; `expression` is what it asks, for reading and for writing."""

    name: str
    quoted: str
    permissive: bool
    subquery: bool
    expression: str


@dataclass(frozen=True)
class Table:
    """A table, partitioned or not, or a partition: then `root` is the table at the top of it."""

    schema: str
    name: str
    quoted_schema: str
    qualified: str
    partitioning: Partitioning | None = None
    root: str | None = None
    inherits: bool = False
    unlogged: bool = False
    replica_identity: bool = True
    rewrite_rules: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    keys: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()

    @property
    def primary_key(self) -> Key | None:
        """The primary key, if there is one."""
        return next((key for key in self.keys if key.kind == "primary key"), None)

    def column(self, name: str) -> Column | None:
        """Return the column *name*, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def written(self, names: Iterable[str]) -> str:
        """Return *names* of columns as SQL lists them."""
        quoted = {column.name: column.quoted for column in self.columns}
        return ", ".join(quoted[name] for name in names)


@dataclass(frozen=True)
class View:
    """A view and the tables it reads, by their qualified names."""

    qualified: str
    materialized: bool
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Routine:
    """A function that no trigger calls, or a procedure: how it is called, and its source."""

    qualified: str
    source: str


@dataclass(frozen=True)
class Catalogue:
    """All that is looked at."""

    tables: tuple[Table, ...]
    views: tuple[View, ...] = ()
    routines: tuple[Routine, ...] = ()

    @cached_property
    def _by_name(self) -> Mapping[str, Table]:
        return {table.qualified: table for table in self.tables}

    def table(self, qualified: str) -> Table | None:
        """Return the table of that name, or None."""
        return self._by_name.get(qualified)

    def find(self, schema: str, name: str) -> Table | None:
        """Return the table of that schema and name as they are, or None."""
        return next((table for table in self.tables if (table.schema, table.name) == (schema, name)), None)
