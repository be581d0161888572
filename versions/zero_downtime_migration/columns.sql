-- What the catalogue says of a column, and of whatever hangs on it.

-- column_number --
-- The number of a column.
SELECT part.attnum
  FROM pg_catalog.pg_attribute AS part
 WHERE part.attrelid = %(oid)s AND part.attname = %(column)s;

-- base_type --
-- The type below a column's domain, as SQL writes it; the type itself where it is no domain.
WITH RECURSIVE below (type, modifier) AS (
    SELECT part.atttypid, part.atttypmod
      FROM pg_catalog.pg_attribute AS part
     WHERE part.attrelid = %(oid)s AND part.attname = %(column)s
    UNION ALL
    SELECT domain.typbasetype, domain.typtypmod
      FROM below
      JOIN pg_catalog.pg_type AS domain ON domain.oid = below.type AND domain.typtype = 'd'
)
SELECT pg_catalog.format_type(below.type, below.modifier)
  FROM below
  JOIN pg_catalog.pg_type AS type ON type.oid = below.type
 WHERE type.typtype <> 'd';

-- is_inheriting --
-- Whether a table that is no partition inherits, or is inherited from by one that is none.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
     WHERE %(oid)s IN (link.inhrelid, link.inhparent) AND NOT child.relispartition
);

-- is_partition_key --
-- Whether rows are put into partitions by a column, or by what is computed of it, at this level or below.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_partition_tree(%(oid)s) AS tree
      JOIN pg_catalog.pg_attribute AS part ON part.attrelid = tree.relid AND part.attname = %(column)s
      JOIN pg_catalog.pg_depend AS link ON (link.objid, link.refobjid) = (tree.relid, tree.relid)
     WHERE (link.objsubid, link.refobjsubid) = (part.attnum, 0)
       AND link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
);

-- watching_triggers --
-- Triggers that fire when one column is named in an update, or depending on its value.
SELECT pg_catalog.quote_ident(trigger.tgname)
  FROM pg_catalog.pg_trigger AS trigger
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = trigger.tgrelid AND part.attname = %(column)s
 WHERE trigger.tgrelid = %(oid)s
   AND NOT trigger.tgisinternal
   AND part.attnum = ANY (trigger.tgattr::smallint[])
 ORDER BY 1;

-- naming_triggers --
-- Triggers whose function has the name of a column in its text, and the function.
SELECT DISTINCT pg_catalog.quote_ident(trigger.tgname), routine.oid::pg_catalog.regproc::text
  FROM pg_catalog.pg_trigger AS trigger
  JOIN pg_catalog.pg_proc AS routine ON routine.oid = trigger.tgfoid
  JOIN pg_catalog.pg_language AS language ON language.oid = routine.prolang
 WHERE trigger.tgrelid = %(oid)s
   AND NOT trigger.tgisinternal
   AND language.lanname NOT IN ('c', 'internal')
   AND CASE
       WHEN %(column)s ~ '^[a-zA-Z0-9_]+$' THEN routine.prosrc ~* ('\m' || %(column)s || '\M')
       ELSE pg_catalog.strpos(routine.prosrc, pg_catalog.quote_ident(%(column)s)) > 0
   END
 ORDER BY 1;

-- column_grants --
-- Rights that were granted on a column alone: the right, to whom as SQL writes it, and whether it may be passed on.
SELECT granted.privilege_type,
       CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(granted.grantee)) END,
       granted.is_grantable
  FROM pg_catalog.pg_attribute AS part
 CROSS JOIN LATERAL pg_catalog.aclexplode(part.attacl) AS granted
 WHERE part.attrelid = %(oid)s AND part.attname = %(column)s
 ORDER BY 2, 1;

-- indexes_with --
-- The valid indexes that a column is in: name, definition, whether it is unique, whether at once, whether a constraint's.
SELECT index.relname::text,
       pg_catalog.pg_get_indexdef(index.oid),
       made.indisunique,
       made.indimmediate,
       EXISTS (SELECT FROM pg_catalog.pg_constraint AS rule WHERE rule.conindid = index.oid AND rule.conrelid = made.indrelid)
  FROM pg_catalog.pg_index AS made
  JOIN pg_catalog.pg_class AS index ON index.oid = made.indexrelid
 WHERE made.indrelid = pg_catalog.to_regclass(%(table)s)
   AND made.indisvalid
   AND EXISTS (
       SELECT
         FROM pg_catalog.pg_attribute AS part
        WHERE part.attrelid = made.indrelid
          AND part.attname = %(column)s
          AND (
              part.attnum = ANY (made.indkey::smallint[])
              OR EXISTS (
                  SELECT
                    FROM pg_catalog.pg_depend AS link
                   WHERE (link.classid, link.objid) = ('pg_catalog.pg_class'::pg_catalog.regclass, made.indexrelid)
                     AND (link.refclassid, link.refobjid) = ('pg_catalog.pg_class'::pg_catalog.regclass, made.indrelid)
                     AND link.refobjsubid = part.attnum
              )
          )
   )
 ORDER BY 1;

-- leaves_of --
-- Where the rows of a table are: its partitions without partitions of their own, or itself.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname), namespace.nspname::text, class.relname::text
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind = 'r'
   AND (class.oid = %(oid)s OR class.oid IN (SELECT tree.relid FROM pg_catalog.pg_partition_tree(%(oid)s) AS tree))
 ORDER BY 1;

-- hanging_on --
-- What hangs on a column and is none of its own: what it is called, its kind, and whether it is of the same table.
SELECT DISTINCT pg_catalog.pg_describe_object(link.classid, link.objid, link.objsubid),
       link.classid::pg_catalog.regclass::text
  FROM pg_catalog.pg_depend AS link
  LEFT JOIN pg_catalog.pg_attrdef AS given
    ON link.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND given.oid = link.objid
  LEFT JOIN pg_catalog.pg_class AS class
    ON link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND class.oid = link.objid
  LEFT JOIN pg_catalog.pg_constraint AS rule
    ON link.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND rule.oid = link.objid
  LEFT JOIN pg_catalog.pg_index AS made ON made.indexrelid = class.oid
 WHERE link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = %(oid)s
   AND link.refobjsubid = %(number)s
   -- Its own default or expression, its own sequence, its own NOT NULL.
   AND (given.adrelid, given.adnum::integer) IS DISTINCT FROM (%(oid)s::oid, %(number)s::integer)
   AND class.relkind IS DISTINCT FROM 'S'
   AND rule.contype IS DISTINCT FROM 'n'
   -- A check, a key or a reference of this column alone goes with it, and so does an index that is no rule.
   AND NOT coalesce(rule.conrelid = %(oid)s AND rule.contype <> 'p' AND rule.conkey = ARRAY[%(number)s]::smallint[], false)
   AND NOT coalesce(
       made.indrelid = %(oid)s
       AND NOT made.indisreplident
       AND (
           NOT made.indisunique
           OR (made.indnkeyatts = 1 AND made.indkey[0] = %(number)s)
           OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS ruled WHERE ruled.conindid = made.indexrelid)
       ),
       false
   )
 ORDER BY 1;
