"""Rules about locks and indexes of tables that others use: MIG030 to MIG037."""

from __future__ import annotations

import pytest
from governance.history import Folder
from governance.told import Right, Said, Wrong, cases, told

WRONG = {
    "MIG030": [
        Wrong(
            (
                'execute("ALTER TABLE users ADD CONSTRAINT c CHECK (a > 0) NOT VALID")\n'
                'execute("CREATE TRIGGER g AFTER INSERT OR UPDATE OF a ON public.tracks FOR EACH ROW EXECUTE FUNCTION f()")'
            ),
            Said(
                2,
                'the transaction keeps ACCESS EXCLUSIVE on "users" and SHARE ROW EXCLUSIVE on "tracks": whoever uses one waits until the last is free',
                'give each table a revision of its own, or write "allow MIG030: <why together>" in the docstring of 001_step.py',
            ),
        ),
        Wrong(
            ('op.create_foreign_key("a_b_fkey", "a", "b", ["b_id"], ["id"])\nop.drop_column("c", "d")'),
            Said(
                1,
                'the transaction keeps SHARE ROW EXCLUSIVE on "a", SHARE ROW EXCLUSIVE on "b" and ACCESS EXCLUSIVE on "c": whoever uses one waits until the last is free',
                'give each table a revision of its own, or write "allow MIG030: <why together>" in the docstring of 001_step.py',
            ),
        ),
        Wrong(
            'op.create_table("d", sa.Column("b_id", sa.BigInteger, sa.ForeignKey("b.id")), sa.ForeignKeyConstraint(["c_id"], ["ops.c.id"]))',
            Said(
                1,
                'the transaction keeps SHARE ROW EXCLUSIVE on "ops.c" and SHARE ROW EXCLUSIVE on "b": whoever uses one waits until the last is free',
                'give each table a revision of its own, or write "allow MIG030: <why together>" in the docstring of 001_step.py',
            ),
        ),
        Wrong(
            'execute("LOCK a; CREATE POLICY p ON b; DROP TRIGGER g ON c; ALTER TABLE d OWNER TO x; TRUNCATE e")',
            Said(
                1,
                'the transaction keeps ACCESS EXCLUSIVE on "a", ACCESS EXCLUSIVE on "b", ACCESS EXCLUSIVE on "c" and 2 more: whoever uses one waits until the last is free',
                'give each table a revision of its own, or write "allow MIG030: <why together>" in the docstring of 001_step.py',
            ),
        ),
        Wrong(
            ('for table in ("a", "b"):\n    op.drop_column(table, "c")'),
            Said(
                2,
                'the transaction keeps ACCESS EXCLUSIVE on "a" and ACCESS EXCLUSIVE on "b": whoever uses one waits until the last is free',
                'give each table a revision of its own, or write "allow MIG030: <why together>" in the docstring of 001_step.py',
            ),
        ),
    ],
    "MIG031": [
        Wrong(
            'op.create_index("users_email_idx", "users", ["email"], unique=True)',
            Said(
                1,
                'index "users_email_idx" is built under SHARE: nobody writes to "users" until it is done',
                "write with op.get_context().autocommit_block(): op.create_index('users_email_idx', 'users', ['email'], unique=True, postgresql_concurrently=True), alone in a revision, instead in 001_step.py",
            ),
        ),
        Wrong(
            (
                'execute("""\n'
                "CREATE INDEX IF NOT EXISTS\n"
                "    users_email_idx  -- the address\n"
                "    ON users (email)\n"
                '""")'
            ),
            Said(
                2,
                'index "users_email_idx" is built under SHARE: nobody writes to "users" until it is done',
                'write with op.get_context().autocommit_block(): execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_idx ON users (email)"), alone in a revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'op.create_index("jobs_at_idx", "jobs", ["at"], schema="ops")',
            Said(
                1,
                'index "jobs_at_idx" is built under SHARE: nobody writes to "ops.jobs" until it is done',
                "write with op.get_context().autocommit_block(): op.create_index('jobs_at_idx', 'jobs', ['at'], schema='ops', postgresql_concurrently=True), alone in a revision, instead in 001_step.py",
            ),
        ),
        Wrong(
            'execute("DO $$ BEGIN IF true THEN CREATE INDEX i ON t (c); END IF; END $$")',
            Said(
                1,
                'index "i" is built under SHARE: nobody writes to "t" until it is done',
                'write with op.get_context().autocommit_block(): execute("CREATE INDEX CONCURRENTLY i ON t (c)"), alone in a revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'op.create_index("listens_at_idx", "listens", ["at"])',
            Said(
                1,
                'index "listens_at_idx" is built under SHARE: nobody writes to "listens" until it is done',
                'write execute("CREATE INDEX listens_at_idx ON ONLY listens (at)"), then an index CONCURRENTLY on each partition and ALTER INDEX listens_at_idx ATTACH PARTITION, instead in 002_step.py',
            ),
            before='execute("CREATE TABLE listens (at date) PARTITION BY RANGE (at)")',
        ),
        Wrong(
            (
                'with op.batch_alter_table("users") as batch:\n'
                '    batch.create_index("users_email_idx", ["email"])'
            ),
            Said(
                2,
                'index "users_email_idx" is built under SHARE: nobody writes to "users" until it is done',
                "write with op.get_context().autocommit_block(): op.create_index('users_email_idx', 'users', ['email'], postgresql_concurrently=True), alone in a revision, instead in 001_step.py",
            ),
        ),
    ],
    "MIG032": [
        Wrong(
            'op.drop_index("users_email_idx", table_name="users")',
            Said(
                1,
                'dropping "users_email_idx" takes ACCESS EXCLUSIVE on "users": readers wait too',
                "write with op.get_context().autocommit_block(): op.drop_index('users_email_idx', table_name='users', postgresql_concurrently=True), alone in a revision, instead in 001_step.py",
            ),
        ),
        Wrong(
            'execute("DROP INDEX IF EXISTS users_email_idx")',
            Said(
                1,
                'dropping "users_email_idx" takes ACCESS EXCLUSIVE on "users": readers wait too',
                'write with op.get_context().autocommit_block(): execute("DROP INDEX CONCURRENTLY IF EXISTS users_email_idx"), alone in a revision, instead in 002_step.py',
            ),
            before='op.create_index("users_email_idx", "users", ["email"])',
        ),
        Wrong(
            'execute("DROP INDEX ops.jobs_at_idx")',
            Said(
                1,
                'dropping "ops.jobs_at_idx" takes ACCESS EXCLUSIVE on a table: readers wait too',
                'write with op.get_context().autocommit_block(): execute("DROP INDEX CONCURRENTLY ops.jobs_at_idx"), alone in a revision, instead in 001_step.py',
            ),
        ),
    ],
    "MIG033": [
        Wrong(
            'execute("REINDEX TABLE users")',
            Said(
                1,
                "REINDEX TABLE users blocks whoever writes to the table, or reads it through the index",
                'write with op.get_context().autocommit_block(): execute("REINDEX TABLE CONCURRENTLY users"), alone in a revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("REINDEX (VERBOSE) INDEX users_email_idx")',
            Said(
                1,
                "REINDEX (VERBOSE) INDEX users_email_idx blocks whoever writes to the table, or reads it through the index",
                'write with op.get_context().autocommit_block(): execute("REINDEX (VERBOSE) INDEX CONCURRENTLY users_email_idx"), alone in a revision, instead in 001_step.py',
            ),
        ),
    ],
    "MIG034": [
        Wrong(
            (
                "with op.get_context().autocommit_block():\n"
                '    op.create_index("listens_at_idx", "listens", ["at"], postgresql_concurrently=True)'
            ),
            Said(
                2,
                '"listens" is partitioned, and takes no index CONCURRENTLY',
                'write execute("CREATE INDEX listens_at_idx ON ONLY listens (at)"), then an index CONCURRENTLY on each partition and ALTER INDEX listens_at_idx ATTACH PARTITION, in 002_step.py',
            ),
            before='op.create_table("listens", sa.Column("at", sa.Date), postgresql_partition_by="RANGE (at)")',
        ),
        Wrong(
            (
                "with op.get_context().autocommit_block():\n"
                '    execute("DROP INDEX CONCURRENTLY listens_at_idx")'
            ),
            Said(
                2,
                '"listens" is partitioned, and its indexes cannot be dropped CONCURRENTLY',
                'write execute("DROP INDEX listens_at_idx"), in a revision of its own, instead in 002_step.py',
            ),
            before=(
                'op.create_table("listens", sa.Column("at", sa.Date), postgresql_partition_by="RANGE (at)")\n'
                'op.create_index("listens_at_idx", "listens", ["at"])'
            ),
        ),
    ],
    "MIG035": [
        Wrong(
            'execute("REFRESH MATERIALIZED VIEW ops.top_tracks")',
            Said(
                1,
                'REFRESH takes ACCESS EXCLUSIVE on "ops.top_tracks": nobody reads it until it is done',
                'write execute("REFRESH MATERIALIZED VIEW CONCURRENTLY ops.top_tracks") in 001_step.py',
            ),
        ),
    ],
    "MIG036": [
        Wrong(
            'execute("ALTER TABLE listens DETACH PARTITION listens_1")',
            Said(
                1,
                'DETACH takes ACCESS EXCLUSIVE on "listens" and its partitions: readers wait',
                'write with op.get_context().autocommit_block(): execute("ALTER TABLE listens DETACH PARTITION listens_1 CONCURRENTLY"), alone in a revision, instead in 001_step.py',
            ),
        ),
    ],
    "MIG037": [
        Wrong(
            "execute(\"CREATE TABLE listens_1 PARTITION OF listens FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')\")",
            Said(
                1,
                'PARTITION OF takes ACCESS EXCLUSIVE on "listens": readers wait too',
                "write execute(\"CREATE TABLE listens_1 (LIKE listens INCLUDING ALL)\"), then execute(\"ALTER TABLE listens ATTACH PARTITION listens_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')\") in 001_step.py",
            ),
        ),
        Wrong(
            'execute("CREATE TABLE listens_rest PARTITION OF public.listens DEFAULT")',
            Said(
                1,
                'PARTITION OF takes ACCESS EXCLUSIVE on "listens": readers wait too',
                'write execute("CREATE TABLE listens_rest (LIKE listens INCLUDING ALL)"), then execute("ALTER TABLE listens ATTACH PARTITION listens_rest DEFAULT") in 001_step.py',
            ),
        ),
    ],
}

RIGHT = {
    "MIG030": [
        Right('execute("ALTER TABLE users ADD a int; ALTER TABLE users ADD b int")'),
        Right(
            'op.add_column("a", sa.Column("b_id", sa.BigInteger))\n'
            'op.create_foreign_key("a_b_fkey", "a", "b", ["b_id"], ["id"])'
        ),
        Right(
            'op.create_table("d", sa.Column("b_id", sa.BigInteger, sa.ForeignKey("b.id")))\n'
            'op.create_index("d_b_id_idx", "d", ["b_id"])'
        ),
        Right(
            'execute("ALTER TABLE a VALIDATE CONSTRAINT c; ALTER TABLE b ALTER c SET STATISTICS 500; ALTER TABLE d SET (fillfactor = 70)")'
        ),
        Right(
            "execute(\"COMMENT ON TABLE a IS 'x'; LOCK b IN ROW EXCLUSIVE MODE; GRANT SELECT ON c TO d; ALTER TABLE e ADD f int\")"
        ),
        Right(
            "with op.get_context().autocommit_block():\n"
            '    op.drop_column("a", "c")\n'
            '    op.drop_column("b", "c")'
        ),
    ],
    "MIG031": [
        Right(
            "with op.get_context().autocommit_block():\n"
            '    op.create_index("users_email_idx", "users", ["email"], postgresql_concurrently=True)'
        ),
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger))\n'
            'op.create_index("plans_id_idx", "plans", ["id"])'
        ),
        Right('execute("CREATE TABLE plans (id bigint); CREATE INDEX plans_id_idx ON public.plans (id)")'),
        Right('execute("CREATE TEMP TABLE draft (id bigint); CREATE INDEX i ON draft (id)")'),
        Right(
            'execute("CREATE INDEX listens_at_idx ON ONLY listens (at)")',
            before='execute("CREATE TABLE listens (at date) PARTITION BY RANGE (at)")',
        ),
        Right('op.create_table("a")\nop.rename_table("a", "b")\nop.create_index("b_c_idx", "b", ["c"])'),
    ],
    "MIG032": [
        Right(
            "with op.get_context().autocommit_block():\n"
            '    execute("DROP INDEX CONCURRENTLY users_email_idx")'
        ),
        Right(
            'op.create_table("plans")\n'
            'op.create_index("plans_id_idx", "plans", ["id"])\n'
            'op.drop_index("plans_id_idx")'
        ),
    ],
    "MIG033": [
        Right(
            "with op.get_context().autocommit_block():\n"
            '    execute("REINDEX INDEX CONCURRENTLY users_email_idx")'
        ),
        Right(
            "with op.get_context().autocommit_block():\n"
            '    execute("REINDEX (CONCURRENTLY, VERBOSE) TABLE users")'
        ),
    ],
    "MIG034": [
        Right(
            'execute("CREATE INDEX listens_at_idx ON ONLY listens (at)")',
            before='op.create_table("listens", sa.Column("at", sa.Date), postgresql_partition_by="RANGE (at)")',
        ),
        Right(
            (
                "with op.get_context().autocommit_block():\n"
                '    op.create_index("users_at_idx", "users", ["at"], postgresql_concurrently=True)'
            ),
            before='op.create_table("listens", sa.Column("at", sa.Date), postgresql_partition_by="RANGE (at)")',
        ),
    ],
    "MIG035": [
        Right('execute("REFRESH MATERIALIZED VIEW CONCURRENTLY ops.top_tracks")'),
        Right('execute("CREATE MATERIALIZED VIEW v AS SELECT 1 WITH NO DATA; REFRESH MATERIALIZED VIEW v")'),
    ],
    "MIG036": [
        Right(
            "with op.get_context().autocommit_block():\n"
            '    execute("ALTER TABLE listens DETACH PARTITION listens_1 CONCURRENTLY")'
        ),
        Right('execute("ALTER TABLE listens DETACH PARTITION listens_1 FINALIZE")'),
        Right('execute("CREATE TABLE a (b date) PARTITION BY LIST (b); ALTER TABLE a DETACH PARTITION c")'),
    ],
    "MIG037": [
        Right(
            'execute("CREATE TABLE listens_1 (LIKE listens INCLUDING ALL); ALTER TABLE listens ATTACH PARTITION listens_1 DEFAULT")'
        ),
        Right(
            'execute("CREATE TABLE a (b date) PARTITION BY LIST (b); CREATE TABLE a_1 PARTITION OF a DEFAULT")'
        ),
    ],
}


@pytest.mark.parametrize(("code", "wrong"), cases(WRONG))
def test_what_is_wrong_is_told_with_its_place_and_the_fix(folder: Folder, code: str, wrong: Wrong) -> None:
    assert told(folder, code, wrong) == wrong.said


@pytest.mark.parametrize(("code", "right"), cases(RIGHT))
def test_what_is_right_passes(folder: Folder, code: str, right: Right) -> None:
    assert told(folder, code, right) == ()
