-- What a column drags along when it becomes another one: asked of the real table and of a trial one made like it.

-- files_of --
-- The files a table and its indexes are in, by their names, and how often the table was read in this transaction.
SELECT class.relname::text,
       pg_catalog.pg_relation_filenode(class.oid),
       CASE WHEN class.oid = %(oid)s THEN pg_catalog.pg_stat_get_xact_numscans(class.oid) END
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s
    OR class.oid IN (SELECT part.indexrelid FROM pg_catalog.pg_index AS part WHERE part.indrelid = %(oid)s)
 ORDER BY class.relname;

-- made_columns --
-- Columns as a trial has made them, and what a new column of the same type would not have of itself.
SELECT part.attname::text,
       pg_catalog.format_type(part.atttypid, part.atttypmod),
       CASE WHEN part.attcollation <> type.typcollation THEN part.attcollation::pg_catalog.regcollation::text END,
       pg_catalog.pg_get_expr(made.adbin, made.adrelid),
       CASE WHEN part.attstorage <> type.typstorage THEN
           CASE part.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
       END,
       CASE part.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_type AS type ON type.oid = part.atttypid
  LEFT JOIN pg_catalog.pg_attrdef AS made ON made.adrelid = part.attrelid AND made.adnum = part.attnum
 WHERE part.attrelid = %(oid)s AND part.attname = ANY (%(names)s)
 ORDER BY pg_catalog.array_position(%(names)s, part.attname::text);

-- column_marks --
-- What is set of columns beside their type: number, statistics target, options, comment.
SELECT part.attname::text,
       part.attnum,
       nullif(part.attstattarget, -1),
       pg_catalog.array_to_string(part.attoptions, ', '),
       pg_catalog.col_description(part.attrelid, part.attnum)
  FROM pg_catalog.pg_attribute AS part
 WHERE part.attrelid = %(oid)s AND part.attname = ANY (%(names)s)
 ORDER BY pg_catalog.array_position(%(names)s, part.attname::text);

-- turned_grants --
-- The grants of columns, in their order: the column, and the statement in two halves around its name.
SELECT part.attname::text,
       pg_catalog.format('GRANT %%s (', item.privilege_type),
       pg_catalog.format(') ON %%I.%%I TO %%s%%s', namespace.nspname, class.relname,
                         CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(item.grantee)) END,
                         CASE WHEN item.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_class AS class ON class.oid = part.attrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL pg_catalog.unnest(part.attacl) WITH ORDINALITY AS acl (entry, place)
 CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[acl.entry]) AS item
 WHERE part.attrelid = %(oid)s AND part.attname = ANY (%(names)s)
 ORDER BY part.attnum, acl.place;

-- all_indexes --
-- The indexes of a table in the order in which a table made like it gets its own.
SELECT index.indexrelid,
       class.relname::text,
       pg_catalog.pg_get_indexdef(index.indexrelid),
       pg_catalog.format('CREATE %%sINDEX %%I ON %%I.%%I USING ', CASE WHEN index.indisunique THEN 'UNIQUE ' ELSE '' END,
                         class.relname, CASE WHEN namespace.oid = pg_catalog.pg_my_temp_schema() THEN 'pg_temp' ELSE namespace.nspname END,
                         owner.relname)
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = owner.relnamespace
 WHERE index.indrelid = %(oid)s AND index.indislive
 ORDER BY index.indexrelid;

-- used_indexes --
-- The valid indexes that hold one of some columns or are made of it, with the constraint that each stands for.
SELECT index.indexrelid,
       class.relname::text,
       index.indisunique,
       coalesce(made.contype::text, ''),
       coalesce(CASE WHEN made.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN made.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END, ''),
       index.indisreplident,
       index.indisclustered,
       pg_catalog.obj_description(index.indexrelid, 'pg_class'),
       pg_catalog.obj_description(made.oid, 'pg_constraint'),
       space.spcname::text
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  LEFT JOIN pg_catalog.pg_tablespace AS space ON space.oid = class.reltablespace
  LEFT JOIN pg_catalog.pg_constraint AS made ON made.conindid = index.indexrelid AND made.contype IN ('p', 'u', 'x')
 WHERE index.indrelid = %(oid)s
   AND index.indisvalid
   AND (
       index.indkey::int2[] && %(numbers)s::int2[]
       OR EXISTS (
           SELECT
             FROM pg_catalog.pg_depend AS link
            WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND link.objid = index.indexrelid
              AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND link.refobjid = index.indrelid
              AND link.refobjsubid = ANY (%(numbers)s)
       )
   )
 ORDER BY index.indexrelid;

