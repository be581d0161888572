"""What differs from the journal is told, refused in production, and taken back by the SQL that is shown."""

from __future__ import annotations

import sys

import pytest

from spotify_ai_agent_migrations.versions.core.fingerprint import hashed, lasting, schema_objects
from spotify_ai_agent_migrations.versions.runner.drift import find_drift, repairs
from support import HEAD, connected, rows, run, run_alembic

DRIFTS = {
    "a default": ("ALTER TABLE users ALTER locale SET DEFAULT 'de'", ["changed column public.users.locale: default was 'en'::text, is 'de'::text"]),
    "a type": ("ALTER TABLE tracks ALTER track_number TYPE bigint", ["changed column public.tracks.track_number: type was smallint, is bigint"]),
    "NOT NULL": ("ALTER TABLE listens ALTER listened_at DROP NOT NULL", None),
    "a comment": ("COMMENT ON COLUMN users.email IS 'contact: nothing'", ["changed column public.users.email: comment was contact: sign-in and notices, is contact: nothing"]),
    "the comment of a table": ("COMMENT ON TABLE users IS NULL", ["changed relation public.users: comment was One row a person; an erased person leaves a row without personal data, is nothing"]),
    "statistics": ("ALTER TABLE users ALTER email SET STATISTICS 500", ["changed column public.users.email: statistics target was -1, is 500"]),
    "a check": ("ALTER TABLE listens DROP CONSTRAINT listens_ms_played_check", ["removed constraint public.listens.listens_ms_played_check"]),
    "a foreign key": ("ALTER TABLE listens DROP CONSTRAINT listens_user_id_fkey", ["removed constraint public.listens.listens_user_id_fkey"]),
    "a constraint more": ("ALTER TABLE users ADD CONSTRAINT more_check CHECK (id > 0)", ["added constraint public.users.more_check"]),
    "an index": ("DROP INDEX analytics_created_at_idx", ["removed index public.analytics_created_at_idx"]),
    "an index more": ("CREATE INDEX more_idx ON users (created_at)", ["added index public.more_idx"]),
    "an invalid index": ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'listens_listened_at_idx'::regclass", ["changed index public.listens_listened_at_idx: valid was true, is false"]),
    "row security": ("ALTER TABLE consent DISABLE ROW LEVEL SECURITY", ["changed relation public.consent: row security was true, is false"]),
    "a policy": ("DROP POLICY users_app ON users", ["removed policy public.users.users_app"]),
    "a policy that lets all in": ("ALTER POLICY users_app ON users USING (true)", ["changed policy public.users.users_app: using was (id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::bigint), is true"]),
    "a trigger": ("DROP TRIGGER users_updated_at ON users", ["removed trigger public.users.users_updated_at"]),
    "a trigger switched off": ("ALTER TABLE users DISABLE TRIGGER users_updated_at", ["changed trigger public.users.users_updated_at: enabled was O, is D"]),
    "a function": ("DROP FUNCTION isrc_v1(text)", ["removed routine public.isrc_v1(text)"]),
    "a function more": ("CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'", ["added routine public.more()"]),
    "the owner of a function": ("ALTER FUNCTION isrc_v1(text) OWNER TO CURRENT_USER", None),
    "a grant": ("REVOKE SELECT ON users FROM agent_app", None),
    "a grant more": ("GRANT DELETE ON audit_log TO agent_app", None),
    "storage parameters": ("ALTER TABLE users SET (fillfactor = 70)", ['changed relation public.users: options was nothing, is ["fillfactor=70"]']),
    "a view": ("CREATE OR REPLACE VIEW analyst_consent AS SELECT purpose, granted, policy_version, count(*) + 0 AS people FROM consent GROUP BY purpose, granted, policy_version", None),
    "a domain": ("ALTER DOMAIN upc DROP CONSTRAINT upc_check", ["removed domain constraint public.upc.upc_check"]),
    "an extension more": ("CREATE EXTENSION btree_gin", None),
    "a schema more": ("CREATE SCHEMA more", ["added schema more"]),
    "a table less": ("DROP TABLE playlist_collaborators CASCADE", None),
}  # fmt: skip


def say(url: str, *arguments: str) -> tuple[int, str, str]:
    done = run(sys.executable, "-m", "spotify_ai_agent_migrations", "governance", *arguments, url=url)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", DRIFTS)
