-- The statements of the checks of the schema beside what the journal and this build say of it.

-- mig_multiple_heads --
-- Revisions of this build that no other one follows, where there is more than one.
SELECT 'revision', NULL, 'heads', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('heads', pg_catalog.array_to_string(%(heads)s::text[], ', ')), NULL::text[]
 WHERE pg_catalog.cardinality(%(heads)s::text[]) > 1;

-- mig_partitioning_unfinished --
-- Tables with what a conversion or a split makes at first and takes away in the end; a remark while one is at work.
SELECT 'table', found.schema, found.name, NULL::float8,
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS session
                          WHERE session.application_name = 'agentdb partitioning'
                            AND session.datname = pg_catalog.current_database()) THEN 'info' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('verb', found.verb), NULL::text[]
  FROM (SELECT namespace.nspname AS schema, class.relname AS name, 'convert' AS verb
          FROM pg_catalog.pg_constraint AS bound
          JOIN pg_catalog.pg_class AS class ON class.oid = bound.conrelid
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE bound.contype = 'c' AND class.relkind = 'r' AND bound.conname = class.relname || '_legacy_bound_check'
        UNION ALL
        SELECT namespace.nspname, pg_catalog.regexp_replace(class.relname, '_split$', ''), 'split'
          FROM pg_catalog.pg_class AS class
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE class.relkind = 'p' AND class.relname ~ '_split$'
           AND pg_catalog.obj_description(class.oid, 'pg_class') ~ '^copy by agentdb [0-9]+ [0-9]+$') AS found;

-- mig_drift --
-- Where the schema that was journaled last is kept; the comparison with the one that is there is made outside.
SELECT 'journal', 'ops', 'migration_state', NULL::float8, NULL,
       pg_catalog.jsonb_build_object('how', state.fingerprint), NULL::text[]
  FROM ops.migration_state AS state;
