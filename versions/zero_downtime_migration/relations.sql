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
-- What hangs on a table though it is no part of it, with or without the defaults that take from its sequences.
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
   AND (%(defaults)s OR link.classid <> 'pg_catalog.pg_attrdef'::pg_catalog.regclass)
   AND NOT EXISTS (SELECT FROM part AS own WHERE own.classid = link.classid AND own.objid = link.objid)
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint AS made
            WHERE link.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND made.oid = link.objid AND made.conparentid <> 0
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
   AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_rewrite AS rule
             JOIN pg_catalog.pg_class AS view ON view.oid = rule.ev_class
             JOIN pg_catalog.pg_namespace AS space ON space.oid = view.relnamespace
            WHERE link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
              AND rule.oid = link.objid
              AND space.nspname ~ '^app_v[0-9][0-9][0-9]$'
       )
 ORDER BY 1;

-- foreign_keys_of --
-- The foreign keys that a table, or a partition of it, has of its own: plain name of that, name, definition, whether it is
-- validated, table it references.
SELECT class.relname::text,
       made.conname::text,
       pg_catalog.pg_get_constraintdef(made.oid),
       made.convalidated,
       pg_catalog.format('%%I.%%I', far_namespace.nspname, far.relname)
  FROM pg_catalog.pg_constraint AS made
  JOIN pg_catalog.pg_class AS class ON class.oid = made.conrelid
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
-- Functions whose text holds a name, as a word where it is one.
SELECT routine.oid::pg_catalog.regprocedure::text
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_language AS language ON language.oid = routine.prolang
 WHERE language.lanname NOT IN ('internal', 'c')
   AND routine.prosqlbody IS NULL
   AND routine.pronamespace::pg_catalog.regnamespace::text NOT IN ('pg_catalog', 'information_schema')
   AND CASE
       WHEN {name} ~ '^[a-zA-Z0-9_]+$' THEN routine.prosrc ~* ('\m' || {name} || '\M')
       ELSE pg_catalog.strpos(pg_catalog.lower(routine.prosrc), pg_catalog.lower({name})) > 0
   END
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

-- uses_of --
-- How often a table and its partitions were read and written since the counters began, and since when they count.
SELECT coalesce(sum(used.seq_scan + coalesce(used.idx_scan, 0)), 0)::bigint,
       coalesce(sum(used.n_tup_ins + used.n_tup_upd + used.n_tup_del), 0)::bigint,
       coalesce((
           SELECT counted.stats_reset::text
             FROM pg_catalog.pg_stat_database AS counted
            WHERE counted.datname = pg_catalog.current_database()
       ), ''),
       pg_catalog.clock_timestamp()::text
  FROM pg_catalog.pg_stat_all_tables AS used
 WHERE used.relid = %(oid)s OR used.relid IN (SELECT leaf.relid FROM pg_catalog.pg_partition_tree(%(oid)s) AS leaf);

-- used_since --
-- How often a table was read and written since a change of it began; nothing if it was not.
SELECT pg_catalog.format('read %s and written %s times', now.reads - {reads}, now.writes - {writes})
  FROM (
      SELECT coalesce(sum(used.seq_scan + coalesce(used.idx_scan, 0)), 0) AS reads,
             coalesce(sum(used.n_tup_ins + used.n_tup_upd + used.n_tup_del), 0) AS writes
        FROM pg_catalog.pg_stat_all_tables AS used
       WHERE used.relid = {oid} OR used.relid IN (SELECT leaf.relid FROM pg_catalog.pg_partition_tree({oid}) AS leaf)
  ) AS now
 WHERE now.reads - {reads} NOT BETWEEN 0 AND {ignored} OR now.writes <> {writes};

-- counted_anew --
-- Whether the counters have begun anew since a change began.
SELECT 'reset'
  FROM pg_catalog.pg_stat_database AS counted
 WHERE counted.datname = pg_catalog.current_database() AND coalesce(counted.stats_reset::text, '') <> {since};

-- too_early --
-- How many seconds of a time have not passed yet since a change began.
SELECT pg_catalog.ceil(pg_catalog.extract('epoch', left_over.time))::bigint
  FROM (
      SELECT {began}::timestamptz + pg_catalog.make_interval(secs => {unused_s}) - pg_catalog.clock_timestamp() AS time
  ) AS left_over
 WHERE left_over.time > '0 s';

