-- What hangs on a table or on columns of it.

-- grants_of --
-- Who but the owner may do what with a table, or with a column of it: column, role as SQL writes it, whether it may be
-- granted on, privileges.
WITH granted AS (
    SELECT NULL::text AS part_name, 0 AS place, acl.grantee, acl.is_grantable, acl.privilege_type
      FROM pg_catalog.pg_class AS class
      CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS acl
     WHERE class.oid = %(oid)s AND acl.grantee <> class.relowner
    UNION
    SELECT part.attname::text, part.attnum, acl.grantee, acl.is_grantable, acl.privilege_type
      FROM pg_catalog.pg_attribute AS part
      JOIN pg_catalog.pg_class AS class ON class.oid = part.attrelid
      CROSS JOIN LATERAL pg_catalog.aclexplode(part.attacl) AS acl
     WHERE part.attrelid = %(oid)s AND NOT part.attisdropped AND acl.grantee <> class.relowner
)
SELECT granted.part_name,
       CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(granted.grantee)) END,
       granted.is_grantable,
       pg_catalog.array_agg(granted.privilege_type ORDER BY granted.privilege_type)
  FROM granted
 GROUP BY granted.place, granted.part_name, granted.grantee, granted.is_grantable
 ORDER BY granted.place, 2, 3;

-- comments_of --
-- The comments of a table, without a column, and of its columns.
SELECT part.attname::text, said.description
  FROM pg_catalog.pg_description AS said
  LEFT JOIN pg_catalog.pg_attribute AS part ON part.attrelid = said.objoid AND part.attnum = said.objsubid AND said.objsubid > 0
 WHERE said.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND said.objoid = %(oid)s
   AND NOT coalesce(part.attisdropped, false)
 ORDER BY said.objsubid;

-- taking_rows --
-- Functions that take a row of a table.
SELECT routine.oid::pg_catalog.regprocedure::text
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_type AS type ON type.oid = class.reltype
  JOIN pg_catalog.pg_proc AS routine
    ON type.oid = ANY (routine.proargtypes::pg_catalog.oid[]) OR type.typarray = ANY (routine.proargtypes::pg_catalog.oid[])
 WHERE class.oid = %(oid)s
 ORDER BY 1;

-- relatives --
-- What inherits from a table, and what it inherits from, by INHERITS and not as partitions.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, other.relname)
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_class AS other
    ON other.oid = CASE %(oid)s::pg_catalog.oid WHEN link.inhparent THEN link.inhrelid ELSE link.inhparent END
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = other.relnamespace
  JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
 WHERE %(oid)s IN (link.inhparent, link.inhrelid) AND NOT child.relispartition
 ORDER BY 1;

-- dependents --
-- What is lost with a table though it is no part of it.
WITH RECURSIVE part AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS classid, %(oid)s::pg_catalog.oid AS objid
    UNION
    SELECT link.classid, link.objid
      FROM part
      JOIN pg_catalog.pg_depend AS link ON link.refclassid = part.classid AND link.refobjid = part.objid
     WHERE link.deptype IN ('a', 'i', 'P', 'S')
)
SELECT DISTINCT pg_catalog.pg_describe_object(link.classid, link.objid, link.objsubid)
  FROM part
  JOIN pg_catalog.pg_depend AS link ON link.refclassid = part.classid AND link.refobjid = part.objid
 WHERE link.deptype = 'n'
   AND NOT EXISTS (SELECT FROM part AS own WHERE own.classid = link.classid AND own.objid = link.objid)
 ORDER BY 1;

-- columns_dependents --
-- What is lost with columns of a table: not their defaults, sequences and NOT NULL; of indexes only those that hold
-- another column too, or make something unique.
SELECT DISTINCT pg_catalog.pg_describe_object(link.classid, link.objid, link.objsubid)
  FROM pg_catalog.pg_partition_tree(%(oid)s) AS leaf
  FULL JOIN (SELECT %(oid)s::pg_catalog.oid AS relid) AS itself ON itself.relid = leaf.relid
  JOIN pg_catalog.pg_attribute AS part
    ON part.attrelid = coalesce(leaf.relid, itself.relid) AND part.attname = ANY (%(columns)s) AND NOT part.attisdropped
  JOIN pg_catalog.pg_depend AS link
    ON link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = part.attrelid
   AND link.refobjsubid = part.attnum
 WHERE NOT EXISTS (
           SELECT FROM pg_catalog.pg_attrdef AS made
            WHERE link.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND made.oid = link.objid AND made.adnum = part.attnum
       )
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint AS made
            WHERE link.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND made.oid = link.objid AND made.contype = 'n'
       )
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_class AS class
             LEFT JOIN pg_catalog.pg_index AS made ON made.indexrelid = class.oid
            WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND class.oid = link.objid
              AND (
                  (class.relkind = 'S' AND link.deptype IN ('a', 'i'))
                  OR (
                      NOT made.indisunique
                      AND NOT EXISTS (
                          SELECT
                            FROM pg_catalog.pg_attribute AS held
                           WHERE held.attrelid = made.indrelid
                             AND held.attnum = ANY (made.indkey::smallint[])
                             AND held.attname <> ALL (%(columns)s)
                      )
                      AND 0 <> ALL (made.indkey::smallint[])
                      AND made.indpred IS NULL
                  )
              )
       )
 ORDER BY 1;

