"""The plan: every statement that is not a call of Citus runs on a real database, and every foreign key is back."""

from __future__ import annotations

import re

import psycopg2
import pytest
from distribution.schema import PEOPLE, Schema
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, fingerprint, schema_objects
from spotify_ai_agent_migrations.versions.distribution import lint, map_tables, read_lines, write_plan
from support import Databases, connected, rows

CITUS = re.compile(r"^SELECT (citus_version|create_reference_table|create_distributed_table)\(.*\);$")
LIBRARY = (
    PEOPLE
    + """
CREATE TABLE tags (id bigint PRIMARY KEY, parent bigint REFERENCES tags);
CREATE TABLE "The Marks" (user_id bigint, note bigint, tag bigint REFERENCES tags ON DELETE SET NULL DEFERRABLE,
    PRIMARY KEY (user_id, note), CONSTRAINT "to note" FOREIGN KEY (user_id, note) REFERENCES notes ON DELETE CASCADE);
COMMENT ON CONSTRAINT "to note" ON "The Marks" IS 'what it''s about';
ALTER TABLE notes ADD COLUMN tag bigint, ADD CONSTRAINT notes_tag_fkey FOREIGN KEY (tag) REFERENCES tags NOT VALID;
CREATE TABLE plays (user_id bigint REFERENCES users, at date, PRIMARY KEY (user_id, at)) PARTITION BY RANGE (at);
CREATE TABLE plays_1 PARTITION OF plays DEFAULT;
CREATE SCHEMA ops;
CREATE TABLE ops.tasks (id bigint PRIMARY KEY, tag bigint REFERENCES tags, before bigint REFERENCES ops.tasks);
"""
)


def objects(url: str) -> set[SchemaObject]:
    with connected(url) as connection:
        return set(schema_objects(connection))


def run_without_citus(url: str, script: str) -> int:
    """Execute the statements of a plan in order, but for the calls of Citus; return how many those are."""
    statements = [line for line in script.splitlines() if line and not line.startswith("--")]
    calls = [line for line in statements if CITUS.match(line)]
    with connected(url) as connection, connection.cursor() as cursor:
        for statement in statements:
            if statement not in calls:
                cursor.execute(statement)
    return len(calls)


def test_a_schema_that_keeps_the_rules_is_the_same_again_after_its_plan(schema: Schema) -> None:
    schema.execute(LIBRARY)
    with connected(schema.url) as connection:
        before = fingerprint(connection)
    plan = write_plan(url=schema.url)
    assert plan.unmended == ()
    assert run_without_citus(schema.url, plan.sql) == 6
    with connected(schema.url) as connection:
        assert fingerprint(connection) == before
    assert write_plan(url=schema.url) == plan


