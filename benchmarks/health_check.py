"""Measure the health check beside the scripts that others run, interleaved in one run.

    python benchmarks/health_check.py [TABLES] [ROUNDS]

A database of 4,000 tables of twenty rows, each with a sequence, two more indexes and a foreign key to the one before.
Each round asks, in turn: the whole default run of this package; those of its checks that the scripts cover; the scripts
in one session, as tools of the class of pg_activity and the exporters do; and each script by a psql of its own, as
check_postgres and other plugins of Nagios do. The scripts were written here, after what the documentation of these tools
says that each of their checks reports (connections, backends, locks, transactions, wraparound, sizes, bloat,
vacuum and analyze, sequences, indexes, replication, WAL): those tools were not run, and their own statements may take
more or less. Where `pg_activity` is installed, it is run itself: what it collects for one screen, beside our checks of that.
Runs on DATABASE_URL, or on the local server; drops the database that it made.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.core.embedded import home, start
from versions.core.programs import program_for
from versions.core.url import parse_url, render_url
from versions.health_check import HealthReport, check_health

DATABASE = "health_benchmark"

MADE = """
DO $$
BEGIN
    FOR number IN {first}..{last} LOOP
        EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, other integer%s, said text, at timestamptz DEFAULT now())',
                       number, CASE WHEN number > 1 THEN format(' REFERENCES t%s', number - 1) ELSE '' END);
        EXECUTE format('CREATE INDEX ON t%s (other)', number);
        EXECUTE format('CREATE INDEX ON t%s (at)', number);
        EXECUTE format('INSERT INTO t%s (other, said) SELECT %s, md5(n::text) FROM generate_series(1, 20) AS n',
                       number, CASE WHEN number > 1 THEN 'n' ELSE 'NULL' END);
    END LOOP;
