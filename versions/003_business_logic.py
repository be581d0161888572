"""The rules of the domain: history, consent, the audit trail, and who may see what.

Locks: ACCESS EXCLUSIVE on each table it protects, for the moment of a catalogue change; the new checks of albums,
    artists and tracks read each of those tables once under it. SHARE ROW EXCLUSIVE where it adds a trigger only.
Reverse: lossy; drops the versions of playlists, the collaborators and the pseudonyms, after which the trail
    names nobody.
Data: backfill; one pseudonym a user, one version an item of a playlist, and the retention of each table.
Needs: membership of agent_owner.

allow MIG030: comes in one release with 002, before anybody uses the tables
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute

revision = "003"
down_revision = "002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        execute(_DEFAULT_PRIVILEGES)
        execute(_KEEP_UPDATED_AT)
        execute(_CATALOGUE)
        _create_pseudonyms()
        execute(_PSEUDONYMS)
        execute(_AUDIT)
        _create_playlist_history()
        execute(_PLAYLIST_HISTORY)
        execute(_PLAYLISTS)
        execute(_CONSENT)
        execute(_PEOPLE)
        execute(_AUDITED)
        execute(_ROW_SECURITY)
        execute(_ANALYSTS)
        execute(_GRANTS)
        execute(_RETENTION)


def downgrade() -> None:
    with as_owner():
        execute(_FORGET_RETENTION)
        execute(_REVOKE)
        execute(_DROP_ANALYSTS)
        execute(_DROP_ROW_SECURITY)
        execute(_DROP_AUDITED)
        execute(_DROP_PEOPLE)
        execute(_DROP_CONSENT)
        execute(_DROP_PLAYLISTS)
        for table in ("playlist_collaborators", "playlist_item_versions", "playlist_snapshots"):
            op.drop_table(table)
        execute(_DROP_AUDIT)
        op.drop_table("pseudonyms", schema="ops")
        execute(_DROP_CATALOGUE)
        execute(_DROP_UPDATED_AT)
        execute(_RESTORE_DEFAULT_PRIVILEGES)


# What is made from here on -----------------------------------------------------------------------------

# A new function may be executed by everybody, and a new type used, unless this is said first.
_DEFAULT_PRIVILEGES = """
ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner REVOKE USAGE ON TYPES FROM PUBLIC;
"""

_RESTORE_DEFAULT_PRIVILEGES = """
ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner GRANT USAGE ON TYPES TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
"""

# updated_at --------------------------------------------------------------------------------------------

_KEEP_UPDATED_AT = """
CREATE FUNCTION ops.set_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    NEW.updated_at := pg_catalog.now();
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION ops.set_updated_at() IS 'Keep updated_at the time of the transaction that last changed the row';

