-- The statements of the checks of tables and indexes: vacuum, statistics, what is missing and what is too much.

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
 CROSS JOIN pg_catalog.pg_stat_bgwriter AS writer
  JOIN pg_catalog.pg_stat_database AS here ON here.datname = pg_catalog.current_database()
 WHERE used.last_analyze IS NULL
   AND used.last_autoanalyze IS NULL
   -- A crash, or a person, makes the server forget when it was: then the table itself says whether it was looked at.
   AND (class.reltuples < 0
        OR here.stats_reset IS NULL
           AND writer.stats_reset < INTERVAL '10 minutes' + pg_catalog.to_timestamp(
                   ((SELECT system_identifier FROM pg_catalog.pg_control_system()) >> 32)::float8))
   AND used.n_live_tup > %(least_rows)s
   AND class.relkind <> 'p';

-- stats_stale --
-- How much of a table changed since it was analyzed.
SELECT 'table', used.schemaname, used.relname,
       used.n_mod_since_analyze::float8 / known.rows, NULL,
       pg_catalog.jsonb_build_object('changed', used.n_mod_since_analyze, 'rows', known.rows::bigint),
       ARRAY[[pg_catalog.format('ANALYZE %%I.%%I', used.schemaname, used.relname), 'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_stat_user_tables AS used
  JOIN pg_catalog.pg_class AS class ON class.oid = used.relid
 -- After a crash the server has counted few of them.
 CROSS JOIN LATERAL (SELECT greatest(1, used.n_live_tup, class.reltuples) AS rows) AS known
 WHERE used.n_mod_since_analyze > %(least_rows)s
   AND (coalesce(used.last_analyze, used.last_autoanalyze) IS NOT NULL OR class.reltuples >= 0);

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

-- stats_window --
-- For how long the server has counted: a crash forgets it, and says so of all databases; a person of one.
SELECT 'database', NULL, pg_catalog.current_database()::text, counted.days,
       CASE WHEN counted.days < %(warning)s THEN 'info' ELSE 'ok' END,
       pg_catalog.jsonb_build_object('days', pg_catalog.round(counted.days::numeric, 1)), NULL::text[]
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                   - greatest(here.stats_reset, writer.stats_reset)) / 86400 AS days
          FROM pg_catalog.pg_stat_bgwriter AS writer
          JOIN pg_catalog.pg_stat_database AS here ON here.datname = pg_catalog.current_database()) AS counted;

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

-- idx_invalid --
-- Indexes that no query uses and every write pays for; one that is being built is none.
SELECT 'index', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN progress.hidden THEN 'unknown'
            WHEN linked.oid IS NOT NULL THEN 'critical'
            ELSE 'warning' END,
       pg_catalog.jsonb_build_object('table', owner.relname, 'constraint', linked.conname)
           || CASE WHEN progress.hidden THEN
                  '{"cure": "GRANT pg_monitor TO the login",
                    "reason": "an index of its table is being built, and which is hidden from the login"}'::jsonb
              ELSE '{}' END,
       CASE WHEN progress.hidden THEN NULL
            WHEN linked.oid IS NULL THEN
           ARRAY[[pg_catalog.format('DROP INDEX CONCURRENTLY %%I.%%I', namespace.nspname, class.relname),
                  'SHARE UPDATE EXCLUSIVE']]
            ELSE
           ARRAY[[pg_catalog.format('REINDEX INDEX CONCURRENTLY %%I.%%I', namespace.nspname, class.relname),
                  'SHARE UPDATE EXCLUSIVE']]
       END
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.conindid = class.oid AND linked.contype IN ('p', 'u', 'x')
 CROSS JOIN LATERAL (
       -- Who builds is seen by all, what only by some. A table built anew has all its new indexes at once.
       SELECT coalesce(bool_or(running.index_relid IS NULL), false) AS hidden,
              coalesce(bool_or(running.index_relid = class.oid
                               OR running.command = 'REINDEX CONCURRENTLY'
                                  AND class.relname ~ '_cc(new|old)[0-9]*$'), false) AS mine
         FROM pg_catalog.pg_stat_progress_create_index AS running
         -- It is held from the beginning of a build to its end.
         JOIN pg_catalog.pg_locks AS held
           ON held.pid = running.pid AND held.mode = 'ShareUpdateExclusiveLock' AND held.granted
        WHERE held.relation = index.indrelid
          AND held.database = (SELECT oid FROM pg_catalog.pg_database
                                WHERE datname = pg_catalog.current_database())) AS progress
 WHERE NOT index.indisvalid
   AND class.relkind = 'i'
   AND NOT progress.mine
   -- One that is being dropped, or indexed anew, is held by whoever does it; one that was left is held by nobody.
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS held
                    WHERE held.relation = class.oid AND held.mode = 'ShareUpdateExclusiveLock' AND held.granted
                      AND held.database = (SELECT oid FROM pg_catalog.pg_database
                                            WHERE datname = pg_catalog.current_database()));

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
 WHERE index.indisvalid
   AND NOT index.indisunique AND NOT index.indisprimary AND NOT index.indisexclusion AND NOT index.indisreplident
   -- Of those that are large alone it is asked how often they were used.
   AND CASE WHEN class.relpages::bigint * 8192 >= %(least_bytes)s THEN used.idx_scan = 0 ELSE false END
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
           index.indkey::text AS keys, class.relam, index.indclass, index.indcollation, index.indoption,
           index.indnkeyatts, index.indnullsnotdistinct,
           -- Where in its statement something was written makes it no other.
           pg_catalog.regexp_replace(index.indpred::text, ':location -?[0-9]+', '', 'g') AS predicate,
           pg_catalog.regexp_replace(index.indexprs::text, ':location -?[0-9]+', '', 'g') AS expressions
      FROM pg_catalog.pg_index AS index
      JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
      JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE index.indisvalid AND namespace.nspname !~ '^(pg_|information_schema$)'
       -- Of most tables no two indexes begin with the same column, and nothing else is looked at.
       AND (index.indrelid, index.indkey[0]) IN (
           SELECT alike.indrelid, alike.indkey[0] FROM pg_catalog.pg_index AS alike GROUP BY 1, 2 HAVING count(*) > 1)
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
    ON other.indrelid = one.indrelid AND other.keys = one.keys
   AND other.indexrelid <> one.indexrelid
   AND (other.relam, other.indclass, other.indcollation, other.indoption::text, other.indnkeyatts,
        other.indnullsnotdistinct)
       = (one.relam, one.indclass, one.indcollation, one.indoption::text, one.indnkeyatts, one.indnullsnotdistinct)
   AND (other.predicate, other.expressions) IS NOT DISTINCT FROM (one.predicate, one.expressions)
   AND other.indisunique >= one.indisunique
   AND (other.is_needed OR other.indisunique > one.indisunique OR other.indexrelid < one.indexrelid)
 WHERE NOT one.is_needed AND NOT one.indisreplident AND NOT one.relispartition
 ORDER BY one.indexrelid, other.is_needed DESC, other.indexrelid;

