"""Extensions, schemas, roles and domains that every later revision stands on.

Locks: none on tables; creates objects only.
Reverse: lossless; drops what it made, and takes back what it granted on schema public. A role or an
    extension that others still use stays.
Data: none
Needs: to own a UTF-8 database; CREATEROLE, or that the five roles exist and agent_owner is granted to the login.

allow MIG030: nobody but the runner uses these tables, and it holds the lock of the migration
"""

from spotify_ai_agent_migrations.versions.core.ddl import execute

revision = "001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute(_REQUIRE_UTF8)
    execute(_CREATE_ROLES)
    execute(_BELONG_TO_OWNER)
    execute(_GRANT_SCHEMA)
    # Whoever owns the database grants this; the owner role may not. What depends on a role keeps it here, when
    # another database of the cluster goes back to base.
    execute("GRANT USAGE ON SCHEMA public TO agent_app, agent_readonly, agent_auditor, agent_privacy")
    # Whoever belongs to the owner role goes on from here, not only the login that began.
    execute("ALTER TABLE public.alembic_version OWNER TO agent_owner")
    execute(_CREATE_SCHEMA)
    execute(_CREATE_EXTENSION)
    execute(_CREATE_DOMAINS)


def downgrade() -> None:
    execute(_DROP_DOMAINS)
    execute(_DROP_EXTENSION)
    execute(_DROP_SCHEMA)
    execute("ALTER TABLE public.alembic_version OWNER TO CURRENT_USER")
    execute("REVOKE USAGE ON SCHEMA public FROM agent_app, agent_readonly, agent_auditor, agent_privacy")
    execute("REVOKE ALL ON SCHEMA public FROM agent_owner")
    execute(_DROP_ROLES)


# The CHECKs of the domains ask for NFC text, which PostgreSQL knows in UTF-8 only.
_REQUIRE_UTF8 = """
DO $revision$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'database "%" is encoded in %, not in UTF8',
                        pg_catalog.current_database(), pg_catalog.current_setting('server_encoding')
              USING ERRCODE = 'feature_not_supported',
                    HINT = 'create it with ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
END
$revision$
"""

# Roles belong to the whole cluster: another database may have made them, or be making them right now.
# The comment marks a role as ours, so that the way back drops no role that an administrator made.
_CREATE_ROLES = """
DO $revision$
DECLARE
    names CONSTANT text[] := ARRAY['agent_owner', 'agent_app', 'agent_readonly', 'agent_auditor', 'agent_privacy'];
    wanted text;
    may_create boolean;
BEGIN
    SELECT role.rolsuper OR role.rolcreaterole
      INTO may_create
      FROM pg_catalog.pg_roles AS role
     WHERE role.rolname = current_user;
    FOREACH wanted IN ARRAY names LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = wanted);
        IF NOT may_create THEN
            RAISE EXCEPTION 'role "%" does not exist, and "%" lacks CREATEROLE to create it', wanted, current_user
                  USING ERRCODE = 'insufficient_privilege',
                        HINT = pg_catalog.format(
                            'as an administrator run ALTER ROLE %I CREATEROLE; or CREATE ROLE %s; GRANT agent_owner TO %I;',
                            current_user, pg_catalog.array_to_string(names, '; CREATE ROLE '), current_user);
        END IF;
        BEGIN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', wanted, 'made by spotify-ai-agent-migrations');
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
        END;
    END LOOP;
END
$revision$
"""

# To give tables to agent_owner takes SET, which is a privilege of its own since PostgreSQL 16; to change them
# later takes INHERIT. Whoever made the role may grant it to itself, but is not yet granted it.
_BELONG_TO_OWNER = """
DO $revision$
DECLARE
    wanted CONSTANT text := CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 160000
                                 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    IF NOT (pg_catalog.pg_has_role(current_user, 'agent_owner', wanted)
            AND pg_catalog.pg_has_role(current_user, 'agent_owner', 'USAGE')) THEN
        BEGIN
            EXECUTE pg_catalog.format('GRANT agent_owner TO %I', current_user);
        EXCEPTION
            WHEN insufficient_privilege THEN
                NULL;
        END;
    END IF;
    IF NOT (pg_catalog.pg_has_role(current_user, 'agent_owner', wanted)
            AND pg_catalog.pg_has_role(current_user, 'agent_owner', 'USAGE')) THEN
        RAISE EXCEPTION '"%" may not act as role "agent_owner" and may not grant it to itself', current_user
              USING ERRCODE = 'insufficient_privilege',
                    HINT = pg_catalog.format('as an administrator run GRANT agent_owner TO %I;', current_user);
    END IF;
END
$revision$
"""

