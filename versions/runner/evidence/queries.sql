-- What a report of evidence reads besides the journal: each row has a key, a moment and a hash, and what it says.
-- Bounds are half-open. Nothing of a person of the service is read, but how many of them something is about.

-- evidence_session --
-- One snapshot for all statements, in which nothing can be written, and moments are in UTC.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL search_path = pg_catalog, pg_temp;

-- evidence_server --
-- When and where it is read, and by whom.
SELECT pg_catalog.transaction_timestamp(),
       pg_catalog.current_database()::text,
       pg_catalog.current_setting('server_version'),
       session_user::text;

-- evidence_rollback --
-- Planned rollbacks that were done in the period.
SELECT made.run AS key,
       made.done_at AS at,
       made.digest AS hash,
       made.started_from AS "from",
       made.target AS "to",
       made.rows_at_risk AS at_risk,
       made.rows_kept AS kept,
       pg_catalog.count(*) OVER () AS total
  FROM ops.rollbacks AS made
 WHERE made.done_at >= %(since)s
   AND made.done_at < %(until)s
 ORDER BY made.done_at, made.run
 LIMIT %(most)s;

-- evidence_online --
-- Changes of live tables that began in the period, and how far they have come.
SELECT change.id AS key,
       change.started_at AS at,
       change.operation,
       change.table_name AS "table",
       change.subject,
       change.state,
       change.begun_by AS by,
       change.finished_at,
       pg_catalog.count(*) OVER () AS total
  FROM ops.online_change AS change
 WHERE change.started_at >= %(since)s
   AND change.started_at < %(until)s
 ORDER BY change.id
 LIMIT %(most)s;

-- evidence_health --
-- What health checks recorded in the period, check by check; the worst first by its rank.
SELECT entry.check_id AS key,
       pg_catalog.max(entry.taken_at) AS at,
       pg_catalog.min(entry.taken_at) AS first_at,
       pg_catalog.count(DISTINCT entry.taken_at) AS times,
       (pg_catalog.array_agg(entry.state ORDER BY pg_catalog.array_position(
            ARRAY['critical', 'unknown', 'warning', 'info', 'ok', 'suppressed', 'skipped'], entry.state)))[1] AS worst,
       pg_catalog.count(*) FILTER (WHERE entry.state = 'critical') AS critical,
       pg_catalog.count(*) FILTER (WHERE entry.state = 'warning') AS warning,
       pg_catalog.count(*) OVER () AS total
  FROM ops.health_history AS entry
 WHERE entry.taken_at >= %(since)s
   AND entry.taken_at < %(until)s
   -- Behind the last @ it says which cluster, and on which timeline.
   AND pg_catalog.regexp_replace(entry.database, '@[^@]*$', '') = pg_catalog.current_database()
 GROUP BY entry.check_id
 ORDER BY entry.check_id
 LIMIT %(most)s;

-- evidence_erasures --
-- How many erasures ended in the period with a certificate, and how many that began in it have none yet.
SELECT made.state AS key,
       pg_catalog.count(*) AS erasures,
       pg_catalog.min(made.hidden_at) AS first_began_at,
       pg_catalog.max(made.certified_at) AS last_certified_at
  FROM ops.erasures AS made
 WHERE made.certified_at >= %(since)s AND made.certified_at < %(until)s
    OR made.certified_at IS NULL AND made.hidden_at >= %(since)s AND made.hidden_at < %(until)s
 GROUP BY made.state
 ORDER BY made.state;

-- evidence_erasure --
-- The certificates of the period: their numbers, grounds and hashes, and not whose they are.
SELECT made.id AS key,
       made.certified_at AS at,
       pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(made.certificate, 'UTF8')), 'hex') AS hash,
       made.reason AS ground,
       made.requested_at,
       made.erased_at,
       pg_catalog.encode(made.plan_hash, 'hex') AS plan_hash,
       pg_catalog.count(*) OVER () AS total
  FROM ops.erasures AS made
 WHERE made.certified_at >= %(since)s
   AND made.certified_at < %(until)s
 ORDER BY made.certified_at, made.id
 LIMIT %(most)s;

-- evidence_destroyed --
-- How many keys of people were destroyed in the period.
SELECT 'all' AS key,
       pg_catalog.max(gone.destroyed_at) AS at,
       pg_catalog.count(*) AS keys
  FROM ops.destroyed_keys AS gone
 WHERE gone.destroyed_at >= %(since)s
   AND gone.destroyed_at < %(until)s;

-- evidence_archive --
-- Partitions that were detached or dropped in the period.
SELECT gone.id AS key,
       gone.detached_at AS at,
       gone.sha256 AS hash,
       gone.table_name AS "table",
       gone.partition_name AS partition,
       gone.archived_at,
       gone.archived_rows,
       gone.dropped_at,
       pg_catalog.count(*) OVER () AS total
  FROM ops.partition_archives AS gone
 WHERE gone.detached_at >= %(since)s AND gone.detached_at < %(until)s
    OR gone.dropped_at >= %(since)s AND gone.dropped_at < %(until)s
 ORDER BY gone.id
 LIMIT %(most)s;

