"""Rules about classified columns, in operations and in SQL: MIG014 and MIG015."""

from __future__ import annotations

import pytest
from governance.history import CHOICE, FIRST, Folder

from spotify_ai_agent_migrations.versions.governance import CLASSES

CODES = FIRST

CLASSIFIED = 'comment="contact: where notices are sent"'


def _problem_of(column: str, table: str, rest: str) -> str:
    return f'MIG014 column "{column}" of {table} {rest}'


def test_a_column_without_a_comment_is_told_the_classes(folder: Folder) -> None:
    folder.upgrade('op.create_table("users", sa.Column("email", sa.Text))')
    assert folder.said() == [
        (
            "MIG014",
            'column "email" of "users" has no classification',
            (
                'write sa.Column("email", …, comment="<class>: <what it is for>") in 001_step.py; '
                f"the class is {CHOICE}"
            ),
        )
    ]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_passes_with_a_purpose(folder: Folder, name: str) -> None:
    folder.upgrade(
        f'op.create_table("users", sa.Column("email", sa.Text, comment="{name}: " "some purpose"))'
    )
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "comment", ["where notices go", "secret: a purpose", "contact:", "contact: ", "Contact: a"]
)
def test_a_comment_without_class_or_purpose_is_refused(folder: Folder, comment: str) -> None:
    folder.upgrade(f'op.create_table("users", sa.Column("email", sa.Text, comment="{comment}"))')
    rest = f'has the comment "{comment}", which names no class and purpose'
    assert folder.problems() == [_problem_of("email", '"users"', rest)]


@pytest.mark.parametrize(
    "extra", ['comment=f"contact: {1}"', "comment=PURPOSE", 'comment="contact: " + a', "**given"]
)
def test_a_comment_that_is_computed_is_refused(folder: Folder, extra: str) -> None:
    folder.upgrade(f'op.create_table("users", sa.Column("email", sa.Text, {extra}))')
    assert folder.problems() == [_problem_of("email", '"users"', "has a comment that is not a literal")]


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("", 'op.add_column("users", sa.Column("email", sa.Text))'),
        ("", 'op.add_column("users", column=sa.Column("email", sa.Text))'),
        ("from sqlalchemy import Column", 'op.add_column("users", Column("email", sa.Text))'),
        ("from sqlalchemy import Column as C", 'op.add_column("users", C("email", sa.Text))'),
        ("from sqlalchemy import *", 'op.add_column("users", Column("email", sa.Text))'),
        ("from sqlalchemy.schema import Column", 'op.add_column("users", Column("email", sa.Text))'),
        ("import sqlalchemy", 'op.add_column("users", sqlalchemy.Column("email", sa.Text))'),
        ("import sqlalchemy.schema", 'op.add_column("users", sqlalchemy.schema.Column("email", sa.Text))'),
        ("from alembic.op import add_column", 'add_column("users", sa.Column("email", sa.Text))'),
        ("import alembic", 'alembic.op.add_column("users", sa.Column("email", sa.Text))'),
        ("Made = sa.Column", 'op.add_column("users", Made("email", sa.Text))'),
        ("", 'op.add_column("users", sa.Column(name="email", type_=sa.Text))'),
        ("", 'with op.batch_alter_table("users") as b:\n    b.add_column(sa.Column("email", sa.Text))'),
        ("", 'op.create_table("users", *[sa.Column("email", sa.Text)])'),
        ("", 'email = sa.Column("email", sa.Text)\nop.add_column("users", email)'),
    ],
)
def test_a_column_is_seen_under_every_name(folder: Folder, imports: str, call: str) -> None:
    folder.upgrade(call, imports=f"{imports}\n")
    assert [found.code for found in folder.findings()] == ["MIG014"]
    assert folder.findings()[0].problem.startswith('column "email" of ')
    assert folder.findings()[0].problem.endswith(" has no classification")


