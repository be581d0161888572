"""An autocommit block stands alone in its function.

Why: the block commits what came before it, and what comes after it can fail when the block is done; then
half of the revision stays, and the next run starts again from its first statement.
Fix: give the block a revision of its own. What only looks (SELECT, SHOW) may stand beside it; `as_owner()`
may not, for its role ends with the transaction. Each call of `ops` is such a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.course import Course
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.flow import AS_OWNER
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG024"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_LOOKS: Final = frozenset({"SELECT", "SHOW"})


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each function that does both."""
    for revision in history.revisions:
        for course in (revision.upgrade, revision.downgrade):
            outside = next((act for act in course.acts if act.autocommit), None)
            if not _writes_inside(course):
                continue
            if outside is None:
                yield from _beside_online(revision, course)
            else:
                yield _found(
                    revision.path,
                    "an autocommit block commits what came before it, and stays when what comes after fails",
                    hint=f"move the block from {revision.file_name} into a revision of its own: "
                    'alembic revision -m "…"',
                    at=revision.place_of_act(outside),
                )


def _beside_online(revision: Revision, course: Course) -> Iterator[Finding]:
    for step in course.steps:
        if step.call is not None and (called := step.call.online()):
            yield _found(
                revision.path,
                f'"ops.{called}" commits what came before it, and stays when what comes after fails',
                hint=f"move the calls of ops from {revision.file_name} into a revision of their own: "
                'alembic revision -m "…"',
                at=revision.place(step.node),
            )
            return


def _writes_inside(course: Course) -> bool:
    """Tell whether anything in the transaction does more than look."""
    for act in course.acts:
        looks = isinstance(act, Statement) and act.verb in _LOOKS
        if not act.autocommit and not looks:
            return True
    return any(step.call is not None and step.call.name == AS_OWNER for step in course.steps)
