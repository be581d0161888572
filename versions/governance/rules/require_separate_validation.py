"""VALIDATE stands in a later revision than the NOT VALID it is for.

Why: a revision is one transaction. The strong lock that adding the constraint took is still held while
VALIDATE reads the table, and nothing is won.
Fix: validate it in the next revision:

    execute("ALTER TABLE users VALIDATE CONSTRAINT users_age_check")

Tables of the same revision are exempt, and so are autocommit blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AddConstraint, ValidateConstraint
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG044"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each constraint that is validated where it is added."""
    for revision, act in history.changes(ValidateConstraint):
        added = {(made.table, made.constraint.name) for made in revision.upgrade.of(AddConstraint)}
        if (act.table, act.name) in added and not act.autocommit:
            yield _found(
                revision.path,
                f'"{act.name}" is validated while the lock that added it still keeps others from '
                f"{hints.quoted(act.table)}",
                hint=f"move {hints.execute(written(act.tokens))} from {revision.file_name} into the next "
                "revision",
                at=revision.place_of_act(act),
            )
