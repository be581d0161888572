"""Ask one check, and make of the answer, or of the refusal, what became of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from types import MappingProxyType
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import (
    Check,
    Row,
    findings_of,
    measured_of,
    worst,
)
from spotify_ai_agent_migrations.versions.health_check.composed import COMPOSED
from spotify_ai_agent_migrations.versions.health_check.disks import looked
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, Ran, State, Subject
from spotify_ai_agent_migrations.versions.health_check.given import Given
from spotify_ai_agent_migrations.versions.health_check.history import of_database
from spotify_ai_agent_migrations.versions.health_check.past import Past
from spotify_ai_agent_migrations.versions.health_check.probing import Probe
from spotify_ai_agent_migrations.versions.health_check.session import Session
from spotify_ai_agent_migrations.versions.health_check.trends import LEAST, trended

SQL: Final = queries("spotify_ai_agent_migrations.versions.health_check")
CHECK_MOST_S: Final = 2.0
_DISK_MOST_S: Final = 0.5
_CHECK_OF: Final[Mapping[str, Check]] = MappingProxyType({check.id: check for check in CHECKS})
_TOO_YOUNG: Final = f"nothing was measured {LEAST.total_seconds() / 3600:.0f} h ago or before, in two weeks"
# So many things that the login may not read are said one by one.
_MANY: Final = 20
_PRIVILEGE: Final = "42501"
_CANCELLED: Final = "57014"
_LOCKED: Final = "55P03"
_FAULTS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class Asker:
    """What the server is, which login asks, as SQL writes its name, and whether it sees others' sessions."""

    role: str
    login: str
    sees_others: bool
    given: Given
    database: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @cached_property
    def past(self) -> Mapping[str, Sequence[Past]]:
        """What was measured of this database before, by the check that did."""
        found: defaultdict[str, list[Past]] = defaultdict(list)
        for one in of_database(self.given.history or (), self.database):
            found[one.check].append(one)
        return found

    def granted(self, cure: str) -> str:
        """Return *cure* with the login's name in it."""
        return cure.replace("the login", self.login)


def identity(session: Session) -> str:
    """Return what the history calls this database."""
    try:
        ((database,),) = session.rows(SQL["identity"], most_s=CHECK_MOST_S)
    except psycopg2.Error:
        ((database,),) = session.rows(SQL["identity_hidden"], most_s=CHECK_MOST_S)
    return str(database)


def ran(session: Session, check: Check, asker: Asker) -> Ran:
    """Run one check; what it may not, or cannot in time, is unknown."""
    try:
        return _ran(session, check, asker)
    except _FAULTS as error:
        # One that is at fault itself keeps no other from its answer.
        return Ran(check.id, State.UNKNOWN, 0.0, reason=f"the check is at fault: {type(error).__name__}")


def _ran(session: Session, check: Check, asker: Asker) -> Ran:
    if asker.role not in check.roles or session.server_version < check.since:
        return Ran(check.id, State.SKIPPED, 0.0, reason=f"not on a {asker.role} of this version")
    if check.told and not check.settings[check.told]:
        return Ran(check.id, State.SKIPPED, 0.0, reason=f"nobody said {check.id}.{check.told}")
    if check.watching and not asker.sees_others:
        cure = asker.granted("GRANT pg_monitor TO the login")
        return _hidden(check, cure, "the login sees its own sessions only")
    if reason := asker.given.lacks(check):
        return Ran(check.id, State.SKIPPED, 0.0, reason=reason)
    began = time.monotonic()
    try:
        if (left_out := _left_out(session, check, asker)) is not None:
            return left_out
        rows = _rows(session, check, asker)
    except psycopg2.Error as error:
        return _refused(check, asker, error, time.monotonic() - began)
    return _judged(check, rows, asker, began)


