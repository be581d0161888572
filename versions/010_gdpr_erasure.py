"""Personal data: the catalogue of it, consent and requests of people, and the seals of the audit trail.

Locks: SHARE ROW EXCLUSIVE on public.audit_log, and ACCESS EXCLUSIVE on the tables that get a policy, for a moment each.
Reverse: lossy; forgets the seals of the trail, the catalogue, holds, requests, restrictions and objections.
Data: seed; the catalogue of all columns so far.
Needs: membership of agent_owner; CREATEROLE, or that role agent_sealer exists.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

from spotify_ai_agent_migrations.versions.core.ddl import as_owner

revision = "010"
down_revision = "009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
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
