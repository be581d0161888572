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
    Check(
        "app.erasure_unfinished", "erasures of people that were begun and have not come to their end",
        "The person is told that nothing is left, and something may be.",
        "{open} erasures are {name}, the first of them for {hours} h",
        warning=24, critical=168, unit="hours", table="ops.erasures", roles=PRIMARY,
    ),
    Check(
        "app.certificate_missing", "erasures of which nothing is left, and nothing proves it",
        "What cannot be shown was not done, before an authority.",
        "{open} erasures have been without a certificate for up to {hours} h",
        warning=1, critical=24, unit="hours", table="ops.erasures", roles=PRIMARY,
    ),
    Check(
        "app.notice_overdue", "recipients who were not told of an erasure",
        "Whoever was given the data has to be told that it was erased: GDPR, article 19.",
        "{open} notices wait for {name}, the first of them for {days} days",
        warning=3, critical=14, unit="days", table="ops.erasure_notices", roles=PRIMARY,
    ),
    Check(
        "app.rewrite_wanted", "files that hold what was erased",
        "A row that is deleted stays in its file until that is written anew, and in every copy of the file.",
        "the files of {schema}.{name} are to be written anew, in {days} days",
        warning=7, critical=0, falling=True, unit="days", table="ops.rewrites", roles=PRIMARY,
    ),
    Check(
        "app.gate_closed", "a database that was restored, and lets nobody in",
        "Whoever was erased since the backup is there again, until the ledger is replayed.",
        "the application is kept out until erasures are replayed: agentdb gdpr-erasure replay",
        table="ops.erasure_gate", roles=PRIMARY,
    ),
    Check(
        "app.backups_undeclared", "backups that nobody has declared",
        "A certificate cannot say when the last copy of what was erased ends: GDPR, article 12(1).",
        "people were erased, and {name} says of no backup how long it is kept",
        table="ops.backup_policies", roles=PRIMARY,
    ),
)  # fmt: skip
