-- subject_key --
-- The key of a person, encrypted.
SELECT kept.key_id::text, kept.wrapped, kept.kek_id FROM public.subject_key_v1(%(subject)s) AS kept;

-- keep_subject_key --
-- Keep a new key, if there is none.
SELECT public.keep_subject_key_v1(%(subject)s, %(key)s::uuid, %(wrapped)s, %(kek_id)s);

-- destroy_subject_key --
-- Delete the key of a person.
DELETE FROM ops.subject_keys AS kept WHERE kept.subject_id = %(subject)s RETURNING kept.key_id::text;

-- is_key_destroyed --
-- Whether a key is known to have been destroyed.
SELECT public.is_key_destroyed_v1(%(key)s::uuid);

-- old_keys --
-- Keys of people that are encrypted with an older key.
SELECT old.subject_id, old.key_id::text, old.wrapped, old.kek_id FROM ops.old_keys_v1(%(kek_id)s, %(most)s) AS old;

-- rewrap_key --
-- Keep a key under another one.
SELECT ops.rewrap_key_v1(%(key)s::uuid, %(wrapped)s, %(kek_id)s, %(old)s);
