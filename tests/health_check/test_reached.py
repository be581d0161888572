"""Who lets nobody in is told from who does not answer, from who is not there, and from who is something else."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from partitioning.test_replicas import as_owner, folder_of, own_server, started

from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.url import parse_url
from spotify_ai_agent_migrations.versions.health_check import (
    Finding,
    HealthReport,
    State,
    check_health,
    scram,
)
from spotify_ai_agent_migrations.versions.health_check.answer import Answers
from spotify_ai_agent_migrations.versions.health_check.answering import ask, not_reached
from spotify_ai_agent_migrations.versions.health_check.checks_availability import REFUSED
from spotify_ai_agent_migrations.versions.health_check.session import Session
from support import connected, rows

# An error as the protocol writes it: https://www.postgresql.org/docs/current/protocol-error-fields.html
REFUSAL = b"SFATAL\0VFATAL\0C57P03\0Mfermez la porte\0\0"
DEADLINE_S = 1.0
# For a machine that has others to serve as well.
BEYOND_S = 1.0


def _asked(url: str, *, deadline_s: float = DEADLINE_S) -> HealthReport:
    """A report that was there in time."""
    began = time.monotonic()
    report = check_health(url=url, deadline_s=deadline_s)
    assert time.monotonic() - began < deadline_s + BEYOND_S
    return report


def _said(report: HealthReport) -> dict[str, tuple[State, str]]:
    """What was found, by check; the rest is unknown, and nothing is ok."""
    assert {ran.state for ran in report.checks if not ran.findings} == {State.UNKNOWN}
    return {one.check: (one.state, one.summary) for one in report.findings}


@contextmanager
def speaker(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A place where *answer* speaks to each who comes; its address."""
    lines: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                line, _ = place.accept()
            except OSError:
                return
            lines.append(line)
            threading.Thread(target=_quietly, args=(answer, line), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as place:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"127.0.0.1:{place.getsockname()[1]}"
        finally:
            place.shutdown(socket.SHUT_RDWR)
            for line in lines:
                line.close()


def _quietly(answer: Callable[[socket.socket], None], line: socket.socket) -> None:
    try:
        answer(line)
    except OSError:
        line.close()


def _refuses(line: socket.socket) -> None:
    """Take who comes, without TLS, and refuse in a language that nobody here reads."""
    line.recv(8)
    line.sendall(b"N")
    line.recv(1024)
    line.sendall(b"E" + struct.pack("!i", len(REFUSAL) + 4) + REFUSAL)


def _drips(line: socket.socket) -> None:
    """Say a notice that never ends, a byte at a time: each step is in time, and all of them together are not."""
    line.recv(8)
    line.sendall(b"N")
    line.recv(1024)
    line.sendall(b"N" + struct.pack("!i", 60_000))
    while True:
        line.sendall(b"x")
        time.sleep(0.02)


def _silent(line: socket.socket) -> None:
    line.recv(1024)


def _web(line: socket.socket) -> None:
    line.recv(1024)
    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    line.close()


def _empty(line: socket.socket) -> None:
    line.recv(8)
    line.sendall(b"N")
    line.recv(1024)
    line.sendall(b"R" + struct.pack("!i", 4))


def _boundless(line: socket.socket) -> None:
    line.recv(8)
    line.sendall(b"N")
    line.recv(1024)
    line.sendall(b"E" + struct.pack("!i", 2_000_000_000))


@pytest.mark.parametrize(
    ("answer", "options", "check", "summary"),
    [
        (_refuses, "", "avail.refused_kind", "{place} lets nobody in yet: it starts, stops or recovers, or may not be read"),
        (_refuses, "sslmode=require", "avail.refused_kind", "{place} cannot be spoken to in secret: it offers none"),
        (_web, "", "avail.refused_kind", "what answers at {place} is not PostgreSQL"),
        (_boundless, "", "avail.refused_kind", "what answers at {place} is not PostgreSQL"),
        (_empty, "", "avail.refused_kind", "what answers at {place} is not PostgreSQL"),
        (_silent, "", "avail.hang", "{place} takes connections and says nothing"),
        (_drips, "", "avail.hang", "{place} takes connections and says nothing"),
    ],
)  # fmt: skip
def test_what_answers_is_said_by_the_deadline(
    answer: Callable[[socket.socket], None], options: str, check: str, summary: str
) -> None:
    with speaker(answer) as place:
        report = _asked(f"postgresql://u@{place}/d?{options}")
    assert _said(report) == {check: (State.CRITICAL, summary.format(place=place))}
    assert (report.state, report.role, report.server_version) == (State.CRITICAL, "unknown", None)


def test_where_nobody_listens_and_what_has_no_address_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    assert _said(_asked(f"postgresql://u@127.0.0.1:{port}/d")) == {
        "avail.refused_kind": (State.CRITICAL, f"127.0.0.1:{port} does not answer: nobody listens there")
    }
    assert _said(_asked("postgresql://u@nowhere.invalid/d", deadline_s=5)) == {
        "avail.refused_kind": (
            State.CRITICAL,
            "nowhere.invalid:5432 does not answer: its name has no address",
        )
    }


def test_a_resolver_that_does_not_answer_is_left_behind_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20))
    try:
        report = _asked("postgresql://u@somewhere.invalid/d", deadline_s=0.5)
    finally:
        over.set()
    assert _said(report) == {
        "avail.refused_kind": (
            State.CRITICAL, "somewhere.invalid:5432 does not answer: nothing comes back from there",
        )
    }  # fmt: skip


