-- The statements of the brakes of backfills: each returns a row for what stands against going on.

-- behind_primary --
-- The standby or subscriber that is furthest behind, by bytes and seconds; what a login may not see is NULL.
SELECT coalesce(nullif(standby.application_name, ''), standby.client_addr::text, 'a standby'),
       away.bytes,
       away.seconds
  FROM pg_catalog.pg_stat_replication AS standby
 CROSS JOIN LATERAL (
     SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), coalesce(standby.replay_lsn, standby.sent_lsn))::bigint AS bytes,
            coalesce(extract(epoch FROM standby.replay_lag), 0)::float8 AS seconds
 ) AS away
 WHERE standby.state IN ('catchup', 'streaming')
   AND NOT (coalesce(standby.application_name, '') = ANY (%(ignored)s::text[]))
   AND (away.bytes > %(bytes)s::bigint OR away.seconds > %(seconds)s::float8)
 ORDER BY away.bytes DESC
 LIMIT 1;

-- held_by_slot --
-- The replication slot that keeps the most WAL, if it is too much, or one that the server is about to give up.
SELECT slot.slot_name::text, kept.bytes, slot.wal_status = 'unreserved'
  FROM pg_catalog.pg_replication_slots AS slot
 CROSS JOIN LATERAL (
     SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), slot.restart_lsn)::bigint AS bytes
 ) AS kept
 WHERE slot.restart_lsn IS NOT NULL
   AND NOT (slot.slot_name::text = ANY (%(ignored)s::text[]))
   AND (kept.bytes > %(bytes)s::bigint OR slot.wal_status = 'unreserved')
 ORDER BY kept.bytes DESC
 LIMIT 1;

-- wal_so_far --
-- How much WAL the server has written.
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint;

-- may_list_archive --
-- Whether WAL is archived, and whether this login may count the files that wait for it.
SELECT pg_catalog.current_setting('archive_mode') <> 'off',
       pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE');

-- waiting_for_archive --
-- How many files wait to be archived.
SELECT count(*)
  FROM pg_catalog.pg_ls_archive_statusdir() AS file
 WHERE file.name LIKE '%%.ready';

-- archive_fails --
-- The file that could not be archived last, if none was since.
SELECT archiver.last_failed_wal
  FROM pg_catalog.pg_stat_archiver AS archiver
 WHERE archiver.last_failed_time > coalesce(archiver.last_archived_time, '-infinity');

-- vacuumed_now --
-- The table that an autovacuum is at, if it is a table or one of those that hold its rows.
SELECT held.relation::regclass::text
  FROM pg_catalog.pg_locks AS held
  JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = held.pid
 WHERE held.locktype = 'relation'
   AND held.granted
   AND held.database = (SELECT one.oid FROM pg_catalog.pg_database AS one WHERE one.datname = pg_catalog.current_database())
   AND held.relation = ANY (%(oids)s::oid[])
   AND held.mode = 'ShareUpdateExclusiveLock'
   AND activity.backend_type = 'autovacuum worker'
   AND activity.query LIKE 'autovacuum: VACUUM %%'
 LIMIT 1;

-- others_write --
-- Whether a transaction that is at work has written, in any database of the server; not one of these sessions, nor
-- one that has stood still for a second. A prepared one is of no session; nobody waits for an autovacuum to commit.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_locks AS held
      JOIN pg_catalog.pg_stat_activity AS session ON session.pid = held.pid
     WHERE held.locktype = 'transactionid'
       AND held.granted
       AND held.pid <> pg_catalog.pg_backend_pid()
       AND held.pid <> ALL (%(pids)s::int[])
       AND session.backend_type IS DISTINCT FROM 'autovacuum worker'
       AND (session.state LIKE 'idle%%' AND session.state_change < pg_catalog.clock_timestamp() - INTERVAL '1 second') IS NOT TRUE
);

-- behind_us --
-- Who has waited for one of these sessions, and for how long.
SELECT waiting.pid, waited.seconds
  FROM pg_catalog.pg_locks AS waiting
 CROSS JOIN LATERAL (
     SELECT extract(epoch FROM pg_catalog.clock_timestamp() - waiting.waitstart)::float8 AS seconds
 ) AS waited
 WHERE NOT waiting.granted
   AND waited.seconds > %(seconds)s::float8
   AND waiting.pid <> ALL (%(pids)s::int[])
   AND pg_catalog.pg_blocking_pids(waiting.pid) && %(pids)s::int[]
 ORDER BY waited.seconds DESC
 LIMIT 1;
