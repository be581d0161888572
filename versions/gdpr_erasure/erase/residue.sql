-- Statements about what is physically left of what was erased.

-- residue_want --
-- Have the files of the tables written anew, within so many days.
SELECT ops.want_rewrite_v1(%(tables)s::text[], pg_catalog.make_interval(days => %(within_days)s));

-- residue_now --
-- The server's time.
SELECT pg_catalog.clock_timestamp();

-- residue_tables --
-- Files of the tables, a partitioned one's as many as it has; of every table where none is named.
SELECT wanted.table_name, pg_catalog.pg_total_relation_size(class.oid),
       pg_catalog.pg_stat_get_dead_tuples(class.oid) + coalesce(pg_catalog.pg_stat_get_dead_tuples(nullif(class.reltoastrelid, 0)), 0),
       wanted.erased_at,
       greatest(pg_catalog.pg_stat_get_last_vacuum_time(class.oid), pg_catalog.pg_stat_get_last_autovacuum_time(class.oid)),
       wanted.rewritten_at,
       CASE WHEN wanted.rewritten_at > wanted.erased_at THEN NULL ELSE wanted.due_at END
  FROM ops.rewrites AS wanted
  JOIN pg_catalog.pg_class AS class ON class.oid = pg_catalog.to_regclass(wanted.table_name)
 WHERE %(tables)s::text[] IS NULL
    OR class.oid IN (SELECT stored.relation
                       FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
                      CROSS JOIN LATERAL (
                            SELECT pg_catalog.to_regclass(given.name)::oid AS relation
                             UNION ALL
                            SELECT part.relid::oid
                              FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) AS part) AS stored)
    -- Every large object of a database is in it: who unlinked one has said so.
    OR class.oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
 ORDER BY wanted.table_name;

-- residue_statistics --
-- Tables and views of which the planner knows what it knew: they had no rows when they were last counted, or are of
-- somebody for whom nobody who erases may count them.
WITH stored AS MATERIALIZED (
    SELECT pg_catalog.to_regclass(given.name)::oid AS relation
      FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
     UNION
    SELECT part.relid::oid
      FROM pg_catalog.unnest(%(tables)s::text[]) AS given (name)
     CROSS JOIN pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) AS part
), concerned AS MATERIALIZED (
    -- What is known is asked of these alone; of all that the server has, without.
    SELECT class.oid, namespace.nspname, class.relname
      FROM stored
      JOIN pg_catalog.pg_class AS class
        ON class.oid = stored.relation
       AND (class.reltuples = 0
            OR NOT pg_catalog.pg_has_role('agent_owner', class.relowner, 'USAGE')
               AND class.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace)
      JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
)
SELECT pg_catalog.format('%%I.%%I', concerned.nspname, concerned.relname)
  FROM concerned
 WHERE EXISTS (SELECT FROM pg_catalog.pg_stats AS known
                WHERE known.schemaname = concerned.nspname AND known.tablename = concerned.relname
               -- Of this table alone: else what is known of all is read at once, and put into a table.
               OFFSET 0)
    OR ops.has_statistics_v1(concerned.oid)
 ORDER BY 1;

-- residue_of_erasure --
-- The tables of an erasure's steps, and when nothing of them was left to be read.
SELECT step.table_name, coalesce(erasure.swept_at, erasure.erased_at, erasure.hidden_at)
  FROM ops.erasures AS erasure
  JOIN ops.erasure_steps AS step ON step.erasure_id = erasure.id
 WHERE erasure.id = %(erasure)s
 ORDER BY step.position;

-- residue_log --
-- Whether the log of changes is copied away, and whether this login may look at its files.
SELECT pg_catalog.current_setting('archive_mode') <> 'off',
       pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE');

-- residue_log_files --
-- What there is of it.
SELECT sum(file.size)::bigint, min(file.modification)
  FROM pg_catalog.pg_ls_waldir() AS file;

-- residue_slots --
-- Slots that keep some of it.
SELECT slot.slot_name, slot.slot_type, slot.active,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), slot.restart_lsn)::bigint
  FROM pg_catalog.pg_replication_slots AS slot
 WHERE NOT slot.temporary
   AND slot.restart_lsn IS NOT NULL
 ORDER BY slot.slot_name;

-- residue_replicas --
-- Who is sent it, and how much of it is not applied there.
SELECT coalesce(nullif(sent.application_name, ''), 'unnamed'), sent.state,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), sent.replay_lsn)::bigint
  FROM pg_catalog.pg_stat_replication AS sent
 ORDER BY 1;

-- residue_backups --
-- Backups, and when the last of them ends that holds what was erased: a copy of files until these are written anew.
SELECT policy.name, policy.kind,
       pg_catalog.concat('P', nullif(spoken.months, 0) || 'M', nullif(spoken.days, 0) || 'D',
                         'T' || nullif(spoken.seconds, 0)::text || 'S'),
       CASE policy.kind WHEN 'dump' THEN %(since)s::timestamptz ELSE %(clean_at)s::timestamptz END + policy.kept_for
  FROM ops.backup_policies AS policy
 CROSS JOIN LATERAL (
       SELECT (extract(year FROM policy.kept_for) * 12 + extract(month FROM policy.kept_for))::bigint AS months,
              extract(day FROM policy.kept_for)::bigint AS days,
              pg_catalog.trim_scale(extract(hour FROM policy.kept_for) * 3600 + extract(minute FROM policy.kept_for) * 60
                                    + extract(second FROM policy.kept_for)) AS seconds) AS spoken
 ORDER BY policy.name;

