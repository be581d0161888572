-- The statements that several rooms share.

-- try_advisory_lock --
-- Take the session lock of a key if it is free; never waits.
SELECT pg_catalog.pg_try_advisory_lock(%(key)s::bigint);

-- advisory_unlock --
-- Give the session lock of a key back.
SELECT pg_catalog.pg_advisory_unlock(%(key)s::bigint);

-- advisory_lock_holder --
-- Who holds the lock of a key in this database; a bigint key is kept in two halves.
SELECT activity.pid,
       activity.usename,
       activity.application_name,
       activity.state,
       activity.query
  FROM pg_catalog.pg_locks AS held
  JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = held.pid
  JOIN pg_catalog.pg_database AS here ON here.oid = held.database
 WHERE held.locktype = 'advisory'
   AND held.granted
   AND held.objsubid = 1
   AND here.datname = pg_catalog.current_database()
   AND (held.classid::bigint << 32 | held.objid::bigint) = %(key)s::bigint;

-- blockers --
-- The sessions that a waiting session waits for; 0 stands for the prepared transactions of this database.
SELECT activity.pid,
       activity.usename,
       activity.application_name,
       activity.state,
       activity.query
  FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(%(pid)s::integer)) AS blocker (pid)
  JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = blocker.pid
UNION ALL
SELECT 0,
       prepared.owner,
       prepared.gid,
       'prepared transaction',
       ''
  FROM pg_catalog.pg_prepared_xacts AS prepared
 WHERE prepared.database = pg_catalog.current_database()
   AND 0 = ANY (pg_catalog.pg_blocking_pids(%(pid)s::integer));

-- search_path --
-- Set the search path of this transaction and give back the one that was.
SELECT pg_catalog.current_setting('search_path'),
       pg_catalog.set_config('search_path', %(path)s, true);

-- meter_messages --
-- Let the session hear the server's own account of its work, or no longer; gives back what was set before.
SELECT pg_catalog.current_setting('client_min_messages'),
       pg_catalog.set_config('client_min_messages', %(level)s, %(local)s);

-- meter_wal --
-- How far the write-ahead log of the server has come, in bytes.
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0');

-- meter_relations --
-- Every relation of the schema and every one this session has locked, or the latter only: its file, how often
-- this transaction (or all sessions together) has read it as a whole, how many rows of it, and the modes of the
-- locks. What is dropped has no name.
WITH held AS (
    SELECT own.relation,
           pg_catalog.array_agg(DISTINCT own.mode) AS modes
      FROM pg_catalog.pg_locks AS own
      JOIN pg_catalog.pg_database AS here ON here.oid = own.database
     WHERE own.locktype = 'relation'
       AND own.pid = pg_catalog.pg_backend_pid()
       AND own.granted
       AND here.datname = pg_catalog.current_database()
     GROUP BY own.relation
), seen AS (
    SELECT class.oid,
           CASE namespace.nspname
               WHEN 'public' THEN pg_catalog.quote_ident(class.relname)
               ELSE pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
           END AS name,
           namespace.nspname,
           class.relname,
           class.relkind,
           pg_catalog.pg_relation_filenode(class.oid) AS file,
           class.reltablespace,
           built.indrelid,
           CASE WHEN %(shared)s THEN pg_catalog.pg_stat_get_numscans(class.oid)
                ELSE pg_catalog.pg_stat_get_xact_numscans(class.oid) END AS scans,
           CASE WHEN %(shared)s THEN pg_catalog.pg_stat_get_tuples_returned(class.oid)
                ELSE pg_catalog.pg_stat_get_xact_tuples_returned(class.oid) END AS returned
      FROM pg_catalog.pg_class AS class
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
      LEFT JOIN pg_catalog.pg_index AS built ON built.indexrelid = class.oid
     WHERE namespace.nspname !~ '^pg_'
       AND namespace.nspname <> 'information_schema'
       AND class.relkind <> 'c'
       AND (NOT %(locked)s OR class.oid IN (SELECT held.relation FROM held))
)
SELECT coalesce(seen.oid, held.relation),
       seen.name,
       seen.nspname,
       seen.relname,
       seen.relkind,
       seen.file,
       seen.reltablespace,
       seen.indrelid,
       coalesce(seen.scans, 0),
       coalesce(seen.returned, 0),
       coalesce(held.modes, '{}')
  FROM seen
  FULL JOIN held ON held.relation = seen.oid;

