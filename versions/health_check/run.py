"""Run the checks: each in a transaction of its own, each bounded, all of them before one deadline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.answering import not_reached, stopped
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Check, Row, findings_of, worst
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, HealthReport, Ran, State
from spotify_ai_agent_migrations.versions.health_check.probing import probed
from spotify_ai_agent_migrations.versions.health_check.selection import chosen
from spotify_ai_agent_migrations.versions.health_check.session import NoAnswerError, Session

SQL: Final = queries("spotify_ai_agent_migrations.versions.health_check")
DEADLINE_S: Final = 10.0
_CHECK_MOST_S: Final = 2.0
_PRIVILEGE: Final = "42501"
_CANCELLED: Final = "57014"
_LOCKED: Final = "55P03"
NO_LIMITS: Final[Mapping[str, tuple[float | None, float | None]]] = MappingProxyType({})
Limits = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class Asker:
    """What the server is, which login asks, as SQL writes its name, and whether it sees others' sessions."""

    role: str
    login: str
    sees_others: bool

    def granted(self, cure: str) -> str:
        """Return *cure* with the login's name in it."""
        return cure.replace("TO the login", f"TO {self.login}")


def check_health(
    *,
    url: str | None = None,
    only: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    deep: bool = False,
    deadline_s: float = DEADLINE_S,
    limits: Limits = NO_LIMITS,
) -> HealthReport:
    """Ask the server how it is, and return what was found; an unhealthy server raises nothing.

    only, exclude: checks by id, or by group (`conn`), or by pattern (`idx.*`).
    deep: also what reads the data: amcheck, orphans of foreign keys, exact bloat.
    limits: from where on a check, by id, is a warning, and critical, instead of its own limits.

    Locks: ACCESS SHARE on catalogs. Time: *deadline_s* at the most, whatever the server does.

    Raises:
        SettingsError: no such check, or no server to ask.
    """
    for name in limits.keys() - {check.id for check in CHECKS}:
        raise SettingsError(
            f'there is no check "{name}" to be given limits', hint="say its whole id: conn.usage"
        )
    checks = [_limited(one, limits) for one in chosen(CHECKS, only=only, exclude=exclude, deep=deep)]
    settings = resolve_settings(url)
    began = time.monotonic()
    with closing(Session(settings, deadline=began + deadline_s)) as session:
        ran, version, role = _asked(session, checks)
    return HealthReport(tuple(ran), time.monotonic() - began, settings.shown_url, version, role)


def _limited(check: Check, limits: Limits) -> Check:
    warning, critical = limits.get(check.id, (check.warning, check.critical))
    return replace(check, warning=warning, critical=critical)


def _asked(session: Session, checks: Sequence[Check]) -> tuple[list[Ran], int | None, str]:
    try:
        session.open()
        ((in_recovery, sees_others, login),) = session.rows(SQL["role"], most_s=_CHECK_MOST_S)
    except (NoAnswerError, psycopg2.Error) as error:
        return not_reached(checks, session, error), None, "unknown"
    role = "standby" if in_recovery else "primary"
    asker = Asker(role, login, sees_others)
    ran: list[Ran] = []
    for check in checks:
        try:
            ran.append(_ran(session, check, asker))
        except NoAnswerError as error:
            return stopped(checks, ran, session, error), None, role
    return ran, session.server_version, role


def _ran(session: Session, check: Check, asker: Asker) -> Ran:
    """Run one check; what it may not, or cannot in time, is unknown."""
    if asker.role not in check.roles or session.server_version < check.since:
        return Ran(check.id, State.SKIPPED, 0.0, reason=f"not on a {asker.role} of this version")
    if check.watching and not asker.sees_others:
        cure = asker.granted("GRANT pg_monitor TO the login")
        return _hidden(check, cure, "the login sees its own sessions only")
    began = time.monotonic()
    statement = SQL[check.statement + ("_older" if session.server_version < check.renamed else "")]
    try:
        if (left_out := _left_out(session, check, asker)) is not None:
            return left_out
        rows = _rows(session, check, statement)
    except psycopg2.Error as error:
        return _refused(check, asker, error, time.monotonic() - began)
    found = findings_of(check, (_row(one) for one in rows), evidence_sql=statement)
    return Ran(check.id, worst(found), time.monotonic() - began, found)


def _rows(session: Session, check: Check, statement: str) -> Sequence[tuple[object, ...]]:
    most_s = session.left_s if check.deep else _CHECK_MOST_S
    rows = session.rows(statement, _parameters(check, session), most_s=most_s)
    return list(probed(session, check, rows, most_s=most_s, reason=_reason)) if check.probed else rows


def _parameters(check: Check, session: Session) -> dict[str, object]:
    measured = {"now": time.time(), "connected_s": session.connected_s}
    return {**check.settings, "warning": check.warning, "critical": check.critical, **measured}


def _left_out(session: Session, check: Check, asker: Asker) -> Ran | None:
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
        needs = f"GRANT USAGE ON SCHEMA {schema} TO the login; GRANT SELECT ON {check.table} TO the login"
        return _hidden(check, asker.granted(needs), "the login may not ask")
    return None


def _refused(check: Check, asker: Asker, error: psycopg2.Error, seconds: float) -> Ran:
    """Say why a check was refused, and which grant would let it be."""
    if error.pgcode == _PRIVILEGE and check.needs:
        return _hidden(check, asker.granted(check.needs), "the login may not ask", seconds=seconds)
    return Ran(check.id, State.UNKNOWN, seconds, reason=_reason(check, error))


def _hidden(check: Check, cure: str, said: str, *, seconds: float = 0.0) -> Ran:
    """Say that the login would see nothing, or a part only, which would look as if all were well."""
    found = Finding(check.id, State.UNKNOWN, summary=f"{check.title}: {said}", cure=cure)
    return Ran(check.id, State.UNKNOWN, seconds, (found,), f"{said}: {cure}")


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
