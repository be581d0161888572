-- The statements of distribution: what is read of the catalogue, and what a plan is made of.

-- reading --
-- Read one state of the catalogue, every name written in full.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL search_path = '';

-- tables --
-- The tables, partitioned tables and partitions outside the server's own schemas and extensions.
SELECT relation.oid::bigint,
       namespace.nspname,
       relation.relname,
       pg_catalog.quote_ident(namespace.nspname),
       pg_catalog.format('%%I.%%I', namespace.nspname, relation.relname),
       CASE partitioned.partstrat WHEN 'r' THEN 'RANGE' WHEN 'l' THEN 'LIST' WHEN 'h' THEN 'HASH' END,
       CASE WHEN relation.relispartition THEN
           (SELECT pg_catalog.format('%%I.%%I', above.nspname, root.relname)
              FROM pg_catalog.pg_class AS root
              JOIN pg_catalog.pg_namespace AS above ON above.oid = root.relnamespace
             WHERE root.oid = pg_catalog.pg_partition_root(relation.oid))
       END,
       relation.relkind = 'r'
           AND NOT relation.relispartition
           AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS link
                        WHERE relation.oid IN (link.inhrelid, link.inhparent)),
       relation.relpersistence = 'u',
       CASE relation.relreplident
           WHEN 'd' THEN EXISTS (SELECT FROM pg_catalog.pg_index AS index
                                  WHERE index.indrelid = relation.oid AND index.indisprimary)
           ELSE relation.relreplident <> 'n'
       END,
       ARRAY(SELECT pg_catalog.quote_ident(rewrite.rulename)
               FROM pg_catalog.pg_rewrite AS rewrite
              WHERE rewrite.ev_class = relation.oid
              ORDER BY rewrite.rulename)
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  LEFT JOIN pg_catalog.pg_partitioned_table AS partitioned ON partitioned.partrelid = relation.oid
 WHERE relation.relkind IN ('r', 'p')
   AND relation.relpersistence <> 't'
   AND namespace.nspname <> 'information_schema'
   AND namespace.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND link.objid = relation.oid
                      AND link.deptype = 'e')
 ORDER BY 5;

