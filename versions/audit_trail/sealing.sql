-- The statements of sealing; of the trail they read four columns, which is all that agent_sealer may.

-- standing --
-- What this server is, and which transactions have ended: all before the first number, and none from the second on.
SELECT control.system_identifier::text, checkpoint.timeline_id, pg_catalog.clock_timestamp(),
       pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text,
       pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text
  FROM pg_catalog.pg_control_system() AS control
 CROSS JOIN pg_catalog.pg_control_checkpoint() AS checkpoint;

-- last_seal --
-- The end of the chain.
SELECT seal.id, seal.epoch, seal.sealed_at, seal.previous_hash, seal.first_xid::text, seal.horizon::text,
       seal.entry_count, seal.entry_ids::text, seal.root, seal.system_identifier, seal.timeline, seal.note,
       seal.key_id, seal.hash, seal.signature
  FROM ops.audit_seal AS seal
 ORDER BY seal.id DESC
 LIMIT 1;

-- began_with --
-- The last entry that the block which began an epoch holds; what is later has never been sealed before.
SELECT upper(seal.entry_ids) - 1
  FROM ops.audit_seal AS seal
 WHERE seal.epoch = %(epoch)s
 ORDER BY seal.id
 LIMIT 1;

-- pending --
-- The first transaction that waits to be sealed, and the one that comes too late for a block of so many entries.
SELECT (SELECT entry.xid::text
          FROM public.audit_log AS entry
         WHERE entry.xid >= %(since)s::xid8 AND entry.xid < %(until)s::xid8
         ORDER BY entry.xid
         LIMIT 1),
       (SELECT entry.xid::text
          FROM public.audit_log AS entry
         WHERE entry.xid >= %(since)s::xid8 AND entry.xid < %(until)s::xid8
         ORDER BY entry.xid
        OFFSET %(most)s
         LIMIT 1);

-- block --
-- The entries between two transactions. What was restored has numbers of other servers' transactions.
SELECT entry.id, entry.commitment
  FROM public.audit_log AS entry
 WHERE entry.xid >= %(since)s::xid8 AND entry.xid < %(until)s::xid8
   AND (entry.id > %(began_with)s
        OR NOT EXISTS (SELECT FROM ops.audit_seal AS seal WHERE seal.entry_ids @> entry.id))
 ORDER BY entry.id;

-- first_block --
-- Every entry that no seal covers, whatever transaction wrote it.
SELECT entry.id, entry.commitment
  FROM public.audit_log AS entry
 WHERE NOT coalesce(entry.id <@ (SELECT range_agg(seal.entry_ids) FROM ops.audit_seal AS seal), false)
 ORDER BY entry.id;

-- commit_entries --
-- Let so many entries that are older than commitments have one; how many it was, and how far.
SELECT given.committed, given.reached::text
  FROM ops.commit_audit_v1(%(since)s::xid8, %(most)s) AS given;

-- add_seal --
-- Add a seal to the end of the chain.
SELECT ops.add_audit_seal_v1(
           %(id)s, %(epoch)s, %(sealed_at)s, %(previous_hash)s, %(first_xid)s::xid8, %(horizon)s::xid8,
           %(entry_count)s, %(entry_ids)s::int8multirange, %(root)s, %(system_identifier)s, %(timeline)s, %(note)s,
           %(key_id)s, %(hash)s, %(signature)s);

-- to_be_told --
-- Seals that one sink has not got yet, in their order.
SELECT seal.id, seal.epoch, seal.sealed_at, seal.previous_hash, seal.first_xid::text, seal.horizon::text,
       seal.entry_count, seal.entry_ids::text, seal.root, seal.system_identifier, seal.timeline, seal.note,
       seal.key_id, seal.hash, seal.signature
  FROM ops.audit_seal AS seal
 WHERE seal.id > coalesce((SELECT max(told.seal_id) FROM ops.audit_anchor AS told WHERE told.sink = %(sink)s), 0)
 ORDER BY seal.id
 LIMIT %(most)s;

-- anchored --
-- Remember that seals have arrived.
SELECT ops.anchor_audit_v1(%(sink)s, %(seals)s::bigint[]);

-- beat --
-- Say that sealing goes on, and how often this is said.
SELECT ops.beat_v1('audit-trail seal', INTERVAL '1 minute');

-- redact --
-- Take from entries what could name somebody; how many it was.
SELECT ops.redact_audit_v1(%(entries)s::bigint[]);
