"""The keys of an erasure: named, or made beside the local server of development, and nowhere else."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.errors import LockError, SettingsError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.signing import make_keys, read_keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.files import exclusively
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import (
    keys_for,
    ledger_key_id,
    make_ledger_key,
)

ELSEWHERE = Settings({}, "url")
LOCAL = Settings({}, "embedded")


def test_a_key_that_is_not_named_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        keys_for(ELSEWHERE, environ={})
    assert caught.value.problem == "no key to sign certificates with was named"
    assert caught.value.hint == (
        "say --key FILE, or set ERASURE_SIGNING_KEY_FILE or ERASURE_SIGNING_KEY; "
        "`agentdb gdpr-erasure new-key` makes a pair"
    )
    make_keys(tmp_path / "a.key", tmp_path / "a.pub")
    with pytest.raises(SettingsError) as caught:
        keys_for(ELSEWHERE, key=tmp_path / "a.key", environ={})
    assert caught.value.problem == "there is no key to hash the people of the ledger with"


def test_keys_are_named_by_files_or_are_the_variables_themselves(tmp_path: Path) -> None:
    made = make_keys(tmp_path / "a.key", tmp_path / "a.pub")
    name = make_ledger_key(tmp_path / "l.key")
    by_file = {
        "ERASURE_SIGNING_KEY_FILE": str(tmp_path / "a.key"), "ERASURE_LEDGER_KEY_FILE": str(tmp_path / "l.key"),
        "ERASURE_LEDGER_FILE": str(tmp_path / "ledger"),
    }  # fmt: skip
    by_value = {
        "ERASURE_SIGNING_KEY": (tmp_path / "a.key").read_text(),
        "ERASURE_LEDGER_KEY": (tmp_path / "l.key").read_text() + "," + "ab" * 32,
    }
    first, second = keys_for(ELSEWHERE, environ=by_file), keys_for(ELSEWHERE, environ=by_value)
    assert first.signing.key_id == second.signing.key_id == made.key_id
    assert [ledger_key_id(one) for one in first.ledger] == [name]
    assert second.ledger == (*first.ledger, bytes.fromhex("ab" * 32))
    assert (first.ledger_file, second.ledger_file) == (tmp_path / "ledger", None)
    assert keys_for(ELSEWHERE, key=made, environ=by_value).signing is made
    secret = (tmp_path / "l.key").read_text().strip()
    assert secret not in repr(first)


def test_beside_the_local_server_they_are_made_once_however_many_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "home", lambda: tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: keys_for(LOCAL, environ={}), range(8)))
    assert len({one.signing.key_id for one in found}) == 1
    assert len({one.ledger for one in found}) == 1
    assert found[0].ledger_file == tmp_path / "erasures.ledger"
    for file in ("erasure.key", "erasure.ledger.key"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600
    assert list(read_keyring(tmp_path / "erasure.key.pub")) == [found[0].signing.key_id]


def test_what_is_named_goes_before_what_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(embedded, "home", lambda: home)
    made = make_keys(tmp_path / "a.key", tmp_path / "a.pub")
    found = keys_for(LOCAL, environ={"ERASURE_SIGNING_KEY": (tmp_path / "a.key").read_text()})
    assert found.signing.key_id == made.key_id
    assert sorted(file.name for file in home.iterdir()) == ["erasure.ledger.key", "erasure.lock"]


def test_a_public_half_without_its_private_one_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "home", lambda: tmp_path)
    (tmp_path / "erasure.key.pub").write_text("half")
    found = keys_for(LOCAL, environ={})
    assert list(read_keyring(tmp_path / "erasure.key.pub")) == [found.signing.key_id]


def test_a_file_that_another_has_is_waited_for_and_no_longer_than_said(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with exclusively(file), pytest.raises(LockError) as caught, exclusively(file, wait_s=0.05):
        pass
    assert caught.value.problem == f'waited 0.05 s for "{file}", which another process writes, and gave up'
    with exclusively(file, wait_s=0):
        pass
