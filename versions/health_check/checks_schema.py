"""The checks of tables, indexes, sequences, constraints and partitions. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check

_MONITOR: Final = "GRANT pg_monitor TO the login"
_READ: Final = "GRANT pg_read_all_data TO the login"

VACUUM: Final = (
    Check(
        "vac.dead_tuples", "rows that are dead and not vacuumed",
        "Every reading of the table passes over them, and it grows instead of filling the room they take.",
        "{dead} rows of {name} are dead; autovacuum should come at {trigger}",
        warning=2, unit="times the trigger", roles=PRIMARY, settings={"least_rows": 10_000},
    ),
    Check(
        "vac.not_running", "tables to which autovacuum does not come",
        "Dead rows pile up, and the age of the transactions in it grows.",
        "{name} has {dead} dead rows and was not vacuumed for {hours} h",
        warning=86_400, critical=7 * 86_400, unit="seconds", roles=PRIMARY, settings={"least_rows": 10_000},
    ),
    Check(
        "vac.autovacuum_off", "autovacuum switched off",
        "Dead rows stay, statistics grow old, and in the end the server refuses writes.",
        "autovacuum does not come to {where}",
    ),
    Check(
        "vac.saturated", "workers of autovacuum that are all busy",
        "Tables that need it wait for those that take long.",
        "all {workers} workers are busy, one of them for {seconds} s",
        warning=1_800, unit="seconds", roles=PRIMARY, needs=_MONITOR,
    ),
    Check(
        "vac.wraparound_running", "autovacuum at work against the end of the transaction numbers",
        "It gives way to no lock, and whoever wants to change the table waits.",
        "session {pid} has been freezing a table for {seconds} s",
        roles=PRIMARY, needs=_MONITOR, settings={"after_s": 6 * 3_600},
    ),
    Check(
        "vac.table_bloat", "tables that are mostly empty",
        "What is read, cached and saved is mostly nothing.",
        "{percent} % of {name} hold nothing",
        warning=0.5, unit="of the table", needs="GRANT pg_stat_scan_tables TO the login",
        deep=True, probed=True, extension="pgstattuple", settings={"least_bytes": 1 << 30},
    ),
    Check(
        "vac.index_bloat", "indexes that are mostly empty",
        "What is read, cached and saved is mostly nothing.",
        "{percent} % of the leaves of {name} hold nothing",
        warning=0.6, unit="of the index", needs="GRANT pg_stat_scan_tables TO the login",
        deep=True, probed=True, extension="pgstattuple", settings={"least_bytes": 500 << 20},
    ),
    Check(
        "stats.never_analyzed", "tables that were never analyzed",
        "The planner guesses how many rows there are and of what kind.",
        "{name} has {rows} rows and was never analyzed",
        roles=PRIMARY, settings={"least_rows": 10_000},
    ),
    Check(
        "stats.stale", "statistics that tell of other rows",
        "The planner chooses for rows that are not there any more.",
        "{changed} rows of {name} changed since it was analyzed, and it has {rows}",
        warning=0.5, unit="of the rows", roles=PRIMARY, settings={"least_rows": 10_000},
    ),
    Check(
        "stats.partitioned_parent", "partitioned tables never analyzed as a whole",
        "The planner knows each partition and not all of them; autovacuum never does that.",
        "{name} was never analyzed as a whole, and has {rows} rows",
        roles=PRIMARY, settings={"least_rows": 10_000},
    ),
    Check(
        "stats.track_off", "counters that are switched off",
        "What is not counted is neither vacuumed in time nor seen by any check.",
        "{name} is off",
    ),
    Check(
        "tbl.unlogged", "tables that a crash empties",
        "A standby has none of its rows, and a crash leaves none.",
        "{name} is unlogged and has about {rows} rows",
        roles=PRIMARY,
    ),
    Check(
        "tbl.hot_updates", "updates that write every index",
        "Room on the page, a lower fillfactor, or one index less makes each of them cheaper.",
        "{percent} % of {updates} updates of {name} stayed on their page",
        settings={"least_rows": 10_000, "least_ratio": 0.1},
    ),
    Check(
        "tbl.large_objects_orphan", "large objects that nothing can point at",
        "They take room in every backup, and nobody deletes them.",
        "{objects} large objects, and no column that could hold the number of one",
    ),
    Check(
        "tbl.temp_orphans", "temporary tables without a session",
        "Nothing vacuums them, so that they hold the oldest transaction number of the database.",
        "{name} is {age} transactions old, and its session is gone",
        warning=200_000_000, unit="transactions", since=160_000, roles=PRIMARY,
    ),
)  # fmt: skip

INDEXES: Final = (
    Check(
        "idx.parent_invalid", "indexes of partitioned tables that a partition is missing from",
        "Only some partitions have a part of it; behind a constraint, it keeps nothing unique.",
        "index {name} on {table} has no part in {partitions} partitions",
    ),
    Check(
        "idx.unused", "indexes that no query uses",
        "Every write pays for it, and it takes room in the cache and in backups.",
        "no query has used index {name} on {table}, of {bytes} bytes",
        settings={"window_days": 30, "least_bytes": 10 << 20},
    ),
    Check(
        "idx.duplicate", "indexes that are there twice",
        "Every write pays for both, and no query needs more than one.",
        "index {name} on {table} is the same as {same_as}",
        settings={"large_bytes": 1 << 30},
    ),
    Check(
        "idx.redundant_prefix", "indexes that another one begins with",
        "The longer one answers the same queries.",
        "index {covered_by} on {table} begins with the columns of {name}",
    ),
    Check(
        "idx.fk_missing", "foreign keys without an index",
        "To delete a row, or change its key, reads all of the table that points at it, under a lock.",
        "no index of {table} begins with {columns}, the columns of {constraint}",
        settings={"least_rows": 10_000},
    ),
    Check(
        "idx.fk_type_mismatch", "foreign keys between two types",
        "What the one can hold the other cannot, and comparing them may use no index.",
        "{column} of {table} is {type}, and {constraint} points at {other}",
    ),
    Check(
        "idx.null_heavy", "indexes that mostly hold nothing",
        "With a condition it would hold what is looked for only, and be a part as large.",
        "{percent} % of {column} of {table} is NULL, and {name} holds all of it in {bytes} bytes",
        settings={"least_bytes": 10 << 20, "most_null": 0.5},
    ),
    Check(
        "idx.array_btree", "indexes that compare lists and documents as a whole",
        "It helps no query that looks for something inside; GIN does.",
        "index {name} on {table} finds {column} only as a whole",
    ),
    Check(
        "tbl.no_pk", "tables without a primary key",
        "No row can be told from its copy, by a person, a tool or a subscriber.",
        "{name} has no primary key",
    ),
    Check(
        "tbl.seq_scan_heavy", "large tables read as a whole",
        "A query finds no index that fits, and takes the longer the more rows there are.",
        "{name} of {rows} rows was read as a whole {scans} times, by an index {by_index} times",
        settings={"least_rows": 50_000, "least_scans": 1_000},
    ),
    Check(
        "idx.corrupt", "indexes that do not hold what the table does",
        "A query by it misses rows, and a unique one lets them in twice.",
        "index {name} is corrupt",
        needs="GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO the login",
        deep=True, probed=True, extension="amcheck",
    ),
)  # fmt: skip

NUMBERS: Final = (
    Check(
        "seq.behind_max", "sequences behind the numbers in their column",
        "The next INSERT takes a number that is there, and fails; so it is after a restore or a load.",
        "sequence {name} is {behind} behind {column} of {table}",
        needs=_READ, probed=True, roles=PRIMARY,
    ),
    Check(
        "int.pk_no_sequence", "small keys that the application numbers",
        "Behind the last number every INSERT fails.",
        "{column} of {table} has come to {percent} % of {highest}",
        warning=0.75, critical=0.9, unit="of the numbers", needs=_READ, probed=True, roles=PRIMARY,
    ),
    Check(
        "int.narrow_identity", "numbered keys of a small type",
        "To widen it later writes the table anew, and all that point at it.",
        "{column} of {table} is {type}, and {inserted} rows were inserted",
        settings={"many_rows": 10_000_000},
    ),
)  # fmt: skip

RULES: Final = (
    Check(
        "con.domain_not_valid", "constraints of domains that were never validated",
        "Values from before may break it.",
        "constraint {constraint} of domain {domain} holds for new values only",
    ),
    Check(
        "trg.replication_role", "sessions that fire no trigger",
        "What such a session writes is checked by no foreign key, and kept by no audit trail.",
        "every session of {of} begins with session_replication_role = {setting}",
    ),
    Check(
        "con.fk_orphans", "rows that point at none",
        "A join loses them, and a restore of a dump fails.",
        "rows of {table} point at none by {constraint}",
        needs=_READ, deep=True, probed=True,
    ),
)  # fmt: skip

PARTITIONS: Final = (
    Check(
        "part.future_missing", "partitions for what is to come",
        "Behind the last one every INSERT fails, or fills the default partition.",
        "{name} has partitions for {spans} more spans",
        warning=2, critical=1, falling=True, unit="spans of a partition", roles=PRIMARY,
    ),
    Check(
        "part.default_rows", "rows in a default partition",
        "No partition can be made for them while they are there, and no retention finds them.",
        "{name} holds rows that no other partition of {parent} takes",
        needs=_READ, probed=True,
    ),
    Check(
        "part.gap", "spans of time without a partition",
        "An INSERT for it fails, or fills the default partition.",
        "{name} has no partition for {since} to {until}",
    ),
    Check(
        "part.no_partitions", "partitioned tables without a partition",
        "Every INSERT fails.",
        "{name} has no partition",
    ),
    Check(
        "part.retention_overdue", "partitions that should be gone",
        "What should not be kept any more is kept.",
        "the oldest partition of {name} ended at {until}, and is kept for {keep_for}",
        warning=1, critical=3, unit="periods", table="ops.partition_policy",
        needs="GRANT SELECT ON public.retention_policies TO the login",
    ),
    Check(
        "part.drop_overdue", "partitions detached and still there",
        "It was to be dropped after its time of grace; no query of the table shows it.",
        "partition {name} of {table} should have been dropped {days} days ago",
        warning=1, critical=30, unit="days", table="ops.partition_archives",
        needs="GRANT SELECT ON ops.partition_policy TO the login",
    ),
    Check(
        "part.too_many", "tables with very many partitions",
        "Every plan of a query looks at each of them.",
        "{name} has {partitions} partitions",
        settings={"most": 1_000},
    ),
)  # fmt: skip

SCHEMA_CHECKS: Final = (*VACUUM, *INDEXES, *NUMBERS, *RULES, *PARTITIONS)
