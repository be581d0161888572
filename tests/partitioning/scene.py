"""What the tests of partitioning share: a table with everything about it that a conversion has to carry."""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, schema_objects
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import facts, incoming
from spotify_ai_agent_migrations.versions.partitioning.convert import bound_rows, build_key, swap
from spotify_ai_agent_migrations.versions.partitioning.periods import Period, literal
from spotify_ai_agent_migrations.versions.partitioning.run import converted
from spotify_ai_agent_migrations.versions.partitioning.session import Session, opened
from support import connected, rows

ROLES = ("part_rw", "part_ro")

# Identity, a dropped and a generated column, a serial; partial, expression, unique and GIN indexes; statistics,
# options, comments, triggers of both kinds and states, column grants, forced row security, a publication, views,
# and foreign keys out and in.
SCENE = """
CREATE TABLE tenants (id bigint PRIMARY KEY, name text);
INSERT INTO tenants SELECT n, 'tenant ' || n FROM generate_series(1, 5) AS n;
CREATE TABLE "Odd" (
    id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 1 CACHE 5) CONSTRAINT odd_pkey PRIMARY KEY,
    gone text,
    serial_no serial,
    tenant_id bigint NOT NULL CONSTRAINT odd_tenant_fkey REFERENCES tenants (id) ON DELETE CASCADE,
    payload jsonb NOT NULL DEFAULT '{}',
    amount numeric CONSTRAINT odd_amount_check CHECK (amount >= 0),
    doubled numeric GENERATED ALWAYS AS (amount * 2) STORED,
    touched int NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);
ALTER TABLE "Odd" DROP COLUMN gone;
ALTER TABLE "Odd" ALTER COLUMN tenant_id SET STATISTICS 500;
ALTER TABLE "Odd" ALTER COLUMN amount SET (n_distinct = 100);
ALTER TABLE "Odd" ALTER COLUMN payload SET STORAGE external;
CREATE STATISTICS odd_stat (dependencies) ON tenant_id, amount FROM "Odd";
COMMENT ON STATISTICS odd_stat IS 'linked';
CREATE INDEX odd_at_idx ON "Odd" (at);
CREATE INDEX odd_partial_idx ON "Odd" (tenant_id, at DESC) WHERE amount > 10;
CREATE INDEX odd_expression_idx ON "Odd" ((payload ->> 'k'));
CREATE INDEX odd_gin_idx ON "Odd" USING gin (payload);
CREATE UNIQUE INDEX odd_unique_idx ON "Odd" (serial_no, at);
ALTER TABLE "Odd" ADD CONSTRAINT odd_tenant_serial_key UNIQUE (tenant_id, serial_no, at);
COMMENT ON TABLE "Odd" IS 'an odd table';
COMMENT ON COLUMN "Odd".amount IS 'none: how much';
COMMENT ON INDEX odd_at_idx IS 'by time';
COMMENT ON CONSTRAINT odd_amount_check ON "Odd" IS 'no debts';
COMMENT ON CONSTRAINT odd_pkey ON "Odd" IS 'the key';
CREATE TABLE heard (what text, many bigint);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END $$;
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO heard SELECT TG_OP, count(*) FROM new_rows; RETURN NULL; END $$;
CREATE TRIGGER odd_touch BEFORE UPDATE ON "Odd" FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER odd_hear AFTER INSERT ON "Odd" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION hear();
CREATE TRIGGER odd_off BEFORE DELETE ON "Odd" FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE "Odd" DISABLE TRIGGER odd_off;
ALTER TABLE "Odd" ENABLE ALWAYS TRIGGER odd_touch;
COMMENT ON TRIGGER odd_touch ON "Odd" IS 'counts';
GRANT SELECT, INSERT, UPDATE, DELETE ON "Odd" TO part_rw;
GRANT INSERT ON heard TO part_rw;
GRANT SELECT (id, at) ON "Odd" TO part_ro;
GRANT USAGE ON SEQUENCE "Odd_id_seq", "Odd_serial_no_seq" TO part_rw;
ALTER TABLE "Odd" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Odd" FORCE ROW LEVEL SECURITY;
CREATE POLICY odd_rw ON "Odd" TO part_rw USING (tenant_id = 1) WITH CHECK (tenant_id = 1);
CREATE POLICY odd_ro ON "Odd" AS PERMISSIVE FOR SELECT TO part_ro, PUBLIC USING (tenant_id < 3);
CREATE VIEW recent WITH (security_barrier = true) AS SELECT id, amount FROM "Odd" WHERE at > now() - interval '7 days';
CREATE VIEW recent_names AS SELECT tenants.name, "Odd".id FROM "Odd" JOIN tenants ON tenants.id = tenant_id;
CREATE VIEW above AS SELECT count(*) AS many FROM recent;
GRANT SELECT ON recent TO part_ro;
CREATE TABLE notes (id bigserial PRIMARY KEY, odd_id bigint CONSTRAINT notes_odd_id_fkey REFERENCES "Odd" (id) ON DELETE CASCADE, text text);
CREATE INDEX notes_odd_id_idx ON notes (odd_id);
COMMENT ON CONSTRAINT notes_odd_id_fkey ON notes IS 'about what';
CREATE PUBLICATION odd_publication FOR TABLE "Odd", notes (id, odd_id, text);
INSERT INTO "Odd" (tenant_id, payload, amount, at)
SELECT n % 5 + 1, jsonb_build_object('k', n), n % 100, now() - n * interval '6 hours'
  FROM generate_series(1, 2000) AS n;
INSERT INTO notes (odd_id, text) SELECT n, 'note ' || n FROM generate_series(1, 500) AS n;
INSERT INTO notes (odd_id, text) VALUES (NULL, 'about nothing');
TRUNCATE heard;
"""


