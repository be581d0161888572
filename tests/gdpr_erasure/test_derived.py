"""What is made of rows is renewed: materialised views, what the planner knows of values, large objects."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime, timezone

import pytest
from gdpr_erasure.hidden import as_eraser, hide, working
from gdpr_erasure.people import ADA, BOB
from psycopg2.errors import InsufficientPrivilege, QueryCanceled
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.derived import (
    refresh,
    remember,
    renew_statistics,
    unlink_large_objects,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import planned
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.residue import residue_of, rewrite
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import eraser
from support import connected, rows, until

DIARY = """
CREATE TABLE diaries (
    user_id bigint NOT NULL REFERENCES users,
    place integer NOT NULL,
    note text,
    mood text NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (user_id, place)
);
COMMENT ON COLUMN diaries.user_id IS 'identifier: whose';
COMMENT ON COLUMN diaries.place IS 'none: which';
COMMENT ON COLUMN diaries.note IS 'content: what they wrote';
COMMENT ON COLUMN diaries.mood IS 'behavioural: how they were';
COMMENT ON COLUMN diaries.tags IS 'content: about what';
ALTER TABLE diaries OWNER TO agent_owner;
SELECT ops.classify_table_v1('public.diaries', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
GRANT SELECT, DELETE ON diaries TO agent_eraser;
CREATE INDEX diaries_note_idx ON diaries (upper(note));
INSERT INTO users (id, display_name) SELECT n, 'somebody' FROM generate_series(10, 29) AS n;
INSERT INTO diaries SELECT 880000222, n, 'of engines', 'calm', '{engines,work}' FROM generate_series(1, 40) AS n;
INSERT INTO diaries SELECT 770000111, n, 'of pipes', 'calm', '{pipes,work}' FROM generate_series(1, 40) AS n;
INSERT INTO diaries SELECT 10 + n % 20, n, 'note ' || n, 'calm', '{work}' FROM generate_series(1, 4000) AS n;
"""
KNOWN = """
SELECT string_agg(concat_ws(' ', attname, most_common_vals, histogram_bounds, most_common_elems), E'\n' ORDER BY attname)
  FROM pg_stats
 WHERE tablename IN ('diaries', 'diaries_note_idx')
"""
COUNTED = "SELECT analyze_count FROM pg_stat_user_tables WHERE relname = 'diaries'"
TABLES = ("public.diaries", "public.users")


@pytest.fixture
def diaries(entangled: str) -> str:
    """The URL of a database in which both keep a diary, and the planner knows what they write."""
    rows(entangled, DIARY)
    rows(entangled, "ANALYZE diaries, users, ops.pseudonyms, audit_log")
    known = _known(entangled)
    assert all(word in known for word in (str(ADA.id), "of engines", "OF ENGINES", "{engines,work}"))
    return entangled


def _known(url: str) -> str:
    return str(rows(url, KNOWN)[0][0])


def _delete(cursor: Cursor) -> None:
    cursor.execute("DELETE FROM diaries WHERE user_id = 880000222")


def _restores(cursor: Cursor) -> bool:
    return cursor.connection.server_version >= 180_000


def _counted(url: str) -> int:
    rows(url, "SELECT pg_stat_clear_snapshot()")
    return int(str(rows(url, COUNTED)[0][0]))


def test_of_the_person_the_planner_forgets_all_and_of_others_it_knows_what_it_knew(diaries: str) -> None:
    with as_eraser(diaries) as cursor:
        remember(cursor, ADA.id)
        _delete(cursor)
        touched = renew_statistics(cursor, ADA.id, TABLES)
        restores = _restores(cursor)
    assert "public.diaries" in touched
    known = _known(diaries)
    for word in (str(ADA.id), "ngines", "NGINES"):
        assert word not in known
    for word in (str(BOB.id), "of pipes", "OF PIPES", "{pipes,work}", "{work}", "calm"):
        assert word in known
    # What others write as well was never the person's alone: it is not counted anew for its sake.
    assert _counted(diaries) == (1 if restores else 2)


def test_the_rest_of_what_is_known_of_a_column_stays_where_single_values_can_be_taken_out(
    diaries: str,
) -> None:
    asked = (
        "SELECT null_frac, avg_width, n_distinct, correlation, array_length(most_common_elem_freqs, 1), elem_count_histogram"
        " FROM pg_stats WHERE tablename = 'diaries' AND attname = 'tags'"
    )
    before = rows(diaries, asked)
    with as_eraser(diaries) as cursor:
        if not _restores(cursor):
            pytest.skip("this version has a column counted anew")
        remember(cursor, ADA.id)
        _delete(cursor)
        renew_statistics(cursor, ADA.id, TABLES)
    (after,) = rows(diaries, asked)
    assert after == (*before[0][:4], int(str(before[0][4])) - 1, before[0][5])


def test_of_a_table_without_rows_nothing_is_known(diaries: str) -> None:
    rows(diaries, "DELETE FROM diaries")
    with as_eraser(diaries) as cursor:
        renew_statistics(cursor, ADA.id, TABLES)
        if not _restores(cursor):
            # To count such a table changes nothing: what is left says so.
            assert "public.diaries" in residue_of(cursor, TABLES, datetime.now(timezone.utc)).statistics
            rewrite(diaries)
        assert residue_of(cursor, TABLES, datetime.now(timezone.utc)).statistics == ()
    assert rows(diaries, KNOWN) == [(None,)]


def test_who_did_not_look_before_has_every_table_counted_anew(diaries: str) -> None:
    with as_eraser(diaries) as cursor:
        _delete(cursor)
        assert {"public.diaries", "public.users", "public.audit_log", "ops.pseudonyms"} == set(
            renew_statistics(cursor, ADA.id, TABLES)
        )
    assert "ngines" not in _known(diaries)
    assert _counted(diaries) == 2


def test_what_was_looked_at_for_another_does_not_stand_for_the_person(diaries: str) -> None:
    with as_eraser(diaries) as cursor:
        remember(cursor, BOB.id)
        _delete(cursor)
        renew_statistics(cursor, ADA.id, TABLES)
    assert "ngines" not in _known(diaries)


def test_a_person_of_whom_nothing_is_known_costs_no_count(diaries: str) -> None:
    rows(diaries, "INSERT INTO users (id) VALUES (30)")
    with as_eraser(diaries) as cursor:
        remember(cursor, 30)
        assert renew_statistics(cursor, 30, TABLES) == ()
    assert _counted(diaries) == 1


def test_values_of_several_columns_at_once_are_counted_anew(diaries: str) -> None:
    rows(diaries, "CREATE STATISTICS diaries_both (mcv) ON user_id, note FROM diaries; ANALYZE diaries")
    asked = "SELECT most_common_vals::text FROM pg_stats_ext WHERE statistics_name = 'diaries_both'"
    assert "of engines" in str(rows(diaries, asked))
    with as_eraser(diaries) as cursor:
        remember(cursor, ADA.id)
        _delete(cursor)
        renew_statistics(cursor, ADA.id, TABLES)
    assert "of engines" not in str(rows(diaries, asked))
    assert "of pipes" in str(rows(diaries, asked))


def test_whoever_began_to_count_before_is_waited_for(diaries: str) -> None:
    rows(
        diaries,
        "CREATE FUNCTION slowly(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS"
        " $$ BEGIN IF current_setting('test.slow', true) = 'yes' THEN PERFORM pg_sleep(0.5); END IF; RETURN $1; END $$;"
        "CREATE INDEX ON diaries (public.slowly(user_id)) WHERE place < 9",
    )
    with connected(diaries) as connection, as_eraser(diaries) as cursor:
        pid = connection.info.backend_pid
        counting = threading.Thread(target=_count_slowly, args=(connection,))
        counting.start()
        try:
            asked = "SELECT pid = %s FROM pg_stat_progress_analyze"
            until(lambda: rows(diaries, asked, (pid,)) == [(True,)])
            with pytest.raises(LockError) as caught:
                renew_statistics(cursor, ADA.id, TABLES, wait_s=0)
        finally:
            rows(diaries, "SELECT pg_cancel_backend(%s)", (pid,))
            counting.join()
    assert caught.value.problem == f"pid {pid} still runs ANALYZE on a table of the person, after 0 s"


def _count_slowly(connection: Connection) -> None:
    with connection.cursor() as cursor, suppress(QueryCanceled):
        cursor.execute("SET test.slow = 'yes'")
        cursor.execute("ANALYZE diaries")


def test_views_are_filled_anew_one_that_another_is_made_of_before_it(entangled: str) -> None:
    rows(
        entangled,
        "CREATE MATERIALIZED VIEW names AS SELECT id, display_name FROM users;"
        "CREATE UNIQUE INDEX ON names (id);"
        "CREATE MATERIALIZED VIEW a_name AS SELECT max(display_name) AS name FROM names WHERE id = 880000222;"
        "CREATE MATERIALIZED VIEW empty AS SELECT id FROM names WITH NO DATA;"
        "ALTER MATERIALIZED VIEW names OWNER TO agent_owner; ALTER MATERIALIZED VIEW a_name OWNER TO agent_owner;"
        "ALTER MATERIALIZED VIEW empty OWNER TO agent_owner",
    )
    assert rows(entangled, "SELECT name FROM a_name") == [("Ada Lovelace",)]
    rows(entangled, "ANALYZE names")
    known = "SELECT concat(most_common_vals, histogram_bounds) FROM pg_stats WHERE tablename = 'names'"
    assert "Ada Lovelace" in str(rows(entangled, known))
    rows(entangled, "UPDATE users SET display_name = NULL WHERE id = 880000222")
    ((before,),) = rows(entangled, "SELECT pg_relation_filenode('names')")
    with as_eraser(entangled) as cursor:
        done = refresh(cursor, ["public.a_name", "public.empty", "public.names", "public.gone"])
    assert done == ("public.names", "public.a_name")
    assert rows(entangled, "SELECT name FROM a_name") == [(None,)]
    assert rows(entangled, "SELECT count(*) FROM names WHERE display_name = 'Bob Dobbs'") == [(1,)]
    assert "Ada Lovelace" not in str(rows(entangled, known))
    # With a unique index readers go on meanwhile, and the file stays.
    assert rows(entangled, "SELECT pg_relation_filenode('names')") == [(before,)]
    assert rows(entangled, "SELECT relispopulated FROM pg_class WHERE relname = 'empty'") == [(False,)]


def test_large_objects_are_unlinked_and_of_a_stranger_only_if_that_is_granted(entangled: str) -> None:
    rows(entangled, "SELECT lo_from_bytea(7001, 'a'), lo_from_bytea(7002, 'b'), lo_from_bytea(7003, 'c')")
    rows(
        entangled,
        "ALTER LARGE OBJECT 7001 OWNER TO agent_owner; ALTER LARGE OBJECT 7002 OWNER TO agent_owner",
    )
    erasure = hide(entangled, ADA.id)
    with working(entangled, erasure) as cursor:
        assert unlink_large_objects(cursor, [7001, 7002, 6999]) == 2
    with working(entangled, erasure) as cursor:
        with pytest.raises(InsufficientPrivilege) as caught:
            unlink_large_objects(cursor, [7003])
        cursor.connection.rollback()
    ((owner,),) = rows(entangled, "SELECT current_user")
    assert caught.value.diag.message_primary == f'large objects of the person belong to role "{owner}"'
    assert caught.value.diag.message_hint == f"as an administrator run GRANT {owner} TO agent_owner;"
    assert rows(entangled, "SELECT oid FROM pg_largeobject_metadata") == [(7003,)]
    assert rows(
        entangled, "SELECT count(*) FROM ops.rewrites WHERE table_name = 'pg_catalog.pg_largeobject'"
    ) == [(1,)]


def test_a_table_of_somebody_else_is_not_counted_and_what_is_left_says_so(diaries: str) -> None:
    rows(diaries, "ALTER TABLE diaries OWNER TO CURRENT_USER")
    with as_eraser(diaries) as cursor:
        remember(cursor, ADA.id)
        _delete(cursor)
        renew_statistics(cursor, ADA.id, TABLES)
        assert residue_of(cursor, TABLES, datetime.now(timezone.utc)).statistics == ("public.diaries",)
    assert "of engines" in _known(diaries)


def test_a_view_that_its_owner_alone_may_fill_is_refused_before_anything_is_touched(entangled: str) -> None:
    rows(
        entangled,
        "CREATE MATERIALIZED VIEW tallied AS SELECT count(*) FROM users;"
        "COMMENT ON COLUMN tallied.count IS 'none: how many'; SELECT ops.classify_table_v1('public.tallied')",
    )
    with eraser(entangled) as connection, connection.cursor() as cursor:
        refused = planned(cursor, ADA.id).refusals
        connection.rollback()
    ((owner,),) = rows(entangled, "SELECT current_user")
    assert [(one.place, one.problem, one.hint) for one in refused] == [
        (
            "public.tallied", f'is filled by its owner "{owner}" alone',
            "ALTER MATERIALIZED VIEW public.tallied OWNER TO agent_owner;",
        ),
    ]  # fmt: skip
    rows(entangled, refused[0].hint)
    with eraser(entangled) as connection, connection.cursor() as cursor:
        plan = planned(cursor, ADA.id)
        connection.rollback()
    assert (plan.refusals, plan.derived) == ((), ("public.tallied",))
