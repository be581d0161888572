"""Measure what sealing costs sixteen writers, beside a hash chain kept by a lock, and how fast it seals and verifies.

    python benchmarks/audit_seals.py [SECONDS] [ROUNDS] [ENTRIES]

Six ways, interleaved in one run, each on its own copy of `users` with 20,000 people: nothing audits it; our triggers
into a log without commitments; with commitments and no sealer; with commitments while `seal --every 1` runs; the same
triggers into a log that is one hash chain, whose last link each insert locks until its transaction ends; and a row
trigger that keeps the old and the new row as jsonb (the design of supa_audit). Each round 16 clients of pgbench change
one column of random people, one transaction a change, with synchronous_commit on. Then: how old an entry was when it
was sealed, how long a block of 65,536 entries takes to seal, and how many entries a second are verified, in the
database and from an export. Runs on DATABASE_URL or on the local server; drops what it made.

A chain waits for the flush of each commit, and so do sixteen writers together: how far they are apart is how long a
flush takes. `commit_delay = 1000` with `commit_siblings = 0` makes any disk one that takes a millisecond.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spotify_ai_agent_migrations.versions.audit_trail.exporting import export, verify_export
from spotify_ai_agent_migrations.versions.audit_trail.keys import signing_key
from spotify_ai_agent_migrations.versions.audit_trail.run import seal
from spotify_ai_agent_migrations.versions.audit_trail.verification import verify
from spotify_ai_agent_migrations.versions.core.signing import make_keys
from versions.core.embedded import home, program, start

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "audit_seals_benchmark"
CLIENTS = 16
BLOCK = 65_536
PGBENCH = str(program("pgbench") or "pgbench")
# The way, and the table that it changes.
WAYS = {
    "unaudited": "unaudited", "no commitment": "bare", "not sealed": "ours", "sealed": "ours", "hash chain": "chained", "jsonb rows": "jsonb_rows",
}  # fmt: skip
SETUP = """
CREATE SCHEMA other;
CREATE TABLE other.bare_log (LIKE public.audit_log INCLUDING ALL);
CREATE TABLE other.chained_log (LIKE public.audit_log INCLUDING ALL);
CREATE TABLE other.last_link (hash bytea NOT NULL);
INSERT INTO other.last_link VALUES ('\\x00');
CREATE FUNCTION other.chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    SELECT link.hash INTO NEW.salt FROM other.last_link AS link FOR UPDATE;
    NEW.commitment := sha256(NEW.salt || ops.audit_commitment_v1(NEW.id, NEW.xid, NEW.created_at, NEW.entity_type, NEW.action,
        NEW.actor_type, NEW.actor_ref, NEW.subject_ref, NEW.changed_columns,
        ops.audit_private_v1(NEW.salt, NEW.entity_id, NEW.entity_key, NEW.request_id, NEW.payload)));
    UPDATE other.last_link SET hash = NEW.commitment;
    RETURN NEW;
END $$;
CREATE TRIGGER chain BEFORE INSERT ON other.chained_log FOR EACH ROW EXECUTE FUNCTION other.chain();
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
CREATE FUNCTION other.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    record jsonb := to_jsonb(NEW);
    old_record jsonb := to_jsonb(OLD);
