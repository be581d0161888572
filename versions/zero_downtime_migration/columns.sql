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
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_rewrite AS rule
             JOIN pg_catalog.pg_class AS view ON view.oid = rule.ev_class
             JOIN pg_catalog.pg_namespace AS space ON space.oid = view.relnamespace
            WHERE link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
              AND rule.oid = link.objid
              AND space.nspname ~ '^app_v[0-9][0-9][0-9]$'
       )
 ORDER BY 1;

-- not_null_rule --
-- The NOT NULL constraint of a column, where the server keeps one: name, whether it is validated, its comment.
SELECT rule.conname::text, rule.convalidated, pg_catalog.obj_description(rule.oid, 'pg_constraint')
  FROM pg_catalog.pg_constraint AS rule
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = rule.conrelid AND rule.conkey = ARRAY[part.attnum]
 WHERE rule.conrelid = %(oid)s AND rule.contype = 'n' AND part.attname = %(column)s;

-- not_null_checks --
-- Checks that say that a column is not NULL and nothing else: name, whether they are validated; these first.
SELECT rule.conname::text, rule.convalidated
  FROM pg_catalog.pg_constraint AS rule
 WHERE rule.conrelid = %(oid)s
   AND rule.contype = 'c'
   AND NOT rule.connoinherit
   AND pg_catalog.pg_get_expr(rule.conbin, rule.conrelid) = pg_catalog.format('(%%I IS NOT NULL)', %(column)s::text)
   -- Since 18 a check may be there that nobody keeps.
   AND pg_catalog.to_jsonb(rule) ->> 'conenforced' IS DISTINCT FROM 'false'
 ORDER BY rule.convalidated DESC, 1;

-- is_rule_name --
-- Whether a constraint in the schema of a table has a name.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_constraint AS rule
      JOIN pg_catalog.pg_class AS class ON class.relnamespace = rule.connamespace
     WHERE class.oid = %(oid)s AND rule.conname = %(name)s
);

-- not_null_reasons --
-- What holds a column NOT NULL beside its own constraint.
SELECT 'it is of the primary key'
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_index AS made ON made.indrelid = part.attrelid AND part.attnum = ANY (made.indkey::smallint[])
 WHERE part.attrelid = %(oid)s AND part.attname = %(column)s AND made.indisprimary
 UNION ALL
SELECT 'rows are told apart by it for replication'
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_index AS made ON made.indrelid = part.attrelid AND part.attnum = ANY (made.indkey::smallint[])
 WHERE part.attrelid = %(oid)s AND part.attname = %(column)s AND made.indisreplident AND NOT made.indisprimary
 UNION ALL
SELECT 'it is an identity'
  FROM pg_catalog.pg_attribute AS part
 WHERE part.attrelid = %(oid)s AND part.attname = %(column)s AND part.attidentity <> ''
 UNION ALL
SELECT pg_catalog.format('it is NOT NULL in %%s, which the table inherits from', link.inhparent::pg_catalog.regclass)
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = link.inhparent
 WHERE link.inhrelid = %(oid)s AND part.attname = %(column)s AND part.attnotnull;

-- checks_of_column --
-- The checks that say something of a column: name, and what they say.
SELECT rule.conname::text, pg_catalog.pg_get_expr(rule.conbin, rule.conrelid)
  FROM pg_catalog.pg_constraint AS rule
 WHERE rule.conrelid = %(oid)s
   AND rule.contype = 'c'
   AND rule.conkey = ARRAY[%(number)s]::smallint[]
 ORDER BY 1;

-- refers_to --
-- The foreign keys of a column alone: name, and the table that is referred to.
SELECT rule.conname::text, pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
  FROM pg_catalog.pg_constraint AS rule
  JOIN pg_catalog.pg_class AS class ON class.oid = rule.confrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE rule.conrelid = %(oid)s
   AND rule.contype = 'f'
   AND rule.conkey = ARRAY[%(number)s]::smallint[]
   AND rule.conparentid = 0
 ORDER BY 1;

