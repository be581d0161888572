"""Every column that literal SQL creates has a `COMMENT ON COLUMN` with its class in the same file.

Why: as for columns of operations: erasure, export and retention read the classes from the catalogue.
Fix: add the comment beside the statement:

    COMMENT ON COLUMN public.users.email IS 'contact: where notices are sent';

Seen: CREATE TABLE and ALTER TABLE … ADD in strings of the file, f-strings included; not temporary tables.
Not seen: strings put together at run time, bodies in dollar quotes (DO, functions), CREATE TABLE … OF type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import ddl
from spotify_ai_agent_migrations.versions.governance.classification import CHOICE, complaint, is_classified
from spotify_ai_agent_migrations.versions.governance.ddl import SqlText
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.tokens import Token, Tokens

CODE = "MIG015"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each column without a class, and for columns that are copied from elsewhere."""
    for revision in history.revisions:
        texts = tuple(ddl.sql_texts(revision))
        comments = dict(
            pair for text in texts for statement in text.statements for pair in ddl.column_comments(statement)
        )
        for text in texts:
            for statement in text.statements:
                yield from _hidden(text, statement)
                yield from _unclassified(text, statement, comments)


def _unclassified(text: SqlText, statement: Tokens, comments: dict[str, str]) -> Iterator[Finding]:
    for element in ddl.elements(statement):
        column = f"{element.table}.{element.column}"
        comment = comments.get(column)
        if element.column is None or (comment is not None and is_classified(comment)):
            continue
        yield _found(
            text.revision.path,
            f'column "{element.column}" of "{element.table}" {complaint(comment)}',
            hint=f"write COMMENT ON COLUMN {column} IS '<class>: <what it is for>' in "
            f"{text.revision.file_name}; the class is {CHOICE}",
            at=text.place(element.tokens[0]),
        )


def _hidden(text: SqlText, statement: Tokens) -> Iterator[Finding]:
    if (table := ddl.made_from_query(statement)) is not None:
        fix = f"write CREATE TABLE {table} (…) with its columns, then INSERT INTO {table} SELECT"
        yield _unseen(text, statement[0], table, fix)
    for element in ddl.elements(statement):
        if element.copies_columns:
            fix = "write INCLUDING ALL, or at least INCLUDING COMMENTS, after LIKE"
            yield _unseen(text, element.tokens[0], element.table, fix)


def _unseen(text: SqlText, token: Token, table: str, fix: str) -> Finding:
    return _found(
        text.revision.path,
        f'the columns of "{table}" come from elsewhere, without a classification',
        hint=f"{fix}, in {text.revision.file_name}",
        at=text.place(token),
    )
