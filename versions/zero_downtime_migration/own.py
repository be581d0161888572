"""Revision 011 from outside of Alembic: applied, gone on with, given up, taken back, and how far it is."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import engine, ledger, run
from spotify_ai_agent_migrations.versions.zero_downtime_migration.listing import Listed, listed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened

OWNER: Final = "agent_owner"
# By name, and late: it imports this room.
_REVISION: Final = "spotify_ai_agent_migrations.versions.011_zero_downtime_migration"


def upgrade() -> None:
    """Apply revision 011 through the runner; one that was cut off goes on from its finished step.

    Locks: see the revision; nobody waits for it longer than half a second at a time.

    Raises:
        RevisionError: an ancestor is not applied.
        TableError: two accounts come to the same canonical e-mail; their numbers are told, and what to do.
    """
    _revision().upgrade()


def downgrade() -> None:
    """Take revision 011 back: canonical e-mail, and the ledger of online changes."""
    _revision().downgrade()


def status(*, settings: Settings | None = None) -> tuple[Listed, ...]:
    """Return the online changes there are, and how far each is, the last one first."""
    return listed(settings=settings)


def abort_upgrade(*, settings: Settings | None = None) -> None:
    """Take back what an upgrade that was cut off has made, so that the database is at revision 010 as it was.

    Raises:
        TableError: the revision is applied: `downgrade` takes it back; or it was not begun.
    """
    revision = _revision()
    chosen = settings or resolve_settings()
    with translated(), opened(chosen, "agentdb zero-downtime") as connection:
        session = Session(connection)
        if session.value("is_at", revision=revision.revision):
            raise TableError(
                f"revision {revision.revision} is applied, and can no longer be aborted",
                hint=f"python versions/{revision.__name__.rpartition('.')[2]}.py downgrade takes it back",
            )
        if not session.value("has_ledger"):
            raise TableError(f"revision {revision.revision} was not begun", hint="there is nothing to abort")
    _abort(chosen, revision)


def _abort(settings: Settings, revision: ModuleType) -> None:
    wish = revision.WISH
    with run.working(wish.table, settings, None) as (session, manner):
        session.run(f"SET ROLE {OWNER}")
        found = ledger.found(session, wish.operation, wish.table, wish.subject)
        if found is not None:
            engine.abort(session, found, manner)
        session.transaction(lambda: session.run(revision.TAKE_BACK))


def _revision() -> ModuleType:
    return import_module(_REVISION)