def test_the_plan_is_written_in_full_and_in_order(schema: Schema) -> None:
    schema.execute(LIBRARY)
    assert write_plan(url=schema.url).sql == (
        """\
-- 1. Stop where Citus is not, and wait for no lock for long
--    1 reference, 4 distributed, 1 local tables. On the coordinator, as the owner, while nothing writes: psql -v ON_ERROR_STOP=1
--    the workers know of lock_timeout by ALTER DATABASE … SET lock_timeout alone
SELECT citus_version();
SET lock_timeout = '5s';

-- 2. Foreign keys go, all of them; until 7 nothing checks them
ALTER TABLE ops.tasks DROP CONSTRAINT tasks_tag_fkey;
ALTER TABLE public."The Marks" DROP CONSTRAINT "The Marks_tag_fkey";
ALTER TABLE public."The Marks" DROP CONSTRAINT "to note";
ALTER TABLE public.notes DROP CONSTRAINT notes_tag_fkey;
ALTER TABLE public.notes DROP CONSTRAINT notes_user_id_fkey;
ALTER TABLE public.plays DROP CONSTRAINT plays_user_id_fkey;
ALTER TABLE public.tags DROP CONSTRAINT tags_parent_fkey;

-- 3. What Citus refuses goes for good
--    nothing

-- 4. Reference tables, on every node
SELECT create_reference_table('public.tags');

-- 5. Distributed tables, those that lead a group first
--    the coordinator keeps the rows on its disk, unseen, until truncate_local_data_after_distributing_table
SELECT create_distributed_table('public.users', 'id', colocate_with => 'none');
SELECT create_distributed_table('public."The Marks"', 'user_id', colocate_with => 'public.users');
SELECT create_distributed_table('public.notes', 'user_id', colocate_with => 'public.users');
SELECT create_distributed_table('public.plays', 'user_id', colocate_with => 'public.users');

-- 6. Foreign keys come back, unchecked
ALTER TABLE ops.tasks ADD CONSTRAINT tasks_tag_fkey FOREIGN KEY (tag) REFERENCES public.tags(id) NOT VALID;
ALTER TABLE public."The Marks" ADD CONSTRAINT "The Marks_tag_fkey" FOREIGN KEY (tag) REFERENCES public.tags(id) ON DELETE SET NULL DEFERRABLE NOT VALID;
ALTER TABLE public."The Marks" ADD CONSTRAINT "to note" FOREIGN KEY (user_id, note) REFERENCES public.notes(user_id, id) ON DELETE CASCADE NOT VALID;
COMMENT ON CONSTRAINT "to note" ON public."The Marks" IS 'what it''s about';
ALTER TABLE public.notes ADD CONSTRAINT notes_tag_fkey FOREIGN KEY (tag) REFERENCES public.tags(id) NOT VALID;
ALTER TABLE public.notes ADD CONSTRAINT notes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) NOT VALID;
ALTER TABLE public.plays ADD CONSTRAINT plays_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE public.tags ADD CONSTRAINT tags_parent_fkey FOREIGN KEY (parent) REFERENCES public.tags(id) NOT VALID;

-- 7. and are checked
ALTER TABLE ops.tasks VALIDATE CONSTRAINT tasks_tag_fkey;
ALTER TABLE public."The Marks" VALIDATE CONSTRAINT "The Marks_tag_fkey";
ALTER TABLE public."The Marks" VALIDATE CONSTRAINT "to note";
ALTER TABLE public.notes VALIDATE CONSTRAINT notes_user_id_fkey;
ALTER TABLE public.tags VALIDATE CONSTRAINT tags_parent_fkey;
"""
    )


def test_it_stops_before_the_first_drop_where_citus_is_not(schema: Schema) -> None:
    schema.execute(LIBRARY)
    before = objects(schema.url)
    statements = [line for line in write_plan(url=schema.url).sql.splitlines() if not line.startswith("--")]
    with pytest.raises(psycopg2.errors.UndefinedFunction, match="citus_version"):
        schema.execute(statements[0])
    assert objects(schema.url) == before


def test_our_own_schema_comes_back_but_for_what_the_lint_names(url: str) -> None:
    before, findings = objects(url), lint(url=url).findings
    plan = write_plan(url=url)
    # What hides the data of a restricted person is not dropped, as what shows more than it should is.
    assert {found.code for found in plan.unmended if str(found.name).endswith("_restricted")} == {"CIT017"}
    assert [found.table for found in plan.unmended if not str(found.name).endswith("_restricted")] == [
        "public.data_subject_requests",
    ]
    placed = [line for line in map_tables(url=url) if line[0] != "#" and not line.endswith(" local")]
    assert run_without_citus(url, plan.sql) == 1 + len(placed) > 40
    after = objects(url)
    lost = {(one.kind, one.identity) for one in before - after}
    triggers = {(kind, name) for kind, name in lost if kind == "trigger"}
    # A trigger for each row is on every partition too, and goes with that of their table.
    copies = {(kind, name) for kind, name in triggers if name.startswith("public.audit_log_")}
    assert len({name.rpartition(".")[2] for _, name in copies}) == 1
    assert (
        len(triggers - copies)
        == sum(len(found.problem.split(", ")) for found in findings if found.code == "CIT013")
        > 100
    )
    assert lost - triggers == {
        ("constraint", "ops.restrictions.restrictions_user_id_fkey"),
        ("constraint", "ops.subject_keys.subject_keys_subject_id_fkey"),
        ("constraint", "public.playlist_collaborators.playlist_collaborators_collaborator_id_fkey"),
        ("constraint", "public.user_identities.user_identities_provider_provider_user_id_key"),
        ("constraint", "public.users.users_email_canonical_key"),
        ("constraint", "public.users.users_email_hmac_key"),
        ("constraint", "public.users.users_public_id_key"),
        ("index", "public.user_identities_provider_provider_user_id_key"),
        ("index", "public.users_email_canonical_key"),
        ("index", "public.users_email_hmac_key"),
        ("index", "public.users_public_id_key"),
        ("policy", "public.playlist_items.playlist_items_collaborator"),
        ("policy", "public.playlist_items.playlist_items_shared"),
        ("policy", "public.playlists.playlists_shared"),
    }
    made = after - before
    assert {one.identity for one in made} == {identity for kind, identity in lost if kind == "index"}
    assert all("UNIQUE" not in one.definition for one in made)
    left = {(found.code, found.table) for found in lint(url=url).findings if found.severity == "error"}
    assert left == {(found.code, found.table) for found in plan.unmended}


