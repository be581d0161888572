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
       ),
       ARRAY (
           SELECT attribute.attname::text
             FROM pg_catalog.pg_index AS index
            CROSS JOIN LATERAL pg_catalog.unnest(index.indkey::smallint[]) WITH ORDINALITY AS part (attnum, place)
             JOIN pg_catalog.pg_attribute AS attribute
               ON attribute.attrelid = index.indrelid
              AND attribute.attnum = part.attnum
            WHERE index.indrelid = relation.oid
              AND index.indisprimary
            ORDER BY part.place
       ),
       COALESCE((
           SELECT pg_catalog.sum(GREATEST(leaf.reltuples, 0))
             FROM pg_catalog.pg_partition_tree(relation.oid) AS branch
             JOIN pg_catalog.pg_class AS leaf ON leaf.oid = branch.relid AND leaf.relkind <> 'p'
       ), GREATEST(relation.reltuples, 0))::bigint,
       COALESCE((
           -- By the statistics: to ask for the size itself waits for a lock.
           SELECT pg_catalog.sum(leaf.relpages)
             FROM pg_catalog.pg_partition_tree(relation.oid) AS branch
             JOIN pg_catalog.pg_class AS leaf ON leaf.oid = branch.relid
       ), relation.relpages)::bigint * 8192,
       pg_catalog.has_table_privilege(relation.oid, 'SELECT'),
       -- A trigger for each row that is no foreign key's may wait for what another session wrote, and a key
       -- that points at the table itself does not see it.
       EXISTS (
           SELECT 1
             FROM pg_catalog.pg_trigger AS trigger
            WHERE trigger.tgrelid = relation.oid
              AND trigger.tgtype & 5 = 5
              AND trigger.tgenabled <> 'D'
              AND NOT trigger.tgisinternal
       )
       OR EXISTS (
           SELECT 1
             FROM pg_catalog.pg_constraint AS con
            WHERE con.conrelid = relation.oid
              AND (con.contype = 'x' OR con.confrelid = relation.oid)
       ),
       -- A partition may have a unique index of its own.
       EXISTS (
           SELECT 1
             FROM pg_catalog.pg_index AS index
            WHERE index.indisunique
              AND (
                      index.indrelid = relation.oid
                      OR index.indrelid IN (
                             SELECT branch.relid FROM pg_catalog.pg_partition_tree(relation.oid) AS branch
                         )
                  )
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
       ),
       attribute.attnum,
       type.typcategory::text,
       attribute.attidentity = 'a',
       -- To leave it out is to fill it with NULL, and the login may fill it.
       attribute.attgenerated = ''
           AND attribute.attidentity = ''
           AND NOT attribute.atthasdef
           AND NOT attribute.attnotnull
           AND NOT type.typnotnull
           AND type.typdefault IS NULL
           AND pg_catalog.has_column_privilege(attribute.attrelid, attribute.attnum, 'INSERT')
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
 WHERE attribute.attrelid = %(relation)s::oid
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
 ORDER BY attribute.attnum;

-- classes --
-- The class of data that the comments on columns of relations begin with; where there is none, that of the comment
-- on the same column of the nearest table that the relation is a partition of, or inherits from.
  WITH RECURSIVE line (relation, above, distance) AS (
           SELECT given.relation,
                  given.relation,
                  0
             FROM pg_catalog.unnest(%(relations)s::oid[]) AS given (relation)
            UNION
           SELECT line.relation,
                  link.inhparent,
                  line.distance + 1
             FROM line
             JOIN pg_catalog.pg_inherits AS link ON link.inhrelid = line.above
       )