-- evidence_retention --
-- The rules of retention there are.
SELECT policy.table_name || ' ' || policy.rule AS key,
       policy.table_name AS "table",
       policy.rule,
       policy.time_column,
       policy.keep_for,
       policy.action,
       policy.legal_reference,
       pg_catalog.count(*) OVER () AS total
  FROM public.retention_policies AS policy
 ORDER BY policy.table_name, policy.rule
 LIMIT %(most)s;

-- evidence_heartbeat --
-- Jobs that are expected to run again and again, and when each last ended well.
SELECT beat.job AS key,
       beat.succeeded_at AS at,
       beat.every,
       pg_catalog.count(*) OVER () AS total
  FROM ops.job_heartbeat AS beat
 ORDER BY beat.job
 LIMIT %(most)s;

-- evidence_personal --
-- How many columns are of which class and what becomes of them; and how many are in no class.
SELECT known.class || ' ' || known.strategy AS key,
       known.class,
       known.strategy,
       pg_catalog.count(*) AS columns
  FROM ops.personal_data AS known
 GROUP BY known.class, known.strategy
 UNION ALL
SELECT 'uncatalogued', NULL, NULL, pg_catalog.count(*)
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE namespace.nspname IN ('public', 'ops')
   AND class.relkind IN ('r', 'p')
   AND NOT class.relispartition
   AND class.relname <> 'alembic_version'
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND link.objid = class.oid
                      AND link.deptype = 'e')
   AND NOT EXISTS (SELECT
                     FROM ops.personal_data AS known
                    WHERE known.table_name = pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
                      AND known.column_name = attribute.attname)
 ORDER BY 1;

-- evidence_trail --
-- How many entries of the period the audit trail has, as far as they are counted.
SELECT 'all' AS key,
       CASE WHEN pg_catalog.count(*) > %(counted)s THEN pg_catalog.format('more than %%s', %(counted)s::integer)
            ELSE pg_catalog.count(*)::text END AS entries
  FROM (SELECT
          FROM public.audit_log AS entry
         WHERE entry.created_at >= %(since)s
           AND entry.created_at < %(until)s
         LIMIT %(counted)s + 1) AS found;

-- evidence_seal --
-- The seals of the period counted, and the first and the last of them.
WITH made AS (
    SELECT seal.id,
           seal.sealed_at,
           seal.entry_count,
           seal.epoch,
           seal.key_id,
           seal.hash,
           pg_catalog.min(seal.id) OVER () AS first_id,
           pg_catalog.max(seal.id) OVER () AS last_id
      FROM ops.audit_seal AS seal
     WHERE seal.sealed_at >= %(since)s
       AND seal.sealed_at < %(until)s
)
SELECT 'all' AS key,
       NULL::timestamptz AS at,
       NULL::text AS hash,
       pg_catalog.count(*) AS seals,
       pg_catalog.sum(made.entry_count)::bigint AS entries,
       pg_catalog.max(made.id) - pg_catalog.min(made.id) + 1 - pg_catalog.count(*) AS missing,
       NULL::integer AS epoch,
       NULL::text AS signed_with
  FROM made
HAVING pg_catalog.count(*) > 0
 UNION ALL
SELECT made.id::text,
       made.sealed_at,
       pg_catalog.encode(made.hash, 'hex'),
       NULL,
       made.entry_count,
       NULL,
       made.epoch,
       made.key_id
  FROM made
 WHERE made.id IN (made.first_id, made.last_id)
 ORDER BY at NULLS FIRST;

-- evidence_anchor --
-- Where seals of the period were sent to, and how many of them arrived.
SELECT told.sink AS key,
       pg_catalog.max(told.anchored_at) AS at,
       pg_catalog.count(*) AS seals,
       pg_catalog.min(told.seal_id) AS first_seal,
       pg_catalog.max(told.seal_id) AS last_seal,
       pg_catalog.count(*) OVER () AS total
  FROM ops.audit_anchor AS told
 WHERE told.anchored_at >= %(since)s
   AND told.anchored_at < %(until)s
 GROUP BY told.sink
 ORDER BY told.sink
 LIMIT %(most)s;

