-- What is asked before the checks; the statements of these are in the files beside this one. Each of them gives
-- kind, schema, name, measure, state, values and fixes.

-- role --
-- Whether this server replays what another one writes, whether the login sees the sessions of others, its name.
SELECT pg_catalog.pg_is_in_recovery(),
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),
       pg_catalog.quote_ident(current_user);

-- subject --
-- Whether the login may read the table of a check, or use its extension; NULL where there is none.
SELECT CASE WHEN %(extension)s = '' THEN
           (SELECT pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
                   AND pg_catalog.has_any_column_privilege(class.oid, 'SELECT')
              FROM pg_catalog.pg_class AS class
              JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
             WHERE namespace.nspname = pg_catalog.split_part(%(table)s, '.', 1)
               AND class.relname = pg_catalog.split_part(%(table)s, '.', 2))
       ELSE (SELECT true FROM pg_catalog.pg_extension AS extension WHERE extension.extname = %(extension)s)
       END;

-- publish --
-- Makes the checks that functions ask in SQL those of this build.
DELETE FROM ops.health_checks;
INSERT INTO ops.health_checks (
    check_id, since, title, why, summary, statement, warning, critical, unit, falling, on_primary, on_standby, watching,
    probed, most_s, needs, table_name)
SELECT check_id, since, title, why, summary, statement, warning, critical, unit, falling, on_primary, on_standby, watching,
       probed, most_s, needs, table_name
  FROM pg_catalog.jsonb_populate_recordset(NULL::ops.health_checks, $checks$%(checks)s$checks$);
