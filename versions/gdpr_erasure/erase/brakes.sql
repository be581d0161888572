-- What an erasure may do, and who approves of one that does more.

-- limits --
-- What one erasure may do without the approval of persons, and how many of them it takes.
SELECT limits.most_rows, limits.most_share, limits.approvers
  FROM ops.erasure_limits AS limits;

-- estimated_rows --
-- How many rows a table has by its statistics, partitions and heirs with it; at least, where one has none yet.
SELECT coalesce(pg_catalog.sum(greatest(part.reltuples, 0)), 0)::bigint
  FROM (WITH RECURSIVE tree (relid) AS (
            SELECT pg_catalog.to_regclass(%(table)s)::pg_catalog.oid
             UNION
            SELECT link.inhrelid FROM pg_catalog.pg_inherits AS link JOIN tree ON link.inhparent = tree.relid)
        SELECT class.reltuples
          FROM tree
          JOIN pg_catalog.pg_class AS class ON class.oid = tree.relid
         WHERE class.relkind IN ('r', 'f', 'm')) AS part;

-- rows_up_to --
-- How many rows a table has, counted no further than is asked.
SELECT pg_catalog.count(*) FROM (SELECT FROM {table} LIMIT %(most)s) AS counted;

-- approvers --
-- How many persons other than who is at work approve of a plan that does so many rows.
SELECT ops.erasure_approvers_v1(%(subject)s::bigint, pg_catalog.decode(%(plan_hash)s, 'hex'), %(rows)s::bigint);

-- approve --
-- How many persons approve of the plan by now.
SELECT ops.approve_erasure_v1(%(subject)s::bigint, pg_catalog.decode(%(plan_hash)s, 'hex'), %(rows)s::bigint);
