-- What an erasure is planned with. Nothing here writes, but for what says so.

-- live_columns --
-- The columns of every table there is: their type, what it allows, and who fills them.
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
           AND base.typcategory = 'A')
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = relation.oid
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
  JOIN pg_catalog.pg_type AS base ON base.oid = coalesce(NULLIF(type.typbasetype, 0), type.oid)
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
 ORDER BY 1, attribute.attnum;

-- delete_batch --
-- Some rows of a person deleted, in the order of the key.
WITH batch AS MATERIALIZED (
    SELECT {keys}
      FROM (SELECT {keys} FROM {source} WHERE {rows} AND {after}{fence}) AS subject_row
     ORDER BY {keys}
     LIMIT %(most)s
),
done AS (
    DELETE FROM {source}
     USING batch AS subject_batch
     WHERE {same}
       AND {rows}
    RETURNING true
)
SELECT (SELECT pg_catalog.count(*) FROM done),
       (SELECT pg_catalog.to_jsonb(subject_last)
          FROM (SELECT * FROM batch ORDER BY {order} LIMIT 1) AS subject_last
         WHERE (SELECT pg_catalog.count(*) FROM batch) >= %(most)s);

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
    SELECT {keys}
      FROM (SELECT {keys} FROM {source} WHERE {rows} AND {after}{fence}) AS subject_row
     ORDER BY {keys}
     LIMIT %(most)s
),
done AS (
    UPDATE {source}
       SET {changes}
      FROM batch AS subject_batch
     WHERE {same}
       AND {rows}
    RETURNING true
)
SELECT (SELECT pg_catalog.count(*) FROM done),
       (SELECT pg_catalog.to_jsonb(subject_last)
          FROM (SELECT * FROM batch ORDER BY {order} LIMIT 1) AS subject_last
         WHERE (SELECT pg_catalog.count(*) FROM batch) >= %(most)s);

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
SELECT pg_catalog.count(*) FROM {source} WHERE {rows};
