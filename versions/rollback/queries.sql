-- The statements of rollback.

-- touched_rows --
-- How many rows of each table this transaction has added, deleted and changed so far.
SELECT touched.relid::bigint,
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
           AND class.relispartition),
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

-- is_child --
-- Whether a table is a part of another or inherits from it: a statement on that one fires no statement trigger here.
SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE link.inhrelid = %(table)s::pg_catalog.regclass);

-- has_own_rows --
-- Whether rows of a table lie in itself, and those of tables that inherit from it are not its own.
SELECT class.relkind = 'r'
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(table)s::pg_catalog.regclass;

-- has_default --
-- Whether a column that is made anew has a value for rows that had none.
SELECT EXISTS (SELECT
                 FROM pg_catalog.pg_attrdef AS preset
                 JOIN pg_catalog.pg_attribute AS attribute
                   ON attribute.attrelid = preset.adrelid AND attribute.attnum = preset.adnum
                WHERE preset.adrelid = %(table)s::pg_catalog.regclass
                  AND attribute.attname = %(column)s
                  AND NOT attribute.attisdropped);

-- name_now --
-- What a table is called now, by its number.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.oid = %(oid)s::oid;

-- has_table --
-- Whether a schema has a table of that name.
SELECT EXISTS (SELECT
                 FROM pg_catalog.pg_class AS class
                 JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
                WHERE namespace.nspname = %(schema)s
                  AND class.relname = %(name)s);

-- may_create --
-- Whether this login may make schemas.
SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE');

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
           attribute.attcollation,
           attribute.atttypid AS own,
           attribute.atttypid AS type,
           attribute.atttypmod AS modifier
      FROM pg_catalog.pg_attribute AS attribute
     WHERE attribute.attrelid = %(table)s::pg_catalog.regclass
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
    UNION ALL
    SELECT base.attnum, base.attname, base.attgenerated, base.attidentity, base.attcollation, base.own, domain.typbasetype, domain.typtypmod
      FROM base
      JOIN pg_catalog.pg_type AS domain ON domain.oid = base.type AND domain.typtype = 'd'
)
SELECT base.attname,
       CASE
           WHEN kind.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace THEN 'text'
           ELSE pg_catalog.format_type(base.type, base.modifier)
       END || CASE WHEN sorting.oid IS NOT NULL THEN ' COLLATE pg_catalog."default"' ELSE '' END,
       base.attgenerated <> '',
       base.own <> base.type,
       kind.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace OR sorting.oid IS NOT NULL,
       base.attidentity = 'a'
  FROM base
  LEFT JOIN pg_catalog.pg_collation AS sorting
    ON sorting.oid = base.attcollation AND sorting.collnamespace <> 'pg_catalog'::pg_catalog.regnamespace
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

-- is_bound --
-- Whether a table is partitioned, a part or an heir of another or left to one, or has generated columns, whose
-- expressions cannot be taken off: it cannot be moved by itself.
SELECT class.relkind = 'p'
       OR EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE class.oid IN (link.inhrelid, link.inhparent))
       OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS attribute
                   WHERE attribute.attrelid = class.oid AND attribute.attgenerated <> '')
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(table)s::pg_catalog.regclass;

-- named_alike --
-- The indexes and sequences that are moved with a table, as the statements that rename them: two of one name, of two
-- schemas, may meet.
SELECT pg_catalog.format('ALTER %%s %%s RENAME TO %%I', there.what, there.oid::pg_catalog.regclass,
                         %(kept_as)s || '_' || pg_catalog.row_number() OVER (ORDER BY there.oid))
  FROM (SELECT index.indexrelid AS oid, 'INDEX' AS what
          FROM pg_catalog.pg_index AS index
         WHERE index.indrelid = %(table)s::pg_catalog.regclass
        UNION ALL
        SELECT owned.objid, 'SEQUENCE'
          FROM pg_catalog.pg_depend AS owned
          JOIN pg_catalog.pg_class AS class ON class.oid = owned.objid AND class.relkind = 'S'
         WHERE owned.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND owned.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND owned.refobjid = %(table)s::pg_catalog.regclass
           AND owned.deptype IN ('a', 'i')) AS there;

-- sequences --
-- Every sequence outside of the system's schemas, and the last number it gave.
SELECT pg_catalog.format('%I.%I', sequence.schemaname, sequence.sequencename),
       sequence.last_value
  FROM pg_catalog.pg_sequences AS sequence
 WHERE sequence.last_value IS NOT NULL
   AND sequence.schemaname !~ '^(pg_|rollback_[0-9a-f]{12}$)';

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

-- last_reason --
-- The reason of the last thing that was done, if that is a step of a rollback: it holds the digests that were accepted.
SELECT CASE WHEN entry.direction = 'downgrade' THEN entry.reason END
  FROM ops.migration_journal AS entry
 WHERE entry.state = 'applied'
 ORDER BY entry.id DESC
 LIMIT 1;

