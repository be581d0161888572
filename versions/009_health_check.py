"""Health check: the role that may look, the checks as views and functions, and what was measured before.

Locks: none on existing tables; what it makes is new.
Reverse: lossy; forgets what was measured before. The role stays where another database still uses it.
Data: seed; the checks of this build, and how long what was measured is kept.
Needs: membership of agent_owner; CREATEROLE, or that role agent_monitor exists. Whoever may not grant pg_monitor
    leaves that to an administrator, and a check that lacks it says so.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute
from spotify_ai_agent_migrations.versions.health_check.published import published

revision = "009"
down_revision = "008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute(_CREATE_ROLE)
    execute(_GRANT_MONITOR)
    # Whoever owns the database grants this; the owner role may not.
    execute("GRANT USAGE ON SCHEMA public TO agent_monitor")
    with as_owner():
        _create_tables()
        execute(_READERS)
        execute(_ASKED)
        execute(_HEALTH)
        execute(_GRANTS)
        execute(published())


def downgrade() -> None:
    with as_owner():
        execute(_FORGET)
        op.drop_table("health_history", schema="ops")
        op.drop_table("health_checks", schema="ops")
    execute("REVOKE USAGE ON SCHEMA public FROM agent_monitor")
    execute(_REVOKE_MONITOR)
    execute(_DROP_ROLE)


def _create_tables() -> None:
    op.create_table(
        "health_checks",
        sa.Column("check_id", sa.Text, nullable=False, comment="none: group and name of the check"),
        sa.Column("since", sa.Integer, nullable=False, comment="none: first version of the server that the statement suits"),
        sa.Column("title", sa.Text, nullable=False, comment="none: what is looked at"),
        sa.Column("why", sa.Text, nullable=False, comment="none: why it matters"),
        sa.Column("summary", sa.Text, nullable=False, comment="none: what is said of a finding; names in braces stand for its values"),
        sa.Column("statement", sa.Text, nullable=False, comment="none: what is asked; $1 is the limit of a warning, $2 that of what is critical"),
        sa.Column("warning", sa.Double, comment="none: from where on it is a warning"),
        sa.Column("critical", sa.Double, comment="none: from where on it is critical"),
        sa.Column("unit", sa.Text, nullable=False, comment="none: of the limits"),
        sa.Column("falling", sa.Boolean, nullable=False, comment="none: whether less is worse"),
        sa.Column("on_primary", sa.Boolean, nullable=False, comment="none: whether it is asked of a primary"),
        sa.Column("on_standby", sa.Boolean, nullable=False, comment="none: whether it is asked of a standby"),
        sa.Column("watching", sa.Boolean, nullable=False, comment="none: whether it looks at the sessions of others"),
        sa.Column("probed", sa.Boolean, nullable=False, comment="none: whether what it gives are questions to be asked"),
        sa.Column("most_s", sa.Double, nullable=False, comment="none: how many seconds those may take"),
        sa.Column("needs", sa.Text, nullable=False, comment="none: grant without which the server refuses it"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: table without which there is nothing to ask"),
        sa.PrimaryKeyConstraint("check_id", "since", name="health_checks_pkey"),
        comment="The checks that functions and views of this schema ask, as the build that published them has them",
        schema="ops",
    )
    op.create_table(
        "health_history",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the entry"),
        sa.Column("taken_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was measured"),
        sa.Column("database", sa.Text, nullable=False, comment="none: database that was asked"),
        sa.Column("check_id", sa.Text, nullable=False, comment="none: check that measured it"),
        sa.Column("kind", sa.Text, nullable=False, comment="none: kind of what was measured, such as a table or a sequence"),
        sa.Column("schema_name", sa.Text, comment="none: schema of what was measured, if it is in one"),
        sa.Column("name", sa.Text, nullable=False, comment="none: name of what was measured"),
        sa.Column("fingerprint", sa.Text, nullable=False, comment="none: the same for the same thing in every run"),
        sa.Column("state", sa.Text, nullable=False, comment="none: state it was in"),
        sa.Column("measure", sa.Double, comment="none: what was measured"),
        sa.Column("unit", sa.Text, server_default="", nullable=False, comment="none: of what was measured"),
        sa.PrimaryKeyConstraint("id", name="health_history_pkey"),
        sa.CheckConstraint("state IN ('critical', 'unknown', 'warning', 'info', 'ok', 'suppressed', 'skipped')", name="health_history_state_check"),
        comment="What health checks measured before, where that is wanted",
        schema="ops",
    )
    op.create_index("health_history_fingerprint_taken_at_idx", "health_history", ["fingerprint", "taken_at"], schema="ops")
    op.create_index("health_history_taken_at_idx", "health_history", ["taken_at"], schema="ops", postgresql_using="brin")


# The role ----------------------------------------------------------------------------------------------

# Roles belong to the whole cluster: another database may have made it, or be making it right now.
_CREATE_ROLE = """
DO $revision$
DECLARE
    may_create boolean;
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = 'agent_monitor') THEN
        RETURN;
    END IF;
    SELECT role.rolsuper OR role.rolcreaterole
      INTO may_create
      FROM pg_catalog.pg_roles AS role
     WHERE role.rolname = current_user;
    IF NOT may_create THEN
        RAISE EXCEPTION 'role "agent_monitor" does not exist, and "%" lacks CREATEROLE to create it', current_user
              USING ERRCODE = 'insufficient_privilege',
                    HINT = 'as an administrator run CREATE ROLE agent_monitor; GRANT pg_monitor TO agent_monitor;';
    END IF;
    BEGIN
        CREATE ROLE agent_monitor NOLOGIN;
        COMMENT ON ROLE agent_monitor IS 'made by spotify-ai-agent-migrations';
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN
            NULL;
    END;
