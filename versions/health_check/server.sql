-- The statements of the checks of the server itself, from who may connect to what its disk gives back.

-- avail_invalid_database --
-- Databases whose DROP was interrupted: nobody can connect to them, and their files stay.
SELECT 'database', NULL, datname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('oid', oid::bigint),
       ARRAY[[pg_catalog.format('DROP DATABASE %%I', datname), 'the database']]
  FROM pg_catalog.pg_database
 WHERE datconnlimit = -2;

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
   -- What this session says of itself is nobody else's.
   AND source NOT IN ('global', 'database', 'user', 'database user', 'client', 'session')
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
 -- It is kept as it was written, and `T` is written too.
 WHERE CASE WHEN pg_catalog.starts_with(pair, 'default_transaction_read_only=')
            THEN pg_catalog.split_part(pair, '=', 2)::boolean ELSE false END;

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
-- Releases that mend this one, of those that were known when this was written, or that somebody says.
SELECT 'server', NULL, 'version', NULL::float8, 'warning',
       pg_catalog.jsonb_build_object(
           'version', pg_catalog.format('%%s.%%s', running.version / 10000, running.version %% 10000),
           'known', pg_catalog.format('%%s.%%s', known.major, known.minor)),
       NULL::text[]
  FROM (SELECT pg_catalog.current_setting('server_version_num')::int AS version) AS running
  JOIN (SELECT pg_catalog.split_part(release.name, '.', 1)::int AS major, pg_catalog.split_part(release.name, '.', 2)::int AS minor
          FROM pg_catalog.regexp_split_to_table(%(newest)s, ' +') AS release (name)
         WHERE release.name ~ '^[0-9]{2}[.][0-9]{1,4}$') AS known
    ON known.major = running.version / 10000 AND known.minor > running.version %% 10000;

-- avail_log_writable --
-- What to ask, where the server writes its log itself: whether the file that it writes is there.
SELECT 'server', NULL, 'log',
       CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_current_logfile()', 'EXECUTE')
                 AND pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text, boolean)', 'EXECUTE') THEN
           'SELECT ''server'', NULL, ''log'', NULL::float8, CASE WHEN there.size IS NULL THEN ''warning'' ELSE ''ok'' END,'
           ' pg_catalog.jsonb_build_object(''file'', coalesce(written.file, ''a file that it does not name'')),'
           ' ARRAY[[''SELECT pg_catalog.pg_rotate_logfile()'', ''none'']]'
           ' FROM (SELECT pg_catalog.pg_current_logfile()) AS written (file)'
           ' CROSS JOIN LATERAL pg_catalog.pg_stat_file(written.file, true) AS there'
       END,
       'GRANT EXECUTE ON FUNCTION pg_catalog.pg_current_logfile(), pg_catalog.pg_stat_file(text, boolean) TO the login'
 WHERE pg_catalog.current_setting('logging_collector') = 'on';

-- avail_clock_skew --
-- The server's clock beside that of whoever asks.
SELECT 'server', NULL, 'clock', pg_catalog.abs(apart.seconds), NULL,
       pg_catalog.jsonb_build_object('seconds', pg_catalog.round(apart.seconds::numeric, 1)), NULL::text[]
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) - %(now)s AS seconds) AS apart;

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
-- Transactions of many statements that have been open for long; one that has been idle for long is another check's.
SELECT 'session', NULL, activity.pid::text, open.seconds, NULL,
       pg_catalog.jsonb_build_object('pid', activity.pid, 'role', activity.usename,
                                     'application', activity.application_name, 'seconds', open.seconds::bigint,
                                     'horizon_age', pg_catalog.age(activity.backend_xmin)),
       ARRAY[[pg_catalog.format('SELECT pg_terminate_backend(%%s)', activity.pid), 'none']]
  FROM pg_catalog.pg_stat_activity AS activity
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.xact_start) AS seconds) AS open
 WHERE activity.backend_type = 'client backend'
   AND (activity.state = 'active' AND activity.xact_start < activity.query_start
        -- Between two of its statements.
        OR activity.state = 'idle in transaction'
           AND activity.state_change > pg_catalog.clock_timestamp() - INTERVAL '1 minute')
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
   AND oldest.age >= coalesce(%(warning)s::float8, %(critical)s::float8)
 ORDER BY oldest.age DESC
 LIMIT 20;

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
           -- What VACUUM itself sees keeps no other from anything.
           AND activity.pid NOT IN (SELECT vacuum.pid FROM pg_catalog.pg_stat_progress_vacuum AS vacuum)
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

