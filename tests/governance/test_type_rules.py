"""Rules about keys and types: MIG063 to MIG071."""

from __future__ import annotations

import pytest
from governance.history import Folder
from governance.told import Right, Said, Wrong, cases, told

_PERSONAL = """\
op.create_table("users", sa.Column("id", sa.BigInteger, comment="identifier: key"))
op.create_table("personal_data", sa.Column("table_name", sa.Text, comment="none: table"), schema="ops")
"""

WRONG = {
    "MIG063": [
        Wrong(
            'op.create_table("plans", sa.Column("id", sa.BigInteger))',
            Said(
                1,
                '"plans" has no primary key, so that no row of it can be named',
                'write sa.PrimaryKeyConstraint("…", name="plans_pkey") in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE TABLE ops.jobs (id bigint UNIQUE)")',
            Said(
                1,
                '"ops.jobs" has no primary key, so that no row of it can be named',
                "write CONSTRAINT jobs_pkey PRIMARY KEY (…) in 001_step.py",
            ),
        ),
    ],
    "MIG064": [
        Wrong(
            (
                "op.create_table(\n"
                '    "users",\n'
                '    sa.Column("plan_id", sa.BigInteger),\n'
                '    sa.Column("id", sa.BigInteger),\n'
                '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
                ")"
            ),
            Said(
                5,
                'no index begins with "plan_id" of "users": a row of "plans" is deleted by reading the whole table',
                'write op.create_index("users_plan_id_idx", "users", ["plan_id"]) in 001_step.py',
            ),
        ),
        Wrong(
            (
                "op.create_table(\n"
                '    "users",\n'
                '    sa.Column("plan_id", sa.BigInteger),\n'
                '    sa.Column("id", sa.BigInteger),\n'
                '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
                ")\n"
                'op.create_index("i", "users", ["id", "plan_id"])'
            ),
            Said(
                5,
                'no index begins with "plan_id" of "users": a row of "plans" is deleted by reading the whole table',
                'write op.create_index("users_plan_id_idx", "users", ["plan_id"]) in 001_step.py',
            ),
        ),
        Wrong(
            (
                "op.create_table(\n"
                '    "users",\n'
                '    sa.Column("plan_id", sa.BigInteger),\n'
                '    sa.Column("id", sa.BigInteger),\n'
                '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
                ")\n"
                'op.create_index("i", "users", ["plan_id"], postgresql_where=sa.text("id > 0"))'
            ),
            Said(
                5,
                'no index begins with "plan_id" of "users": a row of "plans" is deleted by reading the whole table',
                'write op.create_index("users_plan_id_idx", "users", ["plan_id"]) in 001_step.py',
            ),
        ),
        Wrong(
            (
                "op.create_table(\n"
                '    "users",\n'
                '    sa.Column("plan_id", sa.BigInteger),\n'
                '    sa.Column("id", sa.BigInteger),\n'
                '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
                ")\n"
                'op.create_index("i", "users", ["plan_id"], postgresql_using="brin")'
            ),
            Said(
                5,
                'no index begins with "plan_id" of "users": a row of "plans" is deleted by reading the whole table',
                'write op.create_index("users_plan_id_idx", "users", ["plan_id"]) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE TABLE users (plan_id bigint REFERENCES plans (id), id bigint)")',
            Said(
                1,
                'no index begins with "plan_id" of "users": a row of "plans" is deleted by reading the whole table',
                'write op.create_index("users_plan_id_idx", "users", ["plan_id"]) in 001_step.py',
            ),
        ),
        Wrong(
            'op.create_foreign_key("f", "users", "plans", ["plan_id"], ["id"])',
            Said(
                1,
                'no index begins with "plan_id" of "users": a row of "plans" is deleted by reading the whole table',
                'write op.create_index("users_plan_id_idx", "users", ["plan_id"]) in 002_step.py',
            ),
            before='op.create_table("users", sa.Column("plan_id", sa.BigInteger))',
        ),
    ],
    "MIG065": [
        Wrong(
            'op.create_table("plans", sa.Column("id", sa.Integer))',
            Said(
                1,
                'the key "id" of "plans" is integer, and ends at two billion',
                'write sa.Column("id", sa.BigInteger, …) in 001_step.py',
            ),
        ),
        Wrong(
            'op.create_table("plans", sa.Column("code", sa.SmallInteger), sa.PrimaryKeyConstraint("code"))',
            Said(
                1,
                'the key "code" of "plans" is smallint, and ends at thirty-two thousand',
                'write sa.Column("code", sa.BigInteger, …) in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("plan_id", sa.Integer))',
            Said(
                1,
                'the key "plan_id" of "users" is integer, and ends at two billion',
                'write sa.Column("plan_id", sa.BigInteger, …) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE TABLE plans (id serial PRIMARY KEY)")',
            Said(
                1,
                'the key "id" of "plans" is serial, and ends at two billion',
                "write id bigint GENERATED BY DEFAULT AS IDENTITY in 001_step.py",
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD plan_id int")',
            Said(
                1,
                'the key "plan_id" of "users" is integer, and ends at two billion',
                "write plan_id bigint in 001_step.py",
            ),
        ),
    ],
    "MIG066": [
        Wrong(
            'op.create_table("plans", sa.Column("id", sa.BigInteger, autoincrement=True), sa.PrimaryKeyConstraint("id"))',
            Said(
                1,
                '"id" of "plans" is a serial: a default, and a sequence apart',
                'write sa.Column("id", sa.BigInteger, sa.Identity(), …) in 001_step.py',
            ),
        ),
        Wrong(
            'op.create_table("plans", sa.Column("id", sa.BigInteger), sa.PrimaryKeyConstraint("id"))',
            Said(
                1,
                '"id" of "plans" is a serial: a default, and a sequence apart',
                'write sa.Column("id", sa.BigInteger, sa.Identity(), …) in 001_step.py',
            ),
        ),
        Wrong(
            'op.create_table("plans", sa.Column("id", sa.BigInteger, primary_key=True))',
            Said(
                1,
                '"id" of "plans" is a serial: a default, and a sequence apart',
                'write sa.Column("id", sa.BigInteger, sa.Identity(), …) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE TABLE plans (id bigserial PRIMARY KEY)")',
            Said(
                1,
                '"id" of "plans" is a serial: a default, and a sequence apart',
                "write id bigint GENERATED BY DEFAULT AS IDENTITY in 001_step.py",
            ),
        ),
    ],
    "MIG067": [
        Wrong(
            'op.add_column("users", sa.Column("settings", sa.JSON))',
            Said(
                1,
                '"settings" of "users" is json, which has no equality and takes no index',
                'write sa.Column("settings", JSONB, …) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER TABLE users ADD settings json")',
            Said(
                1,
                '"settings" of "users" is json, which has no equality and takes no index',
                "write settings jsonb in 001_step.py",
            ),
        ),
    ],
    "MIG068": [
        Wrong(
            'op.add_column("users", sa.Column("seen_at", sa.DateTime))',
            Said(
                1,
                '"seen_at" of "users" is timestamp without time zone: it names no instant',
                'write sa.Column("seen_at", sa.DateTime(timezone=True), …) in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("seen_at", sa.TIMESTAMP(timezone=False)))',
            Said(
                1,
                '"seen_at" of "users" is timestamp without time zone: it names no instant',
                'write sa.Column("seen_at", sa.DateTime(timezone=True), …) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE TABLE plans (made_at timestamp(3) without time zone)")',
            Said(
                1,
                '"made_at" of "plans" is timestamp without time zone: it names no instant',
                "write made_at timestamptz in 001_step.py",
            ),
        ),
        Wrong(
            'op.alter_column("users", "seen_at", type_=sa.DateTime())',
            Said(
                1,
                '"seen_at" of "users" is timestamp without time zone: it names no instant',
                'write op.alter_column("users", "seen_at", type_=sa.DateTime(timezone=True)) in 001_step.py',
            ),
        ),
    ],
    "MIG069": [
        Wrong(
            'op.add_column("users", sa.Column("name", sa.String(200)))',
            Said(
                1,
                '"name" of "users" is varchar(200), no faster than text',
                'write sa.Column("name", sa.Text, …) and sa.CheckConstraint("length(name) <= 200", name="users_name_check") in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("name", sa.String))',
            Said(
                1,
                '"name" of "users" is varchar, no faster than text',
                'write sa.Column("name", sa.Text, …) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE TABLE ops.jobs (name character varying(50), code char(2))")',
            Said(
                1,
                '"code" of "ops.jobs" is char(2), no faster than text',
                "write code text and CONSTRAINT jobs_code_check CHECK (length(code) <= 2) in 001_step.py",
            ),
            Said(
                1,
                '"name" of "ops.jobs" is varchar(50), no faster than text',
                "write name text and CONSTRAINT jobs_name_check CHECK (length(name) <= 50) in 001_step.py",
            ),
        ),
    ],
    "MIG070": [
        Wrong(
            'op.add_column("users", sa.Column("balance", MONEY))',
            Said(
                1,
                '"balance" of "users" is money, which keeps no exact amount',
                'write sa.Column("balance", sa.Numeric(12, 2), …) in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("users", sa.Column("total_price", sa.Float))',
            Said(
                1,
                '"total_price" of "users" is double precision, which keeps no exact amount',
                'write sa.Column("total_price", sa.Numeric(12, 2), …) in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE TABLE plans (cost_usd double precision)")',
            Said(
                1,
                '"cost_usd" of "plans" is double precision, which keeps no exact amount',
                "write cost_usd numeric(12, 2) in 001_step.py",
            ),
        ),
    ],
    "MIG071": [
        Wrong(
            "op.add_column('users', sa.Column('town', sa.Text, comment='location: x'))",
            Said(
                1,
                'column "town" of "users" is personal, and is not put into the catalogue',
                "write execute(\"SELECT ops.classify_column_v1('public.users', 'town', <what becomes of it>)\") in 002_step.py",
            ),
            before=_PERSONAL,
        ),
    ],
}


RIGHT = {
    "MIG063": [
        Right('op.create_table("plans", sa.Column("id", sa.BigInteger), sa.PrimaryKeyConstraint("id"))'),
        Right('execute("CREATE TABLE plans (id bigint PRIMARY KEY)")'),
        Right(
            'execute("ALTER TABLE plans ADD CONSTRAINT plans_pkey PRIMARY KEY (id)")',
            before='op.create_table("plans", sa.Column("id", sa.BigInteger))',
        ),
        Right('execute("CREATE TABLE plans_1 PARTITION OF plans DEFAULT; CREATE TEMP TABLE draft (id int)")'),
        Right('op.drop_table("plans")', before='op.create_table("plans", sa.Column("id", sa.BigInteger))'),
    ],
    "MIG064": [
        Right(
            "op.create_table(\n"
            '    "users",\n'
            '    sa.Column("plan_id", sa.BigInteger),\n'
            '    sa.Column("id", sa.BigInteger),\n'
            '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
            ")\n"
            'op.create_index("i", "users", ["plan_id", "id"])'
        ),
        Right(
            (
                "with op.get_context().autocommit_block():\n"
                '    op.create_index("i", "users", ["plan_id"], postgresql_concurrently=True)'
            ),
            before=(
                "op.create_table(\n"
                '    "users",\n'
                '    sa.Column("plan_id", sa.BigInteger),\n'
                '    sa.Column("id", sa.BigInteger),\n'
                '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
                ")"
            ),
        ),
        Right(
            "op.create_table(\n"
            '    "users",\n'
            '    sa.Column("plan_id", sa.BigInteger),\n'
            '    sa.Column("id", sa.BigInteger),\n'
            '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
            ")\n"
            'op.create_index("i", "users", ["plan_id"], postgresql_where=sa.text("plan_id IS NOT NULL"))'
        ),
        Right(
            "op.create_table(\n"
            '    "users",\n'
            '    sa.Column("plan_id", sa.BigInteger),\n'
            '    sa.Column("id", sa.BigInteger),\n'
            '    sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="users_plan_id_fkey"),\n'
            '    sa.UniqueConstraint("plan_id", "id"),\n'
            ")"
        ),
        Right('execute("CREATE TABLE users (plan_id bigint PRIMARY KEY REFERENCES plans (id))")'),
        Right(
            'op.create_foreign_key("a_fkey", "jobs", "users", ["a", "b"], ["a", "b"], source_schema="ops")'
        ),
        Right(
            'op.create_table("x", sa.Column("a", sa.BigInteger), sa.ForeignKeyConstraint(["a", "b"], ["y.a", "y.b"]), sa.PrimaryKeyConstraint("b", "a", "c"))'
        ),
    ],
    "MIG065": [
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger), sa.Column("size", sa.Integer), sa.PrimaryKeyConstraint("id"))'
        ),
        Right(
            'op.create_table("parts", sa.Column("song_id", sa.BigInteger), sa.Column("place", sa.SmallInteger), sa.PrimaryKeyConstraint("song_id", "place"))'
        ),
        Right('execute("CREATE TABLE plans (id bigint PRIMARY KEY, ids int[])")'),
    ],
    "MIG066": [
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger, sa.Identity()), sa.PrimaryKeyConstraint("id"))'
        ),
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger, autoincrement=False), sa.PrimaryKeyConstraint("id"))'
        ),
        Right(
            'op.create_table("plans", sa.Column("id", sa.BigInteger), sa.PrimaryKeyConstraint("id"), sa.ForeignKeyConstraint(["id"], ["users.id"]))'
        ),
        Right('op.create_table("plans", sa.Column("id", sa.Text), sa.PrimaryKeyConstraint("id"))'),
        Right('execute("CREATE TABLE plans (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")'),
    ],
    "MIG067": [
        Right('op.add_column("users", sa.Column("settings", JSONB))'),
        Right('execute("ALTER TABLE users ADD settings jsonb")'),
    ],
    "MIG068": [
        Right('op.add_column("users", sa.Column("seen_at", sa.DateTime(timezone=True)))'),
        Right('execute("CREATE TABLE plans (made_at timestamp (3) with time zone, day date)")'),
    ],
    "MIG069": [
        Right('op.add_column("users", sa.Column("name", sa.Text))'),
        Right('execute("CREATE TABLE plans (name text CHECK (length(name) <= 50))")'),
    ],
    "MIG070": [
        Right('op.add_column("users", sa.Column("price", sa.Numeric(12, 2)))'),
        Right('op.add_column("users", sa.Column("feed", sa.REAL))'),
        Right('op.add_column("users", sa.Column("loudness", sa.Float))'),
    ],
    "MIG071": [
        Right(
            "op.add_column('users', sa.Column('town', sa.Text, comment='location: x'))\n"
            "execute(\"SELECT ops.classify_column_v1('public.users', 'town', strategy => 'null')\")",
            before=_PERSONAL,
        ),
        Right(
            "op.create_table('visits', sa.Column('who', sa.BigInteger, comment='identifier: who'))\n"
            "execute(\"DO $$ BEGIN PERFORM ops.classify_table_v1('public.visits', 'delete'); END $$\")",
            before=_PERSONAL,
        ),
        Right("op.add_column('users', sa.Column('size', sa.Integer, comment='none: x'))", before=_PERSONAL),
        Right("op.add_column('users', sa.Column('town', sa.Text, comment='location: x'))"),
    ],
}


@pytest.mark.parametrize(("code", "wrong"), cases(WRONG))
def test_what_is_wrong_is_told_with_its_place_and_the_fix(folder: Folder, code: str, wrong: Wrong) -> None:
    assert told(folder, code, wrong) == wrong.said


@pytest.mark.parametrize(("code", "right"), cases(RIGHT))
def test_what_is_right_passes(folder: Folder, code: str, right: Right) -> None:
    assert told(folder, code, right) == ()
