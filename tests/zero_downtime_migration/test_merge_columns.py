"""Several columns into one, and what stands against it."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    MergeColumns,
    SplitColumn,
    State,
    abort,
    change,
    start,
)
from support import Databases, connected, rows

MADE = """
CREATE TABLE shop.t (id uuid PRIMARY KEY, a integer NOT NULL, "b%" integer NOT NULL, seen integer DEFAULT 0);
CREATE FUNCTION shop.count_it() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN new.seen := new.seen + 1; RETURN new; END';
CREATE TRIGGER counting BEFORE UPDATE ON shop.t FOR EACH ROW WHEN (old.seen >= 0) EXECUTE FUNCTION shop.count_it();
INSERT INTO shop.t SELECT gen_random_uuid(), i, -i FROM generate_series(1, 20) AS i;
"""
WISH = MergeColumns(
    "shop.t",
    (("a", "new.pair[1]"), ("b%", "new.pair[2]")),
    "pair",
    "integer[]",
    'ARRAY[new.a, new."b%"]',
    required=True,
)
PLAIN = """
ALTER TABLE shop.t ADD COLUMN pair integer[];
UPDATE shop.t SET pair = ARRAY[a, "b%"];
ALTER TABLE shop.t ALTER COLUMN pair SET NOT NULL, DROP COLUMN a, DROP COLUMN "b%";
"""


def lives(url: str) -> None:
    """Either form is written, inserted and updated, and the other one has it."""
    found = rows(url, "SELECT to_jsonb(t) - 'id' - 'seen' FROM shop.t AS t LIMIT 1")[0][0]
    assert isinstance(found, dict)
    with connected(url) as connection, connection.cursor() as cursor:
        new = "DELETE FROM shop.t WHERE seen = -7 RETURNING to_jsonb(t) - 'id' - 'seen'"
        if "a" in found:
            cursor.execute("INSERT INTO shop.t AS t VALUES (gen_random_uuid(), 5, 6, -7)")
            cursor.execute("UPDATE shop.t SET a = 7 WHERE seen = -7")
            cursor.execute(new.replace("shop.t", "shop.t AS t"))
            wanted = {"a": 7, "b%": 6, "pair": [7, 6]}
            assert cursor.fetchall() == [({key: wanted[key] for key in found},)]
        if "pair" in found:
            cursor.execute("INSERT INTO shop.t (id, pair, seen) VALUES (gen_random_uuid(), '{1,2}', -7)")
            cursor.execute("UPDATE shop.t SET pair[2] = 3 WHERE seen = -7")
            cursor.execute(new.replace("shop.t", "shop.t AS t"))
            wanted = {"a": 1, "b%": 3, "pair": [1, 3]}
            assert cursor.fetchall() == [({key: wanted[key] for key in found},)]


def test_columns_are_merged_wherever_it_is_killed(databases: Databases, ledger: str) -> None:
    content = "SELECT to_jsonb(t) - 'seen' FROM shop.t AS t ORDER BY 1"
    made = MADE.replace("gen_random_uuid(), i", "md5(i::text)::uuid, i")
    walked(databases, ledger, Walk(made, WISH, PLAIN, content, lives))


def test_what_is_lost_is_counted_and_nothing_is_dropped(ledger_url: str) -> None:
    rows(ledger_url, "CREATE TABLE t (id integer PRIMARY KEY, name text)")
    rows(ledger_url, "INSERT INTO t VALUES (1, 'A B'), (2, 'A  B'), (3, 'A B C'), (4, NULL)")
    into = (("a", "text", "split_part(new.name, ' ', 1)"), ("b", "text", "split_part(new.name, ' ', 2)"))
    wish = SplitColumn("t", "name", into, "nullif(concat_ws(' ', new.a, new.b), '')")
    given = settings(ledger_url)
    with pytest.raises(TableError, match=r'2 rows of "public\.t" would lose a part of "name"'):
        change(wish, settings=given)
    names = "SELECT name FROM t ORDER BY id"
    assert rows(ledger_url, names) == [("A B",), ("A  B",), ("A B C",), (None,)]
    assert abort(wish, settings=given).state is State.ABORTED
    lossy = SplitColumn("t", "name", into, wish.back, lossy=True)
    assert change(lossy, settings=given).state is State.COMPLETED
    assert rows(ledger_url, "SELECT * FROM t ORDER BY id") == [
        (1, "A", "B"), (2, "A", ""), (3, "A", "B"), (4, None, None)
    ]  # fmt: skip


def test_what_hangs_on_a_column_is_refused_by_name(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE TABLE t (id integer PRIMARY KEY, a text, b text, c text, d text, e text, free text,"
        " long integer GENERATED ALWAYS AS (length(c)) STORED, UNIQUE (a, d)); CREATE VIEW seen AS SELECT b FROM t;"
        "CREATE INDEX d_and_e ON t (d, e); CREATE TABLE keyless (a text); CREATE TABLE heir () INHERITS (keyless)",
    )
    given = settings(ledger_url)
    for column, name in (
        ("a", "constraint t_a_d_key on table t"),
        ("b", "rule _RETURN on view seen"),
        ("c", "column long of table t"),
        ("e", "index d_and_e"),
    ):
        with pytest.raises(TableError, match=f'what hangs on "{column}" would be lost: .*{name}'):
            start(SplitColumn("t", column, (("x", "text", f"new.{column}"),), "new.x"), settings=given)
    with pytest.raises(TableError, match=r"no primary key .*\n.*add_primary_key"):
        start(SplitColumn("keyless", "a", (("x", "text", "new.a"),), "new.x"), settings=given)
    rows(ledger_url, "ALTER TABLE keyless ADD PRIMARY KEY (a)")
    with pytest.raises(TableError, match=r"INHERITS, .*: public\.heir"):
        start(SplitColumn("keyless", "a", (("x", "text", "new.a"),), "new.x"), settings=given)
    with pytest.raises(TableError, match=r"cannot be computed: .*nowhere"):
        start(SplitColumn("t", "free", (("x", "text", "new.nowhere"),), "new.x"), settings=given)
    # Found by this session, and not by the trigger.
    rows(ledger_url, "CREATE FUNCTION own(text) RETURNS text LANGUAGE sql RETURN $1")
    with pytest.raises(TableError, match=r"cannot be computed: function own\("):
        start(SplitColumn("t", "free", (("x", "text", "own(new.free)"),), "new.x"), settings=given)
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change") == [(0,)]
