"""Every constraint and every index that literal SQL creates has a name, of at most 63 bytes.

Why: as for operations: a later revision drops it by name, and an error message names it.
Fix: write `CONSTRAINT {table}_{column}_{pkey|key|fkey|check|excl}` before it, or the name of the index:

    email text NOT NULL CONSTRAINT users_email_key UNIQUE

Seen: CREATE TABLE, ALTER TABLE … ADD and CREATE INDEX in strings of the file, f-strings and sums included.
Not seen: strings put together otherwise (join, format, %), bodies in dollar quotes (DO, functions),
domains, NOT NULL, and what is raised, printed or logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance import ddl, naming
from spotify_ai_agent_migrations.versions.governance.ddl import Constraint
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.strings import SqlText

CODE = "MIG017"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_WRITTEN: Final[Mapping[str, str]] = MappingProxyType(
    {"pkey": "PRIMARY KEY", "key": "UNIQUE", "check": "CHECK", "fkey": "FOREIGN KEY", "excl": "EXCLUDE"}
)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each constraint or index without a name, or with one that is too long."""
    for revision in history.revisions:
        for text in revision.sql_texts:
            for constraint in _defined(text):
                yield from _named(revision, text, constraint)


def _defined(text: SqlText) -> Iterator[Constraint]:
    for statement in ddl.statements(text):
        for element in ddl.elements(statement):
            yield from ddl.constraints(element)
        if (index := ddl.index(statement)) is not None:
            yield index


def _named(revision: Revision, text: SqlText, constraint: Constraint) -> Iterator[Finding]:
    problem, hint = naming.too_long(constraint.name), "shorten it"
    if constraint.name is None:
        problem = naming.unnamed(constraint.kind, constraint.table, constraint.columns)
        hint = f"write {_fix(constraint)}"
    if problem is not None:
        yield _found(
            revision.path,
            problem,
            hint=f"{hint} in {revision.file_name}",
            at=revision.place_in(text, constraint.token),
        )


def _fix(constraint: Constraint) -> str:
    name = naming.suggested(constraint.kind, constraint.table, constraint.columns)
    if constraint.kind == "idx":
        return f"CREATE INDEX {name} ON {constraint.table} ({', '.join(constraint.columns) or '…'})"
    # In a column a foreign key is spelled REFERENCES.
    written = constraint.token.word if constraint.kind == "fkey" else _WRITTEN[constraint.kind]
    return f"CONSTRAINT {name} before {'FOREIGN KEY' if written == 'FOREIGN' else written}"
