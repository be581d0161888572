-- The statements of the health check: each gives kind, schema, name, measure, state, values and fixes.

-- role --
-- Whether this server replays what another one writes, whether the login sees the sessions of others, its name.
SELECT pg_catalog.pg_is_in_recovery(),
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),
       pg_catalog.quote_ident(current_user);

-- conn_usage --
-- Clients beside the slots that they may take, those that are kept for superusers left out.
SELECT 'server', NULL, 'connections',
       used.clients::float8 / greatest(1, slots.usable),
       NULL,
       pg_catalog.jsonb_build_object('clients', used.clients, 'usable', slots.usable),
       NULL::text[]
  FROM (SELECT count(*) AS clients
          FROM pg_catalog.pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()) AS used,
       (SELECT sum(CASE WHEN name = 'max_connections' THEN setting::int ELSE -setting::int END) AS usable
          FROM pg_catalog.pg_settings
         WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')) AS slots;

-- conn_idle_in_tx --
-- Sessions that hold a transaction open and do nothing: the horizon and their locks stay where they are.
SELECT 'session', NULL, activity.pid::text,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.state_change),
       NULL,
       pg_catalog.jsonb_build_object(
           'pid', activity.pid, 'role', activity.usename, 'application', activity.application_name,
           'seconds', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.state_change)::bigint
       ),
       ARRAY[[pg_catalog.format('SELECT pg_terminate_backend(%%s)', activity.pid), 'none']]
  FROM pg_catalog.pg_stat_activity AS activity
 WHERE activity.state = 'idle in transaction'
   AND activity.pid <> pg_catalog.pg_backend_pid();

-- lock_prepared_xacts --
-- Transactions that were prepared and neither committed nor rolled back: no restart ends them.
SELECT 'prepared transaction', NULL, prepared.gid,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - prepared.prepared),
       NULL,
       pg_catalog.jsonb_build_object(
           'database', prepared.database, 'owner', prepared.owner,
           'seconds', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - prepared.prepared)::bigint
       ),
       ARRAY[[pg_catalog.format('ROLLBACK PREPARED %%L', prepared.gid), 'none']]
  FROM pg_catalog.pg_prepared_xacts AS prepared;

-- lock_advisory_idle_holder --
-- Sessions that hold an advisory lock and do nothing: whoever waits for it waits for a person.
SELECT 'session', NULL, activity.pid::text,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.state_change),
       NULL,
       pg_catalog.jsonb_build_object(
           'pid', activity.pid, 'role', activity.usename, 'application', activity.application_name,
           'seconds', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.state_change)::bigint,
           'waiting', (SELECT count(*)
                         FROM pg_catalog.pg_locks AS other
                        WHERE other.locktype = 'advisory' AND NOT other.granted
                          AND (other.database, other.classid, other.objid, other.objsubid)
                              = (held.database, held.classid, held.objid, held.objsubid))
       ),
       ARRAY[[pg_catalog.format('SELECT pg_terminate_backend(%%s)', activity.pid), 'none']]
  FROM pg_catalog.pg_locks AS held
  JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = held.pid
 WHERE held.locktype = 'advisory' AND held.granted AND activity.state = 'idle';

-- avail_invalid_database --
-- Databases whose DROP was interrupted: nobody can connect to them, and their files stay.
SELECT 'database', NULL, datname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('oid', oid::bigint),
       ARRAY[[pg_catalog.format('DROP DATABASE %%I', datname), 'the database']]
  FROM pg_catalog.pg_database
 WHERE datconnlimit = -2;

-- xid_database --
-- The age of the oldest transaction that each database, template0 among them, may still ask for.
SELECT 'database', NULL, datname, pg_catalog.age(datfrozenxid)::float8, NULL,
       pg_catalog.jsonb_build_object(
           'age', pg_catalog.age(datfrozenxid),
           'left', 2147483647 - pg_catalog.age(datfrozenxid)::bigint
       ),
       CASE WHEN datname = pg_catalog.current_database() THEN
                ARRAY[['VACUUM (FREEZE)', 'SHARE UPDATE EXCLUSIVE on one table after another']]
            -- It has to be connected to, which template0 refuses.
            WHEN NOT datallowconn THEN
                ARRAY[[pg_catalog.format('ALTER DATABASE %%I ALLOW_CONNECTIONS true', datname), 'none']] END
  FROM pg_catalog.pg_database;

-- con_not_valid --
-- Constraints that hold for new rows only, until somebody validates them.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('table', class.relname, 'constraint', linked.conname, 'type', linked.contype),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I VALIDATE CONSTRAINT %%I',
                                namespace.nspname, class.relname, linked.conname),
              'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE NOT linked.convalidated
   AND linked.conparentid = 0
   -- What is not enforced cannot be validated; versions before 18 have no such column.
   AND pg_catalog.to_jsonb(linked) ->> 'conenforced' IS DISTINCT FROM 'false';

-- con_not_enforced --
-- Constraints that nobody checks, and that VALIDATE does not bring to life.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('table', class.relname, 'constraint', linked.conname, 'type', linked.contype),
       CASE WHEN linked.contype = 'f' THEN
           ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ALTER CONSTRAINT %%I ENFORCED',
                                    namespace.nspname, class.relname, linked.conname),
                  'SHARE ROW EXCLUSIVE']]
       END
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE NOT linked.conenforced AND linked.conparentid = 0;

-- part_detach_pending --
-- Partitions whose DETACH … CONCURRENTLY was interrupted: neither in their table nor out of it.
SELECT 'partition', namespace.nspname, class.relname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('parent', parent.relname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I DETACH PARTITION %%I.%%I FINALIZE', above.nspname,
                                parent.relname, namespace.nspname, class.relname),
              'SHARE UPDATE EXCLUSIVE on the table, ACCESS EXCLUSIVE on the partition']]
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_class AS class ON class.oid = link.inhrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS parent ON parent.oid = link.inhparent
  JOIN pg_catalog.pg_namespace AS above ON above.oid = parent.relnamespace
 WHERE link.inhdetachpending;

-- idx_invalid --
-- Indexes that no query uses and every write pays for; one that is being built is none.
SELECT 'index', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN progress.hidden THEN 'unknown'
            WHEN linked.oid IS NOT NULL THEN 'critical'
            ELSE 'warning' END,
       pg_catalog.jsonb_build_object('table', owner.relname, 'constraint', linked.conname)
           || CASE WHEN progress.hidden THEN '{"cure": "GRANT pg_monitor TO the login"}'::jsonb ELSE '{}' END,
       CASE WHEN linked.oid IS NULL AND NOT progress.hidden THEN
           ARRAY[[pg_catalog.format('DROP INDEX CONCURRENTLY %%I.%%I', namespace.nspname, class.relname),
                  'SHARE UPDATE EXCLUSIVE']]
       END
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.conindid = class.oid AND linked.contype IN ('p', 'u', 'x')
 CROSS JOIN LATERAL (
       SELECT coalesce(bool_or(running.index_relid IS NULL), false) AS hidden,
              coalesce(bool_or(running.index_relid = class.oid), false) AS mine
         FROM pg_catalog.pg_stat_progress_create_index AS running
        WHERE running.datid = (SELECT oid FROM pg_catalog.pg_database
                                WHERE datname = pg_catalog.current_database())) AS progress
 WHERE NOT index.indisvalid
   AND class.relkind = 'i'
   AND NOT progress.mine;