-- checks_of --
-- The checks that mention one of some columns, and the NOT NULL that some servers keep as a constraint.
SELECT made.conname::text,
       made.contype::text,
       pg_catalog.pg_get_constraintdef(made.oid),
       made.convalidated,
       pg_catalog.obj_description(made.oid, 'pg_constraint'),
       made.conkey
  FROM pg_catalog.pg_constraint AS made
 WHERE made.conrelid = %(oid)s AND made.contype IN ('c', 'n') AND made.conkey && %(numbers)s::int2[]
 ORDER BY made.oid;

-- references_of --
-- The foreign keys that some columns are part of, on either side.
SELECT made.conname::text,
       made.conrelid = %(oid)s AND made.conkey && %(numbers)s::int2[],
       pg_catalog.format('%%I.%%I', own.nspname, referring.relname),
       pg_catalog.format('%%I.%%I', other.nspname, referred.relname),
       ARRAY(SELECT part.attname::text
               FROM pg_catalog.unnest(made.conkey) WITH ORDINALITY AS key (number, place)
               JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.conrelid AND part.attnum = key.number
              ORDER BY key.place),
       ARRAY(SELECT part.attname::text
               FROM pg_catalog.unnest(made.confkey) WITH ORDINALITY AS key (number, place)
               JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.confrelid AND part.attnum = key.number
              ORDER BY key.place),
       ARRAY(SELECT part.attname::text
               FROM pg_catalog.unnest(made.confdelsetcols) AS key (number)
               JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.conrelid AND part.attnum = key.number),
       made.confmatchtype::text,
       made.confupdtype::text,
       made.confdeltype::text,
       CASE WHEN made.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN made.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,
       made.convalidated,
       pg_catalog.obj_description(made.oid, 'pg_constraint'),
       made.conparentid = 0
       AND pg_catalog.to_jsonb(made) -> 'conenforced' IS DISTINCT FROM 'false'
       AND pg_catalog.to_jsonb(made) -> 'conperiod' IS DISTINCT FROM 'true'
       AND referring.relkind = 'r' AND referred.relkind = 'r'
  FROM pg_catalog.pg_constraint AS made
  JOIN pg_catalog.pg_class AS referring ON referring.oid = made.conrelid
  JOIN pg_catalog.pg_namespace AS own ON own.oid = referring.relnamespace
  JOIN pg_catalog.pg_class AS referred ON referred.oid = made.confrelid
  JOIN pg_catalog.pg_namespace AS other ON other.oid = referred.relnamespace
 WHERE made.contype = 'f'
   AND (
       (made.conrelid = %(oid)s AND made.conkey && %(numbers)s::int2[])
       OR (made.confrelid = %(oid)s AND made.confkey && %(numbers)s::int2[])
   )
 ORDER BY made.oid;

-- all_statistics --
-- The statistics objects of a table in the order in which a table made like it gets its own.
SELECT object.oid,
       pg_catalog.format('%%I.%%I', CASE WHEN namespace.oid = pg_catalog.pg_my_temp_schema() THEN 'pg_temp' ELSE namespace.nspname END,
                         object.stxname),
       object.stxname::text,
       pg_catalog.pg_get_statisticsobjdef(object.oid),
       nullif(pg_catalog.to_jsonb(object) ->> 'stxstattarget', '-1'),
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(object.stxowner)),
       pg_catalog.obj_description(object.oid, 'pg_statistic_ext'),
       EXISTS (
           SELECT
             FROM pg_catalog.pg_depend AS link
            WHERE link.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass
              AND link.objid = object.oid
              AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND link.refobjid = object.stxrelid
              AND link.refobjsubid = ANY (%(numbers)s)
       ),
       namespace.nspname::text
  FROM pg_catalog.pg_statistic_ext AS object
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = object.stxnamespace
 WHERE object.stxrelid = %(oid)s
 ORDER BY object.oid;

