-- The statements of bulk import and export.

-- parse_name --
-- The parts of a name written as in SQL.
SELECT pg_catalog.parse_ident(%(name)s::text);

-- find_relation --
-- The relation of a name; without a schema, the one that the search path finds.
SELECT relation.oid::bigint,
       namespace.nspname,
       relation.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, relation.relname),
       relation.relkind::text,
       namespace.nspname IN ('pg_catalog', 'information_schema', 'pg_toast'),
       pg_catalog.row_security_active(relation.oid),
       -- Bits of tgtype: for each row, before, insert.
       EXISTS (
           SELECT 1
             FROM pg_catalog.pg_trigger AS trigger
            WHERE trigger.tgrelid = relation.oid
              AND trigger.tgtype & 7 = 7
              AND trigger.tgenabled <> 'D'
       )
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.relname = %(name)s::text
   AND CASE
           WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_table_is_visible(relation.oid)
           ELSE namespace.nspname = %(schema)s::text
       END;

-- relations --
-- The relations of given kinds outside the system catalogue, by qualified name.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, relation.relname)
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.relkind::text = ANY (%(kinds)s::text[])
   AND NOT relation.relispartition
   AND namespace.nspname <> 'information_schema'
   AND namespace.nspname NOT LIKE 'pg\_%%'
 ORDER BY 1;

-- columns --
-- The columns of a relation in order, each with the sequence that numbers it, itself or by its root: one that
-- it owns, or one that the default of a number asks.
SELECT attribute.attname,
       pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
       (attribute.attnotnull OR type.typnotnull)
           AND NOT attribute.atthasdef
           AND attribute.attidentity = ''
           AND type.typdefault IS NULL,
       attribute.attgenerated <> '',
       (
           SELECT pg_catalog.format('%%I.%%I', namespace.nspname, sequence.relname)
             FROM pg_catalog.pg_attribute AS owner
             LEFT JOIN pg_catalog.pg_attrdef AS filling
               ON filling.adrelid = owner.attrelid
              AND filling.adnum = owner.attnum
              AND type.typcategory = 'N'
             JOIN pg_catalog.pg_depend AS link
               ON (
                      link.refclassid = 'pg_catalog.pg_class'::regclass
                      AND link.refobjid = owner.attrelid
                      AND link.refobjsubid = owner.attnum
                      AND link.classid = 'pg_catalog.pg_class'::regclass
                      AND link.deptype IN ('a', 'i')
                  )
               OR (
                      link.classid = 'pg_catalog.pg_attrdef'::regclass
                      AND link.objid = filling.oid
                      AND link.refclassid = 'pg_catalog.pg_class'::regclass
                      AND link.deptype = 'n'
                  )
             JOIN pg_catalog.pg_class AS sequence
               ON sequence.oid = CASE
                      WHEN link.classid = 'pg_catalog.pg_attrdef'::regclass THEN link.refobjid
                      ELSE link.objid
                  END
              AND sequence.relkind = 'S'
             JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = sequence.relnamespace
            WHERE owner.attrelid IN (attribute.attrelid, pg_catalog.pg_partition_root(attribute.attrelid))
              AND owner.attname = attribute.attname
            -- The default is what numbers a column, if it asks another sequence than the one it owns.
            ORDER BY link.classid = 'pg_catalog.pg_attrdef'::regclass DESC
            LIMIT 1
       )
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
 WHERE attribute.attrelid = %(relation)s::oid
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
 ORDER BY attribute.attnum;

