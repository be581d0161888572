-- What is known of a change that is to be contracted, and of the applications that may run.

-- first_known_by --
-- The revision behind the one that the database is at, where it is at one that is a number.
SELECT pg_catalog.lpad((at.version_num::integer + 1)::text, 3, '0')
  FROM public.alembic_version AS at
 WHERE at.version_num ~ '^[0-9]{3}$'
 ORDER BY at.version_num DESC
 LIMIT 1;

-- has_versions --
-- Whether a database keeps the revision that it is at, and whether it keeps a journal of them.
SELECT pg_catalog.to_regclass('public.alembic_version') IS NOT NULL,
       pg_catalog.to_regclass('ops.migration_journal') IS NOT NULL;

-- how_far --
-- Now, when a change had its new form, and the first revision whose applications know it.
SELECT pg_catalog.clock_timestamp(),
       coalesce(
           (
               SELECT max(step.finished_at)
                 FROM ops.online_step AS step
                WHERE step.change_id = change.id AND step.phase = 'start'
           ),
           change.started_at
       ),
       change.revision
  FROM ops.online_change AS change
 WHERE change.id = %(id)s;

-- released_at --
-- When a revision was applied last, as the journal has it.
SELECT max(entry.at)
  FROM ops.migration_journal AS entry
 WHERE entry.revision = %(revision)s AND entry.direction = 'upgrade' AND entry.state = 'applied';

-- begun_in_run --
-- Whether a revision was begun, and neither was it applied since nor did it fail.
SELECT coalesce((
    SELECT entry.state = 'started'
      FROM ops.migration_journal AS entry
     WHERE entry.revision = %(revision)s AND entry.direction = 'upgrade'
     ORDER BY entry.id DESC
     LIMIT 1
), false);

-- may_run --
-- The versions of applications that are not retired.
SELECT known.application, known.version, known.revision, known.acknowledged_at
  FROM ops.application_version AS known
 WHERE known.retired_at IS NULL
 ORDER BY known.application, known.version;

-- acknowledge --
-- Write down that a version of an application runs.
SELECT public.acknowledge_version_v1(%(application)s, %(version)s, %(revision)s);

-- retire --
-- Write down that none of a version runs any more.
UPDATE ops.application_version AS known
   SET retired_at = coalesce(known.retired_at, pg_catalog.clock_timestamp()),
       retired_by = coalesce(known.retired_by, SESSION_USER)
 WHERE known.application = %(application)s AND known.version = %(version)s
RETURNING known.application;

-- allow --
-- Write down on what proof a change is contracted.
INSERT INTO ops.online_contract (change_id, proofs, missing, reason)
VALUES (%(id)s, %(proofs)s, %(missing)s, %(reason)s)
RETURNING id;

-- functions_naming --
-- The functions and procedures in a language with a text whose text may name a table; none of those that keep step.
SELECT routine.oid::pg_catalog.regprocedure::text, routine.prosrc
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_language AS language ON language.oid = routine.prolang
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = routine.pronamespace
 WHERE language.lanname NOT IN ('c', 'internal')
   AND namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema'
   AND pg_catalog.strpos(pg_catalog.lower(routine.prosrc), pg_catalog.lower(%(table)s)) > 0
   AND NOT EXISTS (
           SELECT
             FROM pg_catalog.pg_trigger AS fired
            WHERE fired.tgfoid = routine.oid AND fired.tgname LIKE 'zz\_%%'
       )
   AND NOT EXISTS (
           SELECT
             FROM pg_catalog.pg_depend AS link
            WHERE link.classid = 'pg_catalog.pg_proc'::regclass AND link.objid = routine.oid AND link.deptype = 'e'
       )
 ORDER BY 1;

-- counted_in --
-- The schema that the counts of statements are in, where they are.
SELECT pg_catalog.quote_ident(namespace.nspname)
  FROM pg_catalog.pg_extension AS extension
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = extension.extnamespace
 WHERE extension.extname = 'pg_stat_statements';

-- may_see_statements --
-- Whether this login sees the statements of others.
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE');

-- uncounted --
-- Why statements are not counted, here or for a role or a database, if it is so.
SELECT said.why
  FROM (
           SELECT 'pg_stat_statements is not in shared_preload_libraries' AS why
            WHERE pg_catalog.current_setting('pg_stat_statements.track', true) IS NULL
           UNION ALL
           SELECT pg_catalog.format('%%s is %%s', asked.name, pg_catalog.current_setting(asked.name, true))
             FROM (VALUES ('pg_stat_statements.track', 'none'), ('compute_query_id', 'off')) AS asked (name, never)
            WHERE pg_catalog.current_setting(asked.name, true) = asked.never
           UNION ALL
           SELECT pg_catalog.format('%%s for a role or a database', given.setting)
             FROM pg_catalog.pg_db_role_setting AS own
            CROSS JOIN LATERAL pg_catalog.unnest(own.setconfig) AS given (setting)
             LEFT JOIN pg_catalog.pg_database AS one ON one.oid = own.setdatabase
            WHERE (own.setdatabase = 0 OR one.datname = pg_catalog.current_database())
              AND given.setting ~* '^(pg_stat_statements[.]track=none|compute_query_id=(off|false|no|0))$'
       ) AS said
 LIMIT 1;

-- counted --
-- The statements of this database that may name a table, and how often each was executed.
SELECT counted.queryid::text, sum(counted.calls)::bigint, min(counted.query)
  FROM {schema}.pg_stat_statements AS counted
 WHERE counted.dbid = (SELECT one.oid FROM pg_catalog.pg_database AS one WHERE one.datname = pg_catalog.current_database())
   AND pg_catalog.strpos(pg_catalog.lower(counted.query), pg_catalog.lower({table})) > 0
 GROUP BY counted.queryid;

-- forgotten --
-- How often statements were forgotten for want of room, and when all were.
SELECT info.dealloc, info.stats_reset
  FROM {schema}.pg_stat_statements_info AS info;

-- reading --
-- What was known of who reads what goes, when it was looked at last.
SELECT reading.calls, reading.unread_since, reading.forgotten_count
  FROM ops.online_reading AS reading
 WHERE reading.change_id = %(id)s;

-- keep_reading --
-- Write down what is known now.
INSERT INTO ops.online_reading AS reading (change_id, calls, unread_since, forgotten_count)
VALUES (%(id)s, %(calls)s, %(unread_since)s, %(forgotten)s)
    ON CONFLICT ON CONSTRAINT online_reading_pkey DO UPDATE
   SET calls = excluded.calls, unread_since = excluded.unread_since, forgotten_count = excluded.forgotten_count
RETURNING reading.change_id;

-- now --
-- What time it is for the server.
SELECT pg_catalog.clock_timestamp();