-- sequences_of --
-- The sequences that belong to some columns: of which one, whether as its identity, and what each is set to.
SELECT part.attname::text,
       link.deptype = 'i',
       namespace.nspname::text,
       class.relname::text,
       part.attidentity::text,
       sequence.seqtypid::pg_catalog.regtype::text,
       sequence.seqstart, sequence.seqincrement, sequence.seqcache, sequence.seqcycle,
       CASE WHEN NOT (sequence.seqincrement > 0 AND sequence.seqmin = 1) THEN sequence.seqmin END,
       CASE WHEN NOT (
           sequence.seqincrement > 0
           AND sequence.seqmax = CASE sequence.seqtypid::pg_catalog.regtype::text
                                     WHEN 'smallint' THEN 32767 WHEN 'integer' THEN 2147483647 ELSE 9223372036854775807 END
       ) THEN sequence.seqmax END,
       pg_catalog.obj_description(class.oid, 'pg_class'),
       ARRAY(
           SELECT pg_catalog.format('GRANT %%s ON SEQUENCE %%I.%%I TO %%s%%s', item.privilege_type, namespace.nspname, class.relname,
                                    CASE WHEN item.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(item.grantee)) END,
                                    CASE WHEN item.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
             FROM pg_catalog.unnest(class.relacl) WITH ORDINALITY AS acl (entry, place)
            CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[acl.entry]) AS item
            ORDER BY acl.place
       )
  FROM pg_catalog.pg_depend AS link
  JOIN pg_catalog.pg_class AS class ON class.oid = link.objid AND class.relkind = 'S'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_sequence AS sequence ON sequence.seqrelid = class.oid
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = link.refobjid AND part.attnum = link.refobjsubid
 WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = %(oid)s
   AND link.refobjsubid = ANY (%(numbers)s)
   AND link.deptype IN ('a', 'i')
 ORDER BY class.relname;

-- translates_surely --
-- Whether every value of one type has an equal in another that is not a matter of settings, or fails loudly: two
-- whole numbers, any type to text of any length, or an immutable cast that the server makes by itself and loses nothing.
SELECT (target.atttypid = source.atttypid AND target.atttypmod IN (-1, source.atttypmod))
       OR (target.typname IN ('int2', 'int4', 'int8') AND source.typname IN ('int2', 'int4', 'int8'))
       OR (target.typname IN ('text', 'varchar') AND target.atttypmod = -1 AND source.typname NOT IN ('bpchar', 'xml'))
       OR (
           target.atttypmod = -1
           AND NOT (target.typname IN ('float4', 'float8') AND source.typname IN ('int4', 'int8', 'numeric', 'float8'))
           AND target.typname <> 'name'
           AND EXISTS (
               SELECT
                 FROM pg_catalog.pg_cast AS way
                 LEFT JOIN pg_catalog.pg_proc AS routine ON routine.oid = way.castfunc
                WHERE way.castsource = source.atttypid
                  AND way.casttarget = target.atttypid
                  AND way.castcontext = 'i'
                  AND coalesce(routine.provolatile, 'i') = 'i'
           )
       )
  FROM (
        SELECT part.atttypid, part.atttypmod, type.typname
          FROM pg_catalog.pg_attribute AS part
          JOIN pg_catalog.pg_type AS type ON type.oid = part.atttypid
         WHERE part.attrelid = %(source)s::regclass AND part.attnum = 1
       ) AS source
 CROSS JOIN (
        SELECT part.atttypid, part.atttypmod, type.typname
          FROM pg_catalog.pg_attribute AS part
          JOIN pg_catalog.pg_type AS type ON type.oid = part.atttypid
         WHERE part.attrelid = %(target)s::regclass AND part.attnum = 1
       ) AS target;

-- check_text --
-- The expression that a trial's check says is NULL, as the server writes it.
SELECT pg_catalog.pg_get_expr(made.conbin, made.conrelid)
  FROM pg_catalog.pg_constraint AS made
 WHERE made.conrelid = %(table)s::regclass AND made.contype = 'c';

-- partition_leaves --
-- A table and its partitions that hold rows; and whether it is divided by one of some columns.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       EXISTS (
           SELECT FROM pg_catalog.pg_partitioned_table AS divided
            WHERE divided.partrelid = class.oid AND divided.partattrs::int2[] && (0::int2 || %(numbers)s::int2[])
       )
  FROM pg_catalog.pg_partition_tree(%(oid)s) AS part
  JOIN pg_catalog.pg_class AS class ON class.oid = part.relid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace;

-- is_inherited --
-- Whether a table has children or a parent.
SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE %(oid)s IN (link.inhrelid, link.inhparent));
