"""Write down which versions of which applications may run, and which forms of the schema each knows."""

from __future__ import annotations

import psycopg2

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import ledger
from spotify_ai_agent_migrations.versions.zero_downtime_migration.evidence import Application
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened

_PURPOSE = "agentdb zero-downtime"


def acknowledge(
    application: str, version: str, *, revision: str, settings: Settings | None = None
) -> tuple[Application, ...]:
    """Say that a version of an application runs, which knows the new forms up to *revision*.

    Said again it counts from then on, also of one that was retired. A backend says it when it starts:
    `SELECT public.acknowledge_version_v1('backend', '1.5.0', '012')`, as agent_app. Return all that may run.

    Raises:
        TableError: the revision is no three digits, or a name is empty, too long or no plain text.
    """
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection)
        ledger.require(session)
        try:
            session.ask("acknowledge", application=application, version=version, revision=revision)
        except psycopg2.errors.CheckViolation as error:
            raise TableError(
                f'"{application}" "{version}" of revision "{revision}" cannot be acknowledged',
                hint="a name has 1 to 100 plain characters, a revision three digits, as 012",
            ) from error
        return may_run(session)


def retire(application: str, version: str, *, settings: Settings | None = None) -> tuple[Application, ...]:
    """Say that none of a version runs any more; return all that may run.

    Raises:
        TableError: it never acknowledged anything.
    """
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection)
        ledger.require(session)
        if not session.ask("retire", application=application, version=version):
            raise TableError(
                f'"{application}" "{version}" has never acknowledged a revision',
                hint="see ops.application_version for those that have",
            )
        return may_run(session)


def may_run(session: Session) -> tuple[Application, ...]:
    """Return the versions that are not retired."""
    return tuple(Application(*row) for row in session.ask("may_run"))