-- mxid_database --
-- The age of the oldest shared row lock that each database may still ask for.
SELECT 'database', NULL, datname, pg_catalog.mxid_age(datminmxid)::float8, NULL,
       pg_catalog.jsonb_build_object('age', pg_catalog.mxid_age(datminmxid)),
       CASE WHEN datname = pg_catalog.current_database() THEN
           ARRAY[['VACUUM (FREEZE)', 'SHARE UPDATE EXCLUSIVE on one table after another']]
       END
  FROM pg_catalog.pg_database;

-- mxid_members --
-- How much of the room for those that share a lock is taken: a file holds 32 pages, and a page groups of four.
SELECT 'server', NULL, 'multixact members', taken.members / 4294967296, NULL,
       pg_catalog.jsonb_build_object('size', pg_catalog.pg_size_pretty(taken.files * 32 * taken.block)),
       ARRAY[['VACUUM (FREEZE)', 'SHARE UPDATE EXCLUSIVE on one table after another; in every database']]
  FROM (SELECT found.files, found.block, found.files * 32 * (found.block / 20 * 4)::float8 AS members
          FROM (SELECT count(*) AS files, pg_catalog.current_setting('block_size')::bigint AS block
                  FROM pg_catalog.pg_ls_dir('pg_multixact/members')) AS found) AS taken;

