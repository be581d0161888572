-- may_erase --
-- Whether there is the role that erases, and whether the login may act as it.
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles AS role WHERE role.rolname = %(role)s),
       coalesce((SELECT pg_catalog.pg_has_role(session_user, role.oid, 'MEMBER')
                   FROM pg_catalog.pg_roles AS role
                  WHERE role.rolname = %(role)s), false),
       session_user;

-- silence --
-- Each setting that would let the server log a statement or its parameters, if the login may change it.
SELECT pg_catalog.set_config(setting.name, wanted.value, false)
  FROM (VALUES ('log_statement', 'none'),
               ('log_min_duration_statement', '-1'),
               ('log_min_duration_sample', '-1'),
               ('log_transaction_sample_rate', '0'),
               ('log_duration', 'off'),
               ('log_min_error_statement', 'panic'),
               ('log_parameter_max_length', '0'),
               ('log_parameter_max_length_on_error', '0'),
               ('log_error_verbosity', 'terse'),
               ('debug_print_parse', 'off'),
               ('debug_print_rewritten', 'off'),
               ('debug_print_plan', 'off'),
               ('auto_explain.log_min_duration', '-1'),
               ('pg_stat_statements.track', 'none'),
               ('pgaudit.log', 'none')) AS wanted (name, value)
  JOIN pg_catalog.pg_settings AS setting ON setting.name = wanted.name
 WHERE setting.context = 'user'
    OR (setting.context = 'superuser' AND pg_catalog.has_parameter_privilege(setting.name, 'SET'));

-- become --
-- Without compiling: the server expects a lot of statements that ask the catalogs, which it then has before it has compiled.
-- Nor with other processes for what takes less than a second: to start them takes longer than most of what is counted.
SELECT pg_catalog.set_config('role', %(role)s, false),
       pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
       pg_catalog.set_config('default_transaction_read_only', 'off', false),
       pg_catalog.set_config('default_transaction_deferrable', 'off', false),
       pg_catalog.set_config('row_security', 'off', false),
       pg_catalog.set_config('jit', 'off', false),
       pg_catalog.set_config('parallel_setup_cost', '100000', false);

-- about --
-- Of the session: whom it is about, and behind which row it goes on.
SELECT pg_catalog.set_config('agentdb.subject', %(subject)s, false), pg_catalog.set_config('agentdb.after', %(after)s, false);

-- since --
-- The transaction that hid the person; another one where that number is of another cluster, as after a dump.
SELECT CASE WHEN %(hidden)s < pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint THEN %(hidden)s
            ELSE pg_catalog.pg_current_xact_id()::text::bigint
       END;

-- older_snapshots --
-- Sessions of this database with a snapshot that does not see what transaction `since` did. A session that vacuums by
-- itself has no user; one that sends what is logged writes nothing.
WITH at AS (
    SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next
)
SELECT pg_catalog.format('pid %%s (%%s)', other.pid, coalesce(other.state, 'of another user'))
  FROM pg_catalog.pg_stat_activity AS other
 CROSS JOIN at
 WHERE other.datname = pg_catalog.current_database()
   AND other.pid <> pg_catalog.pg_backend_pid()
   AND other.usesysid IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_get_wal_senders() AS sender WHERE sender.pid = other.pid)
   -- Thirty-two bits of a number, taken as the one nearest to the next.
   AND at.next + ((other.backend_xmin::text::bigint - at.next + 2147483648) & 4294967295) - 2147483648 <= %(since)s
 ORDER BY other.pid;

-- horizon --
-- One that is assigned: the number behind the last that ended may be smaller than one that is at work.
SELECT pg_catalog.pg_current_xact_id()::text::bigint;

-- older_writers --
WITH at AS (
    SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next
)
SELECT pg_catalog.format('pid %%s (%%s)', other.pid, coalesce(other.state, 'of another user'))
  FROM pg_catalog.pg_stat_activity AS other
 CROSS JOIN at
 WHERE other.datname = pg_catalog.current_database()
   AND other.pid <> pg_catalog.pg_backend_pid()
   AND other.usesysid IS NOT NULL
   AND at.next + ((other.backend_xid::text::bigint - at.next + 2147483648) & 4294967295) - 2147483648 < %(horizon)s
 ORDER BY other.pid;

