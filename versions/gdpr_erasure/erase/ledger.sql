-- What the ledger outside the database is written from, and what a database is compared with it by.

-- entry_of_ledger --
-- What the ledger says of one erasure; an instant as microseconds, which no setting writes otherwise.
SELECT erasure.id::text,
       erasure.completes::text,
       erasure.subject_id,
       (extract(epoch FROM erasure.subject_created_at) * 1000000)::int8,
       erasure.reason,
       erasure.requested_at
  FROM ops.erasures AS erasure
 WHERE erasure.id = %(erasure)s::uuid;

-- entries_of_ledger --
-- All erasures, in the order in which they began, and whether they have ended.
SELECT erasure.id::text,
       erasure.completes::text,
       erasure.subject_id,
       (extract(epoch FROM erasure.subject_created_at) * 1000000)::int8,
       erasure.reason,
       erasure.requested_at,
       erasure.hidden_at,
       erasure.swept_at
  FROM ops.erasures AS erasure
 ORDER BY erasure.hidden_at, erasure.id;

-- numbers_here --
-- The erasures of which this database knows, and why.
SELECT erasure.id::text,
       erasure.reason
  FROM ops.erasures AS erasure;

-- people_here --
-- Everybody, and when they registered; no ledger names whoever has no such instant.
SELECT person.id,
       (extract(epoch FROM person.created_at) * 1000000)::int8
  FROM public.users AS person
 WHERE isfinite(person.created_at);

-- erased_here --
-- People of whom this database knows that they are being erased or were.
SELECT erasure.subject_id,
       (extract(epoch FROM erasure.subject_created_at) * 1000000)::int8
  FROM ops.erasures AS erasure
 WHERE erasure.completes IS NULL
   AND isfinite(erasure.subject_created_at);

-- revived --
-- People whose erasure has ended here, and whose row says otherwise: as where one table was restored.
SELECT erasure.id::text,
       erasure.subject_id,
       erasure.requested_at
  FROM ops.erasures AS erasure
  JOIN public.users AS person
    ON person.id = erasure.subject_id
   AND person.created_at = erasure.subject_created_at
   AND person.status <> 'erased'
 WHERE erasure.completes IS NULL
   AND erasure.state = 'certified'
 ORDER BY erasure.hidden_at;

-- begin_again --
-- Numbers of transactions from before a restore mean nothing here.
SELECT ops.begin_again_v1();

-- gate_is_open --
-- Whether nobody who was erased can have come back.
SELECT ops.gate_is_open_v1();

-- open_gate --
-- Let the application in again.
SELECT ops.open_gate_v1(%(ledger)s::bytea, %(erased)s::int8);

-- close_gate --
-- Keep the application out.
SELECT ops.close_gate_v1();

-- recognise_server --
-- Remember that this start of the server is no restore.
SELECT ops.recognise_server_v1();

-- is_recognised --
-- Whether the ledger was looked at since the server started.
SELECT EXISTS (SELECT
                 FROM ops.erasure_gate AS gate
                WHERE gate.server_started_at = pg_catalog.pg_postmaster_start_time());