-- set_durability --
-- Settings without which a crash loses or breaks what was committed: of the server, of a database, of a role.
SELECT 'setting', NULL, name, NULL::float8,
       CASE WHEN name = 'synchronous_commit' THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('setting', setting),
       ARRAY[[pg_catalog.format('ALTER SYSTEM SET %%I = on', name), 'none'], ['SELECT pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
   AND source NOT IN ('global', 'database', 'user', 'database user', 'client', 'session')
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
 WHERE pair ~* '^synchronous_commit=(off|false|no|0)$';

-- set_pending_restart --
-- Settings that were changed and wait for a restart.
SELECT 'setting', NULL, name, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('setting', setting), NULL::text[]
  FROM pg_catalog.pg_settings
 WHERE pending_restart;

-- set_corruption_masking --
-- Settings for the rescue of a broken server, left on: what is broken is read as if it were not there.
SELECT 'setting', NULL, name, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('whose', 'everybody'),
       CASE WHEN context <> 'postmaster' THEN
           ARRAY[[pg_catalog.format('ALTER SYSTEM RESET %%I', name), 'none'], ['SELECT pg_reload_conf()', 'none']]
       ELSE ARRAY[[pg_catalog.format('ALTER SYSTEM RESET %%I', name), 'none; a restart follows']] END
  FROM pg_catalog.pg_settings
 WHERE name IN ('zero_damaged_pages', 'ignore_checksum_failure', 'ignore_invalid_pages', 'ignore_system_indexes')
   AND setting = 'on' AND source NOT IN ('global', 'database', 'user', 'database user', 'client', 'session')
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
 WHERE CASE WHEN pg_catalog.split_part(pair, '=', 1)
                 IN ('zero_damaged_pages', 'ignore_checksum_failure', 'ignore_system_indexes')
            THEN pg_catalog.split_part(pair, '=', 2)::boolean ELSE false END;

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

-- set_no_timeouts --
-- Logins that may wait, or leave a transaction open, for ever. What the server says is read from its files: a session
-- that has a timeout of its own, as this one, sees that in place of it.
WITH written AS MATERIALIZED (
    SELECT DISTINCT ON (line.name) line.name, line.setting
      FROM pg_catalog.pg_file_settings AS line
     WHERE line.error IS NULL
     ORDER BY line.name, line.seqno DESC
), altered AS MATERIALIZED (
    SELECT given.setrole, given.setdatabase, pg_catalog.split_part(pair, '=', 1) AS name,
           pg_catalog.split_part(pair, '=', 2) AS value
      FROM pg_catalog.pg_db_role_setting AS given
     CROSS JOIN LATERAL pg_catalog.unnest(given.setconfig) AS pair
     WHERE given.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
), meant AS MATERIALIZED (
    -- Those that this version has.
    SELECT bound.name, bound.value, coalesce(written.setting, known.boot_val) AS otherwise
      FROM (VALUES ('idle_in_transaction_session_timeout', '5min'), ('lock_timeout', '30s'),
                   ('transaction_timeout', '1h')) AS bound (name, value)
      JOIN pg_catalog.pg_settings AS known ON known.name = bound.name
      LEFT JOIN written ON written.name = bound.name
)
SELECT 'role', NULL, role.rolname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('timeouts', pg_catalog.string_agg(meant.name, ', ' ORDER BY meant.name)),
       pg_catalog.array_agg(ARRAY[pg_catalog.format('ALTER ROLE %%I IN DATABASE %%I SET %%I = %%L', role.rolname,
                                                    pg_catalog.current_database(), meant.name, meant.value), 'none']
                            ORDER BY meant.name)
  FROM pg_catalog.pg_roles AS role
 CROSS JOIN meant
  LEFT JOIN LATERAL (
       -- What is said of a role in a database goes before what is said of the role, and that before the database.
       SELECT altered.value
         FROM altered
        WHERE altered.name = meant.name AND altered.setrole IN (0, role.oid)
        ORDER BY altered.setrole = 0, altered.setdatabase = 0
        LIMIT 1) AS own ON true
 WHERE role.rolcanlogin AND NOT role.rolsuper AND NOT role.rolreplication
   AND pg_catalog.has_database_privilege(role.oid, pg_catalog.current_database(), 'CONNECT')
   AND coalesce(own.value, meant.otherwise) ~ '^ *0+([.]0*)? *[a-z]*$'
 GROUP BY role.rolname;

-- set_preload --
-- Without pg_stat_statements nobody can say which statement took the time.
SELECT 'setting', NULL, 'shared_preload_libraries', NULL::float8, 'info', '{}'::jsonb, NULL::text[]
 WHERE pg_catalog.current_setting('shared_preload_libraries') !~ '\mpg_stat_statements\M';

-- set_huge_pages --
-- Much memory that is shared, in pages of four kilobytes.
SELECT 'setting', NULL, 'huge_pages', NULL::float8, 'info',
       pg_catalog.jsonb_build_object('shared', pg_catalog.current_setting('shared_buffers')), NULL::text[]
 WHERE pg_catalog.current_setting('huge_pages_status', true) = 'off'
   AND pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) >= %(least_bytes)s;

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
WITH there AS MATERIALIZED (
    SELECT file
      FROM pg_catalog.pg_database AS here
     CROSS JOIN LATERAL pg_catalog.pg_ls_dir('base/' || here.oid) AS file
     -- In pg_default.
     WHERE here.datname = pg_catalog.current_database() AND here.dattablespace = 1663
)
SELECT CASE class.relkind WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' ELSE 'table' END, namespace.nspname,
       class.relname, NULL::float8, 'critical', '{}'::jsonb, NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'i', 'S', 't', 'm')
   -- A standby has none of what is unlogged.
   AND class.relpersistence <> ALL (CASE WHEN pg_catalog.pg_is_in_recovery() THEN '{t,u}' ELSE '{t}' END::text[])
   -- To list a folder takes less than to ask for each file; what is not in it is asked for by itself. One that has
   -- been dropped meanwhile has no path any more.
   AND CASE WHEN class.reltablespace = 0 AND EXISTS (SELECT FROM there WHERE there.file = class.relfilenode::text)
            THEN false
            WHEN (pg_catalog.pg_stat_file(pg_catalog.pg_relation_filepath(class.oid), true)).size IS NULL
            THEN pg_catalog.pg_relation_filepath(class.oid) IS NOT NULL ELSE false END;

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