-- set_durability --
-- Settings without which a crash loses or breaks what was committed: of the server, of a database, of a role.
SELECT 'setting', NULL, name, NULL::float8,
       CASE WHEN name = 'synchronous_commit' THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('setting', setting),
       ARRAY[[pg_catalog.format('ALTER SYSTEM SET %%I = on', name), 'none'], ['SELECT pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
   AND source NOT IN ('database', 'user', 'database user')
UNION ALL
SELECT 'setting', NULL,
       'synchronous_commit of '
           || pg_catalog.concat_ws(' in ', role.rolname, coalesce(database.datname, 'every database')),
       NULL, 'warning', pg_catalog.jsonb_build_object('setting', 'off'),
       ARRAY[[pg_catalog.concat_ws(' ', 'ALTER',
                  CASE WHEN altered.setrole = 0 AND altered.setdatabase = 0 THEN 'ROLE ALL'
                       WHEN altered.setrole = 0 THEN 'DATABASE ' || pg_catalog.quote_ident(database.datname)
                       ELSE 'ROLE ' || pg_catalog.quote_ident(role.rolname)
                            || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(database.datname), '') END,
                  'RESET synchronous_commit'), 'none']]
  FROM pg_catalog.pg_db_role_setting AS altered
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = altered.setrole
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = altered.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(altered.setconfig) AS pair
 WHERE pair ~ '^synchronous_commit=(off|false|no|0)$';

-- set_pending_restart --
-- Settings that were changed and wait for a restart.
SELECT 'setting', NULL, name, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('setting', setting), NULL::text[]
  FROM pg_catalog.pg_settings
 WHERE pending_restart;

-- trg_disabled --
-- Triggers that do not fire; those of foreign keys let anything in.
SELECT 'trigger', namespace.nspname, class.relname || '.' || trigger.tgname, NULL::float8,
       CASE WHEN trigger.tgisinternal THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('table', class.relname, 'trigger', trigger.tgname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ENABLE TRIGGER %%s', namespace.nspname, class.relname,
                                CASE WHEN trigger.tgisinternal THEN 'ALL'
                                     ELSE pg_catalog.quote_ident(trigger.tgname) END),
              'SHARE ROW EXCLUSIVE']]
  FROM pg_catalog.pg_trigger AS trigger
  JOIN pg_catalog.pg_class AS class ON class.oid = trigger.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE trigger.tgenabled = 'D';

-- seq_exhaustion --
-- How much of a sequence is given out, or of the column that it numbers where that holds less.
WITH numbered AS (
    SELECT namespace.nspname, class.relname, sequence.*, owned.atttypid AS column_type,
           pg_catalog.has_sequence_privilege(class.oid, 'SELECT, USAGE') AS is_readable
      FROM pg_catalog.pg_sequence AS sequence
      JOIN pg_catalog.pg_class AS class ON class.oid = sequence.seqrelid
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
      LEFT JOIN LATERAL (
           SELECT (pg_catalog.array_agg(attribute.atttypid ORDER BY
                      CASE attribute.atttypid WHEN 21 THEN 1 WHEN 23 THEN 2 ELSE 3 END))[1] AS atttypid
             FROM pg_catalog.pg_depend AS link
             LEFT JOIN pg_catalog.pg_attrdef AS filled
               ON link.classid = 'pg_catalog.pg_attrdef'::regclass AND filled.oid = link.objid
             JOIN pg_catalog.pg_attribute AS attribute
               ON (attribute.attrelid, attribute.attnum) = (filled.adrelid, filled.adnum)
               OR (link.classid = 'pg_catalog.pg_class'::regclass AND link.objid = class.oid
                   AND link.deptype IN ('a', 'i')
                   AND (attribute.attrelid, attribute.attnum) = (link.refobjid, link.refobjsubid))
            WHERE (link.refclassid = 'pg_catalog.pg_class'::regclass AND link.refobjid = class.oid)
               OR (link.classid = 'pg_catalog.pg_class'::regclass AND link.objid = class.oid)
      ) AS owned ON true
     WHERE NOT sequence.seqcycle
), given AS (
    SELECT numbered.*,
           CASE WHEN is_readable THEN pg_catalog.pg_sequence_last_value(seqrelid) END AS last_value,
           least(seqmax, CASE column_type WHEN 21 THEN 32767 WHEN 23 THEN 2147483647
                                          ELSE 9223372036854775807 END) AS highest,
           greatest(seqmin, CASE column_type WHEN 21 THEN -32768 WHEN 23 THEN -2147483648
                                             ELSE -9223372036854775808 END) AS lowest
      FROM numbered
)
SELECT 'sequence', nspname, relname,
       CASE WHEN NOT is_readable THEN NULL
            WHEN last_value IS NULL THEN 0
            WHEN seqincrement > 0 THEN (last_value::numeric - seqstart) / nullif(highest::numeric - seqstart, 0)
            ELSE (seqstart - last_value::numeric) / nullif(seqstart - lowest::numeric, 0)
       END,
       CASE WHEN NOT is_readable THEN 'unknown' END,
       pg_catalog.jsonb_build_object('last', last_value, 'highest', highest, 'lowest', lowest)
           || CASE WHEN is_readable THEN '{}' ELSE pg_catalog.jsonb_build_object('cure',
                  pg_catalog.format('GRANT SELECT ON SEQUENCE %%I.%%I TO the login', nspname, relname)) END,
       NULL::text[]
  FROM given;

-- Availability, connections, locks.

-- avail_connect --
-- How long it took to be let in, as whoever asks has measured it.
SELECT 'server', NULL, 'connection', %(connected_s)s::float8, NULL,
       pg_catalog.jsonb_build_object('seconds', pg_catalog.round(%(connected_s)s::numeric, 2)), NULL::text[];

-- avail_read_only --
-- Where transactions are read-only unless they say otherwise: for all, for a database, or for a role.
SELECT 'server', NULL, name, NULL::float8, 'critical', pg_catalog.jsonb_build_object('whose', 'everybody'),
       ARRAY[['ALTER SYSTEM RESET default_transaction_read_only', 'none'], ['SELECT pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_settings
 WHERE name = 'default_transaction_read_only' AND setting = 'on'
   AND source NOT IN ('database', 'user', 'database user')
UNION ALL
SELECT CASE WHEN altered.setrole = 0 THEN 'database' ELSE 'role' END, NULL,
       coalesce(role.rolname, database.datname, 'all'), NULL,
       -- A role that only reads may well be told so.
       CASE WHEN altered.setrole <> 0 THEN 'info'
            WHEN database.datname IS DISTINCT FROM pg_catalog.current_database() AND altered.setdatabase <> 0
            THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object(
           'whose', pg_catalog.concat_ws(' in ', role.rolname, coalesce(database.datname, 'every database'))),
       ARRAY[[pg_catalog.format('BEGIN READ WRITE; ALTER %%s RESET default_transaction_read_only; COMMIT',
                  CASE WHEN altered.setrole = 0 AND altered.setdatabase = 0 THEN 'ROLE ALL'
                       WHEN altered.setrole = 0 THEN 'DATABASE ' || pg_catalog.quote_ident(database.datname)
                       ELSE 'ROLE ' || pg_catalog.quote_ident(role.rolname)
                            || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(database.datname), '') END), 'none']]
  FROM pg_catalog.pg_db_role_setting AS altered
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = altered.setrole
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = altered.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(altered.setconfig) AS pair
 WHERE pair ~ '^default_transaction_read_only=(on|true|yes|1)$';

-- avail_restart --
-- How long ago the server was started.
SELECT 'server', NULL, 'start', started.seconds, CASE WHEN started.seconds < %(warning)s THEN 'info' END,
       pg_catalog.jsonb_build_object('seconds', started.seconds::bigint), NULL::text[]
  FROM (SELECT pg_catalog.date_part('epoch',
                   pg_catalog.clock_timestamp() - pg_catalog.pg_postmaster_start_time()) AS seconds) AS started
 WHERE started.seconds < %(warning)s;

-- avail_crash_recovery --
-- A process died and took all others with it; or the server began with recovery, and all counters from nothing.
SELECT 'server', NULL, 'recovery', NULL::float8,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'info'
            WHEN recovered.at > pg_catalog.clock_timestamp() - %(critical)s * interval '1 second' THEN 'critical'
            ELSE 'warning' END,
       pg_catalog.jsonb_build_object(
           'seconds', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - recovered.at)::bigint),
       NULL::text[]
  FROM (SELECT max(activity.backend_start) AS at
          FROM pg_catalog.pg_stat_activity AS activity
         WHERE activity.backend_type = 'checkpointer'
           AND activity.backend_start > pg_catalog.pg_postmaster_start_time() + interval '5 seconds'
        UNION ALL
        -- What is found after a crash is thrown away with one timestamp for all; a person resets one by one.
        SELECT writer.stats_reset
          FROM pg_catalog.pg_stat_bgwriter AS writer
          JOIN pg_catalog.pg_stat_archiver AS archiver ON archiver.stats_reset = writer.stats_reset
         WHERE writer.stats_reset > pg_catalog.pg_postmaster_start_time()
           -- A server that has just been made has begun with nothing as well; its identifier holds when that was.
           AND pg_catalog.pg_postmaster_start_time() > interval '10 minutes' + pg_catalog.to_timestamp(
                   ((SELECT system_identifier FROM pg_catalog.pg_control_system()) >> 32)::float8)) AS recovered
 WHERE recovered.at > pg_catalog.clock_timestamp() - %(warning)s * interval '1 second';