-- begin_planning --
-- Let the planner look for an index wherever one would do, until the savepoint is left.
SAVEPOINT planned;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;

-- plan_of --
-- How a query would be executed.
EXPLAIN (VERBOSE, COSTS off, FORMAT json) {statement};

-- end_planning --
-- Give back what planning has locked and set.
ROLLBACK TO SAVEPOINT planned;
RELEASE SAVEPOINT planned;

-- sampled_locks --
-- What another session has locked or waits for; a wait for something else than a relation has no oid.
SELECT taken.relation,
       taken.mode,
       taken.granted
  FROM pg_catalog.pg_locks AS taken
 WHERE taken.pid = %(pid)s::integer
   AND (taken.locktype = 'relation' OR NOT taken.granted);

-- settle_counts --
-- Let the server add up what this session has counted as soon as it is idle.
SELECT pg_catalog.pg_stat_force_next_flush();

-- lock_relation --
-- Lock a relation without those that inherit from it.
LOCK TABLE ONLY {name} IN {mode} MODE;

-- copyable --
-- Whether a database is no larger than that, and whether nobody is connected to it but whoever asks.
SELECT pg_catalog.pg_database_size(there.oid) <= %(most_bytes)s::bigint,
       NOT EXISTS (SELECT
                     FROM pg_catalog.pg_stat_activity AS activity
                    WHERE activity.datid = there.oid
                      AND activity.backend_type = 'client backend'
                      AND activity.application_name <> %(purpose)s)
  FROM pg_catalog.pg_database AS there
 WHERE there.datname = %(name)s;

-- copy_database --
-- Make a database that holds all that another one holds.
CREATE DATABASE {name} TEMPLATE {original};

-- create_database --
-- Make an empty database.
CREATE DATABASE {name} TEMPLATE template0 ENCODING {encoding} LC_COLLATE {collate} LC_CTYPE {ctype}{locale};

-- drop_database --
-- Drop a database, whoever is connected to it.
DROP DATABASE IF EXISTS {name} WITH (FORCE);

-- drop_idle_database --
-- Drop a database that nobody is connected to.
DROP DATABASE IF EXISTS {name};

-- locale_of_database --
-- What a database like this one is made with; the column of the locale has had two names.
SELECT pg_catalog.pg_encoding_to_char(here.encoding),
       here.datcollate,
       here.datctype,
       here.datlocprovider,
       coalesce(pg_catalog.to_jsonb(here) ->> 'datlocale', pg_catalog.to_jsonb(here) ->> 'daticulocale')
  FROM pg_catalog.pg_database AS here
 WHERE here.datname = pg_catalog.current_database();

-- leftover_shadows --
-- The clones whose maker, by its process number, is connected no longer.
SELECT left_over.datname
  FROM pg_catalog.pg_database AS left_over
 WHERE left_over.datname ~ '^agentdb_shadow_[0-9]+_[0-9a-f]{8}$'
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_stat_activity AS activity
                    WHERE activity.pid = pg_catalog.split_part(left_over.datname, '_', 3)::integer);

-- owners --
-- Who owns relations, of a database whose schema a superuser does not restore.
SELECT DISTINCT pg_catalog.pg_get_userbyid(class.relowner)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
  JOIN pg_catalog.pg_roles AS login ON login.rolname = current_user
 WHERE namespace.nspname !~ '^pg_'
   AND namespace.nspname <> 'information_schema'
   AND NOT login.rolsuper;

-- let_make --
-- Let a role make objects in the schema public.
GRANT CREATE ON SCHEMA public TO {owner};

-- rows_of --
-- All rows of a table as one value.
SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(whole))::text
  FROM {table} AS whole;

-- add_rows --
-- Add rows that were read as one value.
INSERT INTO {table}
SELECT (pg_catalog.jsonb_populate_recordset(NULL::{table}, %(rows)s::jsonb)).*;

-- is_there --
-- Whether there is a table of that name.
SELECT pg_catalog.to_regclass(%(name)s) IS NOT NULL;

