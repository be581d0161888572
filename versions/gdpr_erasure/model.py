"""What the catalogue of personal data holds, as values: tables, columns, and the edges between tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

SUBJECTS: Final = "public.users"
NO_ARGUMENTS: Final[Mapping[str, Any]] = MappingProxyType({})


class Strategy(str, Enum):
    """What becomes of a value when its person is erased."""

    DELETE = "delete"
    NULL = "null"
    CONSTANT = "constant"
    RANDOM = "random"
    GENERALISE = "generalise"
    PSEUDONYM = "pseudonym"
    JSON = "json"
    REDACT = "redact"
    SHRED = "shred"
    KEEP = "keep"


class Origin(str, Enum):
    """Who a value comes from: GDPR art. 20 asks for what was provided or observed, art. 15 for all of it."""

    PROVIDED = "provided"
    OBSERVED = "observed"
    INFERRED = "inferred"
    NONE = "none"


class Kind(str, Enum):
    """How rows of one table name rows of another."""

    FOREIGN_KEY = "foreign key"
    COLUMN = "column"
    POLYMORPHIC = "polymorphic"
    ARRAY = "array"
    JSON = "json"


@dataclass(frozen=True)
class Table:
    """A table that rows are stored in; partitions are part of their root.

    name: as SQL writes it, with its schema; `schema` and `relation` are the names themselves.
    kind: r is a plain table, p a partitioned one, f a foreign one, m a materialised view.
    key: the columns of the primary key; none for a table without one.
    has_heirs: whether other tables inherit from it, whose rows a query of it gives too.
    """

    name: str
    schema: str
    relation: str
    kind: str = "r"
    key: tuple[str, ...] = ()
    has_heirs: bool = False
    root: str | None = None


@dataclass(frozen=True)
class Column:
    """A column, and what the catalogue says of it; its table is named as SQL writes it."""

    table_name: str
    name: str
    type: str
    not_null: bool
    class_: str
    description: str
    strategy: Strategy
    strategy_args: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = Origin.NONE
    third_party: bool = False
    purposes: tuple[str, ...] = ()
    legal_basis: str | None = None
    retention_rule: str | None = None
    rectifiable: bool = False
    people: str = "users"

    @property
    def is_personal(self) -> bool:
        """Tell whether it speaks of a person."""
        return self.class_ != "none"

    @property
    def follows(self) -> tuple[str, ...]:
        """Return the columns of its row that a trigger makes it anew from, whenever they change."""
        return tuple(self.strategy_args.get("follows", ()))

    @property
    def comment(self) -> str:
        """Return the comment that the column has to have."""
        return f"{self.class_}: {self.description}"


@dataclass(frozen=True)
class Edge:
    """Rows of `from_table` that name rows of `to_table`: by a foreign key, or as the catalogue declares.

    own_columns: None where the whole row is about the person that `to_table` leads to; otherwise the row is
        somebody else's, and these of its columns are about that person. An empty one leads nowhere.
    compares_text: whether the two sides are of different types.
    element_type: type of the elements of the array, for an edge of that kind.
    """

    from_table: str
    from_columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]
    kind: Kind = Kind.FOREIGN_KEY
    discriminator_column: str | None = None
    discriminator_value: str | None = None
    json_path: str | None = None
    own_columns: tuple[str, ...] | None = None
    constraint: str | None = None
    is_deferrable: bool = False
    on_delete: str = "NO ACTION"
    compares_text: bool = False
    element_type: str | None = None
    note: str | None = None

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return each column of `from_table` with the one of `to_table` that it equals."""
        return tuple(zip(self.from_columns, self.to_columns, strict=True))

    @property
    def is_equality(self) -> bool:
        """Tell whether its columns hold what the columns of `to_table` hold, and of the same types."""
        return self.kind in {Kind.FOREIGN_KEY, Kind.COLUMN} and not self.compares_text


@dataclass(frozen=True)
class Catalogue:
    """The tables there are, the columns the catalogue knows, and the edges, foreign keys included."""

    tables: tuple[Table, ...]
    columns: tuple[Column, ...]
    edges: tuple[Edge, ...]

    def table(self, name: str) -> Table:
        """Return the table called *name*, as SQL writes it.

        Raises:
            KeyError: there is none.
        """
        return next((one for one in self.tables if one.name == name), None) or _missing(name)

    def columns_of(self, table: str) -> tuple[Column, ...]:
        """Return what is known of the columns of *table*, in their order."""
        return self._by_table.get(table, ())

    @cached_property
    def _by_table(self) -> Mapping[str, tuple[Column, ...]]:
        found: dict[str, list[Column]] = defaultdict(list)
        for column in self.columns:
            found[column.table_name].append(column)
        return {table: tuple(columns) for table, columns in found.items()}

    def personal(self, people: str = "users") -> tuple[str, ...]:
        """Return the tables with a column that speaks of such *people*, each once."""
        return tuple(
            dict.fromkeys(one.table_name for one in self.columns if one.is_personal and one.people == people)
        )


def _missing(name: str) -> Table:
    raise KeyError(name)
