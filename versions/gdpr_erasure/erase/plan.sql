-- What an erasure is planned with. Nothing here writes, but for what says so.

-- live_columns --
-- The columns of some tables: their type, what it allows, and who fills them.
SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(relation.relname),
       attribute.attname::text,
       pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
       pg_catalog.format_type(base.oid, NULL),
       base.typcategory::text,
       attribute.attnotnull OR type.typnotnull,
       EXISTS (SELECT
                 FROM pg_catalog.pg_index AS index
                WHERE index.indrelid = relation.oid
                  AND index.indisunique
                  AND index.indnkeyatts = 1
                  AND index.indkey[0] = attribute.attnum
                  AND index.indpred IS NULL),
       attribute.attgenerated <> '' OR attribute.attidentity = 'a',
       NULLIF(GREATEST(attribute.atttypmod, type.typtypmod), -1) - 4,
       (SELECT pg_catalog.format_type(element.oid, NULL)
          FROM pg_catalog.pg_type AS element
         WHERE element.oid = base.typelem
           AND base.typcategory = 'A'),
       ARRAY(SELECT source.attname::text
               FROM pg_catalog.pg_attrdef AS made
               JOIN pg_catalog.pg_depend AS link
                 ON link.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
                AND link.objid = made.oid
                AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND link.refobjid = made.adrelid
               JOIN pg_catalog.pg_attribute AS source
                 ON source.attrelid = link.refobjid
                AND source.attnum = link.refobjsubid
              WHERE attribute.attgenerated <> ''
                AND made.adrelid = attribute.attrelid
                AND made.adnum = attribute.attnum
                AND link.refobjsubid <> attribute.attnum
              ORDER BY source.attnum)
  FROM (SELECT pg_catalog.to_regclass(given.name)::oid AS oid
          FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
        OFFSET 0) AS named
  JOIN pg_catalog.pg_class AS relation ON relation.oid = named.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = relation.oid
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
  JOIN pg_catalog.pg_type AS base ON base.oid = coalesce(NULLIF(type.typbasetype, 0), type.oid)
 ORDER BY 1, attribute.attnum;

-- unclassified --
-- The columns of every table there is that the catalogue has no entry of.
SELECT stored.name, attribute.attname::text
  FROM (SELECT relation.oid, pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(relation.relname) AS name
          FROM pg_catalog.pg_class AS relation
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
         WHERE relation.relkind IN ('r', 'p', 'f', 'm')
           AND NOT relation.relispartition
           AND relation.relpersistence <> 't'
           AND namespace.nspname !~ '^pg_'
           AND namespace.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT
                             FROM pg_catalog.pg_depend AS link
                            WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                              AND link.objid = relation.oid
                              AND link.deptype = 'e')
        OFFSET 0) AS stored
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = stored.oid
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
 WHERE NOT EXISTS (SELECT
                     FROM ops.personal_data AS entry
                    WHERE entry.table_name = stored.name
                      AND entry.column_name = attribute.attname)
 ORDER BY stored.name, attribute.attnum;

-- delete_batch --
-- Some rows of a person deleted, in the order of the key.
WITH batch AS MATERIALIZED (
    SELECT {listed}
      FROM (SELECT {listed} FROM {source} WHERE {rows} AND {after}{fence}) AS subject_row
     ORDER BY {keys}
     LIMIT {most}
),
done AS (
    DELETE FROM {source}
     USING batch AS subject_batch
     WHERE {same}
       AND {rows}
    RETURNING true
)
SELECT (SELECT pg_catalog.count(*) FROM done) + 0 * ({unlinked}),
       (SELECT pg_catalog.to_jsonb(subject_last)
          FROM (SELECT {names} FROM batch ORDER BY {order} LIMIT 1) AS subject_last
         WHERE (SELECT pg_catalog.count(*) FROM batch) >= {most});

