-- The statements of online changes: the ledger of them, and what the catalogue says of a table.

-- holders --
-- Who holds a lock on a table, or on one of its partitions, that a mode would wait for; process 0 stands for a
-- prepared transaction. Then its transaction, whether it is older than some seconds, NULL where this role may not see
-- it, and whether it is a vacuum that ends itself for whoever waits: its kind may be hidden, but it has no user.
SELECT DISTINCT ON (held.virtualtransaction)
       coalesce(held.pid, 0),
       coalesce(activity.usename, prepared.owner, activity.backend_type, 'background process'),
       coalesce(prepared.gid, activity.application_name),
       coalesce(activity.state, CASE WHEN prepared.gid IS NOT NULL THEN 'prepared transaction' END, 'running'),
       coalesce(activity.query, ''),
       held.virtualtransaction,
       held.pid IS NULL
           OR activity.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(older_s)s),
       activity.pid IS NOT NULL
           AND coalesce(activity.backend_type = 'autovacuum worker', activity.usesysid IS NULL)
           AND activity.query NOT LIKE '%%(to prevent wraparound)'
  FROM pg_catalog.pg_locks AS held
  LEFT JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = held.pid
  LEFT JOIN (
      -- It keeps the name that it had in its session, and the lock on its own number with it.
      pg_catalog.pg_locks AS own
      JOIN pg_catalog.pg_prepared_xacts AS prepared ON prepared.transaction = own.transactionid
  ) ON held.pid IS NULL AND own.pid IS NULL AND own.virtualtransaction = held.virtualtransaction
 WHERE held.locktype = 'relation'
   AND held.granted
   AND held.database = (SELECT one.oid FROM pg_catalog.pg_database AS one WHERE one.datname = pg_catalog.current_database())
   AND (
       held.relation = pg_catalog.to_regclass(%(table)s)
       OR held.relation IN (SELECT part.relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(%(table)s)) AS part)
   )
   AND held.mode = ANY (%(modes)s)
   AND held.pid IS DISTINCT FROM pg_catalog.pg_backend_pid();

-- vacuumed --
-- Whether a vacuum that nobody ordered, and which yields to whoever waits for it, is at a table or a partition of it.
SELECT EXISTS (
    SELECT
      FROM pg_catalog.pg_locks AS held
      JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = held.pid
     WHERE held.locktype = 'relation'
       AND held.granted
       AND held.database = (
           SELECT one.oid FROM pg_catalog.pg_database AS one WHERE one.datname = pg_catalog.current_database()
       )
       AND (
           held.relation = pg_catalog.to_regclass(%(table)s)
           OR held.relation IN (
               SELECT part.relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(%(table)s)) AS part
           )
       )
       AND held.mode = 'ShareUpdateExclusiveLock'
       AND coalesce(activity.backend_type = 'autovacuum worker', activity.usesysid IS NULL)
);

-- record_change --
-- Remember a change and its steps.
INSERT INTO ops.online_change (operation, table_name, subject, arguments, steps, state, revision)
VALUES (%(operation)s, %(table)s, %(subject)s, %(arguments)s, %(steps)s, %(state)s, %(revision)s)
RETURNING id;

-- change_of --
-- The last change of a kind of a table and of a part of it.
SELECT change.id, change.operation, change.table_name, change.subject, change.arguments, change.steps, change.state,
       ARRAY(SELECT step.place FROM ops.online_step AS step WHERE step.change_id = change.id),
       ARRAY(
           SELECT step.place FROM ops.online_step AS step WHERE step.change_id = change.id AND step.finished_at IS NOT NULL
       ),
       change.revision
  FROM ops.online_change AS change
 WHERE change.operation = %(operation)s
   AND change.table_name = %(table)s
   AND change.subject = %(subject)s
 ORDER BY change.id DESC
 LIMIT 1;

-- change_by_id --
-- A change by its number.
SELECT change.id, change.operation, change.table_name, change.subject, change.arguments, change.steps, change.state,
       ARRAY(SELECT step.place FROM ops.online_step AS step WHERE step.change_id = change.id),
       ARRAY(
           SELECT step.place FROM ops.online_step AS step WHERE step.change_id = change.id AND step.finished_at IS NOT NULL
       ),
       change.revision
  FROM ops.online_change AS change
 WHERE change.id = %(id)s;

