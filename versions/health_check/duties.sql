-- The statements of the checks of what the application owes by a day.

-- app_erasure_overdue --
-- Requests of people that nobody has answered, by what they ask for, and when the first of them is due; nothing is
-- while the clock stands still.
SELECT 'request', NULL, request.kind, pg_catalog.date_part('epoch', min(request.due_at) - pg_catalog.now()) / 86400,
       NULL,
       pg_catalog.jsonb_build_object(
           'open', count(*),
           'days', (pg_catalog.date_part('epoch', min(request.due_at) - pg_catalog.now()) / 86400)::bigint),
       NULL::text[]
  FROM public.data_subject_requests AS request
 WHERE request.status NOT IN ('completed', 'rejected')
   AND request.due_at IS NOT NULL
 GROUP BY request.kind;

-- app_queue_overdue --
-- What to ask of the table that was named: how many of its rows are not done, and when the first is due.
SELECT 'queue', namespace.nspname, class.relname,
       CASE WHEN pg_catalog.has_table_privilege(class.oid, 'SELECT')
                 AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE') THEN
           pg_catalog.format(
               'SELECT ''queue'', %%1$L, %%2$L, waiting.hours, NULL, '
               '       pg_catalog.jsonb_build_object(''open'', waiting.open, ''hours'', waiting.hours::bigint), NULL::text[] '
               '  FROM (SELECT count(*) AS open, '
               '               pg_catalog.date_part(''epoch'', min(entry.%%3$I)::timestamptz - pg_catalog.now()) / 3600 AS hours '
               '          FROM %%1$I.%%2$I AS entry WHERE entry.%%4$I IS NULL) AS waiting '
               ' WHERE waiting.open > 0',
               namespace.nspname, class.relname, %(due)s::text, %(done)s::text) END,
       pg_catalog.format('GRANT SELECT ON %%I.%%I TO the login', namespace.nspname, class.relname)
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.oid = pg_catalog.to_regclass(%(table)s)
UNION ALL
SELECT 'queue', NULL, %(table)s,
       pg_catalog.format('SELECT ''queue'', NULL, %%1$L, NULL::float8, ''unknown'', '
                         '       pg_catalog.jsonb_build_object(''reason'', ''there is no such table''), NULL::text[]',
                         %(table)s::text), NULL
 WHERE pg_catalog.to_regclass(%(table)s) IS NULL;

-- app_job_heartbeat --
-- How often each job could have ended well since it did.
SELECT 'job', NULL, beat.job,
       pg_catalog.date_part('epoch', pg_catalog.now() - beat.succeeded_at) / pg_catalog.date_part('epoch', beat.every),
       NULL,
       pg_catalog.jsonb_build_object(
           'hours', (pg_catalog.date_part('epoch', pg_catalog.now() - beat.succeeded_at) / 3600)::bigint,
           'every', beat.every::text),
       NULL::text[]
  FROM ops.job_heartbeat AS beat;

-- app_audit_broken --
-- Seals that do not follow on the one before, among the latest; whoever verifies the trail looks at all.
SELECT 'seal', NULL, linked.id::text, NULL::float8, 'critical', '{}'::jsonb, NULL::text[]
  FROM (SELECT seal.id, seal.previous_hash, lag(seal.hash) OVER (ORDER BY seal.id) AS before,
               lag(seal.id) OVER (ORDER BY seal.id) AS previous_id
          FROM ops.audit_seal AS seal
         WHERE seal.id > (SELECT max(latest.id) FROM ops.audit_seal AS latest) - 10000) AS linked
 WHERE linked.previous_id IS NOT NULL
   AND (linked.id <> linked.previous_id + 1 OR linked.previous_hash IS DISTINCT FROM linked.before);

-- app_audit_unsealed --
-- The first entry of the trail that no seal covers; where nobody has ever sealed, that is worth knowing. In a database
-- that was just restored, transactions are not those that the last seal speaks of: there, the first that is younger.
WITH server AS MATERIALIZED (
    SELECT control.system_identifier::text AS identifier,
           pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()) AS unborn
      FROM pg_catalog.pg_control_system() AS control
), latest AS MATERIALIZED (
    SELECT seal.horizon, seal.sealed_at,
           seal.system_identifier = server.identifier AND seal.horizon <= server.unborn AS is_of_here
      FROM ops.audit_seal AS seal CROSS JOIN server
     ORDER BY seal.id DESC
     LIMIT 1
)
SELECT 'table', 'public', 'audit_log', late.minutes,
       CASE WHEN NOT EXISTS (SELECT FROM latest) THEN 'info' END,
       pg_catalog.jsonb_build_object('minutes', late.minutes::bigint), NULL::text[]
  FROM (SELECT pg_catalog.date_part('epoch', pg_catalog.now() - CASE WHEN coalesce((SELECT latest.is_of_here FROM latest), true) THEN
                   (SELECT entry.created_at
                      FROM public.audit_log AS entry
                     WHERE entry.xid >= coalesce((SELECT latest.horizon FROM latest), '0')
                       AND entry.xid < (SELECT server.unborn FROM server)
                       AND NOT EXISTS (SELECT FROM ops.audit_seal AS seal WHERE seal.entry_ids @> entry.id)
                     ORDER BY entry.xid
                     LIMIT 1)
               ELSE
                   (SELECT min(entry.created_at)
                      FROM public.audit_log AS entry
                     WHERE entry.created_at > (SELECT latest.sealed_at FROM latest))
               END) / 60 AS minutes) AS late
 WHERE late.minutes IS NOT NULL;

