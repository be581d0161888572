"""Sinks: a digest arrives in a file, a command, a webhook; what does not is told without a secret, and sent again."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from listener import Listener, listening
from spotify_ai_agent_migrations.versions.audit_trail import sealing
from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal
from spotify_ai_agent_migrations.versions.audit_trail.digest import read_digest
from spotify_ai_agent_migrations.versions.audit_trail.run import seal
from spotify_ai_agent_migrations.versions.audit_trail.sinks import (
    CommandSink,
    Delivery,
    FileSink,
    WebhookSink,
    command_sink,
    webhook_sink,
)
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import rows


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


def test_a_file_gets_each_digest_on_a_line_of_its_own_after_one_that_was_cut_off_too(
    tmp_path: pathlib.Path,
) -> None:
    sink = FileSink(tmp_path / "digests")
    assert sink.send(["one", "two"]) == Delivery(2)
    assert sink.send(["three"]) == Delivery(1)
    with sink.path.open("a") as file:
        file.write("cut o")
    assert sink.send(["four"]) == Delivery(1)
    assert sink.path.read_text().splitlines() == ["one", "two", "three", "cut o", "four"]


def test_a_file_that_cannot_be_written_is_told(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "none" / "digests"
    assert FileSink(place).send(["one"]) == Delivery(
        0, f'"{place}" cannot be written: No such file or directory'
    )
    os.mkfifo(tmp_path / "pipe")
    piped = FileSink(tmp_path / "pipe").send(["one"])
    assert piped == Delivery(0, f'"{tmp_path / "pipe"}" cannot be written: No such device or address')
    full = FileSink(pathlib.Path("/dev/full"))
    assert full.send(["one"]) == Delivery(0, '"/dev/full" cannot be written: No space left on device')


def test_a_command_reads_the_lines_and_its_end_says_whether_they_arrived(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "got"
    sink = command_sink(f"tee -a '{place}'")
    assert sink.send(["one", "two"]) == Delivery(2)
    assert place.read_text() == "one\ntwo\n"
    assert command_sink("sh -c 'cat; exit 3' secret").send(["one"]) == Delivery(0, '"sh" ended with 3')
    # One that does not read what it is sent has not failed by that.
    assert command_sink("true").send(["x" * 1_000_000]) == Delivery(1)
    assert command_sink("/none/such secret").send(["one"]) == Delivery(
        0, '"such" cannot be started: No such file or directory'
    )
    assert sink.name.startswith("command:tee:")
    assert str(place) not in sink.name + repr(sink)


def test_a_command_does_not_get_the_key_to_see(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_SIGNING_KEY", "secret")
    monkeypatch.setenv("AUDIT_DESTINATION", "seen")
    assert command_sink(f"sh -c 'env > {tmp_path / 'seen'}'").send(["one"]) == Delivery(1)
    seen = (tmp_path / "seen").read_text()
    assert "AUDIT_DESTINATION=seen" in seen
    assert "secret" not in seen


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: pathlib.Path) -> None:
    alive = tmp_path / "alive"
    spoken = f"sh -c 'while sleep 0.05; do date > {alive}; done & wait'"
    began = time.monotonic()
    sent = CommandSink(command_sink(spoken).arguments, limit_s=0.4).send(["one"])
    assert sent == Delivery(0, '"sh" had not ended after 0.4 s')
    assert time.monotonic() - began < 5
    alive.unlink(missing_ok=True)
    time.sleep(0.3)
    assert not alive.exists()


def test_a_webhook_gets_one_digest_a_request(listener: Listener) -> None:
    sink = webhook_sink(listener.url, token="secret-token")
    assert sink.send(["one", "two"]) == Delivery(2)
    assert [body for _, _, body in listener.heard] == [b"one", b"two"]
    path, headers, _ = listener.heard[0]
    assert path == "/hooks/secret-path?token=secret-query"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer secret-token"


def test_what_a_webhook_did_not_take_is_told_without_a_secret(listener: Listener) -> None:
    sink = webhook_sink(listener.url, token="secret-token")
    listener.answers = [200, 500]
    said = [sink.send(["one", "two", "three"])]
    listener.answers = [302]
    said.append(sink.send(["one"]))
    assert len(listener.heard) == 3, "a redirection was followed"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        said.append(webhook_sink(f"http://127.0.0.1:{unused.getsockname()[1]}/secret").send(["one"]))
    said.append(webhook_sink("https://user-secret.invalid/secret").send(["one"]))
    assert said == [
        Delivery(1, '"127.0.0.1" answered 500'),
        Delivery(0, '"127.0.0.1" answered 302'),
        Delivery(0, '"127.0.0.1" cannot be reached: ConnectionRefusedError'),
        Delivery(0, '"user-secret.invalid" cannot be reached: gaierror'),
    ]
    assert "secret" not in sink.name + repr(sink)


def test_a_webhook_that_does_not_answer_is_left_in_time(listener: Listener) -> None:
    listener.pause_s = 3
    began = time.monotonic()
    sent = WebhookSink(listener.url, limit_s=0.2).send(["one", "two"])
    assert sent == Delivery(0, '"127.0.0.1" had not answered after 0.2 s')
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://example.org",
        "https://",
        "https://user:secret@example.org/",
        "https://x:99999/",
        "secret",
        "",
    ],
)
def test_an_address_that_others_could_read_or_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        webhook_sink(url)
    assert caught.value.problem == "the webhook that digests go to is no address that can be used"
    assert "secret" not in str(caught.value)


def test_a_command_that_cannot_be_read_is_refused() -> None:
    for spoken in ("", "  ", "tee 'secret"):
        with pytest.raises(SettingsError) as caught:
            command_sink(spoken)
        assert caught.value.problem == "the command that digests go to cannot be read"


def test_every_sink_gets_every_seal_in_order_and_what_failed_is_sent_again(
    url: str, key: SigningKey, tmp_path: pathlib.Path, listener: Listener
) -> None:
    file, hook = FileSink(tmp_path / "digests"), webhook_sink(listener.url)
    broken = command_sink(f"{sys.executable} -c 'import sys; sys.exit(1)'")
    listener.answers = [500]
    made: list[Seal] = []
    for turn in range(3):
        rows(url, "INSERT INTO users (id, display_name) VALUES (%s, 'x')", (turn,))
        done = seal(url, key=key, sinks=[file, broken, hook])
        made += done.seals
        problem = f'{broken.name}: "{pathlib.Path(sys.executable).name}" ended with 1'
        assert done.problems == (
            (problem, f'{hook.name}: "127.0.0.1" answered 500') if turn == 0 else (problem,)
        )
    assert [one.id for one in made] == [1, 2, 3]
    assert [read_digest(line) for line in file.path.read_text().splitlines()] == made
    assert [json.loads(body)["id"] for _, _, body in listener.heard] == [1, 1, 2, 3]
    assert rows(url, "SELECT sink, count(*)::int FROM ops.audit_anchor GROUP BY sink ORDER BY sink") == [
        (file.name, 3), (hook.name, 3),
    ]  # fmt: skip
    # Whoever comes later gets them all, and nothing that has arrived is sent twice.
    late = FileSink(tmp_path / "late")
    done = seal(url, key=key, sinks=[file, late])
    assert done.anchored == (sealing.Anchored(late.name, 3),)
    assert late.path.read_text() == file.path.read_text()
