-- What is asked to be kept, or beside what was kept: sizes, disks, times, settings.

-- identity --
-- Which database of which cluster this is, and on which timeline: after a failover or a restore it is another.
SELECT pg_catalog.format('%s@%s/%s', pg_catalog.current_database(),
           (SELECT system_identifier FROM pg_catalog.pg_control_system()),
           (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()));

-- identity_hidden --
-- The same where a provider tells nothing of the cluster.
SELECT pg_catalog.current_database() || '@';

-- history_read --
-- What runs since a time have kept.
SELECT taken_at, check_id, kind, schema_name, name, measure, state, fingerprint, database, unit
  FROM ops.health_history
 WHERE taken_at >= %(since)s;

-- history_add --
-- Keep what a run has found and measured.
INSERT INTO ops.health_history
       (taken_at, check_id, kind, schema_name, name, measure, state, fingerprint, database, unit)
VALUES %s;

-- history_times --
-- When the runs were of which something is kept.
SELECT DISTINCT taken_at FROM ops.health_history;

-- history_forget --
-- Forget runs.
DELETE FROM ops.health_history WHERE taken_at = ANY (%(times)s);

-- disk_free --
-- Where the server has its files; whoever asks looks there itself, where the process with this number is one of its own.
SELECT 'directory', NULL, place.path, NULL::float8, NULL::text,
       pg_catalog.jsonb_build_object('pid', pg_catalog.pg_backend_pid()), NULL::text[]
  FROM (SELECT pg_catalog.current_setting('data_directory') AS path, 1 AS rank
        UNION ALL
        SELECT pg_catalog.current_setting('data_directory') || '/pg_wal', 2
        UNION ALL
        SELECT CASE WHEN location.path ~ '^/' THEN location.path
                    ELSE pg_catalog.current_setting('data_directory') || '/' || location.path END, 3
          FROM pg_catalog.pg_tablespace AS tablespace
         CROSS JOIN LATERAL pg_catalog.pg_tablespace_location(tablespace.oid) AS location (path)
         WHERE location.path <> '') AS place
 ORDER BY place.rank, place.path;

-- disk_size --
-- The size of each database that the login may ask of.
SELECT 'database', NULL, database.datname, measured.bytes::float8, 'ok',
       pg_catalog.jsonb_build_object('bytes', measured.bytes), NULL::text[]
  FROM pg_catalog.pg_database AS database
 CROSS JOIN LATERAL (
       SELECT CASE WHEN pg_catalog.has_database_privilege(database.oid, 'CONNECT')
                        OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
                   THEN pg_catalog.pg_database_size(database.oid) END AS bytes) AS measured
 WHERE database.datconnlimit <> -2 AND measured.bytes IS NOT NULL;

