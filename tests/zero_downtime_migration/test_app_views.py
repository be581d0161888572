"""The views of released revisions show each table by the names that its application knows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from typer.testing import CliRunner
from zero_downtime_migration.test_two_applications import MADE, WISHES
from zero_downtime_migration.walked import settings

from killing import killed_before
from spotify_ai_agent_migrations import LockError, TableError
from spotify_ai_agent_migrations.versions.core.fingerprint import fingerprint
from spotify_ai_agent_migrations.versions.core.retry import Patience
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    DropColumn,
    Manner,
    RenameTable,
    State,
    abort,
    acknowledge,
    backfill,
    complete,
    create_views,
    drop_views,
    retire,
    start,
    verify,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.command import app
from spotify_ai_agent_migrations.versions.zero_downtime_migration.forms import Open, called, last_part, shown
from support import connected, rows

MANNER = Manner(revision="011")
VIEWS = """
SELECT view.oid::regclass::text, pg_get_viewdef(view.oid), view.relacl::text, view.relowner::regrole::text, view.reloptions::text,
       (SELECT array_agg((part.attname, part.attacl::text, col_description(view.oid, part.attnum))::text ORDER BY part.attnum)
          FROM pg_attribute AS part WHERE part.attrelid = view.oid AND part.attnum > 0)
  FROM pg_class AS view
 WHERE view.relnamespace::regnamespace::text ~ '^app_v' AND view.relkind = 'v'
 ORDER BY 1
"""


@pytest.fixture
def shown_at(ledger_url: str) -> str:
    """The URL of a database with the tables, and their views of two revisions."""
    rows(ledger_url, MADE)
    for revision in ("010", "011"):
        create_views(revision, settings=settings(ledger_url))
    return ledger_url


RENAMED = Open("rename_column", "public.t", {"column": "a", "to": "b"}, "011")
TYPED = Open("change_type", "public.t", {"column": "a"}, "011", ["a_new"])
# The column that refers to a key is called otherwise than the key, and has one beside it whose name looks alike.
WIDENED = Open("widen_key", "public.t", {"key": "public.k", "column": "id"}, "011", ["k_id_new"])
DROPPED = Open("drop_column", "public.t", {"column": "a"}, "011")
MERGED = Open("merge_columns", "public.t", {"columns": [["a", "…"], ["b", "…"]], "into": "c"}, "011")
LABELLED = Open("enum_to_lookup", "public.t", {"column": "a", "beside": ""}, "011")


@pytest.mark.parametrize(
    ("columns", "change", "old", "new"),
    [
        ("a b", RENAMED, "a", "b"),
        ("b", RENAMED, "b", "b"),
        ("a x a_new", TYPED, "a x", "x a_new:a"),
        ("a_old x a", TYPED, "a_old:a x", "x a"),
        ("a x", TYPED, "a x", "a x"),
        ("id id_new k_id k_id_new", WIDENED, "id id_new k_id", "id id_new k_id_new:k_id"),
        ("a x", DROPPED, "a x", "x"),
        ("zz_dropped_a x", DROPPED, "zz_dropped_a:a x", "x"),
        ("a b c", MERGED, "a b", "c"),
        ("a a_name", LABELLED, "a", "a_name:a"),
        ("a x", Open("create_index", "public.t", {}, "011"), "a x", "a x"),
    ],
)
def test_each_revision_sees_its_own_form(columns: str, change: Open, old: str, new: str) -> None:
    for revision, wanted in (("010", old), ("011", new), ("012", new)):
        found = shown(columns.split(), [change], revision)
        assert " ".join(":".join(dict.fromkeys(pair)) for pair in found) == wanted


def test_a_table_is_called_by_its_old_name_until_its_renaming_is_known() -> None:
    change = Open("rename_table", 'public."t.""x"', {"to": "u"}, "011")
    assert [called("u", [change], revision) for revision in ("010", "011")] == ['t."x', "u"]
    assert [last_part(name) for name in ("a.b", '"a.b"."c""."', '"""x"', "b")] == ["b", 'c".', '"x', "b"]


def test_an_abort_leaves_the_views_as_they_were_wherever_it_was_killed(shown_at: str) -> None:
    given, before = settings(shown_at), rows(shown_at, VIEWS)
    assert len(before) == 4
    for wish in WISHES:
        for statement in ("DROP VIEW", "CREATE VIEW"):
            assert killed_before(
                statement,
                lambda wish=wish: start(wish, settings=given, manner=MANNER),  # type: ignore[misc]
            )
            assert rows(shown_at, VIEWS) == before
        start(wish, settings=given, manner=MANNER)
        during = rows(shown_at, VIEWS)
        assert during != before
        assert [row for row in during if "app_v010" in str(row[0])] == [
            row for row in before if "app_v010" in str(row[0])
        ]
        assert killed_before("CREATE VIEW", lambda wish=wish: abort(wish, settings=given))  # type: ignore[misc]
        assert rows(shown_at, VIEWS) == during
        abort(wish, settings=given)
        assert rows(shown_at, VIEWS) == before