-- domain_of --
-- What a domain is: the type below it, whether it refuses NULL, whether it has checks, its default.
WITH RECURSIVE below (type, modifier, depth) AS (
    SELECT type.oid, -1, 0
      FROM pg_catalog.pg_type AS type
     WHERE type.oid = %(type)s AND type.typtype = 'd'
    UNION ALL
    SELECT domain.typbasetype, domain.typtypmod, below.depth + 1
      FROM below
      JOIN pg_catalog.pg_type AS domain ON domain.oid = below.type AND domain.typtype = 'd'
)
SELECT (pg_catalog.array_agg(pg_catalog.format_type(below.type, below.modifier) ORDER BY below.depth DESC))[1],
       bool_or(domain.typnotnull),
       bool_or(EXISTS (
           SELECT
             FROM pg_catalog.pg_constraint AS rule
            WHERE rule.contypid = domain.oid AND rule.contype = 'c'
       )),
       (pg_catalog.array_agg(pg_catalog.pg_get_expr(domain.typdefaultbin, 0) ORDER BY below.depth)
           FILTER (WHERE domain.typdefaultbin IS NOT NULL))[1]
  FROM below
  JOIN pg_catalog.pg_type AS domain ON domain.oid = below.type
HAVING pg_catalog.count(*) > 0;

-- probed_column --
-- The last column of a temporary table: its type, the name of it, its default or expression, where its rows are.
SELECT part.atttypid,
       pg_catalog.format_type(part.atttypid, part.atttypmod),
       pg_catalog.pg_get_expr(given.adbin, given.adrelid),
       pg_catalog.pg_relation_filenode(part.attrelid),
       EXISTS (
           SELECT
             FROM pg_catalog.pg_depend AS link
             JOIN pg_catalog.pg_class AS sequence ON sequence.oid = link.objid AND sequence.relkind = 'S'
            WHERE link.refobjid = part.attrelid AND link.refobjsubid = part.attnum AND link.deptype = 'a'
       )
  FROM pg_catalog.pg_attribute AS part
  LEFT JOIN pg_catalog.pg_attrdef AS given ON given.adrelid = part.attrelid AND given.adnum = part.attnum
 WHERE part.attrelid = 'pg_temp.zz_probe'::pg_catalog.regclass
 ORDER BY part.attnum DESC
 LIMIT 1;

-- probed_rules --
-- The kinds of constraints of a temporary table that are more than NOT NULL.
SELECT rule.contype::text
  FROM pg_catalog.pg_constraint AS rule
 WHERE rule.conrelid = 'pg_temp.zz_probe'::pg_catalog.regclass AND rule.contype <> 'n';

-- probed_rule_name --
-- What the server calls a constraint of a temporary table.
SELECT rule.conname::text
  FROM pg_catalog.pg_constraint AS rule
 WHERE rule.conrelid = pg_catalog.to_regclass(%(table)s) AND rule.contype = %(kind)s;

-- probed_sequence --
-- What the server calls the sequence of a temporary table.
SELECT class.relname::text
  FROM pg_catalog.pg_depend AS link
  JOIN pg_catalog.pg_class AS class ON class.oid = link.objid AND class.relkind = 'S'
 WHERE link.refobjid = pg_catalog.to_regclass(%(table)s) AND link.deptype = 'a';

-- inserting_roles --
-- Who may insert into a table, or into columns of it, without owning it.
SELECT DISTINCT
       CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(granted.grantee)) END
  FROM (
       SELECT class.relacl AS rights, class.relowner AS owner
         FROM pg_catalog.pg_class AS class
        WHERE class.oid = %(oid)s
        UNION ALL
       SELECT part.attacl, class.relowner
         FROM pg_catalog.pg_attribute AS part
         JOIN pg_catalog.pg_class AS class ON class.oid = part.attrelid
        WHERE part.attrelid = %(oid)s
       ) AS given
 CROSS JOIN LATERAL pg_catalog.aclexplode(given.rights) AS granted
 WHERE granted.privilege_type = 'INSERT' AND granted.grantee <> given.owner
 ORDER BY 1;