-- sequence --
-- Where a sequence stands, and whether the login may step it and set it.
SELECT namespace.nspname,
       relation.relname,
       pg_catalog.has_sequence_privilege(sequence.seqrelid, 'SELECT'),
       sequence.seqincrement,
       sequence.seqmax,
       CASE
           WHEN pg_catalog.has_sequence_privilege(sequence.seqrelid, 'USAGE')
           THEN pg_catalog.pg_sequence_last_value(sequence.seqrelid)
       END,
       pg_catalog.has_sequence_privilege(sequence.seqrelid, 'USAGE'),
       pg_catalog.has_sequence_privilege(sequence.seqrelid, 'UPDATE')
  FROM pg_catalog.pg_sequence AS sequence
  JOIN pg_catalog.pg_class AS relation ON relation.oid = sequence.seqrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE sequence.seqrelid = %(name)s::regclass;

-- sequence_position --
-- The value that a sequence gave out last, or before it was ever called, the one it will give out first.
SELECT sequence.last_value,
       sequence.is_called
  FROM {sequence} AS sequence;

-- lock_sequence --
-- Let one import at a time read and move a sequence, to the end of its transaction.
SELECT pg_catalog.pg_advisory_xact_lock(%(key)s::bigint);

-- step_sequence --
-- Move a sequence on by so many values.
SELECT pg_catalog.max(pg_catalog.nextval(%(name)s::regclass))
  FROM pg_catalog.generate_series(1, %(steps)s::integer);

-- set_sequence --
-- Move a sequence to a value, the last one given out.
SELECT pg_catalog.setval(%(name)s::regclass, %(value)s::bigint);

-- constraint_columns --
-- The columns of a constraint or of a unique index, and the table that a foreign key points at.
SELECT pg_catalog.array_agg(attribute.attname::text ORDER BY key.place),
       pg_catalog.max(key.target::text)
  FROM (
           SELECT con.conrelid AS relation,
                  part.attnum,
                  part.place,
                  NULLIF(con.confrelid, 0)::regclass AS target
             FROM pg_catalog.pg_constraint AS con
            CROSS JOIN LATERAL pg_catalog.unnest(con.conkey) WITH ORDINALITY AS part (attnum, place)
            WHERE con.conname = %(constraint)s::text
            UNION ALL
           SELECT index.indrelid,
                  part.attnum,
                  part.place,
                  NULL::regclass
             FROM pg_catalog.pg_index AS index
             JOIN pg_catalog.pg_class AS named ON named.oid = index.indexrelid
            CROSS JOIN LATERAL pg_catalog.unnest(index.indkey) WITH ORDINALITY AS part (attnum, place)
            WHERE named.relname = %(constraint)s::text
              AND NOT EXISTS (
                      SELECT 1 FROM pg_catalog.pg_constraint AS con WHERE con.conindid = index.indexrelid
                  )
       ) AS key
  JOIN pg_catalog.pg_class AS relation ON relation.oid = key.relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = key.relation
   AND attribute.attnum = key.attnum
 WHERE relation.relname = %(table)s::text
   AND namespace.nspname = %(schema)s::text;

-- constraint_exists --
-- Whether a constraint or unique index has this name, on whatever table or domain.
SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS con WHERE con.conname = %(constraint)s::text)
    OR EXISTS (
           SELECT 1
             FROM pg_catalog.pg_index AS index
             JOIN pg_catalog.pg_class AS named ON named.oid = index.indexrelid
            WHERE named.relname = %(constraint)s::text
       );

-- import_session --
-- A value of the file means the same on every server, whatever its own settings. A load may last: the server
-- ends it when its client is gone.
SET LOCAL statement_timeout = 0;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL array_nulls = on;
SET LOCAL xmloption = 'content';

-- export_session --
-- What is written reads back as the same value on any server, whatever its own settings.
SET LOCAL statement_timeout = 0;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;

-- check_constraints --
-- Check now what is deferred to the commit.
SET CONSTRAINTS ALL IMMEDIATE;

-- import --
-- Load rows; takes ROW EXCLUSIVE.
COPY {table} ({columns}) FROM STDIN (ENCODING 'UTF8');

-- export --
-- Write rows; takes ACCESS SHARE. The form with SELECT also reads partitions and views.
COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8');
