-- Statements about what is made of rows: materialised views, what the planner knows, large objects.

-- derived_views --
-- Those of the views that hold rows, one that another is made of before it, and whether readers can go on meanwhile.
WITH RECURSIVE wanted AS MATERIALIZED (
    SELECT pg_catalog.to_regclass(given.name)::oid AS relation, given.name
      FROM pg_catalog.unnest(%(views)s::text[]) AS given (name)
), made_of AS MATERIALIZED (
    SELECT rule.ev_class AS view, link.refobjid AS source
      FROM pg_catalog.pg_rewrite AS rule
      JOIN pg_catalog.pg_depend AS link
        ON link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND link.objid = rule.oid
       AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND link.refobjid <> rule.ev_class
), deep AS (
    SELECT wanted.relation, wanted.relation AS below, 0 AS depth
      FROM wanted
     UNION
    SELECT deep.relation, made_of.source, deep.depth + 1
      FROM deep
      JOIN made_of ON made_of.view = deep.below
)
SELECT wanted.name,
       EXISTS (SELECT
                 FROM pg_catalog.pg_index AS index
                WHERE index.indrelid = class.oid AND index.indisunique AND index.indisvalid
                  AND index.indpred IS NULL AND index.indexprs IS NULL)
       AND pg_catalog.has_database_privilege(class.relowner, pg_catalog.current_database(), 'TEMP')
  FROM wanted
  JOIN pg_catalog.pg_class AS class ON class.oid = wanted.relation AND class.relkind = 'm' AND class.relispopulated
  JOIN deep ON deep.relation = wanted.relation
 GROUP BY wanted.name, class.oid, class.relowner
 ORDER BY max(deep.depth), wanted.name;

-- derived_refresh --
-- Fill one anew.
SELECT ops.refresh_view_v1(%(view)s::pg_catalog.regclass, %(concurrently)s);

-- derived_remembered --
-- What the planner knows of values of columns, and what of it is of the person: for as long as the session lasts.
CREATE TEMPORARY TABLE IF NOT EXISTS erased_statistics (
    root text NOT NULL,
    relation oid NOT NULL,
    attname name NOT NULL,
    inherited boolean NOT NULL,
    value text NOT NULL,
    rows double precision,
    is_own boolean NOT NULL DEFAULT false
) ON COMMIT PRESERVE ROWS;

-- derived_forgotten --
-- Nothing of whoever was erased before in this session.
TRUNCATE pg_temp.erased_statistics;

-- derived_whose --
-- Keep of whom it is.
SELECT pg_catalog.set_config('agentdb.remembered', (%(subject)s)::text, false);

-- derived_is_remembered --
-- Whether this session has looked before it erased, and for the same person.
SELECT pg_catalog.to_regclass('pg_temp.erased_statistics') IS NOT NULL
       AND pg_catalog.current_setting('agentdb.remembered', true) IS NOT DISTINCT FROM (%(subject)s)::text;

-- derived_known --
-- Columns of the tables, and expressions of their indexes: those that may tell of a person.
-- A bare number or a date that identifies nobody says nothing of whom it was.
WITH personal AS MATERIALIZED (
    SELECT pg_catalog.to_regclass(given.table_name)::oid AS relation, given.table_name, given.column_name, attribute.attnum,
           type.typcategory
      FROM ROWS FROM (pg_catalog.unnest(%(tables)s::text[]), pg_catalog.unnest(%(columns)s::text[]),
                      pg_catalog.unnest(%(classes)s::text[])) AS given (table_name, column_name, class)
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = pg_catalog.to_regclass(given.table_name) AND attribute.attname = given.column_name
       AND NOT attribute.attisdropped
      JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
     WHERE given.class IN ('identifier', 'contact', 'location', 'content')
        OR type.typcategory NOT IN ('B', 'D', 'E', 'I', 'N', 'R', 'T')
), stored AS MATERIALIZED (
    SELECT DISTINCT personal.table_name, holder.relation
      FROM personal
     CROSS JOIN LATERAL (
           SELECT personal.relation
            UNION
           SELECT part.relid
             FROM pg_catalog.pg_partition_tree(personal.relation) AS part) AS holder
)
SELECT stored.table_name, stored.relation::bigint, personal.column_name,
       pg_catalog.quote_ident(personal.column_name), personal.typcategory = 'A'
  FROM stored
  JOIN personal ON personal.table_name = stored.table_name
