-- What the catalogue of personal data is read with. Nothing here writes, but for what says so.

-- tables --
-- The tables that rows are stored in: partitions are folded into their root, and a partition that was detached and
-- waits to be dropped names the root it came from. Left out: what belongs to an extension, temporary tables,
-- Alembic's own, and the server's.
SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(relation.relname),
       namespace.nspname::text,
       relation.relname::text,
       relation.relkind::text,
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.pg_constraint AS con
              CROSS JOIN LATERAL pg_catalog.unnest(con.conkey) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = con.conrelid
                AND attribute.attnum = part.attnum
              WHERE con.conrelid = relation.oid
                AND con.contype = 'p'
              ORDER BY part.place),
       relation.relkind <> 'p'
           AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE link.inhparent = relation.oid),
       (SELECT archive.table_name
          FROM ops.partition_archives AS archive
         WHERE archive.partition_oid = relation.oid
           AND archive.dropped_at IS NULL
         LIMIT 1)
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.relkind IN ('r', 'p', 'f', 'm')
   AND NOT relation.relispartition
   AND relation.relpersistence <> 't'
   AND namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema'
   AND relation.relname <> 'alembic_version'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND link.objid = relation.oid
                      AND link.deptype = 'e')
 ORDER BY 1;

-- columns --
-- What the catalogue says of each column, with its type; a column that is gone has none.
SELECT entry.table_name,
       entry.column_name,
       pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
       coalesce(attribute.attnotnull OR type.typnotnull, false),
       entry.class,
       entry.description,
       entry.strategy,
       NULLIF(entry.strategy_args, '{}'),
       entry.origin,
       entry.third_party,
       entry.purposes,
       entry.legal_basis,
       entry.retention_rule,
       entry.rectifiable,
       entry.people
  FROM (SELECT known.table_name, pg_catalog.to_regclass(known.table_name)::oid AS relation
          FROM (SELECT DISTINCT one.table_name FROM ops.personal_data AS one) AS known
        OFFSET 0) AS named
  JOIN ops.personal_data AS entry ON entry.table_name = named.table_name
  LEFT JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = named.relation
   AND attribute.attname = entry.column_name
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
  LEFT JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
 ORDER BY entry.table_name, attribute.attnum, entry.column_name;

-- foreign_keys --
-- The foreign keys, each once, those of and to partitions told of their root; a table that inherits from others has
-- their keys too, for it has their columns.
WITH RECURSIVE heirs (ancestor, heir) AS (
    SELECT link.inhparent, link.inhrelid
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS class ON class.oid = link.inhrelid
     WHERE NOT class.relispartition
     UNION
    SELECT heirs.ancestor, link.inhrelid
      FROM heirs
      JOIN pg_catalog.pg_inherits AS link ON link.inhparent = heirs.heir
),
keys AS (
    SELECT con.*,
           coalesce(pg_catalog.pg_partition_root(con.conrelid), con.conrelid)::oid AS child,
           coalesce(pg_catalog.pg_partition_root(con.confrelid), con.confrelid)::oid AS parent
      FROM pg_catalog.pg_constraint AS con
     WHERE con.contype = 'f'
       AND con.conparentid = 0
),
held AS (
    SELECT keys.oid, keys.child AS holder FROM keys
     UNION
    SELECT keys.oid, heirs.heir FROM keys JOIN heirs ON heirs.ancestor = keys.child
)
SELECT DISTINCT
       pg_catalog.quote_ident(from_space.nspname) || '.' || pg_catalog.quote_ident(from_class.relname),
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.unnest(keys.conkey) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = keys.conrelid
                AND attribute.attnum = part.attnum
              ORDER BY part.place),
       pg_catalog.quote_ident(to_space.nspname) || '.' || pg_catalog.quote_ident(to_class.relname),
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.unnest(keys.confkey) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = keys.confrelid
                AND attribute.attnum = part.attnum
              ORDER BY part.place),
       keys.conname::text,
       keys.condeferrable,
       CASE keys.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE'
                             WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END
  FROM held
  JOIN keys ON keys.oid = held.oid
  JOIN pg_catalog.pg_class AS from_class ON from_class.oid = held.holder
  JOIN pg_catalog.pg_namespace AS from_space ON from_space.oid = from_class.relnamespace
  JOIN pg_catalog.pg_class AS to_class ON to_class.oid = keys.parent
  JOIN pg_catalog.pg_namespace AS to_space ON to_space.oid = to_class.relnamespace
 ORDER BY 1, 2, 3, 4;

