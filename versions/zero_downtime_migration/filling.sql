-- The statements of backfills: what is walked along, which ranges of it, and how far each has come.

-- parts_of --
-- The tables that hold the rows of a table: itself, its partitions, its children; not what is partitioned.
WITH RECURSIVE tree (oid) AS (
    SELECT %(oid)s::oid
     UNION
    SELECT child.inhrelid
      FROM pg_catalog.pg_inherits AS child
      JOIN tree ON tree.oid = child.inhparent
)
SELECT class.oid,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       class.relkind::text,
       pg_catalog.pg_relation_size(class.oid)
  FROM tree
  JOIN pg_catalog.pg_class AS class ON class.oid = tree.oid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind <> 'p'
 ORDER BY namespace.nspname, class.relname;

-- key_of --
-- The index that a table can be walked along: its columns, their types, whether their values may be shown.
SELECT pg_catalog.array_agg(part.attname::text ORDER BY place),
       pg_catalog.array_agg(pg_catalog.format_type(part.atttypid, -1) ORDER BY place),
       pg_catalog.array_agg(part.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype) ORDER BY place)
  FROM pg_catalog.pg_index AS index
  JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
 CROSS JOIN LATERAL pg_catalog.generate_series(1, index.indnkeyatts) AS place
  JOIN pg_catalog.pg_attribute AS part ON part.attrelid = index.indrelid AND part.attnum = index.indkey[place - 1]
  JOIN pg_catalog.pg_opclass AS sorted ON sorted.oid = index.indclass[place - 1]
 WHERE index.indrelid = %(oid)s
   AND index.indisunique
   AND index.indisvalid
   AND index.indisready
   AND index.indpred IS NULL
   AND index.indexprs IS NULL
 GROUP BY index.indexrelid, index.indisprimary, index.indnkeyatts, class.relname
HAVING pg_catalog.bool_and(
           part.attnotnull
           AND sorted.opcdefault
           AND index.indcollation[place - 1] = part.attcollation
           AND (index.indoption[place - 1] & 1) = (index.indoption[0] & 1)
           AND NOT EXISTS (
               SELECT
                 FROM pg_catalog.pg_constraint AS made
                WHERE made.conrelid = part.attrelid
                  AND made.contype = 'n'
                  AND made.conkey = ARRAY[part.attnum]
                  AND NOT made.convalidated
           )
       )
 ORDER BY index.indisprimary DESC, index.indnkeyatts, class.relname
 LIMIT 1;

-- is_synchronised --
-- Whether a trigger of a table gives every row that is written what some columns are to have.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_trigger AS trigger
      JOIN pg_catalog.pg_proc AS routine ON routine.oid = trigger.tgfoid
     WHERE trigger.tgrelid = %(oid)s
       AND trigger.tgenabled IN ('A', 'O')
       AND pg_catalog.strpos(routine.prosrc, 'agentdb.filling') > 0
       AND NOT EXISTS (
           SELECT
             FROM pg_catalog.unnest(%(columns)s::text[]) AS written (name)
            WHERE pg_catalog.strpos(routine.prosrc, pg_catalog.format('"new"."%%s" :=', pg_catalog.replace(written.name, '"', '""'))) = 0
       )
);

-- may_be_quiet --
-- Whether this role may keep triggers from firing, and no foreign key would be left unchecked by it.
SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')
       AND NOT EXISTS (
           SELECT
             FROM pg_catalog.pg_constraint AS made
             JOIN pg_catalog.pg_attribute AS part ON part.attrelid = %(oid)s AND part.attname = ANY (%(columns)s::text[])
            WHERE made.contype = 'f'
              AND (
                  (made.conrelid = part.attrelid AND part.attnum = ANY (made.conkey))
                  OR (made.confrelid = part.attrelid AND part.attnum = ANY (made.confkey))
              )
       );

-- ranges_of --
-- The ranges that a step has still to fill.
SELECT range.number, range.table_name, range.low, range.high, range.reached, range.batch_rows
  FROM ops.online_range AS range
 WHERE range.change_id = %(id)s AND range.place = %(place)s AND range.finished_at IS NULL
 ORDER BY range.number;

