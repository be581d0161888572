"""Rules about named constraints, in operations and in SQL: MIG016 and MIG017."""

from __future__ import annotations

import pytest
from governance.history import FIRST, Folder

CODES = FIRST

LONG = "users_" + "é" * 40 + "_key"


def _table(*items: str) -> str:
    column = 'sa.Column("email", sa.Text, comment="contact: where notices are sent")'
    return f'op.create_table("users", {", ".join((column, *items))})'


def _column(*items: str) -> str:
    inner = ", ".join(('"email"', "sa.Text", *items, 'comment="contact: where notices are sent"'))
    return f'op.create_table("users", sa.Column({inner}))'


@pytest.mark.parametrize(
    ("item", "problem", "fix"),
    [
        (
            'sa.PrimaryKeyConstraint("id")',
            'the primary key on "id" of "users" has no name',
            'sa.PrimaryKeyConstraint(…, name="users_pkey")',
        ),
        (
            'sa.UniqueConstraint("email", "kind", name=None)',
            'the unique constraint on "email, kind" of "users" has no name',
            'sa.UniqueConstraint(…, name="users_email_kind_key")',
        ),
        (
            'sa.ForeignKeyConstraint(["plan_id"], ["plans.id"])',
            'the foreign key on "plan_id" of "users" has no name',
            'sa.ForeignKeyConstraint(…, name="users_plan_id_fkey")',
        ),
        (
            'sa.CheckConstraint("age > 0")',
            'the check constraint of "users" has no name',
            'sa.CheckConstraint(…, name="users_<column>_check")',
        ),
        (
            'ExcludeConstraint(("during", "&&"))',
            'the exclusion constraint of "users" has no name',
            'sa.ExcludeConstraint(…, name="users_<column>_excl")',
        ),
        (
            'sa.Index(None, "email")',
            'the index on "email" of "users" has no name',
            'sa.Index(…, name="users_email_idx")',
        ),
    ],
)
def test_a_constraint_of_a_table_is_named(folder: Folder, item: str, problem: str, fix: str) -> None:
    folder.upgrade(_table(item), imports="from sqlalchemy.dialects.postgresql import ExcludeConstraint\n")
    assert folder.said() == [("MIG016", problem, f"write {fix} in 001_step.py")]


@pytest.mark.parametrize(
    ("item", "problem", "hint"),
    [
        (
            "primary_key=True",
            'the primary key on "email" of "users" has no name',
            'write sa.PrimaryKeyConstraint("email", name="users_pkey") instead of primary_key=True',
        ),
        (
            "unique=True",
            'the unique constraint on "email" of "users" has no name',
            'write sa.UniqueConstraint("email", name="users_email_key") instead of unique=True',
        ),
        (
            "index=True",
            'the index on "email" of "users" has no name',
            'write op.create_index("users_email_idx", "users", ["email"]) instead of index=True',
        ),
        (
            'sa.ForeignKey("mails.id")',
            'the foreign key on "email" of "users" has no name',
            'write sa.ForeignKey(…, name="users_email_fkey")',
        ),
    ],
)
def test_what_a_column_makes_without_a_name_is_named(
    folder: Folder, item: str, problem: str, hint: str
) -> None:
    folder.upgrade(_column(item))
    assert folder.said() == [("MIG016", problem, f"{hint} in 001_step.py")]


@pytest.mark.parametrize(
    ("call", "problem", "fix"),
    [
        (
            'op.create_foreign_key(None, "users", "plans", ["plan_id"], ["id"])',
            'the foreign key on "plan_id" of "users" has no name',
            'op.create_foreign_key("users_plan_id_fkey", …)',
        ),
        (
            'op.create_unique_constraint(None, "users", ["email"])',
            'the unique constraint on "email" of "users" has no name',
            'op.create_unique_constraint("users_email_key", …)',
        ),
        (
            'op.create_check_constraint(None, "users", "age > 0")',
            'the check constraint of "users" has no name',
            'op.create_check_constraint("users_<column>_check", …)',
        ),
        (
            'op.create_primary_key(constraint_name=None, table_name="users", columns=["id"])',
            'the primary key on "id" of "users" has no name',
            'op.create_primary_key("users_pkey", …)',
        ),
        (
            'op.create_exclude_constraint(None, "users", ("during", "&&"))',
            'the exclusion constraint of "users" has no name',
            'op.create_exclude_constraint("users_<column>_excl", …)',
        ),
        (
            'op.create_index(None, "users", ["email", sa.text("lower(name)")])',
            'the index on "email" of "users" has no name',
            'op.create_index("users_email_<column>_idx", …)',
        ),
        (
            'with op.batch_alter_table("users") as b:\n    b.create_unique_constraint(None, ["email"])',
            'the unique constraint on "email" of "users" has no name',
            'op.create_unique_constraint("users_email_key", …)',
        ),
    ],
)
def test_an_operation_names_what_it_creates(folder: Folder, call: str, problem: str, fix: str) -> None:
    folder.upgrade(call)
    assert folder.said() == [("MIG016", problem, f"write {fix} in 001_step.py")]


