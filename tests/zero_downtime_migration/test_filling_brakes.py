"""The brakes of a backfill at what is really so: on a server of their own, that archives and has a standby."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from partitioning.test_replicas import as_owner, folder_of, own_server, started
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.zero_downtime_migration import Limits, brakes
from spotify_ai_agent_migrations.versions.zero_downtime_migration.brakes import Look
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from support import connected, rows, until

WRITTEN = "SELECT pg_logical_emit_message(true, 'x', repeat('x', 3000000))"
OPTIONS = (
    "wal_level=replica",
    "archive_mode=on",
    "autovacuum_naptime=1s",
    "autovacuum_vacuum_cost_delay=100ms",
    "autovacuum_vacuum_cost_limit=1",
)


def archived_by(url: str, command: str) -> None:
    rows(url, f"ALTER SYSTEM SET archive_command = '{command}'")
    rows(url, "SELECT pg_reload_conf()")


@pytest.fixture(scope="module")
def other(server: dict[str, str]) -> Iterator[str]:
    """The URL of a server of its own."""
    with own_server(server, *OPTIONS) as (url, _):
        archived_by(url, "true")
        yield url


@contextmanager
def looking(url: str, limits: Limits, oids: tuple[int, ...] = ()) -> Iterator[Look]:
    """A look at that server."""
    with connected(url) as connection:
        yield Look(Session(connection), limits, oids, frozenset)


def seen(brake: Callable[[Look], str | None], look: Look) -> str:
    """Wait until a brake has a reason; return it."""
    until(lambda: brake(look) is not None)
    return brake(look) or ""


def test_on_a_quiet_server_nothing_stands_against_it(other: str) -> None:
    with looking(other, replace(Limits(), wal_bytes_per_s=1 << 40)) as look:
        assert [brakes.reason(look), brakes.reason(look)] == [None, None]
        assert len(look.wal) == 1


def test_a_standby_that_is_behind_is_named_until_it_is_ignored(other: str) -> None:
    with folder_of(other) as folder:
        as_owner(other, "pg_basebackup", "-d", other, "-D", folder / "data", "-R", "-c", "fast", "--no-sync")
        with started(other, folder, "fsync=off", "recovery_min_apply_delay=1h", "cluster_name=far"):
            rows(other, WRITTEN)
            with looking(other, Limits(lag_bytes=1 << 20, lag_s=None)) as look:
                assert re.match(r"far is [1-9] MiB and ", seen(brakes.lag, look))
            with looking(other, Limits(lag_bytes=1 << 20, ignored=frozenset({"far"}))) as look:
                assert brakes.lag(look) is None


def test_a_slot_that_keeps_wal_is_named(other: str) -> None:
    rows(other, "SELECT pg_create_physical_replication_slot('held', true)")
    rows(other, WRITTEN)
    with looking(other, Limits(slot_bytes=1 << 20)) as look:
        assert (brakes.slots(look) or "").startswith('the replication slot "held" keeps ')
        rows(other, "SELECT pg_drop_replication_slot('held')")
        assert brakes.slots(look) is None


def test_much_wal_in_a_second_is_a_reason_and_nothing_is_known_at_the_first_look(other: str) -> None:
    with looking(other, Limits(wal_bytes_per_s=1)) as look:
        assert brakes.wal_rate(look) is None
        rows(other, WRITTEN)
        assert (brakes.wal_rate(look) or "").endswith(" MiB of WAL a second")


def test_an_archive_that_fails_is_a_reason_until_it_works_again(other: str) -> None:
    def reason(look: Look) -> str:
        # The archiver reads its command when it pleases: until it has, there is another file for it.
        rows(other, "SELECT pg_logical_emit_message(true, 'x', 'x')")
        rows(other, "SELECT pg_switch_wal()")
        return brakes.archive(look) or ""

    with (
        looking(other, Limits(archive_files=1_000)) as look,
        looking(other, Limits(archive_files=0)) as strict,
    ):
        assert brakes.archive(look) is None
        archived_by(other, "false")
        until(lambda: reason(look).endswith(" cannot be archived"), pause_s=0.2)
        archived_by(other, "true")
        until(lambda: reason(look) == "", pause_s=0.2)
        archived_by(other, "sleep 600")
        until(lambda: reason(strict).endswith(" files of WAL wait to be archived"), pause_s=0.2)


def test_others_write_while_one_that_has_written_is_at_work(other: str) -> None:
    with (
        connected(other, autocommit=False) as first,
        connected(other, autocommit=False) as second,
        connected(other) as looking,
    ):
        first.cursor().execute("SELECT FROM pg_class")
        look = Look(Session(looking), Limits(), (), frozenset)
        ours = replace(look, pids=lambda: [second.info.backend_pid])

        def noticed(at_work: Connection, by: Look) -> bool:
            at_work.cursor().execute("SELECT 1")
            return brakes.others_write(by)

        # It only reads.
        until(lambda: not noticed(first, look))
        second.cursor().execute("CREATE TABLE u ()")
        until(lambda: noticed(second, look))
        # It is one of those that fill.
        until(lambda: not noticed(second, ours))
        # It stands still.
        until(lambda: not brakes.others_write(look))
        until(lambda: noticed(second, look))


def test_an_autovacuum_at_the_table_is_a_reason(other: str) -> None:
    rows(
        other,
        "CREATE TABLE t (id integer) WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)",
    )
    rows(other, "INSERT INTO t SELECT generate_series(1, 50000); DELETE FROM t WHERE id % 2 = 0")
    ((oid,),) = rows(other, "SELECT 't'::regclass::oid::int")
    with (
        looking(other, Limits(), (int(str(oid)),)) as look,
        looking(other, Limits(vacuum=False), (int(str(oid)),)) as blind,
    ):
        assert seen(brakes.vacuum, look) == "an autovacuum is at t"
        assert brakes.vacuum(blind) is None
