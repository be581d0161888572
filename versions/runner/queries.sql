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


-- partitions --
-- The partitions there are, by schema and name.
SELECT namespace.nspname,
       class.relname
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relispartition
   AND class.relkind IN ('r', 'p', 'f');

-- partition_keys --
-- The columns that tables are partitioned by.
SELECT namespace.nspname,
       class.relname,
       attribute.attname
  FROM pg_catalog.pg_partitioned_table AS split
  JOIN pg_catalog.pg_class AS class ON class.oid = split.partrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = class.oid AND attribute.attnum = ANY (split.partattrs::smallint[]);

-- has_journal --
-- Whether the journal is there.
SELECT pg_catalog.to_regclass('ops.migration_journal') IS NOT NULL
   AND pg_catalog.to_regclass('ops.migration_state') IS NOT NULL;

-- create_journal --
-- The journal belongs to no revision, so that its history outlives them. Whoever owns it may add to it and
-- read it, and no more; the state says where it ends, and what the schema was then.
CREATE TABLE IF NOT EXISTS ops.migration_journal (
    id                  bigint      NOT NULL CONSTRAINT migration_journal_pkey PRIMARY KEY,
    at                  timestamptz NOT NULL,
    run                 uuid        NOT NULL,
    revision            text,
    direction           text        NOT NULL,
    state               text        NOT NULL,
    checksum            text,
    code                text,
    git_commit          text,
    database_user       text        NOT NULL,
    os_user             text,
    host                text        NOT NULL,
    application_version text        NOT NULL,
    alembic_version     text        NOT NULL,
    sqlalchemy_version  text        NOT NULL,
    server_version      text        NOT NULL,
    duration_ms         bigint,
    sqlstate            text,
    statement           text,
    locks               jsonb,
    fingerprint_before  text,
    fingerprint_after   text,
    heads_after         text,
    reason              text,
    details             jsonb,
    previous_hash       text        NOT NULL,
    hash                text        NOT NULL,
    CONSTRAINT migration_journal_direction_check CHECK (direction IN ('upgrade', 'downgrade', 'stamp', 'accept')),
    CONSTRAINT migration_journal_state_check CHECK (state IN ('started', 'applied', 'failed', 'dirty', 'refused', 'allowed', 'overridden'))
);
COMMENT ON TABLE ops.migration_journal IS 'What was done to the schema, by whom and how it ended; only ever added to';
COMMENT ON COLUMN ops.migration_journal.id IS 'none: number of the entry, without gaps';
COMMENT ON COLUMN ops.migration_journal.at IS 'none: when it was written';
COMMENT ON COLUMN ops.migration_journal.run IS 'none: the command it belongs to';
COMMENT ON COLUMN ops.migration_journal.revision IS 'none: which revision; NULL where it is about none';
COMMENT ON COLUMN ops.migration_journal.direction IS 'none: upgrade, downgrade or stamp; accept is an exception that was made';
COMMENT ON COLUMN ops.migration_journal.state IS 'none: started, applied, failed and undone, or dirty: failed and not all of it undone; in production also refused, allowed, or overridden by break-glass';
COMMENT ON COLUMN ops.migration_journal.checksum IS 'none: SHA-256 of the text of the revision';
COMMENT ON COLUMN ops.migration_journal.code IS 'none: hash of its code without comments and layout';
COMMENT ON COLUMN ops.migration_journal.git_commit IS 'none: commit of the checkout it came from';
COMMENT ON COLUMN ops.migration_journal.database_user IS 'identifier: login that did it';
COMMENT ON COLUMN ops.migration_journal.os_user IS 'identifier: user of the operating system that did it';
COMMENT ON COLUMN ops.migration_journal.host IS 'identifier: machine it was done from';
COMMENT ON COLUMN ops.migration_journal.application_version IS 'none: version of this package';
COMMENT ON COLUMN ops.migration_journal.alembic_version IS 'none: version of Alembic';
COMMENT ON COLUMN ops.migration_journal.sqlalchemy_version IS 'none: version of SQLAlchemy';
COMMENT ON COLUMN ops.migration_journal.server_version IS 'none: version of PostgreSQL';
COMMENT ON COLUMN ops.migration_journal.duration_ms IS 'none: milliseconds since it was started';
COMMENT ON COLUMN ops.migration_journal.sqlstate IS 'none: code of the error it failed with';
COMMENT ON COLUMN ops.migration_journal.statement IS 'none: statement it failed at, without literals';
COMMENT ON COLUMN ops.migration_journal.locks IS 'none: relations that were there before, and the modes they were locked in';
COMMENT ON COLUMN ops.migration_journal.fingerprint_before IS 'none: hash of the schema before, partitions left out';
COMMENT ON COLUMN ops.migration_journal.fingerprint_after IS 'none: hash of the schema after, partitions left out';
COMMENT ON COLUMN ops.migration_journal.heads_after IS 'none: where the database is then, empty for base; NULL where it is where it was';
COMMENT ON COLUMN ops.migration_journal.reason IS 'none: why an exception was made or something refused, or what is known of an end that nobody wrote';
COMMENT ON COLUMN ops.migration_journal.details IS 'identifier: what was refused or allowed, on whose approvals and which receipt';
COMMENT ON COLUMN ops.migration_journal.previous_hash IS 'none: hash of the entry before';
COMMENT ON COLUMN ops.migration_journal.hash IS 'none: SHA-256 over all the other columns';
CREATE TABLE IF NOT EXISTS ops.migration_state (
    only_one     boolean NOT NULL DEFAULT true CONSTRAINT migration_state_pkey PRIMARY KEY,
    entries      bigint  NOT NULL,
    head         text    NOT NULL,
    described_by text,
    fingerprint  text,
    objects      bytea,
    CONSTRAINT migration_state_only_one_check CHECK (only_one)
);
COMMENT ON TABLE ops.migration_state IS 'Where the journal ends, and what the schema was then';
COMMENT ON COLUMN ops.migration_state.only_one IS 'none: there is one row';
COMMENT ON COLUMN ops.migration_state.entries IS 'none: how many entries the journal has';
COMMENT ON COLUMN ops.migration_state.head IS 'none: hash of the last one';
COMMENT ON COLUMN ops.migration_state.described_by IS 'none: how the schema was described; otherwise described, it cannot be compared';
COMMENT ON COLUMN ops.migration_state.fingerprint IS 'none: hash of the schema, partitions left out; NULL before the first change';
COMMENT ON COLUMN ops.migration_state.objects IS 'none: the schema itself, compressed, to say what differs from it';
INSERT INTO ops.migration_state (entries, head) VALUES (0, %(genesis)s) ON CONFLICT DO NOTHING;
DO $journal$
BEGIN
    -- An owner may give this back to itself, which is then no accident.
    EXECUTE pg_catalog.format('REVOKE ALL ON ops.migration_journal, ops.migration_state FROM PUBLIC, %%I', current_user);
    EXECUTE pg_catalog.format('GRANT SELECT, INSERT ON ops.migration_journal TO %%I', current_user);
    EXECUTE pg_catalog.format('GRANT SELECT, UPDATE ON ops.migration_state TO %%I', current_user);
    -- Of a schema that a script made, the catalogue of personal data is there before the journal.
    IF pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('ops.classify_journal_v1()'), 'EXECUTE') THEN
        EXECUTE 'SELECT ops.classify_journal_v1()';
    END IF;
