"""Checks of replication, slots, subscriptions, WAL and the archive. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, STANDBY, Check
from spotify_ai_agent_migrations.versions.health_check.grants import MONITOR

_GIB: Final = 1 << 30

STREAMING: Final = (
    Check(
        "repl.lag_bytes", "what standbys have yet to replay",
        "If the primary were lost now, so would be what has not arrived.",
        "{name} is {size} behind",
        warning=_GIB // 4, critical=_GIB, unit="bytes", watching=True,
    ),
    Check(
        "repl.lag_seconds", "how old what a standby shows is",
        "Whoever reads here reads what was.",
        "the standby is {seconds} s behind",
        warning=60, critical=300, unit="seconds", roles=STANDBY,
    ),
    Check(
        "repl.receiver_down", "a standby that receives nothing",
        "It falls behind for as long as that lasts, and says that it has replayed all it has.",
        "the standby receives nothing from its primary",
        roles=STANDBY, needs=MONITOR,
    ),
    Check(
        "repl.replay_paused", "a standby that was told to stop replaying",
        "It falls behind until somebody resumes it, and cannot be promoted as it should.",
        "replay is {doing}; {bytes} bytes wait",
        roles=STANDBY,
    ),
    Check(
        "repl.sync_missing", "a standby that every commit waits for",
        "Reading goes on, and whoever writes hangs.",
        "every commit waits for {wanted} standbys, and {there} are there; {waiting} wait now",
        roles=PRIMARY, watching=True,
    ),
    Check(
        "repl.conflicts", "queries that replay cancelled",
        "Whoever asked got an error instead of an answer.",
        "{conflicts} queries on {name} were cancelled in {hours} h",
        warning=1, unit="an hour", roles=STANDBY,
    ),
)  # fmt: skip

SLOTS: Final = (
    Check(
        "slot.inactive", "slots that nobody reads",
        "WAL and dead rows are kept for it until the disk is full.",
        "nobody has read slot {name} since {since}",
        warning=900, critical=3_600, unit="seconds",
    ),
    Check(
        "slot.retained", "WAL kept for a slot",
        "It is kept until it is read, or until the disk is full.",
        "{size} of WAL are kept for slot {name}",
        warning=5 * _GIB, critical=50 * _GIB, unit="bytes",
    ),
    Check(
        "slot.lost", "slots of which the WAL is gone",
        "Whoever reads it cannot go on, and has to be made anew.",
        "slot {name} is {status}",
    ),
    Check(
        "slot.xmin_horizon", "what a slot keeps from VACUUM",
        "Nothing that died since can be removed from any table, or from any catalog.",
        "slot {name} holds what is up to {age} transactions old",
        warning=1_000_000, critical=100_000_000, unit="transactions",
    ),
    Check(
        "slot.spill", "what a slot's reader wrote to files",
        "Large transactions are written out and read again before they are sent.",
        "slot {name} wrote {size} to files an hour",
        warning=_GIB, unit="bytes an hour",
    ),
)  # fmt: skip

LOGICAL: Final = (
    Check(
        "sub.disabled", "subscriptions that are not enabled",
        "Nothing arrives, and the WAL is kept on the other side.",
        "subscription {name} is disabled",
    ),
    Check(
        "sub.errors", "subscriptions that fail",
        "What failed is tried again and again, and nothing after it arrives.",
        "subscription {name} has failed {errors} times; its worker is {worker}",
    ),
    Check(
        "sub.table_not_ready", "tables that are being copied",
        "Until then they do not hold what they should.",
        "table {name} of subscription {subscription} is in state {state}",
    ),
    Check(
        "pub.no_replica_identity", "published tables without a key",
        "UPDATE and DELETE of such a table fail.",
        "table {name} is published by {publication}, and nothing says which row was changed",
        roles=PRIMARY,
    ),
)  # fmt: skip

WAL: Final = (
    Check(
        "wal.archive_failing", "WAL that cannot be archived",
        "Until it can, no backup reaches beyond, and the disk fills.",
        "{file} could not be archived, after {failed} failures",
    ),
    Check(
        "wal.archive_stalled", "WAL that waits to be archived",
        "A command that hangs fails never; what waits is lost with the disk.",
        "{files} files wait to be archived, the oldest for {seconds} s",
        warning=600, critical=3_600, unit="seconds", needs=MONITOR,
    ),
    Check(
        "wal.archive_off", "whether WAL is archived",
        "Without it a backup brings back the moment it was taken, and no other.",
        "{said}",
        roles=PRIMARY,
    ),
    Check(
        "wal.dir_size", "the size of pg_wal",
        "Something keeps it: a slot, an archive that fails; and when the disk is full the server stops.",
        "pg_wal holds {size}, of {room} that it should",
        warning=2, critical=5, unit="times what it should", needs=MONITOR,
    ),
    Check(
        "wal.checkpoints_requested", "checkpoints before their time",
        "Every page is written whole after each: more WAL, and so more checkpoints.",
        "{requested} of {every} checkpoints came before their time",
        warning=0.3, unit="of the checkpoints", renamed=170_000, roles=PRIMARY,
    ),
    Check(
        "wal.checkpoint_age", "the last checkpoint",
        "After a crash all since then is to be replayed before anybody is served.",
        "{size} of WAL were written since the last checkpoint, {seconds} s ago",
        warning=2, critical=5, unit="times max_wal_size", roles=PRIMARY,
    ),
    Check(
        "backup.in_progress_stuck", "copies that do not end",
        "It keeps a connection and WAL, and there is no backup yet.",
        "session {pid} has been copying the server for {seconds} s",
        warning=43_200, unit="seconds", watching=True,
    ),
    Check(
        "notify.queue", "the queue of NOTIFY",
        "When it is full, every transaction that notifies fails.",
        "{taken} of the queue of NOTIFY is taken",
        warning=0.25, critical=0.75, unit="of the queue", roles=PRIMARY,
    ),
)  # fmt: skip

REPLICATION: Final = (*STREAMING, *SLOTS, *LOGICAL, *WAL)
