"""Every column that literal SQL creates has a comment with its class in the same file.

Why: as for columns of operations: erasure, export and retention read the classes from the catalogue.
Fix: add the comment beside the statement:

    COMMENT ON COLUMN public.users.email IS 'contact: where notices are sent';

Seen: CREATE TABLE and ALTER TABLE … ADD in strings of the file, f-strings and sums included, SELECT … INTO,
and the comments of op.alter_column; not temporary tables.
Not seen: strings put together otherwise (join, format, %), bodies in dollar quotes (DO, functions), CREATE
TABLE … OF type, and what is raised, printed or logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from spotify_ai_agent_migrations.versions.governance import ddl
from spotify_ai_agent_migrations.versions.governance.classification import CHOICE, complaint, is_classified
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.strings import SqlText
from spotify_ai_agent_migrations.versions.governance.tokens import Token, Tokens

CODE = "MIG015"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each column without a class, and for columns that are copied from elsewhere."""
    for revision in history.revisions:
        comments = revision.comments
        for text in revision.sql_texts:
            for statement in ddl.statements(text):
                yield from _hidden(revision, text, statement)
                yield from _unclassified(revision, text, statement, comments)


def _unclassified(
    revision: Revision, text: SqlText, statement: Tokens, comments: Mapping[str, str]
) -> Iterator[Finding]:
    for element in ddl.elements(statement):
        column = f"{element.table}.{element.column}"
        comment = comments.get(column)
        if element.column is None or (comment is not None and is_classified(comment)):
            continue
        yield _found(
            revision.path,
            f'column "{element.column}" of "{element.table}" {complaint(comment)}',
            hint=f"write COMMENT ON COLUMN {column} IS '<class>: <what it is for>' in "
            f"{revision.file_name}; the class is {CHOICE}",
            at=revision.place_in(text, element.tokens[0]),
        )


def _hidden(revision: Revision, text: SqlText, statement: Tokens) -> Iterator[Finding]:
    if (table := ddl.made_from_query(statement)) is not None:
        fix = f"write CREATE TABLE {table} (…) with its columns, then INSERT INTO {table} SELECT"
        yield _unseen(revision, text, statement[0], table, fix)
    for element in ddl.elements(statement):
        if element.copies_columns:
            fix = "write INCLUDING ALL, or at least INCLUDING COMMENTS, after LIKE"
            yield _unseen(revision, text, element.tokens[0], element.table, fix)


def _unseen(revision: Revision, text: SqlText, token: Token, table: str, fix: str) -> Finding:
    return _found(
        revision.path,
        f'the columns of "{table}" come from elsewhere, without a classification',
        hint=f"{fix}, in {revision.file_name}",
        at=revision.place_in(text, token),
    )
