-- What completes erasures that had left something, and the job that does it.

-- due_completions --
-- People of whom, by their last certificate, something was kept that may be kept no longer: tables, holds and rules.
-- Where nobody could say how long a rule would keep it, it is asked once its time has passed since.
WITH latest AS (
    SELECT DISTINCT ON (erasure.subject_id)
           coalesce(erasure.completes, erasure.id) AS first, erasure.subject_id, erasure.state, erasure.certificate,
           erasure.certified_at
      FROM ops.erasures AS erasure
     ORDER BY erasure.subject_id, erasure.hidden_at DESC
)
SELECT latest.first::text, latest.subject_id, ended.tables, ended.holds, ended.rules
  FROM latest
 CROSS JOIN LATERAL (
       SELECT pg_catalog.array_agg(kept."table"), pg_catalog.array_agg(kept.hold), pg_catalog.array_agg(kept.rule)
         FROM pg_catalog.jsonb_to_recordset(latest.certificate::jsonb #> '{certificate,kept}')
              AS kept ("table" text, rows bigint, hold bigint, rule text, until timestamptz)
        WHERE kept.rows > 0
          AND CASE WHEN kept.hold IS NOT NULL THEN NOT EXISTS (SELECT FROM ops.held_now AS hold WHERE hold.id = kept.hold)
                   ELSE coalesce(kept.until, latest.certified_at + (
                                     SELECT pg_catalog.min(policy.keep_for)
                                       FROM public.retention_policies AS policy
                                      WHERE policy.rule = kept.rule
                                        AND kept."table" IN (policy.table_name, 'public.' || policy.table_name)))
                        <= pg_catalog.now() END) AS ended (tables, holds, rules)
 WHERE latest.state = 'certified'
   AND ended.tables IS NOT NULL
 ORDER BY latest.certified_at;

-- beat --
-- Say that the job has ended well, and how often it should.
SELECT ops.beat_v1('gdpr-erasure work', pg_catalog.make_interval(secs => %(every_s)s));
