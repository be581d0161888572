-- The statements of partitioning. Whole statements come from the catalogue, every name in them quoted by it.

-- table_facts --
-- What a table is: numbers, names as SQL writes them, owner, kind, size, its key column and its primary key.
SELECT class.oid::bigint,
       namespace.nspname,
       class.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(class.relowner)),
       class.relkind::text,
       pg_catalog.pg_relation_size(class.oid),
       (SELECT pg_catalog.format_type(attribute.atttypid, NULL)
          FROM pg_catalog.pg_attribute AS attribute
         WHERE attribute.attrelid = class.oid
           AND attribute.attname = coalesce(%(key)s,
                   (SELECT part.attname
                      FROM pg_catalog.pg_partitioned_table AS split
                      JOIN pg_catalog.pg_attribute AS part
                        ON part.attrelid = split.partrelid AND part.attnum = split.partattrs[0]
                     WHERE split.partrelid = class.oid))
           AND attribute.attnum > 0
           AND NOT attribute.attisdropped),
       coalesce(%(key)s,
                (SELECT part.attname
                   FROM pg_catalog.pg_partitioned_table AS split
                   JOIN pg_catalog.pg_attribute AS part
                     ON part.attrelid = split.partrelid AND part.attnum = split.partattrs[0]
                  WHERE split.partrelid = class.oid)),
       linked.conname,
       (SELECT pg_catalog.array_agg(attribute.attname::text ORDER BY part.place)
          FROM pg_catalog.unnest(linked.conkey) WITH ORDINALITY AS part (attnum, place)
          JOIN pg_catalog.pg_attribute AS attribute
            ON attribute.attrelid = class.oid AND attribute.attnum = part.attnum),
       pg_catalog.obj_description(linked.oid, 'pg_constraint')
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.conrelid = class.oid AND linked.contype = 'p'
 WHERE class.oid = pg_catalog.to_regclass(%(table)s)
   AND class.relkind IN ('r', 'p');

-- obstacles --
-- What of a table cannot be carried over to a partitioned one, by name, each with what to do about it.
WITH target AS (
    SELECT class.*,
           attribute.attnum AS key,
           attribute.attnotnull,
           attribute.attgenerated
      FROM pg_catalog.pg_class AS class
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = class.oid AND attribute.attname = %(key)s
     WHERE class.oid = %(oid)s
)
SELECT pg_catalog.format('column "%%s" may be NULL: set it NOT NULL first, by a CHECK that is validated', %(key)s)
  FROM target WHERE NOT target.attnotnull
UNION ALL
SELECT pg_catalog.format('column "%%s" is generated, and what is generated cannot part rows: choose another', %(key)s)
  FROM target WHERE target.attgenerated <> ''
UNION ALL
SELECT 'it has no primary key: add one'
  FROM target
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked
                    WHERE linked.conrelid = target.oid AND linked.contype = 'p')
UNION ALL
SELECT 'it belongs to an extension, which would not know the partitioned one'
  FROM target
 WHERE EXISTS (SELECT FROM pg_catalog.pg_depend AS link
                WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND link.objid = target.oid
                  AND link.deptype = 'e')
UNION ALL
SELECT pg_catalog.format('the key "%%s" has more than columns (INCLUDE, WITHOUT OVERLAPS, storage options): make it a plain one', class.relname)
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
 WHERE class.relname <> %(built)s
   AND ((index.indisprimary
         AND (index.indnatts <> index.indnkeyatts
              OR class.relam <> (SELECT method.oid FROM pg_catalog.pg_am AS method WHERE method.amname = 'btree')))
        OR (class.reloptions IS NOT NULL
            AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked WHERE linked.conindid = class.oid)))
UNION ALL
SELECT pg_catalog.format('index "%%s" lies in a tablespace of its own, or has statistics targets: move it, reset them', class.relname)
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
 WHERE class.reltablespace <> 0
    OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS attribute
                WHERE attribute.attrelid = class.oid AND attribute.attstattarget >= 0)
UNION ALL
SELECT 'its name is longer than 40 bytes, and those of its partitions would be too long: rename it'
  FROM target WHERE pg_catalog.octet_length(target.relname) > 40
UNION ALL
SELECT 'it is unlogged or temporary: make it LOGGED'
  FROM target WHERE target.relpersistence <> 'p'
UNION ALL
SELECT 'it is a typed table: ALTER TABLE … NOT OF'
  FROM target WHERE target.reloftype <> 0
UNION ALL
SELECT 'its storage is of another kind than heap'
  FROM target
 WHERE target.relam <> (SELECT method.oid FROM pg_catalog.pg_am AS method WHERE method.amname = 'heap')
UNION ALL
SELECT 'it lies in a tablespace of its own: move it to the default one'
  FROM target WHERE target.reltablespace <> 0
UNION ALL
SELECT 'it inherits, or is inherited from: ALTER TABLE … NO INHERIT'
  FROM target
 WHERE EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE target.oid IN (link.inhrelid, link.inhparent))
UNION ALL
SELECT 'its replica identity is an index: ALTER TABLE … REPLICA IDENTITY DEFAULT'
  FROM target WHERE target.relreplident = 'i'
UNION ALL
SELECT pg_catalog.format('unique index "%%s" does not hold column "%%s": rows of two partitions could not be kept apart; drop it',
                         class.relname, %(key)s)
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid AND index.indisunique AND NOT index.indisprimary
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
 WHERE class.relname <> %(built)s
   AND (target.key <> ALL ((pg_catalog.string_to_array(index.indkey::text, ' ')::smallint[])[1:index.indnkeyatts])
        OR index.indexprs IS NOT NULL)
UNION ALL
SELECT pg_catalog.format('index "%%s" is invalid: REINDEX INDEX CONCURRENTLY, or drop it', class.relname)
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid AND NOT index.indisvalid
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
 WHERE class.relname <> %(built)s
UNION ALL
SELECT pg_catalog.format('index "%%s" is what the table is clustered on: ALTER TABLE … SET WITHOUT CLUSTER', class.relname)
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid AND index.indisclustered
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
UNION ALL
SELECT pg_catalog.format('the name of index "%%s" leaves no room for that of a second one: rename it', class.relname)
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
 WHERE class.relname <> %(built)s
   AND pg_catalog.octet_length(class.relname)
       + CASE WHEN pg_catalog.starts_with(class.relname, target.relname || '_') THEN 7
              ELSE pg_catalog.octet_length(target.relname) + 8 END > 63
UNION ALL
SELECT pg_catalog.format('constraint "%%s" %%s', linked.conname,
                         CASE WHEN NOT linked.convalidated THEN 'is not validated: ALTER TABLE … VALIDATE CONSTRAINT'
                              WHEN linked.contype = 'x' THEN 'excludes rows, which holds in one partition only; drop it'
                              WHEN linked.contype = 'c' THEN 'is NO INHERIT: make it a plain CHECK'
                              WHEN linked.contype = 'f' THEN 'refers to the table itself: drop it'
                              WHEN linked.condeferrable THEN 'is deferrable: make it NOT DEFERRABLE'
                         END)
  FROM target
  JOIN pg_catalog.pg_constraint AS linked ON linked.conrelid = target.oid
 WHERE linked.conname <> %(check)s
   AND (NOT linked.convalidated
        OR linked.contype = 'x'
        OR (linked.contype = 'c' AND linked.connoinherit)
        OR (linked.contype = 'f' AND linked.confrelid = target.oid)
        OR (linked.contype IN ('p', 'u') AND linked.condeferrable))
UNION ALL
SELECT pg_catalog.format('foreign key "%%s" of "%%s" %%s', linked.conname, other.relname,
                         CASE WHEN other.relkind = 'p' THEN 'comes from a partitioned table: drop it'
                              WHEN NOT linked.convalidated THEN 'is not validated: ALTER TABLE … VALIDATE CONSTRAINT'
                              WHEN linked.confdeltype = 'd' OR linked.confupdtype = 'd' THEN 'sets a default: choose another action'
                              WHEN linked.condeferrable THEN 'is deferrable, and the row it refers to would have to be there first: make it NOT DEFERRABLE'
                              WHEN linked.confmatchtype <> 's' THEN 'is MATCH FULL: make it MATCH SIMPLE'
                              WHEN cardinality(linked.conkey) > 1 THEN 'has more than one column: drop it'
                              WHEN pg_catalog.octet_length(attribute.attname) + pg_catalog.octet_length(other.relname)
                                   + pg_catalog.octet_length(%(key)s) > 55 THEN 'has names too long to add a column after: rename it'
                              ELSE 'would be filled through forced row security: NO FORCE ROW LEVEL SECURITY, or an owner with BYPASSRLS'
                         END)
  FROM target
  JOIN pg_catalog.pg_constraint AS linked
    ON linked.confrelid = target.oid AND linked.conrelid <> target.oid AND linked.contype = 'f'
  JOIN pg_catalog.pg_class AS other ON other.oid = linked.conrelid
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = other.oid AND attribute.attnum = linked.conkey[1]
  JOIN pg_catalog.pg_roles AS owner ON owner.oid = target.relowner
 WHERE linked.conparentid = 0
   AND (other.relkind = 'p'
        OR NOT linked.convalidated
        OR (target.key <> ALL (linked.confkey)
            AND (linked.confdeltype = 'd' OR linked.confupdtype = 'd'
                 OR linked.condeferrable
                 OR linked.confmatchtype <> 's'
                 OR cardinality(linked.conkey) > 1
                 OR pg_catalog.octet_length(attribute.attname) + pg_catalog.octet_length(other.relname)
                    + pg_catalog.octet_length(%(key)s) > 55
                 OR (target.relforcerowsecurity AND NOT owner.rolbypassrls AND NOT owner.rolsuper))))
