"""What PostgreSQL refuses inside of a transaction stands in an autocommit block.

Why: a revision is one transaction, and CONCURRENTLY fails in it at once, with everything that came before.
Fix: give it a revision of its own:

    with op.get_context().autocommit_block():
        op.create_index("users_email_idx", "users", ["email"], postgresql_concurrently=True)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    CreateIndex,
    DropIndex,
    Statement,
    TableAction,
)
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG025"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each statement that would be refused."""
    for revision in history.revisions:
        for act in (*revision.upgrade.acts, *revision.downgrade.acts):
            if not act.autocommit and (what := _refused(act)) is not None:
                code = hints.execute(written(act.tokens)) if act.tokens else hints.called(act)
                yield _found(
                    revision.path,
                    f"{what} cannot run inside of a transaction, and the revision is one",
                    hint=f"write {hints.alone(code)}, alone in a revision, instead in {revision.file_name}",
                    at=revision.place_of_act(act),
                )


def _refused(act: Act) -> str | None:
    match act:
        case CreateIndex(concurrently=True):
            return "CREATE INDEX CONCURRENTLY"
        case DropIndex(concurrently=True):
            return "DROP INDEX CONCURRENTLY"
        case TableAction(words=("DETACH", "PARTITION", *_)) if _says(act, "CONCURRENTLY"):
            return "DETACH PARTITION CONCURRENTLY"
        case Statement() if act.verb == "REINDEX" and _says(act, "CONCURRENTLY"):
            return "REINDEX CONCURRENTLY"
    return None


def _says(act: Act, word: str) -> bool:
    return any(token.word == word for token in act.tokens)
