"""Whatever stands in a revision, the check says something or nothing, but never fails, and ends."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import pytest
from governance.history import Folder
from governance.told import IMPORTS

from spotify_ai_agent_migrations import discover
from spotify_ai_agent_migrations.versions.governance import op_acts, sql_acts
from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.definitions import written

# One statement of each kind that a rule reads, and of some that none does.
STATEMENTS = [
    "ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    "ALTER DOMAIN a ADD CONSTRAINT b CHECK (VALUE > 0) NOT VALID",
    "ALTER TABLE IF EXISTS ONLY a.b * ADD COLUMN IF NOT EXISTS c numeric(3, 2)[] DEFAULT d.e(1) NOT NULL REFERENCES f",
    "ALTER TABLE a ADD CONSTRAINT b NOT NULL c, ADD UNIQUE USING INDEX d, ADD PRIMARY KEY (e), VALIDATE CONSTRAINT f",
    "ALTER TABLE a ALTER COLUMN b SET DATA TYPE varchar(9) COLLATE c USING d::text, ALTER e SET NOT NULL",
    "ALTER TABLE a DETACH PARTITION b CONCURRENTLY, RENAME CONSTRAINT c TO d, RENAME COLUMN e TO f, SET SCHEMA g",
    "ALTER TABLE a DROP COLUMN IF EXISTS b CASCADE, DROP CONSTRAINT IF EXISTS c, ENABLE ROW LEVEL SECURITY",
    "ALTER TYPE a ADD VALUE IF NOT EXISTS 'b' BEFORE 'c'",
    "COMMENT ON COLUMN a.b IS 'none: c'",
    "CREATE DOMAIN a AS text CONSTRAINT b CHECK (VALUE > '')",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS a AS SELECT 1",
    "CREATE OR REPLACE FUNCTION a.b(c integer) RETURNS trigger LANGUAGE sql STABLE SECURITY DEFINER SET search_path = d AS $$ e $$",
    "CREATE OR REPLACE TRIGGER a AFTER INSERT OR UPDATE OF b ON c FOR EACH ROW EXECUTE FUNCTION d()",
    "CREATE POLICY a ON b.c TO d USING (e)",
    "CREATE SCHEMA a CREATE TABLE b (c int) GRANT SELECT ON b TO d",
    "CREATE TABLE a (b bigserial PRIMARY KEY, c text GENERATED ALWAYS AS (lower(d)) STORED, CHECK (e IS NOT NULL)) PARTITION BY RANGE (f)",
    "CREATE TABLE a PARTITION OF b FOR VALUES FROM (1) TO (2)",
    "CREATE TEMPORARY TABLE a (b int)",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a ON ONLY b USING gin (c, (d || e)) WHERE f IS NOT NULL",
    "DELETE FROM ONLY a AS b WHERE c",
    "DO $$ DECLARE a int; BEGIN IF a THEN UPDATE b SET c = 1; ELSE PERFORM ops.audit_table_v1('d', 'e'); END IF; END $$",
    "DROP INDEX CONCURRENTLY IF EXISTS a.b, c",
    "DROP SCHEMA IF EXISTS a CASCADE",
    "DROP TABLE IF EXISTS a, b.c CASCADE",
    "GRANT EXECUTE ON FUNCTION a.b(c, d) TO e, PUBLIC",
    "INSERT INTO public.retention_policies (rule, table_name) VALUES ('a', 'b'), ('c', 'd') ON CONFLICT DO NOTHING",
    "LOCK TABLE ONLY a, b IN ACCESS EXCLUSIVE MODE NOWAIT",
    "PREPARE TRANSACTION 'a'",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY a.b",
    "REINDEX (VERBOSE, CONCURRENTLY) INDEX a",
    "RESET lock_timeout",
    "REVOKE EXECUTE ON FUNCTION a(b), c.d(e) FROM PUBLIC",
    "ROLLBACK TO SAVEPOINT a",
    "SELECT pg_catalog.set_config('lock_timeout', '0', false) INTO a FROM b FOR UPDATE",
    "SET SESSION AUTHORIZATION a",
    "TRUNCATE TABLE ONLY a, b RESTART IDENTITY CASCADE",
    "UPDATE ONLY a.b AS c SET d = (SELECT e WHERE f) WHERE g",
    "VACUUM (FULL) a",
    "WITH a AS (DELETE FROM b RETURNING c) UPDATE d SET e = 1",
]


def texts() -> list[str]:
    """Every statement of the package's own revisions, and those above."""
    courses = (course for made in discover() for course in (made.upgrade, made.downgrade))
    own = [written(said.tokens) for course in courses for said in course.of(Statement)]
    assert len(own) > 500
    return [*STATEMENTS, *own]


