-- The online changes there are.

-- listed --
-- The changes, the last one first: how far each is, what it is at, and how far its backfills are.
SELECT change.id,
       change.operation,
       change.table_name,
       change.subject,
       change.state,
       change.asked,
       change.started_at,
       change.finished_at,
       pg_catalog.jsonb_array_length(change.steps),
       coalesce(made.done, 0),
       coalesce(made.at, ''),
       coalesce(ranges.walked, 0),
       coalesce(ranges.written, 0),
       coalesce(ranges.total, 0),
       change.revision,
       CASE WHEN change.finished_at IS NULL
            THEN extract(epoch FROM pg_catalog.clock_timestamp() - change.started_at)::double precision
       END
  FROM ops.online_change AS change
  LEFT JOIN LATERAL (
       SELECT count(step.finished_at) AS done,
              pg_catalog.string_agg(step.name, '; ' ORDER BY step.place) FILTER (WHERE step.finished_at IS NULL) AS at
         FROM ops.online_step AS step
        WHERE step.change_id = change.id) AS made ON true
  LEFT JOIN LATERAL (
       SELECT sum(range.walked_count)::bigint AS walked,
              sum(range.row_count)::bigint AS written,
              sum(CASE WHEN range.finished_at IS NULL THEN greatest(range.row_estimate, range.walked_count) ELSE range.walked_count END)::bigint AS total
         FROM ops.online_range AS range
        WHERE range.change_id = change.id) AS ranges ON true
 ORDER BY change.id DESC;

-- is_at --
-- Whether a revision is applied, or a later one.
SELECT EXISTS (SELECT FROM public.alembic_version AS at WHERE at.version_num >= %(revision)s);