def test_rows_grants_and_comments_are_those_of_the_table(shown_at: str) -> None:
    start(WISHES[0], settings=settings(shown_at), manner=MANNER)
    with connected(shown_at) as connection, connection.cursor() as cursor:
        for schema, name in (("app_v010", "email"), ("app_v011", "mail")):
            cursor.execute(f"SET ROLE agent_app; SET search_path = {schema}, public; SET app.tenant = '2'")
            cursor.execute("SELECT count(*) >= 200, min(tenant), max(tenant) FROM people")
            assert cursor.fetchall() == [(True, 2, 2)]
            with pytest.raises(psycopg2.Error, match="row-level security"):
                cursor.execute(f"INSERT INTO people (tenant, {name}) VALUES (1, 'x')")
            cursor.execute(f"INSERT INTO people (tenant, {name}) VALUES (2, 'x') RETURNING k")
            (new,) = cursor.fetchall()
            cursor.execute(
                f"INSERT INTO people (k, tenant, {name}) VALUES (%s, 2, 'y')"
                f" ON CONFLICT (k) DO UPDATE SET {name} = excluded.{name} RETURNING {name}, plan, twice",
                new,
            )
            assert cursor.fetchall() == [("y", "free", 4)]
            with pytest.raises(psycopg2.Error, match="permission denied"):
                cursor.execute("DELETE FROM people")
            with pytest.raises(psycopg2.Error, match="permission denied"):
                cursor.execute("SELECT day FROM logs")
            cursor.execute(
                "SET ROLE agent_privacy; INSERT INTO logs (day) VALUES (now()); UPDATE logs SET what = 'x'"
            )
            for statement in ("INSERT INTO logs (what) VALUES ('x')", "UPDATE logs SET day = now()"):
                with pytest.raises(psycopg2.Error, match="permission denied"):
                    cursor.execute(statement)
            # A view reads all that it shows.
            cursor.execute("SET ROLE agent_readonly; SELECT day FROM public.logs")
            with pytest.raises(psycopg2.Error, match="permission denied for table logs"):
                cursor.execute("SELECT day FROM logs")
            cursor.execute("RESET ROLE; SET app.tenant = '1'")
            # What is said of what a view cannot do.
            cursor.execute("UPDATE people SET plan = DEFAULT WHERE k = 1 RETURNING plan")
            assert cursor.fetchall() == [(None,)]
            for statement in ("COPY people TO PROGRAM 'true'", "TRUNCATE people", "SELECT ctid FROM people"):
                with pytest.raises(psycopg2.Error):
                    cursor.execute(statement)
    assert rows(
        shown_at,
        "SELECT col_description('app_v010.people'::regclass, attnum) FROM pg_attribute"
        " WHERE attrelid = 'app_v010.people'::regclass AND attname = 'email'",
    ) == [("contact: address",)]


