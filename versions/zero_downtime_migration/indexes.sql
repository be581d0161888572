-- The statements about indexes: what the catalogue says of them, and what builds that failed have left.

-- index_facts --
-- The indexes of a table, of one name or all: what each is (`body` is its definition behind the table's name), whether
-- it can be used, and what depends on it.
SELECT class.oid,
       class.relname::text,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       class.relkind = 'I',
       index.indisunique,
       pg_catalog.substr(
           pg_catalog.pg_get_indexdef(class.oid),
           pg_catalog.length(
               pg_catalog.concat(
                   'CREATE ', CASE WHEN index.indisunique THEN 'UNIQUE ' END, 'INDEX ', pg_catalog.quote_ident(class.relname), ' ON ',
                   CASE WHEN class.relkind = 'I' THEN 'ONLY ' END,
                   CASE WHEN class.relpersistence = 't' THEN 'pg_temp' ELSE pg_catalog.quote_ident(namespace.nspname) END,
                   '.', pg_catalog.quote_ident(held.relname), ' '
               )
           ) + 1
       ),
       index.indisvalid AND index.indisready AND index.indislive,
       pg_catalog.obj_description(class.oid, 'pg_class'),
       (
           SELECT made.conname::text
             FROM pg_catalog.pg_constraint AS made
            WHERE made.conindid = class.oid AND made.contype IN ('p', 'u', 'x')
       ),
       ARRAY(
           SELECT DISTINCT pg_catalog.format('%%I of %%s', made.conname, made.conrelid::pg_catalog.regclass)
             FROM pg_catalog.pg_constraint AS made
            WHERE made.conindid = class.oid AND made.contype = 'f' AND made.conparentid = 0
            ORDER BY 1
       ),
       (
           SELECT link.inhparent::pg_catalog.regclass::text
             FROM pg_catalog.pg_inherits AS link
            WHERE link.inhrelid = class.oid
       ),
       index.indisreplident,
       index.indisclustered,
       (
           SELECT building.pid
             FROM pg_catalog.pg_stat_progress_create_index AS building
            WHERE building.index_relid = class.oid
            LIMIT 1
       )
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS held ON held.oid = index.indrelid
 WHERE index.indrelid = %(table)s AND (%(name)s::text IS NULL OR class.relname = %(name)s)
 ORDER BY class.relname;

-- index_parts --
-- Of one index: how its columns are called, what each of its keys is, whether NULL is one of the values, its condition.
SELECT ARRAY(
           SELECT part.attname::text
             FROM pg_catalog.pg_attribute AS part
            WHERE part.attrelid = index.indexrelid
            ORDER BY part.attnum
       ),
       ARRAY(
           SELECT pg_catalog.pg_get_indexdef(index.indexrelid, key.place, false)
             FROM pg_catalog.generate_series(1, index.indnkeyatts) AS key (place)
            ORDER BY key.place
       ),
       index.indnullsnotdistinct,
       pg_catalog.pg_get_expr(index.indpred, index.indrelid)
  FROM pg_catalog.pg_index AS index
 WHERE index.indexrelid = %(index)s;

-- index_is --
-- Whether an index is there, can be used, and is what was asked for; a partition that is gone needs none.
SELECT pg_catalog.to_regclass(%(table)s) IS NULL
    OR EXISTS (
        SELECT
          FROM pg_catalog.pg_index AS index
          JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
         WHERE index.indrelid = pg_catalog.to_regclass(%(table)s)
           AND class.relname = %(name)s
           AND index.indisvalid AND index.indisready AND index.indislive
           AND index.indisunique = %(unique)s
           AND pg_catalog.right(pg_catalog.pg_get_indexdef(class.oid), pg_catalog.length(%(body)s) + 1) = ' ' || %(body)s
    );

-- index_litter --
-- What takes away an index of that name that a build has left that failed, or what REINDEX has left beside it; not one
-- that is being built.
SELECT pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %%I.%%I', namespace.nspname, class.relname)
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE index.indrelid = pg_catalog.to_regclass(%(table)s)
   AND class.relkind = 'i'
   AND NOT class.relispartition
   AND NOT (index.indisvalid AND index.indisready AND index.indislive)
   AND (
       (class.relname = %(name)s AND %(itself)s)
       OR (
           class.relname ~ '_cc(new|old)[0-9]*$'
           -- What REINDEX calls it is cut where it would be too long.
           AND pg_catalog.starts_with(%(name)s, pg_catalog.regexp_replace(class.relname, '_cc(new|old)[0-9]*$', ''))
           AND (
               pg_catalog.regexp_replace(class.relname, '_cc(new|old)[0-9]*$', '') = %(name)s
               OR pg_catalog.octet_length(class.relname::text) >= 60
           )
       )
   )
   AND NOT EXISTS (
       SELECT
         FROM pg_catalog.pg_stat_progress_create_index AS building
        WHERE building.index_relid = class.oid
   )
 ORDER BY class.relname;

-- older_transactions --
-- Whose transactions in this database are older than some seconds: what a build has to wait for; 0 is a prepared one.
SELECT activity.pid, activity.usename, activity.application_name, activity.state, activity.query
  FROM pg_catalog.pg_stat_activity AS activity
 WHERE activity.datname = pg_catalog.current_database()
   AND activity.pid <> pg_catalog.pg_backend_pid()
   AND activity.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(older_s)s)
UNION ALL
SELECT 0, prepared.owner, prepared.gid, 'prepared transaction', ''
  FROM pg_catalog.pg_prepared_xacts AS prepared
 WHERE prepared.database = pg_catalog.current_database();

-- index_rebuilt --
-- Whether an index is another one than it was, and can be used.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_index AS index
     WHERE index.indexrelid = pg_catalog.to_regclass(%(index)s)
       AND index.indexrelid <> %(oid)s
       AND index.indisvalid AND index.indisready AND index.indislive
);

-- relation_named --
-- What is called so in a schema: its kind, and the table whose index it is.
SELECT class.relkind::text, index.indrelid::pg_catalog.regclass::text
  FROM pg_catalog.pg_class AS class
  LEFT JOIN pg_catalog.pg_index AS index ON index.indexrelid = class.oid
 WHERE class.relnamespace = pg_catalog.quote_ident(%(schema)s)::pg_catalog.regnamespace AND class.relname = %(name)s;

-- leaf_indexes --
-- The indexes that an index consists of: itself, or those of the partitions.
SELECT class.oid, pg_catalog.format('%%I.%%I', namespace.nspname, class.relname), class.relname::text,
       held.oid, pg_catalog.format('%%I.%%I', space.nspname, held.relname)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_index AS index ON index.indexrelid = class.oid
  JOIN pg_catalog.pg_class AS held ON held.oid = index.indrelid
  JOIN pg_catalog.pg_namespace AS space ON space.oid = held.relnamespace
 WHERE class.relkind = 'i'
   AND (class.oid = %(index)s OR class.oid IN (SELECT part.relid FROM pg_catalog.pg_partition_tree(%(index)s) AS part))
 ORDER BY 2;

-- uncovered_partitions --
-- The partitions of a table that have no part of an index of it.
SELECT part.relid::pg_catalog.regclass::text
  FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(%(table)s)) AS part
 WHERE part.level = 1
   AND NOT EXISTS (
       SELECT
         FROM pg_catalog.pg_inherits AS link
         JOIN pg_catalog.pg_index AS index ON index.indexrelid = link.inhrelid
        WHERE link.inhparent = pg_catalog.to_regclass(%(index)s) AND index.indrelid = part.relid AND index.indisvalid
   )
 ORDER BY 1;
