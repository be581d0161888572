-- The statements of the health check: each gives kind, schema, name, measure, state, values and fixes.

-- role --
-- Whether this server replays what another one writes, whether the login sees the sessions of others, its name.
SELECT pg_catalog.pg_is_in_recovery(),
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),
       pg_catalog.quote_ident(current_user);

-- subject --
-- Whether the login may read the table of a check, or use its extension; NULL where there is none.
SELECT CASE WHEN %(extension)s = '' THEN
           (SELECT pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
                   AND pg_catalog.has_table_privilege(class.oid, 'SELECT')
              FROM pg_catalog.pg_class AS class
              JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
             WHERE namespace.nspname = pg_catalog.split_part(%(table)s, '.', 1)
               AND class.relname = pg_catalog.split_part(%(table)s, '.', 2))
       ELSE (SELECT true FROM pg_catalog.pg_extension AS extension WHERE extension.extname = %(extension)s)
       END;

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
            -- No statement begins to enforce a CHECK: it is made anew.
            ELSE
           ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I DROP CONSTRAINT %%I, ADD CONSTRAINT %%I %%s',
                                    namespace.nspname, class.relname, linked.conname, linked.conname,
                                    pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(linked.oid),
                                                              ' NOT ENFORCED$', '')),
                  'ACCESS EXCLUSIVE, while all rows are read']]
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
            WHEN NOT progress.hidden THEN
           ARRAY[[pg_catalog.format('REINDEX INDEX CONCURRENTLY %%I.%%I', namespace.nspname, class.relname),
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

-- idx_parent_invalid --
-- Indexes of whole partitioned tables that some partition has no part of.
SELECT 'index', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN linked.oid IS NULL THEN 'warning' ELSE 'critical' END,
       pg_catalog.jsonb_build_object('table', owner.relname, 'partitions', missing.partitions),
       missing.fixes
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid AND class.relkind = 'I'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.conindid = class.oid AND linked.contype IN ('p', 'u', 'x')
 CROSS JOIN LATERAL (
       SELECT count(*) AS partitions,
              pg_catalog.array_agg(ARRAY[
                  pg_catalog.format('ALTER INDEX %%I.%%I ATTACH PARTITION %%I.%%I', namespace.nspname, class.relname,
                                    alike.nspname, alike.relname),
                  'ACCESS EXCLUSIVE on the index, SHARE on the partition']) FILTER (WHERE alike.relname IS NOT NULL)
                  AS fixes
         FROM pg_catalog.pg_inherits AS below
         LEFT JOIN LATERAL (
              SELECT there.nspname, built.relname
                FROM pg_catalog.pg_index AS own
                JOIN pg_catalog.pg_class AS built ON built.oid = own.indexrelid
                JOIN pg_catalog.pg_namespace AS there ON there.oid = built.relnamespace
               WHERE own.indrelid = below.inhrelid AND own.indisvalid AND NOT built.relispartition
                 AND own.indisunique = index.indisunique
                 -- Columns of a partition may have other numbers: they are the same by name.
                 AND pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(own.indexrelid), '^.*? USING ', '')
                     = pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(class.oid), '^.*? USING ', '')
               LIMIT 1) AS alike ON true
        WHERE below.inhparent = index.indrelid
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS own
                            JOIN pg_catalog.pg_inherits AS part ON part.inhrelid = own.indexrelid
                           WHERE own.indrelid = below.inhrelid AND part.inhparent = class.oid)) AS missing
 WHERE NOT index.indisvalid;

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
-- Triggers that do not fire; those of foreign keys, which let anything in then, under the name of the key.
SELECT DISTINCT
       'trigger', namespace.nspname, class.relname || '.' || coalesce(linked.conname, trigger.tgname), NULL::float8,
       CASE WHEN trigger.tgisinternal THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('table', class.relname, 'trigger', coalesce(linked.conname, trigger.tgname)),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ENABLE TRIGGER %%s', namespace.nspname, class.relname,
                                CASE WHEN trigger.tgisinternal THEN 'ALL'
                                     ELSE pg_catalog.quote_ident(trigger.tgname) END),
              'SHARE ROW EXCLUSIVE']]
  FROM pg_catalog.pg_trigger AS trigger
  JOIN pg_catalog.pg_class AS class ON class.oid = trigger.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.oid = trigger.tgconstraint AND trigger.tgisinternal
 WHERE trigger.tgenabled = 'D';

-- seq_exhaustion --
-- How much of a sequence is given out, or of the column that it numbers where that holds less.
WITH columns AS (
    SELECT link.objid AS sequence, link.refobjid AS relation, link.refobjsubid AS attnum
      FROM pg_catalog.pg_depend AS link
     WHERE link.classid = 'pg_catalog.pg_class'::regclass AND link.refclassid = 'pg_catalog.pg_class'::regclass
       AND link.deptype IN ('a', 'i') AND link.refobjsubid > 0
    UNION ALL
    SELECT link.refobjid, filled.adrelid, filled.adnum
      FROM pg_catalog.pg_depend AS link
      JOIN pg_catalog.pg_attrdef AS filled ON filled.oid = link.objid
     WHERE link.classid = 'pg_catalog.pg_attrdef'::regclass AND link.refclassid = 'pg_catalog.pg_class'::regclass
), narrowest AS (
    SELECT columns.sequence,
           min(CASE attribute.atttypid WHEN 21 THEN 21 WHEN 23 THEN 23 ELSE 99 END) AS column_type,
           pg_catalog.array_agg(ARRAY[
               pg_catalog.format('ALTER TABLE %%I.%%I ALTER COLUMN %%I TYPE bigint', above.nspname, owner.relname,
                                 attribute.attname),
               'ACCESS EXCLUSIVE, while the table is written anew; columns that point at it follow'])
               FILTER (WHERE attribute.atttypid IN (21, 23)) AS fixes
      FROM columns
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = columns.relation AND attribute.attnum = columns.attnum
      JOIN pg_catalog.pg_class AS owner ON owner.oid = columns.relation AND NOT owner.relispartition
      JOIN pg_catalog.pg_namespace AS above ON above.oid = owner.relnamespace
     GROUP BY columns.sequence
), numbered AS (
    SELECT namespace.nspname, class.relname, sequence.*, narrowest.column_type, narrowest.fixes,
           pg_catalog.has_sequence_privilege(class.oid, 'SELECT, USAGE') AS is_readable
      FROM pg_catalog.pg_sequence AS sequence
      JOIN pg_catalog.pg_class AS class ON class.oid = sequence.seqrelid
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
      LEFT JOIN narrowest ON narrowest.sequence = sequence.seqrelid
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
                  pg_catalog.format('GRANT SELECT ON SEQUENCE %%I.%%I TO the login', nspname, relname),
                  'reason', 'the login may not read it') END,
       CASE WHEN is_readable AND fixes IS NOT NULL THEN
           fixes || ARRAY[[pg_catalog.format('ALTER SEQUENCE %%I.%%I AS bigint', nspname, relname),
                           'SHARE ROW EXCLUSIVE']] END
  FROM given;

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

-- vac_dead_tuples --
-- Rows that are dead, beside the number from which autovacuum should come to the table.
WITH counted AS (
    SELECT used.schemaname, used.relname, used.n_dead_tup, used.relid,
           least(
               coalesce((SELECT option_value::float8 FROM pg_catalog.pg_options_to_table(class.reloptions)
                          WHERE option_name = 'autovacuum_vacuum_threshold'),
                        pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8)
               + coalesce((SELECT option_value::float8 FROM pg_catalog.pg_options_to_table(class.reloptions)
                            WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                          pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8)
                 * greatest(class.reltuples, 0),
               nullif(coalesce((SELECT option_value::float8 FROM pg_catalog.pg_options_to_table(class.reloptions)
                                 WHERE option_name = 'autovacuum_vacuum_max_threshold'),
                               pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true)::float8), -1)
           ) AS trigger
      FROM pg_catalog.pg_stat_user_tables AS used
      JOIN pg_catalog.pg_class AS class ON class.oid = used.relid
     WHERE used.n_dead_tup > %(least_rows)s
)
SELECT 'table', schemaname, relname, n_dead_tup / greatest(1, trigger), NULL,
       pg_catalog.jsonb_build_object('dead', n_dead_tup, 'trigger', trigger::bigint),
       ARRAY[[pg_catalog.format('VACUUM %%I.%%I', schemaname, relname), 'SHARE UPDATE EXCLUSIVE']]
  FROM counted;

