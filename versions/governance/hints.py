"""Write the code that a hint gives: a statement or an operation as a revision would say it, on one line."""

from __future__ import annotations

import ast
import re
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Act, AddColumn
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens

# What a column brings along, and can be given later.
PARTS: Final = frozenset({"index", "nullable", "primary_key", "server_default", "unique"})
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_$]*")
_TYPES: Final = {"bigserial": "bigint", "serial": "integer", "smallserial": "smallint"}


def inserted(tokens: Tokens, word: str, *, after: str) -> str:
    """Return a statement with another *word* behind the first *after*."""
    at = next((place for place, token in enumerate(tokens) if token.word == after), len(tokens) - 1)
    return " ".join(filter(None, (written(tokens[: at + 1]), word, written(tokens[at + 1 :]))))


def execute(statement: str) -> str:
    """Return the call that executes *statement*."""
    quote = '"' if '"' not in statement else "'" if "'" not in statement else '"""'
    return f"execute({quote}{statement}{quote})"


def called(act: Act, **more: str) -> str:
    """Return the call of an operation, with keywords added or replaced; each value is code.

    One of a batch is written as one of `op`, with its table.
    """
    call = act.where.step.call
    assert call is not None
    function, arguments = call.node.func, call.node.args
    if call.in_batch:
        verb = call.operation() or ""
        function = ast.parse(f"op.{verb}", mode="eval").body
        at = int(verb.startswith(("create_", "drop_constraint", "drop_index")))
        arguments = [*arguments[:at], ast.Constant(call.table), *arguments[at:]]
    kept = [given for given in call.node.keywords if given.arg not in more]
    added = [ast.keyword(name, ast.parse(value, mode="eval").body) for name, value in more.items()]
    return ast.unparse(ast.Call(function, arguments, [*kept, *added]))


def added(act: AddColumn, *, without: frozenset[str] = PARTS, default: str | None = None) -> str:
    """Return the code that adds the column of *act* without some keywords, and with another default."""
    column, table = act.column, act.table
    if isinstance(column.part, ast.Call):
        kept = [given for given in column.part.keywords if given.arg not in without]
        if default is not None:
            kept.append(ast.keyword("server_default", ast.parse(default, mode="eval").body))
        plain = [item for item in column.part.args if not _is_part(item)]
        return operation("add_column", table, ast.unparse(ast.Call(column.part.func, plain, kept)))
    kind = _TYPES.get(column.type.name, str(column.type))
    value = "" if default is None else " DEFAULT … NOT NULL"
    return execute(f"ALTER TABLE {identifier(table)} ADD {column.name} {kind}{value}")


def _is_part(item: ast.expr) -> bool:
    """Tell whether an argument of a column is more than its name and its type."""
    function = item.func if isinstance(item, ast.Call) else None
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"CheckConstraint", "Computed", "ForeignKey", "Identity", "Sequence"}


def alone(code: str) -> str:
    """Return *code* outside of a transaction."""
    return f"with op.get_context().autocommit_block(): {code}"


def quoted(table: str | None) -> str:
    """Return a table's name as a problem shows it."""
    return "a table" if table is None else f'"{table}"'


def identifier(name: str | None, unknown: str = "<table>") -> str:
    """Return a name as SQL takes it."""
    if name is None:
        return unknown
    return ".".join(part if _PLAIN.fullmatch(part) else f'"{part}"' for part in name.split("."))


def operation(verb: str, table: str | None, *arguments: str, **more: str) -> str:
    """Return the call of an operation on *table*; each argument is code."""
    schema, _, name = (table or "<table>").rpartition(".")
    keywords = {**more, **({"schema": f'"{schema}"'} if schema else {})}
    given = [f'"{name}"', *arguments, *(f"{key}={value}" for key, value in keywords.items())]
    return f"op.{verb}({', '.join(given)})"


def operation_of(verb: str, name: str, table: str | None, *arguments: str, **more: str) -> str:
    """Return the call of an operation that is given a name before its table."""
    made = operation(verb, table, *arguments, **more)
    return made.replace("(", f'("{name}", ', 1)
