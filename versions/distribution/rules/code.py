"""Rules about the source of functions, statement by statement; what stands in quotes there is not seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.distribution.finding import LIMITS, Draft, rule
from spotify_ai_agent_migrations.versions.distribution.placement import Layout
from spotify_ai_agent_migrations.versions.distribution.plan import Column, Table
from spotify_ai_agent_migrations.versions.distribution.source import names, statements

_LOCKS: Final = re.compile(
    r"\bFOR (?:(?:NO KEY )?UPDATE|(?:KEY )?SHARE)\b(?: SKIP LOCKED| NOWAIT)?", re.IGNORECASE
)
_VOLATILE: Final = re.compile(
    r"\b(random|clock_timestamp|timeofday|gen_random_uuid|uuidv4|uuidv7|nextval|setval)\s*\(", re.IGNORECASE
)


def _uses(layout: Layout) -> Iterator[tuple[str, str, Table, Column]]:
    """Yield each statement of a function that names a distributed table, with the function and the table."""
    spread = [(table, column) for table, column in layout.distributed() if table.root is None]
    for routine in layout.catalogue.routines:
        for statement in statements(routine.source):
            folded = statement.lower()
            for table, column in spread:
                if table.name.lower() in folded and names(statement, table.schema, table.name):
                    yield routine.qualified, statement, table, column


def _drafts(found: Iterator[tuple[str, str, str]]) -> Iterator[Draft]:
    for function, problem, hint in dict.fromkeys(found):
        yield Draft("warning", function, problem, hint, "function")


@rule(
    "CIT019",
    citus="refuses FOR UPDATE and FOR SHARE unless an equality on the distribution column leads to one shard",
    see=LIMITS,
)
def require_column_in_locking_read(layout: Layout) -> Iterator[Draft]:
    """A SELECT that locks rows, SKIP LOCKED or not, names one value of the distribution column."""
    yield from _drafts(_locking(layout))


def _locking(layout: Layout) -> Iterator[tuple[str, str, str]]:
    for function, statement, table, column in _uses(layout):
        lock = _LOCKS.search(statement)
        if lock is not None and not _names_one(statement, column):
            yield (
                function,
                f'locks rows of {table.qualified} {lock[0].upper()} without one value of "{column.name}"',
                f"add {column.quoted} = … to it; take batches by ranges of the key",
            )


def _names_one(statement: str, column: Column) -> bool:
    """Tell whether the column equals something else than the same column of another table."""
    name = rf'"?{re.escape(column.name)}"?'
    elsewhere = rf"(?!new\.|old\.)[\w\"]+\.{name}(?!\w)"
    return re.search(rf"(?<!\w){name}\s*=(?!\s*(?:any\b|{elsewhere}))", statement, re.IGNORECASE) is not None


@rule(
    "CIT020",
    citus="knows a ctid within one shard only: each shard may have a row of the same one",
    see=LIMITS,
)
def ban_ctid(layout: Layout) -> Iterator[Draft]:
    """No statement finds rows by ctid."""
    yield from _drafts(
        (function, f"finds rows of {table.qualified} by ctid", "find them by the primary key, in ranges")
        for function, statement, table, _ in _uses(layout)
        if re.search(r"\bctid\b", statement, re.IGNORECASE)
    )


@rule(
    "CIT021",
    citus="refuses the UPDATE for the volatile function that it calls",
    see=LIMITS,
)
def ban_volatile_update(layout: Layout) -> Iterator[Draft]:
    """No UPDATE of a distributed table calls a volatile function."""
    yield from _drafts(_volatile(layout))


def _volatile(layout: Layout) -> Iterator[tuple[str, str, str]]:
    for function, statement, table, _ in _uses(layout):
        called = _VOLATILE.search(statement)
        updated = re.findall(r"\bUPDATE (?:ONLY )?(\S+)", statement, re.IGNORECASE)
        if called is not None and any(names(target, table.schema, table.name) for target in updated):
            yield (
                function,
                f"updates {table.qualified} with {called[1].lower()}(), which is volatile",
                "compute the value first, into a variable",
            )
