-- What completes erasures that had left something, and the job that does it.

-- due_completions --
-- People of whom, by their last certificate, something was kept that may be kept no longer: tables, holds and rules.
SELECT coalesce(erasure.completes, erasure.id)::text, erasure.subject_id,
       pg_catalog.array_agg(ended.table_name), pg_catalog.array_agg(ended.hold_id), pg_catalog.array_agg(ended.rule)
  FROM (SELECT kept.erasure_id, kept.table_name, kept.hold_id, kept.rule
          FROM ops.erasure_kept AS kept
         WHERE kept.hold_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM ops.held_now AS hold WHERE hold.id = kept.hold_id)
         UNION ALL
        SELECT kept.erasure_id, kept.table_name, NULL, kept.rule
          FROM ops.erasure_kept AS kept
         WHERE kept.hold_id IS NULL
           AND kept.due_at <= pg_catalog.now()) AS ended
  JOIN ops.erasures AS erasure ON erasure.id = ended.erasure_id
 WHERE NOT EXISTS (SELECT
                     FROM ops.erasures AS begun
                    WHERE begun.completes = coalesce(erasure.completes, erasure.id)
                      AND begun.state <> 'certified')
 GROUP BY erasure.id
 ORDER BY erasure.certified_at;

-- beat --
-- Say that the job has ended well, and how often it should.
SELECT ops.beat_v1('gdpr-erasure work', pg_catalog.make_interval(secs => %(every_s)s));