-- edges --
-- The edges that the catalogue declares, and whether the two sides are of different types.
SELECT edge.from_table,
       edge.from_columns::text[],
       edge.to_table,
       edge.to_columns::text[],
       edge.kind,
       edge.discriminator_column::text,
       edge.discriminator_value,
       edge.json_path,
       edge.own_columns::text[],
       edge.note,
       (SELECT coalesce(pg_catalog.bool_or(here.kind <> there.kind), false)
          FROM ROWS FROM (pg_catalog.unnest(edge.from_columns), pg_catalog.unnest(edge.to_columns)) AS pair (from_column, to_column)
          JOIN LATERAL (SELECT coalesce(NULLIF(type.typbasetype, 0), type.oid) AS kind
                          FROM pg_catalog.pg_attribute AS attribute
                          JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
                         WHERE attribute.attrelid = pg_catalog.to_regclass(edge.from_table)
                           AND attribute.attname = pair.from_column) AS here ON true
          JOIN LATERAL (SELECT coalesce(NULLIF(type.typbasetype, 0), type.oid) AS kind
                          FROM pg_catalog.pg_attribute AS attribute
                          JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
                         WHERE attribute.attrelid = pg_catalog.to_regclass(edge.to_table)
                           AND attribute.attname = pair.to_column) AS there ON true),
       (SELECT pg_catalog.format_type(base.typelem, NULL)
          FROM pg_catalog.pg_attribute AS attribute
          JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
          JOIN pg_catalog.pg_type AS base ON base.oid = coalesce(NULLIF(type.typbasetype, 0), type.oid)
         WHERE attribute.attrelid = pg_catalog.to_regclass(edge.from_table)
           AND attribute.attname = edge.from_columns[1]
           AND edge.kind = 'array')
  FROM ops.personal_edges AS edge
 ORDER BY edge.id;

-- is_there --
-- Whether this database has the catalogue at all.
SELECT pg_catalog.to_regclass('ops.personal_data') IS NOT NULL;

-- live --
-- The columns of the tables that rows are stored in: what the comment says, and what the type allows.
SELECT attribute.attname::text,
       pg_catalog.col_description(attribute.attrelid, attribute.attnum),
       pg_catalog.format_type(base.oid, NULL),
       base.typcategory::text,
       attribute.attnotnull OR type.typnotnull,
       EXISTS (SELECT
                 FROM pg_catalog.pg_index AS index
                WHERE index.indrelid = attribute.attrelid
                  AND index.indisunique
                  AND index.indnkeyatts = 1
                  AND index.indkey[0] = attribute.attnum
                  AND index.indpred IS NULL)
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
  JOIN pg_catalog.pg_type AS base ON base.oid = coalesce(NULLIF(type.typbasetype, 0), type.oid)
 WHERE attribute.attrelid = pg_catalog.to_regclass(%(table)s)
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
 ORDER BY attribute.attnum;

-- gone --
-- The columns that the catalogue knows and the database does not.
SELECT entry.table_name, entry.column_name
  FROM ops.personal_data AS entry
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_attribute AS attribute
                    WHERE attribute.attrelid = pg_catalog.to_regclass(entry.table_name)
                      AND attribute.attname = entry.column_name
                      AND attribute.attnum > 0
                      AND NOT attribute.attisdropped)
 ORDER BY 1, 2;

-- checks --
-- The checks of some tables, with their columns, each on one row as the tables are named in the catalogue.
SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(relation.relname),
       relation.relname::text,
       con.conname::text,
       pg_catalog.pg_get_expr(con.conbin, con.conrelid),
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.pg_attribute AS attribute
              WHERE attribute.attrelid = con.conrelid
                AND attribute.attnum = ANY (con.conkey)
              ORDER BY attribute.attnum)
  FROM pg_catalog.pg_constraint AS con
  JOIN pg_catalog.pg_class AS relation ON relation.oid = con.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE con.contype = 'c'
   AND con.conrelid IN (SELECT pg_catalog.to_regclass(named.name) FROM pg_catalog.unnest(%(tables)s::text[]) AS named (name))
   AND NOT relation.relispartition
 ORDER BY 1, 3;