-- foreign_keys_of --
-- The foreign keys that a table, or a partition of it, has of its own: table, name, definition, whether it is
-- validated, table it references.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       made.conname::text,
       pg_catalog.pg_get_constraintdef(made.oid),
       made.convalidated,
       pg_catalog.format('%%I.%%I', far_namespace.nspname, far.relname)
  FROM pg_catalog.pg_constraint AS made
  JOIN pg_catalog.pg_class AS class ON class.oid = made.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS far ON far.oid = made.confrelid
  JOIN pg_catalog.pg_namespace AS far_namespace ON far_namespace.oid = far.relnamespace
 WHERE made.contype = 'f'
   AND made.conparentid = 0
   AND made.confrelid <> made.conrelid
   AND (made.conrelid = %(oid)s OR made.conrelid IN (SELECT leaf.relid FROM pg_catalog.pg_partition_tree(%(oid)s) AS leaf))
 ORDER BY class.oid, made.oid;

-- taken --
-- What has a name already.
SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, class.oid, 0)
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = pg_catalog.to_regclass(%(name)s)
 UNION
SELECT pg_catalog.pg_describe_object('pg_catalog.pg_type'::pg_catalog.regclass, type.oid, 0)
  FROM pg_catalog.pg_type AS type
 WHERE type.oid = pg_catalog.to_regtype(%(name)s) AND type.typrelid = 0;

-- dependents_of_view --
-- What hangs on a view that may not be there.
SELECT DISTINCT pg_catalog.pg_describe_object(link.classid, link.objid, link.objsubid)
  FROM pg_catalog.pg_depend AS link
 WHERE link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = pg_catalog.to_regclass({name})
   AND link.deptype = 'n'
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_rewrite AS rule
            WHERE link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
              AND rule.oid = link.objid
              AND rule.ev_class = link.refobjid
       )
 ORDER BY 1;

-- functions_saying --
-- Functions whose text holds a name.
SELECT routine.oid::pg_catalog.regprocedure::text
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_language AS language ON language.oid = routine.prolang
 WHERE language.lanname NOT IN ('internal', 'c')
   AND routine.prosqlbody IS NULL
   AND routine.pronamespace::pg_catalog.regnamespace::text NOT IN ('pg_catalog', 'information_schema')
   AND pg_catalog.strpos(pg_catalog.lower(routine.prosrc), pg_catalog.lower({name})) > 0
 ORDER BY 1;

-- enum_of --
-- The labels of the enum type that a column has, in order, and its name as SQL writes it.
SELECT pg_catalog.array_agg(label.enumlabel::text ORDER BY label.enumsortorder),
       pg_catalog.format('%%I.%%I', namespace.nspname, type.typname)
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_type AS type ON type.oid = part.atttypid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
  JOIN pg_catalog.pg_enum AS label ON label.enumtypid = type.oid
 WHERE part.attrelid = %(oid)s AND part.attname = %(column)s
 GROUP BY type.oid, namespace.nspname;

-- references_to --
-- Whether a column is a foreign key to a table.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_constraint AS made
      JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.conrelid AND made.conkey = ARRAY[part.attnum]
     WHERE made.contype = 'f'
       AND made.conrelid = %(oid)s
       AND part.attname = %(column)s
       AND made.confrelid = pg_catalog.to_regclass(%(far)s)
);

-- indexes_on --
-- The indexes of a table that hold a column.
SELECT class.relname::text
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_index AS made ON made.indrelid = part.attrelid AND part.attnum = ANY (made.indkey::smallint[])
  JOIN pg_catalog.pg_class AS class ON class.oid = made.indexrelid
 WHERE part.attrelid = pg_catalog.to_regclass({table}) AND part.attname = {column}
 ORDER BY 1;

-- statistics_of --
-- How many values are sampled of a column, where it was said.
SELECT part.attstattarget
  FROM pg_catalog.pg_attribute AS part
 WHERE part.attrelid = %(oid)s AND part.attname = %(column)s AND part.attstattarget >= 0;
