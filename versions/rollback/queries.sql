-- The statements of rollback.

-- touched_rows --
-- How many rows of each table this transaction has added, deleted and changed so far.
SELECT pg_catalog.format('%I.%I', touched.schemaname, touched.relname),
       touched.n_tup_ins,
       touched.n_tup_del,
       touched.n_tup_upd
  FROM pg_catalog.pg_stat_xact_user_tables AS touched
 WHERE touched.n_tup_ins + touched.n_tup_del + touched.n_tup_upd > 0
   AND touched.schemaname !~ '^rollback_[0-9a-f]{12}$';

-- stored --
-- Where rows lie: each table, its file and its columns, by numbers that a rename leaves as they are.
SELECT class.oid::bigint,
       pg_catalog.format('%I.%I', namespace.nspname, class.relname),
       class.relfilenode::bigint,
       (SELECT link.inhparent::bigint
          FROM pg_catalog.pg_inherits AS link
         WHERE link.inhrelid = class.oid
         ORDER BY link.inhseqno
         LIMIT 1),
       (SELECT coalesce(pg_catalog.jsonb_object_agg(attribute.attnum, attribute.attname), '{}')
          FROM pg_catalog.pg_attribute AS attribute
         WHERE attribute.attrelid = class.oid
           AND attribute.attnum > 0
           AND attribute.attgenerated = ''
           AND NOT attribute.attisdropped)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'p')
   AND class.relpersistence <> 't'
   AND namespace.nspname !~ '^(pg_|information_schema$|rollback_[0-9a-f]{12}$)';

-- is_partition --
-- Whether a table is a part of another: a statement on that one fires no statement trigger of this one.
SELECT class.relispartition
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(table)s::pg_catalog.regclass;

-- table_bytes --
-- The size of a table with its indexes and partitions, in bytes.
SELECT coalesce(sum(pg_catalog.pg_total_relation_size(part.relid)), 0)::bigint
  FROM pg_catalog.pg_partition_tree(%(table)s::pg_catalog.regclass) AS part;

-- plain_table_bytes --
-- The size of a table that is not partitioned, in bytes.
SELECT pg_catalog.pg_total_relation_size(%(table)s::pg_catalog.regclass);

-- columns --
-- The columns of a table in order: name, type to keep its values in, whether they are generated, of a domain, of a
-- type that is not built in, and numbers that only the server gives.
WITH RECURSIVE base AS (
    SELECT attribute.attnum,
           attribute.attname,
           attribute.attgenerated,
           attribute.attidentity,
           attribute.atttypid AS own,
           attribute.atttypid AS type,
           attribute.atttypmod AS modifier
      FROM pg_catalog.pg_attribute AS attribute
     WHERE attribute.attrelid = %(table)s::pg_catalog.regclass
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
    UNION ALL
    SELECT base.attnum, base.attname, base.attgenerated, base.attidentity, base.own, domain.typbasetype, domain.typtypmod
      FROM base
      JOIN pg_catalog.pg_type AS domain ON domain.oid = base.type AND domain.typtype = 'd'
)
SELECT base.attname,
       CASE
           WHEN kind.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace THEN 'text'
           ELSE pg_catalog.format_type(base.type, base.modifier)
       END,
       base.attgenerated <> '',
       base.own <> base.type,
       kind.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace,
       base.attidentity = 'a'
  FROM base
  JOIN pg_catalog.pg_type AS kind ON kind.oid = base.type AND kind.typtype <> 'd'
 ORDER BY base.attnum;

-- key_columns --
-- The columns of a table's primary key, in order.
SELECT attribute.attname
  FROM pg_catalog.pg_index AS index
  JOIN LATERAL pg_catalog.unnest(index.indkey) WITH ORDINALITY AS part (attnum, place) ON true
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = index.indrelid AND attribute.attnum = part.attnum
 WHERE index.indrelid = %(table)s::pg_catalog.regclass
   AND index.indisprimary
 ORDER BY part.place;

-- unique_keys --
-- The columns of each unique index of a table beside its primary key; those over a part of the rows left out.
SELECT (SELECT pg_catalog.array_agg(attribute.attname::text ORDER BY part.place)
          FROM pg_catalog.unnest(index.indkey) WITH ORDINALITY AS part (attnum, place)
          JOIN pg_catalog.pg_attribute AS attribute
            ON attribute.attrelid = index.indrelid AND attribute.attnum = part.attnum
         WHERE part.place <= index.indnkeyatts)
  FROM pg_catalog.pg_index AS index
 WHERE index.indrelid = %(table)s::pg_catalog.regclass
   AND index.indisunique
   AND NOT index.indisprimary
   AND index.indpred IS NULL
   AND index.indexprs IS NULL;

