-- The statements of the checks of sequences, constraints, triggers and partitions.

-- seq_exhaustion --
-- How much of a sequence is given out, or of the column that it numbers where that holds less.
WITH given AS MATERIALIZED (
    SELECT namespace.nspname, class.relname, sequence.*,
           CASE WHEN seen.is_readable THEN pg_catalog.pg_sequence_last_value(class.oid) END AS last_value,
           seen.is_readable
      FROM pg_catalog.pg_sequence AS sequence
      JOIN pg_catalog.pg_class AS class ON class.oid = sequence.seqrelid
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
     CROSS JOIN LATERAL (
           SELECT pg_catalog.has_sequence_privilege(class.oid, 'SELECT, USAGE') AS is_readable) AS seen
     WHERE NOT sequence.seqcycle
), far AS MATERIALIZED (
    SELECT given.*
      FROM given
     -- What would be left of the smallest type: most are far from the end even of that, and no more is looked up.
     CROSS JOIN LATERAL (
           SELECT CASE WHEN seqincrement > 0 THEN least(seqmax, 32767)::float8 - seqstart
                       ELSE seqstart - greatest(seqmin, -32768)::float8 END AS numbers) AS least
     WHERE NOT is_readable
        OR least.numbers <= 0
        OR pg_catalog.abs(last_value::float8 - seqstart) / least.numbers
           >= least(%(warning)s::float8, %(critical)s::float8)
), known AS (
    SELECT far.*, fixes, column_type,
           least(seqmax, CASE column_type WHEN 21 THEN 32767 WHEN 23 THEN 2147483647
                                          ELSE 9223372036854775807 END) AS highest,
           greatest(seqmin, CASE column_type WHEN 21 THEN -32768 WHEN 23 THEN -2147483648
                                             ELSE -9223372036854775808 END) AS lowest
      FROM far
     CROSS JOIN LATERAL (
           SELECT min(CASE attribute.atttypid WHEN 21 THEN 21 WHEN 23 THEN 23 ELSE 99 END) AS column_type,
                  pg_catalog.array_agg(ARRAY[
                      pg_catalog.format('ALTER TABLE %%I.%%I ALTER COLUMN %%I TYPE bigint', above.nspname,
                                        owner.relname, attribute.attname),
                      'ACCESS EXCLUSIVE, while the table is written anew; columns that point at it follow'])
                      FILTER (WHERE attribute.atttypid IN (21, 23) AND NOT owner.relispartition) AS fixes
             FROM (SELECT link.refobjid AS relation, link.refobjsubid AS attnum
                     FROM pg_catalog.pg_depend AS link
                    WHERE link.classid = 'pg_catalog.pg_class'::regclass AND link.objid = far.seqrelid
                      AND link.refclassid = 'pg_catalog.pg_class'::regclass
                      AND link.deptype IN ('a', 'i') AND link.refobjsubid > 0
                   UNION
                   SELECT filled.adrelid, filled.adnum
                     FROM pg_catalog.pg_depend AS link
                     JOIN pg_catalog.pg_attrdef AS filled ON filled.oid = link.objid
                    WHERE link.classid = 'pg_catalog.pg_attrdef'::regclass
                      AND link.refclassid = 'pg_catalog.pg_class'::regclass AND link.refobjid = far.seqrelid) AS numbered
             JOIN pg_catalog.pg_attribute AS attribute
               ON attribute.attrelid = numbered.relation AND attribute.attnum = numbered.attnum
             JOIN pg_catalog.pg_class AS owner ON owner.oid = numbered.relation
             JOIN pg_catalog.pg_namespace AS above ON above.oid = owner.relnamespace) AS narrowest
)
SELECT 'sequence', nspname, relname,
       CASE WHEN NOT is_readable THEN NULL
            WHEN last_value IS NULL THEN 0
            WHEN CASE WHEN seqincrement > 0 THEN last_value >= highest ELSE last_value <= lowest END THEN 1
            WHEN seqincrement > 0 THEN (last_value::numeric - seqstart) / nullif(highest::numeric - seqstart, 0)
            ELSE (seqstart - last_value::numeric) / nullif(seqstart - lowest::numeric, 0)
       END,
       CASE WHEN NOT is_readable THEN 'unknown' END,
       pg_catalog.jsonb_build_object('last', last_value, 'highest', highest, 'lowest', lowest)
           || CASE WHEN is_readable THEN '{}' ELSE pg_catalog.jsonb_build_object('cure',
                  pg_catalog.format('GRANT SELECT ON SEQUENCE %%I.%%I TO the login', nspname, relname),
                  'reason', 'the login may not read it') END,
       CASE WHEN is_readable AND (fixes IS NOT NULL OR column_type = 99) THEN
           coalesce(fixes, '{}') || ARRAY[[pg_catalog.format('ALTER SEQUENCE %%I.%%I AS bigint %%s', nspname, relname,
                                                            CASE WHEN seqincrement > 0 THEN 'NO MAXVALUE' ELSE 'NO MINVALUE' END),
                           'SHARE ROW EXCLUSIVE']] END
  FROM known;

