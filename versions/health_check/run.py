"""Run the checks: each in a transaction of its own, each bounded, all of them before one deadline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from os import PathLike
from types import MappingProxyType
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.health_check.allowed import rules_of
from spotify_ai_agent_migrations.versions.health_check.answering import not_reached, stopped
from spotify_ai_agent_migrations.versions.health_check.asking import (
    CHECK_MOST_S,
    SQL,
    Asker,
    identity,
    ran,
)
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.expecting import (
    NOTHING_EXPECTED,
    Expected,
    told_to,
)
from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport, Ran
from spotify_ai_agent_migrations.versions.health_check.given import Given
from spotify_ai_agent_migrations.versions.health_check.history import with_first_seen
from spotify_ai_agent_migrations.versions.health_check.meter import Tell
from spotify_ai_agent_migrations.versions.health_check.past import Past
from spotify_ai_agent_migrations.versions.health_check.selection import chosen
from spotify_ai_agent_migrations.versions.health_check.session import NoAnswerError, Session
from spotify_ai_agent_migrations.versions.health_check.suppressions import Suppression, suppressed
from spotify_ai_agent_migrations.versions.health_check.target import settings_of

DEADLINE_S: Final = 10.0
DEEP_DEADLINE_S: Final = 600.0
NO_LIMITS: Final[Mapping[str, tuple[float | None, float | None]]] = MappingProxyType({})
Limits = Mapping[str, tuple[float | None, float | None]]


def check_health(
    connection: object = None,
    *,
    url: str | None = None,
    only: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    deep: bool = False,
    deadline_s: float = DEADLINE_S,
    limits: Limits = NO_LIMITS,
    expected: Expected = NOTHING_EXPECTED,
    suppressions: str | PathLike[str] | Sequence[Suppression] | None = None,
    tell: Tell | None = None,
    history: Sequence[Past] | None = None,
    settings: Mapping[str, str] | None = None,
) -> HealthReport:
    """Ask the server how it is, and return what was found; an unhealthy server raises nothing.

    connection: of psycopg2, psycopg or SQLAlchemy, or an engine, or a URL; of a connection the parameters are
        used alone, in a session of our own. Without any, *url*, else `DATABASE_URL`, else `.env`.
    only, exclude: checks by id, or by group (`conn`), or by pattern (`idx.*`).
    deep: also what reads the data: amcheck, orphans of foreign keys, exact bloat.
    limits: from where on a check, by id, is a warning, and critical, instead of its own limits.
    expected: what a check, by id, is told beside them: `{"avail.role_expected": {"role": "primary"}}`.
    suppressions: what is allowed for now, or the file that says so; see `suppressions`.
    tell: is told before each check which it is, how many are done, and how many there are.
    history: what earlier runs measured, none perhaps; with it days left, growth, and since when.
    settings: by name, what they should be.

    Locks: ACCESS SHARE on catalogs. Time: *deadline_s* at the most, whatever the server does.

    Raises:
        SettingsError: no such check, no server to ask, no time to ask it in, a rule that is none.
    """
    if not deadline_s > 0:
        raise SettingsError(
            "there is no time to ask in", hint=f"give seconds, as deadline_s={DEADLINE_S:.0f}"
        )
    for name in limits.keys() - {check.id for check in CHECKS}:
        raise SettingsError(
            f'there is no check "{name}" to be given limits', hint="say its whole id: conn.usage"
        )
    rules = rules_of(suppressions)
    wanted = chosen(told_to(CHECKS, expected), only=_names(only), exclude=_names(exclude) or (), deep=deep)
    given = Given(history, settings)
    limited = (given.told(_limited(one, limits, deep=deep)) for one in wanted)
    # What takes all the time that it is given comes last.
    checks = sorted(limited, key=lambda one: one.most_s is None)
    place = settings_of(connection, url)
    began = time.monotonic()
    with closing(Session(place, deadline=began + deadline_s)) as session:
        found, version, asker = _asked(session, checks, given, tell)
    told = suppressed(found, rules, today=datetime.now(timezone.utc).date())
    report = HealthReport(
        told, time.monotonic() - began, place.shown_url, version, asker.role, asker.database
    )
    return report if history is None else with_first_seen(report, history, now=asker.now)


def _names(given: str | Sequence[str] | None) -> Sequence[str] | None:
    """Return the names that were given; of one alone the letters are not meant."""
    return (given,) if isinstance(given, str) else given


def _limited(check: Check, limits: Limits, *, deep: bool) -> Check:
    """Return *check* with the limits that it was given, and all the time there is where that is wanted."""
    warning, critical = limits.get(check.id, (check.warning, check.critical))
    is_patient = check.deep or (deep and check.probed)
    return replace(check, warning=warning, critical=critical, most_s=None if is_patient else check.most_s)


def _asked(
    session: Session, checks: Sequence[Check], given: Given, tell: Tell | None
) -> tuple[list[Ran], int | None, Asker]:
    try:
        session.open()
        ((in_recovery, sees_others, login),) = session.rows(SQL["role"], most_s=CHECK_MOST_S)
        database = "" if given.history is None else identity(session)
    except (NoAnswerError, psycopg2.Error) as error:
        nobody = Asker("unknown", "", sees_others=False, given=given)
        return not_reached(checks, session, error), None, nobody
    role, version = "standby" if in_recovery else "primary", session.server_version
    asker = Asker(role, login, sees_others, given, database)
    found: list[Ran] = []
    for place, check in enumerate(checks):
        if tell is not None:
            tell(check.id, place, len(checks))
        try:
            found.append(ran(session, check, asker))
        except NoAnswerError as error:
            return stopped(checks, found, session, error), version, asker
    return found, version, asker