-- older_prepared --
WITH at AS (
    SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next
)
SELECT pg_catalog.format('prepared transaction %%L', prepared.gid)
  FROM pg_catalog.pg_prepared_xacts AS prepared
 CROSS JOIN at
 WHERE prepared.database = pg_catalog.current_database()
   AND at.next + ((prepared.transaction::text::bigint - at.next + 2147483648) & 4294967295) - 2147483648 < %(horizon)s
 ORDER BY prepared.prepared;

-- begun --
-- The erasure of the person, or the one that completes another at present: once certified, a later one may again.
SELECT erasure.id::text, erasure.subject_id, erasure.subject_ref::text, erasure.completes::text, erasure.request_id,
       erasure.reason, erasure.requested_at, erasure.state, pg_catalog.encode(erasure.plan_hash, 'hex'),
       erasure.hidden_at, erasure.hidden_xid::text::bigint, erasure.erased_at, erasure.swept_at, erasure.certificate
  FROM ops.erasures AS erasure
 WHERE erasure.subject_id = %(subject)s
   AND erasure.completes IS NOT DISTINCT FROM %(completes)s::uuid
   AND (erasure.completes IS NULL OR erasure.state <> 'certified');

-- erasure --
SELECT erasure.id::text, erasure.subject_id, erasure.subject_ref::text, erasure.completes::text, erasure.request_id,
       erasure.reason, erasure.requested_at, erasure.state, pg_catalog.encode(erasure.plan_hash, 'hex'),
       erasure.hidden_at, erasure.hidden_xid::text::bigint, erasure.erased_at, erasure.swept_at, erasure.certificate
  FROM ops.erasures AS erasure
 WHERE erasure.id = %(erasure)s::uuid;

-- unfinished --
SELECT erasure.id::text
  FROM ops.erasures AS erasure
 WHERE erasure.state <> 'certified'
 ORDER BY erasure.hidden_at, erasure.id;

-- progress --
SELECT step.position, step.done_rows, step.swept_rows, step.after_key::text, step.finished_at IS NOT NULL
  FROM ops.erasure_steps AS step
 WHERE step.erasure_id = %(erasure)s::uuid
 ORDER BY step.position;

-- work_on --
-- This transaction erases, and so may touch what is left of the person.
SELECT ops.work_on_v1(%(erasure)s::uuid);

-- step_done --
SELECT ops.step_done_v1(%(erasure)s::uuid, %(position)s, %(rows)s, %(after)s, %(is_over)s, %(is_swept)s);

-- steps_done --
-- All steps at once, each of which is over.
SELECT count(ops.step_done_v1(%(erasure)s::uuid, done.position, done.rows, NULL, true, false)::text)
  FROM ROWS FROM (pg_catalog.unnest(%(positions)s::integer[]), pg_catalog.unnest(%(rows)s::bigint[])) AS done (position, rows);

-- tell_dead --
-- Tell the server at the end of this transaction, and not a while later, how many rows are dead.
SELECT pg_catalog.pg_stat_force_next_flush();

-- kept_at_first --
-- What the plan kept that an erasure began with, and of each how many rows and until when.
SELECT one.told, erasure.plan -> 'kept_counts' -> (one.place - 1)::integer
  FROM ops.erasures AS erasure
 CROSS JOIN pg_catalog.jsonb_array_elements(erasure.plan -> 'kept') WITH ORDINALITY AS one (told, place)
 WHERE erasure.id = %(erasure)s::uuid
 ORDER BY one.place;

-- requester --
-- The pseudonym of who ordered it.
SELECT pseudonym.audit_ref
  FROM ops.pseudonyms AS pseudonym
 WHERE pseudonym.user_id = pg_catalog.current_setting('agentdb.subject')::pg_catalog.int8;

-- begin --
-- Hide the person, or return the erasure there is.
SELECT ops.begin_erasure_v1(%(subject)s, %(reason)s, %(requested_at)s, %(plan)s::jsonb, pg_catalog.decode(%(plan_hash)s, 'hex'),
                            %(steps)s::jsonb, %(requested_by)s, %(request)s, %(completes)s::uuid)::text;

-- forget --
SELECT ops.forget_subject_v1(%(erasure)s::uuid);

-- reached --
SELECT ops.erasure_reached_v1(%(erasure)s::uuid, %(state)s, %(horizon)s::text::xid8);

-- certify --
SELECT ops.certify_erasure_v1(%(erasure)s::uuid, %(certificate)s);

-- is_person --
SELECT FROM public.users AS person WHERE person.id = %(subject)s;

-- settle_holds --
-- Wait for holds that are being placed or released, and let none be until the transaction ends.
SELECT ops.settle_holds_v1();
