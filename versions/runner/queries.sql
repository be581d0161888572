-- The statements of the runner.

-- has_version_table --
-- Whether Alembic's own table is there.
SELECT pg_catalog.to_regclass('public.alembic_version') IS NOT NULL;

-- applied_revisions --
-- The revisions the database is at; more than one means a branched history.
SELECT version_num
  FROM public.alembic_version
 ORDER BY version_num;

-- offline_settings --
-- What the runner asks of its own sessions, for a script that somebody else runs.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET search_path = public;
SET lock_timeout = :lock_timeout_ms;
SET statement_timeout = :statement_timeout_ms;
SET idle_in_transaction_session_timeout = 300000;
SET row_security = off;
SET app.actor_type = 'migration'

-- offline_start --
-- Refuse a database that is not where the script starts. Alembic creates its table in the first step, so an
-- empty one, left by a downgrade to base, makes room for it.
DO $guard$
DECLARE
    found text[] := '{}';
BEGIN
    IF pg_catalog.current_setting('server_version_num')::integer < 150000 THEN
        RAISE EXCEPTION 'the server is PostgreSQL %, and 15 is the oldest supported',
                        pg_catalog.current_setting('server_version');
    END IF;
    IF NOT pg_catalog.pg_try_advisory_xact_lock(:key) THEN
        RAISE EXCEPTION 'another migration of this database is running'
              USING ERRCODE = 'lock_not_available', HINT = 'run the script again when it has ended';
    END IF;
    IF pg_catalog.to_regclass('public.alembic_version') IS NOT NULL THEN
        LOCK TABLE public.alembic_version IN ACCESS EXCLUSIVE MODE;
        SELECT coalesce(pg_catalog.array_agg(version_num ORDER BY version_num), '{}')
          INTO found
          FROM public.alembic_version;
        IF found = '{}' THEN
            DROP TABLE public.alembic_version;
        END IF;
    END IF;
    IF found <> pg_catalog.string_to_array(:expected, ',') THEN
        RAISE EXCEPTION 'this script starts at revision %, and the database is at %',
                        coalesce(nullif(:expected, ''), 'base'),
                        coalesce(nullif(pg_catalog.array_to_string(found, ', '), ''), 'base')
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'nothing was changed; generate the script from where the database is';
    END IF;
END
$guard$

-- offline_step --
-- Refuse a step whose start the database is not at, or while another migration runs. The lock ends with
-- the step's transaction.
DO $guard$
DECLARE
    found text[];
BEGIN
    IF NOT pg_catalog.pg_try_advisory_xact_lock(:key) THEN
        RAISE EXCEPTION 'another migration of this database is running'
              USING ERRCODE = 'lock_not_available', HINT = 'run the script again when it has ended';
    END IF;
    SELECT coalesce(pg_catalog.array_agg(version_num ORDER BY version_num), '{}')
      INTO found
      FROM public.alembic_version;
    IF found <> pg_catalog.string_to_array(:expected, ',') THEN
        RAISE EXCEPTION 'this step starts at revision %, and the database is at %',
                        coalesce(nullif(:expected, ''), 'base'),
                        coalesce(nullif(pg_catalog.array_to_string(found, ', '), ''), 'base')
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'this step changed nothing; generate the script from where the database is';
    END IF;
END
$guard$

-- invalid_indexes --
-- Indexes that no query may use, as a statement and as a plain name; those being built just now left out.
SELECT class.oid::pg_catalog.regclass::text,
       class.relname
  FROM pg_catalog.pg_index AS built
  JOIN pg_catalog.pg_class AS class ON class.oid = built.indexrelid
 WHERE NOT built.indisvalid
   AND class.relkind = 'i'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_stat_progress_create_index AS progress
                    WHERE progress.index_relid = built.indexrelid);