-- vac_not_running --
-- Tables with more dead rows than autovacuum waits for, and how long ago anything vacuumed them.
WITH counted AS (
    SELECT used.*,
           coalesce((SELECT option_value::float8 FROM pg_catalog.pg_options_to_table(class.reloptions)
                      WHERE option_name = 'autovacuum_vacuum_threshold'),
                    pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8)
           + coalesce((SELECT option_value::float8 FROM pg_catalog.pg_options_to_table(class.reloptions)
                        WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                      pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8)
             * greatest(class.reltuples, 0) AS trigger,
           -- Before that nobody counted: a crash forgets when a table was vacuumed last.
           greatest(used.last_vacuum, used.last_autovacuum, here.stats_reset, writer.stats_reset) AS since
      FROM pg_catalog.pg_stat_user_tables AS used
      JOIN pg_catalog.pg_class AS class ON class.oid = used.relid
     CROSS JOIN pg_catalog.pg_stat_bgwriter AS writer
      JOIN pg_catalog.pg_stat_database AS here ON here.datname = pg_catalog.current_database()
     WHERE used.n_dead_tup > %(least_rows)s
)
SELECT 'table', schemaname, relname,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - since), NULL,
       pg_catalog.jsonb_build_object(
           'dead', n_dead_tup,
           'hours', (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - since) / 3600)::bigint),
       ARRAY[[pg_catalog.format('VACUUM %%I.%%I', schemaname, relname), 'SHARE UPDATE EXCLUSIVE']]
  FROM counted
 WHERE n_dead_tup > trigger;

-- vac_autovacuum_off --
-- Where autovacuum does not come: on the whole server, or to a table.
SELECT 'setting', NULL, name, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('where', 'the server'),
       ARRAY[[pg_catalog.format('ALTER SYSTEM SET %%I = on', name), 'none'],
             ['SELECT pg_catalog.pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_settings
 WHERE name IN ('autovacuum', 'track_counts') AND setting = 'off'
UNION ALL
SELECT 'table', namespace.nspname, class.relname, NULL, 'warning',
       pg_catalog.jsonb_build_object('where', option.prefix || class.relname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I RESET (%%sautovacuum_enabled)',
                                namespace.nspname, class.relname, option.prefix),
              'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = class.reltoastrelid
 CROSS JOIN LATERAL (VALUES ('', class.reloptions), ('toast.', toast.reloptions)) AS option (prefix, reloptions)
 WHERE class.relkind IN ('r', 'm')
   AND EXISTS (SELECT FROM pg_catalog.pg_options_to_table(option.reloptions)
                WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean);

-- vac_saturated --
-- How long the workers of autovacuum have all been at work: tables beside those wait.
SELECT 'server', NULL, 'autovacuum',
       CASE WHEN may.see AND busy.workers >= busy.most THEN busy.seconds WHEN may.see THEN 0 END,
       CASE WHEN NOT may.see THEN 'unknown' END,
       pg_catalog.jsonb_build_object('workers', busy.workers, 'seconds', busy.seconds::bigint)
           || CASE WHEN may.see THEN '{}'::jsonb
                   ELSE '{"cure": "GRANT pg_monitor TO the login",
                          "reason": "what the workers do is hidden from the login"}'::jsonb END,
       NULL::text[]
  FROM (SELECT count(*) AS workers, pg_catalog.current_setting('autovacuum_max_workers')::int AS most,
               coalesce(max(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - xact_start)), 0) AS seconds
          FROM pg_catalog.pg_stat_activity
         WHERE backend_type = 'autovacuum worker') AS busy,
       (SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS see) AS may;

-- vac_wraparound_running --
-- How long autovacuum has been at a table because of the age of its transactions: it gives way to nobody.
SELECT 'session', NULL, activity.pid::text, NULL::float8,
       CASE WHEN may.see THEN 'info' ELSE 'unknown' END,
       pg_catalog.jsonb_build_object(
           'pid', activity.pid,
           'seconds', pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - activity.xact_start)::bigint)
           || CASE WHEN may.see THEN '{}'::jsonb
                   ELSE '{"cure": "GRANT pg_monitor TO the login",
                          "reason": "what the workers do is hidden from the login"}'::jsonb END,
       NULL::text[]
  FROM (SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS see) AS may
  LEFT JOIN pg_catalog.pg_stat_activity AS activity
    ON activity.backend_type = 'autovacuum worker'
   AND activity.query LIKE '%%(to prevent wraparound)'
   AND activity.xact_start < pg_catalog.clock_timestamp() - %(after_s)s * INTERVAL '1 second'
 WHERE activity.pid IS NOT NULL OR NOT may.see;

-- vac_table_bloat --
-- What to measure: tables of some size, by the extension pgstattuple, which reads the pages that hold anything new.
SELECT 'table', namespace.nspname, class.relname,
       pg_catalog.format(
           'SELECT ''table'', %%1$L, %%2$L, (dead_tuple_percent + approx_free_percent) / 100, NULL::text,'
           ' pg_catalog.jsonb_build_object(''percent'', (dead_tuple_percent + approx_free_percent)::bigint,'
           ' ''bytes'', table_len),'
           ' ARRAY[[%%3$L, ''ACCESS EXCLUSIVE, while the table is written anew'']]'
           ' FROM %%4$I.pgstattuple_approx(%%5$s::pg_catalog.oid::pg_catalog.regclass)',
           namespace.nspname, class.relname,
           pg_catalog.format('VACUUM (FULL) %%I.%%I', namespace.nspname, class.relname), place.nspname, class.oid),
       'GRANT pg_stat_scan_tables TO the login'
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_extension AS extension ON extension.extname = 'pgstattuple'
  JOIN pg_catalog.pg_namespace AS place ON place.oid = extension.extnamespace
 WHERE class.relkind IN ('r', 'm') AND class.relpersistence <> 't'
   AND class.relpages::bigint * 8192 >= %(least_bytes)s
 ORDER BY class.relpages DESC;

-- vac_index_bloat --
-- What to measure: btrees of some size, by the extension pgstattuple, which reads all of one.
SELECT 'index', namespace.nspname, class.relname,
       pg_catalog.format(
           'SELECT ''index'', %%1$L, %%2$L, (1 - avg_leaf_density / 100)::float8, NULL::text,'
           ' pg_catalog.jsonb_build_object(''percent'', (100 - avg_leaf_density)::bigint, ''bytes'', index_size),'
           ' ARRAY[[%%3$L, ''SHARE UPDATE EXCLUSIVE'']]'
           ' FROM %%4$I.pgstatindex(%%5$s::pg_catalog.oid::pg_catalog.regclass)',
           namespace.nspname, class.relname,
           pg_catalog.format('REINDEX INDEX CONCURRENTLY %%I.%%I', namespace.nspname, class.relname),
           place.nspname, class.oid),
       'GRANT pg_stat_scan_tables TO the login'
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid AND class.relkind = 'i'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_am AS method ON method.oid = class.relam AND method.amname = 'btree'
  JOIN pg_catalog.pg_extension AS extension ON extension.extname = 'pgstattuple'
  JOIN pg_catalog.pg_namespace AS place ON place.oid = extension.extnamespace
 WHERE index.indisvalid AND class.relpersistence <> 't'
   AND class.relpages::bigint * 8192 >= %(least_bytes)s
 ORDER BY class.relpages DESC;

