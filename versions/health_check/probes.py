"""Tell an orchestrator whether this process lives, and whether its database is ready for it.

Live asks nobody: a database that is away is no reason to restart what waits for it. Ready asks what this
build needs and no more: a session, the role, and a schema at its revision or past it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.answering import why_not
from spotify_ai_agent_migrations.versions.health_check.checks_migrations import known
from spotify_ai_agent_migrations.versions.health_check.expecting import Expected
from spotify_ai_agent_migrations.versions.health_check.session import NoAnswerError, Session

_SQL: Final = queries("spotify_ai_agent_migrations.versions.health_check")
READY_DEADLINE_S: Final = 1.0
ROLES: Final = ("primary", "standby")
_MEANS: Final = MappingProxyType(
    {"55P03": "somebody has locked public.alembic_version", "57014": "it took longer than it was given"}
)
_NUMBER: Final = re.compile(r"[0-9]{3}")


@dataclass(frozen=True)
class Probed:
    """What a probe says, in how long: whether it is so, and why it is not."""

    probe: str
    is_ok: bool
    said: str
    seconds: float = 0.0


def role_of(expected: Expected) -> str | None:
    """Return the role that *expected* tells the server to have; None where it tells none."""
    return str(expected.get("avail.role_expected", {}).get("role", "")) or None


def live() -> Probed:
    """Say that this process lives, which whoever hears it knows by that."""
    return Probed("live", is_ok=True, said="this process answers")


def ready(
    url: str | None = None,
    *,
    role: str | None = None,
    revision: str | None = None,
    deadline_s: float = READY_DEADLINE_S,
) -> Probed:
    """Say whether the database is what this build needs; a server that is not raises nothing.

    role: `primary` or `standby`, where it has to be that.
    revision: the one needed; else the last of this build.

    Locks: ACCESS SHARE on alembic_version. Time: *deadline_s* at the most, and 0.2 s to say so.

    Raises:
        SettingsError: no such role or revision, or no server to ask.
    """
    if role is not None and role not in ROLES:
        raise SettingsError(f'there is no role "{role}"', hint=f"say {' or '.join(ROLES)}")
    if revision is not None and revision not in known():
        raise SettingsError(f"this build has no revision {revision}", hint=f"its last one is {known()[-1]}")
    began = time.monotonic()
    why = _why_not(resolve_settings(url), role, revision or known()[-1], deadline=began + deadline_s)
    said = why or "it answers, and has what this build needs"
    return Probed("ready", is_ok=why is None, said=said, seconds=time.monotonic() - began)


def _why_not(settings: Settings, role: str | None, revision: str, *, deadline: float) -> str | None:
    with closing(Session(settings, deadline=deadline)) as session:
        try:
            session.open()
        except (NoAnswerError, psycopg2.Error) as error:
            return "; ".join(why_not(session, error))
        try:
            return _unfit(session, role, revision)
        except NoAnswerError as error:
            return str(error)
        except psycopg2.Error as error:
            return _MEANS.get(error.pgcode or "", f"the server refused to say: {error.pgcode}")


def _unfit(session: Session, role: str | None, revision: str) -> str | None:
    ((in_recovery, is_there, is_readable),) = session.rows(_SQL["ready"], most_s=session.left_s)
    if role is not None and role != ROLES[in_recovery]:
        return f"it is a {ROLES[in_recovery]}, and not a {role}"
    if not is_there:
        return unfit((), revision)
    if not is_readable:
        return "the login may not read public.alembic_version"
    found = session.rows(_SQL["ready_revisions"], most_s=session.left_s)
    return unfit([str(version) for (version,) in found], revision)


def unfit(found: Sequence[str], needed: str) -> str | None:
    """Say why a database at the revisions *found* lacks what revision *needed* made; None where it does not.

    A number that this build does not know is of a later one: deployed already, elsewhere.
    """
    if not found:
        return f"it has no revision, and this build needs {needed}"
    if len(found) > 1:
        return f"it is at several revisions at once: {', '.join(sorted(found))}"
    (at,) = found
    if at in known():
        return None if at >= needed else f"it is at revision {at}, and this build needs {needed}"
    is_later = _NUMBER.fullmatch(at) is not None and at > known()[-1]
    return None if is_later else "it is at a revision that is none of this package"
