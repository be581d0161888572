"""SET NOT NULL on a table that was there before follows a valid CHECK that says the same.

Why: without it PostgreSQL reads the whole table under ACCESS EXCLUSIVE. With a CHECK (column IS NOT NULL)
that was validated it reads nothing.
Fix: in three revisions: add the CHECK, validate it, then this one; the CHECK may go in a fourth.

    op.create_check_constraint("users_email_check", "users", "email IS NOT NULL", postgresql_not_valid=True)
    execute("ALTER TABLE users VALIDATE CONSTRAINT users_email_check")
    op.alter_column("users", "email", nullable=False)

Tables of the same revision are exempt. Not seen: a CHECK that asks for more and implies it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AlterColumn
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG041"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each SET NOT NULL that has to read the table."""
    for revision, act in history.changes(AlterColumn):
        if not act.required or act in history.facts.proven:
            continue
        table, column = hints.identifier(act.table), act.column or "<column>"
        name = f"{table.rpartition('.')[2]}_{column}_check"
        condition = f'"{column} IS NOT NULL"'
        added = hints.operation_of(
            "create_check_constraint", name, act.table, condition, postgresql_not_valid="True"
        )
        validated = hints.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        yield _found(
            revision.path,
            f'SET NOT NULL on "{column}" reads all of {hints.quoted(act.table)} under ACCESS EXCLUSIVE',
            hint=f"write {added} in a revision, {validated} in the next, and this in a third, "
            f"instead in {revision.file_name}",
            at=revision.place_of_act(act),
        )
