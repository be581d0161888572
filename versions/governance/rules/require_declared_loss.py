"""A revision that destroys data says `Data: destructive`.

Why: whoever applies it reads the docstring, and nothing else, before doing so; a suppression further down
is the author's word to the reviewer, not to them.
Fix: begin the field with that word:

    Data: destructive; the rows of plans, which were exported

Seen in `upgrade()`: dropped tables, schemas and columns, TRUNCATE, and DELETE with or without WHERE, of
tables that were there before; and `ops.drop_column` and `ops.drop_table`, but for a part that drops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import syntax
from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    ChangeRows,
    DropColumn,
    DropTable,
    Statement,
)
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.flow import Step
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.tokens import begins

CODE = "MIG055"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision that keeps its loss to itself."""
    for revision in history.revisions:
        if (revision.fields.get("Data") or "").startswith("destructive"):
            continue
        places = [
            *(revision.place_of_act(act) for act in revision.upgrade.acts if _destroys(revision, act)),
            *(revision.place(step.node) for step in revision.upgrade.steps if _drops_online(step)),
        ]
        if places:
            said = (revision.fields.get("Data") or "").split(";")[0].split(",")[0] or "nothing"
            yield _found(
                revision.path,
                f'the revision destroys data, and its field "Data" says {said.split()[0]}',
                hint=f'write "Data: destructive; <what is lost>" in the docstring of {revision.file_name}',
                at=places[0],
            )


def _drops_online(step: Step) -> bool:
    """Tell whether a call of `ops` ends with a column or a table gone."""
    if step.call is None or step.call.online() not in {"drop_column", "drop_table"}:
        return False
    part = syntax.keyword(step.call.node, "part")
    return part is None or syntax.literal(part) not in {"expand", "undo"}


def _destroys(revision: Revision, act: Act) -> bool:
    match act:
        case DropTable() | DropColumn() | ChangeRows(verb="truncate" | "delete"):
            return revision.upgrade.found(act.table, act)
        case Statement():
            return begins(act.tokens, "DROP", "SCHEMA")
    return False