UNION ALL
SELECT pg_catalog.format('trigger "%%s" %%s', own.tgname,
                         CASE WHEN own.tgoldtable IS NOT NULL OR own.tgnewtable IS NOT NULL
                              THEN 'reads transition tables for each row: make it FOR EACH STATEMENT'
                              ELSE pg_catalog.format('may write "%%s" before the row is stored, by the text of its function: let a default do so', %(key)s) END)
  FROM target
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = target.oid AND NOT own.tgisinternal
  JOIN pg_catalog.pg_proc AS called ON called.oid = own.tgfoid
 WHERE own.tgtype & 1 = 1
   AND (own.tgoldtable IS NOT NULL OR own.tgnewtable IS NOT NULL
        OR (own.tgtype & 2 = 2 AND called.prosrc ~* pg_catalog.format(
                '((^|;|\mbegin|\mthen|\melse|\mloop)\s*new\s*\.\s*"?%%1$s"?\s*=|new\s*\.\s*"?%%1$s"?\s*:=|\minto\s+(strict\s+)?new\s*\.\s*"?%%1$s"?(\W|$))',
                pg_catalog.regexp_replace(%(key)s, '(\W)', '\\\1', 'g'))))
UNION ALL
SELECT pg_catalog.format('publication "%%s" has all tables and not publish_via_partition_root: ALTER PUBLICATION … SET (publish_via_partition_root)',
                         publication.pubname)
  FROM target
  JOIN pg_catalog.pg_publication AS publication
    ON NOT publication.pubviaroot
   AND (publication.puballtables
        OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS member
                    WHERE member.pnpubid = publication.oid AND member.pnnspid = target.relnamespace))
UNION ALL
SELECT pg_catalog.format('publication "%%s" has another partitioned table and not publish_via_partition_root, which would change what it sends',
                         publication.pubname)
  FROM target
  JOIN pg_catalog.pg_publication_rel AS member ON member.prrelid = target.oid
  JOIN pg_catalog.pg_publication AS publication
    ON publication.oid = member.prpubid AND NOT publication.pubviaroot
 WHERE EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS other
                 JOIN pg_catalog.pg_class AS class ON class.oid = other.prrelid AND class.relkind = 'p'
                WHERE other.prpubid = publication.oid)
UNION ALL
SELECT 'it receives rows of a subscription, which knows it by its number: ALTER SUBSCRIPTION … at the publisher, without it'
  FROM target
 WHERE EXISTS (SELECT FROM pg_catalog.pg_subscription_rel AS member WHERE member.srrelid = target.oid)
UNION ALL
SELECT 'it has a security label: remove it'
  FROM target
 WHERE EXISTS (SELECT FROM pg_catalog.pg_seclabel AS label
                WHERE label.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND label.objoid = target.oid)
UNION ALL
SELECT pg_catalog.format('rule "%%s": drop it', rewrite.rulename)
  FROM target
  JOIN pg_catalog.pg_rewrite AS rewrite ON rewrite.ev_class = target.oid
 ORDER BY 1;

-- dependents --
-- What else depends on a table, by name: whatever goes on with the table and not with its name.
WITH target AS (
    SELECT class.* FROM pg_catalog.pg_class AS class WHERE class.oid = %(oid)s
)
SELECT DISTINCT pg_catalog.format('%%s depends on it',
                                  pg_catalog.pg_describe_object(link.classid, link.objid, 0))
  FROM target
  JOIN pg_catalog.pg_depend AS link
    ON (link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND link.refobjid = target.oid)
    OR (link.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
        AND link.refobjid IN (SELECT linked.oid FROM pg_catalog.pg_constraint AS linked WHERE linked.conrelid = target.oid))
    OR (link.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
        AND link.refobjid IN (SELECT type.oid FROM pg_catalog.pg_type AS type
                               WHERE type.oid = target.reltype
                                  OR type.typelem = target.reltype AND type.typcategory = 'A'))
 WHERE link.deptype IN ('n', 'a')
   AND NOT (link.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked
                         WHERE linked.oid = link.objid AND (linked.conrelid = target.oid OR linked.contype = 'f')))
   AND NOT (link.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_trigger AS own
                         WHERE own.oid = link.objid AND (own.tgrelid = target.oid OR own.tgisinternal)))
   AND NOT (link.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_policy AS policy
                         WHERE policy.oid = link.objid AND policy.polrelid = target.oid))
   AND NOT (link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_rewrite AS rewrite
                          JOIN pg_catalog.pg_class AS class ON class.oid = rewrite.ev_class AND class.relkind = 'v'
                         WHERE rewrite.oid = link.objid AND rewrite.rulename = '_RETURN'))
   AND NOT (link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND EXISTS (SELECT FROM pg_catalog.pg_class AS class
                         WHERE class.oid = link.objid AND (class.relkind IN ('i', 'I', 'S', 't') OR class.relispartition)))
   AND link.classid NOT IN ('pg_catalog.pg_attrdef'::pg_catalog.regclass,
                            'pg_catalog.pg_statistic_ext'::pg_catalog.regclass,
                            'pg_catalog.pg_publication_rel'::pg_catalog.regclass,
                            'pg_catalog.pg_type'::pg_catalog.regclass)
 ORDER BY 1;

-- busy --
-- What would keep an index build waiting: transactions that are older than a minute, and prepared ones.
SELECT pg_catalog.format('the transaction of pid %%s has been open for %%s s: end it', activity.pid,
                         extract(epoch FROM pg_catalog.clock_timestamp() - activity.xact_start)::bigint)
  FROM pg_catalog.pg_stat_activity AS activity
 WHERE activity.datname = pg_catalog.current_database()
   AND activity.xact_start < pg_catalog.clock_timestamp() - INTERVAL '1 minute'
   AND activity.backend_type = 'client backend'
   AND activity.pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT pg_catalog.format('the prepared transaction %%L is open: end it', prepared.gid)
  FROM pg_catalog.pg_prepared_xacts AS prepared
 WHERE prepared.database = pg_catalog.current_database();

-- beyond --
-- Whether a table has a row that would belong behind the first bound.
SELECT EXISTS (SELECT FROM {table} WHERE {key} >= {bound});

-- progress --
-- How far a conversion has come: the new key's index, whether it is valid, the check, whether it is validated.
SELECT (SELECT index.indisvalid
          FROM pg_catalog.pg_index AS index
          JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
         WHERE index.indrelid = %(oid)s
           AND class.relname = %(built)s),
       (SELECT linked.convalidated
          FROM pg_catalog.pg_constraint AS linked
         WHERE linked.conrelid = %(oid)s
           AND linked.conname = %(check)s),
       (SELECT pg_catalog.substring(pg_catalog.pg_get_constraintdef(linked.oid), '.*< ''?([^'')]+)')
          FROM pg_catalog.pg_constraint AS linked
         WHERE linked.conrelid = %(oid)s
           AND linked.conname = %(check)s);

-- strip --
-- What takes off a table whatever its partitions do not have: triggers, policies, grants, statistics, publications.
-- Row security stays on: without a policy it keeps everybody from reading a partition by its own name.
WITH target AS (
    SELECT class.*,
           pg_catalog.format('%%I.%%I', namespace.nspname, class.relname) AS called
      FROM pg_catalog.pg_class AS class
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE class.oid = %(oid)s
)
SELECT 1 AS place, pg_catalog.format('DROP TRIGGER %%I ON %%s', own.tgname, target.called) AS statement
  FROM target
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = target.oid
 WHERE NOT own.tgisinternal
   AND own.tgparentid = 0
UNION ALL
SELECT 2, pg_catalog.format('DROP POLICY %%I ON %%s', policy.polname, target.called)
  FROM target
  JOIN pg_catalog.pg_policy AS policy ON policy.polrelid = target.oid
UNION ALL
SELECT 3, pg_catalog.format('DROP STATISTICS %%I.%%I', namespace.nspname, statistics.stxname)
  FROM target
  JOIN pg_catalog.pg_statistic_ext AS statistics ON statistics.stxrelid = target.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = statistics.stxnamespace
UNION ALL
SELECT 4, pg_catalog.format('ALTER TABLE %%s NO FORCE ROW LEVEL SECURITY', target.called)
  FROM target
 WHERE target.relforcerowsecurity
UNION ALL
SELECT DISTINCT 5, pg_catalog.format('REVOKE ALL ON %%s FROM %%s CASCADE', target.called,
                            CASE WHEN given.grantee = 0 THEN 'PUBLIC'
                                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END)
  FROM target
  CROSS JOIN LATERAL (
        SELECT (pg_catalog.aclexplode(target.relacl)).grantee
         UNION
        SELECT (pg_catalog.aclexplode(attribute.attacl)).grantee
          FROM pg_catalog.pg_attribute AS attribute
         WHERE attribute.attrelid = target.oid AND NOT attribute.attisdropped
       ) AS given
 WHERE given.grantee <> target.relowner
UNION ALL
SELECT 6, pg_catalog.format('ALTER PUBLICATION %%I DROP TABLE %%s', publication.pubname, target.called)
  FROM target
  JOIN pg_catalog.pg_publication_rel AS member ON member.prrelid = target.oid
  JOIN pg_catalog.pg_publication AS publication ON publication.oid = member.prpubid
 ORDER BY place, statement;

