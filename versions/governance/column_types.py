"""Read the type of a column, from SQL and from SQLAlchemy, under PostgreSQL's own name for it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance import syntax
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, bracketed, split

INTEGERS: Final = frozenset({"bigint", "integer", "smallint"})
SERIALS: Final[Mapping[str, str]] = MappingProxyType(
    {"bigserial": "bigint", "serial": "integer", "smallserial": "smallint"}
)
# What begins the rest of a column's definition.
_ENDS: Final = frozenset(
    {"CHECK", "COLLATE", "COMPRESSION", "CONSTRAINT", "DEFAULT", "GENERATED", "NOT", "NULL", "PRIMARY",
     "REFERENCES", "STORAGE", "UNIQUE", "USING"}
)  # fmt: skip
_SPELT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bool": "boolean", "bpchar": "char", "character": "char", "character varying": "varchar",
        "char varying": "varchar", "dec": "numeric", "decimal": "numeric", "float": "double precision",
        "float4": "real", "float8": "double precision", "int": "integer", "int2": "smallint",
        "int4": "integer", "int8": "bigint", "national character": "char", "nchar": "char",
        "serial2": "smallserial", "serial4": "serial", "serial8": "bigserial",
        "bit varying": "varbit", "timestamp without time zone": "timestamp",
        "timestamp with time zone": "timestamptz", "time without time zone": "time",
        "time with time zone": "timetz",
    }
)  # fmt: skip
_SQLALCHEMY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ARRAY": "array", "BIGINT": "bigint", "BIT": "bit", "BOOLEAN": "boolean", "BYTEA": "bytea",
        "BigInteger": "bigint", "Boolean": "boolean", "CHAR": "char", "CIDR": "cidr", "DATE": "date",
        "DATETIME": "timestamp", "DECIMAL": "numeric", "DOUBLE": "double precision",
        "DOUBLE_PRECISION": "double precision", "Date": "date", "DateTime": "timestamp",
        "Double": "double precision", "FLOAT": "double precision", "Float": "double precision",
        "INET": "inet", "INTEGER": "integer", "INTERVAL": "interval", "Integer": "integer",
        "Interval": "interval", "JSON": "json", "JSONB": "jsonb", "LargeBinary": "bytea", "MONEY": "money",
        "NCHAR": "char", "NUMERIC": "numeric", "NVARCHAR": "varchar", "Numeric": "numeric", "REAL": "real",
        "SMALLINT": "smallint", "SmallInteger": "smallint", "String": "varchar", "TEXT": "text",
        "TIMESTAMP": "timestamp", "Text": "text", "UUID": "uuid", "Unicode": "varchar",
        "UnicodeText": "text", "Uuid": "uuid", "VARCHAR": "varchar", "BIGINTEGER": "bigint",
    }
)  # fmt: skip


@dataclass(frozen=True)
class ColumnType:
    """A type, with its numbers: `varchar` and `(20,)`; `name` is empty where it cannot be told."""

    name: str = ""
    numbers: tuple[int, ...] = ()
    is_array: bool = False

    def __str__(self) -> str:
        numbers = f"({', '.join(map(str, self.numbers))})" if self.numbers else ""
        return f"{self.name}{numbers}{'[]' if self.is_array else ''}"

    def widens(self, old: ColumnType) -> bool:
        """Tell whether a column of type *old* takes this one without being rewritten (measured)."""
        if not self.name or self.is_array != old.is_array:
            return False
        if self == old:
            return True
        if self.name == old.name:
            return self._is_wider(old.numbers)
        return (old.name, self.name) in _COMPATIBLE and (not self.numbers or self._is_wider(old.numbers))

    def _is_wider(self, numbers: tuple[int, ...]) -> bool:
        if self.name == "numeric":
            more = bool(numbers) and self.numbers[:1] >= numbers[:1]
            return not self.numbers or (more and (*self.numbers, 0)[1] == (*numbers, 0)[1])
        if self.name in {"varchar", "varbit", "timestamp", "timestamptz", "time", "timetz", "interval"}:
            return not self.numbers or (bool(numbers) and self.numbers >= numbers)
        return False


_COMPATIBLE: Final = frozenset({("varchar", "text"), ("text", "varchar"), ("cidr", "inet"), ("xml", "text")})


def from_sql(tokens: Tokens) -> tuple[ColumnType, Tokens]:
    """Return the type that *tokens* begin with, and what follows it."""
    words: list[str] = []
    numbers: tuple[int, ...] = ()
    rest, is_array = tokens, False
    while rest and rest[0].word not in _ENDS:
        if rest[0].text == "(":
            inside, rest = bracketed(rest)
            numbers = _numbers(inside)
            continue
        is_array = is_array or rest[0].text == "[" or rest[0].word == "ARRAY"
        if rest[0].name and rest[0].word != "ARRAY":
            words.append(rest[0].name)
        rest = rest[1:]
    name = _unqualified(words, tokens)
    return ColumnType(_SPELT.get(name, name), numbers, is_array), rest


def _unqualified(words: list[str], tokens: Tokens) -> str:
    """Return the name of a type, after its schema where that is neither `public` nor PostgreSQL's own."""
    if len(words) > 1 and len(tokens) > 1 and tokens[1].text == ".":
        return " ".join(words[1:]) if words[0] in {"public", "pg_catalog"} else ".".join(words)
    return " ".join(words)


def _numbers(tokens: Tokens) -> tuple[int, ...]:
    """Return the numbers in the brackets of a type; a digit is a token of its own."""
    shown = ("".join(token.text for token in part) for part in split(tokens))
    return tuple(int(number) for number in shown if number.isdecimal())


def from_sqlalchemy(node: ast.expr | None, origins: Mapping[str, str]) -> ColumnType:
    """Return the type that *node* stands for: a class of SQLAlchemy, a call of one, or a domain."""
    call = node if isinstance(node, ast.Call) else None
    origin = syntax.dotted(call.func if call else node, origins) if node is not None else ""
    last = origin.rpartition(".")[2]
    if call is not None and (origin.endswith("core.ddl.domain") or last == "DOMAIN"):
        return ColumnType(syntax.literal(syntax.argument(call, 0, "name")) or "")
    if not origin.startswith("sqlalchemy.") or last not in _SQLALCHEMY:
        return ColumnType()
    name = _SQLALCHEMY[last]
    if call is None:
        return ColumnType(name)
    if name == "array":
        inner = from_sqlalchemy(syntax.argument(call, 0, "item_type"), origins)
        return ColumnType(inner.name, inner.numbers, is_array=True)
    zoned = syntax.argument(call, 0, "timezone") if name in {"timestamp", "time"} else None
    if isinstance(zoned, ast.Constant) and zoned.value:
        name += "tz"
    return ColumnType(name, _given_numbers(call, name))


def _given_numbers(call: ast.Call, name: str) -> tuple[int, ...]:
    """Return the length, or precision and scale, that a type is called with."""
    if name == "double precision":
        return ()
    names = ("length", "precision", "scale")
    given = [*call.args, *(value for key in names if (value := syntax.keyword(call, key)) is not None)]
    values = (value.value for value in given if isinstance(value, ast.Constant))
    return tuple(value for value in values if isinstance(value, int) and not isinstance(value, bool))
