"""Rollback: the ledger of the ways back that were gone, and of what they kept.

Locks: none on existing tables; the table is new.
Reverse: lossy; forgets which rollbacks there were. What they kept stays, each in a schema of its own.
Data: seed; how long an entry is kept.
Needs: membership of agent_owner.
"""

import sqlalchemy as sa
from alembic import op

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute

revision = "006"
down_revision = "005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        op.create_table(
            "rollbacks",
            sa.Column("run", sa.Text, nullable=False, comment="none: number of the rollback, and end of the name of its quarantine"),
            sa.Column("started_from", sa.Text, nullable=False, comment="none: revision the database was at"),
            sa.Column("target", sa.Text, nullable=False, comment="none: revision it went back to, or base"),
            sa.Column("digest", sa.Text, nullable=False, comment="none: of the plan"),
            sa.Column("rows_at_risk", sa.BigInteger, nullable=False, comment="none: how many rows or values the plan said would go"),
            sa.Column("rows_kept", sa.BigInteger, nullable=False, comment="none: how many of them the quarantine holds"),
            sa.Column("done_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was done"),
            sa.PrimaryKeyConstraint("run", name="rollbacks_pkey"),
            sa.CheckConstraint("run ~ '^[0-9a-f]{12}$'", name="rollbacks_run_check"),
            comment="Which rollbacks there were; what each one kept is in schema rollback_<run>",
            schema="ops",
        )
        execute(_RETENTION)


def downgrade() -> None:
    with as_owner():
        execute(_FORGET_RETENTION)
        op.drop_table("rollbacks", schema="ops")


_RETENTION = """
INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('ops.rollbacks', 'ledger', 'done_at', INTERVAL '24 months', 'delete', 'ISO/IEC 27001:2022 A.8.15')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

_FORGET_RETENTION = """
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) = ('ops.rollbacks', 'ledger');
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