END
$journal$;

-- create_operations_schema --
-- The schema the journal stands in; revision 001 gives it to the owner role.
CREATE SCHEMA IF NOT EXISTS ops;
COMMENT ON SCHEMA ops IS 'what runs the database, apart from the domain; made by spotify-ai-agent-migrations';

-- has_operations_schema --
-- Whether schema ops is there.
SELECT pg_catalog.to_regnamespace('ops') IS NOT NULL;

-- journal_end --
-- Where the journal ends, and the rest of what its next entry takes from the server.
SELECT state.entries,
       state.head,
       pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       session_user::text,
       pg_catalog.current_setting('server_version')
  FROM ops.migration_state AS state
   FOR UPDATE OF state;

-- now --
-- The time of the server, to the second, in UTC.
SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

-- move_end --
-- Say that the journal has another entry.
UPDATE ops.migration_state
   SET entries = %(id)s,
       head = %(hash)s;

-- keep_schema --
-- Keep what the schema is now.
UPDATE ops.migration_state
   SET described_by = %(described_by)s,
       fingerprint = %(fingerprint)s,
       objects = %(objects)s;

-- kept_schema --
-- How the schema was described when it was journaled last, and its hash.
SELECT state.described_by,
       state.fingerprint
  FROM ops.migration_state AS state;

