"""Which locks an act takes that others notice: those that end reading, or writing, until the commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    AddColumn,
    AddConstraint,
    AlterColumn,
    AuditTable,
    ChangeRows,
    Constraint,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    RenameColumn,
    RenameTable,
    Statement,
    TableAction,
)
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.facts import Facts
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, begins, qualified, split

ALL: Final = "ACCESS EXCLUSIVE"
WRITERS: Final = "SHARE ROW EXCLUSIVE"

# Actions of ALTER TABLE whose lock lets others read and write.
# https://www.postgresql.org/docs/current/sql-altertable.html
_WEAK: Final = (
    ("ATTACH", "PARTITION"), ("CLUSTER", "ON"), ("RESET", ""), ("SET", ""), ("SET", "WITHOUT"),
)  # fmt: skip
_OF_TABLE: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("ALTER", "POLICY"): ALL, ("CREATE", "POLICY"): ALL, ("CREATE", "RULE"): ALL,
        ("CREATE", "TRIGGER"): WRITERS, ("DROP", "POLICY"): ALL, ("DROP", "RULE"): ALL,
        ("DROP", "TRIGGER"): ALL,
    }
)  # fmt: skip


def strong_locks(act: Act, facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield each table that *act* locks strongly, and the name of the lock."""
    for table, lock in _locks(act, facts):
        if table:
            yield table, lock


def _locks(act: Act, facts: Facts) -> Iterator[tuple[str | None, str]]:
    match act:
        case AddConstraint(domain=False):
            is_key = act.constraint.kind == "fkey"
            yield act.table, WRITERS if is_key else ALL
            yield from _referred((act.constraint,))
        case AddConstraint():
            pass
        case CreateTable():
            inline = (one for column in act.columns for one in column.constraints)
            yield from _referred((*act.constraints, *inline))
            yield act.partition_of, ALL
        case AddColumn() | AlterColumn() | DropColumn() | DropConstraint() | DropTable():
            yield act.table, ALL
            if isinstance(act, AddColumn):
                yield from _referred(act.column.constraints)
        case RenameColumn() | RenameTable() | ChangeRows(verb="truncate"):
            yield act.table, ALL
        case AuditTable():
            yield act.table, WRITERS
        case DropIndex(concurrently=False):
            yield act.table or facts.table_of_index(act.name), ALL
        case TableAction():
            yield from _action(act)
        case Statement():
            yield from _statement(act.tokens)


def _referred(constraints: tuple[Constraint, ...]) -> Iterator[tuple[str | None, str]]:
    for made in constraints:
        if made.kind == "fkey":
            yield made.refers, WRITERS


def _action(act: TableAction) -> Iterator[tuple[str | None, str]]:
    if act.words[:2] in _WEAK or (act.words[:1] == ("ALTER",) and "STATISTICS" in act.words):
        return
    if act.words[:2] == ("DETACH", "PARTITION") and any(token.word == "CONCURRENTLY" for token in act.action):
        return
    switches = act.words[:2] in {("ENABLE", "TRIGGER"), ("DISABLE", "TRIGGER")}
    yield act.table, WRITERS if switches else ALL


def _statement(tokens: Tokens) -> Iterator[tuple[str | None, str]]:
    """Read a trigger, a policy, a rule, or a LOCK."""
    if tokens[0].word == "LOCK":
        lock = _named_lock(tokens)
        for named in split(without(tokens[1:], "TABLE")) if lock is not None else ():
            yield qualified(without(named, "ONLY"))[0], lock or ALL
        return
    rest = without(without(without(tokens[1:], "OR", "REPLACE"), "CONSTRAINT"), "EVENT")
    lock = _OF_TABLE.get((tokens[0].word, rest[0].word)) if rest else None
    # `INSERT OR UPDATE ON t`: the events of a trigger hold no other ON; a rule says TO.
    word = "TO" if begins(rest, "RULE") and tokens[0].word == "CREATE" else "ON"
    at = next((place for place, token in enumerate(rest) if token.word == word), None)
    if lock is not None and at is not None:
        yield qualified(rest[at + 1 :])[0], lock


def _named_lock(tokens: Tokens) -> str | None:
    """Return the lock of a LOCK, if it is a strong one."""
    words = " ".join(token.word for token in tokens)
    if " IN " not in words:
        return ALL
    return next((lock for lock in (ALL, WRITERS) if f" IN {lock} MODE" in words), None)
