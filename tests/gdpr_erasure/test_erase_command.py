"""The commands about erasures: what they write, and with which code they end."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from support import Processes, heard, rows, run

REVISION = pathlib.Path(__file__).resolve().parents[2] / "versions" / "010_gdpr_erasure.py"
COMMAND = ("-m", "spotify_ai_agent_migrations", "gdpr-erasure")
ADA, BOB = 9_001, 9_002


@dataclass(frozen=True)
class Scene:
    """A database with two people, and a folder with the keys of its erasures."""

    url: str
    folder: pathlib.Path

    def ran(self, *words: str | pathlib.Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run(sys.executable, *COMMAND, *words, url=self.url)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def said(self, *words: str | pathlib.Path, code: int = 0) -> list[str]:
        return self.ran(*words, code=code).stdout.splitlines()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of keys as the command makes them, to be copied."""
    folder = tmp_path_factory.mktemp("keys")
    for words, files in (
        (["erasure.key"], f"{folder}/erasure.key, {folder}/erasure.key.pub"),
        (["ledger.key", "--ledger"], f"{folder}/ledger.key"),
    ):
        done = run(sys.executable, *COMMAND, "new-key", folder / words[0], *words[1:])
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(rf"key [0-9a-f]{{16}}: {files}", done.stdout.splitlines()[0])
    return folder