-- carry --
-- What gives another table of the same name what this one has beside its rows, columns and indexes; in order.
WITH target AS (
    SELECT class.*,
           pg_catalog.format('%%I.%%I', namespace.nspname, class.relname) AS called
      FROM pg_catalog.pg_class AS class
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
     WHERE class.oid = %(oid)s
), given AS (
    SELECT target.called, acl.place::bigint AS place, item.*, NULL::text AS columns
      FROM target
      CROSS JOIN LATERAL pg_catalog.unnest(target.relacl) WITH ORDINALITY AS acl (entry, place)
      CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[acl.entry]) AS item
    UNION ALL
    SELECT target.called, 1000 * attribute.attnum + acl.place, item.*, pg_catalog.quote_ident(attribute.attname)
      FROM target
      JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = target.oid AND NOT attribute.attisdropped
      CROSS JOIN LATERAL pg_catalog.unnest(attribute.attacl) WITH ORDINALITY AS acl (entry, place)
      CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[acl.entry]) AS item
)
SELECT 10 AS place, attribute.attnum::bigint AS part,
       pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I SET STATISTICS %%s', target.called, attribute.attname, attribute.attstattarget) AS statement
  FROM target
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = target.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
 WHERE attribute.attstattarget >= 0
UNION ALL
SELECT 11, attribute.attnum,
       pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I SET (%%s)', target.called, attribute.attname,
                         pg_catalog.array_to_string(attribute.attoptions, ', '))
  FROM target
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = target.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
 WHERE attribute.attoptions IS NOT NULL
UNION ALL
SELECT 20, statistics.oid::bigint, pg_catalog.pg_get_statisticsobjdef(statistics.oid)
  FROM target
  JOIN pg_catalog.pg_statistic_ext AS statistics ON statistics.stxrelid = target.oid
UNION ALL
SELECT 21, statistics.oid::bigint,
       pg_catalog.format('ALTER STATISTICS %%I.%%I SET STATISTICS %%s', namespace.nspname,
                         statistics.stxname, statistics.stxstattarget)
  FROM target
  JOIN pg_catalog.pg_statistic_ext AS statistics ON statistics.stxrelid = target.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = statistics.stxnamespace
 WHERE statistics.stxstattarget >= 0
UNION ALL
SELECT 22, statistics.oid::bigint,
       pg_catalog.format('COMMENT ON STATISTICS %%I.%%I IS %%L', namespace.nspname,
                         statistics.stxname, pg_catalog.obj_description(statistics.oid, 'pg_statistic_ext'))
  FROM target
  JOIN pg_catalog.pg_statistic_ext AS statistics ON statistics.stxrelid = target.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = statistics.stxnamespace
 WHERE pg_catalog.obj_description(statistics.oid, 'pg_statistic_ext') IS NOT NULL
UNION ALL
SELECT 23, statistics.oid::bigint,
       pg_catalog.format('ALTER STATISTICS %%I.%%I OWNER TO %%I', namespace.nspname, statistics.stxname,
                         pg_catalog.pg_get_userbyid(statistics.stxowner))
  FROM target
  JOIN pg_catalog.pg_statistic_ext AS statistics ON statistics.stxrelid = target.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = statistics.stxnamespace
UNION ALL
SELECT 30, own.oid::bigint, pg_catalog.pg_get_triggerdef(own.oid)
  FROM target
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = target.oid
 WHERE NOT own.tgisinternal
UNION ALL
SELECT 31, own.oid::bigint,
       pg_catalog.format('ALTER TABLE %%s %%s TRIGGER %%I', target.called,
                         CASE own.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
                         own.tgname)
  FROM target
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = target.oid
 WHERE NOT own.tgisinternal
   AND own.tgenabled <> 'O'
UNION ALL
SELECT 32, own.oid::bigint,
       pg_catalog.format('COMMENT ON TRIGGER %%I ON %%s IS %%L', own.tgname, target.called, pg_catalog.obj_description(own.oid, 'pg_trigger'))
  FROM target
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = target.oid
 WHERE NOT own.tgisinternal
   AND pg_catalog.obj_description(own.oid, 'pg_trigger') IS NOT NULL
UNION ALL
SELECT 40, policy.oid::bigint,
       pg_catalog.format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s', policy.polname, target.called,
                         CASE WHEN policy.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                         CASE policy.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                            WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                         (SELECT pg_catalog.string_agg(CASE WHEN member.oid = 0 THEN 'PUBLIC'
                                     ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(member.oid)) END, ', ' ORDER BY member.place)
                            FROM pg_catalog.unnest(policy.polroles) WITH ORDINALITY AS member (oid, place)))
       || coalesce(' USING (' || pg_catalog.pg_get_expr(policy.polqual, policy.polrelid) || ')', '')
       || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid) || ')', '')
  FROM target
  JOIN pg_catalog.pg_policy AS policy ON policy.polrelid = target.oid
UNION ALL
SELECT 41, policy.oid::bigint,
       pg_catalog.format('COMMENT ON POLICY %%I ON %%s IS %%L', policy.polname, target.called, pg_catalog.obj_description(policy.oid, 'pg_policy'))
  FROM target
  JOIN pg_catalog.pg_policy AS policy ON policy.polrelid = target.oid
 WHERE pg_catalog.obj_description(policy.oid, 'pg_policy') IS NOT NULL
UNION ALL
SELECT 42, 0, pg_catalog.format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY', target.called)
  FROM target WHERE target.relrowsecurity
UNION ALL
SELECT 43, 0, pg_catalog.format('ALTER TABLE %%s FORCE ROW LEVEL SECURITY', target.called)
  FROM target WHERE target.relforcerowsecurity
UNION ALL
SELECT 50, 0, pg_catalog.format('REVOKE ALL ON %%s FROM %%s', target.called, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(target.relowner)))
  FROM target WHERE target.relacl IS NOT NULL
UNION ALL
SELECT CASE WHEN given.columns IS NULL THEN 51 ELSE 52 END, given.place,
       pg_catalog.format('GRANT %%s%%s ON %%s TO %%s%%s', given.privilege_type, ' (' || given.columns || ')', given.called,
                         CASE WHEN given.grantee = 0 THEN 'PUBLIC'
                              ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END,
                         CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM given
UNION ALL
SELECT 60, 0, pg_catalog.format('COMMENT ON TABLE %%s IS %%L', target.called, pg_catalog.obj_description(target.oid, 'pg_class'))
  FROM target
 WHERE pg_catalog.obj_description(target.oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT 61, attribute.attnum,
       pg_catalog.format('COMMENT ON COLUMN %%s.%%I IS %%L', target.called, attribute.attname, pg_catalog.col_description(target.oid, attribute.attnum))
  FROM target
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = target.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
 WHERE pg_catalog.col_description(target.oid, attribute.attnum) IS NOT NULL
UNION ALL
SELECT 62, linked.oid::bigint,
       pg_catalog.format('COMMENT ON CONSTRAINT %%I ON %%s IS %%L', linked.conname, target.called, pg_catalog.obj_description(linked.oid, 'pg_constraint'))
  FROM target
  JOIN pg_catalog.pg_constraint AS linked ON linked.conrelid = target.oid
 WHERE linked.contype <> 'p'
   AND pg_catalog.obj_description(linked.oid, 'pg_constraint') IS NOT NULL
UNION ALL
SELECT 63, index.indexrelid::bigint,
       pg_catalog.format('COMMENT ON INDEX %%I.%%I IS %%L', namespace.nspname, class.relname, pg_catalog.obj_description(class.oid, 'pg_class'))
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE pg_catalog.obj_description(class.oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT DISTINCT 70, view.oid::bigint,
       pg_catalog.format('CREATE OR REPLACE VIEW %%I.%%I%%s AS %%s', namespace.nspname, view.relname,
                         ' WITH (' || pg_catalog.array_to_string(view.reloptions, ', ') || ')',
                         pg_catalog.rtrim(pg_catalog.pg_get_viewdef(view.oid), ';'))
  FROM target
  JOIN pg_catalog.pg_depend AS link
    ON link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND link.refobjid = target.oid
   AND link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  JOIN pg_catalog.pg_rewrite AS rewrite ON rewrite.oid = link.objid AND rewrite.rulename = '_RETURN'
  JOIN pg_catalog.pg_class AS view ON view.oid = rewrite.ev_class AND view.relkind = 'v'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = view.relnamespace
UNION ALL
SELECT 80, publication.oid::bigint,
       pg_catalog.format('ALTER PUBLICATION %%I ADD TABLE %%s', publication.pubname, target.called)
       || coalesce(' (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attribute.attname), ', ' ORDER BY attribute.attnum)
                              FROM pg_catalog.pg_attribute AS attribute
                             WHERE attribute.attrelid = target.oid AND attribute.attnum = ANY (member.prattrs)) || ')', '')
       || coalesce(' WHERE (' || pg_catalog.pg_get_expr(member.prqual, member.prrelid) || ')', '')
  FROM target
  JOIN pg_catalog.pg_publication_rel AS member ON member.prrelid = target.oid
  JOIN pg_catalog.pg_publication AS publication ON publication.oid = member.prpubid
 ORDER BY place, part, statement;

-- published --
-- The publications that a table is in by name: whether each publishes partitions as their table, and the comments
-- of the keys of the other partitioned tables in it.
SELECT publication.pubname,
       publication.pubviaroot,
       (SELECT coalesce(pg_catalog.array_agg(coalesce(pg_catalog.obj_description(linked.oid, 'pg_constraint'), '')), '{}')
          FROM pg_catalog.pg_publication_rel AS other
          JOIN pg_catalog.pg_class AS class ON class.oid = other.prrelid AND class.relkind = 'p'
          LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.conrelid = class.oid AND linked.contype = 'p'
         WHERE other.prpubid = publication.oid
           AND other.prrelid <> %(oid)s)
  FROM pg_catalog.pg_publication_rel AS member
  JOIN pg_catalog.pg_publication AS publication ON publication.oid = member.prpubid
 WHERE member.prrelid = %(oid)s
 ORDER BY publication.pubname;

-- row_security --
-- Whether a table has row security.
SELECT class.relrowsecurity
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s;

-- names_taken --
-- Which of some names a relation or a type of a schema has, but for an index of the table itself.
SELECT taken.name
  FROM pg_catalog.unnest(%(names)s::text[]) AS taken (name)
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = %(schema)s
 WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS class
                WHERE class.relnamespace = namespace.oid
                  AND class.relname = taken.name
                  AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS index
                                   WHERE index.indexrelid = class.oid AND index.indrelid = %(oid)s))
    OR EXISTS (SELECT FROM pg_catalog.pg_type AS type
                WHERE type.typnamespace = namespace.oid AND type.typname = taken.name AND type.typrelid = 0)
 ORDER BY taken.name;