-- kept_objects --
-- The schema as it was journaled last.
SELECT state.objects
  FROM ops.migration_state AS state;

-- journal_entries --
-- The entries of the journal from one on, in order; times as they were hashed.
SELECT entry.id,
       pg_catalog.to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
       entry.run::text AS run,
       entry.revision,
       entry.direction,
       entry.state,
       entry.checksum,
       entry.code,
       entry.git_commit,
       entry.database_user,
       entry.os_user,
       entry.host,
       entry.application_version,
       entry.alembic_version,
       entry.sqlalchemy_version,
       entry.server_version,
       entry.duration_ms,
       entry.sqlstate,
       entry.statement,
       entry.locks,
       entry.fingerprint_before,
       entry.fingerprint_after,
       entry.heads_after,
       entry.reason,
       entry.details,
       entry.previous_hash,
       entry.hash
  FROM ops.migration_journal AS entry
 WHERE entry.id >= %(since)s
 ORDER BY entry.id;

-- last_attempt --
-- The last entry of an attempt: no answer of a gate, and no exception.
SELECT entry.id
  FROM ops.migration_journal AS entry
 WHERE entry.state NOT IN ('refused', 'allowed', 'overridden')
   AND entry.direction <> 'accept'
 ORDER BY entry.id DESC
 LIMIT 1;

-- recorded_end --
-- Where the journal says it ends, to be compared with its entries.
SELECT state.entries,
       state.head
  FROM ops.migration_state AS state;

-- applied_checksums --
-- What each revision was when it was applied or stamped, or accepted since.
SELECT DISTINCT ON (entry.revision)
       entry.revision,
       entry.checksum,
       entry.code
  FROM ops.migration_journal AS entry
 WHERE entry.state = 'applied'
   AND entry.direction <> 'downgrade'
   AND entry.checksum IS NOT NULL
 ORDER BY entry.revision, entry.id DESC;

-- journaled_heads --
-- Where the database is by its journal; no row where it says nothing yet.
SELECT entry.heads_after
  FROM ops.migration_journal AS entry
 WHERE entry.heads_after IS NOT NULL
 ORDER BY entry.id DESC
 LIMIT 1;

-- was_production --
-- Whether a gate of production ever answered here.
SELECT EXISTS (
    SELECT
      FROM ops.migration_journal AS entry
     WHERE entry.state IN ('refused', 'allowed', 'overridden')
);

-- locks_of --
-- The relations that others see, and the modes a session has locked them in.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname) AS relation,
       pg_catalog.array_agg(DISTINCT held.mode ORDER BY held.mode) AS modes
  FROM pg_catalog.pg_locks AS held
  JOIN pg_catalog.pg_class AS class ON class.oid = held.relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE held.pid = %(pid)s
   AND held.locktype = 'relation'
   AND held.granted
   AND held.database = (SELECT here.oid FROM pg_catalog.pg_database AS here WHERE here.datname = pg_catalog.current_database())
   AND namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema'
   AND NOT (namespace.nspname = 'ops' AND class.relname ~ '^migration_(journal|state)')
 GROUP BY namespace.nspname, class.relname
 ORDER BY namespace.nspname, class.relname;

-- sequences --
-- The last number that each sequence gave out, of those this login may look at; nothing where it gave none.
SELECT class.oid::pg_catalog.regclass::text,
       pg_catalog.pg_sequence_last_value(sequence.seqrelid)
  FROM pg_catalog.pg_sequence AS sequence
  JOIN pg_catalog.pg_class AS class ON class.oid = sequence.seqrelid
 WHERE class.relpersistence <> 't'
   AND pg_catalog.has_sequence_privilege(sequence.seqrelid, 'SELECT, USAGE')
 ORDER BY 1;
