"""A process that ends before or after any word with the server leaves a person whole, or an erasure that goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gdpr_erasure.people import ADA

from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import read_ledger
from support import ROOT, environment

# One process forks those that are killed, so that Python starts but once. What they are counted by is each call of
# the driver, before it and after it. The person comes back each time by a copy of the database.
_SCRIPT = """
import itertools, json, os, signal, sys, time
import psycopg2
from psycopg2.extensions import make_dsn
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.core.url import parse_url

url, points, choices = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
SUBJECT = 880000222
TYPES = (psycopg2.extensions.connection, psycopg2.extensions.cursor)
parts = parse_url(url)
template = parts["dbname"]
name = template + "_k"


def asked(statement, database=name):
    connection = psycopg2.connect(make_dsn(**{**parts, "dbname": database}))
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def copied():
    asked(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "postgres")
    asked(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy", "postgres")
    return url.replace("/" + template + "?", "/" + name + "?")


def erase(at, told):
    count, last = itertools.count(1), [0]

    def counting(frame, event, what):
        if event in ("c_call", "c_return") and isinstance(getattr(what, "__self__", None), TYPES):
            last[0] = next(count)
            if last[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(counting)
    certificate = erase_user(SUBJECT, url=url.replace("/" + template + "?", "/" + name + "?"), **choices)
    sys.setprofile(None)
    os.write(told, json.dumps([last[0], [[one.table, one.rows] for one in certificate.tables]]).encode())


def forked(at):
    reading, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            erase(at, told)
            os._exit(0)
        except BaseException as error:
            os.write(told, repr(error).encode())
            os._exit(1)
    os.close(told)
    with os.fdopen(reading, "rb") as file:
        said = file.read().decode()
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), said


def left():
    return asked(
        "SELECT (SELECT count(*) FROM listens WHERE user_id = 880000222)"
        " + (SELECT count(*) FROM agent_messages WHERE user_id = 880000222)"
        " + (SELECT count(*) FROM playlists WHERE user_id = 880000222)"
        " + (SELECT count(*) FROM users WHERE email LIKE 'ada%')"
        " + (SELECT count(*) FROM ops.pseudonyms WHERE user_id = 880000222)"
    )[0][0]


def state():
    return asked("SELECT state, certificate FROM ops.erasures")


copied()
whole = left()
killed, said = forked(0)
total, tables = json.loads(said)
found, died, states = [], 0, set()
for at in sorted({1 + total * point // points for point in range(points)}):
    copied()
    killed, said = forked(at)
    died += killed
    now, here = state(), left()
    states.add(now[0][0] if now else None)
    if not now and here != whole:
        found.append(["touched", at, here])
    if now and now[0][1] is not None and here:
        found.append(["certified too early", at, here])
    if now and now[0][1] is None and now[0][0] == "certified":
        found.append(["no certificate", at])
    again, said = forked(0)
    if again or json.loads(said)[1] != tables or left():
        found.append(["again", at, said, left()])
    last = state()
    if len(last) != 1 or last[0][0] != "certified" or (now and now[0][1] is not None and now != last):
        found.append(["other", at, last])
asked(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "postgres")
print(json.dumps({"total": total, "found": found, "died": died, "states": sorted(map(str, states))}, default=str))
"""


@pytest.mark.parametrize(
    ("choices", "points"),
    [({}, 6), ({"whole_rows": 0, "batch_rows": 1}, 6)],
    ids=["whole", "in batches"],
)
def test_wherever_it_is_killed_it_goes_on_and_is_certified_once_nothing_is_left(
    entangled: str,
    keys: Keyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    choices: dict[str, Any],
    points: int,
) -> None:
    monkeypatch.setenv("ERASURE_LEDGER_FILE", str(tmp_path / "erasures.ledger"))
    every = request.config.getoption("--soak")
    command = [
        sys.executable,
        "-c",
        _SCRIPT,
        entangled,
        str(100_000 if every else points),
        json.dumps(choices),
    ]
    done = subprocess.run(
        command,
        env=environment(None),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3_600 if every else 240,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["found"] == []
    assert said["died"] >= points - 1
    # Some were killed before anything was written, and some behind the last of it.
    assert {"None", "hidden"} <= set(said["states"])
    assert said["total"] > 100
    assert {line.kind.value for line in read_ledger(tmp_path / "erasures.ledger", keys)} >= {
        "intended", "hidden", "erased",
    }  # fmt: skip
    assert ADA.identifiers[3] not in (tmp_path / "erasures.ledger").read_text()
