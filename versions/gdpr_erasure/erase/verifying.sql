-- places --
-- The columns that can hold what a person is known by: whether each identifies people, the type in which an index finds
-- its values, and whether its table is small and may be read. Left out: columns about people of another kind, those that are kept on a ground, and those of which somebody said why they are of nobody.
-- What secrets stand in is not to be read, and says nothing of anybody.
-- A table without a page has no row; what a table keeps of long values is of its bytes.
WITH stored AS MATERIALIZED (
    SELECT relation.oid, pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(relation.relname) AS name,
           relation.relkind <> 'f' AND relation.reltuples <= %(most_rows)s AND size.bytes <= %(most_bytes)s AS is_small,
           pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
               AND NOT pg_catalog.row_security_active(relation.oid) AS is_open
      FROM pg_catalog.pg_class AS relation
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
     -- The numbers of the catalogs are old where nobody analyses; the files are as they are now.
     CROSS JOIN LATERAL (
           SELECT CASE relation.relkind
                  WHEN 'p' THEN (SELECT coalesce(pg_catalog.sum(pg_catalog.pg_relation_size(part.relid)), 0)
                                   FROM pg_catalog.pg_partition_tree(relation.oid) AS part)
                  ELSE pg_catalog.pg_relation_size(relation.oid)
                       + coalesce(pg_catalog.pg_relation_size(nullif(relation.reltoastrelid, 0)), 0)
                  END AS bytes
           OFFSET 0) AS size
     WHERE relation.relkind IN ('r', 'p', 'f', 'm')
       AND NOT relation.relispartition
       AND relation.relpersistence <> 't'
       AND namespace.nspname !~ '^pg_'
       AND namespace.nspname <> 'information_schema'
       AND (namespace.nspname, relation.relname) NOT IN (('ops', 'erasure_secrets'), ('ops', 'subject_keys'))
       AND relation.relname <> 'alembic_version'
       AND (relation.relkind = 'f' OR size.bytes > 0)
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_depend AS link
                        WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND link.objid = relation.oid
                          AND link.deptype = 'e')
)
SELECT stored.name,
       attribute.attname::text,
       base.typname = 'json',
       coalesce(entry.class IN ('identifier', 'contact'), false),
       CASE WHEN entry.class IN ('identifier', 'contact')
             AND base.typname IN ('text', 'varchar', 'citext')
             AND EXISTS (SELECT
                           FROM pg_catalog.pg_index AS index
                           JOIN pg_catalog.pg_class AS made ON made.oid = index.indexrelid
                           JOIN pg_catalog.pg_am AS method ON method.oid = made.relam
                          WHERE index.indrelid = stored.oid
                            AND index.indkey[0] = attribute.attnum
                            AND index.indpred IS NULL
                            AND index.indisvalid
                            AND method.amname IN ('btree', 'hash'))
            THEN pg_catalog.format_type(base.oid, NULL)
       END,
       stored.is_small,
       stored.is_open AND pg_catalog.has_column_privilege(stored.oid, attribute.attnum, 'SELECT')
  FROM stored
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = stored.oid
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
  JOIN pg_catalog.pg_type AS base ON base.oid = coalesce(NULLIF(type.typbasetype, 0), type.oid)
  LEFT JOIN pg_catalog.pg_type AS element ON element.oid = base.typelem AND base.typcategory = 'A'
  LEFT JOIN ops.personal_data AS entry
    ON entry.table_name = stored.name
   AND entry.column_name = attribute.attname
 WHERE (base.typcategory = 'S' OR base.typname IN ('json', 'jsonb') OR element.typcategory = 'S' OR element.typname IN ('json', 'jsonb'))
   AND coalesce(entry.people, 'users') = 'users'
   AND NOT (entry.class IS NOT NULL AND entry.class <> 'none' AND entry.strategy = 'keep')
   AND NOT (entry.class IS NOT NULL AND entry.class = 'none' AND entry.strategy_args ? 'why')
 ORDER BY 1, attribute.attnum;

-- is_known --
-- Whether anything is known of the person that could be looked for.
SELECT sought.pattern IS NOT NULL FROM pg_temp.subject_sought AS sought;

-- told_in --
-- Whether a table holds the person somewhere in its texts.
SELECT {number} + %(first)s WHERE EXISTS (SELECT FROM {table} AS subject_row WHERE {told})

-- elsewhere --
-- Whether one column holds the person in a row that is not theirs, nor somebody else's own.
SELECT EXISTS (SELECT FROM {source} WHERE %(subject)s IS NOT NULL AND {told} AND ({theirs}) IS NOT TRUE AND ({others}) IS NOT TRUE);