-- query_times --
-- What to ask of the extension pg_stat_statements: the statements of this database that took most, without their text.
SELECT 'extension', place.nspname, extension.extname,
       pg_catalog.format(
           '(SELECT ''counted since'', NULL::text, '''', pg_catalog.date_part(''epoch'', stats_reset), ''ok'','
           ' ''{}''::jsonb, NULL::text[] FROM %%1$I.pg_stat_statements_info)'
           ' UNION ALL'
           ' (SELECT part.kind, NULL, took.id::text, part.measure, ''ok'', ''{}'', NULL'
           ' FROM (SELECT queryid AS id, sum(calls)::float8 AS calls, sum(total_exec_time) AS ms'
           ' FROM %%1$I.pg_stat_statements'
           ' WHERE queryid IS NOT NULL AND dbid = (SELECT oid FROM pg_catalog.pg_database'
           ' WHERE datname = pg_catalog.current_database())'
           ' GROUP BY queryid ORDER BY sum(total_exec_time) DESC LIMIT %%2$s) AS took'
           ' CROSS JOIN LATERAL (VALUES (''calls'', took.calls), (''milliseconds'', took.ms)) AS part (kind, measure))',
           place.nspname, %(most)s::int),
       NULL
  FROM pg_catalog.pg_extension AS extension
  JOIN pg_catalog.pg_namespace AS place ON place.oid = extension.extnamespace
 WHERE extension.extname = 'pg_stat_statements';

-- set_drift --
-- Settings beside what they should be, whatever unit either is written in; what this session sets itself hides it.
WITH wanted AS (
    SELECT lower(expected.key) AS name, expected.value AS text
      FROM pg_catalog.jsonb_each_text(%(expected)s::jsonb) AS expected
), compared AS (
    SELECT wanted.name, wanted.text, setting.name IS NOT NULL AS is_known, setting.source, setting.sourcefile,
           pg_catalog.current_setting(wanted.name, true) AS shown,
           CASE
               WHEN setting.vartype = 'bool' THEN
                   CASE WHEN lower(wanted.text) IN ('on', 'true', 'yes', '1') THEN 'on'
                        WHEN lower(wanted.text) IN ('off', 'false', 'no', '0') THEN 'off' END = setting.setting
               WHEN setting.vartype = 'enum' THEN lower(wanted.text) = lower(setting.setting)
               WHEN setting.vartype = 'string' THEN wanted.text = setting.setting
               WHEN number.text IS NULL THEN false
               WHEN number.unit = '' THEN number.text::numeric = setting.setting::numeric
               ELSE number.text::numeric * asked.size
                    BETWEEN (setting.setting::numeric - 0.5) * stored.size AND (setting.setting::numeric + 0.5) * stored.size
           END AS is_so
      FROM wanted
      LEFT JOIN pg_catalog.pg_settings AS setting ON setting.name = wanted.name
      LEFT JOIN LATERAL (
           SELECT part[1] AS text, part[2] AS unit
             FROM pg_catalog.regexp_match(wanted.text, '^\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$') AS part) AS number ON true
      LEFT JOIN LATERAL (
           SELECT pg_catalog.regexp_match(setting.unit, '^(\d*)([A-Za-z]+)$') AS part) AS own ON true
      LEFT JOIN (VALUES ('B', 1::numeric, 'size'), ('kB', 1024, 'size'), ('MB', 1048576, 'size'),
                        ('GB', 1073741824, 'size'), ('TB', 1099511627776, 'size'),
                        ('us', 0.001, 'time'), ('ms', 1, 'time'), ('s', 1000, 'time'), ('min', 60000, 'time'),
                        ('h', 3600000, 'time'), ('d', 86400000, 'time')) AS asked (unit, size, kind)
        ON asked.unit = number.unit
      LEFT JOIN LATERAL (
           SELECT coalesce(nullif(own.part[1], ''), '1')::numeric * known.size AS size, known.kind
             FROM (VALUES ('B', 1::numeric, 'size'), ('kB', 1024, 'size'), ('MB', 1048576, 'size'),
                          ('us', 0.001, 'time'), ('ms', 1, 'time'), ('s', 1000, 'time'), ('min', 60000, 'time')
                  ) AS known (unit, size, kind)
            WHERE known.unit = own.part[2]) AS stored ON stored.kind = asked.kind
)
SELECT 'setting', NULL, name, NULL::float8,
       CASE WHEN NOT is_known OR source IN ('client', 'session') THEN 'unknown' ELSE 'info' END,
       CASE WHEN NOT is_known THEN pg_catalog.jsonb_build_object('reason', 'the server has no such setting')
            WHEN source IN ('client', 'session')
            THEN pg_catalog.jsonb_build_object('reason', 'who asks has set it for itself')
            ELSE pg_catalog.jsonb_build_object('value', shown, 'expected', text) END,
       CASE WHEN is_known AND source NOT IN ('client', 'session') THEN
           ARRAY[[pg_catalog.format('ALTER SYSTEM SET %%I = %%L', name, text), 'none'],
                 ['SELECT pg_reload_conf()', 'none']] END
  FROM compared
 WHERE NOT is_known OR source IN ('client', 'session') OR is_so IS NOT TRUE
 ORDER BY name;
