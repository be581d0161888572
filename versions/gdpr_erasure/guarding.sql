-- What guards tables against people who are erased. Nothing here writes.

-- guards --
-- The tables that have both triggers of a guard, and neither of them disabled.
SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(class.relname)
  FROM pg_catalog.pg_trigger AS guard
  JOIN pg_catalog.pg_class AS class ON class.oid = guard.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE guard.tgname IN (class.relname || '_guard_insert', class.relname || '_guard_update')
   AND guard.tgenabled IN ('O', 'A')
   AND NOT class.relispartition
 GROUP BY namespace.nspname, class.relname
HAVING count(*) = 2;