-- stats_never_analyzed --
-- Tables with rows that nobody ever analyzed: the planner guesses.
SELECT 'table', used.schemaname, used.relname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('rows', used.n_live_tup),
       ARRAY[[pg_catalog.format('ANALYZE %%I.%%I', used.schemaname, used.relname), 'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_stat_user_tables AS used
  JOIN pg_catalog.pg_class AS class ON class.oid = used.relid
 WHERE used.last_analyze IS NULL
   AND used.last_autoanalyze IS NULL
   AND used.n_live_tup > %(least_rows)s
   AND class.relkind <> 'p';

-- stats_stale --
-- How much of a table changed since it was analyzed.
SELECT 'table', used.schemaname, used.relname,
       used.n_mod_since_analyze::float8 / greatest(1, used.n_live_tup), NULL,
       pg_catalog.jsonb_build_object('changed', used.n_mod_since_analyze, 'rows', used.n_live_tup),
       ARRAY[[pg_catalog.format('ANALYZE %%I.%%I', used.schemaname, used.relname), 'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_stat_user_tables AS used
 WHERE used.n_mod_since_analyze > %(least_rows)s
   AND coalesce(used.last_analyze, used.last_autoanalyze) IS NOT NULL;

-- stats_partitioned_parent --
-- Partitioned tables with rows that were never analyzed as a whole, which autovacuum never does.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('rows', below.tuples::bigint),
       ARRAY[[pg_catalog.format('ANALYZE %%I.%%I', namespace.nspname, class.relname),
              'SHARE UPDATE EXCLUSIVE on it and on its partitions, one after another']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (SELECT sum(greatest(part.reltuples, 0)) AS tuples
                       FROM pg_catalog.pg_inherits AS link
                       JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid AND part.relkind = 'r'
                      WHERE link.inhparent = class.oid) AS below
 WHERE class.relkind = 'p' AND class.reltuples < 0 AND below.tuples > %(least_rows)s;

-- stats_track_off --
-- What the server does not count or show, and so cannot be checked, nor vacuumed in time.
SELECT 'setting', NULL, name, NULL::float8, 'warning', '{}'::jsonb,
       ARRAY[[pg_catalog.format('ALTER SYSTEM SET %%I = on', name), 'none'],
             ['SELECT pg_catalog.pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_settings
 WHERE name IN ('track_counts', 'track_activities') AND setting = 'off';

-- tbl_unlogged --
-- Tables with rows that a crash empties, and that no standby has.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('rows', used.n_live_tup),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I SET LOGGED', namespace.nspname, class.relname),
              'ACCESS EXCLUSIVE, while the table is written anew']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_stat_user_tables AS used ON used.relid = class.oid
 WHERE class.relpersistence = 'u' AND class.relkind = 'r' AND (used.n_live_tup > 0 OR class.relpages > 0);

-- tbl_hot_updates --
-- Tables whose updates hardly ever stay on their page, so that every index is written too.
SELECT 'table', used.schemaname, used.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object(
           'updates', used.n_tup_upd, 'percent', (100.0 * used.n_tup_hot_upd / used.n_tup_upd)::bigint),
       NULL::text[]
  FROM pg_catalog.pg_stat_user_tables AS used
  JOIN pg_catalog.pg_class AS class ON class.oid = used.relid
 WHERE used.n_tup_upd > %(least_rows)s
   AND class.relhasindex
   AND used.n_tup_hot_upd < %(least_ratio)s * used.n_tup_upd;

-- tbl_large_objects_orphan --
-- Large objects in a database of which no column can point at one.
SELECT 'database', NULL, pg_catalog.current_database()::text, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('objects', found.objects),
       ARRAY[['SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata', 'the objects']]
  FROM (SELECT count(*) AS objects FROM pg_catalog.pg_largeobject_metadata) AS found
 WHERE found.objects > 0
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_attribute AS attribute
                     JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
                    -- The first number that a user may give an object.
                    WHERE attribute.attrelid >= 16384 AND attribute.attnum > 0
                      AND type.typname IN ('oid', 'lo', '_oid'));

-- tbl_temp_orphans --
-- Temporary tables whose session is gone, and how old their oldest transaction is.
SELECT 'table', namespace.nspname, class.relname, pg_catalog.age(class.relfrozenxid)::float8, NULL,
       pg_catalog.jsonb_build_object('age', pg_catalog.age(class.relfrozenxid)),
       ARRAY[[pg_catalog.format('DROP TABLE %%I.%%I', namespace.nspname, class.relname), 'ACCESS EXCLUSIVE']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relpersistence = 't' AND class.relkind = 'r'
   AND namespace.nspname ~ '^pg_temp_[0-9]+$'
   AND pg_catalog.substr(namespace.nspname, 9)::int NOT IN (SELECT pg_catalog.pg_stat_get_backend_idset());

-- idx_unused --
-- Indexes of some size that keep nothing and that no query of this server has used since it counts.
WITH counted AS (
    SELECT greatest(here.stats_reset, writer.stats_reset) AS since
      FROM pg_catalog.pg_stat_database AS here, pg_catalog.pg_stat_bgwriter AS writer
     WHERE here.datname = pg_catalog.current_database()
)
SELECT 'index', used.schemaname, used.indexrelname, NULL::float8,
       CASE WHEN counted.since <= pg_catalog.clock_timestamp() - %(window_days)s * INTERVAL '1 day'
            THEN 'info' ELSE 'unknown' END,
       pg_catalog.jsonb_build_object('table', used.relname, 'bytes', class.relpages::bigint * 8192)
           || CASE WHEN counted.since <= pg_catalog.clock_timestamp() - %(window_days)s * INTERVAL '1 day'
                   THEN '{}'::jsonb
                   ELSE '{"reason": "it was not used yet, and the server has not counted for long enough"}'::jsonb END,
       CASE WHEN counted.since <= pg_catalog.clock_timestamp() - %(window_days)s * INTERVAL '1 day' THEN
           ARRAY[[pg_catalog.format('DROP INDEX CONCURRENTLY %%I.%%I', used.schemaname, used.indexrelname),
                  'SHARE UPDATE EXCLUSIVE; ask the standbys first, they count for themselves']] END
  FROM pg_catalog.pg_stat_user_indexes AS used
  JOIN pg_catalog.pg_index AS index ON index.indexrelid = used.indexrelid
  JOIN pg_catalog.pg_class AS class ON class.oid = used.indexrelid
 CROSS JOIN counted
 WHERE used.idx_scan = 0
   AND index.indisvalid
   AND NOT index.indisunique AND NOT index.indisprimary AND NOT index.indisexclusion AND NOT index.indisreplident
   AND class.relpages::bigint * 8192 >= %(least_bytes)s
   -- One that belongs to an index of the whole table goes with that only.
   AND NOT class.relispartition
   -- One that keeps a DELETE of the parent from reading the whole table is used when that comes.
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked
                    WHERE linked.contype = 'f' AND linked.conrelid = index.indrelid
                      AND index.indkey[0] = ANY (linked.conkey));

-- idx_duplicate --
-- Indexes that are the same as an older one of the table, with the same columns, conditions and options.
WITH described AS MATERIALIZED (
    SELECT index.indexrelid, index.indrelid, index.indisunique, index.indisprimary, class.relpages, class.relname,
           index.indisreplident, namespace.nspname, owner.relname AS table_name, class.relispartition,
           EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked
                    WHERE linked.conindid = index.indexrelid) AS is_needed,
           ROW(class.relam, index.indkey::text, index.indclass::text, index.indcollation::text,
               index.indoption::text, index.indnkeyatts, index.indpred::text, index.indexprs::text,
               pg_catalog.to_jsonb(index) ->> 'indnullsnotdistinct')::text AS shape
      FROM pg_catalog.pg_index AS index
      JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
      JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE index.indisvalid AND namespace.nspname !~ '^(pg_|information_schema$)'
)
SELECT DISTINCT ON (one.indexrelid)
       'index', one.nspname, one.relname, NULL::float8,
       CASE WHEN one.relpages::bigint * 8192 >= %(large_bytes)s THEN 'warning' ELSE 'info' END,
       pg_catalog.jsonb_build_object('table', one.table_name, 'same_as', other.relname,
                                     'bytes', one.relpages::bigint * 8192),
       ARRAY[[pg_catalog.format('DROP INDEX CONCURRENTLY %%I.%%I', one.nspname, one.relname),
              'SHARE UPDATE EXCLUSIVE']]
  FROM described AS one
  JOIN described AS other
    ON other.indrelid = one.indrelid AND other.shape = one.shape
   AND other.indexrelid <> one.indexrelid
   AND other.indisunique >= one.indisunique
   AND (other.is_needed OR other.indisunique > one.indisunique OR other.indexrelid < one.indexrelid)
 WHERE NOT one.is_needed AND NOT one.indisreplident AND NOT one.relispartition
 ORDER BY one.indexrelid, other.is_needed DESC, other.indexrelid;

-- idx_redundant_prefix --
-- Indexes whose columns another one begins with.
WITH described AS MATERIALIZED (
    SELECT index.indexrelid, index.indrelid, index.indisunique, index.indisreplident, index.indnkeyatts,
           index.indnatts, class.relpages, class.relname, namespace.nspname, owner.relname AS table_name,
           class.relispartition, index.indpred::text AS predicate,
           pg_catalog.string_to_array(index.indkey::text, ' ') AS keys,
           pg_catalog.string_to_array(index.indclass::text, ' ') AS classes,
           pg_catalog.string_to_array(index.indcollation::text, ' ') AS collations,
           pg_catalog.string_to_array(index.indoption::text, ' ') AS options
      FROM pg_catalog.pg_index AS index
      JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
      JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
      JOIN pg_catalog.pg_am AS method ON method.oid = class.relam AND method.amname = 'btree'
     WHERE index.indisvalid AND index.indexprs IS NULL
       AND namespace.nspname !~ '^(pg_|information_schema$)'
)
SELECT DISTINCT ON (one.indexrelid)
       'index', one.nspname, one.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('table', one.table_name, 'covered_by', other.relname,
                                     'bytes', one.relpages::bigint * 8192),
       ARRAY[[pg_catalog.format('DROP INDEX CONCURRENTLY %%I.%%I', one.nspname, one.relname),
              'SHARE UPDATE EXCLUSIVE']]
  FROM described AS one
  JOIN described AS other
    ON other.indrelid = one.indrelid
   AND other.keys[1] = one.keys[1]
   AND other.indnkeyatts > one.indnkeyatts
   AND other.predicate IS NOT DISTINCT FROM one.predicate
   AND other.keys[1:one.indnkeyatts] = one.keys
   AND other.classes[1:one.indnkeyatts] = one.classes
   AND other.collations[1:one.indnkeyatts] = one.collations
   AND other.options[1:one.indnkeyatts] = one.options
 WHERE NOT one.indisunique AND NOT one.indisreplident AND NOT one.relispartition
   AND one.indnatts = one.indnkeyatts
 ORDER BY one.indexrelid, other.indnkeyatts;

-- idx_fk_missing --
-- Foreign keys that no index of the table begins with: each DELETE of a row they point at reads all of it.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname, NULL::float8,
       CASE WHEN greatest(class.reltuples, used.n_live_tup) > %(least_rows)s
                 OR above.n_tup_del > 0 THEN 'warning' ELSE 'info' END,
       pg_catalog.jsonb_build_object('table', class.relname, 'constraint', linked.conname, 'columns', keys.names),
       ARRAY[[pg_catalog.format('CREATE INDEX%%s ON %%I.%%I (%%s)',
                                CASE WHEN class.relkind = 'r' THEN ' CONCURRENTLY' ELSE '' END,
                                namespace.nspname, class.relname, keys.names),
              CASE WHEN class.relkind = 'r' THEN 'SHARE UPDATE EXCLUSIVE' ELSE 'SHARE on all partitions' END]]
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_stat_user_tables AS used ON used.relid = linked.conrelid
  LEFT JOIN pg_catalog.pg_stat_user_tables AS above ON above.relid = linked.confrelid
 CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attribute.attname), ', '
                                                  ORDER BY part.place) AS names
                       FROM pg_catalog.unnest(linked.conkey) WITH ORDINALITY AS part (attnum, place)
                       JOIN pg_catalog.pg_attribute AS attribute
                         ON attribute.attrelid = linked.conrelid AND attribute.attnum = part.attnum) AS keys
 WHERE linked.contype = 'f'
   AND linked.conparentid = 0
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_index AS index
                    WHERE index.indrelid = linked.conrelid
                      AND index.indisvalid AND index.indpred IS NULL
                      AND index.indnkeyatts >= cardinality(linked.conkey)
                      -- In whatever order: each of them is compared with a value.
                      AND (pg_catalog.string_to_array(index.indkey::text, ' ')::int2[])[1:cardinality(linked.conkey)]
                          @> linked.conkey);