-- missing_columns --
-- The columns among some that a table does not have; all of them where there is no such table.
SELECT wanted.name
  FROM pg_catalog.unnest(%(columns)s::text[]) WITH ORDINALITY AS wanted (name, place)
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_attribute AS attribute
                    WHERE attribute.attrelid = pg_catalog.to_regclass(%(table)s)
                      AND attribute.attname = wanted.name
                      AND attribute.attnum > 0
                      AND NOT attribute.attisdropped)
 ORDER BY wanted.place;

-- purposes --
-- What is processed for, on which basis.
SELECT purpose.code, purpose.legal_basis, purpose.description FROM public.consent_purposes AS purpose ORDER BY purpose.code;

-- retention --
-- How long rows are kept.
SELECT policy.table_name, policy.rule, policy.keep_for::text, policy.action, policy.legal_reference,
       policy.time_column
  FROM public.retention_policies AS policy
 ORDER BY policy.table_name, policy.rule;

-- searched --
-- The columns that can hold text, with what kind of it, and whether their table can be sampled.
SELECT pg_catalog.quote_ident(namespace.nspname) || '.' || pg_catalog.quote_ident(relation.relname),
       attribute.attname::text,
       CASE WHEN base.typcategory = 'I' THEN 'address'
            WHEN base.typname IN ('json', 'jsonb') THEN 'document'
            ELSE 'text'
       END,
       base.typname = 'json',
       relation.relkind <> 'f'
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = relation.oid
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
  JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
  JOIN pg_catalog.pg_type AS base ON base.oid = coalesce(NULLIF(type.typbasetype, 0), type.oid)
  LEFT JOIN pg_catalog.pg_type AS element ON element.oid = base.typelem AND base.typcategory = 'A'
 WHERE relation.relkind IN ('r', 'p', 'f', 'm')
   AND NOT relation.relispartition
   AND relation.relpersistence <> 't'
   AND namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema'
   AND (base.typcategory IN ('S', 'I')
        OR base.typname IN ('json', 'jsonb', 'hstore', 'tsvector', 'uuid', 'xml')
        OR element.typcategory IN ('S', 'I')
        OR element.typname IN ('json', 'jsonb', 'uuid'))
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND link.objid = relation.oid
                      AND link.deptype = 'e')
 ORDER BY 1, attribute.attnum;

-- pages --
-- How many pages a table has, all its partitions together; waits for who locks it.
SELECT coalesce((SELECT pg_catalog.sum(pg_catalog.pg_relation_size(part.relid))
                   FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(%(table)s)) AS part),
                pg_catalog.pg_relation_size(pg_catalog.to_regclass(%(table)s)))::bigint
       / pg_catalog.current_setting('block_size')::bigint;

-- sample --
-- Some values of a column, cut, from some pages of its table.
SELECT pg_catalog.left(taken.value, {most_characters})
  FROM (SELECT sampled.{column}::text AS value
          FROM {table} AS sampled {sampling}
         WHERE sampled.{column} IS NOT NULL
         LIMIT {most_rows}) AS taken;

-- identifiers --
-- What a person is known by, in one column of the rows that are theirs.
SELECT DISTINCT subject_row.{column}::text
  FROM {source}
 WHERE {rows}
   AND subject_row.{column} IS NOT NULL
 LIMIT {most_rows};

-- held --
-- How many rows hold what a person is known by, and how many of them are not theirs; one pair a column. Each row is
-- asked once: OFFSET keeps the planner from asking again where its answer is used again.
SELECT {counts}
  FROM {source}
 CROSS JOIN LATERAL (SELECT {answers} OFFSET 0) AS subject_held;

-- controller --
-- Who answers for the processing.
SELECT controller.name, controller.address, controller.contact, controller.representative, controller.dpo_name,
       controller.dpo_contact
  FROM ops.controller AS controller;

-- activities --
-- What is done with personal data.
SELECT activity.code, activity.name, activity.purposes, activity.people, activity.recipients, activity.security_measures
  FROM ops.processing_activities AS activity
 ORDER BY activity.code;

-- recipients --
-- Who is given personal data, and whether the GDPR or a twin of it applies where they are.
SELECT recipient.code, recipient.name, recipient.kind, recipient.purpose, recipient.country_code::text,
       country.gdpr_applies, recipient.safeguards, recipient.categories
  FROM ops.recipients AS recipient
  JOIN public.countries AS country ON country.code = recipient.country_code
 ORDER BY recipient.code;
