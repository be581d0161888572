"""Checks of the server itself, from who may connect to what its disk gives back. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.grants import FILES, HBA, LS_DIR, MONITOR, STAT_FILE

_GIB: Final = 1 << 30

AVAILABILITY: Final = (
    Check(
        "avail.invalid_database", "databases whose removal was interrupted",
        "Nobody can connect to such a database; its files take space, and its age goes on growing.",
        "database {name} was dropped in part",
    ),
    Check(
        "avail.connect", "how long it takes to be let in",
        "Every client that begins waits for that, and a server that is slow at it is short of something.",
        "it took {seconds} s to connect",
        warning=0.5, critical=2, unit="seconds",
    ),
    Check(
        "avail.read_only", "where writing is refused unless it is asked for",
        "Every INSERT of an application that says nothing about it fails.",
        "transactions are read-only by default for {whose}",
        roles=PRIMARY,
    ),
    Check(
        "avail.restart", "when the server was started",
        "Its memory is cold, and who did it may not have been you.",
        "the server was started {seconds} s ago",
        warning=600, unit="seconds",
    ),
    Check(
        "avail.crash_recovery", "recoveries after a crash",
        "A process died and every session with it; what was counted until then is lost.",
        "the server recovered from a crash {seconds} s ago",
        warning=86_400, critical=600, unit="seconds", watching=True,
    ),
    Check(
        "avail.version_eol", "days until nobody mends this version any more",
        "After that day a hole that is found stays open.",
        "PostgreSQL {major} is mended until {until}",
        warning=180, critical=0, falling=True, unit="days",
    ),
    Check(
        "avail.minor_behind", "releases that mend this one",
        "What they mend is public: lost data, wrong answers, holes.",
        "the server is {version}; {known} is out",
        settings={"newest": "15.18 16.14 17.10 18.6"},
    ),
    Check(
        "avail.log_writable", "the file of the server's log",
        "What the server says goes where nobody finds it, and takes room until it is closed.",
        "the server writes its log to {file}, which is not there",
        probed=True,
    ),
    Check(
        "avail.clock_skew", "the server's clock beside this one",
        "What expires, and what is signed, is judged by two times.",
        "the server's clock is {seconds} s off",
        warning=2, critical=10, unit="seconds",
    ),
)  # fmt: skip

CONNECTIONS: Final = (
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
        "conn.db_or_role_limit", "connections that a database or a role may have",
        "At its limit its clients are refused, while the server has room.",
        "{clients} of {limit} connections of {name} are in use",
        warning=0.8, critical=0.95, unit="of the limit", watching=True,
    ),
    Check(
        "conn.idle_in_tx_aborted", "transactions that failed and that nobody ended",
        "Every statement in it fails, and its locks are held: the application does not look at its errors.",
        "session {pid} has been in a failed transaction for {seconds} s",
        warning=60, critical=900, unit="seconds", watching=True,
    ),
    Check(
        "conn.long_query", "statements that take long",
        "What it may still see is kept in every table, and its locks are held.",
        "session {pid} has been running a statement for {seconds} s",
        warning=300, critical=3_600, unit="seconds", watching=True,
    ),
    Check(
        "conn.long_xact", "transactions that take long",
        "What it may still see is kept in every table, and its locks are held.",
        "session {pid} has had a transaction open for {seconds} s",
        warning=900, critical=14_400, unit="seconds", watching=True,
    ),
    Check(
        "conn.waiting_sessions", "sessions that wait for a lock",
        "Each has a connection and does nothing with it, until there is none left.",
        "{waiting} sessions wait for a lock",
        warning=5, critical=20, unit="sessions",
    ),
    Check(
        "conn.abandoned_fatal", "sessions that ended as they should not",
        "A client that vanishes, or is thrown out, leaves its work undone.",
        "{abandoned} sessions of {name} were abandoned and {fatal} ended by an error in {hours} h",
        warning=10, unit="an hour",
    ),
    Check(
        "conn.unencrypted", "sessions from elsewhere without encryption",
        "Whoever is between reads what is said, and can say something else.",
        "session {pid} of {role} comes from elsewhere and is not encrypted",
        watching=True,
    ),
)  # fmt: skip

LOCKS: Final = (
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
        "lock.blocked", "who stands at the head of a queue",
        "All behind it wait for this one session, however many there are.",
        "{waiting} sessions wait behind {pid}, one of them for {seconds} s",
        warning=30, critical=300, unit="seconds",
    ),
    Check(
        "lock.ddl_queue", "who waits to have a table for itself",
        "Whoever wants the table after it, to read as well, waits behind it.",
        "session {pid} has been waiting for {table} for {seconds} s, and who comes after waits behind it",
        warning=5, critical=60, unit="seconds",
    ),
    Check(
        "lock.table_fill", "how full the table of locks is",
        "When it is full, whatever needs a lock more fails: out of shared memory.",
        "{locks} of {room} locks are taken",
        warning=0.5, critical=0.8, unit="of the room",
    ),
    Check(
        "lock.deadlocks", "deadlocks",
        "Each of them ended somebody's transaction.",
        "{deadlocks} deadlocks of {name} in {hours} h",
        warning=1, critical=60, unit="an hour",
    ),
)  # fmt: skip

WRAPAROUND: Final = (
    Check(
        "xid.database", "transactions until the server refuses writes",
        "Three million before the end the server refuses to give out another number, and so every write.",
        "the oldest transaction that {name} may ask for is {age} back",
        warning=500_000_000, critical=1_000_000_000, unit="transactions",
    ),
    Check(
        "xid.table", "tables that hold the oldest transactions",
        "The oldest of them says how old the database is.",
        "the oldest transaction of {name} is {age} back",
        warning=500_000_000, critical=1_000_000_000, unit="transactions",
    ),
    Check(
        "xid.autovacuum_emergency", "databases older than autovacuum lets them become",
        "It freezes what it can, and cannot keep up, or something holds it back.",
        "{name} is {age} transactions old; autovacuum begins to freeze at {freeze}",
        warning=1.1, critical=1.5, unit="of autovacuum_freeze_max_age",
    ),
    Check(
        "xid.horizon_holder", "who keeps what is dead",
        "Nothing that died since can be removed from any table.",
        "{holder} holds what is up to {age} transactions old",
        warning=1_000_000, critical=50_000_000, unit="transactions", watching=True,
    ),
    Check(
        "mxid.database", "shared row locks until the server refuses them",
        "At the end whatever locks a row that another one locks, a foreign key for one, is refused.",
        "the oldest shared row lock of {name} is {age} back",
        warning=500_000_000, critical=1_000_000_000, unit="multixacts",
    ),
    Check(
        "mxid.members", "room for those that share a row lock",
        "From half of it on every VACUUM freezes all; at the end a shared row lock is refused.",
        "those that share row locks take {size} of pg_multixact/members",
        warning=0.5, critical=0.75, unit="of the room", needs=LS_DIR,
    ),
)  # fmt: skip

SETTINGS: Final = (
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
    Check(
        "set.corruption_masking", "settings that hide what is broken",
        "What cannot be read is taken for empty, and written so.",
        "{name} is on for {whose}",
    ),
    Check(
        "set.conf_errors", "lines of the configuration that are not taken",
        "With such a line the next start fails, or nothing of what was changed applies.",
        "{name}: {error}",
        needs=FILES,
    ),
    Check(
        "set.hba_errors", "lines of pg_hba.conf that are not taken",
        "With such a line no change of the file applies, and the next start fails.",
        "line {line} of pg_hba.conf: {error}",
        needs=HBA,
    ),
    Check(
        "set.timeouts", "timeouts in which nothing can be done",
        "Every statement of such a session is cancelled.",
        "{setting} is {value} for {whose}",
        warning=1_000, critical=100, falling=True, unit="milliseconds",
    ),
    Check(
        "set.no_timeouts", "logins that nothing stops",
        "A transaction left open, or a wait for a lock, lasts until somebody ends it.",
        "{name} has no {timeouts}",
        needs=FILES,
    ),
    Check(
        "set.preload", "the record of statements",
        "Without it nobody can say afterwards which statement took the time.",
        "pg_stat_statements is not loaded",
        watching=True, needs=MONITOR,
    ),
    Check(
        "set.huge_pages", "the pages of the server's memory",
        "Every session pays for a table of small pages.",
        "{shared} of shared memory are in small pages",
        since=170_000, settings={"least_bytes": 8 << 30},
    ),
)  # fmt: skip

CORRUPTION: Final = (
    Check(
        "chk.failures", "pages with a wrong checksum",
        "Something between the server and the disk changed what was written.",
        "{failures} pages of {name} had a wrong checksum",
    ),
    Check(
        "chk.disabled", "checksums of pages",
        "What the disk changes is read as if it had been written so.",
        "pages have no checksums",
    ),
    Check(
        "chk.missing_files", "files that are not there",
        "What was in it is gone; its size is said to be nothing.",
        "the file of {name} is not there",
        needs=STAT_FILE,
    ),
    Check(
        "coll.database", "databases sorted by another version",
        "An index is searched in an order that it is not in: rows are not found, and keys are there twice.",
        "{name} was sorted by version {was}, and the library has {is}",
    ),
    Check(
        "coll.objects", "collations of another version",
        "An index is searched in an order that it is not in: rows are not found, and keys are there twice.",
        "{indexes} indexes were sorted by version {was} of {name}, and the library has {is}",
    ),
)  # fmt: skip

RESOURCES: Final = (
    Check(
        "cache.hit", "reads answered from memory",
        "What is not there is asked of the system, and perhaps of the disk.",
        "{percent} % of the reads of {name} were answered from memory",
        warning=0.9, unit="of the reads",
    ),
    Check(
        "temp.bytes", "what did not fit in memory",
        "What is sorted or joined in files takes many times as long.",
        "{name} wrote {size} to temporary files an hour",
        warning=_GIB, unit="bytes an hour",
    ),
    Check(
        "rollback.ratio", "transactions rolled back",
        "Somebody does work that is thrown away.",
        "{rolled_back} of {every} transactions of {name} were rolled back",
        warning=0.1, unit="of the transactions",
    ),
)  # fmt: skip

SERVER: Final = (*AVAILABILITY, *CONNECTIONS, *LOCKS, *WRAPAROUND, *SETTINGS, *CORRUPTION, *RESOURCES)