def test_a_drift_is_told_and_its_sql_takes_it_back(url: str, name: str) -> None:
    statement, told = DRIFTS[name]
    with connected(url, autocommit=False) as connection:
        before = hashed(lasting(schema_objects(connection)))
        assert not find_drift(connection)
        connection.cursor().execute(statement)
        connection.commit()
        found = find_drift(connection)
        assert found
        if told is not None:
            assert list(map(str, found.differences)) == told
        undone = [statement for _, statements in repairs(found.differences) for statement in statements]
    assert undone
    assert [said for said in undone if said.startswith("--")] == []
    for said in undone:
        rows(url, said.replace("%", "%%"))
    with connected(url, autocommit=False) as connection:
        assert find_drift(connection).differences == ()
        # A table that was made again has its columns in another order of creation, and no more.
        assert (hashed(lasting(schema_objects(connection))) == before) or name == "a table less"


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("CREATE TABLE more (id bigint)", "    -- destroys its rows: DROP TABLE public.more;"),
        ("ALTER TABLE users ADD COLUMN more integer", "    -- destroys its values: ALTER TABLE public.users DROP COLUMN more;"),
        ("CREATE PUBLICATION more", "    -- publication more: compare it by hand"),
    ],
)  # fmt: skip
def test_what_would_destroy_rows_or_has_no_statement_is_a_comment(
    url: str, statement: str, shown: str
) -> None:
    rows(url, statement)
    code, out, _ = say(url, "drift")
    assert code == 3
    assert shown in out.splitlines()


def test_partitions_that_come_and_go_are_no_drift(url: str) -> None:
    assert run_alembic("downgrade", "-1", url=url).returncode == 0
    assert run_alembic("upgrade", "head", url=url).returncode == 0
    rows(url, "INSERT INTO ai_models (name, task, owner, description) VALUES ('ear', 'embedding', 't', 'd')")
    rows(url, "INSERT INTO model_versions (model_id, version, dimensions, status) SELECT max(id), 1, 4, 'ready' FROM ai_models")  # fmt: skip
    rows(url, "SELECT add_embedding_partition_v1((SELECT max(id) FROM model_versions))")
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'track_embeddings'::regclass"
    assert rows(url, partitions) == [(1,)]
    assert say(url, "drift")[:2] == (0, "nothing differs from the journal\n")


def test_in_development_a_drift_is_said_and_in_production_it_is_refused(url: str) -> None:
    rows(url, "CREATE INDEX more_idx ON users (created_at)")
    done = run_alembic("downgrade", "-1", url=url, MIGRATIONS_ENV="production")
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        3,
        [
            "error: 1 object of the schema differs from the journal; nothing was executed",
            "Hint: `agentdb governance drift` shows what differs and the SQL that takes it back; to go on with it "
            'say -x accept-drift=1 -x reason="…"',
        ],
    )
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    done = run_alembic("-x", "accept-drift=1", "upgrade", "head", url=url, MIGRATIONS_ENV="production")
    assert done.returncode == 2
    assert "an exception is made for a reason, and none was given" in done.stderr
    # To accept what differs lets nobody past what production has to see first.
    accepted = ("-x", "accept-drift=1", "-x", "reason=made by hand")
    done = run_alembic(*accepted, "downgrade", "-1", url=url, MIGRATIONS_ENV="production")
    assert (done.returncode, "production does not run the downgrade" in done.stderr) == (3, True)
    broken = ("-x", "break-glass=1", "-x", "reason=made by hand", "downgrade", "-1")
    done = run_alembic(*broken, url=url, MIGRATIONS_ENV="production")
    assert done.returncode == 0, done.stderr
    said = (
        "SELECT direction, state, reason FROM ops.migration_journal WHERE reason = 'made by hand' ORDER BY id"
    )
    assert rows(url, said) == [
        ("accept", "applied", "made by hand"),
        ("downgrade", "overridden", "made by hand"),
        ("downgrade", "started", "made by hand"),
        ("downgrade", "applied", "made by hand"),
    ]
    rows(url, "DROP INDEX more_idx")
    done = run_alembic("upgrade", "head", url=url)
    assert done.returncode == 0
    assert "1 object of the schema differs from the journal; `agentdb governance drift`" in done.stderr


def test_a_schema_that_was_described_otherwise_is_described_anew(url: str) -> None:
    rows(url, "UPDATE ops.migration_state SET described_by = '0 on PostgreSQL 14', fingerprint = 'x'")
    code, out, _ = say(url, "drift")
    assert code == 0
    assert out.startswith("the schema was described by 0 on PostgreSQL 14, and is by ")
    assert run_alembic("upgrade", "head", url=url, MIGRATIONS_ENV="production").returncode == 0
    assert say(url, "drift")[:2] == (0, "nothing differs from the journal\n")
