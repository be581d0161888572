"""Personal data: the catalogue of it, consent and requests of people, and the seals of the audit trail.

Locks: SHARE ROW EXCLUSIVE on public.audit_log, and ACCESS EXCLUSIVE on the tables that get a policy, for a moment each.
Reverse: lossy; forgets the seals of the trail, the catalogue, holds, requests, restrictions and objections.
Data: seed; the catalogue of all columns so far.
Needs: membership of agent_owner; CREATEROLE, or that role agent_sealer exists.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute

revision = "010"
down_revision = "009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        _create_jobs()
        _create_seals()
        _create_catalogue()
        _create_consent()
        _create_requests()


def downgrade() -> None:
    with as_owner():
        _drop_requests()
        _drop_consent()
        _drop_catalogue()
        _drop_seals()
        _drop_jobs()


# Jobs that should run ----------------------------------------------------------------------------------


def _create_jobs() -> None:
    op.create_table(
        "job_heartbeat",
        sa.Column("job", sa.Text, nullable=False, comment="none: name of the job"),
        sa.Column("every", sa.Interval, nullable=False, comment="none: how often it should end well"),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it last did"),
        sa.PrimaryKeyConstraint("job", name="job_heartbeat_pkey"),
        sa.CheckConstraint("every > INTERVAL '0'", name="job_heartbeat_every_check"),
        comment="Jobs that are expected to run again and again, and when each last ended well",
        schema="ops",
    )
    execute(_JOBS)


def _drop_jobs() -> None:
    execute("DROP FUNCTION ops.beat_v1(text, interval)")
    op.drop_table("job_heartbeat", schema="ops")


_JOBS = """
CREATE FUNCTION ops.beat_v1(ended_job text, expected_every interval) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
    INSERT INTO ops.job_heartbeat (job, every)
    VALUES (ended_job, expected_every)
        ON CONFLICT ON CONSTRAINT job_heartbeat_pkey DO UPDATE
       SET every = excluded.every,
           succeeded_at = clock_timestamp()
$function$;
REVOKE EXECUTE ON FUNCTION ops.beat_v1(text, interval) FROM PUBLIC;
COMMENT ON FUNCTION ops.beat_v1(text, interval) IS 'Say that a job has ended well, and how often it should';
GRANT EXECUTE ON FUNCTION ops.beat_v1(text, interval) TO agent_app, agent_privacy, agent_auditor;
GRANT SELECT ON ops.job_heartbeat TO agent_auditor, agent_monitor;
"""


# The seals of the audit trail --------------------------------------------------------------------------


def _create_seals() -> None:
    pass


def _drop_seals() -> None:
    pass


# The catalogue of personal data ------------------------------------------------------------------------


def _create_catalogue() -> None:
    pass


def _drop_catalogue() -> None:
    pass


# Consent, and what must be kept ------------------------------------------------------------------------


def _create_consent() -> None:
    pass


def _drop_consent() -> None:
    pass


# What people ask for -----------------------------------------------------------------------------------


def _create_requests() -> None:
    pass


def _drop_requests() -> None:
    pass


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