# A GRANT that nobody may give is a warning to PostgreSQL; here it would fail one revision later, unexplained.
_GRANT_SCHEMA = """
DO $revision$
BEGIN
    IF NOT pg_catalog.has_schema_privilege('agent_owner', 'public', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA public TO agent_owner;
    END IF;
    IF NOT pg_catalog.has_schema_privilege('agent_owner', 'public', 'CREATE') THEN
        RAISE EXCEPTION 'role "agent_owner" has no CREATE on schema public, and "%" may not grant it', current_user
              USING ERRCODE = 'insufficient_privilege',
                    HINT = 'as an administrator run GRANT USAGE, CREATE ON SCHEMA public TO agent_owner;';
    END IF;
END
$revision$
"""

_DROP_ROLES = """
DO $revision$
DECLARE
    made text;
BEGIN
    FOR made IN
        SELECT role.rolname
          FROM pg_catalog.pg_roles AS role
         WHERE role.rolname IN ('agent_owner', 'agent_app', 'agent_readonly', 'agent_auditor', 'agent_privacy')
           AND pg_catalog.shobj_description(role.oid, 'pg_authid') = 'made by spotify-ai-agent-migrations'
    LOOP
        BEGIN
            EXECUTE pg_catalog.format('DROP ROLE %I', made);
        EXCEPTION
            WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use THEN
                RAISE NOTICE 'role "%" stays: something in this cluster still depends on it', made;
            WHEN undefined_object OR internal_error THEN
                -- Another database of the cluster dropped it meanwhile, for which the server has no code of its own.
                IF EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = made) THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
END
$revision$
"""

# Trigram search over names and titles. An extension that was there before is not ours to drop.
_CREATE_EXTENSION = """
DO $revision$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS extension WHERE extension.extname = 'pg_trgm') THEN
        CREATE EXTENSION pg_trgm WITH SCHEMA public;
        COMMENT ON EXTENSION pg_trgm IS 'trigram search; made by spotify-ai-agent-migrations';
    END IF;
    IF NOT EXISTS (SELECT
                     FROM pg_catalog.pg_extension AS extension
                    WHERE extension.extname = 'pg_trgm'
                      AND extension.extnamespace = 'public'::pg_catalog.regnamespace) THEN
        RAISE EXCEPTION 'extension "pg_trgm" is in another schema than public'
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'as its owner run ALTER EXTENSION pg_trgm SET SCHEMA public;';
    END IF;
END
$revision$
"""

_DROP_EXTENSION = """
DO $revision$
BEGIN
    IF EXISTS (SELECT
                 FROM pg_catalog.pg_extension AS extension
                WHERE extension.extname = 'pg_trgm'
                  AND pg_catalog.obj_description(extension.oid, 'pg_extension')
                      = 'trigram search; made by spotify-ai-agent-migrations') THEN
        DROP EXTENSION pg_trgm;
    END IF;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege THEN
        RAISE NOTICE 'extension "pg_trgm" stays: something depends on it, or another role owns it';
END
$revision$
"""

_CREATE_SCHEMA = """
DO $revision$
DECLARE
    here CONSTANT name := pg_catalog.current_database();
    may_create CONSTANT boolean := pg_catalog.has_database_privilege('agent_owner', here, 'CREATE');
BEGIN
    IF pg_catalog.to_regnamespace('ops') IS NULL THEN
        CREATE SCHEMA ops AUTHORIZATION agent_owner;
        COMMENT ON SCHEMA ops IS 'what runs the database, apart from the domain; made by spotify-ai-agent-migrations';
    ELSIF pg_catalog.obj_description('ops'::pg_catalog.regnamespace, 'pg_namespace')
          LIKE '%made by spotify-ai-agent-migrations' THEN
        -- The runner made it, for its journal. Whoever is given a schema has to be able to make one.
        IF NOT may_create THEN
            EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO agent_owner', here);
        END IF;
        ALTER SCHEMA ops OWNER TO agent_owner;
        IF NOT may_create THEN
            EXECUTE pg_catalog.format('REVOKE CREATE ON DATABASE %I FROM agent_owner', here);
        END IF;
    END IF;
    IF NOT pg_catalog.has_schema_privilege('agent_owner', 'ops', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA ops TO agent_owner;
    END IF;
    IF NOT pg_catalog.has_schema_privilege('agent_owner', 'ops', 'CREATE') THEN
        RAISE EXCEPTION 'role "agent_owner" has no CREATE on schema ops, and "%" may not grant it', current_user
              USING ERRCODE = 'insufficient_privilege',
                    HINT = 'as its owner run GRANT USAGE, CREATE ON SCHEMA ops TO agent_owner;';
    END IF;
    IF pg_catalog.to_regclass('ops.migration_journal') IS NOT NULL THEN
        ALTER TABLE ops.migration_journal OWNER TO agent_owner;
        ALTER TABLE ops.migration_state OWNER TO agent_owner;
    END IF;
END
$revision$
"""