-- columns --
-- The columns of all tables in order, each with the sequence that its default asks or its identity owns. A
-- domain is hashed as what it is made of, at whatever depth.
WITH RECURSIVE made (type, base) AS (
    SELECT type.oid, type.oid
      FROM pg_catalog.pg_type AS type
     WHERE type.typtype <> 'd'
     UNION ALL
    SELECT type.oid, made.base
      FROM made
      JOIN pg_catalog.pg_type AS type ON type.typbasetype = made.type AND type.typtype = 'd'
)
SELECT attribute.attrelid::bigint,
       attribute.attname,
       pg_catalog.quote_ident(attribute.attname),
       pg_catalog.format_type(attribute.atttypid, NULL),
       attribute.attnotnull,
       attribute.attidentity <> '',
       attribute.attgenerated <> '',
       EXISTS (SELECT
                 FROM pg_catalog.pg_opclass AS class
                 JOIN pg_catalog.pg_am AS method ON method.oid = class.opcmethod AND method.amname = 'hash'
                WHERE class.opcdefault
                  AND class.opcintype IN (
                          type.oid,
                          CASE
                              WHEN type.oid = 'pg_catalog.varchar'::pg_catalog.regtype
                              THEN 'pg_catalog.text'::pg_catalog.regtype
                              WHEN type.typtype = 'e' THEN 'pg_catalog.anyenum'::pg_catalog.regtype
                              WHEN type.typtype = 'r' THEN 'pg_catalog.anyrange'::pg_catalog.regtype
                              WHEN type.typcategory = 'A' THEN 'pg_catalog.anyarray'::pg_catalog.regtype
                          END)),
       coalesce((SELECT rule.collisdeterministic
                   FROM pg_catalog.pg_collation AS rule
                  WHERE rule.oid = attribute.attcollation), true),
       CASE WHEN attribute.attgenerated = '' THEN pg_catalog.pg_get_expr(preset.adbin, preset.adrelid) END,
       numbering.qualified,
       numbering.type
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_class AS relation ON relation.oid = attribute.attrelid AND relation.relkind IN ('r', 'p')
  JOIN made ON made.type = attribute.atttypid
  JOIN pg_catalog.pg_type AS type ON type.oid = made.base
  LEFT JOIN pg_catalog.pg_attrdef AS preset
    ON preset.adrelid = attribute.attrelid AND preset.adnum = attribute.attnum
  LEFT JOIN LATERAL (
       SELECT pg_catalog.format('%%I.%%I', namespace.nspname, sequence.relname) AS qualified,
              pg_catalog.format_type(counting.seqtypid, NULL) AS type
         FROM pg_catalog.pg_depend AS link
         JOIN pg_catalog.pg_class AS sequence
           ON sequence.oid = CASE link.deptype WHEN 'i' THEN link.objid ELSE link.refobjid END
         JOIN pg_catalog.pg_sequence AS counting ON counting.seqrelid = sequence.oid
         JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = sequence.relnamespace
        WHERE (link.deptype = 'i'
               AND link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND link.refobjid = attribute.attrelid
               AND link.refobjsubid = attribute.attnum)
           OR (link.deptype = 'n'
               AND link.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
               AND link.objid = preset.oid
               AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
        ORDER BY 1
        LIMIT 1
       ) AS numbering ON true
 WHERE attribute.attnum > 0
   AND NOT attribute.attisdropped
 ORDER BY attribute.attrelid, attribute.attnum;

-- keys --
-- The unique indexes and exclusions that a table has by itself, not from the table it is a partition of. A
-- column counts where it is compared by equality: strategy 3 of a B-tree.
SELECT index.indrelid::bigint,
       CASE linked.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint'
                           WHEN 'x' THEN 'exclusion constraint' ELSE 'unique index' END,
       named.relname,
       pg_catalog.quote_ident(named.relname),
       ARRAY(SELECT CASE
                        WHEN linked.conexclop IS NULL
                             OR EXISTS (SELECT
                                          FROM pg_catalog.pg_amop AS entry
                                          JOIN pg_catalog.pg_am AS method
                                            ON method.oid = entry.amopmethod AND method.amname = 'btree'
                                         WHERE entry.amopopr = linked.conexclop[part.place]
                                           AND entry.amopstrategy = 3)
                        THEN attribute.attname
                    END::text
               FROM pg_catalog.unnest(index.indkey::smallint[]) WITH ORDINALITY AS part (attnum, place)
               LEFT JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = index.indrelid AND attribute.attnum = part.attnum AND part.attnum > 0
              WHERE part.place <= index.indnkeyatts
              ORDER BY part.place),
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.unnest(index.indkey::smallint[]) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = index.indrelid AND attribute.attnum = part.attnum
              WHERE part.place > index.indnkeyatts
              ORDER BY part.place),
       pg_catalog.pg_get_indexdef(index.indexrelid)
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS named ON named.oid = index.indexrelid AND NOT named.relispartition
  LEFT JOIN pg_catalog.pg_constraint AS linked
    ON linked.conindid = index.indexrelid AND linked.contype IN ('p', 'u', 'x')
 WHERE index.indisunique
    OR index.indisexclusion
 ORDER BY index.indrelid, named.relname;

-- foreign_keys --
-- The foreign keys that a table has by itself.
SELECT linked.conrelid::bigint,
       linked.conname,
       pg_catalog.quote_ident(linked.conname),
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.unnest(linked.conkey) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = linked.conrelid AND attribute.attnum = part.attnum
              ORDER BY part.place),
       pg_catalog.format('%%I.%%I', namespace.nspname, target.relname),
       ARRAY(SELECT attribute.attname::text
               FROM pg_catalog.unnest(linked.confkey) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_catalog.pg_attribute AS attribute
                 ON attribute.attrelid = linked.confrelid AND attribute.attnum = part.attnum
              ORDER BY part.place),
       CASE linked.confdeltype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
                               WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END,
       CASE linked.confupdtype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
                               WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END,
       pg_catalog.pg_get_constraintdef(linked.oid),
       linked.convalidated,
       pg_catalog.obj_description(linked.oid, 'pg_constraint')
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS target ON target.oid = linked.confrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = target.relnamespace
 WHERE linked.contype = 'f'
   AND linked.conparentid = 0
 ORDER BY linked.conrelid, linked.conname;

-- triggers --
-- The triggers that somebody made, with the source of what they call; those of a partition come from its root.
SELECT trigger.tgrelid::bigint,
       trigger.tgname,
       pg_catalog.quote_ident(trigger.tgname),
       routine.oid::pg_catalog.regprocedure::text,
       routine.prosrc
  FROM pg_catalog.pg_trigger AS trigger
  JOIN pg_catalog.pg_proc AS routine ON routine.oid = trigger.tgfoid
 WHERE NOT trigger.tgisinternal
   AND trigger.tgparentid = 0
 ORDER BY trigger.tgrelid, trigger.tgname;

