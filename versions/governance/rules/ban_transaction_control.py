"""A revision begins and ends no transaction.

Why: the runner gives each revision one, and undoes all of it when a statement fails; after a COMMIT in the
middle, half of the revision stays, under the old number.
Fix: remove it. What cannot run in a transaction has a revision of its own:

    with op.get_context().autocommit_block():
        execute("CREATE INDEX CONCURRENTLY …")

Seen: `upgrade()` and `downgrade()`; savepoints are allowed, and a DO outside of a transaction may commit.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Place, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.tokens import begins

CODE = "MIG023"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_VERBS: Final = ("ABORT", "BEGIN", "COMMIT", "END", "PREPARE", "ROLLBACK", "START")
_METHODS: Final = frozenset({"commit", "rollback"})


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each BEGIN, COMMIT or ROLLBACK, as SQL or as a method."""
    for revision, said in history.statements_of_both(*_VERBS):
        if _controls(said) and not said.where.inner:
            named = said.tokens[: 2 if said.verb in {"PREPARE", "START"} else 1]
            yield _told(revision, written(named).upper(), revision.place_of_act(said))
    for revision in history.revisions:
        for call in revision.calls:
            if isinstance(call.node.func, ast.Attribute) and call.node.func.attr in _METHODS:
                yield _told(revision, f"{call.node.func.attr}()", revision.place(call.node))


def _controls(said: Statement) -> bool:
    words = [token.word for token in said.tokens[1:3] if token.word not in {"WORK", "TRANSACTION"}]
    if said.verb in {"PREPARE", "START"}:
        return begins(said.tokens[1:], "TRANSACTION")
    return "TO" not in words


def _told(revision: Revision, what: str, place: Place) -> Finding:
    return _found(
        revision.path,
        f"{what} cuts the transaction of the revision in two: what came before it is not undone on failure",
        hint=f"remove {what} from {revision.file_name}; what has to run outside of a transaction has a "
        'revision of its own: with op.get_context().autocommit_block(): execute("…")',
        at=place,
    )