-- seq_behind_max --
-- What to ask: of each column that a sequence numbers and an index begins with, whether it is past its sequence.
WITH linked AS (
    SELECT link.objid AS sequence, link.refobjid AS relation, link.refobjsubid AS attnum
      FROM pg_catalog.pg_depend AS link
     WHERE link.classid = 'pg_catalog.pg_class'::regclass AND link.refclassid = 'pg_catalog.pg_class'::regclass
       AND link.deptype IN ('a', 'i') AND link.refobjsubid > 0
    UNION
    SELECT link.refobjid, filled.adrelid, filled.adnum
      FROM pg_catalog.pg_depend AS link
      JOIN pg_catalog.pg_attrdef AS filled ON filled.oid = link.objid
     WHERE link.classid = 'pg_catalog.pg_attrdef'::regclass AND link.refclassid = 'pg_catalog.pg_class'::regclass
), numbered AS MATERIALIZED (
    SELECT linked.relation, linked.attnum, sequence.*
      FROM linked
      JOIN pg_catalog.pg_sequence AS sequence ON sequence.seqrelid = linked.sequence AND NOT sequence.seqcycle
), counted AS MATERIALIZED (
    -- Whether all that was ever done here is counted: neither a crash nor a person made the counters begin anew.
    SELECT here.stats_reset IS NULL
           AND writer.stats_reset < INTERVAL '10 minutes' + pg_catalog.to_timestamp(
                   ((SELECT system_identifier FROM pg_catalog.pg_control_system()) >> 32)::float8) AS is_whole
      FROM pg_catalog.pg_stat_bgwriter AS writer
      JOIN pg_catalog.pg_stat_database AS here ON here.datname = pg_catalog.current_database()
), lent AS MATERIALIZED (
    -- Whose tables a function of revision 009 may be asked about, in place of a grant to read them.
    SELECT routine.proowner AS owner
      FROM pg_catalog.pg_proc AS routine
      JOIN pg_catalog.pg_namespace AS home ON home.oid = routine.pronamespace AND home.nspname = 'ops'
     WHERE routine.proname = 'health_extreme_v1' AND routine.prosecdef
       AND pg_catalog.has_schema_privilege(home.oid, 'USAGE')
       AND pg_catalog.has_function_privilege(routine.oid, 'EXECUTE')
)
SELECT 'sequence', namespace.nspname, class.relname,
       CASE WHEN given.is_readable THEN
           pg_catalog.format(
               'SELECT ''sequence'', %%1$L, %%2$L, NULL::float8,'
               ' CASE WHEN %%8$s (found.most - given.last) > 0 THEN ''critical'' ELSE ''ok'' END,'
               ' pg_catalog.jsonb_build_object(''table'', %%4$L, ''column'', %%5$L,'
               ' ''behind'', pg_catalog.abs(found.most - given.last)),'
               ' ARRAY[[%%6$L, ''none'']]'
               ' FROM (SELECT %%9$s AS most %%3$s) AS found, %%7$s AS given',
               namespace.nspname, class.relname,
               CASE WHEN given.is_direct THEN pg_catalog.format('FROM %%I.%%I', above.nspname, owner.relname) END,
               owner.relname, attribute.attname,
               pg_catalog.format(
                   'SELECT pg_catalog.setval(%%L, (SELECT %%s(%%I) FROM %%I.%%I))',
                   pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
                   CASE WHEN numbered.seqincrement > 0 THEN 'max' ELSE 'min' END,
                   attribute.attname, above.nspname, owner.relname),
               -- To read a sequence as a table takes longer, and is needed only where it never gave a number out.
               CASE WHEN given.last IS NULL THEN
                   pg_catalog.format(
                       '(SELECT CASE WHEN is_called THEN last_value ELSE last_value - %%s END::numeric AS last FROM %%I.%%I)',
                       numbered.seqincrement, namespace.nspname, class.relname)
               ELSE pg_catalog.format('(SELECT pg_catalog.pg_sequence_last_value(%%s)::numeric AS last)', class.oid)
               END,
               CASE WHEN numbered.seqincrement > 0 THEN '' ELSE '-' END,
               CASE WHEN given.is_direct THEN
                   pg_catalog.format('%%s(%%I)::numeric', CASE WHEN numbered.seqincrement > 0 THEN 'max' ELSE 'min' END,
                                     attribute.attname)
               ELSE pg_catalog.format('ops.health_extreme_v1(%%s::pg_catalog.oid::pg_catalog.regclass, %%L, %%L)', owner.oid,
                                      attribute.attname, numbered.seqincrement > 0)
               END)
       END,
       CASE WHEN pg_catalog.row_security_active(owner.oid) THEN 'ALTER ROLE the login BYPASSRLS'
            ELSE pg_catalog.concat_ws('; ',
                CASE WHEN NOT pg_catalog.has_schema_privilege(above.oid, 'USAGE')
                     THEN pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO the login', above.nspname) END,
                CASE WHEN NOT pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') AND namespace.oid <> above.oid
                     THEN pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO the login', namespace.nspname) END,
                pg_catalog.format('GRANT SELECT ON %%I.%%I, %%I.%%I TO the login', above.nspname, owner.relname,
                                  namespace.nspname, class.relname)) END
  FROM numbered
  JOIN pg_catalog.pg_class AS class ON class.oid = numbered.seqrelid AND class.relpersistence = 'p'
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS owner ON owner.oid = numbered.relation AND owner.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS above ON above.oid = owner.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = numbered.relation AND attribute.attnum = numbered.attnum
   AND attribute.atttypid IN (20, 21, 23, 1700)
 CROSS JOIN LATERAL (
       SELECT pg_catalog.has_table_privilege(owner.oid, 'SELECT')
              AND pg_catalog.has_schema_privilege(above.oid, 'USAGE')
              AND NOT pg_catalog.row_security_active(owner.oid) AS is_direct,
              pg_catalog.has_sequence_privilege(class.oid, 'SELECT')
              AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') AS is_known) AS may
 CROSS JOIN LATERAL (
       SELECT may.is_known AND (may.is_direct OR owner.relowner IN (SELECT lent.owner FROM lent)) AS is_readable,
              may.is_direct,
              CASE WHEN may.is_known THEN pg_catalog.pg_sequence_last_value(class.oid) END AS last
       OFFSET 0) AS given
 -- A partition is asked with its table. Into one that nobody knows a row of, where all is counted, nothing was
 -- inserted: no number can be there twice, and to open it takes its time.
 WHERE NOT owner.relispartition
   AND (owner.relkind = 'p' OR (SELECT NOT counted.is_whole FROM counted)
        OR owner.relpages > 0 OR pg_catalog.pg_stat_get_tuples_inserted(owner.oid) > 0
        OR pg_catalog.pg_stat_get_live_tuples(owner.oid) > 0)
   AND EXISTS (SELECT FROM pg_catalog.pg_index AS index
                 JOIN pg_catalog.pg_class AS built ON built.oid = index.indexrelid
                 JOIN pg_catalog.pg_am AS method ON method.oid = built.relam AND method.amname = 'btree'
                WHERE index.indrelid = owner.oid AND index.indisvalid AND index.indpred IS NULL
                  AND index.indkey[0] = attribute.attnum)
 -- Where there are more rows than numbers were given out, some have numbers from elsewhere: these come first.
 ORDER BY coalesce((given.last::float8 - numbered.seqstart) / numbered.seqincrement + 1, 0)
          - greatest(owner.reltuples, pg_catalog.pg_stat_get_live_tuples(owner.oid), 0);

-- int_pk_no_sequence --
-- What to ask: how far small keys that no sequence numbers have come.
WITH counted AS MATERIALIZED (
    -- Whether all that was ever done here is counted: neither a crash nor a person made the counters begin anew.
    SELECT here.stats_reset IS NULL
           AND writer.stats_reset < INTERVAL '10 minutes' + pg_catalog.to_timestamp(
                   ((SELECT system_identifier FROM pg_catalog.pg_control_system()) >> 32)::float8) AS is_whole
      FROM pg_catalog.pg_stat_bgwriter AS writer
      JOIN pg_catalog.pg_stat_database AS here ON here.datname = pg_catalog.current_database()
), lent AS MATERIALIZED (
    -- Whose tables a function of revision 009 may be asked about, in place of a grant to read them.
    SELECT routine.proowner AS owner
      FROM pg_catalog.pg_proc AS routine
      JOIN pg_catalog.pg_namespace AS home ON home.oid = routine.pronamespace AND home.nspname = 'ops'
     WHERE routine.proname = 'health_extreme_v1' AND routine.prosecdef
       AND pg_catalog.has_schema_privilege(home.oid, 'USAGE')
       AND pg_catalog.has_function_privilege(routine.oid, 'EXECUTE')
)
SELECT 'column', namespace.nspname, class.relname || '.' || attribute.attname,
       CASE WHEN may.is_direct OR class.relowner IN (SELECT lent.owner FROM lent) THEN
           pg_catalog.format(
               'SELECT ''column'', %%1$L, %%2$L, coalesce(found.most, 0)::float8 / %%4$s, NULL::text,'
               ' pg_catalog.jsonb_build_object(''table'', %%5$L, ''column'', %%3$L, ''highest'', %%4$s,'
               ' ''percent'', (100.0 * coalesce(found.most, 0) / %%4$s)::int), NULL::text[]'
               ' FROM (SELECT %%6$s) AS found',
               namespace.nspname, class.relname || '.' || attribute.attname, attribute.attname,
               CASE attribute.atttypid WHEN 21 THEN '32767' ELSE '2147483647' END, class.relname,
               CASE WHEN may.is_direct THEN
                   pg_catalog.format('max(%%I) AS most FROM %%I.%%I', attribute.attname, namespace.nspname, class.relname)
               ELSE pg_catalog.format('ops.health_extreme_v1(%%s::pg_catalog.oid::pg_catalog.regclass, %%L, true) AS most',
                                      class.oid, attribute.attname) END)
       END,
       CASE WHEN pg_catalog.row_security_active(class.oid) THEN 'ALTER ROLE the login BYPASSRLS'
            ELSE pg_catalog.concat_ws('; ',
                CASE WHEN NOT pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
                     THEN pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO the login', namespace.nspname) END,
                pg_catalog.format('GRANT SELECT ON %%I.%%I TO the login', namespace.nspname, class.relname)) END
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indrelid AND class.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0] AND attribute.atttypid IN (21, 23)
 CROSS JOIN LATERAL (
       SELECT pg_catalog.has_table_privilege(class.oid, 'SELECT')
              AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
              AND NOT pg_catalog.row_security_active(class.oid) AS is_direct) AS may
 WHERE index.indisprimary AND index.indisvalid AND index.indnkeyatts = 1
   AND NOT class.relispartition AND class.relpersistence <> 't'
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND attribute.attidentity = ''
   AND NOT attribute.atthasdef
   AND (class.relkind = 'p' OR (SELECT NOT counted.is_whole FROM counted)
        OR class.relpages > 0 OR pg_catalog.pg_stat_get_tuples_inserted(class.oid) > 0
        OR pg_catalog.pg_stat_get_live_tuples(class.oid) > 0)
   -- One that points at another table is not longer than that.
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS linked
                    WHERE linked.conrelid = class.oid AND linked.contype = 'f'
                      AND attribute.attnum = ANY (linked.conkey))
 ORDER BY greatest(class.reltuples, pg_catalog.pg_stat_get_live_tuples(class.oid), 0)
          / CASE attribute.atttypid WHEN 21 THEN 32767 ELSE 2147483647 END DESC;

