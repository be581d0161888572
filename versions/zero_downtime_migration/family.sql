-- What hangs on a key by foreign keys, in whatever table.

-- key_family --
-- A column and all columns that refer to it, or to one of those: table, column, type.
WITH RECURSIVE family AS (
    SELECT part.attrelid AS relid, part.attnum
      FROM pg_catalog.pg_attribute AS part
     WHERE part.attrelid = %(oid)s AND part.attname = %(column)s AND NOT part.attisdropped
    UNION
    SELECT made.conrelid, pair.number
      FROM family
      JOIN pg_catalog.pg_constraint AS made ON made.contype = 'f' AND made.confrelid = family.relid
     CROSS JOIN LATERAL unnest(made.conkey, made.confkey) AS pair (number, theirs)
     WHERE pair.theirs = family.attnum
)
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       part.attname::text,
       pg_catalog.format_type(part.atttypid, part.atttypmod)
  FROM family
  JOIN pg_catalog.pg_class AS class ON class.oid = family.relid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = family.relid AND part.attnum = family.attnum
 ORDER BY family.relid, family.attnum;

-- family_links --
-- Which of some tables refers to which other of them.
SELECT DISTINCT pg_catalog.format('%%I.%%I', own.nspname, referring.relname), pg_catalog.format('%%I.%%I', other.nspname, referred.relname)
  FROM pg_catalog.pg_constraint AS made
  JOIN pg_catalog.pg_class AS referring ON referring.oid = made.conrelid
  JOIN pg_catalog.pg_namespace AS own ON own.oid = referring.relnamespace
  JOIN pg_catalog.pg_class AS referred ON referred.oid = made.confrelid
  JOIN pg_catalog.pg_namespace AS other ON other.oid = referred.relnamespace
 WHERE made.contype = 'f'
   AND made.conrelid <> made.confrelid
   AND pg_catalog.format('%%I.%%I', own.nspname, referring.relname) = ANY (%(tables)s)
   AND pg_catalog.format('%%I.%%I', other.nspname, referred.relname) = ANY (%(tables)s);

-- family_begun --
-- The tables at which a key is being widened.
SELECT change.table_name
  FROM ops.online_change AS change
 WHERE change.operation = 'widen_key'
   AND change.subject = %(subject)s
   AND change.state NOT IN ('completed', 'aborted')
 ORDER BY change.id;
