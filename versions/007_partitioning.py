"""Partitioning: product events and the audit trail by month, and how each is kept.

Locks: ACCESS EXCLUSIVE on both tables for some milliseconds each, and on the view that reads one; large tables
    are prepared online before it, statement by statement.
Reverse: lossy; forgets how partitions were to be kept and the ledger of what was archived. The rows of both
    tables stay, all of them.
Data: seed; how partitions are kept.
Needs: membership of agent_owner.

allow MIG066: a table that has an identity cannot be attached as a partition (PostgreSQL 17); serial suits all
allow MIG030: together only while both are small; else each is swapped in a transaction of its own
"""

import sqlalchemy as sa
from alembic import op

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.partitioning.periods import Period
from spotify_ai_agent_migrations.versions.partitioning.revision import migrating
from spotify_ai_agent_migrations.versions.partitioning.run import converted
from spotify_ai_agent_migrations.versions.partitioning.unconvert import take_back

revision = "007"
down_revision = "006"
branch_labels = None
depends_on = None

_TABLES = ("public.audit_log", "public.analytics")


def upgrade() -> None:
    if op.get_context().as_sql:
        with as_owner():
            _create_policies()
            execute(_WRITTEN_OUT)
        return
    # Where a table is large, the block is an autocommit_block.
    with migrating(*_TABLES) as session:
        session.transaction(_create_policies)
        for table in _TABLES:
            converted(session, table, "created_at", Period.MONTH, 12)


def downgrade() -> None:
    if op.get_context().as_sql:
        raise RevisionError(
            "which partitions there are is known to the database alone, so the way back cannot be written out",
            hint="alembic downgrade 006, connected to it",
        )
    with migrating(*_TABLES, rehearsable=False) as session:
        for table in reversed(_TABLES):
            take_back(session, table, max_rows=5_000_000)
        session.transaction(_drop_policies)


