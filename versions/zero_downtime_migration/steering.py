"""Pause, resume or cancel a backfill from another process, without a lock."""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import facts, ledger, progress
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Kind
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from spotify_ai_agent_migrations.versions.zero_downtime_migration.progress import Progress
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened

_PURPOSE = "agentdb zero-downtime"


def pause(wish: Wish, *, settings: Settings | None = None) -> None:
    """Let the backfill of a change stand still after the batches it is at; its process waits.

    Raises:
        TableError: there is no such change, or it is over.
    """
    _ask(wish, "pause", settings)


def resume(wish: Wish, *, settings: Settings | None = None) -> None:
    """Let the backfill of a change go on that was paused, or let one be run again that was cancelled."""
    _ask(wish, "go", settings)


def cancel(wish: Wish, *, settings: Settings | None = None) -> None:
    """End the process of a backfill after the batches it is at; what is filled stays."""
    _ask(wish, "end", settings)


def progress_of(wish: Wish, *, settings: Settings | None = None) -> tuple[Progress, ...]:
    """Return how far the backfills of a change are, each of its own, as another process sees it.

    Their speed is not seen here, and so not how long they will take.
    """
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection)
        change = _found(session, wish)
        return tuple(
            progress.Meter(session, change.id, place).read()
            for place, step in enumerate(change.steps)
            if step.kind is Kind.FILL
        )


def _ask(wish: Wish, asked: str, settings: Settings | None) -> None:
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection)
        change = _found(session, wish)
        if not session.ask("ask_for", id=change.id, asked=asked):
            raise TableError(
                f"{wish.operation} of {wish.subject} on {wish.table} is over: {change.state.value}",
                hint="there is nothing to pause, resume or cancel",
            )


def _found(session: Session, wish: Wish) -> Change:
    ledger.require(session)
    change = ledger.found(session, wish.operation, facts.table(session, wish.table).name, wish.subject)
    if change is None:
        raise TableError(
            f"{wish.operation} of {wish.subject} on {wish.table} was never started", hint="start it first"
        )
    return change
