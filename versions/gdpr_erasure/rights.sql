-- What is asked of consent, holds, requests, restrictions and objections.

-- sign_in --
-- Act on behalf of a person until the transaction ends.
SELECT pg_catalog.set_config('app.user_id', %(person)s, true);

-- grant --
-- The number of the event.
SELECT public.grant_consent_v1(%(person)s, %(purpose)s, %(version)s, %(locale)s, %(channel)s, %(text)s, %(evidence)s::jsonb);

-- withdraw --
-- The number of the event.
SELECT public.withdraw_consent_v1(%(person)s, %(purpose)s, %(version)s, %(locale)s, %(channel)s, %(evidence)s::jsonb);

-- consent_at --
-- Whether a consent held at an instant, or holds now.
SELECT public.consent_at_v1(%(person)s, %(purpose)s, coalesce(%(at)s::timestamptz, pg_catalog.clock_timestamp()));

-- publish_text --
-- The hash of the text.
SELECT pg_catalog.encode(public.publish_consent_text_v1(%(purpose)s, %(version)s, %(locale)s, %(body)s), 'hex');

-- consent_history --
-- Each answer of a person, with the text that has the hash it carries.
SELECT event.id,
       event.purpose,
       event.granted,
       event.policy_version,
       event.locale::text,
       event.channel,
       event.recorded_at,
       pg_catalog.encode(event.policy_sha256, 'hex'),
       (SELECT shown.body
          FROM public.consent_texts AS shown
         WHERE shown.sha256 = event.policy_sha256
           AND shown.purpose = event.purpose
         ORDER BY shown.version <> event.policy_version, shown.locale <> event.locale
         LIMIT 1)
  FROM public.consent_events AS event
 WHERE event.user_id = %(person)s
   AND event.purpose = coalesce(%(purpose)s, event.purpose)
 ORDER BY event.recorded_at, event.id;

-- place_hold --
-- The number of the hold.
SELECT ops.place_hold_v1(%(basis)s::text[], %(law)s, %(reason)s, %(subject)s, %(table)s, %(column)s, %(key)s::jsonb,
                         %(expires_at)s, %(kind)s);

-- release_hold --
-- When it was released.
SELECT ops.release_hold_v1(%(hold)s, %(reason)s);

-- held_now --
-- The holds in force: all of them, or those that keep something of one person.
SELECT hold.id, hold.kind, hold.subject_id, hold.table_name, hold.column_name, hold.row_key, hold.basis, hold.law,
       hold.reason, hold.placed_at, hold.expires_at
  FROM ops.held_now AS hold
 WHERE %(subject)s::bigint IS NULL
    OR coalesce(hold.subject_id = %(subject)s::bigint, true)
 ORDER BY hold.id;

-- holds_of_row --
-- The numbers of the holds that keep a row, or a column of it.
SELECT ops.holds_of_row_v1(%(subject)s, %(table)s, %(key)s::jsonb, %(column)s);

-- file_request --
-- The number of the request.
SELECT public.file_request_v1(%(person)s, %(kind)s, %(received_at)s, %(channel)s, %(country)s, %(time_zone)s, %(reference)s);

-- pause_request --
SELECT ops.pause_request_v1(%(request)s, %(reasons)s, coalesce(%(at)s::timestamptz, pg_catalog.clock_timestamp()));

-- resume_request --
-- The deadline from then on.
SELECT ops.resume_request_v1(%(request)s, coalesce(%(at)s::timestamptz, pg_catalog.clock_timestamp()));

-- extend_request --
-- The deadline from then on.
SELECT ops.extend_request_v1(%(request)s, %(reasons)s, %(at)s::timestamptz);

-- reject_request --
-- Whether it was within the month.
SELECT ops.reject_request_v1(%(request)s, %(reasons)s, %(at)s::timestamptz);

-- complete_request --
-- Whether it was in time.
SELECT ops.complete_request_v1(%(request)s, %(done)s, coalesce(%(at)s::timestamptz, pg_catalog.clock_timestamp()));

-- note_request --
SELECT ops.note_request_v1(%(request)s, %(done)s);

-- open_requests --
-- Requests nobody has answered, the one that is due first in front; those whose clock stands still last.
SELECT found.request_id, found.user_id, found.kind, found.status, found.received_on, found.due_on, found.due_at,
       found.due_note, found.reference, found.overdue
  FROM ops.open_requests_v1(%(due_within_days)s) AS found;

-- forget_holidays --
-- The holidays of some years, before they are written anew.
DELETE FROM ops.public_holidays AS holiday
 WHERE holiday.country = %(country)s
   AND pg_catalog.date_part('year', holiday.day) = ANY (%(years)s::integer[]);

-- add_holidays --
INSERT INTO ops.public_holidays (country, day, name)
SELECT %(country)s, known.day, known.name
  FROM ROWS FROM (pg_catalog.unnest(%(days)s::date[]), pg_catalog.unnest(%(names)s::text[])) AS known (day, name);

-- recount_requests --
-- How many deadlines changed.
SELECT ops.recount_requests_v1();

-- restrict --
-- The number of the restriction.
SELECT ops.restrict_person_v1(%(person)s, %(ground)s, %(request)s);

-- lift_restriction --
-- When it was lifted.
SELECT ops.lift_restriction_v1(%(restriction)s, %(reason)s, %(notice_sent_at)s);

-- permit --
-- The number of the permit.
SELECT ops.permit_restricted_v1(%(restriction)s, %(ground)s, %(purpose)s, %(reason)s, %(expires_at)s);

-- object_to --
-- The number of the objection; NULL of an address alone.
SELECT public.object_to_v1(%(person)s, %(purpose)s, %(grounds)s, %(hmacs)s::bytea[], %(key_id)s);

-- withdraw_objection --
-- Whether there was one.
SELECT public.withdraw_objection_v1(%(person)s, %(purpose)s, %(hmacs)s::bytea[]);

-- override_objection --
-- When it was outweighed.
SELECT ops.override_objection_v1(%(person)s, %(purpose)s, %(reasons)s);

-- is_suppressed --
SELECT public.is_suppressed_v1(%(hmacs)s::bytea[], %(purpose)s);

-- rectify --
-- A row of a person changed; the name of the table, its columns and the condition are put in.
UPDATE {table} AS subject_row
   SET {changes}
 WHERE {key}
   AND {owned}
RETURNING true;