SELECT DISTINCT ON (line.relation, attribute.attnum)
       line.relation::bigint,
       attribute.attnum,
       attribute.attname,
       said.class
  FROM line
  JOIN pg_catalog.pg_attribute AS above
    ON above.attrelid = line.above
   AND above.attnum > 0
  JOIN pg_catalog.pg_description AS description
    ON description.classoid = 'pg_catalog.pg_class'::regclass
   AND description.objoid = above.attrelid
   AND description.objsubid = above.attnum
 CROSS JOIN LATERAL pg_catalog.substring(
           description.description, '^(none|identifier|contact|location|behavioural|content|derived):'
       ) AS said (class)
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = line.relation
   AND attribute.attname = above.attname
 WHERE said.class IS NOT NULL
 ORDER BY line.relation, attribute.attnum, line.distance, said.class = 'none';

-- generated_from --
-- The generated columns of a table, and the columns that each is made of.
SELECT value.adnum,
       pg_catalog.array_agg(link.refobjsubid)
  FROM pg_catalog.pg_attrdef AS value
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = value.adrelid
   AND attribute.attnum = value.adnum
   AND attribute.attgenerated <> ''
  JOIN pg_catalog.pg_depend AS link
    ON link.classid = 'pg_catalog.pg_attrdef'::regclass
   AND link.objid = value.oid
   AND link.refclassid = 'pg_catalog.pg_class'::regclass
   AND link.refobjid = value.adrelid
   AND link.refobjsubid <> value.adnum
 WHERE value.adrelid = %(relation)s::oid
 GROUP BY value.adnum;

-- view --
-- What the server keeps of the query of a view, and the numbers of its columns.
SELECT rule.ev_action::text,
       ARRAY (
           SELECT attribute.attnum
             FROM pg_catalog.pg_attribute AS attribute
            WHERE attribute.attrelid = rule.ev_class
              AND attribute.attnum > 0
              AND NOT attribute.attisdropped
       )
  FROM pg_catalog.pg_rewrite AS rule
 WHERE rule.ev_class = %(relation)s::oid
   AND rule.ev_type = '1';

-- read_by_views --
-- Relations, and all that is read by those of them that are views; what a table above stands for is left out.
  WITH RECURSIVE read (relation) AS (
           SELECT pg_catalog.unnest(%(relations)s::oid[])
            UNION
           SELECT link.refobjid
             FROM read
             JOIN pg_catalog.pg_rewrite AS rule
               ON rule.ev_class = read.relation
              AND rule.ev_type = '1'
             JOIN pg_catalog.pg_depend AS link
               ON link.classid = 'pg_catalog.pg_rewrite'::regclass
              AND link.objid = rule.oid
              AND link.refclassid = 'pg_catalog.pg_class'::regclass
       )
SELECT read.relation::bigint
  FROM read
 WHERE NOT EXISTS (
           SELECT 1
             FROM pg_catalog.pg_inherits AS link
             JOIN read AS above ON above.relation = link.inhparent
            WHERE link.inhrelid = read.relation
       );

-- locked_relations --
-- The relations that a statement of this transaction has named, itself or by a view, or has read.
SELECT DISTINCT held.relation::bigint
  FROM pg_catalog.pg_locks AS held
  JOIN pg_catalog.pg_class AS relation
    ON relation.oid = held.relation
   AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
 WHERE held.locktype = 'relation'
   AND held.pid = pg_catalog.pg_backend_pid()
   AND held.database = (
           SELECT base.oid FROM pg_catalog.pg_database AS base WHERE base.datname = pg_catalog.current_database()
       );

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
-- ends it when its client is gone. A server that looks whether transactions could have run one after another would
-- refuse one of several sessions when the others are done. What has no such setting yet is passed over.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT pg_catalog.set_config('transaction_timeout', '0', true)
 WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL array_nulls = on;
SET LOCAL xmloption = 'content';

-- export_session --
-- What is written reads back as the same value on any server, whatever its own settings.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;

-- no_time_limit --
-- Let an export last; since version 17, and only behind what takes a snapshot.
SELECT pg_catalog.set_config('transaction_timeout', '0', true)
 WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL;

-- check_constraints --
-- Check now what is deferred to the commit.
SET CONSTRAINTS ALL IMMEDIATE;

-- import_text --
-- Load rows in the text format; takes ROW EXCLUSIVE.
COPY {table} ({columns}) FROM STDIN (ENCODING 'UTF8'{soft}) {only};