-- delete_places --
-- Some rows of a person deleted, of a table without a key: until none is left.
WITH batch AS MATERIALIZED (
    SELECT {row}.tableoid AS part, {row}.ctid AS place{listed}
      FROM {source}
     WHERE {rows}
     LIMIT {most}
),
done AS (
    DELETE FROM {source}
     USING batch AS subject_batch
     WHERE {row}.ctid = subject_batch.place
       AND {row}.tableoid = subject_batch.part
       AND {rows}
    RETURNING true
)
SELECT (SELECT pg_catalog.count(*) FROM done) + 0 * ({unlinked}),
       (SELECT '{{}}'::jsonb WHERE EXISTS (SELECT FROM done));

-- delete_whole --
-- All rows of a person deleted.
WITH done AS (
    DELETE FROM {source}
     WHERE {rows}
    RETURNING true
)
SELECT pg_catalog.count(*), NULL::jsonb FROM done;

-- update_batch --
-- Columns of some rows of a person changed, in the order of the key.
WITH batch AS MATERIALIZED (
    SELECT {listed}
      FROM (SELECT {listed} FROM {source} WHERE {rows} AND {after}{fence}) AS subject_row
     ORDER BY {keys}
     LIMIT {most}
),
done AS (
    UPDATE {source}
       SET {changes}
      FROM batch AS subject_batch
     WHERE {same}
       AND {rows}
    RETURNING true
)
SELECT (SELECT pg_catalog.count(*) FROM done) + 0 * ({unlinked}),
       (SELECT pg_catalog.to_jsonb(subject_last)
          FROM (SELECT {names} FROM batch ORDER BY {order} LIMIT 1) AS subject_last
         WHERE (SELECT pg_catalog.count(*) FROM batch) >= {most});

-- update_places --
-- Columns of some rows of a person changed, of a table without a key: until none is left.
WITH batch AS MATERIALIZED (
    SELECT {row}.tableoid AS part, {row}.ctid AS place{listed}
      FROM {source}
     WHERE {rows}
     LIMIT {most}
),
done AS (
    UPDATE {source}
       SET {changes}
      FROM batch AS subject_batch
     WHERE {row}.ctid = subject_batch.place
       AND {row}.tableoid = subject_batch.part
       AND {rows}
    RETURNING true
)
SELECT (SELECT pg_catalog.count(*) FROM done) + 0 * ({unlinked}),
       (SELECT '{{}}'::jsonb WHERE EXISTS (SELECT FROM done));

-- update_whole --
-- Columns of all rows of a person changed.
WITH done AS (
    UPDATE {source}
       SET {changes}
     WHERE {rows}
    RETURNING true
)
SELECT pg_catalog.count(*), NULL::jsonb FROM done;

-- left --
-- How many rows are still to be done.
SELECT pg_catalog.count(*) FROM {source} WHERE {rows}

-- holds --
-- What keeps data of a person now, that on everybody's among them.
SELECT hold.hold_id, hold.table_name, hold.column_name,
       ARRAY(SELECT named.name FROM pg_catalog.jsonb_object_keys(hold.row_key) AS named (name) ORDER BY named.name),
       hold.basis, hold.law, hold.expires_at
  FROM ops.holds_v1(pg_catalog.current_setting('agentdb.subject')::bigint, coalesce(%(at)s::timestamptz, pg_catalog.clock_timestamp())) AS hold
 ORDER BY hold.hold_id;

-- kept_rows --
-- How many rows are kept by one hold, or by a rule, and the last instant of them.
SELECT pg_catalog.count(*), {latest}::timestamptz FROM {source} WHERE {rows}

-- retention --
-- How long rows are kept, by which column.
SELECT policy.table_name, policy.rule, policy.keep_for::text, policy.time_column
  FROM public.retention_policies AS policy;

-- person --
-- Whether there is one of that number.
SELECT EXISTS (SELECT FROM {table} AS person WHERE person.{key} = pg_catalog.current_setting('agentdb.subject')::bigint);