-- int_narrow_identity --
-- Numbered keys of a type that a table of many rows uses up.
SELECT 'column', namespace.nspname, class.relname || '.' || attribute.attname, NULL::float8,
       CASE attribute.atttypid WHEN 21 THEN 'warning' ELSE 'info' END,
       pg_catalog.jsonb_build_object('table', class.relname, 'column', attribute.attname,
                                     'type', pg_catalog.format_type(attribute.atttypid, NULL),
                                     'inserted', used.inserted),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ALTER COLUMN %%I TYPE bigint', namespace.nspname, class.relname,
                                attribute.attname),
              'ACCESS EXCLUSIVE, while the table is written anew']]
  FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid AND class.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (SELECT pg_catalog.pg_stat_get_tuples_inserted(class.oid) AS inserted) AS used
 WHERE attribute.attnum > 0 AND NOT attribute.attisdropped AND NOT class.relispartition
   AND namespace.nspname !~ '^(pg_|information_schema$)'
   AND (attribute.atttypid = 21 AND used.inserted > 0
        OR attribute.atttypid = 23 AND used.inserted > %(many_rows)s)
   AND (attribute.attidentity <> ''
        OR EXISTS (SELECT FROM pg_catalog.pg_attrdef AS filled
                     JOIN pg_catalog.pg_depend AS link
                       ON link.classid = 'pg_catalog.pg_attrdef'::regclass AND link.objid = filled.oid
                     JOIN pg_catalog.pg_sequence AS sequence ON sequence.seqrelid = link.refobjid
                    WHERE filled.adrelid = class.oid AND filled.adnum = attribute.attnum));