-- import_csv --
-- Load rows of CSV, behind a line that is no row; takes ROW EXCLUSIVE.
COPY {table} ({columns}) FROM STDIN (
    FORMAT csv, HEADER, DELIMITER {delimiter}, QUOTE {quote}, NULL {null}, ENCODING 'UTF8'{soft}
) {only};

-- import_binary --
-- Load rows in the binary format; takes ROW EXCLUSIVE.
COPY {table} ({columns}) FROM STDIN (FORMAT binary, ENCODING 'UTF8') {only};

-- soft_errors --
-- Skip a row with a value that its type refuses, and say so; since version 17.
, ON_ERROR ignore, LOG_VERBOSITY verbose

-- nowhere --
-- Read and check every value, and load none.
WHERE false

-- nothing --
-- Let the driver take in what the server said of the statement before.
SELECT;

-- input_errors --
-- Why values were refused by their types.
SELECT problem.sql_error_code
  FROM ROWS FROM (pg_catalog.unnest(%(values)s::text[]), pg_catalog.unnest(%(types)s::text[]))
       WITH ORDINALITY AS given (value, type, place)
  LEFT JOIN LATERAL pg_catalog.pg_input_error_info(given.value, given.type) AS problem ON given.value IS NOT NULL
 ORDER BY given.place;

-- savepoint --
-- Remember where a part of the load began.
SAVEPOINT part;

-- back_to_savepoint --
-- Undo the part.
ROLLBACK TO SAVEPOINT part;

-- release_savepoint --
-- Forget where it began: open savepoints pile up.
RELEASE SAVEPOINT part;

-- create_staging --
-- A table of this session alone, with the columns that a file fills, and what numbers its rows.
CREATE TEMPORARY SEQUENCE agentdb_number;
CREATE TEMPORARY TABLE agentdb_staging ON COMMIT DELETE ROWS AS
SELECT {columns} FROM {table} WITH NO DATA;

-- number_staging --
-- The number of the record in the file, to keep the last of a key and to find a row again.
ALTER TABLE pg_temp.agentdb_staging
  ADD COLUMN {record} bigint DEFAULT pg_catalog.nextval('pg_temp.agentdb_number');

-- index_staging --
-- Find a stretch of the staged rows without looking at all of them.
CREATE INDEX IF NOT EXISTS agentdb_staging_record ON pg_temp.agentdb_staging ({record});

-- nulls_alike --
-- Whether a unique index on just these columns takes one NULL for another.
SELECT COALESCE(pg_catalog.bool_or(index.indnullsnotdistinct), false)
  FROM pg_catalog.pg_index AS index
 WHERE index.indrelid = %(relation)s::oid
   AND index.indisunique
   AND index.indpred IS NULL
   AND ARRAY (
           SELECT attribute.attname::text
             FROM pg_catalog.unnest(index.indkey::smallint[]) WITH ORDINALITY AS part (attnum, place)
             JOIN pg_catalog.pg_attribute AS attribute
               ON attribute.attrelid = index.indrelid
              AND attribute.attnum = part.attnum
            WHERE part.place <= index.indnkeyatts
       ) OPERATOR(pg_catalog.@>) %(key)s::text[]
   AND index.indnkeyatts = pg_catalog.cardinality(%(key)s::text[]);

-- number_from --
-- The number of the next row that is staged.
SELECT pg_catalog.setval('pg_temp.agentdb_number', %(first)s::bigint, false);

-- analyze_staging --
-- Let the planner know how much there is.
ANALYZE pg_temp.agentdb_staging;

-- staged --
-- How many rows of a stretch of the file are staged.
SELECT pg_catalog.count(*) FROM pg_temp.agentdb_staging AS staged
 WHERE staged.{record} BETWEEN {low} AND {high};

-- apply_all --
-- Bring the staged rows into the table, in the order of the file: that in which they lie.
INSERT INTO {table} AS target ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns}
  FROM pg_temp.agentdb_staging AS staged
 WHERE staged.{record} BETWEEN {low} AND {high}
{conflict}

