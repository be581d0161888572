"""Every check: what it asks, why that matters, and from where on it is bad. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.checks_access import ACCESS_CHECKS
from spotify_ai_agent_migrations.versions.health_check.checks_replication import REPLICATION
from spotify_ai_agent_migrations.versions.health_check.checks_schema import SCHEMA_CHECKS
from spotify_ai_agent_migrations.versions.health_check.checks_server import SERVER

_MONITOR: Final = "GRANT pg_monitor TO the login"

CHECKS: Final = (
    Check(
        "avail.invalid_database", "databases whose removal was interrupted",
        "Nobody can connect to such a database; its files take space, and its age goes on growing.",
        "database {name} was dropped in part",
    ),
    Check(
        "conn.usage", "connections in use",
        "At the limit every new client is refused, whoever mends that among them.",
        "{clients} of {usable} connections are in use",
        warning=0.8, critical=0.95, unit="of the slots", watching=True,
    ),
    Check(
        "conn.idle_in_tx", "transactions in which nothing happens",
        "What such a transaction may still see is kept in every table, and its locks are held.",
        "session {pid} has been idle in a transaction for {seconds} s",
        warning=60, critical=900, unit="seconds", watching=True,
    ),
    Check(
        "lock.prepared_xacts", "transactions prepared and left",
        "It holds its locks and the horizon of VACUUM across restarts, until somebody ends it.",
        "transaction {name} was prepared {seconds} s ago",
        warning=300, critical=3_600, unit="seconds",
    ),
    Check(
        "lock.advisory_idle_holder", "advisory locks held by nobody at work",
        "Whoever asks for the lock, a migration perhaps, waits for a session that does nothing.",
        "session {pid} has held an advisory lock for {seconds} s, doing nothing; {waiting} wait for it",
        warning=600, unit="seconds", watching=True,
    ),
    Check(
        "xid.database", "transactions until the server refuses writes",
        "Three million before the end the server refuses to give out another number, and so every write.",
        "the oldest transaction that {name} may ask for is {age} back",
        warning=500_000_000, critical=1_000_000_000, unit="transactions",
    ),
    Check(
        "idx.invalid", "indexes that are not valid",
        "No query uses it, every write pays for it, and one behind a constraint keeps nothing unique.",
        "index {name} on {table} is not valid",
        needs=_MONITOR,
    ),
    Check(
        "seq.exhaustion", "numbers that a sequence, or its column, has left",
        "Behind the last number every INSERT fails.",
        "sequence {name} has given out {last} of {lowest} to {highest}",
        warning=0.75, critical=0.9, unit="of the numbers",
    ),
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
        "trg.disabled", "triggers that do not fire",
        "What it keeps, the audit trail or a foreign key, is not kept.",
        "trigger {trigger} of {table} is disabled",
    ),
    Check(
        "part.detach_pending", "partitions detached in part",
        "Until it is finished no other partition of the table can be detached.",
        "partition {name} of {parent} is detached in part",
        roles=PRIMARY,
    ),
    Check(
        "set.durability", "settings that give up what was committed",
        "After a crash what was committed may be gone, or the files unreadable.",
        "{name} is {setting}",
    ),
    Check(
        "set.pending_restart", "settings that wait for a restart",
        "The next restart, planned or not, changes how the server behaves.",
        "{name} waits for a restart",
    ),
    *SERVER,
    *REPLICATION,
    *SCHEMA_CHECKS,
    *ACCESS_CHECKS,
)  # fmt: skip