-- attachments --
-- What hangs on a table beside its rows, as the statements that take it off: dropping it must not need them.
SELECT pg_catalog.format('DROP TRIGGER %%I ON %%s', own.tgname, own.tgrelid::pg_catalog.regclass)
  FROM pg_catalog.pg_trigger AS own
 WHERE own.tgrelid = %(table)s::pg_catalog.regclass
   AND NOT own.tgisinternal
UNION ALL
SELECT pg_catalog.format('DROP POLICY %%I ON %%s', policy.polname, policy.polrelid::pg_catalog.regclass)
  FROM pg_catalog.pg_policy AS policy
 WHERE policy.polrelid = %(table)s::pg_catalog.regclass
UNION ALL
SELECT pg_catalog.format('ALTER TABLE %%s DROP CONSTRAINT %%I', linked.conrelid::pg_catalog.regclass, linked.conname)
  FROM pg_catalog.pg_constraint AS linked
 WHERE linked.conrelid = %(table)s::pg_catalog.regclass
   AND linked.contype IN ('f', 'c', 'x')
   AND linked.conparentid = 0
UNION ALL
SELECT pg_catalog.format('DROP INDEX %%s', index.indexrelid::pg_catalog.regclass)
  FROM pg_catalog.pg_index AS index
 WHERE index.indrelid = %(table)s::pg_catalog.regclass
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked WHERE linked.conindid = index.indexrelid)
UNION ALL
SELECT pg_catalog.format('DROP STATISTICS %%I.%%I', statistics.stxnamespace::pg_catalog.regnamespace, statistics.stxname)
  FROM pg_catalog.pg_statistic_ext AS statistics
 WHERE statistics.stxrelid = %(table)s::pg_catalog.regclass
UNION ALL
SELECT pg_catalog.format('ALTER PUBLICATION %%I DROP TABLE %%s', publication.pubname, member.prrelid::pg_catalog.regclass)
  FROM pg_catalog.pg_publication_rel AS member
  JOIN pg_catalog.pg_publication AS publication ON publication.oid = member.prpubid
 WHERE member.prrelid = %(table)s::pg_catalog.regclass
UNION ALL
SELECT pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I DROP DEFAULT', preset.adrelid::pg_catalog.regclass, attribute.attname)
  FROM pg_catalog.pg_attrdef AS preset
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = preset.adrelid AND attribute.attnum = preset.adnum
 WHERE preset.adrelid = %(table)s::pg_catalog.regclass
   AND attribute.attgenerated = '';

-- is_partitioned --
-- Whether a table is partitioned, or has generated columns, whose expressions cannot be taken off.
SELECT class.relkind = 'p'
       OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS attribute
                   WHERE attribute.attrelid = class.oid AND attribute.attgenerated <> '')
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(table)s::pg_catalog.regclass;

-- sequences --
-- Every sequence outside of the system's schemas, and the last number it gave.
SELECT pg_catalog.format('%I.%I', sequence.schemaname, sequence.sequencename),
       sequence.last_value
  FROM pg_catalog.pg_sequences AS sequence
 WHERE sequence.last_value IS NOT NULL
   AND sequence.schemaname !~ '^(pg_|rollback_)';

-- last_applied --
-- The schema as it was when a revision was the last one applied, if it can be compared with what is now: by the
-- same server's words, and with no change from elsewhere accepted since.
SELECT entry.fingerprint_after
  FROM ops.migration_journal AS entry
 WHERE entry.heads_after = %(heads)s
   AND entry.state = 'applied'
   AND entry.direction <> 'accept'
   AND entry.fingerprint_after IS NOT NULL
   AND pg_catalog.substring(entry.server_version, '^[0-9]+')
       = pg_catalog.substring(pg_catalog.current_setting('server_version'), '^[0-9]+')
   AND NOT EXISTS (SELECT
                     FROM ops.migration_journal AS later
                    WHERE later.id > entry.id
                      AND later.direction = 'accept'
                      AND later.fingerprint_after IS NOT NULL)
 ORDER BY entry.id DESC
 LIMIT 1;

-- accepted_before --
-- The reasons of the last rollback steps, which hold the digests that were accepted.
SELECT entry.reason
  FROM ops.migration_journal AS entry
 WHERE entry.direction = 'downgrade'
   AND entry.state = 'applied'
   AND entry.reason LIKE 'rollback %'
 ORDER BY entry.id DESC
 LIMIT 1;

