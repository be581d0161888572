-- The views of released revisions: app_v010 has those of an application of revision 010.

-- app_schemas --
-- The revisions that have views, in schemas that say that they were made for them.
SELECT pg_catalog.right(namespace.nspname, 3)
  FROM pg_catalog.pg_namespace AS namespace
 WHERE namespace.nspname ~ '^app_v[0-9][0-9][0-9]$'
   AND pg_catalog.obj_description(namespace.oid, 'pg_namespace') = %(mark)s
 ORDER BY 1;

-- has_mark --
-- Whether a schema says that it was made for this.
SELECT coalesce(pg_catalog.obj_description(namespace.oid, 'pg_namespace') = %(mark)s, false)
  FROM pg_catalog.pg_namespace AS namespace
 WHERE namespace.nspname = %(schema)s;

-- tables_shown --
-- The tables of the domain, without partitions and what belongs to extensions.
SELECT class.oid::pg_catalog.oid, pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE namespace.nspname = 'public'
   AND class.relkind IN ('r', 'p')
   AND NOT class.relispartition
   AND class.relname <> 'alembic_version'
   AND NOT EXISTS (
           SELECT
             FROM pg_catalog.pg_depend AS link
            WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND link.objid = class.oid AND link.deptype = 'e'
       )
 ORDER BY 2;

-- name_of_shown --
-- The name of a table of the domain by its number.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.oid = %(oid)s AND namespace.nspname = 'public' AND class.relkind IN ('r', 'p') AND NOT class.relispartition;

-- number_of --
-- The number of a relation.
SELECT pg_catalog.to_regclass(%(table)s)::pg_catalog.oid;

-- views_of_table --
-- What depends on a table in the schemas of released revisions: of which, its plain name, and as SQL writes it.
SELECT DISTINCT pg_catalog.right(namespace.nspname, 3),
       view.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, view.relname)
  FROM pg_catalog.pg_depend AS link
  JOIN pg_catalog.pg_rewrite AS rule ON rule.oid = link.objid
  JOIN pg_catalog.pg_class AS view ON view.oid = rule.ev_class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = view.relnamespace
 WHERE link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
   AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = %(oid)s
   AND view.oid <> %(oid)s
   AND namespace.nspname ~ '^app_v[0-9][0-9][0-9]$'
   AND pg_catalog.obj_description(namespace.oid, 'pg_namespace') = %(mark)s
 ORDER BY 3;

-- views_in --
-- The views of a revision.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, view.relname)
  FROM pg_catalog.pg_class AS view
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = view.relnamespace
 WHERE namespace.nspname = %(schema)s AND view.relkind = 'v'
 ORDER BY 1;

-- open_changes --
-- The changes that are not over.
SELECT change.operation,
       change.table_name,
       change.arguments,
       change.revision,
       ARRAY(
           SELECT DISTINCT value ->> 0
             FROM pg_catalog.jsonb_path_query(change.steps, '$[*].fill.values[*]') AS value
       )
  FROM ops.online_change AS change
 WHERE change.finished_at IS NULL
 ORDER BY change.id;

-- who_enters --
-- The owners of the tables of the domain, those with most tables first, and whoever else may do something with one.
WITH shown AS (
    SELECT class.oid, class.relowner, class.relacl
      FROM pg_catalog.pg_class AS class
     WHERE class.relnamespace = 'public'::pg_catalog.regnamespace AND class.relkind IN ('r', 'p')
), named AS (
    SELECT shown.relowner AS role, 1 AS owned FROM shown
    UNION ALL
    SELECT acl.grantee, 0
      FROM shown
      CROSS JOIN LATERAL pg_catalog.aclexplode(shown.relacl) AS acl
    UNION ALL
    SELECT acl.grantee, 0
      FROM shown
      JOIN pg_catalog.pg_attribute AS part ON part.attrelid = shown.oid
      CROSS JOIN LATERAL pg_catalog.aclexplode(part.attacl) AS acl
)
SELECT CASE named.role WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(named.role)) END,
       sum(named.owned) > 0
  FROM named
 GROUP BY named.role
 ORDER BY sum(named.owned) DESC, 1;

-- reading_columns --
-- The roles that may read columns of a view and not all of it, by grants to themselves.
SELECT DISTINCT pg_catalog.quote_ident(role.rolname), view.relname
  FROM pg_catalog.pg_class AS view
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = view.relnamespace
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = view.oid AND part.attnum > 0
 CROSS JOIN LATERAL pg_catalog.aclexplode(part.attacl) AS acl
  JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
 WHERE namespace.nspname = %(schema)s
   AND acl.privilege_type = 'SELECT'
   AND NOT pg_catalog.has_table_privilege(role.oid, view.oid, 'SELECT')
   AND EXISTS (
           SELECT
             FROM pg_catalog.pg_attribute AS other
            WHERE other.attrelid = view.oid
              AND other.attnum > 0
              AND NOT pg_catalog.has_column_privilege(role.oid, view.oid, other.attnum, 'SELECT')
       )
 ORDER BY 1, 2;
