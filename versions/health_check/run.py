"""Run the checks: each in a transaction of its own, each bounded, all of them before one deadline."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Check, Row, findings_of, worst
from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport, Ran, State
from spotify_ai_agent_migrations.versions.health_check.probing import probed
from spotify_ai_agent_migrations.versions.health_check.selection import chosen
from spotify_ai_agent_migrations.versions.health_check.session import NoAnswerError, Session

SQL: Final = queries("spotify_ai_agent_migrations.versions.health_check")
DEADLINE_S: Final = 10.0
_CHECK_MOST_S: Final = 2.0
_PRIVILEGE: Final = "42501"
_CANCELLED: Final = "57014"
_LOCKED: Final = "55P03"


def check_health(
    *,
    url: str | None = None,
    only: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    deep: bool = False,
    deadline_s: float = DEADLINE_S,
) -> HealthReport:
    """Ask the server how it is, and return what was found; an unhealthy server raises nothing.

    only, exclude: checks by id, or by group (`conn`), or by pattern (`idx.*`).
    deep: also what reads the data: amcheck, orphans of foreign keys, exact bloat.

    Locks: ACCESS SHARE on catalogs. Time: *deadline_s* at the most, whatever the server does.

    Raises:
        SettingsError: no such check, or no server to ask.
    """
    checks = chosen(CHECKS, only=only, exclude=exclude, deep=deep)
    settings = resolve_settings(url)
    began = time.monotonic()
    with closing(Session(settings, deadline=began + deadline_s)) as session:
        ran, version, role = _asked(session, checks)
    return HealthReport(tuple(ran), time.monotonic() - began, settings.shown_url, version, role)


def _asked(session: Session, checks: Sequence[Check]) -> tuple[list[Ran], int | None, str]:
    try:
        session.open()
        ((in_recovery,),) = session.rows(SQL["role"], most_s=_CHECK_MOST_S)
    except (NoAnswerError, psycopg2.Error) as error:
        reason = "the server did not answer" if isinstance(error, NoAnswerError) else "no connection"
        return _unanswered(checks, reason), None, "unknown"
    role = "standby" if in_recovery else "primary"
    ran: list[Ran] = []
    for place, check in enumerate(checks):
        try:
            ran.append(_ran(session, check, role))
        except NoAnswerError:
            return [*ran, *_unanswered(checks[place:], "the server did not answer")], None, role
    return ran, session.server_version, role


def _ran(session: Session, check: Check, role: str) -> Ran:
    """Run one check; what it may not, or cannot in time, is unknown."""
    if role not in check.roles or session.server_version < check.since:
        return Ran(check.id, State.SKIPPED, 0.0, reason=f"not on a {role} of this version")
    began = time.monotonic()
    statement = SQL[check.statement]
    try:
        if (left_out := _left_out(session, check)) is not None:
            return left_out
        rows = _rows(session, check, statement)
    except psycopg2.Error as error:
        return Ran(check.id, State.UNKNOWN, time.monotonic() - began, reason=_reason(check, error))
    found = findings_of(check, (_row(one) for one in rows), evidence_sql=statement)
    return Ran(check.id, worst(found), time.monotonic() - began, found)


def _rows(session: Session, check: Check, statement: str) -> Sequence[tuple[object, ...]]:
    most_s = session.left_s if check.deep else _CHECK_MOST_S
    rows = session.rows(statement, _limits(check), most_s=most_s)
    return list(probed(session, check, rows, most_s=most_s, reason=_reason)) if check.probed else rows


def _left_out(session: Session, check: Check) -> Ran | None:
    """Say why a check of a table, or of an extension, cannot be run; None where it can."""
    if not check.table and not check.extension:
        return None
    names = {"table": check.table, "extension": check.extension}
    ((is_readable,),) = session.rows(SQL["subject"], names, most_s=_CHECK_MOST_S)
    if is_readable is None:
        missing = f"table {check.table}" if check.table else f"extension {check.extension}"
        return Ran(check.id, State.SKIPPED, 0.0, reason=f"there is no {missing}")
    if not is_readable:
        schema = check.table.partition(".")[0]
        cure = f"GRANT USAGE ON SCHEMA {schema} TO the login; GRANT SELECT ON {check.table} TO the login"
        return Ran(check.id, State.UNKNOWN, 0.0, reason=f"the login may not: {cure}")
    return None


def _limits(check: Check) -> dict[str, object]:
    return {**check.settings, "warning": check.warning, "critical": check.critical}


def _row(found: tuple[object, ...]) -> Row:
    kind, schema, name, measure, state, values, fixes = found
    assert isinstance(values, dict)
    return Row(
        str(kind), None if schema is None else str(schema), str(name or ""),
        None if measure is None else float(str(measure)), None if state is None else str(state), values,
        tuple((str(sql), str(lock)) for sql, lock in fixes or ()),  # type: ignore[attr-defined]
    )  # fmt: skip


def _reason(check: Check, error: psycopg2.Error) -> str:
    """Say why a check could not be run, and what would cure it."""
    if error.pgcode == _PRIVILEGE:
        return f"the login may not: {check.needs or 'ask the owner'}"
    if error.pgcode == _CANCELLED:
        return "it took longer than it was given"
    if error.pgcode == _LOCKED:
        return "a table that it reads is locked"
    return f"the server refused it: {error.pgcode}"


def _unanswered(checks: Iterable[Check], reason: str) -> list[Ran]:
    return [Ran(check.id, State.UNKNOWN, 0.0, reason=reason) for check in checks]
