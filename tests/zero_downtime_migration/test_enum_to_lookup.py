"""An enum that becomes text and a table of labels."""

from __future__ import annotations

import pytest
from psycopg2 import errors
from zero_downtime_migration.walked import Walk, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    EnumToLookup,
    State,
    change,
    complete,
    start,
)
from support import Databases, connected, rows

MADE = """
CREATE TYPE shop."Mo'od" AS ENUM ('wild', 'calm', 'it''s %');
CREATE TABLE shop.t (
    id integer PRIMARY KEY, note text, mood shop."Mo'od" NOT NULL DEFAULT 'it''s %'
) PARTITION BY RANGE (id);
CREATE TABLE shop.low PARTITION OF shop.t FOR VALUES FROM (0) TO (10);
CREATE TABLE shop.high PARTITION OF shop.t FOR VALUES FROM (10) TO (1000);
COMMENT ON COLUMN shop.t.mood IS 'how it is';
ALTER TABLE shop.t ALTER COLUMN mood SET STATISTICS 7;
GRANT USAGE ON SCHEMA shop TO agent_app, agent_readonly;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.t TO agent_app;
GRANT SELECT (mood) ON shop.t TO agent_readonly;
INSERT INTO shop.t SELECT i, NULL, (enum_range(NULL::shop."Mo'od"))[1 + i % 3] FROM generate_series(1, 20) AS i;
"""
PLAIN = """
CREATE TABLE shop.moods (
    name text CONSTRAINT moods_pkey PRIMARY KEY, position integer NOT NULL CONSTRAINT moods_position_key UNIQUE
);
COMMENT ON COLUMN shop.moods.name IS 'none: the label';
COMMENT ON COLUMN shop.moods.position IS 'none: its place among the labels, from 1';
INSERT INTO shop.moods VALUES ('wild', 1), ('calm', 2), ('it''s %', 3);
GRANT SELECT ON shop.moods TO agent_app, agent_readonly;
ALTER TABLE shop.t ALTER COLUMN mood DROP DEFAULT, ALTER COLUMN mood TYPE text;
ALTER TABLE shop.t ALTER COLUMN mood SET DEFAULT 'it''s %',
    ADD CONSTRAINT t_mood_fkey FOREIGN KEY (mood) REFERENCES shop.moods (name);
"""
WISH = EnumToLookup("shop.t", "mood", "shop.moods")


def lives(url: str) -> None:
    """Old code writes the enum, new code the text, and each sees what the other has written."""
    names = [
        name for (name,) in rows(url, "SELECT attname FROM pg_attribute WHERE attrelid = 'shop.t'::regclass")
    ]
    columns = [name for name in ("mood", "mood_name") if name in names]
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app")
        for column in columns:
            cursor.execute(f"INSERT INTO shop.t (id, note, {column}) VALUES (500, 'new', 'calm')")
            cursor.execute("INSERT INTO shop.t (id, note) VALUES (501, 'new')")
            cursor.execute(f"UPDATE shop.t SET {column} = 'wild' WHERE id = 500")
            for other in columns:
                cursor.execute(f"SELECT {other}::text FROM shop.t WHERE note = 'new' ORDER BY id")
                assert cursor.fetchall() == [("wild",), ("it's %",)]
            cursor.execute("DELETE FROM shop.t WHERE note = 'new'")
        cursor.execute(
            "UPDATE shop.t SET note = 'seen' WHERE id = 3; UPDATE shop.t SET note = NULL WHERE id = 3"
        )
        with pytest.raises((errors.ForeignKeyViolation, errors.InvalidTextRepresentation)):
            cursor.execute(f"UPDATE shop.t SET {columns[-1]} = 'none of them'")


def test_an_enum_becomes_a_lookup_wherever_it_is_killed(databases: Databases, ledger: str) -> None:
    content = "SELECT id, mood::text FROM shop.t ORDER BY id"
    url = walked(databases, ledger, Walk(MADE, WISH, PLAIN, content, lives))
    assert rows(url, "SELECT * FROM shop.moods ORDER BY position") == [
        ("wild", 1),
        ("calm", 2),
        ("it's %", 3),
    ]


def test_an_index_is_kept_until_it_has_a_successor_and_other_types_are_refused(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE t (id integer PRIMARY KEY, mood mood, name text);"
        "CREATE INDEX moods_of_t ON t (mood); CREATE TABLE few (name text PRIMARY KEY)",
    )
    given = settings(ledger_url)
    with pytest.raises(TableError, match=r'"name" of "public\.t" is text and no enum'):
        start(EnumToLookup("t", "name", "public.moods"), settings=given)
    with pytest.raises(TableError, match=r'"public\.few" lacks labels: calm'):
        start(EnumToLookup("t", "mood", "few"), settings=given)
    rows(ledger_url, "INSERT INTO few VALUES ('calm')")
    wish = EnumToLookup("t", "mood", "few", beside="felt")
    with pytest.raises(TableError, match='1 indexes of "mood" would be dropped with it: moods_of_t'):
        change(wish, settings=given)
    rows(ledger_url, "DROP INDEX moods_of_t")
    assert complete(wish, settings=given).state is State.COMPLETED
