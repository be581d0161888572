"""Bulk import and export: the ledger of imports, and the rows that they could not load.

Locks: none on existing tables; the three of it are new.
Reverse: lossy; forgets which files were loaded, and an import that was interrupted begins anew.
Data: seed; how long an entry is kept.
Needs: membership of agent_owner.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute

revision = "008"
down_revision = "007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with as_owner():
        op.create_table(
            "import_job",
            sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the import"),
            sa.Column("fingerprint", sa.Text, nullable=False, comment="none: of the name of the load, or of the file, and of the table"),
            sa.Column("options_sum", sa.Text, server_default="", nullable=False, comment="none: of what was said of the file and the table"),
            sa.Column("file_sum", sa.Text, comment="none: of the file as it was; NULL is what can be read but once"),
            sa.Column("table_name", sa.Text, nullable=False, comment="none: the table, with its schema, as SQL writes it"),
            sa.Column("source", sa.Text, nullable=False, comment="none: the file"),
            sa.Column("mode", sa.Text, nullable=False, comment="none: what became of rows whose key was there"),
            sa.Column("guarantee", sa.Text, nullable=False, comment="none: whether all of it was one transaction"),
            sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it began"),
            sa.Column("finished_at", sa.DateTime(timezone=True), comment="none: when all of it was loaded; NULL is not yet, or never"),
            sa.Column("loaded_bytes", INT8MULTIRANGE, server_default="{}", nullable=False, comment="none: which bytes of the text are loaded, if block by block"),
            sa.Column("read_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many records were read"),
            sa.Column("loaded_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many of them were loaded"),
            sa.Column("rejected_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many could not be"),
            sa.Column("skipped_count", sa.BigInteger, server_default="0", nullable=False, comment="none: how many were there already, or not the last of their key"),
            sa.PrimaryKeyConstraint("id", name="import_job_pkey"),
            sa.CheckConstraint("mode IN ('insert', 'ignore', 'upsert', 'replace', 'merge')", name="import_job_mode_check"),
            sa.CheckConstraint("guarantee IN ('atomic', 'resumable')", name="import_job_guarantee_check"),
            sa.CheckConstraint("read_count = loaded_count + rejected_count + skipped_count", name="import_job_read_count_check"),
            comment="Which files were loaded, and how far one is that is loaded block by block",
            schema="ops",
        )
        op.create_index("import_job_fingerprint_idx", "import_job", ["fingerprint", "id"], schema="ops")
        op.create_table(
            "import_reject",
            sa.Column("job_id", sa.BigInteger, nullable=False, comment="none: the import"),
            sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the entry"),
            sa.Column("line", sa.BigInteger, nullable=False, comment="none: line of the file on which the row begins"),
            sa.Column("byte_offset", sa.BigInteger, nullable=False, comment="none: how many bytes of text lie before it"),
            sa.Column("column_name", sa.Text, comment="none: field to blame, if it is one"),
            sa.Column("sqlstate", sa.Text, nullable=False, comment="none: code of the error"),
            sa.Column("reason", sa.Text, nullable=False, comment="none: what is wrong, without any value"),
            sa.Column("value", sa.Text, comment="none: what stood there, of a column that is classified as holding nothing personal"),
            sa.Column("rejected_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when"),
            sa.PrimaryKeyConstraint("job_id", "id", name="import_reject_pkey"),
            sa.ForeignKeyConstraint(["job_id"], ["ops.import_job.id"], name="import_reject_job_id_fkey", ondelete="CASCADE"),
            comment="The rows that an import did not load: where they stand, and why",
            schema="ops",
        )
        op.create_table(
            "import_block",
            sa.Column("job_id", sa.BigInteger, nullable=False, comment="none: the import"),
            sa.Column("first_byte", sa.BigInteger, nullable=False, comment="none: how many bytes of text lie before the block"),
            sa.Column("size_bytes", sa.BigInteger, nullable=False, comment="none: how many it has"),
            sa.Column("sha256", sa.LargeBinary, nullable=False, comment="none: of it, to tell whether the file is still what it was"),
            sa.PrimaryKeyConstraint("job_id", "first_byte", name="import_block_pkey"),
            sa.ForeignKeyConstraint(["job_id"], ["ops.import_job.id"], name="import_block_job_id_fkey", ondelete="CASCADE"),
            comment="The blocks of a file that an import has loaded, if block by block",
            schema="ops",
        )
        execute(_SETTINGS)


def downgrade() -> None:
    with as_owner():
        execute(_FORGET_SETTINGS)
        op.drop_table("import_block", schema="ops")
        op.drop_table("import_reject", schema="ops")
        op.drop_table("import_job", schema="ops")


_SETTINGS = """
COMMENT ON INDEX ops.import_job_fingerprint_idx IS 'the last import of the same file';
GRANT SELECT ON ops.import_job, ops.import_reject, ops.import_block TO agent_auditor;
INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
VALUES ('ops.import_job', 'ledger', 'started_at', INTERVAL '24 months', 'delete', 'ISO/IEC 27001:2022 A.8.15'),
       ('ops.import_reject', 'ledger', 'rejected_at', INTERVAL '90 days', 'delete', 'GDPR art. 5(1)(e)')
    ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
"""

_FORGET_SETTINGS = """
DELETE FROM public.retention_policies AS policy
 WHERE (policy.table_name, policy.rule) IN (('ops.import_job', 'ledger'), ('ops.import_reject', 'ledger'));
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
