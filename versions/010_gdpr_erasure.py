"""Personal data: the catalogue of it, consent and requests of people, and the seals of the audit trail.

Locks: SHARE ROW EXCLUSIVE on public.audit_log, users, consent_purposes, locales and countries, and ACCESS EXCLUSIVE on the tables that get a policy and the analyst views; each from then to the end, under a second unless a later one has to be waited for.
Reverse: lossy; forgets the seals of the trail, the catalogue, holds, requests, restrictions, objections, erasures with their certificates, and the keys of people, without which what those encrypt is unreadable.
Data: seed; the catalogue of all columns so far.
Needs: membership of agent_owner; CREATEROLE, or that roles agent_sealer and agent_eraser exist.

allow MIG030: of tables in use it takes locks for a key or a policy, read nothing and held for a moment
allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, INT8MULTIRANGE, JSONB, OID, UUID

from spotify_ai_agent_migrations.versions.core.ddl import NAME, XID8, as_owner, domain, execute
from spotify_ai_agent_migrations.versions.health_check.published import published

revision = "010"
down_revision = "009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute(_CREATE_ROLES)
    execute(_LET_ERASER_SEE)
    # Whoever owns the database grants this; the owner role may not.
    execute("GRANT USAGE ON SCHEMA public TO agent_sealer, agent_eraser")
    with as_owner():
        _create_jobs()
        _create_seals()
        _create_catalogue()
        _create_consent()
        _create_requests()
        _create_erasures()
        _create_guard()
        _create_plans()
        _create_ledger()
        _create_notices()
        _create_residue()
        _create_completion()
        execute(_LET_ERASER_READ)
        execute(published())


def downgrade() -> None:
    with as_owner():
        _drop_completion()
        _drop_residue()
        _drop_notices()
        _drop_ledger()
        _drop_plans()
        _drop_guard()
        _drop_erasures()
        _drop_requests()
        _drop_consent()
        _drop_catalogue()
        _drop_seals()
        _drop_jobs()
    execute("REVOKE USAGE ON SCHEMA public FROM agent_sealer, agent_eraser")
    execute(_DROP_ROLES)


# Jobs that should run ----------------------------------------------------------------------------------


def _create_jobs() -> None:
    op.create_table(
        "job_heartbeat",
        sa.Column("job", sa.Text, nullable=False, comment="none: name of the job"),
        sa.Column("every", sa.Interval, nullable=False, comment="none: how often it should end well"),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it last did"),
        sa.PrimaryKeyConstraint("job", name="job_heartbeat_pkey"),
        sa.CheckConstraint("every > INTERVAL '0'", name="job_heartbeat_every_check"),
        comment="Jobs that are expected to run again and again, and when each last ended well",
        schema="ops",
    )
    execute(_JOBS)


def _drop_jobs() -> None:
    execute("DROP FUNCTION ops.beat_v1(text, interval)")
    op.drop_table("job_heartbeat", schema="ops")


_JOBS = """
CREATE FUNCTION ops.beat_v1(ended_job text, expected_every interval) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO ops.job_heartbeat (job, every)
    VALUES (ended_job, expected_every)
        ON CONFLICT ON CONSTRAINT job_heartbeat_pkey DO UPDATE
       SET every = excluded.every,
           succeeded_at = clock_timestamp()
$function$;
REVOKE EXECUTE ON FUNCTION ops.beat_v1(text, interval) FROM PUBLIC;
COMMENT ON FUNCTION ops.beat_v1(text, interval) IS 'Say that a job has ended well, and how often it should';
GRANT EXECUTE ON FUNCTION ops.beat_v1(text, interval) TO agent_privacy, agent_auditor;
GRANT SELECT ON ops.job_heartbeat TO agent_auditor, agent_monitor;
"""


# The seals of the audit trail --------------------------------------------------------------------------


def _create_seals() -> None:
    # Kept for ever: a seal is what tells whether a backup or a partition that comes back is genuine.
    op.create_table(
        "audit_seal",
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False, comment="none: number of the seal, without a gap"),
        sa.Column("epoch", sa.Integer, nullable=False, comment="none: grows where numbers of transactions began anew, as in a restored database"),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False, comment="none: when"),
        sa.Column("previous_hash", BYTEA, nullable=False, comment="none: hash of the seal before; zeros in the first"),
        sa.Column("first_xid", XID8, nullable=False, comment="none: first transaction that may have written what it covers"),
        sa.Column("horizon", XID8, nullable=False, comment="none: transaction before which all had ended"),
        sa.Column("entry_count", sa.BigInteger, nullable=False, comment="none: how many entries it covers"),
        sa.Column("entry_ids", INT8MULTIRANGE, nullable=False, comment="none: which"),
        sa.Column("root", BYTEA, nullable=False, comment="none: root of the tree over their commitments (RFC 6962)"),
        sa.Column("system_identifier", sa.Text, nullable=False, comment="none: server it was made on"),
        sa.Column("timeline", sa.Integer, nullable=False, comment="none: which of that server's histories"),
        sa.Column("note", sa.Text, comment="none: why an epoch began"),
        sa.Column("key_id", sa.Text, nullable=False, comment="none: key it is signed with, the beginning of the hash of its public part"),
        sa.Column("hash", BYTEA, nullable=False, comment="none: of all columns before"),
        sa.Column("signature", BYTEA, nullable=False, comment="none: of the hash (Ed25519)"),
        sa.PrimaryKeyConstraint("id", name="audit_seal_pkey"),
        sa.UniqueConstraint("hash", name="audit_seal_hash_key"),
        sa.UniqueConstraint("epoch", "id", name="audit_seal_epoch_id_key"),
        sa.CheckConstraint("first_xid <= horizon", name="audit_seal_horizon_check"),
        sa.CheckConstraint("entry_count > 0", name="audit_seal_entry_count_check"),
        sa.CheckConstraint("octet_length(previous_hash) = 32 AND octet_length(root) = 32 AND octet_length(hash) = 32", name="audit_seal_hash_check"),
        sa.CheckConstraint("octet_length(signature) = 64", name="audit_seal_signature_check"),
        sa.CheckConstraint("key_id ~ '^[0-9a-f]{16}$'", name="audit_seal_key_id_check"),
        comment="The seals of the audit trail: which entries were there, and the hash over them, one chained to another",
        schema="ops",
    )
    op.create_index("audit_seal_entry_ids_idx", "audit_seal", ["entry_ids"], schema="ops", postgresql_using="gist")
    op.create_table(
        "audit_anchor",
        sa.Column("sink", sa.Text, nullable=False, comment="none: where the digest of a seal was sent"),
        sa.Column("seal_id", sa.BigInteger, nullable=False, comment="none: the seal"),
        sa.Column("anchored_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it had arrived"),
        sa.PrimaryKeyConstraint("sink", "seal_id", name="audit_anchor_pkey"),
        sa.ForeignKeyConstraint(["seal_id"], ["ops.audit_seal.id"], name="audit_anchor_seal_id_fkey"),
        comment="Which seals have been told to the world outside, where nobody who owns the database can change them",
        schema="ops",
    )
    op.create_index("audit_anchor_seal_id_idx", "audit_anchor", ["seal_id"], schema="ops")
    for script in (_COMMITMENTS, _SEALING, _REDACTION, _SEALERS):
        execute(script)


def _drop_seals() -> None:
    execute(_FORGET_SEALS)
    op.drop_table("audit_anchor", schema="ops")
    op.drop_table("audit_seal", schema="ops")
    execute(_DROP_SEALING)


# Roles belong to the whole cluster: another database may have made one, or be making it right now.
_CREATE_ROLES = """
DO $revision$
DECLARE
    names CONSTANT text[] := ARRAY['agent_sealer', 'agent_eraser'];
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
                        HINT = pg_catalog.format('as an administrator run CREATE ROLE %s;', pg_catalog.array_to_string(names, '; CREATE ROLE '));
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

_DROP_ROLES = """
DO $revision$
DECLARE
    ours text;
BEGIN
    FOREACH ours IN ARRAY ARRAY['agent_eraser', 'agent_sealer'] LOOP
        BEGIN
            IF EXISTS (SELECT
                         FROM pg_catalog.pg_roles AS role
                        WHERE role.rolname = ours
                          AND pg_catalog.shobj_description(role.oid, 'pg_authid') = 'made by spotify-ai-agent-migrations') THEN
                EXECUTE pg_catalog.format('DROP ROLE %I', ours);
            END IF;
        EXCEPTION
            WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use THEN
                RAISE NOTICE 'role "%" stays: something in this cluster still depends on it', ours;
            WHEN undefined_object OR internal_error THEN
                -- Another database of the cluster dropped it meanwhile, for which the server has no code of its own.
                IF EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = ours) THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
END
$revision$
"""

# The bytes of an entry do not depend on what a session is set to: binary forms, and text as UTF-8, which is what the
# database is in, each behind its length; NULL has the length -1. The server writes a function of this kind, which is
# parsed when it is made, into the expression that calls it: names mean what they meant then, and a row costs one call.
# Of each part of the expression every change pays its share, so nothing is asked of a column that is never NULL.
_COMMITMENTS = """
CREATE FUNCTION ops.audit_private_v1(salt bytea, entity_id bigint, entity_key text, request_id uuid, payload jsonb) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256('agentdb audit private 1'::bytea || decode('00', 'hex') || salt
              || int4send(8) || int8send(entity_id)
              || coalesce(int4send(octet_length(entity_key)) || convert_to(entity_key, 'UTF8'), int4send(-1))
              || coalesce(int4send(16) || uuid_send(request_id), int4send(-1))
              || coalesce(int4send(octet_length(payload::text)) || convert_to(payload::text, 'UTF8'), int4send(-1)));
COMMENT ON FUNCTION ops.audit_private_v1(bytea, bigint, text, uuid, jsonb) IS
    'Salted hash of the parts of an entry that a redaction takes';

CREATE FUNCTION ops.audit_commitment_v1(
    id bigint, xid xid8, created_at timestamptz, entity_type text, action public.audit_action,
    actor_type public.audit_actor, actor_ref bigint, subject_ref bigint, changed_columns text[], private bytea
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256('agentdb audit entry 1'::bytea || decode('00', 'hex')
              || int4send(8) || int8send(id)
              || int4send(8) || xid8send(xid)
              || int4send(8) || timestamptz_send(created_at)
              || int4send(octet_length(entity_type)) || convert_to(entity_type, 'UTF8')
              || int4send(octet_length(action::text)) || convert_to(action::text, 'UTF8')
              || int4send(octet_length(actor_type::text)) || convert_to(actor_type::text, 'UTF8')
              || coalesce(int4send(8) || int8send(actor_ref), int4send(-1))
              || coalesce(int4send(8) || int8send(subject_ref), int4send(-1))
              || coalesce(int4send(octet_length(changed_columns::text)) || convert_to(changed_columns::text, 'UTF8'), int4send(-1))
              || private);
COMMENT ON FUNCTION ops.audit_commitment_v1(bigint, xid8, timestamptz, text, public.audit_action, public.audit_actor, bigint, bigint, text[], bytea) IS
    'What an entry commits to: all of it, its private parts by their salted hash';

CREATE FUNCTION ops.audit_log_commit() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    NEW.commitment := ops.audit_commitment_v1(
        NEW.id, NEW.xid, NEW.created_at, NEW.entity_type, NEW.action, NEW.actor_type, NEW.actor_ref, NEW.subject_ref,
        NEW.changed_columns, ops.audit_private_v1(NEW.salt, NEW.entity_id, NEW.entity_key, NEW.request_id, NEW.payload));
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION ops.audit_log_commit() IS 'Let a new entry commit to what it says';

-- What is restored has one, and keeps it.
CREATE TRIGGER audit_log_commit BEFORE INSERT ON public.audit_log
    FOR EACH ROW WHEN (NEW.commitment IS NULL) EXECUTE FUNCTION ops.audit_log_commit();
"""

_SEALING = """
COMMENT ON INDEX ops.audit_seal_entry_ids_idx IS 'which seal covers an entry';

CREATE TRIGGER audit_seal_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
CREATE TRIGGER audit_anchor_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.audit_anchor
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();

-- Entries from before there were commitments. In the order of xid, which has an index, so that a batch goes on where
-- the one before ended.
CREATE FUNCTION ops.commit_audit_v1(since xid8, most integer, OUT committed bigint, OUT reached xid8)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    bare public.audit_log;
BEGIN
    committed := 0;
    FOR bare IN
        SELECT entry.*
          FROM public.audit_log AS entry
         WHERE entry.commitment IS NULL
           AND entry.xid >= since
         ORDER BY entry.xid
         LIMIT most
    LOOP
        bare.salt := coalesce(bare.salt, uuid_send(gen_random_uuid()));
        bare.commitment := ops.audit_commitment_v1(
            bare.id, bare.xid, bare.created_at, bare.entity_type, bare.action, bare.actor_type, bare.actor_ref,
            bare.subject_ref, bare.changed_columns,
            ops.audit_private_v1(bare.salt, bare.entity_id, bare.entity_key, bare.request_id, bare.payload));
        UPDATE public.audit_log AS entry
           SET salt = bare.salt,
               commitment = bare.commitment
         WHERE entry.entity_id = bare.entity_id
           AND entry.id = bare.id
           AND entry.created_at = bare.created_at
           AND entry.commitment IS NULL;
        committed := committed + (bare.commitment IS NOT NULL)::integer;
        reached := bare.xid;
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.commit_audit_v1(xid8, integer) FROM PUBLIC;
COMMENT ON FUNCTION ops.commit_audit_v1(xid8, integer) IS
    'Give so many entries that have no commitment one, from a transaction on; tells how many and how far';

-- Whoever seals can add a seal where the chain ends and nothing else: not change one, not one that nothing proves.
CREATE FUNCTION ops.add_audit_seal_v1(
    id bigint, epoch integer, sealed_at timestamptz, previous_hash bytea, first_xid xid8, horizon xid8,
    entry_count bigint, entry_ids int8multirange, root bytea, system_identifier text, timeline integer, note text,
    key_id text, hash bytea, signature bytea
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_variable
DECLARE
    last ops.audit_seal;
    here CONSTANT text := (SELECT control.system_identifier::text FROM pg_control_system() AS control);
    wrong text;
BEGIN
    SELECT seal.*
      INTO last
      FROM ops.audit_seal AS seal
     ORDER BY seal.id DESC
     LIMIT 1;
    wrong := CASE
        WHEN id IS DISTINCT FROM coalesce(last.id, 0) + 1 THEN 'its number does not follow'
        WHEN previous_hash IS DISTINCT FROM coalesce(last.hash, decode(repeat('00', 32), 'hex')) THEN 'it is not chained to the last one'
        WHEN system_identifier IS DISTINCT FROM here THEN 'it is of another server'
        WHEN horizon > pg_snapshot_xmin(pg_current_snapshot()) THEN 'transactions before its horizon have not ended'
        WHEN epoch NOT IN (coalesce(last.epoch, 0), coalesce(last.epoch, 0) + 1) THEN 'its epoch does not follow'
        WHEN epoch = last.epoch AND (first_xid <> last.horizon OR system_identifier <> last.system_identifier)
            THEN 'it does not begin where the last one ended'
        WHEN epoch > last.epoch AND system_identifier = last.system_identifier
             AND last.horizon <= pg_snapshot_xmax(pg_current_snapshot()) THEN 'nothing asks for a new epoch'
        WHEN hash IS DISTINCT FROM sha256(
                 'agentdb audit seal 1'::bytea || decode('00', 'hex')
                 || int4send(8) || int8send(id) || int4send(8) || int8send(epoch)
                 || int4send(8) || timestamptz_send(sealed_at) || int4send(32) || previous_hash
                 || int4send(8) || xid8send(first_xid) || int4send(8) || xid8send(horizon)
                 || int4send(8) || int8send(entry_count)
                 || int4send(octet_length(entry_ids::text)) || convert_to(entry_ids::text, 'UTF8')
                 || int4send(32) || root
                 || int4send(octet_length(system_identifier)) || convert_to(system_identifier, 'UTF8')
                 || int4send(8) || int8send(timeline)
                 || coalesce(int4send(octet_length(note)) || convert_to(note, 'UTF8'), int4send(-1))
                 || int4send(octet_length(key_id)) || convert_to(key_id, 'UTF8'))
            THEN 'its hash is not that of what it says'
    END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'seal % was refused: %', id, wrong
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'agentdb audit-trail seal makes the next one';
    END IF;
    INSERT INTO ops.audit_seal (id, epoch, sealed_at, previous_hash, first_xid, horizon, entry_count, entry_ids, root,
                                system_identifier, timeline, note, key_id, hash, signature)
    VALUES (id, epoch, sealed_at, previous_hash, first_xid, horizon, entry_count, entry_ids, root,
            system_identifier, timeline, note, key_id, hash, signature);
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.add_audit_seal_v1(bigint, integer, timestamptz, bytea, xid8, xid8, bigint, int8multirange, bytea, text, integer, text, text, bytea, bytea) FROM PUBLIC;
COMMENT ON FUNCTION ops.add_audit_seal_v1(bigint, integer, timestamptz, bytea, xid8, xid8, bigint, int8multirange, bytea, text, integer, text, text, bytea, bytea) IS
    'Add the next seal; refused unless it follows on the last one';

CREATE FUNCTION ops.anchor_audit_v1(told_sink text, seals bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO ops.audit_anchor (sink, seal_id)
    SELECT told_sink, told.seal_id
      FROM unnest(seals) AS told (seal_id)
        ON CONFLICT ON CONSTRAINT audit_anchor_pkey DO NOTHING
$function$;
REVOKE EXECUTE ON FUNCTION ops.anchor_audit_v1(text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION ops.anchor_audit_v1(text, bigint[]) IS 'Remember that the digests of seals have arrived somewhere outside';
"""

# What nobody has sealed yet is refused: nothing outside could tell a redacted entry from one that was made up. Each
# redaction is an entry itself, so that a part that is missing without one was taken by somebody else.
_REDACTION = """
CREATE FUNCTION ops.redact_audit_v1(entries bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    wanted CONSTANT bigint[] := (SELECT array_agg(DISTINCT named.id) FROM unnest(entries) AS named (id));
    signed_in CONSTANT bigint := NULLIF(current_setting('app.user_id', true), '')::bigint;
    login CONSTANT bigint := CASE WHEN signed_in IS NULL THEN ops.role_ref() END;
    since xid8;
    until xid8;
    missing bigint;
    unsealed bigint;
    redacted_count bigint;
BEGIN
    IF wanted IS NULL OR array_position(wanted, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'no entry of the trail was named'
              USING ERRCODE = 'invalid_parameter_value', HINT = 'name entries by their numbers';
    END IF;
    -- Between which transactions they were written, if each was sealed with those of its time: a part of an index is
    -- read then, and not the whole trail. A block that began an epoch holds whatever was there.
    SELECT count(*) FILTER (WHERE cover.seal_id IS NULL),
           CASE WHEN bool_or(cover.is_first) THEN '0' ELSE min(cover.first_xid) END,
           CASE WHEN bool_or(cover.is_first) THEN '18446744073709551615' ELSE max(cover.horizon) END
      INTO unsealed, since, until
      FROM unnest(wanted) AS named (id)
      LEFT JOIN LATERAL (
           SELECT seal.id AS seal_id, seal.first_xid, seal.horizon,
                  NOT EXISTS (SELECT
                                FROM ops.audit_seal AS before
                               WHERE before.epoch = seal.epoch AND before.id < seal.id) AS is_first
             FROM ops.audit_seal AS seal
            WHERE seal.entry_ids @> named.id
            LIMIT 1) AS cover ON true;
    IF unsealed > 0 THEN
        -- An entry that nobody sealed, or one that there is not: which, is told apart only here.
        SELECT count(*)
          INTO missing
          FROM unnest(wanted) AS named (id)
         WHERE NOT EXISTS (SELECT FROM public.audit_log AS entry WHERE entry.id = named.id);
        IF missing = 0 THEN
            RAISE EXCEPTION '% of % entries are not sealed yet', unsealed, cardinality(wanted)
                  USING ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = 'agentdb audit-trail seal, and redact them then';
        END IF;
    ELSE
        SELECT cardinality(wanted) - count(*)
          INTO missing
          FROM public.audit_log AS entry
         WHERE entry.id = ANY (wanted)
           AND entry.xid >= since
           AND entry.xid < until;
    END IF;
    IF missing > 0 THEN
        RAISE EXCEPTION '% of % entries are not in the trail', missing, cardinality(wanted)
              USING ERRCODE = 'no_data_found',
                    HINT = 'name entries by their numbers; those of a partition that was put away are not there';
    END IF;
    WITH gone AS (
        UPDATE public.audit_log AS entry
           SET redacted = ops.audit_private_v1(entry.salt, entry.entity_id, entry.entity_key, entry.request_id, entry.payload),
               entity_id = 0,
               entity_key = NULL,
               request_id = NULL,
               payload = NULL,
               salt = NULL
         WHERE entry.id = ANY (wanted)
           AND entry.xid >= since
           AND entry.xid < until
           AND entry.redacted IS NULL
        RETURNING entry.id, entry.subject_ref
    ), told AS (
        INSERT INTO public.audit_log (entity_type, entity_id, action, actor_type, actor_ref, subject_ref, request_id, changed_columns)
        SELECT 'audit_entry', gone.id, 'redact',
               coalesce(NULLIF(current_setting('app.actor_type', true), ''),
                        CASE WHEN signed_in IS NULL THEN 'service' ELSE 'user' END)::public.audit_actor,
               coalesce(login, (SELECT pseudonym.audit_ref FROM ops.pseudonyms AS pseudonym WHERE pseudonym.user_id = signed_in)),
               gone.subject_ref,
               NULLIF(current_setting('app.request_id', true), '')::uuid,
               ARRAY['entity_id', 'entity_key', 'request_id', 'payload', 'salt']
          FROM gone
        RETURNING id
    )
    SELECT count(*)
      INTO redacted_count
      FROM told;
    RETURN redacted_count;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.redact_audit_v1(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION ops.redact_audit_v1(bigint[]) IS
    'Take from sealed entries what could name somebody; tells how many it was, those that had lost it before left out';
"""

_SEALERS = """
GRANT USAGE ON SCHEMA ops TO agent_sealer, agent_privacy, agent_auditor;
GRANT SELECT (id, xid, created_at, commitment) ON public.audit_log TO agent_sealer;
GRANT SELECT ON ops.audit_seal, ops.audit_anchor TO agent_sealer, agent_auditor, agent_monitor;
-- Which entries retention has taken, so that their absence is told from another.
GRANT SELECT ON public.retention_policies, ops.partition_archives TO agent_auditor;
-- How old what nobody has sealed is, and nothing of what it says.
GRANT SELECT (id, xid, created_at) ON public.audit_log TO agent_monitor;
GRANT EXECUTE ON FUNCTION ops.commit_audit_v1(xid8, integer), ops.anchor_audit_v1(text, bigint[]), ops.beat_v1(text, interval),
      ops.add_audit_seal_v1(bigint, integer, timestamptz, bytea, xid8, xid8, bigint, int8multirange, bytea, text, integer, text, text, bytea, bytea)
      TO agent_sealer;
GRANT EXECUTE ON FUNCTION ops.redact_audit_v1(bigint[]) TO agent_privacy;
"""

_FORGET_SEALS = """
REVOKE SELECT ON public.retention_policies, ops.partition_archives FROM agent_auditor;
REVOKE ALL (id, xid, created_at) ON public.audit_log FROM agent_monitor;
REVOKE ALL (id, xid, created_at, commitment) ON public.audit_log FROM agent_sealer;
REVOKE EXECUTE ON FUNCTION ops.beat_v1(text, interval) FROM agent_sealer;
REVOKE USAGE ON SCHEMA ops FROM agent_sealer, agent_privacy, agent_auditor;
DROP FUNCTION ops.redact_audit_v1(bigint[]);
DROP FUNCTION ops.anchor_audit_v1(text, bigint[]);
DROP FUNCTION ops.add_audit_seal_v1(bigint, integer, timestamptz, bytea, xid8, xid8, bigint, int8multirange, bytea, text, integer, text, text, bytea, bytea);
DROP FUNCTION ops.commit_audit_v1(xid8, integer);
"""

_DROP_SEALING = """
DROP TRIGGER audit_log_commit ON public.audit_log;
DROP FUNCTION ops.audit_log_commit();
DROP FUNCTION ops.audit_commitment_v1(bigint, xid8, timestamptz, text, public.audit_action, public.audit_actor, bigint, bigint, text[], bytea);
DROP FUNCTION ops.audit_private_v1(bytea, bigint, text, uuid, jsonb);
"""


# The catalogue of personal data ------------------------------------------------------------------------


def _create_catalogue() -> None:
    _create_personal_data()
    _create_processing()
    execute(_CATALOGUE_FUNCTIONS)
    execute(_JOURNAL_CLASSIFIED)
    execute(_PURPOSES)
    execute(_CLASSIFIED)
    execute(_EDGES)
    execute(_ACTIVITIES)
    execute(_CATALOGUE_AUDITED)
    execute(_CATALOGUE_GRANTS)


def _drop_catalogue() -> None:
    execute(_DROP_CATALOGUE)
    for table in ("processing_activities", "controller", "recipients", "personal_edges", "personal_data"):
        op.drop_table(table, schema="ops")
    execute(_FORGET_PURPOSES)