def test_the_same_schema_gives_the_same_plan(databases: Databases, url: str) -> None:
    first = write_plan(url=url)
    clone = databases.create(str(parse_dsn(url)["dbname"]))
    assert write_plan(url=databases.url(clone)) == first
    assert "create_distributed_table('public.users'" in first.sql


def test_what_the_plan_does_not_mend_stands_at_its_head(schema: Schema) -> None:
    schema.execute(
        PEOPLE + "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users);"
        "CREATE POLICY narrow ON notes AS RESTRICTIVE USING (EXISTS (SELECT FROM users));"
        "CREATE POLICY wide ON notes USING (EXISTS (SELECT FROM users))"
    )
    plan = write_plan(url=schema.url)
    assert [(found.code, found.name) for found in plan.unmended] == [("CIT017", "narrow"), ("CIT001", None)]
    assert plan.sql.splitlines()[3:5] == [
        '--    BEFORE: CIT017 public.notes: policy "narrow" holds a subquery',
        '--    BEFORE: CIT001 public.orders: nothing says where it lives: column "user_id" is not in its primary key',
    ]
    assert "DROP POLICY wide ON public.notes;" in plan.sql
    assert "DROP POLICY narrow" not in plan.sql
    assert (
        "--    1 policies: `agentdb distribution lint` says what has to take their place first\n" in plan.sql
    )


def test_a_unique_index_leaves_the_index_behind_on_partitions_too(schema: Schema) -> None:
    schema.execute(
        PEOPLE + "CREATE TABLE plays (track bigint, at date) PARTITION BY RANGE (at);"
        "CREATE TABLE plays_1 PARTITION OF plays DEFAULT;"
        "CREATE UNIQUE INDEX plays_at_idx ON plays (at);"
        "ALTER TABLE users ADD COLUMN email text;"
        "CREATE UNIQUE INDEX users_email_idx ON users (lower(email)) NULLS NOT DISTINCT WHERE email <> ''"
    )
    plan = write_plan(read_lines(None, ["plays distributed by track"]), url=schema.url)
    assert run_without_citus(schema.url, plan.sql) == 4
    found = rows(
        schema.url,
        "SELECT indexdef FROM pg_indexes WHERE indexname ~ '_at_idx|_email_idx' ORDER BY indexname",
    )
    assert [definition for (definition,) in found] == [
        "CREATE INDEX plays_1_at_idx ON public.plays_1 USING btree (at)",
        "CREATE INDEX plays_at_idx ON ONLY public.plays USING btree (at)",
        "CREATE INDEX users_email_idx ON public.users USING btree (lower(email)) NULLS NOT DISTINCT WHERE (email <> ''::text)",
    ]


def test_a_name_with_a_line_feed_ends_no_comment(schema: Schema) -> None:
    schema.execute(
        PEOPLE + 'CREATE TABLE "a\nDROP TABLE users; --" (user_id bigint, other bigint PRIMARY KEY);'
        'CREATE TABLE "b\nDROP TABLE users; --" (user_id bigint, other bigint, PRIMARY KEY (user_id, other),'
        ' CONSTRAINT "c\nDROP TABLE users; --" FOREIGN KEY (other) REFERENCES users)'
    )
    plan = write_plan(url=schema.url)
    comments = [line for line in plan.sql.splitlines() if line.startswith("--  ")]
    assert (
        r"""--    BEFORE: CIT001 public."a\nDROP TABLE users; --": nothing says where it lives: column "user_id" is not in its primary key"""
        in comments
    )
    assert (
        r"""--    c\nDROP TABLE users; -- of public."b\nDROP TABLE users; --" does not: Citus would refuse it"""
        in comments
    )
    with connected(schema.url) as connection, connection.cursor() as cursor:
        cursor.execute(re.sub(r"(?m)^SELECT c.*\n(?:DROP.*\n)?", "", plan.sql))
    assert rows(schema.url, "SELECT to_regclass('users') IS NOT NULL") == [(True,)]