-- not_allowed --
-- What of a conversion this role may not do.
WITH target AS (
    SELECT class.* FROM pg_catalog.pg_class AS class WHERE class.oid = %(oid)s
)
SELECT pg_catalog.format('table "%%s" is not yours: be a member of %%I', class.relname, pg_catalog.pg_get_userbyid(class.relowner))
  FROM target
  JOIN pg_catalog.pg_class AS class
    ON class.oid = target.oid
    OR class.oid IN (SELECT linked.conrelid FROM pg_catalog.pg_constraint AS linked
                      WHERE linked.confrelid = target.oid AND linked.contype = 'f')
 WHERE NOT pg_catalog.pg_has_role(class.relowner, 'USAGE')
UNION ALL
SELECT pg_catalog.format('you may not make anything in schema "%%s": GRANT CREATE', namespace.nspname)
  FROM target
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = target.relnamespace
 WHERE NOT pg_catalog.has_schema_privilege(namespace.oid, 'CREATE')
UNION ALL
SELECT DISTINCT pg_catalog.format('view "%%s" is not yours: be a member of %%I', view.relname, pg_catalog.pg_get_userbyid(view.relowner))
  FROM target
  JOIN pg_catalog.pg_depend AS link
    ON link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND link.refobjid = target.oid
   AND link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  JOIN pg_catalog.pg_rewrite AS rewrite ON rewrite.oid = link.objid AND rewrite.rulename = '_RETURN'
  JOIN pg_catalog.pg_class AS view ON view.oid = rewrite.ev_class AND view.relkind = 'v'
 WHERE NOT pg_catalog.pg_has_role(view.relowner, 'USAGE')
UNION ALL
SELECT pg_catalog.format('you may not lock "%%s", which it refers to: GRANT UPDATE', other.relname)
  FROM target
  JOIN pg_catalog.pg_constraint AS linked ON linked.conrelid = target.oid AND linked.contype = 'f'
  JOIN pg_catalog.pg_class AS other ON other.oid = linked.confrelid
 WHERE NOT pg_catalog.has_table_privilege(other.oid, 'UPDATE, DELETE, TRUNCATE')
UNION ALL
SELECT pg_catalog.format('publication "%%s" is not yours: be a member of %%I', publication.pubname,
                         pg_catalog.pg_get_userbyid(publication.pubowner))
  FROM target
  JOIN pg_catalog.pg_publication_rel AS member ON member.prrelid = target.oid
  JOIN pg_catalog.pg_publication AS publication ON publication.oid = member.prpubid
 WHERE NOT pg_catalog.pg_has_role(publication.pubowner, 'USAGE')
UNION ALL
SELECT pg_catalog.format('you may not execute "%%s", which trigger "%%s" calls: GRANT EXECUTE', called.proname, own.tgname)
  FROM target
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = target.oid AND NOT own.tgisinternal
  JOIN pg_catalog.pg_proc AS called ON called.oid = own.tgfoid
 WHERE NOT pg_catalog.has_function_privilege(called.oid, 'EXECUTE')
UNION ALL
SELECT pg_catalog.format('statistics "%%s" are not yours: be a member of %%I', statistics.stxname,
                         pg_catalog.pg_get_userbyid(statistics.stxowner))
  FROM target
  JOIN pg_catalog.pg_statistic_ext AS statistics ON statistics.stxrelid = target.oid
 WHERE NOT pg_catalog.pg_has_role(statistics.stxowner, 'USAGE')
 ORDER BY 1;

-- default_grants --
-- What takes back whatever default privileges give on a table of a schema when it is made.
SELECT DISTINCT pg_catalog.format('REVOKE ALL ON %%s FROM %%s CASCADE', %(table)s,
                                  CASE WHEN given.grantee = 0 THEN 'PUBLIC'
                                       ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END)
  FROM pg_catalog.pg_default_acl AS privileges
 CROSS JOIN LATERAL pg_catalog.aclexplode(privileges.defaclacl) AS given
 WHERE privileges.defaclobjtype = 'r'
   AND privileges.defaclnamespace IN (0, (SELECT namespace.oid FROM pg_catalog.pg_namespace AS namespace
                                           WHERE namespace.nspname = %(schema)s))
   AND given.grantee <> privileges.defaclrole
 ORDER BY 1;

-- newest_of_some --
-- The newest key of some rows.
SELECT pg_catalog.max(few.key) FROM (SELECT {key} AS key FROM {table} LIMIT 1000) AS few;

-- sent_columns --
-- The publications that would send the column that a table is given, which no subscriber has.
SELECT pg_catalog.format('publication "%%s" sends "%%s", whose subscribers have no column "%%s": publish it with a list of columns',
                         publication.pubname, class.relname, %(column)s)
  FROM pg_catalog.pg_publication AS publication
  JOIN pg_catalog.pg_class AS class ON class.oid = pg_catalog.to_regclass(%(table)s)
 WHERE EXISTS (SELECT FROM pg_catalog.pg_replication_slots AS slot
                WHERE slot.slot_type = 'logical' AND slot.database = pg_catalog.current_database())
   AND (publication.puballtables
        OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS member
                    WHERE member.pnpubid = publication.oid AND member.pnnspid = class.relnamespace)
        OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS member
                    WHERE member.prpubid = publication.oid AND member.prrelid = class.oid AND member.prattrs IS NULL))
 ORDER BY publication.pubname;

-- bound_checks --
-- The checks that proved the bounds of partitions when they were attached, and are of no use any more.
SELECT namespace.nspname, leaf.relname, linked.conname
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_class AS leaf ON leaf.oid = link.inhrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = leaf.relnamespace
  JOIN pg_catalog.pg_constraint AS linked ON linked.conrelid = leaf.oid AND linked.contype = 'c'
 WHERE link.inhparent = %(oid)s
   AND linked.conname = (leaf.relname || '_bound_check')::name
 ORDER BY leaf.relname;

-- parts_taken --
-- What has a name that a part of a foreign key would get, and is not that part.
SELECT pg_catalog.format('column "%%s" of "%%s" is there: rename it, one of this name is to hold "%%s"', %(column)s, %(called)s, %(key)s)
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = pg_catalog.to_regclass(%(table)s)
   AND attribute.attname = %(column)s
   AND NOT attribute.attisdropped
   AND coalesce(pg_catalog.col_description(attribute.attrelid, attribute.attnum), '') <> %(mark)s
UNION ALL
SELECT pg_catalog.format('function "%%s" is there: rename it, one of this name is to fill "%%s"', %(routine)s, %(column)s)
  FROM pg_catalog.pg_proc AS routine
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = routine.pronamespace
 WHERE namespace.nspname = %(schema)s
   AND routine.proname = %(routine)s
   AND routine.pronargs = 0
   AND coalesce(pg_catalog.obj_description(routine.oid, 'pg_proc'), '') <> %(mark)s
UNION ALL
SELECT pg_catalog.format('trigger "%%s" of "%%s" is there: rename it, one of this name is to fill "%%s"', %(routine)s, %(called)s, %(column)s)
  FROM pg_catalog.pg_trigger AS own
 WHERE own.tgrelid = pg_catalog.to_regclass(%(table)s)
   AND own.tgname = %(routine)s
   AND coalesce(pg_catalog.obj_description(own.tgfoid, 'pg_proc'), '') <> %(mark)s;

-- fired_by_fill --
-- The triggers of a table that would fire for each row that gets its second column, and cannot be kept from it.
SELECT pg_catalog.format('trigger "%%s" of "%%s" would fire for every row that is given its second column: '
                         'GRANT SET ON PARAMETER session_replication_role TO %%I, or run as a superuser',
                         own.tgname, %(called)s, current_user)
  FROM pg_catalog.pg_trigger AS own
 WHERE own.tgrelid = pg_catalog.to_regclass(%(table)s)
   AND NOT own.tgisinternal
   AND own.tgtype & 16 = 16
   AND cardinality(own.tgattr::smallint[]) = 0
   AND own.tgenabled IN ('O', 'A')
   AND NOT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')
 ORDER BY own.tgname;

-- own_indexes --
-- The indexes of a table beside its primary key: name, and the statement that makes it for the table's name.
SELECT class.relname,
       CASE WHEN linked.oid IS NULL THEN pg_catalog.pg_get_indexdef(index.indexrelid)
            ELSE pg_catalog.format('ALTER TABLE %%I.%%I ADD CONSTRAINT %%I %%s', namespace.nspname, owner.relname, linked.conname,
                                   pg_catalog.pg_get_constraintdef(linked.oid)) END
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_class AS owner ON owner.oid = index.indrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = owner.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.conindid = class.oid AND linked.contype = 'u'
 WHERE index.indrelid = %(oid)s
   AND NOT index.indisprimary
   AND class.relname <> %(built)s
 -- Constraints first: each finds the index of a constraint, and what is left the rest.
 ORDER BY linked.oid IS NULL, class.relname;