-- apply_last --
-- Bring the last staged row of each key into the table; a key that is NULL is like no other.
INSERT INTO {table} AS target ({columns}) OVERRIDING SYSTEM VALUE
SELECT DISTINCT ON ({key}, CASE WHEN {unknown} THEN staged.{record} END) {columns}
  FROM pg_temp.agentdb_staging AS staged
 WHERE staged.{record} BETWEEN {low} AND {high}
 ORDER BY {key}, CASE WHEN {unknown} THEN staged.{record} END, staged.{record} DESC
{conflict}

-- conflict_ignore --
-- What is there already stays as it is.
ON CONFLICT ({key}) DO NOTHING

-- conflict_update --
-- What is there already is updated, where it differs.
ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {differs}

-- any_unknown --
-- Whether a part of the key of a staged row is NULL.
SELECT EXISTS (SELECT FROM pg_temp.agentdb_staging AS staged WHERE {unknown});

-- delete_others --
-- Delete the rows whose key is not in the file.
DELETE FROM {table} AS target
 WHERE NOT EXISTS (SELECT FROM pg_temp.agentdb_staging AS staged WHERE {same});

-- create_refused --
-- A table of this session alone for what is refused.
CREATE TEMPORARY TABLE IF NOT EXISTS agentdb_refused (
    record bigint, code text, relation_schema text, relation text, rule text, column_name text, message text,
    context text
) ON COMMIT DELETE ROWS;

-- create_sieve --
-- A table of this session alone for the rows of a block of which many are refused.
CREATE TEMPORARY TABLE IF NOT EXISTS agentdb_sieve ON COMMIT DELETE ROWS AS
SELECT {columns}, 0::bigint AS {record} FROM {table} WITH NO DATA;
CREATE UNIQUE INDEX IF NOT EXISTS agentdb_sieve_record ON pg_temp.agentdb_sieve ({record});

-- load_sieve --
-- Load a stretch of the rows in order.
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {values}
  FROM pg_temp.agentdb_sieve AS staged
 WHERE staged.{record} BETWEEN {low} AND {high}
 ORDER BY staged.{record}

-- run_sieve --
-- Load stretches of the rows in order, shorter ones around those that are refused; keep which, and why, and stop
-- when they are more than may be. What is no row's fault ends it.
DO {tag}
DECLARE
    agentdb_low bigint := {first};
    agentdb_high bigint;
    agentdb_size bigint := 64;
    agentdb_last bigint := {first} - 1;
    agentdb_found bigint;
    agentdb_left bigint := {allowed};
    agentdb_taken bigint := 0;
    agentdb_told pg_temp.agentdb_refused;
BEGIN
    WHILE agentdb_low <= {most} AND agentdb_left >= 0 LOOP
        agentdb_high := LEAST(agentdb_low + agentdb_size - 1, {most});
        BEGIN
            {load};
            GET DIAGNOSTICS agentdb_found = ROW_COUNT;
            agentdb_taken := agentdb_taken + agentdb_found;
            agentdb_low := agentdb_high + 1;
            agentdb_size := agentdb_size * 2;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS
                agentdb_told.code = RETURNED_SQLSTATE,
                agentdb_told.relation_schema = SCHEMA_NAME,
                agentdb_told.relation = TABLE_NAME,
                agentdb_told.rule = CONSTRAINT_NAME,
                agentdb_told.column_name = COLUMN_NAME,
                agentdb_told.message = MESSAGE_TEXT,
                agentdb_told.context = PG_EXCEPTION_CONTEXT;
            IF agentdb_told.code ~ '^(55P03|40|57|53|58|08)' THEN
                RAISE;
            END IF;
            IF agentdb_low = agentdb_high THEN
                agentdb_told.record := agentdb_low;
                INSERT INTO pg_temp.agentdb_refused SELECT agentdb_told.*;
                agentdb_left := agentdb_left - 1;
                agentdb_size := GREATEST(1, (agentdb_low - agentdb_last) / 4);
                agentdb_last := agentdb_low;
                agentdb_low := agentdb_low + 1;
            ELSE
                agentdb_size := GREATEST(1, (agentdb_high - agentdb_low + 1) / 4);
            END IF;
        END;
    END LOOP;
    INSERT INTO pg_temp.agentdb_refused (record, message) VALUES (0, agentdb_taken::text);