-- idx_fk_type_mismatch --
-- Foreign keys whose column is of another type than the one they point at.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object(
           'table', class.relname, 'constraint', linked.conname, 'column', own.attname,
           'type', pg_catalog.format_type(own.atttypid, NULL), 'other', pg_catalog.format_type(far.atttypid, NULL)),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ALTER COLUMN %%I TYPE %%s', namespace.nspname, class.relname,
                                own.attname, pg_catalog.format_type(far.atttypid, NULL)),
              'ACCESS EXCLUSIVE, while the table is written anew']]
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(linked.conkey), pg_catalog.unnest(linked.confkey)) AS part (own, far)
  JOIN pg_catalog.pg_attribute AS own ON own.attrelid = linked.conrelid AND own.attnum = part.own
  JOIN pg_catalog.pg_attribute AS far ON far.attrelid = linked.confrelid AND far.attnum = part.far
  JOIN pg_catalog.pg_type AS near_type ON near_type.oid = own.atttypid
  JOIN pg_catalog.pg_type AS far_type ON far_type.oid = far.atttypid
 WHERE linked.contype = 'f' AND linked.conparentid = 0
   -- A domain holds what its own type does.
   AND coalesce(nullif(near_type.typbasetype, 0), near_type.oid)
       <> coalesce(nullif(far_type.typbasetype, 0), far_type.oid);

-- idx_null_heavy --
-- Indexes of some size on a column that is mostly NULL, with an entry for each of those.
SELECT 'index', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN pg_catalog.has_column_privilege(owner.oid, attribute.attnum, 'SELECT') THEN 'info'
            ELSE 'unknown' END,
       pg_catalog.jsonb_build_object('table', owner.relname, 'column', attribute.attname,
                                     'percent', (100 * known.null_frac)::int,
                                     'bytes', class.relpages::bigint * 8192)
           || CASE WHEN pg_catalog.has_column_privilege(owner.oid, attribute.attnum, 'SELECT') THEN '{}'::jsonb
                   ELSE pg_catalog.jsonb_build_object('reason', 'what is known of its columns is hidden from the login',
                        'cure', pg_catalog.format('GRANT SELECT ON %%I.%%I TO the login', namespace.nspname,
                                                  owner.relname)) END,
       NULL::text[]
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid AND class.relkind = 'i'
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = owner.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = owner.oid AND attribute.attnum = index.indkey[0]
  LEFT JOIN pg_catalog.pg_stats AS known
    ON known.schemaname = namespace.nspname AND known.tablename = owner.relname AND known.attname = attribute.attname
 WHERE index.indpred IS NULL AND index.indnkeyatts = 1 AND NOT index.indisunique AND NOT class.relispartition
   AND class.relpages::bigint * 8192 >= %(least_bytes)s
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND NOT attribute.attnotnull
   AND (known.null_frac > %(most_null)s
        OR NOT pg_catalog.has_column_privilege(owner.oid, attribute.attnum, 'SELECT'));

-- idx_array_btree --
-- Indexes on arrays or documents of a kind that only compares them as a whole.
SELECT 'index', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('table', owner.relname, 'column', attribute.attname), NULL::text[]
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_am AS method ON method.oid = class.relam AND method.amname = 'btree'
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0]
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
 WHERE namespace.nspname !~ '^(pg_|information_schema$)'
   AND NOT index.indisunique AND NOT class.relispartition
   AND (type.typcategory = 'A' OR type.typname = 'jsonb');

-- tbl_no_pk --
-- Tables that nothing tells the rows of apart; where they are published, an UPDATE of them fails.
SELECT 'table', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_publication_tables AS sent
                          WHERE sent.schemaname = namespace.nspname AND sent.tablename = class.relname)
            THEN 'warning' ELSE 'info' END,
       '{}'::jsonb, NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'p') AND NOT class.relispartition AND class.relpersistence <> 't'
   AND namespace.nspname !~ '^(pg_|information_schema$|rollback_[0-9a-f]{12}$)'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS index
                    WHERE index.indrelid = class.oid AND index.indisprimary)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::regclass
                      AND link.objid = class.oid AND link.deptype = 'e');

-- tbl_seq_scan_heavy --
-- Large tables that are read as a whole more often than by an index.
SELECT 'table', used.schemaname, used.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('rows', used.n_live_tup, 'scans', used.seq_scan,
                                     'by_index', coalesce(used.idx_scan, 0)),
       NULL::text[]
  FROM pg_catalog.pg_stat_user_tables AS used
 WHERE used.n_live_tup > %(least_rows)s
   AND used.seq_scan > %(least_scans)s
   AND used.seq_scan > coalesce(used.idx_scan, 0);

