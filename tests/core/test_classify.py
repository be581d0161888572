"""A verdict says what a second session really meets, whether there are rows or not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from core.listing import Entry, entries, prepare
from psycopg2.extensions import TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations import DatabaseError, RevisionError, SettingsError
from spotify_ai_agent_migrations.versions.core.classify import classify, measured
from spotify_ai_agent_migrations.versions.core.fingerprint import fingerprint
from spotify_ai_agent_migrations.versions.core.measurement import Lock, Measurement, Verdict, Work
from spotify_ai_agent_migrations.versions.core.meter import Meter
from spotify_ai_agent_migrations.versions.core.sampler import measure_alone
from support import Databases, connected, rows

ROWS = 500


@pytest.fixture(scope="module")
def empty_tables(databases: Databases) -> Iterator[str]:
    """A database with the tables that the list is about, without a row; not to be changed."""
    yield from _prepared(databases, 0)


@pytest.fixture(scope="module")
def filled_tables(databases: Databases) -> Iterator[str]:
    """The same with rows."""
    yield from _prepared(databases, ROWS)


def _prepared(databases: Databases, count: int) -> Iterator[str]:
    name = databases.create()
    with connected(databases.url(name)) as connection:
        prepare(connection, rows=count)
    yield name
    databases.drop(name)


@pytest.fixture
def tables(databases: Databases, filled_tables: str) -> Iterator[str]:
    """The URL of a clone of the tables with rows, to be changed."""
    name = databases.create(filled_tables)
    yield databases.url(name)
    databases.drop(name)


def version(connection: Connection) -> int:
    return connection.server_version // 10_000


def measure(connection: Connection, entry: Entry) -> Measurement:
    """Measure the statement of *entry* after what comes before it in its revision; the transaction stays open."""
    meter = Meter(connection)
    meter.begin()
    with connection.cursor() as cursor:
        for statement in entry.given:
            cursor.execute(statement)
        meter.look()
        return meter.measure(cursor, lambda: cursor.execute(entry.statement), entry.statement)


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_every_statement_is_classified_as_the_documentation_says(
    filled: bool, databases: Databases, empty_tables: str, filled_tables: str
) -> None:
    wrong, seen = {}, 0
    with connected(databases.url(filled_tables if filled else empty_tables), autocommit=False) as connection:
        for entry in entries(version(connection)):
            if entry.alone:
                continue
            found = measure(connection, entry)
            connection.rollback()
            seen += 1
            if found.verdict.value != entry.expected:
                wrong[entry.title] = found
    assert seen > 260
    assert wrong == {}


def test_what_runs_alone_is_classified_as_the_documentation_says(
    databases: Databases, filled_tables: str
) -> None:
    with connected(databases.url("postgres")) as connection:
        alone = [entry for entry in entries(version(connection)) if entry.alone]
    found = {}
    for entry in alone:
        name = databases.create(filled_tables)
        found[entry.title] = measured_alone(databases.url(name), entry.statement).verdict.value
        databases.drop(name)
    assert len(found) > 7
    assert found == {entry.title: entry.expected for entry in alone}


def measured_alone(url: str, statement: str) -> Measurement:
    with connected(url) as connection, connection.cursor() as cursor:
        return measure_alone(cursor, lambda: cursor.execute(statement), lambda: psycopg2.connect(url))


def test_a_second_session_is_kept_away_exactly_where_the_verdict_says_so(
    databases: Databases, empty_tables: str
) -> None:
    url = databases.url(empty_tables)
    kept, wrong = 0, {}
    with connected(url, autocommit=False) as connection, connected(url) as beside:
        beside.cursor().execute("SET lock_timeout = '2ms'")
        tries = list(attempts(beside))
        assert len(tries) > 40
        for entry in entries(version(connection)):
            # What a revision has locked before keeps others away as well: here it is about the statement.
            if entry.alone or entry.given:
                continue
            found = measure(connection, entry)
            refused = {attempt for attempt in tries if not gets_through(beside, attempt)}
            connection.rollback()
            kept += bool(refused)
            if bool(refused) != (found.verdict is not Verdict.NONE):
                wrong[entry.title] = (refused, found)
            reads = any(attempt.startswith("SELECT FROM") for attempt in refused)
            assert ("reads" in found.blocks) == reads, (entry.title, refused, found)
    assert kept > 180
    assert wrong == {}


def attempts(connection: Connection) -> Iterator[str]:
    """Yield a statement that reads and one that writes for everything that can be read or written."""
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT class.oid::regclass::text, class.relkind, attribute.attname
              FROM pg_class AS class
              LEFT JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum = 1
             WHERE class.relnamespace IN ('public'::regnamespace, 'archive'::regnamespace)
               AND class.relkind IN ('r', 'p', 'v', 'm', 'S')""")
        for name, kind, column in cursor.fetchall():
            yield f"SELECT FROM {name} LIMIT 0"
            if kind == "S":
                yield f"SELECT nextval('{name}')"
            elif kind in {"r", "p"}:
                yield f"UPDATE ONLY {name} SET {column} = {column} WHERE false"