-- avail_version_eol --
-- Versions of which nobody mends anything any more, or soon.
SELECT 'server', NULL, 'version',
       pg_catalog.date_part('epoch', known.until - pg_catalog.now()) / 86400, NULL,
       pg_catalog.jsonb_build_object('major', known.major, 'until', known.until::date),
       NULL::text[]
  FROM (VALUES (15, timestamptz '2027-11-11 00:00Z'), (16, timestamptz '2028-11-09 00:00Z'),
               (17, timestamptz '2029-11-08 00:00Z'), (18, timestamptz '2030-11-14 00:00Z')) AS known (major, until)
 WHERE known.major = pg_catalog.current_setting('server_version_num')::int / 10000;

-- avail_minor_behind --
-- Releases that mend this one, of those that were known when this was written.
SELECT 'server', NULL, 'version', NULL::float8, 'warning',
       pg_catalog.jsonb_build_object(
           'version', pg_catalog.format('%%s.%%s', running.version / 10000, running.version %% 10000),
           'known', pg_catalog.format('%%s.%%s', known.major, known.minor)),
       NULL::text[]
  FROM (SELECT pg_catalog.current_setting('server_version_num')::int AS version) AS running
  JOIN (VALUES (15, 18), (16, 14), (17, 10), (18, 6)) AS known (major, minor)
    ON known.major = running.version / 10000 AND known.minor > running.version %% 10000;

-- avail_clock_skew --
-- The server's clock beside that of whoever asks.
SELECT 'server', NULL, 'clock', pg_catalog.abs(apart.seconds), NULL,
       pg_catalog.jsonb_build_object('seconds', pg_catalog.round(apart.seconds::numeric, 1)), NULL::text[]
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) - %(now)s AS seconds) AS apart;

-- conn_db_or_role_limit --
-- Databases and roles that have nearly all the connections that they may have.
SELECT 'database', NULL, limited.datname, count(activity.pid)::float8 / limited.datconnlimit, NULL,
       pg_catalog.jsonb_build_object('clients', count(activity.pid), 'limit', limited.datconnlimit),
       ARRAY[[pg_catalog.format('ALTER DATABASE %%I CONNECTION LIMIT %%s', limited.datname, 2 * limited.datconnlimit),
              'none']]
  FROM pg_catalog.pg_database AS limited
  LEFT JOIN pg_catalog.pg_stat_activity AS activity
    ON activity.datid = limited.oid AND activity.backend_type = 'client backend'
   AND activity.pid <> pg_catalog.pg_backend_pid()
 WHERE limited.datconnlimit > 0
 GROUP BY limited.oid, limited.datname, limited.datconnlimit
UNION ALL
SELECT 'role', NULL, limited.rolname, count(activity.pid)::float8 / limited.rolconnlimit, NULL,
       pg_catalog.jsonb_build_object('clients', count(activity.pid), 'limit', limited.rolconnlimit),
       ARRAY[[pg_catalog.format('ALTER ROLE %%I CONNECTION LIMIT %%s', limited.rolname, 2 * limited.rolconnlimit),
              'none']]
  FROM pg_catalog.pg_roles AS limited
  LEFT JOIN pg_catalog.pg_stat_activity AS activity
    ON activity.usesysid = limited.oid AND activity.backend_type = 'client backend'
   AND activity.pid <> pg_catalog.pg_backend_pid()
 WHERE limited.rolconnlimit > 0 AND limited.rolcanlogin AND NOT limited.rolsuper
 GROUP BY limited.oid, limited.rolname, limited.rolconnlimit;

-- conn_idle_in_tx_aborted --
-- Sessions of which a statement failed and which nobody told so: an error that the application swallowed.
SELECT 'session', NULL, activity.pid::text, idle.seconds, NULL,
       pg_catalog.jsonb_build_object('pid', activity.pid, 'role', activity.usename,
                                     'application', activity.application_name, 'seconds', idle.seconds::bigint),
       ARRAY[[pg_catalog.format('SELECT pg_terminate_backend(%%s)', activity.pid), 'none']]
  FROM pg_catalog.pg_stat_activity AS activity
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.state_change) AS seconds) AS idle
 WHERE activity.state = 'idle in transaction (aborted)';

-- conn_long_query --
-- Statements that have been running for long; dumps and the server's own work may.
SELECT 'session', NULL, activity.pid::text, running.seconds, NULL,
       pg_catalog.jsonb_build_object('pid', activity.pid, 'role', activity.usename,
                                     'application', activity.application_name, 'seconds', running.seconds::bigint,
                                     'waits_for', activity.wait_event),
       ARRAY[[pg_catalog.format('SELECT pg_cancel_backend(%%s)', activity.pid), 'none']]
  FROM pg_catalog.pg_stat_activity AS activity
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.query_start) AS seconds) AS running
 WHERE activity.state = 'active'
   AND activity.backend_type = 'client backend'
   AND activity.application_name NOT IN ('pg_dump', 'pg_dumpall', 'pg_restore')
   AND activity.pid <> pg_catalog.pg_backend_pid();

-- conn_long_xact --
-- Transactions of many statements that have been open for long; the idle ones are another check's.
SELECT 'session', NULL, activity.pid::text, open.seconds, NULL,
       pg_catalog.jsonb_build_object('pid', activity.pid, 'role', activity.usename,
                                     'application', activity.application_name, 'seconds', open.seconds::bigint,
                                     'horizon_age', pg_catalog.age(activity.backend_xmin)),
       ARRAY[[pg_catalog.format('SELECT pg_terminate_backend(%%s)', activity.pid), 'none']]
  FROM pg_catalog.pg_stat_activity AS activity
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.xact_start) AS seconds) AS open
 WHERE activity.state = 'active'
   AND activity.backend_type = 'client backend'
   AND activity.xact_start < activity.query_start
   AND activity.application_name NOT IN ('pg_dump', 'pg_dumpall', 'pg_restore')
   AND activity.pid <> pg_catalog.pg_backend_pid();

-- conn_waiting_sessions --
-- Sessions that have been waiting for a lock for more than a second.
SELECT 'server', NULL, 'waiting sessions', count(DISTINCT wanted.pid), NULL,
       pg_catalog.jsonb_build_object('waiting', count(DISTINCT wanted.pid)), NULL::text[]
  FROM pg_catalog.pg_locks AS wanted
 WHERE NOT wanted.granted AND wanted.waitstart < pg_catalog.clock_timestamp() - interval '1 second';