-- idx_corrupt --
-- What to read: every btree, by the extension amcheck, beside all the rows that should be in it.
SELECT 'index', namespace.nspname, class.relname,
       pg_catalog.format(
           'SELECT ''index'', %%1$L, %%2$L, NULL::float8, ''ok'', ''{}''::jsonb, NULL::text[]'
           ' FROM %%3$I.bt_index_check(%%4$s::pg_catalog.oid::pg_catalog.regclass, true)',
           namespace.nspname, class.relname, place.nspname, class.oid),
       NULL,
       ARRAY[[pg_catalog.format('REINDEX INDEX CONCURRENTLY %%I.%%I', namespace.nspname, class.relname),
              'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_am AS method ON method.oid = class.relam AND method.amname = 'btree'
  JOIN pg_catalog.pg_extension AS extension ON extension.extname = 'amcheck'
  JOIN pg_catalog.pg_namespace AS place ON place.oid = extension.extnamespace
 WHERE index.indisvalid AND index.indisready AND class.relkind = 'i' AND class.relpersistence = 'p'
   AND namespace.nspname !~ '^(pg_catalog|information_schema)$'
 ORDER BY class.relpages;

-- seq_behind_max --
-- What to ask: of each column that a sequence numbers and an index begins with, whether it is past its sequence.
WITH numbered AS (
    SELECT link.objid AS sequence, link.refobjid AS relation, link.refobjsubid AS attnum
      FROM pg_catalog.pg_depend AS link
     WHERE link.classid = 'pg_catalog.pg_class'::regclass AND link.refclassid = 'pg_catalog.pg_class'::regclass
       AND link.deptype IN ('a', 'i') AND link.refobjsubid > 0
    UNION
    SELECT link.refobjid, filled.adrelid, filled.adnum
      FROM pg_catalog.pg_depend AS link
      JOIN pg_catalog.pg_attrdef AS filled ON filled.oid = link.objid
     WHERE link.classid = 'pg_catalog.pg_attrdef'::regclass AND link.refclassid = 'pg_catalog.pg_class'::regclass
)
SELECT 'sequence', namespace.nspname, class.relname,
       CASE WHEN pg_catalog.has_table_privilege(owner.oid, 'SELECT')
             AND pg_catalog.has_sequence_privilege(class.oid, 'SELECT')
             AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
             AND pg_catalog.has_schema_privilege(above.oid, 'USAGE') THEN
           pg_catalog.format(
               'SELECT ''sequence'', %%1$L, %%2$L, NULL::float8,'
               ' CASE WHEN %%9$s (found.most - given.last) > 0 THEN ''critical'' ELSE ''ok'' END,'
               ' pg_catalog.jsonb_build_object(''table'', %%4$L, ''column'', %%5$L,'
               ' ''behind'', pg_catalog.abs(found.most - given.last)),'
               ' ARRAY[[%%6$L, ''none'']]'
               ' FROM (SELECT %%7$s(%%5$I)::numeric AS most FROM %%3$I.%%4$I) AS found,'
               ' %%8$s AS given',
               namespace.nspname, class.relname, above.nspname, owner.relname, attribute.attname,
               pg_catalog.format(
                   'SELECT pg_catalog.setval(%%L, (SELECT %%s(%%I) FROM %%I.%%I))',
                   pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
                   CASE WHEN sequence.seqincrement > 0 THEN 'max' ELSE 'min' END,
                   attribute.attname, above.nspname, owner.relname),
               CASE WHEN sequence.seqincrement > 0 THEN 'max' ELSE 'min' END,
               -- To read a sequence as a table takes longer, and is needed only where it never gave a number out.
               CASE WHEN pg_catalog.pg_sequence_last_value(class.oid) IS NULL THEN
                   pg_catalog.format(
                       '(SELECT CASE WHEN is_called THEN last_value ELSE last_value - %%s END::numeric AS last FROM %%I.%%I)',
                       sequence.seqincrement, namespace.nspname, class.relname)
               ELSE pg_catalog.format('(SELECT pg_catalog.pg_sequence_last_value(%%s)::numeric AS last)', class.oid)
               END,
               CASE WHEN sequence.seqincrement > 0 THEN '' ELSE '-' END)
       END,
       pg_catalog.format('GRANT SELECT ON %%I.%%I, %%I.%%I TO the login', above.nspname, owner.relname,
                         namespace.nspname, class.relname)
  FROM numbered
  JOIN pg_catalog.pg_sequence AS sequence ON sequence.seqrelid = numbered.sequence AND NOT sequence.seqcycle
  JOIN pg_catalog.pg_class AS class ON class.oid = sequence.seqrelid AND class.relpersistence = 'p'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS owner ON owner.oid = numbered.relation AND owner.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS above ON above.oid = owner.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = numbered.relation AND attribute.attnum = numbered.attnum
   AND attribute.atttypid IN (20, 21, 23, 1700)
  LEFT JOIN pg_catalog.pg_stat_user_tables AS used ON used.relid = owner.oid
 -- A partition is asked with its table. Into one that nobody knows a row of nothing was inserted: no number can be
 -- there twice, and to open it takes its time.
 WHERE NOT owner.relispartition
   AND (owner.relkind = 'p' OR owner.relpages > 0 OR used.n_tup_ins > 0 OR used.n_live_tup > 0)
   AND EXISTS (SELECT FROM pg_catalog.pg_index AS index
                 JOIN pg_catalog.pg_class AS built ON built.oid = index.indexrelid
                 JOIN pg_catalog.pg_am AS method ON method.oid = built.relam AND method.amname = 'btree'
                WHERE index.indrelid = owner.oid AND index.indisvalid AND index.indpred IS NULL
                  AND index.indkey[0] = attribute.attnum);

-- int_pk_no_sequence --
-- What to ask: how far small keys that no sequence numbers have come.
SELECT 'column', namespace.nspname, class.relname || '.' || attribute.attname,
       CASE WHEN pg_catalog.has_table_privilege(class.oid, 'SELECT')
             AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') THEN
           pg_catalog.format(
               'SELECT ''column'', %%1$L, %%2$L, coalesce(max(%%3$I), 0)::float8 / %%4$s, NULL::text,'
               ' pg_catalog.jsonb_build_object(''table'', %%5$L, ''column'', %%3$L, ''highest'', %%4$s,'
               ' ''percent'', (100.0 * coalesce(max(%%3$I), 0) / %%4$s)::int), NULL::text[]'
               ' FROM %%6$I.%%5$I',
               namespace.nspname, class.relname || '.' || attribute.attname, attribute.attname,
               CASE attribute.atttypid WHEN 21 THEN '32767' ELSE '2147483647' END, class.relname, namespace.nspname)
       END,
       pg_catalog.format('GRANT SELECT ON %%I.%%I TO the login', namespace.nspname, class.relname)
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indrelid AND class.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0] AND attribute.atttypid IN (21, 23)
  LEFT JOIN pg_catalog.pg_stat_user_tables AS used ON used.relid = class.oid
 WHERE index.indisprimary AND index.indisvalid AND index.indnkeyatts = 1
   AND NOT class.relispartition AND class.relpersistence <> 't'
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND attribute.attidentity = ''
   AND NOT attribute.atthasdef
   AND (class.relkind = 'p' OR class.relpages > 0 OR used.n_tup_ins > 0 OR used.n_live_tup > 0)
   -- One that points at another table is not longer than that.
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked
                    WHERE linked.conrelid = class.oid AND linked.contype = 'f'
                      AND attribute.attnum = ANY (linked.conkey));

-- int_narrow_identity --
-- Numbered keys of a type that a table of many rows uses up.
SELECT 'column', namespace.nspname, class.relname || '.' || attribute.attname, NULL::float8,
       CASE attribute.atttypid WHEN 21 THEN 'warning' ELSE 'info' END,
       pg_catalog.jsonb_build_object('table', class.relname, 'column', attribute.attname,
                                     'type', pg_catalog.format_type(attribute.atttypid, NULL),
                                     'inserted', used.n_tup_ins),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ALTER COLUMN %%I TYPE bigint', namespace.nspname, class.relname,
                                attribute.attname),
              'ACCESS EXCLUSIVE, while the table is written anew']]
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid AND class.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_stat_user_tables AS used ON used.relid = class.oid
 WHERE attribute.attnum > 0 AND NOT attribute.attisdropped AND NOT class.relispartition
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND (attribute.atttypid = 21 AND used.n_tup_ins > 0
        OR attribute.atttypid = 23 AND used.n_tup_ins > %(many_rows)s)
   AND (attribute.attidentity <> ''
        OR EXISTS (SELECT FROM pg_catalog.pg_attrdef AS filled
                     JOIN pg_catalog.pg_depend AS link
                       ON link.classid = 'pg_catalog.pg_attrdef'::regclass AND link.objid = filled.oid
                     JOIN pg_catalog.pg_sequence AS sequence ON sequence.seqrelid = link.refobjid
                    WHERE filled.adrelid = class.oid AND filled.adnum = attribute.attnum));

-- con_domain_not_valid --
-- Constraints of domains that hold for new values only.
SELECT 'domain', namespace.nspname, type.typname || '.' || linked.conname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('domain', type.typname, 'constraint', linked.conname),
       ARRAY[[pg_catalog.format('ALTER DOMAIN %%I.%%I VALIDATE CONSTRAINT %%I', namespace.nspname, type.typname,
                                linked.conname),
              'SHARE on the tables that use it']]
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_type AS type ON type.oid = linked.contypid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
 WHERE NOT linked.convalidated;

-- trg_replication_role --
-- Logins, or databases, whose sessions fire no trigger and check no foreign key.
SELECT 'setting', NULL, 'session_replication_role', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('of', coalesce(role.rolname, database.datname), 'setting', split.setting),
       ARRAY[[CASE WHEN role.oid IS NULL THEN
                  pg_catalog.format('ALTER DATABASE %%I RESET session_replication_role', database.datname)
              WHEN database.oid IS NULL THEN
                  pg_catalog.format('ALTER ROLE %%I RESET session_replication_role', role.rolname)
              ELSE pg_catalog.format('ALTER ROLE %%I IN DATABASE %%I RESET session_replication_role', role.rolname,
                                     database.datname)
              END, 'none; sessions that are open keep it']]
  FROM pg_catalog.pg_db_role_setting AS preset
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = preset.setrole
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = preset.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(preset.setconfig) AS option (text)
 CROSS JOIN LATERAL (SELECT pg_catalog.split_part(option.text, '=', 1) AS name,
                            pg_catalog.split_part(option.text, '=', 2) AS setting) AS split
 WHERE split.name = 'session_replication_role' AND split.setting = 'replica'
   AND (preset.setdatabase = 0 OR database.datname = pg_catalog.current_database());