def gets_through(connection: Connection, attempt: str) -> bool:
    try:
        connection.cursor().execute(attempt)
    except psycopg2.errors.LockNotAvailable:
        return False
    return True


def test_nothing_of_a_classified_statement_stays(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        before = fingerprint(connection)
        connection.rollback()
        assert classify("ALTER TABLE track ADD COLUMN stars integer DEFAULT 1", connection) is Verdict.BRIEF
        assert connection.info.transaction_status != TRANSACTION_STATUS_INTRANS
        assert fingerprint(connection) == before
        connection.rollback()
        connection.autocommit = True
        assert classify("DELETE FROM play", connection) is Verdict.NONE
        assert connection.autocommit
    assert rows(tables, "SELECT count(*) FROM play") == [(ROWS,)]


def test_a_failed_statement_leaves_nothing_either_and_no_value_of_a_row(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        with pytest.raises(DatabaseError) as caught:
            classify("SELECT 'luisg@example.org'::integer FROM track", connection)
        assert caught.value.problem == 'invalid input syntax for type integer: "…"'
        assert classify("LOCK TABLE track", connection) is Verdict.BRIEF


def test_in_an_open_transaction_the_locks_it_holds_count_and_it_stays_as_it_was(tables: str) -> None:
    scan = "ALTER TABLE track VALIDATE CONSTRAINT track_price_check"
    with connected(tables, autocommit=False) as connection:
        assert classify(scan, connection) is Verdict.NONE
        connection.cursor().execute("CREATE TABLE mine (); LOCK TABLE artist")
        found = measured(scan, connection)
        assert found.verdict is Verdict.LONG
        assert Lock("artist", "ACCESS EXCLUSIVE") in found.held
        assert found.locks == (Lock("track", "SHARE UPDATE EXCLUSIVE"),)
        assert found.work == (Work("scan", "track", ROWS),)
        connection.commit()
    assert rows(tables, "SELECT to_regclass('mine')::text") == [("mine",)]


def test_what_an_earlier_revision_holds_is_said_to_be_unclear_and_counts_as_the_worst(tables: str) -> None:
    with connected(tables, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE track ADD COLUMN stars integer")
        meter = Meter(connection)
        meter.begin(inherit=True)

        def run(statement: str) -> Measurement:
            return meter.measure(cursor, lambda: cursor.execute(statement), statement)

        found = run("ALTER TABLE track VALIDATE CONSTRAINT track_price_check")
        assert found.unclear == (Lock("track", "ACCESS EXCLUSIVE"),)
        assert (found.held, found.verdict) == ((), Verdict.LONG)
        # Of these it is clear: they need no such lock, or work on another table.
        assert run("UPDATE track SET stars = 1").verdict is Verdict.NONE
        assert run("ALTER TABLE album VALIDATE CONSTRAINT album_label_id_fkey").verdict is Verdict.NONE
        assert run("CREATE INDEX play_track_id_idx ON play (track_id)").unclear == ()


def test_under_a_lock_a_query_counts_by_what_it_is_bound_to_read_whatever_the_table_holds(
    databases: Databases, empty_tables: str
) -> None:
    by_key = "UPDATE track SET plays = 1 WHERE id = 5"
    with connected(databases.url(empty_tables), autocommit=False) as connection:
        connection.cursor().execute("LOCK TABLE artist")
        for statement, tables in {
            by_key: [],
            "INSERT INTO artist (id, name) VALUES (1, 'x')": [],
            "UPDATE track SET plays = 1 WHERE seconds = 5": ["track"],
            "-- of all\nSELECT count(*) FROM track": ["track"],
            "WITH old AS (DELETE FROM archive.old_track RETURNING id) SELECT * FROM old": [
                "archive.old_track"
            ],
            "UPDATE listen SET track_id = 1": ["listen_2024", "listen_other"],
            "INSERT INTO parent SELECT number FROM play": ["play"],
        }.items():
            found = measured(statement, connection)
            assert [work.relation for work in found.work] == tables, statement
            assert found.verdict is (Verdict.LONG if tables else Verdict.NONE), statement
            assert "EXCLUSIVE on" in str(found.held[0])
    with connected(databases.url(empty_tables), autocommit=False) as connection:
        assert measured(by_key, connection).work == ()


def test_what_triggers_and_functions_read_counts_by_its_rows(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        connection.cursor().execute("""
            CREATE OR REPLACE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM count(seconds) FROM track; RETURN NEW; END $$;
            CREATE FUNCTION adds() RETURNS void LANGUAGE plpgsql AS $$
            BEGIN ALTER TABLE artist ADD CONSTRAINT artist_name_check CHECK (name <> ''); END $$;
            LOCK TABLE play""")
        assert measured("UPDATE track SET plays = 1 WHERE id = 5", connection).verdict is Verdict.NONE
        found = measured("UPDATE track SET plays = 1 WHERE id IN (5, 6, 7)", connection)
        assert (found.verdict, found.work) == (Verdict.LONG, (Work("scan", "track", 3 * ROWS),))
        # What a function does that is no query counts at once.
        assert measured("SELECT adds()", connection).work == (Work("scan", "artist", ROWS),)


def test_a_measurement_says_what_it_cost(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        found = measured("UPDATE play SET track_id = 2", connection)
    assert found.rows == ROWS
    assert found.wal_bytes > 50 * ROWS
    assert found.duration_ms > 0
    assert found.locks[0].mode == "ROW EXCLUSIVE"


def test_what_is_dropped_is_called_by_the_name_it_had(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        assert measured("DROP TABLE child", connection).locks == (Lock("child", "ACCESS EXCLUSIVE"),)


def test_a_foreign_key_that_the_server_checks_by_two_indexes_is_a_scan_of_both(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        connection.cursor().execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_bitmapscan = off"
        )
        found = measured("ALTER TABLE play ADD FOREIGN KEY (number) REFERENCES track (id)", connection)
    assert {(work.kind, work.relation) for work in found.work} == {("scan", "play"), ("scan", "track")}
    # Not one row was read by a sequential scan: the server's own words have told it.
    assert {work.rows for work in found.work} == {0}
    assert found.verdict is Verdict.LONG


def test_another_tablespace_is_a_copy(tables: str) -> None:
    if rows(tables, "SELECT current_setting('allow_in_place_tablespaces', true) IS NULL") == [(True,)]:
        pytest.skip("this server has no tablespaces in place")
    with connected(tables) as connection:
        place = f"place_{connection.info.dbname}"
        connection.cursor().execute("SET allow_in_place_tablespaces = on")
        connection.cursor().execute(f"CREATE TABLESPACE {place} LOCATION ''")
        try:
            for statement, kind in [
                (f"ALTER TABLE child SET TABLESPACE {place}", "rewrite"),
                (f"ALTER INDEX track_pkey SET TABLESPACE {place}", "index build"),
            ]:
                found = measured(statement, connection)
                assert [work.kind for work in found.work] == [kind]
                assert found.verdict is Verdict.LONG
        finally:
            connection.cursor().execute(f"DROP TABLESPACE {place}")


def test_a_session_that_counts_no_scans_is_refused(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        connection.cursor().execute("SET track_counts = off")
        with pytest.raises(SettingsError) as caught:
            classify("SELECT 1", connection)
    assert caught.value.problem == "track_counts is off for this session, so that no scan can be seen"
    assert caught.value.hint == "set track_counts to on for this role, or connect as one that may"


def test_what_ends_the_transaction_is_refused(tables: str) -> None:
    with connected(tables, autocommit=False) as connection:
        connection.cursor().execute("CREATE TABLE mine ()")
        with pytest.raises(RevisionError) as caught:
            classify("COMMIT", connection)
    assert caught.value.problem == "a statement that begins or ends a transaction cannot be rolled back"
    assert caught.value.hint == "classify the statements inside of it"
    assert rows(tables, "SELECT to_regclass('mine')") == [(None,)]


def test_what_cannot_run_in_a_transaction_says_so(tables: str) -> None:
    with connected(tables, autocommit=False) as connection, pytest.raises(DatabaseError) as caught:
        classify("CREATE INDEX CONCURRENTLY ON track (seconds)", connection)
    assert caught.value.sqlstate == "25001"


def test_what_runs_alone_and_could_have_run_in_a_transaction_is_measured_too(tables: str) -> None:
    found = measured_alone(tables, "ALTER TABLE track ADD CONSTRAINT track_seconds_check CHECK (seconds > 0)")
    assert (found.verdict, found.work) == (Verdict.LONG, (Work("scan", "track", ROWS),))
    found = measured_alone(tables, "TRUNCATE track CASCADE")
    assert (found.verdict, found.work) == (Verdict.BRIEF, ())
    found = measured_alone(tables, "UPDATE play SET track_id = 2")
    assert (found.verdict, found.rows) == (Verdict.NONE, ROWS)


def test_a_statement_that_fails_alone_leaves_nobody_standing_in_the_way(tables: str) -> None:
    opened: list[Connection] = []

    def opener() -> Connection:
        opened.append(psycopg2.connect(tables))
        return opened[-1]

    with connected(tables) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.UndefinedTable):
            measure_alone(cursor, lambda: cursor.execute("VACUUM nowhere"), opener)
    assert len(opened) == 3
    assert all(one.closed for one in opened)
    assert not [thread for thread in threading.enumerate() if thread.name == "measured-alone"]


def test_who_may_not_lock_a_table_still_measures(login: Callable[..., str], empty_url: str) -> None:
    limited = login(grants=("GRANT CREATE ON SCHEMA public TO {role}",))
    with connected(empty_url) as connection:
        connection.cursor().execute("CREATE TABLE theirs (id integer)")
    with connected(limited) as connection:
        connection.cursor().execute("CREATE TABLE ours (id integer)")
    assert rows(limited, "SELECT has_table_privilege('theirs', 'INSERT')") == [(False,)]
    found = measured_alone(limited, "CREATE INDEX CONCURRENTLY ours_id_idx ON ours (id)")
    assert Lock("ours", "SHARE UPDATE EXCLUSIVE") in found.locks
    assert found.verdict is Verdict.NONE
