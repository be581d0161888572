"""Checks of what a server has in the course of time: room, growth, slower statements. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.grants import MONITOR

HISTORY: Final = "history"
EXPECTED: Final = "expected settings"
_LAST_XID: Final = 2_147_483_648 - 3_000_000

DISK: Final = (
    Check(
        "disk.free", "room on the server's disks",
        "Where nothing more can be written the server stops, and may not start again.",
        "{percent} % of {name} are used, and {free} are left",
        warning=0.8, critical=0.9, unit="of the disk", needs=MONITOR, on_disk=True,
        settings={"least_free": 10 << 30, "least_free_critical": 5 << 30},
    ),
    Check(
        "disk.days_left", "days until a disk is full",
        "Where nothing more can be written the server stops, and may not start again.",
        "{name} is full in {days} days, by what was written to it in {hours} h",
        warning=7, critical=1, falling=True, unit="days", needs=MONITOR, on_disk=True,
        follows="disk.free", wants=HISTORY,
        settings={"least_free": 10 << 30, "least_free_critical": 5 << 30, "full": 1.0},
    ),
    Check(
        "disk.size", "sizes of databases",
        "What has grown for a year is no surprise when the disk is full.",
        "{name} takes {bytes} bytes",
        unit="bytes", wants=HISTORY,
    ),
    Check(
        "disk.growth", "databases that grow fast",
        "A table that nobody cuts off, or a job that writes everything twice, is seen here first.",
        "{name} grew by {percent} % a day in {hours} h",
        warning=0.1, unit="of its size a day",
        follows="disk.size", wants=HISTORY, settings={"least_bytes": 1 << 30},
    ),
)  # fmt: skip

NUMBERS: Final = (
    Check(
        "seq.days_left", "days until a sequence, or its column, has no number left",
        "Behind the last number every INSERT fails, and to widen a large table takes weeks to plan.",
        "sequence {name} has no number left in {days} days, by what it gave out in {hours} h",
        warning=90, critical=30, falling=True, unit="days",
        follows="seq.exhaustion", wants=HISTORY,
        settings={"full": 1.0, "is_counter": True, "warning": 0.1, "critical": None},
    ),
    # Below the age at which autovacuum freezes what it can, growing is what an age does.
    Check(
        "xid.burn_rate", "days until the server refuses writes",
        "Nothing is frozen as fast as transactions come, and at the end every write is refused.",
        "{name} has no transaction number left in {days} days, by what was used up in {hours} h",
        warning=30, critical=7, falling=True, unit="days",
        follows="xid.database", wants=HISTORY, settings={"full": _LAST_XID, "least": 300_000_000},
    ),
    Check(
        "mxid.burn_rate", "days until the server refuses shared row locks",
        "Nothing is frozen as fast as they come, and at the end whatever locks a locked row is refused.",
        "{name} has no multixact left in {days} days, by what was used up in {hours} h",
        warning=30, critical=7, falling=True, unit="days",
        follows="mxid.database", wants=HISTORY, settings={"full": _LAST_XID, "least": 500_000_000},
    ),
)  # fmt: skip

STATEMENTS: Final = (
    Check(
        "query.times", "what the statements took that took most",
        "Which statement got slower can only be told by what it took before.",
        "statement {name}",
        watching=True, needs=MONITOR, probed=True, extension="pg_stat_statements", wants=HISTORY,
        settings={"most": 50},
    ),
    Check(
        "query.regression", "statements that got slower",
        "A plan has changed, or there is more to read: it goes on like that.",
        "statement {name} takes {now_ms} ms, and took {before_ms} ms until {hours} h ago",
        warning=2, unit="times as long", watching=True, needs=MONITOR, probed=True,
        extension="pg_stat_statements", follows="query.times", wants=HISTORY,
        settings={"most": 50, "least_ms": 10.0, "least_calls": 20},
    ),
)  # fmt: skip

SETTINGS: Final = (
    Check(
        "set.drift", "settings that are not what they should be",
        "Somebody changed it by hand, or the file that says so never came to this server.",
        "{name} is {value} and should be {expected}",
        watching=True, needs=MONITOR, wants=EXPECTED, settings={"expected": "{}"},
    ),
)  # fmt: skip

COURSE: Final = (*DISK, *NUMBERS, *STATEMENTS, *SETTINGS)
