"""Measure the audit triggers beside the generic row triggers that others use, interleaved in one run.

    python benchmarks/audit_trail.py [CHANGES] [ROUNDS]

Four copies of `users`, each with 20,000 people and the triggers it has when nothing audits it: unaudited; ours;
a row trigger that keeps the old and the new row as jsonb (the design of supa_audit); a row trigger that keeps the
old row and the differences as hstore (the design of the audit-trigger of the PostgreSQL wiki). Each round changes
one column of random people, one transaction a change, by pgbench with a prepared statement as a signed-in user, and
prints the CPU time of the server and the bytes that the trail grew by, indexes included. The statement that changes
20,000 people at once shows what a bulk change costs.
Runs on DATABASE_URL, whose server must run on this machine, or on the local server; drops what it made.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
from psycopg2.extensions import connection as Connection

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.core.embedded import home, program, start

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "audit_benchmark"
PEOPLE = 20_000

# Written here after the designs, not copied from them: what they store and how they are indexed is theirs.
OTHERS = """
CREATE EXTENSION hstore;
CREATE SCHEMA other;
CREATE TABLE other.jsonb_log (
    id bigserial PRIMARY KEY, record_id uuid, old_record_id uuid, op text NOT NULL, ts timestamptz NOT NULL DEFAULT now(),
    table_oid oid NOT NULL, table_schema name NOT NULL, table_name name NOT NULL, record jsonb, old_record jsonb
);
CREATE INDEX ON other.jsonb_log (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX ON other.jsonb_log (old_record_id) WHERE old_record_id IS NOT NULL;
CREATE INDEX ON other.jsonb_log USING brin (ts);
CREATE INDEX ON other.jsonb_log (table_oid);

CREATE FUNCTION other.record_id(entity oid, record jsonb) RETURNS uuid LANGUAGE plpgsql STABLE AS $$
DECLARE
    keys text[] := (SELECT array_agg(attribute.attname ORDER BY attribute.attnum) FROM pg_index AS index
                      JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = ANY (index.indkey)
                     WHERE index.indrelid = entity AND index.indisprimary);
BEGIN
    RETURN md5(entity::text || (SELECT string_agg(record ->> key, ',') FROM unnest(keys) AS key))::uuid;
END $$;
CREATE FUNCTION other.keep_jsonb() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    record jsonb := to_jsonb(NEW);
    old_record jsonb := to_jsonb(OLD);
BEGIN
    INSERT INTO other.jsonb_log (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
    SELECT other.record_id(TG_RELID, record), other.record_id(TG_RELID, old_record), TG_OP, TG_RELID,
           TG_TABLE_SCHEMA, TG_TABLE_NAME, record, old_record;
    RETURN NEW;
END $$;

CREATE TABLE other.hstore_log (
    event_id bigserial PRIMARY KEY, schema_name text NOT NULL, table_name text NOT NULL, relid oid NOT NULL,
    session_user_name text, action_tstamp_tx timestamptz NOT NULL, action_tstamp_stm timestamptz NOT NULL,
    action_tstamp_clk timestamptz NOT NULL, transaction_id bigint, application_name text, client_addr inet,
    client_port integer, client_query text, action text NOT NULL, row_data hstore, changed_fields hstore,
    statement_only boolean NOT NULL
);
CREATE INDEX ON other.hstore_log (relid);
CREATE INDEX ON other.hstore_log (action_tstamp_stm);
CREATE INDEX ON other.hstore_log (action);
CREATE FUNCTION other.keep_hstore() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    entry other.hstore_log;
    left_out text[] := ARRAY[]::text[];
BEGIN
    entry := ROW(nextval('other.hstore_log_event_id_seq'), TG_TABLE_SCHEMA::text, TG_TABLE_NAME::text, TG_RELID, session_user::text,
                 current_timestamp, statement_timestamp(), clock_timestamp(), txid_current(),
                 current_setting('application_name'), inet_client_addr(), inet_client_port(), current_query(),
                 substring(TG_OP, 1, 1), NULL, NULL, false);
    IF TG_ARGV[0] IS NOT NULL THEN
        left_out := TG_ARGV[0]::text[];
    END IF;
    entry.row_data := hstore(OLD.*) - left_out;
    entry.changed_fields := (hstore(NEW.*) - entry.row_data) - left_out;
    IF entry.changed_fields = hstore('') THEN
        RETURN NULL;
    END IF;
    INSERT INTO other.hstore_log VALUES (entry.*);
    RETURN NULL;
END $$;

DO $$
DECLARE
    variant text;
BEGIN
    FOREACH variant IN ARRAY ARRAY['unaudited', 'ours', 'jsonb_rows', 'hstore_rows'] LOOP
        EXECUTE format('CREATE TABLE public.%I (LIKE public.users INCLUDING ALL)', variant);
        EXECUTE format('INSERT INTO public.%I (id, email, display_name, birth_year)
                        SELECT id, format(''person%%s@example.org'', id), format(''Person %%s'', id), 1990
                          FROM generate_series(1, 20000) AS id', variant);
        EXECUTE format('ALTER TABLE public.%I OWNER TO agent_owner', variant);
    END LOOP;
END $$;
INSERT INTO ops.pseudonyms (user_id) SELECT id FROM generate_series(1, 20000) AS id;
SELECT ops.audit_table_v1('public.ours', 'user', entity_id => 'id', subject => 'id');
CREATE TRIGGER keep AFTER INSERT OR UPDATE OR DELETE ON public.jsonb_rows FOR EACH ROW EXECUTE FUNCTION other.keep_jsonb();
CREATE TRIGGER keep AFTER INSERT OR UPDATE OR DELETE ON public.hstore_rows FOR EACH ROW EXECUTE FUNCTION other.keep_hstore();
"""

TRAILS = {"ours": "public.audit_log", "jsonb_rows": "other.jsonb_log", "hstore_rows": "other.hstore_log"}
CHANGED = ("unaudited", *TRAILS)
PGBENCH = str(program("pgbench") or "pgbench")
SCRIPT = """
\\set id random(1, 20000)
\\set name random(1, 1000000)
UPDATE public.{table} SET display_name = 'Name ' || :name WHERE id = :id;
"""
SIGNED_IN = (
    "-c synchronous_commit=off -c app.user_id=7 -c app.request_id=6f9619ff-8b86-4d01-b42d-00c04fc964ff"
)


def prepare(url: str, target: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {DATABASE}")
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        check=True, capture_output=True, env={**os.environ, "DATABASE_URL": target}, cwd=ROOT,
    )  # fmt: skip
    with closing(psycopg2.connect(target)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(OTHERS)


def trail_bytes(connection: Connection, table: str) -> int:
    if table not in TRAILS:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s)", (TRAILS[table],))
        (size,) = cursor.fetchone() or (0,)
    return int(size)


def change_one_by_one(connection: Connection, target: str, table: str, changes: int) -> float:
    """Return the CPU seconds that the server took for all *changes*, by a client that keeps it busy."""
    # What a server process used is its parent's once it has ended.
    postmaster = psutil.Process(psutil.Process(connection.info.backend_pid).ppid())
    before = postmaster.cpu_times()
    subprocess.run(
        [PGBENCH, "-n", "-M", "prepared", "-t", str(changes), "-f", "-", target],
        input=SCRIPT.format(table=table), text=True, check=True, capture_output=True,
        env={**os.environ, "PGOPTIONS": SIGNED_IN},
    )  # fmt: skip
    time.sleep(0.2)
    after = postmaster.cpu_times()
    return float(after.children_user - before.children_user + after.children_system - before.children_system)


def change_all(connection: Connection, table: str) -> float:
    with connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute(f"UPDATE public.{table} SET display_name = display_name || '.'")
        assert cursor.rowcount == PEOPLE
        return time.perf_counter() - started


def main(changes: int, rounds: int) -> None:
    url = os.environ.get("DATABASE_URL") or start(home()).url
    address, mark, query = url.partition("?")
    target = f"{address.rpartition('/')[0]}/{DATABASE}{mark}{query}"
    prepare(url, target)
    cpu_us: dict[str, list[float]] = {table: [] for table in CHANGED}
    grown: dict[str, int] = dict.fromkeys(CHANGED, 0)
    all_s: dict[str, list[float]] = {table: [] for table in CHANGED}
    with closing(psycopg2.connect(target)) as connection:
        connection.autocommit = True
        for number in range(rounds):
            for table in sorted(CHANGED, reverse=bool(number % 2)):
                before = trail_bytes(connection, table)
                used_s = change_one_by_one(connection, target, table, changes)
                cpu_us[table].append(used_s / changes * 1e6)
                grown[table] += trail_bytes(connection, table) - before
        for number in range(3):
            for table in sorted(CHANGED, reverse=bool(number % 2)):
                all_s[table].append(change_all(connection, table))
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    base = min(cpu_us["unaudited"])
    ours = min(cpu_us["ours"]) - base
    print(f"{changes} changes a round, {rounds} rounds; best CPU time of the server process")
    for table in CHANGED:
        added = min(cpu_us[table]) - base
        print(
            f"  {table:12} {min(cpu_us[table]):6.0f} µs a change, {added:5.0f} µs added"
            f" ({added / ours:4.1f}x ours), {grown[table] / changes / rounds:6.0f} bytes;"
            f" {PEOPLE} rows in one statement {min(all_s[table]):5.2f} s"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or (20_000, 5)))
