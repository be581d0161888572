"""Rules about who gets in, and about tables with personal data: MIG057 to MIG062."""

from __future__ import annotations

import pytest
from governance.history import Folder
from governance.told import Right, Said, Wrong, cases, told

WRONG = {
    "MIG057": [
        Wrong(
            'execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$")',
            Said(
                1,
                '"find_v1" runs with the rights of its owner and the search_path of its caller',
                "write SET search_path = pg_catalog, pg_temp behind SECURITY DEFINER in 001_step.py",
            ),
        ),
        Wrong(
            (
                'execute("""\n'
                "SELECT 1;\n"
                'CREATE OR REPLACE PROCEDURE public.find_v1(wanted bytea) LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$""")'
            ),
            Said(
                3,
                '"find_v1" runs with the rights of its owner and the search_path of its caller',
                "write SET search_path = pg_catalog, pg_temp behind SECURITY DEFINER in 001_step.py",
            ),
        ),
    ],
    "MIG058": [
        Wrong(
            'execute("GRANT SELECT ON tracks TO agent_app, public")',
            Said(
                1,
                "GRANT … TO PUBLIC lets in every login of the cluster, those to come included",
                'write execute("GRANT SELECT ON tracks TO <role>") with the role that needs it in 001_step.py',
            ),
        ),
        Wrong(
            'execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")',
            Said(
                1,
                "GRANT … TO PUBLIC lets in every login of the cluster, those to come included",
                'write execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO <role>") with the role that needs it in 001_step.py',
            ),
        ),
    ],
    "MIG059": [
        Wrong(
            'execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$")',
            Said(
                1,
                'whoever may connect may execute "find_v1" with the rights of its owner',
                'make it inside of with as_owner():, or write execute("REVOKE EXECUTE ON FUNCTION find_v1 FROM PUBLIC") behind it in 001_step.py',
            ),
        ),
        Wrong(
            'execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$")',
            Said(
                1,
                'whoever may connect may execute "find_v1" with the rights of its owner',
                'make it inside of with as_owner():, or write execute("REVOKE EXECUTE ON FUNCTION find_v1 FROM PUBLIC") behind it in 002_step.py',
            ),
            before='execute("ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")',
        ),
        Wrong(
            (
                "with as_owner():\n"
                '    execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$")'
            ),
            Said(
                2,
                'whoever may connect may execute "find_v1" with the rights of its owner',
                'make it inside of with as_owner():, or write execute("REVOKE EXECUTE ON FUNCTION find_v1 FROM PUBLIC") behind it in 001_step.py',
            ),
        ),
    ],
    "MIG060": [
        Wrong(
            (
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")"
            ),
            Said(
                4,
                '"visits" holds personal data ("user_id") and has no row security',
                'write execute("ALTER TABLE visits ENABLE ROW LEVEL SECURITY") and a policy for each role that may see rows in 001_step.py',
            ),
        ),
        Wrong(
            "execute(\"CREATE TABLE ops.visits (who text); COMMENT ON COLUMN ops.visits.who IS 'identifier: who'\")",
            Said(
                1,
                '"ops.visits" holds personal data ("who") and has no row security',
                'write execute("ALTER TABLE ops.visits ENABLE ROW LEVEL SECURITY") and a policy for each role that may see rows in 001_step.py',
            ),
        ),
        Wrong(
            'op.add_column("visits", sa.Column("city", sa.Text, comment="location: where"))',
            Said(
                1,
                '"visits" holds personal data ("city") and has no row security',
                'write execute("ALTER TABLE visits ENABLE ROW LEVEL SECURITY") and a policy for each role that may see rows in 002_step.py',
            ),
            before='op.create_table("visits", sa.Column("id", sa.BigInteger, comment="none: key"))',
        ),
        Wrong(
            (
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")\n"
                'execute("ALTER TABLE visits DISABLE ROW LEVEL SECURITY")'
            ),
            Said(
                4,
                '"visits" holds personal data ("user_id") and has no row security',
                'write execute("ALTER TABLE visits ENABLE ROW LEVEL SECURITY") and a policy for each role that may see rows in 001_step.py',
            ),
        ),
    ],
    "MIG061": [
        Wrong(
            (
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")"
            ),
            Said(
                4,
                '"visits" holds personal data ("user_id"), and its changes leave no trace',
                "write execute(\"SELECT ops.audit_table_v1('public.visits', 'visits', subject => '<column>')\") in 001_step.py",
            ),
        ),
        Wrong(
            'op.create_table("visits", sa.Column("who", sa.Text, comment="identifier: who"), schema="ops")',
            Said(
                1,
                '"ops.visits" holds personal data ("who"), and its changes leave no trace',
                "write execute(\"SELECT ops.audit_table_v1('ops.visits', 'visits', subject => '<column>')\") in 001_step.py",
            ),
        ),
    ],
    "MIG062": [
        Wrong(
            (
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")"
            ),
            Said(
                4,
                '"visits" holds personal data ("user_id"), and nothing says for how long',
                "write execute(\"INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action) VALUES ('visits', '<rule>', '<column>', INTERVAL '13 months', 'delete')\") in 001_step.py",
            ),
        ),
        Wrong(
            (
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")\n"
                "execute(\"INSERT INTO retention_policies (rule, table_name) VALUES ('visits', 'calls')\")"
            ),
            Said(
                4,
                '"visits" holds personal data ("user_id"), and nothing says for how long',
                "write execute(\"INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action) VALUES ('visits', '<rule>', '<column>', INTERVAL '13 months', 'delete')\") in 001_step.py",
            ),
        ),
        Wrong(
            (
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                '    sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),\n'
                ")"
            ),
            Said(
                4,
                '"visits" holds personal data ("user_id"), and nothing says for how long',
                "write execute(\"INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action) VALUES ('visits', '<rule>', '<column>', INTERVAL '13 months', 'delete')\") in 001_step.py",
            ),
        ),
    ],
}

