"""Checks of tables and indexes: vacuum, statistics, what is missing and what is too much. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.grants import (
    AMCHECK,
    HEAPCHECK,
    MONITOR,
    READ,
    SCAN,
)

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
        warning=1_800, unit="seconds", roles=PRIMARY, needs=MONITOR,
    ),
    Check(
        "vac.wraparound_running", "autovacuum at work against the end of the transaction numbers",
        "It gives way to no lock, and whoever wants to change the table waits.",
        "session {pid} has been freezing a table for {seconds} s",
        roles=PRIMARY, needs=MONITOR, settings={"after_s": 6 * 3_600},
    ),
    Check(
        "vac.table_bloat", "tables that are mostly empty",
        "What is read, cached and saved is mostly nothing.",
        "{percent} % of {name} hold nothing",
        warning=0.5, unit="of the table", needs=SCAN,
        deep=True, probed=True, extension="pgstattuple", settings={"least_bytes": 1 << 30},
    ),
    Check(
        "vac.index_bloat", "indexes that are mostly empty",
        "What is read, cached and saved is mostly nothing.",
        "{percent} % of the leaves of {name} hold nothing",
        warning=0.6, unit="of the index", needs=SCAN,
        deep=True, probed=True, extension="pgstattuple", settings={"least_bytes": 500 << 20},
    ),
)  # fmt: skip

STATISTICS: Final = (
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
        "stats.window", "for how long the server has counted",
        "An index that nobody uses, rows that died, a deadlock an hour: all of it is of this time alone.",
        "what is done in {name} has been counted for {days} days",
        warning=7, falling=True, unit="days",
    ),
    Check(
        "stats.track_off", "counters that are switched off",
        "What is not counted is neither vacuumed in time nor seen by any check.",
        "{name} is off",
    ),
)  # fmt: skip

STORAGE: Final = (
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
)  # fmt: skip

INDEXES: Final = (
    Check(
        "idx.invalid", "indexes that are not valid",
        "No query uses it, every write pays for it, and one behind a constraint keeps nothing unique.",
        "index {name} on {table} is not valid",
        roles=PRIMARY,
    ),
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
        needs=READ, settings={"least_bytes": 10 << 20, "most_null": 0.5}, probed=True,
    ),
    Check(
        "idx.array_btree", "indexes that compare lists and documents as a whole",
        "It helps no query that looks for something inside; GIN does.",
        "index {name} on {table} finds {column} only as a whole",
    ),
    Check(
        "idx.boolean", "indexes on a truth value",
        "It holds every row; one with a condition holds the few that are looked for.",
        "index {name} on {table} holds no more than true and false, in {bytes} bytes",
        settings={"least_bytes": 10 << 20},
    ),
    Check(
        "idx.corrupt", "indexes that do not hold what the table does",
        "A query by it misses rows, and a unique one lets them in twice.",
        "index {name} is corrupt",
        needs=AMCHECK,
        deep=True, probed=True, extension="amcheck",
    ),
    Check(
        "chk.amcheck", "tables that are not as their pages say",
        "Rows of it cannot be read, or are other rows, and a backup has it as it is.",
        "{name} is corrupt in block {block}",
        needs=HEAPCHECK, roles=PRIMARY,
        deep=True, probed=True, extension="amcheck",
    ),
)  # fmt: skip

TABLES: Final = (*VACUUM, *STATISTICS, *STORAGE, *INDEXES)