def test_a_dropped_column_and_a_renamed_table_stay_for_old_code_until_the_contract(shown_at: str) -> None:
    given = settings(shown_at)
    drop, rename = DropColumn("public.people", "email"), RenameTable("public.logs", "entries")
    for wish in (drop, rename):
        for verb in (start, backfill, verify):
            verb(wish, settings=given, manner=MANNER)
    with pytest.raises(psycopg2.Error, match="does not exist"):
        rows(shown_at, "SELECT email FROM public.people")
    assert rows(shown_at, "SELECT email FROM app_v010.people WHERE k = 2") == [("e2-0",)]
    assert rows(shown_at, "SELECT oid::regclass::text FROM pg_class WHERE relname IN ('logs', 'entries') ORDER BY 1") == [
        ("app_v010.logs",), ("app_v011.entries",), ("entries",), ("logs",)
    ]  # fmt: skip
    acknowledge("backend", "1", revision="011", settings=given)
    # Killed before what only the contract drops, it goes on from there.
    assert killed_before("DROP SCHEMA", lambda: complete(drop, settings=given))
    assert rows(shown_at, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^app_v' ORDER BY 1") == [
        ("app_v010",), ("app_v011",)
    ]  # fmt: skip
    for wish in (drop, rename):
        assert complete(wish, settings=given).state is State.COMPLETED
    assert rows(shown_at, "SELECT count(*) FROM pg_class WHERE relname = 'logs'") == [(0,)]
    assert rows(shown_at, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^app_v'") == [("app_v011",)]


def test_views_are_dropped_when_nobody_uses_them(shown_at: str) -> None:
    given = settings(shown_at)
    runner = CliRunner()
    acknowledge("backend", "1.0", revision="010", settings=given)
    listed = runner.invoke(app, ["views", "list", "--url", shown_at]).stdout
    assert (
        listed
        == "app_v010: 2 views, for backend 1.0; agent_readonly on logs reads by the table\napp_v011: 2 views, for no application that acknowledged it; agent_readonly on logs reads by the table\n"
    )
    assert listed in runner.invoke(app, ["status", "--url", shown_at]).stdout
    with pytest.raises(TableError, match=r"app_v010 is what backend 1\.0 may read by"):
        drop_views("010", settings=given)
    retire("backend", "1.0", settings=given)
    with connected(shown_at, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM app_v010.people")
        with pytest.raises(
            LockError, match=r"app_v010\.logs and ACCESS EXCLUSIVE on app_v010\.people: .*pid \d+"
        ):
            drop_views(
                "010", settings=given, manner=Manner(patience=Patience(tries=2, base_s=0.01, most_s=0.01))
            )
    assert (
        runner.invoke(app, ["views", "drop", "010", "--url", shown_at]).stdout
        == "views of revision 010: dropped\n"
    )
    with pytest.raises(TableError, match="there are no views of revision 010"):
        drop_views("010", settings=given)
    with pytest.raises(TableError, match="is no revision"):
        create_views("../x", settings=given)
    rows(shown_at, "CREATE SCHEMA app_v009")
    for verb in (create_views, drop_views):
        with pytest.raises(TableError, match="was not made for views of a revision"):
            verb("009", settings=given)


def test_what_is_not_a_view_of_a_revision_is_never_dropped(shown_at: str) -> None:
    given = settings(shown_at)
    rows(shown_at, "CREATE SCHEMA app_v009; CREATE VIEW app_v009.people AS SELECT k FROM public.people")
    start(WISHES[0], settings=given, manner=MANNER)
    abort(WISHES[0], settings=given)
    assert rows(shown_at, "SELECT count(*) > 0 FROM app_v009.people") == [(True,)]
    rows(shown_at, "CREATE VIEW app_v010.others AS SELECT k FROM public.people")
    for work in (
        lambda: start(WISHES[0], settings=given, manner=MANNER),
        lambda: create_views("010", settings=given),
        lambda: drop_views("010", settings=given),
    ):
        with pytest.raises(TableError, match=r"would be lost: app_v010\.others"):
            work()
    assert rows(shown_at, "SELECT count(*) > 0 FROM app_v010.others") == [(True,)]
    rows(shown_at, "DROP VIEW app_v010.others")
    drop_views("010", settings=given)


def test_a_prepared_statement_outlives_the_view_that_it_was_prepared_for(shown_at: str) -> None:
    with connected(shown_at) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SET search_path = app_v010, public; PREPARE one AS SELECT email FROM people WHERE k = $1"
        )
        cursor.execute("SET plan_cache_mode = force_generic_plan; EXECUTE one (2)")
        before = rows(shown_at, "SELECT 'app_v010.people'::regclass::oid")
        start(WISHES[0], settings=settings(shown_at), manner=MANNER)
        assert rows(shown_at, "SELECT 'app_v010.people'::regclass::oid") != before
        cursor.execute("EXECUTE one (2)")
        assert cursor.fetchall() == [("e2-0",)]


def test_a_later_table_is_seen_by_the_path_and_by_a_view_once_it_is_made_anew(shown_at: str) -> None:
    rows(shown_at, "CREATE TABLE public.later (id integer)")
    assert rows(shown_at, "SET search_path = app_v010, public; SELECT count(*) FROM later") == [(0,)]
    assert create_views("010", settings=settings(shown_at)).views == 3


def test_the_schema_of_the_project_is_shown_to_each_role_as_it_is(url: str) -> None:
    with connected(url, autocommit=False) as connection:
        before = fingerprint(connection)
    made = create_views("011", settings=settings(url))
    with connected(url, autocommit=False) as connection:
        assert fingerprint(connection) == before
    ((tables,),) = rows(
        url,
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'",
    )
    assert made.views == tables
    assert tables > 10
    unlike = """
    SELECT role.rolname, class.relname, part.attname
      FROM pg_class AS class
      JOIN pg_attribute AS part ON part.attrelid = class.oid AND part.attnum > 0 AND NOT part.attisdropped
      JOIN pg_roles AS role ON role.rolname ~ '^agent_'
     CROSS JOIN unnest('{SELECT,INSERT,UPDATE}'::text[]) AS kind
     WHERE class.relnamespace = 'public'::regnamespace AND class.relkind IN ('r', 'p') AND NOT class.relispartition
       AND class.relname <> 'alembic_version'
       AND has_column_privilege(role.oid, class.oid, part.attname, kind)
           <> has_column_privilege(role.oid, format('app_v011.%I', class.relname)::regclass, part.attname, kind)
    """
    assert rows(url, unlike) == []
    assert "agent_monitor on audit_log" in made.by_table_only
    assert not [one for one in made.by_table_only if one.startswith("agent_app ")]
    rows(url, "SET ROLE agent_app; SELECT acknowledge_version_v1('backend', '1.0', '011')")
    with pytest.raises(TableError, match=r"app_v011 is what backend 1\.0 may read by"):
        drop_views("011", settings=settings(url))
    assert rows(url, "SELECT count(*) FROM app_v011.users") == rows(url, "SELECT count(*) FROM users")


def test_several_that_make_the_same_views_at_once_all_have_them(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    given = settings(ledger_url)
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: create_views("010", settings=given), range(6)))
    assert {(one.name, one.views) for one in made} == {("app_v010", made[0].views)}
    assert made[0].views > 0
