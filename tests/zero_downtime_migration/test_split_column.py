"""One column into several, and several into one, while both forms are written."""

from __future__ import annotations

from collections.abc import Callable

from zero_downtime_migration.walked import Walk, walked

from spotify_ai_agent_migrations.versions.zero_downtime_migration import SplitColumn
from support import Databases, connected, rows

TABLE = 'shop."peo{ple}%"'
MADE = f"""
CREATE TABLE {TABLE} (
    tenant integer, id uuid DEFAULT gen_random_uuid(), "full name" text NOT NULL DEFAULT 'No One', note text,
    PRIMARY KEY (tenant, id)
) PARTITION BY LIST (tenant);
CREATE TABLE shop.one PARTITION OF {TABLE} FOR VALUES IN (1);
CREATE TABLE shop.rest PARTITION OF {TABLE} DEFAULT;
CREATE INDEX names ON {TABLE} ("full name");
CREATE INDEX notes ON {TABLE} (note);
GRANT USAGE ON SCHEMA shop TO agent_app;
GRANT SELECT ("full name", tenant) ON {TABLE} TO agent_app;
ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON {TABLE} FOR SELECT TO agent_app USING (tenant = 1);
INSERT INTO {TABLE} (tenant, "full name")
    SELECT i % 3, 'First' || i || ' Last ' || i FROM generate_series(1, 20) AS i;
"""
FIRST = """split_part(new."full name", ' ', 1)"""
LAST = """substr(new."full name", strpos(new."full name", ' ') + 1)"""
WISH = SplitColumn(
    TABLE,
    "full name",
    (("first", "text", FIRST), ("last%", "text", LAST)),
    """concat_ws(' ', new.first, new."last%")""",
    required=("last%",),
)
PLAIN = f"""
ALTER TABLE {TABLE} ADD COLUMN first text, ADD COLUMN "last%" text;
UPDATE {TABLE} AS new SET first = {FIRST}, "last%" = {LAST};
ALTER TABLE {TABLE} ALTER COLUMN "last%" SET NOT NULL;
GRANT SELECT (first, "last%") ON {TABLE} TO agent_app;
ALTER TABLE {TABLE} DROP COLUMN "full name";
"""


def both(old: str, new: str) -> Callable[[str], None]:
    """Return what writes by the one form and by the other, and reads each by the other one."""

    def lives(url: str) -> None:
        names = rows(url, "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass", (TABLE,))
        forms = [form for form in (old, new) if all((name.strip('"'),) in names for name in form.split(", "))]
        assert forms
        with connected(url) as connection, connection.cursor() as cursor:
            for form in forms:
                for tenant in (1, 7):
                    cursor.execute(
                        f"INSERT INTO {TABLE} (note, tenant, {form}) VALUES ('new', {tenant}, {VALUES[form]})"
                    )
                for other in forms:
                    cursor.execute(f"SELECT DISTINCT {other} FROM {TABLE} WHERE note = 'new'")
                    assert cursor.fetchall() == [SEEN[other]]
                cursor.execute(
                    f"UPDATE {TABLE} SET ({form}) = ROW ({VALUES[form].replace('B', 'C')}) WHERE note = 'new'"
                )
                for other in forms:
                    cursor.execute(f"SELECT DISTINCT {other} FROM {TABLE} WHERE note = 'new'")
                    assert cursor.fetchall() == [tuple(each.replace("B", "C") for each in SEEN[other])]
                cursor.execute(f"DELETE FROM {TABLE} WHERE note = 'new'")
                cursor.execute(f"UPDATE {TABLE} SET note = NULL WHERE tenant = 2")

    return lives


WHOLE, PARTS = '"full name"', 'first, "last%"'
VALUES = {WHOLE: "'A B B'", PARTS: "'A', 'B B'"}
SEEN = {WHOLE: ("A B B",), PARTS: ("A", "B B")}


def test_a_column_is_split_wherever_it_is_killed(databases: Databases, ledger: str) -> None:
    content = f"SELECT tenant, to_jsonb(t) - 'id' - 'note' AS row FROM {TABLE} AS t ORDER BY (to_jsonb(t) - 'id')::text"
    walked(databases, ledger, Walk(MADE, WISH, PLAIN, content, both(WHOLE, PARTS)))