def test_where_a_file_of_services_says_the_address_the_driver_is_believed(
    small: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = small
    services = tmp_path / "services"
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    services.write_text(
        f"[here]\nhost={folder}\nuser=watcher\npassword=wrong\ndbname=postgres\n[gone]\nhost=127.0.0.1\nport=1\n"
    )
    assert _said(_asked("postgresql:///?service=here")) == {
        "avail.refused_kind": (State.UNKNOWN, "the server does not take the password")
    }
    assert _said(_asked("postgresql:///?service=gone")) == {
        "avail.refused_kind": (State.CRITICAL, "the server does not answer: the driver found no way to it")
    }


def test_each_of_several_addresses_is_asked() -> None:
    with speaker(_refuses) as first, speaker(_web) as second:
        found = _asked(f"postgresql://u@{first},{second}/d").findings
    assert [(one.check, one.subject.name) for one in found] == [
        ("avail.refused_kind", name) for name in sorted((first, second))
    ]


def test_a_database_that_is_not_there_or_lets_nobody_in_is_said(empty_url: str) -> None:
    ((name,),) = rows(empty_url, "SELECT current_database()")
    gone = empty_url.replace(f"/{name}?", "/nowhere?")
    (one,) = _asked(gone).findings
    assert (one.state, one.values["code"], one.summary.split(" ", 1)[1]) == (
        State.CRITICAL, "3D000", "has no such database",
    )  # fmt: skip
    rows(empty_url.replace(f"/{name}?", "/postgres?"), f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        (one,) = _asked(empty_url).findings
        assert (one.state, one.summary.split(" ", 1)[1]) == (State.CRITICAL, "lets nobody into this database")
    finally:
        rows(empty_url.replace(f"/{name}?", "/postgres?"), f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert State.OK in {ran.state for ran in _asked(empty_url, deadline_s=10).checks}


@pytest.fixture(scope="module")
def small(server: dict[str, str]) -> Iterator[tuple[str, Path]]:
    """The URL of a server of its own with room for few, that asks for passwords, and its folder."""
    options = ("max_connections=6", "superuser_reserved_connections=2", "max_wal_senders=2")
    with own_server(server, *options) as (own, folder):
        rows(own, "CREATE ROLE watcher LOGIN PASSWORD 'secret'")
        trusted = (folder / "data" / "pg_hba.conf").read_text()
        (folder / "data" / "pg_hba.conf").write_text(f"local all watcher scram-sha-256\n{trusted}")
        rows(own, "SELECT pg_reload_conf()")
        yield own, folder


def _watcher(url: str, says: str = "secret") -> str:
    return url.replace("postgres@", f"watcher:{says}@", 1)


def test_a_wrong_password_is_unknown_and_says_what_would_cure_it(small: tuple[str, Path]) -> None:
    url, _ = small
    assert State.OK in {ran.state for ran in _asked(_watcher(url), deadline_s=10).checks}
    (one,) = _asked(_watcher(url, "wrong")).findings
    assert (one.check, one.state, one.summary.split(" ", 1)[1], one.cure) == (
        "avail.refused_kind", State.UNKNOWN, "does not take the password",
        "the right password, in the URL or in PGPASSWORD",
    )  # fmt: skip


@pytest.mark.parametrize("who", ["superuser", "watcher"])
def test_where_every_connection_is_taken_that_is_critical_and_said(small: tuple[str, Path], who: str) -> None:
    url, _ = small
    asked = url if who == "superuser" else _watcher(url)
    with ExitStack() as held:
        for _ in range(6):
            try:
                held.enter_context(closing(psycopg2.connect(url)))
            except psycopg2.OperationalError:
                break
        report = _asked(asked)
        ((state, summary),) = {
            (one.state, one.summary.split(" ", 1)[1])
            for one in report.findings
            if one.check == "avail.refused_kind"
        }
        assert (state, summary) == (State.CRITICAL, "has no connection left, or none for this login")
        assert {one.check: one.state for one in report.findings} == {
            "avail.refused_kind": State.CRITICAL, "conn.usage": State.CRITICAL,
        }  # fmt: skip
    assert "avail.refused_kind" not in _said_of_any(asked)


def test_a_server_that_speaks_another_language_is_asked_for_its_code(small: tuple[str, Path]) -> None:
    url, _ = small
    conninfo = parse_url(_watcher(url))
    session = Session(Settings(conninfo, "url"), deadline=time.monotonic() + 2)
    french = psycopg2.OperationalError("FATAL:  les emplacements de connexion restants sont réservés")
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(closing(psycopg2.connect(url)))
        (ran,) = not_reached((REFUSED,), session, french)
    (one,) = ran.findings
    assert (one.state, one.values["code"]) == (State.CRITICAL, "53300")


def _kinds(url: str) -> list[tuple[Answers, str]]:
    return [(one.kind, one.code) for one in ask(parse_url(url), most_s=2, logs_in=True)]


def test_who_shows_that_he_knows_the_password_is_told_what_is_wrong(small: tuple[str, Path]) -> None:
    url, _ = small
    assert _kinds(_watcher(url)) == [(Answers.ADMITS, "")]
    assert _kinds(_watcher(url, "wrong")) == [(Answers.REFUSES, "28P01")]
    assert _kinds(_watcher(url).replace("/postgres?", "/nowhere?")) == [(Answers.REFUSES, "3D000")]
    assert _kinds(url.replace("postgres@", "watcher@", 1)) == [(Answers.ASKS, "")]
    assert _kinds(f"{_watcher(url)}&channel_binding=require") == [(Answers.ASKS, "")]


def test_the_answer_to_a_challenge_is_that_of_the_standard() -> None:
    # https://www.rfc-editor.org/rfc/rfc7677#section-3
    nonce = "rOprNGfwEbeRWgbNEkqO"
    challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    said = scram.answer(challenge, nonce=nonce, password="pencil", bare=f"n=user,r={nonce}")
    assert said.endswith(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")


@pytest.mark.parametrize(
    "challenge", ["r=other,s=eA==,i=4096", "r=mine,s=eA==,i=100000000", "r=mine,s=eA==,i=x", ""]
)
def test_a_challenge_that_is_none_or_takes_too_long_is_not_met(challenge: str) -> None:
    with pytest.raises(scram.UnfitError):
        scram.answer(challenge, nonce="mine", password="secret")


def test_where_only_what_is_kept_for_superusers_is_left_a_monitor_says_so(small: tuple[str, Path]) -> None:
    url, _ = small
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(closing(psycopg2.connect(url)))
        (one,) = [one for one in _asked(_watcher(url)).findings if one.check == "avail.refused_kind"]
        assert (one.state, one.values["code"]) == (State.CRITICAL, "53300")


def _said_of_any(url: str) -> set[str]:
    """What is found once there is room again, which comes a moment after a session has ended."""
    for _ in range(200):
        report = check_health(url=url)
        if report.server_version:
            return {one.check for one in report.findings}
        time.sleep(0.01)
    raise AssertionError("there is no room")


def test_a_standby_that_may_not_be_read_is_rejecting_and_not_down(small: tuple[str, Path]) -> None:
    url, _ = small
    with folder_of(url) as folder:
        as_owner(url, "pg_basebackup", "-d", url, "-D", folder / "data", "-R", "-c", "fast", "--no-sync")
        options = ("hot_standby=off", "max_connections=6", "max_wal_senders=2")
        with started(url, folder, *options) as place:
            report = _asked(f"postgresql://postgres@/postgres?{place}")
    socket_ = f"{folder}/.s.PGSQL.5432"
    assert _said(report) == {
        "avail.refused_kind": (
            State.CRITICAL, f"{socket_} lets nobody in yet: it starts, stops or recovers, or may not be read",
        )
    }  # fmt: skip


def test_a_session_that_is_frozen_in_the_middle_is_said_to_hang_and_what_was_seen_is_kept(
    empty_url: str,
) -> None:
    rows(empty_url, "CREATE TABLE t (a serial PRIMARY KEY); INSERT INTO t VALUES (7)")
    frozen: list[int] = []
    with connected(empty_url, autocommit=False) as holder:
        # Who looks at it waits for a moment, in which it is frozen.
        holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        freezing = threading.Thread(target=_freeze, args=(empty_url, frozen))
        freezing.start()
        try:
            report = _asked(empty_url, deadline_s=3)
        finally:
            freezing.join()
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
    (one,) = [one for one in report.findings if one.check == "avail.hang"]
    assert (report.state, one.state) == (State.CRITICAL, State.CRITICAL)
    assert one.summary.endswith(" did not answer this session in time, and answers others")
    assert State.OK in {ran.state for ran in report.checks}
    assert {ran.reason for ran in report.checks if ran.state is State.UNKNOWN and not ran.findings} == {
        "the server did not answer"
    }


def test_a_session_that_is_ended_in_the_middle_says_so_and_what_was_seen_is_kept(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a serial PRIMARY KEY); INSERT INTO t VALUES (7)")
    with connected(empty_url, autocommit=False) as holder:
        holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        ending = threading.Thread(
            target=_meet,
            args=(empty_url, lambda pid: rows(empty_url, "SELECT pg_terminate_backend(%s)", (pid,))),
        )
        ending.start()
        try:
            report = _asked(empty_url, deadline_s=10)
        finally:
            ending.join()
    (one,) = [one for one in report.findings if one.check == "avail.refused_kind"]
    assert (one.state, one.summary.split(" ", 1)[1]) == (
        State.UNKNOWN,
        "lets others in, and not this session",
    )
    assert State.OK in {ran.state for ran in report.checks}
    assert report.seconds < 6


def _freeze(url: str, frozen: list[int]) -> None:
    """Stop the session that waits for a lock as soon as there is one."""

    def stop(pid: int) -> None:
        frozen.append(pid)
        os.kill(pid, signal.SIGSTOP)

    _meet(url, stop)


def _meet(url: str, done: Callable[[int], object]) -> None:
    """Do it to the session that waits for a lock, as soon as there is one."""
    with connected(url) as connection, connection.cursor() as cursor:
        for _ in range(3000):
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if found := cursor.fetchone():
                done(int(found[0]))
                return
            time.sleep(0.002)


def test_a_table_that_somebody_has_for_himself_costs_its_own_answer_alone(empty_url: str) -> None:
    rows(empty_url, "CREATE TABLE t (a serial PRIMARY KEY); CREATE TABLE u (a serial PRIMARY KEY)")
    rows(empty_url, "INSERT INTO t VALUES (7); INSERT INTO u VALUES (7)")
    with connected(empty_url, autocommit=False) as holder:
        holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        report = _asked(empty_url, deadline_s=5)
    found: dict[str, Finding] = {
        one.subject.name: one for one in report.findings if one.check == "seq.behind_max"
    }
    assert (found["u_a_seq"].state, found["t_a_seq"].state) == (State.CRITICAL, State.UNKNOWN)
    assert found["t_a_seq"].summary == "sequence public.t_a_seq: a table that it reads is locked"
    assert "the server did not answer" not in {ran.reason for ran in report.checks}


def test_where_tls_comes_first_it_is_what_is_said_first() -> None:
    heard: list[bytes] = []

    def listen(line: socket.socket) -> None:
        heard.append(line.recv(3))
        line.close()

    with speaker(listen) as place:
        host, port = place.split(":")
        conninfo = {"host": host, "port": port, "user": "u", "sslmode": "require", "sslnegotiation": "direct"}
        (answer,) = ask(conninfo, most_s=2)
    # A handshake, of TLS 1.
    assert heard == [b"\x16\x03\x01"]
    assert (answer.place, answer.kind) == (place, Answers.OTHER)
