"""Rules about how a statement is sent and what it leaves behind: MIG021 to MIG029."""

from __future__ import annotations

import pytest
from governance.history import Folder
from governance.told import Right, Said, Wrong, cases, told

WRONG = {
    "MIG021": [
        Wrong(
            'execute(f"DROP VIEW {name}")',
            Said(
                1,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DROP VIEW %s" % name)',
            Said(
                1,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DROP VIEW {}".format(name))',
            Said(
                1,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DROP VIEW " + name)',
            Said(
                1,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
        Wrong(
            ('for name in ("a", "b"):\n    statement = f"DROP VIEW {name}"\n    execute(statement)'),
            Said(
                2,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
        Wrong(
            'op.execute(sa.text(f"{verb} VIEW a"))',
            Said(
                1,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
        Wrong(
            'execute(";".join(statements))',
            Said(
                1,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
        Wrong(
            'execute(QUERY.replace("x", name))',
            Said(
                1,
                "a statement is put together at run time, and nobody can read it before",
                'write execute("…") with the whole text, once for each name, in 001_step.py',
            ),
        ),
    ],
    "MIG022": [
        Wrong(
            "op.execute(\"COMMENT ON VIEW v IS 'see :users'\")",
            Said(
                1,
                'op.execute takes ":users" for a parameter, even inside a literal',
                "write execute(…) of spotify_ai_agent_migrations.versions.core.ddl instead of op.execute(…) in 001_step.py",
            ),
        ),
        Wrong(
            ('op.execute(sqltext="SELECT 1")\nop.execute(QUERY)'),
            Said(
                2,
                'op.execute takes ":later" for a parameter, even inside a literal',
                "write execute(…) of spotify_ai_agent_migrations.versions.core.ddl instead of op.execute(…) in 001_step.py",
            ),
        ),
    ],
    "MIG023": [
        Wrong(
            'execute("COMMIT")',
            Said(
                1,
                "COMMIT cuts the transaction of the revision in two: what came before it is not undone on failure",
                'remove COMMIT from 001_step.py; what has to run outside of a transaction has a revision of its own: with op.get_context().autocommit_block(): execute("…")',
            ),
        ),
        Wrong(
            'execute("CREATE VIEW v AS SELECT 1; ROLLBACK; BEGIN")',
            Said(
                1,
                "BEGIN cuts the transaction of the revision in two: what came before it is not undone on failure",
                'remove BEGIN from 001_step.py; what has to run outside of a transaction has a revision of its own: with op.get_context().autocommit_block(): execute("…")',
            ),
            Said(
                1,
                "ROLLBACK cuts the transaction of the revision in two: what came before it is not undone on failure",
                'remove ROLLBACK from 001_step.py; what has to run outside of a transaction has a revision of its own: with op.get_context().autocommit_block(): execute("…")',
            ),
        ),
        Wrong(
            "op.get_bind().commit()",
            Said(
                1,
                "commit() cuts the transaction of the revision in two: what came before it is not undone on failure",
                'remove commit() from 001_step.py; what has to run outside of a transaction has a revision of its own: with op.get_context().autocommit_block(): execute("…")',
            ),
        ),
        Wrong(
            'execute("START TRANSACTION")',
            Said(
                1,
                "START TRANSACTION cuts the transaction of the revision in two: what came before it is not undone on failure",
                'remove START TRANSACTION from 001_step.py; what has to run outside of a transaction has a revision of its own: with op.get_context().autocommit_block(): execute("…")',
            ),
        ),
        Wrong(
            "execute(\"COMMIT PREPARED 'x'\")",
            Said(
                1,
                "COMMIT cuts the transaction of the revision in two: what came before it is not undone on failure",
                'remove COMMIT from 001_step.py; what has to run outside of a transaction has a revision of its own: with op.get_context().autocommit_block(): execute("…")',
            ),
        ),
    ],
    "MIG024": [
        Wrong(
            (
                "execute(\"COMMENT ON TABLE t IS 'x'\")\n"
                "with op.get_context().autocommit_block():\n"
                '    execute("VACUUM t")'
            ),
            Said(
                3,
                "an autocommit block commits what came before it, and stays when what comes after fails",
                'move the block from 001_step.py into a revision of its own: alembic revision -m "…"',
            ),
        ),
        Wrong(
            (
                "with op.get_context().autocommit_block():\n"
                '    op.create_index("t_c_idx", "t", ["c"], postgresql_concurrently=True)\n'
                'op.drop_index("t_d_idx", "t")'
            ),
            Said(
                2,
                "an autocommit block commits what came before it, and stays when what comes after fails",
                'move the block from 001_step.py into a revision of its own: alembic revision -m "…"',
            ),
        ),
        Wrong(
            ('with as_owner():\n    with op.get_context().autocommit_block():\n        execute("SELECT 1")'),
            Said(
                3,
                "an autocommit block commits what came before it, and stays when what comes after fails",
                'move the block from 001_step.py into a revision of its own: alembic revision -m "…"',
            ),
        ),
        Wrong(
            ('block = op.get_context().autocommit_block()\nwith block:\n    execute("SELECT 1")\n_comment()'),
            Said(
                3,
                "an autocommit block commits what came before it, and stays when what comes after fails",
                'move the block from 001_step.py into a revision of its own: alembic revision -m "…"',
            ),
        ),
    ],
    "MIG025": [
        Wrong(
            'op.create_index("t_c_idx", "t", ["c"], postgresql_concurrently=True)',
            Said(
                1,
                "CREATE INDEX CONCURRENTLY cannot run inside of a transaction, and the revision is one",
                "write with op.get_context().autocommit_block(): op.create_index('t_c_idx', 't', ['c'], postgresql_concurrently=True), alone in a revision, instead in 001_step.py",
            ),
        ),
        Wrong(
            'execute("CREATE UNIQUE INDEX CONCURRENTLY t_c_key ON t (c)")',
            Said(
                1,
                "CREATE INDEX CONCURRENTLY cannot run inside of a transaction, and the revision is one",
                'write with op.get_context().autocommit_block(): execute("CREATE UNIQUE INDEX CONCURRENTLY t_c_key ON t (c)"), alone in a revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DROP INDEX CONCURRENTLY t_c_idx")',
            Said(
                1,
                "DROP INDEX CONCURRENTLY cannot run inside of a transaction, and the revision is one",
                'write with op.get_context().autocommit_block(): execute("DROP INDEX CONCURRENTLY t_c_idx"), alone in a revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("REINDEX (CONCURRENTLY) TABLE t")',
            Said(
                1,
                "REINDEX CONCURRENTLY cannot run inside of a transaction, and the revision is one",
                'write with op.get_context().autocommit_block(): execute("REINDEX (CONCURRENTLY) TABLE t"), alone in a revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY")',
            Said(
                1,
                "DETACH PARTITION CONCURRENTLY cannot run inside of a transaction, and the revision is one",
                'write with op.get_context().autocommit_block(): execute("ALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY"), alone in a revision, instead in 001_step.py',
            ),
        ),
    ],
    "MIG026": [
        Wrong(
            "execute(\"SET work_mem = '256MB'\")",
            Said(
                1,
                'the setting "work_mem" outlives the revision, and every later one runs with it',
                "write execute(\"SET LOCAL work_mem = '256MB'\") instead in 001_step.py",
            ),
        ),
        Wrong(
            'execute("SET SESSION search_path TO public, ops")',
            Said(
                1,
                'the setting "search_path" outlives the revision, and every later one runs with it',
                'write execute("SET LOCAL search_path TO public, ops") instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("SET ROLE agent_owner")',
            Said(
                1,
                'the setting "role" outlives the revision, and every later one runs with it',
                'write execute("SET LOCAL ROLE agent_owner") instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("SET SESSION AUTHORIZATION agent_owner")',
            Said(
                1,
                'the setting "session authorization" outlives the revision, and every later one runs with it',
                'write execute("SET LOCAL SESSION AUTHORIZATION agent_owner") instead in 001_step.py',
            ),
        ),
        Wrong(
            "execute(\"SELECT pg_catalog.set_config('work_mem', '256MB', false)\")",
            Said(
                1,
                'the setting "work_mem" outlives the revision, and every later one runs with it',
                "write execute(\"SELECT set_config('work_mem', '256MB', true)\") instead in 001_step.py",
            ),
        ),
    ],
    "MIG027": [
        Wrong(
            'execute("SET LOCAL lock_timeout = 0")',
            Said(
                1,
                'without "lock_timeout" a statement that waits holds up everybody behind it, for ever',
                "remove it from 001_step.py, and run alembic -x lock-timeout-ms=20000 upgrade head",
            ),
        ),
        Wrong(
            "execute(\"SET statement_timeout TO '0 min'\")",
            Said(
                1,
                'without "statement_timeout" a statement that waits holds up everybody behind it, for ever',
                "remove it from 001_step.py, and run alembic -x statement-timeout-ms=3600000 upgrade head",
            ),
        ),
        Wrong(
            'execute("SET LOCAL idle_in_transaction_session_timeout = DEFAULT")',
            Said(
                1,
                'without "idle_in_transaction_session_timeout" a statement that waits holds up everybody behind it, for ever',
                "remove it from 001_step.py, and run alembic -x statement-timeout-ms=3600000 upgrade head",
            ),
        ),
        Wrong(
            'execute("RESET ALL")',
            Said(
                1,
                'without "statement_timeout" a statement that waits holds up everybody behind it, for ever',
                "remove it from 001_step.py, and run alembic -x statement-timeout-ms=3600000 upgrade head",
            ),
        ),
        Wrong(
            "execute(\"SELECT set_config('lock_timeout', '0', true)\")",
            Said(
                1,
                'without "lock_timeout" a statement that waits holds up everybody behind it, for ever',
                "remove it from 001_step.py, and run alembic -x lock-timeout-ms=20000 upgrade head",
            ),
        ),
    ],
    "MIG028": [
        Wrong(
            'execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")',
            Said(
                1,
                'LOCK waits in line for "users", and whoever comes after waits behind it',
                'write execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE NOWAIT") in 001_step.py',
            ),
        ),
        Wrong(
            'execute("LOCK ONLY ops.jobs")',
            Said(
                1,
                'LOCK waits in line for "ops.jobs", and whoever comes after waits behind it',
                'write execute("LOCK ONLY ops.jobs NOWAIT") in 001_step.py',
            ),
        ),
    ],
    "MIG029": [
        Wrong(
            'execute("VACUUM (ANALYZE) users")',
            Said(
                1,
                "VACUUM maintains the server, and is not undone with the revision",
                'remove it from 001_step.py, and run agentdb db psql -c "VACUUM (ANALYZE) users" when its time has come',
            ),
        ),
        Wrong(
            'execute("CLUSTER users USING users_pkey")',
            Said(
                1,
                "CLUSTER maintains the server, and is not undone with the revision",
                'remove it from 001_step.py, and run agentdb db psql -c "CLUSTER users USING users_pkey" when its time has come',
            ),
        ),
        Wrong(
            "execute(\"ALTER SYSTEM SET max_wal_size = '4GB'\")",
            Said(
                1,
                "ALTER SYSTEM maintains the server, and is not undone with the revision",
                "remove it from 001_step.py, and run agentdb db psql -c \"ALTER SYSTEM SET max_wal_size = '4GB'\" when its time has come",
            ),
        ),
        Wrong(
            'execute("CREATE DATABASE other")',
            Said(
                1,
                "CREATE DATABASE maintains the server, and is not undone with the revision",
                'remove it from 001_step.py, and run agentdb db psql -c "CREATE DATABASE other" when its time has come',
            ),
        ),
        Wrong(
            "execute('CHECKPOINT')",
            Said(
                1,
                "CHECKPOINT maintains the server, and is not undone with the revision",
                'remove it from 001_step.py, and run agentdb db psql -c "CHECKPOINT" when its time has come',
            ),
        ),
        Wrong(
            "execute('VACUUM \"Users\"')",
            Said(
                1,
                "VACUUM maintains the server, and is not undone with the revision",
                "remove it from 001_step.py, and run agentdb db psql -c 'VACUUM \"Users\"' when its time has come",
            ),
        ),
    ],
}

RIGHT = {
    "MIG021": [
        Right('execute("DROP VIEW " + "a")'),
        Right('execute(QUERY + " CASCADE")'),
        Right('raise RuntimeError(f"DROP VIEW {name} failed")'),
        Right('print("SELECT %s" % name)'),
        Right('op.create_index(f"{name}_idx", "t", ["c"])'),
        Right("execute(\"DO $$ BEGIN EXECUTE format('DROP VIEW %I', 'a'); END $$\")"),
        Right('shown = "as of {}".format(name)'),
    ],
    "MIG022": [
        Right("execute(\"COMMENT ON VIEW v IS 'see :users'\")"),
        Right("op.execute(\"SELECT now()::date, '12:30', a[1:2]\")"),
        Right('op.execute(sa.text("SELECT :a").bindparams(a=1))'),
        Right("op.execute(r\"SELECT '\\:a'\")"),
    ],
    "MIG023": [
        Right('execute("SAVEPOINT a; ROLLBACK TO SAVEPOINT a; RELEASE a")'),
        Right('execute("ROLLBACK TO a")'),
        Right(
            "with op.get_context().autocommit_block():\n"
            '    execute("DO $$ BEGIN LOOP COMMIT; END LOOP; END $$")'
        ),
        Right('execute("PREPARE plan AS SELECT 1")'),
        Right('execute("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END")'),
    ],
    "MIG024": [
        Right('with op.get_context().autocommit_block():\n    execute("VACUUM t")'),
        Right(
            'execute("SELECT 1")\n'
            "with op.get_context().autocommit_block():\n"
            '    execute("VACUUM t")\n'
            "with op.get_context().autocommit_block():\n"
            '    execute("VACUUM u")\n'
            'execute("SHOW port")'
        ),
        Right("with as_owner():\n    execute(\"COMMENT ON TABLE t IS 'x'\")"),
    ],
    "MIG025": [
        Right(
            "with op.get_context().autocommit_block():\n"
            '    op.create_index("t_c_idx", "t", ["c"], postgresql_concurrently=True)'
        ),
        Right(
            "with op.get_context().autocommit_block():\n"
            '    execute("DROP INDEX CONCURRENTLY t_c_idx; REINDEX INDEX CONCURRENTLY i")'
        ),
        Right('execute("REFRESH MATERIALIZED VIEW CONCURRENTLY v")'),
        Right('op.create_index("t_c_idx", "t", ["c"])'),
    ],
    "MIG026": [
        Right("execute(\"SET LOCAL work_mem = '256MB'\")"),
        Right('execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SET CONSTRAINTS ALL DEFERRED")'),
        Right("execute(\"SELECT set_config('work_mem', '256MB', true)\")"),
        Right(
            "execute(\"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET work_mem = '1MB' AS $$ SELECT 1 $$\")"
        ),
        Right('op.create_table("t", sa.Column("c", sa.Text, comment="set by the server"))'),
        Right('execute("RESET ROLE")'),
    ],
    "MIG027": [
        Right("execute(\"SET LOCAL lock_timeout = '2s'\")"),
        Right('execute("SET LOCAL statement_timeout = 60000")'),
        Right('execute("RESET ROLE")'),
        Right('execute("SET LOCAL work_mem = 0")'),
    ],
    "MIG028": [
        Right('execute("LOCK TABLE users IN SHARE MODE NOWAIT")'),
        Right('op.create_table("plans")\nexecute("LOCK plans")'),
        Right('execute("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ LOCK users $$")'),
    ],
    "MIG029": [
        Right('execute("ANALYZE users")'),
        Right("execute(\"ALTER DATABASE app SET work_mem = '8MB'\")"),
        Right('execute("ALTER TABLE users CLUSTER ON users_pkey")'),
    ],
}


@pytest.mark.parametrize(("code", "wrong"), cases(WRONG))
def test_what_is_wrong_is_told_with_its_place_and_the_fix(folder: Folder, code: str, wrong: Wrong) -> None:
    assert told(folder, code, wrong) == wrong.said


@pytest.mark.parametrize(("code", "right"), cases(RIGHT))
def test_what_is_right_passes(folder: Folder, code: str, right: Right) -> None:
    assert told(folder, code, right) == ()