-- conn_abandoned_fatal --
-- Sessions that ended as they should not, an hour, since the counters began.
SELECT 'database', NULL, counted.datname, lost.an_hour,
       CASE WHEN lost.an_hour >= %(warning)s THEN 'info' END,
       pg_catalog.jsonb_build_object('abandoned', counted.sessions_abandoned, 'fatal', counted.sessions_fatal,
                                     'killed', counted.sessions_killed, 'hours', pg_catalog.ceil(since.hours)),
       NULL::text[]
  FROM pg_catalog.pg_stat_database AS counted
 CROSS JOIN pg_catalog.pg_stat_bgwriter AS writer
 CROSS JOIN LATERAL (
       SELECT greatest(1, pg_catalog.date_part('epoch',
                  pg_catalog.now() - greatest(counted.stats_reset, writer.stats_reset)) / 3600) AS hours) AS since
 CROSS JOIN LATERAL (
       SELECT (counted.sessions_abandoned + counted.sessions_fatal) / since.hours AS an_hour) AS lost
 WHERE counted.datname IS NOT NULL;

-- conn_unencrypted --
-- Sessions from other machines whose words anybody between can read.
SELECT 'session', NULL, activity.pid::text, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('pid', activity.pid, 'role', activity.usename,
                                     'application', activity.application_name),
       NULL::text[]
  FROM pg_catalog.pg_stat_activity AS activity
  JOIN pg_catalog.pg_stat_ssl AS encryption ON encryption.pid = activity.pid
  LEFT JOIN pg_catalog.pg_stat_gssapi AS gss ON gss.pid = activity.pid
 WHERE NOT encryption.ssl
   AND gss.encrypted IS NOT TRUE
   AND NOT activity.client_addr <<= ANY (ARRAY['127.0.0.0/8', '::1/128']::inet[]);

-- lock_blocked --
-- Whoever stands at the head of a queue for locks: how many wait behind it, directly or not, and how long.
WITH RECURSIVE waiting AS MATERIALIZED (
    SELECT wanted.pid, min(wanted.waitstart) AS since
      FROM pg_catalog.pg_locks AS wanted
     WHERE NOT wanted.granted
     GROUP BY wanted.pid
), edge AS MATERIALIZED (
    SELECT DISTINCT waiting.pid AS waiter, waiting.since, blocker.pid AS blocker
      FROM waiting
     CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(waiting.pid)) AS blocker (pid)
), behind AS (
    SELECT edge.blocker AS root, edge.waiter, edge.since
      FROM edge
     WHERE edge.blocker NOT IN (SELECT waiter FROM edge)
     UNION
    SELECT behind.root, edge.waiter, edge.since
      FROM behind
      JOIN edge ON edge.blocker = behind.waiter
), root AS (
    SELECT behind.root AS pid, count(DISTINCT behind.waiter) AS waiting,
           coalesce(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - min(behind.since)), 0) AS seconds
      FROM behind
     GROUP BY behind.root
)
SELECT CASE WHEN root.pid = 0 THEN 'prepared transaction' ELSE 'session' END, NULL, root.pid::text, root.seconds,
       CASE WHEN root.waiting >= 10 THEN 'critical'
            WHEN root.waiting >= 3 AND root.seconds < %(critical)s THEN 'warning' END,
       pg_catalog.jsonb_build_object('pid', root.pid, 'waiting', root.waiting, 'seconds', root.seconds::bigint,
                                     'role', activity.usename, 'application', activity.application_name,
                                     'doing', activity.state),
       CASE WHEN root.pid <> 0 THEN
           ARRAY[[pg_catalog.format(CASE WHEN activity.state = 'active' THEN 'SELECT pg_cancel_backend(%%s)'
                                         ELSE 'SELECT pg_terminate_backend(%%s)' END, root.pid), 'none']]
       END
  FROM root
  LEFT JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = root.pid;

-- lock_ddl_queue --
-- Sessions that wait to have a table for themselves: whoever comes after waits behind them, to read too.
SELECT 'session', NULL, wanted.pid::text, waited.seconds, NULL,
       pg_catalog.jsonb_build_object('pid', wanted.pid, 'seconds', waited.seconds::bigint,
           'table', CASE WHEN database.datname = pg_catalog.current_database()
                         THEN wanted.relation::regclass::text
                         ELSE pg_catalog.format('%%s of %%s', wanted.relation, database.datname) END),
       ARRAY[[pg_catalog.format('SELECT pg_cancel_backend(%%s)', wanted.pid), 'none']]
  FROM pg_catalog.pg_locks AS wanted
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = wanted.database
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - wanted.waitstart) AS seconds) AS waited
 WHERE wanted.locktype = 'relation' AND wanted.mode = 'AccessExclusiveLock' AND NOT wanted.granted
   AND waited.seconds IS NOT NULL;

-- lock_table_fill --
-- How much of the table of locks is taken; when it is full, a statement that needs one more fails.
SELECT 'server', NULL, 'locks', taken.locks::float8 / room.locks, NULL,
       pg_catalog.jsonb_build_object('locks', taken.locks, 'room', room.locks), NULL::text[]
  FROM (SELECT count(*) AS locks
          FROM (SELECT DISTINCT locktype, database, relation, page, tuple, virtualxid, transactionid::text, classid,
                       objid, objsubid
                  FROM pg_catalog.pg_locks
                 WHERE NOT fastpath AND locktype NOT IN ('spectoken')) AS held) AS taken,
       (SELECT pg_catalog.current_setting('max_locks_per_transaction')::int
               * (pg_catalog.current_setting('max_connections')::int
                  + pg_catalog.current_setting('max_prepared_transactions')::int) AS locks) AS room;

-- lock_deadlocks --
-- Deadlocks an hour since the counters began.
SELECT 'database', NULL, counted.datname, counted.deadlocks / since.hours, NULL,
       pg_catalog.jsonb_build_object('deadlocks', counted.deadlocks, 'hours', pg_catalog.ceil(since.hours)),
       NULL::text[]
  FROM pg_catalog.pg_stat_database AS counted
 CROSS JOIN pg_catalog.pg_stat_bgwriter AS writer
 CROSS JOIN LATERAL (
       SELECT greatest(1, pg_catalog.date_part('epoch',
                  pg_catalog.now() - greatest(counted.stats_reset, writer.stats_reset)) / 3600) AS hours) AS since
 WHERE counted.datname IS NOT NULL;

-- Replication, slots, WAL, archiving.

-- repl_lag_bytes --
-- How much of what was written each standby has yet to replay.
SELECT 'standby', NULL, coalesce(nullif(standby.application_name, ''), standby.pid::text), behind.bytes::float8, NULL,
       pg_catalog.jsonb_build_object('application', standby.application_name, 'state', standby.state,
                                     'bytes', behind.bytes, 'size', pg_catalog.pg_size_pretty(behind.bytes)),
       NULL::text[]
  FROM pg_catalog.pg_stat_replication AS standby
 CROSS JOIN LATERAL (
       SELECT pg_catalog.pg_wal_lsn_diff(
                  CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                       ELSE pg_catalog.pg_current_wal_lsn() END,
                  coalesce(standby.replay_lsn, standby.flush_lsn, standby.sent_lsn)) AS bytes) AS behind
 WHERE standby.state <> 'backup' AND behind.bytes IS NOT NULL;

-- repl_lag_seconds --
-- How old what a standby shows is, where there is something to replay; an idle primary makes nobody late.
SELECT 'server', NULL, 'replay', replayed.seconds, NULL,
       pg_catalog.jsonb_build_object(
           'seconds', replayed.seconds::bigint,
           'bytes', pg_catalog.pg_wal_lsn_diff(replayed.received, pg_catalog.pg_last_wal_replay_lsn())),
       NULL::text[]
  -- One that has replayed no commit yet is as old as its start.
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                   - coalesce(pg_catalog.pg_last_xact_replay_timestamp(),
                              pg_catalog.pg_postmaster_start_time())) AS seconds,
               pg_catalog.pg_last_wal_receive_lsn() AS received) AS replayed
 WHERE replayed.seconds >= %(warning)s
   -- What arrives after a long silence is replayed in a moment: it is late if it is not.
   AND CASE WHEN pg_catalog.pg_last_wal_replay_lsn() >= replayed.received THEN false
            WHEN pg_catalog.pg_sleep(0.2) IS NULL THEN false
            ELSE pg_catalog.pg_last_wal_replay_lsn() < replayed.received END;