END
$revision$
"""

# What only an administrator may grant; a check that lacks it is unknown, and says which grant would cure it.
# Five are functions that show what the server reads of its own files, and which files there are. The sixth is of the
# administrator, who alone may read how passwords are kept.
_GRANT_MONITOR = """
DO $revision$
DECLARE
    may_grant CONSTANT boolean := (SELECT role.rolsuper FROM pg_catalog.pg_roles AS role WHERE role.rolname = current_user);
BEGIN
    IF NOT pg_catalog.pg_has_role('agent_monitor', 'pg_monitor', 'USAGE') THEN
        BEGIN
            GRANT pg_monitor TO agent_monitor;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'as an administrator run GRANT pg_monitor TO agent_monitor;';
            WHEN unique_violation OR internal_error THEN
                -- Another database of the cluster grants it at this moment.
                NULL;
        END;
    END IF;
    IF may_grant THEN
        GRANT SELECT ON pg_catalog.pg_hba_file_rules, pg_catalog.pg_file_settings TO agent_monitor;
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules(), pg_catalog.pg_show_all_file_settings(),
              pg_catalog.pg_stat_file(text, boolean), pg_catalog.pg_ls_dir(text), pg_catalog.pg_current_logfile()
              TO agent_monitor;
        CREATE FUNCTION ops.health_md5_v1() RETURNS SETOF name
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
            SELECT role.rolname FROM pg_authid AS role WHERE role.rolcanlogin AND starts_with(role.rolpassword, 'md5');
        $function$;
        COMMENT ON FUNCTION ops.health_md5_v1() IS
            'Which logins have a password that is kept by MD5; the caller sees no password, nor what it is kept as';
        REVOKE ALL ON FUNCTION ops.health_md5_v1() FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION ops.health_md5_v1() TO agent_monitor;
    ELSE
        RAISE NOTICE 'what the configuration files say is for an administrator to grant to agent_monitor';
    END IF;
END
$revision$
"""

_REVOKE_MONITOR = """
DO $revision$
BEGIN
    IF (SELECT role.rolsuper FROM pg_catalog.pg_roles AS role WHERE role.rolname = current_user) THEN
        REVOKE SELECT ON pg_catalog.pg_hba_file_rules, pg_catalog.pg_file_settings FROM agent_monitor;
        REVOKE EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules(), pg_catalog.pg_show_all_file_settings(),
               pg_catalog.pg_stat_file(text, boolean), pg_catalog.pg_ls_dir(text), pg_catalog.pg_current_logfile()
               FROM agent_monitor;
        DROP FUNCTION IF EXISTS ops.health_md5_v1();
    END IF;