-- con_fk_orphans --
-- What to read: of each foreign key, whether a row points at none.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname,
       CASE WHEN pg_catalog.has_table_privilege(class.oid, 'SELECT')
             AND pg_catalog.has_table_privilege(far.oid, 'SELECT')
             AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
             AND pg_catalog.has_schema_privilege(there.oid, 'USAGE') THEN
           pg_catalog.format(
               'SELECT ''constraint'', %%1$L, %%2$L, NULL::float8,'
               ' CASE WHEN EXISTS (SELECT FROM %%3$s%%4$I.%%5$I AS own WHERE %%6$s'
               ' AND NOT EXISTS (SELECT FROM %%7$s%%8$I.%%9$I AS far WHERE %%10$s))'
               ' THEN ''critical'' ELSE ''ok'' END,'
               ' pg_catalog.jsonb_build_object(''table'', %%5$L, ''constraint'', %%11$L), NULL::text[]',
               namespace.nspname, class.relname || '.' || linked.conname,
               CASE class.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END, namespace.nspname, class.relname, keys.known,
               CASE far.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END, there.nspname, far.relname, keys.alike,
               linked.conname)
       END,
       pg_catalog.format('GRANT SELECT ON %%I.%%I, %%I.%%I TO the login', namespace.nspname, class.relname,
                         there.nspname, far.relname)
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS far ON far.oid = linked.confrelid
  JOIN pg_catalog.pg_namespace AS there ON there.oid = far.relnamespace
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(pg_catalog.format('own.%%I IS NOT NULL', near.attname), ' AND ') AS known,
              pg_catalog.string_agg(pg_catalog.format('far.%%I OPERATOR(pg_catalog.=) own.%%I', other.attname,
                                                      near.attname), ' AND ') AS alike
         FROM ROWS FROM (pg_catalog.unnest(linked.conkey), pg_catalog.unnest(linked.confkey)) AS part (own, far)
         JOIN pg_catalog.pg_attribute AS near ON near.attrelid = linked.conrelid AND near.attnum = part.own
         JOIN pg_catalog.pg_attribute AS other ON other.attrelid = linked.confrelid AND other.attnum = part.far) AS keys
 WHERE linked.contype = 'f' AND linked.conparentid = 0
   AND coalesce(pg_catalog.to_jsonb(linked) ->> 'conperiod', 'false') = 'false'
 ORDER BY class.relpages;

-- part_future_missing --
-- How many spans of time there are partitions for from now on, of tables that are parted by time.
WITH bounds AS (
    SELECT link.inhparent,
           -- No relation is said: a bound names no column, and so nothing is locked to show it.
           pg_catalog.regexp_match(pg_catalog.pg_get_expr(part.relpartbound, 0),
                                   '^FOR VALUES FROM \(''([^'']+)''\) TO \(''([^'']+)''\)$') AS found
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid AND part.relpartbound IS NOT NULL
      JOIN pg_catalog.pg_partitioned_table AS split
        ON split.partrelid = link.inhparent AND split.partstrat = 'r' AND split.partnatts = 1
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
       AND attribute.atttypid IN (1082, 1114, 1184)
     WHERE NOT link.inhdetachpending
), latest AS (
    SELECT DISTINCT ON (inhparent) inhparent, found[1]::timestamptz AS since, found[2]::timestamptz AS until
      FROM bounds
     WHERE found IS NOT NULL AND pg_catalog.isfinite(found[2]::timestamptz)
     ORDER BY inhparent, found[2]::timestamptz DESC
), unbounded AS (
    -- Whatever comes has its place.
    SELECT link.inhparent
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
     WHERE pg_catalog.pg_get_expr(part.relpartbound, 0) ~ 'TO \((MAXVALUE|''infinity'')\)$'
)
SELECT 'table', namespace.nspname, class.relname, ahead.spans, NULL,
       pg_catalog.jsonb_build_object('spans', pg_catalog.round(ahead.spans::numeric, 1), 'until', latest.until),
       (SELECT pg_catalog.array_agg(ARRAY[
                   pg_catalog.format(
                       'CREATE TABLE %%1$I.%%2$I PARTITION OF %%1$I.%%3$I FOR VALUES FROM (%%4$L) TO (%%5$L)',
                       namespace.nspname,
                       pg_catalog.format('%%s_p%%s', class.relname,
                                         pg_catalog.to_char(next.since, 'YYYYMMDD"_"HH24MI')),
                       class.relname, next.since::text, (next.since + span.length)::text),
                   'ACCESS EXCLUSIVE'] ORDER BY next.since)
          FROM (SELECT latest.until + step.number * span.length AS since
                  FROM pg_catalog.generate_series(0, least(50, 2 + pg_catalog.ceil(-ahead.spans)::int)) AS step (number)
               ) AS next)
  FROM latest
  JOIN pg_catalog.pg_class AS class ON class.oid = latest.inhparent
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 -- A month is as long as it is; what is shorter than one is counted in seconds.
 CROSS JOIN LATERAL (SELECT CASE WHEN latest.until - latest.since >= INTERVAL '28 days'
                                 THEN pg_catalog.age(latest.until, latest.since)
                                 ELSE latest.until - latest.since END AS length) AS span
 CROSS JOIN LATERAL (SELECT pg_catalog.date_part('epoch', latest.until - pg_catalog.clock_timestamp())
                            / pg_catalog.date_part('epoch', latest.until - latest.since) AS spans) AS ahead
 WHERE latest.inhparent NOT IN (SELECT inhparent FROM unbounded);

-- part_default_rows --
-- What to ask: whether the partition for what has no other holds rows.
SELECT 'partition', namespace.nspname, class.relname,
       CASE WHEN pg_catalog.has_table_privilege(class.oid, 'SELECT')
             AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') THEN
           pg_catalog.format(
               'SELECT ''partition'', %%1$L, %%2$L, NULL::float8,'
               ' CASE WHEN NOT EXISTS (SELECT FROM %%1$I.%%2$I) THEN ''ok'' WHEN %%4$s THEN ''critical'''
               ' ELSE ''warning'' END,'
               ' pg_catalog.jsonb_build_object(''parent'', %%3$L), NULL::text[]',
               namespace.nspname, class.relname, parent.relname,
               CASE WHEN next.until IS NULL THEN 'false' ELSE
                   pg_catalog.format('EXISTS (SELECT FROM %%I.%%I WHERE %%I >= %%L AND %%I < %%L)', namespace.nspname,
                                     class.relname, next.key, next.until::text, next.key,
                                     (next.until + next.span)::text)
               END)
       END,
       pg_catalog.format('GRANT SELECT ON %%I.%%I TO the login', namespace.nspname, class.relname)
  FROM pg_catalog.pg_partitioned_table AS split
  JOIN pg_catalog.pg_class AS class ON class.oid = split.partdefid AND class.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS parent ON parent.oid = split.partrelid
  LEFT JOIN LATERAL (
       -- The span behind the last one: a partition for it cannot be made while rows of it are here.
       SELECT attribute.attname AS key, bound.found[2]::timestamptz AS until,
              bound.found[2]::timestamptz - bound.found[1]::timestamptz AS span
         FROM pg_catalog.pg_inherits AS link
         JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
         JOIN pg_catalog.pg_attribute AS attribute
           ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
          AND attribute.atttypid IN (1082, 1114, 1184)
        CROSS JOIN LATERAL (SELECT pg_catalog.regexp_match(
                                       pg_catalog.pg_get_expr(part.relpartbound, 0),
                                       '^FOR VALUES FROM \(''([^'']+)''\) TO \(''([^'']+)''\)$') AS found) AS bound
        WHERE link.inhparent = split.partrelid AND split.partstrat = 'r' AND split.partnatts = 1
          AND bound.found IS NOT NULL AND pg_catalog.isfinite(bound.found[2]::timestamptz)
        ORDER BY bound.found[2]::timestamptz DESC
        LIMIT 1) AS next ON true;

