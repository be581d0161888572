"""An endpoint answers what it is asked, and however many ask, one session at a time asks the server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from http.client import HTTPConnection

import pytest
from health_check.test_bounded import _postmaster

from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.health_check import HealthReport, check_health
from spotify_ai_agent_migrations.versions.health_check.kept import Kept
from spotify_ai_agent_migrations.versions.health_check.probes import Probed, ready
from spotify_ai_agent_migrations.versions.health_check.serve import MOST_OPEN, Asked, Endpoint, listening
from support import Processes, heard, rows

DOWN = "postgresql://u@127.0.0.1:1/d"
GOOD = Probed("ready", is_ok=True, said="so")


@contextmanager
def served(asked: Asked, place: str = "127.0.0.1:0") -> Iterator[Endpoint]:
    with listening(place, asked) as endpoint:
        serving = threading.Thread(target=partial(endpoint.serve_forever, poll_interval=0.05), daemon=True)
        serving.start()
        try:
            yield endpoint
        finally:
            endpoint.shutdown()
            serving.join()


def _asked(url: str, **kept: float) -> Asked:
    return Asked(partial(check_health, url=url, deadline_s=5), partial(ready, url), **kept)


def _get(endpoint: Endpoint, path: str, *, accept: str = "", timeout_s: float = 20) -> tuple[int, str, str]:
    """The status, the type and the text of an answer."""
    with closing(HTTPConnection(endpoint.place, timeout=timeout_s)) as line:
        line.request("GET", path, headers={"Accept": accept})
        answer = line.getresponse()
        return answer.status, str(answer.getheader("Content-Type")), answer.read().decode()


def test_a_server_that_is_well_is_ready_and_measured(url: str) -> None:
    with served(_asked(url)) as endpoint:
        status, kind, body = _get(endpoint, "/live")
        assert (status, kind, json.loads(body)["said"]) == (200, "application/json", "this process answers")
        status, kind, body = _get(endpoint, "/ready?verbose=1")
        assert (status, json.loads(body)["is_ok"]) == (200, True)
        status, kind, body = _get(endpoint, "/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert re.search(r'^\w+\{[^}]*check="conn\.usage"[^}]*\} ', body, re.MULTILINE)
        assert "# EOF" not in body
        status, kind, body = _get(endpoint, "/metrics", accept="application/openmetrics-text; version=1.0.0")
        assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        assert body.endswith("# EOF\n")
        status, kind, body = _get(endpoint, "/health")
        assert kind == "application/health+json"
        assert (status, json.loads(body)["status"]) in {(200, "pass"), (200, "warn"), (503, "fail")}
        assert _get(endpoint, "/nothing") == (
            404, "application/json", '{"said": "there are /live, /ready, /metrics and /health"}\n',
        )  # fmt: skip


def test_without_its_server_an_endpoint_lives_is_not_ready_and_is_scraped(empty_url: str) -> None:
    with served(_asked(DOWN)) as endpoint:
        assert _get(endpoint, "/live")[0] == 200
        status, _, body = _get(endpoint, "/ready")
        assert (status, json.loads(body)["said"]) == (
            503,
            "127.0.0.1:1 does not answer: nobody listens there",
        )
        assert _get(endpoint, "/metrics")[0] == 200
        status, _, body = _get(endpoint, "/health")
        assert (status, json.loads(body)["status"]) == (503, "fail")
    process = _postmaster(empty_url)
    os.kill(process, signal.SIGSTOP)
    try:
        with served(_asked(empty_url)) as endpoint:
            began = time.monotonic()
            assert _get(endpoint, "/ready")[0] == 503
            assert _get(endpoint, "/live")[0] == 200
            assert time.monotonic() - began < 5
    finally:
        os.kill(process, signal.SIGCONT)


def test_however_many_scrape_at_once_one_session_asks(url: str) -> None:
    ((before,),) = rows(url, "SELECT sessions FROM pg_stat_database WHERE datname = current_database()")
    asked: list[float] = []

    def report() -> HealthReport:
        asked.append(time.monotonic())
        return check_health(url=url)

    with served(Asked(report, partial(ready, url))) as endpoint, ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: _get(endpoint, "/metrics")[0], range(20)))
        assert answers == [200] * 20
        assert len(asked) == 1
    ((after,),) = rows(url, "SELECT sessions FROM pg_stat_database WHERE datname = current_database()")
    assert int(str(after)) - int(str(before)) <= 3


def test_what_is_not_fresh_is_found_again_and_given_to_others_meanwhile() -> None:
    begun, go = threading.Event(), threading.Event()
    values = iter(range(100))

    def find() -> int:
        value = next(values)
        if value:
            begun.set()
            go.wait(10)
        return value

    kept = Kept(find, fresh_s=0.05, most_s=5)
    first = kept.get()
    assert first is not None
    assert first.value == 0
    time.sleep(0.1)
    with ThreadPoolExecutor(1) as pool:
        finding = pool.submit(kept.get)
        assert begun.wait(5)
        meanwhile = kept.get()
        assert meanwhile is not None
        assert (meanwhile.value, meanwhile.age_s >= 0.1) == (0, True)
        go.set()
        last = finding.result(5)
    assert last is not None
    assert last.value == 1


def test_what_is_out_of_date_is_given_to_nobody() -> None:
    begun, go = threading.Event(), threading.Event()
    values = iter(range(100))

    def find() -> int:
        value = next(values)
        if value:
            begun.set()
            go.wait(10)
        return value

    kept = Kept(find, fresh_s=0.05, most_s=0.1)
    assert kept.get() is not None
    time.sleep(0.2)
    with ThreadPoolExecutor(1) as pool:
        finding = pool.submit(kept.get)
        assert begun.wait(5)
        assert kept.get() is None
        go.set()
        finding.result(5)


def test_a_search_that_fails_is_told_and_the_next_one_is_made() -> None:
    def refuse() -> Probed:
        raise SettingsError("nobody knows the way", hint="ask")

    def fail() -> Probed:
        raise ValueError("secret")

    answers: Iterator[Callable[[], Probed]] = iter((refuse, fail, lambda: GOOD))
    with served(Asked(partial(check_health, url=DOWN), lambda: next(answers)())) as endpoint:
        assert _get(endpoint, "/ready")[::2] == (503, '{"said": "nobody knows the way"}\n')
        assert _get(endpoint, "/ready")[::2] == (500, '{"said": "the check itself failed: ValueError"}\n')
        assert _get(endpoint, "/ready")[0] == 200


def test_who_takes_long_to_say_what_he_wants_gives_way_to_who_comes() -> None:
    with served(Asked(partial(check_health, url=DOWN), lambda: GOOD)) as endpoint, ExitStack() as lines:
        host, port = endpoint.place.rsplit(":", 1)
        slow = [
            lines.enter_context(socket.create_connection((host, int(port)))) for _ in range(2 * MOST_OPEN)
        ]
        for line in slow:
            line.sendall(b"GET /live HTTP/1.1\r\n")
        began = time.monotonic()
        assert [_get(endpoint, "/live", timeout_s=5)[0] for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < 4
        assert len(endpoint._open) <= MOST_OPEN
        # The first of them was hung up on, and the last has still to say the rest.
        assert slow[0].recv(10) == b""
        slow[-1].sendall(b"\r\n")
        assert slow[-1].recv(12) == b"HTTP/1.0 200"


def test_where_all_wait_for_an_answer_who_comes_is_sent_away() -> None:
    go = threading.Event()

    def wait() -> Probed:
        go.wait(20)
        return GOOD

    asked = Asked(partial(check_health, url=DOWN), wait, ready_most_s=20)
    with served(asked) as endpoint, ThreadPoolExecutor(MOST_OPEN) as pool:
        waiting = [pool.submit(_get, endpoint, "/ready") for _ in range(MOST_OPEN)]
        deadline = time.monotonic() + 10
        while len(endpoint._open) < MOST_OPEN or endpoint._reading:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert _get(endpoint, "/live")[0] == 503
        go.set()
        assert [one.result(10)[0] for one in waiting] == [200] * MOST_OPEN
        assert _get(endpoint, "/live")[0] == 200


@pytest.mark.parametrize(
    "said",
    [b"\0" * 100_000, b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n", b"POST /live HTTP/1.1\r\n\r\n", b"GET\r\n\r\n",
     b"GET /live HTTP/1.1\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n"],
    ids=["noise", "long path", "another verb", "no path", "many headers"],
)  # fmt: skip
def test_what_is_no_question_is_refused_and_the_next_one_is_answered(
    said: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(Asked(partial(check_health, url=DOWN), lambda: GOOD)) as endpoint:
        host, port = endpoint.place.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=5) as line:
            try:
                line.sendall(said)
                line.shutdown(socket.SHUT_WR)
                heard = line.recv(4096)
            except OSError:
                heard = b""
        assert b" 200 " not in heard
        assert _get(endpoint, "/live")[0] == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["8009", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:8009", ""])
def test_what_is_no_place_is_refused(place: str) -> None:
    with pytest.raises(SettingsError) as caught:
        listening(place, Asked(partial(check_health, url=DOWN), lambda: GOOD))
    assert (caught.value.problem, caught.value.hint) == (
        f'"{place}" is no place to listen at', "say 127.0.0.1:8009, or [::1]:8009",
    )  # fmt: skip


def test_a_place_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError) as caught:
            listening(place, Asked(partial(check_health, url=DOWN), lambda: GOOD))
    assert caught.value.problem == f'nobody can listen at "{place}": Address already in use'


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_end(
    processes: Processes, url: str, ended_by: signal.Signals
) -> None:
    command = (sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", "--serve", ":0")
    serving = processes.start(*command, url=url)
    place = heard(serving.stderr, "listening at http://").strip().removeprefix("listening at http://")
    with closing(HTTPConnection(place, timeout=10)) as line:
        line.request("GET", "/ready")
        assert line.getresponse().status == 200
    serving.send_signal(ended_by)
    said, complained = serving.communicate(timeout=60)
    assert (serving.returncode, said, complained) == (0, "", "")
