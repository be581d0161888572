-- recipients_to_tell --
-- Who holds data of people, how they are told of an erasure, and what they know a person by.
SELECT recipient.code, recipient.notice_channel, recipient.knows_by
  FROM ops.recipients AS recipient
 WHERE recipient.kind <> 'authority'
   AND recipient.notice_channel IS DISTINCT FROM 'none'
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