-- part_gap --
-- Spans of time between two partitions for which there is none.
WITH bounds AS (
    SELECT link.inhparent, attribute.atttypid,
           pg_catalog.regexp_match(pg_catalog.pg_get_expr(part.relpartbound, 0),
                                   '^FOR VALUES FROM \(''([^'']+)''\) TO \(''([^'']+)''\)$') AS found
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid AND part.relpartbound IS NOT NULL
      JOIN pg_catalog.pg_partitioned_table AS split
        ON split.partrelid = link.inhparent AND split.partstrat = 'r' AND split.partnatts = 1
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
       AND attribute.atttypid IN (1082, 1114, 1184)
), spans AS (
    SELECT inhparent, found[2]::timestamptz AS until,
           lead(found[1]::timestamptz) OVER (PARTITION BY inhparent ORDER BY found[1]::timestamptz) AS next
      FROM bounds
     WHERE found IS NOT NULL
)
SELECT 'table', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN spans.next > pg_catalog.clock_timestamp() THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('since', spans.until, 'until', spans.next),
       ARRAY[[pg_catalog.format('CREATE TABLE %%1$I.%%2$I PARTITION OF %%1$I.%%3$I FOR VALUES FROM (%%4$L) TO (%%5$L)',
                                namespace.nspname,
                                pg_catalog.format('%%s_p%%s', class.relname,
                                                  pg_catalog.to_char(spans.until, 'YYYYMMDD"_"HH24MI')),
                                class.relname, spans.until::text, spans.next::text),
              'ACCESS EXCLUSIVE']]
  FROM spans
  JOIN pg_catalog.pg_class AS class ON class.oid = spans.inhparent
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE spans.next > spans.until;

-- part_no_partitions --
-- Partitioned tables without a partition: no row has a place.
SELECT 'table', namespace.nspname, class.relname, NULL::float8,
       -- A list grows with what there is: one that is empty may just have begun.
       CASE split.partstrat WHEN 'l' THEN 'info' ELSE 'critical' END,
       '{}'::jsonb, NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_partitioned_table AS split ON split.partrelid = class.oid
 WHERE class.relkind = 'p'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE link.inhparent = class.oid);

-- part_retention_overdue --
-- By how many periods the oldest partition is past what its policy keeps, unless something holds it.
WITH kept AS (
    SELECT pg_catalog.to_regclass(policy.table_name) AS relation,
           coalesce(policy.keep_for, rule.keep_for) AS keep_for,
           CASE policy.period WHEN 'quarter' THEN INTERVAL '3 months' ELSE ('1 ' || policy.period)::interval END AS period
      FROM ops.partition_policy AS policy
      LEFT JOIN public.retention_policies AS rule
        ON policy.table_name IN (rule.table_name, 'public.' || rule.table_name)
       AND rule.rule = policy.rule
     WHERE policy.hold IS NULL AND coalesce(policy.keep_for, rule.keep_for) IS NOT NULL
), oldest AS (
    SELECT kept.relation, kept.keep_for, kept.period, min(bound.found[2]::timestamptz) AS until
      FROM kept
      JOIN pg_catalog.pg_inherits AS link ON link.inhparent = kept.relation
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
     CROSS JOIN LATERAL (SELECT pg_catalog.regexp_match(
                                    pg_catalog.pg_get_expr(part.relpartbound, 0),
                                    '^FOR VALUES FROM \((?:''([^'']+)''|MINVALUE)\) TO \(''([^'']+)''\)$') AS found) AS bound
     WHERE bound.found IS NOT NULL
     GROUP BY kept.relation, kept.keep_for, kept.period
)
SELECT 'table', namespace.nspname, class.relname,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - (oldest.until + oldest.keep_for))
       / pg_catalog.date_part('epoch', oldest.period), NULL,
       pg_catalog.jsonb_build_object('until', oldest.until, 'keep_for', oldest.keep_for), NULL::text[]
  FROM oldest
  JOIN pg_catalog.pg_class AS class ON class.oid = oldest.relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace;

-- part_drop_overdue --
-- Partitions that were detached, and for how long they should have been dropped.
SELECT 'partition', NULL, archive.partition_name, late.days, NULL,
       pg_catalog.jsonb_build_object(
           'table', archive.table_name, 'archived', archive.archived_at IS NOT NULL, 'days', late.days::int),
       NULL::text[]
  FROM ops.partition_archives AS archive
  JOIN pg_catalog.pg_class AS class ON class.oid = archive.partition_oid
  JOIN ops.partition_policy AS policy ON policy.table_name = archive.table_name AND policy.hold IS NULL
 CROSS JOIN LATERAL (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                                                          - (archive.detached_at + policy.grace)) / 86400 AS days) AS late
 WHERE archive.dropped_at IS NULL;

-- part_too_many --
-- Partitioned tables with so many partitions that planning takes long.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('partitions', below.partitions), NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (SELECT count(*) AS partitions FROM pg_catalog.pg_inherits AS link
                      WHERE link.inhparent = class.oid) AS below
 WHERE class.relkind = 'p' AND below.partitions > %(most)s;

-- sec_public_create --
-- Schemas in which everybody may create: a function there is called in place of another one.
SELECT 'schema', NULL, namespace.nspname, NULL::float8, 'critical', '{}'::jsonb,
       ARRAY[[pg_catalog.format('REVOKE CREATE ON SCHEMA %%I FROM PUBLIC', namespace.nspname), 'none']]
  FROM pg_catalog.pg_namespace AS namespace
 CROSS JOIN LATERAL pg_catalog.aclexplode(
       coalesce(namespace.nspacl, pg_catalog.acldefault('n', namespace.nspowner))) AS given
 WHERE given.grantee = 0 AND given.privilege_type = 'CREATE'
   AND namespace.nspname !~ '^pg_(temp|toast_temp)_';

-- sec_secdef_search_path --
-- Functions that run as their owner and find what they call where the caller says.
SELECT 'function', namespace.nspname, routine.oid::pg_catalog.regprocedure::text, NULL::float8,
       CASE WHEN pg_catalog.has_function_privilege('public', routine.oid, 'EXECUTE') THEN 'critical'
            ELSE 'warning' END,
       pg_catalog.jsonb_build_object('owner', pg_catalog.pg_get_userbyid(routine.proowner)),
       ARRAY[[pg_catalog.format('ALTER ROUTINE %%I.%%I(%%s) SET search_path = pg_catalog, pg_temp', namespace.nspname,
                                routine.proname, pg_catalog.pg_get_function_identity_arguments(routine.oid)), 'none']]
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = routine.pronamespace
 WHERE routine.prosecdef
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND NOT EXISTS (SELECT FROM pg_catalog.unnest(routine.proconfig) AS option (text)
                    WHERE pg_catalog.starts_with(option.text, 'search_path='))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_proc'::regclass
                      AND link.objid = routine.oid AND link.deptype = 'e');

-- sec_superusers --
-- Logins beside the first one that may do anything.
SELECT 'role', NULL, rolname, NULL::float8, 'warning', '{}'::jsonb,
       ARRAY[[pg_catalog.format('ALTER ROLE %%I NOSUPERUSER', rolname), 'none']]
  FROM pg_catalog.pg_roles
 -- The role that initdb makes.
 WHERE rolsuper AND rolcanlogin AND oid <> 10;

-- sec_role_powers --
-- Logins that may reach beyond what is granted on tables, by an attribute or by a role they are in.
SELECT 'role', NULL, role.rolname, NULL::float8,
       CASE WHEN power.is_grave THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('power', power.name),
       ARRAY[[power.cure, 'none']]
  FROM pg_catalog.pg_roles AS role
 CROSS JOIN LATERAL (
       SELECT 'BYPASSRLS' AS name, false AS is_grave,
              pg_catalog.format('ALTER ROLE %%I NOBYPASSRLS', role.rolname) AS cure
        WHERE role.rolbypassrls
       UNION ALL
       SELECT 'CREATEROLE', false, pg_catalog.format('ALTER ROLE %%I NOCREATEROLE', role.rolname)
        WHERE role.rolcreaterole
       UNION ALL
       SELECT granted.rolname, granted.rolname <> 'pg_read_server_files',
              pg_catalog.format('REVOKE %%I FROM %%I', granted.rolname, role.rolname)
         FROM pg_catalog.pg_roles AS granted
        WHERE granted.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
          AND pg_catalog.pg_has_role(role.oid, granted.oid, 'MEMBER')) AS power
 WHERE role.rolcanlogin AND NOT role.rolsuper;

-- sec_rls_off --
-- Tables with policies that nobody applies.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('policies', found.policies),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ENABLE ROW LEVEL SECURITY', namespace.nspname, class.relname),
              'ACCESS EXCLUSIVE']]
  FROM (SELECT polrelid, count(*) AS policies FROM pg_catalog.pg_policy GROUP BY polrelid) AS found
  JOIN pg_catalog.pg_class AS class ON class.oid = found.polrelid AND NOT class.relrowsecurity
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace;

-- sec_rls_no_policy --
-- Tables that show no row to anybody but their owner.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info', '{}'::jsonb, NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relrowsecurity AND NOT class.relispartition
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS policy WHERE policy.polrelid = class.oid);

