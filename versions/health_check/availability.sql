-- The statements of the checks of whether a server can be had at all, and is the one that is meant.

-- avail_refused_kind --
-- Whoever can ask this was let in; who is not is told why before any statement.
SELECT 'server', NULL, '', NULL::float8, NULL, '{}'::jsonb, NULL::text[] WHERE false;

-- avail_hang --
-- Whoever is told this was answered.
SELECT 'server', NULL, '', NULL::float8, NULL, '{}'::jsonb, NULL::text[] WHERE false;

-- avail_role_expected --
-- A server that is not what the role of its setting says, where it says one.
SELECT 'server', NULL, 'role', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('is', found.role, 'expected', %(role)s::text), NULL::text[]
  FROM (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'standby' ELSE 'primary' END AS role) AS found
 WHERE %(role)s <> '' AND found.role <> %(role)s;