END
$revision$
"""

_DROP_ROLE = """
DO $revision$
BEGIN
    IF EXISTS (SELECT
                 FROM pg_catalog.pg_roles AS role
                WHERE role.rolname = 'agent_monitor'
                  AND pg_catalog.shobj_description(role.oid, 'pg_authid') = 'made by spotify-ai-agent-migrations') THEN
        DROP ROLE agent_monitor;
    END IF;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use THEN
        RAISE NOTICE 'role "agent_monitor" stays: something in this cluster still depends on it';
    WHEN undefined_object OR internal_error THEN
        -- Another database of the cluster dropped it meanwhile, for which the server has no code of its own.
        IF EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = 'agent_monitor') THEN
            RAISE;
        END IF;
END
$revision$
"""

# What may be asked of a table that the caller may not read ---------------------------------------------

# A number of a key that a sequence gives out, whether a partition for the rest holds any row, when the oldest row is
# from that a policy says to delete, how much of a column is NULL: that, of tables of the owner role alone, in place
# of a grant to read them. A table of another owner could have row security, whose functions would run with the
# rights of this one.
_READERS = """
CREATE FUNCTION ops.health_extreme_v1(relation regclass, column_name name, highest boolean) RETURNS numeric
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    spoken text;
    extreme numeric;
BEGIN
    SELECT format('SELECT %s(%I)::numeric FROM %I.%I', CASE WHEN highest THEN 'max' ELSE 'min' END,
                  attribute.attname, namespace.nspname, class.relname)
      INTO spoken
      FROM pg_class AS class
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
      JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attname = column_name
     WHERE class.oid = relation
       AND class.relkind IN ('r', 'p')
       AND class.relowner = (SELECT role.oid FROM pg_roles AS role WHERE role.rolname = current_user)
       AND attribute.atttypid IN ('bigint'::regtype, 'smallint'::regtype, 'integer'::regtype, 'numeric'::regtype)
       AND EXISTS (SELECT
                     FROM pg_index AS index
                     JOIN pg_class AS built ON built.oid = index.indexrelid
                     JOIN pg_am AS method ON method.oid = built.relam AND method.amname = 'btree'
                    WHERE index.indrelid = class.oid AND index.indisvalid AND index.indpred IS NULL
                      AND index.indkey[0] = attribute.attnum)
       -- A sequence of its own, or one that its default names; or a key by itself.
       AND (EXISTS (SELECT
                      FROM pg_depend AS link
                      JOIN pg_sequence AS sequence ON sequence.seqrelid = link.objid
                     WHERE link.classid = 'pg_class'::regclass AND link.refclassid = 'pg_class'::regclass
                       AND link.refobjid = class.oid AND link.refobjsubid = attribute.attnum
                       AND link.deptype IN ('a', 'i'))
            OR EXISTS (SELECT
                         FROM pg_attrdef AS filled
                         JOIN pg_depend AS link
                           ON link.classid = 'pg_attrdef'::regclass AND link.objid = filled.oid
                         JOIN pg_sequence AS sequence ON sequence.seqrelid = link.refobjid
                        WHERE filled.adrelid = class.oid AND filled.adnum = attribute.attnum)
            OR EXISTS (SELECT
                         FROM pg_index AS key
                        WHERE key.indrelid = class.oid AND key.indisprimary AND key.indnkeyatts = 1
                          AND key.indkey[0] = attribute.attnum));
    IF spoken IS NULL THEN
        RAISE EXCEPTION 'column "%" of "%" is not a number that is given out in order', column_name, relation
              USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE spoken INTO extreme;
    RETURN extreme;
END
$function$;
COMMENT ON FUNCTION ops.health_extreme_v1(regclass, name, boolean) IS
    'The highest, or lowest, number of a key, to compare it with its sequence; the caller need not read the table';

