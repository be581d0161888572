"""A process that ends before or after any word with the server leaves nothing, or what the same call goes on from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import ROOT, connected, environment

# One process forks those that are killed, so that Python starts but once. What they are counted by is each call of
# the driver, of whatever thread, before it and after it.
_SCRIPT = """
import itertools, json, os, signal, sys, threading, time
import psycopg2
from spotify_ai_agent_migrations import bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import cutting

url, path, points, choices = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
cutting.BLOCK_BYTES = 6_000
TYPES = (psycopg2.extensions.connection, psycopg2.extensions.cursor)


def asked(statement, *values):
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def load(at, told):
    count, last = itertools.count(1), [0]

    def counting(frame, event, what):
        if event in ("c_call", "c_return") and isinstance(getattr(what, "__self__", None), TYPES):
            last[0] = next(count)
            if last[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(counting)
    threading.setprofile(counting)
    result = bulk_import("t", path, url=url, **choices)
    os.write(told, json.dumps([last[0], result.rows, result.rejected]).encode())


def forked(at):
    reading, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            load(at, told)
            os._exit(0)
        except BaseException as error:
            os.write(told, repr(error).encode())
            os._exit(1)
    os.close(told)
    with os.fdopen(reading, "rb") as file:
        said = file.read().decode()
    _, status = os.waitpid(child, 0)
    while asked(
        "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'agentdb bulk%%' "
        "AND datname = current_database() AND pid <> pg_backend_pid()"
    ):
        time.sleep(0.002)
    return os.WIFSIGNALED(status), said


def emptied():
    asked("TRUNCATE t; DELETE FROM ops.import_job; INSERT INTO t VALUES (-1, 0)")


def state():
    return asked("SELECT count(*), count(DISTINCT id), sum(id), (SELECT count(*) FROM ops.import_reject) FROM t")[0]


emptied()
before = state()
killed, said = forked(0)
total, *counts = json.loads(said)
whole, found, died = state(), [], 0
for at in sorted({1 + total * point // points for point in range(points)}):
    emptied()
    killed, said = forked(at)
    died += killed
    left = state()
    if choices["guarantee"] == "atomic" and left[:3] not in (before[:3], whole[:3]):
        found.append(["half", at, left])
    if choices["guarantee"] == "atomic" and left[:3] == whole[:3]:
        emptied()
    again, said = forked(0)
    if again or json.loads(said)[1:] != counts or state() != whole:
        found.append(["again", at, said, state()])
print(json.dumps({"total": total, "counts": counts, "whole": [int(one) for one in whole], "found": found, "died": died}, default=str))
"""


@pytest.mark.parametrize(
    ("choices", "points"),
    [
        ({"guarantee": "atomic", "workers": 2, "max_rejects": 9}, 6),
        ({"guarantee": "resumable", "workers": 2, "max_rejects": 9}, 7),
        ({"guarantee": "atomic", "mode": "upsert", "max_rejects": 9}, 5),
        ({"guarantee": "resumable", "mode": "upsert", "max_rejects": 9}, 5),
        ({"guarantee": "atomic", "mode": "replace", "swap": True, "max_rejects": 9}, 5),
    ],
    ids=lambda found: "-".join(map(str, found.values())) if isinstance(found, dict) else None,
)
def test_wherever_it_is_killed_nothing_is_loaded_twice_or_lost(
    url: str, tmp_path: Path, choices: dict[str, Any], points: int, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--soak"):
        points *= 20
    _table(url)
    path = tmp_path / "t.csv"
    lines = [f"{number},{number % 7}\n" for number in range(3_000)]
    lines[700], lines[2_900], lines[-1] = "bad,1\n", "2900,many\n", "2999,-1\n"
    path.write_text("id,n\n" + "".join(lines))
    command = [sys.executable, "-c", _SCRIPT, url, str(path), str(points), json.dumps(choices)]
    found = subprocess.run(
        command, env=environment(None), cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert found.returncode == 0, found.stderr
    said = json.loads(found.stdout)
    assert said["found"] == []
    assert said["counts"] == [2_997, 3]
    kept = 2_997 + (choices.get("mode") != "replace")
    assert said["whole"][:2] == [kept, kept]
    assert said["whole"][3] == 3
    # Two sessions do not say the same number of words each time.
    assert said["died"] >= points - 1


def _table(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id bigint PRIMARY KEY, n integer CHECK (n >= 0))")
