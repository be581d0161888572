-- What an orchestrator asks before it sends anybody.

-- ready --
-- Whether this server replays what another one writes, has a version table, and lets the login read it.
SELECT pg_catalog.pg_is_in_recovery(), found.oid IS NOT NULL,
       coalesce(pg_catalog.has_table_privilege(found.oid, 'SELECT')
                AND pg_catalog.has_schema_privilege('public', 'USAGE'), false)
  FROM (SELECT pg_catalog.to_regclass('public.alembic_version') AS oid) AS found;

-- ready_revisions --
-- The revisions that the database is at.
SELECT version.version_num FROM public.alembic_version AS version;