-- rights --
-- What the role at work may not do to a table, by what is done to it, and what would refuse it.
SELECT wanted.name,
       NOT EXISTS (SELECT
                     FROM pg_catalog.jsonb_array_elements_text(wanted.asked::jsonb) AS asked (name)
                    WHERE NOT pg_catalog.has_column_privilege(wanted.name::pg_catalog.regclass, asked.name, 'SELECT')),
       pg_catalog.has_table_privilege(wanted.name::pg_catalog.regclass, wanted.action)
           OR (wanted.action = 'UPDATE'
               AND NOT EXISTS (SELECT
                                 FROM pg_catalog.jsonb_array_elements_text(wanted.columns::jsonb) AS changed (name)
                                WHERE NOT pg_catalog.has_column_privilege(wanted.name::pg_catalog.regclass, changed.name, 'UPDATE'))),
       pg_catalog.row_security_active(wanted.name::pg_catalog.regclass),
       EXISTS (SELECT
                 FROM pg_catalog.pg_trigger AS trigger
                WHERE trigger.tgrelid = wanted.name::pg_catalog.regclass
                  AND trigger.tgfoid = pg_catalog.to_regprocedure('ops.refuse_change()')
                  AND trigger.tgqual IS NULL
                  AND trigger.tgenabled <> 'D'
                  AND trigger.tgtype::integer & CASE wanted.action WHEN 'DELETE' THEN 8 ELSE 16 END <> 0),
       pg_catalog.pg_relation_is_updatable(wanted.name::pg_catalog.regclass, true)
           & CASE wanted.action WHEN 'DELETE' THEN 16 ELSE 4 END = 0
  FROM ROWS FROM (pg_catalog.unnest(%(tables)s::text[]), pg_catalog.unnest(%(actions)s::text[]),
                  pg_catalog.unnest(%(columns)s::text[]), pg_catalog.unnest(%(asked)s::text[])) AS wanted (name, action, columns, asked);

-- derived --
-- The materialised views made from some tables, each behind those that it is made from.
WITH RECURSIVE made (source, name, depth) AS (
    SELECT link.refobjid, rule.ev_class, 1
      FROM pg_catalog.pg_depend AS link
      JOIN pg_catalog.pg_rewrite AS rule ON rule.oid = link.objid
     WHERE link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND link.refobjid IN (SELECT part.relid
                               FROM pg_catalog.unnest(%(tables)s::text[]) AS wanted (name)
                              CROSS JOIN LATERAL (SELECT wanted.name::pg_catalog.regclass::oid AS relid
                                                   UNION
                                                  SELECT tree.relid::oid
                                                    FROM pg_catalog.pg_partition_tree(wanted.name::pg_catalog.regclass) AS tree) AS part)
       AND rule.ev_class <> link.refobjid
     UNION
    SELECT link.refobjid, rule.ev_class, made.depth + 1
      FROM made
      JOIN pg_catalog.pg_depend AS link
        ON link.refobjid = made.name
       AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      JOIN pg_catalog.pg_rewrite AS rule ON rule.oid = link.objid AND rule.ev_class <> made.name
     WHERE made.depth < 100
)
SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(view.relname)
  FROM made
  JOIN pg_catalog.pg_class AS view ON view.oid = made.name AND view.relkind = 'm'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = view.relnamespace
 GROUP BY namespace.nspname, view.relname
 ORDER BY pg_catalog.max(made.depth), 1;

-- forget_sought --
-- What a person is known by, out of this session.
DROP TABLE IF EXISTS pg_temp.subject_sought, pg_temp.subject_known;

-- keep_known --
-- A place for what a person is known by, in this session alone.
CREATE TEMPORARY TABLE subject_known (value text NOT NULL);

-- add_known --
-- What a person is known by, in one column of the rows that are theirs.
INSERT INTO pg_temp.subject_known (value)
SELECT DISTINCT subject_row.{column}::text
  FROM {source}
 WHERE {rows}
   AND subject_row.{column} IS NOT NULL;