-- schema_objects --
-- Every object of the schema, one row each: kind, identity, definition. Server and extensions left out, and
-- what outlives a downgrade: Alembic's own table, the journal, schema ops while it holds no more, and what
-- rollbacks kept, and the views of released revisions. Definitions are deparsed by the server, so that what is
-- written differently and means the same is the same; an ACL that was never touched equals its default.
WITH visible AS (
    SELECT namespace.oid,
           namespace.nspname
      FROM pg_catalog.pg_namespace AS namespace
     WHERE namespace.nspname !~ '^(pg_|rollback_[0-9a-f]{12}$|app_v[0-9]{3}$)'
       AND namespace.nspname <> 'information_schema'
), extended AS (
    SELECT link.classid,
           link.objid
      FROM pg_catalog.pg_depend AS link
     WHERE link.deptype = 'e'
), relation AS (
    SELECT class.*,
           pg_catalog.format('%%I.%%I', visible.nspname, class.relname) AS called
      FROM pg_catalog.pg_class AS class
      JOIN visible ON visible.oid = class.relnamespace
     WHERE NOT EXISTS (SELECT FROM extended
                        WHERE extended.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND extended.objid = class.oid)
       AND class.relname NOT IN ('alembic_version', 'alembic_version_pkc')
       AND NOT (visible.nspname = 'ops'
                AND class.relname IN ('migration_journal', 'migration_journal_pkey',
                                      'migration_state', 'migration_state_pkey'))
)
SELECT 'schema' AS kind,
       pg_catalog.format('%%I', visible.nspname) AS identity,
       pg_catalog.jsonb_build_array(
           pg_catalog.pg_get_userbyid(namespace.nspowner),
           (SELECT pg_catalog.jsonb_agg(item::text ORDER BY item::text)
              FROM pg_catalog.unnest(coalesce(namespace.nspacl, pg_catalog.acldefault('n', namespace.nspowner))) AS item),
           pg_catalog.obj_description(namespace.oid, 'pg_namespace')
       )::text AS definition
  FROM visible
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = visible.oid
 WHERE visible.nspname <> 'ops'
    OR EXISTS (SELECT FROM relation WHERE relation.relnamespace = visible.oid)
    OR EXISTS (SELECT FROM pg_catalog.pg_proc AS routine WHERE routine.pronamespace = visible.oid)
