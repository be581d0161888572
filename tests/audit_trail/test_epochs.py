"""A new epoch: where numbers of transactions begin anew, sealing goes on and covers every entry once."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal, seal_hash
from spotify_ai_agent_migrations.versions.audit_trail.plan import Block, Standing, block_of
from spotify_ai_agent_migrations.versions.audit_trail.run import redact, seal
from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import Databases, client, connected, in_memory, rows, run

COVERED = """
    SELECT count(*) FILTER (WHERE seals = 0)::int, count(*) FILTER (WHERE seals > 1)::int
      FROM (SELECT (SELECT count(*) FROM ops.audit_seal WHERE entry_ids @> entry.id) AS seals FROM audit_log AS entry) AS covered
"""
LAST = Seal(
    id=7, epoch=2, sealed_at=datetime(2026, 11, 5, 12, tzinfo=timezone.utc), previous_hash=bytes(32), first_xid=90,
    horizon=100, entry_count=1, entry_ids="{[1,2)}", root=bytes(32), system_identifier="11", timeline=1, note=None,
    key_id="0" * 16, hash=bytes(32), signature=bytes(64),
)  # fmt: skip
NOW = Standing(LAST, "11", 1, LAST.sealed_at, ended=120, unborn=125)


def test_an_epoch_begins_where_transactions_of_another_count_are_in_the_way_and_nowhere_else() -> None:
    assert block_of(NOW) == Block(2, 100, 120)
    # A standby that took over counts on.
    assert block_of(dataclasses.replace(NOW, timeline=2)) == Block(2, 100, 120)
    assert block_of(dataclasses.replace(NOW, ended=100, unborn=100)) == Block(2, 100, 100)
    assert block_of(dataclasses.replace(NOW, last=None)) == Block(1, 0, 120, "the first seal")
    assert block_of(dataclasses.replace(NOW, system_identifier="12")) == Block(
        3, 0, 120, "restored from a backup of 2026-11-05T12:00:00+00:00 or later, of server 11"
    )
    assert block_of(dataclasses.replace(NOW, ended=98, unborn=99)) == Block(
        3, 0, 98, "restored from a backup of 2026-11-05T12:00:00+00:00 or later: transactions count from 99"
    )


def test_where_the_count_of_transactions_is_behind_the_last_seal_an_epoch_begins(
    url: str, key: SigningKey
) -> None:
    (first,) = seal(url, key=key).seals
    ahead = dataclasses.replace(first, horizon=9_000_000_000)
    digest = seal_hash(ahead)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_owner")
        cursor.execute(
            "UPDATE ops.audit_seal SET horizon = '9000000000', hash = %s, signature = %s",
            (digest, key.sign(digest)),
        )
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    (made,) = seal(url, key=key).seals
    assert (made.id, made.epoch, made.entry_count) == (2, 2, 1)
    assert rows(url, COVERED) == [(0, 0)]


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The URL of another cluster, of a superuser."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="agentdb-", dir=in_memory()))
    folder.chmod(0o755)
    try:
        yield embedded.start(folder / "pg").url
    finally:
        embedded.stop(folder / "pg")
        shutil.rmtree(folder, ignore_errors=True)


def restored(url: str, elsewhere: str, tmp_path: pathlib.Path) -> str:
    dump = tmp_path / "dump"
    done = run(client("pg_dump", url), "--format=custom", "-f", dump, "-d", url)
    assert done.returncode == 0, done.stderr
    with connected(elsewhere) as connection, connection.cursor() as cursor:
        for (role,) in rows(url, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'agent\\_%'"):
            cursor.execute(f"CREATE ROLE {role}")
        cursor.execute("GRANT pg_monitor TO agent_monitor")
        cursor.execute("CREATE DATABASE copy TEMPLATE template0")
    copy = elsewhere.replace("/postgres?", "/copy?")
    assert parse_dsn(copy)["dbname"] == "copy"
    done = run(client("pg_restore", elsewhere), "--exit-on-error", "-d", copy, dump)
    assert done.returncode == 0, done.stderr
    return copy


def test_a_dump_restored_into_another_cluster_is_sealed_on_in_a_new_epoch(
    url: str, elsewhere: str, key: SigningKey, tmp_path: pathlib.Path
) -> None:
    rows(url, "INSERT INTO users (id, display_name) SELECT n, 'x' FROM generate_series(1, 20) AS n")
    before = seal(url, key=key).seals
    rows(url, "UPDATE users SET display_name = 'y' WHERE id <= 5")
    commitments = rows(url, "SELECT id, salt, commitment FROM audit_log ORDER BY id")
    copy = restored(url, elsewhere, tmp_path)
    assert rows(copy, "SELECT id, salt, commitment FROM audit_log ORDER BY id") == commitments
    # What the restored entries say of transactions may be ahead of this cluster, and be reached by it.
    with connected(copy) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_owner")
        cursor.execute(
            "UPDATE audit_log SET xid = (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1 + id % 3)::text::xid8"
        )
    rows(copy, "UPDATE users SET display_name = 'z' WHERE id = 1")
    (first,) = seal(copy, key=key).seals
    assert (first.id, first.epoch, first.previous_hash) == (2, 2, before[-1].hash)
    assert (first.note or "").startswith("restored from a backup of ")
    assert (first.note or "").endswith(f" or later, of server {before[-1].system_identifier}")
    assert first.system_identifier != before[-1].system_identifier
    # Five that the backup holds and no seal does, and the one written since.
    assert first.entry_count == 6
    assert rows(copy, COVERED) == [(0, 0)]
    for number in range(8):
        rows(copy, "UPDATE users SET display_name = %s WHERE id = 2", (str(number),))
        done = seal(copy, key=key)
        assert [(one.id, one.epoch, one.entry_count, one.note) for one in done.seals] == [
            (3 + number, 2, 1, None)
        ]
    assert rows(copy, COVERED) == [(0, 0)]
    assert rows(
        copy,
        "SELECT count(*) > 0 FROM audit_log, ops.audit_seal WHERE epoch = 2 AND note IS NULL AND xid >= first_xid AND xid < horizon AND NOT entry_ids @> audit_log.id",
    ) == [(True,)]
    ((old,),) = rows(copy, "SELECT min(id) FROM audit_log")
    assert redact([int(str(old))], copy) == 1


def test_a_copy_in_the_same_cluster_goes_on_in_the_same_epoch(
    databases: Databases, url: str, key: SigningKey
) -> None:
    seal(url, key=key)
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    name = databases.create(str(parse_dsn(url)["dbname"]))
    copy = databases.url(name)
    rows(copy, "INSERT INTO users (id, display_name) VALUES (2, 'x')")
    (made,) = seal(copy, key=key).seals
    assert (made.id, made.epoch, made.entry_count) == (2, 1, 2)
    assert rows(copy, COVERED) == [(0, 0)]
    databases.drop(name)
