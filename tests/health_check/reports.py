"""Reports made by hand, of all states and of names that would break any form of output."""

from __future__ import annotations

from datetime import date, datetime, timezone

from spotify_ai_agent_migrations.versions.health_check.finding import (
    Finding,
    Fix,
    HealthReport,
    Measured,
    Ran,
    State,
    Subject,
    Suppressed,
)
from spotify_ai_agent_migrations.versions.health_check.outputs import Extra

NOW = datetime(2026, 11, 26, 20, 30, 15, tzinfo=timezone.utc)
SINCE = datetime(2026, 11, 1, tzinfo=timezone.utc)
EXTRA = Extra(NOW)
SERVER = "postgresql://monitor@db.example/agent"
ODD_NAME = "a|b\n`c`* \"d\" \\e <i>'f=g'</i> \x1b[31m ]]> é @team #1 & ¬\u202e"

EXHAUSTED = Finding(
    "seq.exhaustion", State.CRITICAL, Subject("sequence", "public", "orders_id_seq"),
    "sequence orders_id_seq has given out 98 of 1 to 100", {"last": 98}, 0.98, 0.75, 0.9, "of the numbers",
    "SELECT 1", (Fix("ALTER SEQUENCE public.orders_id_seq AS bigint", "ACCESS EXCLUSIVE"),), None, SINCE,
)  # fmt: skip
SLOW = Finding(
    "set.timeouts", State.WARNING, Subject("setting", None, "statement_timeout"),
    "statement_timeout is 500 ms for agent_app", {}, 500.0, 1_000.0, 100.0, "milliseconds", "SELECT 2",
)  # fmt: skip
ODD = Finding(
    "idx.fk_missing", State.WARNING, Subject("table", "odd", ODD_NAME), f"no index of {ODD_NAME}",
    {"table": ODD_NAME}, None, None, None, "", "SELECT 3",
    (Fix(f'CREATE INDEX ON "{ODD_NAME}" (a)', "SHARE"), Fix("ANALYZE", "SHARE UPDATE EXCLUSIVE")),
)  # fmt: skip
HIDDEN = Finding(
    "set.hba_errors", State.UNKNOWN, Subject(), "lines of pg_hba.conf: the login may not ask",
    cure="GRANT pg_monitor TO monitor",
)  # fmt: skip
LOADED = Finding("set.preload", State.INFO, Subject("setting", None, "shared_preload_libraries"),
                 "pg_stat_statements is not loaded")  # fmt: skip
ALLOWED = Finding(
    "sec.ext_public", State.SUPPRESSED, Subject("extension", None, "citext"), "extension citext is in schema public",
    suppressed=Suppressed(State.CRITICAL, "it goes with \x1b[1m the next release", date(2027, 2, 1)),
)  # fmt: skip


def _measured(found: Finding, *, falling: bool = False) -> Measured:
    assert found.measure is not None
    return Measured(
        found.check,
        found.subject,
        found.measure,
        found.unit,
        found.state,
        found.warning,
        found.critical,
        falling,
    )


USED = Measured(
    "conn.usage", Subject("server", None, "connections"), 0.25, "of the slots", State.OK, 0.8, 0.95
)
NONE = HealthReport((), 0.0, SERVER, 180006, "primary")
WELL = HealthReport((Ran("conn.usage", State.OK, 0.001),), 0.01, SERVER, 150018, "standby")
SOME = HealthReport(
    (
        Ran("seq.exhaustion", State.CRITICAL, 0.02, (EXHAUSTED,), "", (_measured(EXHAUSTED),)),
        Ran("set.timeouts", State.WARNING, 0.001, (SLOW,), "", (_measured(SLOW, falling=True),)),
        Ran("idx.fk_missing", State.WARNING, 0.2, (ODD,)),
        Ran("set.hba_errors", State.UNKNOWN, 0.0, (HIDDEN,), "the login may not ask"),
        Ran("lock.blocked", State.UNKNOWN, 2.0, (), "it took longer than it was given"),
        Ran("set.preload", State.INFO, 0.001, (LOADED,)),
        Ran("conn.usage", State.OK, 0.001, measured=(USED,)),
        Ran("sec.ext_public", State.SUPPRESSED, 0.001, (ALLOWED,)),
        Ran("repl.lag_seconds", State.SKIPPED, 0.0, (), "not on a primary of this version"),
    ),
    2.5, SERVER, 180006, "primary",
)  # fmt: skip
UNANSWERED = HealthReport(
    tuple(
        Ran(name, State.UNKNOWN, 0.0, (), "the server did not answer") for name in ("conn.usage", "set.preload")
    ),
    10.0, SERVER, None, "unknown",
)  # fmt: skip
EVERY = {"none": NONE, "well": WELL, "some": SOME, "unanswered": UNANSWERED}