-- set_state --
-- Remember how far a change has come.
UPDATE ops.online_change AS change
   SET state = %(state)s,
       finished_at = CASE WHEN %(ended)s THEN pg_catalog.clock_timestamp() END
 WHERE change.id = %(id)s
RETURNING change.id;

-- begin_step --
-- Remember that a step is tried.
INSERT INTO ops.online_step AS step (change_id, place, name, phase)
VALUES (%(id)s, %(place)s, %(name)s, %(phase)s)
    ON CONFLICT ON CONSTRAINT online_step_pkey DO UPDATE
   SET tries = step.tries + 1, started_at = pg_catalog.clock_timestamp(), finished_at = NULL
RETURNING step.tries;

-- end_step --
-- Remember that a step is done.
UPDATE ops.online_step AS step
   SET finished_at = pg_catalog.clock_timestamp()
 WHERE step.change_id = %(id)s AND step.place = %(place)s
RETURNING step.place;

-- undo_step --
-- Forget a step that was taken back, and how far it had come.
WITH gone AS (
    DELETE FROM ops.online_range AS range
     WHERE range.change_id = %(id)s AND range.place = %(place)s
)
DELETE FROM ops.online_step AS step
 WHERE step.change_id = %(id)s AND step.place = %(place)s
RETURNING step.place;

-- has_ledger --
-- Whether the tables that online changes are recorded in are there.
SELECT pg_catalog.to_regclass('ops.online_range') IS NOT NULL;

-- table_facts --
-- What a table is.
SELECT class.oid,
       namespace.nspname::text,
       class.relname::text,
       pg_catalog.format('%%I.%%I', namespace.nspname, class.relname),
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(class.relowner)),
       class.relkind::text,
       pg_catalog.pg_total_relation_size(class.oid),
       class.relispartition,
       coalesce((
           SELECT pg_catalog.array_agg(part.attname::text ORDER BY key.place)
             FROM pg_catalog.pg_constraint AS made
             JOIN LATERAL pg_catalog.unnest(made.conkey) WITH ORDINALITY AS key (number, place) ON true
             JOIN pg_catalog.pg_attribute AS part ON part.attrelid = made.conrelid AND part.attnum = key.number
            WHERE made.conrelid = class.oid AND made.contype = 'p'
       ), '{}')
  FROM pg_catalog.pg_class AS class
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.oid = pg_catalog.to_regclass(%(table)s);

-- name_of --
-- The name of a table as SQL writes it, also of one that is not there.
SELECT coalesce(
    (
        SELECT pg_catalog.format('%%I.%%I', namespace.nspname, class.relname)
          FROM pg_catalog.pg_class AS class
          JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
         WHERE class.oid = pg_catalog.to_regclass(%(table)s)
    ),
    (
        SELECT CASE pg_catalog.cardinality(part)
                    WHEN 1 THEN pg_catalog.format('%%I.%%I', pg_catalog.current_schema(), part[1])
                    WHEN 2 THEN pg_catalog.format('%%I.%%I', part[1], part[2])
               END
          FROM pg_catalog.parse_ident(%(table)s) AS part
    )
);

-- columns_of --
-- The columns of a table: name, type, NOT NULL, default, how it is generated, identity, collation where it is another.
SELECT part.attname::text,
       pg_catalog.format_type(part.atttypid, part.atttypmod),
       part.attnotnull,
       pg_catalog.pg_get_expr(made.adbin, made.adrelid),
       part.attgenerated::text,
       part.attidentity::text,
       CASE WHEN part.attcollation <> type.typcollation THEN part.attcollation::pg_catalog.regcollation::text END
  FROM pg_catalog.pg_attribute AS part
  JOIN pg_catalog.pg_type AS type ON type.oid = part.atttypid
  LEFT JOIN pg_catalog.pg_attrdef AS made ON made.adrelid = part.attrelid AND made.adnum = part.attnum
 WHERE part.attrelid = %(oid)s AND part.attnum > 0 AND NOT part.attisdropped
 ORDER BY part.attnum;