-- make_range --
-- Remember a range that is to be filled.
INSERT INTO ops.online_range (change_id, place, number, table_name, low, high, row_estimate)
SELECT %(id)s, %(place)s, coalesce(max(range.number), 0) + 1, %(table)s, %(low)s::jsonb, %(high)s::jsonb, %(estimate)s
  FROM ops.online_range AS range
 WHERE range.change_id = %(id)s AND range.place = %(place)s
RETURNING number;

-- range_at --
-- Remember how far a range is filled; of one that is filled to its end, forget the keys: they may be those of people.
UPDATE ops.online_range AS range
   SET low = CASE WHEN NOT %(ended)s THEN range.low END,
       high = CASE WHEN NOT %(ended)s THEN range.high END,
       reached = CASE WHEN NOT %(ended)s THEN %(at)s::jsonb END,
       walked_count = range.walked_count + %(walked)s,
       row_count = range.row_count + %(rows)s,
       batch_rows = coalesce(%(batch_rows)s::int, range.batch_rows),
       written_at = pg_catalog.clock_timestamp(),
       finished_at = CASE WHEN %(ended)s THEN pg_catalog.clock_timestamp() END
 WHERE range.change_id = %(id)s AND range.place = %(place)s AND range.number = %(number)s
RETURNING range.number;

-- sum_of_ranges --
-- How far a step is: rows come by, rows written, rows there are by estimate, and whether a part of it has ended.
SELECT coalesce(sum(range.walked_count), 0)::bigint,
       coalesce(sum(range.row_count), 0)::bigint,
       coalesce(sum(CASE WHEN range.finished_at IS NULL THEN greatest(range.row_estimate, range.walked_count) ELSE range.walked_count END), 0)::bigint
  FROM ops.online_range AS range
 WHERE range.change_id = %(id)s AND range.place = %(place)s;

-- asked_of --
-- What a backfill was asked to do.
SELECT change.asked
  FROM ops.online_change AS change
 WHERE change.id = %(id)s;

-- ask_for --
-- Ask what a change that is not over is to do.
UPDATE ops.online_change AS change
   SET asked = %(asked)s
 WHERE change.id = %(id)s AND change.state NOT IN ('completed', 'aborted')
RETURNING change.id;

-- reopen_fills --
-- Forget that a table is filled.
UPDATE ops.online_step AS step
   SET finished_at = NULL
 WHERE step.change_id = %(id)s AND step.place = %(place)s
RETURNING step.place;

-- last_key --
-- The key of the last row of a table.
SELECT {texts}
  FROM ONLY {table} AS {row}
 ORDER BY {falling}
 LIMIT 1;

-- sampled_keys --
-- The last keys of so many pieces of a table, by a sample of its pages.
SELECT DISTINCT ON ({row}.{part}) {texts}
  FROM (SELECT {names}, pg_catalog.ntile({pieces}) OVER (ORDER BY {names}) AS {part}
          FROM ONLY {table} AS {row} TABLESAMPLE SYSTEM ({percent})) AS {row}
 ORDER BY {row}.{part}, {falling};

-- sampled_count --
-- How many rows a sample of the pages of a table has.
SELECT count(*)
  FROM ONLY {table} AS {row} TABLESAMPLE SYSTEM ({percent});

-- next_key --
-- The key of the last of the next rows.
SELECT {texts}
  FROM (SELECT {names} FROM ONLY {table} AS {row} WHERE {behind} AND {upto} ORDER BY {names} LIMIT {rows}) AS {row}
 ORDER BY {falling}
 LIMIT 1;

-- count_due --
-- How many rows of a range are due.
SELECT count(*)
  FROM ONLY {table} AS {row}
 WHERE {behind} AND {upto} AND ({due});

-- first_due --
-- The key of the first row that is due.
SELECT {texts}
  FROM ONLY {table} AS {row}
 WHERE {behind} AND ({due})
 ORDER BY {names}
 LIMIT 1;

-- write_range --
-- Write what is due in a range of keys.
UPDATE ONLY {table} AS {row}
   SET {values}
 WHERE {behind} AND {upto} AND ({due});