END
{tag};

-- refused_by_sieve --
-- Which rows were refused, and why; record 0 says how many were not. Of the context, what was at work besides us.
SELECT refused.record,
       COALESCE(refused.code, ''),
       COALESCE(refused.relation_schema, ''),
       COALESCE(refused.relation, ''),
       NULLIF(refused.rule, ''),
       NULLIF(refused.column_name, ''),
       refused.message,
       COALESCE(
           pg_catalog.substring(
               refused.context, '^((?:.|\n)*)\n[^\n]*INSERT INTO[^\n]*OVERRIDING SYSTEM VALUE'
           ),
           ''
       )
  FROM pg_temp.agentdb_refused AS refused
 ORDER BY refused.record;

-- empty_refused --
-- Forget what was refused.
TRUNCATE pg_temp.agentdb_refused;

-- empty_sieve --
-- Forget the rows of the block.
TRUNCATE pg_temp.agentdb_sieve;

-- truncate --
-- Empty the table; takes ACCESS EXCLUSIVE to the end of the transaction.
TRUNCATE {table};

-- loose_indexes --
-- The indexes of a table that nothing else hangs on, as the server defines them.
SELECT namespace.nspname,
       named.relname,
       pg_catalog.pg_get_indexdef(named.oid),
       pg_catalog.obj_description(named.oid, 'pg_class'),
       COALESCE(space.spcname, '')
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS named ON named.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = named.relnamespace
  LEFT JOIN pg_catalog.pg_tablespace AS space ON space.oid = named.reltablespace
 WHERE index.indrelid = %(relation)s::oid
   AND index.indisvalid
   AND NOT index.indisclustered
   AND NOT index.indisreplident
   AND NOT named.relispartition
   AND (NOT index.indisunique OR %(unique)s::boolean)
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS con WHERE con.conindid = named.oid)
   AND NOT EXISTS (
           SELECT 1
             FROM pg_catalog.pg_depend AS link
            WHERE link.refclassid = 'pg_catalog.pg_class'::regclass
              AND link.refobjid = named.oid
       )
   AND NOT EXISTS (
           SELECT 1
             FROM pg_catalog.pg_attribute AS part
            WHERE part.attrelid = named.oid
              AND part.attstattarget >= 0
       )
 ORDER BY named.relname;

-- foreign_keys --
-- The foreign keys of a table, as the server defines them.
SELECT namespace.nspname,
       con.conname,
       pg_catalog.pg_get_constraintdef(con.oid),
       pg_catalog.obj_description(con.oid, 'pg_constraint')
  FROM pg_catalog.pg_constraint AS con
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = con.connamespace
 WHERE con.conrelid = %(relation)s::oid
   AND con.contype = 'f'
   AND con.conparentid = 0
   AND con.coninhcount = 0
 ORDER BY con.conname;

-- drop_index --
-- Drop an index; takes ACCESS EXCLUSIVE on its table to the end of the transaction.
DROP INDEX {index};

-- drop_constraint --
-- Drop a foreign key; takes ACCESS EXCLUSIVE on both tables to the end of the transaction.
ALTER TABLE {table} DROP CONSTRAINT {constraint};

-- set_tablespace --
-- Where an index goes that is made next.
SELECT pg_catalog.set_config('default_tablespace', %(tablespace)s::text, true);

-- add_constraint --
-- Make a foreign key, and check all rows by it.
ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition};

-- comment_on_index --
-- Say of an index what was said of it.
COMMENT ON INDEX {index} IS {comment};