@pytest.mark.parametrize(
    "call",
    [
        f'op.add_column("users", sa.Column("email", sa.Text, {CLASSIFIED}))',
        f'with op.batch_alter_table("users") as b:\n    b.add_column(sa.Column("e", sa.Date, {CLASSIFIED}))',
        f'email = sa.Column("email", sa.Text, {CLASSIFIED})\nop.add_column("users", email)',
        f'op.create_table("users", *[sa.Column(n, sa.Text, {CLASSIFIED}) for n in ("a", "b")])',
        f'for c in (sa.Column("a", sa.Text, {CLASSIFIED}),):\n    op.add_column("users", c)',
        f'op.create_table("users", sa.Column("email", sa.Text, {CLASSIFIED}), sa.Index("users_i", "email"))',
    ],
)
def test_a_classified_column_passes_in_every_spelling(folder: Folder, call: str) -> None:
    folder.upgrade(call)
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "arguments",
    [
        "*COLUMNS",
        "*make_columns()",
        "column",
        "made()",
        "sa.Column if a else b",
        "shared.created_at()",
        "itself",
    ],
)
def test_a_column_that_cannot_be_seen_is_reported(folder: Folder, arguments: str) -> None:
    folder.upgrade(f'itself = itself\nop.create_table("users", {arguments})')
    assert folder.said() == [
        (
            "MIG014",
            'a column of "users" cannot be seen without running the revision',
            'write sa.Column("…", …, comment="<class>: <what it is for>") in 001_step.py',
        )
    ]


def test_an_added_column_that_cannot_be_seen_is_reported(folder: Folder) -> None:
    folder.upgrade('op.add_column("users", made())\nop.add_column(*given)')
    assert folder.problems() == [
        'MIG014 a column of "users" cannot be seen without running the revision',
        "MIG014 a column of a table cannot be seen without running the revision",
    ]


@pytest.mark.parametrize("arguments", ["_created_at()", "*_times()", "_key()"])
def test_a_function_of_the_same_file_may_hold_the_column(folder: Folder, arguments: str) -> None:
    folder.upgrade(
        f'op.create_table("users", {arguments})',
        more='def _created_at():\n    return sa.Column("created_at", sa.Date, comment="none: when")\n'
        'def _times():\n    return (sa.Column("at", sa.Date, comment="none: when"),)\n'
        'def _key():\n    return sa.PrimaryKeyConstraint("id", name="users_pkey")\n',
    )
    assert folder.findings() == ()


def test_the_column_in_a_function_is_checked_where_it_stands(folder: Folder) -> None:
    folder.upgrade(
        'op.create_table("users", _created_at())',
        more='def _created_at():\n    return sa.Column("created_at", sa.Date)\n',
    )
    assert folder.problems() == [_problem_of("created_at", "a table", "has no classification")]


def test_a_function_that_builds_no_column_hides_it(folder: Folder) -> None:
    folder.upgrade('op.create_table("users", _made())', more="def _made():\n    return shared()\n")
    assert folder.problems() == ['MIG014 a column of "users" cannot be seen without running the revision']


def test_a_column_that_the_way_back_restores_is_classified_too(folder: Folder) -> None:
    folder.revision(
        1, downgrade='def downgrade() -> None:\n    op.add_column("users", sa.Column("email", sa.Text))\n'
    )
    assert folder.problems() == [_problem_of("email", '"users"', "has no classification")]


def test_columns_of_a_query_are_no_columns_of_a_table(folder: Folder) -> None:
    folder.upgrade('users = sa.table("users", sa.column("email"))\nop.bulk_insert(users, [{"email": "a"}])')
    assert folder.findings() == ()


def test_a_column_in_sql_is_told_the_comment_it_lacks(folder: Folder) -> None:
    folder.upgrade(
        'op.execute("""\nCREATE TABLE public.users (\n    id bigint,\n    "E-mail" text NOT NULL\n)\n""")'
    )
    (key, mail) = folder.findings()
    assert (key.code, key.problem) == ("MIG015", 'column "id" of "users" has no classification')
    assert key.hint == (
        "write COMMENT ON COLUMN users.id IS '<class>: <what it is for>' in 001_step.py; "
        f"the class is {CHOICE}"
    )
    assert mail.problem == 'column "E-mail" of "users" has no classification'
    assert mail.line == key.line + 1


