"""A key of whole numbers becomes bigint together with all that refers to it."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, build, differences, killed_everywhere, schema, settings

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import State, complete, together
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.widen_key import WidenKey
from support import Databases, connected, rows

# A key that its own table refers to, a table that refers to it and is referred to by two columns, an identity that is
# a reference too, and row security on one of them.
MADE = """
CREATE TABLE shop."Artist" (id serial PRIMARY KEY, parent integer REFERENCES shop."Artist" ON DELETE SET NULL, name text);
CREATE TABLE shop.track (
    id integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5) PRIMARY KEY,
    artist integer NOT NULL REFERENCES shop."Artist" ON UPDATE CASCADE ON DELETE CASCADE,
    UNIQUE (id, artist)
);
CREATE TABLE shop.play (
    track integer, artist integer, at integer, CHECK (artist > 0), PRIMARY KEY (artist, at),
    CONSTRAINT "of track" FOREIGN KEY (track, artist) REFERENCES shop.track (id, artist) ON UPDATE CASCADE ON DELETE CASCADE
        DEFERRABLE
);
CREATE INDEX ON shop.play (track, artist);
ALTER TABLE shop.play ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.play USING (artist < 1000);
CREATE VIEW shop.heard AS SELECT name, count(*) FROM shop.play JOIN shop."Artist" ON id = artist GROUP BY id;
GRANT SELECT ON shop.heard TO agent_app;
GRANT USAGE ON SEQUENCE shop.track_id_seq TO agent_app;
COMMENT ON SEQUENCE shop.track_id_seq IS 'numbers of tracks';
INSERT INTO shop."Artist" (parent, name) SELECT nullif(i - 1, 0), 'a' || i FROM generate_series(1, 30) AS i;
INSERT INTO shop.track (artist) SELECT i FROM generate_series(1, 30) AS i;
INSERT INTO shop.play SELECT id, artist, n FROM shop.track, generate_series(1, 3) AS n;
"""
PLAIN = """
DROP VIEW shop.heard;
DROP POLICY own ON shop.play;
ALTER TABLE shop.play ALTER artist TYPE bigint;
ALTER TABLE shop.track ALTER artist TYPE bigint;
ALTER TABLE shop."Artist" ALTER id TYPE bigint, ALTER parent TYPE bigint;
ALTER SEQUENCE shop."Artist_id_seq" AS bigint;
CREATE POLICY own ON shop.play USING (artist < 1000);
CREATE VIEW shop.heard AS SELECT name, count(*) FROM shop.play JOIN shop."Artist" ON id = artist GROUP BY id;
GRANT SELECT ON shop.heard TO agent_app;
"""
CONTENT = (
    'SELECT id, parent, name, track, at FROM shop."Artist" JOIN shop.play ON id = artist ORDER BY id, at'
)


def lives(url: str) -> None:
    """A row comes, is referred to, gets another key, and goes with all that refers to it; others are refused."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop.\"Artist\" (id, parent, name) VALUES (500, 1, 'new') RETURNING id")
        cursor.execute("INSERT INTO shop.track (artist) VALUES (500) RETURNING id")
        ((track,),) = cursor.fetchall()
        cursor.execute("INSERT INTO shop.play (track, artist, at) VALUES (%s, 500, 1)", (track,))
        cursor.execute('UPDATE shop."Artist" SET id = 501 WHERE id = 500')
        cursor.execute("SELECT artist FROM shop.play WHERE track = %s", (track,))
        assert cursor.fetchall() == [(501,)]
        for lost in (
            "INSERT INTO shop.track (artist) VALUES (499)",
            f"UPDATE shop.play SET artist = 2, at = 9 WHERE track = {track}",
        ):
            with pytest.raises(Exception, match="violates foreign key constraint"):
                cursor.execute(lost)
        cursor.execute('DELETE FROM shop."Artist" WHERE id = 501')
        cursor.execute("SELECT count(*) FROM shop.play WHERE track = %s", (track,))
        assert cursor.fetchall() == [(0,)]


ARTIST = Walk(
    made=MADE, wish=WidenKey("shop.Artist", "shop.Artist", "id"), plain=PLAIN, content=CONTENT, lives=lives
)


def test_killed_anywhere_the_key_and_all_that_refers_to_it_become_bigint(
    databases: Databases, ledger: str
) -> None:
    plain, url = build(databases, ledger, ARTIST), build(databases, ledger, ARTIST)
    before = schema(url)
    rows(plain, PLAIN)
    given = settings(url)

    def widened() -> object:
        return together.change(together.widening('shop."Artist"', "id", settings=given), settings=given)

    wishes = together.widening('shop."Artist"', "id", settings=given)
    assert [wish.table for wish in wishes] == ["shop.play", "shop.track", 'shop."Artist"']
    for verb in (together.start, together.backfill, together.verify):
        verb(wishes, settings=given)
        lives(url)
    assert {change.state for change in together.abort(wishes, settings=given)} == {State.ABORTED}
    assert schema(url) == before

    assert killed_everywhere(url, widened, lives, every=131) > 1
    widened()
    lives(url)
    assert differences(url, plain) == []
    assert rows(url, CONTENT) == rows(plain, CONTENT)
    rows(
        url,
        'INSERT INTO shop."Artist" (id) VALUES (3000000000); INSERT INTO shop.track (artist) VALUES (3000000000)',
    )
    assert together.widening('shop."Artist"', "id", settings=given)
    widened()
    assert differences(url, plain) == []


def test_a_key_comes_after_what_refers_to_it_and_goes_no_way_back_alone(
    databases: Databases, ledger: str
) -> None:
    url = build(databases, ledger, ARTIST)
    given = settings(url)
    wishes = together.widening('shop."Artist"', "id", settings=given)
    for verb in (together.start, together.backfill, together.verify):
        verb(wishes, settings=given)
    with pytest.raises(TableError, match=r'shop\.track still refers to the old key of "shop\."Artist""'):
        complete(wishes[-1], settings=given)
    together.complete(wishes[:1], settings=given)
    lives(url)
    with pytest.raises(TableError, match="can no longer be aborted"):
        together.abort(wishes, settings=given)
    together.change(together.widening('shop."Artist"', "id", settings=given), settings=given)
    lives(url)
    rows(url, "CREATE TABLE shop.tag (id text PRIMARY KEY)")
    with pytest.raises(TableError, match=r'"id" of "shop\.tag" is text, and no whole number'):
        together.widening("shop.tag", "id", settings=given)
