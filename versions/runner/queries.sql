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
SET search_path = public;
SET lock_timeout = :lock_timeout_ms;
SET statement_timeout = :statement_timeout_ms

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
    IF pg_catalog.to_regclass('public.alembic_version') IS NOT NULL THEN
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
