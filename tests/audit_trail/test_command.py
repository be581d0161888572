"""The commands of the room: what they write, and what they end with."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner, Result

from spotify_ai_agent_migrations.versions.audit_trail.command import app
from spotify_ai_agent_migrations.versions.core.errors import FileError, MigrationError
from support import ROOT, environment, rows

WRITE = "INSERT INTO audit_log (entity_type, entity_id, action, actor_type) VALUES ('user', 7, 'read', 'user') RETURNING id"
EDIT = "SET ROLE agent_owner; UPDATE audit_log SET subject_ref = 4 WHERE id = %s"


@pytest.fixture
def here(url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The folder that commands are run in; the database and the key are in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("AUDIT_SIGNING_KEY_FILE", "key")
    assert called("new-key", "key").exit_code == 0
    return tmp_path


def called(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def written(*arguments: object) -> list[str]:
    done = called(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output.splitlines()


def test_a_pair_of_keys_is_made_once(here: pathlib.Path) -> None:
    private = (here / "key").read_bytes()
    assert (here / "key").stat().st_mode & 0o777 == 0o600
    assert b"PUBLIC KEY" in (here / "key.pub").read_bytes()
    assert isinstance(called("new-key", "key").exception, FileError)
    assert (here / "key").read_bytes() == private


def test_seal_says_what_it_sealed_and_sends_the_digests(here: pathlib.Path, url: str) -> None:
    ((entries,),) = rows(url, "SELECT count(*) FROM audit_log")
    assert written("seal", "--append-to", "digests", "--command", "sh -c 'cat >> told'") == [
        f"{entries} entries in 1 seal"
    ]
    assert (here / "digests").read_text() == (here / "told").read_text()
    assert json.loads((here / "digests").read_text())["id"] == 1
    assert written("seal") == ["0 entries in 0 seals"]
    done = called("seal", "--command", "false")
    assert (done.exit_code, "not sent: command:false:" in done.output) == (1, True)


def test_status_says_how_far_it_is_sealed_and_told(here: pathlib.Path, url: str) -> None:
    ((entries,),) = rows(url, "SELECT count(*) FROM audit_log")
    first, waiting = written("status")
    assert first == "nothing is sealed yet: agentdb audit-trail seal"
    assert waiting.startswith(f"{entries} entries to be sealed, the oldest for ")
    written("seal", "--append-to", "digests")
    rows(url, WRITE)
    written("seal")
    first, waiting, told = written("status")
    assert (first.startswith("seal 2 of "), waiting[:24]) == (True, "0 entries to be sealed, ")
    assert told == f"file:{here / 'digests'}: seal 1, 1 behind"
    found = json.loads("".join(written("status", "--format", "json")))
    assert (found["last_seal_id"], found["epoch"], found["waiting_entries"]) == (2, 1, 0)


@pytest.mark.usefixtures("here")
def test_verify_ends_with_0_where_all_is_whole_and_with_3_and_the_fault_where_not(url: str) -> None:
    ((number,),) = rows(url, WRITE)
    written("seal", "--append-to", "digests")
    ((entries,),) = rows(url, "SELECT count(*) FROM audit_log")
    whole = f"whole: {entries} entries of 1 seal, up to seal 1, 0 to be sealed"
    assert written("verify", "--public-key", "key.pub", "--digests", "digests") == [whole]
    assert written("verify") == ["signatures were not checked: no public key was named", whole]
    rows(url, EDIT, (number,))
    done = called("verify", "--public-key", "key.pub")
    assert done.exit_code == 3
    assert done.output.splitlines() == [
        f"entry {number} of block 1: is not what was written (edited)",
        "  compare with a backup or an export from before; restore the entry from there",
        f"1 fault: {entries} entries of 1 seal, up to seal 1, 0 to be sealed",
    ]
    done = called("verify", "--format", "json")
    found = json.loads(done.output)
    assert (done.exit_code, found["whole"], found["signatures_checked"]) == (3, False, False)
    assert [(fault["kind"], fault["seal_id"], fault["entry_id"]) for fault in found["faults"]] == [
        ("edited", 1, number)
    ]


def test_verify_remembers_the_last_good_seal_and_reads_what_came_after(here: pathlib.Path, url: str) -> None:
    ((number,),) = rows(url, WRITE)
    written("seal")
    written("verify", "--state", "good")
    assert json.loads((here / "good").read_text())["id"] == 1
    rows(url, WRITE)
    written("seal")
    rows(url, EDIT, (number,))
    assert written("verify", "--state", "good", "--public-key", "key.pub") == [
        "whole: 1 entry of 1 seal, up to seal 2"
    ]
    assert json.loads((here / "good").read_text())["id"] == 2
    # All of it, whatever is remembered; what was good stays remembered.
    assert called("verify", "--state", "good", "--full").exit_code == 3
    assert json.loads((here / "good").read_text())["id"] == 2
    # The seal that was good has to be there still.
    rows(
        url,
        "SET ROLE agent_owner; UPDATE ops.audit_seal SET signature = decode(repeat('00', 64), 'hex') WHERE id = 2",
    )
    assert called("verify", "--state", "good", "--public-key", "key.pub").exit_code == 3
    rows(url, "SET ROLE agent_owner; DELETE FROM ops.audit_seal WHERE id = 2")
    assert "seal 2 is gone, and was published (truncated)" in called("verify", "--state", "good").output


def test_an_export_is_written_and_verified_without_a_database(
    here: pathlib.Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = int(str(rows(url, WRITE)[0][0]))
    written("seal", "--append-to", "digests")
    ((entries,),) = rows(url, "SELECT count(*) FROM audit_log")
    assert written("export", "entries.csv", "seals.jsonl") == [f"{entries} entries, 1 seal"]
    monkeypatch.delenv("DATABASE_URL")
    checked = ("--public-key", "key.pub", "--digests", "digests")
    assert written("verify-export", "entries.csv", "seals.jsonl", *checked) == [
        f"whole: {entries} entries of 1 seal, up to seal 1, 0 to be sealed"
    ]
    text = (here / "entries.csv").read_text()
    (here / "entries.csv").write_text(text.replace(f"\n{number},", f"\n{number + 1},"))
    done = called("verify-export", "entries.csv", "seals.jsonl", *checked)
    assert done.exit_code == 3
    assert done.output.splitlines()[0] == f"entry {number} of block 1: is gone (missing)"


@pytest.mark.usefixtures("here")
def test_redact_says_how_many_it_took_something_from(url: str) -> None:
    ((number,),) = rows(url, WRITE)
    refused = called("redact", number).exception
    assert isinstance(refused, MigrationError)
    assert refused.problem == "1 of 1 entries are not sealed yet"
    written("seal")
    assert written("redact", number) == ["1 of 1 redacted"]
    assert written("redact", number) == ["0 of 1 redacted"]
    assert written("verify", "--public-key", "key.pub")[0].startswith("whole: ")


def test_seal_every_so_often_goes_on_until_it_is_told_to_stop(here: pathlib.Path, url: str) -> None:
    command = [sys.executable, "-m", "spotify_ai_agent_migrations", "audit-trail", "seal", "--every", "0.2"]
    process = subprocess.Popen(
        [*command, "--append-to", "digests"], cwd=here, stdout=subprocess.PIPE, text=True,
        env=environment(url, AUDIT_SIGNING_KEY_FILE=str(here / "key"), PYTHONPATH=str(ROOT)),
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        sealed = 0
        while sealed < 3 and time.monotonic() < until:
            rows(url, WRITE)
            time.sleep(0.1)
            ((sealed,),) = rows(url, "SELECT count(*)::int FROM ops.audit_seal")  # type: ignore[assignment]
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert len(said.splitlines()) == len((here / "digests").read_text().splitlines()) >= 3
