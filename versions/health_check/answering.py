"""Ask who answers at an address, below the driver: nobody, one that lets nobody in, or one that hangs.

The driver says in words, in the server's language, why it was not let in. The protocol says it in a code.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
"""

from __future__ import annotations

import secrets
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.health_check import scram
from spotify_ai_agent_migrations.versions.health_check.answer import Answer, Answers
from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.checks_availability import HANG, REFUSED
from spotify_ai_agent_migrations.versions.health_check.finding import Ran
from spotify_ai_agent_migrations.versions.health_check.places import Place, completed, places
from spotify_ai_agent_migrations.versions.health_check.resolving import addresses
from spotify_ai_agent_migrations.versions.health_check.session import (
    LostError,
    NoAnswerError,
    NoTimeError,
    Session,
)
from spotify_ai_agent_migrations.versions.health_check.unreached import code_of, hung, lost, no_time, refused

_PROTOCOL: Final = 196_608
# Where the driver looks, if nobody says where.
_ROOT: Final = Path("~/.postgresql/root.crt")
_TLS: Final = 80_877_103
# What a server that asks who one is says first.
_AUTHENTICATED: Final = 0
_SASL: Final = 10
_CHALLENGE: Final = 11
_LAST_WORD: Final = 12
# What says why is short; whatever is longer is no PostgreSQL.
_MOST_BYTES: Final = 65_536
# Who refuses does so at once.
_MOST_S: Final = 2.0
# A deadline that is over is passed by no more than this.
_BEYOND_S: Final = 0.1
# To connect to what is near, where the time is over already.
_LEAST_S: Final = 0.01


class _NotPostgresError(Exception):
    """What answers speaks something else."""


def not_reached(checks: Sequence[Check], session: Session, error: Exception) -> list[Ran]:
    """Return what *checks* say of a server that did not let *session* in, by asking it why."""
    most_s = min(_MOST_S, max(_BEYOND_S, session.left_s))
    if not isinstance(error, psycopg2.Error):
        return hung(checks, (), ask(session.conninfo, most_s=most_s))
    # Words of a language that is not ours say nothing. Others are believed: a wrong password is tried once.
    answers = ask(session.conninfo, most_s=most_s, logs_in=not code_of(str(error)))
    return refused(checks, answers, words=str(error))


def stopped(checks: Sequence[Check], ran: Sequence[Ran], session: Session, error: NoAnswerError) -> list[Ran]:
    """Return what *checks* say of a server that answered those that were *ran*, and then no more."""
    if isinstance(error, NoTimeError):
        return no_time(checks, ran)
    if isinstance(error, LostError):
        most_s = min(_MOST_S, max(_BEYOND_S, session.left_s))
        return lost(checks, ran, ask(session.conninfo, most_s=most_s), words=str(error.__cause__))
    return hung(checks, ran, ask(session.conninfo, most_s=_BEYOND_S))


def why_not(session: Session, error: Exception) -> list[str]:
    """Return why *session* could not be had, one line an address."""
    ran = not_reached((HANG, REFUSED), session, error)
    return sorted({one.summary for check in ran for one in check.findings}) or ["it does not answer"]


class _NoRootError(Exception):
    """The root certificate cannot be read."""


def ask(conninfo: Mapping[str, str], *, most_s: float, logs_in: bool = False) -> Iterator[Answer]:
    """Yield who answers at each address of *conninfo*; all of them together take *most_s* at most.

    Says who wants to log in and where, as the driver does, and no password; where it *logs_in*, shows that it
    knows it.
    """
    until = time.monotonic() + most_s
    conninfo = completed(conninfo)
    # Where the session has to be bound to its TLS, this one is not, and is not for a password.
    if not logs_in or conninfo.get("channel_binding") == "require":
        conninfo.pop("password", None)
    every = places(conninfo)
    for number, place in enumerate(every):
        share_s = (until - time.monotonic()) / (len(every) - number)
        yield ask_one(place, conninfo, until=time.monotonic() + share_s)


def ask_one(place: Place, conninfo: Mapping[str, str], *, until: float) -> Answer:
    """Return who answers at one address before *until*, a time of the monotonic clock."""
    try:
        line = _connected(place, until)
    except TimeoutError:
        return Answer(str(place), Answers.NOBODY, "nothing comes back from there")
    except BlockingIOError:
        # The queue of a Unix socket is full, since nobody takes from it.
        return Answer(str(place), Answers.HANGS)
    except OSError as error:
        return Answer(str(place), Answers.NOBODY, _why(error))
    with closing(_Line(line, until)) as spoken:
        try:
            return _asked(spoken, place, conninfo)
        except _NoRootError:
            return Answer(
                str(place), Answers.NO_TLS, "the root certificate to judge its own by cannot be read"
            )
        except TimeoutError:
            return Answer(str(place), Answers.HANGS)
        except ssl.SSLError:
            return Answer(str(place), Answers.NO_TLS, "its certificate is not accepted")
        except (OSError, _NotPostgresError):
            return Answer(str(place), Answers.OTHER)


