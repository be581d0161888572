"""Checks of what the application owes by a day: requests, erasures, jobs, seals, retention. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.grants import READ

DUTIES: Final = (
    Check(
        "app.erasure_overdue", "requests of people that wait for an answer",
        "The law gives a month, and a person waits: GDPR, article 12(3).",
        "{open} requests for {name} are open, the next one due in {days} days",
        warning=7, critical=0, falling=True, unit="days", table="public.data_subject_requests",
    ),
    Check(
        "app.queue_overdue", "work that is due",
        "Whoever should do it does not, or not fast enough.",
        "{open} entries of {name} are open, the next one due in {hours} h",
        warning=1, critical=-1, falling=True, unit="hours", told="table", probed=True, needs=READ,
        settings={"table": "", "due": "due_at", "done": "done_at"},
    ),
    Check(
        "app.job_heartbeat", "jobs that should have run",
        "A job that does not run fails nowhere.",
        "job {name} last ended well {hours} h ago, and should every {every}",
        warning=2, critical=4, unit="times its period", table="ops.job_heartbeat",
    ),
    Check(
        "app.audit_broken", "seals of the audit trail that do not follow on another",
        "Somebody changed what was done, or took it away.",
        "seal {name} does not follow on the one before",
        table="ops.audit_seal",
    ),
    Check(
        "app.audit_unsealed", "what was audited and not sealed since",
        "Until it is sealed, whoever may write to the trail can change it unseen.",
        "the oldest entry that no seal covers is {minutes} min old",
        warning=10, critical=60, unit="minutes", table="ops.audit_seal", roles=PRIMARY,
        needs="GRANT SELECT ON public.audit_log TO the login",
    ),
    Check(
        "app.retention_overdue", "rows that should have been deleted",
        "Who has no ground to keep personal data has it: GDPR, article 5(1)(e).",
        "{name} keeps rows for {days} days longer than it should",
        warning=7, critical=31, unit="days", table="public.retention_policies", probed=True, needs=READ,
    ),
)  # fmt: skip
