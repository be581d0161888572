"""Staging signs what it ran, and nothing after a failure, with another schema or with another journal."""

from __future__ import annotations

import json
import pathlib
import sys
from contextlib import closing
from functools import partial

import pytest

from spotify_ai_agent_migrations.versions.cli.promotion import receipts_folder
from spotify_ai_agent_migrations.versions.core.database import open_connection
from spotify_ai_agent_migrations.versions.core.errors import (
    FileError,
    GovernanceError,
    RevisionError,
    SettingsError,
)
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.runner.entry import Entry
from spotify_ai_agent_migrations.versions.runner.journal import Journal
from spotify_ai_agent_migrations.versions.runner.receipt import make_receipt
from support import BEFORE_HEAD, HEAD, rows, run, run_alembic


def journaled(url: str, *entries: Entry) -> None:
    settings = resolve_settings(url, environ={})
    with closing(Journal(partial(open_connection, settings, purpose="test"))) as journal:
        for entry in entries:
            journal.write(entry)


def test_it_holds_what_was_run_as_it_is_now(url: str) -> None:
    staging = resolve_settings(url, environ={"MIGRATIONS_ENV": "staging"})
    receipt = make_receipt(staging)
    assert (receipt.environment, receipt.heads) == ("staging", (HEAD,))
    assert [one.revision for one in receipt.tried] == [f"{number:03}" for number in range(1, int(HEAD) + 1)]
    last = receipt.tried[-1]
    (entry,) = rows(
        url,
        "SELECT checksum, duration_ms, fingerprint_before, fingerprint_after, hash FROM ops.migration_journal ORDER BY id DESC LIMIT 1",
    )
    ran = last.upgrade
    assert (
        last.checksum,
        ran.duration_ms,
        ran.schema_before,
        ran.schema_after,
        receipt.journal_head,
    ) == entry
    assert (receipt.fingerprint, last.downgrade) == (ran.schema_after, None)

    for environment in ("development", "production"):
        with pytest.raises(SettingsError) as elsewhere:
            make_receipt(resolve_settings(url, environ={"MIGRATIONS_ENV": environment}))
        assert (
            elsewhere.value.problem
            == f'a receipt says what ran in staging, and MIGRATIONS_ENV is "{environment}"'
        )

    # What was gone back over is there again with its way back; what was stamped was not run.
    assert run_alembic("downgrade", BEFORE_HEAD, url=url).returncode == 0
    assert [one.revision for one in make_receipt(staging).tried][-1] == BEFORE_HEAD
    assert run_alembic("upgrade", "head", url=url).returncode == 0
    back = make_receipt(staging).tried[-1].downgrade
    assert back is not None
    assert (back.schema_before, back.schema_after) == (last.upgrade.schema_after, last.upgrade.schema_before)
    assert run_alembic("downgrade", BEFORE_HEAD, url=url).returncode == 0
    assert run_alembic("stamp", HEAD, url=url).returncode == 0
    assert make_receipt(staging).heads == (HEAD,)
    assert [one.revision for one in make_receipt(staging).tried][-1] == BEFORE_HEAD

    # An answer of a gate is no failure of a run; a failure is one.
    journaled(url, Entry("upgrade", "refused", reason="no"))
    assert make_receipt(staging).heads == (HEAD,)
    for state in ("started", "failed", "dirty"):
        accepted = Entry("accept", "applied", HEAD, reason="an exception undoes no failure")
        journaled(url, Entry("upgrade", state, HEAD), Entry("upgrade", "refused", reason="no"), accepted)
        with pytest.raises(RevisionError) as failed:
            make_receipt(staging)
        assert failed.value.problem == f"the last run was no success: upgrade of {HEAD} {state}"


def test_an_attempt_that_was_killed_is_ended_though_something_was_refused_since(url: str) -> None:
    journaled(
        url,
        Entry("upgrade", "started", BEFORE_HEAD),
        Entry("upgrade", "refused", reason="no", details={"gate": "x"}),
    )
    done = run_alembic("upgrade", "head", url=url)
    assert done.returncode == 0
    # Who forgets to say that this is production is told.
    assert 'production or a copy of it, and MIGRATIONS_ENV is "development": nobody asks' in done.stderr
    last = "SELECT state, reason FROM ops.migration_journal ORDER BY id DESC LIMIT 1"
    assert rows(url, last) == [("failed", "its process ended without a word")]
    assert run_alembic("upgrade", "head", url=url).returncode == 0
    assert rows(url, "SELECT count(*) FROM ops.migration_journal WHERE state = 'failed'") == [(1,)]


def test_another_schema_or_journal_is_not_signed(url: str, tmp_path: pathlib.Path) -> None:
    def say(*arguments: str) -> tuple[int, str]:
        command = (sys.executable, "-m", "spotify_ai_agent_migrations", "governance", *arguments)
        done = run(*command, url=url, MIGRATIONS_ENV="staging")
        return done.returncode, done.stdout + done.stderr

    key, out = str(tmp_path / "key.pem"), str(tmp_path / "receipt.json")
    code, told = say("receipt", "--out", out)
    assert (code, "no key to sign receipts with was named" in told) == (2, True)
    assert say("new-key", key)[0] == 0
    code, told = say("receipt", "--out", out, "--key", key)
    assert code == 0, told
    assert set(json.loads(pathlib.Path(out).read_text())) == {"payloadType", "payload", "signatures"}
    code, told = say("receipt", "--out", out, "--key", key)
    assert (code, "cannot be made: File exists" in told) == (1, True)
    staging = resolve_settings(url, environ={"MIGRATIONS_ENV": "staging"})
    rows(url, "CREATE INDEX more_idx ON users (created_at)")
    with pytest.raises(GovernanceError) as drifted:
        make_receipt(staging)
    assert drifted.value.problem.startswith("1 object of the schema differs from the journal")
    rows(url, "DROP INDEX more_idx")
    rows(url, "UPDATE ops.migration_journal SET checksum = 'x' WHERE id = 1")
    with pytest.raises(GovernanceError) as edited:
        make_receipt(staging)
    assert edited.value.problem.startswith("the journal is not as it was written: entry 1")


def test_a_folder_that_cannot_be_made_is_said(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MIGRATIONS_RECEIPTS", str(tmp_path / "file" / "receipts"))
    with pytest.raises(FileError) as refused:
        receipts_folder()
    assert refused.value.hint == "say --out FILE"


def test_without_a_journal_there_is_nothing_to_sign(empty_url: str) -> None:
    with pytest.raises(RevisionError):
        make_receipt(resolve_settings(empty_url, environ={"MIGRATIONS_ENV": "staging"}))