-- outgoing --
-- The foreign keys of a table: the statement that makes each for the table's name, and the table it refers to.
SELECT pg_catalog.format('ALTER TABLE %%I.%%I ADD CONSTRAINT %%I %%s', namespace.nspname, owner.relname, linked.conname,
                         pg_catalog.pg_get_constraintdef(linked.oid)),
       pg_catalog.format('%%I.%%I', other_namespace.nspname, other.relname)
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS owner ON owner.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = owner.relnamespace
  JOIN pg_catalog.pg_class AS other ON other.oid = linked.confrelid
  JOIN pg_catalog.pg_namespace AS other_namespace ON other_namespace.oid = other.relnamespace
 WHERE linked.conrelid = %(oid)s
   AND linked.contype = 'f'
   AND linked.conparentid = 0
 ORDER BY linked.conname;

-- incoming --
-- The foreign keys that refer to a table: where they are, their columns and actions, their text and their comment.
SELECT linked.conname,
       namespace.nspname,
       other.relname,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(other.relowner)),
       (SELECT pg_catalog.array_agg(attribute.attname::text ORDER BY part.place)
          FROM pg_catalog.unnest(linked.conkey) WITH ORDINALITY AS part (attnum, place)
          JOIN pg_catalog.pg_attribute AS attribute
            ON attribute.attrelid = linked.conrelid AND attribute.attnum = part.attnum),
       (SELECT pg_catalog.array_agg(attribute.attname::text ORDER BY part.place)
          FROM pg_catalog.unnest(linked.confkey) WITH ORDINALITY AS part (attnum, place)
          JOIN pg_catalog.pg_attribute AS attribute
            ON attribute.attrelid = linked.confrelid AND attribute.attnum = part.attnum),
       linked.confdeltype::text,
       linked.convalidated,
       pg_catalog.pg_get_constraintdef(linked.oid),
       pg_catalog.obj_description(linked.oid, 'pg_constraint')
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS other ON other.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = other.relnamespace
 WHERE linked.confrelid = %(oid)s
   AND linked.contype = 'f'
   AND linked.conparentid = 0
   AND linked.conrelid <> linked.confrelid
 ORDER BY namespace.nspname, other.relname, linked.conname;

-- numbered --
-- The columns of a table that number themselves: the sequence, whether it is an identity, and how that is made.
SELECT attribute.attname,
       sequence_namespace.nspname,
       sequence.relname,
       attribute.attidentity::text,
       pg_catalog.format('GENERATED %%s AS IDENTITY', CASE attribute.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END),
       pg_catalog.format('INCREMENT BY %%s MINVALUE %%s MAXVALUE %%s START WITH %%s CACHE %%s %%s', made.seqincrement,
                         made.seqmin, made.seqmax, made.seqstart, made.seqcache,
                         CASE WHEN made.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END),
       (SELECT coalesce(pg_catalog.array_agg(
                   pg_catalog.format('GRANT %%s ON SEQUENCE %%I.%%I TO %%s%%s', item.privilege_type, sequence_namespace.nspname, sequence.relname,
                                     CASE WHEN item.grantee = 0 THEN 'PUBLIC'
                                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(item.grantee)) END,
                                     CASE WHEN item.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                   ORDER BY acl.place), '{}')
          FROM pg_catalog.unnest(sequence.relacl) WITH ORDINALITY AS acl (entry, place)
          CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[acl.entry]) AS item
         WHERE item.grantee <> sequence.relowner),
       pg_catalog.obj_description(sequence.oid, 'pg_class')
  FROM pg_catalog.pg_depend AS link
  JOIN pg_catalog.pg_class AS sequence ON sequence.oid = link.objid AND sequence.relkind = 'S'
  JOIN pg_catalog.pg_sequence AS made ON made.seqrelid = sequence.oid
  JOIN pg_catalog.pg_namespace AS sequence_namespace ON sequence_namespace.oid = sequence.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = link.refobjid AND attribute.attnum = link.refobjsubid
 WHERE link.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = %(oid)s
   AND link.deptype IN ('a', 'i')
 ORDER BY attribute.attnum;

-- partitions --
-- The partitions of a table: number, schema, name, bound, comment, whether one is half detached, rows, size.
SELECT child.oid::bigint,
       namespace.nspname,
       child.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, child.relname),
       pg_catalog.pg_get_expr(child.relpartbound, child.oid),
       pg_catalog.obj_description(child.oid, 'pg_class'),
       link.inhdetachpending,
       greatest(child.reltuples, 0)::bigint,
       pg_catalog.pg_total_relation_size(child.oid)
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = child.relnamespace
 WHERE link.inhparent = %(oid)s
 ORDER BY child.oid;

-- index_pairs --
-- The indexes of a partition beside its key: their names, and those of the table's indexes they are a part of.
SELECT own.relname,
       whole.relname
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS own ON own.oid = index.indexrelid
  JOIN pg_catalog.pg_inherits AS link ON link.inhrelid = own.oid
  JOIN pg_catalog.pg_class AS whole ON whole.oid = link.inhparent
 WHERE index.indrelid = %(oid)s
   AND NOT index.indisprimary
 ORDER BY whole.relname;

-- link_pairs --
-- The foreign keys of a partition that have another name than those of the table they are a part of.
SELECT own.conname,
       whole.conname
  FROM pg_catalog.pg_constraint AS own
  JOIN pg_catalog.pg_constraint AS whole ON whole.oid = own.conparentid
 WHERE own.conrelid = %(oid)s
   AND own.contype = 'f'
   AND own.conname <> whole.conname;

-- primary_key_of --
-- The name of a table's primary key.
SELECT linked.conname
  FROM pg_catalog.pg_constraint AS linked
 WHERE linked.conrelid = %(oid)s
   AND linked.contype = 'p';

-- clock --
-- The time by the server, and whether it is a standby.
SELECT pg_catalog.clock_timestamp(),
       pg_catalog.pg_is_in_recovery();

-- try_lock --
-- Take the lock of one table's maintenance for the transaction.
SELECT pg_catalog.pg_try_advisory_xact_lock(%(key)s);

-- has_part --
-- Whether a table has the column that was added to it for a foreign key.
SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute AS attribute
                WHERE attribute.attrelid = %(table)s::pg_catalog.regclass
                  AND attribute.attname = %(column)s
                  AND NOT attribute.attisdropped
                  AND pg_catalog.col_description(attribute.attrelid, attribute.attnum) = %(mark)s);

-- may_be_quiet --
-- Whether this role may keep triggers from firing, and what is set now.
SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET'),
       pg_catalog.current_setting('session_replication_role');

-- key_type --
-- The type of a column as SQL writes it.
SELECT pg_catalog.format_type(attribute.atttypid, attribute.atttypmod)
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = %(oid)s
   AND attribute.attname = %(key)s;

-- blocks --
-- How many blocks a table has.
SELECT pg_catalog.pg_relation_size(%(table)s::pg_catalog.regclass) / pg_catalog.current_setting('block_size')::bigint;

-- add_column --
-- The column that holds the partition key of the row that is referred to.
ALTER TABLE {other} ADD COLUMN {added} {type};

-- mark_column --
-- Say whose the column is.
COMMENT ON COLUMN {other}.{added} IS {mark};

-- create_fill --
-- Look up the partition key of the row that is referred to; what is not found stays NULL, and is refused.
CREATE OR REPLACE FUNCTION {routine}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS {body};

-- fill_body --
-- What the function does; where a column has the name of a variable, the column is meant.
#variable_conflict use_column
BEGIN
    NEW.{added} := (SELECT referred.{key} FROM {table} AS referred WHERE referred.{referred} = NEW.{column} LIMIT 1
                   FOR KEY SHARE);
    RETURN NEW;
END;

-- create_fill_trigger --
-- Fill the column with every row that is written.
CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT OR UPDATE OF {column} ON {other}
    FOR EACH ROW EXECUTE FUNCTION {routine}();

-- fill --
-- Fill the column of the rows in some blocks.
UPDATE {other} AS other
   SET {added} = referred.{key}
  FROM {table} AS referred
 WHERE referred.{referred} = other.{column}
   AND other.{added} IS NULL
   AND other.ctid >= {since}
   AND other.ctid < {until};

-- refill --
-- Bring the column up to date where the key of the row referred to has changed since it was filled.
UPDATE {other} AS other
   SET {added} = referred.{key}
  FROM {table} AS referred
 WHERE referred.{referred} = other.{column}
   AND other.{added} IS DISTINCT FROM referred.{key}
   AND other.ctid >= {since}
   AND other.ctid < {until};

-- views_of --
-- What locks each view on a table and nothing below it: a change of owner that is none.
SELECT DISTINCT pg_catalog.format('ALTER VIEW %%I.%%I OWNER TO %%I', namespace.nspname, view.relname,
                                  pg_catalog.pg_get_userbyid(view.relowner))
  FROM pg_catalog.pg_depend AS link
  JOIN pg_catalog.pg_rewrite AS rewrite ON rewrite.oid = link.objid AND rewrite.rulename = '_RETURN'
  JOIN pg_catalog.pg_class AS view ON view.oid = rewrite.ev_class AND view.relkind = 'v'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = view.relnamespace
 WHERE link.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND link.refobjid = %(oid)s
   AND link.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
 ORDER BY 1;

-- keep_number --
-- Remember the last number of a sequence until the transaction ends, and whether it was given out.
SELECT pg_catalog.set_config({variable}, pg_catalog.concat_ws(' ', last_value, is_called), true) FROM {sequence};

-- go_on_numbering --
-- Let a sequence go on behind the number that was remembered.
SELECT pg_catalog.setval({sequence},
                         pg_catalog.split_part(pg_catalog.current_setting({variable}), ' ', 1)::bigint,
                         pg_catalog.split_part(pg_catalog.current_setting({variable}), ' ', 2)::boolean);

