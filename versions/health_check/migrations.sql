-- The statements of the checks of the schema beside what the journal and this build say of it.

-- mig_multiple_heads --
-- Revisions of this build that no other one follows, where there is more than one.
SELECT 'revision', NULL, 'heads', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('heads', pg_catalog.array_to_string(%(heads)s::text[], ', ')), NULL::text[]
 WHERE pg_catalog.cardinality(%(heads)s::text[]) > 1;

-- mig_drift --
-- Where the schema that was journaled last is kept; the comparison with the one that is there is made outside.
SELECT 'journal', 'ops', 'migration_state', NULL::float8, NULL,
       pg_catalog.jsonb_build_object('how', state.fingerprint), NULL::text[]
  FROM ops.migration_state AS state;