COMMENT = "COMMENT ON COLUMN users.email IS 'contact: what they''re told';"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE users (email text)",
        "create unlogged table if not exists Public.Users (EMAIL text collate \"C\" default 'a,b(')",
        "ALTER TABLE users ADD COLUMN email text",
        "ALTER TABLE IF EXISTS ONLY public.users ADD IF NOT EXISTS email text, DROP COLUMN name",
        "/* CREATE TABLE */ CREATE -- x\n TABLE users (email numeric(3, 2), PRIMARY KEY (email))",
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL, ADD email text, ADD CONSTRAINT c CHECK (a > '')",
    ],
)
def test_a_comment_in_the_same_file_classifies_a_column_of_sql(folder: Folder, statement: str) -> None:
    codes = {"MIG015"}
    folder.upgrade(f"op.execute({statement!r})")
    assert [found.problem for found in folder.findings() if found.code in codes] == [
        'column "email" of "users" has no classification'
    ]
    folder.upgrade(f"op.execute({statement!r})\nop.execute(sa.text({COMMENT!r}))")
    assert [found.problem for found in folder.findings() if found.code in codes] == []


def test_the_comment_of_a_column_of_sql_names_class_and_purpose(folder: Folder) -> None:
    folder.upgrade(
        "op.execute(\"ALTER TABLE ops.jobs ADD n int; COMMENT ON COLUMN ops.jobs.n IS 'how many'\")"
    )
    assert folder.problems() == [
        'MIG015 column "n" of "ops.jobs" has the comment "how many", which names no class and purpose'
    ]


def test_a_column_of_an_f_string_is_seen(folder: Folder) -> None:
    folder.upgrade('op.execute(f"CREATE TABLE {table} (email {kind}, {more})")')
    assert folder.problems() == [
        'MIG015 column "email" of "{table}" has no classification',
        'MIG015 column "{more}" of "{table}" has no classification',
    ]


@pytest.mark.parametrize(
    ("statement", "fix"),
    [
        (
            "CREATE TABLE copies AS SELECT * FROM users",
            "write CREATE TABLE copies (…) with its columns, then INSERT INTO copies SELECT",
        ),
        (
            "CREATE TABLE copies (LIKE users INCLUDING DEFAULTS)",
            "write INCLUDING ALL, or at least INCLUDING COMMENTS, after LIKE",
        ),
    ],
)
def test_columns_copied_from_elsewhere_are_written_out(folder: Folder, statement: str, fix: str) -> None:
    folder.upgrade(f"op.execute({statement!r})")
    assert folder.said() == [
        (
            "MIG015",
            'the columns of "copies" come from elsewhere, without a classification',
            f"{fix}, in 001_step.py",
        )
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE draft (email text)",
        "CREATE TABLE users_2026 PARTITION OF users FOR VALUES FROM (1) TO (2)",
        "CREATE TABLE copies (LIKE users INCLUDING ALL)",
        "ALTER TABLE users ATTACH PARTITION users_2026 FOR VALUES FROM (1) TO (2)",
        "INSERT INTO notes VALUES ('CREATE TABLE x (a int);')",
        "SELECT $$CREATE TABLE x (a int)$$, $a$; CREATE TABLE y (b int)$a$",
        "CREATE TABLE",
        "ALTER TABLE users ADD",
        "CREATE TABLE users (",
        "'",
        "",
    ],
)
def test_what_makes_no_lasting_column_passes(folder: Folder, statement: str) -> None:
    folder.upgrade(f"op.execute({statement!r})")
    assert folder.findings() == ()


def test_a_docstring_that_speaks_of_sql_is_no_sql(folder: Folder) -> None:
    folder.upgrade('"""CREATE TABLE users (email text)"""\nop.execute("SELECT 1")')
    assert folder.findings() == ()
