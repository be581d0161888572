-- Rules of retention, and what they keep no longer.

-- retention_rules --
-- Each rule, those of tables that refer to others in front of them where one key away.
SELECT policy.table_name, policy.rule, policy.action
  FROM public.retention_policies AS policy
 ORDER BY policy.table_name, policy.rule;

-- retain_after --
-- Behind which row the session goes on: a key may be somebody's number, and the next statement shows none.
SELECT pg_catalog.set_config('agentdb.after', %(after)s, false);

-- retain --
-- How many rows went, are held, are referred to, and the key of the last; of one batch, or of all that are only counted.
SELECT batch.gone, batch.held, batch.needed, batch.last_key::text
  FROM ops.retain_v1(%(table)s, %(rule)s, %(most)s, nullif(pg_catalog.current_setting('agentdb.after'), '')::pg_catalog.jsonb, %(only_count)s) AS batch;