-- app_retention_overdue --
-- What to ask for the oldest row that a policy would have deleted; whole partitions are looked at by their bounds.
WITH lent AS MATERIALIZED (
    -- Whose tables a function of revision 009 may be asked about, in place of a grant to read them.
    SELECT routine.proowner AS owner
      FROM pg_catalog.pg_proc AS routine
      JOIN pg_catalog.pg_namespace AS home ON home.oid = routine.pronamespace AND home.nspname = 'ops'
     WHERE routine.proname = 'health_oldest_v1' AND routine.prosecdef
       AND pg_catalog.has_schema_privilege(home.oid, 'USAGE')
       AND pg_catalog.has_function_privilege(routine.oid, 'EXECUTE')
)
SELECT 'policy', NULL::text, pg_catalog.format('%%s.%%s', policy.table_name, policy.rule),
       CASE WHEN may.is_direct OR class.relowner IN (SELECT lent.owner FROM lent) THEN
           pg_catalog.format(
               'SELECT ''policy'', NULL::text, %%1$L, oldest.days, NULL, '
               '       pg_catalog.jsonb_build_object(''days'', oldest.days::bigint), NULL::text[] '
               '  FROM (SELECT pg_catalog.date_part(''epoch'', pg_catalog.now() - %%2$L::interval - kept.oldest) / 86400 AS days '
               '          FROM (SELECT %%3$s) AS kept) AS oldest WHERE oldest.days > 0',
               pg_catalog.format('%%s.%%s', policy.table_name, policy.rule), policy.keep_for,
               CASE WHEN may.is_direct THEN
                   pg_catalog.format('min(%%I) AS oldest FROM %%s', policy.time_column, class.oid::pg_catalog.regclass)
               ELSE pg_catalog.format('ops.health_oldest_v1(%%s::pg_catalog.oid::pg_catalog.regclass, %%L) AS oldest',
                                      class.oid, policy.time_column) END) END,
       pg_catalog.format('GRANT USAGE ON SCHEMA %%s TO the login; GRANT SELECT ON %%s TO the login',
                         class.relnamespace::pg_catalog.regnamespace, class.oid::pg_catalog.regclass)
  FROM public.retention_policies AS policy
 CROSS JOIN LATERAL (
       SELECT CASE WHEN policy.table_name ~ '[.]' THEN policy.table_name ELSE 'public.' || policy.table_name END AS name) AS full_
  JOIN pg_catalog.pg_class AS class ON class.oid = pg_catalog.to_regclass(full_.name)
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid = class.oid AND attribute.attname = policy.time_column AND NOT attribute.attisdropped
 CROSS JOIN LATERAL (
       SELECT pg_catalog.has_column_privilege(class.oid, policy.time_column, 'SELECT')
              AND pg_catalog.has_schema_privilege(class.relnamespace, 'USAGE')
              AND NOT pg_catalog.row_security_active(class.oid) AS is_direct) AS may
 WHERE policy.action = 'delete' AND class.relkind = 'r';

-- app_erasure_unfinished --
-- Erasures that have stopped on their way, by how far they came: what continues them is agentdb gdpr-erasure work.
SELECT 'erasure', NULL, erasure.state, max(since.hours), NULL,
       pg_catalog.jsonb_build_object('open', count(*), 'hours', max(since.hours)::bigint), NULL::text[]
  FROM ops.erasures AS erasure
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.now() - erasure.hidden_at) / 3600 AS hours) AS since
 WHERE erasure.state IN ('hidden', 'erased')
 GROUP BY erasure.state;

-- app_certificate_missing --
-- Those that came to the end but for their certificate: for as long as its key is not there, for example.
SELECT 'erasure', NULL, 'swept', max(since.hours), NULL,
       pg_catalog.jsonb_build_object('open', count(*), 'hours', max(since.hours)::bigint), NULL::text[]
  FROM ops.erasures AS erasure
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.now() - erasure.swept_at) / 3600 AS hours) AS since
 WHERE erasure.state = 'swept'
HAVING count(*) > 0;

-- app_notice_overdue --
-- Who has to be told of erasures and has not been, and since when.
SELECT 'recipient', NULL, notice.recipient, max(since.days), NULL,
       pg_catalog.jsonb_build_object('open', count(*), 'days', max(since.days)::bigint), NULL::text[]
  FROM ops.erasure_notices AS notice
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', pg_catalog.now() - notice.queued_at) / 86400 AS days) AS since
 WHERE notice.outcome IS NULL
 GROUP BY notice.recipient;

-- app_rewrite_wanted --
-- Tables whose files hold what was erased, and until when they are to be written anew: agentdb gdpr-erasure residue.
SELECT 'table', namespace.nspname, class.relname, due.days, NULL,
       pg_catalog.jsonb_build_object('days', due.days::bigint), NULL::text[]
  FROM ops.rewrites AS wanted
  JOIN pg_catalog.pg_class AS class ON class.oid = pg_catalog.to_regclass(wanted.table_name)
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 CROSS JOIN LATERAL (
       SELECT pg_catalog.date_part('epoch', wanted.due_at - pg_catalog.now()) / 86400 AS days) AS due
 WHERE wanted.rewritten_at IS NULL OR wanted.rewritten_at <= wanted.erased_at;

-- app_gate_closed --
-- Whether the application is kept out, as behind a restore.
SELECT 'gate', NULL, 'erasures', NULL::float8, 'critical', '{}'::jsonb, NULL::text[]
 WHERE NOT ops.gate_is_open_v1();

-- app_backups_undeclared --
-- Where somebody was erased, and nothing says how long backups are kept.
SELECT 'table', 'ops', 'backup_policies', NULL::float8, 'info', '{}'::jsonb, NULL::text[]
 WHERE EXISTS (SELECT FROM ops.erasures AS erasure WHERE erasure.state = 'certified')
   AND NOT EXISTS (SELECT FROM ops.backup_policies AS policy);
