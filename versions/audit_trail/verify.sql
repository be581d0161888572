-- What verification and export read. Functions and types are those of pg_catalog alone, and an enum is written by
-- its own output function: who owns the tables can replace functions, operators and casts, not these.

-- verify_session --
-- One snapshot for all statements, in a form that no setting of the role or the database changes.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL TimeZone = 'UTC';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;
SET LOCAL quote_all_identifiers = off;
SET LOCAL jit = off;
-- The trees are built while the server waits.
SET LOCAL idle_in_transaction_session_timeout = '6h';
-- Expressions are what costs here, and the planner cannot know it.
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = {workers};

-- verify_impostors --
-- What is not the ordinary table, or the column of the type, that it is taken for: a view can show what it
-- likes, and it and a cast of a type of one's own call functions as whoever reads it.
WITH expected (relation, name, type) AS (
    VALUES ('public.audit_log', 'id', 'bigint'), ('public.audit_log', 'xid', 'xid8'),
           ('public.audit_log', 'created_at', 'timestamp with time zone'), ('public.audit_log', 'entity_type', 'text'),
           ('public.audit_log', 'action', NULL), ('public.audit_log', 'actor_type', NULL),
           ('public.audit_log', 'actor_ref', 'bigint'), ('public.audit_log', 'subject_ref', 'bigint'),
           ('public.audit_log', 'changed_columns', 'text[]'), ('public.audit_log', 'entity_id', 'bigint'),
           ('public.audit_log', 'entity_key', 'text'), ('public.audit_log', 'request_id', 'uuid'),
           ('public.audit_log', 'payload', 'jsonb'), ('public.audit_log', 'salt', 'bytea'),
           ('public.audit_log', 'commitment', 'bytea'), ('public.audit_log', 'redacted', 'bytea'),
           ('ops.audit_seal', 'id', 'bigint'), ('ops.audit_seal', 'epoch', 'integer'),
           ('ops.audit_seal', 'sealed_at', 'timestamp with time zone'), ('ops.audit_seal', 'previous_hash', 'bytea'),
           ('ops.audit_seal', 'first_xid', 'xid8'), ('ops.audit_seal', 'horizon', 'xid8'),
           ('ops.audit_seal', 'entry_count', 'bigint'), ('ops.audit_seal', 'entry_ids', 'int8multirange'),
           ('ops.audit_seal', 'root', 'bytea'), ('ops.audit_seal', 'system_identifier', 'text'),
           ('ops.audit_seal', 'timeline', 'integer'), ('ops.audit_seal', 'note', 'text'),
           ('ops.audit_seal', 'key_id', 'text'), ('ops.audit_seal', 'hash', 'bytea'),
           ('ops.audit_seal', 'signature', 'bytea'), ('ops.audit_anchor', 'seal_id', 'bigint'),
           ('public.retention_policies', 'table_name', 'text'), ('public.retention_policies', 'rule', 'text'),
           ('public.retention_policies', 'keep_for', 'interval'), ('ops.partition_archives', 'table_name', 'text'),
           ('ops.partition_archives', 'detached_at', 'timestamp with time zone')
)
SELECT expected.relation || '.' || expected.name
  FROM expected
  LEFT JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = pg_catalog.to_regclass(expected.relation)
   AND attribute.attname = expected.name
   AND attribute.attgenerated = ''
   AND NOT attribute.attisdropped
  LEFT JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
 WHERE attribute.attrelid IS NULL
    OR CASE WHEN expected.type IS NULL THEN type.typtype <> 'e'
            ELSE pg_catalog.format_type(attribute.atttypid, NULL) <> expected.type END
 UNION ALL
SELECT part.relid::pg_catalog.text
  FROM (VALUES ('public.audit_log'), ('ops.audit_seal'), ('ops.audit_anchor'), ('public.retention_policies'),
               ('ops.partition_archives')) AS relation (name)
 CROSS JOIN LATERAL (
           SELECT pg_catalog.to_regclass(relation.name) AS relid
            UNION
           SELECT tree.relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(relation.name)) AS tree
            UNION
           SELECT child.inhrelid FROM pg_catalog.pg_inherits AS child
            WHERE child.inhparent = pg_catalog.to_regclass(relation.name)
       ) AS part
  JOIN pg_catalog.pg_class AS class ON class.oid = part.relid
 WHERE class.relkind NOT IN ('r', 'p')
 ORDER BY 1;

-- verify_server --
-- Whose transactions the last seal numbers: of this server, and not ahead of it, or of one that was restored from.
SELECT control.system_identifier::pg_catalog.text,
       pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text
  FROM pg_catalog.pg_control_system() AS control;

