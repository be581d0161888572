"""Online changes: the ledger of them, and how far each has come.

Locks: none on existing tables; the three of it are new.
Reverse: lossy; forgets which online changes were made, and how far those have come that are not over.
Data: none.
Needs: membership of agent_owner.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute

revision = "011"
down_revision = "010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        _create_ledger()
        execute(_SETTINGS)


def downgrade() -> None:
    with as_owner():
        execute(_FORGET_SETTINGS)
        op.drop_table("online_range", schema="ops")
        op.drop_table("online_step", schema="ops")
        op.drop_table("online_change", schema="ops")


def _create_ledger() -> None:
    op.create_table(
        "online_change",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the change"),
        sa.Column("operation", sa.Text, nullable=False, comment="none: what kind of change it is"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the table, with its schema, as SQL writes it"),
        sa.Column("subject", sa.Text, nullable=False, comment="none: what of the table it is about"),
        sa.Column("arguments", JSONB, nullable=False, comment="none: what was wished"),
        sa.Column("steps", JSONB, nullable=False, comment="none: its steps in order: statements, locks, and how each is taken back"),
        sa.Column("state", sa.Text, nullable=False, comment="none: how far it has come"),
        sa.Column("asked", sa.Text, server_default="go", nullable=False, comment="none: what its backfill was asked to do: go on, pause or end"),
        sa.Column("begun_by", sa.Text, server_default=sa.text("SESSION_USER"), nullable=False, comment="none: database login that began it"),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it began"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when it was completed or aborted; NULL is not yet"),
        sa.PrimaryKeyConstraint("id", name="online_change_pkey"),
        sa.CheckConstraint("state IN ('begun', 'started', 'filled', 'verified', 'contracting', 'aborting', 'completed', 'aborted')", name="online_change_state_check"),
        sa.CheckConstraint("asked IN ('go', 'pause', 'end')", name="online_change_asked_check"),
        comment="Changes of live tables, and how far each has come",
        schema="ops",
    )
    op.create_index(
        "online_change_table_name_idx", "online_change", ["table_name", "operation", "subject"],
        unique=True, schema="ops", postgresql_where=sa.text("state NOT IN ('completed', 'aborted')"),
    )
    op.create_table(
        "online_step",
        sa.Column("change_id", sa.BigInteger, nullable=False, comment="none: the change"),
        sa.Column("place", sa.Integer, nullable=False, comment="none: its place among the steps, from 0"),
        sa.Column("name", sa.Text, nullable=False, comment="none: what it does"),
        sa.Column("phase", sa.Text, nullable=False, comment="none: the phase it is of"),
        sa.Column("tries", sa.Integer, server_default="1", nullable=False, comment="none: how often it was begun"),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was begun last"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when it was done; NULL is not yet"),
        sa.PrimaryKeyConstraint("change_id", "place", name="online_step_pkey"),
        sa.ForeignKeyConstraint(["change_id"], ["ops.online_change.id"], name="online_step_change_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint("phase IN ('start', 'backfill', 'verify', 'complete')", name="online_step_phase_check"),
        comment="The steps of a change that were begun; one that was taken back is not among them",
        schema="ops",
    )
    op.create_table(
        "online_range",
        sa.Column("change_id", sa.BigInteger, nullable=False, comment="none: the change"),
        sa.Column("place", sa.Integer, nullable=False, comment="none: the step that fills"),
        sa.Column("number", sa.Integer, nullable=False, comment="none: number of the range"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the table or partition that it is of, with its schema, as SQL writes it"),
        sa.Column("low", JSONB, comment="none: key that it begins behind; NULL is with the first row, or all of it is filled"),
        sa.Column("high", JSONB, comment="none: key that it ends with; NULL is all of it is filled"),
        sa.Column("reached", JSONB, comment="none: key of the last row that is filled; NULL is none, or all of it is filled"),
        sa.Column("row_estimate", sa.BigInteger, nullable=False, comment="none: how many rows it has, by a sample of some pages"),
        sa.Column("walked_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many rows it has come by"),
        sa.Column("row_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many rows it has written"),
        sa.Column("batch_rows", sa.Integer, comment="none: how many rows the last batch was to have"),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was begun"),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it wrote last"),
        sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when all of it was filled; NULL is not yet"),
        sa.PrimaryKeyConstraint("change_id", "place", "number", name="online_range_pkey"),
        sa.ForeignKeyConstraint(["change_id"], ["ops.online_change.id"], name="online_range_change_id_fkey", ondelete="CASCADE"),
        comment="How far a backfill has come, a row a range of keys",
        schema="ops",
    )


_SETTINGS = """
COMMENT ON INDEX ops.online_change_table_name_idx IS 'one change of a kind at a time';
GRANT SELECT ON ops.online_change, ops.online_step, ops.online_range TO agent_auditor;
INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('ops.online_change', 'ledger', 'finished_at', INTERVAL '24 months', 'delete', 'ISO/IEC 27001:2022 A.8.32')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

_FORGET_SETTINGS = """
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) = ('ops.online_change', 'ledger');
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
