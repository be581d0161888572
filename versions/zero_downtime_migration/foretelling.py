"""Tell, in a dry run, what a change that is recorded has still to do; none of it is executed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from alembic import op

from spotify_ai_agent_migrations.versions.core.ddl import execute
from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.settings import read_environment
from spotify_ai_agent_migrations.versions.zero_downtime_migration import admission, engine, run
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    Kind,
    Phase,
    State,
    Step,
    contraction,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def environment() -> str:
    """Return which environment this is."""
    return read_environment(os.environ, read_dotenv())


def tell(step: Step) -> None:
    """Tell one step of a change."""
    told(() if step.kind is Kind.PROOF else (step.sql or step.plain or ()))


def told(statements: Sequence[str]) -> None:
    """Tell statements to whoever watches the dry run."""
    for statement in statements:
        with op.get_context().autocommit_block():
            execute(statement)


def gone_on(session: Session, wish: Wish, phases: Sequence[Phase]) -> bool:
    """Tell what is left of a change that is open, and what stands against its contract; False if none is."""
    change = run.recorded(session, wish)
    if change is None or change.ended:
        return False
    if not {*phases}.isdisjoint(contraction(change.operation)) and not change.is_contracting():
        terms = run.in_environment(environment(), Manner()).terms
        for one in admission.verdict(session, change, terms).missing if change.contracts() else ():
            session.note(f"dry run: it would be refused: {one.problem}; {one.hint}")
    for _, step in (each for phase in phases for each in change.left(phase)):
        tell(step)
    return True


def taken_back(session: Session, wish: Wish) -> None:
    """Tell what takes a change back that was begun.

    Raises:
        TableError: it can no longer be aborted.
    """
    change = run.recorded(session, wish)
    if change is None or run.is_undone(session, wish, change):
        return
    if change.state is not State.ABORTED:
        engine.refuse_late(change)
        for place in sorted(change.begun, reverse=True):
            told(change.steps[place].undo)