UNION ALL
SELECT 'relation',
       relation.called,
       pg_catalog.jsonb_build_array(
           relation.relkind, relation.relpersistence, pg_catalog.pg_get_userbyid(relation.relowner),
           relation.reloptions, relation.relrowsecurity, relation.relforcerowsecurity, relation.relreplident,
           pg_catalog.pg_get_expr(relation.relpartbound, relation.oid),
           CASE WHEN relation.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(relation.oid) END,
           CASE WHEN relation.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(relation.oid) END,
           (SELECT pg_catalog.jsonb_agg(parent.inhparent::pg_catalog.regclass::text ORDER BY parent.inhseqno)
              FROM pg_catalog.pg_inherits AS parent WHERE parent.inhrelid = relation.oid),
           (SELECT pg_catalog.to_jsonb(sequence) - 'seqrelid'
              FROM pg_catalog.pg_sequence AS sequence WHERE sequence.seqrelid = relation.oid),
           CASE WHEN relation.relkind <> 'i' AND relation.relkind <> 'I' THEN
               (SELECT pg_catalog.jsonb_agg(item::text ORDER BY item::text)
                  FROM pg_catalog.unnest(coalesce(relation.relacl, pg_catalog.acldefault(
                           (CASE relation.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", relation.relowner))) AS item)
           END,
           pg_catalog.obj_description(relation.oid, 'pg_class')
       )::text
  FROM relation
UNION ALL
SELECT 'column',
       pg_catalog.format('%%s.%%I', relation.called, attribute.attname),
       pg_catalog.jsonb_build_array(
           pg_catalog.row_number() OVER (PARTITION BY relation.oid ORDER BY attribute.attnum),
           pg_catalog.format_type(attribute.atttypid, attribute.atttypmod), attribute.attnotnull,
           attribute.attcollation::pg_catalog.regcollation::text, attribute.attidentity, attribute.attgenerated,
           pg_catalog.pg_get_expr(preset.adbin, preset.adrelid),
           coalesce(attribute.attstattarget, -1), attribute.attstorage, attribute.attcompression,
           attribute.attoptions, attribute.attacl::text,
           pg_catalog.col_description(relation.oid, attribute.attnum)
       )::text
  FROM relation
  JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid
  LEFT JOIN pg_catalog.pg_attrdef AS preset
    ON preset.adrelid = attribute.attrelid AND preset.adnum = attribute.attnum
 WHERE attribute.attnum > 0
   AND NOT attribute.attisdropped
   AND relation.relkind NOT IN ('i', 'I', 'S')
UNION ALL
SELECT CASE WHEN linked.contypid = 0 THEN 'constraint' ELSE 'domain constraint' END,
       pg_catalog.format('%%s.%%I', coalesce(relation.called, linked.contypid::pg_catalog.regtype::text), linked.conname),
       pg_catalog.jsonb_build_array(
           pg_catalog.pg_get_constraintdef(linked.oid), linked.convalidated, linked.condeferrable,
           linked.condeferred, linked.conislocal, linked.connoinherit,
           -- Its triggers can be switched off one by one, which leaves a foreign key in name only.
           (SELECT pg_catalog.jsonb_agg(own.tgenabled ORDER BY own.tgenabled)
              FROM pg_catalog.pg_trigger AS own WHERE own.tgconstraint = linked.oid),
           pg_catalog.obj_description(linked.oid, 'pg_constraint')
       )::text
  FROM pg_catalog.pg_constraint AS linked
  JOIN visible ON visible.oid = linked.connamespace
  LEFT JOIN relation ON relation.oid = linked.conrelid
 WHERE relation.oid IS NOT NULL
    OR (linked.contypid <> 0
        AND NOT EXISTS (SELECT FROM extended
                         WHERE extended.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                           AND extended.objid = linked.contypid))
UNION ALL
SELECT 'index',
       relation.called,
       pg_catalog.jsonb_build_array(
           pg_catalog.pg_get_indexdef(pg_index.indexrelid), pg_index.indisvalid, pg_index.indisready,
           pg_index.indisclustered, pg_index.indisreplident,
           pg_catalog.obj_description(relation.oid, 'pg_class')
       )::text
  FROM relation
  JOIN pg_catalog.pg_index ON pg_index.indexrelid = relation.oid
UNION ALL
SELECT 'trigger',
       pg_catalog.format('%%s.%%I', relation.called, pg_trigger.tgname),
       pg_catalog.jsonb_build_array(
           pg_catalog.pg_get_triggerdef(pg_trigger.oid), pg_trigger.tgenabled,
           pg_catalog.obj_description(pg_trigger.oid, 'pg_trigger')
       )::text
  FROM relation
  JOIN pg_catalog.pg_trigger ON pg_trigger.tgrelid = relation.oid
 WHERE NOT pg_trigger.tgisinternal
UNION ALL
SELECT 'policy',
       pg_catalog.format('%%s.%%I', relation.called, policy.polname),
       pg_catalog.jsonb_build_array(
           policy.polcmd, policy.polpermissive,
           (SELECT pg_catalog.jsonb_agg(coalesce(role.rolname, 'public') ORDER BY role.rolname)
              FROM pg_catalog.unnest(policy.polroles) AS member (oid)
              LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = member.oid),
           pg_catalog.pg_get_expr(policy.polqual, policy.polrelid),
           pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid)
       )::text
  FROM relation
  JOIN pg_catalog.pg_policy AS policy ON policy.polrelid = relation.oid
UNION ALL
SELECT 'rule',
       pg_catalog.format('%%s.%%I', relation.called, rewrite.rulename),
       pg_catalog.jsonb_build_array(pg_catalog.pg_get_ruledef(rewrite.oid), rewrite.ev_enabled)::text
  FROM relation
  JOIN pg_catalog.pg_rewrite AS rewrite ON rewrite.ev_class = relation.oid
 WHERE rewrite.rulename <> '_RETURN'
UNION ALL
SELECT 'routine',
       routine.oid::pg_catalog.regprocedure::text,
       pg_catalog.jsonb_build_array(
           CASE WHEN routine.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(routine.oid) ELSE 'aggregate' END,
           pg_catalog.pg_get_userbyid(routine.proowner),
           (SELECT pg_catalog.jsonb_agg(item::text ORDER BY item::text)
              FROM pg_catalog.unnest(coalesce(routine.proacl, pg_catalog.acldefault('f', routine.proowner))) AS item),
           pg_catalog.obj_description(routine.oid, 'pg_proc')
       )::text
  FROM pg_catalog.pg_proc AS routine
  JOIN visible ON visible.oid = routine.pronamespace
 WHERE NOT EXISTS (SELECT FROM extended
                    WHERE extended.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND extended.objid = routine.oid)
UNION ALL
SELECT 'type',
       pg_catalog.format('%%I.%%I', visible.nspname, type.typname),
       pg_catalog.jsonb_build_array(
           type.typtype, pg_catalog.format_type(nullif(type.typbasetype, 0), type.typtypmod), type.typnotnull,
           type.typdefault, pg_catalog.pg_get_userbyid(type.typowner),
           (SELECT pg_catalog.jsonb_build_array(span.rngsubtype::pg_catalog.regtype::text, span.rngsubopc, span.rngcollation)
              FROM pg_catalog.pg_range AS span WHERE span.rngtypid = type.oid),
           (SELECT pg_catalog.jsonb_agg(label.enumlabel ORDER BY label.enumsortorder)
              FROM pg_catalog.pg_enum AS label WHERE label.enumtypid = type.oid),
           (SELECT pg_catalog.jsonb_agg(item::text ORDER BY item::text)
              FROM pg_catalog.unnest(coalesce(type.typacl, pg_catalog.acldefault('T', type.typowner))) AS item),
           pg_catalog.obj_description(type.oid, 'pg_type')
       )::text
  FROM pg_catalog.pg_type AS type
  JOIN visible ON visible.oid = type.typnamespace
 WHERE type.typtype IN ('d', 'e', 'r')
   AND NOT EXISTS (SELECT FROM extended
                    WHERE extended.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                      AND extended.objid = type.oid)
UNION ALL
SELECT 'extension',
       pg_catalog.format('%%I', extension.extname),
       pg_catalog.jsonb_build_array(
           extension.extversion, extension.extnamespace::pg_catalog.regnamespace::text,
           pg_catalog.obj_description(extension.oid, 'pg_extension')
       )::text
  FROM pg_catalog.pg_extension AS extension
UNION ALL
SELECT 'statistics',
       pg_catalog.format('%%I.%%I', visible.nspname, statistics.stxname),
       pg_catalog.jsonb_build_array(pg_catalog.pg_get_statisticsobjdef(statistics.oid), statistics.stxstattarget)::text
  FROM pg_catalog.pg_statistic_ext AS statistics
  JOIN visible ON visible.oid = statistics.stxnamespace
UNION ALL
SELECT 'default privileges',
       pg_catalog.concat_ws('.', pg_catalog.pg_get_userbyid(preset.defaclrole),
                            nullif(preset.defaclnamespace, 0)::pg_catalog.regnamespace::text, preset.defaclobjtype),
       preset.defaclacl::text
  FROM pg_catalog.pg_default_acl AS preset
UNION ALL
SELECT 'publication',
       pg_catalog.format('%%I', publication.pubname),
       pg_catalog.jsonb_build_array(
           publication.puballtables, publication.pubinsert, publication.pubupdate, publication.pubdelete,
           publication.pubtruncate, publication.pubviaroot,
           (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
                       member.prrelid::pg_catalog.regclass::text,
                       pg_catalog.pg_get_expr(member.prqual, member.prrelid), member.prattrs::text)
                       ORDER BY member.prrelid::pg_catalog.regclass::text)
              FROM pg_catalog.pg_publication_rel AS member WHERE member.prpubid = publication.oid),
           (SELECT pg_catalog.jsonb_agg(member.pnnspid::pg_catalog.regnamespace::text
                       ORDER BY member.pnnspid::pg_catalog.regnamespace::text)
              FROM pg_catalog.pg_publication_namespace AS member WHERE member.pnpubid = publication.oid)
       )::text
  FROM pg_catalog.pg_publication AS publication
UNION ALL
SELECT 'event trigger',
       pg_catalog.format('%%I', watcher.evtname),
       pg_catalog.jsonb_build_array(
           watcher.evtevent, watcher.evtenabled, watcher.evtfoid::pg_catalog.regprocedure::text, watcher.evttags
       )::text
  FROM pg_catalog.pg_event_trigger AS watcher;

-- time_outs --
-- How long a statement may take, and how long it may wait for a lock.
SELECT pg_catalog.current_setting('statement_timeout'), pg_catalog.current_setting('lock_timeout');

-- set_time_outs --
-- Let statements take so long, and wait so long for a lock.
SELECT pg_catalog.set_config('statement_timeout', {statement_timeout}, false),
       pg_catalog.set_config('lock_timeout', {lock_timeout}, false);