# A schema that was there before is not ours to drop; ours stays while anything is left in it, as the journal is.
_DROP_SCHEMA = """
DO $revision$
BEGIN
    IF pg_catalog.to_regclass('ops.migration_journal') IS NOT NULL THEN
        ALTER TABLE ops.migration_journal OWNER TO CURRENT_USER;
        ALTER TABLE ops.migration_state OWNER TO CURRENT_USER;
        IF pg_catalog.obj_description(pg_catalog.to_regnamespace('ops'), 'pg_namespace')
           LIKE '%made by spotify-ai-agent-migrations' THEN
            ALTER SCHEMA ops OWNER TO CURRENT_USER;
        END IF;
        REVOKE ALL ON SCHEMA ops FROM agent_owner;
    ELSIF pg_catalog.obj_description(pg_catalog.to_regnamespace('ops'), 'pg_namespace')
       LIKE '%made by spotify-ai-agent-migrations' THEN
        DROP SCHEMA ops;
    ELSE
        REVOKE ALL ON SCHEMA ops FROM agent_owner;
    END IF;
EXCEPTION
    WHEN dependent_objects_still_exist THEN
        RAISE NOTICE 'schema "ops" stays: it is not empty';
END
$revision$
"""

_CREATE_DOMAINS = r"""
CREATE DOMAIN public.nfc_text AS text
    CONSTRAINT nfc_text_check CHECK (VALUE IS NFC NORMALIZED);
COMMENT ON DOMAIN public.nfc_text IS 'Text in Unicode form NFC, so that equal text is equal bytes';
ALTER DOMAIN public.nfc_text OWNER TO agent_owner;

CREATE DOMAIN public.email_address AS text
    CONSTRAINT email_address_check
    CHECK (VALUE IS NFC NORMALIZED AND VALUE ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND length(VALUE) <= 320);
COMMENT ON DOMAIN public.email_address IS 'One @ with something on either side, at most 320 characters (RFC 3696)';
ALTER DOMAIN public.email_address OWNER TO agent_owner;

CREATE DOMAIN public.locale_tag AS text
    CONSTRAINT locale_tag_check
    CHECK (VALUE ~ '^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*$');
COMMENT ON DOMAIN public.locale_tag IS 'BCP 47 tag in its usual case: fr, fr-CA, zh-Hant-TW, es-419, de-DE-1996';
ALTER DOMAIN public.locale_tag OWNER TO agent_owner;

CREATE DOMAIN public.country_code AS text
    CONSTRAINT country_code_check CHECK (VALUE ~ '^[A-Z]{2}$');
COMMENT ON DOMAIN public.country_code IS 'ISO 3166-1 alpha-2';
ALTER DOMAIN public.country_code OWNER TO agent_owner;

CREATE DOMAIN public.isrc AS text
    CONSTRAINT isrc_check CHECK (VALUE ~ '^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$');
COMMENT ON DOMAIN public.isrc IS 'ISO 3901 recording code, without hyphens';
ALTER DOMAIN public.isrc OWNER TO agent_owner;

CREATE DOMAIN public.upc AS text
    CONSTRAINT upc_check CHECK (VALUE ~ '^[0-9]{12,14}$');
COMMENT ON DOMAIN public.upc IS 'UPC-A, EAN-13 or GTIN-14 of a release';
ALTER DOMAIN public.upc OWNER TO agent_owner;
"""

_DROP_DOMAINS = """
DROP DOMAIN public.upc;
DROP DOMAIN public.isrc;
DROP DOMAIN public.country_code;
DROP DOMAIN public.locale_tag;
DROP DOMAIN public.email_address;
DROP DOMAIN public.nfc_text;
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