-- create_quarantine --
-- What a rollback keeps, and what it is; nobody but whoever rolls back may look.
CREATE TABLE {schema}.contents (
    id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT contents_pkey PRIMARY KEY,
    revision   text NOT NULL,
    kind       text NOT NULL CONSTRAINT contents_kind_check CHECK (kind IN ('table', 'column', 'rewritten', 'deleted', 'updated', 'sequence', 'replaced')),
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

-- has_schema --
-- Whether a schema is there.
SELECT pg_catalog.to_regnamespace(%(schema)s) IS NOT NULL;

-- grants_on_schema --
-- Those who may use a schema beside its owner, by what is preset for new ones.
SELECT CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END
  FROM pg_catalog.pg_namespace AS namespace
 CROSS JOIN LATERAL pg_catalog.aclexplode(namespace.nspacl) AS given
 WHERE namespace.nspname = %(schema)s
   AND given.grantee <> namespace.nspowner;

-- quarantines --
-- The schemas that keep what rollbacks destroyed, whom each belongs to, and whether this login may look inside. One of
-- somebody who could not have rolled back is none: to read it could execute what that somebody wrote.
SELECT namespace.nspname,
       owner.rolname,
       pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
  FROM pg_catalog.pg_namespace AS namespace
  JOIN pg_catalog.pg_class AS contents
    ON contents.relnamespace = namespace.oid AND contents.relname = 'contents' AND contents.relkind = 'r'
  JOIN pg_catalog.pg_roles AS owner ON owner.oid = namespace.nspowner
 WHERE namespace.nspname ~ '^rollback_[0-9a-f]{12}$'
   AND contents.relowner = namespace.nspowner
   AND (owner.rolsuper
        OR owner.rolname = current_user
        OR owner.oid = (SELECT there.datdba FROM pg_catalog.pg_database AS there
                         WHERE there.datname = pg_catalog.current_database())
        OR EXISTS (SELECT FROM pg_catalog.pg_roles AS ours
                    WHERE ours.rolname = 'agent_owner' AND pg_catalog.pg_has_role(owner.oid, ours.oid, 'MEMBER')))
 ORDER BY namespace.nspname;

-- checksum --
-- The number of rows of a table and a hash of them in any order.
SELECT pg_catalog.count(*),
       coalesce(sum(pg_catalog.hashtextextended(ROW(kept.*)::text, 0)::numeric), 0)::text
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
-- Which tables refer to which others: both, the constraint, and whether it is deferrable and deferred.
SELECT linked.conrelid::pg_catalog.regclass::text,
       linked.confrelid::pg_catalog.regclass::text,
       linked.conname,
       linked.condeferrable,
       linked.condeferred
  FROM pg_catalog.pg_constraint AS linked
 WHERE linked.contype = 'f'
   AND linked.conparentid = 0
   AND linked.conrelid <> linked.confrelid;

-- user_triggers --
-- The triggers of a table that would fire, and whether they always do; a part has those of the whole as its own. Those
-- that keep a column at what others make of it are left out: a row without its value could not be.
SELECT own.tgname,
       own.tgenabled = 'A'
  FROM pg_catalog.pg_trigger AS own
  JOIN pg_catalog.pg_class AS class ON class.oid = own.tgrelid
 WHERE own.tgrelid = %(table)s::pg_catalog.regclass
   AND NOT own.tgisinternal
   AND own.tgenabled IN ('O', 'A')
   AND (own.tgparentid = 0 OR class.relispartition)
   AND NOT (own.tgenabled = 'A'
            AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS made
                         WHERE made.attrelid = own.tgrelid
                           AND pg_catalog.obj_description(own.tgfoid, 'pg_proc')
                               = pg_catalog.format('Keep %%s at what it is made of', made.attname)));

-- made_columns --
-- The columns of a table that a trigger keeps at what others make of them.
SELECT made.attname
  FROM pg_catalog.pg_attribute AS made
 WHERE made.attrelid = %(table)s::pg_catalog.regclass
   AND EXISTS (SELECT FROM pg_catalog.pg_trigger AS own
                WHERE own.tgrelid = made.attrelid
                  AND own.tgenabled = 'A'
                  AND pg_catalog.obj_description(own.tgfoid, 'pg_proc')
                      = pg_catalog.format('Keep %%s at what it is made of', made.attname));

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
SELECT pg_catalog.setval(own.seqrelid::pg_catalog.regclass,
                         CASE WHEN own.seqincrement > 0
                              THEN greatest(%(last)s, pg_catalog.pg_sequence_last_value(own.seqrelid))
                              ELSE least(%(last)s, pg_catalog.pg_sequence_last_value(own.seqrelid))
                         END)
  FROM pg_catalog.pg_sequence AS own
 WHERE own.seqrelid = %(name)s::pg_catalog.regclass;

-- kept_rows --
-- How many rows and values a quarantine holds.
SELECT coalesce(sum(item.rows), 0)::bigint
  FROM {schema}.contents AS item
 WHERE item.kept_as IS NOT NULL;

-- ledger --
-- Write down that a rollback was done.
INSERT INTO ops.rollbacks (run, started_from, target, digest, rows_at_risk, rows_kept)
VALUES (%(run)s, %(started_from)s, %(target)s, %(digest)s, %(rows_at_risk)s, %(rows_kept)s);
