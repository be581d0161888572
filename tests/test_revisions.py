"""The revisions themselves: up, down and up again; offline as online; every column classified."""

from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
import sys
import uuid

import psycopg2
import pytest

from spotify_ai_agent_migrations import discover
from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, schema_objects
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.governance import CLASSES
from support import ROOT, WAITING, Checkout, Databases, connected, rows, run, run_alembic, until

REVISIONS = [str(revision.revision) for revision in discover()]


def schema(url: str) -> tuple[SchemaObject, ...]:
    with connected(url, autocommit=False) as connection:
        return schema_objects(connection)


def succeed(*arguments: str, url: str) -> str:
    done = run_alembic(*arguments, url=url)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_second_upgrade_does_nothing(url: str) -> None:
    assert rows(url, "SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]
    before = schema(url)
    assert "Running" not in succeed("upgrade", "head", url=url)
    assert schema(url) == before


def test_down_to_base_and_up_again_gives_the_same_schema(databases: Databases, url: str) -> None:
    empty, full = schema(databases.url(databases.create())), schema(url)
    assert len(full) > 400
    assert "Running downgrade" in succeed("downgrade", "base", url=url)
    assert schema(url) == empty
    assert "Running upgrade" in succeed("upgrade", "head", url=url)
    assert schema(url) == full


def parent_of(revision: str) -> str:
    return f"{int(revision) - 1:03d}" if revision != "001" else "base"


class Stages:
    """A database at each revision, made from the one before and kept to be cloned; and what is in it."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._made = {"base": databases.create()}
        self._schemas: dict[str, tuple[SchemaObject, ...]] = {}

    def at(self, revision: str) -> str:
        """Return the name of the database."""
        if revision not in self._made:
            made = self._databases.create(self.at(parent_of(revision)))
            succeed("upgrade", revision, url=self._databases.url(made))
            self._made[revision] = made
        return self._made[revision]

    def schema(self, revision: str) -> tuple[SchemaObject, ...]:
        if revision not in self._schemas:
            self._schemas[revision] = schema(self._databases.url(self.at(revision)))
        return self._schemas[revision]


@pytest.fixture(scope="module")
def stages(databases: Databases, template: str) -> Stages:
    del template
    return Stages(databases)


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_revision_goes_up_down_and_up_with_equal_schemas(
    databases: Databases, stages: Stages, revision: str
) -> None:
    before, after = stages.schema(parent_of(revision)), stages.schema(revision)
    assert after != before
    # The next one is made from what this one leaves.
    url = databases.url(stages.at(revision))
    succeed("downgrade", parent_of(revision), url=url)
    assert schema(url) == before
    succeed("upgrade", revision, url=url)
    assert schema(url) == after


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The file that says in SQL what an upgrade of an empty database does."""
    done = run_alembic("upgrade", "head", "--sql")
    assert done.returncode == 0, done.stderr
    file = tmp_path_factory.mktemp("offline") / "script.sql"
    file.write_text(done.stdout)
    return file


def psql() -> pathlib.Path:
    found = embedded.program("psql") or shutil.which("psql")
    if found is None:
        pytest.skip("psql is neither in the wheel nor on the PATH")
    return pathlib.Path(found)


def test_offline_is_online_and_a_second_time_aborts_with_nothing_changed(
    databases: Databases, url: str, script: pathlib.Path
) -> None:
    offline = databases.url(databases.create())
    first = run(psql(), "-X", "-q", "-d", offline, "-f", script)
    assert (first.returncode, first.stderr) == (0, "")
    assert schema(offline) == schema(url)
    assert rows(offline, "SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]
    before = schema(offline)
    second = run(psql(), "-X", "-q", "-d", offline, "-f", script)
    assert second.returncode == 3
    assert f"this script starts at revision base, and the database is at {REVISIONS[-1]}" in second.stderr
    assert schema(offline) == before


def test_offline_without_stopping_at_errors_still_changes_nothing_the_second_time(
    url: str, script: pathlib.Path
) -> None:
    said = script.read_text().replace("\\set ON_ERROR_STOP on", "")
    before = schema(url)
    done = run(psql(), "-X", "-q", "-d", url, "-c", "SELECT 1")
    assert done.returncode == 0
    with connected(url) as connection:
        for statement in said.split(";\n\n"):
            with contextlib.suppress(psycopg2.Error):
                connection.cursor().execute(statement)
    assert schema(url) == before


def test_an_offline_step_from_elsewhere_aborts(empty_url: str) -> None:
    succeed("upgrade", "001", url=empty_url)
    script = run_alembic("downgrade", "002:001", "--sql")
    assert script.returncode == 0, script.stderr
    done = run(psql(), "-X", "-q", "-d", empty_url, "-c", script.stdout.replace("\\set ON_ERROR_STOP on", ""))
    assert "this script starts at revision 002, and the database is at 001" in done.stderr


def test_offline_works_after_a_downgrade_to_base(empty_url: str, script: pathlib.Path) -> None:
    succeed("upgrade", "001", url=empty_url)
    succeed("downgrade", "base", url=empty_url)
    done = run(psql(), "-X", "-q", "-d", empty_url, "-f", script)
    assert done.returncode == 0, done.stderr
    assert rows(empty_url, "SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]


def test_every_column_is_classified(url: str) -> None:
    found = rows(
        url,
        "SELECT table_name, column_name, col_description(format('public.%I', table_name)::regclass,"
        " ordinal_position) FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version'",
    )
    assert len(found) > 150
    unclassified = [
        (table, column)
        for table, column, comment in found
        if str(comment).partition(": ")[0] not in CLASSES or not str(comment).partition(": ")[2]
    ]
    assert unclassified == []


def test_every_table_has_a_purpose_and_belongs_to_the_owner_role(url: str) -> None:
    found = rows(
        url,
        "SELECT relname, pg_get_userbyid(relowner), obj_description(oid) IS NOT NULL FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND relname <> 'alembic_version'",
    )
    assert len(found) >= 19
    assert [row for row in found if row[1:] != ("agent_owner", True)] == []


def test_every_constraint_and_index_is_named_by_the_convention(url: str) -> None:
    found = rows(
        url,
        "SELECT conrelid::regclass::text, conname, contype FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n' AND coninhcount = 0"
        " UNION ALL SELECT indrelid::regclass::text, indexrelid::regclass::text, 'i' FROM pg_index"
        " WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)",
    )
    ending = {"p": "_pkey", "f": "_fkey", "u": "_key", "c": "_check", "x": "_excl"}
    wrong = [
        (table, name)
        for table, name, kind in found
        if table != "alembic_version"
        and not (
            str(name).startswith(f"{table}_")
            and str(name).endswith(
                (ending[str(kind)],) if kind != "i" else ("_idx", "_key", "_pkey", "_excl")
            )
        )
    ]
    assert len(found) > 100
    assert wrong == []


def test_every_foreign_key_has_an_index_for_its_deletes(url: str) -> None:
    found = rows(
        url,
        "SELECT conname FROM pg_constraint AS link WHERE contype = 'f' AND NOT EXISTS ("
        " SELECT FROM pg_index WHERE indrelid = conrelid AND indpred IS NULL"
        " AND (string_to_array(indkey::text, ' ')::smallint[])[1:cardinality(conkey)] @> conkey)",
    )
    assert rows(url, "SELECT count(*) > 20 FROM pg_constraint WHERE contype = 'f'") == [(True,)]
    assert found == []


def test_analytics_has_no_column_called_month(url: str) -> None:
    names = rows(url, "SELECT column_name FROM information_schema.columns WHERE table_name = 'analytics'")
    assert ("created_at",) in names
    assert ("month",) not in names


PERSONAL = {
    "email": "'a@b.org'", "email_hmac": "sha256('a')", "display_name": "'A'", "country_code": "'FR'",
    "birth_year": "1990", "locale": "'fr'", "time_zone": "'Europe/Paris'",
}  # fmt: skip


def test_an_erased_person_keeps_nothing_but_random_keys(url: str) -> None:
    classified = rows(
        url,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0"
        " AND col_description(attrelid, attnum) NOT LIKE 'none: %'",
    )
    assert {str(name) for (name,) in classified} == {*PERSONAL, "id", "public_id", "email_canonical"}
    erase = "UPDATE users SET status = 'erased', erased_at = now()"
    with connected(url) as connection, connection.cursor() as cursor:
        for column, value in PERSONAL.items():
            cursor.execute(f"DELETE FROM users; INSERT INTO users ({column}) VALUES ({value})")
            with pytest.raises(psycopg2.errors.CheckViolation, match="users_erased_check"):
                cursor.execute(erase)
        cursor.execute("DELETE FROM users; INSERT INTO users DEFAULT VALUES")
        cursor.execute(erase)
        assert cursor.rowcount == 1
        cursor.execute("SELECT email_canonical = id::text FROM users")
        assert cursor.fetchall() == [(True,)]


NO_SENSE = (
    "INSERT INTO users (erased_at) VALUES (now())",
    "INSERT INTO users (email_hmac) VALUES ('x')",
    "INSERT INTO analytics (event_name, properties) VALUES ('a', '[1]')",
    "INSERT INTO analytics (event_name, properties)"
    " VALUES ('a', jsonb_build_object('k', repeat('x', 65536)))",
    "INSERT INTO consent_purposes VALUES ('x', 'consent', 'x', INTERVAL '-1 day')",
    "INSERT INTO albums (title, release_date, source) VALUES ('x', '2020-01-01', 'internal')",
)


def test_a_value_that_makes_no_sense_is_refused(url: str) -> None:
    for statement in NO_SENSE:
        with pytest.raises(psycopg2.errors.CheckViolation):
            rows(url, statement)


def test_a_login_elsewhere_belongs_to_one_person(url: str) -> None:
    rows(url, "INSERT INTO users (id) VALUES (1), (2)")
    login = "INSERT INTO user_identities (user_id, provider, provider_user_id) VALUES (%s, 'spotify', 'luis')"
    rows(url, login, (1,))
    with pytest.raises(
        psycopg2.errors.UniqueViolation, match="user_identities_provider_provider_user_id_key"
    ):
        rows(url, login, (2,))


def test_what_another_made_before_is_left_alone_on_the_way_back(empty_url: str) -> None:
    rows(empty_url, "CREATE SCHEMA ops; COMMENT ON SCHEMA ops IS 'ours'; CREATE EXTENSION pg_trgm")
    before = schema(empty_url)
    succeed("upgrade", "head", url=empty_url)
    succeed("downgrade", "base", url=empty_url)
    assert schema(empty_url) == before


def test_an_extension_in_another_schema_is_refused_with_the_fix(empty_url: str) -> None:
    rows(empty_url, "CREATE SCHEMA extensions; CREATE EXTENSION pg_trgm SCHEMA extensions")
    done = run_alembic("upgrade", "head", url=empty_url)
    assert done.stderr.splitlines()[-2:] == [
        'error: upgrade of revision 001_schema failed: extension "pg_trgm" is in another schema than public',
        "Hint: as its owner run ALTER EXTENSION pg_trgm SET SCHEMA public;",
    ]


def test_offline_text_is_as_it_was_written(
    checkout: Checkout, empty_url: str, tmp_path: pathlib.Path
) -> None:
    text = "tab\there, %s, :name, é, \\ and it''s"
    number = checkout.add(f"execute(\"COMMENT ON SCHEMA ops IS E'{text}' -- a note\")\nexecute('SELECT 1')")
    script = tmp_path / "script.sql"
    done = checkout.alembic("upgrade", "head", "--sql")
    assert done.returncode == 0, done.stderr
    script.write_text(done.stdout)
    loaded = run(psql(), "-X", "-q", "-d", empty_url, "-f", script, PGCLIENTENCODING="LATIN1")
    assert loaded.returncode == 0, loaded.stderr
    comment = "SELECT obj_description('ops'::regnamespace)"
    offline = rows(empty_url, comment)
    assert checkout.alembic("downgrade", str(int(number) - 1).zfill(3), url=empty_url).returncode == 0
    rows(empty_url, "COMMENT ON SCHEMA ops IS NULL")
    assert checkout.alembic("upgrade", "head", url=empty_url).returncode == 0
    assert offline == rows(empty_url, comment)
    assert "tab\there" in str(offline[0][0])


def test_an_offline_script_waits_for_no_running_migration(empty_url: str, script: pathlib.Path) -> None:
    succeed("upgrade", "001", url=empty_url)
    succeed("downgrade", "base", url=empty_url)
    with (
        connected(empty_url, autocommit=False) as running,
        advisory_lock(running, lock_key("alembic_version"), wait_ms=0),
    ):
        done = run(psql(), "-X", "-q", "-d", empty_url, "-f", script)
    assert done.returncode == 3
    assert "another migration of this database is running" in done.stderr
    assert rows(empty_url, "SELECT to_regclass('alembic_version')::text") == [("alembic_version",)]


TAGS = {
    "fr": True, "fr-CA": True, "zh-Hant-TW": True, "es-419": True, "de-DE-1996": True,
    "FR_fr": False, "fr-ca": False, "french": False,
}  # fmt: skip


def test_a_locale_is_a_bcp_47_tag(url: str) -> None:
    query = "SELECT CASE WHEN %(tag)s::locale_tag IS NOT NULL THEN true END"
    for tag, accepted in TAGS.items():
        if accepted:
            assert rows(url, query, {"tag": tag}) == [(True,)]
        else:
            with pytest.raises(Exception, match="locale_tag_check"):
                rows(url, query, {"tag": tag})


def test_the_slug_of_a_revision_is_found_for_type_checkers_too() -> None:
    stubs = {file.stem for file in (ROOT / "versions").glob("*.pyi")}
    slugs = {revision.slug for revision in discover()}
    rooms = {folder.name for folder in (ROOT / "versions").iterdir() if (folder / "__init__.py").exists()}
    assert stubs == slugs - rooms
    for slug in stubs:
        done = run(sys.executable, "-c", f"from versions.{slug} import upgrade, downgrade")
        assert done.returncode == 0, done.stderr


def test_a_role_that_another_database_drops_at_this_moment_is_no_failure(
    checkout: Checkout, empty_url: str
) -> None:
    # The real roles are in use by the databases of other tests: one that nobody uses stands for them.
    leaving = f"leaving_{uuid.uuid4().hex[:8]}"
    file = checkout.versions / "001_schema.py"
    file.write_text(file.read_text().replace("'agent_privacy')", f"'agent_privacy', '{leaving}')"))
    assert checkout.alembic("upgrade", "001", url=empty_url).returncode == 0
    rows(empty_url, f"CREATE ROLE {leaving}")
    rows(empty_url, f"COMMENT ON ROLE {leaving} IS 'made by spotify-ai-agent-migrations'")
    with connected(empty_url, autocommit=False) as another:
        another.cursor().execute(f"DROP ROLE {leaving}")
        process = checkout.start("-x", "tries=1", "downgrade", "base", url=empty_url)
        until(lambda: rows(empty_url, WAITING) == [(1,)])
        another.commit()
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    assert rows(empty_url, "SELECT count(*) FROM pg_roles WHERE rolname = %s", (leaving,)) == [(0,)]


def test_a_database_on_its_way_to_base_leaves_the_roles_that_others_count_on(
    checkout: Checkout, databases: Databases, empty_url: str
) -> None:
    # The real roles are held by the databases of other tests: one that these two share alone stands for them.
    role = f"app_{uuid.uuid4().hex[:8]}"
    for file in checkout.versions.glob("[0-9]*.py"):
        file.write_text(re.sub(r"\bagent_app\b", role, file.read_text()))
    other = databases.url(databases.create())
    assert checkout.alembic("upgrade", "001", url=empty_url).returncode == 0
    for arguments in (("upgrade", "001"), ("downgrade", "base")):
        assert checkout.alembic(*arguments, url=other).returncode == 0
    done = checkout.alembic("upgrade", "003", url=empty_url)
    assert done.returncode == 0, done.stderr
    # The last one takes the role with it.
    assert checkout.alembic("downgrade", "base", url=empty_url).returncode == 0
    assert rows(other, "SELECT count(*) FROM pg_roles WHERE rolname = %s", (role,)) == [(0,)]