-- create_quarantine --
-- What a rollback keeps, and what it is; nobody but whoever rolls back may look.
CREATE TABLE {schema}.contents (
    id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT contents_pkey PRIMARY KEY,
    revision   text NOT NULL,
    kind       text NOT NULL CONSTRAINT contents_kind_check CHECK (kind IN ('table', 'column', 'rewritten', 'deleted', 'updated', 'sequence')),
    source     text NOT NULL,
    column_name text,
    kept_as    text,
    moved      boolean NOT NULL DEFAULT false,
    key        text[],
    rows       bigint NOT NULL,
    checksum   text,
    taken_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    keep_until timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp() + INTERVAL '30 days',
    restored_at timestamptz
);

-- has_quarantine --
-- Whether a schema is there.
SELECT pg_catalog.to_regnamespace(%(schema)s) IS NOT NULL;

-- quarantines --
-- The schemas that keep what rollbacks destroyed.
SELECT namespace.nspname
  FROM pg_catalog.pg_namespace AS namespace
 WHERE namespace.nspname ~ '^rollback_[0-9a-f]{12}$'
   AND pg_catalog.to_regclass(pg_catalog.format('%I.contents', namespace.nspname)) IS NOT NULL
 ORDER BY namespace.nspname;

-- checksum --
-- The number of rows of a table and a hash of them in any order.
SELECT pg_catalog.count(*),
       coalesce(sum(pg_catalog.hashtextextended(kept::text, 0)::numeric), 0)::text
  FROM {table} AS kept;

-- note --
-- Write down what was kept.
INSERT INTO {schema}.contents (revision, kind, source, column_name, kept_as, moved, key, rows, checksum)
VALUES (%(revision)s, %(kind)s, %(source)s, %(column)s, %(kept_as)s, %(moved)s, %(key)s, %(rows)s, %(checksum)s);

-- contents --
-- What a quarantine keeps, in the order it was taken.
SELECT item.id, item.revision, item.kind, item.source, item.column_name, item.kept_as, item.moved, item.key,
       item.rows, item.checksum, item.keep_until, item.restored_at
  FROM {schema}.contents AS item
 ORDER BY item.id;

-- keep_function --
-- Keep the rows of a statement as they were before it; whoever deletes them may not look into the quarantine.
CREATE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    names text;
    given text;
BEGIN
    -- A column that the same step dropped before was kept before.
    SELECT string_agg(format('%I', own.attname), ', '),
           string_agg(format('%I::%s', own.attname, format_type(kept.atttypid, kept.atttypmod)), ', ')
      INTO STRICT names, given
      FROM pg_attribute AS kept
      JOIN pg_attribute AS own ON own.attname = kept.attname
     WHERE kept.attrelid = {kept_name}::regclass
       AND kept.attnum > 0
       AND own.attrelid = TG_RELID
       AND own.attnum > 0;
    EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM {gone}', {kept_name}, names, given){using};
    RETURN NULL;
END
$function$;

-- references --
-- Which of some tables refer to which others of them.
SELECT linked.conrelid::pg_catalog.regclass::text,
       linked.confrelid::pg_catalog.regclass::text
  FROM pg_catalog.pg_constraint AS linked
 WHERE linked.contype = 'f'
   AND linked.conrelid <> linked.confrelid;

-- user_triggers --
-- The triggers of a table that would fire, as it is named.
SELECT own.tgname
  FROM pg_catalog.pg_trigger AS own
 WHERE own.tgrelid = %(table)s::pg_catalog.regclass
   AND NOT own.tgisinternal
   AND own.tgenabled = 'O'
   AND own.tgparentid = 0;

-- own_types --
-- The columns of a table and the types they have there.
SELECT attribute.attname,
       pg_catalog.format_type(attribute.atttypid, attribute.atttypmod)
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = %(table)s::pg_catalog.regclass
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped;

-- move_on --
-- Let a sequence go on behind what it gave out, then and since.
SELECT pg_catalog.setval(%(name)s::pg_catalog.regclass,
                         greatest(%(last)s, coalesce(pg_catalog.pg_sequence_last_value(%(name)s::pg_catalog.regclass), 0)));

-- kept_rows --
-- How many rows and values a quarantine holds.
SELECT coalesce(sum(item.rows), 0)::bigint
  FROM {schema}.contents AS item
 WHERE item.kept_as IS NOT NULL;

-- ledger --
-- Write down that a rollback was done.
INSERT INTO ops.rollbacks (run, started_from, target, digest, rows_at_risk, rows_kept)
VALUES (%(run)s, %(started_from)s, %(target)s, %(digest)s, %(rows_at_risk)s, %(rows_kept)s);