-- repl_receiver_down --
-- A standby that is told where its primary is, and receives nothing.
SELECT 'server', NULL, 'receiver', NULL::float8,
       CASE WHEN replayed.seconds < 300 THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('seconds', replayed.seconds::bigint), NULL::text[]
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                                             - pg_catalog.pg_last_xact_replay_timestamp()) AS seconds) AS replayed
 WHERE pg_catalog.current_setting('primary_conninfo') <> ''
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver WHERE pid IS NOT NULL);

-- repl_replay_paused --
-- A standby that was told to replay no more.
SELECT 'server', NULL, 'replay', NULL::float8,
       CASE WHEN waiting.bytes > 0 AND waiting.seconds > 3600 THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('doing', pg_catalog.pg_get_wal_replay_pause_state(), 'bytes', waiting.bytes),
       ARRAY[['SELECT pg_wal_replay_resume()', 'none']]
  FROM (SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(),
                                          pg_catalog.pg_last_wal_replay_lsn()) AS bytes,
               pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                                             - pg_catalog.pg_last_xact_replay_timestamp()) AS seconds) AS waiting
 WHERE pg_catalog.pg_get_wal_replay_pause_state() <> 'not paused';

-- repl_sync_missing --
-- Every commit waits for a standby, and none is there: reading goes on, writing hangs.
SELECT 'server', NULL, 'synchronous_standby_names', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('waiting', (SELECT count(*) FROM pg_catalog.pg_stat_activity
                                                  WHERE wait_event = 'SyncRep')),
       ARRAY[['ALTER SYSTEM SET synchronous_standby_names = ''''', 'none'], ['SELECT pg_reload_conf()', 'none']]
 WHERE pg_catalog.current_setting('synchronous_standby_names') <> ''
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_replication WHERE sync_state IN ('sync', 'quorum'));

-- repl_conflicts --
-- Queries on a standby that replay cancelled, an hour, since the counters began.
SELECT 'database', NULL, counted.datname, counted.conflicts / since.hours,
       CASE WHEN counted.conflicts / since.hours >= %(warning)s THEN 'info' END,
       pg_catalog.jsonb_build_object('conflicts', counted.conflicts, 'hours', pg_catalog.ceil(since.hours)),
       NULL::text[]
  FROM pg_catalog.pg_stat_database AS counted
 CROSS JOIN pg_catalog.pg_stat_bgwriter AS writer
 CROSS JOIN LATERAL (
       SELECT greatest(1, pg_catalog.date_part('epoch',
                  pg_catalog.now() - greatest(counted.stats_reset, writer.stats_reset)) / 3600) AS hours) AS since
 WHERE counted.datname IS NOT NULL;

-- slot_inactive --
-- Slots that nobody reads; before 17 the server does not say since when, and then it is a warning from the start.
SELECT 'slot', NULL, slot.slot_name, idle.seconds, CASE WHEN idle.seconds IS NULL THEN 'warning' END,
       pg_catalog.jsonb_build_object('type', slot.slot_type, 'database', slot.database,
                                     'since', coalesce(pg_catalog.to_jsonb(slot) ->> 'inactive_since', 'some time')),
       ARRAY[[pg_catalog.format('SELECT pg_drop_replication_slot(%%L)', slot.slot_name), 'none']]
  FROM pg_catalog.pg_replication_slots AS slot
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                  - (pg_catalog.to_jsonb(slot) ->> 'inactive_since')::timestamptz) AS seconds) AS idle
 WHERE NOT slot.active
   AND NOT slot.temporary
   -- One that is kept in step with a primary is used by nobody, as it should be.
   AND pg_catalog.to_jsonb(slot) ->> 'synced' IS DISTINCT FROM 'true';

-- slot_retained --
-- WAL that a slot keeps from being removed.
SELECT 'slot', NULL, slot.slot_name, kept.bytes::float8,
       CASE WHEN slot.safe_wal_size IS NULL THEN NULL
            WHEN kept.bytes > 0.9 * (kept.bytes + slot.safe_wal_size) THEN 'critical'
            WHEN kept.bytes > 0.5 * (kept.bytes + slot.safe_wal_size) THEN 'warning'
            ELSE 'ok' END,
       pg_catalog.jsonb_build_object('bytes', kept.bytes, 'size', pg_catalog.pg_size_pretty(kept.bytes),
                                     'left', slot.safe_wal_size, 'active', slot.active),
       CASE WHEN NOT slot.active THEN
           ARRAY[[pg_catalog.format('SELECT pg_drop_replication_slot(%%L)', slot.slot_name), 'none']]
       END
  FROM pg_catalog.pg_replication_slots AS slot
 CROSS JOIN LATERAL (
       SELECT pg_catalog.pg_wal_lsn_diff(
                  CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                       ELSE pg_catalog.pg_current_wal_lsn() END, slot.restart_lsn) AS bytes) AS kept
 WHERE slot.restart_lsn IS NOT NULL;

-- slot_lost --
-- Slots of which the WAL is gone, or goes with the next checkpoint: whoever reads it has to begin anew.
SELECT 'slot', NULL, slot.slot_name, NULL::float8,
       CASE WHEN slot.wal_status = 'unreserved' THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('status', coalesce(pg_catalog.to_jsonb(slot) ->> 'invalidation_reason',
                                                        slot.wal_status)),
       CASE WHEN NOT slot.active THEN
           ARRAY[[pg_catalog.format('SELECT pg_drop_replication_slot(%%L)', slot.slot_name), 'none']]
       END
  FROM pg_catalog.pg_replication_slots AS slot
 WHERE slot.wal_status IN ('unreserved', 'lost')
    OR pg_catalog.to_jsonb(slot) ->> 'invalidation_reason' IS NOT NULL
    OR pg_catalog.to_jsonb(slot) ->> 'conflicting' = 'true';

-- slot_xmin_horizon --
-- Slots that keep VACUUM from removing what is dead.
SELECT 'slot', NULL, slot.slot_name, held.age::float8, NULL,
       pg_catalog.jsonb_build_object('age', held.age, 'active', slot.active),
       CASE WHEN NOT slot.active THEN
           ARRAY[[pg_catalog.format('SELECT pg_drop_replication_slot(%%L)', slot.slot_name), 'none']]
       END
  FROM pg_catalog.pg_replication_slots AS slot
 CROSS JOIN LATERAL (
       SELECT greatest(pg_catalog.age(slot.xmin), pg_catalog.age(slot.catalog_xmin)) AS age) AS held
 WHERE held.age IS NOT NULL;

-- slot_spill --
-- What a slot's reader wrote to files because it did not fit in logical_decoding_work_mem, an hour.
SELECT 'slot', NULL, counted.slot_name, spilled.an_hour, 'info',
       pg_catalog.jsonb_build_object('size', pg_catalog.pg_size_pretty(spilled.an_hour::bigint)), NULL::text[]
  FROM pg_catalog.pg_stat_replication_slots AS counted
 CROSS JOIN pg_catalog.pg_stat_bgwriter AS writer
 CROSS JOIN LATERAL (
       SELECT counted.spill_bytes / greatest(1, pg_catalog.date_part('epoch',
                  pg_catalog.now() - greatest(counted.stats_reset, writer.stats_reset)) / 3600) AS an_hour) AS spilled
 WHERE spilled.an_hour >= %(warning)s;

-- sub_disabled --
-- Subscriptions that nobody enabled, or that an error disabled.
SELECT 'subscription', NULL, subscription.subname, NULL::float8, 'critical', '{}'::jsonb,
       ARRAY[[pg_catalog.format('ALTER SUBSCRIPTION %%I ENABLE', subscription.subname), 'none']]
  FROM pg_catalog.pg_subscription AS subscription
  JOIN pg_catalog.pg_database AS database ON database.oid = subscription.subdbid
 WHERE NOT subscription.subenabled AND database.datname = pg_catalog.current_database();

-- sub_errors --
-- Subscriptions of which the worker fails, or is not there.
SELECT 'subscription', NULL, subscription.subname, NULL::float8,
       CASE WHEN worker.is_there THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('errors', counted.apply_error_count + counted.sync_error_count,
                                     'worker', CASE WHEN worker.is_there THEN 'there' ELSE 'missing' END),
       NULL::text[]
  FROM pg_catalog.pg_subscription AS subscription
  JOIN pg_catalog.pg_database AS database ON database.oid = subscription.subdbid
  LEFT JOIN pg_catalog.pg_stat_subscription_stats AS counted ON counted.subid = subscription.oid
 CROSS JOIN LATERAL (
       SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_subscription AS working
                       WHERE working.subid = subscription.oid AND working.pid IS NOT NULL) AS is_there) AS worker
 WHERE subscription.subenabled AND database.datname = pg_catalog.current_database()
   AND (NOT worker.is_there OR counted.apply_error_count + counted.sync_error_count > 0);

-- sub_table_not_ready --
-- Tables of which the first copy is not done.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('subscription', subscription.subname, 'state', linked.srsubstate), NULL::text[]
  FROM pg_catalog.pg_subscription_rel AS linked
  JOIN pg_catalog.pg_subscription AS subscription ON subscription.oid = linked.srsubid
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.srrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE linked.srsubstate <> 'r';

-- pub_no_replica_identity --
-- Tables of which the changes are published, and nothing says which row it was: UPDATE and DELETE fail.
SELECT DISTINCT ON (class.oid)
       'table', namespace.nspname, class.relname, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('publication', publication.pubname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I REPLICA IDENTITY FULL', namespace.nspname, class.relname),
              'ACCESS EXCLUSIVE']]
  FROM pg_catalog.pg_publication AS publication
 CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname) AS published
  JOIN pg_catalog.pg_class AS class ON class.oid = published.relid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_index AS named
    ON named.indrelid = class.oid AND named.indisvalid
   AND CASE class.relreplident WHEN 'd' THEN named.indisprimary WHEN 'i' THEN named.indisreplident END
 WHERE (publication.pubupdate OR publication.pubdelete)
   AND class.relreplident <> 'f'
   AND named.indexrelid IS NULL
 ORDER BY class.oid, publication.pubname;

-- wal_archive_failing --
-- The last that was to be archived could not be; the files stay, until the disk is full.
SELECT 'server', NULL, 'archive', NULL::float8,
       CASE WHEN coalesce(archiver.last_archived_time, archiver.stats_reset) > pg_catalog.now() - interval '5 minutes'
            THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('failed', archiver.failed_count, 'file', archiver.last_failed_wal), NULL::text[]
  FROM pg_catalog.pg_stat_archiver AS archiver
 WHERE archiver.last_failed_time > coalesce(archiver.last_archived_time, '-infinity')
   AND pg_catalog.current_setting('archive_mode') <> 'off';

-- wal_archive_stalled --
-- Files that wait to be archived; a command that hangs fails never, and is seen by this alone.
SELECT 'server', NULL, 'archive', max(waiting.seconds),
       CASE WHEN count(*) >= 100 THEN 'critical'
            WHEN count(*) >= 10 AND max(waiting.seconds) < %(critical)s THEN 'warning' END,
       pg_catalog.jsonb_build_object('files', count(*), 'seconds', max(waiting.seconds)::bigint), NULL::text[]
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - file.modification) AS seconds
          FROM pg_catalog.pg_ls_archive_statusdir() AS file
         WHERE file.name LIKE '%%.ready') AS waiting
 WHERE pg_catalog.current_setting('archive_mode')
       = ANY (CASE WHEN pg_catalog.pg_is_in_recovery() THEN '{always}' ELSE '{on,always}' END::text[])
HAVING count(*) > 0;

-- wal_archive_off --
-- Without an archive a backup brings back the moment it was taken, and no other.
SELECT 'setting', NULL, missing.name, NULL::float8, missing.state,
       pg_catalog.jsonb_build_object('said', missing.said), NULL::text[]
  FROM (SELECT 'archive_mode' AS name, 'info' AS state, 'no WAL is archived' AS said
         WHERE pg_catalog.current_setting('archive_mode') = 'off'
        UNION ALL
        SELECT 'archive_command', 'critical', 'archive_mode is on, and nothing says how to archive: WAL piles up'
         WHERE pg_catalog.current_setting('archive_mode') <> 'off'
           AND pg_catalog.current_setting('archive_command') IN ('', '(disabled)')
           AND pg_catalog.current_setting('archive_library') = '') AS missing;

-- wal_dir_size --
-- How much WAL there is beside what there should be.
SELECT 'server', NULL, 'pg_wal', found.bytes::float8 / room.bytes, NULL,
       pg_catalog.jsonb_build_object('bytes', found.bytes, 'size', pg_catalog.pg_size_pretty(found.bytes),
                                     'room', pg_catalog.pg_size_pretty(room.bytes)), NULL::text[]
  FROM (SELECT sum(size)::bigint AS bytes FROM pg_catalog.pg_ls_waldir()) AS found,
       (SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size'))
               + pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_keep_size')) AS bytes) AS room;

-- wal_checkpoints_requested --
-- Checkpoints that came before their time since the counters began: max_wal_size is small for what is written.
SELECT 'server', NULL, 'checkpoints', counted.num_requested::float8 / (counted.num_timed + counted.num_requested),
       NULL,
       pg_catalog.jsonb_build_object('requested', counted.num_requested,
                                     'every', counted.num_timed + counted.num_requested),
       ARRAY[['ALTER SYSTEM SET max_wal_size = '
                  || pg_catalog.quote_literal(2 * pg_catalog.pg_size_bytes(
                         pg_catalog.current_setting('max_wal_size')) / 1048576 || 'MB'), 'none'],
             ['SELECT pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_stat_checkpointer AS counted
 WHERE counted.num_timed + counted.num_requested >= 10;

-- wal_checkpoints_requested_older --
-- The same where the background writer counts them, before 17.
SELECT 'server', NULL, 'checkpoints',
       counted.checkpoints_req::float8 / (counted.checkpoints_timed + counted.checkpoints_req), NULL,
       pg_catalog.jsonb_build_object('requested', counted.checkpoints_req,
                                     'every', counted.checkpoints_timed + counted.checkpoints_req),
       ARRAY[['ALTER SYSTEM SET max_wal_size = '
                  || pg_catalog.quote_literal(2 * pg_catalog.pg_size_bytes(
                         pg_catalog.current_setting('max_wal_size')) / 1048576 || 'MB'), 'none'],
             ['SELECT pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_stat_bgwriter AS counted
 WHERE counted.checkpoints_timed + counted.checkpoints_req >= 10;

-- wal_checkpoint_age --
-- How much WAL there is since the last checkpoint beside what should bring the next: time says nothing, an idle
-- server needs none.
SELECT 'server', NULL, 'checkpoint', since.bytes::float8 / since.most, NULL,
       pg_catalog.jsonb_build_object('seconds', since.seconds::bigint, 'bytes', since.bytes,
                                     'size', pg_catalog.pg_size_pretty(since.bytes)),
       ARRAY[['CHECKPOINT', 'none']]
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - control.checkpoint_time) AS seconds,
               pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), control.redo_lsn) AS bytes,
               pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')) AS most
          FROM pg_catalog.pg_control_checkpoint() AS control) AS since;

-- backup_in_progress_stuck --
-- Copies of the server's files that have been going on for long.
SELECT 'session', NULL, running.pid::text, taken.seconds, NULL,
       pg_catalog.jsonb_build_object('pid', running.pid, 'phase', running.phase, 'seconds', taken.seconds::bigint),
       ARRAY[[pg_catalog.format('SELECT pg_terminate_backend(%%s)', running.pid), 'none']]
  FROM pg_catalog.pg_stat_progress_basebackup AS running
  JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = running.pid
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.backend_start) AS seconds) AS taken;

-- notify_queue --
-- How much of the queue of NOTIFY is taken: a listener in a long transaction keeps all of it.
SELECT 'server', NULL, 'notify', queue.taken, NULL,
       pg_catalog.jsonb_build_object('taken', pg_catalog.round(queue.taken::numeric, 3)), NULL::text[]
  FROM (SELECT pg_catalog.pg_notification_queue_usage() AS taken) AS queue;

-- Wraparound, settings, checksums, collations, resources.

-- xid_table --
-- The tables of this database that hold the oldest transactions.
SELECT 'table', namespace.nspname, class.relname, oldest.age::float8, NULL,
       pg_catalog.jsonb_build_object('age', oldest.age),
       ARRAY[[pg_catalog.format('VACUUM (FREEZE) %%I.%%I', namespace.nspname, class.relname),
              'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = class.reltoastrelid
 CROSS JOIN LATERAL (
       SELECT greatest(pg_catalog.age(class.relfrozenxid), pg_catalog.age(toast.relfrozenxid)) AS age) AS oldest
 WHERE class.relkind IN ('r', 'm')
   AND oldest.age >= %(warning)s
 ORDER BY oldest.age DESC
 LIMIT 20;

-- mxid_database --
-- The age of the oldest shared row lock that each database may still ask for.
SELECT 'database', NULL, datname, pg_catalog.mxid_age(datminmxid)::float8, NULL,
       pg_catalog.jsonb_build_object('age', pg_catalog.mxid_age(datminmxid)),
       CASE WHEN datname = pg_catalog.current_database() THEN
           ARRAY[['VACUUM (FREEZE)', 'SHARE UPDATE EXCLUSIVE on one table after another']]
       END
  FROM pg_catalog.pg_database;

-- xid_autovacuum_emergency --
-- Databases older than autovacuum lets them become: it cannot keep up, or something holds it back.
SELECT 'database', NULL, datname,
       pg_catalog.age(datfrozenxid)::float8 / pg_catalog.current_setting('autovacuum_freeze_max_age')::float8, NULL,
       pg_catalog.jsonb_build_object(
           'age', pg_catalog.age(datfrozenxid),
           'freeze', pg_catalog.current_setting('autovacuum_freeze_max_age')::bigint),
       CASE WHEN datname = pg_catalog.current_database() THEN
           ARRAY[['VACUUM (FREEZE)', 'SHARE UPDATE EXCLUSIVE on one table after another']]
       END
  FROM pg_catalog.pg_database;

-- xid_horizon_holder --
-- Who keeps VACUUM from removing what is dead: the oldest of all.
SELECT holder.kind, NULL, holder.name, holder.age::float8, NULL,
       pg_catalog.jsonb_build_object('holder', holder.kind || ' ' || holder.name, 'age', holder.age),
       CASE WHEN holder.fix IS NOT NULL THEN ARRAY[[holder.fix, 'none']] END
  FROM (SELECT 'session' AS kind, activity.pid::text AS name,
               greatest(pg_catalog.age(activity.backend_xmin), pg_catalog.age(activity.backend_xid)) AS age,
               pg_catalog.format('SELECT pg_terminate_backend(%%s)', activity.pid) AS fix
          FROM pg_catalog.pg_stat_activity AS activity
         WHERE activity.pid <> pg_catalog.pg_backend_pid()
           AND activity.backend_type IS DISTINCT FROM 'walsender'
        UNION ALL
        SELECT 'prepared transaction', gid, pg_catalog.age(transaction),
               pg_catalog.format('ROLLBACK PREPARED %%L', gid)
          FROM pg_catalog.pg_prepared_xacts
        UNION ALL
        SELECT 'slot', slot_name, greatest(pg_catalog.age(xmin), pg_catalog.age(catalog_xmin)),
               CASE WHEN NOT active THEN pg_catalog.format('SELECT pg_drop_replication_slot(%%L)', slot_name) END
          FROM pg_catalog.pg_replication_slots
        UNION ALL
        SELECT 'standby', application_name, pg_catalog.age(backend_xmin), NULL
          FROM pg_catalog.pg_stat_replication) AS holder
 WHERE holder.age IS NOT NULL
 ORDER BY holder.age DESC
 LIMIT 10;

-- set_corruption_masking --
-- Settings for the rescue of a broken server, left on: what is broken is read as if it were not there.
SELECT 'setting', NULL, name, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('whose', 'everybody'),
       CASE WHEN context <> 'postmaster' THEN
           ARRAY[[pg_catalog.format('ALTER SYSTEM RESET %%I', name), 'none'], ['SELECT pg_reload_conf()', 'none']]
       ELSE ARRAY[[pg_catalog.format('ALTER SYSTEM RESET %%I', name), 'none; a restart follows']] END
  FROM pg_catalog.pg_settings
 WHERE name IN ('zero_damaged_pages', 'ignore_checksum_failure', 'ignore_invalid_pages', 'ignore_system_indexes')
   AND setting = 'on' AND source NOT IN ('database', 'user', 'database user')
UNION ALL
SELECT 'setting', NULL, pg_catalog.split_part(pair, '=', 1), NULL, 'critical',
       pg_catalog.jsonb_build_object(
           'whose', pg_catalog.concat_ws(' in ', role.rolname, coalesce(database.datname, 'every database'))),
       ARRAY[[pg_catalog.format('ALTER %%s RESET %%I',
                  CASE WHEN altered.setrole = 0 AND altered.setdatabase = 0 THEN 'ROLE ALL'
                       WHEN altered.setrole = 0 THEN 'DATABASE ' || pg_catalog.quote_ident(database.datname)
                       ELSE 'ROLE ' || pg_catalog.quote_ident(role.rolname)
                            || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(database.datname), '') END,
                  pg_catalog.split_part(pair, '=', 1)), 'none']]
  FROM pg_catalog.pg_db_role_setting AS altered
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = altered.setrole
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = altered.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(altered.setconfig) AS pair
 WHERE pair ~ '^(zero_damaged_pages|ignore_checksum_failure|ignore_system_indexes)=(on|true|yes|1)$';

-- set_conf_errors --
-- Lines of the configuration that the server does not take; what only waits for a restart is another check's.
SELECT 'setting', NULL, coalesce(written.name, written.sourcefile || ':' || written.sourceline), NULL::float8,
       'warning',
       pg_catalog.jsonb_build_object('file', written.sourcefile, 'line', written.sourceline, 'error', written.error),
       NULL::text[]
  FROM pg_catalog.pg_file_settings AS written
 WHERE written.error IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_settings AS known
                    WHERE known.name = written.name AND known.pending_restart);

-- set_hba_errors --
-- Lines of pg_hba.conf that the server does not take: while there is one, a change of any other has no effect.
SELECT 'hba line', NULL, written.line_number::text, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('line', written.line_number, 'error', written.error), NULL::text[]
  FROM pg_catalog.pg_hba_file_rules AS written
 WHERE written.error IS NOT NULL;

-- set_timeouts --
-- Timeouts given to a role or a database that are so short that nothing can be done.
SELECT CASE WHEN altered.setrole = 0 THEN 'database' ELSE 'role' END, NULL,
       coalesce(role.rolname, database.datname, 'all'), spoken.ms, NULL,
       pg_catalog.jsonb_build_object(
           'setting', spoken.name, 'value', spoken.value,
           'whose', pg_catalog.concat_ws(' in ', role.rolname, coalesce(database.datname, 'every database'))),
       ARRAY[[pg_catalog.format('ALTER %%s RESET %%I',
                  CASE WHEN altered.setrole = 0 AND altered.setdatabase = 0 THEN 'ROLE ALL'
                       WHEN altered.setrole = 0 THEN 'DATABASE ' || pg_catalog.quote_ident(database.datname)
                       ELSE 'ROLE ' || pg_catalog.quote_ident(role.rolname)
                            || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(database.datname), '') END,
                  spoken.name), 'none']]
  FROM pg_catalog.pg_db_role_setting AS altered
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = altered.setrole
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = altered.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(altered.setconfig) AS pair
 CROSS JOIN LATERAL (
       SELECT pg_catalog.split_part(pair, '=', 1) AS name, pg_catalog.split_part(pair, '=', 2) AS value,
              CASE WHEN pg_catalog.split_part(pair, '=', 2) ~ '^ *[0-9.]+ *$'
                   THEN pg_catalog.split_part(pair, '=', 2)::float8
                   WHEN pg_catalog.split_part(pair, '=', 2) ~ '^ *[0-9.]+ *(us|ms|s|min|h|d) *$'
                   THEN 1000 * pg_catalog.date_part('epoch', pg_catalog.split_part(pair, '=', 2)::interval)
              END AS ms) AS spoken
 WHERE spoken.name IN ('statement_timeout', 'transaction_timeout') AND spoken.ms > 0;

-- set_preload --
-- Without pg_stat_statements nobody can say which statement took the time.
SELECT 'setting', NULL, 'shared_preload_libraries', NULL::float8, 'info', '{}'::jsonb, NULL::text[]
 WHERE pg_catalog.current_setting('shared_preload_libraries') !~ '\mpg_stat_statements\M';

-- set_huge_pages --
-- Much memory that is shared, in pages of four kilobytes.
SELECT 'setting', NULL, 'huge_pages', NULL::float8, 'info',
       pg_catalog.jsonb_build_object('shared', pg_catalog.current_setting('shared_buffers')), NULL::text[]
 WHERE pg_catalog.current_setting('huge_pages_status', true) = 'off'
   AND pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) >= 8589934592;

-- chk_failures --
-- Pages that did not have the checksum that they were written with.
SELECT 'database', NULL, coalesce(datname, 'shared'), NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('failures', checksum_failures, 'last', checksum_last_failure), NULL::text[]
  FROM pg_catalog.pg_stat_database
 WHERE checksum_failures > 0;

-- chk_disabled --
-- Without checksums what the disk has changed is read as if it had been written so.
SELECT 'setting', NULL, 'data_checksums', NULL::float8, 'warning', '{}'::jsonb, NULL::text[]
 WHERE pg_catalog.current_setting('data_checksums') = 'off';

-- chk_missing_files --
-- Tables and indexes of which the file is not there; their size is said to be nothing.
SELECT CASE class.relkind WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' ELSE 'table' END, namespace.nspname,
       class.relname, NULL::float8, 'critical', '{}'::jsonb, NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'i', 'S', 't', 'm')
   AND class.relpersistence <> 't'
   AND (pg_catalog.pg_stat_file(pg_catalog.pg_relation_filepath(class.oid), true)).size IS NULL
   -- One that has been dropped meanwhile has no path any more.
   AND pg_catalog.pg_relation_filepath(class.oid) IS NOT NULL;

-- coll_database --
-- Databases that another version of the library sorted: their indexes may be in an order that is not theirs.
SELECT 'database', NULL, known.datname, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('was', known.datcollversion,
                                     'is', pg_catalog.pg_database_collation_actual_version(known.oid)),
       CASE WHEN known.datname = pg_catalog.current_database() THEN
           ARRAY[[pg_catalog.format('REINDEX DATABASE CONCURRENTLY %%I', known.datname), 'SHARE UPDATE EXCLUSIVE'],
                 [pg_catalog.format('ALTER DATABASE %%I REFRESH COLLATION VERSION', known.datname), 'none']]
       END
  FROM pg_catalog.pg_database AS known
 WHERE known.datcollversion <> pg_catalog.pg_database_collation_actual_version(known.oid);

-- coll_objects --
-- Collations of which the library has another version than the one that indexes were sorted by.
SELECT 'collation', outdated.nspname, outdated.collname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('was', outdated.collversion, 'is', outdated.now, 'indexes', count(*)),
       -- The version is the last: what is not sorted anew before would be taken for sorted.
       pg_catalog.array_agg(
           ARRAY[pg_catalog.format('REINDEX INDEX CONCURRENTLY %%I.%%I', namespace.nspname, class.relname),
                 'SHARE UPDATE EXCLUSIVE'])
           || ARRAY[[pg_catalog.format('ALTER COLLATION %%I.%%I REFRESH VERSION',
                                       outdated.nspname, outdated.collname), 'none']]
  FROM (SELECT sorting.oid, sorting.collname, sorting.collversion, home.nspname,
               pg_catalog.pg_collation_actual_version(sorting.oid) AS now
          FROM pg_catalog.pg_collation AS sorting
          JOIN pg_catalog.pg_namespace AS home ON home.oid = sorting.collnamespace
         WHERE sorting.collversion IS NOT NULL
           AND sorting.oid IN (SELECT pg_catalog.unnest(indcollation) FROM pg_catalog.pg_index)) AS outdated
  JOIN pg_catalog.pg_index AS index ON outdated.oid = ANY (index.indcollation)
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid AND class.relkind = 'i'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE outdated.collversion <> outdated.now
 GROUP BY outdated.nspname, outdated.collname, outdated.collversion, outdated.now;

-- cache_hit --
-- Reads that were answered from the server's memory since the counters began.
SELECT 'database', NULL, counted.datname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('percent', pg_catalog.round(100 * part.hit, 1)), NULL::text[]
  FROM pg_catalog.pg_stat_database AS counted
 CROSS JOIN LATERAL (
       SELECT counted.blks_hit::numeric / nullif(counted.blks_hit + counted.blks_read, 0) AS hit) AS part
 WHERE counted.blks_hit + counted.blks_read >= 10000
   AND counted.datname IS NOT NULL
   AND part.hit < %(warning)s;

-- temp_bytes --
-- What went to files because it did not fit in work_mem, an hour, since the counters began.
SELECT 'database', NULL, counted.datname, counted.temp_bytes / since.hours, 'info',
       pg_catalog.jsonb_build_object('size', pg_catalog.pg_size_pretty((counted.temp_bytes / since.hours)::bigint)),
       NULL::text[]
  FROM pg_catalog.pg_stat_database AS counted
 CROSS JOIN pg_catalog.pg_stat_bgwriter AS writer
 CROSS JOIN LATERAL (
       SELECT greatest(1, pg_catalog.date_part('epoch',
                  pg_catalog.now() - greatest(counted.stats_reset, writer.stats_reset)) / 3600) AS hours) AS since
 WHERE counted.datname IS NOT NULL
   AND counted.temp_bytes / since.hours >= %(warning)s;

-- rollback_ratio --
-- Transactions that were rolled back since the counters began.
SELECT 'database', NULL, counted.datname, counted.xact_rollback::float8 / (counted.xact_rollback + counted.xact_commit),
       NULL,
       pg_catalog.jsonb_build_object(
           'rolled_back', counted.xact_rollback, 'every', counted.xact_rollback + counted.xact_commit),
       NULL::text[]
  FROM pg_catalog.pg_stat_database AS counted
 WHERE counted.datname IS NOT NULL AND counted.xact_rollback > 100;
