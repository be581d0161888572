"""A standby is left alone, and a logical subscriber keeps receiving: on servers of their own."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from partitioning.scene import build, settings
from partitioning.test_maintain import NAMES
from runner.test_bounds import until

from spotify_ai_agent_migrations.versions.partitioning import Done, convert, maintain, unconvert
from spotify_ai_agent_migrations.versions.partitioning.status import status
from support import client, rows


def as_owner(url: str, command: str, *arguments: str | pathlib.Path) -> None:
    """Run one of the server's programs as the user who runs the server, which refuses root."""
    folder = pathlib.Path(str(rows(url, "SHOW data_directory")[0][0]))
    if not folder.exists():
        pytest.skip("the server is on another machine")
    owner = folder.stat()
    lent = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [client(command, url), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
        **lent,
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr


@contextmanager
def folder_of(url: str) -> Iterator[pathlib.Path]:
    """A folder of the user who runs the server; a socket's path has to be short."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="agentdb-", dir="/tmp"))
    owner = pathlib.Path(str(rows(url, "SHOW data_directory")[0][0]))
    if os.geteuid() == 0 and owner.exists():
        os.chown(folder, owner.stat().st_uid, owner.stat().st_gid)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def started(url: str, folder: pathlib.Path, *settings_: str) -> Iterator[str]:
    """Start the server of `folder/data` for the block, on a socket there; give its parameters."""
    options = " ".join(["-k", str(folder), "-c listen_addresses=", *(f"-c {one}" for one in settings_)])
    as_owner(url, "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start")
    try:
        yield f"host={folder}"
    finally:
        as_owner(url, "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")


def database_of(url: str) -> str:
    return str(rows(url, "SELECT current_database()")[0][0])


def test_a_standby_is_left_alone(url: str) -> None:
    wanted = rows(url, NAMES)
    rows(url, f"DROP TABLE {wanted[-1][0]}")
    with folder_of(url) as folder:
        as_owner(url, "pg_basebackup", "-d", url, "-D", folder / "data", "-R", "-c", "fast", "--no-sync")
        with started(url, folder, "fsync=off") as place:
            standby = f"postgresql://postgres@/{database_of(url)}?{place}"
            until(lambda: rows(standby, "SELECT pg_is_in_recovery()") == [(True,)])
            assert maintain(settings=settings(standby)) == (
                Done("skipped", "everything", "this server is a standby"),
            )
            assert rows(standby, NAMES) == wanted[:-1]
            assert {one.table for one in status(settings=settings(standby))} == {
                "public.analytics",
                "public.audit_log",
            }
            # What it does on the primary arrives there by itself.
            assert maintain("analytics", settings=settings(url)) == (Done("made", str(wanted[-1][0])),)
            until(lambda: rows(standby, NAMES) == wanted)


@pytest.fixture(scope="module")
def logical(databases: object, server: dict[str, str]) -> Iterator[str]:
    """The parameters of a server of its own that decodes its WAL."""
    del databases
    url = "postgresql://postgres@/postgres?" + "&".join(
        f"{k}={v}" for k, v in server.items() if k in {"host", "port"}
    )
    with folder_of(url) as folder:
        as_owner(
            url,
            "initdb",
            "-D",
            folder / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        )
        with started(url, folder, "wal_level=logical", "fsync=off", "max_wal_senders=10") as place:
            yield place


RECEIVER = """
CREATE TABLE "Odd" (id bigint PRIMARY KEY, serial_no int, tenant_id bigint, payload jsonb, amount numeric, doubled numeric,
                    touched int, at timestamptz);
"""
SENT = 'SELECT id, tenant_id, amount::int, at FROM "Odd" WHERE amount > 2000 ORDER BY id'


def test_a_subscriber_keeps_receiving_through_convert_and_back_without_refresh(logical: str) -> None:
    admin = f"postgresql://postgres@/postgres?{logical}"
    sender, receiver = (f"postgresql://postgres@/{name}?{logical}" for name in ("sender", "receiver"))
    for name in ("sender", "receiver"):
        rows(admin, f"CREATE DATABASE {name}")
    build(sender)
    rows(sender, 'ALTER PUBLICATION odd_publication DROP TABLE notes; DELETE FROM "Odd" WHERE id > 20')
    rows(receiver, RECEIVER)
    rows(sender, "SELECT pg_create_logical_replication_slot('odd', 'pgoutput')")
    rows(
        receiver,
        f"CREATE SUBSCRIPTION odd CONNECTION '{logical} dbname=sender user=postgres' PUBLICATION odd_publication WITH (create_slot = false, slot_name = odd, copy_data = false)",
    )
    try:
        _write_and_compare(sender, receiver, 1)
        convert('"Odd"', "at", premake=2, settings=settings(sender))
        _write_and_compare(sender, receiver, 2)
        unconvert('"Odd"', settings=settings(sender))
        _write_and_compare(sender, receiver, 3)
        # pg_stat_subscription_stats counts what the worker failed at; it was never told of new tables.
        assert rows(receiver, "SELECT apply_error_count FROM pg_stat_subscription_stats") == [(0,)]
    finally:
        rows(receiver, "ALTER SUBSCRIPTION odd DISABLE")
        rows(receiver, "ALTER SUBSCRIPTION odd SET (slot_name = NONE)")
        rows(receiver, "DROP SUBSCRIPTION odd")


def _write_and_compare(sender: str, receiver: str, turn: int) -> None:
    """Insert, update and delete, in this month and in one to come; the receiver has what the sender has."""
    rows(
        sender,
        f"""INSERT INTO "Odd" (tenant_id, amount, at)
            SELECT n + 1, 1000 + {turn}, now() + n * interval '40 days' FROM generate_series(0, 1) AS n WHERE n = 0 OR {turn} = 2;
            UPDATE "Odd" SET amount = amount + 1000 WHERE amount = 1000 + {turn};
            DELETE FROM "Odd" WHERE amount = 1999 + {turn}""",
    )
    expected = rows(sender, SENT)
    assert len(expected) == (2 if turn == 2 else 1)
    until(lambda: rows(receiver, SENT) == expected)