-- policies --
-- The policies; a subquery is a SUBLINK in the tree of their expressions.
SELECT policy.polrelid::bigint,
       policy.polname,
       pg_catalog.quote_ident(policy.polname),
       policy.polpermissive,
       pg_catalog.concat_ws(' ', policy.polqual::text, policy.polwithcheck::text) LIKE '%%{SUBLINK %%',
       pg_catalog.concat_ws(' ', pg_catalog.pg_get_expr(policy.polqual, policy.polrelid),
                            pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid))
  FROM pg_catalog.pg_policy AS policy
 ORDER BY policy.polrelid, policy.polname;

-- views --
-- The views outside the server's own schemas and extensions, with the tables they read, through other views too.
WITH RECURSIVE reading AS (
    SELECT rewrite.ev_class AS view,
           link.refobjid AS relation
      FROM pg_catalog.pg_rewrite AS rewrite
      JOIN pg_catalog.pg_class AS class ON class.oid = rewrite.ev_class AND class.relkind IN ('v', 'm')
      JOIN pg_catalog.pg_depend AS link
        ON link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND link.objid = rewrite.oid
       AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND link.refobjid <> rewrite.ev_class
), reached AS (
    SELECT reading.view, reading.relation FROM reading
     UNION
    SELECT reached.view, reading.relation
      FROM reached
      JOIN reading ON reading.view = reached.relation
)
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, view.relname),
       view.relkind = 'm',
       ARRAY(SELECT pg_catalog.format('%%I.%%I', above.nspname, target.relname)
               FROM reached
               JOIN pg_catalog.pg_class AS target ON target.oid = reached.relation AND target.relkind IN ('r', 'p')
               JOIN pg_catalog.pg_namespace AS above ON above.oid = target.relnamespace
              WHERE reached.view = view.oid
              ORDER BY 1)
  FROM pg_catalog.pg_class AS view
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = view.relnamespace
 WHERE view.relkind IN ('v', 'm')
   AND namespace.nspname <> 'information_schema'
   AND namespace.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND link.objid = view.oid
                      AND link.deptype = 'e')
 ORDER BY 1;

-- routines --
-- The functions and procedures in SQL or PL/pgSQL that no trigger calls; one with a body in SQL keeps it apart.
SELECT routine.oid::pg_catalog.regprocedure::text,
       coalesce(pg_catalog.pg_get_function_sqlbody(routine.oid), routine.prosrc)
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = routine.pronamespace
  JOIN pg_catalog.pg_language AS language ON language.oid = routine.prolang AND language.lanname IN ('sql', 'plpgsql')
 WHERE routine.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
   AND namespace.nspname <> 'information_schema'
   AND namespace.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND link.objid = routine.oid
                      AND link.deptype = 'e')
 ORDER BY 1;

-- step_coordinator --
-- Fails where Citus is not, before anything is dropped.
SELECT citus_version();

-- step_patience --
-- Wait for no lock longer than this; it does not reach the workers.
SET lock_timeout = '5s';

-- step_drop_foreign_key --
-- ACCESS EXCLUSIVE on both tables, for a moment.
ALTER TABLE {table} DROP CONSTRAINT {name};

-- step_drop_trigger --
DROP TRIGGER {name} ON {table};

-- step_drop_policy --
DROP POLICY {name} ON {table};

-- step_drop_constraint --
ALTER TABLE {table} DROP CONSTRAINT {name};

-- step_drop_index --
DROP INDEX {schema}.{name};

-- step_create_index --
-- The statement is the server's own, UNIQUE taken out of it.
{definition};

-- step_reference --
-- A statement of its own: several calls in one are refused.
SELECT create_reference_table({relation});

-- step_distribute --
SELECT create_distributed_table({relation}, {column}, colocate_with => {group});

-- step_add_foreign_key --
-- The definition is the server's own.
ALTER TABLE {table} ADD CONSTRAINT {name} {definition};

-- step_comment --
COMMENT ON CONSTRAINT {name} ON {table} IS {comment};

-- step_validate --
-- SHARE UPDATE EXCLUSIVE: reading and writing go on.
ALTER TABLE {table} VALIDATE CONSTRAINT {name};