def _connected(place: Place, until: float) -> socket.socket:
    """Connect to the first address of *place* that lets us, each given its share of the time."""
    found = addresses(place, until)
    for number, (family, address) in enumerate(found):
        line = socket.socket(family, socket.SOCK_STREAM)
        share_s = (until - time.monotonic()) / (len(found) - number)
        line.settimeout(max(_LEAST_S, share_s))
        try:
            line.connect(address)
        except OSError:
            line.close()
            if number == len(found) - 1:
                raise
        else:
            return line
    raise ConnectionRefusedError


def _why(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "its name has no address"
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return "nobody listens there"
    return "there is no way to it"


class _Line:
    """A connection whose every step is over at one moment."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line = line
        self._until = until

    def say(self, message: bytes) -> None:
        self._bound()
        self._line.sendall(message)

    def hear(self, size: int) -> bytes:
        """Return *size* bytes; fewer are no message of PostgreSQL."""
        heard = b""
        while len(heard) < size:
            self._bound()
            some = self._line.recv(size - len(heard))
            if not some:
                raise _NotPostgresError
            heard += some
        return heard

    def secure(self, context: ssl.SSLContext, name: str | None) -> None:
        self._bound()
        self._line = context.wrap_socket(self._line, server_hostname=name)

    def close(self) -> None:
        self._line.close()

    def _bound(self) -> None:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._line.settimeout(left_s)


def _asked(line: _Line, place: Place, conninfo: Mapping[str, str]) -> Answer:
    mode = conninfo.get("sslmode", "prefer")
    if place.port and mode != "disable":
        if conninfo.get("sslnegotiation") == "direct" or (said := _offers_tls(line)) == b"S":
            line.secure(_context(conninfo), place.name)
        elif said == b"E":
            return Answer(str(place), Answers.REFUSES, _code(_body(line)))
        elif mode in {"require", "verify-ca", "verify-full"}:
            return Answer(str(place), Answers.NO_TLS, "it offers none")
    line.say(_hello(conninfo))
    return _first_word(line, str(place), conninfo.get("password"))


def _offers_tls(line: _Line) -> bytes:
    line.say(struct.pack("!ii", 8, _TLS))
    return line.hear(1)


def _context(conninfo: Mapping[str, str]) -> ssl.SSLContext:
    """As much of a check of the certificate as the driver makes; without one, no secret is said."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["postgresql"])
    mode = conninfo.get("sslmode", "prefer")
    context.check_hostname = mode == "verify-full"
    if mode not in {"verify-ca", "verify-full"}:
        context.verify_mode = ssl.CERT_NONE
    elif (root := conninfo.get("sslrootcert") or str(_ROOT.expanduser())) != "system":
        try:
            context.load_verify_locations(root)
        except OSError as error:
            raise _NoRootError from error
    return context


def _hello(conninfo: Mapping[str, str]) -> bytes:
    said = {"user": conninfo["user"], "database": conninfo.get("dbname") or conninfo["user"]}
    body = b"".join(part.encode() + b"\0" for pair in said.items() for part in pair) + b"\0"
    return struct.pack("!ii", len(body) + 8, _PROTOCOL) + body


def _first_word(line: _Line, place: str, password: str | None) -> Answer:
    """Return what the server says, at the latest when it would let a session begin."""
    while True:
        kind = line.hear(1)
        body = _body(line)
        if kind == b"E":
            return Answer(place, Answers.REFUSES, _code(body))
        if kind == b"R" and _number(body) != _AUTHENTICATED:
            if password is None or not _shows(line, body, password):
                return Answer(place, Answers.ASKS)
        elif kind == b"Z":
            line.say(b"X" + struct.pack("!i", 4))
            return Answer(place, Answers.ADMITS)
        elif kind not in {b"R", b"S", b"K", b"N", b"v"}:
            raise _NotPostgresError


def _shows(line: _Line, asked: bytes, password: str) -> bool:
    """Show that *password* is known, and tell whether what was *asked* is a way to do so.

    https://www.postgresql.org/docs/current/sasl-authentication.html
    """
    if _number(asked) == _LAST_WORD:
        return True
    if _number(asked) != _SASL or scram.NAME.encode() not in asked[4:].split(b"\0"):
        return False
    nonce = secrets.token_urlsafe(18)
    first = scram.opening(nonce).encode()
    line.say(_packed(scram.NAME.encode() + b"\0" + struct.pack("!i", len(first)) + first))
    if line.hear(1) != b"R" or _number(body := _body(line)) != _CHALLENGE:
        return False
    try:
        line.say(_packed(scram.answer(body[4:].decode(), nonce=nonce, password=password).encode()))
    except (scram.UnfitError, ValueError):
        return False
    return True


def _packed(body: bytes) -> bytes:
    return b"p" + struct.pack("!i", len(body) + 4) + body


def _number(body: bytes) -> int:
    if len(body) < 4:
        raise _NotPostgresError
    return int.from_bytes(body[:4], "big")


def _body(line: _Line) -> bytes:
    (size,) = struct.unpack("!i", line.hear(4))
    if not 4 <= size <= _MOST_BYTES:
        raise _NotPostgresError
    return line.hear(size - 4)


def _code(body: bytes) -> str:
    """Return the SQLSTATE that an error says."""
    for field in body.split(b"\0"):
        if field[:1] == b"C" and len(field) == 6:
            return field[1:].decode("ascii", "replace")
    raise _NotPostgresError
