-- Whether a column is kept in step, and whether its table is small.

-- is_kept --
-- Whether a trigger keeps a column at what it is made of, and no row may be without a value.
SELECT part.attnotnull
       AND EXISTS (
           SELECT
             FROM pg_catalog.pg_trigger AS trigger
            WHERE trigger.tgrelid = part.attrelid
              AND pg_catalog.obj_description(trigger.tgfoid, 'pg_proc') = pg_catalog.format('Keep %%s at what it is made of', part.attname)
       )
  FROM pg_catalog.pg_attribute AS part
 WHERE part.attrelid = pg_catalog.to_regclass(%(table)s) AND part.attname = %(column)s;

-- bytes_of --
-- How large a table is; nothing where there is none.
SELECT pg_catalog.pg_relation_size(pg_catalog.to_regclass(%(table)s));

-- role --
-- The role that this session has taken; none is that of its login.
SELECT pg_catalog.current_setting('role');
