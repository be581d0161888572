-- recipients_to_tell --
-- Who holds data of people, how they are told of an erasure, and what they know a person by.
SELECT recipient.code, recipient.notice_channel, recipient.knows_by
  FROM ops.recipients AS recipient
 WHERE recipient.notice_channel IS DISTINCT FROM 'none'
   AND (recipient.kind <> 'authority' OR recipient.notice_channel IS NOT NULL)
 ORDER BY recipient.code;

-- subject_of --
-- The person of an erasure, in place of their number.
(SELECT erasure.subject_id FROM ops.erasures AS erasure WHERE erasure.id = {}::uuid)

-- queue_notice --
-- Keep what a recipient is to be told.
SELECT ops.queue_notice_v1(%(notice)s::uuid, %(erasure)s::uuid, %(recipient)s, %(key_id)s, %(payload)s);

-- pending_notices --
-- Who has yet to be told of an erasure.
SELECT notice.recipient
  FROM ops.erasure_notices AS notice
 WHERE notice.erasure_id = %(erasure)s::uuid
   AND notice.outcome IS NULL
 ORDER BY notice.recipient;

-- claim_notice --
-- Take the notice that is due.
SELECT claimed.notice::text, claimed.recipient, claimed.channel, claimed.url, claimed.key_id, claimed.payload
  FROM ops.claim_notice_v1(%(skipped)s::text[], %(first_pause)s, %(longest_pause)s) AS claimed;

-- note_problem --
-- Say why a try failed.
SELECT ops.note_problem_v1(%(notice)s::uuid, %(problem)s);

-- end_notice --
-- Say how a notice ended.
SELECT ops.end_notice_v1(%(notice)s::uuid, %(outcome)s, %(receipt)s);

-- notices_by_hand --
-- What somebody has to tell.
SELECT notice.id::text, notice.recipient, notice.key_id, notice.payload
  FROM ops.erasure_notices AS notice
  JOIN ops.recipients AS recipient ON recipient.code = notice.recipient
 WHERE notice.outcome IS NULL
   AND recipient.notice_channel = 'hand'
 ORDER BY notice.queued_at, notice.id;

-- waiting_notices --
-- How many are pending, of which so many by hand.
SELECT count(*), count(*) FILTER (WHERE recipient.notice_channel = 'hand')
  FROM ops.erasure_notices AS notice
  JOIN ops.recipients AS recipient ON recipient.code = notice.recipient
 WHERE notice.outcome IS NULL;

-- notices_of --
-- Who is told of an erasure, and how far it is.
SELECT notice.id, notice.recipient, notice.queued_at, notice.attempts, notice.problem, notice.outcome, notice.ended_at,
       notice.receipt
  FROM ops.erasure_notices AS notice
 WHERE notice.erasure_id = %(erasure)s::uuid
 ORDER BY notice.recipient;
