"""Rules about data that goes, and data that is rewritten at once: MIG051 to MIG056."""

from __future__ import annotations

import pytest
from governance.history import Folder
from governance.told import Right, Said, Wrong, cases, told

WRONG = {
    "MIG051": [
        Wrong(
            'op.drop_table("plans")',
            Said(
                1,
                '"plans" goes with all its rows, and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "# allow MIG051: <where they are kept>" above this in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DROP TABLE IF EXISTS public.plans, ops.jobs")',
            Said(
                1,
                '"ops.jobs" goes with all its rows, and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "# allow MIG051: <where they are kept>" above this in 001_step.py',
            ),
            Said(
                1,
                '"plans" goes with all its rows, and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "# allow MIG051: <where they are kept>" above this in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DROP SCHEMA ops")',
            Said(
                1,
                'schema "ops" goes with all its tables, and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "# allow MIG051: <where they are kept>" above this in 001_step.py',
            ),
        ),
        Wrong(
            ('for table in reversed(("a", "b")):\n    op.drop_table(table)'),
            Said(
                2,
                '"a" goes with all its rows, and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "# allow MIG051: <where they are kept>" above this in 001_step.py',
            ),
            Said(
                2,
                '"b" goes with all its rows, and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "# allow MIG051: <where they are kept>" above this in 001_step.py',
            ),
        ),
        Wrong(
            "op.drop_table(name)",
            Said(
                1,
                "a table goes with all its rows, and no downgrade brings them back",
                'keep the rows first, then write Data: destructive in the docstring and "# allow MIG051: <where they are kept>" above this in 001_step.py',
            ),
        ),
    ],
    "MIG052": [
        Wrong(
            'op.drop_column("users", "nickname")',
            Said(
                1,
                '"nickname" of "users" goes with all its values, and no downgrade brings them back',
                'keep the values first, then write Data: destructive in the docstring and "# allow MIG052: <where they are kept>" above this in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE ops.jobs DROP COLUMN IF EXISTS at, DROP \\"Old\\"")',
            Said(
                1,
                '"Old" of "ops.jobs" goes with all its values, and no downgrade brings them back',
                'keep the values first, then write Data: destructive in the docstring and "# allow MIG052: <where they are kept>" above this in 001_step.py',
            ),
            Said(
                1,
                '"at" of "ops.jobs" goes with all its values, and no downgrade brings them back',
                'keep the values first, then write Data: destructive in the docstring and "# allow MIG052: <where they are kept>" above this in 001_step.py',
            ),
        ),
        Wrong(
            ('with op.batch_alter_table("users") as batch:\n    batch.drop_column("nickname")'),
            Said(
                2,
                '"nickname" of "users" goes with all its values, and no downgrade brings them back',
                'keep the values first, then write Data: destructive in the docstring and "# allow MIG052: <where they are kept>" above this in 001_step.py',
            ),
        ),
    ],
    "MIG053": [
        Wrong(
            'execute("TRUNCATE TABLE ONLY plans, ops.jobs RESTART IDENTITY")',
            Said(
                1,
                'TRUNCATE takes every row of "ops.jobs", and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "allow MIG053: <where they are kept>" in a comment above this in 001_step.py',
            ),
            Said(
                1,
                'TRUNCATE takes every row of "plans", and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "allow MIG053: <where they are kept>" in a comment above this in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DELETE FROM plans")',
            Said(
                1,
                'DELETE without WHERE takes every row of "plans", and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "allow MIG053: <where they are kept>" in a comment above this in 001_step.py',
            ),
        ),
        Wrong(
            'execute("WITH gone AS (DELETE FROM plans RETURNING id) SELECT count(*) FROM gone WHERE id > 0")',
            Said(
                1,
                'DELETE without WHERE takes every row of "plans", and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "allow MIG053: <where they are kept>" in a comment above this in 001_step.py',
            ),
        ),
        Wrong(
            'execute("DO $$ BEGIN DELETE FROM plans; END $$")',
            Said(
                1,
                'DELETE without WHERE takes every row of "plans", and no downgrade brings them back',
                'keep the rows first, then write Data: destructive in the docstring and "allow MIG053: <where they are kept>" in a comment above this in 001_step.py',
            ),
        ),
    ],
    "MIG054": [
        Wrong(
            'execute("DROP TYPE mood CASCADE")',
            Said(
                1,
                "DROP … CASCADE takes along whatever depends on it, and nobody can read what that is",
                'drop what depends on it by name, then write execute("DROP TYPE mood") in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE")',
            Said(
                1,
                "ALTER … CASCADE takes along whatever depends on it, and nobody can read what that is",
                'drop what depends on it by name, then write execute("ALTER TABLE users DROP CONSTRAINT users_pkey") in 001_step.py',
            ),
        ),
        Wrong(
            'execute("TRUNCATE plans CASCADE")',
            Said(
                1,
                "TRUNCATE … CASCADE takes along whatever depends on it, and nobody can read what that is",
                'drop what depends on it by name, then write execute("TRUNCATE plans") in 001_step.py',
            ),
        ),
    ],
    "MIG055": [
        Wrong(
            'execute("DELETE FROM plans WHERE id = 1")',
            Said(
                1,
                'the revision destroys data, and its field "Data" says none',
                'write "Data: destructive; <what is lost>" in the docstring of 001_step.py',
            ),
        ),
        Wrong(
            'op.drop_table("plans")',
            Said(
                1,
                'the revision destroys data, and its field "Data" says none',
                'write "Data: destructive; <what is lost>" in the docstring of 001_step.py',
            ),
        ),
        Wrong(
            'execute("DROP SCHEMA ops")',
            Said(
                1,
                'the revision destroys data, and its field "Data" says none',
                'write "Data: destructive; <what is lost>" in the docstring of 001_step.py',
            ),
        ),
    ],
    "MIG056": [
        Wrong(
            "execute(\"UPDATE users SET plan = 'free'\")",
            Said(
                1,
                'one UPDATE locks every row of "users" until it ends, and loses all when it is cut off',
                'write with op.get_context().autocommit_block(): execute("DO $batches$ BEGIN LOOP UPDATE users SET … WHERE <key> IN (SELECT <key> FROM users WHERE <not done yet> LIMIT 10000); EXIT WHEN NOT FOUND; COMMIT; END LOOP; END $batches$"), alone in a revision, instead in 001_step.py',
            ),
        ),
        Wrong(
            'execute("UPDATE ONLY ops.jobs AS job SET done = (SELECT true WHERE true)")',
            Said(
                1,
                'one UPDATE locks every row of "ops.jobs" until it ends, and loses all when it is cut off',
                'write with op.get_context().autocommit_block(): execute("DO $batches$ BEGIN LOOP UPDATE ops.jobs SET … WHERE <key> IN (SELECT <key> FROM ops.jobs WHERE <not done yet> LIMIT 10000); EXIT WHEN NOT FOUND; COMMIT; END LOOP; END $batches$"), alone in a revision, instead in 001_step.py',
            ),
        ),
    ],
}

RIGHT = {
    "MIG051": [
        Right('op.create_table("plans")\nop.drop_table("plans")'),
        Right('execute("CREATE TEMPORARY TABLE draft (id int); DROP TABLE draft")'),
        Right('execute("DROP VIEW v; DROP TYPE t; DROP TRIGGER g ON t")'),
    ],
    "MIG052": [
        Right('op.add_column("users", sa.Column("draft", sa.Text))\nop.drop_column("users", "draft")'),
        Right('execute("ALTER TABLE users DROP CONSTRAINT c; ALTER TABLE users ALTER a DROP DEFAULT")'),
    ],
    "MIG053": [
        Right('execute("DELETE FROM plans WHERE id = 1")'),
        Right('execute("DELETE FROM plans AS p USING users WHERE p.id = users.id")'),
        Right('op.create_table("plans")\nexecute("DELETE FROM plans")'),
        Right('execute("SELECT 1 FROM plans FOR UPDATE")'),
        Right('execute("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM plans $$")'),
    ],
    "MIG054": [
        Right('execute("DROP TYPE mood")'),
        Right(
            'execute("ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d ON DELETE CASCADE, DROP CONSTRAINT e")'
        ),
        Right(
            'execute("ALTER TABLE a DROP CONSTRAINT e, ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d ON DELETE CASCADE")'
        ),
    ],
    "MIG055": [
        Right('op.create_table("plans")\nop.drop_table("plans")'),
        Right('execute("SELECT 1")'),
    ],
    "MIG056": [
        Right("execute(\"UPDATE users SET plan = 'free' WHERE plan IS NULL\")"),
        Right('execute("INSERT INTO t SELECT 1 ON CONFLICT (id) DO UPDATE SET a = 1")'),
        Right('execute("CREATE TABLE plans (id int); UPDATE plans SET id = 1")'),
    ],
}


@pytest.mark.parametrize(("code", "wrong"), cases(WRONG))
def test_what_is_wrong_is_told_with_its_place_and_the_fix(folder: Folder, code: str, wrong: Wrong) -> None:
    assert told(folder, code, wrong) == wrong.said


@pytest.mark.parametrize(("code", "right"), cases(RIGHT))
def test_what_is_right_passes(folder: Folder, code: str, right: Right) -> None:
    assert told(folder, code, right) == ()
