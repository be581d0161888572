-- The statements about what is below a table.

-- tables_below --
-- The partitions and heirs of a table, and theirs, those right below it first.
WITH RECURSIVE tree (oid, parent, level) AS (
    SELECT link.inhrelid, link.inhparent, 1
      FROM pg_catalog.pg_inherits AS link
     WHERE link.inhparent = %(oid)s
     UNION ALL
    SELECT link.inhrelid, link.inhparent, tree.level + 1
      FROM tree
      JOIN pg_catalog.pg_inherits AS link ON link.inhparent = tree.oid
)
SELECT tree.oid, namespace.nspname::text, class.relname::text,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname), class.relkind::text,
       tree.parent::bigint, tree.level
  FROM tree
  JOIN pg_catalog.pg_class AS class ON class.oid = tree.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 ORDER BY tree.level, namespace.nspname, class.relname;

-- partition_keys --
-- The columns that a table is partitioned by; NULL stands for an expression.
SELECT part.attname::text
  FROM pg_catalog.pg_partitioned_table AS cut
  JOIN LATERAL pg_catalog.unnest(cut.partattrs) AS key (number) ON true
  LEFT JOIN pg_catalog.pg_attribute AS part ON part.attrelid = cut.partrelid AND part.attnum = key.number AND key.number > 0
 WHERE cut.partrelid = %(oid)s;