def settings(url: str) -> Settings:
    return resolve_settings(url)


def build(url: str, scene: str = SCENE) -> None:
    """Make the scene; the roles belong to the server and stay."""
    with connected(url) as connection, connection.cursor() as cursor:
        for role in ROLES:
            cursor.execute(
                f"SELECT pg_advisory_xact_lock(7); DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$"
            )
        cursor.execute(scene)


def schema(url: str) -> tuple[SchemaObject, ...]:
    with connected(url, autocommit=False) as connection:
        return schema_objects(connection)


def converted_in_the_past(url: str) -> str:
    """Convert the scene's table as if months ago: its first partition ends with the month before; return where."""
    ((bound,),) = rows(
        url, "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC'), 'YYYY-MM-DD 00:00:00+00')"
    )
    rows(url, 'DELETE FROM notes WHERE odd_id IN (SELECT id FROM "Odd" WHERE at >= %s)', (bound,))
    rows(url, 'DELETE FROM "Odd" WHERE at >= %s', (bound,))
    with opened(settings(url), "test") as connection:
        session = Session(connection)
        table = facts.table(session, '"Odd"', "at")
        build_key(session, table, None)
        incoming.prepare(session, table)
        bound_rows(session, table, None, str(bound))
        swap(session, table, str(bound))
        converted(session, '"Odd"', "at", Period.MONTH, 1)
    return str(bound)


def everything(url: str, table: str = '"Odd"') -> list[tuple[object, ...]]:
    return rows(url, f"SELECT * FROM {table} ORDER BY 1, 2")


def in_the_past(
    url: str, name: str, *, key: str = "at", period: Period = Period.MONTH, bound: str | None = None
) -> None:
    """Convert a small table of a test as if months ago; its rows are all older than this month."""
    with opened(settings(url), "test") as connection:
        session = Session(connection)
        table = facts.table(session, name, key)
        until = bound or literal(table.kind, period.start_of(facts.clock(session)[0]))
        build_key(session, table, None)
        incoming.prepare(session, table)
        bound_rows(session, table, None, until)
        swap(session, table, until)
        converted(session, name, key, period, 1)
