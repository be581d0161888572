"""Personal data: the catalogue of it, consent and requests of people, and the seals of the audit trail.

Locks: SHARE ROW EXCLUSIVE on public.audit_log, and ACCESS EXCLUSIVE on the tables that get a policy, for a moment each.
Reverse: lossy; forgets the seals of the trail, the catalogue, holds, requests, restrictions and objections.
Data: seed; the catalogue of all columns so far.
Needs: membership of agent_owner; CREATEROLE, or that role agent_sealer exists.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, INT8MULTIRANGE

from spotify_ai_agent_migrations.versions.core.ddl import XID8, as_owner, execute
from spotify_ai_agent_migrations.versions.health_check.published import published

revision = "010"
down_revision = "009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute(_CREATE_SEALER)
    # Whoever owns the database grants this; the owner role may not.
    execute("GRANT USAGE ON SCHEMA public TO agent_sealer")
    with as_owner():
        _create_jobs()
        _create_seals()
        _create_catalogue()
        _create_consent()
        _create_requests()
        execute(published())


def downgrade() -> None:
    with as_owner():
        _drop_requests()
        _drop_consent()
        _drop_catalogue()
        _drop_seals()
        _drop_jobs()
    execute("REVOKE USAGE ON SCHEMA public FROM agent_sealer")
    execute(_DROP_SEALER)


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
GRANT EXECUTE ON FUNCTION ops.beat_v1(text, interval) TO agent_app, agent_privacy, agent_auditor;
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


# Roles belong to the whole cluster: another database may have made it, or be making it right now.
_CREATE_SEALER = """
DO $revision$
DECLARE
    may_create boolean;
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = 'agent_sealer') THEN
        RETURN;
    END IF;
    SELECT role.rolsuper OR role.rolcreaterole
      INTO may_create
      FROM pg_catalog.pg_roles AS role
     WHERE role.rolname = current_user;
    IF NOT may_create THEN
        RAISE EXCEPTION 'role "agent_sealer" does not exist, and "%" lacks CREATEROLE to create it', current_user
              USING ERRCODE = 'insufficient_privilege',
                    HINT = 'as an administrator run CREATE ROLE agent_sealer;';
    END IF;
    BEGIN
        CREATE ROLE agent_sealer NOLOGIN;
        COMMENT ON ROLE agent_sealer IS 'made by spotify-ai-agent-migrations';
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN
            NULL;
    END;
END
$revision$
"""

_DROP_SEALER = """
DO $revision$
BEGIN
    IF EXISTS (SELECT
                 FROM pg_catalog.pg_roles AS role
                WHERE role.rolname = 'agent_sealer'
                  AND pg_catalog.shobj_description(role.oid, 'pg_authid') = 'made by spotify-ai-agent-migrations') THEN
        DROP ROLE agent_sealer;
    END IF;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use THEN
        RAISE NOTICE 'role "agent_sealer" stays: something in this cluster still depends on it';
    WHEN undefined_object OR internal_error THEN
        -- Another database of the cluster dropped it meanwhile, for which the server has no code of its own.
        IF EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = 'agent_sealer') THEN
            RAISE;
        END IF;
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
    pass


def _drop_catalogue() -> None:
    pass


# Consent, and what must be kept ------------------------------------------------------------------------


def _create_consent() -> None:
    pass


def _drop_consent() -> None:
    pass


# What people ask for -----------------------------------------------------------------------------------


def _create_requests() -> None:
    pass


def _drop_requests() -> None:
    pass


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
