"""A server killed with all of its sessions in the middle of an erasure leaves a person whole, or what goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from gdpr_erasure.people import ADA, bring_in
from partitioning.test_replicas import as_owner, own_server
from psycopg2.extensions import make_dsn

from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import certifying, hiding, run, steps, sweeping
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import read_ledger
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from support import rows, run_alembic, until

_LEFT = """
SELECT (SELECT count(*) FROM listens WHERE user_id = 880000222)
     + (SELECT count(*) FROM agent_messages WHERE user_id = 880000222)
     + (SELECT count(*) FROM playlists WHERE user_id = 880000222)
     + (SELECT count(*) FROM users WHERE email LIKE 'ada%')
     + (SELECT count(*) FROM ops.pseudonyms WHERE user_id = 880000222)
"""
_STATE = "SELECT state, certificate FROM ops.erasures"


class _Server:
    """A server that can be killed and started again, with a database of the two people to be copied."""

    def __init__(self, url: str, folder: Path, other: str) -> None:
        self._url, self._folder, self._other = url, folder, other

    def database(self, name: str) -> str:
        return self._url.replace("/postgres?", f"/{name}?")

    def copied(self) -> str:
        rows(self._url, "DROP DATABASE IF EXISTS copied WITH (FORCE)")
        rows(self._url, "CREATE DATABASE copied TEMPLATE people")
        return self.database("copied")

    def kill(self) -> None:
        """Kill the first process, which would start others, and then each of its sessions."""
        number = int((self._folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        first = psutil.Process(number)
        os.kill(number, signal.SIGSTOP)
        killed = [*first.children(recursive=True), first]
        for one in killed:
            one.kill()
        until(lambda: not any(one.is_running() and one.status() != "zombie" for one in killed))

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off"
        data, log = self._folder / "data", self._folder / "log"
        # Whoever has been killed and not yet been waited for still has a number.
        for file in (data / "postmaster.pid", *self._folder.glob(".s.PGSQL.*.lock")):
            file.unlink()
        as_owner(self._other, "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")


@pytest.fixture(scope="module")
def mortal(server: dict[str, str]) -> Iterator[_Server]:
    """A server of its own."""
    with own_server(server) as (url, folder):
        made = _Server(url, folder, make_dsn(**server))
        rows(url, "CREATE DATABASE people")
        done = run_alembic("upgrade", "head", url=made.database("people"))
        assert done.returncode == 0, done.stderr
        bring_in(made.database("people"))
        yield made


@contextmanager
def _killed_at(
    kill: Callable[[], None], module: ModuleType, name: str, call: int, *, behind: bool
) -> Iterator[list[int]]:
    """Kill before or *behind* the call of that number of one function, for the block."""
    real, calls = getattr(module, name), [0]

    def counted(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call and not behind:
            kill()
        returned = real(*arguments, **named)
        if calls[0] == call and behind:
            kill()
        return returned

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, counted)
        yield calls


@pytest.mark.parametrize(
    ("module", "name", "call", "behind", "state"),
    [
        pytest.param(hiding, "intend", 1, True, None, id="during hide"),
        pytest.param(steps, "_note", 3, False, "hidden", id="in a batch"),
        pytest.param(steps, "_batch", 4, True, "hidden", id="between batches"),
        pytest.param(run, "_forget", 1, True, "hidden", id="at forget"),
        pytest.param(sweeping, "_swept", 1, False, "erased", id="between horizon and sweep"),
        pytest.param(certifying, "note", 1, True, "swept", id="at certify"),
    ],
)
def test_a_server_killed_goes_on_and_certifies_once_nothing_is_left(
    mortal: _Server,
    keys: Keyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    call: int,
    behind: bool,
    state: str | None,
) -> None:
    ledger = tmp_path / "erasures.ledger"
    monkeypatch.setenv("ERASURE_LEDGER_FILE", str(ledger))
    url = mortal.copied()
    ((whole,),) = rows(url, _LEFT)
    with _killed_at(mortal.kill, module, name, call, behind=behind) as calls, pytest.raises(MigrationError):
        erase_user(ADA.id, url=url, whole_rows=0, batch_rows=1)
    mortal.start()
    assert calls[0] >= call
    assert rows(url, _STATE) == ([(state, None)] if state else [])
    if state is None:
        assert rows(url, _LEFT) == [(whole,)]
    certificate = erase_user(ADA.id, url=url, whole_rows=0, batch_rows=1)
    assert certificate.verify(keys)
    assert rows(url, _LEFT) == [(0,)]
    assert rows(url, _STATE) == [("certified", certificate.as_json())]
    assert erase_user(ADA.id, url=url) == certificate
    kinds = [line.kind.value for line in read_ledger(ledger, keys) if line.erasure == certificate.id]
    assert kinds[0] == "intended"
    assert {"hidden", "erased"} <= set(kinds)