-- sec_policy_always_true --
-- Policies that let everybody write any row.
SELECT 'policy', namespace.nspname, class.relname || '.' || policy.polname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('table', class.relname, 'policy', policy.polname), NULL::text[]
  FROM pg_catalog.pg_policy AS policy
  JOIN pg_catalog.pg_class AS class ON class.oid = policy.polrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE policy.polpermissive AND policy.polcmd <> 'r'
   AND policy.polroles = '{0}'
   AND coalesce(pg_catalog.pg_get_expr(coalesce(policy.polwithcheck, policy.polqual), 0), '') = 'true';

-- sec_rls_not_forced --
-- Tables with policies that a login owns: the owner passes by them.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('owner', owner.rolname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I FORCE ROW LEVEL SECURITY', namespace.nspname, class.relname),
              'ACCESS EXCLUSIVE']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_roles AS owner ON owner.oid = class.relowner
 WHERE class.relrowsecurity AND NOT class.relforcerowsecurity
   -- Whoever passes by every policy is told of by other checks; a role that nobody logs in as owns on purpose.
   AND owner.rolcanlogin AND NOT owner.rolsuper AND NOT owner.rolbypassrls;

-- sec_policies_overlap --
-- Tables of which several permissive policies hold for the same role and command: a row takes any, and each is asked.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('policies', found.policies), NULL::text[]
  FROM (SELECT polrelid, max(policies) AS policies
          FROM (SELECT policy.polrelid, role.oid, policy.polcmd, count(*) AS policies
                  FROM pg_catalog.pg_policy AS policy
                 CROSS JOIN LATERAL pg_catalog.unnest(policy.polroles) AS role (oid)
                 WHERE policy.polpermissive
                 GROUP BY policy.polrelid, role.oid, policy.polcmd) AS counted
         GROUP BY polrelid) AS found
  JOIN pg_catalog.pg_class AS class ON class.oid = found.polrelid AND class.relrowsecurity
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE found.policies > 1 AND NOT class.relispartition;

-- sec_view_bypass --
-- Views, open to others than their owner, that read tables with policies as their owner does. One made for those who
-- may not read the table is a window; for those who may, it is a way around the policies.
SELECT 'view', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN bool_or(given.grantee = 0 OR pg_catalog.has_table_privilege(given.grantee, below.oid, 'SELECT'))
            THEN 'warning' ELSE 'info' END,
       pg_catalog.jsonb_build_object('tables', pg_catalog.string_agg(DISTINCT below.relname, ', ')),
       ARRAY[[pg_catalog.format('ALTER VIEW %%I.%%I SET (security_invoker = true)', namespace.nspname, class.relname),
              'ACCESS EXCLUSIVE']]
  FROM pg_catalog.pg_rewrite AS rule
  JOIN pg_catalog.pg_class AS class ON class.oid = rule.ev_class AND class.relkind = 'v'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_depend AS link
    ON link.classid = 'pg_catalog.pg_rewrite'::regclass AND link.objid = rule.oid
   AND link.refclassid = 'pg_catalog.pg_class'::regclass
  JOIN pg_catalog.pg_class AS below ON below.oid = link.refobjid AND below.relrowsecurity
  JOIN pg_catalog.pg_roles AS owner ON owner.oid = class.relowner
 CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS given
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_options_to_table(class.reloptions)
                    -- One that is a barrier is made to let some of the rows through.
                    WHERE option_name IN ('security_invoker', 'security_barrier') AND option_value::boolean)
   -- The policies hold for the owner of the view where neither he, nor what he owns, is passed by.
   AND (owner.rolsuper OR owner.rolbypassrls
        OR below.relowner = class.relowner AND NOT below.relforcerowsecurity)
   AND given.grantee <> class.relowner
   AND given.privilege_type = 'SELECT'
 GROUP BY namespace.nspname, class.relname;

-- sec_public_grants --
-- Tables that everybody may read or write; critical where a column is said to be personal.
SELECT 'table', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN personal.is_it THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('privileges', given.privileges),
       ARRAY[[pg_catalog.format('REVOKE ALL ON %%I.%%I FROM PUBLIC', namespace.nspname, class.relname), 'none']]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(acl.privilege_type, ', ' ORDER BY acl.privilege_type) AS privileges
                       FROM pg_catalog.aclexplode(class.relacl) AS acl
                      WHERE acl.grantee = 0) AS given
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.pg_description AS said
                                     WHERE said.objoid = class.oid
                                       AND said.classoid = 'pg_catalog.pg_class'::regclass
                                       AND said.objsubid > 0
                                       AND said.description ~ '^[a-z_]+:'
                                       AND said.description !~ '^none:') AS is_it) AS personal
 WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND given.privileges IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::regclass
                      AND link.objid = class.oid AND link.deptype = 'e');

-- sec_password_hash --
-- How passwords that are set from now on are kept, where not by SCRAM.
SELECT 'setting', NULL, name, NULL::float8, 'warning', pg_catalog.jsonb_build_object('setting', setting),
       ARRAY[['ALTER SYSTEM SET password_encryption = ''scram-sha-256''', 'none'],
             ['SELECT pg_catalog.pg_reload_conf()', 'none']]
  FROM pg_catalog.pg_settings
 WHERE name = 'password_encryption' AND setting <> 'scram-sha-256';

-- sec_password_expiry --
-- Logins whose password ends, and in how many days.
SELECT 'role', NULL, rolname, pg_catalog.date_part('epoch', rolvaliduntil - pg_catalog.clock_timestamp()) / 86400, NULL,
       pg_catalog.jsonb_build_object('until', rolvaliduntil), NULL::text[]
  FROM pg_catalog.pg_roles
 WHERE rolcanlogin AND pg_catalog.isfinite(rolvaliduntil);

-- sec_hba_trust --
-- Lines of pg_hba.conf by which somebody on the network gets in without a password, or shows it.
SELECT 'line', NULL, rule.line_number::text, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('line', rule.line_number, 'method', rule.auth_method), NULL::text[]
  FROM pg_catalog.pg_hba_file_rules AS rule
 WHERE rule.auth_method IN ('trust', 'password')
   AND rule.type <> 'local'
   AND NOT (rule.type = 'hostssl' AND rule.auth_method = 'password')
   AND rule.address NOT IN ('127.0.0.1', '::1', 'localhost');

-- sec_ssl_off --
-- A server that others reach over the network, and that encrypts nothing.
SELECT 'setting', NULL, 'ssl', NULL::float8, 'warning', pg_catalog.jsonb_build_object('addresses', listen.setting),
       NULL::text[]
  FROM pg_catalog.pg_settings AS crypt, pg_catalog.pg_settings AS listen
 WHERE crypt.name = 'ssl' AND crypt.setting = 'off'
   AND listen.name = 'listen_addresses'
   AND EXISTS (SELECT FROM pg_catalog.regexp_split_to_table(listen.setting, '\s*,\s*') AS address (text)
                WHERE address.text NOT IN ('', 'localhost', '127.0.0.1', '::1'));

-- sec_ext_public --
-- Extensions in schema public, where their functions stand beside the application's.
SELECT 'extension', NULL, extension.extname, NULL::float8, 'info', '{}'::jsonb,
       CASE WHEN extension.extrelocatable THEN
           ARRAY[['CREATE SCHEMA IF NOT EXISTS extensions', 'none'],
                 [pg_catalog.format('ALTER EXTENSION %%I SET SCHEMA extensions', extension.extname),
                  'ACCESS EXCLUSIVE on what it has']] END
  FROM pg_catalog.pg_extension AS extension
 WHERE extension.extnamespace = pg_catalog.to_regnamespace('public');

-- sec_reg_columns --
-- Columns that hold numbers of the catalogue, which are others after an upgrade: pg_upgrade refuses them.
SELECT 'column', namespace.nspname, class.relname || '.' || attribute.attname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('table', class.relname, 'column', attribute.attname, 'type', type.typname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ALTER COLUMN %%I TYPE text', namespace.nspname, class.relname,
                                attribute.attname),
              'ACCESS EXCLUSIVE, while the table is written anew']]
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid
   AND class.relkind IN ('r', 'p', 'm') AND NOT class.relispartition AND class.relpersistence <> 't'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
 WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND type.oid IN (24, 2202, 2203, 2204, 3734, 3769, 4089, 4191);

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
-- The last entry of the journal, if it says that a migration broke, or not how it ended and nobody is at it.
SELECT 'revision', NULL, coalesce(entry.revision, 'none'), NULL::float8,
       CASE entry.state WHEN 'dirty' THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('entry', entry.id, 'state', entry.state, 'direction', entry.direction),
       NULL::text[]
  FROM ops.migration_journal AS entry
 WHERE entry.id = (SELECT max(id) FROM ops.migration_journal)
   AND (entry.state IN ('dirty', 'failed')
        OR entry.state = 'started'
           AND entry.at < pg_catalog.clock_timestamp() - %(after_s)s * INTERVAL '1 second'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS held
                            WHERE held.locktype = 'advisory'
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
