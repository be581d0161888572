"""Expand in one revision and contract in a later one, with a deploy between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import foretelling
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Phase, contraction, expansion
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from spotify_ai_agent_migrations.versions.zero_downtime_migration.revision import (
    OWNER,
    Online,
    Told,
    acting_as,
    driver_connection,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Inside, Session


def expand(wish: Wish, revision: str) -> None:
    """Make in *revision* what of a change old code runs with; after it old and new code run side by side.

    Each step commits by itself, however small the table is, and the same revision goes on from the finished
    one; nothing else belongs into the revision. `contract` in a later one ends it, `retract` takes it back.

    Locks: those of the steps, which `plan` lists.
    """
    _do(wish, expansion(wish.operation), revision)


def contract(wish: Wish) -> None:
    """Complete a change that an earlier revision has expanded.

    Raises:
        TableError: it may not be contracted yet; says all that is missing, and nothing was changed.
    """
    _do(wish, contraction(wish.operation), None)


def retract(wish: Wish) -> None:
    """Take back what `expand` has made, in the downgrade of its revision.

    Raises:
        TableError: it was contracted meanwhile, and there is no way back.
    """
    if _is_dry_run():
        foretelling.taken_back(Inside(driver_connection()), wish, may_be_over=False)
        return
    with _alone() as session:
        Online(session).undo(wish, may_be_over=False)


def _do(wish: Wish, phases: tuple[Phase, ...], revision: str | None) -> None:
    if _is_dry_run():
        Told(Inside(driver_connection())).change(wish, phases)
        return
    with _alone() as session:
        Online(session).change(wish, phases, revision)


def _is_dry_run() -> bool:
    # It has a transaction open that it will roll back: the steps are told.
    context = op.get_context()
    return not context.as_sql and context._in_external_transaction


@contextmanager
def _alone() -> Iterator[Session]:
    context = op.get_context()
    if context.as_sql:
        raise RevisionError(
            "a change that is made online asks the database for each step, and cannot be written out",
            hint="alembic upgrade, connected to the database, makes it",
        )
    session = Session(driver_connection())
    with context.autocommit_block(), acting_as(session, OWNER):
        yield session