-- sequence_grants --
-- What takes back whatever somebody beside its owner may do with a sequence.
SELECT DISTINCT pg_catalog.format('REVOKE ALL ON SEQUENCE %%s FROM %%s CASCADE', %(sequence)s,
                                  CASE WHEN given.grantee = 0 THEN 'PUBLIC'
                                       ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END)
  FROM pg_catalog.pg_class AS sequence
 CROSS JOIN LATERAL pg_catalog.aclexplode(sequence.relacl) AS given
 WHERE sequence.oid = pg_catalog.to_regclass(%(sequence)s)
   AND given.grantee <> sequence.relowner;

-- routine_grants --
-- What takes back whatever somebody beside its owner may do with a function without arguments.
SELECT DISTINCT pg_catalog.format('REVOKE ALL ON FUNCTION %%s() FROM %%s CASCADE', %(routine)s,
                                  CASE WHEN given.grantee = 0 THEN 'PUBLIC'
                                       ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) END)
  FROM pg_catalog.pg_proc AS routine
 CROSS JOIN LATERAL pg_catalog.aclexplode(routine.proacl) AS given
 WHERE routine.oid = pg_catalog.to_regprocedure(%(routine)s || '()')
   AND given.grantee <> routine.proowner;

-- leaf_settings --
-- What gives a partition the statistics targets and planner options that the columns of its table have.
SELECT pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I SET STATISTICS %%s', %(partition)s, attribute.attname, attribute.attstattarget)
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = %(oid)s
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
   AND attribute.attstattarget >= 0
UNION ALL
SELECT pg_catalog.format('ALTER TABLE %%s ALTER COLUMN %%I SET (%%s)', %(partition)s, attribute.attname,
                         pg_catalog.array_to_string(attribute.attoptions, ', '))
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = %(oid)s
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
   AND attribute.attoptions IS NOT NULL
 ORDER BY 1;

-- own_triggers --
-- What of a partitioned table a plain one could not have, or what is a partition's alone.
SELECT pg_catalog.format('trigger "%%s" is one of partition "%%s" alone: drop it, or make it one of the table', own.tgname, class.relname)
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_class AS class ON class.oid = link.inhrelid
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = class.oid
 WHERE link.inhparent = %(oid)s
   AND NOT own.tgisinternal
   AND own.tgparentid = 0
UNION ALL
SELECT 'it receives rows of a subscription, which knows it by its number: ALTER SUBSCRIPTION … at the publisher, without it'
  FROM pg_catalog.pg_subscription_rel AS member
 WHERE member.srrelid = %(oid)s
UNION ALL
SELECT pg_catalog.format('foreign key "%%s" refers to the table itself: drop it', linked.conname)
  FROM pg_catalog.pg_constraint AS linked
 WHERE linked.conrelid = %(oid)s
   AND linked.confrelid = linked.conrelid
   AND linked.contype = 'f'
   AND linked.conparentid = 0
 ORDER BY 1;

-- published_whole --
-- The publications that send every table of the database or of the schema, and so whatever is copied beside.
SELECT publication.pubname
  FROM pg_catalog.pg_publication AS publication
 WHERE publication.puballtables
    OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS member
                 JOIN pg_catalog.pg_class AS class ON class.relnamespace = member.pnnspid AND class.oid = %(oid)s
                WHERE member.pnpubid = publication.oid)
 ORDER BY publication.pubname;

-- attach_first --
-- Make the old rows the first partition: its check proves the bound, so nothing is read.
ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM (MINVALUE) TO ({until});

-- attach --
-- Make a table a partition.
ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({since}) TO ({until});

-- create_parent --
-- A partitioned table with the columns of the old one; what else that has comes after.
CREATE TABLE {table} (LIKE {old} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS
                      INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS) PARTITION BY RANGE ({key});

-- never_analyzed --
-- Whether the planner knows nothing of a partitioned table as a whole.
SELECT class.reltuples < 0
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s;

-- oid_of --
-- The number of a table by its name, None if there is none.
SELECT pg_catalog.to_regclass(%(table)s)::pg_catalog.oid::bigint;

-- create_partition --
-- A table with all that the partitioned one has, but the numbering of an identity and statistics objects.
CREATE TABLE {partition} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS) {options};

-- storage --
-- The storage options of a table, as CREATE TABLE takes them.
SELECT 'WITH (' || pg_catalog.array_to_string(
                       class.reloptions || (SELECT pg_catalog.array_agg('toast.' || option.name)
                                              FROM pg_catalog.unnest(toast.reloptions) AS option (name)), ', ') || ')'
  FROM pg_catalog.pg_class AS class
  LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = class.reltoastrelid
 WHERE class.oid = %(oid)s;

-- replica_identity --
-- The replica identity of a table where it is not its key.
SELECT CASE class.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' END
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s;

-- key_of --
-- The column that a table is partitioned by, or that a check of a conversion begun bounds.
SELECT coalesce((SELECT attribute.attname
                   FROM pg_catalog.pg_partitioned_table AS split
                   JOIN pg_catalog.pg_attribute AS attribute
                     ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
                  WHERE split.partrelid = class.oid),
                (SELECT attribute.attname
                   FROM pg_catalog.pg_constraint AS linked
                   JOIN pg_catalog.pg_attribute AS attribute
                     ON attribute.attrelid = class.oid AND attribute.attnum = linked.conkey[1]
                  WHERE linked.conrelid = class.oid
                    AND linked.conname = class.relname || '_legacy_bound_check'),
                (SELECT attribute.attname
                   FROM pg_catalog.pg_index AS index
                   JOIN pg_catalog.pg_class AS built ON built.oid = index.indexrelid
                   JOIN pg_catalog.pg_attribute AS attribute
                     ON attribute.attrelid = class.oid AND attribute.attnum = index.indkey[index.indnatts - 1]
                  WHERE index.indrelid = class.oid
                    AND built.relname = class.relname || '_legacy_pkey'))
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = pg_catalog.to_regclass(%(table)s);

-- begun_by --
-- The column that the check of a conversion that was begun bounds.
SELECT attribute.attname
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = linked.conrelid AND attribute.attnum = ANY (linked.conkey)
 WHERE linked.conrelid = %(oid)s
   AND linked.conname = %(check)s;

-- columns_of_index --
-- The columns of an index of a table, by its name, in their order.
SELECT attribute.attname
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
 CROSS JOIN LATERAL pg_catalog.unnest(index.indkey::smallint[]) WITH ORDINALITY AS part (attnum, place)
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = index.indrelid AND attribute.attnum = part.attnum
 WHERE index.indrelid = %(oid)s
   AND class.relname = %(name)s
 ORDER BY part.place;

-- index_is_valid --
-- Whether an index of a table, by its name, is valid; None if there is none.
SELECT (SELECT index.indisvalid
          FROM pg_catalog.pg_index AS index
          JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
         WHERE index.indrelid = %(oid)s
           AND class.relname = %(name)s);

-- stored_columns --
-- The columns of a table whose values are stored and not generated.
SELECT attribute.attname
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = %(oid)s
   AND attribute.attnum > 0
   AND attribute.attgenerated = ''
   AND NOT attribute.attisdropped
 ORDER BY attribute.attnum;

-- stored_columns_of --
-- The same, of a table by its name.
SELECT attribute.attname
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = pg_catalog.to_regclass(%(table)s)
   AND attribute.attnum > 0
   AND attribute.attgenerated = ''
   AND NOT attribute.attisdropped
 ORDER BY attribute.attnum;

-- move --
-- Move the rows of one partition to another table.
INSERT INTO {receiver} ({columns}) SELECT {columns} FROM {other};

-- name_of --
-- The name of a table with its schema, as SQL writes it.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.oid = %(oid)s;

-- deadlock_timeout --
-- After how many milliseconds of waiting somebody is cut off for a deadlock.
SELECT setting.setting::integer
  FROM pg_catalog.pg_settings AS setting
 WHERE setting.name = 'deadlock_timeout';

-- policies --
-- How partitioned tables are kept; the age of rows is counted back from now, by the rule if there is one.
SELECT policy.table_name,
       policy.period,
       policy.premake,
       greatest(pg_catalog.clock_timestamp() - coalesce(policy.keep_for, rule.keep_for), '0001-01-02 00:00:00+00'),
       policy.grace,
       policy.hold,
       policy.archive,
       policy.archive_format
  FROM ops.partition_policy AS policy
  LEFT JOIN public.retention_policies AS rule
    ON policy.table_name IN (rule.table_name, 'public.' || rule.table_name)
   AND rule.rule = policy.rule
 WHERE coalesce(policy.table_name = %(table)s, true)
 ORDER BY policy.table_name;

-- policy_rights --
-- The rights that this role lacks to read, write and strike policies, where there are any.
SELECT needed.privilege || ' ON ' || needed.place
  FROM (VALUES ('USAGE', 'ops', NULL, NULL),
               ('SELECT', 'ops.partition_policy', 'ops', 'partition_policy'),
               ('INSERT', 'ops.partition_policy', 'ops', 'partition_policy'),
               ('DELETE', 'ops.partition_policy', 'ops', 'partition_policy'),
               ('SELECT', 'public.retention_policies', 'public', 'retention_policies'))
       AS needed (privilege, place, schema, name)
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = coalesce(needed.schema, needed.place)
  LEFT JOIN pg_catalog.pg_class AS class ON class.relnamespace = namespace.oid AND class.relname = needed.name
 -- Before revision 007 there is nothing to be written.
 WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS policy
                 JOIN pg_catalog.pg_namespace AS place ON place.oid = policy.relnamespace
                WHERE place.nspname = 'ops' AND policy.relname = 'partition_policy')
   AND CASE WHEN needed.name IS NULL THEN NOT pg_catalog.has_schema_privilege(namespace.oid, needed.privilege)
            ELSE NOT pg_catalog.has_table_privilege(class.oid, needed.privilege) END;