BEGIN
    INSERT INTO other.jsonb_log (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
    SELECT other.record_id(TG_RELID, record), other.record_id(TG_RELID, old_record), TG_OP, TG_RELID,
           TG_TABLE_SCHEMA, TG_TABLE_NAME, record, old_record;
    RETURN NEW;
END $$;
DO $$
DECLARE
    variant text;
    made record;
BEGIN
    FOREACH variant IN ARRAY ARRAY['unaudited', 'bare', 'ours', 'chained', 'jsonb_rows'] LOOP
        EXECUTE format('CREATE TABLE public.%I (LIKE public.users INCLUDING ALL)', variant);
        EXECUTE format('INSERT INTO public.%I (id, email, display_name, birth_year)
                        SELECT id, format(''person%%s@example.org'', id), format(''Person %%s'', id), 1990 FROM generate_series(1, 20000) AS id', variant);
        EXECUTE format('ALTER TABLE public.%I OWNER TO agent_owner', variant);
        IF variant IN ('bare', 'ours', 'chained') THEN
            PERFORM ops.audit_table_v1(format('public.%I', variant)::regclass, 'user', entity_id => 'id', subject => 'id');
        END IF;
        IF variant IN ('bare', 'chained') THEN
            EXECUTE format('ALTER TABLE other.%I OWNER TO agent_owner', variant || '_log');
            FOR made IN SELECT pg_get_functiondef(trigger.tgfoid) AS text FROM pg_trigger AS trigger
                         WHERE trigger.tgrelid = format('public.%I', variant)::regclass AND trigger.tgname LIKE '%_audit_%' LOOP
                EXECUTE replace(made.text, 'INSERT INTO public.audit_log', format('INSERT INTO other.%I', variant || '_log'));
            END LOOP;
        END IF;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA other TO agent_owner;
INSERT INTO ops.pseudonyms (user_id) SELECT id FROM generate_series(1, 20000) AS id;
CREATE TRIGGER keep AFTER INSERT OR UPDATE OR DELETE ON public.jsonb_rows FOR EACH ROW EXECUTE FUNCTION other.keep();
"""
SCRIPT = """
\\set id random(1, 20000)
\\set name random(1, 1000000)
UPDATE public.{table} SET display_name = 'Name ' || :name WHERE id = :id;
"""
SIGNED_IN = "-c app.user_id=7 -c app.request_id=6f9619ff-8b86-4d01-b42d-00c04fc964ff -c synchronous_commit=on"
FILL = """
INSERT INTO public.audit_log (entity_type, entity_id, action, actor_type, actor_ref, subject_ref, request_id, changed_columns)
SELECT 'user', n, 'update', 'user', n * 7919, n * 104729, gen_random_uuid(), '{{display_name}}' FROM generate_series(1::bigint, {count}) AS n
"""
LAGS = """
SELECT EXTRACT(epoch FROM seal.sealed_at - entry.created_at)::float8
  FROM public.audit_log AS entry JOIN ops.audit_seal AS seal ON seal.entry_ids @> entry.id WHERE entry.id > %s AND entry.id <= %s
"""


def prepare(url: str, target: str) -> None:
    execute(url, f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE}")
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        check=True, capture_output=True, env={**os.environ, "DATABASE_URL": target}, cwd=ROOT,
    )  # fmt: skip
    execute(target, SETUP, "VACUUM ANALYZE")


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def last_entry(target: str) -> int:
    ((number,),) = execute(target, "SELECT max(id) FROM public.audit_log")
    return int(str(number))


def transactions_a_second(target: str, table: str, seconds: int) -> float:
    done = subprocess.run(
        [PGBENCH, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", "-", target],
        input=SCRIPT.format(table=table), text=True, check=True, capture_output=True, env={**os.environ, "PGOPTIONS": SIGNED_IN},
    )  # fmt: skip
    return float(done.stdout.partition("tps = ")[2].split()[0])


@contextmanager
def sealing(target: str, key: Path) -> Iterator[None]:
    """Let the sealer run beside, as it would in production."""
    command = [sys.executable, "-m", "spotify_ai_agent_migrations", "audit-trail", "seal", "--every", "1"]
    process = subprocess.Popen(
        [*command, "--key", str(key), "--append-to", str(key.with_name("digests"))],
        env={**os.environ, "DATABASE_URL": target}, cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(2)
        yield
        time.sleep(2)
    finally:
        process.terminate()
        process.wait(60)


def measure_writers(target: str, key: Path, seconds: int, rounds: int) -> None:
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    lags: list[float] = []
    for number in range(rounds):
        for way in list(WAYS)[:: -1 if number % 2 else 1]:
            if way != "sealed":
                speeds[way].append(transactions_a_second(target, WAYS[way], seconds))
                continue
            seal(target, key=signing_key(key))
            before = last_entry(target)
            with sealing(target, key):
                speeds[way].append(transactions_a_second(target, WAYS[way], seconds))
            with closing(psycopg2.connect(target)) as connection, connection.cursor() as cursor:
                cursor.execute(LAGS, (before, last_entry(target)))
                lags += [lag for (lag,) in cursor.fetchall()]
    report(speeds, lags)


def report(speeds: dict[str, list[float]], lags: list[float]) -> None:
    medians = {way: statistics.median(found) for way, found in speeds.items()}
    print(f"{CLIENTS} writers, median of {len(speeds['sealed'])} rounds, transactions a second")
    for way, found in speeds.items():
        ratios = [one / other for one, other in zip(found, speeds["not sealed"], strict=True)]
        print(f"  {way:14} {medians[way]:7.0f} ({min(found):.0f} to {max(found):.0f}), "
              f"{medians[way] / medians['not sealed']:6.1%} of what is not sealed (round by round {statistics.median(ratios):.1%})")  # fmt: skip
    print(f"  sealed is {medians['sealed'] / medians['hash chain']:.1f} times the hash chain")
    print(f"age of an entry when it was sealed, of {len(lags)}: median {statistics.median(lags):.2f} s, "
          f"p99 {np.percentile(lags, 99):.2f} s, most {max(lags):.2f} s")  # fmt: skip


def measure_sealer(target: str, key: Path, entries: int) -> None:
    seal(target, key=signing_key(key))
    took = []
    for _ in range(3):
        execute(target, FILL.format(count=BLOCK))
        began = time.perf_counter()
        (made,) = seal(target, key=signing_key(key)).seals
        took.append(time.perf_counter() - began)
        assert made.entry_count == BLOCK
    print(
        f"a block of {BLOCK} entries is sealed in {statistics.median(took):.2f} s ({min(took):.2f} to {max(took):.2f})"
    )
    execute(target, FILL.format(count=entries), "VACUUM ANALYZE public.audit_log")
    seal(target, key=signing_key(key))


def measure_verification(target: str, key: Path) -> None:
    public = key.with_name("key.pub")
    took = []
    for _ in range(5):
        began = time.perf_counter()
        done = verify(url=target, full=True, public_key=public)
        took.append(time.perf_counter() - began)
        assert done.whole, done.faults
    print(
        f"{done.entries} entries of {done.seals} seals are verified in {statistics.median(took):.2f} s "
        f"({min(took):.2f} to {max(took):.2f}): {done.entries / statistics.median(took):,.0f} a second"
    )
    files = key.with_name("entries.csv"), key.with_name("seals.jsonl")
    began = time.perf_counter()
    export(entries=files[0], seals=files[1], url=target)
    exported = time.perf_counter()
    done = verify_export(*files, public_key=public)
    print(
        f"exported in {exported - began:.1f} s; verified from there: {done.entries / (time.perf_counter() - exported):,.0f} a second"
    )


def main(seconds: int, rounds: int, entries: int) -> None:
    url = os.environ.get("DATABASE_URL") or start(home()).url
    address, mark, query = url.partition("?")
    spoken = f"{address.rpartition('/')[0]}/{DATABASE}{mark}{query}"
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        make_keys(key, key.with_name("key.pub"))
        prepare(url, spoken)
        measure_writers(spoken, key, seconds, rounds)
        measure_sealer(spoken, key, entries)
        measure_verification(spoken, key)
    execute(url, f"DROP DATABASE {DATABASE} WITH (FORCE)")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:4]]
    main(*(given + [4, 6, 1_000_000][len(given) :]))
