-- The statements that several rooms share.

-- try_advisory_lock --
-- Take the session lock of a key if it is free; never waits.
SELECT pg_catalog.pg_try_advisory_lock(%(key)s::bigint);

-- advisory_unlock --
-- Give the session lock of a key back.
SELECT pg_catalog.pg_advisory_unlock(%(key)s::bigint);

-- advisory_lock_holder --
-- Who holds the lock of a key in this database; a bigint key is kept in two halves.
SELECT activity.pid,
       activity.usename,
       activity.application_name,
       activity.state,
       activity.query
  FROM pg_catalog.pg_locks AS held
  JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = held.pid
  JOIN pg_catalog.pg_database AS here ON here.oid = held.database
 WHERE held.locktype = 'advisory'
   AND held.granted
   AND held.objsubid = 1
   AND here.datname = pg_catalog.current_database()
   AND (held.classid::bigint << 32 | held.objid::bigint) = %(key)s::bigint;

-- blockers --
-- The sessions that a waiting session waits for.
SELECT activity.pid,
       activity.usename,
       activity.application_name,
       activity.state,
       activity.query
  FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(%(pid)s::integer)) AS blocker (pid)
  JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = blocker.pid;