-- remember_policy --
-- How a table is kept that was just converted: everything, until somebody says otherwise.
INSERT INTO ops.partition_policy (table_name, period, premake)
VALUES ({table}, {period}, {premake});

-- detached --
-- The tables that were partitions made by this package and are none any more, with what the ledger says of them.
SELECT class.oid::bigint,
       namespace.nspname,
       class.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       pg_catalog.substring(said.text, ': (.*) (?:from|before) '),
       pg_catalog.substring(said.text, ' (?:to|before) ([^ ]+(?: [0-9:.+]+)?)$'),
       entry.detached_at,
       entry.archived_rows,
       entry.sha256,
       entry.rows_sha256,
       entry.file
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (SELECT pg_catalog.obj_description(class.oid, 'pg_class')) AS said (text)
  -- By name too: numbers are others after a dump was restored.
  LEFT JOIN ops.partition_archives AS entry
    ON entry.partition_oid = class.oid::bigint
   AND entry.partition_name = pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
   AND entry.dropped_at IS NULL
 WHERE class.relkind = 'r'
   AND NOT class.relispartition
   AND pg_catalog.starts_with(said.text, %(mark)s)
   -- A comment is easily written: what belongs to somebody else is theirs.
   AND class.relowner = (SELECT whole.relowner
                           FROM pg_catalog.pg_class AS whole
                          WHERE whole.oid = pg_catalog.to_regclass(
                                    pg_catalog.substring(said.text, ': (.*) (?:from|before) ')))
 ORDER BY class.oid;

-- note_detaching --
-- Write down that a partition is about to be detached, or that a copy waits to be dropped.
WITH renewed AS (
    -- A run that could not detach it has left a line: the time of grace does not begin with that.
    UPDATE ops.partition_archives AS entry
       SET detached_at = pg_catalog.clock_timestamp()
     WHERE entry.partition_oid = {oid}
       AND entry.partition_name = {partition}
       AND entry.dropped_at IS NULL
    RETURNING entry.id
)
INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid)
SELECT {table}, {partition}, {oid}
 WHERE NOT EXISTS (SELECT FROM renewed);

-- note_detached --
-- Write down that a partition is detached by now.
UPDATE ops.partition_archives AS entry
   SET detached_at = pg_catalog.clock_timestamp()
 WHERE entry.partition_oid = {oid}
   AND entry.partition_name = {partition}
   AND entry.table_name = {table}
   AND entry.dropped_at IS NULL;

-- note_kept --
-- Strike what was written down of a partition that stays.
DELETE FROM ops.partition_archives AS entry
 WHERE entry.partition_oid = {oid}
   AND entry.partition_name = {partition}
   AND entry.table_name = {table}
   AND entry.dropped_at IS NULL;

-- note_archived --
-- Write down what of a detached partition is in which file.
UPDATE ops.partition_archives AS entry
   SET archived_rows = {rows},
       sha256 = {sha256},
       rows_sha256 = {content},
       file = {file},
       archived_at = pg_catalog.clock_timestamp()
 WHERE entry.partition_oid = {oid}
   AND entry.partition_name = {partition}
   AND entry.table_name = {table}
   AND entry.dropped_at IS NULL;

-- note_dropped --
-- Write down that a detached partition was dropped.
UPDATE ops.partition_archives AS entry
   SET dropped_at = pg_catalog.clock_timestamp()
 WHERE entry.partition_oid = {oid}
   AND entry.partition_name = {partition}
   AND entry.table_name = {table}
   AND entry.dropped_at IS NULL;

-- knows_holds --
-- Whether this database knows of holds on people and rows.
SELECT pg_catalog.to_regprocedure('ops.hold_on_v1(regclass, regclass)') IS NOT NULL;

-- hold_on --
-- The number of a hold that keeps a row of a part of a table; NULL is none.
SELECT ops.hold_on_v1(%(part)s::pg_catalog.oid::pg_catalog.regclass, %(whole)s::pg_catalog.oid::pg_catalog.regclass);

-- is_partition --
-- Whether a table is a partition.
SELECT class.relispartition
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s;

-- bounded --
-- The tables whose conversion has begun and is not over: the check that bounds their rows, and where.
SELECT namespace.nspname,
       class.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       linked.conname,
       pg_catalog.format_type(attribute.atttypid, NULL),
       pg_catalog.substring(pg_catalog.pg_get_constraintdef(linked.oid), '.*< ''?([^'')]+)')
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid AND class.relkind = 'r'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = class.oid AND attribute.attnum = linked.conkey[1]
 WHERE linked.contype = 'c'
   AND linked.conname = class.relname || '_legacy_bound_check';

-- bytes_of --
-- The size of a table with its partitions, without indexes, in bytes.
SELECT CASE class.relkind
           WHEN 'p' THEN (SELECT sum(pg_catalog.pg_relation_size(part.relid))
                            FROM pg_catalog.pg_partition_tree(class.oid) AS part)
           ELSE pg_catalog.pg_relation_size(class.oid)
       END::bigint
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = pg_catalog.to_regclass(%(table)s);

-- forget_policy --
-- Strike the policy of a table.
DELETE FROM ops.partition_policy AS policy WHERE policy.table_name = {table};

-- create_shadow --
-- A second partitioned table with all that the first one has beside its rows and the numbering of an identity.
CREATE TABLE {shadow} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS) PARTITION BY RANGE ({key});

-- outgoing_to --
-- The foreign keys of a table, as the statements that make them for another one of its schema.
SELECT pg_catalog.format('ALTER TABLE %%I.%%I ADD CONSTRAINT %%I %%s', namespace.nspname, %(target)s, linked.conname,
                         pg_catalog.pg_get_constraintdef(linked.oid)),
       linked.conname
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS owner ON owner.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = owner.relnamespace
 WHERE linked.conrelid = %(oid)s
   AND linked.contype = 'f'
   AND linked.conparentid = 0
 ORDER BY linked.conname;

-- create_mirror --
-- Do to the shadow what is done to the partition with the old rows, in the same transaction. Its checks may call
-- functions of the schema that it is in.
CREATE FUNCTION {routine}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, {schema}, pg_temp AS {body};

-- mirror_body --
-- What the function does; where a column has the name of a variable, the column is meant.
#variable_conflict use_column
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE {shadow};
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND ({old}) IS DISTINCT FROM ({new})) THEN
        DELETE FROM {shadow} WHERE ({key}) = ({old});
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO {shadow} ({columns}) VALUES ({values})
            ON CONFLICT ({key}) {update};
    END IF;
    RETURN NULL;
END;

-- create_mirror_trigger --
-- For each row.
CREATE TRIGGER split_mirror AFTER INSERT OR UPDATE OR DELETE ON {legacy}
    FOR EACH ROW EXECUTE FUNCTION {routine}();

-- create_mirror_truncate --
-- For all of them at once.
CREATE TRIGGER split_mirror_truncate AFTER TRUNCATE ON {legacy}
    FOR EACH STATEMENT EXECUTE FUNCTION {routine}();

-- copy_state --
-- The file of a table, how many blocks it has, and the comment of its copy.
SELECT class.relfilenode::bigint,
       pg_catalog.pg_relation_size(class.oid) / pg_catalog.current_setting('block_size')::bigint,
       pg_catalog.obj_description(pg_catalog.to_regclass(%(shadow)s), 'pg_class')
  FROM pg_catalog.pg_class AS class
 WHERE class.oid = %(oid)s;

-- copy_blocks --
-- Copy the rows of some blocks that are not copied yet.
INSERT INTO {shadow} ({columns})
SELECT {columns}
  FROM {legacy} AS old
 WHERE old.ctid >= {since}
   AND old.ctid < {until}
   FOR SHARE OF old
    ON CONFLICT DO NOTHING;

-- compare --
-- The number of rows of two tables and a hash of them in any order, in one snapshot.
SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW({columns})::text, 0)::numeric), 0)::text
  FROM {one}
UNION ALL
SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW({columns})::text, 0)::numeric), 0)::text
  FROM {other};

-- shape --
-- What two partitioned tables have in common when a partition of one can be attached to the other: the columns,
-- indexes, checks and foreign keys, without names of their own.
SELECT pg_catalog.format('column %%I %%s', attribute.attname, pg_catalog.format_type(attribute.atttypid, attribute.atttypmod))
  FROM pg_catalog.pg_attribute AS attribute
 WHERE attribute.attrelid = %(oid)s
   AND attribute.attnum > 0
   AND NOT attribute.attisdropped
UNION
SELECT CASE WHEN index.indisunique THEN 'unique ' ELSE '' END
       || pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(index.indexrelid), '^.*? USING ', 'index USING ')
  FROM pg_catalog.pg_index AS index
 WHERE index.indrelid = %(oid)s
UNION
SELECT 'constraint ' || pg_catalog.replace(pg_catalog.pg_get_constraintdef(linked.oid), ' NOT VALID', '')
  FROM pg_catalog.pg_constraint AS linked
 WHERE linked.conrelid = %(oid)s
   AND linked.contype IN ('c', 'f')
   AND linked.conparentid = 0;

-- comment_of --
-- The comment of a table by its name.
SELECT pg_catalog.obj_description(pg_catalog.to_regclass(%(table)s), 'pg_class');

-- mirrors --
-- The triggers that keep a copy in step: their tables and names.
SELECT namespace.nspname, class.relname, own.tgname
  FROM pg_catalog.pg_trigger AS own
  JOIN pg_catalog.pg_class AS class ON class.oid = own.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_proc AS called ON called.oid = own.tgfoid
  JOIN pg_catalog.pg_namespace AS place ON place.oid = called.pronamespace
 WHERE place.nspname = %(schema)s
   AND called.proname = %(routine)s
   AND own.tgparentid = 0
 ORDER BY own.tgname;

