-- What the documentation reads from the catalogue. Changes nothing.

-- session --
-- Let one snapshot be read, and let what the server writes out not depend on settings of the login or database.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = public;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;
SET LOCAL quote_all_identifiers = off;
SET LOCAL standard_conforming_strings = on;

-- schemas --
-- The schemas there are, apart from the server's own.
SELECT namespace.nspname
  FROM pg_catalog.pg_namespace AS namespace
 WHERE namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema';

-- relations --
-- The tables and views of some schemas. Left out: partitions, which are made while the database runs, what belongs
-- to an extension, and Alembic's own table.
SELECT relation.oid::bigint,
       namespace.nspname || '.' || relation.relname,
       relation.oid::pg_catalog.regclass::text,
       relation.relkind::text,
       CASE WHEN relation.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(relation.oid) END,
       relation.relrowsecurity,
       relation.relforcerowsecurity,
       coalesce((SELECT option.option_value::boolean
                   FROM pg_catalog.pg_options_to_table(relation.reloptions) AS option
                  WHERE option.option_name = 'security_invoker'), false),
       ARRAY(SELECT DISTINCT link.refobjid::pg_catalog.regclass::text
               FROM pg_catalog.pg_rewrite AS rule
               JOIN pg_catalog.pg_depend AS link
                 ON link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
                AND link.objid = rule.oid
                AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              WHERE rule.ev_class = relation.oid
                AND link.refobjid <> relation.oid),
       pg_catalog.obj_description(relation.oid, 'pg_class')
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE namespace.nspname = ANY (%(schemas)s::text[])
   AND relation.relkind IN ('r', 'p', 'f', 'v', 'm')
   AND NOT relation.relispartition
   AND relation.relpersistence <> 't'
   AND relation.relname <> 'alembic_version'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND link.objid = relation.oid
                      AND link.deptype = 'e');

-- columns --
-- The columns of some relations, in their order.
SELECT attribute.attrelid::bigint,
       pg_catalog.quote_ident(attribute.attname),
       pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
       attribute.attnotnull,
       attribute.attidentity::text,
       attribute.attgenerated::text,
       pg_catalog.pg_get_expr(preset.adbin, preset.adrelid, true),
       pg_catalog.col_description(attribute.attrelid, attribute.attnum)
  FROM pg_catalog.pg_attribute AS attribute
  LEFT JOIN pg_catalog.pg_attrdef AS preset
    ON preset.adrelid = attribute.attrelid
   AND preset.adnum = attribute.attnum
 WHERE attribute.attrelid = ANY (%(relations)s::oid[])
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
 ORDER BY attribute.attrelid, attribute.attnum;

-- constraints --
-- Keys and checks. NOT NULL, which the catalogue lists among them since PostgreSQL 18, is told with the column.
SELECT con.conrelid::bigint,
       pg_catalog.quote_ident(con.conname),
       con.contype::text,
       pg_catalog.pg_get_constraintdef(con.oid, true),
       ARRAY(SELECT pg_catalog.quote_ident(attribute.attname)
               FROM pg_catalog.unnest(con.conkey) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = con.conrelid
                AND attribute.attnum = part.attnum
              ORDER BY part.place),
       NULLIF(con.confrelid, 0)::pg_catalog.regclass::text,
       pg_catalog.obj_description(con.oid, 'pg_constraint')
  FROM pg_catalog.pg_constraint AS con
 WHERE con.conrelid = ANY (%(relations)s::oid[])
   AND con.contype IN ('p', 'u', 'f', 'c', 'x')
   -- A foreign key to a partitioned table is listed once more for each of its partitions.
   AND con.conparentid = 0;

-- indexes --
-- The indexes, without those of partitions; an expression is a NULL among the columns.
SELECT index.indrelid::bigint,
       pg_catalog.quote_ident(relation.relname),
       index.indisprimary,
       index.indisunique,
       (SELECT con.contype::text
          FROM pg_catalog.pg_constraint AS con
         WHERE con.conindid = index.indexrelid
           AND con.conrelid = index.indrelid
           AND con.contype IN ('p', 'u', 'x')),
       pg_catalog.substr(written.sql, pg_catalog.strpos(written.sql, ' USING ' || method.amname) + 7),
       ARRAY(SELECT pg_catalog.quote_ident(attribute.attname)
               FROM pg_catalog.unnest(index.indkey) WITH ORDINALITY AS part (attnum, place)
               LEFT JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = index.indrelid
                AND attribute.attnum = part.attnum
                AND part.attnum > 0
              WHERE part.place <= index.indnkeyatts
              ORDER BY part.place),
       pg_catalog.obj_description(index.indexrelid, 'pg_class')
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS relation ON relation.oid = index.indexrelid
  JOIN pg_catalog.pg_am AS method ON method.oid = relation.relam
 CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_indexdef(index.indexrelid, 0, true)) AS written (sql)
 WHERE index.indrelid = ANY (%(relations)s::oid[]);