RIGHT = {
    "MIG057": [
        Right(
            'execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT 1 $$")'
        ),
        Right(
            'execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$; ALTER FUNCTION find_v1(bytea) SET search_path = pg_catalog, pg_temp")'
        ),
        Right(
            'execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 -- SECURITY DEFINER $$")'
        ),
    ],
    "MIG058": [
        Right('execute("GRANT SELECT ON tracks TO agent_app")'),
        Right('execute("GRANT USAGE ON SCHEMA public TO agent_app")'),
        Right(
            'execute("REVOKE ALL ON tracks FROM PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")'
        ),
    ],
    "MIG059": [
        Right(
            (
                "with as_owner():\n"
                '    execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$")'
            ),
            before='execute("ALTER DEFAULT PRIVILEGES FOR ROLE agent_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")',
        ),
        Right(
            'execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$; REVOKE ALL ON FUNCTION public.find_v1(bytea) FROM PUBLIC")'
        ),
        Right(
            'execute("CREATE FUNCTION public.find_v1(wanted bytea) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")'
        ),
        Right('execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ $$")'),
        Right('execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$")'),
    ],
    "MIG060": [
        Right(
            "op.create_table(\n"
            '    "visits",\n'
            '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
            '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
            ")\n"
            'execute("ALTER TABLE public.visits ENABLE ROW LEVEL SECURITY")'
        ),
        Right(
            'execute("ALTER TABLE visits ENABLE ROW LEVEL SECURITY")',
            before=(
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")"
            ),
        ),
        Right(
            'op.drop_table("visits")',
            before=(
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")"
            ),
        ),
        Right('op.create_table("plans", sa.Column("id", sa.BigInteger, comment="none: key"))'),
        Right(
            "op.create_table(\n"
            '    "visits",\n'
            '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
            '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
            ")\n"
            'op.rename_table("visits", "calls")\n'
            'execute("ALTER TABLE calls ENABLE ROW LEVEL SECURITY")'
        ),
    ],
    "MIG061": [
        Right(
            "op.create_table(\n"
            '    "visits",\n'
            '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
            '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
            ")\n"
            "execute(\"SELECT ops.audit_table_v1('public.visits', 'visit')\")"
        ),
        Right(
            "execute(\"DO $$ BEGIN PERFORM ops.audit_table_v1(target => 'visits', entity_type => 'visit'); END $$\")",
            before=(
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                ")"
            ),
        ),
        Right('op.create_table("plans", sa.Column("id", sa.BigInteger, comment="none: key"))'),
    ],
    "MIG062": [
        Right(
            "op.create_table(\n"
            '    "visits",\n'
            '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
            '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
            ")\n"
            "execute(\"INSERT INTO public.retention_policies (rule, table_name) VALUES ('a', 'calls'), ('b', 'visits')\")"
        ),
        Right(
            "op.create_table(\n"
            '    "visits",\n'
            '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
            '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
            ")\n"
            'policies = sa.table("retention_policies", sa.column("table_name"))\n'
            'op.bulk_insert(policies, [{"table_name": "visits"}])'
        ),
        Right(
            (
                "op.create_table(\n"
                '    "visits",\n'
                '    sa.Column("id", sa.BigInteger, comment="none: key"),\n'
                '    sa.Column("user_id", sa.BigInteger, comment="identifier: who"),\n'
                '    sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),\n'
                ")"
            ),
            before=(
                'op.create_table("users", sa.Column("id", sa.BigInteger, comment="identifier: key"))\n'
                "execute(\"INSERT INTO retention_policies VALUES ('users', 'x')\")"
            ),
        ),
    ],
}


@pytest.mark.parametrize(("code", "wrong"), cases(WRONG))
def test_what_is_wrong_is_told_with_its_place_and_the_fix(folder: Folder, code: str, wrong: Wrong) -> None:
    assert told(folder, code, wrong) == wrong.said


@pytest.mark.parametrize(("code", "right"), cases(RIGHT))
def test_what_is_right_passes(folder: Folder, code: str, right: Right) -> None:
    assert told(folder, code, right) == ()
