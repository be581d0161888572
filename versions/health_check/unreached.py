"""Decide what checks say of a server that was not reached, or answers no more. No database, no clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.answer import Answer, Answers
from spotify_ai_agent_migrations.versions.health_check.check import Check, Row, findings_of, worst
from spotify_ai_agent_migrations.versions.health_check.checks_availability import HANG, REFUSED
from spotify_ai_agent_migrations.versions.health_check.finding import Finding, Ran, State

FULL: Final = "53300"
# Whoever looks is locked out exactly when this is what should be seen.
_USAGE: Final = "conn.usage"
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_MEANS: Final[Mapping[str, tuple[State, str]]] = MappingProxyType(
    {
        "57P03": (State.CRITICAL, "lets nobody in yet: it starts, stops or recovers, or may not be read"),
        "57P01": (State.CRITICAL, "is being stopped"),
        "57P02": (State.CRITICAL, "is being restarted after a crash"),
        FULL: (State.CRITICAL, "has no connection left, or none for this login"),
        "3D000": (State.CRITICAL, "has no such database"),
        "55000": (State.CRITICAL, "lets nobody into this database"),
        "28000": (State.UNKNOWN, "does not let this login in"),
        "28P01": (State.UNKNOWN, "does not take the password"),
        "42501": (State.UNKNOWN, "does not let this login into this database"),
    }
)
_CURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "28000": "a line of pg_hba.conf for the login, or ALTER ROLE … LOGIN",
        "28P01": "the right password, in the URL or in PGPASSWORD",
        "42501": "GRANT CONNECT ON DATABASE … TO the login",
    }
)
# Said after the password was taken, where only the driver hears it, and gives no code.
_WORDS: Final = (
    (re.compile("connection slots|too many (connections|clients)"), FULL),
    (re.compile("password authentication failed|no password supplied"), "28P01"),
    (re.compile("permission denied for database"), "42501"),
    (re.compile("not permitted to log in|no pg_hba.conf entry"), "28000"),
    (re.compile("not currently accepting connections"), "55000"),
    (re.compile("database .* does not exist"), "3D000"),
    (re.compile("the database system is"), "57P03"),
)

# Where a file of services says the address.
_SOMEWHERE: Final = "the server"
_OTHERS: Final = "did not answer this session in time, and answers others"


def refused(checks: Sequence[Check], answers: Iterable[Answer], *, words: str) -> list[Ran]:
    """Return what *checks* say of a server that let nobody in; *words* are what the driver said."""
    heard = [_heard(answer, words) for answer in answers] or [_told(words)]
    codes = {answer.code for answer in heard}
    reasons = "; ".join(_said(answer) for answer in heard)
    found = {REFUSED.id: [answer for answer in heard if answer.kind is not Answers.HANGS]}
    found[HANG.id] = [answer for answer in heard if answer.kind is Answers.HANGS]
    if FULL in codes:
        found[_USAGE] = [answer for answer in heard if answer.code == FULL]
    return [_ran(check, found.get(check.id, []), reasons) for check in checks]


def hung(checks: Sequence[Check], ran: Sequence[Ran], answers: Iterable[Answer]) -> list[Ran]:
    """Return what *checks* say of a server that said nothing any more, after those that were *ran*."""
    heard = list(answers) or [Answer(_SOMEWHERE, Answers.HANGS)]
    # One that is not there can be told from one that hangs where it lets nobody connect.
    gone = [answer for answer in heard if answer.kind is Answers.NOBODY]
    if gone and len(gone) == len(heard) and not ran:
        return refused(checks, gone, words="")
    done = {one.check: one for one in ran if one.check != HANG.id}
    reason = "the server did not answer"
    return [
        done.get(check.id) or _ran(check, heard if check.id == HANG.id else [], reason) for check in checks
    ]


def lost(checks: Sequence[Check], ran: Sequence[Ran], answers: Iterable[Answer], *, words: str) -> list[Ran]:
    """Return what *checks* say of a server that ended the session, after those that were *ran*."""
    done = {one.check: one for one in ran if one.check != REFUSED.id}
    return [done.get(one.check, one) for one in refused(checks, answers, words=words)]


def no_time(checks: Iterable[Check], ran: Sequence[Ran]) -> list[Ran]:
    """Return *ran*, and that there was no time for the rest of *checks*."""
    done = {one.check: one for one in ran}
    reason = "there was no time left"
    return [done.get(check.id) or Ran(check.id, State.UNKNOWN, 0.0, reason=reason) for check in checks]


def _heard(answer: Answer, words: str) -> Answer:
    """Return *answer* with the code that the driver's *words* stand for, where the protocol gave none."""
    if answer.kind is not Answers.ASKS:
        return answer
    return Answer(answer.place, Answers.REFUSES, code_of(words))


def _told(words: str) -> Answer:
    """Return what the driver's *words* stand for, where only it knows the place."""
    code = code_of(words)
    return Answer(_SOMEWHERE, Answers.REFUSES, code) if code else Answer(
        _SOMEWHERE, Answers.NOBODY, "the driver found no way to it"
    )  # fmt: skip


def code_of(words: str) -> str:
    """Return the code that the driver's *words* stand for; none where they are of another language."""
    return next((code for pattern, code in _WORDS if pattern.search(words)), "")


def _ran(check: Check, answers: Sequence[Answer], reason: str) -> Ran:
    found = tuple(one for answer in answers for one in _finding(check, answer))
    return Ran(check.id, worst(found) if found else State.UNKNOWN, 0.0, found, reason)


def _finding(check: Check, answer: Answer) -> tuple[Finding, ...]:
    cure = {"cure": _CURES[answer.code]} if answer.code in _CURES else {}
    others = answer.kind in {Answers.ADMITS, Answers.ASKS}
    said = f"{answer.place} {_OTHERS}" if check.id == HANG.id and others else _said(answer)
    values = {"said": said, "place": answer.place, "code": answer.code, **cure}
    if check.id == _USAGE:
        values["reason"] = said
    state = State.CRITICAL if check.id == HANG.id else _state(answer)
    row = Row("server", None, answer.place, None, state.value, values, (), "")
    return findings_of(check, [row])


def _state(answer: Answer) -> State:
    if answer.kind is Answers.ADMITS:
        return State.UNKNOWN
    if answer.kind is Answers.REFUSES:
        return _MEANS.get(answer.code, (State.CRITICAL if answer.code else State.UNKNOWN, ""))[0]
    return State.CRITICAL


def _said(answer: Answer) -> str:
    if answer.kind is Answers.REFUSES:
        means = _MEANS.get(answer.code, (State.UNKNOWN, f"refuses: {answer.code or 'it does not say why'}"))
        return f"{answer.place} {means[1]}"
    return {
        Answers.ADMITS: f"{answer.place} lets others in, and not this session",
        Answers.ASKS: f"{answer.place} asks who it is",
        Answers.HANGS: f"{answer.place} takes connections and says nothing",
        Answers.NOBODY: f"{answer.place} does not answer: {answer.code}",
        Answers.NO_TLS: f"{answer.place} cannot be spoken to in secret: {answer.code}",
        Answers.OTHER: f"what answers at {answer.place} is not PostgreSQL",
    }[answer.kind]
