-- The statements about constraints.

-- constraint_facts --
-- The constraints of a table but those on NOT NULL: name, kind, definition, whether it is validated, comment.
SELECT made.conname::text, made.contype::text, pg_catalog.pg_get_constraintdef(made.oid), made.convalidated,
       pg_catalog.obj_description(made.oid, 'pg_constraint')
  FROM pg_catalog.pg_constraint AS made
 WHERE made.conrelid = %(table)s AND made.contype <> 'n'
 ORDER BY made.conname;

-- is_validated --
-- Whether a constraint is validated; that of a table that is gone has nothing to be validated.
SELECT pg_catalog.to_regclass(%(table)s) IS NULL
    OR EXISTS (
        SELECT
          FROM pg_catalog.pg_constraint AS made
         WHERE made.conrelid = pg_catalog.to_regclass(%(table)s) AND made.conname = %(name)s AND made.convalidated
    );

-- key_facts --
-- The foreign keys of a table: name, columns, the other table, its columns, and what else is said of it.
SELECT made.conname::text,
       ARRAY(
           SELECT part.attname::text
             FROM pg_catalog.unnest(made.conkey) WITH ORDINALITY AS key (number, place)
             JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.conrelid AND part.attnum = key.number
            ORDER BY key.place
       ),
       made.confrelid::bigint,
       ARRAY(
           SELECT part.attname::text
             FROM pg_catalog.unnest(made.confkey) WITH ORDINALITY AS key (number, place)
             JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.confrelid AND part.attnum = key.number
            ORDER BY key.place
       ),
       made.confdeltype::text, made.confupdtype::text, made.confmatchtype::text, made.condeferrable, made.condeferred,
       made.convalidated
  FROM pg_catalog.pg_constraint AS made
 WHERE made.conrelid = %(table)s AND made.contype = 'f';

-- leading_index --
-- An index that finds the rows of a table by columns: usable, of all rows, and they are its first keys in any order.
SELECT index.indexrelid::pg_catalog.regclass::text
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_am AS method ON method.oid = class.relam
 WHERE index.indrelid = %(table)s
   AND index.indisvalid AND index.indisready
   AND index.indpred IS NULL
   AND method.amname IN ('btree', 'hash')
   AND index.indnkeyatts >= pg_catalog.cardinality(%(columns)s::text[])
   AND (
       SELECT pg_catalog.array_agg(part.attname::text ORDER BY part.attname::text COLLATE "C")
         FROM pg_catalog.generate_series(0, pg_catalog.cardinality(%(columns)s::text[]) - 1) AS key (place)
         JOIN pg_catalog.pg_attribute AS part ON part.attrelid = index.indrelid AND part.attnum = index.indkey[key.place]
   ) = (
       SELECT pg_catalog.array_agg(wanted.name ORDER BY wanted.name COLLATE "C")
         FROM pg_catalog.unnest(%(columns)s::text[]) AS wanted (name)
   )
   AND (NOT %(exact)s OR (index.indisunique AND index.indimmediate AND index.indnkeyatts = pg_catalog.cardinality(%(columns)s::text[])))
 LIMIT 1;

-- without_key --
-- The partitions, and theirs, that hold rows and have no validated constraint of that name.
SELECT part.relid::pg_catalog.regclass::text
  FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(%(table)s)) AS part
 WHERE part.isleaf
   AND NOT EXISTS (
       SELECT
         FROM pg_catalog.pg_constraint AS made
        WHERE made.conrelid = part.relid AND made.conname = %(name)s AND made.convalidated
   )
 ORDER BY 1;