-- comment_on_constraint --
-- Say of a foreign key what was said of it.
COMMENT ON CONSTRAINT {constraint} ON {table} IS {comment};

-- analyze --
-- Let the planner know of the new rows; takes SHARE UPDATE EXCLUSIVE.
ANALYZE {table};

-- analyze_only --
-- The same without the partitions of the table, since version 18.
ANALYZE ONLY {table};

-- greatest --
-- The greatest number of a column, to move its sequence past it.
SELECT pg_catalog.max({column})::numeric FROM {table};

-- greatest_of_any --
-- The same of a column that may hold fractions and what is no number.
SELECT pg_catalog.max(pg_catalog.ceil({column}::numeric))
  FROM {table}
 WHERE {column}::text NOT IN ('NaN', 'Infinity', '-Infinity');

-- lead --
-- Hold what those who follow wait for, and return the number of this transaction.
SELECT pg_catalog.pg_advisory_xact_lock(%(key)s::bigint), pg_catalog.pg_current_xact_id()::text;

-- follow --
-- Wait for the end of the transaction that leads, commit if it did, and fail otherwise. However long that takes: to
-- give up would undo a part of what the other commits. The client may be gone by then: nobody looks for it.
SET LOCAL client_connection_check_interval = 0;
SET LOCAL lock_timeout = 0;
SELECT pg_catalog.pg_advisory_xact_lock_shared(%(key)s::bigint);
SELECT 1 / (pg_catalog.pg_xact_status(%(leader)s::text::xid8) = 'committed')::integer;
COMMIT;

-- followers --
-- How many sessions wait for the one that leads.
SELECT pg_catalog.count(*)
  FROM pg_catalog.pg_locks AS held
 WHERE held.locktype = 'advisory'
   AND NOT held.granted
   AND held.pid = ANY (%(pids)s::integer[]);

-- export_csv --
-- Write rows; takes ACCESS SHARE. The form with SELECT also reads partitions and views.
COPY (SELECT {values} FROM {source} {rest}) TO STDOUT (FORMAT csv, ENCODING 'UTF8');

-- export_tsv --
-- Write rows with tabs between the fields.
COPY (SELECT {values} FROM {source} {rest}) TO STDOUT (FORMAT csv, DELIMITER E'\t', ENCODING 'UTF8');

-- export_binary --
-- Write rows in the binary format of COPY.
COPY (SELECT {values} FROM {source} {rest}) TO STDOUT (FORMAT binary, ENCODING 'UTF8');

-- export_copy --
-- Write rows in the text format of COPY.
COPY (SELECT {values} FROM {source} {rest}) TO STDOUT (ENCODING 'UTF8');

-- export_jsonl --
-- Write rows as objects, each on one line: in JSON a line end is a blank between two values. It holds no control
-- character, so that nothing is quoted.
COPY (
    SELECT pg_catalog.translate(pg_catalog.row_to_json(exported_row)::text, E'\n\r', '  ')
      FROM (SELECT {values} FROM {source} {rest}) AS exported_row
) TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01', ENCODING 'UTF8');

