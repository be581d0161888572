"""Write the code that a hint gives: a statement or an operation as a revision would say it, on one line."""

from __future__ import annotations

import ast
import re
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Act
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_$]*")


def sql(tokens: Tokens) -> str:
    """Return a statement on one line, without its comments."""
    parts: list[str] = []
    end = tokens[0].offset if tokens else 0
    for token in tokens:
        parts.append(token.text if token.offset == end else f" {token.text}")
        end = token.offset + len(token.text)
    return "".join(parts)


def inserted(tokens: Tokens, word: str, *, after: str) -> str:
    """Return a statement with another *word* behind the first *after*."""
    at = next((place for place, token in enumerate(tokens) if token.word == after), len(tokens) - 1)
    return " ".join(filter(None, (sql(tokens[: at + 1]), word, sql(tokens[at + 1 :]))))


def execute(statement: str) -> str:
    """Return the call that executes *statement*."""
    quote = '"' if '"' not in statement else "'" if "'" not in statement else '"""'
    return f"execute({quote}{statement}{quote})"


def called(act: Act, **more: str) -> str:
    """Return the call of an operation, with keywords added or replaced; each value is code."""
    node = act.where.step.node
    assert isinstance(node, ast.Call)
    kept = [given for given in node.keywords if given.arg not in more]
    added = [ast.keyword(name, ast.parse(value, mode="eval").body) for name, value in more.items()]
    return ast.unparse(ast.Call(node.func, node.args, [*kept, *added]))


def without(act: Act, *names: str) -> str:
    """Return the call of an operation without these keywords."""
    node = act.where.step.node
    assert isinstance(node, ast.Call)
    kept = [given for given in node.keywords if given.arg not in names]
    return ast.unparse(ast.Call(node.func, node.args, kept))


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