UNION ALL
SELECT stored.table_name, index.indexrelid::bigint, attribute.attname::text,
       pg_catalog.pg_get_indexdef(index.indexrelid, attribute.attnum, false), type.typcategory = 'A'
  FROM stored
  JOIN pg_catalog.pg_index AS index ON index.indrelid = stored.relation AND index.indexprs IS NOT NULL
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = index.indexrelid AND index.indkey[attribute.attnum - 1] = 0
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid;

-- derived_values --
-- Keep which values are known, and of about how many rows where they are common ones.
INSERT INTO pg_temp.erased_statistics (root, relation, attname, inherited, value, rows)
SELECT given.root, class.oid, stats.attname, stats.inherited, one.value, one.part * class.reltuples
  FROM ROWS FROM (pg_catalog.unnest(%(roots)s::text[]), pg_catalog.unnest(%(relations)s::oid[]),
                  pg_catalog.unnest(%(columns)s::name[])) AS given (root, relation, attname)
  JOIN pg_catalog.pg_class AS class ON class.oid = given.relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (
       (SELECT found.attname, found.inherited, found.most_common_vals::text, found.most_common_freqs,
               found.histogram_bounds::text, found.most_common_elems::text, found.most_common_elem_freqs
          FROM pg_catalog.pg_stats AS found
         WHERE class.relkind NOT IN ('i', 'I')
           AND found.schemaname = namespace.nspname AND found.tablename = class.relname AND found.attname = given.attname
        -- Of this relation alone: else what is known of all is read, and put together with this one.
        OFFSET 0)
        UNION ALL
       SELECT found.attname, found.inherited, found.most_common_vals, found.most_common_freqs,
              found.histogram_bounds, found.most_common_elems, found.most_common_elem_freqs
         FROM ops.index_statistics_v1(class.oid) AS found
        WHERE class.relkind IN ('i', 'I') AND found.attname = given.attname) AS stats
 CROSS JOIN LATERAL (
       SELECT common.value, common.part
         FROM ROWS FROM (pg_catalog.unnest(stats.most_common_vals::text[]),
                         pg_catalog.unnest(stats.most_common_freqs)) AS common (value, part)
       UNION ALL
       SELECT bound.value, NULL
         FROM pg_catalog.unnest(stats.histogram_bounds::text[]) AS bound (value)
       UNION ALL
       SELECT common.value, common.part
         FROM ROWS FROM (pg_catalog.unnest(stats.most_common_elems::text[]),
                         pg_catalog.unnest(stats.most_common_elem_freqs)) AS common (value, part)
        WHERE common.value IS NOT NULL) AS one;

-- derived_found --
-- Columns of which values are known.
SELECT DISTINCT known.relation::bigint, known.attname::text
  FROM pg_temp.erased_statistics AS known;

-- derived_entries --
-- Values that rows of the person hold in one table, and how many rows.
SELECT entry.relation, entry.attname, entry.value, count(*) AS rows
  FROM {source}
 CROSS JOIN LATERAL ({values}) AS entry (relation, attname, value)
 WHERE {rows}
   AND entry.value IS NOT NULL
 GROUP BY entry.relation, entry.attname, entry.value

-- derived_remember --
-- Mark those that rows of the person hold. A common one that others seem to have as well is nobody's.
UPDATE pg_temp.erased_statistics AS known
   SET is_own = true
  FROM ({entries}) AS own
 WHERE known.relation = own.relation AND known.attname = own.attname AND known.value = own.value
   AND (known.rows IS NULL OR known.rows <= 2 * own.rows + 1);

-- derived_number --
-- Mark those that are the number of the person.
UPDATE pg_temp.erased_statistics AS known
   SET is_own = true
 WHERE known.root = ANY (%(tables)s) AND known.value = (%(subject)s)::text;

-- derived_known_only --
-- Keep no more than what is of the person.
DELETE FROM pg_temp.erased_statistics AS known
 WHERE NOT known.is_own;