-- index_owner --
-- The table that an index is of, by its name.
SELECT index.indrelid::bigint
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE namespace.nspname = %(schema)s
   AND class.relname = %(name)s;

-- index_text --
-- What an index is, without its name.
SELECT pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(class.oid), '^(CREATE (?:UNIQUE )?INDEX ).*? (ON ONLY )', '\1\2')
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE namespace.nspname = %(schema)s
   AND class.relname = %(name)s;

-- leaves_without --
-- The partitions of a table that have no part of one of its indexes.
SELECT namespace.nspname,
       leaf.relname,
       leaf.oid::bigint
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_class AS leaf ON leaf.oid = link.inhrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = leaf.relnamespace
 WHERE link.inhparent = %(oid)s
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_inherits AS part
                     JOIN pg_catalog.pg_index AS index ON index.indexrelid = part.inhrelid
                     JOIN pg_catalog.pg_class AS whole ON whole.oid = part.inhparent
                     JOIN pg_catalog.pg_namespace AS place ON place.oid = whole.relnamespace
                    WHERE index.indrelid = leaf.oid
                      AND whole.relname = %(name)s
                      AND place.nspname = %(schema)s)
 ORDER BY leaf.relname;

-- set_facts --
-- A partitioned table: number, schema, name, both as SQL writes them, owner, how it is divided, by which columns.
SELECT class.oid::bigint,
       namespace.nspname,
       class.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(class.relowner)),
       CASE split.partstrat WHEN 'r' THEN 'range' WHEN 'l' THEN 'list' ELSE 'hash' END,
       (SELECT pg_catalog.array_agg(attribute.attname::text ORDER BY part.place)
          FROM pg_catalog.unnest(pg_catalog.string_to_array(split.partattrs::text, ' ')::smallint[])
               WITH ORDINALITY AS part (attnum, place)
          JOIN pg_catalog.pg_attribute AS attribute
            ON attribute.attrelid = class.oid AND attribute.attnum = part.attnum)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_partitioned_table AS split ON split.partrelid = class.oid
 WHERE class.oid = pg_catalog.to_regclass(%(table)s);

-- unclocked --
-- The tables divided by list or hash of which a partition bears the mark of this package.
SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
  FROM pg_catalog.pg_partitioned_table AS split
  JOIN pg_catalog.pg_class AS class ON class.oid = split.partrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE split.partstrat IN ('l', 'h')
   AND EXISTS (SELECT
                 FROM pg_catalog.pg_inherits AS link
                WHERE link.inhparent = class.oid
                  AND pg_catalog.starts_with(pg_catalog.obj_description(link.inhrelid, 'pg_class'), %(mark)s))
 ORDER BY 1;

-- spoken_name --
-- Schema and name of a table that need not be there, and both as SQL writes them; without a schema, that of a model.
SELECT said.schema,
       said.plain,
       pg_catalog.format('%%I.%%I', said.schema, said.plain)
  FROM (SELECT CASE pg_catalog.cardinality(parts.part)
                   WHEN 1 THEN (SELECT namespace.nspname
                                  FROM pg_catalog.pg_class AS class
                                  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
                                 WHERE class.oid = pg_catalog.to_regclass(%(like)s))
                   WHEN 2 THEN parts.part[1]
               END AS schema,
               CASE WHEN pg_catalog.cardinality(parts.part) < 3
                    THEN parts.part[pg_catalog.cardinality(parts.part)] END AS plain
          FROM (SELECT pg_catalog.parse_ident(%(table)s)) AS parts (part)) AS said;

-- template_facts --
-- A table that another one is modelled on: number, schema, name, both as SQL writes them, owner.
SELECT class.oid::bigint,
       namespace.nspname,
       class.relname,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(class.relowner))
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.oid = pg_catalog.to_regclass(%(table)s);

-- template_obstacles --
-- What of a table keeps a partitioned one from being made after it, by name, each with what to do about it.
WITH target AS (
    SELECT class.*
      FROM pg_catalog.pg_class AS class
     WHERE class.oid = %(oid)s
), wanted AS (
    SELECT said.name,
           attribute.attnum,
           attribute.attnotnull,
           attribute.attgenerated
      FROM pg_catalog.unnest(%(keys)s::text[]) AS said (name)
      LEFT JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = %(oid)s
       AND attribute.attname = said.name
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
)
SELECT 'it is no table'
  FROM target WHERE target.relkind NOT IN ('r', 'p')
UNION ALL
SELECT pg_catalog.format('it has no column "%%s"', wanted.name)
  FROM wanted WHERE wanted.attnum IS NULL
UNION ALL
SELECT pg_catalog.format('column "%%s" is generated: choose a stored one', wanted.name)
  FROM wanted WHERE wanted.attgenerated <> ''
UNION ALL
SELECT pg_catalog.format('column "%%s" may be NULL: set it NOT NULL', wanted.name)
  FROM wanted WHERE %(how)s = 'range' AND NOT wanted.attnotnull
UNION ALL
SELECT pg_catalog.format('%%s "%%s" does not hold column "%%s": rows of two partitions could not be kept apart; %%s',
                         CASE WHEN index.indisprimary THEN 'primary key' ELSE 'unique index' END, class.relname, wanted.name,
                         CASE WHEN index.indisprimary THEN 'add the column to it' ELSE 'add the column to it, or drop it' END)
  FROM target
  JOIN pg_catalog.pg_index AS index ON index.indrelid = target.oid AND index.indisunique
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
  JOIN wanted ON wanted.attnum <> ALL ((pg_catalog.string_to_array(index.indkey::text, ' ')::smallint[])[1:index.indnkeyatts])
UNION ALL
SELECT pg_catalog.format('constraint "%%s" %%s', linked.conname,
                         CASE WHEN linked.contype = 'x' THEN 'excludes rows, which holds in one partition only; drop it'
                              WHEN linked.contype = 'c' THEN 'is NO INHERIT: make it a plain CHECK'
                              WHEN linked.confrelid = target.oid THEN 'refers to the table itself: drop it'
                              ELSE 'is not validated: ALTER TABLE … VALIDATE CONSTRAINT' END)
  FROM target
  JOIN pg_catalog.pg_constraint AS linked ON linked.conrelid = target.oid
 WHERE linked.contype = 'x'
    OR (linked.contype = 'c' AND linked.connoinherit)
    OR (linked.contype = 'f' AND (linked.confrelid = target.oid OR NOT linked.convalidated))
UNION ALL
SELECT pg_catalog.format('trigger "%%s" reads transition tables for each row: make it FOR EACH STATEMENT', own.tgname)
  FROM target
  JOIN pg_catalog.pg_trigger AS own ON own.tgrelid = target.oid AND NOT own.tgisinternal
 WHERE own.tgtype & 1 = 1
   AND (own.tgoldtable IS NOT NULL OR own.tgnewtable IS NOT NULL)
UNION ALL
SELECT pg_catalog.format('rule "%%s": drop it', rewrite.rulename)
  FROM target
  JOIN pg_catalog.pg_rewrite AS rewrite ON rewrite.ev_class = target.oid
 WHERE target.relkind IN ('r', 'p')
 ORDER BY 1;

-- create_set --
-- A partitioned table with all that a plain one has that can be copied.
CREATE TABLE {table} (LIKE {like} INCLUDING ALL) PARTITION BY {how} ({keys});

-- as_written --
-- Values as the server writes them as a type.
SELECT given.value::{type}::text
  FROM pg_catalog.unnest(%(values)s::text[]) AS given (value);

-- rows_of_values --
-- Whether a table has a row of some values.
SELECT EXISTS (SELECT FROM {table} WHERE {key} IN ({values}) OR ({null} AND {key} IS NULL));

-- types_of --
-- The columns of a table: name, type as SQL writes it, and the type below all domains, an enum's and an array's included.
WITH RECURSIVE below AS (
    SELECT attribute.attnum, attribute.attname, attribute.atttypid AS type,
           pg_catalog.format_type(attribute.atttypid, attribute.atttypmod) AS declared
      FROM pg_catalog.pg_attribute AS attribute
     WHERE attribute.attrelid = %(table)s::pg_catalog.regclass
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
    UNION ALL
    SELECT below.attnum, below.attname, type.typbasetype, below.declared
      FROM below
      JOIN pg_catalog.pg_type AS type ON type.oid = below.type AND type.typtype = 'd'
)
SELECT below.attname,
       below.declared,
       pg_catalog.format_type(below.type, NULL)
  FROM below
  JOIN pg_catalog.pg_type AS type ON type.oid = below.type
 WHERE type.typtype <> 'd'
 ORDER BY below.attnum;

-- read_instant --
-- Microseconds since 1970; of infinity the largest number, with its sign.
CASE WHEN {column} IS NULL THEN NULL
     WHEN pg_catalog.isfinite({column}) THEN (extract(epoch FROM {column}) * 1000000)::bigint
     WHEN {column} > 'epoch' THEN 9223372036854775807
     ELSE -9223372036854775807
END;

-- read_day --
-- Days since 1970; of infinity the largest number, with its sign.
CASE WHEN {column} IS NULL THEN NULL
     WHEN pg_catalog.isfinite({column}) THEN {column} - DATE '1970-01-01'
     WHEN {column} > 'epoch' THEN 2147483647
     ELSE -2147483647
END;

-- read_text --
-- A value as the text that is read back as the same.
{column}::pg_catalog.text;

-- is_beyond --
-- Whether a column has an instant that 64 bits of microseconds since 1970 do not reach.
coalesce(pg_catalog.bool_or(pg_catalog.isfinite({column}) AND {column} >= '294247-01-01'), false);
