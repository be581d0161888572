"""What slipped through a rule, and what a rule took for something else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from governance.history import DOCSTRING, DOWNGRADE, FIRST, HEAD, UPGRADE, Folder

CODES = FIRST

COMMENT = 'comment="none: x"'


def codes(folder: Folder) -> list[str]:
    return [found.code for found in folder.findings()]


def test_the_check_of_many_revisions_is_linear(folder: Folder) -> None:
    for number in range(1, 401):
        folder.revision(number)
    started = time.perf_counter()
    assert folder.findings() == ()
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("text", ["/* " * 33_000, "".join(f"$a{n}$ " for n in range(20_000))])
def test_what_is_never_closed_takes_no_longer(folder: Folder, text: str) -> None:
    folder.upgrade(f"op.execute({'CREATE ' + text!r})")
    started = time.perf_counter()
    assert folder.findings() == ()
    assert time.perf_counter() - started < 5


def test_every_revision_of_a_circle_is_told_and_none_beside_it(folder: Folder) -> None:
    folder.revision(1, follows="003")
    folder.revision(2)
    folder.revision(3)
    folder.revision(4)
    assert [found.path for found in folder.findings() if found.code == "MIG008"] == [
        f"versions/00{number}_step.py" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("name", ["latin-1", "utf-7", "nonsense"])
def test_another_declared_encoding_is_refused(folder: Folder, name: str) -> None:
    path = folder.revision(1)
    path.write_text(f"# coding: {name}\n{path.read_text()}")
    assert folder.said() == [
        (
            "MIG002",
            '"001_step.py" declares an encoding other than UTF-8',
            'save 001_step.py as UTF-8 and remove the comment with "coding"',
        )
    ]


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "utf_8"])
def test_utf_8_may_be_declared(folder: Folder, name: str) -> None:
    path = folder.revision(1)
    path.write_text(f"# coding: {name}\n{path.read_text()}")
    assert folder.findings() == ()


def test_a_pipe_does_not_block(folder: Folder) -> None:
    folder.revision(1)
    os.mkfifo(folder.path / "002_x.py")
    assert folder.problems() == ['MIG002 "002_x.py" cannot be read: not a regular file']


@pytest.mark.parametrize("value", ['"009"', '("009",)', '["009"]'])
def test_a_dependency_exists(folder: Folder, value: str) -> None:
    folder.revision(1, more=f"depends_on = {value}\n")
    assert folder.said() == [
        (
            "MIG008",
            'revision "001" depends on "009", which does not exist',
            "set depends_on = None in 001_step.py",
        )
    ]


@pytest.mark.parametrize("value", ["None", '"001"', '"core"', "computed()"])
def test_a_dependency_is_a_revision_or_a_label(folder: Folder, value: str) -> None:
    folder.revision(1, more='branch_labels = ("core",)\n')
    folder.revision(2, more=f"depends_on = {value}\n")
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "more",
    [
        'revision += "9"',
        'if True:\n    revision = "009"',
        'revision, other = "009", 1',
        '(revision := "009")',
        "del revision",
        'for revision in ("009",):\n    pass',
        'globals()["revision"] = "009"',
        "import alembic as revision",
        "def change():\n    global revision\n",
        'revision = "001"',
    ],
)
def test_a_variable_is_bound_once(folder: Folder, more: str) -> None:
    folder.revision(1, more=more)
    assert folder.said() == [
        (
            "MIG004",
            '"revision" is bound more than once',
            'write revision = "001" once, and nothing else, in 001_step.py',
        )
    ]


@pytest.mark.parametrize("more", [UPGRADE, "upgrade = lambda: None", "del upgrade", "class upgrade: ..."])
def test_a_function_is_defined_once(folder: Folder, more: str) -> None:
    folder.revision(1, more=more)
    assert folder.said() == [
        ("MIG012", '"upgrade" is bound more than once', "keep one def upgrade() -> None: in 001_step.py")
    ]


def test_a_name_in_another_scope_is_another_name(folder: Folder) -> None:
    folder.revision(
        1, more="def other(revision):\n    upgrade = revision\n\nx = [revision for revision in ()]\n"
    )
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "body",
    ["return None", "if True: pass", "x = 1", "return\nop.execute('SELECT 1')", "if False: op.execute('x')"],
)
def test_an_upgrade_that_does_nothing_is_filled(folder: Folder, body: str) -> None:
    folder.upgrade(body)
    assert folder.problems() == ['MIG012 "upgrade" does nothing']


def test_a_generator_is_no_upgrade(folder: Folder) -> None:
    folder.upgrade('op.execute("SELECT 1")\nyield')
    assert folder.problems() == ['MIG012 "upgrade" is a generator, and calling it runs nothing']


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (LIKE u INCLUDING ALL EXCLUDING COMMENTS)",
        "SELECT a, b INTO t FROM u",
        "WITH x AS (SELECT 1 AS a) SELECT * INTO UNLOGGED TABLE t FROM x",
        "ALTER TABLE t * ADD c text",
        "CREATE SCHEMA s CREATE TABLE t (c text) GRANT SELECT ON t TO r",
        "/* a /* b */ c */ ALTER TABLE t ADD c text",
    ],
)
def test_a_column_of_sql_does_not_slip_through(folder: Folder, statement: str) -> None:
    folder.upgrade(f"op.execute({statement!r})")
    assert codes(folder) == ["MIG015"]


def test_a_table_in_a_new_schema_is_named_with_it(folder: Folder) -> None:
    text = "CREATE SCHEMA s CREATE TABLE t (c text); COMMENT ON COLUMN s.t.c IS 'none: x'"
    folder.upgrade(f"op.execute({text!r})")
    assert folder.findings() == ()


def test_a_sum_of_literals_is_one_text(folder: Folder) -> None:
    folder.upgrade('op.execute("ALTER TABLE t " + "ADD c " + kind)')
    assert folder.problems() == ['MIG015 column "c" of "t" has no classification']


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t SELECT 1",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
        "SELECT 1 INTO TEMP t",
        "CREATE TABLE t (NOT NULL c)",
        "ALTER TABLE t ADD NOT NULL c",
        "CREATE TABLE pg_temp.p (c int)",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; ALTER TABLE t ADD c int; END",
    ],
)
def test_what_makes_no_column_is_no_finding(folder: Folder, statement: str) -> None:
    folder.upgrade(f"op.execute({statement!r})")
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "call", ["raise RuntimeError({})", "print({})", "logger.info({})", "raise RuntimeError('a' + {})"]
)
def test_prose_is_no_sql(folder: Folder, call: str) -> None:
    folder.upgrade(call.format('"alter table t add the column first"'))
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "body",
    [
        f'op.execute("ALTER TABLE t ADD c text")\nop.alter_column("t", "c", {COMMENT})',
        f'op.execute("ALTER TABLE s.t ADD c text")\nop.alter_column("t", "c", {COMMENT}, schema="s")',
        'op.add_column("t", sa.Column("c", sa.Text))\nop.execute("COMMENT ON COLUMN t.c IS \'none: x\'")',
        'op.create_table("t", sa.Column("c", sa.Text), prefixes=["TEMPORARY"])',
        'op.add_column("t", sa.Column("c", sa.Text, comment=PURPOSE))',
        'op.add_column("t", sa.Column("c", sa.Text, comment="none: " + "x"))',
        'op.create_table("t", *columns())',
    ],
)
def test_a_column_is_classified_in_more_than_one_way(folder: Folder, body: str) -> None:
    more = (
        'PURPOSE = "none: " + "x"\n'
        f'COLUMNS = (sa.Column("a", sa.Text, {COMMENT}),)\ndef columns():\n    return list(COLUMNS)\n'
    )
    folder.upgrade(body, more=more)
    assert folder.findings() == ()


@pytest.mark.parametrize("added", ["cols += made()", "cols.append(made())", "cols.extend(made())"])
def test_what_is_added_to_a_list_has_to_be_seen(folder: Folder, added: str) -> None:
    folder.upgrade(f'cols = []\n{added}\nop.create_table("t", *cols)')
    assert folder.problems() == ['MIG014 a column of "t" cannot be seen without running the revision']


def test_a_function_that_calls_itself_ends(folder: Folder) -> None:
    folder.upgrade('op.create_table("t", *made())', more="def made():\n    return made()\n")
    assert codes(folder) == ["MIG014"]


@pytest.mark.parametrize(
    "body",
    [
        'op.create_index("", "t", ["c"])',
        'op.create_index(op.f(None), "t", ["c"])',
        'name = None\nop.create_index(name, "t", ["c"])',
        f'op.add_column("t", sa.Column("c", sa.Text, {COMMENT}, **{{"unique": True}}))',
        f'op.add_column("t", sa.Column("c", sa.Boolean(create_constraint=True), {COMMENT}))',
        f'op.add_column("t", sa.Column("c", sa.Enum("a", native_enum=False, create_constraint=True), {COMMENT}))',
        'cm = op.batch_alter_table("t")\nwith cm as b:\n    b.create_index(None, ["c"])',
    ],
)
def test_what_has_no_name_does_not_slip_through(folder: Folder, body: str) -> None:
    folder.upgrade(body)
    assert codes(folder) == ["MIG016"]


@pytest.mark.parametrize(
    "kind",
    [
        'sa.Boolean(create_constraint=True, name="c_check")',
        "sa.Boolean()",
        'sa.Enum("a", create_constraint=True)',
    ],
)
def test_a_type_without_a_constraint_or_with_a_name_passes(folder: Folder, kind: str) -> None:
    folder.upgrade(f'op.add_column("t", sa.Column("c", {kind}, {COMMENT}))')
    assert folder.findings() == ()


@pytest.mark.parametrize("name", ["exec", "eval", "compile"])
def test_code_from_text_is_refused(folder: Folder, name: str) -> None:
    folder.upgrade(f'{name}("1")')
    assert folder.said() == [
        (
            "MIG013",
            f'"001_step.py" calls "{name}"',
            f"write the code itself instead of {name}(…) in 001_step.py",
        )
    ]


def test_a_statement_may_be_compiled(folder: Folder) -> None:
    folder.upgrade("sa.select(1).compile()")
    assert folder.findings() == ()


def test_a_module_that_is_handed_on_is_refused(folder: Folder) -> None:
    folder.upgrade("from alembic.util.compat import sys")
    assert folder.problems() == ['MIG013 "001_step.py" imports "alembic.util.compat.sys"']


@pytest.mark.parametrize("text", ["...", "…", ". . ."])
def test_a_field_of_dots_is_empty(folder: Folder, text: str) -> None:
    folder.revision(1, docstring=DOCSTRING.replace("Locks: none", f"Locks: {text}"))
    assert folder.problems() == ['MIG011 the field "Locks" is empty']


@pytest.mark.parametrize("name", ["13ae0e1ec49e", "ae1027a6acf4", "1975ea83b712"])
def test_a_file_named_by_alembic_gets_the_next_number(folder: Folder, name: str) -> None:
    folder.revision(1)
    folder.revision(2)
    text = f'{DOCSTRING}{HEAD}revision = "{name}"\ndown_revision = "002"\n{UPGRADE}\n{DOWNGRADE}'
    path: Path = folder.write(f"{name}_x.py", text)
    hints = [found.hint for found in folder.findings() if found.code == "MIG001"]
    assert hints == [f"rename {path.name} to 003_x.py"]
