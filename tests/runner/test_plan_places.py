"""Each statement of a plan is found where it is written, however it is written there."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

from spotify_ai_agent_migrations.versions.runner.plan.place import Source
from spotify_ai_agent_migrations.versions.runner.plan.script import pieces
from support import Checkout

# Every statement makes a table called after a marker that stands on one line of the file only.
SHAPES = '''
execute("CREATE TABLE m01 ()")
execute("""CREATE TABLE m02 ();
    CREATE TABLE m03 ();

    -- a comment; with a semicolon
    CREATE TABLE m04 ();
""")
execute(
    "CREATE TABLE m05 ();"
    # a comment between two literals
    " CREATE TABLE m06 ();"
    'CREATE TABLE m07 ()'
)
execute("CREATE TABLE m08 ();\\n\\nCOMMENT ON TABLE m08 IS 'two lines\\\\nof a literal on one'")
execute("""
    CREATE TABLE m09 (); \\
    COMMENT ON TABLE m09 IS 'a \\N{BULLET} \\x41 \\101 \\u0041 é';
    CREATE TABLE m10 ();
""")
execute(r"""
    CREATE TABLE m11 (); COMMENT ON TABLE m11 IS '\\d+\\n';
    CREATE TABLE m12 ();
""")
op.create_table(
    "m13",
    sa.Column(
        "id", sa.Integer, comment="none: a number"
    ),
)
execute("""
    CREATE FUNCTION m14() RETURNS integer LANGUAGE plpgsql AS $body$
    BEGIN
        -- ; 'it''s
        RETURN 1;
    END $body$;
    CREATE FUNCTION m15() RETURNS integer LANGUAGE sql BEGIN ATOMIC; SELECT 1; END;
    CREATE RULE m16 AS ON INSERT TO m01 DO ALSO (DELETE FROM m02; DELETE FROM m03);
    /* a comment; /* in another; */ of it */ CREATE TABLE m17 ();
    COMMENT ON TABLE m17 IS 'a semicolon; and a quote '' in a literal';
    CREATE TABLE "m18;" ();
""")
op.execute("CREATE TABLE m19 ()")
op.execute(sa.text("""
    CREATE TABLE m20 ();
    COMMENT ON TABLE m20 IS ' \\:name'
"""))
for marker in ("m21",):
    execute(f"CREATE TABLE {marker} ()")
_helper()
execute("CREATE TABLE m23 ()")
with op.batch_alter_table("m01") as batch:
    batch.add_column(sa.Column("id24", sa.Integer, comment="none: a number"))
op.bulk_insert(sa.table("m13", sa.column("id")), [{"id": 1}, {"id": 2}])
op.get_bind().execute(sa.text("DELETE FROM m13 WHERE id = :id"), [{"id": 1}, {"id": 2}])
execute(_LATER)
execute("COMMENT ON TABLE m26 IS 'né 100 % :sure'")
'''

BELOW = '''

def _helper() -> None:
    execute("CREATE TABLE m22 ()")


_OTHER = "CREATE TABLE m25 () /* not executed, and not the one */"
_LATER = """
-- of m25 and m26
CREATE TABLE m25a ();
CREATE TABLE m26 ();
"""


if __name__'''


def test_every_statement_is_on_the_line_where_it_is_written(checkout: Checkout, url: str) -> None:
    number = checkout.add(SHAPES)
    file = checkout.versions / f"{number}_added.py"
    file.write_text(file.read_text().replace("\n\nif __name__", BELOW, 1))
    done = checkout.python(
        "-m", "spotify_ai_agent_migrations", "plan", "--shadow", "--format", "json", url=url
    )
    assert done.returncode == 0, done.stderr
    statements = json.loads(done.stdout)["statements"]
    lines = file.read_text().splitlines()
    made = re.compile(r'CREATE (?:TABLE|FUNCTION|RULE) "?(m\d\da?)')
    found = {}
    for one in statements:
        assert one["path"] == f"versions/{number}_added.py"
        if match := made.match(one["statement"]):
            found[match[1]] = lines[one["line"] - 1]
    assert sorted(found) == sorted(
        [*(f"m{n:02d}" for n in range(1, 25) if n not in {21, 24}), "m21", "m25a", "m26"]
    )
    # The f-string, and Alembic's own operations, are where they are called.
    assert found.pop("m21").strip() == 'execute(f"CREATE TABLE {marker} ()")'
    assert found.pop("m13").strip() == "op.create_table("
    for marker, line in found.items():
        assert marker in line, (marker, line)
    by_text = {one["statement"]: lines[one["line"] - 1].strip() for one in statements}
    assert by_text["ALTER TABLE m01 ADD COLUMN id24 INTEGER"] == 'with op.batch_alter_table("m01") as batch:'
    assert by_text["INSERT INTO m13 (id) VALUES (?), (?)"].startswith("op.bulk_insert(")
    assert by_text["DELETE FROM m13 WHERE id = %(id)s"].startswith("op.get_bind().execute(")
    assert by_text["COMMENT ON TABLE m26 IS ?"] == "execute(\"COMMENT ON TABLE m26 IS 'né 100 % :sure'\")"
    assert by_text["COMMENT ON TABLE m08 IS ?"].startswith('execute("CREATE TABLE m08 ();')


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("", []),
        (" ; ;; -- nothing\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT ';'", ["SELECT 1", "SELECT ';'"]),
        ("DO $a$ BEGIN; $b$;$b$ END $a$; SELECT 2", ["DO $a$ BEGIN; $b$;$b$ END $a$", "SELECT 2"]),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
         ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"]),
        ("SELECT (1; SELECT 2", ["SELECT (1; SELECT 2"]),
    ],
)  # fmt: skip
def test_a_script_is_split_where_the_server_would_split_it(script: str, found: list[str]) -> None:
    split = pieces(script)
    assert [piece.text for piece in split] == found
    assert all(script.startswith(piece.text, piece.offset) for piece in split)


def test_lines_of_a_file_with_dos_line_ends_are_the_same(tmp_path: pathlib.Path) -> None:
    text = 'a = 1\nSQL = """\nSELECT 1;\nSELECT 2;\n"""\n'
    script = "\nSELECT 1;\nSELECT 2;\n"
    for name, written in [("unix.py", text), ("dos.py", text.replace("\n", "\r\n"))]:
        (tmp_path / name).write_bytes(written.encode())
        source = Source(tmp_path / name)
        assert [source.line(script, piece, calling_line=1) for piece in pieces(script)] == [3, 4]
    assert source.line("SELECT 3", *pieces("SELECT 3"), calling_line=1) == 1