END
$$
"""

# Which of our checks each script covers, and the script.
SCRIPTS: dict[str, tuple[tuple[str, ...], str]] = {
    "backends": (("conn.usage",), """
        SELECT datname, count(*), (SELECT setting::int FROM pg_settings WHERE name = 'max_connections')
          FROM pg_stat_activity GROUP BY datname"""),
    "idle in transaction": (("conn.idle_in_tx", "conn.idle_in_tx_aborted"), """
        SELECT pid, usename, now() - state_change FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"""),
    "query time": (("conn.long_query",), """
        SELECT pid, usename, query, now() - query_start FROM pg_stat_activity WHERE state = 'active' ORDER BY 4 DESC"""),
    "transaction time": (("conn.long_xact", "xid.horizon_holder"), """
        SELECT pid, usename, now() - xact_start, age(backend_xmin) FROM pg_stat_activity WHERE xact_start IS NOT NULL"""),
    "waiting": (("lock.blocked", "conn.waiting_sessions", "lock.ddl_queue"), """
        SELECT waiting.pid, pg_blocking_pids(waiting.pid), waiting.query FROM pg_stat_activity AS waiting
         WHERE cardinality(pg_blocking_pids(waiting.pid)) > 0"""),
    "locks": (("lock.table_fill",), "SELECT datname, mode, granted, count(*) FROM pg_locks LEFT JOIN pg_database ON pg_database.oid = database GROUP BY 1, 2, 3"),
    "prepared transactions": (("lock.prepared_xacts",), "SELECT gid, database, now() - prepared FROM pg_prepared_xacts"),
    "deadlocks and commits": (("lock.deadlocks", "rollback.ratio", "temp.bytes", "cache.hit"), """
        SELECT datname, deadlocks, xact_commit, xact_rollback, temp_bytes, blks_hit, blks_read FROM pg_stat_database"""),
    "wraparound": (("xid.database", "mxid.database", "xid.autovacuum_emergency"), "SELECT datname, age(datfrozenxid), mxid_age(datminmxid) FROM pg_database"),
    "oldest tables": (("xid.table",), """
        SELECT oid::regclass, greatest(age(relfrozenxid), coalesce((SELECT age(toast.relfrozenxid) FROM pg_class AS toast WHERE toast.oid = class.reltoastrelid), 0))
          FROM pg_class AS class WHERE relkind IN ('r', 'm') ORDER BY 2 DESC LIMIT 20"""),
    "dead rows": (("vac.dead_tuples", "vac.not_running"), """
        SELECT schemaname, relname, n_live_tup, n_dead_tup, last_vacuum, last_autovacuum FROM pg_stat_user_tables ORDER BY n_dead_tup DESC"""),
    "analyze": (("stats.never_analyzed", "stats.stale"), """
        SELECT schemaname, relname, n_live_tup, n_mod_since_analyze, greatest(last_analyze, last_autoanalyze) FROM pg_stat_user_tables"""),
    "table bloat": (("vac.table_bloat",), """
        SELECT class.oid::regclass, class.relpages, ceil(class.reltuples * (24 + coalesce(width.bytes, 0)) / 8168) AS needed
          FROM pg_class AS class JOIN pg_namespace AS home ON home.oid = class.relnamespace
          LEFT JOIN (SELECT schemaname, tablename, sum((1 - null_frac) * avg_width) AS bytes FROM pg_stats GROUP BY 1, 2) AS width
            ON width.schemaname = home.nspname AND width.tablename = class.relname
         WHERE class.relkind = 'r'"""),
    "index bloat": (("vac.index_bloat",), """
        SELECT class.oid::regclass, class.relpages, ceil(class.reltuples * (16 + coalesce(sum(stats.avg_width), 0)) / (8152 * 0.9)) AS needed
          FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid JOIN pg_class AS own ON own.oid = index.indrelid
          JOIN pg_namespace AS home ON home.oid = own.relnamespace JOIN pg_attribute AS attribute ON attribute.attrelid = own.oid AND attribute.attnum = ANY (index.indkey)
          LEFT JOIN pg_stats AS stats ON stats.schemaname = home.nspname AND stats.tablename = own.relname AND stats.attname = attribute.attname
         GROUP BY class.oid, class.relpages, class.reltuples"""),
    "sequences": (("seq.exhaustion",), """
        SELECT schemaname, sequencename, last_value, max_value, 100.0 * last_value / max_value FROM pg_sequences ORDER BY 5 DESC NULLS LAST"""),
    "invalid indexes": (("idx.invalid",), "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid"),
    "unused indexes": (("idx.unused",), """
        SELECT usage.indexrelid::regclass, pg_relation_size(usage.indexrelid) FROM pg_stat_user_indexes AS usage
          JOIN pg_index AS index ON index.indexrelid = usage.indexrelid WHERE usage.idx_scan = 0 AND NOT index.indisunique ORDER BY 2 DESC"""),
    "duplicate indexes": (("idx.duplicate", "idx.redundant_prefix"), """
        SELECT one.indrelid::regclass, one.indexrelid::regclass, other.indexrelid::regclass
          FROM pg_index AS one JOIN pg_index AS other ON other.indrelid = one.indrelid AND other.indexrelid <> one.indexrelid
         WHERE other.indkey::text || ' ' LIKE one.indkey::text || ' %' AND one.indpred IS NOT DISTINCT FROM other.indpred"""),
    "foreign keys without an index": (("idx.fk_missing",), """
        SELECT conrelid::regclass, conname FROM pg_constraint AS own WHERE contype = 'f'
           AND NOT EXISTS (SELECT FROM pg_index AS index WHERE index.indrelid = own.conrelid
                              AND (index.indkey::int2[])[0:cardinality(own.conkey) - 1] @> own.conkey)"""),
    "not validated": (("con.not_valid",), "SELECT conrelid::regclass, conname FROM pg_constraint WHERE NOT convalidated"),
    "disabled triggers": (("trg.disabled",), "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgenabled = 'D'"),
    "replication": (("repl.lag_bytes",), "SELECT application_name, state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) FROM pg_stat_replication"),
    "slots": (("slot.inactive", "slot.retained", "slot.lost"), "SELECT slot_name, active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM pg_replication_slots"),
    "archive": (("wal.archive_failing", "wal.archive_stalled"), "SELECT * FROM pg_stat_archiver, (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS ready"),
    "WAL files": (("wal.dir_size",), "SELECT count(*), sum(size) FROM pg_ls_waldir()"),
    "settings": (("set.pending_restart", "set.durability"), "SELECT name, setting, pending_restart FROM pg_settings"),
    "extensions": (("ext.outdated",), "SELECT name, installed_version, default_version FROM pg_available_extensions WHERE installed_version IS NOT NULL"),
}  # fmt: skip
# What one screen of pg_activity shows.
SCREEN = (
    "conn.usage", "conn.long_query", "conn.long_xact", "conn.idle_in_tx", "conn.idle_in_tx_aborted", "conn.waiting_sessions",
    "lock.blocked", "cache.hit", "temp.bytes", "rollback.ratio", "repl.lag_bytes", "slot.inactive",
)  # fmt: skip
COVERED = tuple(check for checks, _ in SCRIPTS.values() for check in checks)


def main() -> None:
    tables, rounds = (int(one) for one in (*sys.argv[1:], *("4000", "7")[len(sys.argv) - 1 :]))
    base = parse_url(os.environ.get("DATABASE_URL") or start(home()).url)
    with closing(psycopg2.connect(make_dsn(**base))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
        try:
            measure({**base, "dbname": DATABASE}, tables, rounds)
        finally:
            cursor.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def measure(conninfo: dict[str, str], tables: int, rounds: int) -> None:
    made(conninfo, tables)
    url = render_url(conninfo)
    # Neither a URL that is shown nor an argument holds it.
    os.environ.update({"PGPASSWORD": conninfo["password"]} if "password" in conninfo else {})
    runs: dict[str, Callable[[], object]] = {
        "whole default run": lambda: unhurt(check_health(url=url, deadline_s=60)),
        "checks that the scripts cover": lambda: unhurt(check_health(url=url, only=COVERED, deadline_s=60)),
        "scripts, one session": lambda: in_one_session(conninfo),
        "scripts, a psql each": lambda: in_a_psql_each(conninfo),
        "agentdb health-check, a process": lambda: in_a_process(conninfo),
    }
    if importlib.util.find_spec("pgactivity"):
        runs["checks of one screen"] = lambda: unhurt(check_health(url=url, only=SCREEN, deadline_s=60))
        runs["pg_activity, one screen"] = lambda: one_screen(conninfo)
    took: dict[str, list[float]] = {name: [] for name in runs}
    for place in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if place:  # the first round is for the caches
                took[name].append(time.perf_counter() - began)
    said(took)


def made(conninfo: dict[str, str], tables: int) -> None:
    with closing(psycopg2.connect(make_dsn(**conninfo))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for first in range(1, tables + 1, 100):
            cursor.execute(MADE.format(first=first, last=min(first + 99, tables)))
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(
            "SELECT count(*) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace"
        )
        print(
            f"{tables} tables, {(cursor.fetchone() or (0,))[0]} indexes, PostgreSQL {connection.server_version // 10_000}"
        )


def unhurt(report: HealthReport) -> None:
    """A check that could not be made costs nothing, and would be praised for that."""
    unknown = {ran.check: ran.reason for ran in report.checks if ran.state.value == "unknown"}
    assert not unknown, unknown


def in_one_session(conninfo: dict[str, str]) -> None:
    with closing(psycopg2.connect(make_dsn(**conninfo))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _, script in SCRIPTS.values():
            cursor.execute(script)
            cursor.fetchall()


def in_a_psql_each(conninfo: dict[str, str]) -> None:
    psql = program_for("psql", 15)
    for _, script in SCRIPTS.values():
        subprocess.run(
            [psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", script, render_url(conninfo)],
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip


def one_screen(conninfo: dict[str, str]) -> None:
    from pgactivity.data import Data

    data = Data.pg_connect(dsn=make_dsn(**conninfo), host=conninfo.get("host"), port=int(conninfo.get("port", 5432)),
                           user=conninfo.get("user", ""), database=DATABASE)  # fmt: skip
    data.pg_get_server_information()
    data.pg_get_activities()
    data.pg_get_waiting()
    data.pg_get_blocking()
    data.pg_conn.close()


def in_a_process(conninfo: dict[str, str]) -> None:
    command = [sys.executable, "-m", "spotify_ai_agent_migrations", "health-check", "--deadline", "60"]
    done = subprocess.run(
        command,
        env={**os.environ, "DATABASE_URL": render_url(conninfo)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode in {0, 1, 2, 3}


def said(took: dict[str, list[float]]) -> None:
    middle = {name: statistics.median(times) for name, times in took.items()}
    for name, times in took.items():
        print(f"{name:34} {middle[name]:7.3f} s   ({min(times):.3f} to {max(times):.3f}, of {len(times)})")
    ours, whole = middle["checks that the scripts cover"], middle["whole default run"]
    if (screen := "pg_activity, one screen") in middle:
        print(f"one screen: {middle['checks of one screen'] / middle[screen]:.2f} of pg_activity")
    for rival in ("scripts, one session", "scripts, a psql each"):
        print(
            f"the same checks: {ours / middle[rival]:.2f} of {rival}; the whole run: {whole / middle[rival]:.2f}"
        )


if __name__ == "__main__":
    main()
