"""A statement is found wherever `upgrade()` comes to it, and nowhere else."""

from __future__ import annotations

import pytest
from governance.history import Folder
from governance.told import IMPORTS

CODES = {"MIG051", "MIG052"}
MORE = '''
DROP = """
-- Why.
DROP TABLE a;
"""
BOTH = ["SELECT 1", DROP]
again = lambda: execute(DROP)


def _drop() -> None:
    execute("DROP TABLE a")


def _deeper(first=1):
    if first:
        return None
    else:
        return _drop()


def _text():
    return "DROP TABLE a"


def _calls_itself() -> None:
    _calls_itself()
    _drop()


class Dropper:
    def go(self) -> None:
        op.drop_table("a")
'''


def written(folder: Folder, body: str, *, downgrade: str = "    execute('SELECT 2')") -> list[str]:
    inner = "\n".join(f"    {line}" for line in body.splitlines())
    folder.revision(
        1, imports=IMPORTS, upgrade=f"def upgrade() -> None:\n{inner}\n",
        downgrade=f"def downgrade() -> None:\n{downgrade}\n", more=MORE,
    )  # fmt: skip
    return folder.problems()


@pytest.mark.parametrize(
    "body",
    [
        "execute('DROP TABLE a')",
        "op.execute(sqltext='DROP TABLE a')",
        "op.execute(sa.text('DROP TABLE a'))",
        "op.execute(sa.DDL('DROP TABLE a'))",
        "op.get_bind().execute(sa.text('DROP TABLE a'))",
        "op.get_bind().exec_driver_sql('DROP TABLE a')",
        "execute('DROP ' 'TABLE a')",
        "execute('DROP ' + 'TABLE a')",
        "execute('  DROP TABLE a  '.strip())",
        "execute('drop/**/table\\ta')",
        "execute('SELECT 1; DROP TABLE IF EXISTS a RESTRICT')",
        "execute('SELECT 1' if op else 'DROP TABLE a')",
        "execute(DROP)",
        "for text in BOTH:\n    execute(text)",
        "for text in ('SELECT 1', 'DROP TABLE a'):\n    execute(text)",
        "text = 'DROP TABLE a'\nexecute(text)",
        "run = execute\nrun('DROP TABLE a')",
        "execute('DO $$ BEGIN IF true THEN DROP TABLE a; END IF; END $$')",
        "_drop()",
        "_deeper()",
        "_calls_itself()",
        "again()",
        "execute(_text())",
        "Dropper().go()",
        "def inner():\n    op.drop_table('a')\ninner()",
        "for step in (_drop,):\n    step()",
        "try:\n    pass\nfinally:\n    op.drop_table('a')",
        "while True:\n    op.drop_table('a')",
        "match op:\n    case _:\n        op.drop_table('a')",
        "with as_owner():\n    op.drop_table('a')",
        "[op.drop_table(name) for name in ('a',)]",
        "op.drop_table(**{'table_name': 'a'})",
        "op.drop_table(op.f('a'))",
        "name = 'a'\nop.drop_table(name)",
        "import alembic\nalembic.op.drop_table('a')",
        "from alembic.op import drop_table as gone\ngone('a')",
        "from alembic import op as other\nother.drop_table('a')",
        "op.drop_table('a')\nop.create_table('a')",
        "execute('CREATE TABLE IF NOT EXISTS a (); DROP TABLE a')",
        "op.create_table('a', if_not_exists=True)\nop.drop_table('a')",
    ],
)
def test_a_table_that_is_dropped_is_found(folder: Folder, body: str) -> None:
    assert written(folder, body) == ['MIG051 "a" goes with all its rows, and no downgrade brings them back']


@pytest.mark.parametrize(
    "body",
    [
        "op.drop_table(*['a'])",
        "op.drop_table(name)",
        "def gone(name):\n    op.drop_table(name)\ngone('a')",
    ],
)
def test_a_table_whose_name_cannot_be_told_is_found_too(folder: Folder, body: str) -> None:
    assert written(folder, body) == [
        "MIG051 a table goes with all its rows, and no downgrade brings them back"
    ]


def test_a_column_that_is_dropped_and_made_anew_is_found(folder: Folder) -> None:
    body = "op.drop_column('t', 'c')\nop.add_column('t', sa.Column('c', sa.Text))"
    assert written(folder, body) == [
        'MIG052 "c" of "t" goes with all its values, and no downgrade brings them back'
    ]


@pytest.mark.parametrize(
    "body",
    [
        "execute('SELECT 1')",
        '"""DROP TABLE a"""\nexecute("SELECT 1")',
        "raise RuntimeError('DROP TABLE a')",
        "print('DROP TABLE a')",
        "op.create_table('b', sa.Column('c', sa.Text, comment='DROP TABLE a'))",
        "op.bulk_insert(t, [{'c': 'DROP TABLE a'}])",
        "execute(\"INSERT INTO b VALUES ('DROP TABLE a')\")",
        "execute('-- DROP TABLE a\\nSELECT 1')",
        "execute('CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DROP TABLE a $$')",
        "op.create_table('a')\nop.drop_table('a')",
        "execute('CREATE TABLE public.a (); DROP TABLE a')",
        "execute('SELECT 1 AS b INTO a; DROP TABLE a')",
    ],
)
def test_what_drops_nothing_is_no_finding(folder: Folder, body: str) -> None:
    assert written(folder, body) == []


@pytest.mark.parametrize("body", ["op.drop_table('a')", "execute(DROP)", "_drop()", "Dropper().go()"])
def test_what_only_the_way_back_comes_to_is_no_finding(folder: Folder, body: str) -> None:
    assert written(folder, "execute('SELECT 1')", downgrade=f"    {body}") == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("execute('''\nSELECT 1;\nDROP TABLE a;\n''')", "DROP TABLE a;"),
        ("_drop()", 'execute("DROP TABLE a")'),
        ("execute(DROP)", "DROP TABLE a;"),
        ("execute('''\nDO $$\nBEGIN\n    DROP TABLE a;\nEND $$;\n''')", "    DROP TABLE a;"),
        ("op.create_table('b')\nop.drop_table(\n    'a',\n)", "op.drop_table("),
    ],
)
def test_a_finding_stands_where_the_statement_is_written(folder: Folder, body: str, where: str) -> None:
    written(folder, body)
    (found,) = folder.findings()
    line = found.file.read_text().splitlines()[found.line - 1]
    assert line.strip() == where.strip()