-- con_not_valid --
-- Constraints that hold for new rows only, until somebody validates them.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('table', class.relname, 'constraint', linked.conname, 'type', linked.contype),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I VALIDATE CONSTRAINT %%I',
                                namespace.nspname, class.relname, linked.conname),
              'SHARE UPDATE EXCLUSIVE']]
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE NOT linked.convalidated
   AND linked.conparentid = 0 AND linked.coninhcount = 0
   -- What is not enforced cannot be validated; versions before 18 have no such column.
   AND pg_catalog.to_jsonb(linked) ->> 'conenforced' IS DISTINCT FROM 'false';

-- con_not_enforced --
-- Constraints that nobody checks, and that VALIDATE does not bring to life.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('table', class.relname, 'constraint', linked.conname, 'type', linked.contype),
       CASE WHEN linked.contype = 'f' THEN
           ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ALTER CONSTRAINT %%I ENFORCED',
                                    namespace.nspname, class.relname, linked.conname),
                  'SHARE ROW EXCLUSIVE']]
            -- No statement begins to enforce a CHECK: it is made anew.
            ELSE
           ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I DROP CONSTRAINT %%I, ADD CONSTRAINT %%I %%s',
                                    namespace.nspname, class.relname, linked.conname, linked.conname,
                                    pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(linked.oid),
                                                              ' NOT ENFORCED$', '')),
                  'ACCESS EXCLUSIVE, while all rows are read']]
       END
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE NOT linked.conenforced AND linked.conparentid = 0
   -- What a partition has from its table is mended with that.
   AND linked.coninhcount = 0;

-- con_domain_not_valid --
-- Constraints of domains that hold for new values only.
SELECT 'domain', namespace.nspname, type.typname || '.' || linked.conname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('domain', type.typname, 'constraint', linked.conname),
       ARRAY[[pg_catalog.format('ALTER DOMAIN %%I.%%I VALIDATE CONSTRAINT %%I', namespace.nspname, type.typname,
                                linked.conname),
              'SHARE on the tables that use it']]
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_type AS type ON type.oid = linked.contypid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
 WHERE NOT linked.convalidated;

