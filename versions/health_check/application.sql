-- The statements of the checks of migrations, extensions and the package's own tables.

-- mig_version_table --
-- A version table that does not say one revision.
SELECT 'table', 'public', 'alembic_version', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('rows', found.rows), NULL::text[]
  FROM (SELECT count(*) AS rows FROM public.alembic_version) AS found
 WHERE found.rows <> 1;

-- mig_revision --
-- Where the database is, unless that is where this build wants it.
SELECT 'revision', NULL, version.version_num, NULL::float8,
       CASE WHEN version.version_num = ANY (%(known)s::text[]) THEN 'warning'
            WHEN version.version_num ~ '^[0-9]{3}$' AND version.version_num > %(head)s THEN 'info'
            ELSE 'critical' END,
       pg_catalog.jsonb_build_object(
           'head', %(head)s::text,
           'what', CASE WHEN version.version_num = ANY (%(known)s::text[]) THEN 'behind'
                        WHEN version.version_num ~ '^[0-9]{3}$' AND version.version_num > %(head)s THEN 'ahead of'
                        ELSE 'at a revision unknown to' END),
       NULL::text[]
  FROM public.alembic_version AS version
 WHERE version.version_num <> %(head)s;

-- mig_unfinished --
-- The last attempt in the journal, if it says that a migration broke, or not how it ended and nobody is at it.
SELECT 'revision', NULL, coalesce(entry.revision, 'none'), NULL::float8,
       CASE entry.state WHEN 'dirty' THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('entry', entry.id, 'state', entry.state, 'direction', entry.direction),
       NULL::text[]
  FROM ops.migration_journal AS entry
 WHERE entry.id = (SELECT max(id) FROM ops.migration_journal WHERE state NOT IN ('refused', 'allowed', 'overridden'))
   AND (entry.state IN ('dirty', 'failed')
        OR entry.state = 'started'
           AND entry.at < pg_catalog.clock_timestamp() - %(after_s)s * INTERVAL '1 second'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS held
                            -- The lock of the migrations, and no other: its key is a bigint, kept in two halves.
                            WHERE held.locktype = 'advisory' AND held.objsubid = 1 AND held.granted
                              AND (held.classid::bigint << 32 | held.objid::bigint) = (
                                  'x' || pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(
                                      'spotify_ai_agent_migrations:alembic_version'::bytea), 1, 8), 'hex'))::bit(64)::bigint
                              AND held.database = (SELECT oid FROM pg_catalog.pg_database
                                                    WHERE datname = pg_catalog.current_database())));

-- mig_journal_broken --
-- Entries of the journal that do not follow on the one before.
WITH linked AS (
    SELECT entry.id, entry.previous_hash, lag(entry.hash) OVER (ORDER BY entry.id) AS before,
           lag(entry.id, 1, 0::bigint) OVER (ORDER BY entry.id) AS previous_id
      FROM ops.migration_journal AS entry
)
SELECT 'entry', NULL, id::text, NULL::float8, 'critical', pg_catalog.jsonb_build_object('entry', id), NULL::text[]
  FROM linked
 WHERE id <> previous_id + 1 OR before IS NOT NULL AND previous_hash <> before;

-- mig_journal_end --
-- An end of the journal that is not where it says that it ends.
SELECT 'table', 'ops', 'migration_journal', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('entries', found.entries, 'said', state.entries), NULL::text[]
  FROM ops.migration_state AS state
 CROSS JOIN (SELECT count(*) AS entries FROM ops.migration_journal) AS found
 WHERE state.entries <> found.entries
    OR state.entries > 0
       AND NOT EXISTS (SELECT FROM ops.migration_journal AS entry
                        WHERE entry.id = state.entries AND entry.hash = state.head);

-- mig_leftovers --
-- Tables that a migration makes for a while only.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'warning', '{}'::jsonb,
       ARRAY[[pg_catalog.format('DROP TABLE %%I.%%I', namespace.nspname, class.relname), 'ACCESS EXCLUSIVE']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'p') AND pg_catalog.starts_with(class.relname, '_alembic_tmp_');

-- ext_outdated --
-- Extensions of which a newer version is installed on the server.
SELECT 'extension', NULL, name, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('installed', installed_version, 'available', default_version),
       ARRAY[[pg_catalog.format('ALTER EXTENSION %%I UPDATE', name), 'ACCESS EXCLUSIVE on what it changes']]
  FROM pg_catalog.pg_available_extensions
 WHERE installed_version IS NOT NULL AND installed_version <> default_version;

-- ext_missing --
-- Extensions whose files are not on the server any more.
SELECT 'extension', NULL, extension.extname, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('version', extension.extversion), NULL::text[]
  FROM pg_catalog.pg_extension AS extension
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions AS there WHERE there.name = extension.extname);

-- app_import_unfinished --
-- Imports that began and did not end, and for how long.
SELECT 'import', NULL, job.id::text,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - job.started_at) / 3600, NULL,
       pg_catalog.jsonb_build_object(
           'table', job.table_name, 'loaded', job.loaded_count,
           'hours', (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - job.started_at) / 3600)::bigint),
       NULL::text[]
  FROM ops.import_job AS job
 WHERE job.finished_at IS NULL
   -- One that a later one has finished is history.
   AND NOT EXISTS (SELECT FROM ops.import_job AS later
                    WHERE later.fingerprint = job.fingerprint AND later.id > job.id
                      AND later.finished_at IS NOT NULL);

-- app_import_rejects --
-- Rows that an import could not load and that wait for somebody.
SELECT 'import', NULL, job.id::text, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('table', job.table_name, 'rejected', waiting.rejected),
       NULL::text[]
  FROM (SELECT reject.job_id, count(*) AS rejected FROM ops.import_reject AS reject GROUP BY reject.job_id) AS waiting
  JOIN ops.import_job AS job ON job.id = waiting.job_id;