@pytest.fixture
def scene(url: str, keys: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    shutil.copytree(keys, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("ERASURE_SIGNING_KEY_FILE", str(tmp_path / "erasure.key"))
    monkeypatch.setenv("ERASURE_LEDGER_KEY_FILE", str(tmp_path / "ledger.key"))
    monkeypatch.setenv("ERASURE_LEDGER_FILE", str(tmp_path / "erasures.ledger"))
    made = Scene(url, tmp_path)
    rows(url, f"INSERT INTO users (id, email, display_name) VALUES ({ADA}, 'ada@example.org', 'Ada')")
    rows(url, f"INSERT INTO users (id, email, display_name) VALUES ({BOB}, 'bob@example.org', 'Bob')")
    rows(url, f"INSERT INTO listens (user_id, listened_at) SELECT {ADA}, now() FROM generate_series(1, 3)")
    return made


def test_a_person_is_planned_erased_and_proved(scene: Scene) -> None:
    planned = scene.said("plan", str(ADA))
    assert "public.listens: delete 3 rows" in planned
    assert any(line.startswith("kept: public.users (id), 1 row, ") for line in planned)
    plan = re.fullmatch(r"plan ([0-9a-f]{64}): (\d+) rows", planned[-1])
    assert plan is not None
    told = json.loads(scene.said("plan", str(ADA), "--format", "json")[0])
    assert (told["hash"], told["rows"]) == (plan[1], int(plan[2]))
    assert scene.ran("erase", str(ADA), "--plan", "0" * 64, code=1).stderr.splitlines() == [
        "error: what would be erased now is not what was planned",
        "Hint: the catalogue, a hold or a table was changed: look at the plan again, and give its hash",
    ]
    certificate = scene.folder / "certificate.json"
    order = ("--plan", plan[1], "--reason", "objection", "--requested-at", "2026-01-31T10:00Z")
    certificate.write_text(scene.ran("erase", str(ADA), *order, "--format", "json").stdout)
    again = scene.said("erase", str(ADA))
    assert "public.listens: deleted 3 rows" in again
    body = json.loads(certificate.read_text())["certificate"]
    assert (body["reason"], body["plan_hash"]) == ("objection", plan[1])
    assert again[-1] == f"erasure {body['id']}: deleted with exceptions, {plan[2]} rows"
    assert body["outcome"] == "deleted_with_exceptions"
    key = ("--public-key", scene.folder / "erasure.key.pub")
    assert scene.said("verify", certificate, *key) == [*again, "genuine"]
    certificate.write_text(certificate.read_text().replace('"rows":3', '"rows":4'))
    assert scene.said("verify", certificate, *key, code=3) == ["not genuine"]
    certificate.write_text("{}")
    assert scene.ran("verify", certificate, *key, code=1).stderr.startswith("error: this is no certificate")
    missing = scene.folder / "missing"
    assert scene.ran("verify", missing, *key, code=1).stderr.splitlines() == [
        f'error: "{missing}" cannot be read: No such file or directory',
        "Hint: name the file of a certificate",
    ]


def test_what_is_held_back_is_approved_of_by_logins(scene: Scene) -> None:
    refused = scene.ran("erase", str(ADA), "--most-rows", "1", code=1).stderr
    assert refused.startswith("error: ")
    assert rows(scene.url, "SELECT count(*) FROM ops.erasures") == [(0,)]
    found = json.loads(scene.said("plan", str(ADA), "--format", "json")[0])
    approval = ("approve", found["hash"], "--person", str(ADA), "--rows", str(found["rows"]))
    assert scene.said(*approval) == ["approved by 1"]
    assert scene.said(*approval) == ["approved by 1"]
    assert scene.ran("approve", "nonsense", "--person", str(ADA), "--rows", "1", code=2).stderr.startswith(
        "error: "
    )


def test_a_plan_that_is_refused_ends_with_3(scene: Scene) -> None:
    rows(
        scene.url,
        "INSERT INTO ops.recipients (code, name, kind, purpose, country_code, categories) VALUES ('mailer', 'Mailer Ltd', 'processor', 'mail', 'FR', '{contact}')",
    )
    said = scene.said("plan", str(ADA), code=3)
    assert (
        'refused: recipient "mailer" has no channel that it is told of an erasure by; '
        "set notice_channel and knows_by of ops.recipients; 'none' is for who holds no copy"
    ) in said
    assert 'recipient "mailer"' in scene.ran("erase", str(ADA), code=1).stderr


def test_the_ledger_is_written_and_replayed_and_the_gate_told(scene: Scene) -> None:
    scene.said("erase", str(ADA))
    ledger = scene.folder / "erasures.ledger"
    assert scene.said("replay", ledger) == [
        "3 lines: known 1, resumed 0",
        "erased again 0, not here 0, completions 0",
        "the gate is open",
    ]
    assert scene.said("gate") == ["the gate is open"]
    other = scene.folder / "other.ledger"
    assert scene.said("ledger", other) == ["2 lines added"]
    assert scene.said("ledger", other) == ["0 lines added"]
    ledger.write_bytes(ledger.read_bytes()[1:])
    assert scene.ran("replay", ledger, code=1).stderr.startswith("error: ")


def test_what_is_left_is_told_and_written_anew(scene: Scene) -> None:
    scene.said("erase", str(ADA))
    left = scene.said("residue")
    assert any(re.match(r"public\.users: \d+ bytes, to be written anew by ", line) for line in left)
    assert left[-2:] == ["unknown: backups_not_declared", "the last copy: nobody can tell when it ends"]
    assert json.loads(scene.said("residue", "--format", "json")[0])["unknown"] == ["backups_not_declared"]
    unknown = "00000000-0000-4000-8000-000000000000"
    assert "there is no such erasure" in scene.ran("residue", "--erasure", unknown, code=1).stderr
    assert scene.said("rewrite", "--table", "public.users") == [
        "public.users: written anew",
        "1 table written anew, 0 left",
    ]
    assert not any(line.startswith("public.users:") for line in scene.said("residue"))
    too_large = scene.said("rewrite", "--most-bytes", "0", code=1)
    assert "ops.pseudonyms: left, too_large" in too_large


def test_recipients_are_told_by_hand(scene: Scene) -> None:
    knows = json.dumps([{"as": "email", "table": "public.users", "column": "email"}])
    rows(
        scene.url,
        "INSERT INTO ops.recipients (code, name, kind, purpose, country_code, categories, notice_channel, knows_by)"
        " VALUES ('mailer', 'Mailer Ltd', 'processor', 'mail', 'FR', '{contact}', 'hand', %s)",
        (knows,),
    )
    assert "not told yet: mailer" in scene.said("erase", str(ADA))
    assert scene.said("deliver") == ["told 0, pending 1, of them by hand 1"]
    (written,) = map(pathlib.Path, scene.said("by-hand", scene.folder))
    assert "ada@example.org" in written.read_text()
    notice = written.stem.removeprefix("mailer-")
    assert scene.said("told", notice, "--receipt", "R-17") == [f"notice {notice}: told"]
    assert scene.said("told", notice) == [f"notice {notice}: ended before"]
    assert scene.said("deliver") == ["told 0, pending 0, of them by hand 0"]


def test_retention_is_done_and_counted(scene: Scene) -> None:
    line = "playlist_snapshots (history): deleted 0, held 0, needed 0"
    assert line in scene.said("retention", "--dry-run")
    assert line in scene.said("retention")


def test_the_job_does_what_was_left_and_ends_when_it_is_told(scene: Scene, processes: Processes) -> None:
    assert scene.said("work") == ["told 0, pending 0"]
    job = processes.start(sys.executable, *COMMAND, "work", "--every", "3600", url=scene.url)
    heard(job.stdout, "told 0, pending 0")
    job.send_signal(signal.SIGTERM)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out, err) == (0, "", "")


def test_the_script_of_the_revision_erases_too(scene: Scene) -> None:
    done = run(sys.executable, REVISION, "erase", str(BOB), url=scene.url)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"erasure [0-9a-f-]{36}: deleted with exceptions, 2 rows", done.stdout.splitlines()[-1]
    )
    assert rows(scene.url, "SELECT id, status FROM users ORDER BY id") == [(ADA, "active"), (BOB, "erased")]


def test_without_a_key_nothing_is_done_and_the_way_is_shown(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERASURE_SIGNING_KEY_FILE")
    done = run(sys.executable, *COMMAND, "erase", str(ADA), url=scene.url)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: no key to sign certificates with was named",
    )
    assert "agentdb gdpr-erasure new-key" in done.stderr
    assert rows(scene.url, "SELECT status FROM users WHERE id = %s", (ADA,)) == [("active",)]