-- con_fk_orphans --
-- What to read: of each foreign key, whether a row points at none.
SELECT 'constraint', namespace.nspname, class.relname || '.' || linked.conname,
       CASE WHEN pg_catalog.has_table_privilege(class.oid, 'SELECT')
             AND NOT (pg_catalog.row_security_active(class.oid) OR pg_catalog.row_security_active(far.oid))
             AND pg_catalog.has_table_privilege(far.oid, 'SELECT')
             AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
             AND pg_catalog.has_schema_privilege(there.oid, 'USAGE') THEN
           pg_catalog.format(
               'SELECT ''constraint'', %%1$L, %%2$L, NULL::float8,'
               ' CASE WHEN EXISTS (SELECT FROM %%3$s%%4$I.%%5$I AS own WHERE %%6$s'
               ' AND NOT EXISTS (SELECT FROM %%7$s%%8$I.%%9$I AS far WHERE %%10$s))'
               ' THEN ''critical'' ELSE ''ok'' END,'
               ' pg_catalog.jsonb_build_object(''table'', %%5$L, ''constraint'', %%11$L), NULL::text[]',
               namespace.nspname, class.relname || '.' || linked.conname,
               CASE class.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END, namespace.nspname, class.relname, keys.known,
               CASE far.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END, there.nspname, far.relname, keys.alike,
               linked.conname)
       END,
       CASE WHEN pg_catalog.row_security_active(class.oid) OR pg_catalog.row_security_active(far.oid)
            THEN 'ALTER ROLE the login BYPASSRLS'
            ELSE pg_catalog.concat_ws('; ',
                CASE WHEN NOT pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
                     THEN pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO the login', namespace.nspname) END,
                CASE WHEN NOT pg_catalog.has_schema_privilege(there.oid, 'USAGE') AND there.oid <> namespace.oid
                     THEN pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO the login', there.nspname) END,
                pg_catalog.format('GRANT SELECT ON %%I.%%I, %%I.%%I TO the login', namespace.nspname, class.relname,
                                  there.nspname, far.relname)) END
  FROM pg_catalog.pg_constraint AS linked
  JOIN pg_catalog.pg_class AS class ON class.oid = linked.conrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS far ON far.oid = linked.confrelid
  JOIN pg_catalog.pg_namespace AS there ON there.oid = far.relnamespace
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(pg_catalog.format('own.%%I IS NOT NULL', near.attname), ' AND ') AS known,
              -- As the key itself compares them: citext is no text.
              pg_catalog.string_agg(pg_catalog.format('far.%%I OPERATOR(%%I.%%s) own.%%I', other.attname, home.nspname,
                                                      alike.oprname, near.attname), ' AND ') AS alike
         FROM ROWS FROM (pg_catalog.unnest(linked.conkey), pg_catalog.unnest(linked.confkey),
                         pg_catalog.unnest(linked.conpfeqop)) AS part (own, far, compared)
         JOIN pg_catalog.pg_operator AS alike ON alike.oid = part.compared
         JOIN pg_catalog.pg_namespace AS home ON home.oid = alike.oprnamespace
         JOIN pg_catalog.pg_attribute AS near ON near.attrelid = linked.conrelid AND near.attnum = part.own
         JOIN pg_catalog.pg_attribute AS other ON other.attrelid = linked.confrelid AND other.attnum = part.far) AS keys
 WHERE linked.contype = 'f' AND linked.conparentid = 0
   AND coalesce(pg_catalog.to_jsonb(linked) ->> 'conperiod', 'false') = 'false'
 ORDER BY class.relpages;

-- trg_disabled --
-- Triggers that do not fire; those of foreign keys, which let anything in then, under the name of the key.
SELECT DISTINCT
       'trigger', namespace.nspname, class.relname || '.' || coalesce(linked.conname, trigger.tgname), NULL::float8,
       CASE WHEN trigger.tgisinternal THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('table', class.relname, 'trigger', coalesce(linked.conname, trigger.tgname)),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I ENABLE TRIGGER %%s', namespace.nspname, class.relname,
                                CASE WHEN trigger.tgisinternal THEN 'ALL'
                                     ELSE pg_catalog.quote_ident(trigger.tgname) END),
              'SHARE ROW EXCLUSIVE']]
  FROM pg_catalog.pg_trigger AS trigger
  JOIN pg_catalog.pg_class AS class ON class.oid = trigger.tgrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  LEFT JOIN pg_catalog.pg_constraint AS linked ON linked.oid = trigger.tgconstraint AND trigger.tgisinternal
 WHERE trigger.tgenabled = 'D';

-- trg_replication_role --
-- Logins, or databases, whose sessions fire no trigger and check no foreign key.
SELECT 'setting', NULL, 'session_replication_role', NULL::float8, 'critical',
       pg_catalog.jsonb_build_object('of', coalesce(role.rolname, database.datname, 'everybody'),
                                     'setting', split.setting),
       ARRAY[[CASE WHEN role.oid IS NULL AND database.oid IS NULL THEN
                  'ALTER ROLE ALL RESET session_replication_role'
              WHEN role.oid IS NULL THEN
                  pg_catalog.format('ALTER DATABASE %%I RESET session_replication_role', database.datname)
              WHEN database.oid IS NULL THEN
                  pg_catalog.format('ALTER ROLE %%I RESET session_replication_role', role.rolname)
              ELSE pg_catalog.format('ALTER ROLE %%I IN DATABASE %%I RESET session_replication_role', role.rolname,
                                     database.datname)
              END, 'none; sessions that are open keep it']]
  FROM pg_catalog.pg_db_role_setting AS preset
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = preset.setrole
  LEFT JOIN pg_catalog.pg_database AS database ON database.oid = preset.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(preset.setconfig) AS option (text)
 CROSS JOIN LATERAL (SELECT pg_catalog.split_part(option.text, '=', 1) AS name,
                            pg_catalog.split_part(option.text, '=', 2) AS setting) AS split
 WHERE split.name = 'session_replication_role' AND lower(split.setting) = 'replica'
   AND (preset.setdatabase = 0 OR database.datname = pg_catalog.current_database())