CREATE TRIGGER users_updated_at BEFORE UPDATE ON public.users
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();
CREATE TRIGGER artists_updated_at BEFORE UPDATE ON public.artists
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();
CREATE TRIGGER albums_updated_at BEFORE UPDATE ON public.albums
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();
CREATE TRIGGER tracks_updated_at BEFORE UPDATE ON public.tracks
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();
CREATE TRIGGER playlists_updated_at BEFORE UPDATE ON public.playlists
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.set_updated_at();
"""

_DROP_UPDATED_AT = """
DROP TRIGGER playlists_updated_at ON public.playlists;
DROP TRIGGER tracks_updated_at ON public.tracks;
DROP TRIGGER albums_updated_at ON public.albums;
DROP TRIGGER artists_updated_at ON public.artists;
DROP TRIGGER users_updated_at ON public.users;
DROP FUNCTION ops.set_updated_at();
"""

# The catalogue -----------------------------------------------------------------------------------------

# GS1 General Specifications, section 7.9: weights 3 and 1 from the right, the sum is a multiple of ten. No cast
# of a digit: a sum is made before AND has a say, and fails on a letter.
_CATALOGUE = r"""
CREATE FUNCTION public.gtin_is_valid_v1(gtin text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT gtin ~ '^[0-9]+$'
       AND sum((ascii(substr(gtin, place, 1)) - 48) * CASE (length(gtin) - place) % 2 WHEN 1 THEN 3 ELSE 1 END) % 10 = 0
      FROM generate_series(1, length(gtin)) AS place
$function$;
COMMENT ON FUNCTION public.gtin_is_valid_v1(text) IS 'Whether the check digit of a UPC, EAN or GTIN is right';

CREATE FUNCTION public.isrc_v1(written text) RETURNS public.isrc
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT upper(translate(written, '- ', ''))::public.isrc
$function$;
COMMENT ON FUNCTION public.isrc_v1(text) IS 'The code as it is stored, from one written with hyphens, spaces or small letters';

-- Whoever stores a code computes its check: the owner of the column's table is not asked.
GRANT EXECUTE ON FUNCTION public.gtin_is_valid_v1(text), public.isrc_v1(text)
    TO agent_app, agent_readonly, agent_privacy;

-- allow MIG043: comes in one release with 002; whoever stopped between the two waits for one read of albums
ALTER DOMAIN public.upc ADD CONSTRAINT upc_digit_check CHECK (public.gtin_is_valid_v1(VALUE));

-- A year or a month stands for its first day, and no other day of it.
-- allow MIG043: comes in one release with 002; whoever stopped between the two waits for one read of albums
ALTER TABLE public.albums ADD CONSTRAINT albums_release_date_first_day_check
    CHECK (CASE release_date_precision
               WHEN 'year' THEN release_date = date_trunc('year', release_date::timestamp)::date
               WHEN 'month' THEN release_date = date_trunc('month', release_date::timestamp)::date
               ELSE true
           END);

-- allow MIG043: as for albums, with one read of artists
ALTER TABLE public.artists ADD CONSTRAINT artists_external_ids_text_check
    CHECK (NOT jsonb_path_exists(external_ids, '$.* ? (@.type() != "string" || @ == "")'));
-- allow MIG043: as above, with one read of albums
ALTER TABLE public.albums ADD CONSTRAINT albums_external_ids_text_check
    CHECK (NOT jsonb_path_exists(external_ids, '$.* ? (@.type() != "string" || @ == "")'));
-- allow MIG043: as for albums, with one read of tracks
ALTER TABLE public.tracks ADD CONSTRAINT tracks_external_ids_text_check
    CHECK (NOT jsonb_path_exists(external_ids, '$.* ? (@.type() != "string" || @ == "")'));
-- allow MIG043: as above, with one read of artists
ALTER TABLE public.artists ADD CONSTRAINT artists_genres_check
    CHECK (array_position(genres, NULL) IS NULL AND array_position(genres, '') IS NULL);
"""

_DROP_CATALOGUE = """
ALTER TABLE public.artists DROP CONSTRAINT artists_genres_check;
ALTER TABLE public.tracks DROP CONSTRAINT tracks_external_ids_text_check;
ALTER TABLE public.albums DROP CONSTRAINT albums_external_ids_text_check;
ALTER TABLE public.artists DROP CONSTRAINT artists_external_ids_text_check;
ALTER TABLE public.albums DROP CONSTRAINT albums_release_date_first_day_check;
ALTER DOMAIN public.upc DROP CONSTRAINT upc_digit_check;
DROP FUNCTION public.isrc_v1(text);
DROP FUNCTION public.gtin_is_valid_v1(text);
"""

# The audit trail ---------------------------------------------------------------------------------------


def _create_pseudonyms() -> None:
    # allow MIG060: nobody but the owner role may read anything in ops
    # allow MIG061: a row comes and goes with its person, which the trail of users tells
    # allow MIG062: kept until its person is erased, for as long as the trail has to name them
    op.create_table(
        "pseudonyms",
        sa.Column("user_id", sa.BigInteger, comment="identifier: the person; NULL for a login"),
        sa.Column("role_name", sa.Text, comment="identifier: the login, where nobody is signed in; NULL for a person"),
        sa.Column(
            "audit_ref",
            sa.BigInteger,
            # Sixty random bits of a version 4 UUID: half the width of the whole, in every entry of the trail.
            server_default=sa.text("('x' || translate(left(gen_random_uuid()::text, 18), '-', ''))::bit(64)::bigint"),
            autoincrement=False,
            nullable=False,
            comment="identifier: stands for them in audit_log",
        ),
        sa.Column("analyst_ref", UUID(as_uuid=True), server_default=sa.func.gen_random_uuid(), nullable=False, comment="identifier: stands for them in the analysts' views"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when the pseudonym was made"),
        sa.PrimaryKeyConstraint("audit_ref", name="pseudonyms_pkey"),
        sa.UniqueConstraint("user_id", name="pseudonyms_user_id_key"),
        sa.UniqueConstraint("analyst_ref", name="pseudonyms_analyst_ref_key"),
        sa.CheckConstraint("num_nonnulls(user_id, role_name) = 1", name="pseudonyms_user_id_check"),
        comment="Who a pseudonym is; without its row nobody, and what was written under it stays",
        schema="ops",
    )
    # Not unique: two transactions that meet a new login at once would wait for one another.
    op.create_index("pseudonyms_role_name_idx", "pseudonyms", ["role_name"], schema="ops", postgresql_where=sa.text("role_name IS NOT NULL"))


_PSEUDONYMS = """
COMMENT ON INDEX ops.pseudonyms_role_name_idx IS 'the pseudonym of a login';

INSERT INTO ops.pseudonyms (user_id)
SELECT users.id
  FROM public.users
 WHERE users.status <> 'erased';

CREATE FUNCTION ops.users_add_pseudonym() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    INSERT INTO ops.pseudonyms (user_id)
    SELECT added.id
      FROM added
     WHERE added.status <> 'erased'
        ON CONFLICT ON CONSTRAINT pseudonyms_user_id_key DO NOTHING;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.users_add_pseudonym() IS 'Give every new person a pseudonym';

-- Triggers fire in the order of their names: the pseudonym is there before users_audit_insert looks for it.
CREATE TRIGGER users_add_pseudonym AFTER INSERT ON public.users
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.users_add_pseudonym();
"""

_AUDIT = """
CREATE FUNCTION ops.role_ref() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_ref bigint;
BEGIN
    SELECT pseudonym.audit_ref
      INTO found_ref
      FROM ops.pseudonyms AS pseudonym
     WHERE pseudonym.role_name = session_user
     ORDER BY pseudonym.created_at
     LIMIT 1;
    IF found_ref IS NULL THEN
        INSERT INTO ops.pseudonyms (role_name)
        VALUES (session_user)
        RETURNING audit_ref INTO found_ref;
    END IF;
    RETURN found_ref;
END
$function$;
COMMENT ON FUNCTION ops.role_ref() IS 'The pseudonym of the login at work; makes one for a login never seen';

CREATE FUNCTION ops.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    IF current_user <> 'agent_owner' THEN
        RAISE EXCEPTION '"%.%" is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
              USING ERRCODE = 'insufficient_privilege',
                    HINT = 'maintenance acts as its owner, on purpose: SET ROLE agent_owner';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.refuse_change() IS 'Refuse a change by anybody but the owner role itself, superusers and members included';

CREATE TRIGGER audit_log_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON public.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
CREATE TRIGGER consent_events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON public.consent_events
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();

-- The functions it makes compare column with column, which costs less than building two documents, and keep no
-- value. One row, the usual case, needs no join. For more it is a FULL JOIN, because PostgreSQL has no nested
-- loop for it, so that a plan made for two rows is not quadratic for twenty thousand; and because rows whose key
-- changed have no partner: they are written as deleted and inserted.
CREATE FUNCTION ops.audit_table_v1(
    target regclass,
    entity_type text,
    entity_id name DEFAULT NULL,
    subject name DEFAULT NULL,
    entity_key name DEFAULT NULL,
    ignored name[] DEFAULT '{updated_at}',
    operations text[] DEFAULT '{insert,update,delete,truncate}'
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT name := (SELECT class.relname FROM pg_class AS class WHERE class.oid = target);
    keys CONSTANT name[] := (
        SELECT array_agg(attribute.attname ORDER BY attribute.attnum)
          FROM pg_index AS index
          JOIN pg_attribute AS attribute
            ON attribute.attrelid = index.indrelid AND attribute.attnum = ANY (index.indkey)
         WHERE index.indrelid = target AND index.indisprimary);
    entry CONSTANT text := replace($entry$
                INSERT INTO public.audit_log (entity_type, actor_type, request_id, actor_ref, subject_ref,
                                              entity_id, entity_key, action, changed_columns)
                SELECT <type>, kind, request,
                       coalesce(login, (SELECT pseudonym.audit_ref FROM ops.pseudonyms AS pseudonym WHERE pseudonym.user_id = signed_in)),
                       (SELECT pseudonym.audit_ref FROM ops.pseudonyms AS pseudonym WHERE pseudonym.user_id = changed.subject),
                       changed.entity_id, changed.entity_key, changed.action, changed.columns
                  FROM (%s) AS changed$entry$, '<type>', replace(quote_literal(entity_type), '%', '%%'));
    comparisons text;
    wrong text;
    operation text;
    made name;
BEGIN
    IF keys IS NULL THEN
        RAISE EXCEPTION 'table "%" has no primary key', target
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'an entry of the trail names a row by its key: add one';
    END IF;
    IF octet_length(called || '_audit_truncate') > 63 THEN
        RAISE EXCEPTION 'the name of table "%" is too long to name its triggers after', target
              USING ERRCODE = 'name_too_long', HINT = 'rename it: 48 bytes leave room';
    END IF;
    IF NOT operations <@ ARRAY['insert', 'update', 'delete', 'truncate'] THEN
        RAISE EXCEPTION 'operations "%" are not all known', operations
              USING ERRCODE = 'invalid_parameter_value', HINT = 'choose from insert, update, delete and truncate';
    END IF;
    SELECT named.name
      INTO wrong
      FROM unnest(ARRAY[entity_id, subject, entity_key] || ignored) AS named (name)
     WHERE named.name IS NOT NULL
       AND named.name <> 'updated_at'
       AND NOT EXISTS (SELECT
                         FROM pg_attribute AS attribute
                        WHERE attribute.attrelid = target
                          AND attribute.attname = named.name
                          AND attribute.attnum > 0
                          AND NOT attribute.attisdropped);
    IF FOUND THEN
        RAISE EXCEPTION 'table "%" has no column "%"', target, wrong
              USING ERRCODE = 'undefined_column', HINT = 'name columns of the table';
    END IF;
    -- json, xml and the geometric types have no equality; their text has. A generated column follows others.
    SELECT coalesce(string_agg(format(
               CASE WHEN type.typcategory IN ('S', 'E', 'R')
                         OR EXISTS (SELECT FROM pg_opclass AS class
                                     JOIN pg_am AS method ON method.oid = class.opcmethod AND method.amname = 'btree'
                                     WHERE class.opcintype = coalesce(nullif(type.typbasetype, 0), type.oid) AND class.opcdefault)
                    THEN 'CASE WHEN old_row.%1$I IS DISTINCT FROM new_row.%1$I THEN %1$L END'
                    ELSE 'CASE WHEN old_row.%1$I::text IS DISTINCT FROM new_row.%1$I::text THEN %1$L END'
               END, attribute.attname), ', ' ORDER BY attribute.attnum), '')
      INTO comparisons
      FROM pg_attribute AS attribute
      JOIN pg_type AS type ON type.oid = attribute.atttypid
     WHERE attribute.attrelid = target
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
       AND attribute.attgenerated = ''
       AND attribute.attname <> ALL (ignored);

    -- A function for each operation: what one of them does not need is not paid for by it.
    FOREACH operation IN ARRAY operations LOOP
        made := called || '_audit_' || operation;
        EXECUTE format(
            $body$
            CREATE OR REPLACE FUNCTION ops.%I() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS $audit$
            DECLARE
                signed_in CONSTANT bigint := NULLIF(current_setting('app.user_id', true), '')::bigint;
                kind CONSTANT public.audit_actor := coalesce(NULLIF(current_setting('app.actor_type', true), ''),
                                                             CASE WHEN signed_in IS NULL THEN 'service' ELSE 'user' END);
                request CONSTANT uuid := NULLIF(current_setting('app.request_id', true), '')::uuid;
                login bigint;
            BEGIN
                IF signed_in IS NULL THEN
                    login := ops.role_ref();
                END IF;
                %s
                RETURN NULL;
            END
            $audit$
            $body$,
            made,
            CASE operation
                WHEN 'truncate' THEN
                    format(entry, $rows$SELECT 0 AS entity_id, NULL::bigint AS subject, NULL::text AS entity_key,
                                               'truncate'::public.audit_action AS action, NULL::text[] AS columns$rows$)
                WHEN 'update' THEN
                    format('IF EXISTS (SELECT FROM new_rows OFFSET 1) THEN %s; ELSE %s; END IF',
                           format(entry, format($rows$
                               SELECT %s AS entity_id, %s AS subject, %s::text AS entity_key,
                                      CASE WHEN new_row.%I IS NULL THEN 'delete' WHEN old_row.%4$I IS NULL THEN 'insert'
                                           ELSE 'update' END::public.audit_action AS action,
                                      difference.columns
                                 FROM old_rows AS old_row FULL JOIN new_rows AS new_row USING (%5$s)
                                CROSS JOIN LATERAL (SELECT CASE WHEN new_row.%4$I IS NOT NULL AND old_row.%4$I IS NOT NULL
                                                                THEN array_remove(ARRAY[%6$s]::text[], NULL) END AS columns
                                                   ) AS difference
                                WHERE difference.columns IS DISTINCT FROM '{}'$rows$,
                               coalesce('coalesce(new_row.' || quote_ident(entity_id) || ', old_row.' || quote_ident(entity_id) || ')', '0'),
                               coalesce('coalesce(new_row.' || quote_ident(subject) || ', old_row.' || quote_ident(subject) || ')', 'NULL::bigint'),
                               coalesce('coalesce(new_row.' || quote_ident(entity_key) || ', old_row.' || quote_ident(entity_key) || ')', 'NULL'),
                               keys[1], (SELECT string_agg(quote_ident(key), ', ') FROM unnest(keys) AS key), comparisons)),
                           format(entry, format($rows$
                               SELECT %s AS entity_id, %s AS subject, %s::text AS entity_key,
                                      'update'::public.audit_action AS action, difference.columns
                                 FROM old_rows AS old_row CROSS JOIN new_rows AS new_row
                                CROSS JOIN LATERAL (SELECT array_remove(ARRAY[%s]::text[], NULL) AS columns) AS difference
                                WHERE difference.columns <> '{}'$rows$,
                               coalesce('new_row.' || quote_ident(entity_id), '0'),
                               coalesce('new_row.' || quote_ident(subject), 'NULL::bigint'),
                               coalesce('new_row.' || quote_ident(entity_key), 'NULL'),
                               comparisons)))
                ELSE
                    format(entry, format($rows$
                        SELECT %s AS entity_id, %s AS subject, %s::text AS entity_key,
                               %L::public.audit_action AS action, NULL::text[] AS columns
                          FROM %I AS touched$rows$,
                        coalesce('touched.' || quote_ident(entity_id), '0'),
                        coalesce('touched.' || quote_ident(subject), 'NULL::bigint'),
                        coalesce('touched.' || quote_ident(entity_key), 'NULL'),
                        operation, CASE operation WHEN 'insert' THEN 'new_rows' ELSE 'old_rows' END))
            END || ';');
        EXECUTE format('COMMENT ON FUNCTION ops.%I() IS %L', made,
                       'Write each change to audit_log: names of columns, never a value');
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION ops.%1$I()',
                       made, upper(operation), target,
                       CASE operation WHEN 'insert' THEN 'REFERENCING NEW TABLE AS new_rows'
                                      WHEN 'delete' THEN 'REFERENCING OLD TABLE AS old_rows'
                                      WHEN 'update' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
                                      ELSE '' END);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION ops.audit_table_v1(regclass, text, name, name, name, name[], text[]) IS
    'Make or remake the triggers that audit a table, from its columns as they are now';

CREATE FUNCTION ops.unaudit_table_v1(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT name := (SELECT class.relname FROM pg_class AS class WHERE class.oid = target);
    made name;
BEGIN
    FOR made IN
        SELECT trigger.tgname
          FROM pg_trigger AS trigger
         WHERE trigger.tgrelid = target
           AND trigger.tgname = ANY (ARRAY[called || '_audit_insert', called || '_audit_update',
                                           called || '_audit_delete', called || '_audit_truncate'])
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', made, target);
        EXECUTE format('DROP FUNCTION ops.%I()', made);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION ops.unaudit_table_v1(regclass) IS 'Drop what audit_table_v1 made for a table; before the table itself';

CREATE FUNCTION public.record_audit_v1(
    entity_type text, entity_id bigint, action text, subject_id bigint DEFAULT NULL, entity_key text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    signed_in CONSTANT bigint := NULLIF(current_setting('app.user_id', true), '')::bigint;
    written bigint;
BEGIN
    IF action NOT IN ('read', 'import', 'export', 'login') THEN
        RAISE EXCEPTION 'action "%" is written by the database itself', action
              USING ERRCODE = 'invalid_parameter_value', HINT = 'record read, import, export or login';
    END IF;
    INSERT INTO public.audit_log (entity_id, actor_ref, subject_ref, request_id, entity_type, action, actor_type, entity_key)
    SELECT entity_id,
           CASE WHEN signed_in IS NULL THEN ops.role_ref()
                ELSE (SELECT pseudonym.audit_ref FROM ops.pseudonyms AS pseudonym WHERE pseudonym.user_id = signed_in) END,
           (SELECT pseudonym.audit_ref FROM ops.pseudonyms AS pseudonym WHERE pseudonym.user_id = subject_id),
           NULLIF(current_setting('app.request_id', true), '')::uuid,
           entity_type, action::public.audit_action,
           coalesce(NULLIF(current_setting('app.actor_type', true), ''),
                    CASE WHEN signed_in IS NULL THEN 'service' ELSE 'user' END)::public.audit_actor,
           entity_key
    RETURNING id INTO written;
    RETURN written;
END
$function$;
COMMENT ON FUNCTION public.record_audit_v1(text, bigint, text, bigint, text) IS
    'Write to the trail what no trigger sees: reading, importing, exporting, signing in';
GRANT EXECUTE ON FUNCTION public.record_audit_v1(text, bigint, text, bigint, text) TO agent_app, agent_privacy;
"""

_DROP_AUDIT = """
DROP FUNCTION public.record_audit_v1(text, bigint, text, bigint, text);
DROP FUNCTION ops.unaudit_table_v1(regclass);
DROP FUNCTION ops.audit_table_v1(regclass, text, name, name, name, name[], text[]);
DROP TRIGGER consent_events_refuse_change ON public.consent_events;
DROP TRIGGER audit_log_refuse_change ON public.audit_log;
DROP FUNCTION ops.refuse_change();
DROP FUNCTION ops.role_ref();
DROP TRIGGER users_add_pseudonym ON public.users;
DROP FUNCTION ops.users_add_pseudonym();
"""

# Every table with personal data, and every one that says what may be done with it. A stream of events is its
# own record of what was added; what is changed or taken away is not.
_AUDITED = """
DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('public.users', 'user', entity_id => 'id', subject => 'id');
    PERFORM ops.audit_table_v1('public.user_identities', 'user_identity', entity_id => 'user_id', subject => 'user_id', entity_key => 'provider');
    PERFORM ops.audit_table_v1('public.consent', 'consent', entity_id => 'user_id', subject => 'user_id', entity_key => 'purpose');
    PERFORM ops.audit_table_v1('public.consent_events', 'consent_event', entity_id => 'id', subject => 'user_id', operations => '{update,delete,truncate}');
    PERFORM ops.audit_table_v1('public.playlists', 'playlist', entity_id => 'id', subject => 'user_id', ignored => '{updated_at,snapshot_id}');
    PERFORM ops.audit_table_v1('public.playlist_items', 'playlist_item', entity_id => 'playlist_id', subject => 'user_id');
    PERFORM ops.audit_table_v1('public.playlist_collaborators', 'playlist_collaborator', entity_id => 'playlist_id', subject => 'collaborator_id');
    PERFORM ops.audit_table_v1('public.playlist_item_versions', 'playlist_item_version', entity_id => 'playlist_id', subject => 'user_id', ignored => '{until_snapshot}', operations => '{update,delete,truncate}');
    PERFORM ops.audit_table_v1('public.playlist_snapshots', 'playlist_snapshot', entity_id => 'playlist_id', subject => 'user_id', operations => '{update,delete,truncate}');
    PERFORM ops.audit_table_v1('public.listens', 'listen', entity_id => 'id', subject => 'user_id', operations => '{update,delete,truncate}');
    PERFORM ops.audit_table_v1('public.analytics', 'analytics', entity_id => 'id', subject => 'user_id', operations => '{update,delete,truncate}');
    PERFORM ops.audit_table_v1('public.data_sources', 'data_source', entity_key => 'code');
    PERFORM ops.audit_table_v1('public.consent_purposes', 'consent_purpose', entity_key => 'code');
    PERFORM ops.audit_table_v1('public.retention_policies', 'retention_policy', entity_key => 'table_name');
END
$revision$
"""

_DROP_AUDITED = """
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('public.retention_policies');
    PERFORM ops.unaudit_table_v1('public.consent_purposes');
    PERFORM ops.unaudit_table_v1('public.data_sources');
    PERFORM ops.unaudit_table_v1('public.analytics');
    PERFORM ops.unaudit_table_v1('public.listens');
    PERFORM ops.unaudit_table_v1('public.playlist_snapshots');
    PERFORM ops.unaudit_table_v1('public.playlist_item_versions');
    PERFORM ops.unaudit_table_v1('public.playlist_collaborators');
    PERFORM ops.unaudit_table_v1('public.playlist_items');
    PERFORM ops.unaudit_table_v1('public.playlists');
    PERFORM ops.unaudit_table_v1('public.consent_events');
    PERFORM ops.unaudit_table_v1('public.consent');
    PERFORM ops.unaudit_table_v1('public.user_identities');
    PERFORM ops.unaudit_table_v1('public.users');
END
$revision$
"""

# Playlists ---------------------------------------------------------------------------------------------


def _create_playlist_history() -> None:
    op.create_table(
        "playlist_snapshots",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose playlist it is"),
        sa.Column("playlist_id", sa.BigInteger, nullable=False, comment="none: the playlist"),
        sa.Column("snapshot_id", sa.BigInteger, nullable=False, comment="none: version of the contents"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="behavioural: when the contents became so"),
        sa.PrimaryKeyConstraint("user_id", "playlist_id", "snapshot_id", name="playlist_snapshots_pkey"),
        sa.ForeignKeyConstraint(["user_id", "playlist_id"], ["playlists.user_id", "playlists.id"], name="playlist_snapshots_user_id_playlist_id_fkey", ondelete="CASCADE"),
        comment="When each version of a playlist began",
    )
    op.create_table(
        "playlist_item_versions",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose playlist it is"),
        sa.Column("playlist_id", sa.BigInteger, nullable=False, comment="none: the playlist"),
        sa.Column("rank", sa.Numeric, nullable=False, comment="none: place in the list"),
        sa.Column("since_snapshot", sa.BigInteger, nullable=False, comment="none: first version it stood there in"),
        sa.Column("until_snapshot", sa.BigInteger, comment="none: first version it no longer stood there in; NULL is the present"),
        sa.Column("track_id", sa.BigInteger, nullable=False, comment="behavioural: what stood there; no foreign key, the past does not change"),
        sa.Column("added_by", sa.BigInteger, comment="identifier: who put it there"),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False, comment="behavioural: when"),
        sa.PrimaryKeyConstraint("user_id", "playlist_id", "rank", "since_snapshot", name="playlist_item_versions_pkey"),
        sa.ForeignKeyConstraint(["user_id", "playlist_id"], ["playlists.user_id", "playlists.id"], name="playlist_item_versions_user_id_playlist_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("until_snapshot > since_snapshot", name="playlist_item_versions_until_snapshot_check"),
        comment="Where each track stood in a playlist, and in which versions of it",
    )
    op.create_index("playlist_item_versions_added_by_idx", "playlist_item_versions", ["added_by"], postgresql_where=sa.text("added_by IS NOT NULL"))
    op.create_table(
        "playlist_collaborators",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose playlist it is"),
        sa.Column("playlist_id", sa.BigInteger, nullable=False, comment="none: the playlist"),
        sa.Column("collaborator_id", sa.BigInteger, nullable=False, comment="identifier: who may change it too"),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False, comment="behavioural: since when"),
        sa.PrimaryKeyConstraint("user_id", "playlist_id", "collaborator_id", name="playlist_collaborators_pkey"),
        sa.ForeignKeyConstraint(["user_id", "playlist_id"], ["playlists.user_id", "playlists.id"], name="playlist_collaborators_user_id_playlist_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["collaborator_id"], ["users.id"], name="playlist_collaborators_collaborator_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("collaborator_id <> user_id", name="playlist_collaborators_collaborator_id_check"),
        comment="Who else may change the contents of a collaborative playlist",
    )
    op.create_index("playlist_collaborators_collaborator_id_idx", "playlist_collaborators", ["collaborator_id"])


# Set by set, and by key: each statement that changes the contents makes one version, in as much time as it
# changed rows. The versions stand beside the list, so that reading the list costs nothing more.
_PLAYLIST_HISTORY = """
COMMENT ON INDEX public.playlist_item_versions_added_by_idx IS 'what a person added to the lists of others, for their erasure';

INSERT INTO public.playlist_snapshots (user_id, playlist_id, snapshot_id, created_at)
SELECT playlist.user_id, playlist.id, playlist.snapshot_id, playlist.updated_at
  FROM public.playlists AS playlist;

INSERT INTO public.playlist_item_versions (user_id, playlist_id, rank, since_snapshot, track_id, added_by, added_at)
SELECT item.user_id, item.playlist_id, item.rank, playlist.snapshot_id, item.track_id, item.added_by, item.added_at
  FROM public.playlist_items AS item
  JOIN public.playlists AS playlist ON playlist.user_id = item.user_id AND playlist.id = item.playlist_id;

CREATE FUNCTION ops.playlists_first_snapshot() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    INSERT INTO public.playlist_snapshots (user_id, playlist_id, snapshot_id)
    SELECT added.user_id, added.id, added.snapshot_id
      FROM added;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.playlists_first_snapshot() IS 'Give a new playlist its first version';

CREATE TRIGGER playlists_first_snapshot AFTER INSERT ON public.playlists
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.playlists_first_snapshot();

CREATE FUNCTION ops.playlist_items_snapshot() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- In the order of the key, so that two statements on the same lists wait in line instead of in a circle.
        PERFORM FROM public.playlists AS playlist
          WHERE (playlist.user_id, playlist.id) IN (SELECT added.user_id, added.playlist_id FROM added)
          ORDER BY playlist.user_id, playlist.id
            FOR NO KEY UPDATE;
        WITH next AS (
            UPDATE public.playlists AS playlist
               SET snapshot_id = playlist.snapshot_id + 1
             WHERE (playlist.user_id, playlist.id) IN (SELECT added.user_id, added.playlist_id FROM added)
            RETURNING playlist.user_id, playlist.id, playlist.snapshot_id
        )
        INSERT INTO public.playlist_snapshots (user_id, playlist_id, snapshot_id)
        SELECT next.user_id, next.id, next.snapshot_id FROM next;
    ELSE
        PERFORM FROM public.playlists AS playlist
          WHERE (playlist.user_id, playlist.id) IN (SELECT removed.user_id, removed.playlist_id FROM removed)
          ORDER BY playlist.user_id, playlist.id
            FOR NO KEY UPDATE;
        WITH next AS (
            UPDATE public.playlists AS playlist
               SET snapshot_id = playlist.snapshot_id + 1
             WHERE (playlist.user_id, playlist.id) IN (SELECT removed.user_id, removed.playlist_id FROM removed)
            RETURNING playlist.user_id, playlist.id, playlist.snapshot_id
        )
        INSERT INTO public.playlist_snapshots (user_id, playlist_id, snapshot_id)
        SELECT next.user_id, next.id, next.snapshot_id FROM next;
        UPDATE public.playlist_item_versions AS version
           SET until_snapshot = (SELECT playlist.snapshot_id FROM public.playlists AS playlist
                                  WHERE playlist.user_id = version.user_id AND playlist.id = version.playlist_id)
          FROM removed
         WHERE version.user_id = removed.user_id
           AND version.playlist_id = removed.playlist_id
           AND version.rank = removed.rank
           AND version.until_snapshot IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO public.playlist_item_versions (user_id, playlist_id, rank, since_snapshot, track_id, added_by, added_at)
        SELECT added.user_id, added.playlist_id, added.rank,
               (SELECT playlist.snapshot_id FROM public.playlists AS playlist
                 WHERE playlist.user_id = added.user_id AND playlist.id = added.playlist_id),
               added.track_id, added.added_by, added.added_at
          FROM added;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.playlist_items_snapshot() IS 'Make a version of each playlist whose contents a statement changed';

CREATE FUNCTION ops.playlist_items_stay() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'an item of a playlist does not move to another playlist'
          USING ERRCODE = 'feature_not_supported', HINT = 'delete it here and insert it there';
END
$function$;
COMMENT ON FUNCTION ops.playlist_items_stay() IS 'Refuse to change whose item it is: each playlist has a history of its own';

CREATE TRIGGER playlist_items_stay BEFORE UPDATE OF user_id, playlist_id ON public.playlist_items
    FOR EACH ROW WHEN (OLD.user_id <> NEW.user_id OR OLD.playlist_id <> NEW.playlist_id)
    EXECUTE FUNCTION ops.playlist_items_stay();
CREATE TRIGGER playlist_items_snapshot_insert AFTER INSERT ON public.playlist_items
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.playlist_items_snapshot();
CREATE TRIGGER playlist_items_snapshot_update AFTER UPDATE ON public.playlist_items
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.playlist_items_snapshot();
CREATE TRIGGER playlist_items_snapshot_delete AFTER DELETE ON public.playlist_items
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION ops.playlist_items_snapshot();
"""

# A rank is the shortest decimal that fits, so that digits are spent as slowly as the gap allows: about one for
# every three insertions at the same place, and none at either end.
_PLAYLISTS = """
CREATE FUNCTION public.ranks_between_v1(lower_rank numeric, upper_rank numeric, wanted integer) RETURNS SETOF numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    digits integer := 0;
    unit numeric;
    lower_step numeric;
    steps numeric;
BEGIN
    IF wanted < 0 OR lower_rank >= upper_rank THEN
        RAISE EXCEPTION 'there is no rank between % and %', lower_rank, upper_rank
              USING ERRCODE = 'invalid_parameter_value', HINT = 'name the lower rank first, and a count of at least 0';
    END IF;
    IF upper_rank IS NULL THEN
        RETURN QUERY SELECT floor(coalesce(lower_rank, 0)) + place FROM generate_series(1, wanted) AS place;
        RETURN;
    END IF;
    IF lower_rank IS NULL THEN
        RETURN QUERY SELECT ceil(upper_rank) - wanted - 1 + place FROM generate_series(1, wanted) AS place;
        RETURN;
    END IF;
    IF upper_rank - lower_rank < wanted + 1 THEN
        digits := greatest(0, ceil(-log((upper_rank - lower_rank) / (wanted + 1)))::integer - 1);
    END IF;
    LOOP
        -- How many numbers of so many digits lie strictly between the two.
        -- Written out, for a quotient or a power would be rounded.
        unit := ('1e-' || digits)::numeric;
        lower_step := floor(lower_rank * ('1e' || digits)::numeric);
        steps := ceil(upper_rank * ('1e' || digits)::numeric) - lower_step - 1;
        EXIT WHEN steps >= wanted;
        digits := digits + 1;
    END LOOP;
    RETURN QUERY
    SELECT trim_scale((lower_step + div(place * (steps + 1), wanted + 1)) * unit)
      FROM generate_series(1, wanted) AS place;
END
$function$;
COMMENT ON FUNCTION public.ranks_between_v1(numeric, numeric, integer) IS
    'So many ranks in order strictly between two others; NULL for the lower or the upper is no bound';

CREATE FUNCTION public.lock_playlist_v1(owner_id bigint, list_id bigint, expected_snapshot bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    current_snapshot bigint;
BEGIN
    SELECT playlist.snapshot_id
      INTO current_snapshot
      FROM public.playlists AS playlist
     WHERE playlist.user_id = owner_id AND playlist.id = list_id
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no playlist %', list_id
              USING ERRCODE = 'no_data_found', HINT = 'name its owner and its number';
    END IF;
    IF expected_snapshot <> current_snapshot THEN
        RAISE EXCEPTION 'playlist % is at version %, no longer at %', list_id, current_snapshot, expected_snapshot
              USING ERRCODE = 'serialization_failure', HINT = 'read it again and repeat the change on what it holds now';
    END IF;
    RETURN current_snapshot;
END
$function$;
COMMENT ON FUNCTION public.lock_playlist_v1(bigint, bigint, bigint) IS
    'Take the row lock under which the contents of a playlist change; refuse where it has moved on since the version expected';

CREATE FUNCTION public.playlist_insert_v1(
    owner_id bigint, list_id bigint, track_ids bigint[], at_position integer DEFAULT NULL, expected_snapshot bigint DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    lower_rank numeric;
    upper_rank numeric;
BEGIN
    PERFORM public.lock_playlist_v1(owner_id, list_id, expected_snapshot);
    IF at_position < 0 THEN
        RAISE EXCEPTION 'position % is before the first', at_position
              USING ERRCODE = 'invalid_parameter_value', HINT = 'the first position is 0, NULL is the end';
    END IF;
    IF at_position IS NOT NULL THEN
        SELECT item.rank INTO upper_rank
          FROM public.playlist_items AS item
         WHERE item.user_id = owner_id AND item.playlist_id = list_id
         ORDER BY item.rank OFFSET at_position LIMIT 1;
    END IF;
    SELECT item.rank INTO lower_rank
      FROM public.playlist_items AS item
     WHERE item.user_id = owner_id AND item.playlist_id = list_id AND (upper_rank IS NULL OR item.rank < upper_rank)
     ORDER BY item.rank DESC LIMIT 1;
    INSERT INTO public.playlist_items (user_id, playlist_id, rank, track_id, added_by)
    SELECT owner_id, list_id, place.rank, place.track_id,
           coalesce(NULLIF(current_setting('app.user_id', true), '')::bigint, owner_id)
      FROM ROWS FROM (public.ranks_between_v1(lower_rank, upper_rank, cardinality(track_ids)), unnest(track_ids)) AS place (rank, track_id);
    RETURN public.lock_playlist_v1(owner_id, list_id);
END
$function$;
COMMENT ON FUNCTION public.playlist_insert_v1(bigint, bigint, bigint[], integer, bigint) IS
    'Insert tracks before a position counted from 0, or at the end; returns the new version and moves no other row';

CREATE FUNCTION public.playlist_remove_v1(
    owner_id bigint, list_id bigint, at_position integer, wanted integer DEFAULT 1, expected_snapshot bigint DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    removed integer;
BEGIN
    PERFORM public.lock_playlist_v1(owner_id, list_id, expected_snapshot);
    DELETE FROM public.playlist_items AS item
     WHERE item.user_id = owner_id
       AND item.playlist_id = list_id
       AND item.rank IN (SELECT listed.rank
                           FROM public.playlist_items AS listed
                          WHERE listed.user_id = owner_id AND listed.playlist_id = list_id
                          ORDER BY listed.rank OFFSET greatest(at_position, 0) LIMIT greatest(wanted, 0));
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF at_position < 0 OR wanted < 1 OR removed <> wanted THEN
        RAISE EXCEPTION 'playlist % has no % items from position %', list_id, wanted, at_position
              USING ERRCODE = 'invalid_parameter_value', HINT = 'the first position is 0; read the list again';
    END IF;
    RETURN public.lock_playlist_v1(owner_id, list_id);
END
$function$;
COMMENT ON FUNCTION public.playlist_remove_v1(bigint, bigint, integer, integer, bigint) IS
    'Remove items from a position counted from 0; returns the new version';

CREATE FUNCTION public.playlist_move_v1(
    owner_id bigint, list_id bigint, from_position integer, before_position integer, wanted integer DEFAULT 1,
    expected_snapshot bigint DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    moving numeric[];
    lower_rank numeric;
    upper_rank numeric;
    moved integer;
BEGIN
    PERFORM public.lock_playlist_v1(owner_id, list_id, expected_snapshot);
    SELECT array_agg(listed.rank ORDER BY listed.rank)
      INTO moving
      FROM (SELECT item.rank
              FROM public.playlist_items AS item
             WHERE item.user_id = owner_id AND item.playlist_id = list_id
             ORDER BY item.rank OFFSET greatest(from_position, 0) LIMIT greatest(wanted, 0)) AS listed;
    IF from_position < 0 OR before_position < 0 OR wanted < 1 OR coalesce(cardinality(moving), 0) <> wanted THEN
        RAISE EXCEPTION 'playlist % has no % items from position %', list_id, wanted, from_position
              USING ERRCODE = 'invalid_parameter_value', HINT = 'the first position is 0; read the list again';
    END IF;
    IF before_position BETWEEN from_position AND from_position + wanted THEN
        RETURN public.lock_playlist_v1(owner_id, list_id);
    END IF;
    SELECT item.rank INTO upper_rank
      FROM public.playlist_items AS item
     WHERE item.user_id = owner_id AND item.playlist_id = list_id
     ORDER BY item.rank OFFSET before_position LIMIT 1;
    SELECT item.rank INTO lower_rank
      FROM public.playlist_items AS item
     WHERE item.user_id = owner_id AND item.playlist_id = list_id AND (upper_rank IS NULL OR item.rank < upper_rank)
     ORDER BY item.rank DESC LIMIT 1;
    UPDATE public.playlist_items AS item
       SET rank = place.rank
      FROM ROWS FROM (public.ranks_between_v1(lower_rank, upper_rank, wanted), unnest(moving)) AS place (rank, before)
     WHERE item.user_id = owner_id AND item.playlist_id = list_id AND item.rank = place.before;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> wanted THEN
        RAISE EXCEPTION 'playlist % may not be changed by this user', list_id
              USING ERRCODE = 'insufficient_privilege', HINT = 'its owner, or a collaborator, may change it';
    END IF;
    RETURN public.lock_playlist_v1(owner_id, list_id);
END
$function$;
COMMENT ON FUNCTION public.playlist_move_v1(bigint, bigint, integer, integer, integer, bigint) IS
    'Move items before another position, both counted from 0 in the list as it was; returns the new version';

CREATE FUNCTION public.playlist_renumber_v1(owner_id bigint, list_id bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM public.lock_playlist_v1(owner_id, list_id);
    -- Above the highest, so that no new rank meets an old one on the way.
    UPDATE public.playlist_items AS item
       SET rank = place.rank
      FROM (SELECT listed.rank AS before,
                   floor(max(listed.rank) OVER ()) + row_number() OVER (ORDER BY listed.rank) AS rank
              FROM public.playlist_items AS listed
             WHERE listed.user_id = owner_id AND listed.playlist_id = list_id) AS place
     WHERE item.user_id = owner_id AND item.playlist_id = list_id AND item.rank = place.before;
    RETURN public.lock_playlist_v1(owner_id, list_id);
END
$function$;
COMMENT ON FUNCTION public.playlist_renumber_v1(bigint, bigint) IS
    'Give every item a whole number as rank again, for a list that was cut at one place thousands of times';

CREATE FUNCTION public.playlist_contents_v1(owner_id bigint, list_id bigint, at_snapshot bigint DEFAULT NULL)
RETURNS TABLE (place bigint, track_id bigint, added_by bigint, added_at timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT row_number() OVER (ORDER BY version.rank) - 1, version.track_id, version.added_by, version.added_at
      FROM public.playlist_item_versions AS version
     WHERE version.user_id = owner_id
       AND version.playlist_id = list_id
       AND CASE WHEN at_snapshot IS NULL THEN version.until_snapshot IS NULL
                ELSE version.since_snapshot <= at_snapshot AND coalesce(version.until_snapshot > at_snapshot, true) END
     ORDER BY version.rank
$function$;
COMMENT ON FUNCTION public.playlist_contents_v1(bigint, bigint, bigint) IS
    'What a playlist held at a version, or holds now, with positions from 0';

GRANT EXECUTE ON FUNCTION public.ranks_between_v1(numeric, numeric, integer),
                          public.lock_playlist_v1(bigint, bigint, bigint),
                          public.playlist_insert_v1(bigint, bigint, bigint[], integer, bigint),
                          public.playlist_remove_v1(bigint, bigint, integer, integer, bigint),
                          public.playlist_move_v1(bigint, bigint, integer, integer, integer, bigint),
                          public.playlist_renumber_v1(bigint, bigint),
                          public.playlist_contents_v1(bigint, bigint, bigint)
    TO agent_app;
"""

_DROP_PLAYLISTS = """
DROP FUNCTION public.playlist_contents_v1(bigint, bigint, bigint);
DROP FUNCTION public.playlist_renumber_v1(bigint, bigint);
DROP FUNCTION public.playlist_move_v1(bigint, bigint, integer, integer, integer, bigint);
DROP FUNCTION public.playlist_remove_v1(bigint, bigint, integer, integer, bigint);
DROP FUNCTION public.playlist_insert_v1(bigint, bigint, bigint[], integer, bigint);
DROP FUNCTION public.lock_playlist_v1(bigint, bigint, bigint);
DROP FUNCTION public.ranks_between_v1(numeric, numeric, integer);
DROP TRIGGER playlist_items_snapshot_delete ON public.playlist_items;
DROP TRIGGER playlist_items_snapshot_update ON public.playlist_items;
DROP TRIGGER playlist_items_snapshot_insert ON public.playlist_items;
DROP TRIGGER playlist_items_stay ON public.playlist_items;
DROP FUNCTION ops.playlist_items_stay();
DROP FUNCTION ops.playlist_items_snapshot();
DROP TRIGGER playlists_first_snapshot ON public.playlists;
DROP FUNCTION ops.playlists_first_snapshot();
"""

# Consent -----------------------------------------------------------------------------------------------

# An answer is an event; consent holds the latest of each. Older answers may be loaded later without undoing newer.
_CONSENT = """
CREATE FUNCTION ops.consent_events_apply() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    -- An erasure that runs at this moment waits for the answer, or the answer for it.
    PERFORM FROM public.users AS person
      WHERE person.id IN (SELECT added.user_id FROM added WHERE added.granted)
      ORDER BY person.id
        FOR SHARE;
    IF EXISTS (SELECT
                 FROM added
                 JOIN public.users AS person ON person.id = added.user_id
                WHERE added.granted
                  AND person.status IN ('erasing', 'erased')) THEN
        RAISE EXCEPTION 'a person who is erased grants nothing'
              USING ERRCODE = 'check_violation', HINT = 'a withdrawal is recorded; for a new consent a new account is needed';
    END IF;
    IF EXISTS (SELECT FROM added WHERE added.recorded_at > clock_timestamp() + INTERVAL '5 minutes') THEN
        RAISE EXCEPTION 'an answer is dated in the future'
              USING ERRCODE = 'check_violation', HINT = 'it would outweigh every answer until then: record when it was given';
    END IF;
    INSERT INTO public.consent (user_id, purpose, granted, policy_version, locale, channel, recorded_at, expires_at)
    SELECT DISTINCT ON (added.user_id, added.purpose)
           added.user_id, added.purpose, added.granted, added.policy_version, added.locale, added.channel, added.recorded_at,
           CASE WHEN added.granted THEN added.recorded_at + purpose.valid_for END
      FROM added
      JOIN public.consent_purposes AS purpose ON purpose.code = added.purpose
     ORDER BY added.user_id, added.purpose, added.recorded_at DESC, added.id DESC
        ON CONFLICT ON CONSTRAINT consent_pkey DO UPDATE
       SET granted = excluded.granted,
           policy_version = excluded.policy_version,
           locale = excluded.locale,
           channel = excluded.channel,
           recorded_at = excluded.recorded_at,
           expires_at = excluded.expires_at
     WHERE excluded.recorded_at >= consent.recorded_at;
    -- Of two answers at one instant the later number holds, whichever of two sessions wrote last: what another one
    -- committed while this waited for it is seen only from here on.
    UPDATE public.consent AS answer
       SET granted = latest.granted,
           policy_version = latest.policy_version,
           locale = latest.locale,
           channel = latest.channel,
           expires_at = latest.expires_at
      FROM (SELECT DISTINCT ON (event.user_id, event.purpose, event.recorded_at)
                   event.user_id, event.purpose, event.recorded_at, event.granted, event.policy_version, event.locale, event.channel,
                   CASE WHEN event.granted THEN event.recorded_at + purpose.valid_for END AS expires_at
              FROM added
              JOIN public.consent_events AS event
                ON event.user_id = added.user_id AND event.purpose = added.purpose AND event.recorded_at = added.recorded_at
              JOIN public.consent_purposes AS purpose ON purpose.code = event.purpose
             ORDER BY event.user_id, event.purpose, event.recorded_at, event.id DESC) AS latest
     WHERE answer.user_id = latest.user_id
       AND answer.purpose = latest.purpose
       AND answer.recorded_at = latest.recorded_at
       AND (answer.granted, answer.policy_version, answer.locale, answer.channel)
           IS DISTINCT FROM (latest.granted, latest.policy_version, latest.locale, latest.channel);
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.consent_events_apply() IS 'Make the latest answer the one that holds; refuse what an erased person cannot grant';

CREATE TRIGGER consent_events_apply AFTER INSERT ON public.consent_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ops.consent_events_apply();

CREATE FUNCTION ops.consent_is_backed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF EXISTS (SELECT
                 FROM written
                WHERE NOT EXISTS (SELECT
                                    FROM public.consent_events AS event
                                   WHERE event.user_id = written.user_id
                                     AND event.purpose = written.purpose
                                     AND event.recorded_at = written.recorded_at
                                     AND event.granted = written.granted)) THEN
        RAISE EXCEPTION 'table "consent" takes no answer without its event'
              USING ERRCODE = 'integrity_constraint_violation',
                    HINT = 'insert into consent_events, or call record_consent_v1; consent follows';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.consent_is_backed() IS 'Refuse a current answer that no event proves';

CREATE TRIGGER consent_is_backed_insert AFTER INSERT ON public.consent
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ops.consent_is_backed();
CREATE TRIGGER consent_is_backed_update AFTER UPDATE ON public.consent
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ops.consent_is_backed();

CREATE FUNCTION public.record_consent_v1(
    person_id bigint, purpose text, granted boolean, policy_version text, locale text, channel text,
    policy_sha256 bytea DEFAULT NULL, evidence jsonb DEFAULT '{}'
) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO public.consent_events (user_id, purpose, granted, policy_version, locale, channel, policy_sha256, evidence, recorded_at)
    VALUES (person_id, purpose, granted, policy_version, locale, channel, policy_sha256, evidence, clock_timestamp())
    RETURNING id
$function$;
COMMENT ON FUNCTION public.record_consent_v1(bigint, text, boolean, text, text, text, bytea, jsonb) IS
    'Record the answer a person gives now, and make it the one that holds';

CREATE FUNCTION public.consent_at_v1(person_id bigint, asked_purpose text, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT event.granted AND coalesce(event.recorded_at + purpose.valid_for > at, true)
      FROM public.consent_events AS event
      JOIN public.consent_purposes AS purpose ON purpose.code = event.purpose
     WHERE event.user_id = person_id
       AND event.purpose = asked_purpose
       AND event.recorded_at <= at
     ORDER BY event.recorded_at DESC, event.id DESC
     LIMIT 1
$function$;
COMMENT ON FUNCTION public.consent_at_v1(bigint, text, timestamptz) IS
    'Whether a consent held at an instant; NULL where the person had not been asked';

CREATE FUNCTION public.may_process_v1(person_id bigint, asked_purpose text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT CASE purpose.legal_basis
               WHEN 'consent' THEN coalesce(consent.granted AND coalesce(consent.expires_at > now(), true), false)
               WHEN 'legitimate_interests' THEN coalesce(consent.granted, true)
               ELSE true
           END
      FROM public.consent_purposes AS purpose
      LEFT JOIN public.consent AS consent ON consent.user_id = person_id AND consent.purpose = purpose.code
     WHERE purpose.code = asked_purpose
$function$;
COMMENT ON FUNCTION public.may_process_v1(bigint, text) IS
    'Whether a person''s data may be processed for a purpose now: by a consent that holds, or a basis that needs none';

GRANT EXECUTE ON FUNCTION public.record_consent_v1(bigint, text, boolean, text, text, text, bytea, jsonb) TO agent_app;
GRANT EXECUTE ON FUNCTION public.consent_at_v1(bigint, text, timestamptz), public.may_process_v1(bigint, text)
    TO agent_app, agent_privacy;
"""

_DROP_CONSENT = """
DROP FUNCTION public.may_process_v1(bigint, text);
DROP FUNCTION public.consent_at_v1(bigint, text, timestamptz);
DROP FUNCTION public.record_consent_v1(bigint, text, boolean, text, text, text, bytea, jsonb);
DROP TRIGGER consent_is_backed_update ON public.consent;
DROP TRIGGER consent_is_backed_insert ON public.consent;
DROP FUNCTION ops.consent_is_backed();
DROP TRIGGER consent_events_apply ON public.consent_events;
DROP FUNCTION ops.consent_events_apply();
"""

# People ------------------------------------------------------------------------------------------------

# Nobody is signed in before they signed in: these two see what row security hides, and no more than they answer.
_PEOPLE = """
CREATE FUNCTION ops.users_time_zone() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM now() AT TIME ZONE NEW.time_zone;
    RETURN NEW;
EXCEPTION
    WHEN invalid_parameter_value THEN
        RAISE EXCEPTION 'column "time_zone" names no time zone that this server knows'
              USING ERRCODE = 'check_violation', HINT = 'use a name of pg_timezone_names, such as Europe/Paris';
END
$function$;
COMMENT ON FUNCTION ops.users_time_zone() IS 'Refuse a time zone that the server does not know';

CREATE TRIGGER users_time_zone_insert BEFORE INSERT ON public.users
    FOR EACH ROW WHEN (NEW.time_zone <> 'UTC') EXECUTE FUNCTION ops.users_time_zone();
CREATE TRIGGER users_time_zone_update BEFORE UPDATE OF time_zone ON public.users
    FOR EACH ROW WHEN (NEW.time_zone <> 'UTC') EXECUTE FUNCTION ops.users_time_zone();

CREATE FUNCTION public.register_user_v1(
    email text, email_hmac bytea, display_name text, locale text DEFAULT 'en', country_code text DEFAULT NULL,
    time_zone text DEFAULT 'UTC', birth_year smallint DEFAULT NULL
) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO public.users (email, email_hmac, display_name, locale, country_code, time_zone, birth_year, status)
    VALUES (email, email_hmac, display_name, locale, country_code, time_zone, birth_year, 'active')
    RETURNING id
$function$;
COMMENT ON FUNCTION public.register_user_v1(text, bytea, text, text, text, text, smallint) IS
    'Make an account and return its number, to be set as app.user_id from then on';

CREATE FUNCTION public.find_user_v1(wanted_hmac bytea) RETURNS TABLE (id bigint, status text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT person.id, person.status
      FROM public.users AS person
     WHERE person.email_hmac = wanted_hmac
$function$;
COMMENT ON FUNCTION public.find_user_v1(bytea) IS 'The account of a keyed hash of an e-mail, for signing in';

GRANT EXECUTE ON FUNCTION public.register_user_v1(text, bytea, text, text, text, text, smallint),
                          public.find_user_v1(bytea)
    TO agent_app;
"""

_DROP_PEOPLE = """
DROP FUNCTION public.find_user_v1(bytea);
DROP FUNCTION public.register_user_v1(text, bytea, text, text, text, text, smallint);
DROP TRIGGER users_time_zone_update ON public.users;
DROP TRIGGER users_time_zone_insert ON public.users;
DROP FUNCTION ops.users_time_zone();
"""

# Row security ------------------------------------------------------------------------------------------

# Not FORCE: the owner role is nobody's application, and its backfills see every row. A pooled connection that
# was reused holds '' where nothing is set, hence NULLIF; without a setting nobody sees anything.
_ROW_SECURITY = """
ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.user_identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.consent ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.consent_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.playlists ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.playlist_items ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.playlist_snapshots ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.playlist_item_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.playlist_collaborators ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.listens ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.analytics ENABLE ROW LEVEL SECURITY;

CREATE POLICY users_app ON public.users TO agent_app
    USING (id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY user_identities_app ON public.user_identities TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY consent_app ON public.consent FOR SELECT TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY consent_events_app ON public.consent_events TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY playlists_app ON public.playlists TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY playlist_items_app ON public.playlist_items TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY playlist_snapshots_app ON public.playlist_snapshots FOR SELECT TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY playlist_item_versions_app ON public.playlist_item_versions FOR SELECT TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY playlist_collaborators_app ON public.playlist_collaborators TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY listens_app ON public.listens TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY analytics_app ON public.analytics FOR INSERT TO agent_app
    WITH CHECK (user_id IN (0, NULLIF(current_setting('app.user_id', true), '')::bigint));

-- What others share: a public list is read by all, a collaborative one is changed by those it names.
CREATE POLICY playlist_collaborators_named ON public.playlist_collaborators FOR SELECT TO agent_app
    USING (collaborator_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY playlists_shared ON public.playlists FOR SELECT TO agent_app
    USING (is_public OR (collaborative AND EXISTS (
        SELECT FROM public.playlist_collaborators AS named
         WHERE named.user_id = playlists.user_id AND named.playlist_id = playlists.id
           AND named.collaborator_id = NULLIF(current_setting('app.user_id', true), '')::bigint)));
CREATE POLICY playlist_items_shared ON public.playlist_items FOR SELECT TO agent_app
    USING (EXISTS (SELECT FROM public.playlists AS list
                    WHERE list.user_id = playlist_items.user_id AND list.id = playlist_items.playlist_id));
CREATE POLICY playlist_items_collaborator ON public.playlist_items TO agent_app
    USING (EXISTS (SELECT FROM public.playlists AS list
                     JOIN public.playlist_collaborators AS named
                       ON named.user_id = list.user_id AND named.playlist_id = list.id
                    WHERE list.user_id = playlist_items.user_id AND list.id = playlist_items.playlist_id
                      AND list.collaborative
                      AND named.collaborator_id = NULLIF(current_setting('app.user_id', true), '')::bigint));

-- One person at a time, and the one that was named.
CREATE POLICY users_privacy ON public.users FOR SELECT TO agent_privacy
    USING (id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY user_identities_privacy ON public.user_identities FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY consent_privacy ON public.consent FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY consent_events_privacy ON public.consent_events FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY playlists_privacy ON public.playlists FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY playlist_items_privacy ON public.playlist_items FOR SELECT TO agent_privacy
    USING (NULLIF(current_setting('app.subject_id', true), '')::bigint IN (user_id, added_by));
CREATE POLICY playlist_snapshots_privacy ON public.playlist_snapshots FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY playlist_item_versions_privacy ON public.playlist_item_versions FOR SELECT TO agent_privacy
    USING (NULLIF(current_setting('app.subject_id', true), '')::bigint IN (user_id, added_by));
CREATE POLICY playlist_collaborators_privacy ON public.playlist_collaborators FOR SELECT TO agent_privacy
    USING (NULLIF(current_setting('app.subject_id', true), '')::bigint IN (user_id, collaborator_id));
CREATE POLICY listens_privacy ON public.listens FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
CREATE POLICY analytics_privacy ON public.analytics FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
"""

# The policies of 003's own tables went with them.
_DROP_ROW_SECURITY = """
DO $revision$
DECLARE
    policy record;
BEGIN
    FOR policy IN
        SELECT policies.tablename, policies.policyname
          FROM pg_catalog.pg_policies AS policies
         WHERE policies.schemaname = 'public'
           AND policies.policyname ~ '_(app|named|shared|collaborator|privacy)$'
           AND policies.tablename IN ('users', 'user_identities', 'consent', 'consent_events', 'playlists',
                                      'playlist_items', 'playlist_snapshots', 'playlist_item_versions',
                                      'playlist_collaborators', 'listens', 'analytics')
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY %I ON public.%I', policy.policyname, policy.tablename);
    END LOOP;
END
$revision$;
ALTER TABLE public.users DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.user_identities DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.consent DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.consent_events DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.playlists DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.playlist_items DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.listens DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.analytics DISABLE ROW LEVEL SECURITY;
"""

# What analysts see -------------------------------------------------------------------------------------

# Views of the owner, so that they pass row security; no name, no address, no number that anybody else knows.
_ANALYSTS = """
CREATE VIEW public.analyst_users AS
SELECT pseudonym.analyst_ref,
       person.locale,
       person.country_code,
       person.birth_year / 10 * 10 AS birth_decade,
       person.status,
       date_trunc('month', person.created_at, 'UTC') AS registered_in
  FROM public.users AS person
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = person.id;
COMMENT ON VIEW public.analyst_users IS 'People without anything that names them';
COMMENT ON COLUMN public.analyst_users.analyst_ref IS 'identifier: pseudonym, the same in every analyst view; NULL once the person is erased';
COMMENT ON COLUMN public.analyst_users.locale IS 'behavioural: language the user reads';
COMMENT ON COLUMN public.analyst_users.country_code IS 'location: country of the account';
COMMENT ON COLUMN public.analyst_users.birth_decade IS 'derived: decade of birth';
COMMENT ON COLUMN public.analyst_users.status IS 'none: where the account is in its life';
COMMENT ON COLUMN public.analyst_users.registered_in IS 'derived: month of registration';

CREATE VIEW public.analyst_listens AS
SELECT pseudonym.analyst_ref,
       listen.track_id,
       listen.listened_at,
       listen.ms_played,
       listen.context_type,
       listen.client
  FROM public.listens AS listen
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = listen.user_id;
COMMENT ON VIEW public.analyst_listens IS 'What was listened to, without who it was';
COMMENT ON COLUMN public.analyst_listens.analyst_ref IS 'identifier: pseudonym, the same in every analyst view; NULL once the person is erased';
COMMENT ON COLUMN public.analyst_listens.track_id IS 'behavioural: to what';
COMMENT ON COLUMN public.analyst_listens.listened_at IS 'behavioural: when it began';
COMMENT ON COLUMN public.analyst_listens.ms_played IS 'behavioural: for how many milliseconds';
COMMENT ON COLUMN public.analyst_listens.context_type IS 'behavioural: from where: playlist, album, search, …';
COMMENT ON COLUMN public.analyst_listens.client IS 'behavioural: kind of application';

CREATE VIEW public.analyst_events AS
SELECT pseudonym.analyst_ref,
       event.event_name,
       event.country_code,
       event.created_at
  FROM public.analytics AS event
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = event.user_id;
COMMENT ON VIEW public.analyst_events IS 'Product events without who caused them and without their free details';
COMMENT ON COLUMN public.analyst_events.analyst_ref IS 'identifier: pseudonym, the same in every analyst view; NULL for nobody and once the person is erased';
COMMENT ON COLUMN public.analyst_events.event_name IS 'behavioural: what happened';
COMMENT ON COLUMN public.analyst_events.country_code IS 'location: country it happened in';
COMMENT ON COLUMN public.analyst_events.created_at IS 'behavioural: when it happened';

CREATE VIEW public.analyst_consent AS
SELECT answer.purpose,
       answer.granted,
       answer.policy_version,
       count(*) AS people
  FROM public.consent AS answer
 GROUP BY answer.purpose, answer.granted, answer.policy_version;
COMMENT ON VIEW public.analyst_consent IS 'How many people answered what';
COMMENT ON COLUMN public.analyst_consent.purpose IS 'none: what was asked';
COMMENT ON COLUMN public.analyst_consent.granted IS 'none: the answer';
COMMENT ON COLUMN public.analyst_consent.policy_version IS 'none: version of the text that was shown';
COMMENT ON COLUMN public.analyst_consent.people IS 'derived: how many gave it';
"""

_DROP_ANALYSTS = """
DROP VIEW public.analyst_consent;
DROP VIEW public.analyst_events;
DROP VIEW public.analyst_listens;
DROP VIEW public.analyst_users;
"""

# Who may do what ---------------------------------------------------------------------------------------

_GRANTS = """
REVOKE USAGE ON TYPE public.nfc_text, public.email_address, public.locale_tag, public.country_code, public.isrc, public.upc,
                     public.audit_action, public.audit_actor
    FROM PUBLIC;
GRANT USAGE ON TYPE public.nfc_text, public.email_address, public.locale_tag, public.country_code, public.isrc, public.upc
    TO agent_app, agent_readonly, agent_privacy;

GRANT SELECT ON public.countries, public.locales, public.data_sources, public.consent_purposes,
                public.artists, public.albums, public.tracks, public.track_artists, public.track_audio_features
    TO agent_app, agent_readonly, agent_privacy;
GRANT SELECT ON public.retention_policies TO agent_readonly, agent_privacy;

-- The application fills the catalogue; it deletes credits, which it replaces, and nothing else of it.
GRANT INSERT, UPDATE ON public.artists, public.albums, public.tracks, public.track_artists, public.track_audio_features
    TO agent_app;
GRANT DELETE ON public.track_artists TO agent_app;
GRANT USAGE ON SEQUENCE public.artists_id_seq, public.albums_id_seq, public.tracks_id_seq TO agent_app;

GRANT SELECT, UPDATE (email, email_hmac, display_name, locale, country_code, time_zone, birth_year) ON public.users TO agent_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.user_identities TO agent_app;
GRANT SELECT ON public.consent TO agent_app;
GRANT SELECT, INSERT ON public.consent_events TO agent_app;
GRANT SELECT, INSERT, UPDATE (name, description, is_public, collaborative), DELETE ON public.playlists TO agent_app;
GRANT SELECT, INSERT, UPDATE (rank, track_id), DELETE ON public.playlist_items TO agent_app;
GRANT SELECT, INSERT, DELETE ON public.playlist_collaborators TO agent_app;
GRANT SELECT ON public.playlist_snapshots, public.playlist_item_versions TO agent_app;
GRANT SELECT, INSERT, DELETE ON public.listens TO agent_app;
GRANT INSERT ON public.analytics TO agent_app;
GRANT USAGE ON SEQUENCE public.consent_events_id_seq, public.playlists_id_seq, public.listens_id_seq, public.analytics_id_seq
    TO agent_app;

GRANT SELECT ON public.analyst_users, public.analyst_listens, public.analyst_events, public.analyst_consent TO agent_readonly;

GRANT SELECT ON public.audit_log TO agent_auditor;

GRANT SELECT ON public.users, public.user_identities, public.consent, public.consent_events, public.playlists,
                public.playlist_items, public.playlist_snapshots, public.playlist_item_versions,
                public.playlist_collaborators, public.listens, public.analytics
    TO agent_privacy;
"""

_REVOKE = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM agent_app, agent_readonly, agent_auditor, agent_privacy;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM agent_app;
REVOKE USAGE ON TYPE public.nfc_text, public.email_address, public.locale_tag, public.country_code, public.isrc, public.upc
    FROM agent_app, agent_readonly, agent_privacy;
GRANT USAGE ON TYPE public.nfc_text, public.email_address, public.locale_tag, public.country_code, public.isrc, public.upc,
                    public.audit_action, public.audit_actor
    TO PUBLIC;
"""

# Retention ---------------------------------------------------------------------------------------------

_RETENTION = """
INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('users', 'erased', 'erased_at', INTERVAL '5 years', 'delete', 'GDPR art. 5(2): the erasure itself has to be shown'),
       ('user_identities', 'disconnected', 'disconnected_at', INTERVAL '30 days', 'delete', 'GDPR art. 5(1)(e)'),
       ('consent_events', 'proof', 'recorded_at', INTERVAL '5 years', 'delete', 'GDPR art. 7(1): consent has to be shown'),
       ('playlist_snapshots', 'history', 'created_at', INTERVAL '90 days', 'delete', 'GDPR art. 5(1)(e)'),
       ('listens', 'raw', 'listened_at', INTERVAL '25 months', 'drop_partition', 'GDPR art. 5(1)(e)'),
       ('analytics', 'raw', 'created_at', INTERVAL '13 months', 'drop_partition', 'CNIL guidelines on audience measurement'),
       ('audit_log', 'trail', 'created_at', INTERVAL '24 months', 'drop_partition', 'ISO/IEC 27001:2022 A.8.15')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

_FORGET_RETENTION = """
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) IN (('users', 'erased'), ('user_identities', 'disconnected'), ('consent_events', 'proof'),
                                            ('playlist_snapshots', 'history'), ('listens', 'raw'), ('analytics', 'raw'),
                                            ('audit_log', 'trail'));
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
