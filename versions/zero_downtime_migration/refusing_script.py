"""Write, with `--sql`, what stops the script where a revision changes a live table."""

from __future__ import annotations

from alembic import op
from psycopg2.extensions import QuotedString

from spotify_ai_agent_migrations.versions.core.ddl import execute

_GUARD = """
DO $revision$
BEGIN
    RAISE EXCEPTION 'a script cannot change % online', {table}
          USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'alembic upgrade, connected to this database, does it while others read and write';
END
$revision$
"""


def refuse_script(table: str) -> None:
    """Write a statement that fails, and says what to do; psql stops there, what came before is committed."""
    if op.get_context().as_sql:
        execute(_GUARD.format(table=_quoted(table)))


def _quoted(text: str) -> str:
    literal = QuotedString(text)
    # There is no connection that says it.
    literal.encoding = "utf8"
    return literal.getquoted().decode()