UNION ALL
SELECT 'setting', NULL, 'session_replication_role', NULL, 'critical',
       pg_catalog.jsonb_build_object('of', 'everybody', 'setting', setting),
       ARRAY[['ALTER SYSTEM RESET session_replication_role', 'none'],
             ['SELECT pg_reload_conf()', 'none; sessions that are open keep it']]
  FROM pg_catalog.pg_settings
 WHERE name = 'session_replication_role' AND setting = 'replica'
   AND source NOT IN ('global', 'database', 'user', 'database user', 'client', 'session');

-- part_detach_pending --
-- Partitions whose DETACH … CONCURRENTLY was interrupted: neither in their table nor out of it.
SELECT 'partition', namespace.nspname, class.relname, NULL::float8, 'warning',
       pg_catalog.jsonb_build_object('parent', parent.relname),
       ARRAY[[pg_catalog.format('ALTER TABLE %%I.%%I DETACH PARTITION %%I.%%I FINALIZE', above.nspname,
                                parent.relname, namespace.nspname, class.relname),
              'SHARE UPDATE EXCLUSIVE on the table, ACCESS EXCLUSIVE on the partition']]
  FROM pg_catalog.pg_inherits AS link
  JOIN pg_catalog.pg_class AS class ON class.oid = link.inhrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS parent ON parent.oid = link.inhparent
  JOIN pg_catalog.pg_namespace AS above ON above.oid = parent.relnamespace
 WHERE link.inhdetachpending;

-- part_future_missing --
-- How many spans of time there are partitions for from now on, of tables that are parted by time.
-- The bounds first, and then what is asked of them: those of another type are no times.
WITH bounds AS MATERIALIZED (
    SELECT link.inhparent, link.inhrelid,
           -- No relation is said: a bound names no column, and so nothing is locked to show it.
           pg_catalog.regexp_match(pg_catalog.pg_get_expr(part.relpartbound, 0),
                                   '^FOR VALUES FROM \((?:''([^'']+)''|MINVALUE)\) TO \(''([^'']+)''\)$') AS found
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid AND part.relpartbound IS NOT NULL
      JOIN pg_catalog.pg_partitioned_table AS split
        ON split.partrelid = link.inhparent AND split.partstrat = 'r' AND split.partnatts = 1
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
       AND attribute.atttypid IN (1082, 1114, 1184)
     WHERE NOT link.inhdetachpending
), latest AS (
    -- The first one may begin with the beginning: a month stands for how long it is.
    SELECT DISTINCT ON (inhparent) inhparent, found[2]::timestamptz AS until,
           coalesce(CASE WHEN pg_catalog.isfinite(found[1]::timestamptz) THEN found[1]::timestamptz END,
                    found[2]::timestamptz - INTERVAL '1 month') AS since
      FROM bounds
     WHERE found IS NOT NULL AND pg_catalog.isfinite(found[2]::timestamptz)
     ORDER BY inhparent, found[2]::timestamptz DESC
), unbounded AS (
    -- Whatever comes has its place.
    SELECT link.inhparent
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
     WHERE pg_catalog.pg_get_expr(part.relpartbound, 0) ~ 'TO \((MAXVALUE|''infinity'')\)$'
)
SELECT 'table', namespace.nspname, class.relname, ahead.spans, NULL,
       pg_catalog.jsonb_build_object('spans', pg_catalog.round(ahead.spans::numeric, 1), 'until', latest.until),
       (SELECT pg_catalog.array_agg(ARRAY[
                   pg_catalog.format(
                       'CREATE TABLE %%1$I.%%2$I PARTITION OF %%1$I.%%3$I FOR VALUES FROM (%%4$L) TO (%%5$L)',
                       namespace.nspname,
                       pg_catalog.format('%%s_p%%s', class.relname,
                                         pg_catalog.to_char(next.since, 'YYYYMMDD"_"HH24MI')),
                       class.relname, next.since::text, next.until::text),
                   'ACCESS EXCLUSIVE'] ORDER BY next.since)
          -- What was missed for very long is one partition.
          FROM (SELECT latest.until + sign(step.number) * missed.at_once * span.length + step.number * span.length AS since,
                       latest.until + missed.at_once * span.length + (step.number + 1) * span.length AS until
                  FROM (SELECT CASE WHEN ahead.spans < -50 THEN pg_catalog.ceil(-ahead.spans) ELSE 0 END AS at_once) AS missed
                 CROSS JOIN pg_catalog.generate_series(
                            0, 2 + greatest(0, pg_catalog.ceil(-ahead.spans)::int - missed.at_once::int)) AS step (number)
               ) AS next)
  FROM latest
  JOIN pg_catalog.pg_class AS class ON class.oid = latest.inhparent
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 -- A month is as long as it is; what is shorter than one is counted in seconds.
 CROSS JOIN LATERAL (SELECT CASE WHEN latest.until - latest.since >= INTERVAL '28 days'
                                 THEN pg_catalog.age(latest.until, latest.since)
                                 ELSE latest.until - latest.since END AS length) AS span
 CROSS JOIN LATERAL (SELECT pg_catalog.date_part('epoch', latest.until - pg_catalog.clock_timestamp())
                            / pg_catalog.date_part('epoch', latest.until - latest.since) AS spans) AS ahead
 WHERE latest.inhparent NOT IN (SELECT inhparent FROM unbounded)
   -- Nobody waits for the end of the last one, however long it is itself.
   AND latest.until < pg_catalog.clock_timestamp() + INTERVAL '10 years'
   -- A partition that is parted itself has partitions until it ends, and needs no more.
   AND NOT EXISTS (SELECT FROM bounds AS own
                    WHERE own.inhrelid = latest.inhparent AND own.found IS NOT NULL
                      AND own.found[2]::timestamptz <= latest.until);

