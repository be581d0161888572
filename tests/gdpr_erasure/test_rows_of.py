"""The rows of one person, by every kind of edge, asked of a real database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import identifier, rows_of, source_of
from support import Databases, connected

_EDGE = """
    INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, discriminator_column,
                                    discriminator_value, json_path, own_columns, note)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'a test')
"""


@pytest.fixture(scope="module")
def _shared(databases: Databases, template: str) -> Iterator[str]:
    name = databases.create(template)
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture
def cursor(_shared: str) -> Iterator[Cursor]:
    """A cursor whose transaction is undone; there are three people, 1 to 3."""
    with connected(_shared, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.users (id, email) SELECT n, n || '@example.org' FROM generate_series(1, 3) AS n"
        )
        yield cursor
        connection.rollback()


def edge(
    cursor: Cursor,
    child: str,
    columns: list[str],
    parent: str = "public.users",
    named: list[str] | None = None,
    *,
    kind: str = "column",
    told: tuple[str | None, str | None] = (None, None),
    path: str | None = None,
    own: list[str] | None = None,
) -> None:
    cursor.execute(_EDGE, (child, columns, parent, named or ["id"], kind, *told, path, own))


def reach_of(cursor: Cursor, table: str) -> Reach | None:
    return next((one for one in reached(read_catalogue(cursor)) if one.name == table), None)


def theirs(cursor: Cursor, table: str, subject: int = 1, *, column: str = "id") -> list[object]:
    """The keys of the rows of *table* that are of *subject*, in order."""
    reach = reach_of(cursor, table)
    assert reach is not None
    statement = SQL("SELECT subject_row.{} FROM {} WHERE {} ORDER BY 1").format(
        Identifier(column), source_of(reach), rows_of(reach)
    )
    cursor.execute(statement, {"subject": subject})
    return [value for (value,) in cursor.fetchall()]


def written(reach: Reach | None, cursor: Cursor) -> str:
    assert reach is not None
    return rows_of(reach).as_string(cursor)


def test_the_persons_own_row_is_theirs(cursor: Cursor) -> None:
    assert theirs(cursor, "public.users", 2) == [2]
    assert theirs(cursor, "public.users", 4) == []


def test_a_foreign_key_leads_to_rows_and_needs_no_parent(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.note (id int PRIMARY KEY, who bigint REFERENCES public.users);"
        "INSERT INTO public.note VALUES (1, 1), (2, 2), (3, NULL), (4, 1)"
    )
    assert theirs(cursor, "public.note") == [1, 4]
    assert written(reach_of(cursor, "public.note"), cursor) == '(("subject_row"."who" = %(subject)s))'


def test_a_deferrable_key_says_that_it_is_one(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.note (id int PRIMARY KEY,"
        " who bigint REFERENCES public.users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO public.note VALUES (1, 1), (2, 2)"
    )
    (key,) = (one for one in read_catalogue(cursor).edges if one.from_table == "public.note")
    assert (key.is_deferrable, key.on_delete, key.constraint) == (True, "CASCADE", "note_who_fkey")
    assert theirs(cursor, "public.note") == [1]


def test_a_composite_key_that_does_not_hold_the_person_goes_through_the_parent(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.shelf (a int, b int, who bigint REFERENCES public.users, PRIMARY KEY (a, b));"
        "CREATE TABLE public.book (id int PRIMARY KEY, y int, x int, FOREIGN KEY (y, x) REFERENCES public.shelf (b, a));"
        "INSERT INTO public.shelf VALUES (1, 2, 1), (2, 1, 2);"
        "INSERT INTO public.book VALUES (10, 2, 1), (11, 1, 2), (12, NULL, 1)"
    )
    assert theirs(cursor, "public.book") == [10]
    assert theirs(cursor, "public.book", 2) == [11]


def test_several_ways_are_joined_by_or_and_a_diamond_counts_once(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.l (id int PRIMARY KEY, who bigint REFERENCES public.users);"
        "CREATE TABLE public.r (id int PRIMARY KEY, who bigint REFERENCES public.users);"
        "CREATE TABLE public.d (id int PRIMARY KEY, l int REFERENCES public.l, r int REFERENCES public.r,"
        " by bigint REFERENCES public.users, for_ bigint REFERENCES public.users);"
        "INSERT INTO public.l VALUES (1, 1), (2, 2); INSERT INTO public.r VALUES (1, 1), (2, 2);"
        "INSERT INTO public.d VALUES (1, 1, 1, 1, 1), (2, 1, 2, 2, 2), (3, 2, 1, 3, NULL), (4, 2, 2, 2, 1), (5, 2, 2, 2, 2)"
    )
    reach = reach_of(cursor, "public.d")
    assert reach is not None
    assert len(reach.ways) == 4
    assert theirs(cursor, "public.d") == [1, 2, 3, 4]


def test_a_table_that_names_itself_is_followed_down_however_deep(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.folder (id int PRIMARY KEY, above int REFERENCES public.folder, who bigint REFERENCES public.users);"
        "INSERT INTO public.folder SELECT n, NULLIF(n - 1, 0), CASE n WHEN 1 THEN 1 END FROM generate_series(1, 40) AS n;"
        "INSERT INTO public.folder VALUES (50, NULL, 2), (51, 50, NULL)"
    )
    assert theirs(cursor, "public.folder") == list(range(1, 41))
    assert theirs(cursor, "public.folder", 2) == [50, 51]


def test_a_ring_of_rows_that_name_each_other_ends(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.ring (id int PRIMARY KEY, after int REFERENCES public.ring DEFERRABLE INITIALLY DEFERRED,"
        " who bigint REFERENCES public.users);"
        "INSERT INTO public.ring VALUES (1, 3, NULL), (2, 1, 1), (3, 2, NULL), (4, 4, NULL)"
    )
    assert theirs(cursor, "public.ring") == [1, 2, 3]


def test_tables_that_name_each_other_are_a_cycle_that_is_cut(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.band (id int PRIMARY KEY, who bigint REFERENCES public.users);"
        "CREATE TABLE public.song (id int PRIMARY KEY, band int REFERENCES public.band);"
        "ALTER TABLE public.band ADD COLUMN best int REFERENCES public.song DEFERRABLE INITIALLY DEFERRED;"
        "INSERT INTO public.band VALUES (1, 1, 1), (2, 2, 2);"
        "INSERT INTO public.song VALUES (1, 1), (2, 2), (3, 1)"
    )
    assert theirs(cursor, "public.band") == [1]
    assert theirs(cursor, "public.song") == [1, 3]


def test_another_person_whose_row_names_this_one_is_only_mentioned(cursor: Cursor) -> None:
    cursor.execute(
        "ALTER TABLE public.users ADD COLUMN referred_by bigint REFERENCES public.users;"
        "UPDATE public.users SET referred_by = 1 WHERE id = 3"
    )
    reach = reach_of(cursor, "public.users")
    assert reach is not None
    owned, ((columns, mentioned),) = reach.owned(), reach.mentions()
    assert owned is not None
    assert columns == ("referred_by",)
    for part, expected in ((owned, [(1,)]), (mentioned, [(3,)])):
        cursor.execute(
            SQL("SELECT subject_row.id FROM {} WHERE {}").format(source_of(part), rows_of(part)),
            {"subject": 1},
        )
        assert cursor.fetchall() == expected


def test_partitions_are_their_root_whichever_of_them_has_the_key(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.visit (id int, who bigint REFERENCES public.users, day date) PARTITION BY RANGE (day);"
        "CREATE TABLE public.visit_old PARTITION OF public.visit FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');"
        "CREATE TABLE public.visit_new PARTITION OF public.visit FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');"
        "INSERT INTO public.visit VALUES (1, 1, '2024-01-01'), (2, 1, '2026-01-01'), (3, 2, '2026-01-01');"
        "CREATE TABLE public.part (id int, who bigint, day date) PARTITION BY RANGE (day);"
        "CREATE TABLE public.part_1 (junk int, id int, who bigint REFERENCES public.users, day date);"
        "ALTER TABLE public.part_1 DROP COLUMN junk;"
        "ALTER TABLE public.part ATTACH PARTITION public.part_1 FOR VALUES FROM ('2020-01-01') TO ('2030-01-01');"
        "INSERT INTO public.part VALUES (1, 1, '2024-01-01'), (2, 2, '2026-01-01')"
    )
    names = {one.name for one in reached(read_catalogue(cursor))}
    assert {"public.visit", "public.part"} <= names
    assert not names & {"public.visit_old", "public.visit_new", "public.part_1"}
    assert theirs(cursor, "public.visit") == [1, 2]
    assert theirs(cursor, "public.part") == [1]


def test_a_key_to_a_partition_is_one_to_its_root(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.box (id int, who bigint REFERENCES public.users, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
        "CREATE TABLE public.box_1 PARTITION OF public.box FOR VALUES FROM (0) TO (100);"
        "CREATE TABLE public.item (id int PRIMARY KEY, box int REFERENCES public.box_1);"
        "INSERT INTO public.box VALUES (1, 1), (2, 2); INSERT INTO public.item VALUES (7, 1), (8, 2)"
    )
    assert theirs(cursor, "public.item") == [7]


def test_a_detached_partition_is_reached_as_its_table_was(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.analytics_gone (LIKE public.analytics INCLUDING DEFAULTS);"
        "INSERT INTO public.analytics_gone (user_id, id, event_name) VALUES (1, 1, 'a'), (2, 2, 'a'), (0, 3, 'a');"
        "INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid)"
        " VALUES ('public.analytics', 'public.analytics_gone', 'public.analytics_gone'::regclass::oid::bigint)"
    )
    assert theirs(cursor, "public.analytics_gone") == [1]
    catalogue = read_catalogue(cursor)
    assert [one.class_ for one in catalogue.columns_of("public.analytics_gone")] == [
        one.class_ for one in catalogue.columns_of("public.analytics")
    ]


def test_heirs_of_a_table_are_tables_of_their_own_with_its_keys_and_no_row_counts_twice(
    cursor: Cursor,
) -> None:
    cursor.execute(
        "CREATE TABLE public.media (id int PRIMARY KEY, who bigint REFERENCES public.users);"
        "CREATE TABLE public.photo (camera text) INHERITS (public.media);"
        "CREATE TABLE public.portrait () INHERITS (public.photo);"
        "INSERT INTO public.media VALUES (1, 1), (2, 2); INSERT INTO public.photo VALUES (3, 1, 'x');"
        "INSERT INTO public.portrait VALUES (4, 1, 'y'), (5, 2, 'z')"
    )
    assert theirs(cursor, "public.media") == [1]
    assert theirs(cursor, "public.photo") == [3]
    assert theirs(cursor, "public.portrait") == [4]


def test_a_plain_column_that_is_declared_leads_like_a_key(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.event (id int, who bigint); INSERT INTO public.event VALUES (1, 1), (2, 2), (3, 0), (4, 9)"
    )
    assert reach_of(cursor, "public.event") is None
    edge(cursor, "public.event", ["who"])
    assert theirs(cursor, "public.event") == [1]
    assert theirs(cursor, "public.event", 9) == [4]


def test_a_column_of_another_type_is_compared_as_text(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.event (id int, who text); INSERT INTO public.event VALUES (1, '1'), (2, '2'), (3, '01'), (4, NULL)"
    )
    edge(cursor, "public.event", ["who"])
    assert theirs(cursor, "public.event") == [1]


def test_a_row_that_names_a_person_by_another_column_than_the_key(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.mailing (id int, mail text); INSERT INTO public.mailing VALUES (1, '1@example.org'), (2, '2@example.org')"
    )
    edge(cursor, "public.mailing", ["mail"], named=["email"])
    assert theirs(cursor, "public.mailing", 2) == [2]


def test_a_polymorphic_edge_holds_for_its_kind_alone_at_any_depth(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.album_of (id int PRIMARY KEY, who bigint REFERENCES public.users);"
        "CREATE TABLE public.comment (id int, kind text, thing text);"
        "INSERT INTO public.album_of VALUES (1, 2), (2, 1);"
        "INSERT INTO public.comment VALUES (1, 'user', '1'), (2, 'user', '2'), (3, 'album', '1'), (4, 'album', '2')"
    )
    edge(cursor, "public.comment", ["thing"], kind="polymorphic", told=("kind", "user"))
    edge(cursor, "public.comment", ["thing"], "public.album_of", kind="polymorphic", told=("kind", "album"))
    assert theirs(cursor, "public.comment") == [1, 4]
    assert theirs(cursor, "public.comment", 2) == [2, 3]


@pytest.mark.parametrize("type_", ["bigint[]", "text[]", "integer[]", "public.ids"])
def test_an_array_that_holds_the_person_is_theirs(cursor: Cursor, type_: str) -> None:
    cursor.execute(
        f"CREATE DOMAIN public.ids AS bigint[]; CREATE TABLE public.chat (id int, members {type_});"
        "INSERT INTO public.chat VALUES (1, '{1,2}'), (2, '{2}'), (3, '{}'), (4, NULL), (5, '{11}'), (6, '{{2,1}}')"
    )
    edge(cursor, "public.chat", ["members"], kind="array")
    assert theirs(cursor, "public.chat") == [1, 6]


@pytest.mark.parametrize("type_", ["jsonb", "json"])
def test_a_path_of_json_leads_to_numbers_and_texts_at_any_depth(cursor: Cursor, type_: str) -> None:
    cursor.execute(
        f"CREATE TABLE public.message (id int, body {type_});"
        """INSERT INTO public.message VALUES (1, '{"to": [{"user": 1}, {"user": 2}]}'), (2, '{"to": [{"user": "1"}]}'),
           (3, '{"to": [{"user": 11}]}'), (4, '{"user": 1}'), (5, '[]'), (6, NULL), (7, '{"to": {"user": 1}}'), (8, '1')"""
    )
    edge(cursor, "public.message", ["body"], kind="json", path="$.to[*].user")
    assert theirs(cursor, "public.message") == [1, 2, 7]


def test_the_trail_is_reached_through_the_pseudonym_and_by_the_number_of_a_person(cursor: Cursor) -> None:
    cursor.execute("DELETE FROM ops.pseudonyms WHERE user_id = 3")
    entries = theirs(cursor, "public.audit_log", column="id")
    cursor.execute(
        "SELECT id FROM public.audit_log WHERE subject_ref = (SELECT audit_ref FROM ops.pseudonyms WHERE user_id = 1) ORDER BY id"
    )
    assert entries
    assert entries == [value for (value,) in cursor.fetchall()]
    # Without the mapping what is left is the number of the person, in the entries that are about people.
    left = theirs(cursor, "public.audit_log", 3, column="id")
    cursor.execute("SELECT id FROM public.audit_log WHERE entity_type = 'user' AND entity_id = 3")
    assert [(value,) for value in left] == cursor.fetchall() != []


def test_an_edge_that_leads_nowhere_takes_the_place_of_a_key(cursor: Cursor) -> None:
    cursor.execute(
        "CREATE TABLE public.ticket (id int PRIMARY KEY, who bigint REFERENCES public.users, seen_by bigint REFERENCES public.users);"
        "CREATE TABLE public.reply (id int PRIMARY KEY, ticket int REFERENCES public.ticket);"
        "INSERT INTO public.ticket VALUES (1, 1, 2), (2, 2, 1), (3, 3, 1);"
        "INSERT INTO public.reply VALUES (1, 1), (2, 2), (3, 3)"
    )
    assert theirs(cursor, "public.reply") == [1, 2, 3]
    edge(cursor, "public.ticket", ["seen_by"], own=["seen_by"])
    assert theirs(cursor, "public.ticket") == [1, 2, 3]
    # What hangs on the row of somebody else is not theirs.
    assert theirs(cursor, "public.reply") == [1]
    cursor.execute("UPDATE ops.personal_edges SET own_columns = '{}' WHERE from_table = 'public.ticket'")
    assert theirs(cursor, "public.ticket") == [1]


def test_names_that_want_quotation_are_names(cursor: Cursor) -> None:
    cursor.execute(
        'CREATE SCHEMA "odd.schema"; CREATE TABLE "odd.schema"."a ""b"" %s" ("who %(x)s" bigint REFERENCES public.users, "Id" int);'
        'INSERT INTO "odd.schema"."a ""b"" %s" VALUES (1, 5), (2, 6);'
    )
    name = '"odd.schema"."a ""b"" %s"'
    assert identifier(name) == Identifier("odd.schema", 'a "b" %s')
    assert theirs(cursor, name, column="Id") == [5]


def test_the_library_is_reached_and_rows_of_others_are_mentions(cursor: Cursor) -> None:
    cursor.execute(
        "INSERT INTO public.playlists (user_id, id, name) VALUES (1, 10, 'a'), (2, 20, 'b');"
        "INSERT INTO public.tracks (id, title, source) VALUES (1, 't', 'internal');"
        "INSERT INTO public.playlist_items (user_id, playlist_id, rank, track_id, added_by)"
        " VALUES (1, 10, 1, 1, 2), (2, 20, 1, 1, 1), (2, 20, 2, 1, 2)"
    )
    assert theirs(cursor, "public.playlists") == [10]
    assert theirs(cursor, "public.playlist_items", column="playlist_id") == [10, 20]
    reach = reach_of(cursor, "public.playlist_items")
    assert reach is not None
    assert [columns for columns, _ in reach.mentions()] == [("added_by", "track_id", "added_at")]
    assert written(reach.owned(), cursor) == '(("subject_row"."user_id" = %(subject)s))'


tables = st.integers(1, 4).flatmap(
    lambda count: st.tuples(
        *(
            st.tuples(
                # To whom each of up to three columns points: a table before it, or the people.
                st.lists(st.integers(-1, place - 1), min_size=1, max_size=3),
                st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), max_size=4),
            )
            for place in range(count)
        )
    )
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables)
def test_whatever_the_keys_are_the_rows_are_those_that_lead_to_the_person(
    cursor: Cursor, made: tuple[tuple[list[int], list[list[int]]], ...]
) -> None:
    cursor.execute("SAVEPOINT before")
    expected: list[set[int]] = []
    for place, (targets, rows) in enumerate(made):
        columns = [
            f", c{n} bigint REFERENCES {'public.users' if to < 0 else f'public.m{to}'}"
            for n, to in enumerate(targets)
        ]
        cursor.execute(f"CREATE TABLE public.m{place} (id bigint PRIMARY KEY{''.join(columns)})")
        found = set()
        for key, row in enumerate(rows, 1):
            # Nobody, or one of the rows that are there.
            there = [3 if to < 0 else len(made[to][1]) for to in targets]
            names = [value if 0 < value <= most else None for value, most in zip(row, there, strict=False)]
            cursor.execute(f"INSERT INTO public.m{place} VALUES (%s{', %s' * len(targets)})", (key, *names))
            if any(
                name is not None and (name == 1 if to < 0 else name in expected[to])
                for name, to in zip(names, targets, strict=False)
            ):
                found.add(key)
        expected.append(found)
    for place, found in enumerate(expected):
        reach = reach_of(cursor, f"public.m{place}")
        assert (set(theirs(cursor, f"public.m{place}")) if reach else set()) == found
    cursor.execute("ROLLBACK TO SAVEPOINT before")