-- derived_held --
-- What is still known of what was remembered of the tables: the table, the column, whether it is of an
-- index, and that it was not taken out.
WITH remembered AS MATERIALIZED (
    SELECT found.relation, found.attname, found.inherited, pg_catalog.array_agg(found.value) AS vals
      FROM pg_temp.erased_statistics AS found
     WHERE found.root = ANY (%(tables)s)
     GROUP BY found.relation, found.attname, found.inherited
)
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, coalesce(owner.relname, class.relname)),
       remembered.attname::text, owner.oid IS NOT NULL, false
  FROM remembered
  JOIN pg_catalog.pg_class AS class ON class.oid = remembered.relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_index AS index ON index.indexrelid = class.oid
  LEFT JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
 CROSS JOIN LATERAL (
       (SELECT stats.most_common_vals::text, stats.histogram_bounds::text, stats.most_common_elems::text
          FROM pg_catalog.pg_stats AS stats
         WHERE owner.oid IS NULL
           AND stats.schemaname = namespace.nspname AND stats.tablename = class.relname
           AND stats.attname = remembered.attname AND stats.inherited = remembered.inherited
        OFFSET 0)
        UNION ALL
       SELECT stats.most_common_vals, stats.histogram_bounds, stats.most_common_elems
         FROM ops.index_statistics_v1(class.oid) AS stats
        WHERE owner.oid IS NOT NULL
          AND stats.attname = remembered.attname AND stats.inherited = remembered.inherited) AS known
 WHERE remembered.vals && known.most_common_vals::text[]
    OR remembered.vals && known.histogram_bounds::text[]
    OR remembered.vals && known.most_common_elems::text[]
 ORDER BY 1, class.oid, remembered.attname, remembered.inherited;

-- derived_restore --
-- The same, where of each column the planner is told what it knew, but for what was remembered; false where there is
-- too little. From 18 on.
WITH remembered AS MATERIALIZED (
    SELECT found.relation, found.attname, found.inherited, pg_catalog.array_agg(found.value) AS vals
      FROM pg_temp.erased_statistics AS found
     WHERE found.root = ANY (%(tables)s)
     GROUP BY found.relation, found.attname, found.inherited
), known AS MATERIALIZED (
    SELECT pg_catalog.format('%%I.%%I', namespace.nspname, coalesce(owner.relname, class.relname)) AS name, class.oid AS relation,
           owner.oid IS NOT NULL AS is_index, remembered.attname, remembered.inherited, remembered.vals,
           ARRAY(SELECT found.value
                   FROM pg_temp.erased_statistics AS found
                  WHERE found.relation = remembered.relation AND found.attname = remembered.attname) AS gone,
           stats.null_frac, stats.avg_width, stats.n_distinct, stats.most_common_vals::text[] AS most_common_vals,
           stats.most_common_freqs, stats.histogram_bounds::text[] AS histogram_bounds, stats.correlation,
           stats.most_common_elems::text[] AS most_common_elems, stats.most_common_elem_freqs, stats.elem_count_histogram
      FROM remembered
      JOIN pg_catalog.pg_class AS class ON class.oid = remembered.relation
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
      LEFT JOIN pg_catalog.pg_index AS index ON index.indexrelid = class.oid
      LEFT JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
     CROSS JOIN LATERAL (
           (SELECT found.null_frac, found.avg_width, found.n_distinct, found.most_common_vals::text, found.most_common_freqs,
                   found.histogram_bounds::text, found.correlation, found.most_common_elems::text, found.most_common_elem_freqs,
                   found.elem_count_histogram
              FROM pg_catalog.pg_stats AS found
             WHERE owner.oid IS NULL
               AND found.schemaname = namespace.nspname AND found.tablename = class.relname
               AND found.attname = remembered.attname AND found.inherited = remembered.inherited
            OFFSET 0)
            UNION ALL
           SELECT found.null_frac, found.avg_width, found.n_distinct, found.most_common_vals, found.most_common_freqs,
                  found.histogram_bounds, found.correlation, found.most_common_elems, found.most_common_elem_freqs,
                  found.elem_count_histogram
             FROM ops.index_statistics_v1(class.oid) AS found
            WHERE owner.oid IS NOT NULL
              AND found.attname = remembered.attname AND found.inherited = remembered.inherited) AS stats
), held AS MATERIALIZED (
    SELECT known.*
      FROM known
     WHERE known.vals && known.most_common_vals
        OR known.vals && known.histogram_bounds
        OR known.vals && known.most_common_elems
     ORDER BY known.name, known.relation, known.attname, known.inherited
)
SELECT held.name, held.attname::text, held.is_index,
       ops.restore_statistics_v1(
           held.relation::pg_catalog.regclass, held.attname, held.inherited, held.null_frac, held.avg_width,
           held.n_distinct, common.vals, common.freqs, bounds.vals, held.correlation, elements.vals, elements.freqs,
           CASE WHEN elements.vals IS NOT NULL THEN held.elem_count_histogram END)
  FROM held
 CROSS JOIN LATERAL (
       SELECT pg_catalog.array_agg(one.value ORDER BY one.place)::text AS vals,
              pg_catalog.array_agg(one.part ORDER BY one.place) AS freqs
         FROM ROWS FROM (pg_catalog.unnest(held.most_common_vals), pg_catalog.unnest(held.most_common_freqs))
              WITH ORDINALITY AS one (value, part, place)
        WHERE one.value <> ALL (held.gone)) AS common
 CROSS JOIN LATERAL (
       SELECT CASE WHEN count(*) > 1 THEN pg_catalog.array_agg(one.value ORDER BY one.place)::text END AS vals
         FROM pg_catalog.unnest(held.histogram_bounds) WITH ORDINALITY AS one (value, place)
        WHERE one.value <> ALL (held.gone)) AS bounds
 CROSS JOIN LATERAL (
       -- Behind the frequencies of the elements stand the least and the greatest, and that of NULL.
       SELECT CASE WHEN count(one.value) > 0 THEN
                   (pg_catalog.array_agg(one.value ORDER BY one.place) FILTER (WHERE one.value IS NOT NULL))::text END AS vals,
              CASE WHEN count(one.value) > 0 THEN pg_catalog.array_agg(one.part ORDER BY one.place) END AS freqs
         FROM ROWS FROM (pg_catalog.unnest(held.most_common_elems), pg_catalog.unnest(held.most_common_elem_freqs))
              WITH ORDINALITY AS one (value, part, place)
        WHERE one.value IS NULL OR one.value <> ALL (held.gone)) AS elements;