-- residue_snapshots --
-- How many may still see what was deleted before the tables were last wanted anew; NULL where the login may not know.
-- What is dead in a catalog is kept for whoever decodes changes as well. Who writes in another database sees nothing of
-- this one, but every snapshot that is taken here meanwhile, that of the rewrite too, is as old as they are.
WITH bound AS MATERIALIZED (
    -- In a copy that was restored, transactions are not those that the table speaks of.
    SELECT max(wanted.horizon)::xid AS horizon
      FROM ops.rewrites AS wanted
     WHERE wanted.horizon <= pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
)
SELECT CASE WHEN pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') THEN
           (SELECT count(*)
              FROM pg_catalog.pg_stat_activity AS session
             WHERE session.pid <> pg_catalog.pg_backend_pid()
               AND (pg_catalog.age(session.backend_xid) > pg_catalog.age(bound.horizon)
                    OR ((session.datname = pg_catalog.current_database() OR session.backend_type = 'walsender')
                        AND pg_catalog.age(session.backend_xmin) > pg_catalog.age(bound.horizon))))
           + (SELECT count(*)
                FROM pg_catalog.pg_prepared_xacts AS prepared
               WHERE pg_catalog.age(prepared.transaction) > pg_catalog.age(bound.horizon))
           + (SELECT count(*)
                FROM pg_catalog.pg_replication_slots AS slot
               WHERE pg_catalog.age(slot.xmin) > pg_catalog.age(bound.horizon)
                  OR (%(catalogs)s AND pg_catalog.age(slot.catalog_xmin) > pg_catalog.age(bound.horizon))) END
  FROM bound;

-- residue_logged --
-- Settings by which the server's log gets values that an application sends.
SELECT setting.name
  FROM pg_catalog.pg_settings AS setting
 WHERE CASE setting.name
       WHEN 'log_statement' THEN setting.setting IN ('mod', 'all')
       WHEN 'log_min_duration_statement' THEN setting.setting <> '-1'
       WHEN 'log_min_duration_sample' THEN setting.setting <> '-1'
       WHEN 'log_transaction_sample_rate' THEN setting.setting <> '0'
       WHEN 'log_parameter_max_length_on_error' THEN setting.setting <> '0'
       WHEN 'debug_print_parse' THEN setting.setting = 'on'
       WHEN 'debug_print_rewritten' THEN setting.setting = 'on'
       WHEN 'debug_print_plan' THEN setting.setting = 'on'
       WHEN 'auto_explain.log_min_duration' THEN setting.setting <> '-1'
       WHEN 'pgaudit.log_parameter' THEN setting.setting = 'on'
       ELSE false END
 ORDER BY setting.name;

-- rewrite_wanted --
-- Tables whose files are to be written anew: bytes, whether this login may, and whether by now.
SELECT wanted.table_name, pg_catalog.pg_total_relation_size(class.oid),
       pg_catalog.pg_has_role(class.relowner, 'USAGE')
       OR (class.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
           AND pg_catalog.pg_has_role((SELECT here.datdba FROM pg_catalog.pg_database AS here
                                        WHERE here.datname = pg_catalog.current_database()), 'USAGE')),
       wanted.due_at <= pg_catalog.clock_timestamp()
  FROM ops.rewrites AS wanted
  JOIN pg_catalog.pg_class AS class ON class.oid = pg_catalog.to_regclass(wanted.table_name)
 WHERE wanted.rewritten_at IS NULL OR wanted.rewritten_at <= wanted.erased_at
 ORDER BY wanted.due_at, wanted.table_name;

-- rewrite_may_look --
-- Whether the login sees which transactions others are in.
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'), session_user;

-- rewrite_file --
-- The file a table is in at this moment, and the server's time.
SELECT pg_catalog.pg_relation_filenode(%(table)s::pg_catalog.regclass), pg_catalog.clock_timestamp();

-- rewrite_table --
-- Write its files anew, those of its indexes and of its long values with it.
VACUUM (FULL) {table};

-- rewrite_done --
-- Keep since when the files are clean.
UPDATE ops.rewrites AS wanted
   SET rewritten_at = %(begun)s
 WHERE wanted.table_name = %(table)s;

-- rewrite_gone --
-- Forget tables that are there no longer, and their files with them.
DELETE FROM ops.rewrites AS wanted
 WHERE pg_catalog.to_regclass(wanted.table_name) IS NULL;

-- rewrite_is_superuser --
-- Whether the login may take out of a catalog what no function takes out of it.
SELECT pg_catalog.current_setting('is_superuser') = 'on';

-- rewrite_forget --
-- Forget what is known of a table without rows: before 18 counting it anew forgets nothing, and there is no function.
DELETE FROM pg_catalog.pg_statistic AS known
 USING pg_catalog.pg_class AS class
 WHERE class.oid = pg_catalog.to_regclass(%(table)s)
   AND class.reltuples = 0
   AND (known.starelid = class.oid
        OR known.starelid IN (SELECT index.indexrelid FROM pg_catalog.pg_index AS index WHERE index.indrelid = class.oid));