-- part_default_rows --
-- What to ask: whether the partition for what has no other holds rows.
WITH lent AS MATERIALIZED (
    -- Whose tables a function of revision 009 may be asked about, in place of a grant to read them.
    SELECT routine.proowner AS owner
      FROM pg_catalog.pg_proc AS routine
      JOIN pg_catalog.pg_namespace AS home ON home.oid = routine.pronamespace AND home.nspname = 'ops'
     WHERE routine.proname = 'health_default_holds_v1' AND routine.prosecdef
       AND pg_catalog.has_schema_privilege(home.oid, 'USAGE')
       AND pg_catalog.has_function_privilege(routine.oid, 'EXECUTE')
)
SELECT 'partition', namespace.nspname, class.relname,
       CASE WHEN may.is_direct OR class.relowner IN (SELECT lent.owner FROM lent) THEN
           pg_catalog.format(
               'SELECT ''partition'', %%1$L, %%2$L, NULL::float8,'
               ' CASE WHEN NOT %%5$s THEN ''ok'' WHEN %%4$s THEN ''critical'''
               ' ELSE ''warning'' END,'
               ' pg_catalog.jsonb_build_object(''parent'', %%3$L), NULL::text[]',
               namespace.nspname, class.relname, parent.relname,
               CASE WHEN next.until IS NULL THEN 'false'
               WHEN NOT may.is_direct THEN
                   pg_catalog.format('ops.health_default_holds_v1(%%s::pg_catalog.oid::pg_catalog.regclass, %%L, %%L)', class.oid,
                                     next.until::text, (next.until + next.span)::text)
               ELSE
                   pg_catalog.format('EXISTS (SELECT FROM %%I.%%I WHERE %%I >= %%L AND %%I < %%L)', namespace.nspname,
                                     class.relname, next.key, next.until::text, next.key,
                                     (next.until + next.span)::text)
               END,
               CASE WHEN may.is_direct THEN
                   pg_catalog.format('EXISTS (SELECT FROM %%I.%%I)', namespace.nspname, class.relname)
               ELSE pg_catalog.format('ops.health_default_holds_v1(%%s::pg_catalog.oid::pg_catalog.regclass, NULL, NULL)',
                                      class.oid) END)
       END,
       CASE WHEN pg_catalog.row_security_active(class.oid) THEN 'ALTER ROLE the login BYPASSRLS'
            ELSE pg_catalog.concat_ws('; ',
                CASE WHEN NOT pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
                     THEN pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO the login', namespace.nspname) END,
                pg_catalog.format('GRANT SELECT ON %%I.%%I TO the login', namespace.nspname, class.relname)) END
  FROM pg_catalog.pg_partitioned_table AS split
  JOIN pg_catalog.pg_class AS class ON class.oid = split.partdefid AND class.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_class AS parent ON parent.oid = split.partrelid
 CROSS JOIN LATERAL (
       SELECT pg_catalog.has_table_privilege(class.oid, 'SELECT')
              AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
              AND NOT pg_catalog.row_security_active(class.oid) AS is_direct) AS may
  LEFT JOIN LATERAL (
       -- The span behind the last one: a partition for it cannot be made while rows of it are here.
       SELECT attribute.attname AS key, bound.found[2]::timestamptz AS until,
              bound.found[2]::timestamptz - bound.found[1]::timestamptz AS span
         FROM pg_catalog.pg_inherits AS link
         JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
         JOIN pg_catalog.pg_attribute AS attribute
           ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
          AND attribute.atttypid IN (1082, 1114, 1184)
        -- Of a type that is no time nothing is asked.
        CROSS JOIN LATERAL (SELECT CASE WHEN attribute.atttypid IN (1082, 1114, 1184) THEN
                                       pg_catalog.regexp_match(
                                           pg_catalog.pg_get_expr(part.relpartbound, 0),
                                           '^FOR VALUES FROM \(''([^'']+)''\) TO \(''([^'']+)''\)$') END AS found) AS bound
        WHERE link.inhparent = split.partrelid AND split.partstrat = 'r' AND split.partnatts = 1
          AND bound.found IS NOT NULL
          AND pg_catalog.isfinite(bound.found[1]::timestamptz) AND pg_catalog.isfinite(bound.found[2]::timestamptz)
        ORDER BY bound.found[2]::timestamptz DESC
        LIMIT 1) AS next ON true;