-- share_known --
-- What was found by another session of the same erasure, and what this one has found for the next.
INSERT INTO pg_temp.subject_known (value)
SELECT one.value
  FROM pg_catalog.unnest(ops.known_v1(%(erasure)s::uuid, ARRAY(SELECT known.value FROM pg_temp.subject_known AS known))) AS one (value);

-- keep_sought --
-- One pattern of all of it, in the form in which compatible characters are the same: an address whatever dots and tag
-- its local part has, other words where they stand alone. What is short stands in too many texts to say anything; nor
-- does one plain word tell whom a text of somebody else means: that is what `telling` leaves out. `likes`: what a text has
-- to be LIKE to be worth the time that a regular expression takes.
CREATE TEMPORARY TABLE subject_sought AS
SELECT pg_catalog.string_agg(one.form, '|' ORDER BY pg_catalog.length(plain.value) DESC, plain.value) AS pattern,
       pg_catalog.string_agg(one.form, '|' ORDER BY pg_catalog.length(plain.value) DESC, plain.value) FILTER (WHERE one.is_telling) AS telling,
       pg_catalog.array_agg('%' || pg_catalog.regexp_replace(one.stem, '([%_\\])', '\\\1', 'g') || '%') FILTER (WHERE one.is_telling) AS likes
  FROM (SELECT DISTINCT folded.value,
               pg_catalog.regexp_replace(folded.value, '([.^$*+?()\[\]{}|\\])', '\\\1', 'g') AS escaped
          FROM pg_temp.subject_known AS known
         CROSS JOIN LATERAL (SELECT pg_catalog.btrim(pg_catalog.lower(normalize(known.value, NFKC))) AS value) AS folded
         WHERE pg_catalog.length(folded.value) >= 4) AS plain
 CROSS JOIN LATERAL (
       SELECT '(?<![\w.])'
              || (SELECT pg_catalog.string_agg(pg_catalog.regexp_replace(letter.value, '([.^$*+?()\[\]{}|\\])', '\\\1', 'g'), '\.?' ORDER BY letter.place)
                    FROM pg_catalog.string_to_table(coalesce(NULLIF(pg_catalog.replace(pg_catalog.split_part(pg_catalog.split_part(plain.value, '@', 1), '+', 1), '.', ''), ''),
                                                             pg_catalog.split_part(plain.value, '@', 1)), NULL)
                         WITH ORDINALITY AS letter (value, place))
              || '\.?(?:\+[^@\s]*)?@'
              || pg_catalog.regexp_replace(pg_catalog.split_part(plain.value, '@', 2), '([.^$*+?()\[\]{}|\\])', '\\\1', 'g')
              || '(?!\w)' AS form,
              plain.value ~ '^[^@[:space:]]+@[^@[:space:]]+$' AS is_address) AS address
 CROSS JOIN LATERAL (
       SELECT CASE WHEN address.is_address THEN address.form ELSE '(?<!\w)' || plain.escaped || '(?!\w)' END AS form,
              CASE WHEN address.is_address THEN '@' || pg_catalog.split_part(plain.value, '@', 2) ELSE plain.value END AS stem,
              address.is_address OR (pg_catalog.length(plain.value) >= 8 AND plain.value ~ '[^[:alpha:]]') AS is_telling) AS one;

-- foreign_objects --
-- Whether a column of a person names large objects that the owner of the tables may not delete.
SELECT EXISTS (SELECT
                 FROM {source}
                 JOIN pg_catalog.pg_largeobject_metadata AS stored ON stored.oid = subject_row.{column}
                WHERE {rows}
                  AND NOT pg_catalog.pg_has_role('agent_owner', stored.lomowner, 'USAGE'));

-- may_remember --
-- Whether the role at work may keep what a person is known by in tables of its session.
SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY');

-- broken_checks --
-- Which checks the rows of a person would break as they are to be left.
SELECT {broken} FROM (SELECT {values} FROM {source} WHERE {rows}) AS {alias};