def _create_policies() -> None:
    op.create_table(
        "partition_policy",
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the partitioned table, with its schema, as SQL writes it"),
        sa.Column("period", sa.Text, nullable=False, comment="none: span of one partition"),
        sa.Column("premake", sa.Integer, server_default="12", nullable=False, comment="none: how many periods ahead there have to be partitions"),
        sa.Column("keep_for", sa.Interval, comment="none: how long rows are kept; NULL is as long as the rule says"),
        sa.Column("rule", sa.Text, comment="none: rule of retention_policies; NULL and no keep_for is for ever"),
        sa.Column("grace", sa.Interval, server_default=sa.text("INTERVAL '7 days'"), nullable=False, comment="none: how long a detached partition waits to be dropped"),
        sa.Column("archive", sa.Boolean, server_default=sa.true(), nullable=False, comment="none: whether it is dropped only when its rows are in a file"),
        sa.Column("archive_format", sa.Text, server_default="csv", nullable=False, comment="none: csv, compressed, or parquet, which takes the extra arrow"),
        sa.Column("hold", sa.Text, comment="none: reason why nothing may be dropped now, such as a legal hold"),
        sa.PrimaryKeyConstraint("table_name", name="partition_policy_pkey"),
        sa.CheckConstraint("period IN ('day', 'week', 'month', 'quarter', 'year')", name="partition_policy_period_check"),
        sa.CheckConstraint("premake BETWEEN 1 AND 1000", name="partition_policy_premake_check"),
        sa.CheckConstraint("archive_format IN ('csv', 'parquet')", name="partition_policy_archive_format_check"),
        sa.CheckConstraint("keep_for > INTERVAL '0'", name="partition_policy_keep_for_check"),
        sa.CheckConstraint("grace >= INTERVAL '0'", name="partition_policy_grace_check"),
        comment="How far ahead the partitions of a table are made, and how long they are kept",
        schema="ops",
        if_not_exists=True,
    )
    op.create_table(
        "partition_archives",
        sa.Column("id", sa.BigInteger, autoincrement=True, nullable=False, comment="none: number of the entry"),
        sa.Column("table_name", sa.Text, nullable=False, comment="none: the partitioned table"),
        sa.Column("partition_name", sa.Text, nullable=False, comment="none: the partition"),
        sa.Column("partition_oid", sa.BigInteger, nullable=False, comment="none: its number in the catalogue; a name can come back"),
        sa.Column("detached_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False, comment="none: when it was detached"),
        sa.Column("archived_at", sa.DateTime(timezone=True), comment="none: when its rows were in the file"),
        sa.Column("archived_rows", sa.BigInteger, comment="none: how many"),
        sa.Column("sha256", sa.Text, comment="none: of the CSV before it is compressed, or of the Parquet file"),
        sa.Column("rows_sha256", sa.Text, comment="none: of its rows as CSV, whatever the file is"),
        sa.Column("file", sa.Text, comment="none: where they are"),
        sa.Column("dropped_at", sa.DateTime(timezone=True), comment="none: when it was dropped"),
        sa.PrimaryKeyConstraint("id", name="partition_archives_pkey"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="partition_archives_sha256_check"),
        comment="What became of the partitions that are over: which rows are in which file",
        schema="ops",
        if_not_exists=True,
    )
    execute(_POLICIES)


def _drop_policies() -> None:
    execute(_FORGET_POLICIES)
    op.drop_table("partition_archives", schema="ops", if_exists=True)
    op.drop_table("partition_policy", schema="ops", if_exists=True)


# Both are audited: a policy says when rows go, an archive that they went.
_POLICIES = """
DO $revision$
BEGIN
    PERFORM ops.audit_table_v1('ops.partition_policy', 'partition_policy', entity_key => 'table_name');
    PERFORM ops.audit_table_v1('ops.partition_archives', 'partition_archive', entity_id => 'id', entity_key => 'partition_name');
    INSERT INTO ops.partition_policy (table_name, period, premake, rule)
    VALUES ('public.audit_log', 'month', 12, 'trail'),
           ('public.analytics', 'month', 12, 'raw')
        ON CONFLICT ON CONSTRAINT partition_policy_pkey DO NOTHING;
    INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)
    VALUES ('ops.partition_archives', 'ledger', 'detached_at', INTERVAL '10 years', 'delete', 'ISO/IEC 27001:2022 A.8.10')
        ON CONFLICT ON CONSTRAINT retention_policies_pkey DO NOTHING;
END
$revision$
"""

_FORGET_POLICIES = """
DO $revision$
BEGIN
    DELETE FROM public.retention_policies AS policy
     WHERE (policy.table_name, policy.rule) = ('ops.partition_archives', 'ledger');
    IF to_regclass('ops.partition_policy') IS NOT NULL THEN
        PERFORM ops.unaudit_table_v1('ops.partition_archives');
        PERFORM ops.unaudit_table_v1('ops.partition_policy');
    END IF;
END
$revision$
"""

# What `converted` executes for these two tables as long as they are small, as one script for whoever has no
# connection; a test compares what comes of both.
_WRITTEN_OUT = """
-- allow MIG031: refused unless both tables are small
-- allow MIG048: a partitioned table takes the name in the same transaction
DO $revision$
DECLARE
    bound CONSTANT timestamp := date_trunc('month', now() AT TIME ZONE 'UTC' + INTERVAL '1 day') + INTERVAL '1 month';
    horizon CONSTANT timestamp := date_trunc('month', now() AT TIME ZONE 'UTC') + INTERVAL '13 months';
    spelt CONSTANT text := 'YYYY-MM-DD HH24:MI:SS+00';
    parent name;
    since timestamp;
    made text;
BEGIN
    IF pg_relation_size('public.audit_log') + pg_relation_size('public.analytics') >= 8 * 1024 * 1024 THEN
        RAISE EXCEPTION 'audit_log and analytics are too large to be partitioned in one transaction'
              USING ERRCODE = 'object_not_in_prerequisite_state',
                    HINT = 'alembic upgrade 007, connected to this database, does it while others write';
    END IF;

    CREATE UNIQUE INDEX audit_log_legacy_pkey ON public.audit_log (entity_id, id, created_at);
    CREATE UNIQUE INDEX analytics_legacy_pkey ON public.analytics (user_id, id, created_at);
    DROP TRIGGER audit_log_refuse_change ON public.audit_log;
    DROP TRIGGER analytics_audit_delete ON public.analytics;
    DROP TRIGGER analytics_audit_truncate ON public.analytics;
    DROP TRIGGER analytics_audit_update ON public.analytics;
    DROP POLICY analytics_app ON public.analytics;
    DROP POLICY analytics_privacy ON public.analytics;
    REVOKE ALL ON public.audit_log FROM agent_auditor;
    REVOKE ALL ON public.analytics FROM agent_app, agent_privacy;
    ALTER TABLE public.audit_log DROP CONSTRAINT audit_log_pkey,
        ADD CONSTRAINT audit_log_legacy_pkey PRIMARY KEY USING INDEX audit_log_legacy_pkey;
    ALTER TABLE public.analytics DROP CONSTRAINT analytics_pkey,
        ADD CONSTRAINT analytics_legacy_pkey PRIMARY KEY USING INDEX analytics_legacy_pkey;
    ALTER INDEX public.audit_log_created_at_idx RENAME TO audit_log_legacy_created_at_idx;
    ALTER INDEX public.audit_log_xid_idx RENAME TO audit_log_legacy_xid_idx;
    ALTER INDEX public.analytics_created_at_idx RENAME TO analytics_legacy_created_at_idx;
    ALTER INDEX public.analytics_event_name_created_at_idx RENAME TO analytics_legacy_event_name_created_at_idx;
    ALTER INDEX public.analytics_user_id_created_at_idx RENAME TO analytics_legacy_user_id_created_at_idx;
    ALTER TABLE public.audit_log RENAME TO audit_log_legacy;
    ALTER TABLE public.analytics RENAME TO analytics_legacy;

    CREATE TABLE public.audit_log (
        LIKE public.audit_log_legacy INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS,
        CONSTRAINT audit_log_pkey PRIMARY KEY (entity_id, id, created_at)
    ) PARTITION BY RANGE (created_at);
    CREATE TABLE public.analytics (
        LIKE public.analytics_legacy INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS,
        CONSTRAINT analytics_pkey PRIMARY KEY (user_id, id, created_at)
    ) PARTITION BY RANGE (created_at);
    ALTER SEQUENCE public.audit_log_id_seq OWNED BY public.audit_log.id;
    ALTER SEQUENCE public.analytics_id_seq OWNED BY public.analytics.id;
    CREATE INDEX audit_log_created_at_idx ON public.audit_log USING brin (created_at);
    CREATE INDEX audit_log_xid_idx ON public.audit_log (xid);
    CREATE INDEX analytics_created_at_idx ON public.analytics USING brin (created_at);
    CREATE INDEX analytics_event_name_created_at_idx ON public.analytics (event_name, created_at);
    CREATE INDEX analytics_user_id_created_at_idx ON public.analytics (user_id, created_at);
    COMMENT ON INDEX public.audit_log_created_at_idx IS 'a period of the trail; the rows arrive in time order';
    COMMENT ON INDEX public.audit_log_xid_idx IS 'what was written since the last seal';
    COMMENT ON INDEX public.analytics_created_at_idx IS 'a period of all events; the rows arrive in time order';
    COMMENT ON INDEX public.analytics_event_name_created_at_idx IS 'one kind of event over a period';
    COMMENT ON INDEX public.analytics_user_id_created_at_idx IS 'the events of a person, for access and erasure';
    COMMENT ON TABLE public.audit_log IS 'Who touched what and when: names of columns and pseudonyms, never a value';
    COMMENT ON TABLE public.analytics IS 'Product events; processed on the consent for purpose analytics';
    COMMENT ON CONSTRAINT audit_log_pkey ON public.audit_log IS
        'partitioned by agentdb; its key was entity_id, id';
    COMMENT ON CONSTRAINT analytics_pkey ON public.analytics IS
        'partitioned by agentdb; its key was user_id, id';

    CREATE TRIGGER audit_log_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON public.audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
    CREATE TRIGGER analytics_audit_update AFTER UPDATE ON public.analytics
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ops.analytics_audit_update();
    CREATE TRIGGER analytics_audit_delete AFTER DELETE ON public.analytics
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ops.analytics_audit_delete();
    CREATE TRIGGER analytics_audit_truncate AFTER TRUNCATE ON public.analytics
        FOR EACH STATEMENT EXECUTE FUNCTION ops.analytics_audit_truncate();
    CREATE POLICY analytics_app ON public.analytics FOR INSERT TO agent_app
        WITH CHECK (user_id IN (0, NULLIF(current_setting('app.user_id', true), '')::bigint));
    CREATE POLICY analytics_privacy ON public.analytics FOR SELECT TO agent_privacy
        USING (user_id = NULLIF(current_setting('app.subject_id', true), '')::bigint);
    ALTER TABLE public.analytics ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON public.audit_log TO agent_auditor;
    GRANT INSERT ON public.analytics TO agent_app;
    GRANT SELECT ON public.analytics TO agent_privacy;
    CREATE OR REPLACE VIEW public.analyst_events AS
    SELECT pseudonym.analyst_ref,
           event.event_name,
           event.country_code,
           event.created_at
      FROM public.analytics AS event
      LEFT JOIN ops.pseudonyms AS pseudonym ON pseudonym.user_id = event.user_id;

    FOREACH parent IN ARRAY ARRAY['audit_log', 'analytics'] LOOP
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (MINVALUE) TO (%L)',
                       parent, parent || '_legacy', to_char(bound, spelt));
        EXECUTE format('COMMENT ON TABLE public.%I IS %L', parent || '_legacy',
                       format('partition made by agentdb: public.%s before %s', parent, to_char(bound, spelt)));
        since := bound;
        WHILE since < horizon LOOP
            made := parent || to_char(since, '"_p"YYYY_MM');
            EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS)', made, parent);
            IF (SELECT relrowsecurity FROM pg_class WHERE oid = format('public.%I', parent)::regclass) THEN
                -- Without a policy: nobody but its owner reads a partition past its table, where the policies are.
                EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', made);
            END IF;
            EXECUTE format('COMMENT ON TABLE public.%I IS %L', made,
                           format('partition made by agentdb: public.%s from %s to %s', parent,
                                  to_char(since, spelt), to_char(since + INTERVAL '1 month', spelt)));
            EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                           parent, made, to_char(since, spelt), to_char(since + INTERVAL '1 month', spelt));
            since := since + INTERVAL '1 month';
        END LOOP;
    END LOOP;
END
$revision$
"""


if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
