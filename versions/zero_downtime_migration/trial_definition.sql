-- The statements that read what a definition has come to on an empty copy of a table.

-- probed_index --
-- The index that was made on the copy.
SELECT class.oid::bigint
  FROM pg_catalog.pg_class AS class
 WHERE class.relnamespace = pg_catalog.pg_my_temp_schema() AND class.relname = %(name)s;

-- indexed_by --
-- The table of an index.
SELECT index.indrelid::bigint FROM pg_catalog.pg_index AS index WHERE index.indexrelid = %(index)s;

-- probed_rule --
-- The constraint that was made on the copy: its definition, its columns, its condition, its index.
SELECT pg_catalog.pg_get_constraintdef(made.oid),
       ARRAY(
           SELECT part.attname::text
             FROM pg_catalog.unnest(made.conkey) WITH ORDINALITY AS key (number, place)
             JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.conrelid AND part.attnum = key.number
            ORDER BY key.place
       ),
       pg_catalog.pg_get_expr(made.conbin, made.conrelid),
       nullif(made.conindid, 0)::bigint
  FROM pg_catalog.pg_constraint AS made
 WHERE made.conrelid = pg_catalog.to_regclass(%(table)s) AND made.conname = %(name)s;