-- homes_of --
-- Where a table and its partitions are: schema and name; the table first.
SELECT namespace.nspname::text, class.relname::text
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_partition_tree(%(oid)s) AS leaf ON leaf.relid = class.oid
 WHERE class.oid = %(oid)s OR leaf.relid IS NOT NULL
 ORDER BY class.oid <> %(oid)s, leaf.level, class.oid;

-- owned_sequences --
-- The sequences that are dropped with a table.
SELECT class.oid::pg_catalog.regclass::text
  FROM pg_catalog.pg_depend AS link
  JOIN pg_catalog.pg_class AS class ON class.oid = link.objid AND class.relkind = 'S'
 WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = %(oid)s
   AND link.deptype IN ('a', 'i')
 ORDER BY 1;

-- schema_owner --
-- Who owns the schema, as SQL writes it; nobody if there is none.
SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(namespace.nspowner))
  FROM pg_catalog.pg_namespace AS namespace
 WHERE namespace.nspname = %(name)s;

-- guards_of --
-- What sees to the rows of a table, whoever reads and writes them: row security, triggers, publications, how a row is
-- found on a subscriber; each without the name of the table.
SELECT 'row security' || CASE WHEN class.relforcerowsecurity THEN ' for its owner too' ELSE '' END
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s AND class.relrowsecurity
 UNION ALL
SELECT pg_catalog.format(
           'policy %%I, %%s, for %%s to %%s using (%%s) with check (%%s)',
           policy.polname,
           CASE WHEN policy.polpermissive THEN 'permissive' ELSE 'restrictive' END,
           policy.polcmd,
           policy.polroles::pg_catalog.regrole[],
           pg_catalog.pg_get_expr(policy.polqual, policy.polrelid),
           pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid)
       )
  FROM pg_catalog.pg_policy AS policy
 WHERE policy.polrelid = %(oid)s
 UNION ALL
SELECT pg_catalog.format(
           '%%s (%%s)',
           pg_catalog.replace(
               pg_catalog.pg_get_triggerdef(trigger.oid),
               pg_catalog.format(' ON %%I.%%I ', namespace.nspname, class.relname),
               ' '
           ),
           trigger.tgenabled
       )
  FROM pg_catalog.pg_trigger AS trigger
  JOIN pg_catalog.pg_class AS class ON class.oid = trigger.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE trigger.tgrelid = %(oid)s AND NOT trigger.tgisinternal
 UNION ALL
SELECT pg_catalog.format(
           'publication %%I (%%s) where (%%s)',
           published.pubname,
           member.prattrs,
           pg_catalog.pg_get_expr(member.prqual, member.prrelid)
       )
  FROM pg_catalog.pg_publication_rel AS member
  JOIN pg_catalog.pg_publication AS published ON published.oid = member.prpubid
 WHERE member.prrelid = %(oid)s
 UNION ALL
SELECT 'replica identity ' || class.relreplident::text
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s AND class.relreplident <> 'd';

-- counters_of --
-- The columns that have a sequence of their own: column, sequence, whether it counts upwards, its number.
SELECT part.attname::text,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       counter.seqincrement > 0,
       class.oid
  FROM pg_catalog.pg_depend AS link
  JOIN pg_catalog.pg_class AS class ON class.oid = link.objid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_sequence AS counter ON counter.seqrelid = class.oid
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = link.refobjid AND part.attnum = link.refobjsubid
 WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = %(oid)s
   AND link.deptype IN ('a', 'i');

-- unlike --
-- The columns that two tables have not in common: by place, name, type, collation, NOT NULL and how they are generated.
WITH part AS (
    SELECT of_it.attrelid AS relation,
           pg_catalog.row_number() OVER (PARTITION BY of_it.attrelid ORDER BY of_it.attnum) AS place,
           of_it.attname, of_it.atttypid, of_it.atttypmod, of_it.attcollation, of_it.attnotnull, of_it.attgenerated,
           of_it.attidentity
      FROM pg_catalog.pg_attribute AS of_it
     WHERE of_it.attrelid IN (pg_catalog.to_regclass({one}), pg_catalog.to_regclass({other}))
       AND of_it.attnum > 0
       AND NOT of_it.attisdropped
)
SELECT found.attname::text
  FROM part AS found
 GROUP BY found.place, found.attname, found.atttypid, found.atttypmod, found.attcollation, found.attnotnull,
          found.attgenerated, found.attidentity
HAVING count(*) < 2
 ORDER BY min(found.place), 1;