def _judged(check: Check, rows: Sequence[Row], asker: Asker, began: float) -> Ran:
    """Say what *rows* come to; or what they will, where that is the question."""
    measured = measured_of(_CHECK_OF.get(check.follows, check), rows)
    if check.follows:
        to_come = trended(check, rows, asker.past.get(check.follows, ()), now=asker.now)
        if to_come is None:
            seconds = time.monotonic() - began
            return Ran(check.id, State.UNKNOWN, seconds, reason=_TOO_YOUNG, measured=measured)
        rows, measured = to_come, (*measured, *measured_of(check, to_come))
    found = _gathered(check, asker, findings_of(check, rows))
    return Ran(check.id, worst(found), time.monotonic() - began, found, measured=measured)


def _gathered(check: Check, asker: Asker, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Say once, instead of for each thing, that the login may not read it, where there are many."""
    hidden = [one for one in found if _is_hidden(one)]
    if not check.needs or len(hidden) <= _MANY:
        return found
    said = f"{check.title}: the login may not read {len(hidden)} of them"
    cures = {str(one.cure) for one in hidden}
    subject, cure = (
        Subject("check", None, check.id),
        cures.pop() if len(cures) == 1 else asker.granted(check.needs),
    )
    once = Finding(check.id, State.UNKNOWN, subject, said, cure=cure)
    return (*(one for one in found if not _is_hidden(one)), once)


def _is_hidden(one: Finding) -> bool:
    return one.state is State.UNKNOWN and one.cure is not None


def shown(session: Session, check: Check) -> str:
    """Return what *check* asks as it is sent, its parameters in it: a person can ask it again."""
    name = check.statement + ("_older" if session.server_version < check.renamed else "")
    return session.shown(SQL[name], _parameters(check, session))


def _rows(session: Session, check: Check, asker: Asker) -> list[Row]:
    statement = shown(session, check)
    most_s = session.left_s if check.most_s is None else CHECK_MOST_S
    if check.id in COMPOSED:
        return [_row(one, asker, statement) for one in COMPOSED[check.id](session, most_s)]
    found = session.rows(statement, most_s=most_s)
    if not check.probed:
        rows = [_row(one, asker, statement) for one in found]
        return looked(check, rows, most_s=min(_DISK_MOST_S, session.left_s)) if check.on_disk else rows
    most_s = session.left_s if check.most_s is None else check.most_s
    probe = Probe(session, check, time.monotonic() + most_s, _reason)
    return [_row(one, asker, question or statement) for one, question in probe.answers(found)]


def _parameters(check: Check, session: Session) -> dict[str, object]:
    measured = {"now": time.time(), "connected_s": session.connected_s}
    # What follows another has limits of its own, which are none of what it asks.
    return {"warning": check.warning, "critical": check.critical, **measured, **check.settings}


def _left_out(session: Session, check: Check, asker: Asker) -> Ran | None:
    """Say why a check of a table, or of an extension, cannot be run; None where it can."""
    if not check.table and not check.extension:
        return None
    names = {"table": check.table, "extension": check.extension}
    ((is_readable,),) = session.rows(SQL["subject"], names, most_s=CHECK_MOST_S)
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


def _row(found: tuple[object, ...], asker: Asker, evidence_sql: str) -> Row:
    kind, schema, name, measure, state, values, fixes = found
    assert isinstance(values, dict)
    if "cure" in values:
        values = {**values, "cure": asker.granted(values["cure"])}
    return Row(
        str(kind), None if schema is None else str(schema), str(name or ""),
        None if measure is None else float(str(measure)), None if state is None else str(state), values,
        tuple((str(sql), str(lock)) for sql, lock in fixes or ()),  # type: ignore[attr-defined]
        evidence_sql,
    )  # fmt: skip


def _reason(check: Check, error: psycopg2.Error) -> str:
    """Say why a check could not be run, and what would cure it."""
    if error.pgcode == _PRIVILEGE:
        return f"the login may not: {check.needs or 'ask the owner'}"
    if error.pgcode == _CANCELLED:
        return "it took longer than it was given"
    if error.pgcode == _LOCKED:
        return "a table that it reads is locked"
    if error.pgcode is None and isinstance(error, psycopg2.DataError):
        return "its answer cannot be read: a name in it is of another encoding"
    return f"the server refused it: {error.pgcode}"
