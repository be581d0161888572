"""How a constraint or an index is called: `{table}_{column}_{kind}`, in at most 63 bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

# NAMEDATALEN - 1: PostgreSQL cuts a longer name, with no more than a notice.
# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
MOST_BYTES: Final = 63

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pkey": "primary key",
        "key": "unique constraint",
        "fkey": "foreign key",
        "check": "check constraint",
        "excl": "exclusion constraint",
        "idx": "index",
    }
)


def suggested(kind: str, table: str | None, columns: Sequence[str | None]) -> str:
    """Return the name that the convention gives; what cannot be seen stands in angle brackets."""
    first = "<table>" if table is None else table.rpartition(".")[2]
    middle = [] if kind == "pkey" else [column or "<column>" for column in columns] or ["<column>"]
    return "_".join([first, *middle, kind])


def unnamed(kind: str, table: str | None, columns: Sequence[str | None]) -> str:
    """Return the problem of a constraint or an index without a name."""
    named = [column for column in columns if column]
    on = f' on "{", ".join(named)}"' if named else ""
    of = f' of "{table}"' if table else ""
    return f"the {KINDS[kind]}{on}{of} has no name"


def too_long(name: str | None) -> str | None:
    """Return the problem of a name that PostgreSQL would cut."""
    size_bytes = len((name or "").encode("utf-8", "replace"))
    if size_bytes <= MOST_BYTES:
        return None
    return f'the name "{name}" has {size_bytes} bytes, and PostgreSQL cuts it to {MOST_BYTES}'
