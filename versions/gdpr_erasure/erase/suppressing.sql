-- What a person objected to, which stays in force when their addresses are gone.

-- objects --
-- Whether the person objects to anything.
SELECT EXISTS (SELECT
                 FROM public.objections AS objection
                WHERE objection.user_id = %(subject)s
                  AND objection.overridden_at IS NULL
                  AND objection.withdrawn_at IS NULL);

-- hashes --
-- Their hashed addresses travel once, so that no statement holds one.
SELECT pg_catalog.set_config('agentdb.hashes', %(hashes)s, true);

-- suppress --
-- How many addresses and purposes are suppressed that were not before.
SELECT ops.suppress_objections_v1(
           %(erasure)s::uuid,
           ARRAY(SELECT pg_catalog.decode(given.hash, 'hex')
                   FROM pg_catalog.string_to_table(pg_catalog.current_setting('agentdb.hashes'), ',') AS given (hash)),
           %(key_id)s);
