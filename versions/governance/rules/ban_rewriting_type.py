"""A column of a table that was there before keeps its type, or gets one that takes its values as they are.

Why: a change of type rewrites the table with all its indexes, under ACCESS EXCLUSIVE: nobody reads or
writes until it is done. Nothing is rewritten where a varchar, a numeric of the same scale or a timestamp
gets wider, or a varchar becomes text.
Fix: add a column of the new type, keep both equal with a trigger, fill it in batches, read from it, and
drop the old one in a later revision:

    op.add_column("users", sa.Column("plan_id_new", sa.BigInteger, comment="none: …"))

Tables of the same revision are exempt. The old type is that of the revisions, or `existing_type`; one that
cannot be told is taken for another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AlterColumn
from spotify_ai_agent_migrations.versions.governance.column_types import ColumnType
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG046"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each change of type that rewrites its table."""
    facts = history.facts
    for revision, act in history.changes(AlterColumn):
        if act.type is None:
            continue
        old = facts.old_types.get(act) or act.existing or ColumnType()
        if not act.converts and act.type.widens(facts.base_type(old)):
            continue
        column = act.column or "<column>"
        new = hints.operation("add_column", act.table, f'sa.Column("{column}_new", …)')
        yield _found(
            revision.path,
            f'changing "{column}" {_change(old, act.type)} rewrites {hints.quoted(act.table)} under '
            "ACCESS EXCLUSIVE: nobody reads or writes until it is done",
            hint=f"write {new} and a trigger that keeps both equal in {revision.file_name}, fill it in "
            "batches in the next revision, let a release read it, and drop the old column after that",
            at=revision.place_of_act(act),
        )


def _change(old: ColumnType, new: ColumnType) -> str:
    before = f"from {old} " if old.name else ""
    return f"{before}to {new or 'another type'}"
