-- The statements of the health check: each gives kind, schema, name, measure, state, values and fixes.

-- role --
-- Whether this server replays what another one writes.
SELECT pg_catalog.pg_is_in_recovery();

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
           'seconds', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.state_change)::bigint,
           'aborted', activity.state = 'idle in transaction (aborted)'
       ),
       ARRAY[[pg_catalog.format('SELECT pg_terminate_backend(%%s)', activity.pid), 'none']]
  FROM pg_catalog.pg_stat_activity AS activity
 WHERE activity.state IN ('idle in transaction', 'idle in transaction (aborted)')
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
       ARRAY[['VACUUM (FREEZE)', 'SHARE UPDATE EXCLUSIVE on one table after another']]
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
-- Settings without which a crash loses or breaks what was committed.
SELECT 'setting', NULL, name, NULL::float8,
       CASE WHEN name = 'synchronous_commit' THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('setting', setting),
       ARRAY[[pg_catalog.format('ALTER SYSTEM SET %%I = on', name), 'none; SELECT pg_reload_conf() follows']]
  FROM pg_catalog.pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off';

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