-- verify_seals --
-- The seals after one, oldest first; an instant as its bytes, for no date of any year stops the reading.
SELECT seal.id, seal.epoch, pg_catalog.timestamptz_send(seal.sealed_at), seal.previous_hash,
       seal.first_xid::pg_catalog.text, seal.horizon::pg_catalog.text, seal.entry_count,
       seal.entry_ids::pg_catalog.text, seal.root, seal.system_identifier, seal.timeline, seal.note, seal.key_id,
       seal.hash, seal.signature
  FROM ops.audit_seal AS seal
 WHERE seal.id > %(since)s
   AND seal.id <= COALESCE(%(until)s, 9223372036854775807)
 ORDER BY seal.id;

-- verify_leaves --
-- Of each entry its number, its transaction, the leaf of what it says now and that of what it committed to; every
-- row as long as every other. 32 zero bytes stand for what cannot be recomputed.
COPY (
    SELECT entry.id,
           COALESCE(entry.xid, '0'::pg_catalog.xid8),
           COALESCE(pg_catalog.sha256('\x00'::pg_catalog.bytea || pg_catalog.sha256(
               -- agentdb audit entry 1
               '\x6167656e74646220617564697420656e747279203100'::pg_catalog.bytea
               || '\x00000008'::pg_catalog.bytea || pg_catalog.int8send(entry.id)
               || '\x00000008'::pg_catalog.bytea || pg_catalog.xid8send(entry.xid)
               || '\x00000008'::pg_catalog.bytea || pg_catalog.timestamptz_send(entry.created_at)
               || COALESCE(pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.convert_to(entry.entity_type, 'UTF8')))
                           || pg_catalog.convert_to(entry.entity_type, 'UTF8'), '\xffffffff'::pg_catalog.bytea)
               || COALESCE(pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.convert_to(pg_catalog.enum_out(entry.action)::pg_catalog.text, 'UTF8')))
                           || pg_catalog.convert_to(pg_catalog.enum_out(entry.action)::pg_catalog.text, 'UTF8'), '\xffffffff'::pg_catalog.bytea)
               || COALESCE(pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.convert_to(pg_catalog.enum_out(entry.actor_type)::pg_catalog.text, 'UTF8')))
                           || pg_catalog.convert_to(pg_catalog.enum_out(entry.actor_type)::pg_catalog.text, 'UTF8'), '\xffffffff'::pg_catalog.bytea)
               || COALESCE('\x00000008'::pg_catalog.bytea || pg_catalog.int8send(entry.actor_ref), '\xffffffff'::pg_catalog.bytea)
               || COALESCE('\x00000008'::pg_catalog.bytea || pg_catalog.int8send(entry.subject_ref), '\xffffffff'::pg_catalog.bytea)
               || COALESCE(pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.convert_to(pg_catalog.array_out(entry.changed_columns)::pg_catalog.text, 'UTF8')))
                           || pg_catalog.convert_to(pg_catalog.array_out(entry.changed_columns)::pg_catalog.text, 'UTF8'), '\xffffffff'::pg_catalog.bytea)
               || CASE WHEN entry.redacted IS NULL THEN
                      pg_catalog.sha256(
                          -- agentdb audit private 1
                          '\x6167656e7464622061756469742070726976617465203100'::pg_catalog.bytea || entry.salt
                          || COALESCE('\x00000008'::pg_catalog.bytea || pg_catalog.int8send(entry.entity_id), '\xffffffff'::pg_catalog.bytea)
                          || COALESCE(pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.convert_to(entry.entity_key, 'UTF8')))
                                      || pg_catalog.convert_to(entry.entity_key, 'UTF8'), '\xffffffff'::pg_catalog.bytea)
                          || COALESCE('\x00000010'::pg_catalog.bytea || pg_catalog.uuid_send(entry.request_id), '\xffffffff'::pg_catalog.bytea)
                          || COALESCE(pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.convert_to(pg_catalog.jsonb_out(entry.payload)::pg_catalog.text, 'UTF8')))
                                      || pg_catalog.convert_to(pg_catalog.jsonb_out(entry.payload)::pg_catalog.text, 'UTF8'), '\xffffffff'::pg_catalog.bytea))
                  -- A redacted entry has nothing left of what was taken from it.
                  WHEN entry.entity_id = 0 AND entry.entity_key IS NULL AND entry.request_id IS NULL
                       AND entry.payload IS NULL AND entry.salt IS NULL THEN entry.redacted
                  END)), '\x0000000000000000000000000000000000000000000000000000000000000000'::pg_catalog.bytea),
           COALESCE(pg_catalog.sha256('\x00'::pg_catalog.bytea || entry.commitment), '\x0000000000000000000000000000000000000000000000000000000000000000'::pg_catalog.bytea)
      FROM public.audit_log AS entry
     WHERE {condition}
) TO STDOUT (FORMAT binary);