@pytest.mark.parametrize(
    "call",
    [
        _table(
            'sa.PrimaryKeyConstraint("id", name="users_pkey")', 'sa.CheckConstraint("age > 0", "users_check")'
        ),
        _table(
            'sa.UniqueConstraint("email", name=op.f("users_email_key"))',
            'sa.Index("users_email_idx", "email")',
        ),
        _table(
            'sa.ForeignKeyConstraint(["a"], ["b.c"], "users_a_fkey")',
            'sa.UniqueConstraint("email", name=NAME)',
        ),
        _column('sa.ForeignKey("a.b", name="users_email_fkey")', "primary_key=False", "unique=None"),
        'op.create_index("users_email_idx", "users", ["email"])',
        'op.create_index(op.f("users_email_idx"), "users", ["email"], unique=True)',
        'with op.batch_alter_table("users") as b:\n    b.create_index("users_email_idx", ["email"])',
    ],
)
def test_what_has_a_name_passes(folder: Folder, call: str) -> None:
    folder.upgrade(call)
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "call",
    [
        _table(f'sa.UniqueConstraint("email", name="{LONG}")'),
        f'op.create_unique_constraint(op.f("{LONG}"), "users", ["email"])',
    ],
)
def test_a_name_of_more_than_63_bytes_is_shortened(folder: Folder, call: str) -> None:
    folder.upgrade(call)
    problem = f'the name "{LONG}" has 90 bytes, and PostgreSQL cuts it to 63'
    assert folder.said() == [("MIG016", problem, "shorten it in 001_step.py")]


def test_a_name_of_63_bytes_passes(folder: Folder) -> None:
    folder.upgrade(f'op.create_index("{"i" * 63}", "users", ["email"])')
    assert folder.findings() == ()


@pytest.mark.parametrize(
    ("element", "problem", "fix"),
    [
        (
            "PRIMARY KEY (id, at)",
            'the primary key on "id, at" of "users" has no name',
            "CONSTRAINT users_pkey before PRIMARY KEY",
        ),
        (
            'UNIQUE NULLS NOT DISTINCT ("E-mail")',
            'the unique constraint on "E-mail" of "users" has no name',
            "CONSTRAINT users_E-mail_key before UNIQUE",
        ),
        (
            "FOREIGN KEY (plan_id) REFERENCES plans (id)",
            'the foreign key on "plan_id" of "users" has no name',
            "CONSTRAINT users_plan_id_fkey before FOREIGN KEY",
        ),
        (
            "EXCLUDE USING gist (during WITH &&)",
            'the exclusion constraint on "during" of "users" has no name',
            "CONSTRAINT users_during_excl before EXCLUDE",
        ),
        (
            "CHECK (age > 0)",
            'the check constraint on "age" of "users" has no name',
            "CONSTRAINT users_age_check before CHECK",
        ),
    ],
)
def test_a_constraint_in_sql_is_named(folder: Folder, element: str, problem: str, fix: str) -> None:
    expected = ("MIG017", problem, f"write {fix} in 001_step.py")
    for statement in (f"CREATE TABLE users ({element})", f"ALTER TABLE ONLY public.users ADD {element}"):
        folder.upgrade(f"op.execute({statement!r})")
        assert folder.said() == [expected]


def test_each_constraint_of_a_column_in_sql_is_named(folder: Folder) -> None:
    folder.upgrade(
        'op.execute("""ALTER TABLE users ADD plan int\n'
        "  CONSTRAINT users_plan_nn NOT NULL UNIQUE\n"
        "  REFERENCES plans (id) ON DELETE CASCADE\n"
        "  CONSTRAINT users_plan_check CHECK (plan > 0);\n"
        'COMMENT ON COLUMN users.plan IS \'none: what they pay\'""")'
    )
    assert folder.said() == [
        (
            "MIG017",
            'the unique constraint on "plan" of "users" has no name',
            "write CONSTRAINT users_plan_key before UNIQUE in 001_step.py",
        ),
        (
            "MIG017",
            'the foreign key on "plan" of "users" has no name',
            "write CONSTRAINT users_plan_fkey before REFERENCES in 001_step.py",
        ),
    ]
    first, second = folder.findings()
    assert second.line == first.line + 1


def test_an_index_in_sql_is_named(folder: Folder) -> None:
    folder.upgrade('op.execute("CREATE UNIQUE INDEX CONCURRENTLY ON ONLY users (email, kind)")')
    assert folder.said() == [
        (
            "MIG017",
            'the index on "email, kind" of "users" has no name',
            "write CREATE INDEX users_email_kind_idx ON users (email, kind) in 001_step.py",
        )
    ]


def test_a_name_in_sql_of_more_than_63_bytes_is_shortened(folder: Folder) -> None:
    folder.upgrade(f"op.execute('CREATE INDEX IF NOT EXISTS {LONG} ON users (email)')")
    problem = f'the name "{LONG}" has 90 bytes, and PostgreSQL cuts it to 63'
    assert folder.said() == [("MIG017", problem, "shorten it in 001_step.py")]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email)",
        "ALTER TABLE users ADD CONSTRAINT users_a_fkey FOREIGN KEY (a) REFERENCES b (c), DROP COLUMN d",
        "CREATE INDEX users_email_idx ON users USING btree (email) WHERE email <> 'UNIQUE'",
        "CREATE TABLE users (CONSTRAINT users_pkey PRIMARY KEY (id))",
        "ALTER TABLE users VALIDATE CONSTRAINT users_a_fkey",
        "CREATE INDEX",
        "CREATE UNIQUE",
    ],
)
def test_what_has_a_name_in_sql_passes(folder: Folder, statement: str) -> None:
    folder.upgrade(f"op.execute({statement!r})")
    assert folder.findings() == ()
