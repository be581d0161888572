"""Make several changes together, each phase of all before the next: a key and what refers to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import facts, run
from spotify_ai_agent_migrations.versions.zero_downtime_migration.family import family, in_order
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, State
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.widen_key import WidenKey
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened


def widening(table: str, column: str, *, settings: Settings | None = None) -> tuple[WidenKey, ...]:
    """Return what widens a key of *table* and all that refers to it, each before what it refers to.

    What was begun and is not over is among them, even where it no longer refers to the old key.

    Raises:
        TableError: there is no such column, it is no whole number, or tables refer to each other in a circle.
    """
    with translated(), opened(settings or resolve_settings(), "agentdb zero-downtime") as connection:
        session = Session(connection)
        key = facts.table(session, table)
        subject = WidenKey(key.name, key.name, column).subject
        found = {*family(session, key, column).columns}
        if session.value("has_ledger"):
            found |= {name for (name,) in session.ask("family_begun", subject=subject)}
        return tuple(WidenKey(name, key.name, column) for name in in_order(session, found))


def change(
    wishes: Sequence[Wish], *, settings: Settings | None = None, manner: Manner | None = None
) -> tuple[Change, ...]:
    """Make changes from their start to their completion, each phase of all before the next.

    What was begun goes on from its finished steps. They are completed in the order in which they are given.

    Raises:
        TableError: one cannot be done online, or a proof fails.
        LockError: somebody was in the way at every try, or another process is at one of the tables.
    """
    for verb in (start, backfill, verify):
        verb(wishes, settings=settings, manner=manner)
    return complete(wishes, settings=settings, manner=manner)


def start(
    wishes: Sequence[Wish], *, settings: Settings | None = None, manner: Manner | None = None
) -> tuple[Change, ...]:
    """Begin them all."""
    return _each(run.start, wishes, settings, manner)


def backfill(
    wishes: Sequence[Wish], *, settings: Settings | None = None, manner: Manner | None = None
) -> tuple[Change, ...]:
    """Fill them all."""
    return _each(run.backfill, wishes, settings, manner)


def verify(
    wishes: Sequence[Wish], *, settings: Settings | None = None, manner: Manner | None = None
) -> tuple[Change, ...]:
    """Prove of them all that no row was missed."""
    return _each(run.verify, wishes, settings, manner)


def complete(
    wishes: Sequence[Wish], *, settings: Settings | None = None, manner: Manner | None = None
) -> tuple[Change, ...]:
    """Contract them all, in the order in which they are given; none, if one may not be."""
    for wish in wishes:
        run.permit(wish, settings=settings, manner=manner)
    return _each(run.complete, wishes, settings, manner)


def abort(
    wishes: Sequence[Wish], *, settings: Settings | None = None, manner: Manner | None = None
) -> tuple[Change, ...]:
    """Take back those that were begun, in the order in which they are given.

    Raises:
        TableError: one of them has come so far that there is no way back.
    """
    found = [run.plan(wish, settings=settings) for wish in wishes]
    begun = [wish for wish, change in zip(wishes, found, strict=True) if change.id]
    over = next((change for change in found if change.state is State.COMPLETED), None)
    if begun and over is not None:
        raise TableError(
            f"{over.operation} of {over.subject} can no longer be aborted: {over.table} is done",
            hint="complete it: the others go on where they are",
        )
    return _each(run.abort, begun, settings, manner)


def _each(
    verb: Callable[..., Change], wishes: Sequence[Wish], settings: Settings | None, manner: Manner | None
) -> tuple[Change, ...]:
    return tuple(verb(wish, settings=settings, manner=manner) for wish in wishes)