-- part_gap --
-- Spans of time between two partitions for which there is none.
WITH bounds AS MATERIALIZED (
    SELECT link.inhparent,
           pg_catalog.regexp_match(
               pg_catalog.pg_get_expr(part.relpartbound, 0),
               '^FOR VALUES FROM \((?:''([^'']+)''|MINVALUE)\) TO \((?:''([^'']+)''|MAXVALUE)\)$') AS found
      FROM pg_catalog.pg_inherits AS link
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid AND part.relpartbound IS NOT NULL
      JOIN pg_catalog.pg_partitioned_table AS split
        ON split.partrelid = link.inhparent AND split.partstrat = 'r' AND split.partnatts = 1
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = split.partrelid AND attribute.attnum = split.partattrs[0]
       AND attribute.atttypid IN (1082, 1114, 1184)
), spans AS (
    SELECT inhparent, found[2]::timestamptz AS until,
           lead(found[1]::timestamptz) OVER (PARTITION BY inhparent ORDER BY found[1]::timestamptz NULLS FIRST) AS next
      FROM bounds
     WHERE found IS NOT NULL
)
SELECT 'table', namespace.nspname, class.relname, NULL::float8,
       CASE WHEN spans.next > pg_catalog.clock_timestamp() THEN 'critical' ELSE 'warning' END,
       pg_catalog.jsonb_build_object('since', spans.until, 'until', spans.next),
       ARRAY[[pg_catalog.format('CREATE TABLE %%1$I.%%2$I PARTITION OF %%1$I.%%3$I FOR VALUES FROM (%%4$L) TO (%%5$L)',
                                namespace.nspname,
                                pg_catalog.format('%%s_p%%s', class.relname,
                                                  pg_catalog.to_char(spans.until, 'YYYYMMDD"_"HH24MI')),
                                class.relname, spans.until::text, spans.next::text),
              'ACCESS EXCLUSIVE']]
  FROM spans
  JOIN pg_catalog.pg_class AS class ON class.oid = spans.inhparent
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE spans.next > spans.until;

-- part_no_partitions --
-- Partitioned tables without a partition: no row has a place.
SELECT 'table', namespace.nspname, class.relname, NULL::float8,
       -- A list grows with what there is: one that is empty may just have begun.
       CASE split.partstrat WHEN 'l' THEN 'info' ELSE 'critical' END,
       '{}'::jsonb, NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_partitioned_table AS split ON split.partrelid = class.oid
 WHERE class.relkind = 'p'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS link WHERE link.inhparent = class.oid);

-- part_retention_overdue --
-- By how many periods the oldest partition is past what its policy keeps, unless something holds it.
WITH kept AS (
    SELECT pg_catalog.to_regclass(policy.table_name) AS relation,
           coalesce(policy.keep_for, rule.keep_for) AS keep_for,
           CASE policy.period WHEN 'quarter' THEN INTERVAL '3 months' ELSE ('1 ' || policy.period)::interval END AS period
      FROM ops.partition_policy AS policy
      LEFT JOIN public.retention_policies AS rule
        ON policy.table_name IN (rule.table_name, 'public.' || rule.table_name)
       AND rule.rule = policy.rule
     WHERE policy.hold IS NULL AND coalesce(policy.keep_for, rule.keep_for) IS NOT NULL
), oldest AS (
    SELECT kept.relation, kept.keep_for, kept.period, min(bound.found[2]::timestamptz) AS until
      FROM kept
      JOIN pg_catalog.pg_inherits AS link ON link.inhparent = kept.relation
      JOIN pg_catalog.pg_class AS part ON part.oid = link.inhrelid
     CROSS JOIN LATERAL (SELECT pg_catalog.regexp_match(
                                    pg_catalog.pg_get_expr(part.relpartbound, 0),
                                    '^FOR VALUES FROM \((?:''([^'']+)''|MINVALUE)\) TO \(''([^'']+)''\)$') AS found) AS bound
     WHERE bound.found IS NOT NULL
     GROUP BY kept.relation, kept.keep_for, kept.period
)
SELECT 'table', namespace.nspname, class.relname,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - (oldest.until + oldest.keep_for))
       / pg_catalog.date_part('epoch', oldest.period), NULL,
       pg_catalog.jsonb_build_object('until', oldest.until, 'keep_for', oldest.keep_for), NULL::text[]
  FROM oldest
  JOIN pg_catalog.pg_class AS class ON class.oid = oldest.relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace;

-- part_drop_overdue --
-- Partitions that were detached, and for how long they should have been dropped.
SELECT 'partition', NULL, archive.partition_name, late.days, NULL,
       pg_catalog.jsonb_build_object(
           'table', archive.table_name, 'archived', archive.archived_at IS NOT NULL, 'days', late.days::int),
       NULL::text[]
  FROM ops.partition_archives AS archive
  JOIN pg_catalog.pg_class AS class ON class.oid = archive.partition_oid
  JOIN ops.partition_policy AS policy ON policy.table_name = archive.table_name AND policy.hold IS NULL
 CROSS JOIN LATERAL (SELECT pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                                                          - (archive.detached_at + policy.grace)) / 86400 AS days) AS late
 WHERE archive.dropped_at IS NULL;

-- part_too_many --
-- Partitioned tables with so many partitions that planning takes long.
SELECT 'table', namespace.nspname, class.relname, NULL::float8, 'info',
       pg_catalog.jsonb_build_object('partitions', below.partitions), NULL::text[]
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (SELECT count(*) AS partitions FROM pg_catalog.pg_inherits AS link
                      WHERE link.inhparent = class.oid) AS below
 WHERE class.relkind = 'p' AND below.partitions > %(most)s;