def check(folder: Folder, lines: list[str]) -> int:
    folder.revision(
        1, imports=IMPORTS, upgrade="def upgrade() -> None:\n" + textwrap.indent("\n".join(lines), "    ")
    )
    return len(folder.findings())


@pytest.mark.soak
def test_a_statement_that_is_cut_off_anywhere_is_read(folder: Folder) -> None:
    torn = {text[:end] for text in texts() for end in _ends(text)}
    assert len(torn) > 2_000
    assert check(folder, [f"execute({text!r})" for text in sorted(torn)]) > 500


def _ends(text: str) -> list[int]:
    return [at for at, letter in enumerate(text[:300]) if letter in " (),.'"]


@pytest.mark.parametrize(
    "arguments",
    ["", "None", "*given", "**given", "name", '"a"', '"a", "b"', '"a", "b", ["c"], ["d"]', '"a", None, None, None', '"a", sa.Column()',
     '"a", f"{b}", [c, 1]', "1, 2, 3, 4", 'schema=name, table_name="a", columns=None'],
)  # fmt: skip
def test_an_operation_without_its_arguments_is_read(folder: Folder, arguments: str) -> None:
    calls = [f"op.{verb}({arguments})" for verb in op_acts._READERS]
    calls += [f"sa.{kind}({arguments})" for kind in ("Column", "Enum", "ForeignKeyConstraint", "Index")]
    columns = [f'op.create_table("t", sa.{kind}({arguments}))' for kind in ("Column", "ForeignKeyConstraint")]
    assert check(folder, [*calls, *columns]) > 0


def test_every_verb_that_is_read_is_among_the_statements() -> None:
    verbs = {text.split()[0] for text in STATEMENTS}
    assert set(sql_acts._READERS) - {"PERFORM", "SELECT"} <= verbs


@pytest.mark.parametrize(
    "text",
    [
        "DO $$ " + "BEGIN " * 20_000 + "$$",
        "DO $$ " + "IF a THEN " * 10_000 + "$$",
        "DELETE FROM t; " * 5_000,
        "ALTER TABLE t " + ", ".join(f"ADD c{number} text" for number in range(5_000)),
        "CREATE TABLE t (" + ", ".join(f"c{number} text" for number in range(5_000)) + ")",
        "-- allow MIG053: x\n" * 5_000 + "TRUNCATE t",
        "GRANT a TO " + "b, " * 20_000 + "c",
    ],
    ids=range(7),
)
def test_a_long_text_takes_no_longer_than_it_is(folder: Folder, text: str) -> None:
    started = time.perf_counter()
    check(folder, [f"execute({text!r})"])
    assert time.perf_counter() - started < 15


def test_a_chain_of_tables_that_cascade_ends(folder: Folder) -> None:
    made = [
        f"CREATE TABLE t{number} (a bigint REFERENCES t{number + 1} ON DELETE CASCADE, "
        f"b bigint REFERENCES t{number + 1} ON DELETE CASCADE, c bigint REFERENCES t0 ON DELETE CASCADE); "
        f"COMMENT ON COLUMN t{number}.a IS 'identifier: x'"
        for number in range(1_000)
    ]
    folder.codes = {"MIG062"}
    started = time.perf_counter()
    assert check(folder, [f"execute({text!r})" for text in made]) == 1_000
    assert time.perf_counter() - started < 20


def test_a_revision_that_python_cannot_read_has_no_course(folder: Folder) -> None:
    folder.write("001_broken.py", "def upgrade(:\n")
    (broken,) = folder.revisions()
    assert (broken.upgrade.acts, broken.downgrade.steps, broken.suppressions) == ((), (), ())
    assert Path(broken.path).exists()
