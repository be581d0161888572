"""Equal schemas have equal fingerprints, and any difference shows."""

from __future__ import annotations

import pytest

from spotify_ai_agent_migrations.versions.core.fingerprint import fingerprint, schema_objects
from support import connected

BASE = """
    CREATE SCHEMA s;
    CREATE DOMAIN s.d AS text CONSTRAINT d_check CHECK (VALUE <> '');
    CREATE TYPE s.e AS ENUM ('a', 'b');
    CREATE TABLE s.t (id bigserial CONSTRAINT t_pkey PRIMARY KEY, v integer, w s.d);
    CREATE INDEX t_v_idx ON s.t (v);
    CREATE TABLE s.child (t_id bigint CONSTRAINT child_t_id_fkey REFERENCES s.t);
    CREATE TYPE s.span AS RANGE (subtype = date);
    CREATE VIEW s.view AS SELECT id FROM s.t;
    CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t_f BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();
    CREATE POLICY p ON s.t USING (v > 0);
    CREATE STATISTICS s.stats ON id, v FROM s.t;
"""

CHANGES = {
    "comment": "COMMENT ON COLUMN s.t.v IS 'changed'",
    "default": "ALTER TABLE s.t ALTER v SET DEFAULT 1",
    "not null": "ALTER TABLE s.t ALTER v SET NOT NULL",
    "type": "ALTER TABLE s.t ALTER w TYPE text",
    "statistics target": "ALTER TABLE s.t ALTER v SET STATISTICS 7",
    "constraint": "ALTER TABLE s.t ADD CONSTRAINT t_v_check CHECK (v > 0) NOT VALID",
    "index": "DROP INDEX s.t_v_idx",
    "storage option": "ALTER TABLE s.t SET (fillfactor = 70)",
    "view": "CREATE OR REPLACE VIEW s.view AS SELECT id + 0 AS id FROM s.t",
    "function": "CREATE OR REPLACE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "trigger off": "ALTER TABLE s.t DISABLE TRIGGER t_f",
    "foreign key off": "ALTER TABLE s.child DISABLE TRIGGER ALL",
    "range": "DROP TYPE s.span; CREATE TYPE s.span AS RANGE (subtype = bigint)",
    "row security": "ALTER TABLE s.t ENABLE ROW LEVEL SECURITY",
    "policy": "ALTER POLICY p ON s.t USING (v > 1)",
    "table grant": "GRANT SELECT ON s.t TO PUBLIC",
    "column grant": "GRANT SELECT (v) ON s.t TO PUBLIC",
    "function grant": "REVOKE EXECUTE ON FUNCTION s.f() FROM PUBLIC",
    "schema grant": "GRANT USAGE ON SCHEMA s TO PUBLIC",
    "enum label": "ALTER TYPE s.e ADD VALUE 'c'",
    "domain": "ALTER DOMAIN s.d ADD CONSTRAINT d_length_check CHECK (length(VALUE) < 9)",
    "sequence": "ALTER SEQUENCE s.t_id_seq INCREMENT 2",
    "statistics": "DROP STATISTICS s.stats",
    "rule": "CREATE RULE r AS ON DELETE TO s.t DO INSTEAD NOTHING",
    "default privileges": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "publication": "CREATE PUBLICATION pub FOR TABLE s.t",
    "extension": "CREATE EXTENSION pg_trgm",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_difference_shows(empty_url: str, change: str) -> None:
    with connected(empty_url, autocommit=False) as connection:
        connection.cursor().execute(BASE)
        before = fingerprint(connection)
        assert before == fingerprint(connection)
        connection.cursor().execute(change)
        assert fingerprint(connection) != before


def test_it_does_not_depend_on_the_search_path_and_leaves_it_alone(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(BASE)
        before = schema_objects(connection)
        cursor.execute("SET search_path = s")
        assert schema_objects(connection) == before
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("s",)


def test_a_grant_taken_back_leaves_no_trace(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as connection:
        connection.cursor().execute(BASE)
        before = schema_objects(connection)
        connection.cursor().execute("GRANT SELECT ON s.t TO PUBLIC; REVOKE SELECT ON s.t FROM PUBLIC")
        assert schema_objects(connection) == before
