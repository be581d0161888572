"""Checks of sequences, constraints, triggers and partitions. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.grants import READ

NUMBERS: Final = (
    Check(
        "seq.exhaustion", "numbers that a sequence, or its column, has left",
        "Behind the last number every INSERT fails.",
        "sequence {name} has given out {last} of {lowest} to {highest}",
        warning=0.75, critical=0.9, unit="of the numbers", needs=READ,
    ),
    Check(
        "seq.behind_max", "sequences behind the numbers in their column",
        "The next INSERT takes a number that is there, and fails; so it is after a restore or a load.",
        "sequence {name} is {behind} behind {column} of {table}",
        needs=READ, probed=True, roles=PRIMARY,
    ),
    Check(
        "int.pk_no_sequence", "small keys that the application numbers",
        "Behind the last number every INSERT fails.",
        "{column} of {table} has come to {percent} % of {highest}",
        warning=0.75, critical=0.9, unit="of the numbers", needs=READ, probed=True, roles=PRIMARY,
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
        "con.not_valid", "constraints that were never validated",
        "Rows from before may break it, and the planner does not count on it.",
        "constraint {constraint} of {table} holds for new rows only",
    ),
    Check(
        "con.not_enforced", "constraints that are not enforced",
        "It says what should be so, and nobody checks it.",
        "constraint {constraint} of {table} is not enforced",
        since=180_000,
    ),
    Check(
        "con.domain_not_valid", "constraints of domains that were never validated",
        "Values from before may break it.",
        "constraint {constraint} of domain {domain} holds for new values only",
    ),
    Check(
        "con.fk_orphans", "rows that point at none",
        "A join loses them, and a restore of a dump fails.",
        "rows of {table} point at none by {constraint}",
        needs=READ, deep=True, probed=True,
    ),
    Check(
        "trg.disabled", "triggers that do not fire",
        "What it keeps, the audit trail or a foreign key, is not kept.",
        "trigger {trigger} of {table} is disabled",
    ),
    Check(
        "trg.replication_role", "sessions that fire no trigger",
        "What such a session writes is checked by no foreign key, and kept by no audit trail.",
        "every session of {of} begins with session_replication_role = {setting}",
    ),
)  # fmt: skip

PARTITIONS: Final = (
    Check(
        "part.detach_pending", "partitions detached in part",
        "Until it is finished no other partition of the table can be detached.",
        "partition {name} of {parent} is detached in part",
        roles=PRIMARY,
    ),
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
        needs=READ, probed=True,
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

SCHEMA: Final = (*NUMBERS, *RULES, *PARTITIONS)