-- verify_everything --
TRUE

-- verify_recent --
-- The entries of the transactions from one on and before another; the index on xid finds them.
entry.xid >= {first}::pg_catalog.xid8 AND entry.xid < {last}::pg_catalog.xid8

-- verify_uncovered --
-- Those of the entries that no seal up to one covers.
SELECT candidate.id
  FROM pg_catalog.unnest(%(candidates)s::pg_catalog.int8[]) AS candidate (id)
 WHERE NOT EXISTS (SELECT
                     FROM ops.audit_seal AS seal
                    WHERE seal.id <= %(since)s
                      AND seal.entry_ids OPERATOR(pg_catalog.@>) candidate.id);

-- verify_last_anchor --
-- The last seal whose digest was sent off.
SELECT COALESCE(pg_catalog.max(anchor.seal_id), 0) FROM ops.audit_anchor AS anchor;

-- verify_unexplained --
-- Redacted entries that no entry tells of; of the tellings that were redacted, each stands for one.
SELECT entry.id
  FROM public.audit_log AS entry
 WHERE entry.redacted IS NOT NULL
   AND NOT (entry.entity_type = 'audit_entry' AND pg_catalog.enum_out(entry.action)::pg_catalog.text = 'redact')
   AND NOT EXISTS (SELECT
                     FROM public.audit_log AS telling
                    WHERE telling.entity_id = entry.id
                      AND telling.entity_type = 'audit_entry'
                      AND pg_catalog.enum_out(telling.action)::pg_catalog.text = 'redact')
 ORDER BY entry.id;

-- verify_tellings_redacted --
-- How many tellings of a redaction were redacted, and do not say of what any more.
SELECT pg_catalog.count(*)
  FROM public.audit_log AS telling
 WHERE telling.redacted IS NOT NULL
   AND telling.entity_type = 'audit_entry'
   AND pg_catalog.enum_out(telling.action)::pg_catalog.text = 'redact';

-- verify_cutoff --
-- Before when retention may have taken entries: a partition goes once all of it is over.
SELECT pg_catalog.now() - policy.keep_for
  FROM public.retention_policies AS policy
 WHERE policy.table_name IN ('audit_log', 'public.audit_log')
   AND policy.rule = 'trail'
   AND EXISTS (SELECT
                 FROM ops.partition_archives AS entry
                WHERE entry.table_name = 'public.audit_log'
                  AND entry.detached_at IS NOT NULL);

-- export_entries --
-- The whole trail as it is, in a form that no setting changes.
COPY (
    SELECT entry.id,
           entry.xid::pg_catalog.text AS xid,
           pg_catalog.to_char(entry.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') AS created_at,
           entry.entity_type,
           pg_catalog.enum_out(entry.action)::pg_catalog.text AS action,
           pg_catalog.enum_out(entry.actor_type)::pg_catalog.text AS actor_type,
           entry.actor_ref,
           entry.subject_ref,
           pg_catalog.array_out(entry.changed_columns)::pg_catalog.text AS changed_columns,
           entry.entity_id,
           entry.entity_key,
           entry.request_id,
           pg_catalog.jsonb_out(entry.payload)::pg_catalog.text AS payload,
           pg_catalog.encode(entry.salt, 'hex') AS salt,
           pg_catalog.encode(entry.redacted, 'hex') AS redacted,
           pg_catalog.encode(entry.commitment, 'hex') AS commitment
      FROM public.audit_log AS entry
) TO STDOUT (FORMAT csv, HEADER true, ENCODING 'UTF8');

-- status_seals --
-- How many seals there are, and what the last one says.
SELECT seal.id, seal.epoch, seal.sealed_at, seal.horizon::pg_catalog.text, seal.key_id
  FROM ops.audit_seal AS seal
 ORDER BY seal.id DESC
 LIMIT 1;

-- status_waiting --
-- How many entries wait for a seal, and for how many seconds the oldest of them.
SELECT pg_catalog.count(*),
       COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.min(entry.created_at)), 0)::pg_catalog.float8
  FROM public.audit_log AS entry
 WHERE entry.xid >= %(horizon)s::pg_catalog.xid8;

-- status_anchors --
-- The last seal that arrived at each sink, and when.
SELECT anchor.sink, pg_catalog.max(anchor.seal_id), pg_catalog.max(anchor.anchored_at)
  FROM ops.audit_anchor AS anchor
 GROUP BY anchor.sink
 ORDER BY anchor.sink;