-- derived_analyze --
-- Count a table anew, or some of its columns.
SELECT ops.analyze_v1(%(table)s::pg_catalog.regclass, %(columns)s::name[]);

-- derived_stored --
-- The tables and views of which anything is known, partitioned ones as a whole.
SELECT given.name
  FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
 WHERE EXISTS (SELECT
                 FROM pg_catalog.pg_statistic_ext AS extended
                WHERE extended.stxrelid = pg_catalog.to_regclass(given.name))
    OR EXISTS (SELECT
                 FROM pg_catalog.pg_class AS class
                 JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
                 JOIN pg_catalog.pg_stats AS known ON known.schemaname = namespace.nspname AND known.tablename = class.relname
                WHERE class.oid IN (SELECT pg_catalog.to_regclass(given.name)::oid
                                     UNION ALL
                                    SELECT part.relid::oid
                                      FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) AS part));

-- derived_extended --
-- Those of which values of several columns at once are known, in which a person cannot be looked for.
SELECT DISTINCT given.name
  FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
 CROSS JOIN LATERAL (
       SELECT pg_catalog.to_regclass(given.name)::oid AS relation
        UNION
       SELECT part.relid::oid
         FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) AS part) AS stored
  JOIN pg_catalog.pg_statistic_ext AS extended ON extended.stxrelid = stored.relation
 WHERE 'm' = ANY (extended.stxkind) OR 'e' = ANY (extended.stxkind);

-- derived_analysing --
-- Who counts one of the tables at this moment, and may have begun before it was erased.
SELECT running.pid
  FROM pg_catalog.pg_stat_progress_analyze AS running
  JOIN pg_catalog.pg_locks AS held
    ON held.pid = running.pid AND held.locktype = 'relation' AND held.mode = 'ShareUpdateExclusiveLock'
   AND held.database = (SELECT one.oid FROM pg_catalog.pg_database AS one WHERE one.datname = pg_catalog.current_database())
 WHERE running.pid <> pg_catalog.pg_backend_pid()
   AND held.relation IN (SELECT stored.relation
                           FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
                          CROSS JOIN LATERAL (
                                SELECT pg_catalog.to_regclass(given.name)::oid AS relation
                                 UNION ALL
                                SELECT part.relid::oid
                                  FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) AS part) AS stored)
 LIMIT 1;

-- derived_unlink --
-- Unlink large objects that a row named which is gone.
SELECT ops.unlink_large_objects_v1(%(objects)s::oid[]);

-- derived_clear --
-- Forget all that is known of those that were counted and have no rows: of them the count itself forgets nothing.
SELECT ops.clear_statistics_v1(stored.relation::pg_catalog.regclass)
  FROM (SELECT pg_catalog.to_regclass(given.name)::oid AS relation
          FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
         UNION
        SELECT part.relid::oid
          FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
         CROSS JOIN pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) AS part) AS stored
  JOIN pg_catalog.pg_class AS class ON class.oid = stored.relation AND class.reltuples = 0;

-- derived_strange --
-- Views that the owner of the tables may not fill, and whose they are.
SELECT given.name, pg_catalog.pg_get_userbyid(class.relowner)
  FROM pg_catalog.unnest(%(views)s::text[]) AS given (name)
  JOIN pg_catalog.pg_class AS class ON class.oid = pg_catalog.to_regclass(given.name) AND class.relispopulated
 WHERE NOT pg_catalog.pg_has_role('agent_owner', class.relowner, 'USAGE');
