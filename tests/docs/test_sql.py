"""An expression loses what the server added to it, and nothing of what it means."""

from __future__ import annotations

import pytest
from psycopg2 import sql

from spotify_ai_agent_migrations.versions.docs.sql import listed, plain
from support import connected


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("status = 'a'::text", "status = 'a'"),
        ("x = '{}'::text[]", "x = '{}'::text[]"),
        ("x = 'a'::character varying", "x = 'a'::character varying"),
        ("nextval('a_id_seq'::regclass)", "nextval('a_id_seq')"),
        ("x >= '-60'::integer::double precision", "x >= -60"),
        ("x >= 0::double precision AND x <= 1.5::numeric", "x >= 0 AND x <= 1.5"),
        ("x = 1::numeric(4,2)", "x = 1::numeric(4,2)"),
        ("x = '1'::bigint[]", "x = '1'::bigint[]"),
        ("x = '1'::text", "x = '1'"),
        ("x1 = y2::integer", "x1 = y2::integer"),
        ("f(a, NULL::text) OR b = NULL::double precision", "f(a, NULL) OR b = NULL"),
        ("x = ANY (ARRAY['a'::text, 'b'::text])", "x IN ('a', 'b')"),
        ("x = ANY (ARRAY['-1'::integer, 0, f(1)])", "x IN (-1, 0, f(1))"),
        ("x <> ALL (ARRAY['a'::text, ']'::text])", "x NOT IN ('a', ']')"),
        ("x = ANY (y)", "x = ANY (y)"),
        ("x > ANY (ARRAY[1, 2])", "x > ANY (ARRAY[1, 2])"),
        ("x = ' = ANY (ARRAY[1])'::text", "x = ' = ANY (ARRAY[1])'"),
        ("x = 'it''s  0::bigint'::text", "x = 'it''s  0::bigint'"),
        ('"a  b""c"::text = d', '"a  b""c"::text = d'),
        ("CHECK (\nCASE a\n    WHEN 1 THEN 2\nEND)", "CHECK (CASE a WHEN 1 THEN 2 END)"),
    ],
)
def test_an_expression_loses_casts_of_constants_and_line_ends(written: str, shown: str) -> None:
    assert plain(written) == shown


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("", [""]),
        ("a integer", ["a integer"]),
        ("a text DEFAULT 'x, (y', b numeric(4, 2)", ["a text DEFAULT 'x, (y'", "b numeric(4, 2)"]),
        ('"a, b" integer, VARIADIC c text[]', ['"a, b" integer', "VARIADIC c text[]"]),
    ],
)
def test_arguments_are_told_apart(arguments: str, shown: list[str]) -> None:
    assert listed(arguments) == shown


def test_every_check_of_the_schema_means_the_same_when_it_is_read_back(url: str) -> None:
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid, true) FROM pg_constraint"
            " WHERE contype = 'c' AND conrelid <> 0 AND coninhcount = 0 AND connamespace IN ('public'::regnamespace, 'ops'::regnamespace)"
        )
        checks = cursor.fetchall()
        assert len(checks) > 100
        for table, name, written in checks:
            again = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}, ADD CONSTRAINT {} {}")
            named = sql.Identifier(name)
            cursor.execute(again.format(sql.SQL(table), named, named, sql.SQL(plain(written))))
            cursor.execute(
                "SELECT pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
                (table, name),
            )
            assert cursor.fetchone() == (written,)


def test_every_default_and_policy_means_the_same_when_it_is_read_back(url: str) -> None:
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT adrelid::regclass::text, attname, pg_get_expr(adbin, adrelid, true) FROM pg_attrdef"
            "  JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE attgenerated = ''"
        )
        defaults = cursor.fetchall()
        assert len(defaults) > 80
        for table, column, written in defaults:
            again = sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT {}")
            cursor.execute(again.format(sql.SQL(table), sql.Identifier(column), sql.SQL(plain(written))))
            cursor.execute(
                "SELECT pg_get_expr(adbin, adrelid, true) FROM pg_attrdef JOIN pg_attribute"
                "    ON attrelid = adrelid AND attnum = adnum WHERE attrelid = %s::regclass AND attname = %s",
                (table, column),
            )
            (found,) = cursor.fetchone() or ("",)
            assert plain(found) == plain(written)
        cursor.execute(
            "SELECT polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid, true) FROM pg_policy"
            " WHERE polqual IS NOT NULL"
        )
        policies = cursor.fetchall()
        assert len(policies) > 30
        for table, name, written in policies:
            again = sql.SQL("ALTER POLICY {} ON {} USING ({})")
            cursor.execute(again.format(sql.Identifier(name), sql.SQL(table), sql.SQL(plain(written))))
            cursor.execute(
                "SELECT pg_get_expr(polqual, polrelid, true) FROM pg_policy WHERE polrelid = %s::regclass AND polname = %s",
                (table, name),
            )
            (found,) = cursor.fetchone() or ("",)
            assert plain(found) == plain(written)
