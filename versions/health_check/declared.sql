-- The statements of the checks of what only the owner of a server can say it should have.

-- repl_expected_standbys --
-- Standbys by the names that they give themselves, application_name of primary_conninfo, that do not stream.
SELECT 'standby', NULL, expected.name, NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('state', coalesce(found.state, 'not there')), NULL::text[]
  FROM pg_catalog.unnest(%(names)s::text[]) AS expected (name)
  LEFT JOIN LATERAL (
       SELECT replica.state
         FROM pg_catalog.pg_stat_replication AS replica
        WHERE replica.application_name = expected.name
        ORDER BY replica.state = 'streaming' DESC
        LIMIT 1) AS found ON true
 WHERE found.state IS DISTINCT FROM 'streaming';

-- backup_freshness --
-- What to ask for the time of the last backup: the column that was named; else the file that each backup of the
-- primary leaves in pg_wal until the next one, where WAL is archived.
SELECT 'backup', NULL::text, found.name, found.question, found.cure
  FROM (SELECT declared.name,
               CASE WHEN declared.oid IS NULL OR missing.is THEN
                        pg_catalog.format(
                            'SELECT ''backup'', NULL::text, %%L, NULL::float8, ''unknown'', '
                            '       pg_catalog.jsonb_build_object(''reason'', %%L::text), NULL::text[]',
                            declared.name, pg_catalog.format('there is no column %%s', declared.name))
                    WHEN pg_catalog.has_column_privilege(declared.oid, %(column)s, 'SELECT')
                         AND pg_catalog.has_schema_privilege(declared.schema, 'USAGE') THEN
                        pg_catalog.format(
                            'SELECT ''backup'', NULL::text, %%1$L, age.hours, CASE WHEN age.hours IS NULL THEN ''critical'' END, '
                            '       CASE WHEN age.hours IS NULL THEN pg_catalog.jsonb_build_object(''reason'', ''it knows of none'') '
                            '            ELSE pg_catalog.jsonb_build_object(''source'', %%1$L::text, ''hours'', age.hours::bigint) END, NULL::text[] '
                            '  FROM (SELECT pg_catalog.date_part(''epoch'', pg_catalog.now() - max(backup.%%2$I)::timestamptz) / 3600 AS hours '
                            '          FROM %%3$s AS backup) AS age',
                            declared.name, %(column)s::text, declared.oid::pg_catalog.regclass)
               END AS question,
               pg_catalog.format('GRANT USAGE ON SCHEMA %%s TO the login; GRANT SELECT ON %%s TO the login',
                                 declared.schema::pg_catalog.regnamespace, %(table)s::text) AS cure
          FROM (SELECT pg_catalog.concat_ws('.', %(table)s::text, %(column)s::text) AS name, class.oid,
                       class.relnamespace AS schema
                  FROM (SELECT pg_catalog.to_regclass(nullif(%(table)s, '')) AS oid) AS named
                  LEFT JOIN pg_catalog.pg_class AS class ON class.oid = named.oid) AS declared
         CROSS JOIN LATERAL (
               SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS attribute
                                   WHERE attribute.attrelid = declared.oid AND attribute.attname = %(column)s
                                     AND NOT attribute.attisdropped) AS is) AS missing
         WHERE %(table)s <> ''
        UNION ALL
        SELECT 'pg_wal',
               'SELECT ''backup'', NULL::text, ''pg_wal'', age.hours, CASE WHEN age.hours IS NULL THEN ''info'' END, '
               '       CASE WHEN age.hours IS NULL THEN '
               '                pg_catalog.jsonb_build_object(''reason'', ''nothing here says when the last backup was made'') '
               '            ELSE pg_catalog.jsonb_build_object(''source'', ''pg_wal'', ''hours'', age.hours::bigint) END, NULL::text[] '
               '  FROM (SELECT pg_catalog.date_part(''epoch'', pg_catalog.now() - max(file.modification)) / 3600 AS hours '
               '          FROM pg_catalog.pg_ls_waldir() AS file WHERE file.name ~ ''^[0-9A-F]{24}[.][0-9A-F]{8}[.]backup$'') AS age',
               'GRANT pg_monitor TO the login'
         WHERE %(table)s = '') AS found;

-- set_memory --
-- The memory that pages are kept in, beside what this database has; and what sessions may take, beside that. Neither
-- says what the machine has, which no server knows.
SELECT 'setting', NULL, said.name, said.times, said.state, pg_catalog.jsonb_build_object('said', said.said), said.fixes
  FROM (SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) AS shared,
               pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem'))
                   * pg_catalog.current_setting('hash_mem_multiplier')::float8
                   * pg_catalog.current_setting('max_connections')::int AS promised,
               pg_catalog.current_setting('random_page_cost')::float8 AS apart,
               (SELECT sum(class.relpages::bigint) * pg_catalog.current_setting('block_size')::int
                  FROM pg_catalog.pg_class AS class) AS here) AS found
 CROSS JOIN LATERAL (VALUES
       ('shared_buffers', found.here / found.shared,
        CASE WHEN found.shared <= 134217728 AND found.here >= %(least_bytes)s
                  AND found.here >= %(least_times)s * found.shared THEN 'info' END,
        pg_catalog.format('shared_buffers is %%s, as it is made, and the database has %%s',
                          pg_catalog.pg_size_pretty(found.shared), pg_catalog.pg_size_pretty(found.here::bigint)),
        NULL::text[]),
       ('work_mem', found.promised / found.shared,
        CASE WHEN found.promised > %(most_times)s * found.shared THEN 'info' END,
        pg_catalog.format('every session may take work_mem at once, together %%s beside shared_buffers of %%s',
                          pg_catalog.pg_size_pretty(found.promised::bigint), pg_catalog.pg_size_pretty(found.shared)),
        NULL::text[]),
       ('random_page_cost', found.apart,
        CASE WHEN found.apart >= 4 AND found.here >= %(least_bytes)s THEN 'info' END,
        pg_catalog.format('random_page_cost is %%s: as if every page were on a disk that turns', found.apart),
        ARRAY[['ALTER SYSTEM SET random_page_cost = 1.1', 'none'], ['SELECT pg_reload_conf()', 'none']]))
       AS said (name, times, state, said, fixes)
 WHERE said.state IS NOT NULL;
