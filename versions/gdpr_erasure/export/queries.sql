-- What an export asks of the database, apart from the rows themselves.

-- session --
-- Values are spelt the same way whatever the login or the server prefers.
SET TimeZone = 'UTC';
SET IntervalStyle = 'iso_8601';
SET bytea_output = 'hex';
SET extra_float_digits = 1;
-- All rows are wanted, not the first ones soon: a plan for those could walk a whole key in its order.
SET cursor_tuple_fraction = 1.0;
-- To compress what one large table gave takes longer than a session may otherwise do nothing.
SET idle_in_transaction_session_timeout = '1h';

-- subject --
-- One person, and when the snapshot was taken.
SELECT person.status,
       person.locale::text,
       pg_catalog.now()
  FROM public.users AS person
 WHERE person.id = %(subject)s;

-- name_subject --
-- Name the person: for row security, and for the statements, which so hold no number that a log could keep.
SELECT pg_catalog.set_config('app.subject_id', %(subject)s::text, true);

-- act_as_privacy --
-- Act as the role that sees one person at a time.
SELECT pg_catalog.set_config('role', 'agent_privacy', true),
       pg_catalog.set_config('row_security', 'on', true);

-- act_as_login --
-- Act as the login again, which is refused where it would be shown a part of the rows as if it were all.
SELECT pg_catalog.set_config('role', 'none', true),
       pg_catalog.set_config('row_security', 'off', true);

-- readable --
-- Which of these tables the role that sees one person at a time may read.
SELECT named.name
  FROM pg_catalog.unnest(%(tables)s::text[]) AS named (name)
 WHERE pg_catalog.has_table_privilege('agent_privacy', named.name, 'SELECT')
   AND pg_catalog.has_schema_privilege('agent_privacy', (SELECT class.relnamespace
                                                           FROM pg_catalog.pg_class AS class
                                                          WHERE class.oid = pg_catalog.to_regclass(named.name)), 'USAGE');

-- types --
-- The type of each column of these tables, domains taken away, and whether it is an array or a row.
WITH RECURSIVE types AS (
    SELECT named.name AS table_name, attribute.attname, type.*
      FROM pg_catalog.unnest(%(tables)s::text[]) AS named (name)
      JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = pg_catalog.to_regclass(named.name)
       AND attribute.attnum > 0
       AND NOT attribute.attisdropped
      JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
     UNION ALL
    SELECT types.table_name, types.attname, base.*
      FROM types
      JOIN pg_catalog.pg_type AS base ON base.oid = types.typbasetype
     WHERE types.typtype = 'd'
)
SELECT types.table_name,
       types.attname::text,
       types.typname::text,
       types.typcategory::text,
       types.typcategory = 'A',
       types.typtype = 'c'
  FROM types
 WHERE types.typtype <> 'd';

-- titles --
-- What each of these tables is, by its comment.
SELECT named.name,
       pg_catalog.obj_description(pg_catalog.to_regclass(named.name)::oid, 'pg_class')
  FROM pg_catalog.unnest(%(tables)s::text[]) AS named (name);

-- purposes --
SELECT purpose.code, purpose.description
  FROM public.consent_purposes AS purpose
 ORDER BY purpose.code;

-- retention --
-- How long the rows of each table are kept, by table and rule.
SELECT policy.table_name,
       policy.rule,
       policy.time_column,
       (EXTRACT(year FROM policy.keep_for) * 12 + EXTRACT(month FROM policy.keep_for))::integer,
       EXTRACT(day FROM policy.keep_for)::integer,
       policy.action
  FROM public.retention_policies AS policy;

-- recipients --
SELECT recipient.name, recipient.kind, recipient.purpose, recipient.country_code::text, recipient.safeguards, recipient.categories
  FROM ops.recipients AS recipient
 ORDER BY recipient.name, recipient.code;

-- controller --
SELECT one.name, one.address, one.contact, one.representative, one.dpo_name, one.dpo_contact
  FROM ops.controller AS one;

-- request --
-- Whether the person has such a request that nobody has answered.
SELECT true
  FROM public.data_subject_requests AS request
 WHERE request.id = %(request)s
   AND request.user_id = %(subject)s
   AND request.closed_at IS NULL;

-- look --
-- Write to the trail that a table was looked at for a person: its name and that of the request, never a value nor
-- the person's number.
SELECT public.record_audit_v1(entity_type => %(kind)s, entity_id => %(request)s, action => %(action)s,
                              subject_id => %(subject)s, entity_key => %(key)s);

-- answer --
-- Write what was done for a request; refused once it is answered.
SELECT ops.note_request_v1(%(request)s, %(done)s);
