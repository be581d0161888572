"""What a revision does, one value a step, be it written as an operation or as SQL. No reading here."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TypeAlias

from spotify_ai_agent_migrations.versions.governance.column_types import ColumnType
from spotify_ai_agent_migrations.versions.governance.flow import Step
from spotify_ai_agent_migrations.versions.governance.tokens import Token, Tokens

Part: TypeAlias = ast.expr | Token | None


@dataclass(frozen=True, eq=False)
class Where:
    """The step an act was read from, and the statement where it was SQL; one for all acts of a statement.

    `inner` tells that the statement stands in the body of a `DO`.
    """

    step: Step
    tokens: Tokens = ()
    inner: bool = False


@dataclass(frozen=True, eq=False)
class Act:
    """One thing that a step does."""

    where: Where

    @property
    def autocommit(self) -> bool:
        """Tell whether it is done outside of a transaction."""
        return self.where.step.around.autocommit

    @property
    def as_owner(self) -> bool:
        """Tell whether it is done by the owner role."""
        return self.where.step.around.as_owner

    @property
    def tokens(self) -> Tokens:
        """Return the statement it was written as; nothing where it is an operation."""
        return self.where.tokens


@dataclass(frozen=True, eq=False)
class Default:
    """Where the value of a new column comes from: `sequence`, `stored`, `virtual` or `value`.

    `functions` are those that a value calls, with their schema where that is written; `code` is the value as
    `server_default` takes it.
    """

    kind: str
    functions: tuple[str, ...] = ()
    code: str = ""


@dataclass(frozen=True, eq=False)
class Constraint:
    """A constraint; `kind` is a key of `naming.KINDS`, or `not null`.

    `refers` is the table that a foreign key points at, `part` where the constraint stands.
    `cascades` tells of a foreign key that deletes what points at a row together with the row.
    `checks` is the column that a CHECK or a NOT NULL keeps from being NULL, where it does nothing else.
    """

    kind: str
    name: str | None = None
    columns: tuple[str, ...] = ()
    refers: str | None = None
    not_valid: bool = False
    using_index: bool = False
    checks: str | None = None
    cascades: bool = False
    part: Part = None


@dataclass(frozen=True, eq=False)
class Column:
    """A column that is created; `constraints` are those of its own definition, `part` is where it stands."""

    name: str
    type: ColumnType
    required: bool = False
    default: Default | None = None
    constraints: tuple[Constraint, ...] = ()
    comment: str | None = None
    autoincrement: bool | None = None
    part: Part = None


@dataclass(frozen=True, eq=False)
class Index:
    """An index; `columns` are its leading plain columns.

    `covers` tells whether it finds every key that is not NULL, `only` whether partitions are left out.
    """

    name: str | None
    table: str
    columns: tuple[str, ...]
    unique: bool = False
    covers: bool = True
    only: bool = False


@dataclass(frozen=True, eq=False)
class OnTable(Act):
    """Something done to one table; None where its name cannot be told."""

    table: str | None


@dataclass(frozen=True, eq=False)
class CreateTable(OnTable):
    """A lasting table, with its columns as far as they are written."""

    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    partitioned: bool = False
    partition_of: str | None = None
    if_not_exists: bool = False


@dataclass(frozen=True, eq=False)
class CreateTemporary(OnTable):
    """A table that goes away with the session."""

    if_not_exists: bool = False


@dataclass(frozen=True, eq=False)
class DropTable(OnTable):
    """The end of a table and its rows."""


@dataclass(frozen=True, eq=False)
class AddColumn(OnTable):
    """A column added to a table that is there."""

    column: Column


@dataclass(frozen=True, eq=False)
class DropColumn(OnTable):
    """The end of a column and its values."""

    column: str | None


@dataclass(frozen=True, eq=False)
class AlterColumn(OnTable):
    """A change of type, or of `required`: True sets NOT NULL, False drops it."""

    column: str | None
    type: ColumnType | None = None
    converts: bool = False
    required: bool | None = None
    existing: ColumnType | None = None


@dataclass(frozen=True, eq=False)
class AddConstraint(OnTable):
    """A constraint added to a table that is there; of a domain where `domain` says so."""

    constraint: Constraint
    domain: bool = False


@dataclass(frozen=True, eq=False)
class DropConstraint(OnTable):
    """The end of a constraint."""

    name: str | None


@dataclass(frozen=True, eq=False)
class ValidateConstraint(OnTable):
    """The check of the rows that were there before a constraint."""

    name: str


@dataclass(frozen=True, eq=False)
class CreateIndex(OnTable):
    """A new index."""

    index: Index
    concurrently: bool


@dataclass(frozen=True, eq=False)
class DropIndex(OnTable):
    """The end of an index; SQL does not say of which table."""

    name: str | None
    concurrently: bool


@dataclass(frozen=True, eq=False)
class RenameTable(OnTable):
    """Another name, or another schema, for a table."""

    to: str


@dataclass(frozen=True, eq=False)
class RenameColumn(OnTable):
    """Another name for a column."""

    column: str | None
    to: str | None


@dataclass(frozen=True, eq=False)
class AuditTable(OnTable):
    """The triggers of the trail on a table, by `ops.audit_table_v1`."""


@dataclass(frozen=True, eq=False)
class ClassifyColumns(OnTable):
    """Columns put into the catalogue of personal data: one, or all there are, by `ops.classify_…_v1`."""

    column: str | None


@dataclass(frozen=True, eq=False)
class ChangeRows(OnTable):
    """Rows written by `insert`, `update`, `delete` or `truncate`; `everywhere` tells of no WHERE."""

    verb: str
    everywhere: bool


@dataclass(frozen=True, eq=False)
class TableAction(OnTable):
    """Any other action of an ALTER TABLE; `words` are how it begins."""

    words: tuple[str, ...]
    action: Tokens


@dataclass(frozen=True, eq=False)
class Operation(Act):
    """A call of an operation that writes, whatever it does."""

    name: str


@dataclass(frozen=True, eq=False)
class Statement(Act):
    """A statement of SQL, whatever it does."""

    @property
    def verb(self) -> str:
        """Return its first word."""
        return self.tokens[0].word