def _create_personal_data() -> None:
    op.create_table(
        "personal_data",
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the table, with its schema, as SQL writes it"),
        sa.Column("column_name", sa.Text, nullable=False, comment="none: the column"),
        sa.Column("class", sa.Text, nullable=False, comment="none: what kind of personal data it holds; none is none at all"),
        sa.Column("description", sa.Text, nullable=False, comment="none: what the column is for; with the class its comment"),
        sa.Column("strategy", sa.Text, server_default="keep", nullable=False, comment="none: what becomes of the value when its person is erased"),
        sa.Column("strategy_args", JSONB, server_default=sa.text("'{}'"), nullable=False, comment="none: with what: value of a constant, step of a generalisation, why it is kept"),
        sa.Column("origin", sa.Text, server_default="none", nullable=False, comment="none: whether it was provided, observed or inferred (GDPR art. 15 and 20)"),
        sa.Column("third_party", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether it may name another person than the one whose row it is"),
        sa.Column("purposes", ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False, comment="none: what it is processed for, by the codes of consent_purposes"),
        sa.Column("legal_basis", sa.Text, comment="none: GDPR art. 6(1) basis"),
        sa.Column("retention_rule", sa.Text, comment="none: rule of retention_policies; NULL is as long as the row that it hangs on"),
        sa.Column("rectifiable", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether its person may have it put right (GDPR art. 16)"),
        sa.Column("people", sa.Text, server_default="users", nullable=False, comment="none: whose it is: people of the service, or staff or anybody, who are reached from no user"),
        sa.PrimaryKeyConstraint("table_name", "column_name", name="personal_data_pkey"),
        sa.CheckConstraint("class IN ('none', 'identifier', 'contact', 'location', 'behavioural', 'content', 'derived')", name="personal_data_class_check"),
        sa.CheckConstraint("description ~ '^[^[:space:]]'", name="personal_data_description_check"),
        sa.CheckConstraint("strategy IN ('delete', 'null', 'constant', 'random', 'generalise', 'pseudonym', 'json', 'redact', 'shred', 'keep')", name="personal_data_strategy_check"),
        sa.CheckConstraint(
            "CASE strategy WHEN 'constant' THEN strategy_args ? 'value'"
            " WHEN 'generalise' THEN strategy_args ? 'to'"
            " WHEN 'json' THEN num_nonnulls(strategy_args -> 'paths', strategy_args -> 'keep') = 1"
            " WHEN 'keep' THEN class = 'none' OR strategy_args ? 'why'"
            " ELSE true END",
            name="personal_data_strategy_args_check",
        ),
        sa.CheckConstraint("jsonb_typeof(strategy_args) = 'object'", name="personal_data_arguments_check"),
        sa.CheckConstraint("origin IN ('provided', 'observed', 'inferred', 'none')", name="personal_data_origin_check"),
        sa.CheckConstraint("legal_basis IN ('consent', 'contract', 'legal_obligation', 'vital_interests', 'public_task', 'legitimate_interests')", name="personal_data_legal_basis_check"),
        sa.CheckConstraint("people IN ('users', 'staff', 'anybody')", name="personal_data_people_check"),
        sa.CheckConstraint(
            "CASE class WHEN 'none' THEN strategy = 'keep' AND origin = 'none' AND NOT third_party AND purposes = '{}'"
            " AND legal_basis IS NULL AND NOT rectifiable"
            " ELSE origin <> 'none' AND purposes <> '{}' AND legal_basis IS NOT NULL END",
            name="personal_data_decided_check",
        ),
        comment="Every column there is: what personal data it holds, on what ground, and what becomes of it",
        schema="ops",
    )
    op.create_table(
        "personal_edges",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the edge"),
        sa.Column("from_table", sa.Text, nullable=False, comment="none: table whose rows name others, with its schema, as SQL writes it"),
        sa.Column("from_columns", ARRAY(NAME), nullable=False, comment="none: the columns that name them"),
        sa.Column("to_table", sa.Text, nullable=False, comment="none: table whose rows are named"),
        sa.Column("to_columns", ARRAY(NAME), nullable=False, comment="none: the columns they are named by, in the same order"),
        sa.Column("kind", sa.Text, nullable=False, comment="none: whether the column itself names them, one of an array, or a value inside JSON"),
        sa.Column("discriminator_column", NAME, comment="none: column that says which table is meant, of a polymorphic edge"),
        sa.Column("discriminator_value", sa.Text, comment="none: what it says for this one"),
        sa.Column("json_path", sa.Text, comment="none: jsonpath of the values that name them"),
        sa.Column("own_columns", ARRAY(NAME), comment="none: columns that are about the person, in a row that is of somebody else; NULL is the whole row, empty none"),
        sa.Column("note", sa.Text, nullable=False, comment="none: why there is no foreign key, or why it does not mean what it seems to"),
        sa.PrimaryKeyConstraint("id", name="personal_edges_pkey"),
        sa.UniqueConstraint("from_table", "from_columns", "to_table", "to_columns", "discriminator_value", "json_path", name="personal_edges_from_table_key", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("kind IN ('column', 'polymorphic', 'array', 'json')", name="personal_edges_kind_check"),
        sa.CheckConstraint("cardinality(from_columns) > 0 AND cardinality(from_columns) = cardinality(to_columns)", name="personal_edges_from_columns_check"),
        sa.CheckConstraint("kind NOT IN ('array', 'json') OR cardinality(from_columns) = 1", name="personal_edges_one_column_check"),
        sa.CheckConstraint("num_nonnulls(discriminator_column, discriminator_value) = CASE kind WHEN 'polymorphic' THEN 2 ELSE 0 END", name="personal_edges_discriminator_column_check"),
        sa.CheckConstraint("(json_path IS NOT NULL) = (kind = 'json')", name="personal_edges_json_path_check"),
        comment="How rows name rows where no foreign key says so, or where one does not mean what it seems to",
        schema="ops",
    )


def _create_processing() -> None:
    op.create_table(
        "recipients",
        sa.Column("code", sa.Text, nullable=False, comment="none: short name of the recipient"),
        sa.Column("name", sa.Text, nullable=False, comment="none: who it is"),
        sa.Column("kind", sa.Text, nullable=False, comment="none: on whose behalf they process it"),
        sa.Column("purpose", sa.Text, nullable=False, comment="none: what they are given it for"),
        sa.Column("country_code", domain("country_code"), nullable=False, comment="none: where they process it"),
        sa.Column("safeguards", sa.Text, comment="none: what allows the transfer, where the GDPR does not apply (art. 46)"),
        sa.Column("categories", ARRAY(sa.Text), nullable=False, comment="none: classes of data they are given"),
        sa.Column("notice_channel", sa.Text, comment="none: how they are told of an erasure (GDPR art. 19); NULL is not decided, none where they hold no copy"),
        sa.Column("notice_url", sa.Text, comment="none: where a webhook is; its token is kept elsewhere"),
        sa.Column("knows_by", JSONB, server_default=sa.text("'[]'"), nullable=False, comment="none: columns whose values they know a person by, as objects of as, table, column and where"),
        sa.PrimaryKeyConstraint("code", name="recipients_pkey"),
        sa.ForeignKeyConstraint(["country_code"], ["countries.code"], name="recipients_country_code_fkey"),
        sa.CheckConstraint("kind IN ('processor', 'joint_controller', 'controller', 'authority')", name="recipients_kind_check"),
        sa.CheckConstraint("categories <> '{}' AND categories <@ ARRAY['identifier', 'contact', 'location', 'behavioural', 'content', 'derived']", name="recipients_categories_check"),
        sa.CheckConstraint("notice_channel IN ('webhook', 'command', 'hand', 'none')", name="recipients_notice_channel_check"),
        sa.CheckConstraint("(notice_channel IS NOT DISTINCT FROM 'webhook') = (notice_url IS NOT NULL)", name="recipients_notice_url_check"),
        sa.CheckConstraint(r"notice_url ~ '^(https://[^/?#@[:space:]]+|http://(localhost|127\.0\.0\.1)(:[0-9]+)?)([/?][^[:space:]]*)?$'", name="recipients_notice_url_safe_check"),
        sa.CheckConstraint("jsonb_typeof(knows_by) = 'array' AND (knows_by <> '[]' OR coalesce(notice_channel, 'none') = 'none')", name="recipients_knows_by_check"),
        sa.CheckConstraint("notice_channel NOT IN ('webhook', 'command') OR code ~ '^[a-z][a-z0-9_]*$'", name="recipients_code_check"),
        comment="Who else is given personal data, what for, and on what ground it leaves",
        schema="ops",
    )
    op.create_index("recipients_country_code_idx", "recipients", ["country_code"], schema="ops")
    # allow MIG060: nobody but the roles of privacy and audit may read it
    # allow MIG062: holds as long as the organisation does
    op.create_table(
        "controller",
        sa.Column("only_one", sa.Boolean, server_default=sa.true(), nullable=False, comment="none: there is one row"),
        sa.Column("name", sa.Text, nullable=False, comment="none: the organisation"),
        sa.Column("address", sa.Text, nullable=False, comment="none: its address"),
        sa.Column("contact", sa.Text, nullable=False, comment="none: where it is reached"),
        sa.Column("representative", sa.Text, comment="none: its representative in the Union (GDPR art. 27)"),
        sa.Column("dpo_name", sa.Text, comment="identifier: the data protection officer"),
        sa.Column("dpo_contact", sa.Text, comment="contact: where they are reached"),
        sa.Column("holidays_of", sa.Text, comment="none: country whose public holidays no period ends on, with a part of it as DE-BY"),
        sa.Column("time_zone", sa.Text, server_default="UTC", nullable=False, comment="none: IANA time zone in which its days begin and end"),
        sa.PrimaryKeyConstraint("only_one", name="controller_pkey"),
        sa.CheckConstraint("only_one", name="controller_only_one_check"),
        comment="Who answers for the processing (GDPR art. 30)",
        schema="ops",
    )
    op.create_table(
        "processing_activities",
        sa.Column("code", sa.Text, nullable=False, comment="none: short name of the activity"),
        sa.Column("name", sa.Text, nullable=False, comment="none: what is done"),
        sa.Column("purposes", ARRAY(sa.Text), nullable=False, comment="none: what for, by the codes of consent_purposes"),
        sa.Column("people", ARRAY(sa.Text), nullable=False, comment="none: categories of the people it is about"),
        sa.Column("recipients", ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False, comment="none: who is given data of it, by the codes of recipients"),
        sa.Column("security_measures", sa.Text, nullable=False, comment="none: how it is protected (GDPR art. 32)"),
        sa.PrimaryKeyConstraint("code", name="processing_activities_pkey"),
        sa.CheckConstraint("purposes <> '{}' AND people <> '{}'", name="processing_activities_purposes_check"),
        comment="What is done with personal data (GDPR art. 30); kinds of data and how long they are kept come from personal_data",
        schema="ops",
    )


# The comment of a column is written from its entry, by whoever changes the entry: as the owner of the tables.
_CATALOGUE_FUNCTIONS = r"""
CREATE FUNCTION ops.personal_data_comment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    target CONSTANT regclass := to_regclass(NEW.table_name);
    place smallint;
    wanted CONSTANT text := NEW.class || ': ' || NEW.description;
BEGIN
    SELECT attribute.attnum
      INTO place
      FROM pg_attribute AS attribute
      JOIN pg_class AS class ON class.oid = attribute.attrelid
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE attribute.attrelid = target
       AND attribute.attname = NEW.column_name
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
       AND NEW.table_name = quote_ident(namespace.nspname) || '.' || quote_ident(class.relname);
    IF place IS NULL THEN
        RAISE EXCEPTION 'there is no column "%" of "%"', NEW.column_name, NEW.table_name
              USING ERRCODE = 'undefined_column',
                    HINT = 'name the table with its schema, as SQL writes it, and the column as it is';
    END IF;
    -- A comment that says so already costs no lock.
    IF col_description(target, place) IS DISTINCT FROM wanted THEN
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', NEW.table_name, NEW.column_name, wanted);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.personal_data_comment() IS 'Keep the comment of a column what the catalogue says of it';

CREATE TRIGGER personal_data_comment AFTER INSERT OR UPDATE ON ops.personal_data
    FOR EACH ROW EXECUTE FUNCTION ops.personal_data_comment();

-- The classes come from the comments, which a revision writes with its columns.
CREATE FUNCTION ops.classify_table_v1(
    target regclass,
    strategy text DEFAULT NULL,
    origin text DEFAULT NULL,
    purposes text[] DEFAULT NULL,
    legal_basis text DEFAULT NULL,
    retention_rule text DEFAULT NULL,
    strategy_args jsonb DEFAULT '{}',
    people text DEFAULT 'users'
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT text := (
        SELECT quote_ident(namespace.nspname) || '.' || quote_ident(class.relname)
          FROM pg_class AS class
          JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE class.oid = target);
    one record;
    added integer := 0;
BEGIN
    FOR one IN
        SELECT attribute.attname::text AS column_name,
               (regexp_match(col_description(target, attribute.attnum), '^(none|identifier|contact|location|behavioural|content|derived): \s*(\S.*)$')) AS said
          FROM pg_attribute AS attribute
         WHERE attribute.attrelid = target
           AND attribute.attnum > 0
           AND NOT attribute.attisdropped
           AND NOT EXISTS (SELECT
                             FROM ops.personal_data AS entry
                            WHERE entry.table_name = called
                              AND entry.column_name = attribute.attname)
         ORDER BY attribute.attnum
    LOOP
        IF one.said IS NULL THEN
            RAISE EXCEPTION 'column "%" of "%" has no classification', one.column_name, called
                  USING ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = format('COMMENT ON COLUMN %s.%I IS ''<class>: <what it is for>'';', called, one.column_name);
        ELSIF one.said[1] = 'none' THEN
            INSERT INTO ops.personal_data (table_name, column_name, class, description)
            VALUES (called, one.column_name, one.said[1], one.said[2]);
        ELSIF num_nulls(strategy, origin, purposes, legal_basis) > 0 THEN
            RAISE EXCEPTION 'column "%" of "%" holds personal data, and nothing says what becomes of it', one.column_name, called
                  USING ERRCODE = 'object_not_in_prerequisite_state',
                        HINT = 'give strategy, origin, purposes and legal_basis, or classify the column first';
        ELSE
            INSERT INTO ops.personal_data (table_name, column_name, class, description, strategy, strategy_args, origin,
                                           purposes, legal_basis, retention_rule, people)
            VALUES (called, one.column_name, one.said[1], one.said[2], classify_table_v1.strategy, classify_table_v1.strategy_args,
                    classify_table_v1.origin, classify_table_v1.purposes, classify_table_v1.legal_basis,
                    classify_table_v1.retention_rule, classify_table_v1.people);
        END IF;
        added := added + 1;
    END LOOP;
    RETURN added;
END
$function$;
COMMENT ON FUNCTION ops.classify_table_v1(regclass, text, text, text[], text, text, jsonb, text) IS
    'Put the columns of a table into the catalogue that are not there yet, by their comments; what is given holds for the personal ones';

CREATE FUNCTION ops.classify_column_v1(
    target regclass,
    column_name text,
    class text DEFAULT NULL,
    description text DEFAULT NULL,
    strategy text DEFAULT NULL,
    strategy_args jsonb DEFAULT NULL,
    origin text DEFAULT NULL,
    third_party boolean DEFAULT NULL,
    purposes text[] DEFAULT NULL,
    legal_basis text DEFAULT NULL,
    retention_rule text DEFAULT NULL,
    rectifiable boolean DEFAULT NULL,
    people text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT text := (
        SELECT quote_ident(namespace.nspname) || '.' || quote_ident(relation.relname)
          FROM pg_class AS relation
          JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
         WHERE relation.oid = target);
    said CONSTANT text[] := (
        SELECT regexp_match(col_description(target, attribute.attnum), '^(none|identifier|contact|location|behavioural|content|derived): \s*(\S.*)$')
          FROM pg_attribute AS attribute
         WHERE attribute.attrelid = target
           AND attribute.attname = classify_column_v1.column_name
           AND NOT attribute.attisdropped);
    entry ops.personal_data := (
        SELECT known
          FROM ops.personal_data AS known
         WHERE known.table_name = called
           AND known.column_name = classify_column_v1.column_name);
BEGIN
    INSERT INTO ops.personal_data (table_name, column_name, class, description, strategy, strategy_args, origin, third_party,
                                   purposes, legal_basis, retention_rule, rectifiable, people)
    VALUES (called, column_name,
            coalesce(classify_column_v1.class, entry.class, said[1]),
            coalesce(classify_column_v1.description, entry.description, said[2]),
            coalesce(classify_column_v1.strategy, entry.strategy, 'keep'),
            coalesce(classify_column_v1.strategy_args, CASE WHEN classify_column_v1.strategy IS NULL THEN entry.strategy_args END, '{}'),
            coalesce(classify_column_v1.origin, entry.origin, 'none'),
            coalesce(classify_column_v1.third_party, entry.third_party, false),
            coalesce(classify_column_v1.purposes, entry.purposes, '{}'),
            coalesce(classify_column_v1.legal_basis, entry.legal_basis),
            coalesce(classify_column_v1.retention_rule, entry.retention_rule),
            coalesce(classify_column_v1.rectifiable, entry.rectifiable, false),
            coalesce(classify_column_v1.people, entry.people, 'users'))
        ON CONFLICT ON CONSTRAINT personal_data_pkey DO UPDATE
       SET class = excluded.class, description = excluded.description, strategy = excluded.strategy,
           strategy_args = excluded.strategy_args, origin = excluded.origin, third_party = excluded.third_party,
           purposes = excluded.purposes, legal_basis = excluded.legal_basis, retention_rule = excluded.retention_rule,
           rectifiable = excluded.rectifiable, people = excluded.people;
END
$function$;
COMMENT ON FUNCTION ops.classify_column_v1(regclass, text, text, text, text, jsonb, text, boolean, text[], text, text, boolean, text) IS
    'Say of a column what is given, in the catalogue and so in its comment; what is not given stays, or comes from the comment';
"""

# The journal is of no revision: where the schema was made from a script, it comes after, and calls this.
_JOURNAL_CLASSIFIED = """
CREATE FUNCTION ops.classify_journal_v1() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF num_nulls(to_regclass('ops.migration_journal'), to_regclass('ops.migration_state')) > 0 THEN
        RETURN;
    END IF;
    PERFORM ops.classify_table_v1('ops.migration_journal', strategy => 'keep', strategy_args => '{"why": "ISO/IEC 27001:2022 A.8.32: who changed the schema", "until": "the database is given up"}', origin => 'observed', purposes => '{security}', legal_basis => 'legitimate_interests', people => 'staff');
    PERFORM ops.classify_column_v1('ops.migration_journal', 'locks', strategy_args => '{"why": "the keys are names of relations"}');
    PERFORM ops.classify_table_v1('ops.migration_state');
END
$function$;
COMMENT ON FUNCTION ops.classify_journal_v1() IS 'Put the journal of migrations into the catalogue, if it is there';
"""

# What is processed on a ground that nobody is asked for.
_PURPOSES = """
INSERT INTO public.consent_purposes (code, legal_basis, description, valid_for)
VALUES ('security', 'legitimate_interests', 'Keep the service and its data safe, and tell who touched what', NULL),
       ('accountability', 'legal_obligation', 'Show that consent was given and that requests were answered', NULL)
    ON CONFLICT ON CONSTRAINT consent_purposes_pkey DO NOTHING;
"""

_FORGET_PURPOSES = """
DELETE FROM public.consent_purposes AS purpose
 WHERE purpose.code IN ('security', 'accountability')
   AND NOT EXISTS (SELECT FROM public.consent AS answer WHERE answer.purpose = purpose.code)
   AND NOT EXISTS (SELECT FROM public.consent_events AS answer WHERE answer.purpose = purpose.code);
"""

_CLASSIFIED = r"""
DO $revision$
DECLARE
    target regclass;
BEGIN
    -- People: a row without personal data stays of them, for what points to it.
    PERFORM ops.classify_table_v1('public.users', strategy => 'null', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'erased');
    PERFORM ops.classify_column_v1('public.users', 'id', strategy => 'keep', strategy_args => '{"why": "the number alone says nothing; proofs that must be kept point to it"}', origin => 'observed');
    PERFORM ops.classify_column_v1('public.users', 'public_id', strategy => 'random', origin => 'observed');
    PERFORM ops.classify_column_v1('public.users', 'email', rectifiable => true, purposes => '{service,marketing}');
    PERFORM ops.classify_column_v1('public.users', 'email_hmac', origin => 'inferred');
    PERFORM ops.classify_column_v1('public.users', 'display_name', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'locale', strategy => 'constant', strategy_args => '{"value": "en"}', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'country_code', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'time_zone', strategy => 'constant', strategy_args => '{"value": "UTC"}', rectifiable => true);
    PERFORM ops.classify_column_v1('public.users', 'birth_year', rectifiable => true, purposes => '{service,accountability}');

    PERFORM ops.classify_table_v1('public.user_identities', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'disconnected');
    PERFORM ops.classify_column_v1('public.user_identities', 'connected_at', origin => 'observed');
    PERFORM ops.classify_column_v1('public.user_identities', 'disconnected_at', origin => 'observed');

    -- The answer that holds goes with the person; the proof of each answer is kept for its time.
    PERFORM ops.classify_table_v1('public.consent', strategy => 'delete', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('public.consent', 'channel', origin => 'observed');
    PERFORM ops.classify_column_v1('public.consent', 'recorded_at', origin => 'observed');
    PERFORM ops.classify_table_v1('public.consent_events', strategy => 'keep', strategy_args => '{"why": "GDPR art. 7(1), 17(3)(b) and (e): the answer has to be shown, and withdrawn answers too"}', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation', retention_rule => 'proof');
    PERFORM ops.classify_column_v1('public.consent_events', 'channel', origin => 'observed');
    PERFORM ops.classify_column_v1('public.consent_events', 'evidence', origin => 'observed');
    PERFORM ops.classify_column_v1('public.consent_events', 'recorded_at', origin => 'observed');

    -- The library: a list is its owner's; who added to the list of another leaves the track there, without a name.
    PERFORM ops.classify_table_v1('public.playlists', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlists', 'name', rectifiable => true);
    PERFORM ops.classify_column_v1('public.playlists', 'description', rectifiable => true);
    PERFORM ops.classify_table_v1('public.playlist_items', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlist_items', 'added_by', strategy => 'null', origin => 'observed', third_party => true);
    PERFORM ops.classify_column_v1('public.playlist_items', 'added_at', origin => 'observed');
    PERFORM ops.classify_table_v1('public.playlist_snapshots', strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_table_v1('public.playlist_item_versions', strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlist_item_versions', 'added_by', strategy => 'null', third_party => true);
    PERFORM ops.classify_table_v1('public.playlist_collaborators', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
    PERFORM ops.classify_column_v1('public.playlist_collaborators', 'user_id', third_party => true);
    PERFORM ops.classify_column_v1('public.playlist_collaborators', 'collaborator_id', third_party => true);
    PERFORM ops.classify_column_v1('public.playlist_collaborators', 'added_at', origin => 'observed');

    -- What was done.
    PERFORM ops.classify_table_v1('public.listens', strategy => 'delete', origin => 'observed', purposes => '{service,personalisation}', legal_basis => 'contract', retention_rule => 'raw');
    PERFORM ops.classify_table_v1('public.analytics', strategy => 'delete', origin => 'observed', purposes => '{analytics}', legal_basis => 'consent', retention_rule => 'raw');

    -- The agent: what is said stands in one column, and may be taken out of it without the rest.
    PERFORM ops.classify_table_v1('public.agent_conversations', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_column_v1('public.agent_conversations', 'title', origin => 'inferred', rectifiable => true);
    PERFORM ops.classify_column_v1('public.agent_conversations', 'last_message_at', origin => 'observed');
    PERFORM ops.classify_table_v1('public.agent_messages', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_table_v1('public.agent_tool_calls', strategy => 'delete', origin => 'observed', purposes => '{service}', legal_basis => 'contract', retention_rule => 'history');
    PERFORM ops.classify_column_v1('public.agent_tool_calls', 'arguments', origin => 'inferred');
    PERFORM ops.classify_column_v1('public.agent_tool_calls', 'approved_by', strategy => 'constant', strategy_args => '{"value": 0}', third_party => true);

    -- What was computed about a person is about the person.
    PERFORM ops.classify_table_v1('public.user_features', strategy => 'delete', origin => 'inferred', purposes => '{personalisation,model_training}', legal_basis => 'consent', retention_rule => 'history');
    PERFORM ops.classify_table_v1('public.recommendations', strategy => 'delete', origin => 'inferred', purposes => '{personalisation}', legal_basis => 'consent', retention_rule => 'served');
    PERFORM ops.classify_column_v1('public.recommendations', 'feedback', origin => 'provided');
    PERFORM ops.classify_column_v1('public.recommendations', 'surface', origin => 'observed');
    PERFORM ops.classify_column_v1('public.recommendations', 'served_at', origin => 'observed');

    -- The trail stays: without the mapping a pseudonym names nobody, and the number of a person is taken out of it.
    PERFORM ops.classify_table_v1('public.audit_log', strategy => 'keep', strategy_args => '{"why": "GDPR art. 17(3)(b), 32: a pseudonym without its person; by the time of an entry it may still be matched with what else is kept"}', origin => 'observed', purposes => '{security,accountability}', legal_basis => 'legitimate_interests', retention_rule => 'trail');
    PERFORM ops.classify_column_v1('public.audit_log', 'entity_id', strategy => 'redact');
    PERFORM ops.classify_column_v1('public.audit_log', 'actor_ref', third_party => true);
    PERFORM ops.classify_table_v1('ops.pseudonyms', strategy => 'delete', strategy_args => '{"until": "the person is erased"}', origin => 'observed', purposes => '{security}', legal_basis => 'legitimate_interests');
    PERFORM ops.classify_column_v1('ops.pseudonyms', 'role_name', people => 'staff');

    -- Of those who run the service.
    PERFORM ops.classify_journal_v1();
    PERFORM ops.classify_table_v1('ops.controller', strategy => 'keep', strategy_args => '{"why": "GDPR art. 30(1)(a)", "until": "it changes"}', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation', people => 'staff');

    -- What looks as if it were about a person, and is not.
    PERFORM ops.classify_column_v1('ops.controller', 'address', strategy_args => '{"why": "of the organisation"}');

    -- All the others of this schema hold nothing personal, and say so; whoever made a table beside them classifies it.
    FOR target IN
        SELECT class.oid
          FROM pg_catalog.pg_class AS class
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE namespace.nspname IN ('public', 'ops')
           AND class.relkind IN ('r', 'p')
           AND NOT class.relispartition
           AND class.relowner = 'agent_owner'::regrole
           AND class.relname <> 'alembic_version'
           AND NOT EXISTS (SELECT
                             FROM pg_catalog.pg_attribute AS attribute
                            WHERE attribute.attrelid = class.oid
                              AND attribute.attnum > 0
                              AND NOT attribute.attisdropped
                              AND pg_catalog.col_description(class.oid, attribute.attnum) !~ '^none: \s*\S' IS NOT FALSE)
         ORDER BY namespace.nspname, class.relname
    LOOP
        PERFORM ops.classify_table_v1(target);
    END LOOP;
END
$revision$
"""

_EDGES = """
INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, discriminator_column, discriminator_value, own_columns, note)
VALUES ('public.consent_events', '{user_id}', 'public.users', '{id}', 'column', NULL, NULL, NULL, 'the proof outlives the account'),
       ('public.analytics', '{user_id}', 'public.users', '{id}', 'column', NULL, NULL, NULL, '0 is nobody'),
       ('public.playlist_items', '{added_by}', 'public.users', '{id}', 'column', NULL, NULL, '{added_by,track_id,added_at}', 'the list outlives them, and is of somebody else'),
       ('public.playlist_item_versions', '{added_by}', 'public.users', '{id}', 'column', NULL, NULL, '{added_by,track_id,added_at}', 'the past of a list that is of somebody else'),
       ('public.agent_tool_calls', '{approved_by}', 'public.users', '{id}', 'column', NULL, NULL, '{approved_by,approved_at}', 'the decision outlives them'),
       ('ops.pseudonyms', '{user_id}', 'public.users', '{id}', 'column', NULL, NULL, NULL, 'erased by itself, so that the trail names nobody'),
       ('public.audit_log', '{subject_ref}', 'ops.pseudonyms', '{audit_ref}', 'column', NULL, NULL, NULL, 'the trail outlives the mapping'),
       ('public.audit_log', '{actor_ref}', 'ops.pseudonyms', '{audit_ref}', 'column', NULL, NULL, '{actor_ref,action,request_id,created_at}', 'what a person did to things of others'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'user', NULL, 'entries outlive what they are about'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'user_identity', NULL, 'numbered by the person'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'consent', NULL, 'numbered by the person'),
       ('public.audit_log', '{entity_id}', 'public.users', '{id}', 'polymorphic', 'entity_type', 'user_feature', NULL, 'numbered by the person');
"""

_ACTIVITIES = """
INSERT INTO ops.processing_activities (code, name, purposes, people, security_measures)
SELECT given.code, given.name, given.purposes, given.people,
       'Row security by person, least privilege by role, an audit trail without values, pseudonyms in the views of analysts'
  FROM (VALUES ('streaming', 'Accounts, playlists, playback and the agent', '{service}'::text[], '{users of the service}'::text[]),
               ('measurement', 'Measuring how the service is used', '{analytics}', '{users of the service}'),
               ('recommendation', 'Recommending music', '{personalisation}', '{users of the service}'),
               ('training', 'Training recommendation models', '{model_training}', '{users of the service}'),
               ('marketing', 'News and offers by e-mail', '{marketing}', '{users of the service}'),
               ('security', 'Security, and the record of what was done', '{security}', '{users of the service,staff}'),
               ('accountability', 'Proof of consent and of answers to requests', '{accountability}', '{users of the service,staff}')
       ) AS given (code, name, purposes, people);
"""

_CATALOGUE_AUDITED = """
DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('ops.personal_data', 'personal_data', entity_key => 'table_name');
    PERFORM ops.audit_table_v1('ops.personal_edges', 'personal_edge', entity_id => 'id', entity_key => 'from_table');
    PERFORM ops.audit_table_v1('ops.recipients', 'recipient', entity_key => 'code');
    PERFORM ops.audit_table_v1('ops.controller', 'controller');
    PERFORM ops.audit_table_v1('ops.processing_activities', 'processing_activity', entity_key => 'code');
END
$revision$
"""

_CATALOGUE_GRANTS = """
GRANT USAGE ON SCHEMA ops TO agent_privacy, agent_auditor;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.personal_data, ops.personal_edges, ops.recipients, ops.controller, ops.processing_activities
    TO agent_privacy;
GRANT USAGE ON SEQUENCE ops.personal_edges_id_seq TO agent_privacy;
GRANT EXECUTE ON FUNCTION ops.classify_table_v1(regclass, text, text, text[], text, text, jsonb, text),
                          ops.classify_column_v1(regclass, text, text, text, text, jsonb, text, boolean, text[], text, text, boolean, text)
    TO agent_privacy;
GRANT SELECT ON ops.personal_data, ops.personal_edges, ops.recipients, ops.controller, ops.processing_activities TO agent_auditor;
"""

_DROP_CATALOGUE = """
REVOKE USAGE ON SCHEMA ops FROM agent_privacy, agent_auditor;
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('ops.processing_activities');
    PERFORM ops.unaudit_table_v1('ops.controller');
    PERFORM ops.unaudit_table_v1('ops.recipients');
    PERFORM ops.unaudit_table_v1('ops.personal_edges');
    PERFORM ops.unaudit_table_v1('ops.personal_data');
END
$revision$;
DROP FUNCTION ops.classify_journal_v1();
DROP FUNCTION ops.classify_column_v1(regclass, text, text, text, text, jsonb, text, boolean, text[], text, text, boolean, text);
DROP FUNCTION ops.classify_table_v1(regclass, text, text, text[], text, text, jsonb, text);
DROP TRIGGER personal_data_comment ON ops.personal_data;
DROP FUNCTION ops.personal_data_comment();
"""


# Consent, and what must be kept ------------------------------------------------------------------------


def _create_consent() -> None:
    op.create_table(
        "consent_texts",
        sa.Column("purpose", sa.Text, nullable=False, comment="none: what is asked"),
        sa.Column("version", sa.Text, nullable=False, comment="none: version of the text, as events name it"),
        sa.Column("locale", domain("locale_tag"), nullable=False, comment="none: language of the text"),
        sa.Column("body", sa.Text, nullable=False, comment="none: the text, letter by letter as it is shown"),
        sa.Column("sha256", BYTEA, nullable=False, comment="none: hash of the text as UTF-8, which events carry"),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: since when it may be shown"),
        sa.PrimaryKeyConstraint("purpose", "version", "locale", name="consent_texts_pkey"),
        sa.ForeignKeyConstraint(["purpose"], ["consent_purposes.code"], name="consent_texts_purpose_fkey"),
        sa.ForeignKeyConstraint(["locale"], ["locales.tag"], name="consent_texts_locale_fkey"),
        sa.CheckConstraint("body ~ '[^[:space:]]'", name="consent_texts_body_check"),
        sa.CheckConstraint("sha256 = sha256(convert_to(body, 'UTF8'))", name="consent_texts_sha256_check"),
        comment="The texts that people were asked with, append-only: what the hash of an answer is the hash of",
    )
    op.create_index("consent_texts_locale_idx", "consent_texts", ["locale"])
    _create_holds()
    execute(_CONSENT)
    execute(_HOLDS)


def _create_holds() -> None:
    # allow MIG060: nobody but who answers for privacy, and who audits that, may read it
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the hold"),
        sa.Column("kind", sa.Text, nullable=False, comment="none: hold, for a case; exception, from a rule of retention"),
        sa.Column("subject_id", sa.BigInteger, comment="identifier: whose data; NULL is everybody's; no foreign key, a hold outlives the account"),
        sa.Column("table_name", sa.Text, comment="none: table, with its schema; NULL is every table"),
        sa.Column("column_name", sa.Text, comment="none: column of the table; NULL is all of them"),
        sa.Column("row_key", JSONB, comment="identifier: columns and values that a row has to have; NULL is every row"),
        sa.Column("basis", ARRAY(sa.Text), nullable=False, comment="none: letters of GDPR art. 17(3)"),
        sa.Column("law", sa.Text, nullable=False, comment="none: the law, contract or case behind it"),
        sa.Column("reason", sa.Text, nullable=False, comment="content: why it is kept"),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: since when"),
        sa.Column("placed_by", sa.BigInteger, nullable=False, comment="identifier: pseudonym of who placed it, as in audit_log"),
        sa.Column("expires_at", sa.DateTime(timezone=True), comment="none: until when; NULL is until it is released"),
        sa.Column("released_at", sa.DateTime(timezone=True), comment="none: when it was released"),
        sa.Column("released_by", sa.BigInteger, comment="identifier: pseudonym of who released it"),
        sa.Column("release_reason", sa.Text, comment="content: why it was released"),
        sa.PrimaryKeyConstraint("id", name="legal_holds_pkey"),
        sa.CheckConstraint("kind IN ('hold', 'exception')", name="legal_holds_kind_check"),
        sa.CheckConstraint("subject_id IS NOT NULL OR table_name IS NOT NULL", name="legal_holds_subject_id_check"),
        sa.CheckConstraint("table_name IS NOT NULL OR (column_name IS NULL AND row_key IS NULL)", name="legal_holds_table_name_check"),
        sa.CheckConstraint("jsonb_typeof(row_key) = 'object' AND row_key <> '{}'", name="legal_holds_row_key_check"),
        sa.CheckConstraint("basis <@ ARRAY['a', 'b', 'c', 'd', 'e'] AND cardinality(basis) > 0", name="legal_holds_basis_check"),
        sa.CheckConstraint("law ~ '[^[:space:]]'", name="legal_holds_law_check"),
        sa.CheckConstraint("reason ~ '[^[:space:]]'", name="legal_holds_reason_check"),
        # What a rule excepts ends; a case ends when it ends.
        sa.CheckConstraint("kind = 'hold' OR expires_at IS NOT NULL", name="legal_holds_expires_at_check"),
        sa.CheckConstraint("num_nulls(released_at, released_by, release_reason) IN (0, 3)", name="legal_holds_released_at_check"),
        comment="What is kept although it would be erased: of whom or where, on which ground, until when",
        schema="ops",
    )
    op.create_index("legal_holds_subject_id_idx", "legal_holds", ["subject_id"], schema="ops", postgresql_where=sa.text("released_at IS NULL"))


def _drop_consent() -> None:
    execute(_DROP_HOLDS)
    execute(_DROP_CONSENT)
    op.drop_table("legal_holds", schema="ops")
    op.drop_table("consent_texts")


# A withdrawal needs the person and the purpose; a grant needs no more where the text was published. Both are
# dated behind the last answer, so that a clock that went back never keeps an older answer in force.
_CONSENT = """
CREATE TRIGGER consent_texts_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON public.consent_texts
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();

CREATE FUNCTION public.publish_consent_text_v1(purpose text, version text, locale text, body text) RETURNS bytea
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    digest CONSTANT bytea := sha256(convert_to(body, 'UTF8'));
    published bytea;
BEGIN
    INSERT INTO public.consent_texts (purpose, version, locale, body, sha256)
    VALUES (publish_consent_text_v1.purpose, publish_consent_text_v1.version, publish_consent_text_v1.locale, body, digest)
        ON CONFLICT ON CONSTRAINT consent_texts_pkey DO NOTHING
    RETURNING sha256 INTO published;
    IF NOT FOUND AND NOT EXISTS (SELECT
                                   FROM public.consent_texts AS text
                                  WHERE text.purpose = publish_consent_text_v1.purpose
                                    AND text.version = publish_consent_text_v1.version
                                    AND text.locale = publish_consent_text_v1.locale
                                    AND text.sha256 = digest) THEN
        RAISE EXCEPTION 'version "%" of the text for "%" is another text', version, purpose
              USING ERRCODE = 'unique_violation', HINT = 'what people were shown does not change: publish a new version';
    END IF;
    RETURN digest;
END
$function$;
COMMENT ON FUNCTION public.publish_consent_text_v1(text, text, text, text) IS
    'Publish the text that people are asked with, and return its hash; the same text twice is one';

-- For a person whose data is restricted, whose own row the application does not see.
CREATE FUNCTION public.my_locale_v1() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT person.locale
      FROM public.users AS person
     WHERE person.id = NULLIF(current_setting('app.user_id', true), '')::bigint
$function$;
COMMENT ON FUNCTION public.my_locale_v1() IS 'The language of the person signed in; NULL where nobody is';

CREATE FUNCTION public.grant_consent_v1(
    person_id bigint, purpose text, policy_version text DEFAULT NULL, locale text DEFAULT NULL, channel text DEFAULT 'web',
    shown_text text DEFAULT NULL, evidence jsonb DEFAULT '{}'
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    spoken CONSTANT text := coalesce(locale, (SELECT person.locale FROM public.users AS person WHERE person.id = person_id),
                                     public.my_locale_v1(), 'en');
    digest CONSTANT bytea := sha256(convert_to(shown_text, 'UTF8'));
    shown record;
    written bigint;
BEGIN
    -- The text itself, where it is given; else the last one of that version in their language, or the nearest to it.
    SELECT text.version, text.locale, text.sha256
      INTO shown
      FROM public.consent_texts AS text
      LEFT JOIN public.locale_chain_v1(spoken) AS chain ON chain.tag = text.locale
     WHERE text.purpose = grant_consent_v1.purpose
       AND text.version = coalesce(policy_version, text.version)
       AND CASE WHEN digest IS NULL THEN chain.tag IS NOT NULL ELSE text.sha256 = digest END
     ORDER BY chain.place, text.published_at DESC, text.version DESC
     LIMIT 1;
    IF shown IS NULL AND policy_version IS NULL THEN
        RAISE EXCEPTION 'no text that was published for "%" is the one shown', purpose
              USING ERRCODE = 'no_data_found', HINT = 'publish_consent_text_v1 makes it known; or name policy_version';
    END IF;
    IF shown IS NULL AND digest IS NOT NULL AND EXISTS (SELECT
                                                          FROM public.consent_texts AS text
                                                         WHERE text.purpose = grant_consent_v1.purpose
                                                           AND text.version = policy_version
                                                           AND text.locale = spoken) THEN
        RAISE EXCEPTION 'version "%" of the text for "%" is another text than the one shown', policy_version, purpose
              USING ERRCODE = 'check_violation', HINT = 'show the text of consent_texts, or publish a new version';
    END IF;
    INSERT INTO public.consent_events (user_id, purpose, granted, policy_version, locale, channel, policy_sha256, evidence, recorded_at)
    VALUES (person_id, grant_consent_v1.purpose, true, coalesce(shown.version, policy_version), coalesce(shown.locale, spoken), channel,
            coalesce(shown.sha256, digest), evidence,
            greatest(clock_timestamp(), (SELECT max(event.recorded_at)
                                           FROM public.consent_events AS event
                                          WHERE event.user_id = person_id AND event.purpose = grant_consent_v1.purpose)))
    RETURNING id INTO written;
    RETURN written;
END
$function$;
COMMENT ON FUNCTION public.grant_consent_v1(bigint, text, text, text, text, text, jsonb) IS
    'Record that a person grants a consent now: to the text shown, or to the last one published';

CREATE FUNCTION public.withdraw_consent_v1(
    person_id bigint, purpose text, policy_version text DEFAULT NULL, locale text DEFAULT NULL, channel text DEFAULT 'web',
    evidence jsonb DEFAULT '{}'
) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO public.consent_events (user_id, purpose, granted, policy_version, locale, channel, policy_sha256, evidence, recorded_at)
    SELECT person_id, withdraw_consent_v1.purpose, false,
           coalesce(withdraw_consent_v1.policy_version, last.policy_version, 'none'),
           coalesce(withdraw_consent_v1.locale, last.locale, 'en'),
           withdraw_consent_v1.channel,
           CASE WHEN last.policy_version = coalesce(withdraw_consent_v1.policy_version, last.policy_version) THEN last.policy_sha256 END,
           withdraw_consent_v1.evidence,
           greatest(clock_timestamp(), last.recorded_at)
      FROM (VALUES (1)) AS always (once)
      LEFT JOIN LATERAL (SELECT event.policy_version, event.locale, event.policy_sha256, event.recorded_at
                           FROM public.consent_events AS event
                          WHERE event.user_id = person_id AND event.purpose = withdraw_consent_v1.purpose
                          ORDER BY event.recorded_at DESC, event.id DESC
                          LIMIT 1) AS last ON true
    RETURNING id
$function$;
COMMENT ON FUNCTION public.withdraw_consent_v1(bigint, text, text, text, text, jsonb) IS
    'Record that a person withdraws a consent now, asked for nothing more than the grant was';

GRANT SELECT ON public.consent_texts TO agent_app, agent_readonly, agent_privacy, agent_auditor;
GRANT EXECUTE ON FUNCTION public.my_locale_v1(),
                          public.grant_consent_v1(bigint, text, text, text, text, text, jsonb),
                          public.withdraw_consent_v1(bigint, text, text, text, text, jsonb)
    TO agent_app;

DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('public.consent_texts', 'consent_text', entity_key => 'purpose');
END
$revision$;
"""

_DROP_CONSENT = """
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('public.consent_texts');
END
$revision$;
DROP FUNCTION public.withdraw_consent_v1(bigint, text, text, text, text, jsonb);
DROP FUNCTION public.grant_consent_v1(bigint, text, text, text, text, text, jsonb);
DROP FUNCTION public.my_locale_v1();
DROP FUNCTION public.publish_consent_text_v1(text, text, text, text);
"""

# A hold names its table as SQL writes it and its row as the table has it, so that erasure compares like with like.
# An instant in a key is spelt in UTC, whatever zone the session is in.
_HOLDS = """
CREATE FUNCTION ops.acting_ref() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT coalesce((SELECT pseudonym.audit_ref
                       FROM ops.pseudonyms AS pseudonym
                      WHERE pseudonym.user_id = NULLIF(current_setting('app.user_id', true), '')::bigint),
                    ops.role_ref())
$function$;
COMMENT ON FUNCTION ops.acting_ref() IS 'The pseudonym of the person signed in, or else of the login at work';

CREATE FUNCTION ops.row_key_v1(target text, key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC' AS $function$
DECLARE
    unknown text;
    spelt jsonb;
BEGIN
    SELECT named.name
      INTO unknown
      FROM jsonb_object_keys(key) AS named (name)
     WHERE NOT EXISTS (SELECT
                         FROM pg_attribute AS attribute
                        WHERE attribute.attrelid = target::regclass
                          AND attribute.attname = named.name
                          AND attribute.attnum > 0
                          AND NOT attribute.attisdropped);
    IF FOUND THEN
        RAISE EXCEPTION 'table "%" has no column "%"', target, unknown
              USING ERRCODE = 'undefined_column', HINT = 'name a row by columns of its table, as {"id": 5}';
    END IF;
    EXECUTE format('SELECT to_jsonb(jsonb_populate_record(NULL::%s, $1))', target::regclass) INTO spelt USING key;
    RETURN (SELECT jsonb_object_agg(named.name, spelt -> named.name) FROM jsonb_object_keys(key) AS named (name));
END
$function$;
COMMENT ON FUNCTION ops.row_key_v1(text, jsonb) IS 'The key of a row, each value spelt as its table has it and instants in UTC';

CREATE FUNCTION ops.place_hold_v1(
    basis text[], law text, reason text, subject_id bigint DEFAULT NULL, table_name text DEFAULT NULL,
    column_name text DEFAULT NULL, row_key jsonb DEFAULT NULL, expires_at timestamptz DEFAULT NULL, kind text DEFAULT 'hold'
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    target CONSTANT regclass := to_regclass(table_name);
    spelt text;
    written bigint;
BEGIN
    IF table_name IS NOT NULL AND target IS NULL THEN
        RAISE EXCEPTION 'there is no table "%"', table_name
              USING ERRCODE = 'undefined_table', HINT = 'name it with its schema: public.listens';
    END IF;
    IF column_name IS NOT NULL AND NOT EXISTS (SELECT
                                                 FROM pg_attribute AS attribute
                                                WHERE attribute.attrelid = target
                                                  AND attribute.attname = column_name
                                                  AND attribute.attnum > 0
                                                  AND NOT attribute.attisdropped) THEN
        RAISE EXCEPTION 'table "%" has no column "%"', table_name, column_name
              USING ERRCODE = 'undefined_column', HINT = 'name a column of the table';
    END IF;
    IF expires_at <= now() THEN
        RAISE EXCEPTION 'the hold would be over already'
              USING ERRCODE = 'invalid_parameter_value', HINT = 'name an instant that is still to come';
    END IF;
    SELECT format('%I.%I', namespace.nspname, class.relname)
      INTO spelt
      FROM pg_class AS class
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE class.oid = target;
    INSERT INTO ops.legal_holds (kind, subject_id, table_name, column_name, row_key, basis, law, reason, placed_by, expires_at)
    VALUES (kind, subject_id, spelt, column_name, CASE WHEN target IS NULL THEN row_key ELSE ops.row_key_v1(spelt, row_key) END,
            basis, law, reason, ops.acting_ref(), expires_at)
    RETURNING id INTO written;
    RETURN written;
END
$function$;
COMMENT ON FUNCTION ops.place_hold_v1(text[], text, text, bigint, text, text, jsonb, timestamptz, text) IS
    'Keep data of a person, a table, a column or a row although it would be erased; returns the number of the hold';

CREATE FUNCTION ops.release_hold_v1(hold_id bigint, reason text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    released timestamptz;
BEGIN
    IF coalesce(release_hold_v1.reason !~ '[^[:space:]]', true) THEN
        RAISE EXCEPTION 'a hold is released for a reason' USING ERRCODE = 'invalid_parameter_value', HINT = 'say it';
    END IF;
    UPDATE ops.legal_holds AS hold
       SET released_at = clock_timestamp(), released_by = ops.acting_ref(), release_reason = release_hold_v1.reason
     WHERE hold.id = hold_id
       AND hold.released_at IS NULL
    RETURNING hold.released_at INTO released;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no hold % to be released', hold_id
              USING ERRCODE = 'no_data_found', HINT = 'ops.held_now lists those in force';
    END IF;
    RETURN released;
END
$function$;
COMMENT ON FUNCTION ops.release_hold_v1(bigint, text) IS 'Release a hold; what it kept may be erased from now on';

CREATE FUNCTION ops.holds_v1(subject bigint, at timestamptz DEFAULT now())
RETURNS TABLE (hold_id bigint, kind text, table_name text, column_name text, row_key jsonb, basis text[], law text, expires_at timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT hold.id, hold.kind, hold.table_name, hold.column_name, hold.row_key, hold.basis, hold.law, hold.expires_at
      FROM ops.legal_holds AS hold
     WHERE (hold.subject_id = subject OR hold.subject_id IS NULL)
       AND hold.placed_at <= at
       AND coalesce(hold.released_at > at, true)
       AND coalesce(hold.expires_at > at, true)
     ORDER BY hold.id
$function$;
COMMENT ON FUNCTION ops.holds_v1(bigint, timestamptz) IS 'The holds that keep data of a person at an instant, those on everybody''s among them';

CREATE FUNCTION ops.holds_of_row_v1(
    subject bigint, target text, key jsonb, at_column text DEFAULT NULL, at timestamptz DEFAULT now()
) RETURNS bigint[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT coalesce(array_agg(hold.hold_id ORDER BY hold.hold_id), '{}')
      FROM ops.holds_v1(subject, at) AS hold
     WHERE (hold.table_name IS NULL OR to_regclass(hold.table_name) = target::regclass)
       AND (hold.column_name IS NULL OR at_column IS NULL OR hold.column_name = at_column)
       AND (hold.row_key IS NULL OR ops.row_key_v1(target, key) @> hold.row_key)
$function$;
COMMENT ON FUNCTION ops.holds_of_row_v1(bigint, text, jsonb, text, timestamptz) IS
    'The holds that keep one row of a person, or one column of it; without a column, those that keep any part of it';

CREATE VIEW ops.held_now AS
SELECT hold.id, hold.kind, hold.subject_id, hold.table_name, hold.column_name, hold.row_key, hold.basis, hold.law, hold.reason,
       hold.placed_at, hold.placed_by, hold.expires_at
  FROM ops.legal_holds AS hold
 WHERE hold.released_at IS NULL
   AND coalesce(hold.expires_at > now(), true);
COMMENT ON VIEW ops.held_now IS 'What is kept now although it would be erased';
COMMENT ON COLUMN ops.held_now.id IS 'none: number of the hold';
COMMENT ON COLUMN ops.held_now.kind IS 'none: hold, for a case; exception, from a rule of retention';
COMMENT ON COLUMN ops.held_now.subject_id IS 'identifier: whose data; NULL is everybody''s';
COMMENT ON COLUMN ops.held_now.table_name IS 'none: table, with its schema; NULL is every table';
COMMENT ON COLUMN ops.held_now.column_name IS 'none: column of the table; NULL is all of them';
COMMENT ON COLUMN ops.held_now.row_key IS 'identifier: columns and values that a row has to have; NULL is every row';
COMMENT ON COLUMN ops.held_now.basis IS 'none: letters of GDPR art. 17(3)';
COMMENT ON COLUMN ops.held_now.law IS 'none: the law, contract or case behind it';
COMMENT ON COLUMN ops.held_now.reason IS 'content: why it is kept';
COMMENT ON COLUMN ops.held_now.placed_at IS 'none: since when';
COMMENT ON COLUMN ops.held_now.placed_by IS 'identifier: pseudonym of who placed it, as in audit_log';
COMMENT ON COLUMN ops.held_now.expires_at IS 'none: until when; NULL is until it is released';

CREATE TRIGGER legal_holds_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.legal_holds
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();

COMMENT ON INDEX ops.legal_holds_subject_id_idx IS 'what keeps data of a person';

DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('ops.legal_holds', 'legal_hold', entity_id => 'id', subject => 'subject_id');
END
$revision$;

GRANT USAGE ON SCHEMA ops TO agent_privacy, agent_auditor;
GRANT SELECT ON ops.legal_holds, ops.held_now TO agent_privacy, agent_auditor;
GRANT EXECUTE ON FUNCTION ops.row_key_v1(text, jsonb), ops.holds_v1(bigint, timestamptz),
                          ops.holds_of_row_v1(bigint, text, jsonb, text, timestamptz)
    TO agent_privacy, agent_auditor;
GRANT EXECUTE ON FUNCTION ops.place_hold_v1(text[], text, text, bigint, text, text, jsonb, timestamptz, text),
                          ops.release_hold_v1(bigint, text)
    TO agent_privacy;
"""

_DROP_HOLDS = """
REVOKE USAGE ON SCHEMA ops FROM agent_privacy, agent_auditor;
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('ops.legal_holds');
END
$revision$;
DROP VIEW ops.held_now;
DROP FUNCTION ops.holds_of_row_v1(bigint, text, jsonb, text, timestamptz);
DROP FUNCTION ops.holds_v1(bigint, timestamptz);
DROP FUNCTION ops.release_hold_v1(bigint, text);
DROP FUNCTION ops.place_hold_v1(text[], text, text, bigint, text, text, jsonb, timestamptz, text);
DROP FUNCTION ops.row_key_v1(text, jsonb);
DROP FUNCTION ops.acting_ref();
"""

# What people ask for -----------------------------------------------------------------------------------


def _create_requests() -> None:
    op.create_table(
        "public_holidays",
        sa.Column("country", sa.Text, nullable=False, comment="none: ISO 3166-1 alpha-2, with a part of it as DE-BY"),
        sa.Column("day", sa.Date, nullable=False, comment="none: the day"),
        sa.Column("name", sa.Text, nullable=False, comment="none: what is celebrated"),
        sa.PrimaryKeyConstraint("country", "day", name="public_holidays_pkey"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$'", name="public_holidays_country_check"),
        comment="Days on which no period ends",
        schema="ops",
    )
    # allow MIG060: the application gets functions; whoever may read it answers for all of it, or audits that
    op.create_table(
        "data_subject_requests",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the request"),
        sa.Column("user_id", sa.BigInteger, comment="identifier: who asks; NULL has no account; no foreign key, the answer has to be shown later"),
        sa.Column("kind", sa.Text, nullable=False, comment="behavioural: what is asked for"),
        sa.Column("status", sa.Text, server_default="received", nullable=False, comment="none: how far it is"),
        sa.Column("channel", sa.Text, server_default="web", nullable=False, comment="behavioural: how it came"),
        sa.Column("reference", sa.Text, comment="none: its number in another system"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, comment="behavioural: when it came"),
        sa.Column("received_on", sa.Date, nullable=False, comment="none: the day that was with the controller; periods run from it"),
        sa.Column("country", sa.Text, comment="none: whose public holidays count; NULL is nobody's"),
        sa.Column("time_zone", sa.Text, nullable=False, comment="none: time zone of the controller, in which days begin and end"),
        sa.Column("extended", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether two months were added"),
        sa.Column("paused_at", sa.DateTime(timezone=True), comment="none: since when the clock stands still; NULL is running"),
        sa.Column("paused_days", sa.Integer, server_default="0", nullable=False, comment="none: how many days it stood still before"),
        sa.Column("due_on", sa.Date, comment="none: last day on which an answer is in time; NULL while the clock stands still"),
        sa.Column("due_at", sa.DateTime(timezone=True), comment="none: the end of that day"),
        sa.Column("due_note", sa.Text, comment="none: what is not known about that day"),
        sa.Column("closed_at", sa.DateTime(timezone=True), comment="none: when it was answered"),
        sa.PrimaryKeyConstraint("id", name="data_subject_requests_pkey"),
        sa.CheckConstraint("kind IN ('access', 'portability', 'rectification', 'erasure', 'restriction', 'objection', 'automated_decision')", name="data_subject_requests_kind_check"),
        sa.CheckConstraint("status IN ('received', 'paused', 'extended', 'completed', 'rejected')", name="data_subject_requests_status_check"),
        sa.CheckConstraint("channel IN ('web', 'ios', 'android', 'api', 'support', 'mail', 'import')", name="data_subject_requests_channel_check"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$'", name="data_subject_requests_country_check"),
        sa.CheckConstraint("(status = 'paused') = (paused_at IS NOT NULL)", name="data_subject_requests_paused_at_check"),
        sa.CheckConstraint("paused_days >= 0", name="data_subject_requests_paused_days_check"),
        sa.CheckConstraint("(status IN ('completed', 'rejected')) = (closed_at IS NOT NULL)", name="data_subject_requests_closed_at_check"),
        sa.CheckConstraint("num_nulls(due_on, due_at) IN (0, 2) AND (due_at IS NULL) = (status = 'paused')", name="data_subject_requests_due_at_check"),
        comment="What people ask under GDPR art. 15 to 22, and by when they are to be answered",
    )
    op.create_index("data_subject_requests_user_id_idx", "data_subject_requests", ["user_id"])
    op.create_index("data_subject_requests_due_at_idx", "data_subject_requests", ["due_at"], postgresql_where=sa.text("closed_at IS NULL"))
    # allow MIG060: as above
    op.create_table(
        "data_subject_request_events",
        sa.Column("request_id", sa.BigInteger, nullable=False, comment="none: the request"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the event"),
        sa.Column("kind", sa.Text, nullable=False, comment="behavioural: what happened"),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False, comment="behavioural: when it happened"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was written down"),
        sa.Column("due_at", sa.DateTime(timezone=True), comment="none: deadline from then on; NULL while the clock stands still"),
        sa.Column("late", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether it came after the deadline"),
        sa.Column("told", sa.Text, comment="content: reasons that the person was given, or what was done"),
        sa.Column("actor_ref", sa.BigInteger, nullable=False, comment="identifier: pseudonym of who did it, as in audit_log"),
        sa.PrimaryKeyConstraint("request_id", "id", name="data_subject_request_events_pkey"),
        sa.ForeignKeyConstraint(["request_id"], ["data_subject_requests.id"], name="data_subject_request_events_request_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("kind IN ('received', 'paused', 'resumed', 'extended', 'noted', 'completed', 'rejected')", name="data_subject_request_events_kind_check"),
        sa.CheckConstraint("kind NOT IN ('paused', 'extended', 'rejected') OR coalesce(told ~ '[^[:space:]]', false)", name="data_subject_request_events_told_check"),
        comment="What happened to each request, append-only",
    )
    _create_restrictions()
    _create_objections()
    execute(_DEADLINES)
    execute(_REQUESTS)
    execute(_RESTRICTIONS)
    execute(_OBJECTIONS)
    execute(_MAY_PROCESS)
    execute(_RESTRICTED_VIEWS)
    execute(_RIGHTS_CLASSIFIED)


def _create_restrictions() -> None:
    # allow MIG060: nobody but who answers for privacy, and who audits that, may read it
    op.create_table(
        "restrictions",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the restriction"),
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: whose data is stored and nothing else"),
        sa.Column("ground", sa.Text, nullable=False, comment="behavioural: GDPR art. 18(1)(a) to (d), in this order"),
        sa.Column("request_id", sa.BigInteger, comment="none: request that asked for it"),
        sa.Column("restricted_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="behavioural: since when"),
        sa.Column("restricted_by", sa.BigInteger, nullable=False, comment="identifier: pseudonym of who did it, as in audit_log"),
        sa.Column("notice_sent_at", sa.DateTime(timezone=True), comment="none: when the person was told that it would be lifted"),
        sa.Column("lifted_at", sa.DateTime(timezone=True), comment="behavioural: when it was lifted"),
        sa.Column("lifted_by", sa.BigInteger, comment="identifier: pseudonym of who lifted it"),
        sa.Column("lift_reason", sa.Text, comment="content: why it was lifted"),
        sa.PrimaryKeyConstraint("id", name="restrictions_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["public.users.id"], name="restrictions_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["request_id"], ["public.data_subject_requests.id"], name="restrictions_request_id_fkey", ondelete="SET NULL"),
        sa.CheckConstraint("ground IN ('accuracy_contested', 'unlawful', 'legal_claims', 'objection_pending')", name="restrictions_ground_check"),
        sa.CheckConstraint("num_nulls(notice_sent_at, lifted_at, lifted_by, lift_reason) IN (0, 4)", name="restrictions_lifted_at_check"),
        sa.CheckConstraint("notice_sent_at < lifted_at", name="restrictions_notice_sent_at_check"),
        comment="Whose data is stored and nothing else (GDPR art. 18), and since when no more",
        schema="ops",
    )
    op.create_index("restrictions_user_id_idx", "restrictions", ["user_id"], schema="ops")
    op.create_index("restrictions_request_id_idx", "restrictions", ["request_id"], schema="ops")
    op.create_index("restrictions_in_force_idx", "restrictions", ["user_id"], schema="ops", postgresql_where=sa.text("lifted_at IS NULL"))
    op.create_table(
        "restriction_permits",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the permit"),
        sa.Column("restriction_id", sa.BigInteger, nullable=False, comment="none: restriction it is an exception of"),
        sa.Column("ground", sa.Text, nullable=False, comment="none: GDPR art. 18(2)"),
        sa.Column("purpose", sa.Text, nullable=False, comment="none: what the data may be used for"),
        sa.Column("reason", sa.Text, nullable=False, comment="none: why, without naming anybody"),
        sa.Column("granted_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: since when"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="none: until when"),
        sa.PrimaryKeyConstraint("id", name="restriction_permits_pkey"),
        sa.ForeignKeyConstraint(["restriction_id"], ["ops.restrictions.id"], name="restriction_permits_restriction_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["purpose"], ["public.consent_purposes.code"], name="restriction_permits_purpose_fkey"),
        sa.CheckConstraint("ground IN ('consent', 'legal_claims', 'rights_of_others', 'public_interest')", name="restriction_permits_ground_check"),
        sa.CheckConstraint("reason ~ '[^[:space:]]'", name="restriction_permits_reason_check"),
        comment="What a restriction lets through: for which purpose, on which ground, until when",
        schema="ops",
    )
    op.create_index("restriction_permits_restriction_id_idx", "restriction_permits", ["restriction_id"], schema="ops")
    op.create_index("restriction_permits_purpose_idx", "restriction_permits", ["purpose"], schema="ops")


def _create_objections() -> None:
    op.create_table(
        "objections",
        sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: who objects"),
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the objection"),
        sa.Column("purpose", sa.Text, nullable=False, comment="behavioural: to what"),
        sa.Column("grounds", sa.Text, comment="content: what about their situation, where they said it"),
        sa.Column("objected_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="behavioural: when"),
        sa.Column("overridden_at", sa.DateTime(timezone=True), comment="behavioural: since when it is outweighed; NULL is not"),
        sa.Column("override_reasons", sa.Text, comment="content: the compelling grounds that outweigh it, as the person was told"),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), comment="behavioural: when they took it back"),
        sa.PrimaryKeyConstraint("user_id", "id", name="objections_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="objections_user_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["purpose"], ["consent_purposes.code"], name="objections_purpose_fkey"),
        sa.CheckConstraint("(overridden_at IS NULL) = (override_reasons IS NULL)", name="objections_overridden_at_check"),
        sa.CheckConstraint("override_reasons ~ '[^[:space:]]'", name="objections_override_reasons_check"),
        comment="What people object to (GDPR art. 21), one row an objection",
    )
    op.create_index("objections_purpose_idx", "objections", ["purpose"])
    op.create_index("objections_in_force_idx", "objections", ["user_id", "purpose"], unique=True, postgresql_where=sa.text("overridden_at IS NULL AND withdrawn_at IS NULL"))
    # allow MIG060: nobody but the owner role may read it
    # allow MIG062: kept for as long as the objection stands, which is until the person takes it back
    op.create_table(
        "suppressions",
        sa.Column("identifier_hmac", BYTEA, nullable=False, comment="identifier: keyed hash of an address or number; the key is kept elsewhere"),
        sa.Column("purpose", sa.Text, nullable=False, comment="behavioural: what it must not be used for"),
        sa.Column("key_id", sa.Text, nullable=False, comment="none: which key"),
        sa.Column("suppressed_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="behavioural: since when"),
        sa.Column("ended_at", sa.DateTime(timezone=True), comment="behavioural: when the person took it back; NULL is in force"),
        sa.PrimaryKeyConstraint("identifier_hmac", "purpose", name="suppressions_pkey"),
        sa.ForeignKeyConstraint(["purpose"], ["public.consent_purposes.code"], name="suppressions_purpose_fkey"),
        sa.CheckConstraint("octet_length(identifier_hmac) = 32", name="suppressions_identifier_hmac_check"),
        comment="Objections that outlive the account: addresses nobody can read, and what they must not be used for",
        schema="ops",
    )
    op.create_index("suppressions_purpose_idx", "suppressions", ["purpose"], schema="ops")


def _drop_requests() -> None:
    execute(_VIEWS_BEFORE)
    execute(_MAY_PROCESS_OF_003)
    execute(_DROP_REQUESTS)
    op.drop_table("suppressions", schema="ops")
    op.drop_table("objections")
    op.drop_table("restriction_permits", schema="ops")
    op.drop_table("restrictions", schema="ops")
    op.drop_table("data_subject_request_events")
    op.drop_table("data_subject_requests")
    op.drop_table("public_holidays", schema="ops")


# The one place where a deadline is counted. Regulation (EEC, Euratom) No 1182/71: a period of months ends with the
# day of the same date, or with the last of the month where there is none (art. 3(2)(c)); a Saturday, a Sunday or a
# public holiday moves its end to the next working day (art. 3(4)). Days that the clock stood still are added first.
_DEADLINES = """
CREATE FUNCTION ops.due_date_v1(received date, months integer, country text DEFAULT NULL, stood_still_days integer DEFAULT 0)
RETURNS date
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    due date := (received + make_interval(months => months))::date + stood_still_days;
BEGIN
    WHILE extract(isodow FROM due) IN (6, 7)
          OR EXISTS (SELECT
                       FROM ops.public_holidays AS holiday
                      WHERE holiday.day = due
                        AND holiday.country IN (due_date_v1.country, left(due_date_v1.country, 2))) LOOP
        due := due + 1;
    END LOOP;
    RETURN due;
END
$function$;
COMMENT ON FUNCTION ops.due_date_v1(date, integer, text, integer) IS
    'The last day of a period of months from a day: same date or last of the month, then the next working day';

CREATE FUNCTION ops.due_note_v1(due date, country text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT CASE
               WHEN country IS NULL THEN 'no country is named: weekends were counted and no public holidays'
               WHEN NOT EXISTS (SELECT
                                  FROM ops.public_holidays AS holiday
                                 WHERE holiday.country IN (due_note_v1.country, left(due_note_v1.country, 2))
                                   AND holiday.day BETWEEN date_trunc('year', due)::date
                                                       AND (date_trunc('year', due) + INTERVAL '1 year - 1 day')::date)
               THEN format('public holidays of %s in %s are not known: weekends alone were counted', country, extract(year FROM due))
           END
$function$;
COMMENT ON FUNCTION ops.due_note_v1(date, text) IS 'What is not known about a day on which a period ends; NULL is nothing';
"""

# Whoever is signed in asks for themselves; a service, where nobody is, files what came by letter. When something
# happened is given, and is bounded by what happened before it and by now.
_REQUESTS = """
CREATE TRIGGER data_subject_request_events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON public.data_subject_request_events
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();

CREATE FUNCTION ops.data_subject_requests_due() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    NEW.received_on := (NEW.received_at AT TIME ZONE NEW.time_zone)::date;
    IF NEW.status = 'paused' THEN
        NEW.due_on := NULL;
        NEW.due_at := NULL;
        NEW.due_note := NULL;
    ELSE
        NEW.due_on := ops.due_date_v1(NEW.received_on, CASE WHEN NEW.extended THEN 3 ELSE 1 END, NEW.country, NEW.paused_days);
        NEW.due_at := (NEW.due_on + 1)::timestamp AT TIME ZONE NEW.time_zone;
        NEW.due_note := ops.due_note_v1(NEW.due_on, NEW.country);
    END IF;
    RETURN NEW;
EXCEPTION
    WHEN invalid_parameter_value THEN
        RAISE EXCEPTION 'the time zone of a request is not known to the server'
              USING ERRCODE = 'invalid_parameter_value', HINT = 'name one of pg_timezone_names, such as Europe/Paris';
END
$function$;
COMMENT ON FUNCTION ops.data_subject_requests_due() IS 'Keep the deadline what the law makes of receipt, extension and pause';

CREATE TRIGGER data_subject_requests_due BEFORE INSERT OR UPDATE ON public.data_subject_requests
    FOR EACH ROW EXECUTE FUNCTION ops.data_subject_requests_due();

CREATE FUNCTION ops.first_due_at(request public.data_subject_requests) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT (ops.due_date_v1(request.received_on, 1, request.country, request.paused_days) + 1)::timestamp AT TIME ZONE request.time_zone
$function$;
COMMENT ON FUNCTION ops.first_due_at(public.data_subject_requests) IS 'When the month of a request ends, extended or not';

CREATE FUNCTION ops.paused_days(request public.data_subject_requests, at timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT request.paused_days
           + coalesce((at AT TIME ZONE request.time_zone)::date - (request.paused_at AT TIME ZONE request.time_zone)::date, 0)
$function$;
COMMENT ON FUNCTION ops.paused_days(public.data_subject_requests, timestamptz) IS
    'How many days the clock of a request stood still, if a pause that it is in ends at an instant';

CREATE FUNCTION ops.open_request(request_id bigint, at timestamptz) RETURNS public.data_subject_requests
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    request public.data_subject_requests;
BEGIN
    SELECT found.* INTO request FROM public.data_subject_requests AS found WHERE found.id = request_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no request %', request_id
              USING ERRCODE = 'no_data_found', HINT = '`agentdb gdpr-erasure requests` lists those that are open';
    END IF;
    IF request.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'request % was answered already', request_id
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'file a new request for what is asked again';
    END IF;
    IF at IS NULL OR at > clock_timestamp() + INTERVAL '5 minutes' THEN
        RAISE EXCEPTION 'what happens to request % is dated in the future, or not at all', request_id
              USING ERRCODE = 'check_violation', HINT = 'record when it happened, once it has';
    END IF;
    IF at < (SELECT max(event.happened_at) FROM public.data_subject_request_events AS event WHERE event.request_id = request.id) THEN
        RAISE EXCEPTION 'what happens to request % is dated before what happened last', request_id
              USING ERRCODE = 'check_violation', HINT = 'record what happens in its order';
    END IF;
    RETURN request;
END
$function$;
COMMENT ON FUNCTION ops.open_request(bigint, timestamptz) IS 'Lock a request to which something happens at an instant; refuse one that is answered';

CREATE FUNCTION ops.note_request(request_id bigint, kind text, at timestamptz, told text, late boolean) RETURNS timestamptz
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO public.data_subject_request_events (request_id, kind, happened_at, due_at, told, late, actor_ref)
    SELECT request.id, note_request.kind, note_request.at, request.due_at, note_request.told, note_request.late, ops.acting_ref()
      FROM public.data_subject_requests AS request
     WHERE request.id = note_request.request_id
    RETURNING due_at
$function$;
COMMENT ON FUNCTION ops.note_request(bigint, text, timestamptz, text, boolean) IS 'Write an event of a request, with the deadline from then on; returns that';

CREATE FUNCTION public.file_request_v1(
    person_id bigint, kind text, received_at timestamptz DEFAULT NULL, channel text DEFAULT 'web', country text DEFAULT NULL,
    time_zone text DEFAULT NULL, reference text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    signed_in CONSTANT bigint := NULLIF(current_setting('app.user_id', true), '')::bigint;
    came CONSTANT timestamptz := coalesce(received_at, clock_timestamp());
    filed bigint;
BEGIN
    IF signed_in IS NOT NULL AND person_id IS DISTINCT FROM signed_in THEN
        RAISE EXCEPTION 'whoever is signed in asks for nobody else'
              USING ERRCODE = 'insufficient_privilege', HINT = 'file it without app.user_id, as the service';
    END IF;
    IF came > clock_timestamp() + INTERVAL '5 minutes' THEN
        RAISE EXCEPTION 'a request is dated in the future'
              USING ERRCODE = 'check_violation', HINT = 'its deadline would be late: record when it came';
    END IF;
    INSERT INTO public.data_subject_requests (user_id, kind, channel, reference, received_at, country, time_zone)
    SELECT person_id, file_request_v1.kind, file_request_v1.channel, file_request_v1.reference, came,
           coalesce(file_request_v1.country, controller.holidays_of), coalesce(file_request_v1.time_zone, controller.time_zone, 'UTC')
      FROM (VALUES (1)) AS always (once)
      LEFT JOIN ops.controller AS controller ON true
    RETURNING id INTO filed;
    PERFORM ops.note_request(filed, 'received', came, NULL, false);
    RETURN filed;
END
$function$;
COMMENT ON FUNCTION public.file_request_v1(bigint, text, timestamptz, text, text, text, text) IS
    'Take up what a person asks for; the month runs from the day it came';

CREATE FUNCTION ops.pause_request_v1(request_id bigint, reasons text, at timestamptz DEFAULT clock_timestamp()) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    request CONSTANT public.data_subject_requests := ops.open_request(request_id, at);
BEGIN
    IF request.paused_at IS NOT NULL OR at >= request.due_at THEN
        RAISE EXCEPTION 'request % is paused already, or overdue', request_id
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'proof of identity is asked for before the deadline';
    END IF;
    UPDATE public.data_subject_requests AS asked SET status = 'paused', paused_at = at WHERE asked.id = request_id;
    PERFORM ops.note_request(request_id, 'paused', at, reasons, false);
END
$function$;
COMMENT ON FUNCTION ops.pause_request_v1(bigint, text, timestamptz) IS
    'Stop the clock of a request since the person was asked to prove who they are; reasons say what makes that doubtful';

CREATE FUNCTION ops.resume_request_v1(request_id bigint, at timestamptz DEFAULT clock_timestamp()) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    request CONSTANT public.data_subject_requests := ops.open_request(request_id, at);
BEGIN
    IF request.paused_at IS NULL THEN
        RAISE EXCEPTION 'request % is not paused', request_id
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'its clock runs';
    END IF;
    UPDATE public.data_subject_requests AS asked
       SET status = CASE WHEN asked.extended THEN 'extended' ELSE 'received' END,
           paused_days = ops.paused_days(asked, at),
           paused_at = NULL
     WHERE asked.id = request_id;
    RETURN ops.note_request(request_id, 'resumed', at, NULL, false);
END
$function$;
COMMENT ON FUNCTION ops.resume_request_v1(bigint, timestamptz) IS
    'Let the clock of a request run on, by as many days later as it stood still; returns the deadline';

CREATE FUNCTION ops.extend_request_v1(request_id bigint, reasons text, notice_sent_at timestamptz DEFAULT clock_timestamp()) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    request CONSTANT public.data_subject_requests := ops.open_request(request_id, notice_sent_at);
BEGIN
    IF request.extended OR request.paused_at IS NOT NULL THEN
        RAISE EXCEPTION 'request % is extended already, or paused', request_id
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'two months are added once, while its clock runs';
    END IF;
    IF notice_sent_at >= request.due_at THEN
        RAISE EXCEPTION 'request % was due before the notice was sent', request_id
              USING ERRCODE = 'check_violation', HINT = 'an extension is told within the first month (GDPR art. 12(3)): answer now';
    END IF;
    UPDATE public.data_subject_requests AS asked SET extended = true, status = 'extended' WHERE asked.id = request_id;
    RETURN ops.note_request(request_id, 'extended', notice_sent_at, reasons, false);
END
$function$;
COMMENT ON FUNCTION ops.extend_request_v1(bigint, text, timestamptz) IS
    'Add two months, three from receipt in all, once the person was told and why; returns the deadline';

CREATE FUNCTION ops.reject_request_v1(request_id bigint, reasons text, notice_sent_at timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    request CONSTANT public.data_subject_requests := ops.open_request(request_id, notice_sent_at);
    -- A pause that began once the month was over stopped nothing of it.
    late CONSTANT boolean := coalesce(request.paused_at, notice_sent_at) >= ops.first_due_at(request);
BEGIN
    UPDATE public.data_subject_requests AS asked
       SET status = 'rejected', paused_days = ops.paused_days(asked, notice_sent_at), paused_at = NULL, closed_at = notice_sent_at
     WHERE asked.id = request_id;
    PERFORM ops.note_request(request_id, 'rejected', notice_sent_at, reasons, late);
    RETURN NOT late;
END
$function$;
COMMENT ON FUNCTION ops.reject_request_v1(bigint, text, timestamptz) IS
    'Record that a person was refused, with the reasons they were told; whether that was within the month, extended or not';

CREATE FUNCTION ops.complete_request_v1(request_id bigint, done text DEFAULT NULL, at timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    request CONSTANT public.data_subject_requests := ops.open_request(request_id, at);
    late CONSTANT boolean := coalesce(at >= request.due_at, false);
BEGIN
    IF request.kind = 'erasure'
       AND EXISTS (SELECT FROM public.users AS person WHERE person.id = request.user_id)
       AND NOT EXISTS (SELECT
                         FROM ops.erasures AS erasure
                        WHERE erasure.subject_id = request.user_id
                          AND erasure.state = 'certified') THEN
        RAISE EXCEPTION 'request % is for erasure, and there is no certificate of one', request_id
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'erase the person: the certificate completes the request';
    END IF;
    UPDATE public.data_subject_requests AS asked
       SET status = 'completed', paused_days = ops.paused_days(asked, at), paused_at = NULL, closed_at = at
     WHERE asked.id = request_id;
    PERFORM ops.note_request(request_id, 'completed', at, done, late);
    RETURN NOT late;
END
$function$;
COMMENT ON FUNCTION ops.complete_request_v1(bigint, text, timestamptz) IS 'Record that a person was given what they asked for; whether in time';

CREATE FUNCTION ops.note_request_v1(request_id bigint, done text, at timestamptz DEFAULT clock_timestamp()) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM ops.open_request(request_id, at);
    PERFORM ops.note_request(request_id, 'noted', at, done, false);
END
$function$;
COMMENT ON FUNCTION ops.note_request_v1(bigint, text, timestamptz) IS 'Record something that was done for a request and does not end it';

CREATE FUNCTION ops.recount_requests_v1() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    moved bigint;
BEGIN
    UPDATE public.data_subject_requests AS asked
       SET country = asked.country
      FROM (SELECT request.id, day.due, ops.due_note_v1(day.due, request.country) AS note
              FROM public.data_subject_requests AS request
             CROSS JOIN LATERAL (SELECT ops.due_date_v1(request.received_on, CASE WHEN request.extended THEN 3 ELSE 1 END,
                                                        request.country, request.paused_days)) AS day (due)
             WHERE request.closed_at IS NULL
               AND request.paused_at IS NULL) AS counted
     WHERE asked.id = counted.id
       AND (asked.due_on, asked.due_note) IS DISTINCT FROM (counted.due, counted.note);
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END
$function$;
COMMENT ON FUNCTION ops.recount_requests_v1() IS 'Count the deadlines of open requests again, once more holidays are known; returns how many changed';

-- A function, so that whoever sees only some of the rows is refused instead of told that nothing is due.
CREATE FUNCTION ops.open_requests_v1(due_within_days integer DEFAULT NULL)
RETURNS TABLE (request_id bigint, user_id bigint, kind text, status text, received_on date, due_on date, due_at timestamptz,
               due_note text, reference text, overdue boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT asked.id, asked.user_id, asked.kind, asked.status, asked.received_on, asked.due_on, asked.due_at, asked.due_note,
           asked.reference, coalesce(asked.due_at <= now(), false)
      FROM public.data_subject_requests AS asked
     WHERE asked.closed_at IS NULL
       AND (due_within_days IS NULL OR asked.due_at <= now() + make_interval(days => due_within_days))
     ORDER BY asked.due_at, asked.id
$function$;
COMMENT ON FUNCTION ops.open_requests_v1(integer) IS
    'Requests nobody has answered, the one due first in front; those whose clock stands still last, and only where no limit is given';

CREATE FUNCTION public.requests_of_v1(person_id bigint)
RETURNS TABLE (request_id bigint, kind text, status text, received_on date, due_on date, closed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT asked.id, asked.kind, asked.status, asked.received_on, asked.due_on, asked.closed_at
      FROM public.data_subject_requests AS asked
     WHERE asked.user_id = person_id
       AND asked.user_id = coalesce(NULLIF(current_setting('app.user_id', true), '')::bigint, asked.user_id)
     ORDER BY asked.id
$function$;
COMMENT ON FUNCTION public.requests_of_v1(bigint) IS 'How far the requests of a person are; of nobody else where somebody is signed in';

COMMENT ON INDEX public.data_subject_requests_user_id_idx IS 'what a person asked for';
COMMENT ON INDEX public.data_subject_requests_due_at_idx IS 'what is open, by when it is due';

-- Whoever answers requests, or audits that, sees all of them; a health check sees when something is due, and whose never.
GRANT SELECT ON public.data_subject_requests, public.data_subject_request_events TO agent_privacy, agent_auditor;
GRANT SELECT (kind, status, due_at) ON public.data_subject_requests TO agent_monitor;
GRANT SELECT ON ops.public_holidays TO agent_privacy, agent_auditor;
GRANT EXECUTE ON FUNCTION public.file_request_v1(bigint, text, timestamptz, text, text, text, text), public.requests_of_v1(bigint)
    TO agent_app, agent_privacy;
GRANT EXECUTE ON FUNCTION ops.due_date_v1(date, integer, text, integer), ops.due_note_v1(date, text),
                          ops.pause_request_v1(bigint, text, timestamptz), ops.resume_request_v1(bigint, timestamptz),
                          ops.extend_request_v1(bigint, text, timestamptz), ops.reject_request_v1(bigint, text, timestamptz),
                          ops.complete_request_v1(bigint, text, timestamptz), ops.note_request_v1(bigint, text, timestamptz)
    TO agent_privacy;
GRANT EXECUTE ON FUNCTION ops.open_requests_v1(integer) TO agent_privacy, agent_auditor;

DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('public.data_subject_requests', 'data_subject_request', entity_id => 'id', subject => 'user_id');
    PERFORM ops.audit_table_v1('public.data_subject_request_events', 'data_subject_request_event', entity_id => 'request_id', operations => '{update,delete,truncate}');
END
$revision$;

INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('ops.legal_holds', 'released', 'released_at', INTERVAL '5 years', 'delete', 'GDPR art. 5(2): why it was kept has to be shown'),
       ('data_subject_requests', 'answered', 'closed_at', INTERVAL '5 years', 'delete', 'GDPR art. 5(2): the answer has to be shown')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

# Whose data is restricted is asked once a statement and compared with each row. The trigger functions and views of
# the owner role see every row; those views leave restricted people out themselves. The answers of consent stay
# visible, for by them a restricted person allows a use, or forbids one (art. 18(2)). What a session is set to opens
# nothing: a permit counts once the trail says, in the same transaction, that it is used.
_RESTRICTIONS = """
CREATE TRIGGER restrictions_refuse_change BEFORE UPDATE OR TRUNCATE ON ops.restrictions
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
-- One goes with its person, and by nobody else than who erases.
CREATE TRIGGER restrictions_refuse_delete BEFORE DELETE ON ops.restrictions
    FOR EACH STATEMENT WHEN (current_user <> 'agent_eraser') EXECUTE FUNCTION ops.refuse_change();
CREATE TRIGGER restriction_permits_refuse_change BEFORE UPDATE OR TRUNCATE ON ops.restriction_permits
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
CREATE TRIGGER restriction_permits_refuse_delete BEFORE DELETE ON ops.restriction_permits
    FOR EACH STATEMENT WHEN (current_user <> 'agent_eraser') EXECUTE FUNCTION ops.refuse_change();

CREATE FUNCTION ops.permit_in_force(permit ops.restriction_permits) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT permit.expires_at > now()
           AND EXISTS (SELECT
                         FROM ops.restrictions AS restriction
                         LEFT JOIN public.consent AS answer ON answer.user_id = restriction.user_id AND answer.purpose = permit.purpose
                        WHERE restriction.id = permit.restriction_id
                          AND restriction.lifted_at IS NULL
                          AND (permit.ground <> 'consent'
                               OR (answer.granted AND answer.recorded_at > restriction.restricted_at
                                   AND coalesce(answer.expires_at > now(), true))))
$function$;
COMMENT ON FUNCTION ops.permit_in_force(ops.restriction_permits) IS
    'Whether a permit lets anything through now: it has an end, and one by consent ends with the consent';

CREATE FUNCTION ops.restricted_people() RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    permitted CONSTANT bigint := NULLIF(current_setting('app.permit_id', true), '')::bigint;
    hidden bigint[];
BEGIN
    -- Whatever is read of people asks this function: so in a restored database nothing is. The server that was let in
    -- and runs since is known by its start, which costs a tenth of looking at it.
    IF NOT EXISTS (SELECT
                     FROM ops.erasure_gate AS gate
                    WHERE gate.table_oid = gate.tableoid
                      AND gate.server_started_at = pg_postmaster_start_time()
                      AND gate.closed_at IS NULL) THEN
        PERFORM public.erasure_gate_v1();
    END IF;
    -- Nearly always nobody is: no more than that is looked for first.
    IF NOT EXISTS (SELECT FROM ops.restrictions AS restriction WHERE restriction.lifted_at IS NULL)
       AND NOT EXISTS (SELECT FROM ops.erasures AS erasure WHERE erasure.state <> 'certified')
       AND NOT EXISTS (SELECT
                         FROM ops.legal_holds AS hold
                         JOIN ops.tombstones AS stone ON stone.subject_id = hold.subject_id
                        WHERE hold.released_at IS NULL) THEN
        RETURN '{}';
    END IF;
    -- No permit shows anything of a person who is being erased, or of whom a hold alone keeps what there is.
    hidden := ARRAY(SELECT erasure.subject_id FROM ops.erasures AS erasure WHERE erasure.state <> 'certified'
                     UNION
                    SELECT stone.subject_id
                      FROM ops.legal_holds AS hold
                      JOIN ops.tombstones AS stone ON stone.subject_id = hold.subject_id
                     WHERE hold.released_at IS NULL);
    IF permitted IS NULL THEN
        RETURN hidden || ARRAY(SELECT restriction.user_id FROM ops.restrictions AS restriction WHERE restriction.lifted_at IS NULL);
    END IF;
    RETURN hidden
           || ARRAY(SELECT restriction.user_id
                   FROM ops.restrictions AS restriction
                  WHERE restriction.lifted_at IS NULL
                    AND NOT EXISTS (SELECT
                                      FROM ops.restriction_permits AS permit
                                      JOIN public.audit_log AS entry
                                        ON entry.xid = pg_current_xact_id_if_assigned()
                                       AND entry.created_at >= now()
                                       AND entry.entity_type = 'restriction_permit'
                                       AND entry.entity_id = permit.id
                                       AND entry.action = 'read'
                                       AND entry.subject_ref IS NOT DISTINCT FROM (SELECT pseudonym.audit_ref
                                                                                     FROM ops.pseudonyms AS pseudonym
                                                                                    WHERE pseudonym.user_id = restriction.user_id)
                                     WHERE permit.id = permitted
                                       AND permit.restriction_id = restriction.id
                                       AND ops.permit_in_force(permit)));
END
$function$;
COMMENT ON FUNCTION ops.restricted_people() IS
    'Whose data is stored and nothing else, or is being erased; but for the permit of which the trail says that this transaction uses it';
GRANT EXECUTE ON FUNCTION ops.restricted_people() TO agent_app, agent_readonly;

CREATE FUNCTION ops.restrict_table_v1(target regclass, VARIADIC subjects name[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT name := (SELECT class.relname FROM pg_class AS class WHERE class.oid = target);
BEGIN
    EXECUTE format('CREATE POLICY %I ON %s AS RESTRICTIVE TO agent_app USING (%s)', called || '_restricted', target,
                   (SELECT string_agg(format('%I <> ALL ((SELECT ops.restricted_people())::bigint[])', subject.name), ' AND ')
                      FROM unnest(subjects) AS subject (name)));
END
$function$;
COMMENT ON FUNCTION ops.restrict_table_v1(regclass, name[]) IS
    'Hide from the application the rows of people whose data is restricted; names the columns that say whose a row is';

CREATE FUNCTION ops.restrict_person_v1(person_id bigint, ground text, request_id bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    written bigint;
BEGIN
    IF request_id IS NOT NULL AND (ops.open_request(request_id, clock_timestamp())).user_id IS DISTINCT FROM person_id THEN
        RAISE EXCEPTION 'request % is not of that person', request_id
              USING ERRCODE = 'check_violation', HINT = 'name the request in which they asked for it, or none';
    END IF;
    INSERT INTO ops.restrictions (user_id, ground, request_id, restricted_by)
    VALUES (person_id, ground, request_id, ops.acting_ref())
    RETURNING id INTO written;
    RETURN written;
END
$function$;
COMMENT ON FUNCTION ops.restrict_person_v1(bigint, text, bigint) IS
    'Restrict a person''s data to being stored, from the next statement of any session on; returns the number';

CREATE FUNCTION ops.lift_restriction_v1(restriction_id bigint, reason text, notice_sent_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    lifted timestamptz;
BEGIN
    IF notice_sent_at IS NULL OR notice_sent_at >= clock_timestamp() OR coalesce(reason !~ '[^[:space:]]', true) THEN
        RAISE EXCEPTION 'a restriction is lifted for a reason, after the person was told'
              USING ERRCODE = 'check_violation', HINT = 'send the notice first (GDPR art. 18(3)), then say when';
    END IF;
    UPDATE ops.restrictions AS restriction
       SET lifted_at = clock_timestamp(), lifted_by = ops.acting_ref(), lift_reason = reason,
           notice_sent_at = lift_restriction_v1.notice_sent_at
     WHERE restriction.id = restriction_id
       AND restriction.lifted_at IS NULL
       AND restriction.restricted_at <= lift_restriction_v1.notice_sent_at
    RETURNING restriction.lifted_at INTO lifted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no restriction % to be lifted since that notice', restriction_id
              USING ERRCODE = 'no_data_found', HINT = 'name one of ops.restrictions that is in force, and a notice sent after it began';
    END IF;
    RETURN lifted;
END
$function$;
COMMENT ON FUNCTION ops.lift_restriction_v1(bigint, text, timestamptz) IS 'Lift a restriction once the person was told that it would be';

CREATE FUNCTION ops.permit_restricted_v1(
    restriction_id bigint, ground text, purpose text, reason text, expires_at timestamptz
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    restriction ops.restrictions;
    written bigint;
BEGIN
    SELECT found.* INTO restriction
      FROM ops.restrictions AS found
     WHERE found.id = restriction_id AND found.lifted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no restriction % in force', restriction_id
              USING ERRCODE = 'no_data_found', HINT = 'what is not restricted needs no permit';
    END IF;
    IF ground = 'consent' AND NOT EXISTS (SELECT
                                            FROM public.consent AS answer
                                           WHERE answer.user_id = restriction.user_id
                                             AND answer.purpose = permit_restricted_v1.purpose
                                             AND answer.granted
                                             AND answer.recorded_at > restriction.restricted_at) THEN
        RAISE EXCEPTION 'the person has not consented to "%" since the restriction', purpose
              USING ERRCODE = 'check_violation', HINT = 'a consent from before it does not allow this use: ask again';
    END IF;
    INSERT INTO ops.restriction_permits (restriction_id, ground, purpose, reason, expires_at)
    VALUES (restriction_id, ground, purpose, reason, expires_at)
    RETURNING id INTO written;
    RETURN written;
END
$function$;
COMMENT ON FUNCTION ops.permit_restricted_v1(bigint, text, text, text, timestamptz) IS
    'Let restricted data be used for one purpose all the same, as GDPR art. 18(2) allows; returns the number of the permit';

CREATE FUNCTION public.use_permit_v1(permit_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    subject bigint;
BEGIN
    SELECT restriction.user_id
      INTO subject
      FROM ops.restriction_permits AS permit
      JOIN ops.restrictions AS restriction ON restriction.id = permit.restriction_id
     WHERE permit.id = permit_id
       AND ops.permit_in_force(permit);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no permit % in force', permit_id
              USING ERRCODE = 'no_data_found', HINT = 'ops.permit_restricted_v1 makes one';
    END IF;
    PERFORM public.record_audit_v1('restriction_permit', permit_id, 'read', subject);
    PERFORM set_config('app.permit_id', permit_id::text, true);
END
$function$;
COMMENT ON FUNCTION public.use_permit_v1(bigint) IS
    'See the restricted data that a permit lets through, until the transaction ends; the trail says so';

COMMENT ON INDEX ops.restrictions_in_force_idx IS 'whose data is restricted now, for every statement of the application';

GRANT SELECT ON ops.restrictions, ops.restriction_permits TO agent_privacy, agent_auditor;
GRANT EXECUTE ON FUNCTION ops.restrict_person_v1(bigint, text, bigint), ops.lift_restriction_v1(bigint, text, timestamptz),
                          ops.permit_restricted_v1(bigint, text, text, text, timestamptz)
    TO agent_privacy;
GRANT EXECUTE ON FUNCTION public.use_permit_v1(bigint) TO agent_app;

DO $revision$
BEGIN
    PERFORM ops.restrict_table_v1('public.users', 'id');
    PERFORM ops.restrict_table_v1('public.user_identities', 'user_id');
    PERFORM ops.restrict_table_v1('public.playlists', 'user_id');
    PERFORM ops.restrict_table_v1('public.playlist_items', 'user_id');
    PERFORM ops.restrict_table_v1('public.playlist_snapshots', 'user_id');
    PERFORM ops.restrict_table_v1('public.playlist_item_versions', 'user_id');
    PERFORM ops.restrict_table_v1('public.playlist_collaborators', 'user_id', 'collaborator_id');
    PERFORM ops.restrict_table_v1('public.listens', 'user_id');
    PERFORM ops.restrict_table_v1('public.analytics', 'user_id');
    PERFORM ops.restrict_table_v1('public.agent_conversations', 'user_id');
    PERFORM ops.restrict_table_v1('public.agent_messages', 'user_id');
    PERFORM ops.restrict_table_v1('public.agent_tool_calls', 'user_id');
    PERFORM ops.restrict_table_v1('public.user_features', 'user_id');
    PERFORM ops.restrict_table_v1('public.recommendations', 'user_id');
    PERFORM ops.audit_table_v1('ops.restrictions', 'restriction', entity_id => 'id', subject => 'user_id');
    PERFORM ops.audit_table_v1('ops.restriction_permits', 'restriction_permit', entity_id => 'id', entity_key => 'purpose');
END
$revision$;
"""

# An objection to direct marketing is never outweighed (art. 21(3)). Where processing rests on a contract or a law,
# there is nothing to object to. What was hashed with a key that is kept elsewhere says nothing of whom it was.
_OBJECTIONS = """
CREATE FUNCTION public.object_to_v1(
    person_id bigint, purpose text, grounds text DEFAULT NULL, identifier_hmacs bytea[] DEFAULT '{}', key_id text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_column
DECLARE
    signed_in CONSTANT bigint := NULLIF(current_setting('app.user_id', true), '')::bigint;
    asked public.consent_purposes;
    written bigint;
BEGIN
    IF signed_in IS NOT NULL AND person_id IS DISTINCT FROM signed_in THEN
        RAISE EXCEPTION 'whoever is signed in objects for nobody else'
              USING ERRCODE = 'insufficient_privilege', HINT = 'record it without app.user_id, as the service';
    END IF;
    SELECT known.* INTO asked FROM public.consent_purposes AS known WHERE known.code = purpose;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no purpose "%"', purpose
              USING ERRCODE = 'no_data_found', HINT = 'consent_purposes lists them';
    END IF;
    IF asked.legal_basis IN ('contract', 'legal_obligation', 'vital_interests') THEN
        RAISE EXCEPTION 'purpose "%" rests on "%", to which nobody can object', purpose, asked.legal_basis
              USING ERRCODE = 'check_violation', HINT = 'art. 21 is about public tasks, legitimate interests and direct marketing';
    END IF;
    IF person_id IS NULL AND cardinality(identifier_hmacs) = 0 THEN
        RAISE EXCEPTION 'an objection is of a person or of an address'
              USING ERRCODE = 'invalid_parameter_value', HINT = 'name at least one of the two';
    END IF;
    INSERT INTO ops.suppressions (identifier_hmac, purpose, key_id)
    SELECT DISTINCT given.hmac, object_to_v1.purpose, object_to_v1.key_id
      FROM unnest(identifier_hmacs) AS given (hmac)
        ON CONFLICT ON CONSTRAINT suppressions_pkey DO UPDATE
       SET ended_at = NULL, suppressed_at = clock_timestamp()
     WHERE suppressions.ended_at IS NOT NULL;
    IF person_id IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.objections (user_id, purpose, grounds)
    VALUES (person_id, object_to_v1.purpose, object_to_v1.grounds)
        ON CONFLICT (user_id, purpose) WHERE overridden_at IS NULL AND withdrawn_at IS NULL
        DO UPDATE SET objected_at = clock_timestamp(), grounds = coalesce(excluded.grounds, objections.grounds)
    RETURNING id INTO written;
    RETURN written;
END
$function$;
COMMENT ON FUNCTION public.object_to_v1(bigint, text, text, bytea[], text) IS
    'Record that a person objects to a purpose, and keep their hashed addresses from it for as long as they do; returns the number';

CREATE FUNCTION public.withdraw_objection_v1(person_id bigint, purpose text, identifier_hmacs bytea[] DEFAULT '{}') RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    signed_in CONSTANT bigint := NULLIF(current_setting('app.user_id', true), '')::bigint;
    ended bigint;
    more bigint;
BEGIN
    IF signed_in IS NOT NULL AND person_id IS DISTINCT FROM signed_in THEN
        RAISE EXCEPTION 'whoever is signed in takes back nobody else''s objection'
              USING ERRCODE = 'insufficient_privilege', HINT = 'record it without app.user_id, as the service';
    END IF;
    UPDATE public.objections AS objection
       SET withdrawn_at = clock_timestamp()
     WHERE objection.user_id = person_id
       AND objection.purpose = withdraw_objection_v1.purpose
       AND objection.withdrawn_at IS NULL;
    GET DIAGNOSTICS ended = ROW_COUNT;
    UPDATE ops.suppressions AS suppression
       SET ended_at = clock_timestamp()
     WHERE suppression.identifier_hmac = ANY (identifier_hmacs)
       AND suppression.purpose = withdraw_objection_v1.purpose
       AND suppression.ended_at IS NULL;
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN ended + more > 0;
END
$function$;
COMMENT ON FUNCTION public.withdraw_objection_v1(bigint, text, bytea[]) IS
    'Record that a person takes an objection back; whether there was one';

CREATE FUNCTION ops.override_objection_v1(person_id bigint, purpose text, reasons text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    overridden timestamptz;
BEGIN
    IF (SELECT known.direct_marketing FROM public.consent_purposes AS known WHERE known.code = purpose) THEN
        RAISE EXCEPTION 'an objection to direct marketing is never outweighed'
              USING ERRCODE = 'check_violation', HINT = 'GDPR art. 21(3): the data is no longer processed for it';
    END IF;
    -- The check of the table would show the row, and so what the person said of themselves.
    IF coalesce(reasons !~ '[^[:space:]]', true) THEN
        RAISE EXCEPTION 'an objection is outweighed for reasons'
              USING ERRCODE = 'check_violation', HINT = 'say the compelling grounds that the person was told';
    END IF;
    UPDATE public.objections AS objection
       SET overridden_at = clock_timestamp(), override_reasons = reasons
     WHERE objection.user_id = person_id
       AND objection.purpose = override_objection_v1.purpose
       AND objection.overridden_at IS NULL
       AND objection.withdrawn_at IS NULL
    RETURNING objection.overridden_at INTO overridden;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the person does not object to "%"', purpose USING ERRCODE = 'no_data_found', HINT = 'objections lists what they object to';
    END IF;
    RETURN overridden;
END
$function$;
COMMENT ON FUNCTION ops.override_objection_v1(bigint, text, text) IS
    'Record that compelling grounds outweigh an objection, as the person was told; never one to direct marketing';

CREATE FUNCTION public.is_suppressed_v1(identifier_hmacs bytea[], purpose text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT EXISTS (SELECT
                     FROM ops.suppressions AS suppression
                    WHERE suppression.identifier_hmac = ANY (identifier_hmacs)
                      AND suppression.purpose = is_suppressed_v1.purpose
                      AND suppression.ended_at IS NULL)
$function$;
COMMENT ON FUNCTION public.is_suppressed_v1(bytea[], text) IS
    'Whether one of these hashed addresses must not be used for a purpose, whoever it belonged to';

COMMENT ON INDEX public.objections_in_force_idx IS 'one objection in force to a purpose, and what holds of it';

ALTER TABLE public.objections ENABLE ROW LEVEL SECURITY;
CREATE POLICY objections_app ON public.objections FOR SELECT TO agent_app
    USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
CREATE POLICY objections_privacy ON public.objections FOR SELECT TO agent_privacy
    USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
GRANT SELECT ON public.objections TO agent_app, agent_privacy;
GRANT EXECUTE ON FUNCTION public.object_to_v1(bigint, text, text, bytea[], text),
                          public.withdraw_objection_v1(bigint, text, bytea[]),
                          public.is_suppressed_v1(bytea[], text)
    TO agent_app, agent_privacy;
GRANT EXECUTE ON FUNCTION ops.override_objection_v1(bigint, text, text) TO agent_privacy;

DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('public.objections', 'objection', entity_id => 'id', subject => 'user_id', entity_key => 'purpose');
    PERFORM ops.audit_table_v1('ops.suppressions', 'suppression', entity_key => 'purpose');
END
$revision$;
"""

# Asked by services that sign nobody in, it answers for whom it is asked about, whatever row security hides. Later
# consent outweighs an earlier objection; and of what is restricted, it is what art. 18(2) asks for. An erased person
# has neither any more: of them only what a law asks for is kept.
_MAY_PROCESS = """
CREATE OR REPLACE FUNCTION public.may_process_v1(person_id bigint, asked_purpose text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT CASE purpose.legal_basis
               WHEN 'consent' THEN coalesce(consent.granted AND coalesce(consent.expires_at > now(), true), false)
               WHEN 'legitimate_interests' THEN coalesce(consent.granted, true)
               ELSE true
           END
           AND (purpose.legal_basis = 'legal_obligation'
                OR NOT EXISTS (SELECT
                                 FROM public.users AS person
                                WHERE person.id = person_id
                                  AND person.status IN ('erasing', 'erased')))
           AND NOT EXISTS (SELECT
                             FROM public.objections AS objection
                            WHERE objection.user_id = person_id
                              AND objection.purpose = purpose.code
                              AND objection.overridden_at IS NULL
                              AND objection.withdrawn_at IS NULL
                              AND NOT coalesce(consent.granted AND consent.recorded_at > objection.objected_at
                                               AND coalesce(consent.expires_at > now(), true), false))
           AND NOT EXISTS (SELECT
                             FROM ops.restrictions AS restriction
                            WHERE restriction.user_id = person_id
                              AND restriction.lifted_at IS NULL
                              AND NOT coalesce(consent.granted AND consent.recorded_at > restriction.restricted_at
                                               AND coalesce(consent.expires_at > now(), true), false)
                              AND NOT EXISTS (SELECT
                                                FROM ops.restriction_permits AS permit
                                               WHERE permit.restriction_id = restriction.id
                                                 AND permit.purpose = purpose.code
                                                 AND ops.permit_in_force(permit)))
      FROM public.consent_purposes AS purpose
      LEFT JOIN public.consent AS consent ON consent.user_id = person_id AND consent.purpose = purpose.code
     WHERE purpose.code = asked_purpose
$function$;
COMMENT ON FUNCTION public.may_process_v1(bigint, text) IS
    'Whether a person''s data may be processed for a purpose now: on its basis, not objected to, restricted or erased';
"""

_MAY_PROCESS_OF_003 = """
CREATE OR REPLACE FUNCTION public.may_process_v1(person_id bigint, asked_purpose text) RETURNS boolean
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
"""

# As 003 and 005 made them, without the rows of people whose data is restricted: hashed, for analysts read all rows.
_RESTRICTED_VIEWS = """
CREATE OR REPLACE VIEW public.analyst_users AS
SELECT pseudonym.analyst_ref,
       person.locale,
       person.country_code,
       person.birth_year / 10 * 10 AS birth_decade,
       person.status,
       date_trunc('month', person.created_at, 'UTC') AS registered_in
  FROM public.users AS person
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = person.id
 WHERE NOT EXISTS (SELECT FROM unnest(ops.restricted_people()) AS restricted (id) WHERE restricted.id = person.id);
CREATE OR REPLACE VIEW public.analyst_listens AS
SELECT pseudonym.analyst_ref,
       listen.track_id,
       listen.listened_at,
       listen.ms_played,
       listen.context_type,
       listen.client
  FROM public.listens AS listen
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = listen.user_id
 WHERE NOT EXISTS (SELECT FROM unnest(ops.restricted_people()) AS restricted (id) WHERE restricted.id = listen.user_id);
CREATE OR REPLACE VIEW public.analyst_events AS
SELECT pseudonym.analyst_ref,
       event.event_name,
       event.country_code,
       event.created_at
  FROM public.analytics AS event
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = event.user_id
 WHERE NOT EXISTS (SELECT FROM unnest(ops.restricted_people()) AS restricted (id) WHERE restricted.id = event.user_id);
CREATE OR REPLACE VIEW public.analyst_recommendations AS
SELECT pseudonym.analyst_ref,
       made.model_version_id,
       made.surface,
       made.profiling_used,
       jsonb_array_length(made.items) AS items,
       made.served_at,
       made.feedback
  FROM public.recommendations AS made
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = made.user_id
 WHERE NOT EXISTS (SELECT FROM unnest(ops.restricted_people()) AS restricted (id) WHERE restricted.id = made.user_id);
CREATE OR REPLACE VIEW public.analyst_consent AS
SELECT answer.purpose,
       answer.granted,
       answer.policy_version,
       count(*) AS people
  FROM public.consent AS answer
 WHERE NOT EXISTS (SELECT FROM unnest(ops.restricted_people()) AS restricted (id) WHERE restricted.id = answer.user_id)
 GROUP BY answer.purpose, answer.granted, answer.policy_version;
"""

_VIEWS_BEFORE = """
CREATE OR REPLACE VIEW public.analyst_users AS
SELECT pseudonym.analyst_ref,
       person.locale,
       person.country_code,
       person.birth_year / 10 * 10 AS birth_decade,
       person.status,
       date_trunc('month', person.created_at, 'UTC') AS registered_in
  FROM public.users AS person
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = person.id;
CREATE OR REPLACE VIEW public.analyst_listens AS
SELECT pseudonym.analyst_ref,
       listen.track_id,
       listen.listened_at,
       listen.ms_played,
       listen.context_type,
       listen.client
  FROM public.listens AS listen
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = listen.user_id;
CREATE OR REPLACE VIEW public.analyst_events AS
SELECT pseudonym.analyst_ref,
       event.event_name,
       event.country_code,
       event.created_at
  FROM public.analytics AS event
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = event.user_id;
CREATE OR REPLACE VIEW public.analyst_recommendations AS
SELECT pseudonym.analyst_ref,
       made.model_version_id,
       made.surface,
       made.profiling_used,
       jsonb_array_length(made.items) AS items,
       made.served_at,
       made.feedback
  FROM public.recommendations AS made
  LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = made.user_id;
CREATE OR REPLACE VIEW public.analyst_consent AS
SELECT answer.purpose,
       answer.granted,
       answer.policy_version,
       count(*) AS people
  FROM public.consent AS answer
 GROUP BY answer.purpose, answer.granted, answer.policy_version;
"""

# What proves that somebody's rights were kept outlives them; what only has an effect on them goes with them.
_RIGHTS_CLASSIFIED = """
DO $revision$
BEGIN
    PERFORM ops.classify_table_v1('public.consent_texts');
    PERFORM ops.classify_table_v1('ops.legal_holds', strategy => 'keep', strategy_args => '{"why": "GDPR art. 5(2): why it was kept has to be shown"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation', retention_rule => 'released');
    PERFORM ops.classify_column_v1('ops.legal_holds', 'placed_by', people => 'staff');
    PERFORM ops.classify_column_v1('ops.legal_holds', 'released_by', people => 'staff');
    PERFORM ops.classify_table_v1('ops.public_holidays');
    PERFORM ops.classify_table_v1('public.data_subject_requests', strategy => 'keep', strategy_args => '{"why": "GDPR art. 5(2), 12: the answer has to be shown"}', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation', retention_rule => 'answered');
    PERFORM ops.classify_table_v1('public.data_subject_request_events', strategy => 'keep', strategy_args => '{"why": "GDPR art. 5(2), 12: the answer has to be shown"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('public.data_subject_request_events', 'actor_ref', people => 'staff');
    PERFORM ops.classify_table_v1('ops.restrictions', strategy => 'delete', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('ops.restrictions', 'restricted_by', people => 'staff');
    PERFORM ops.classify_column_v1('ops.restrictions', 'lifted_by', people => 'staff');
    PERFORM ops.classify_table_v1('ops.restriction_permits');
    PERFORM ops.classify_table_v1('public.objections', strategy => 'delete', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('public.objections', 'overridden_at', origin => 'observed');
    PERFORM ops.classify_column_v1('public.objections', 'override_reasons', origin => 'observed');
    PERFORM ops.classify_table_v1('ops.suppressions', strategy => 'keep', strategy_args => '{"why": "GDPR art. 21(3): without it the next list of addresses brings them back", "until": "the person takes the objection back"}', origin => 'provided', purposes => '{accountability}', legal_basis => 'legal_obligation', people => 'anybody');
    INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, note)
    VALUES ('ops.legal_holds', '{subject_id}', 'public.users', '{id}', 'column', 'a hold outlives the account'),
           ('public.data_subject_requests', '{user_id}', 'public.users', '{id}', 'column', 'the answer outlives the account');
END
$revision$
"""

_DROP_REQUESTS = """
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) IN (('ops.legal_holds', 'released'), ('data_subject_requests', 'answered'));
DO $revision$
DECLARE
    policy record;
BEGIN
    PERFORM ops.unaudit_table_v1('ops.suppressions');
    PERFORM ops.unaudit_table_v1('public.objections');
    PERFORM ops.unaudit_table_v1('ops.restriction_permits');
    PERFORM ops.unaudit_table_v1('ops.restrictions');
    PERFORM ops.unaudit_table_v1('public.data_subject_request_events');
    PERFORM ops.unaudit_table_v1('public.data_subject_requests');
    FOR policy IN
        SELECT made.polname, made.polrelid::pg_catalog.regclass AS target
          FROM pg_catalog.pg_policy AS made
          JOIN pg_catalog.pg_class AS class ON class.oid = made.polrelid
         WHERE made.polname = class.relname || '_restricted'
           AND NOT made.polpermissive
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY %I ON %s', policy.polname, policy.target);
    END LOOP;
END
$revision$;
DROP FUNCTION public.is_suppressed_v1(bytea[], text);
DROP FUNCTION ops.override_objection_v1(bigint, text, text);
DROP FUNCTION public.withdraw_objection_v1(bigint, text, bytea[]);
DROP FUNCTION public.object_to_v1(bigint, text, text, bytea[], text);
DROP FUNCTION public.use_permit_v1(bigint);
DROP FUNCTION ops.permit_restricted_v1(bigint, text, text, text, timestamptz);
DROP FUNCTION ops.lift_restriction_v1(bigint, text, timestamptz);
DROP FUNCTION ops.restrict_person_v1(bigint, text, bigint);
DROP FUNCTION ops.restrict_table_v1(regclass, name[]);
DROP FUNCTION ops.restricted_people();
DROP FUNCTION ops.permit_in_force(ops.restriction_permits);
DROP FUNCTION public.requests_of_v1(bigint);
DROP FUNCTION ops.open_requests_v1(integer);
DROP FUNCTION ops.recount_requests_v1();
DROP FUNCTION ops.note_request_v1(bigint, text, timestamptz);
DROP FUNCTION ops.complete_request_v1(bigint, text, timestamptz);
DROP FUNCTION ops.reject_request_v1(bigint, text, timestamptz);
DROP FUNCTION ops.extend_request_v1(bigint, text, timestamptz);
DROP FUNCTION ops.resume_request_v1(bigint, timestamptz);
DROP FUNCTION ops.pause_request_v1(bigint, text, timestamptz);
DROP FUNCTION public.file_request_v1(bigint, text, timestamptz, text, text, text, text);
DROP FUNCTION ops.note_request(bigint, text, timestamptz, text, boolean);
DROP FUNCTION ops.open_request(bigint, timestamptz);
DROP FUNCTION ops.paused_days(public.data_subject_requests, timestamptz);
DROP FUNCTION ops.first_due_at(public.data_subject_requests);
DROP TRIGGER data_subject_requests_due ON public.data_subject_requests;
DROP FUNCTION ops.data_subject_requests_due();
DROP FUNCTION ops.due_note_v1(date, text);
DROP FUNCTION ops.due_date_v1(date, integer, text, integer);
"""


# Erasures ----------------------------------------------------------------------------------------------


def _create_erasures() -> None:
    # allow MIG060: nobody but who answers for privacy, who audits that and who erases may read it
    # allow MIG061: the trail tells of an erasure by an entry of its own
    # allow MIG062: what proves an erasure, and undoes a backup that brings its person back, holds as long as backups may
    op.create_table(
        "erasures",
        sa.Column("id", UUID(as_uuid=True), server_default=sa.func.gen_random_uuid(), nullable=False, comment="none: number of the erasure, and of its certificate"),
        sa.Column("subject_id", sa.BigInteger, nullable=False, comment="identifier: number of the person; no foreign key, an erasure outlives the row"),
        sa.Column("subject_created_at", sa.DateTime(timezone=True), nullable=False, comment="behavioural: when the person registered, which tells them from another with their number"),
        sa.Column("subject_ref", UUID(as_uuid=True), server_default=sa.func.gen_random_uuid(), nullable=False, comment="identifier: what the certificate calls the person, at random"),
        sa.Column("completes", UUID(as_uuid=True), comment="none: the erasure that left something, which this one completes"),
        sa.Column("request_id", sa.BigInteger, comment="none: the request it answers"),
        sa.Column("reason", sa.Text, nullable=False, comment="none: ground of GDPR art. 17(1), or what it repeats or completes"),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False, comment="none: when it was asked for"),
        sa.Column("requested_by", sa.BigInteger, nullable=False, comment="identifier: pseudonym of who ordered it, as in audit_log"),
        sa.Column("state", sa.Text, server_default="hidden", nullable=False, comment="none: how far it has come"),
        sa.Column("plan", JSONB, nullable=False, comment="none: what it does: tables, columns, strategies and counts, and no value"),
        sa.Column("plan_hash", BYTEA, nullable=False, comment="none: SHA-256 of the plan"),
        sa.Column("hidden_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: since when nothing new of the person is taken"),
        sa.Column("hidden_xid", XID8, server_default=sa.func.pg_current_xact_id(), nullable=False, comment="none: transaction of that"),
        sa.Column("erased_at", sa.DateTime(timezone=True), comment="none: when the last step had ended"),
        sa.Column("horizon", XID8, comment="none: transaction before which all have to end before it is looked at again"),
        sa.Column("swept_at", sa.DateTime(timezone=True), comment="none: when nothing was left"),
        sa.Column("certified_at", sa.DateTime(timezone=True), comment="none: when it was certified"),
        sa.Column("certificate", sa.Text, comment="none: the certificate with its signature, letter by letter"),
        sa.PrimaryKeyConstraint("id", name="erasures_pkey"),
        sa.ForeignKeyConstraint(["completes"], ["ops.erasures.id"], name="erasures_completes_fkey"),
        sa.CheckConstraint("state IN ('hidden', 'erased', 'swept', 'certified')", name="erasures_state_check"),
        sa.CheckConstraint(
            "reason IN ('request', 'not_needed', 'consent_withdrawn', 'objection', 'unlawful', 'legal_obligation', 'child_service', 'completion', 'replay')",
            name="erasures_reason_check",
        ),
        sa.CheckConstraint("(state IN ('erased', 'swept', 'certified')) = (erased_at IS NOT NULL)", name="erasures_erased_at_check"),
        sa.CheckConstraint("(state IN ('swept', 'certified')) = (swept_at IS NOT NULL)", name="erasures_swept_at_check"),
        sa.CheckConstraint("num_nonnulls(certified_at, certificate) = CASE state WHEN 'certified' THEN 2 ELSE 0 END", name="erasures_certified_at_check"),
        sa.CheckConstraint("octet_length(plan_hash) = 32", name="erasures_plan_hash_check"),
        sa.CheckConstraint("(reason = 'completion') = (completes IS NOT NULL)", name="erasures_completes_check"),
        comment="Each erasure of a person: how far it has come, and its certificate",
        schema="ops",
    )
    op.create_index("erasures_subject_id_idx", "erasures", ["subject_id"], unique=True, schema="ops", postgresql_where=sa.text("completes IS NULL"))
    op.create_index("erasures_completes_idx", "erasures", ["completes"], schema="ops")
    op.create_index("erasures_state_idx", "erasures", ["state"], schema="ops", postgresql_where=sa.text("state <> 'certified'"))
    # allow MIG060: nobody but who answers for privacy, who audits that and who erases may read it
    # allow MIG061: the trail tells of an erasure by an entry of its own
    # allow MIG062: holds as long as the erasure it is of
    op.create_table(
        "erasure_steps",
        sa.Column("erasure_id", UUID(as_uuid=True), nullable=False, comment="none: the erasure"),
        sa.Column("position", sa.Integer, nullable=False, comment="none: place in its order"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: table, with its schema, as SQL writes it"),
        sa.Column("action", sa.Text, nullable=False, comment="none: whether rows are deleted or columns of them changed"),
        sa.Column("planned_rows", sa.BigInteger, nullable=False, comment="none: rows that the plan counted"),
        sa.Column("done_rows", sa.BigInteger, server_default="0", nullable=False, comment="none: rows done so far"),
        sa.Column("swept_rows", sa.BigInteger, server_default="0", nullable=False, comment="none: rows that came meanwhile, and were done when it was looked at again"),
        sa.Column("after_key", JSONB, comment="identifier: key of the last row done; gone once the step has ended"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when it had ended"),
        sa.PrimaryKeyConstraint("erasure_id", "position", name="erasure_steps_pkey"),
        sa.ForeignKeyConstraint(["erasure_id"], ["ops.erasures.id"], name="erasure_steps_erasure_id_fkey"),
        sa.CheckConstraint("action IN ('delete', 'update')", name="erasure_steps_action_check"),
        sa.CheckConstraint("finished_at IS NULL OR after_key IS NULL", name="erasure_steps_after_key_check"),
        comment="The steps of an erasure, each of which goes on where it was interrupted",
        schema="ops",
    )
    # Narrow, for everything that is written asks it: for ever, so that no cache or queue brings a person back.
    # allow MIG060: nobody but who answers for privacy, who audits that and who erases may read it
    # allow MIG061: the trail tells of an erasure by an entry of its own
    # allow MIG062: for ever, or a cache could bring a person back
    op.create_table(
        "tombstones",
        sa.Column("subject_id", sa.BigInteger, autoincrement=False, nullable=False, comment="identifier: number of a person of whom nothing is taken any more"),
        sa.Column("erasure_id", UUID(as_uuid=True), nullable=False, comment="none: the erasure it began with"),
        sa.Column("worker_xid", XID8, comment="none: transaction that erases at this moment, and so may touch what is left"),
        sa.PrimaryKeyConstraint("subject_id", name="tombstones_pkey"),
        sa.ForeignKeyConstraint(["erasure_id"], ["ops.erasures.id"], name="tombstones_erasure_id_fkey"),
        comment="People who are being erased or were: what is written of them is refused",
        schema="ops",
    )
    op.create_index("tombstones_erasure_id_idx", "tombstones", ["erasure_id"], schema="ops")
    op.create_index("tombstones_worker_xid_idx", "tombstones", ["worker_xid"], schema="ops", postgresql_where=sa.text("worker_xid IS NOT NULL"))
    execute(_ERASURES)


def _drop_erasures() -> None:
    execute(_DROP_ERASURES)
    for table in ("tombstones", "erasure_steps", "erasures"):
        op.drop_table(table, schema="ops")


_ERASURES = """
COMMENT ON INDEX ops.erasures_subject_id_idx IS 'one erasure of a person';
COMMENT ON INDEX ops.erasures_state_idx IS 'what has to be gone on with';
COMMENT ON INDEX ops.tombstones_worker_xid_idx IS 'whether a transaction erases somebody';

DO $revision$
BEGIN
    PERFORM ops.classify_table_v1('ops.erasures', strategy => 'keep', strategy_args => '{"why": "GDPR art. 5(2): the erasure itself has to be shown", "until": "no backup can bring the person back"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('ops.erasures', 'requested_by', people => 'staff');
    PERFORM ops.classify_table_v1('ops.erasure_steps', strategy => 'keep', strategy_args => '{"why": "GDPR art. 5(2): the erasure itself has to be shown", "until": "no backup can bring the person back"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_table_v1('ops.tombstones', strategy => 'keep', strategy_args => '{"why": "GDPR art. 17(1): nothing of the person may come back", "until": "the database is given up"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation');
    INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, note)
    VALUES ('ops.erasures', '{subject_id}', 'public.users', '{id}', 'column', 'the erasure outlives the row'),
           ('ops.tombstones', '{subject_id}', 'public.users', '{id}', 'column', 'it outlives the row');
END
$revision$;
"""

_DROP_ERASURES = """
DELETE FROM ops.personal_data AS entry
 WHERE entry.table_name IN ('ops.erasures', 'ops.erasure_steps', 'ops.tombstones');
DELETE FROM ops.personal_edges AS edge
 WHERE edge.from_table IN ('ops.erasures', 'ops.tombstones');
"""


# The guard: who erases, and what is refused of whom was erased ------------------------------------------


def _create_guard() -> None:
    for script in (_GUARDING, _GUARDED, _STATES, _FORGETTING, _ERASER):
        execute(script)


def _drop_guard() -> None:
    execute(_DROP_GUARD)


# Rows that a policy hides would be left where they are. Who may not give it goes on: a plan is refused until it is given.
_LET_ERASER_SEE = """
DO $revision$
BEGIN
    IF NOT (SELECT role.rolbypassrls FROM pg_catalog.pg_roles AS role WHERE role.rolname = 'agent_eraser') THEN
        ALTER ROLE agent_eraser BYPASSRLS;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'nobody can be erased yet: as an administrator run ALTER ROLE agent_eraser BYPASSRLS;';
    WHEN internal_error THEN
        -- Another database of the cluster gave it at this moment, for which the server has no code of its own.
        IF NOT (SELECT role.rolbypassrls FROM pg_catalog.pg_roles AS role WHERE role.rolname = 'agent_eraser') THEN
            RAISE;
        END IF;
END
$revision$
"""

# A statement that names nobody who is erased costs one look-up of an index a row: a subquery of its own, which the planner
# makes no join of, however many have been erased and whatever it was planned for. What is looked at was committed before
# the trigger began; that the snapshot of a transaction may be older is why an erasure waits for all of them.
# What erases one person passes in the rows of another who is erased at the same time.
# An update passes where it says nothing of the person that no row said before: a backfill of other columns meets their
# rows as well, and so does who moves an item of theirs in a list of somebody else.
_GUARDING = r"""
CREATE FUNCTION ops.guarded_columns(guarded text, subject name) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    -- In a row of somebody else that merely mentions a person, what is about them; otherwise all that may be personal.
    SELECT coalesce(
        (SELECT edge.own_columns::text[] || subject::text
           FROM ops.personal_edges AS edge
          WHERE edge.from_table = guarded
            AND edge.from_columns = ARRAY[subject]
            AND edge.own_columns IS NOT NULL
          LIMIT 1),
        (SELECT array_agg(attribute.attname::text)
           FROM pg_attribute AS attribute
          WHERE attribute.attrelid = guarded::regclass
            AND attribute.attnum > 0
            AND NOT attribute.attisdropped
            AND (attribute.attname = subject
                 OR NOT EXISTS (SELECT
                                  FROM ops.personal_data AS entry
                                 WHERE entry.table_name = guarded
                                   AND entry.column_name = attribute.attname
                                   AND entry.class = 'none'))))
$function$;
COMMENT ON FUNCTION ops.guarded_columns(text, name) IS 'The columns that are about the person whom a column names';

CREATE FUNCTION ops.says_no_more(guarded text, subject name, before jsonb, after jsonb) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT NOT EXISTS (SELECT
                         FROM unnest(ops.guarded_columns(guarded, subject)) AS guard (name)
                        WHERE jsonb_typeof(after -> guard.name) <> 'null'
                          AND after -> guard.name IS DISTINCT FROM before -> guard.name)
$function$;
COMMENT ON FUNCTION ops.says_no_more(text, name, jsonb, jsonb) IS
    'Whether a row says nothing about a person that another did not say before';

CREATE FUNCTION ops.erases_somebody() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT EXISTS (SELECT FROM ops.tombstones AS stone WHERE stone.worker_xid = pg_current_xact_id_if_assigned())
$function$;
COMMENT ON FUNCTION ops.erases_somebody() IS 'Whether this transaction erases a person';

CREATE FUNCTION ops.refuse_aimless() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF NOT ops.erases_somebody() THEN
        RAISE EXCEPTION 'a row was to be changed by who erases, and nobody is being erased'
              USING ERRCODE = 'insufficient_privilege', HINT = 'call ops.work_on_v1 in the same transaction first';
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.refuse_aimless() IS 'Refuse to the eraser what is no part of an erasure';

CREATE FUNCTION ops.guard_table_v1(target regclass, VARIADIC subjects name[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT name := (SELECT class.relname FROM pg_class AS class WHERE class.oid = target);
    named text;
    new_to_them text;
    wrong name;
    other regclass;
    operation text;
    made name;
BEGIN
    IF octet_length(called || '_guard_insert') > 63 THEN
        RAISE EXCEPTION 'the name of table "%" is too long to name its triggers after', target
              USING ERRCODE = 'name_too_long', HINT = 'rename it: 50 bytes leave room';
    END IF;
    SELECT subject.name
      INTO wrong
      FROM unnest(subjects) AS subject (name)
     WHERE NOT EXISTS (SELECT
                         FROM pg_attribute AS attribute
                        WHERE attribute.attrelid = target
                          AND attribute.attname = subject.name
                          AND attribute.attnum > 0
                          AND NOT attribute.attisdropped);
    IF FOUND THEN
        RAISE EXCEPTION 'table "%" has no column "%"', target, wrong
              USING ERRCODE = 'undefined_column', HINT = 'name the columns that say whose a row is';
    END IF;
    EXECUTE format('GRANT SELECT, UPDATE, DELETE ON %s TO agent_eraser', target);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE UPDATE OR DELETE ON %s FOR EACH STATEMENT'
                   ' WHEN (CURRENT_USER = ''agent_eraser'') EXECUTE FUNCTION ops.refuse_aimless()', called || '_guard_erase', target);
    SELECT string_agg(person.is_erased, ' OR ' ORDER BY person.place),
           string_agg(format('(%s AND NOT EXISTS (SELECT FROM replaced WHERE replaced.%I = written.%2$I'
                             ' AND ops.says_no_more(guarded, %2$L, to_jsonb(replaced), to_jsonb(written))))',
                             person.is_erased, person.name), ' OR ' ORDER BY person.place)
      INTO named, new_to_them
      FROM (SELECT subject.name, subject.place,
                   format(CASE WHEN type.typcategory = 'A'
                               THEN 'EXISTS (SELECT FROM unnest(written.%1$I) AS one (id) WHERE %2$s)'
                               ELSE '%2$s' END,
                          subject.name,
                          format('(SELECT true FROM ops.tombstones AS stone WHERE stone.subject_id = %s)',
                                 CASE WHEN type.oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN format('written.%I', subject.name)
                                      WHEN type.typelem IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 'one.id'
                                      ELSE format($text$CASE WHEN %1$s::text ~ '^[0-9]{1,18}$' THEN %1$s::text::bigint END$text$,
                                                  CASE type.typcategory WHEN 'A' THEN 'one.id' ELSE format('written.%I', subject.name) END)
                                 END)) AS is_erased
              FROM unnest(subjects) WITH ORDINALITY AS subject (name, place)
              JOIN pg_attribute AS attribute ON attribute.attrelid = target AND attribute.attname = subject.name
              JOIN pg_type AS shown ON shown.oid = attribute.atttypid
              JOIN pg_type AS type ON type.oid = coalesce(NULLIF(shown.typbasetype, 0), shown.oid)) AS person;
    IF named IS NULL THEN
        RETURN;
    END IF;
    FOREACH operation IN ARRAY ARRAY['insert', 'update'] LOOP
        made := called || '_guard_' || operation;
        SELECT trigger.tgrelid::regclass
          INTO other
          FROM pg_trigger AS trigger
         WHERE trigger.tgfoid = to_regproc(format('ops.%I', made))
           AND trigger.tgrelid <> target
           AND target::oid NOT IN (SELECT parent.relid FROM pg_partition_ancestors(trigger.tgrelid) AS parent);
        IF FOUND THEN
            RAISE EXCEPTION 'table "%" is guarded by a function of the name that one of "%" would have', other, target
                  USING ERRCODE = 'duplicate_function', HINT = 'rename one of the two tables';
        END IF;
        EXECUTE format(
            $body$
            CREATE OR REPLACE FUNCTION ops.%I() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS $guard$
            DECLARE
                guarded CONSTANT text := format('%%I.%%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
            BEGIN
                IF EXISTS (SELECT FROM written WHERE %s)%s
                   AND NOT EXISTS (SELECT FROM ops.tombstones AS own WHERE own.worker_xid = pg_current_xact_id_if_assigned()) THEN
                    RAISE EXCEPTION 'table "%%" takes nothing of a person who is erased', guarded
                          USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
                                HINT = 'forget what was remembered of them; who comes back registers anew';
                END IF;
                RETURN NULL;
            END
            $guard$
            $body$,
            made, named,
            CASE operation WHEN 'update' THEN format(E'\n                   AND EXISTS (SELECT FROM written WHERE %s)', new_to_them) ELSE '' END);
        EXECUTE format('COMMENT ON FUNCTION ops.%I() IS %L', made,
                       'Refuse what names a person who is being erased or was, whoever writes it');
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION ops.%1$I()',
                       made, upper(operation), target,
                       CASE operation WHEN 'insert' THEN 'NEW TABLE AS written' ELSE 'OLD TABLE AS replaced NEW TABLE AS written' END);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION ops.guard_table_v1(regclass, name[]) IS
    'Let the eraser change a table, and refuse there what names an erased person by one of the columns given; again after it was altered';

CREATE FUNCTION ops.unguard_table_v1(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    called CONSTANT name := (SELECT class.relname FROM pg_class AS class WHERE class.oid = target);
    made name;
BEGIN
    EXECUTE format('REVOKE SELECT, UPDATE, DELETE ON %s FROM agent_eraser', target);
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', called || '_guard_erase', target);
    FOR made IN
        SELECT trigger.tgname
          FROM pg_trigger AS trigger
         WHERE trigger.tgrelid = target
           AND trigger.tgname = ANY (ARRAY[called || '_guard_insert', called || '_guard_update'])
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', made, target);
        EXECUTE format('DROP FUNCTION ops.%I()', made);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION ops.unguard_table_v1(regclass) IS 'Drop what guard_table_v1 made for a table; before the table itself';
"""

# Not guarded: what tells of the erasure and of a person's rights, which goes on; the versions of playlists are written
# from their items alone, and may hold for a while who is taken out of those.
_GUARDED = """
DO $revision$
BEGIN
    PERFORM ops.guard_table_v1('public.users', 'id');
    PERFORM ops.guard_table_v1('public.user_identities', 'user_id');
    PERFORM ops.guard_table_v1('public.consent', 'user_id');
    PERFORM ops.guard_table_v1('public.consent_events', 'user_id');
    PERFORM ops.guard_table_v1('public.playlists', 'user_id');
    PERFORM ops.guard_table_v1('public.playlist_items', 'user_id', 'added_by');
    PERFORM ops.guard_table_v1('public.playlist_snapshots', 'user_id');
    PERFORM ops.guard_table_v1('public.playlist_item_versions', 'user_id');
    PERFORM ops.guard_table_v1('public.playlist_collaborators', 'user_id', 'collaborator_id');
    PERFORM ops.guard_table_v1('public.listens', 'user_id');
    PERFORM ops.guard_table_v1('public.analytics', 'user_id');
    PERFORM ops.guard_table_v1('public.agent_conversations', 'user_id');
    PERFORM ops.guard_table_v1('public.agent_messages', 'user_id');
    PERFORM ops.guard_table_v1('public.agent_tool_calls', 'user_id', 'approved_by');
    PERFORM ops.guard_table_v1('public.user_features', 'user_id');
    PERFORM ops.guard_table_v1('public.recommendations', 'user_id');
    PERFORM ops.guard_table_v1('public.objections', 'user_id');
    PERFORM ops.guard_table_v1('ops.restrictions', 'user_id');
    PERFORM ops.guard_table_v1('ops.restriction_permits');
    PERFORM ops.guard_table_v1('ops.pseudonyms', 'user_id');
END
$revision$;
-- What proves is read by the eraser and never written.
REVOKE UPDATE, DELETE ON public.consent_events FROM agent_eraser;
REVOKE UPDATE ON ops.restrictions, ops.pseudonyms FROM agent_eraser;

CREATE FUNCTION ops.pseudonyms_stay() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    IF EXISTS (SELECT
                 FROM ops.tombstones AS stone
                WHERE stone.subject_id = OLD.user_id
                  AND stone.worker_xid = pg_catalog.pg_current_xact_id_if_assigned()) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the trail goes on to name who is not being erased'
          USING ERRCODE = 'insufficient_privilege', HINT = 'ops.forget_subject_v1 takes the pseudonym of a person who is';
END
$function$;
COMMENT ON FUNCTION ops.pseudonyms_stay() IS 'Refuse to the eraser the pseudonym of anybody but the person this transaction erases';

CREATE TRIGGER pseudonyms_stay BEFORE DELETE ON ops.pseudonyms
    FOR EACH ROW WHEN (CURRENT_USER = 'agent_eraser') EXECUTE FUNCTION ops.pseudonyms_stay();
"""

# The states of an erasure. Whoever erases may go on with one and can skip nothing: each state asks for what has to be done
# before it, of the database itself.
_STATES = """
CREATE FUNCTION ops.settle_holds_v1() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    LOCK TABLE ops.legal_holds IN SHARE MODE;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.settle_holds_v1() FROM PUBLIC;
COMMENT ON FUNCTION ops.settle_holds_v1() IS
    'Wait for holds that are being placed or released, and let none be until this transaction ends: what is planned in it holds then';

CREATE FUNCTION ops.begin_erasure_v1(
    subject bigint, reason text, requested_at timestamptz, plan jsonb, plan_hash bytea, steps jsonb,
    requested_by bigint DEFAULT NULL, request bigint DEFAULT NULL, completes uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    registered timestamptz;
    begun uuid;
BEGIN
    IF coalesce(subject <= 0, true) THEN
        RAISE EXCEPTION 'nobody has that number'
              USING ERRCODE = 'invalid_parameter_value', HINT = 'people are numbered from 1';
    END IF;
    -- Ten that begin at once wait here for one another, and the first one begins.
    SELECT person.created_at
      INTO registered
      FROM public.users AS person
     WHERE person.id = subject
       FOR NO KEY UPDATE;
    SELECT erasure.id
      INTO begun
      FROM ops.erasures AS erasure
     WHERE erasure.subject_id = subject
       AND (erasure.completes IS NULL OR erasure.state <> 'certified')
       AND (begin_erasure_v1.completes IS NULL) = (erasure.completes IS NULL);
    IF FOUND THEN
        RETURN begun;
    END IF;
    IF completes IS NULL AND registered IS NULL THEN
        RAISE EXCEPTION 'nobody has that number'
              USING ERRCODE = 'no_data_found', HINT = 'name a person by users.id';
    END IF;
    IF completes IS NOT NULL THEN
        SELECT erasure.subject_created_at
          INTO registered
          FROM ops.erasures AS erasure
         WHERE erasure.id = begin_erasure_v1.completes
           AND erasure.subject_id = subject
           AND erasure.completes IS NULL
           AND erasure.state = 'certified';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no certified erasure "%" of that person', completes
                  USING ERRCODE = 'no_data_found', HINT = 'an erasure is completed once it is certified';
        END IF;
    END IF;
    IF request IS NOT NULL AND NOT EXISTS (SELECT
                                             FROM public.data_subject_requests AS asked
                                            WHERE asked.id = request
                                              AND asked.user_id = subject) THEN
        RAISE EXCEPTION 'request % is not of that person', request
              USING ERRCODE = 'check_violation', HINT = 'name the request in which they asked for it, or none';
    END IF;
    -- From here on the trail speaks of another pseudonym: what tells of the erasure leads to nothing they ever did.
    UPDATE ops.tombstones AS stone
       SET worker_xid = pg_current_xact_id()
     WHERE stone.subject_id = subject;
    IF NOT ops.is_trail_held(subject) THEN
        UPDATE ops.pseudonyms AS pseudonym
           SET audit_ref = DEFAULT, analyst_ref = DEFAULT
         WHERE pseudonym.user_id = subject;
    END IF;
    INSERT INTO ops.erasures (subject_id, subject_created_at, completes, request_id, reason, requested_at, requested_by, plan, plan_hash)
    VALUES (subject, registered, completes, request, reason, requested_at, coalesce(requested_by, ops.acting_ref()), plan, plan_hash)
    RETURNING id INTO begun;
    INSERT INTO ops.erasure_steps (erasure_id, position, table_name, action, planned_rows)
    SELECT begun, step.position, step."table", step.action, step.rows
      FROM jsonb_to_recordset(steps) AS step (position integer, "table" text, action text, rows bigint);
    INSERT INTO ops.tombstones (subject_id, erasure_id, worker_xid)
    VALUES (subject, begun, pg_current_xact_id())
        ON CONFLICT ON CONSTRAINT tombstones_pkey DO UPDATE
       SET worker_xid = excluded.worker_xid;
    UPDATE public.users AS person
       SET status = 'erasing', erased_at = NULL
     WHERE person.id = subject
       AND begin_erasure_v1.completes IS NULL;
    RETURN begun;
END
$function$;
COMMENT ON FUNCTION ops.begin_erasure_v1(bigint, text, timestamptz, jsonb, bytea, jsonb, bigint, bigint, uuid) IS
    'Hide a person and begin to erase them; of one who is being erased already, or was, the erasure there is';

CREATE FUNCTION ops.work_on_v1(erasure uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    worked_on bigint;
BEGIN
    -- An older snapshot misses the rows that it had to wait for.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'an erasure works in transactions that are READ COMMITTED'
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SET default_transaction_isolation = ''read committed''';
    END IF;
    UPDATE ops.tombstones AS stone
       SET worker_xid = pg_current_xact_id()
      FROM ops.erasures AS found
     WHERE found.id = work_on_v1.erasure
       AND found.state <> 'certified'
       AND stone.subject_id = found.subject_id
    RETURNING stone.subject_id INTO worked_on;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no erasure "%" to be worked on', erasure
              USING ERRCODE = 'no_data_found', HINT = 'ops.erasures lists those that are not certified';
    END IF;
    RETURN worked_on;
END
$function$;
COMMENT ON FUNCTION ops.work_on_v1(uuid) IS
    'Let this transaction, and no other, touch what is left of a person; returns their number, waits for who works on them';

CREATE FUNCTION ops.worked_on(erasure uuid) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    person bigint;
BEGIN
    SELECT stone.subject_id
      INTO person
      FROM ops.erasures AS found
      JOIN ops.tombstones AS stone ON stone.subject_id = found.subject_id
     WHERE found.id = worked_on.erasure
       AND found.state <> 'certified'
       AND stone.worker_xid = pg_current_xact_id_if_assigned();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this transaction does not work on erasure "%"', erasure
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'call ops.work_on_v1 in it first';
    END IF;
    RETURN person;
END
$function$;
COMMENT ON FUNCTION ops.worked_on(uuid) IS 'The person whom this transaction erases; refused where it works on somebody else, or nobody';

CREATE FUNCTION ops.step_done_v1(
    erasure uuid, step integer, done bigint, after_key jsonb DEFAULT NULL, finished boolean DEFAULT false, swept boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM ops.worked_on(erasure);
    UPDATE ops.erasure_steps AS known
       SET done_rows = known.done_rows + CASE WHEN swept THEN 0 ELSE done END,
           swept_rows = known.swept_rows + CASE WHEN swept THEN done ELSE 0 END,
           after_key = CASE WHEN finished OR known.finished_at IS NOT NULL THEN NULL ELSE step_done_v1.after_key END,
           finished_at = coalesce(known.finished_at, CASE WHEN finished THEN clock_timestamp() END)
     WHERE known.erasure_id = erasure
       AND known.position = step;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'erasure "%" has no step %', erasure, step
              USING ERRCODE = 'no_data_found', HINT = 'ops.erasure_steps lists them';
    END IF;
END
$function$;
COMMENT ON FUNCTION ops.step_done_v1(uuid, integer, bigint, jsonb, boolean, boolean) IS
    'Note what this transaction has done of a step: so many rows more, as far as a key, whether it is over, or in the sweep';

CREATE FUNCTION ops.erasure_reached_v1(erasure uuid, state text, horizon xid8 DEFAULT NULL) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    worked_on CONSTANT bigint := ops.worked_on(erasure);
    known ops.erasures;
    missing text;
BEGIN
    UPDATE ops.erasures AS found
       SET horizon = coalesce(erasure_reached_v1.horizon, found.horizon)
     WHERE found.id = erasure
    RETURNING found.* INTO known;
    IF state = 'erased' THEN
        missing := CASE
            WHEN EXISTS (SELECT FROM ops.erasure_steps AS step WHERE step.erasure_id = erasure AND step.finished_at IS NULL)
                THEN 'a step of it has not ended'
            WHEN ops.is_remembered(worked_on, known.hidden_at) THEN 'the person is not forgotten'
        END;
    ELSIF state = 'swept' THEN
        missing := CASE
            WHEN known.state = 'hidden' THEN 'it has not been erased'
            WHEN known.horizon IS NULL THEN 'it has no horizon'
            WHEN known.horizon > pg_current_xact_id() THEN 'its horizon is still to come'
            -- But for a dump that was restored, where the number of what hid them is still to come.
            WHEN known.horizon <= known.hidden_xid AND known.hidden_xid < pg_current_xact_id() THEN 'its horizon is older than what hid the person'
            WHEN ops.is_remembered(worked_on, known.hidden_at) THEN 'the person is not forgotten'
            -- Who only reads may seem to be older than they are, for what is at work in another database.
            WHEN EXISTS (SELECT
                           FROM ops.horizon_blockers_v1(erasure) AS blocker
                          WHERE blocker.kind <> 'reads') THEN 'older transactions have not ended'
        END;
    ELSE
        missing := 'there is no such state to be reached';
    END IF;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'erasure "%" is not %: %', erasure, state, missing
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'go on with it: agentdb gdpr-erasure work';
    END IF;
    IF known.state = 'hidden' THEN
        INSERT INTO public.audit_log (entity_type, entity_id, entity_key, action, actor_type, actor_ref)
        -- Of a person whose row a hold keeps, the number is not said to be erased: not yet.
        SELECT CASE WHEN held.is_held THEN 'erasure' ELSE 'user' END, CASE WHEN held.is_held THEN 0 ELSE worked_on END,
               erasure::text, 'erase', 'service', ops.acting_ref()
          FROM (SELECT ops.is_row_held(worked_on, known.hidden_at) AS is_held) AS held;
    END IF;
    UPDATE ops.erasures AS found
       SET state = CASE WHEN known.state = 'hidden' OR erasure_reached_v1.state = 'swept' THEN erasure_reached_v1.state ELSE found.state END,
           erased_at = coalesce(found.erased_at, clock_timestamp()),
           swept_at = CASE erasure_reached_v1.state WHEN 'swept' THEN coalesce(found.swept_at, clock_timestamp()) ELSE found.swept_at END
     WHERE found.id = erasure
    RETURNING found.* INTO known;
    RETURN CASE state WHEN 'swept' THEN known.swept_at ELSE known.erased_at END;
END
$function$;
COMMENT ON FUNCTION ops.erasure_reached_v1(uuid, text, xid8) IS
    'Note that an erasure is erased or swept, and its horizon, in a transaction that works on it; returns since when';

CREATE FUNCTION ops.certify_erasure_v1(erasure uuid, certificate text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    known ops.erasures;
BEGIN
    SELECT found.* INTO known FROM ops.erasures AS found WHERE found.id = erasure FOR UPDATE;
    IF known.state IS DISTINCT FROM 'swept' AND known.certificate IS DISTINCT FROM certificate THEN
        RAISE EXCEPTION 'erasure "%" is not to be certified', erasure
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'it is certified once, when it has been swept';
    END IF;
    IF coalesce(position(erasure::text IN certificate) = 0, true) THEN
        RAISE EXCEPTION 'the certificate is of another erasure than "%"', erasure
              USING ERRCODE = 'invalid_parameter_value', HINT = 'a certificate names its erasure';
    END IF;
    IF known.state = 'certified' THEN
        RETURN known.certified_at;
    END IF;
    UPDATE ops.erasures AS found
       SET state = 'certified', certified_at = clock_timestamp(), certificate = certify_erasure_v1.certificate
     WHERE found.id = erasure
    RETURNING found.certified_at INTO known.certified_at;
    -- Nobody works on them any more; and in a database that is restored, numbers of transactions come again.
    UPDATE ops.tombstones AS stone
       SET worker_xid = NULL
     WHERE stone.subject_id = known.subject_id
       AND stone.worker_xid IS NOT NULL;
    RETURN known.certified_at;
END
$function$;
COMMENT ON FUNCTION ops.certify_erasure_v1(uuid, text) IS
    'Note the certificate of an erasure that was swept, once and for all; returns since when it has one';

-- Whatever began before the person was hidden may write of them still; whatever has a number since was refused or is seen.
-- Numbers are compared by their age, for the server shows 32 bits of them.
CREATE FUNCTION ops.horizon_blockers_v1(erasure uuid)
RETURNS TABLE (pid integer, gid text, kind text)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT activity.pid, NULL::text,
           CASE WHEN age(activity.backend_xid) > age(known.horizon::xid) THEN 'writes' ELSE 'reads' END
      FROM ops.erasures AS known
      JOIN pg_stat_activity AS activity
        ON activity.datname = current_database()
       AND activity.pid <> pg_backend_pid()
       AND activity.usesysid IS NOT NULL
       AND NOT EXISTS (SELECT FROM pg_stat_replication AS sender WHERE sender.pid = activity.pid)
     WHERE known.id = erasure
       AND (age(activity.backend_xid) > age(known.horizon::xid) OR age(activity.backend_xmin) >= age(known.hidden_xid::xid))
     UNION ALL
    SELECT NULL, prepared.gid, 'prepared'
      FROM ops.erasures AS known
      JOIN pg_prepared_xacts AS prepared ON prepared.database = current_database()
     WHERE known.id = erasure
       AND age(prepared.transaction) > age(coalesce(known.horizon, known.hidden_xid)::xid)
$function$;
COMMENT ON FUNCTION ops.horizon_blockers_v1(uuid) IS
    'What an erasure still waits for: sessions and prepared transactions older than its horizon, or that see what was before it';
"""

# The trail stays as it was committed to. Entries that name a person lose what does so, be it their number or that of a
# row about them that is kept, whether they are sealed or not. One stays that says they were erased: the number is kept,
# and whoever asks the trail for it is told so. That each was redacted is told, but not of which: who
# knew which entries one erasure redacted would know by their pseudonym all that person did. Then the mapping of the
# pseudonym goes, unless a hold keeps what it leads to.
_FORGETTING = """
CREATE FUNCTION ops.is_trail_held(subject bigint, at timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT EXISTS (SELECT
                     FROM ops.holds_v1(subject, at) AS hold
                    WHERE hold.table_name IS NULL
                       OR hold.table_name IN ('ops.pseudonyms', 'public.audit_log'))
$function$;
COMMENT ON FUNCTION ops.is_trail_held(bigint, timestamptz) IS 'Whether a hold keeps it known whom entries of the trail are about';

CREATE FUNCTION ops.is_row_held(subject bigint, at timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT EXISTS (SELECT
                     FROM ops.holds_v1(subject, at) AS hold
                    WHERE (hold.table_name IS NULL OR hold.table_name = 'public.users')
                      AND (hold.row_key IS NULL
                           OR EXISTS (SELECT
                                        FROM public.users AS person
                                       WHERE person.id = subject
                                         AND to_jsonb(person) @> hold.row_key)))
$function$;
COMMENT ON FUNCTION ops.is_row_held(bigint, timestamptz) IS 'Whether a hold keeps something of the row of a person';

CREATE FUNCTION ops.entries_naming(subject bigint) RETURNS TABLE (entity_id bigint, entity_type text)
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT subject, edge.discriminator_value
      FROM ops.personal_edges AS edge
     WHERE edge.from_table = 'public.audit_log'
       AND edge.from_columns = '{entity_id}'
       AND edge.to_table = 'public.users'
       AND edge.kind = 'polymorphic'
     UNION
    SELECT request.id, kind.name
      FROM public.data_subject_requests AS request
     CROSS JOIN (VALUES ('data_subject_request'), ('data_subject_request_event')) AS kind (name)
     WHERE request.user_id = subject
     UNION
    SELECT hold.id, 'legal_hold'
      FROM ops.legal_holds AS hold
     WHERE hold.subject_id = subject
     UNION
    SELECT event.id, 'consent_event'
      FROM public.consent_events AS event
     WHERE event.user_id = subject
$function$;
COMMENT ON FUNCTION ops.entries_naming(bigint) IS
    'What entries of the trail are about that lead to a person: their number, or a row about them that outlives them';

CREATE FUNCTION ops.tells_of_erasure(subject bigint, action public.audit_action, entity_type text, entity_key text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT action = 'erase'
           AND entity_type = 'user'
           AND EXISTS (SELECT
                         FROM ops.erasures AS erasure
                        WHERE erasure.subject_id = subject
                          AND erasure.id::text = entity_key)
$function$;
COMMENT ON FUNCTION ops.tells_of_erasure(bigint, public.audit_action, text, text) IS
    'Whether an entry of the trail says of a person that they were erased, and nothing else';

CREATE FUNCTION ops.is_remembered(subject bigint, at timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT NOT ops.is_trail_held(subject, at)
           AND (EXISTS (SELECT FROM ops.pseudonyms AS pseudonym WHERE pseudonym.user_id = subject)
                OR EXISTS (SELECT
                             FROM ops.entries_naming(subject) AS named
                             JOIN public.audit_log AS entry
                               ON entry.entity_id = named.entity_id AND entry.entity_type = named.entity_type
                            WHERE NOT ops.tells_of_erasure(subject, entry.action, entry.entity_type, entry.entity_key)))
           OR EXISTS (SELECT
                        FROM public.users AS person
                       WHERE person.id = subject
                         AND person.status <> 'erased'
                         AND NOT ops.is_row_held(subject, at))
$function$;
COMMENT ON FUNCTION ops.is_remembered(bigint, timestamptz) IS 'Whether the trail still leads to a person, or their row does not say that they were erased';

CREATE FUNCTION ops.redact_subject(subject bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    acting CONSTANT bigint := ops.acting_ref();
    took CONSTANT text[] := '{entity_id,entity_key,request_id,payload,salt}';
    redacted_count bigint;
BEGIN
    WITH gone AS (
        UPDATE public.audit_log AS entry
           SET (redacted, commitment) = (
                   SELECT made.private,
                          coalesce(entry.commitment, ops.audit_commitment_v1(
                              entry.id, entry.xid, entry.created_at, entry.entity_type, entry.action, entry.actor_type,
                              entry.actor_ref, entry.subject_ref, entry.changed_columns, made.private))
                     FROM (SELECT ops.audit_private_v1(coalesce(entry.salt, uuid_send(gen_random_uuid())), entry.entity_id,
                                                       entry.entity_key, entry.request_id, entry.payload) AS private
                            OFFSET 0) AS made),
               entity_id = 0,
               entity_key = NULL,
               request_id = NULL,
               payload = NULL,
               salt = NULL
          FROM ops.entries_naming(subject) AS named
         WHERE entry.entity_id = named.entity_id
           AND entry.entity_type = named.entity_type
           AND entry.redacted IS NULL
           -- Few entries are of the kind that it is asked about.
           AND NOT (entry.action = 'erase' AND ops.tells_of_erasure(subject, entry.action, entry.entity_type, entry.entity_key))
        RETURNING entry.id
    ), told AS (
        -- An entry that is redacted as it is written.
        INSERT INTO public.audit_log (id, xid, created_at, entity_type, entity_id, action, actor_type, actor_ref, changed_columns,
                                      salt, redacted, commitment)
        SELECT telling.id, telling.xid, telling.at, 'audit_entry', 0, 'redact', 'service', acting, took, NULL, telling.private,
               ops.audit_commitment_v1(telling.id, telling.xid, telling.at, 'audit_entry', 'redact', 'service', acting, NULL, took,
                                       telling.private)
          FROM (SELECT nextval('public.audit_log_id_seq') AS id, pg_current_xact_id() AS xid, clock_timestamp() AS at,
                       ops.audit_private_v1(uuid_send(gen_random_uuid()), gone.id, NULL, NULL, NULL) AS private
                  FROM gone
                OFFSET 0) AS telling
        RETURNING id
    )
    SELECT count(*)
      INTO redacted_count
      FROM told;
    RETURN redacted_count;
END
$function$;
COMMENT ON FUNCTION ops.redact_subject(bigint) IS 'Take from entries what names a person, and tell how many they were, one by one';

CREATE FUNCTION ops.forget_subject_v1(erasure uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    worked_on CONSTANT bigint := ops.worked_on(erasure);
    -- What was held when it began is held until it has ended; a person whose row is, goes on being erased.
    began CONSTANT timestamptz := (SELECT found.hidden_at FROM ops.erasures AS found WHERE found.id = erasure);
    redacted_count bigint := 0;
BEGIN
    BEGIN
        UPDATE public.users AS person
           SET status = 'erased', erased_at = clock_timestamp()
         WHERE person.id = worked_on
           AND person.status <> 'erased'
           AND NOT ops.is_row_held(worked_on, began);
    EXCEPTION
        WHEN check_violation THEN
            -- What the server says shows the row.
            RAISE EXCEPTION 'the row of the person in "public.users" is not erased yet'
                  USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'a person is forgotten when all steps have ended';
    END;
    IF NOT ops.is_trail_held(worked_on, began) THEN
        redacted_count := ops.redact_subject(worked_on);
        DELETE FROM ops.pseudonyms AS pseudonym
         WHERE pseudonym.user_id = worked_on;
    END IF;
    RETURN redacted_count;
END
$function$;
COMMENT ON FUNCTION ops.forget_subject_v1(uuid) IS
    'Say that a person was erased, and forget whom the trail is about; returns how many entries were redacted, again 0';
"""

_ERASER = """
GRANT USAGE ON SCHEMA ops TO agent_eraser;
GRANT USAGE ON TYPE public.nfc_text, public.email_address, public.locale_tag, public.country_code, public.isrc, public.upc,
                    public.audit_action, public.audit_actor
    TO agent_eraser;
GRANT EXECUTE ON FUNCTION ops.settle_holds_v1(),
                          ops.begin_erasure_v1(bigint, text, timestamptz, jsonb, bytea, jsonb, bigint, bigint, uuid),
                          ops.work_on_v1(uuid), ops.step_done_v1(uuid, integer, bigint, jsonb, boolean, boolean),
                          ops.forget_subject_v1(uuid), ops.erasure_reached_v1(uuid, text, xid8),
                          ops.certify_erasure_v1(uuid, text), ops.horizon_blockers_v1(uuid),
                          ops.row_key_v1(text, jsonb), ops.holds_v1(bigint, timestamptz),
                          ops.holds_of_row_v1(bigint, text, jsonb, text, timestamptz), ops.acting_ref()
    TO agent_eraser;
GRANT SELECT ON ops.held_now TO agent_eraser;
GRANT SELECT ON ops.erasures, ops.erasure_steps, ops.tombstones TO agent_privacy, agent_auditor;
"""

# Once all tables are there.
_LET_ERASER_READ = """
DO $revision$
DECLARE
    target regclass;
BEGIN
    -- What is looked at afterwards is everything: a value may stand where nobody expects it. Keys are not among it.
    FOR target IN
        SELECT class.oid
          FROM pg_catalog.pg_class AS class
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE namespace.nspname IN ('public', 'ops')
           AND class.relkind IN ('r', 'p', 'm')
           AND NOT class.relispartition
           AND class.relowner = 'agent_owner'::regrole
           AND class.relname NOT IN ('alembic_version', 'erasure_secrets', 'subject_keys')
         ORDER BY namespace.nspname, class.relname
    LOOP
        EXECUTE pg_catalog.format('GRANT SELECT ON %s TO agent_eraser', target);
    END LOOP;
END
$revision$;
"""

_DROP_GUARD = """
DO $revision$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT trigger.tgrelid::regclass AS guarded
          FROM pg_catalog.pg_trigger AS trigger
          JOIN pg_catalog.pg_class AS class ON class.oid = trigger.tgrelid
         WHERE trigger.tgname = class.relname || '_guard_erase'
           AND NOT class.relispartition
    LOOP
        PERFORM ops.unguard_table_v1(target.guarded);
    END LOOP;
    FOR target IN
        SELECT class.oid::regclass AS readable
          FROM pg_catalog.pg_class AS class
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE namespace.nspname IN ('public', 'ops')
           AND class.relowner = 'agent_owner'::regrole
           AND class.relkind IN ('r', 'p', 'v', 'm')
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM agent_eraser', target.readable);
    END LOOP;
END
$revision$;
DROP TRIGGER pseudonyms_stay ON ops.pseudonyms;
DROP FUNCTION ops.pseudonyms_stay();
DROP FUNCTION ops.forget_subject_v1(uuid);
DROP FUNCTION ops.redact_subject(bigint);
DROP FUNCTION ops.is_remembered(bigint, timestamptz);
DROP FUNCTION ops.tells_of_erasure(bigint, public.audit_action, text, text);
DROP FUNCTION ops.entries_naming(bigint);
DROP FUNCTION ops.is_row_held(bigint, timestamptz);
DROP FUNCTION ops.is_trail_held(bigint, timestamptz);
DROP FUNCTION ops.horizon_blockers_v1(uuid);
DROP FUNCTION ops.certify_erasure_v1(uuid, text);
DROP FUNCTION ops.erasure_reached_v1(uuid, text, xid8);
DROP FUNCTION ops.step_done_v1(uuid, integer, bigint, jsonb, boolean, boolean);
DROP FUNCTION ops.worked_on(uuid);
DROP FUNCTION ops.work_on_v1(uuid);
DROP FUNCTION ops.begin_erasure_v1(bigint, text, timestamptz, jsonb, bytea, jsonb, bigint, bigint, uuid);
DROP FUNCTION ops.settle_holds_v1();
DROP FUNCTION ops.unguard_table_v1(regclass);
DROP FUNCTION ops.guard_table_v1(regclass, name[]);
DROP FUNCTION ops.refuse_aimless();
DROP FUNCTION ops.erases_somebody();
DROP FUNCTION ops.says_no_more(text, name, jsonb, jsonb);
DROP FUNCTION ops.guarded_columns(text, name);
REVOKE USAGE ON TYPE public.nfc_text, public.email_address, public.locale_tag, public.country_code, public.isrc, public.upc,
                     public.audit_action, public.audit_actor
    FROM agent_eraser;
REVOKE ALL ON FUNCTION ops.row_key_v1(text, jsonb), ops.holds_v1(bigint, timestamptz),
                       ops.holds_of_row_v1(bigint, text, jsonb, text, timestamptz), ops.acting_ref()
    FROM agent_eraser;
REVOKE USAGE ON SCHEMA ops FROM agent_eraser;
"""


# Plans: what stands for a person in rows that stay ------------------------------------------------------


def _create_plans() -> None:
    # allow MIG060: nobody may read it but through a function that only who erases may call
    # allow MIG061: there is one for each erasure, which the trail tells of
    # allow MIG062: gone as soon as nothing is left of the person
    op.create_table(
        "erasure_secrets",
        sa.Column("erasure_id", UUID(as_uuid=True), nullable=False, comment="none: the erasure"),
        sa.Column("secret", BYTEA, server_default=sa.text("uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())"), nullable=False, comment="none: at random; what stands for its person in rows that stay is made of it"),
        sa.Column("known", ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False, comment="identifier: what the person is known by, to be looked for at the end by a session that never saw it"),
        sa.PrimaryKeyConstraint("erasure_id", name="erasure_secrets_pkey"),
        sa.ForeignKeyConstraint(["erasure_id"], ["ops.erasures.id"], name="erasure_secrets_erasure_id_fkey"),
        sa.CheckConstraint("octet_length(secret) = 32", name="erasure_secrets_secret_check"),
        comment="What pseudonyms and random values of an erasure are made of, so that one that was interrupted goes on with the same; gone once nothing is left",
        schema="ops",
    )
    execute(_PLANS)


def _drop_plans() -> None:
    execute(_DROP_PLANS)
    op.drop_table("erasure_secrets", schema="ops")


# What is made of the secret is the same in every session of one erasure, and nobody can make it again afterwards.
_PLANS = r"""
CREATE FUNCTION ops.erasures_keep_secret() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO ops.erasure_secrets (erasure_id)
        VALUES (NEW.id);
    ELSE
        DELETE FROM ops.erasure_secrets AS kept
         WHERE kept.erasure_id = NEW.id;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.erasures_keep_secret() IS 'Give an erasure a secret, and take it once nothing is left of the person';

CREATE TRIGGER erasures_give_secret AFTER INSERT ON ops.erasures
    FOR EACH ROW WHEN (NEW.state IN ('hidden', 'erased')) EXECUTE FUNCTION ops.erasures_keep_secret();
CREATE TRIGGER erasures_take_secret AFTER UPDATE OF state ON ops.erasures
    FOR EACH ROW WHEN (NEW.state IN ('swept', 'certified')) EXECUTE FUNCTION ops.erasures_keep_secret();

CREATE FUNCTION ops.erasure_secret_v1(subject bigint) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    found_secret bytea;
BEGIN
    SELECT kept.secret
      INTO found_secret
      FROM ops.erasures AS erasure
      JOIN ops.erasure_secrets AS kept ON kept.erasure_id = erasure.id
     WHERE erasure.subject_id = subject
     ORDER BY erasure.hidden_at DESC
     LIMIT 1;
    IF found_secret IS NULL THEN
        RAISE EXCEPTION 'no erasure of that person is under way'
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'agentdb gdpr-erasure erase begins one';
    END IF;
    RETURN found_secret;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.erasure_secret_v1(bigint) FROM PUBLIC;
COMMENT ON FUNCTION ops.erasure_secret_v1(bigint) IS 'What pseudonyms and random values of the erasure of a person are made of';

CREATE FUNCTION ops.erasure_noise_v1(secret bytea, told text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256('agentdb erasure 1'::bytea || secret || convert_to(told, 'UTF8'));
COMMENT ON FUNCTION ops.erasure_noise_v1(bytea, text) IS 'Bytes that say nothing to who does not have the secret';
GRANT EXECUTE ON FUNCTION ops.erasure_secret_v1(bigint), ops.erasure_noise_v1(bytea, text) TO agent_eraser;

CREATE FUNCTION ops.known_v1(erasure uuid, found text[]) RETURNS text[]
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    UPDATE ops.erasure_secrets AS kept
       SET known = ARRAY(SELECT one.value FROM unnest(kept.known || known_v1.found) AS one (value) GROUP BY one.value)
     WHERE kept.erasure_id = known_v1.erasure
    RETURNING kept.known
$function$;
REVOKE EXECUTE ON FUNCTION ops.known_v1(uuid, text[]) FROM PUBLIC;
COMMENT ON FUNCTION ops.known_v1(uuid, text[]) IS 'Keep what the person of an erasure is known by until nothing is left of them; returns all of it';
GRANT EXECUTE ON FUNCTION ops.known_v1(uuid, text[]) TO agent_eraser;
-- Whether there is one, and not what it is.
GRANT SELECT (erasure_id) ON ops.erasure_secrets TO agent_eraser;

-- A path is an array of steps: the name of a member, the place of an element, or null for all of them. As in a lax
-- jsonpath, a name asked of an array is asked of each of its elements, and what is not there is no error. Where a place is
-- named all places stay what they are, or to do it once more would lead to others.
CREATE FUNCTION ops.json_without_path(document jsonb, path jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    step CONSTANT jsonb := path -> 0;
    behind CONSTANT jsonb := path - 0;
    kind CONSTANT text := jsonb_typeof(document);
    told CONSTANT text := jsonb_typeof(step);
    is_last CONSTANT boolean := behind = '[]';
BEGIN
    IF kind = 'array' AND told = 'string' THEN
        RETURN (SELECT coalesce(jsonb_agg(ops.json_without_path(item.value, path) ORDER BY item.place), '[]')
                  FROM jsonb_array_elements(document) WITH ORDINALITY AS item (value, place));
    ELSIF kind = 'array' AND told = 'number' THEN
        RETURN (SELECT coalesce(jsonb_agg(CASE WHEN item.place - 1 <> (step #>> '{}')::bigint THEN item.value
                                               WHEN is_last THEN 'null' ELSE ops.json_without_path(item.value, behind) END ORDER BY item.place), '[]')
                  FROM jsonb_array_elements(document) WITH ORDINALITY AS item (value, place));
    ELSIF kind = 'array' AND told = 'null' THEN
        RETURN (SELECT coalesce(jsonb_agg(ops.json_without_path(item.value, behind) ORDER BY item.place) FILTER (WHERE NOT is_last), '[]')
                  FROM jsonb_array_elements(document) WITH ORDINALITY AS item (value, place));
    ELSIF kind = 'object' AND told IN ('null', 'string') THEN
        RETURN (SELECT coalesce(jsonb_object_agg(member.key, CASE WHEN told = 'null' OR member.key = step #>> '{}'
                                                                  THEN ops.json_without_path(member.value, behind) ELSE member.value END)
                                FILTER (WHERE NOT is_last OR (told = 'string' AND member.key <> step #>> '{}')), '{}')
                  FROM jsonb_each(document) AS member);
    END IF;
    RETURN document;
END
$function$;
COMMENT ON FUNCTION ops.json_without_path(jsonb, jsonb) IS 'A document without what a path leads to';

CREATE FUNCTION ops.json_without_v1(document jsonb, paths jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    rest jsonb := document;
    path jsonb;
BEGIN
    FOR path IN SELECT listed.value FROM jsonb_array_elements(paths) AS listed
    LOOP
        rest := ops.json_without_path(rest, path);
    END LOOP;
    RETURN rest;
END
$function$;
COMMENT ON FUNCTION ops.json_without_v1(jsonb, jsonb) IS 'A document without what some paths lead to';

CREATE FUNCTION ops.json_only_v1(document jsonb, paths jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    kind CONSTANT text := jsonb_typeof(document);
BEGIN
    IF paths IS NULL THEN
        RETURN NULL;
    ELSIF EXISTS (SELECT FROM jsonb_array_elements(paths) AS path WHERE path.value = '[]') THEN
        RETURN document;
    ELSIF kind = 'array' THEN
        RETURN (SELECT coalesce(jsonb_agg(kept.value ORDER BY item.place)
                                FILTER (WHERE kept.value IS NOT NULL OR jsonb_path_exists(paths, '$[*][0] ? (@.type() == "number")')), '[]')
                  FROM jsonb_array_elements(document) WITH ORDINALITY AS item (value, place)
                 CROSS JOIN LATERAL (
                       SELECT ops.json_only_v1(item.value, jsonb_agg(CASE WHEN jsonb_typeof(path.value -> 0) = 'string'
                                                                          THEN path.value ELSE path.value - 0 END)) AS value
                         FROM jsonb_array_elements(paths) AS path
                        WHERE jsonb_typeof(path.value -> 0) <> 'number' OR (path.value ->> 0)::bigint = item.place - 1) AS kept);
    ELSIF kind = 'object' THEN
        RETURN (SELECT coalesce(jsonb_object_agg(member.key, kept.value) FILTER (WHERE kept.value IS NOT NULL), '{}')
                  FROM jsonb_each(document) AS member
                 CROSS JOIN LATERAL (
                       SELECT ops.json_only_v1(member.value, jsonb_agg(path.value - 0)) AS value
                         FROM jsonb_array_elements(paths) AS path
                        WHERE path.value -> 0 IN ('null', to_jsonb(member.key))) AS kept);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.json_only_v1(jsonb, jsonb) IS 'A document with what some paths lead to and nothing else; NULL where that is nothing';

-- In the form in which compatible characters are the same, where a text holds somebody; as it was where it does not.
CREATE FUNCTION ops.redacted_v1(told text, sought text, mark text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    plain CONSTANT text := CASE WHEN octet_length(told) = char_length(told) THEN told ELSE normalize(told, NFKC) END;
BEGIN
    RETURN CASE WHEN plain ~* sought THEN regexp_replace(plain, sought, replace(mark, '\', '\\'), 'gi') ELSE told END;
END
$function$;
COMMENT ON FUNCTION ops.redacted_v1(text, text, text) IS 'A text with a mark where it holds what is sought';

CREATE FUNCTION ops.json_redacted_v1(document jsonb, sought text, mark text, number text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    RETURN CASE jsonb_typeof(document)
        WHEN 'string' THEN to_jsonb(CASE WHEN document #>> '{}' = number THEN mark
                                         ELSE coalesce(ops.redacted_v1(document #>> '{}', sought, mark), document #>> '{}') END)
        WHEN 'number' THEN CASE WHEN document #>> '{}' = number THEN 'null' ELSE document END
        WHEN 'array' THEN (SELECT coalesce(jsonb_agg(ops.json_redacted_v1(item.value, sought, mark, number) ORDER BY item.place), '[]')
                             FROM jsonb_array_elements(document) WITH ORDINALITY AS item (value, place))
        WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(CASE WHEN member.key = number THEN mark
                                                                  ELSE coalesce(ops.redacted_v1(member.key, sought, mark), member.key) END,
                                                             ops.json_redacted_v1(member.value, sought, mark, number)), '{}')
                              FROM jsonb_each(document) AS member)
        ELSE document
    END;
END
$function$;
COMMENT ON FUNCTION ops.json_redacted_v1(jsonb, text, text, text) IS 'A document with a mark wherever it holds what is sought, or a number';

-- Whoever erases does not own what others have stored.
CREATE FUNCTION ops.unlink_large_object_v1(object oid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF NOT ops.erases_somebody() THEN
        RAISE EXCEPTION 'a large object was to be unlinked, and nobody is being erased'
              USING ERRCODE = 'insufficient_privilege', HINT = 'call ops.work_on_v1 in the same transaction first';
    END IF;
    RETURN EXISTS (SELECT FROM pg_largeobject_metadata AS stored WHERE stored.oid = object) AND lo_unlink(object) = 1;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.unlink_large_object_v1(oid) FROM PUBLIC;
COMMENT ON FUNCTION ops.unlink_large_object_v1(oid) IS 'Delete a large object; tells whether there was one';

GRANT EXECUTE ON FUNCTION ops.erasure_secret_v1(bigint), ops.erasure_noise_v1(bytea, text), ops.json_without_path(jsonb, jsonb),
                          ops.json_without_v1(jsonb, jsonb), ops.json_only_v1(jsonb, jsonb), ops.redacted_v1(text, text, text),
                          ops.json_redacted_v1(jsonb, text, text, text), ops.unlink_large_object_v1(oid)
    TO agent_eraser;

DO $revision$
BEGIN
    PERFORM ops.classify_table_v1('ops.erasure_secrets', strategy => 'keep', strategy_args => '{"why": "what is left of the person has to be found", "until": "nothing is left"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('ops.erasure_secrets', 'secret', strategy_args => '{"why": "at random"}');
END
$revision$;
"""

_DROP_PLANS = """
DELETE FROM ops.personal_data AS entry
 WHERE entry.table_name = 'ops.erasure_secrets';
DROP TRIGGER erasures_take_secret ON ops.erasures;
DROP TRIGGER erasures_give_secret ON ops.erasures;
DROP FUNCTION ops.unlink_large_object_v1(oid);
DROP FUNCTION ops.json_redacted_v1(jsonb, text, text, text);
DROP FUNCTION ops.redacted_v1(text, text, text);
DROP FUNCTION ops.json_only_v1(jsonb, jsonb);
DROP FUNCTION ops.json_without_v1(jsonb, jsonb);
DROP FUNCTION ops.json_without_path(jsonb, jsonb);
DROP FUNCTION ops.known_v1(uuid, text[]);
DROP FUNCTION ops.erasure_noise_v1(bytea, text);
DROP FUNCTION ops.erasure_secret_v1(bigint);
DROP FUNCTION ops.erasures_keep_secret();
"""


# The ledger: what is erased again after a restore ------------------------------------------------------


def _create_ledger() -> None:
    op.create_table(
        "erasure_gate",
        sa.Column("id", sa.BigInteger, autoincrement=False, server_default="1", nullable=False, comment="none: there is one"),
        sa.Column("system_identifier", sa.Text, nullable=False, comment="none: server on which the application was let in"),
        sa.Column("timeline", sa.Integer, nullable=False, comment="none: which of that server's histories"),
        sa.Column("table_oid", OID, nullable=False, comment="none: number of this table there, which a restored dump has another of"),
        sa.Column("server_started_at", sa.DateTime(timezone=True), server_default=sa.text("pg_postmaster_start_time()"), nullable=False, comment="none: start of the server that was last found to be the same"),
        sa.Column("follows_promotion", sa.Boolean, server_default=sa.false(), nullable=False, comment="none: whether it stays open when a standby is promoted"),
        sa.Column("follows_restart", sa.Boolean, server_default=sa.true(), nullable=False, comment="none: whether it stays open when the server starts, before the ledger was looked at"),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when the application was let in"),
        sa.Column("ledger_hash", BYTEA, comment="none: last line of the ledger that was replayed then"),
        sa.Column("erased_again", sa.BigInteger, server_default="0", nullable=False, comment="none: how many were erased again then"),
        sa.Column("closed_at", sa.DateTime(timezone=True), comment="none: when it was closed by hand"),
        sa.PrimaryKeyConstraint("id", name="erasure_gate_pkey"),
        sa.CheckConstraint("id = 1", name="erasure_gate_id_check"),
        sa.CheckConstraint("octet_length(ledger_hash) = 32", name="erasure_gate_ledger_hash_check"),
        comment="Where the application was let in: a database that is restored is another place, and lets nobody in before erasures are replayed",
        schema="ops",
    )
    execute(_GATE)


def _drop_ledger() -> None:
    execute(_DROP_GATE)
    op.drop_table("erasure_gate", schema="ops")


# A dump that is restored has new tables, a backup a new history, another server another identifier. A snapshot of the
# disks has all of them and looks like a restart: until the ledger is looked at, or for whoever does not wait for that.
# A copy by CREATE DATABASE … TEMPLATE is of now, and takes its tombstones along.
_GATE = """
CREATE FUNCTION ops.server_timeline() RETURNS integer
LANGUAGE sql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    -- The control file tells it later: with the first checkpoint after a promotion.
    SELECT CASE WHEN NOT pg_is_in_recovery() THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END
$function$;
COMMENT ON FUNCTION ops.server_timeline() IS 'Which of its histories the server writes; NULL on a standby, which writes none';

CREATE FUNCTION ops.is_same_place(gate ops.erasure_gate, here oid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT gate.closed_at IS NULL
           AND gate.table_oid = here
           AND gate.system_identifier = (SELECT control.system_identifier::text FROM pg_control_system() AS control)
           AND (gate.follows_promotion OR gate.timeline = coalesce(ops.server_timeline(), gate.timeline))
$function$;
COMMENT ON FUNCTION ops.is_same_place(ops.erasure_gate, oid) IS 'Whether this is the history of the server, and the table, where the application was let in';

CREATE FUNCTION ops.gate_is_open_v1() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT EXISTS (SELECT
                     FROM ops.erasure_gate AS gate
                    WHERE ops.is_same_place(gate, gate.tableoid)
                      AND (gate.follows_restart OR gate.server_started_at = pg_postmaster_start_time() OR pg_is_in_recovery()))
$function$;
REVOKE EXECUTE ON FUNCTION ops.gate_is_open_v1() FROM PUBLIC;
COMMENT ON FUNCTION ops.gate_is_open_v1() IS 'Whether the application was let in here, in this history of this server';

CREATE FUNCTION public.erasure_gate_v1() RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF NOT ops.gate_is_open_v1() THEN
        RAISE EXCEPTION 'this database was restored, and whoever was erased since is not erased here'
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'agentdb gdpr-erasure replay erases them again, and lets the application in';
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION public.erasure_gate_v1() FROM PUBLIC;
COMMENT ON FUNCTION public.erasure_gate_v1() IS
    'Fail in a database that was restored, until erasures are replayed; what the application reads of people asks it each time';

CREATE FUNCTION ops.close_gate_v1() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    UPDATE ops.erasure_gate AS gate
       SET closed_at = clock_timestamp()
     WHERE gate.closed_at IS NULL;
    IF FOUND THEN
        INSERT INTO public.audit_log (entity_type, entity_id, action, actor_type, actor_ref, changed_columns)
        VALUES ('erasure_gate', 0, 'update', 'service', ops.acting_ref(), '{closed_at}');
    END IF;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.close_gate_v1() FROM PUBLIC;
COMMENT ON FUNCTION ops.close_gate_v1() IS 'Keep the application out until erasures are replayed: after files were put back that look like a restart';

CREATE FUNCTION ops.open_gate_v1(ledger_hash bytea DEFAULT NULL, erased_again bigint DEFAULT 0) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_variable
BEGIN
    IF ops.gate_is_open_v1() THEN
        RETURN;
    END IF;
    INSERT INTO public.audit_log (entity_type, entity_id, action, actor_type, actor_ref, changed_columns)
    SELECT 'erasure_gate', 0, 'update', 'service', ops.acting_ref(), '{opened_at}'
      FROM ops.erasure_gate AS gate;
    INSERT INTO ops.erasure_gate AS gate (system_identifier, timeline, table_oid, ledger_hash, erased_again)
    SELECT control.system_identifier::text, ops.server_timeline(), 'ops.erasure_gate'::regclass, ledger_hash, erased_again
      FROM pg_control_system() AS control
        ON CONFLICT ON CONSTRAINT erasure_gate_pkey DO UPDATE
       SET system_identifier = excluded.system_identifier,
           timeline = excluded.timeline,
           table_oid = excluded.table_oid,
           server_started_at = excluded.server_started_at,
           opened_at = clock_timestamp(),
           ledger_hash = excluded.ledger_hash,
           erased_again = excluded.erased_again,
           closed_at = NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.open_gate_v1(bytea, bigint) FROM PUBLIC;
COMMENT ON FUNCTION ops.open_gate_v1(bytea, bigint) IS 'Let the application in, once whoever is in the ledger has been erased again; again nothing';

CREATE FUNCTION ops.recognise_server_v1() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    UPDATE ops.erasure_gate AS gate
       SET server_started_at = pg_postmaster_start_time()
     WHERE gate.server_started_at <> pg_postmaster_start_time()
       AND ops.is_same_place(gate, gate.tableoid);
    RETURN FOUND;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.recognise_server_v1() FROM PUBLIC;
COMMENT ON FUNCTION ops.recognise_server_v1() IS
    'Remember, after a restart, that this is the server where the application was let in; until then each query looks for itself';

CREATE FUNCTION ops.trust_server_v1(promotion boolean, restart boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    UPDATE ops.erasure_gate AS gate
       SET follows_promotion = promotion,
           follows_restart = restart
$function$;
REVOKE EXECUTE ON FUNCTION ops.trust_server_v1(boolean, boolean) FROM PUBLIC;
COMMENT ON FUNCTION ops.trust_server_v1(boolean, boolean) IS
    'Say whether the application is let in before the ledger is looked at: by a promoted standby, which may lack the last erasures and looks like a backup; and by a server that starts, which looks like a snapshot of its disks';

CREATE FUNCTION ops.begin_again_v1() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    begun_again bigint;
BEGIN
    IF ops.gate_is_open_v1() THEN
        RETURN 0;
    END IF;
    UPDATE ops.tombstones AS stone
       SET worker_xid = NULL
     WHERE stone.worker_xid IS NOT NULL;
    UPDATE ops.erasures AS erasure
       SET hidden_xid = pg_current_xact_id(),
           horizon = NULL
     WHERE erasure.state <> 'certified';
    GET DIAGNOSTICS begun_again = ROW_COUNT;
    RETURN begun_again;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.begin_again_v1() FROM PUBLIC;
COMMENT ON FUNCTION ops.begin_again_v1() IS
    'Forget the numbers of transactions that erasures on their way had before a restore, where they mean others; returns how many there are';

GRANT SELECT ON ops.erasure_gate TO agent_eraser, agent_privacy, agent_auditor, agent_monitor;
GRANT EXECUTE ON FUNCTION public.erasure_gate_v1(), ops.gate_is_open_v1() TO agent_app, agent_readonly, agent_eraser, agent_privacy, agent_auditor, agent_monitor;
GRANT EXECUTE ON FUNCTION ops.close_gate_v1(), ops.trust_server_v1(boolean, boolean) TO agent_privacy;
GRANT EXECUTE ON FUNCTION ops.close_gate_v1(), ops.open_gate_v1(bytea, bigint), ops.begin_again_v1(), ops.recognise_server_v1() TO agent_eraser;
DO $revision$
BEGIN
    PERFORM ops.classify_table_v1('ops.erasure_gate');
    PERFORM ops.open_gate_v1();
END
$revision$;
"""

_DROP_GATE = """
DELETE FROM ops.personal_data AS entry
 WHERE entry.table_name = 'ops.erasure_gate';
DROP FUNCTION ops.begin_again_v1();
DROP FUNCTION ops.trust_server_v1(boolean, boolean);
DROP FUNCTION ops.recognise_server_v1();
DROP FUNCTION ops.open_gate_v1(bytea, bigint);
DROP FUNCTION ops.close_gate_v1();
DROP FUNCTION public.erasure_gate_v1();
DROP FUNCTION ops.gate_is_open_v1();
DROP FUNCTION ops.is_same_place(ops.erasure_gate, oid);
DROP FUNCTION ops.server_timeline();
"""


# Recipients who are told, and keys that are destroyed --------------------------------------------------


def _create_notices() -> None:
    # allow MIG060: nobody but who answers for privacy, who audits that and who erases may read it
    # allow MIG061: the trail tells of an erasure by an entry of its own
    # allow MIG062: holds as long as the erasure it is of
    op.create_table(
        "erasure_notices",
        sa.Column("id", UUID(as_uuid=True), nullable=False, comment="none: number of the notice, by which a recipient knows it again"),
        sa.Column("erasure_id", UUID(as_uuid=True), nullable=False, comment="none: the erasure it tells of"),
        sa.Column("recipient", sa.Text, nullable=False, comment="none: who is told"),
        sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: since when"),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it is tried next"),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False, comment="none: how often it was tried"),
        sa.Column("tried_at", sa.DateTime(timezone=True), comment="none: when it last was"),
        sa.Column("problem", sa.Text, comment="none: why the last try failed, in words of ours"),
        sa.Column("outcome", sa.Text, comment="none: how it ended; NULL is pending"),
        sa.Column("ended_at", sa.DateTime(timezone=True), comment="none: when"),
        sa.Column("ended_by", sa.BigInteger, comment="identifier: pseudonym of who wrote down the end, as in audit_log"),
        sa.Column("receipt", sa.Text, comment="none: number under which the recipient keeps it"),
        sa.Column("key_id", sa.Text, nullable=False, comment="none: key that the next column is encrypted with"),
        sa.Column("payload", BYTEA, comment="identifier: what is told, encrypted with a key that is kept elsewhere; gone at the end"),
        sa.PrimaryKeyConstraint("id", name="erasure_notices_pkey"),
        sa.UniqueConstraint("erasure_id", "recipient", name="erasure_notices_erasure_id_recipient_key"),
        sa.ForeignKeyConstraint(["erasure_id"], ["ops.erasures.id"], name="erasure_notices_erasure_id_fkey"),
        sa.ForeignKeyConstraint(["recipient"], ["ops.recipients.code"], name="erasure_notices_recipient_fkey"),
        sa.CheckConstraint("outcome IN ('told', 'impossible', 'disproportionate')", name="erasure_notices_outcome_check"),
        sa.CheckConstraint("num_nonnulls(outcome, ended_at, ended_by) IN (0, 3) AND (outcome IS NULL) = (payload IS NOT NULL)", name="erasure_notices_ended_at_check"),
        sa.CheckConstraint("receipt IS NULL OR (outcome = 'told' AND receipt ~ '^[A-Za-z0-9._:-]{1,128}$')", name="erasure_notices_receipt_check"),
        sa.CheckConstraint("length(problem) <= 200", name="erasure_notices_problem_check"),
        sa.CheckConstraint("key_id ~ '^[0-9a-f]{16}$'", name="erasure_notices_key_id_check"),
        comment="Who has to be told of which erasure (GDPR art. 19), and who has been",
        schema="ops",
    )
    op.create_index("erasure_notices_recipient_idx", "erasure_notices", ["recipient"], schema="ops")
    op.create_index("erasure_notices_due_at_idx", "erasure_notices", ["due_at"], schema="ops", postgresql_where=sa.text("outcome IS NULL"))
    execute(_NOTICES)
    _create_subject_keys()


def _drop_notices() -> None:
    execute(_DROP_SUBJECT_KEYS)
    op.drop_table("destroyed_keys", schema="ops")
    op.drop_table("subject_keys", schema="ops")
    execute(_DROP_NOTICES)
    op.drop_table("erasure_notices", schema="ops")


def _create_subject_keys() -> None:
    # allow MIG061: every value that is written could make an entry; what became of a key is told by destroyed_keys
    op.create_table(
        "subject_keys",
        sa.Column("subject_id", sa.BigInteger, autoincrement=False, nullable=False, comment="identifier: whose values it encrypts"),
        sa.Column("key_id", UUID(as_uuid=True), nullable=False, comment="none: number of the key, at random, with which begins what it encrypts"),
        sa.Column("wrapped", BYTEA, nullable=False, comment="none: the key, encrypted with one that is kept elsewhere"),
        sa.Column("kek_id", sa.Text, nullable=False, comment="none: which key that is"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="behavioural: when the first value was encrypted"),
        sa.Column("wrapped_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: since when it is encrypted with that one"),
        sa.PrimaryKeyConstraint("subject_id", name="subject_keys_pkey"),
        sa.UniqueConstraint("key_id", name="subject_keys_key_id_key"),
        sa.ForeignKeyConstraint(["subject_id"], ["public.users.id"], name="subject_keys_subject_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("octet_length(wrapped) = 60", name="subject_keys_wrapped_check"),
        sa.CheckConstraint("kek_id ~ '^[0-9a-f]{16}$'", name="subject_keys_kek_id_check"),
        comment="A key for each person, whose end makes unreadable what it encrypted, wherever that was copied to",
        schema="ops",
    )
    op.create_index("subject_keys_kek_id_idx", "subject_keys", ["kek_id"], schema="ops")
    # Kept for ever: what is found encrypted with one is known to be nobody's any more.
    op.create_table(
        "destroyed_keys",
        sa.Column("key_id", UUID(as_uuid=True), nullable=False, comment="none: number of a key that nobody has any more"),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: since when"),
        sa.PrimaryKeyConstraint("key_id", name="destroyed_keys_pkey"),
        comment="Keys of people that were destroyed; whose they were is nowhere said",
        schema="ops",
    )
    execute(_SUBJECT_KEYS)


_NOTICES = """
COMMENT ON INDEX ops.erasure_notices_due_at_idx IS 'which is to be tried next';

CREATE FUNCTION ops.queue_notice_v1(notice uuid, erasure uuid, recipient text, key_id text, payload bytea) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    WITH queued AS (
        INSERT INTO ops.erasure_notices (id, erasure_id, recipient, key_id, payload)
        VALUES (notice, erasure, recipient, key_id, payload)
            ON CONFLICT ON CONSTRAINT erasure_notices_erasure_id_recipient_key DO NOTHING
        RETURNING id)
    SELECT EXISTS (SELECT FROM queued)
$function$;
COMMENT ON FUNCTION ops.queue_notice_v1(uuid, uuid, text, text, bytea) IS
    'Queue what a recipient is to be told of an erasure, once; tells whether it was not queued before';

-- The next try is set before this one is made: whoever is killed in between has lost nothing.
CREATE FUNCTION ops.claim_notice_v1(skipped text[], first_pause interval, longest_pause interval)
RETURNS TABLE (notice uuid, recipient text, channel text, url text, attempts integer, key_id text, payload bytea)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    WITH next AS MATERIALIZED (
        SELECT due.id, told.notice_channel, told.notice_url
          FROM ops.erasure_notices AS due
          JOIN ops.recipients AS told ON told.code = due.recipient
         WHERE due.outcome IS NULL
           AND due.due_at <= clock_timestamp()
           AND told.notice_channel IN ('webhook', 'command')
           AND due.recipient <> ALL (skipped)
         ORDER BY due.due_at
         LIMIT 1
           FOR UPDATE OF due SKIP LOCKED)
    UPDATE ops.erasure_notices AS claimed
       SET attempts = claimed.attempts + 1,
           tried_at = clock_timestamp(),
           due_at = clock_timestamp() + least(longest_pause, first_pause * (2 ^ least(claimed.attempts, 20))) * (0.75 + random() / 2)
      FROM next
     WHERE claimed.id = next.id
    RETURNING claimed.id, claimed.recipient, next.notice_channel, next.notice_url, claimed.attempts, claimed.key_id, claimed.payload
$function$;
COMMENT ON FUNCTION ops.claim_notice_v1(text[], interval, interval) IS
    'Take the notice that is due, of no recipient that is skipped, and set when it is tried again; the pauses double';

CREATE FUNCTION ops.note_problem_v1(notice uuid, problem text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    UPDATE ops.erasure_notices AS failed
       SET problem = left(note_problem_v1.problem, 200)
     WHERE failed.id = notice
       AND failed.outcome IS NULL
$function$;
COMMENT ON FUNCTION ops.note_problem_v1(uuid, text) IS 'Say why a try to tell a recipient failed, in words that name nobody';

CREATE FUNCTION ops.end_notice_v1(notice uuid, outcome text, receipt text DEFAULT NULL) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    WITH ended AS (
        UPDATE ops.erasure_notices AS pending
           SET outcome = end_notice_v1.outcome,
               receipt = end_notice_v1.receipt,
               ended_at = clock_timestamp(),
               ended_by = ops.acting_ref(),
               problem = NULL,
               payload = NULL
         WHERE pending.id = notice
           AND pending.outcome IS NULL
        RETURNING pending.id)
    SELECT EXISTS (SELECT FROM ended)
$function$;
COMMENT ON FUNCTION ops.end_notice_v1(uuid, text, text) IS
    'Say that a recipient was told, or why that is impossible or disproportionate; what was to be told is gone then. Tells whether it was pending';

REVOKE EXECUTE ON FUNCTION ops.queue_notice_v1(uuid, uuid, text, text, bytea),
                           ops.claim_notice_v1(text[], interval, interval),
                           ops.note_problem_v1(uuid, text),
                           ops.end_notice_v1(uuid, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.queue_notice_v1(uuid, uuid, text, text, bytea),
                          ops.claim_notice_v1(text[], interval, interval),
                          ops.note_problem_v1(uuid, text),
                          ops.end_notice_v1(uuid, text, text)
    TO agent_eraser;
GRANT EXECUTE ON FUNCTION ops.end_notice_v1(uuid, text, text) TO agent_privacy;
GRANT SELECT ON ops.erasure_notices TO agent_eraser, agent_privacy;
GRANT SELECT (id, erasure_id, recipient, queued_at, due_at, attempts, tried_at, problem, outcome, ended_at, ended_by, receipt, key_id)
    ON ops.erasure_notices TO agent_auditor;

DO $revision$
BEGIN
    PERFORM ops.classify_table_v1('ops.erasure_notices', strategy => 'keep', strategy_args => '{"why": "GDPR art. 19: the recipient has to be told", "until": "the recipient is told"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation');
    PERFORM ops.classify_column_v1('ops.erasure_notices', 'ended_by', people => 'staff');
END
$revision$;
"""

_DROP_NOTICES = """
DELETE FROM ops.personal_data AS entry
 WHERE entry.table_name = 'ops.erasure_notices';
DROP FUNCTION ops.end_notice_v1(uuid, text, text);
DROP FUNCTION ops.note_problem_v1(uuid, text);
DROP FUNCTION ops.claim_notice_v1(text[], interval, interval);
DROP FUNCTION ops.queue_notice_v1(uuid, uuid, text, text, bytea);
"""

# What is encrypted begins with the number 1 and the number of its key; see gdpr_erasure/erase/vault.py.
_SUBJECT_KEYS = """
COMMENT ON INDEX ops.subject_keys_kek_id_idx IS 'which are still encrypted with an old key';

CREATE FUNCTION ops.key_of_v1(encrypted bytea) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(encrypted) >= 45 AND substring(encrypted FROM 1 FOR 1) = '\\x01'
            THEN encode(substring(encrypted FROM 2 FOR 16), 'hex')::uuid END;
COMMENT ON FUNCTION ops.key_of_v1(bytea) IS 'The number of the key that a value is encrypted with; NULL is none';

CREATE FUNCTION ops.note_destroyed_keys() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    INSERT INTO ops.destroyed_keys (key_id)
    SELECT gone.key_id
      FROM gone
        ON CONFLICT ON CONSTRAINT destroyed_keys_pkey DO NOTHING;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.note_destroyed_keys() IS 'Remember which keys are destroyed, and not whose they were';
CREATE TRIGGER subject_keys_destroyed AFTER DELETE ON ops.subject_keys
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION ops.note_destroyed_keys();

CREATE FUNCTION ops.signed_in_for(person_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF NULLIF(current_setting('app.user_id', true), '')::bigint <> person_id THEN
        RAISE EXCEPTION 'whoever is signed in has no key but their own'
              USING ERRCODE = 'insufficient_privilege', HINT = 'ask without app.user_id, as the service';
    END IF;
    RETURN true;
END
$function$;
COMMENT ON FUNCTION ops.signed_in_for(bigint) IS 'Refuse whoever is signed in as somebody else';

CREATE FUNCTION public.subject_key_v1(person_id bigint) RETURNS TABLE (key_id uuid, wrapped bytea, kek_id text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT kept.key_id, kept.wrapped, kept.kek_id
      FROM ops.subject_keys AS kept
     WHERE kept.subject_id = person_id
       AND ops.signed_in_for(person_id)
$function$;
COMMENT ON FUNCTION public.subject_key_v1(bigint) IS 'The key of a person, encrypted with one that is kept elsewhere';

CREATE FUNCTION public.keep_subject_key_v1(person_id bigint, key_id uuid, wrapped bytea, kek_id text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO ops.subject_keys (subject_id, key_id, wrapped, kek_id)
    SELECT person_id, keep_subject_key_v1.key_id, keep_subject_key_v1.wrapped, keep_subject_key_v1.kek_id
     WHERE ops.signed_in_for(person_id)
        ON CONFLICT ON CONSTRAINT subject_keys_pkey DO NOTHING
$function$;
COMMENT ON FUNCTION public.keep_subject_key_v1(bigint, uuid, bytea, text) IS 'Keep a new key for a person who has none';

CREATE FUNCTION public.is_key_destroyed_v1(key uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT EXISTS (SELECT FROM ops.destroyed_keys AS destroyed WHERE destroyed.key_id = key)
$function$;
COMMENT ON FUNCTION public.is_key_destroyed_v1(uuid) IS 'Tell whether what a key encrypted is nobody''s any more';

CREATE FUNCTION ops.old_keys_v1(kek_id text, most integer) RETURNS TABLE (subject_id bigint, key_id uuid, wrapped bytea, kek_id text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT kept.subject_id, kept.key_id, kept.wrapped, kept.kek_id
      FROM ops.subject_keys AS kept
     WHERE kept.kek_id <> $1
     ORDER BY kept.kek_id, kept.subject_id
     LIMIT most
$function$;
COMMENT ON FUNCTION ops.old_keys_v1(text, integer) IS 'Keys of people that are encrypted with another key than this one';

-- A key changes in how it is kept, and in nothing else. What it is not encrypted with any more is lost where it is not
-- in order, so that nobody but the owner may do it.
CREATE FUNCTION ops.rewrap_key_v1(key uuid, wrapped bytea, kek_id text, old_kek_id text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    WITH kept AS (
        UPDATE ops.subject_keys AS old
           SET wrapped = rewrap_key_v1.wrapped,
               kek_id = rewrap_key_v1.kek_id,
               wrapped_at = clock_timestamp()
         WHERE old.key_id = key
           AND old.kek_id = old_kek_id
        RETURNING old.key_id)
    SELECT EXISTS (SELECT FROM kept)
$function$;
COMMENT ON FUNCTION ops.rewrap_key_v1(uuid, bytea, text, text) IS
    'Keep the key of a person under another key that is kept elsewhere; tells whether it was under the one that is named';

REVOKE EXECUTE ON FUNCTION ops.signed_in_for(bigint),
                           public.subject_key_v1(bigint),
                           public.keep_subject_key_v1(bigint, uuid, bytea, text),
                           public.is_key_destroyed_v1(uuid),
                           ops.old_keys_v1(text, integer),
                           ops.rewrap_key_v1(uuid, bytea, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.subject_key_v1(bigint),
                          public.keep_subject_key_v1(bigint, uuid, bytea, text),
                          public.is_key_destroyed_v1(uuid)
    TO agent_app;
GRANT EXECUTE ON FUNCTION public.subject_key_v1(bigint), public.is_key_destroyed_v1(uuid) TO agent_privacy;
GRANT EXECUTE ON FUNCTION ops.key_of_v1(bytea) TO agent_eraser, agent_privacy;

ALTER TABLE ops.subject_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY subject_keys_privacy ON ops.subject_keys FOR SELECT TO agent_privacy
    USING (subject_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
GRANT SELECT ON ops.subject_keys, ops.destroyed_keys TO agent_privacy;
GRANT SELECT ON ops.destroyed_keys TO agent_auditor;

DO $revision$
BEGIN
    PERFORM ops.guard_table_v1('ops.subject_keys', 'subject_id');
    PERFORM ops.classify_table_v1('ops.subject_keys', strategy => 'delete', origin => 'observed', purposes => '{security}', legal_basis => 'legitimate_interests');
    PERFORM ops.classify_table_v1('ops.destroyed_keys');
END
$revision$;
-- Who erases destroys keys, and reads none.
REVOKE SELECT, UPDATE ON ops.subject_keys FROM agent_eraser;
GRANT SELECT (subject_id, key_id) ON ops.subject_keys TO agent_eraser;
"""

_DROP_SUBJECT_KEYS = """
DO $revision$
BEGIN
    PERFORM ops.unguard_table_v1('ops.subject_keys');
END
$revision$;
DELETE FROM ops.personal_data AS entry
 WHERE entry.table_name IN ('ops.subject_keys', 'ops.destroyed_keys');
DROP FUNCTION ops.rewrap_key_v1(uuid, bytea, text, text);
DROP FUNCTION ops.old_keys_v1(text, integer);
DROP FUNCTION public.is_key_destroyed_v1(uuid);
DROP FUNCTION public.keep_subject_key_v1(bigint, uuid, bytea, text);
DROP FUNCTION public.subject_key_v1(bigint);
DROP FUNCTION ops.signed_in_for(bigint);
DROP TRIGGER subject_keys_destroyed ON ops.subject_keys;
DROP FUNCTION ops.note_destroyed_keys();
DROP FUNCTION ops.key_of_v1(bytea);
"""


# What is physically left -------------------------------------------------------------------------------


def _create_residue() -> None:
    op.create_table(
        "backup_policies",
        sa.Column("name", sa.Text, nullable=False, comment="none: what the backups are called"),
        sa.Column("kind", sa.Text, nullable=False, comment="none: dump holds rows, files and archive hold whatever is in the files"),
        sa.Column("kept_for", sa.Interval, nullable=False, comment="none: how long each of them is kept"),
        sa.PrimaryKeyConstraint("name", name="backup_policies_pkey"),
        sa.CheckConstraint("name ~ '^[^[:space:]]'", name="backup_policies_name_check"),
        sa.CheckConstraint("kind IN ('dump', 'files', 'archive')", name="backup_policies_kind_check"),
        sa.CheckConstraint("kept_for > INTERVAL '0'", name="backup_policies_kept_for_check"),
        comment="Backups there are, and how long each is kept: when the last copy of what was erased ends",
        schema="ops",
    )
    op.create_table(
        "rewrites",
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the table or partition, with its schema, as SQL writes it"),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False, comment="none: when something was last erased there"),
        sa.Column("horizon", XID8, nullable=False, comment="none: transactions before this one may still see it"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="none: until when its files are to be written anew"),
        sa.Column("rewritten_at", sa.DateTime(timezone=True), comment="none: when that last began, of those that ended well"),
        sa.PrimaryKeyConstraint("table_name", name="rewrites_pkey"),
        comment="Tables whose files hold what was erased until they are written anew, and until when that is to be done",
        schema="ops",
    )
    op.create_index("rewrites_due_at_idx", "rewrites", ["due_at"], schema="ops")
    execute(_RESIDUE)


def _drop_residue() -> None:
    execute(_DROP_RESIDUE)
    for table in ("rewrites", "backup_policies"):
        op.drop_table(table, schema="ops")


# What needs the owner of the tables is lent to whoever erases, and to nobody else.
_RESIDUE = """
CREATE FUNCTION ops.want_rewrite_v1(tables text[], due_within interval) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO ops.rewrites (table_name, erased_at, horizon, due_at)
    SELECT DISTINCT quote_ident(namespace.nspname) || '.' || quote_ident(class.relname), statement_timestamp(),
           pg_snapshot_xmax(pg_current_snapshot()), statement_timestamp() + want_rewrite_v1.due_within
      FROM unnest(tables) AS wanted (name)
     CROSS JOIN LATERAL (
           SELECT to_regclass(wanted.name)::oid AS relation
            UNION
           SELECT leaf.relid::oid
             FROM pg_partition_tree(to_regclass(wanted.name)) AS leaf) AS stored
      JOIN pg_class AS class ON class.oid = stored.relation AND class.relkind IN ('r', 'm') AND class.relpersistence <> 't'
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        -- A partition that was never written to holds nothing.
     WHERE pg_relation_size(class.oid) > 0
        OR pg_stat_get_tuples_inserted(class.oid) + pg_stat_get_tuples_deleted(class.oid) > 0
        -- Whoever else wants some of them takes them in the same order.
     ORDER BY 1
        ON CONFLICT ON CONSTRAINT rewrites_pkey DO UPDATE
       SET erased_at = excluded.erased_at,
           horizon = excluded.horizon,
           due_at = CASE WHEN rewrites.rewritten_at > rewrites.erased_at THEN excluded.due_at
                    ELSE least(rewrites.due_at, excluded.due_at) END
$function$;
COMMENT ON FUNCTION ops.want_rewrite_v1(text[], interval) IS
    'Say that something was erased in tables, whose files are to be written anew within a time';

CREATE FUNCTION ops.refresh_view_v1(target regclass, lets_read boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- As it was filled: what hides rows from the owner hides them from the view.
SET row_security = on AS $function$
BEGIN
    EXECUTE format('REFRESH MATERIALIZED VIEW %s %s', CASE WHEN lets_read THEN 'CONCURRENTLY' END, target);
END
$function$;
COMMENT ON FUNCTION ops.refresh_view_v1(regclass, boolean) IS 'Fill a materialised view anew, so that nothing erased is left in it';

CREATE FUNCTION ops.analyze_v1(target regclass, column_names name[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    -- Of a table of somebody else the server would say so, and go on; what is left tells of it.
    IF NOT EXISTS (SELECT FROM pg_class AS class WHERE class.oid = target AND pg_has_role(class.relowner, 'USAGE')) THEN
        RETURN;
    END IF;
    EXECUTE format('ANALYZE %s%s', target,
                   (SELECT ' (' || string_agg(quote_ident(given.name), ', ') || ')' FROM unnest(column_names) AS given (name)));
END
$function$;
COMMENT ON FUNCTION ops.analyze_v1(regclass, name[]) IS
    'Count a table anew for the planner, so that nothing erased is left among its most common values; NULL is every column';

CREATE FUNCTION ops.index_statistics_v1(target regclass) RETURNS TABLE (
    attname name, inherited boolean, null_frac real, avg_width integer, n_distinct real, most_common_vals text,
    most_common_freqs real[], histogram_bounds text, correlation real, most_common_elems text,
    most_common_elem_freqs real[], elem_count_histogram real[])
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    place record;
BEGIN
    SELECT namespace.nspname AS schema_name, class.relname AS name
      INTO place
      FROM pg_class AS class
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE class.oid = target
       AND class.relkind IN ('i', 'I');
    RETURN QUERY
    SELECT known.attname, known.inherited, known.null_frac, known.avg_width, known.n_distinct,
           known.most_common_vals::text, known.most_common_freqs, known.histogram_bounds::text, known.correlation,
           known.most_common_elems::text, known.most_common_elem_freqs, known.elem_count_histogram
      FROM pg_stats AS known
     WHERE known.schemaname = place.schema_name
       AND known.tablename = place.name;
END
$function$;
COMMENT ON FUNCTION ops.index_statistics_v1(regclass) IS
    'What the planner knows of the expressions of an index, which only the owner of its table may read';

CREATE FUNCTION ops.restore_statistics_v1(
    target regclass, column_name name, is_inherited boolean, null_frac real, avg_width integer, n_distinct real,
    most_common_vals text, most_common_freqs real[], histogram_bounds text, correlation real,
    most_common_elems text, most_common_elem_freqs real[], elem_count_histogram real[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    place record;
    is_done boolean;
BEGIN
    SELECT namespace.nspname::text AS schema_name, class.relname::text AS name
      INTO place
      FROM pg_class AS class
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE class.oid = target
       AND pg_has_role(class.relowner, 'USAGE');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- By way of EXECUTE: servers before 18 do not have these. What is not cleared stays where nothing is given.
    EXECUTE 'SELECT pg_clear_attribute_stats($1, $2, $3::text, $4)'
      USING place.schema_name, place.name, column_name, is_inherited;
    EXECUTE 'SELECT pg_restore_attribute_stats(
                 ''schemaname'', $1, ''relname'', $2, ''attname'', $3::text, ''inherited'', $4,
                 ''version'', current_setting(''server_version_num'')::integer,
                 ''null_frac'', $5, ''avg_width'', $6, ''n_distinct'', $7, ''most_common_vals'', $8,
                 ''most_common_freqs'', $9, ''histogram_bounds'', $10, ''correlation'', $11,
                 ''most_common_elems'', $12, ''most_common_elem_freqs'', $13, ''elem_count_histogram'', $14)'
       INTO is_done
      USING place.schema_name, place.name, column_name, is_inherited, null_frac, avg_width, n_distinct, most_common_vals,
            most_common_freqs, histogram_bounds, correlation, most_common_elems, most_common_elem_freqs, elem_count_histogram;
    RETURN is_done;
END
$function$;
COMMENT ON FUNCTION ops.restore_statistics_v1(regclass, name, boolean, real, integer, real, text, real[], text, real, text, real[], real[]) IS
    'Say what the planner knows of a column, of PostgreSQL 18 on: what it knew, without what was erased';

CREATE FUNCTION ops.has_statistics_v1(target regclass) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    -- Names that are known before the view is read are looked up in it; by a join all of it would be read.
    SELECT EXISTS (SELECT
                     FROM pg_stats AS known
                    WHERE known.tablename = (SELECT class.relname FROM pg_class AS class WHERE class.oid = target)
                      AND known.schemaname = (SELECT namespace.nspname
                                                FROM pg_class AS class
                                                JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
                                               WHERE class.oid = target))
$function$;
COMMENT ON FUNCTION ops.has_statistics_v1(regclass) IS 'Whether the planner knows values of a table or view of the owner';

CREATE FUNCTION ops.clear_statistics_v1(target regclass) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    one record;
BEGIN
    IF current_setting('server_version_num')::integer < 180000 THEN
        RETURN false;
    END IF;
    FOR one IN
        SELECT namespace.nspname::text AS schema_name, class.relname::text AS name, attribute.attname::text AS column_name,
               flag.is_inherited
          FROM pg_class AS class
          JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
          JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
         CROSS JOIN (VALUES (true), (false)) AS flag (is_inherited)
         WHERE EXISTS (SELECT FROM pg_class AS counted WHERE counted.oid = target AND counted.reltuples = 0)
           AND pg_has_role(class.relowner, 'USAGE')
           AND (class.oid = target
                OR class.oid IN (SELECT index.indexrelid FROM pg_index AS index
                                  WHERE index.indrelid = target AND index.indexprs IS NOT NULL))
    LOOP
        EXECUTE 'SELECT pg_clear_attribute_stats($1, $2, $3, $4)'
          USING one.schema_name, one.name, one.column_name, one.is_inherited;
    END LOOP;
    RETURN true;
END
$function$;
COMMENT ON FUNCTION ops.clear_statistics_v1(regclass) IS
    'Let the planner forget what it knew of a table that has no rows, which counting anew would not; false before PostgreSQL 18';

CREATE FUNCTION ops.unlink_large_objects_v1(objects oid[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    one record;
    unlinked integer := 0;
BEGIN
    IF NOT ops.erases_somebody() THEN
        RAISE EXCEPTION 'a large object was to be unlinked, and nobody is being erased'
              USING ERRCODE = 'insufficient_privilege', HINT = 'call ops.work_on_v1 in the same transaction first';
    END IF;
    FOR one IN
        SELECT stored.oid AS number, pg_get_userbyid(stored.lomowner) AS owner,
               pg_has_role(stored.lomowner, 'USAGE') AS may_unlink
          FROM pg_largeobject_metadata AS stored
         WHERE stored.oid = ANY (objects)
         ORDER BY stored.oid
    LOOP
        IF NOT one.may_unlink THEN
            RAISE EXCEPTION 'large objects of the person belong to role "%"', one.owner
                  USING ERRCODE = 'insufficient_privilege',
                        HINT = format('as an administrator run GRANT %I TO %I;', one.owner, current_user);
        END IF;
        PERFORM lo_unlink(one.number);
        unlinked := unlinked + 1;
    END LOOP;
    IF unlinked > 0 THEN
        PERFORM ops.want_rewrite_v1('{pg_catalog.pg_largeobject}', INTERVAL '30 days');
    END IF;
    RETURN unlinked;
END
$function$;
COMMENT ON FUNCTION ops.unlink_large_objects_v1(oid[]) IS
    'Unlink large objects, and return how many there were: what deletes the row that names one has to';

REVOKE EXECUTE ON FUNCTION ops.want_rewrite_v1(text[], interval), ops.refresh_view_v1(regclass, boolean),
       ops.analyze_v1(regclass, name[]), ops.clear_statistics_v1(regclass), ops.has_statistics_v1(regclass), ops.index_statistics_v1(regclass), ops.unlink_large_objects_v1(oid[]),
       ops.restore_statistics_v1(regclass, name, boolean, real, integer, real, text, real[], text, real, text, real[], real[])
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.want_rewrite_v1(text[], interval), ops.refresh_view_v1(regclass, boolean),
      ops.analyze_v1(regclass, name[]), ops.clear_statistics_v1(regclass), ops.has_statistics_v1(regclass), ops.index_statistics_v1(regclass), ops.unlink_large_objects_v1(oid[]),
      ops.restore_statistics_v1(regclass, name, boolean, real, integer, real, text, real[], text, real, text, real[], real[])
   TO agent_eraser;
COMMENT ON INDEX ops.rewrites_due_at_idx IS 'what is due first';
GRANT EXECUTE ON FUNCTION ops.has_statistics_v1(regclass) TO agent_privacy, agent_auditor;
GRANT SELECT ON ops.backup_policies, ops.rewrites TO agent_eraser, agent_auditor, agent_monitor;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.backup_policies TO agent_privacy;
-- How far erasures have come, and not whose they are.
GRANT SELECT (id, state, hidden_at, swept_at) ON ops.erasures TO agent_monitor;
GRANT SELECT (erasure_id, recipient, queued_at, outcome) ON ops.erasure_notices TO agent_monitor;
GRANT SELECT ON ops.rewrites TO agent_privacy;

DO $revision$
BEGIN
    PERFORM ops.classify_table_v1('ops.backup_policies');
    PERFORM ops.classify_table_v1('ops.rewrites');
    PERFORM ops.audit_table_v1('ops.backup_policies', 'backup_policy', entity_key => 'name');
END
$revision$;
"""

_DROP_RESIDUE = """
DELETE FROM ops.personal_data AS entry
 WHERE entry.table_name IN ('ops.backup_policies', 'ops.rewrites');
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('ops.backup_policies');
END
$revision$;
DROP FUNCTION ops.unlink_large_objects_v1(oid[]);
DROP FUNCTION ops.clear_statistics_v1(regclass);
DROP FUNCTION ops.has_statistics_v1(regclass);
DROP FUNCTION ops.restore_statistics_v1(regclass, name, boolean, real, integer, real, text, real[], text, real, text, real[], real[]);
DROP FUNCTION ops.index_statistics_v1(regclass);
DROP FUNCTION ops.analyze_v1(regclass, name[]);
DROP FUNCTION ops.refresh_view_v1(regclass, boolean);
DROP FUNCTION ops.want_rewrite_v1(text[], interval);
"""


# Approvals, retention, and what completes an erasure ---------------------------------------------------


def _create_completion() -> None:
    op.create_table(
        "erasure_limits",
        sa.Column("only_one", sa.Boolean, server_default=sa.true(), nullable=False, comment="none: there is one row"),
        sa.Column("most_rows", sa.BigInteger, nullable=False, comment="none: rows that one erasure may do without approval"),
        sa.Column("most_share", sa.Numeric, nullable=False, comment="none: share of the rows of a table that it may do without"),
        sa.Column("approvers", sa.Integer, nullable=False, comment="none: how many persons have to approve what does more"),
        sa.PrimaryKeyConstraint("only_one", name="erasure_limits_pkey"),
        sa.CheckConstraint("only_one", name="erasure_limits_only_one_check"),
        sa.CheckConstraint("most_rows >= 0", name="erasure_limits_most_rows_check"),
        sa.CheckConstraint("most_share BETWEEN 0 AND 1", name="erasure_limits_most_share_check"),
        sa.CheckConstraint("approvers >= 2", name="erasure_limits_approvers_check"),
        comment="What an erasure may do before persons have to approve of it",
        schema="ops",
    )
    # allow MIG060: nobody but who answers for privacy, and who audits that, may read it
    op.create_table(
        "erasure_approvals",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the approval"),
        sa.Column("subject_id", sa.BigInteger, nullable=False, comment="identifier: whose erasure; no foreign key, an approval outlives the row"),
        sa.Column("plan_hash", BYTEA, nullable=False, comment="none: SHA-256 of the plan that was approved"),
        sa.Column("most_rows", sa.BigInteger, nullable=False, comment="none: rows that the plan may do at most"),
        sa.Column("approved_by", sa.BigInteger, nullable=False, comment="identifier: pseudonym of the login that approved, as in audit_log"),
        sa.Column("approved_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="none: until when it counts"),
        sa.PrimaryKeyConstraint("id", name="erasure_approvals_pkey"),
        sa.CheckConstraint("octet_length(plan_hash) = 32", name="erasure_approvals_plan_hash_check"),
        sa.CheckConstraint("most_rows > 0", name="erasure_approvals_most_rows_check"),
        sa.CheckConstraint("expires_at > approved_at", name="erasure_approvals_expires_at_check"),
        comment="Who approved of an erasure that does more than one may, append-only",
        schema="ops",
    )
    op.create_index("erasure_approvals_subject_id_idx", "erasure_approvals", ["subject_id"], schema="ops")
    op.create_table(
        "erasure_kept",
        sa.Column("erasure_id", UUID(as_uuid=True), nullable=False, comment="none: the last erasure of its person"),
        sa.Column("position", sa.Integer, nullable=False, comment="none: place in its certificate"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: table of which it keeps rows, with its schema"),
        sa.Column("hold_id", sa.BigInteger, comment="none: the hold that keeps them; NULL where a rule does"),
        sa.Column("rule", sa.Text, comment="none: the rule of retention_policies that keeps them"),
        sa.Column("due_at", sa.DateTime(timezone=True), comment="none: when the rule keeps none of them any more, as far as was known"),
        sa.PrimaryKeyConstraint("erasure_id", "position", name="erasure_kept_pkey"),
        sa.ForeignKeyConstraint(["erasure_id"], ["ops.erasures.id"], name="erasure_kept_erasure_id_fkey"),
        comment="What certificates of erasures say is kept and that ends by itself, for whoever completes them",
        schema="ops",
    )
    op.create_index("erasure_kept_hold_id_idx", "erasure_kept", ["hold_id"], schema="ops", postgresql_where=sa.text("hold_id IS NOT NULL"))
    op.create_index("erasure_kept_due_at_idx", "erasure_kept", ["due_at"], schema="ops", postgresql_where=sa.text("hold_id IS NULL"))
    execute(_APPROVALS)
    execute(_RETAINING)
    execute(_ANSWERING)


def _drop_completion() -> None:
    execute(_DROP_ANSWERING)
    execute(_DROP_RETAINING)
    execute(_DROP_APPROVALS)
    op.drop_table("erasure_kept", schema="ops")
    op.drop_table("erasure_approvals", schema="ops")
    op.drop_table("erasure_limits", schema="ops")


# Persons are told apart by their logins, and by nothing that a session can set itself; a login that two transactions
# met at once has two pseudonyms, so it is the name that counts. Whoever erases is not one of those who approve of it.
_APPROVALS = """
COMMENT ON INDEX ops.erasure_approvals_subject_id_idx IS 'who approved of an erasure';

INSERT INTO ops.erasure_limits (most_rows, most_share, approvers) VALUES (100000, 0.05, 2);

CREATE FUNCTION ops.erasure_approvers_v1(subject bigint, plan_hash bytea, planned_rows bigint) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    SELECT count(DISTINCT pseudonym.role_name)::integer
      FROM ops.erasure_approvals AS approval
      JOIN ops.pseudonyms AS pseudonym ON pseudonym.audit_ref = approval.approved_by
     WHERE approval.subject_id = subject
       AND approval.plan_hash = erasure_approvers_v1.plan_hash
       AND approval.most_rows >= planned_rows
       AND approval.expires_at > now()
       AND pseudonym.role_name <> session_user
$function$;
REVOKE EXECUTE ON FUNCTION ops.erasure_approvers_v1(bigint, bytea, bigint) FROM PUBLIC;
COMMENT ON FUNCTION ops.erasure_approvers_v1(bigint, bytea, bigint) IS
    'How many persons other than the login at work approve now of a plan to erase a person that does so many rows';

CREATE FUNCTION ops.approve_erasure_v1(subject bigint, plan_hash bytea, most_rows bigint, valid_for interval DEFAULT INTERVAL '7 days')
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF NOT EXISTS (SELECT FROM public.users AS person WHERE person.id = subject) THEN
        RAISE EXCEPTION 'there is no person of this number'
              USING ERRCODE = 'no_data_found', HINT = 'users.id is the number to name';
    END IF;
    IF coalesce(octet_length(plan_hash) <> 32, true) OR coalesce(most_rows <= 0, true)
       OR coalesce(valid_for NOT BETWEEN INTERVAL '1 minute' AND INTERVAL '30 days', true) THEN
        RAISE EXCEPTION 'an approval names a plan, how many rows it may do, and is valid for 30 days at most'
              USING ERRCODE = 'invalid_parameter_value', HINT = 'plan_erasure gives the hash of a plan and its rows';
    END IF;
    INSERT INTO ops.erasure_approvals (subject_id, plan_hash, most_rows, approved_by, expires_at)
    VALUES (subject, approve_erasure_v1.plan_hash, approve_erasure_v1.most_rows, ops.role_ref(), clock_timestamp() + valid_for);
    RETURN 1 + ops.erasure_approvers_v1(subject, approve_erasure_v1.plan_hash, approve_erasure_v1.most_rows);
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.approve_erasure_v1(bigint, bytea, bigint, interval) FROM PUBLIC;
COMMENT ON FUNCTION ops.approve_erasure_v1(bigint, bytea, bigint, interval) IS
    'Approve, as the login at work, of a plan to erase a person; returns how many persons do so now';

CREATE TRIGGER erasure_approvals_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.erasure_approvals
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();

GRANT SELECT ON ops.erasure_limits, ops.erasure_approvals TO agent_eraser, agent_privacy, agent_auditor;
GRANT EXECUTE ON FUNCTION ops.erasure_approvers_v1(bigint, bytea, bigint) TO agent_eraser, agent_privacy, agent_auditor;
GRANT EXECUTE ON FUNCTION ops.approve_erasure_v1(bigint, bytea, bigint, interval) TO agent_privacy;

INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('ops.erasure_approvals', 'approved', 'approved_at', INTERVAL '5 years', 'delete', 'GDPR art. 5(2): who approved has to be shown')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;

DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('ops.erasure_limits', 'erasure_limit');
    PERFORM ops.audit_table_v1('ops.erasure_approvals', 'erasure_approval', entity_id => 'id', subject => 'subject_id');
    PERFORM ops.classify_table_v1('ops.erasure_limits');
    PERFORM ops.classify_table_v1('ops.erasure_approvals', strategy => 'keep', strategy_args => '{"why": "GDPR art. 5(2): who approved has to be shown"}', origin => 'observed', purposes => '{accountability}', legal_basis => 'legal_obligation', retention_rule => 'approved');
    PERFORM ops.classify_column_v1('ops.erasure_approvals', 'approved_by', people => 'staff');
    INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, note)
    VALUES ('ops.erasure_approvals', '{subject_id}', 'public.users', '{id}', 'column', 'it outlives the row');
END
$revision$;
"""

_DROP_APPROVALS = """
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) = ('ops.erasure_approvals', 'approved');
DO $revision$
BEGIN
    PERFORM ops.unaudit_table_v1('ops.erasure_approvals');
    PERFORM ops.unaudit_table_v1('ops.erasure_limits');
END
$revision$;
DROP FUNCTION ops.approve_erasure_v1(bigint, bytea, bigint, interval);
DROP FUNCTION ops.erasure_approvers_v1(bigint, bytea, bigint);
"""

# Acts as the owner, on purpose: proofs that nobody else may touch end too. Which rows is said by the rule and by holds
# alone, never by who calls. Rows are locked first and looked at then, in a snapshot of its own: whoever refers to one
# of them meanwhile waits, and no hold is placed between the look and the deletion. A row goes along with another by a
# cascade only where no rule of its own keeps it.
_RETAINING = """
CREATE FUNCTION ops.retention_needed(target regclass, alias text, passed regclass[] DEFAULT '{}') RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    link record;
    beneath text;
    conditions text[] := '{}';
    child text;
BEGIN
    FOR link IN
        SELECT con.conrelid::regclass AS place,
               con.confdeltype,
               con.confdeltype = 'c' AND NOT EXISTS (
                   SELECT
                     FROM public.retention_policies AS policy
                    WHERE to_regclass(CASE WHEN policy.table_name ~ '[.]' THEN policy.table_name ELSE 'public.' || policy.table_name END) = con.conrelid
               ) AS goes_along,
               (SELECT string_agg(format('%%s.%I = %s.%I', here.attname, alias, there.attname), ' AND ')
                  FROM unnest(con.conkey, con.confkey) AS pair (here, there)
                  JOIN pg_attribute AS here ON here.attrelid = con.conrelid AND here.attnum = pair.here
                  JOIN pg_attribute AS there ON there.attrelid = con.confrelid AND there.attnum = pair.there) AS joined
          FROM pg_constraint AS con
         WHERE con.contype = 'f'
           AND con.confrelid = target
           AND con.conparentid = 0
           AND con.confdeltype IN ('a', 'r', 'c')
         ORDER BY con.conname
    LOOP
        child := format('r%s', cardinality(passed) + 1);
        beneath := NULL;
        IF link.goes_along THEN
            CONTINUE WHEN link.place = ANY (passed || target);
            beneath := ops.retention_needed(link.place, child, passed || target);
            CONTINUE WHEN beneath = 'false';
        END IF;
        conditions := conditions || format('EXISTS (SELECT FROM %s AS %s WHERE %s%s)', link.place, child,
                                           replace(link.joined, '%s', child), coalesce(' AND (' || beneath || ')', ''));
    END LOOP;
    RETURN coalesce(NULLIF(array_to_string(conditions, ' OR '), ''), 'false');
END
$function$;
COMMENT ON FUNCTION ops.retention_needed(regclass, text, regclass[]) IS
    'Condition that rows which are kept refer to a row of a table, or to one that would go along with it';

CREATE FUNCTION ops.retention_touched(target regclass) RETURNS regclass[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    WITH RECURSIVE beneath (place) AS (
        SELECT target::oid
         UNION
        SELECT link.place
          FROM beneath
         CROSS JOIN LATERAL (
               SELECT con.conrelid AS place
                 FROM pg_constraint AS con
                WHERE con.confrelid = beneath.place AND con.contype = 'f' AND con.confdeltype IN ('c', 'n', 'd')
                UNION ALL
               SELECT part.inhrelid FROM pg_inherits AS part WHERE part.inhparent = beneath.place) AS link)
    SELECT array_agg(beneath.place::regclass) FROM beneath
$function$;
COMMENT ON FUNCTION ops.retention_touched(regclass) IS
    'A table, its parts, and those of which rows go along with its rows, or are changed when these go';

CREATE FUNCTION ops.retention_bearers(target regclass) RETURNS name[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    WITH RECURSIVE links (from_table, from_column, to_table, to_column) AS MATERIALIZED (
        SELECT con.conrelid::oid, here.attname, con.confrelid::oid, there.attname
          FROM pg_constraint AS con
         CROSS JOIN LATERAL unnest(con.conkey, con.confkey) AS pair (here, there)
          JOIN pg_attribute AS here ON here.attrelid = con.conrelid AND here.attnum = pair.here
          JOIN pg_attribute AS there ON there.attrelid = con.confrelid AND there.attnum = pair.there
         WHERE con.contype = 'f'
         UNION
        SELECT to_regclass(edge.from_table), pair.here, to_regclass(edge.to_table), pair.there
          FROM ops.personal_edges AS edge
         CROSS JOIN LATERAL unnest(edge.from_columns, edge.to_columns) AS pair (here, there)
         WHERE edge.kind = 'column'
    ), bearer (place, name) AS (
        SELECT 'public.users'::regclass::oid, 'id'::name
         UNION
        SELECT links.from_table, links.from_column
          FROM links
          JOIN bearer ON links.to_table = bearer.place AND links.to_column = bearer.name)
    SELECT coalesce(array_agg(bearer.name ORDER BY bearer.name), '{}') FROM bearer WHERE bearer.place = target
$function$;
COMMENT ON FUNCTION ops.retention_bearers(regclass) IS
    'The columns of a table that hold the number of a person, handed down from key to key';

CREATE FUNCTION ops.retention_subject(target regclass, alias text, subject text, is_named text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    -- Of a person who cannot be told from the row, everything is meant; where no row is about people, what is named alone.
    -- The trail names people by another number.
    SELECT CASE WHEN target = 'public.audit_log'::regclass THEN
                     format('EXISTS (SELECT FROM ops.pseudonyms AS named WHERE named.user_id::text = %s AND named.audit_ref IN (%I.subject_ref, %2$I.actor_ref))',
                            subject, alias)
                WHEN bearers.names <> '{}' THEN
                     (SELECT '(' || string_agg(format('%I.%I::text = %s', alias, one.name, subject), ' OR ' ORDER BY one.name) || ')'
                        FROM unnest(bearers.names) AS one (name))
                WHEN EXISTS (SELECT
                               FROM ops.personal_data AS entry
                              WHERE to_regclass(entry.table_name) = target AND entry.class <> 'none' AND entry.people = 'users')
                THEN 'true'
                ELSE is_named END
      FROM ops.retention_bearers(target) AS bearers (names)
$function$;
COMMENT ON FUNCTION ops.retention_subject(regclass, text, text, text) IS
    'Condition that a row of a table is of the person whom an expression names, or may be';

CREATE FUNCTION ops.retention_held(target regclass, alias text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $function$
    -- What a hold on a row beneath it may mean is held with all the others.
    SELECT format(
        $condition$EXISTS (
            SELECT
              FROM ops.held_now AS hold
             WHERE (hold.table_name IS NULL OR to_regclass(hold.table_name) = ANY (%L::regclass[]))
               AND (hold.subject_id IS NULL OR %s)
               AND (hold.row_key IS NULL OR to_regclass(hold.table_name) <> %L::regclass OR to_jsonb(%I) @> hold.row_key))$condition$,
        ops.retention_touched(target),
        ops.retention_subject(target, alias, 'hold.subject_id::text', 'hold.table_name IS NOT NULL'),
        target, alias)
$function$;
COMMENT ON FUNCTION ops.retention_held(regclass, text) IS 'Condition that a hold keeps a row of a table, or what would go along with it';

-- Each hold by itself, for which an index may tell: a part of a table may have more rows than a batch.
CREATE FUNCTION ops.hold_on_v1(part regclass, whole regclass) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET TimeZone = 'UTC' AS $function$
DECLARE
    hold record;
    is_kept boolean;
BEGIN
    FOR hold IN
        SELECT held.id, held.subject_id, held.row_key, to_regclass(held.table_name) AS place
          FROM ops.held_now AS held
         WHERE held.table_name IS NULL OR to_regclass(held.table_name) = ANY (ops.retention_touched(whole) || part)
         ORDER BY held.id
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s AS kept WHERE %s AND %s)', part,
                       CASE WHEN hold.subject_id IS NULL THEN 'true'
                            WHEN ops.retention_bearers(whole) <> '{}' THEN
                                 (SELECT '(' || string_agg(format(CASE WHEN attribute.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                                                                       THEN 'kept.%I = %L::bigint' ELSE 'kept.%I::text = %L' END,
                                                                  attribute.attname, hold.subject_id), ' OR ') || ')'
                                    FROM pg_attribute AS attribute
                                   WHERE attribute.attrelid = whole
                                     AND attribute.attname = ANY (ops.retention_bearers(whole)))
                            ELSE ops.retention_subject(whole, 'kept', quote_literal(hold.subject_id), (hold.place IS NOT NULL)::text) END,
                       CASE WHEN hold.row_key IS NULL OR hold.place NOT IN (part, whole) THEN 'true'
                            ELSE format('to_jsonb(kept) @> %L::jsonb', hold.row_key) END)
           INTO is_kept;
        IF is_kept THEN
            RETURN hold.id;
        END IF;
    END LOOP;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.hold_on_v1(regclass, regclass) IS
    'The first hold that keeps a row of a part of a table, which may have been detached from it; NULL is none';

CREATE FUNCTION ops.retain_v1(
    policy_table text, policy_rule text, most_rows integer DEFAULT 10000, after_key jsonb DEFAULT NULL, only_count boolean DEFAULT false,
    OUT gone bigint, OUT held bigint, OUT needed bigint, OUT last_key jsonb
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET row_security = off
SET TimeZone = 'UTC' AS $function$
DECLARE
    policy public.retention_policies;
    target regclass;
    cutoff timestamptz;
    keys name[];
    places name[];
    due jsonb;
BEGIN
    IF coalesce(most_rows NOT BETWEEN 1 AND 100000, true) THEN
        RAISE EXCEPTION 'a batch has between 1 and 100000 rows'
              USING ERRCODE = 'invalid_parameter_value', HINT = 'its rows are locked until it ends: 10000 suit most';
    END IF;
    SELECT known.* INTO policy FROM public.retention_policies AS known WHERE known.table_name = policy_table AND known.rule = policy_rule;
    target := to_regclass(CASE WHEN policy.table_name ~ '[.]' THEN policy.table_name ELSE 'public.' || policy.table_name END);
    IF target IS NULL THEN
        RAISE EXCEPTION 'there is no rule "%" of "%", or no such table', policy_rule, policy_table
              USING ERRCODE = 'undefined_table', HINT = 'retention_policies lists the rules';
    END IF;
    -- The trail, what erasures and their repetition rest on, keys of people who live, and rules: a wrong rule takes none of it.
    IF policy.action <> 'delete'
       OR target::text IN ('public.audit_log', 'ops.audit_seal', 'ops.audit_anchor', 'ops.pseudonyms', 'ops.erasures', 'ops.erasure_steps',
                           'ops.erasure_secrets', 'ops.erasure_notices', 'ops.erasure_kept', 'ops.erasure_gate', 'ops.tombstones',
                           'ops.subject_keys', 'ops.destroyed_keys', 'ops.suppressions', 'ops.personal_data', 'ops.personal_edges',
                           'public.retention_policies') THEN
        RAISE EXCEPTION 'rule "%" of "%" does not delete rows', policy_rule, policy_table
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'whole partitions are the business of agentdb partitioning maintain';
    END IF;
    -- Whoever owns a table says by its triggers what is done in the name of who deletes from it.
    IF (SELECT class.relowner FROM pg_class AS class WHERE class.oid = target) <> 'agent_owner'::regrole THEN
        RAISE EXCEPTION 'table "%" belongs to somebody else than "agent_owner"', policy_table
              USING ERRCODE = 'insufficient_privilege', HINT = 'give it to agent_owner, or delete from it as its owner';
    END IF;
    keys := ARRAY(
        SELECT attribute.attname
          FROM pg_index AS index
         CROSS JOIN LATERAL unnest(index.indkey::smallint[]) WITH ORDINALITY AS part (attnum, place)
          JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = part.attnum
         WHERE index.indrelid = target AND index.indisprimary
         ORDER BY part.place);
    IF keys = '{}' OR NOT EXISTS (SELECT
                                    FROM pg_attribute AS attribute
                                   WHERE attribute.attrelid = target
                                     AND attribute.attname = policy.time_column
                                     AND NOT attribute.attisdropped
                                     AND attribute.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)) THEN
        RAISE EXCEPTION 'table "%" has no primary key, or no column "%" that says when', policy_table, policy.time_column
              USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'a row is named by its key, and its age is counted from an instant or a day';
    END IF;
    cutoff := now() - policy.keep_for;
    IF only_count THEN
        EXECUTE format('SELECT count(*) FILTER (WHERE NOT is_held AND NOT is_needed), count(*) FILTER (WHERE is_held),'
                       '       count(*) FILTER (WHERE is_needed AND NOT is_held)'
                       '  FROM (SELECT %s AS is_held, %s AS is_needed FROM %s AS kept WHERE kept.%I < $1) AS looked_at',
                       ops.retention_held(target, 'kept'), ops.retention_needed(target, 'kept'), target, policy.time_column)
           INTO gone, held, needed
          USING cutoff;
        RETURN;
    END IF;
    LOCK TABLE ops.legal_holds IN SHARE MODE;
    -- By age where an index tells it, and else along the key: each row is met once either way.
    places := CASE WHEN EXISTS (SELECT
                                  FROM pg_index AS index
                                  JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0]
                                  JOIN pg_class AS class ON class.oid = index.indexrelid
                                  JOIN pg_am AS method ON method.oid = class.relam AND method.amname = 'btree'
                                 WHERE index.indrelid = target
                                   AND index.indisvalid
                                   AND index.indpred IS NULL
                                   AND attribute.attname = policy.time_column)
                   THEN ARRAY[policy.time_column::name] || array_remove(keys, policy.time_column::name) ELSE keys END;
    EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(page) ORDER BY %s), ''[]'') FROM ('
                   'SELECT %s FROM %s AS kept WHERE kept.%I < $1 AND ($2 IS NULL OR (%s) > (%s))'
                   ' ORDER BY %1$s LIMIT $3 FOR UPDATE OF kept SKIP LOCKED) AS page',
                   (SELECT string_agg(format('%I', name), ', ' ORDER BY place) FROM unnest(places) WITH ORDINALITY AS part (name, place)),
                   (SELECT string_agg(format('kept.%I', name), ', ' ORDER BY place) FROM unnest(places) WITH ORDINALITY AS part (name, place)),
                   target, policy.time_column,
                   (SELECT string_agg(format('kept.%I', name), ', ' ORDER BY place) FROM unnest(places) WITH ORDINALITY AS part (name, place)),
                   (SELECT string_agg(format('(SELECT behind.%I FROM jsonb_populate_record(NULL::%s, $2) AS behind)', name, target), ', ' ORDER BY place)
                      FROM unnest(places) WITH ORDINALITY AS part (name, place)))
       INTO due
      USING cutoff, after_key, most_rows;
    EXECUTE format('WITH looked_at AS MATERIALIZED (SELECT %1$s, %2$s AS is_held, %3$s AS is_needed'
                   '  FROM %4$s AS kept JOIN jsonb_populate_recordset(NULL::%4$s, $1) AS due USING (%5$s)),'
                   ' gone AS (DELETE FROM %4$s AS kept USING looked_at'
                   '           WHERE NOT looked_at.is_held AND NOT looked_at.is_needed AND (%1$s) = (%6$s) RETURNING 1)'
                   ' SELECT (SELECT count(*) FROM gone), count(*) FILTER (WHERE is_held), count(*) FILTER (WHERE is_needed AND NOT is_held)'
                   '   FROM looked_at',
                   (SELECT string_agg(format('kept.%I', name), ', ' ORDER BY place) FROM unnest(keys) WITH ORDINALITY AS part (name, place)),
                   ops.retention_held(target, 'kept'), ops.retention_needed(target, 'kept'), target,
                   (SELECT string_agg(format('%I', name), ', ' ORDER BY place) FROM unnest(keys) WITH ORDINALITY AS part (name, place)),
                   (SELECT string_agg(format('looked_at.%I', name), ', ' ORDER BY place) FROM unnest(keys) WITH ORDINALITY AS part (name, place)))
       INTO gone, held, needed
      USING due;
    -- What tells that a row of people is gone tells their number, which the trail had forgotten.
    IF target = 'public.users'::regclass THEN
        PERFORM ops.redact_subject((one.key ->> 'id')::bigint)
           FROM jsonb_array_elements(due) AS one (key)
          WHERE NOT EXISTS (SELECT FROM public.users AS person WHERE person.id = (one.key ->> 'id')::bigint);
    END IF;
    last_key := CASE WHEN jsonb_array_length(due) >= most_rows THEN due -> -1 END;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.retain_v1(text, text, integer, jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION ops.retain_v1(text, text, integer, jsonb, boolean) IS
    'Delete a batch of rows that a rule keeps no longer, or count them all; returns how many went, are held, are referred to, and the key of the last';
GRANT EXECUTE ON FUNCTION ops.retain_v1(text, text, integer, jsonb, boolean), ops.beat_v1(text, interval) TO agent_eraser;
"""

_DROP_RETAINING = """
REVOKE EXECUTE ON FUNCTION ops.beat_v1(text, interval) FROM agent_eraser;
DROP FUNCTION ops.retain_v1(text, text, integer, jsonb, boolean);
DROP FUNCTION ops.hold_on_v1(regclass, regclass);
DROP FUNCTION ops.retention_held(regclass, text);
DROP FUNCTION ops.retention_subject(regclass, text, text, text);
DROP FUNCTION ops.retention_bearers(regclass);
DROP FUNCTION ops.retention_touched(regclass);
DROP FUNCTION ops.retention_needed(regclass, text, regclass[]);
"""

# A person who asked to be erased has been answered when there is a certificate, and not before. What they objected to
# holds on for their addresses, in a form that nobody reads.
_ANSWERING = """
CREATE FUNCTION ops.erasures_answer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM ops.complete_request_v1(
                asked.id, format('certificate %s', NEW.id),
                greatest(clock_timestamp(), (SELECT max(event.happened_at)
                                               FROM public.data_subject_request_events AS event
                                              WHERE event.request_id = asked.id)))
       FROM public.data_subject_requests AS asked
      WHERE asked.user_id = NEW.subject_id
        AND asked.kind = 'erasure'
        AND asked.closed_at IS NULL;
    -- What the last certificate says holds, and nothing of those before.
    DELETE FROM ops.erasure_kept AS kept
     USING ops.erasures AS earlier
     WHERE kept.erasure_id = earlier.id
       AND earlier.subject_id = NEW.subject_id;
    INSERT INTO ops.erasure_kept (erasure_id, position, table_name, hold_id, rule, due_at)
    SELECT NEW.id, one.position, said."table", said.hold, said.rule,
           coalesce(said.until, NEW.certified_at + (SELECT min(policy.keep_for)
                                                      FROM public.retention_policies AS policy
                                                     WHERE policy.rule = said.rule
                                                       AND said."table" IN (policy.table_name, 'public.' || policy.table_name)))
      FROM jsonb_array_elements(NEW.certificate::jsonb #> '{certificate,kept}') WITH ORDINALITY AS one (told, position)
     CROSS JOIN jsonb_to_record(one.told) AS said ("table" text, rows bigint, hold bigint, rule text, until timestamptz)
     WHERE said.rows > 0
       AND num_nonnulls(said.hold, said.rule) > 0;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION ops.erasures_answer() IS
    'Complete what a person asked to be erased for, now that there is a certificate, and remember what it says is kept for a while';

CREATE TRIGGER erasures_answer AFTER UPDATE OF state ON ops.erasures
    FOR EACH ROW WHEN (NEW.state = 'certified' AND OLD.state <> 'certified') EXECUTE FUNCTION ops.erasures_answer();

CREATE FUNCTION ops.suppress_objections_v1(erasure uuid, identifier_hmacs bytea[], key_id text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    person CONSTANT bigint := ops.worked_on(erasure);
    suppressed bigint;
BEGIN
    INSERT INTO ops.suppressions (identifier_hmac, purpose, key_id)
    SELECT given.hmac, objection.purpose, suppress_objections_v1.key_id
      FROM public.objections AS objection
     CROSS JOIN (SELECT DISTINCT hmac FROM unnest(identifier_hmacs) AS hmac) AS given
     WHERE objection.user_id = person
       AND objection.overridden_at IS NULL
       AND objection.withdrawn_at IS NULL
        ON CONFLICT ON CONSTRAINT suppressions_pkey DO UPDATE
       SET ended_at = NULL, suppressed_at = clock_timestamp()
     WHERE suppressions.ended_at IS NOT NULL;
    GET DIAGNOSTICS suppressed = ROW_COUNT;
    RETURN suppressed;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.suppress_objections_v1(uuid, bytea[], text) FROM PUBLIC;
COMMENT ON FUNCTION ops.suppress_objections_v1(uuid, bytea[], text) IS
    'Keep hashed addresses of a person whom this transaction erases from what they object to; returns how many were not before';
GRANT EXECUTE ON FUNCTION ops.suppress_objections_v1(uuid, bytea[], text) TO agent_eraser;
GRANT SELECT ON ops.erasure_kept TO agent_eraser, agent_privacy, agent_auditor;
COMMENT ON INDEX ops.erasure_kept_hold_id_idx IS 'what ends with a hold';
COMMENT ON INDEX ops.erasure_kept_due_at_idx IS 'what ends by a rule';
DO $revision$
BEGIN
    PERFORM ops.classify_table_v1('ops.erasure_kept');
END
$revision$;
"""

_DROP_ANSWERING = """
DROP FUNCTION ops.suppress_objections_v1(uuid, bytea[], text);
DROP TRIGGER erasures_answer ON ops.erasures;
DROP FUNCTION ops.erasures_answer();
"""



if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