-- triggers --
-- The triggers that somebody made; where one has no comment, its function's.
SELECT trigger.tgrelid::bigint,
       pg_catalog.quote_ident(trigger.tgname),
       trigger.tgtype::integer,
       ARRAY(SELECT pg_catalog.quote_ident(attribute.attname)
               FROM pg_catalog.unnest(trigger.tgattr) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = trigger.tgrelid
                AND attribute.attnum = part.attnum
              ORDER BY part.place),
       trigger.tgenabled <> 'D',
       coalesce(pg_catalog.obj_description(trigger.oid, 'pg_trigger'),
                pg_catalog.obj_description(trigger.tgfoid, 'pg_proc'))
  FROM pg_catalog.pg_trigger AS trigger
 WHERE trigger.tgrelid = ANY (%(relations)s::oid[])
   AND NOT trigger.tgisinternal
   AND trigger.tgparentid = 0;

-- policies --
-- The row security policies, whose conditions may read other tables.
SELECT policy.polrelid::bigint,
       pg_catalog.quote_ident(policy.polname),
       CASE policy.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                          WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
       policy.polpermissive,
       ARRAY(SELECT coalesce(pg_catalog.quote_ident(role.rolname), 'PUBLIC')
               FROM pg_catalog.unnest(policy.polroles) AS member (oid)
               LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = member.oid),
       pg_catalog.pg_get_expr(policy.polqual, policy.polrelid, true),
       pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid, true),
       pg_catalog.obj_description(policy.oid, 'pg_policy')
  FROM pg_catalog.pg_policy AS policy
 WHERE policy.polrelid = ANY (%(relations)s::oid[]);

-- functions --
-- The functions that code calls, by their names, which end in _v1 and so on.
SELECT namespace.nspname || '.' || routine.proname,
       CASE WHEN namespace.nspname = 'public' THEN '' ELSE pg_catalog.quote_ident(namespace.nspname) || '.' END
           || pg_catalog.quote_ident(routine.proname),
       pg_catalog.pg_get_function_arguments(routine.oid),
       pg_catalog.pg_get_function_result(routine.oid),
       routine.prosecdef,
       pg_catalog.obj_description(routine.oid, 'pg_proc')
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = routine.pronamespace
 WHERE namespace.nspname = ANY (%(schemas)s::text[])
   AND routine.proname ~ '_v[0-9]+$'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND link.objid = routine.oid
                      AND link.deptype = 'e');

-- types --
-- Domains and enumerations.
SELECT namespace.nspname || '.' || type.typname,
       pg_catalog.format_type(type.oid, NULL),
       CASE WHEN type.typtype = 'd' THEN pg_catalog.format_type(type.typbasetype, type.typtypmod) END,
       type.typnotnull,
       pg_catalog.pg_get_expr(type.typdefaultbin, 0, true),
       ARRAY(SELECT pg_catalog.pg_get_constraintdef(con.oid, true)
               FROM pg_catalog.pg_constraint AS con
              WHERE con.contypid = type.oid
                AND con.contype = 'c'
              ORDER BY con.conname),
       ARRAY(SELECT pg_catalog.quote_literal(label.enumlabel)
               FROM pg_catalog.pg_enum AS label
              WHERE label.enumtypid = type.oid
              ORDER BY label.enumsortorder),
       pg_catalog.obj_description(type.oid, 'pg_type')
  FROM pg_catalog.pg_type AS type
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
 WHERE namespace.nspname = ANY (%(schemas)s::text[])
   AND type.typtype IN ('d', 'e')
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                      AND link.objid = type.oid
                      AND link.deptype = 'e');

-- has_retention --
-- Whether there is a table public.retention_policies that says how long rows are kept.
SELECT pg_catalog.count(*) = 6
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = pg_catalog.to_regclass('public.retention_policies')
   AND NOT attribute.attisdropped
   AND (attribute.attname = 'keep_for' AND attribute.atttypid = 'pg_catalog.interval'::pg_catalog.regtype
        OR attribute.attname IN ('table_name', 'rule', 'time_column', 'action', 'legal_reference'));

-- retention --
-- How long rows are kept; an interval in the three parts that the server keeps it in. Rules that say less are none.
SELECT policy.table_name::text,
       policy.rule::text,
       policy.time_column::text,
       (EXTRACT(year FROM policy.keep_for) * 12 + EXTRACT(month FROM policy.keep_for))::integer,
       EXTRACT(day FROM policy.keep_for)::integer,
       (EXTRACT(hour FROM policy.keep_for) * 3600 + EXTRACT(minute FROM policy.keep_for) * 60
        + EXTRACT(second FROM policy.keep_for))::integer,
       policy.action::text,
       policy.legal_reference::text
  FROM public.retention_policies AS policy
 WHERE pg_catalog.num_nulls(policy.table_name, policy.rule, policy.time_column, policy.action) = 0
   AND pg_catalog.isfinite(policy.keep_for);