-- evidence_role --
-- The group roles of this package, who belongs to one however far below, and who stands above every grant.
WITH RECURSIVE grouped AS (
    SELECT role.oid,
           role.rolname
      FROM pg_catalog.pg_roles AS role
     WHERE role.rolname LIKE 'agent\_%%'
       AND NOT role.rolcanlogin
), inside AS (
    SELECT grouped.oid FROM grouped
     UNION
    SELECT link.member
      FROM pg_catalog.pg_auth_members AS link
      JOIN inside ON inside.oid = link.roleid
), everywhere AS (
    -- What PostgreSQL itself lets these do, no grant on a table says.
    SELECT role.oid,
           role.rolname AS by_role
      FROM pg_catalog.pg_roles AS role
     WHERE role.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_maintain', 'pg_read_server_files',
                            'pg_write_server_files', 'pg_execute_server_program')
     UNION
    SELECT link.member,
           everywhere.by_role
      FROM pg_catalog.pg_auth_members AS link
      JOIN everywhere ON everywhere.oid = link.roleid
)
SELECT role.rolname AS key,
       CASE WHEN role.oid IN (SELECT grouped.oid FROM grouped) THEN 'yes' ELSE 'no' END AS "group",
       CASE WHEN role.oid IN (SELECT inside.oid FROM inside) THEN 'yes' ELSE 'no' END AS of_package,
       CASE WHEN role.rolcanlogin THEN 'yes' ELSE 'no' END AS login,
       CASE WHEN role.rolsuper THEN 'yes' ELSE 'no' END AS superuser,
       CASE WHEN role.rolbypassrls THEN 'yes' ELSE 'no' END AS bypasses_row_security,
       CASE WHEN role.rolcreaterole THEN 'yes' ELSE 'no' END AS creates_roles,
       (SELECT pg_catalog.string_agg(over.rolname, ', ' ORDER BY over.rolname)
          FROM pg_catalog.pg_auth_members AS link
          JOIN pg_catalog.pg_roles AS over ON over.oid = link.roleid
         WHERE link.member = role.oid) AS member_of,
       (SELECT pg_catalog.string_agg(everywhere.by_role, ', ' ORDER BY everywhere.by_role)
          FROM everywhere
         WHERE everywhere.oid = role.oid
           AND everywhere.by_role <> role.rolname) AS everywhere_by,
       pg_catalog.count(*) OVER () AS total
  FROM pg_catalog.pg_roles AS role
 WHERE role.oid IN (SELECT inside.oid FROM inside)
    OR role.oid IN (SELECT everywhere.oid FROM everywhere WHERE everywhere.by_role <> role.rolname)
    OR role.rolsuper
    OR role.rolbypassrls
 ORDER BY "group" DESC, role.rolname
 LIMIT %(most)s;

-- evidence_grant --
-- What each role but the owner may do with tables, views and their columns; of partitions, what their parents do not say.
WITH relation AS (
    SELECT class.oid,
           class.relowner,
           class.relacl,
           pg_catalog.format('%%s.%%s', namespace.nspname, class.relname) AS name,
           (SELECT link.inhparent
              FROM pg_catalog.pg_inherits AS link
             WHERE link.inhrelid = class.oid
               AND class.relispartition) AS parent
      FROM pg_catalog.pg_class AS class
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE namespace.nspname IN ('public', 'ops')
       AND class.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend AS link
                        WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND link.objid = class.oid
                          AND link.deptype = 'e')
), given AS (
    SELECT found.grantee,
           found.privilege_type,
           found.is_grantable,
           '' AS part,
           relation.name
      FROM relation
     CROSS JOIN LATERAL pg_catalog.aclexplode(relation.relacl) AS found
     WHERE found.grantee <> relation.relowner
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_class AS parent
                        CROSS JOIN LATERAL pg_catalog.aclexplode(parent.relacl) AS same
                        WHERE parent.oid = relation.parent
                          AND same.grantee = found.grantee
                          AND same.privilege_type = found.privilege_type
                          AND same.is_grantable >= found.is_grantable)
     UNION ALL
    SELECT found.grantee,
           found.privilege_type,
           found.is_grantable,
           ' of columns',
           pg_catalog.format('%%s.%%s', relation.name, attribute.attname)
      FROM relation
      JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid
     CROSS JOIN LATERAL pg_catalog.aclexplode(attribute.attacl) AS found
     WHERE NOT attribute.attisdropped
       AND found.grantee <> relation.relowner
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_attribute AS parent
                        CROSS JOIN LATERAL pg_catalog.aclexplode(parent.attacl) AS same
                        WHERE parent.attrelid = relation.parent
                          AND parent.attname = attribute.attname
                          AND same.grantee = found.grantee
                          AND same.privilege_type = found.privilege_type
                          AND same.is_grantable >= found.is_grantable)
), said AS (
    SELECT CASE WHEN given.grantee = 0 THEN 'PUBLIC'
                ELSE coalesce(role.rolname, given.grantee::text) END AS role,
           given.privilege_type || given.part
               || CASE WHEN given.is_grantable THEN ', to be passed on' ELSE '' END AS privilege,
           given.name
      FROM given
      LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = given.grantee
)
SELECT said.role || ' ' || said.privilege AS key,
       said.role,
       said.privilege,
       pg_catalog.count(*) AS things,
       pg_catalog.string_agg(said.name, ', ' ORDER BY said.name) AS names,
       pg_catalog.count(*) OVER () AS total
  FROM said
 GROUP BY said.role, said.privilege
 ORDER BY 1
 LIMIT %(most)s;

-- evidence_row_security --
-- On how many tables row security is on.
SELECT 'all' AS key,
       pg_catalog.count(*) AS tables,
       pg_catalog.count(*) FILTER (WHERE class.relrowsecurity) AS secured,
       pg_catalog.count(*) FILTER (WHERE class.relforcerowsecurity) AS of_their_owner_too
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE namespace.nspname IN ('public', 'ops')
   AND class.relkind IN ('r', 'p')
   AND NOT class.relispartition;