-- export_members --
-- The same of rows with documents: one that is NULL is left out, and so told from a document that is null.
COPY (
    SELECT pg_catalog.translate('{{' || pg_catalog.array_to_string(ARRAY[{members}], ',') || '}}', E'\n\r', '  ')
      FROM (SELECT {values} FROM {source} {rest}) AS exported_row
) TO STDOUT (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01', ENCODING 'UTF8');

-- member --
-- A value by its name.
{name} || COALESCE(pg_catalog.to_json(exported_row.{column})::text, 'null')

-- member_unless_null --
-- A document by its name, or nothing.
{name} || exported_row.{column}::text

-- masked --
-- What stands in place of a personal value.
CASE WHEN {column} IS NOT NULL THEN '***'::text END

-- no_formula --
-- A text that no spreadsheet takes for a formula.
CASE WHEN {column}::text ~ E'^[=+@\t\r\n-]' THEN '''' || {column}::text ELSE {column}::text END

-- array_as_json --
-- A list; an array that does not begin at 1 as the server writes it, for a list would lose that.
CASE WHEN pg_catalog.array_dims({column}) ~ '^(\[1:[0-9]+\])+$' OR pg_catalog.array_dims({column}) IS NULL
     THEN pg_catalog.to_json({column})
     ELSE pg_catalog.to_json({column}::text)
END

-- as_text --
-- A value as the server writes it.
{column}::text

-- one_query --
-- Let the server read a text as one query, for which it opens a cursor; for several it does not.
DO {tag}
DECLARE
    found refcursor;
BEGIN
    OPEN found FOR EXECUTE {text};
    CLOSE found;
END
{tag};

-- every_column --
-- The rows of a query.
SELECT exported.* FROM {source}

-- any_row --
-- Whether rows of it fulfil a condition.
SELECT 1 FROM {source} {rest}

-- columns_of_query --
-- The columns that a query has.
SELECT exported.* FROM {source} LIMIT 0;

-- plan_of_query --
-- How the server makes the rows of a query, and of what.
EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT exported.* FROM {source};

-- names_of_types --
-- How the types of a query are called, and their categories.
SELECT pg_catalog.format_type(type.oid, NULL),
       type.typcategory::text
  FROM pg_catalog.unnest(%(types)s::oid[]) WITH ORDINALITY AS given (oid, place)
  JOIN pg_catalog.pg_type AS type ON type.oid = given.oid
 ORDER BY given.place;

-- values_of_column --
-- The values to split an export by, as texts; one more than there may be is enough to say so.
SELECT DISTINCT {column}::text AS value FROM {source} {rest} ORDER BY value LIMIT 501;

-- of_value --
-- The rows of one of them.
{column}::text IS NOT DISTINCT FROM {value}

-- may_keep_personal --
-- Whether the login owns all of the relations or is there to see personal data.
SELECT pg_catalog.bool_and(pg_catalog.pg_has_role(relation.relowner, 'USAGE'))
    OR EXISTS (
           SELECT 1
             FROM pg_catalog.pg_roles AS role
            WHERE role.rolname = 'agent_privacy'
              AND pg_catalog.pg_has_role(role.oid, 'USAGE')
       )
  FROM pg_catalog.pg_class AS relation
 WHERE relation.oid = ANY (%(relations)s::oid[]);

-- export_snapshot --
-- Let others see what this transaction sees.
SELECT pg_catalog.pg_export_snapshot();

-- take_snapshot --
-- See what another transaction sees.
SET TRANSACTION SNAPSHOT {snapshot};

-- leaves --
-- The tables that hold the rows of a table, in order, and how many bytes each has.
SELECT namespace.nspname,
       leaf.relname,
       pg_catalog.pg_relation_size(leaf.oid)
  FROM (
           SELECT branch.relid::oid AS relid,
                  branch.place
             FROM pg_catalog.pg_partition_tree(%(relation)s::oid) WITH ORDINALITY
               AS branch (relid, parent, is_leaf, level, place)
            UNION ALL
           -- A table that is neither partitioned nor a partition; one that others inherit from is read whole.
           SELECT plain.oid,
                  0
             FROM pg_catalog.pg_class AS plain
            WHERE plain.oid = %(relation)s::oid
              AND NOT plain.relispartition
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE link.inhparent = plain.oid)
       ) AS branch
  JOIN pg_catalog.pg_class AS leaf ON leaf.oid = branch.relid AND leaf.relkind = 'r'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = leaf.relnamespace
 ORDER BY branch.place;

-- part_of_leaf --
-- The rows in some pages of a table.
(
    SELECT leaf.*
      FROM ONLY {table} AS leaf
     WHERE leaf.ctid >= {low}::tid
       AND leaf.ctid < {high}::tid
) AS part

-- may_write_ledger --
-- Whether the ledger of imports is there and may be written: by number, as a name is an error to whom its schema is closed.
WITH needed (name, privilege) AS (
    VALUES ('import_job', 'SELECT'), ('import_job', 'INSERT'), ('import_job', 'UPDATE'), ('import_job_id_seq', 'USAGE'),
           ('import_reject', 'INSERT'), ('import_reject_id_seq', 'USAGE'),
           ('import_block', 'SELECT'), ('import_block', 'INSERT')
)
SELECT count(*) = (SELECT count(*) FROM needed)
  FROM needed
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = 'ops'
  JOIN pg_catalog.pg_class AS class ON class.relnamespace = namespace.oid AND class.relname = needed.name
 WHERE pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
   AND CASE class.relkind
           WHEN 'S' THEN pg_catalog.has_sequence_privilege(class.oid, needed.privilege)
           ELSE pg_catalog.has_table_privilege(class.oid, needed.privilege)
       END;

-- find_jobs --
-- The loads of the same file or name into the table, the last one first.
SELECT job.id,
       job.finished_at IS NOT NULL,
       job.read_count,
       job.loaded_count,
       job.rejected_count,
       job.skipped_count,
       job.options_sum,
       job.file_sum,
       NOT pg_catalog.isempty(job.loaded_bytes)
  FROM ops.import_job AS job
 WHERE job.fingerprint = %(fingerprint)s::text
 ORDER BY job.id DESC;

-- begin_job --
-- Enter a load that begins.
INSERT INTO ops.import_job (fingerprint, options_sum, file_sum, table_name, source, mode, guarantee)
VALUES (
    %(fingerprint)s::text, %(options)s::text, %(file)s::text, %(table)s::text, %(source)s::text, %(mode)s::text,
    %(guarantee)s::text
)
RETURNING id;

-- add_block --
-- Enter that these bytes are loaded, if none of them was. The commit need not wait for the disk: a server that crashes forgets the rows
-- and the entry together, and the commit that ends the load waits for all of them.
SET LOCAL synchronous_commit = off;
UPDATE ops.import_job AS job
   SET loaded_bytes = job.loaded_bytes OPERATOR(pg_catalog.+) pg_catalog.int8multirange(
           pg_catalog.int8range(%(low)s::bigint, %(high)s::bigint)
       ),
       read_count = job.read_count + %(read)s::bigint,
       loaded_count = job.loaded_count + %(loaded)s::bigint,
       rejected_count = job.rejected_count + %(rejected)s::bigint,
       skipped_count = job.skipped_count + %(skipped)s::bigint
 WHERE job.id = %(job)s::bigint
   AND NOT job.loaded_bytes OPERATOR(pg_catalog.&&) pg_catalog.int8range(%(low)s::bigint, %(high)s::bigint);

-- add_block_sum --
-- Enter what a block was, to know it again.
INSERT INTO ops.import_block (job_id, first_byte, size_bytes, sha256)
VALUES (%(job)s::bigint, %(low)s::bigint, %(high)s::bigint - %(low)s::bigint, %(sha256)s::bytea);

-- is_same_table --
-- Whether a name means the table still that it meant.
SELECT pg_catalog.to_regclass(%(name)s::text)::oid IS NOT DISTINCT FROM %(relation)s::oid;

-- loaded_blocks --
-- What was loaded of a file: where each block begins, how many bytes it has, and what it was.
SELECT block.first_byte,
       block.size_bytes,
       block.sha256
  FROM ops.import_block AS block
 WHERE block.job_id = %(job)s::bigint;

-- finish_job --
-- Enter that a load is done.
UPDATE ops.import_job AS job
   SET finished_at = pg_catalog.clock_timestamp(),
       read_count = %(read)s::bigint,
       loaded_count = %(loaded)s::bigint,
       rejected_count = %(rejected)s::bigint,
       skipped_count = %(skipped)s::bigint
 WHERE job.id = %(job)s::bigint;

-- add_rejects --
-- Enter rows that were not loaded.
INSERT INTO ops.import_reject (job_id, line, byte_offset, column_name, sqlstate, reason, value)
VALUES %s;
