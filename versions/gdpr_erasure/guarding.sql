-- What guards tables against people who are erased. Nothing here writes.

-- guards --
-- The tables that have both triggers of a guard, neither of them disabled, and the columns that it looks at.
SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(class.relname),
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.pg_attribute AS attribute
              WHERE attribute.attrelid = class.oid
                AND attribute.attnum > 0
                AND NOT attribute.attisdropped
                AND pg_catalog.strpos(pg_catalog.min(routine.prosrc), 'written.' || pg_catalog.quote_ident(attribute.attname)) > 0)
  FROM pg_catalog.pg_trigger AS guard
  JOIN pg_catalog.pg_proc AS routine ON routine.oid = guard.tgfoid
  JOIN pg_catalog.pg_class AS class ON class.oid = guard.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE guard.tgname IN (class.relname || '_guard_insert', class.relname || '_guard_update')
   AND guard.tgenabled IN ('O', 'A')
   AND NOT class.relispartition
 GROUP BY class.oid, namespace.nspname, class.relname
HAVING count(*) = 2;