-- idx_redundant_prefix --
-- Indexes whose columns another one begins with.
WITH described AS MATERIALIZED (
    SELECT index.indexrelid, index.indrelid, index.indisunique, index.indisreplident, index.indnkeyatts,
           index.indnatts, class.relpages, class.relname, namespace.nspname, owner.relname AS table_name,
           class.relispartition,
           pg_catalog.regexp_replace(index.indpred::text, ':location -?[0-9]+', '', 'g') AS predicate,
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
       AND (index.indrelid, index.indkey[0]) IN (
           SELECT alike.indrelid, alike.indkey[0] FROM pg_catalog.pg_index AS alike GROUP BY 1, 2 HAVING count(*) > 1)
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
       CASE WHEN greatest(class.reltuples, pg_catalog.pg_stat_get_live_tuples(linked.conrelid)) > %(least_rows)s
                 OR pg_catalog.pg_stat_get_tuples_deleted(linked.confrelid) > 0 THEN 'warning' ELSE 'info' END,
       pg_catalog.jsonb_build_object('table', class.relname, 'constraint', linked.conname, 'columns', keys.names),
       ARRAY[[pg_catalog.format('CREATE INDEX%%s ON %%I.%%I (%%s)',
                                CASE WHEN class.relkind = 'r' THEN ' CONCURRENTLY' ELSE '' END,
                                namespace.nspname, class.relname, keys.names),
              CASE WHEN class.relkind = 'r' THEN 'SHARE UPDATE EXCLUSIVE' ELSE 'SHARE on all partitions' END]]
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
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
                     JOIN pg_catalog.pg_class AS built ON built.oid = index.indexrelid
                     -- That one says in which part of the table to look, and all of it may be that.
                     JOIN pg_catalog.pg_am AS method ON method.oid = built.relam AND method.amname <> 'brin'
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
   AND own.atttypid <> far.atttypid
   -- A domain holds what its own type does.
   AND coalesce(nullif(near_type.typbasetype, 0), near_type.oid)
       <> coalesce(nullif(far_type.typbasetype, 0), far_type.oid);

-- idx_null_heavy --
-- What to ask: of each index of some size on one column, how much of that is NULL, with an entry for each of those.
WITH lent AS MATERIALIZED (
    -- Whose tables a function of revision 009 may be asked about, in place of a grant to read them.
    SELECT routine.proowner AS owner
      FROM pg_catalog.pg_proc AS routine
      JOIN pg_catalog.pg_namespace AS home ON home.oid = routine.pronamespace AND home.nspname = 'ops'
     WHERE routine.proname = 'health_null_part_v1' AND routine.prosecdef
       AND pg_catalog.has_schema_privilege(home.oid, 'USAGE')
       AND pg_catalog.has_function_privilege(routine.oid, 'EXECUTE')
)
SELECT 'index', namespace.nspname, class.relname,
       CASE WHEN may.is_direct
              OR owner.relowner IN (SELECT lent.owner FROM lent) AND NOT owner.relforcerowsecurity THEN
           pg_catalog.format(
               'SELECT ''index'', %%1$L, %%2$L, NULL::float8, CASE WHEN known.part > %(most_null)s THEN ''info'' ELSE ''ok'' END,'
               ' pg_catalog.jsonb_build_object(''table'', %%3$L, ''column'', %%4$L, ''percent'', (100 * known.part)::int,'
               ' ''bytes'', %%5$s), NULL::text[]'
               ' FROM (SELECT %%6$s) AS known',
               namespace.nspname, class.relname, owner.relname, attribute.attname, class.relpages::bigint * 8192,
               CASE WHEN may.is_direct THEN
                   pg_catalog.format('max(null_frac) AS part FROM pg_catalog.pg_stats'
                                     ' WHERE schemaname = %%L AND tablename = %%L AND attname = %%L',
                                     namespace.nspname, owner.relname, attribute.attname)
               ELSE pg_catalog.format('ops.health_null_part_v1(%%s::pg_catalog.oid::pg_catalog.regclass, %%L) AS part',
                                      owner.oid, attribute.attname) END)
       END,
       pg_catalog.format('GRANT SELECT ON %%I.%%I TO the login', namespace.nspname, owner.relname)
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid AND class.relkind = 'i'
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = owner.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = owner.oid AND attribute.attnum = index.indkey[0]
 CROSS JOIN LATERAL (
       SELECT pg_catalog.has_column_privilege(owner.oid, attribute.attnum, 'SELECT')
              AND NOT pg_catalog.row_security_active(owner.oid) AS is_direct) AS may
 WHERE index.indpred IS NULL AND index.indnkeyatts = 1 AND NOT index.indisunique AND NOT class.relispartition
   AND class.relpages::bigint * 8192 >= %(least_bytes)s
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND NOT attribute.attnotnull
 ORDER BY class.relpages DESC;

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

-- idx_boolean --
-- Indexes on one truth value: where it is common the table is read as fast, and where it is rare a condition does with less.
SELECT 'index', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('table', owner.relname, 'bytes', class.relpages::bigint * 8192), NULL::text[]
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  -- Of the index itself: what it is on may be an expression.
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = index.indexrelid AND attribute.attnum = 1 AND attribute.atttypid = 'bool'::regtype
 WHERE index.indnatts = 1 AND index.indpred IS NULL
   AND NOT index.indisunique AND NOT index.indisexclusion AND NOT class.relispartition
   AND class.relpages::bigint * 8192 >= %(least_bytes)s
   AND namespace.nspname !~ '^(pg_|information_schema$)';

-- idx_corrupt --
-- What to read: every btree, by the extension amcheck, beside all the rows that should be in it.
SELECT 'index', namespace.nspname, class.relname,
       pg_catalog.format(
           'SELECT ''index'', %%1$L, %%2$L, NULL::float8, ''ok'', ''{}''::jsonb, NULL::text[]'
           ' FROM %%3$I.bt_index_check(%%4$s::pg_catalog.oid::pg_catalog.regclass, true)',
           namespace.nspname, class.relname, place.nspname, class.oid),
       pg_catalog.format('GRANT USAGE ON SCHEMA %%1$I TO the login;'
                         ' GRANT EXECUTE ON FUNCTION %%1$I.bt_index_check(regclass, boolean) TO the login', place.nspname),
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

-- chk_amcheck --
-- What to read: every table, by the extension amcheck, of which the rows should be as their pages say.
SELECT 'table', namespace.nspname, class.relname,
       pg_catalog.format(
           'SELECT ''table'', %%1$L, %%2$L, NULL::float8, CASE WHEN count(*) = 0 THEN ''ok'' ELSE ''critical'' END,'
           ' pg_catalog.jsonb_build_object(''places'', count(*), ''block'', min(wrong.blkno)), NULL::text[]'
           ' FROM %%3$I.verify_heapam(%%4$s::pg_catalog.oid::pg_catalog.regclass, true) AS wrong',
           namespace.nspname, class.relname, place.nspname, class.oid),
       pg_catalog.format('GRANT USAGE ON SCHEMA %%1$I TO the login; GRANT EXECUTE ON FUNCTION'
                         ' %%1$I.verify_heapam(regclass, boolean, boolean, text, bigint, bigint) TO the login',
                         place.nspname)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_am AS method ON method.oid = class.relam AND method.amname = 'heap'
  JOIN pg_catalog.pg_extension AS extension ON extension.extname = 'amcheck'
  JOIN pg_catalog.pg_namespace AS place ON place.oid = extension.extnamespace
 WHERE class.relkind IN ('r', 't', 'm') AND class.relpersistence = 'p'
   AND namespace.nspname !~ '^(pg_catalog|information_schema)$'
 ORDER BY class.relpages;