CREATE FUNCTION ops.health_default_holds_v1(relation regclass, since timestamptz, until timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    spoken text;
    holds boolean;
BEGIN
    SELECT format('SELECT EXISTS (SELECT FROM %I.%I%s)', namespace.nspname, class.relname,
                  CASE WHEN since IS NULL THEN ''
                       ELSE format(' WHERE %I >= %L AND %I < %L', attribute.attname, since::text, attribute.attname, until::text)
                  END)
      INTO spoken
      FROM pg_partitioned_table AS split
      JOIN pg_class AS class ON class.oid = split.partdefid
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
      LEFT JOIN pg_attribute AS attribute
        ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
     WHERE class.oid = relation
       AND class.relowner = (SELECT role.oid FROM pg_roles AS role WHERE role.rolname = current_user);
    IF spoken IS NULL THEN
        RAISE EXCEPTION '"%" is not a default partition', relation
              USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE spoken INTO holds;
    RETURN holds;
END
$function$;
COMMENT ON FUNCTION ops.health_default_holds_v1(regclass, timestamptz, timestamptz) IS
    'Whether a default partition holds a row, or one of a span of time; the caller need not read it';

CREATE FUNCTION ops.health_oldest_v1(relation regclass, column_name name) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    spoken text;
    oldest timestamptz;
BEGIN
    SELECT format('SELECT min(%I)::timestamptz FROM %I.%I', policy.time_column, namespace.nspname, class.relname)
      INTO spoken
      FROM pg_class AS class
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
      JOIN public.retention_policies AS policy
        ON policy.table_name IN (format('%s.%s', namespace.nspname, class.relname), class.relname)
       AND policy.time_column = column_name
     WHERE class.oid = relation
       AND class.relkind IN ('r', 'p')
       AND class.relowner = (SELECT role.oid FROM pg_roles AS role WHERE role.rolname = current_user)
     LIMIT 1;
    IF spoken IS NULL THEN
        RAISE EXCEPTION 'no policy says how long rows of "%" are kept by "%"', relation, column_name
              USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE spoken INTO oldest;
    RETURN oldest;
END
$function$;
COMMENT ON FUNCTION ops.health_oldest_v1(regclass, name) IS
    'The time of the oldest row that a policy of retention is about; the caller need not read the table';

CREATE FUNCTION ops.health_null_part_v1(relation regclass, column_name name) RETURNS real
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
    SELECT max(known.null_frac)
      FROM pg_class AS class
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
      JOIN pg_stats AS known
        ON known.schemaname = namespace.nspname AND known.tablename = class.relname AND known.attname = column_name
     WHERE class.oid = relation;
$function$;
COMMENT ON FUNCTION ops.health_null_part_v1(regclass, name) IS
    'Which part of a column is NULL, by what ANALYZE has found; the caller need not read the table';
"""

# The checks themselves ---------------------------------------------------------------------------------

# What a check asks stands in ops.health_checks, where the owner role alone may write; it is asked with the rights
# of whoever calls. A statement that takes too long ends all of the call: nothing can bound a part of one.
_ASKED = """
CREATE FUNCTION ops.health_left_out_v1(asked ops.health_checks, OUT state text, OUT reason text, OUT cure text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $function$
    SELECT CASE WHEN NOT here.suits OR there.is_missing THEN 'skipped' ELSE 'unknown' END,
           CASE WHEN NOT here.suits THEN format('not on a %s of this version', here.role)
                WHEN there.is_missing THEN format('there is no table %s', asked.table_name)
                WHEN asked.watching AND NOT here.sees_others THEN asked.title || ': the login sees its own sessions only'
                WHEN NOT there.is_readable THEN asked.title || ': the login may not ask' END,
           CASE WHEN NOT here.suits OR there.is_missing THEN NULL
                WHEN asked.watching AND NOT here.sees_others THEN 'GRANT pg_monitor TO the login'
                WHEN NOT there.is_readable
                THEN format('GRANT USAGE ON SCHEMA %s TO the login; GRANT SELECT ON %s TO the login',
                            split_part(asked.table_name, '.', 1), asked.table_name) END
      FROM (SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END AS role,
                   CASE WHEN pg_is_in_recovery() THEN asked.on_standby ELSE asked.on_primary END
                   AND current_setting('server_version_num')::integer >= asked.since AS suits,
                   pg_has_role('pg_read_all_stats', 'USAGE') AS sees_others) AS here
     CROSS JOIN (SELECT asked.table_name <> '' AND count(*) = 0 AS is_missing,
                        asked.table_name = ''
                        OR coalesce(bool_and(has_schema_privilege(namespace.oid, 'USAGE')
                                             AND has_any_column_privilege(class.oid, 'SELECT')), false) AS is_readable
                   FROM pg_class AS class
                   JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
                  WHERE namespace.nspname = split_part(asked.table_name, '.', 1)
                    AND class.relname = split_part(asked.table_name, '.', 2)) AS there;
$function$;
COMMENT ON FUNCTION ops.health_left_out_v1(ops.health_checks) IS
    'Why a check is not asked: it does not suit this server, or the caller would see a part only';

CREATE FUNCTION ops.health_rows_v1(
    asked ops.health_checks,
    OUT kind text, OUT schema_name text, OUT name text, OUT measure double precision, OUT state text, OUT details jsonb,
    OUT fixes text[]
) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    shape CONSTANT text := 'SELECT kind::text, schema_name::text, name::text, measure::float8, state::text, details, fixes'
        ' FROM (%s) AS found (kind, schema_name, name, measure, state, details, fixes)';
    until CONSTANT timestamptz := clock_timestamp() + asked.most_s * INTERVAL '1 second';
    left_out record;
    target record;
    targets integer := 0;
    unasked integer := 0;
BEGIN
    left_out := ops.health_left_out_v1(asked);
    IF left_out.reason IS NOT NULL THEN
        RETURN QUERY SELECT 'server', NULL, '', NULL::float8, left_out.state,
                            jsonb_build_object('summary', left_out.reason, 'cure', left_out.cure), NULL::text[];
        RETURN;
    END IF;
    IF NOT asked.probed THEN
        RETURN QUERY EXECUTE format(shape, asked.statement) USING asked.warning, asked.critical;
        RETURN;
    END IF;
    -- The types are said: they differ between checks, and the plan of what follows is kept.
    FOR target IN EXECUTE format('SELECT kind::text, schema_name::text, name::text, question::text, cure::text'
                                 ' FROM (%s) AS found (kind, schema_name, name, question, cure)', asked.statement)
                    USING asked.warning, asked.critical LOOP
        targets := targets + 1;
        IF clock_timestamp() > until THEN
            unasked := unasked + 1;
        ELSE
            RETURN QUERY SELECT target.kind, target.schema_name, target.name, answer.measure, answer.state,
                                answer.details, answer.fixes
                           FROM ops.health_answer_v1(target.question, target.cure) AS answer;
        END IF;
    END LOOP;
    IF unasked > 0 THEN
        RETURN QUERY SELECT 'check', NULL, asked.check_id, NULL::float8, 'info',
                            jsonb_build_object('reason', format('there was no time to ask %s of %s; a deep run asks all',
                                                                unasked, targets)), NULL::text[];
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RETURN QUERY SELECT 'server', NULL, '', NULL::float8, 'unknown',
                            jsonb_build_object('summary', asked.title || ': the login may not ask',
                                               'cure', nullif(asked.needs, '')), NULL::text[];
    WHEN lock_not_available THEN
        RETURN QUERY SELECT 'server', NULL, '', NULL::float8, 'unknown',
                            jsonb_build_object('summary', asked.title || ': a table that it reads is locked'), NULL::text[];
    WHEN OTHERS THEN
        RETURN QUERY SELECT 'server', NULL, '', NULL::float8, 'unknown',
                            jsonb_build_object('summary', format('%s: the server refused it: %s', asked.title, SQLSTATE)),
                            NULL::text[];
END
$function$;
COMMENT ON FUNCTION ops.health_rows_v1(ops.health_checks) IS 'What one check finds, before it is judged';

CREATE FUNCTION ops.health_answer_v1(
    question text, may_cure text, OUT measure double precision, OUT state text, OUT details jsonb, OUT fixes text[]
) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF question IS NULL THEN
        RETURN QUERY SELECT NULL::float8, 'unknown',
                            jsonb_build_object('reason', 'the login may not read it', 'cure', may_cure), NULL::text[];
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format('SELECT measure::float8, state::text, details, fixes'
                                ' FROM (%s) AS found (kind, schema_name, name, measure, state, details, fixes)', question);
EXCEPTION
    WHEN data_corrupted OR index_corrupted THEN
        RETURN QUERY SELECT NULL::float8, 'critical', jsonb_build_object('reason', 'it is corrupt: ' || SQLSTATE), NULL::text[];
    WHEN lock_not_available THEN
        RETURN QUERY SELECT NULL::float8, 'unknown',
                            jsonb_build_object('reason', 'a table that it reads is locked', 'cure', may_cure), NULL::text[];
    WHEN OTHERS THEN
        RETURN QUERY SELECT NULL::float8, 'unknown',
                            jsonb_build_object('reason', 'the server refused it: ' || SQLSTATE, 'cure', may_cure), NULL::text[];
END
$function$;
COMMENT ON FUNCTION ops.health_answer_v1(text, text) IS 'The answer to one question of a check; one that fails hides no other';
"""

_HEALTH = """
CREATE FUNCTION ops.health_summary_v1(template text, details jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $function$
    SELECT string_agg(coalesce(piece.part[2], details ->> piece.part[1], 'None'), '' ORDER BY piece.place)
      FROM regexp_matches(template, '\\{(\\w+)\\}|([^{]+)', 'g') WITH ORDINALITY AS piece (part, place);
$function$;
COMMENT ON FUNCTION ops.health_summary_v1(text, jsonb) IS 'A sentence, with values in place of the names in braces';

CREATE FUNCTION ops.health_v1(
    wanted text[] DEFAULT NULL,
    OUT check_id text, OUT state text, OUT kind text, OUT schema_name text, OUT name text, OUT summary text,
    OUT measure double precision, OUT warning double precision, OUT critical double precision, OUT unit text, OUT why text,
    OUT details jsonb, OUT fixes text[], OUT cure text, OUT fingerprint text
) RETURNS SETOF record
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET row_security = off SET jit = off
AS $function$
    SELECT (chosen.asked).check_id,
           coalesce(found.judged, 'ok'),
           found.kind,
           found.schema_name,
           found.name,
           CASE WHEN found.details ? 'summary' THEN found.details ->> 'summary'
                WHEN found.details ? 'reason'
                THEN trim(format('%s %s', found.kind, concat_ws('.', found.schema_name, found.name)))
                     || ': ' || (found.details ->> 'reason')
                WHEN found.details IS NOT NULL
                THEN ops.health_summary_v1((chosen.asked).summary, found.details || jsonb_build_object(
                         'name', found.name, 'schema', found.schema_name, 'measure', found.measure)) END,
           found.measure,
           (chosen.asked).warning,
           (chosen.asked).critical,
           (chosen.asked).unit,
           (chosen.asked).why,
           found.details - 'summary' - 'cure',
           found.fixes,
           replace(found.details ->> 'cure', 'TO the login', 'TO ' || quote_ident(current_user)),
           CASE WHEN found.judged <> 'skipped' THEN
               left(encode(sha256(
                   convert_to((chosen.asked).check_id, 'UTF8') || decode('00', 'hex')
                   || convert_to(found.kind, 'UTF8') || decode('00', 'hex')
                   || convert_to(coalesce(found.schema_name, ''), 'UTF8') || decode('00', 'hex')
                   || convert_to(found.name, 'UTF8')), 'hex'), 16) END
      FROM (SELECT DISTINCT ON (known.check_id) known AS asked
              FROM ops.health_checks AS known
             WHERE wanted IS NULL
                OR known.check_id = ANY (wanted)
                OR split_part(known.check_id, '.', 1) = ANY (wanted)
             -- The newest statement that suits this server; one that is too new is said to be skipped.
             ORDER BY known.check_id,
                      known.since <= current_setting('server_version_num')::integer DESC,
                      known.since DESC) AS chosen
      LEFT JOIN LATERAL (
           SELECT each.kind, each.schema_name, coalesce(each.name, '') AS name, each.measure, each.details, each.fixes,
                  coalesce(each.state, CASE
                      WHEN each.measure IS NULL THEN 'unknown'
                      WHEN each.measure * way.sign >= (chosen.asked).critical * way.sign THEN 'critical'
                      WHEN each.measure * way.sign >= (chosen.asked).warning * way.sign THEN 'warning'
                      ELSE 'ok' END) AS judged
             FROM ops.health_rows_v1(chosen.asked) AS each
            CROSS JOIN (SELECT CASE WHEN (chosen.asked).falling THEN -1 ELSE 1 END AS sign) AS way) AS found
        ON found.judged <> 'ok'
     ORDER BY (chosen.asked).check_id, found.kind, found.schema_name, found.name;
$function$;
COMMENT ON FUNCTION ops.health_v1(text[]) IS
    'Ask the checks, or those that are wanted by name or group: a row for each finding, and one for a check without any';

CREATE VIEW ops.health_findings WITH (security_invoker = true) AS
SELECT found.state, found.check_id, found.kind, found.schema_name, found.name, found.summary, found.measure, found.warning,
       found.critical, found.unit, found.why, found.details, found.fixes, found.cure, found.fingerprint
  FROM ops.health_v1() AS found
 WHERE found.state NOT IN ('ok', 'skipped')
 ORDER BY array_position(ARRAY['critical', 'unknown', 'warning', 'info'], found.state), found.check_id;
COMMENT ON VIEW ops.health_findings IS 'What the health checks find now, the worst first; each read asks all of them';
COMMENT ON COLUMN ops.health_findings.state IS 'none: critical, unknown, warning or info';
COMMENT ON COLUMN ops.health_findings.check_id IS 'none: group and name of the check';
COMMENT ON COLUMN ops.health_findings.kind IS 'none: kind of what was found, such as a table or a sequence';
COMMENT ON COLUMN ops.health_findings.schema_name IS 'none: schema of what was found, if it is in one';
COMMENT ON COLUMN ops.health_findings.name IS 'none: name of what was found';
COMMENT ON COLUMN ops.health_findings.summary IS 'none: what is wrong';
COMMENT ON COLUMN ops.health_findings.measure IS 'none: what was measured';
COMMENT ON COLUMN ops.health_findings.warning IS 'none: from where on it is a warning';
COMMENT ON COLUMN ops.health_findings.critical IS 'none: from where on it is critical';
COMMENT ON COLUMN ops.health_findings.unit IS 'none: of the measure and the limits';
COMMENT ON COLUMN ops.health_findings.why IS 'none: why it matters';
COMMENT ON COLUMN ops.health_findings.details IS 'none: numbers and names that go with it, never a value of a row';
COMMENT ON COLUMN ops.health_findings.fixes IS 'none: pairs of SQL that mends it and the lock that this takes';
COMMENT ON COLUMN ops.health_findings.cure IS 'none: grant without which it cannot be seen';
COMMENT ON COLUMN ops.health_findings.fingerprint IS 'none: the same for the same thing in every run';

CREATE VIEW ops.health_status WITH (security_invoker = true) AS
SELECT found.check_id,
       (ARRAY['critical', 'unknown', 'warning', 'info', 'ok', 'skipped'])[
           min(array_position(ARRAY['critical', 'unknown', 'warning', 'info', 'ok', 'skipped'], found.state))] AS state,
       count(*) FILTER (WHERE found.state NOT IN ('ok', 'skipped')) AS findings,
       max(found.measure) AS measure,
       min(found.unit) AS unit
  FROM ops.health_v1() AS found
 GROUP BY found.check_id
 ORDER BY found.check_id;
COMMENT ON VIEW ops.health_status IS 'How each health check ends now; each read asks all of them';
COMMENT ON COLUMN ops.health_status.check_id IS 'none: group and name of the check';
COMMENT ON COLUMN ops.health_status.state IS 'none: worst of what it found, or ok, or skipped';
COMMENT ON COLUMN ops.health_status.findings IS 'none: how many it found';
COMMENT ON COLUMN ops.health_status.measure IS 'none: highest of what was measured';
COMMENT ON COLUMN ops.health_status.unit IS 'none: of what was measured';
"""

# What the monitoring role may ---------------------------------------------------------------------------

# Sequences are read, tables are not: a number of a key comes from a function. Of the rows that an import could not
# load it sees that they are there, not what stood in them.
_GRANTS = """
COMMENT ON INDEX ops.health_history_fingerprint_taken_at_idx IS 'the past of one thing that was measured';
COMMENT ON INDEX ops.health_history_taken_at_idx IS 'what is too old to be kept';
GRANT USAGE ON SCHEMA ops TO agent_monitor;
GRANT EXECUTE ON FUNCTION ops.health_v1(text[]), ops.health_rows_v1(ops.health_checks),
      ops.health_answer_v1(text, text), ops.health_left_out_v1(ops.health_checks), ops.health_summary_v1(text, jsonb),
      ops.health_extreme_v1(regclass, name, boolean), ops.health_default_holds_v1(regclass, timestamptz, timestamptz),
      ops.health_null_part_v1(regclass, name), ops.health_oldest_v1(regclass, name) TO agent_monitor;
GRANT SELECT ON ops.health_checks, ops.health_findings, ops.health_status, ops.partition_policy, ops.partition_archives,
      ops.import_job, public.retention_policies, public.alembic_version TO agent_monitor;
GRANT SELECT (job_id, id, rejected_at) ON ops.import_reject TO agent_monitor;
GRANT SELECT, INSERT, DELETE ON ops.health_history TO agent_monitor;
GRANT USAGE ON SEQUENCE ops.health_history_id_seq TO agent_monitor;
-- Whoever audits reads how the schema was changed, and makes a report of it.
GRANT SELECT ON ops.health_history, ops.rollbacks, public.alembic_version TO agent_auditor;
ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner IN SCHEMA public, ops GRANT SELECT ON SEQUENCES TO agent_monitor;
DO $revision$
DECLARE
    made regclass;
BEGIN
    FOR made IN
        SELECT class.oid
          FROM pg_catalog.pg_class AS class
         WHERE class.relkind = 'S'
           AND class.relnamespace IN ('public'::pg_catalog.regnamespace, 'ops'::pg_catalog.regnamespace)
           AND class.relowner = 'agent_owner'::pg_catalog.regrole
    LOOP
        EXECUTE pg_catalog.format('GRANT SELECT ON SEQUENCE %s TO agent_monitor', made);
    END LOOP;
    IF pg_catalog.to_regclass('ops.migration_journal') IS NOT NULL THEN
        GRANT SELECT ON ops.migration_journal, ops.migration_state TO agent_monitor, agent_auditor;
    END IF;
END
$revision$;
INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('ops.health_history', 'history', 'taken_at', INTERVAL '400 days', 'delete', 'ISO/IEC 27001:2022 A.8.16')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

_FORGET = """
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) = ('ops.health_history', 'history');
ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner IN SCHEMA public, ops REVOKE SELECT ON SEQUENCES FROM agent_monitor;
DROP VIEW ops.health_status;
DROP VIEW ops.health_findings;
DROP FUNCTION ops.health_v1(text[]);
DROP FUNCTION ops.health_summary_v1(text, jsonb);
DROP FUNCTION ops.health_answer_v1(text, text);
DROP FUNCTION ops.health_rows_v1(ops.health_checks);
DROP FUNCTION ops.health_left_out_v1(ops.health_checks);
DROP FUNCTION ops.health_null_part_v1(regclass, name);
DROP FUNCTION ops.health_oldest_v1(regclass, name);
DROP FUNCTION ops.health_default_holds_v1(regclass, timestamptz, timestamptz);
DROP FUNCTION ops.health_extreme_v1(regclass, name, boolean);
DO $revision$
DECLARE
    made regclass;
BEGIN
    -- Of the administrator who made it; whoever owns the schema may drop it too.
    IF (SELECT pg_catalog.pg_has_role(home.nspowner, 'USAGE') FROM pg_catalog.pg_namespace AS home WHERE home.nspname = 'ops') THEN
        DROP FUNCTION IF EXISTS ops.health_md5_v1();
    END IF;
    -- Whatever of the owner role was granted, by this revision or by the default of it.
    FOR made IN
        SELECT class.oid
          FROM pg_catalog.pg_class AS class
         WHERE class.relkind = 'S'
           AND class.relnamespace IN ('public'::pg_catalog.regnamespace, 'ops'::pg_catalog.regnamespace)
           AND class.relowner = 'agent_owner'::pg_catalog.regrole
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON SEQUENCE %s FROM agent_monitor', made);
    END LOOP;
    IF pg_catalog.to_regclass('ops.migration_journal') IS NOT NULL THEN
        REVOKE ALL ON ops.migration_journal, ops.migration_state FROM agent_monitor, agent_auditor;
    END IF;
END
$revision$;
REVOKE ALL ON ops.partition_policy, ops.partition_archives, ops.import_job, ops.import_reject, public.retention_policies,
       public.alembic_version FROM agent_monitor;
REVOKE ALL ON ops.rollbacks, public.alembic_version FROM agent_auditor;
REVOKE ALL (job_id, id, rejected_at) ON ops.import_reject FROM agent_monitor;
REVOKE USAGE ON SCHEMA ops FROM agent_monitor;
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
