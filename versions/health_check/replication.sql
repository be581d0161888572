-- The statements of the checks of replication, slots, subscriptions, WAL and the archive.

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
SELECT 'server', NULL, 'replay', replayed.seconds, CASE WHEN replayed.received IS NULL THEN 'unknown' END,
       pg_catalog.jsonb_build_object(
           'seconds', replayed.seconds::bigint,
           'bytes', pg_catalog.pg_wal_lsn_diff(replayed.received, pg_catalog.pg_last_wal_replay_lsn()))
           || CASE WHEN replayed.received IS NOT NULL THEN '{}'::jsonb ELSE pg_catalog.jsonb_build_object('reason',
                  pg_catalog.format('it replays files alone, the last of %%s s ago: where its primary is nobody says',
                                    replayed.seconds::bigint)) END,
       NULL::text[]
  -- One that has replayed no commit yet is as old as its start.
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                   - coalesce(pg_catalog.pg_last_xact_replay_timestamp(),
                              pg_catalog.pg_postmaster_start_time())) AS seconds,
               pg_catalog.pg_last_wal_receive_lsn() AS received) AS replayed
 WHERE replayed.seconds >= coalesce(%(warning)s::float8, %(critical)s::float8)
   -- What arrives after a long silence is replayed in a moment: it is late if it is not.
   AND CASE WHEN replayed.received IS NULL THEN true
            WHEN pg_catalog.pg_last_wal_replay_lsn() >= replayed.received THEN false
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
       pg_catalog.jsonb_build_object('wanted', needed.standbys, 'there', needed.there,
                                     'waiting', (SELECT count(*) FROM pg_catalog.pg_stat_activity
                                                  WHERE wait_event = 'SyncRep')),
       ARRAY[['ALTER SYSTEM SET synchronous_standby_names = ''''', 'none'], ['SELECT pg_reload_conf()', 'none']]
  -- `FIRST 2 (a, b)` waits for two.
  FROM (SELECT coalesce((pg_catalog.regexp_match(pg_catalog.current_setting('synchronous_standby_names'),
                                                 '^\s*(?:[A-Za-z]+\s+)?([0-9]+)\s*\('))[1]::int, 1) AS standbys,
               (SELECT count(*) FROM pg_catalog.pg_stat_replication
                 WHERE sync_state IN ('sync', 'quorum')) AS there) AS needed
 WHERE pg_catalog.current_setting('synchronous_standby_names') <> '' AND needed.there < needed.standbys;

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
       -- One that goes on has failed before, and got over it.
       CASE WHEN worker.is_steady THEN 'info' WHEN worker.is_there THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('errors', counted.apply_error_count + counted.sync_error_count,
                                     'worker', CASE WHEN worker.is_there THEN 'there' ELSE 'missing' END),
       NULL::text[]
  FROM pg_catalog.pg_subscription AS subscription
  JOIN pg_catalog.pg_database AS database ON database.oid = subscription.subdbid
  LEFT JOIN pg_catalog.pg_stat_subscription_stats AS counted ON counted.subid = subscription.oid
 CROSS JOIN LATERAL (
       -- The one that applies, beside those that copy tables.
       SELECT count(*) > 0 AS is_there,
              coalesce(bool_or(session.backend_start < pg_catalog.clock_timestamp() - INTERVAL '5 minutes'), false) AS is_steady
         FROM pg_catalog.pg_stat_subscription AS working
         LEFT JOIN pg_catalog.pg_stat_activity AS session ON session.pid = working.pid
        WHERE working.subid = subscription.oid AND working.pid IS NOT NULL AND working.relid IS NULL) AS worker
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
    -- One that may be checked at the end of a transaction says it of no row.
    ON named.indrelid = class.oid AND named.indisvalid AND named.indimmediate
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
