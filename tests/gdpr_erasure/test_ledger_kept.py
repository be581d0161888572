"""An erasure and its ledger: what is not on the disk has not been done, and nothing is done twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from gdpr_erasure.erasing import set_keys
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import run
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import read_ledger
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Kind
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.replay import replay
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user, resume
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.sweeping import look_again
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.verifying import Verified
from support import Databases, rows, until

STATES = "SELECT state FROM ops.erasures"


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keyring:
    return set_keys(monkeypatch, tmp_path)


def named(monkeypatch: pytest.MonkeyPatch, file: Path) -> Path:
    monkeypatch.setenv("ERASURE_LEDGER_FILE", str(file))
    return file


def test_a_certificate_names_the_line_that_was_on_the_disk_before_it(
    entangled: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ledger = named(monkeypatch, tmp_path / "ledger")
    made = erase_user(ADA.id, url=entangled)
    lines = read_ledger(ledger, keyring)
    assert [one.kind for one in lines] == [Kind.INTENDED, Kind.HIDDEN, Kind.ERASED]
    assert {one.erasure for one in lines} == {made.id}
    assert made.body["ledger"] == lines[-1].hash
    assert made.verify(keyring)
    assert erase_user(ADA.id, url=entangled) == made
    assert read_ledger(ledger, keyring) == lines


def test_where_the_ledger_cannot_be_written_nobody_is_touched(
    entangled: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del keyring
    named(monkeypatch, tmp_path / "nowhere" / "ledger")
    with pytest.raises(FileError, match="cannot be opened: No such file or directory"):
        erase_user(ADA.id, url=entangled)
    assert rows(entangled, STATES) == []
    assert rows(entangled, "SELECT status, email FROM users WHERE id = %s", (ADA.id,)) == [
        ("active", "ada.lovelace@example.org")
    ]
    named(monkeypatch, tmp_path / "ledger")
    assert erase_user(ADA.id, url=entangled).id
    assert rows(entangled, STATES) == [("certified",)]


def test_where_it_cannot_be_written_any_more_there_is_no_certificate_until_it_can(
    entangled: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ledger = named(monkeypatch, tmp_path / "ledger")

    def then_the_disk_goes(*given: object, **named_: object) -> Verified:
        found = look_again(*given, **named_)  # type: ignore[arg-type]
        ledger.rename(tmp_path / "kept")
        ledger.mkdir()
        return found

    monkeypatch.setattr(run, "look_again", then_the_disk_goes)
    with pytest.raises(FileError):
        erase_user(ADA.id, url=entangled)
    assert rows(entangled, f"{STATES} WHERE certificate IS NULL") == [("swept",)]
    ledger.rmdir()
    (tmp_path / "kept").rename(ledger)
    (made,) = resume(url=entangled)
    assert made.verify(keyring)
    assert [one.kind for one in read_ledger(ledger, keyring)] == [Kind.INTENDED, Kind.HIDDEN, Kind.ERASED]


def test_a_replay_that_is_killed_is_gone_on_with_by_the_next(
    databases: Databases, entangled: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ledger = named(monkeypatch, tmp_path / "ledger")
    name = databases.create(entangled.partition("?")[0].rpartition("/")[2])
    copy = databases.url(name)
    for person in (ADA, BOB):
        erase_user(person.id, url=entangled)
    rows(copy, "SELECT ops.close_gate_v1()")
    child = os.fork()
    if child == 0:
        try:
            replay(ledger, copy)
        finally:
            os._exit(1)
    try:
        until(lambda: rows(copy, "SELECT count(*) > 0 FROM ops.erasures") == [(True,)])
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    done = replay(ledger, copy)
    assert (done.is_open, done.failures, done.in_doubt) == (True, (), ())
    assert done.resumed + done.erased >= 1
    assert rows(copy, STATES) == [("certified",), ("certified",)]
    assert rows(copy, "SELECT count(*)::int FROM users WHERE status = 'erased'") == [(2,)]
    assert len(read_ledger(ledger, keyring)) >= 12
    assert rows(copy, "SELECT ops.gate_is_open_v1()") == [(True,)]
    databases.drop(name)
