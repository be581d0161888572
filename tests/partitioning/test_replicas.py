"""A standby is left alone, and a logical subscriber keeps receiving: on servers of their own."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from partitioning.scene import build, converted_in_the_past, schema, settings
from partitioning.test_maintain import NAMES

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.partitioning import Done, convert, maintain, split, unconvert
from spotify_ai_agent_migrations.versions.partitioning.status import status
from support import client, in_memory, rows, until


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
    folder = pathlib.Path(tempfile.mkdtemp(prefix="agentdb-", dir=in_memory()))
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


@contextmanager
def own_server(server: dict[str, str], *settings_: str) -> Iterator[tuple[str, pathlib.Path]]:
    """Make a server that no other test uses, beside the one of these parameters; give its URL and its folder."""
    places = "&".join(f"{key}={value}" for key, value in server.items() if key in {"host", "port"})
    url = f"postgresql://postgres@/postgres?{places}"
    with folder_of(url) as folder:
        made = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        as_owner(url, "initdb", "-D", folder / "data", *made)
        with started(url, folder, "fsync=off", *settings_) as place:
            yield f"postgresql://postgres@/postgres?{place}", folder


def test_a_standby_is_left_alone(url: str) -> None:
    wanted = rows(url, NAMES)
    ((database,),) = rows(url, "SELECT current_database()")
    rows(url, f"DROP TABLE {wanted[-1][0]}")
    with folder_of(url) as folder:
        as_owner(url, "pg_basebackup", "-d", url, "-D", folder / "data", "-R", "-c", "fast", "--no-sync")
        # A standby with less of these than its primary does not start; they may have been said on the command line.
        least = rows(
            url,
            "SELECT format('%s=%s', name, setting) FROM pg_settings WHERE name IN"
            " ('max_connections', 'max_prepared_transactions', 'max_wal_senders', 'max_worker_processes', 'max_locks_per_transaction')",
        )
        with started(url, folder, "fsync=off", *(str(one) for (one,) in least)) as place:
            standby = f"postgresql://postgres@/{database}?{place}"
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
    with own_server(server, "wal_level=logical", "wal_retrieve_retry_interval=100ms") as (_, folder):
        yield f"host={folder}"


RECEIVER = """
CREATE TABLE "Odd" (id bigint PRIMARY KEY, serial_no int, tenant_id bigint, payload jsonb, amount numeric, doubled numeric,
                    touched int, at timestamptz);
CREATE TABLE notes (id bigint PRIMARY KEY, odd_id bigint, text text);
"""
SENT = 'SELECT id, tenant_id, amount::int, at FROM "Odd" WHERE amount > 2000 ORDER BY id'


@dataclass(frozen=True)
class Pair:
    """A database and the one that receives its rows."""

    sender: str
    receiver: str

    def arrives(self, statement: str) -> list[tuple[object, ...]]:
        """Wait until the receiver answers as the sender does; return the answer."""
        expected = rows(self.sender, statement)
        until(lambda: rows(self.receiver, statement) == expected)
        return expected


@pytest.fixture
def pair(logical: str) -> Iterator[Pair]:
    """The scene in one database, and a subscriber of its publication in another, which is never refreshed."""
    name = f"t{uuid.uuid4().hex[:6]}"
    admin, sender, receiver = (
        f"postgresql://postgres@/{one}?{logical}" for one in ("postgres", f"{name}_s", f"{name}_r")
    )
    for one in (f"{name}_s", f"{name}_r"):
        rows(admin, f"CREATE DATABASE {one}")
    build(sender)
    rows(receiver, RECEIVER)
    # Made by hand: within one server a subscription would wait for itself to make it.
    rows(sender, f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')")
    rows(
        receiver,
        f"CREATE SUBSCRIPTION {name} CONNECTION '{logical} dbname={name}_s user=postgres' PUBLICATION odd_publication"
        f" WITH (create_slot = false, slot_name = {name}, copy_data = false)",
    )
    yield Pair(sender, receiver)
    # A worker whose changes cannot be applied counts it here.
    failed = rows(
        receiver, "SELECT apply_error_count FROM pg_stat_subscription_stats WHERE subname = %s", (name,)
    )
    for change in ("DISABLE", "SET (slot_name = NONE)"):
        rows(receiver, f"ALTER SUBSCRIPTION {name} {change}")
    rows(receiver, f"DROP SUBSCRIPTION {name}")
    assert failed == [(0,)]


def write(sender: str, turn: int) -> None:
    """Insert, update and delete, in this month and in one to come."""
    rows(
        sender,
        f"""INSERT INTO "Odd" (tenant_id, amount, at)
            SELECT n + 1, 1000 + {turn}, now() + n * interval '40 days' FROM generate_series(0, 1) AS n WHERE n = 0 OR {turn} = 2;
            UPDATE "Odd" SET amount = amount + 1000 WHERE amount = 1000 + {turn};
            DELETE FROM "Odd" WHERE amount = 1999 + {turn}""",
    )


def test_a_subscriber_keeps_receiving_through_convert_and_back_without_refresh(pair: Pair) -> None:
    rows(pair.sender, "ALTER PUBLICATION odd_publication DROP TABLE notes")
    write(pair.sender, 1)
    assert len(pair.arrives(SENT)) == 1
    convert('"Odd"', "at", premake=2, settings=settings(pair.sender))
    write(pair.sender, 2)
    assert len(pair.arrives(SENT)) == 2
    unconvert('"Odd"', settings=settings(pair.sender))
    write(pair.sender, 3)
    assert len(pair.arrives(SENT)) == 1


def test_a_subscriber_keeps_receiving_through_a_split(pair: Pair) -> None:
    rows(pair.sender, "ALTER PUBLICATION odd_publication DROP TABLE notes")
    converted_in_the_past(pair.sender)
    old = """INSERT INTO "Odd" (tenant_id, amount, at) VALUES (1, {}, now() - interval '70 days')"""
    rows(pair.sender, old.format(2001))
    assert len(split('"Odd"', settings=settings(pair.sender))) >= 16
    rows(pair.sender, """UPDATE "Odd" SET amount = 2002 WHERE amount = 2001""")
    rows(pair.sender, old.format(2003))
    # Each once: the copy that the split made was sent to nobody.
    assert [row[2] for row in pair.arrives(SENT)] == [2002, 2003]


def test_a_published_table_that_refers_to_it_sends_no_column_that_subscribers_lack(pair: Pair) -> None:
    rows(pair.sender, 'ALTER PUBLICATION odd_publication SET TABLE "Odd", notes')
    before = schema(pair.sender)
    with pytest.raises(TableError) as refused:
        convert('"Odd"', "at", premake=1, settings=settings(pair.sender))
    assert refused.value.problem == (
        'table "public."Odd"" cannot be partitioned as it is: publication "odd_publication" sends "notes", whose '
        'subscribers have no column "odd_id_at": publish it with a list of columns'
    )
    assert schema(pair.sender) == before
    rows(pair.sender, 'ALTER PUBLICATION odd_publication SET TABLE "Odd", notes (id, odd_id, text)')
    convert('"Odd"', "at", premake=1, settings=settings(pair.sender))
    rows(pair.sender, "INSERT INTO notes (odd_id, text) VALUES (5, 'new')")
    assert pair.arrives("SELECT odd_id, text FROM notes WHERE text = 'new'") == [(5, "new")]
