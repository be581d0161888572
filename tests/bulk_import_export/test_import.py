"""What an import loads: real files, every form of CSV, and every kind of table."""

from __future__ import annotations

import csv
import json
import os
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from spotify_ai_agent_migrations import ImportResult, PrivilegeError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import run
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from support import connected, data, rows

_CHINOOK = {
    "album": 347, "artist": 275, "customer": 59, "employee": 8, "genre": 25, "invoice": 412,
    "invoice_line": 2240, "media_type": 5, "playlist": 18, "playlist_track": 8715, "track": 3503,
}  # fmt: skip


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _text_table(url: str, name: str, header: list[str]) -> None:
    quoted = ", ".join('"' + column.replace('"', '""') + '" text' for column in header)
    _execute(url, f'CREATE TABLE "{name}" ({quoted})')


def _load(url: str, tmp_path: Path, content: bytes, table: str = "t") -> ImportResult:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    return bulk_import(table, path, url=url)


@pytest.mark.parametrize(("name", "count"), _CHINOOK.items())
def test_every_file_of_a_music_store_is_loaded_whole(empty_url: str, name: str, count: int) -> None:
    path = data("chinook", f"{name}.csv")
    with path.open(newline="", encoding="utf-8") as file:
        header, *expected = list(csv.reader(file))
    _text_table(empty_url, name, header)
    assert bulk_import(name, path, url=empty_url) == ImportResult(
        f"public.{name}", path, tuple(header), count
    )
    stored = rows(empty_url, f'SELECT * FROM "{name}"')
    # Python's csv module reads NULL and '' alike, and these files have no '' in quotes.
    assert sorted(tuple(value or "" for value in row) for row in stored) == sorted(map(tuple, expected))


def test_names_that_are_not_ascii_arrive_as_they_are(empty_url: str) -> None:
    _execute(empty_url, "CREATE TABLE artist (artist_id integer PRIMARY KEY, name text)")
    bulk_import("artist", data("chinook", "artist.csv"), url=empty_url)
    found = rows(empty_url, "SELECT name FROM artist WHERE artist_id IN (6, 18, 109)")
    assert found == [("Antônio Carlos Jobim",), ("Chico Science & Nação Zumbi",), ("Mötley Crüe",)]


@pytest.mark.parametrize(
    "name",
    ["comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "newlines", "newlines_crlf",
     "quotes_and_newlines", "simple", "simple_crlf", "utf8"],
)  # fmt: skip
def test_the_csv_spectrum_is_read_as_its_json_says(empty_url: str, name: str) -> None:
    expected = json.loads(data("csv_spectrum", "json", f"{name}.json").read_text(encoding="utf-8"))
    header = list(expected[0])
    _text_table(empty_url, "t", header)
    bulk_import("t", data("csv_spectrum", "csvs", f"{name}.csv"), url=empty_url)
    assert rows(empty_url, "SELECT * FROM t") == [tuple(row[column] for column in header) for row in expected]


@pytest.mark.parametrize(
    "name", ["cr-line-endings", "crlf-line-endings", "lf-line-endings", "inconsistent-line-endings"]
)
def test_line_ends_of_every_kind_are_read(empty_url: str, name: str) -> None:
    path = data("csvlint_fixtures", f"{name}.csv")
    text = path.read_bytes().decode()
    header, *expected = list(csv.reader(text.replace("\r\n", "\n").replace("\r", "\n").splitlines()))
    _text_table(empty_url, "t", header)
    assert bulk_import("t", path, url=empty_url).rows == len(expected) == 2
    assert rows(empty_url, "SELECT * FROM t") == [tuple(row) for row in expected]


def test_namibias_code_is_a_text_and_not_null(empty_url: str) -> None:
    path = data("iso_country_codes", "country-codes.csv")
    with path.open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file))
    _text_table(empty_url, "country", header)
    assert bulk_import("country", path, url=empty_url).rows == 249
    code = 'SELECT "ISO3166-1-Alpha-2", "Small Island Developing States (SIDS)" FROM country WHERE "FIFA" = '
    assert rows(empty_url, f"{code} 'NAM'") == [("NA", None)]


@pytest.mark.parametrize(
    "parts",
    [
        ("fivethirtyeight_music", "classic-rock-song-list.csv"),
        ("geonames_world_cities", "world-cities.csv"),
        ("iso_language_codes", "language-codes-full.csv"),
    ],
    ids=lambda parts: parts[1],
)
def test_other_real_files_are_loaded_as_pythons_reader_sees_them(
    empty_url: str, parts: tuple[str, str]
) -> None:
    path = data(*parts)
    with path.open(newline="", encoding="utf-8-sig") as file:
        header, *expected = list(csv.reader(file))
    _text_table(empty_url, "t", header)
    assert bulk_import("t", path, url=empty_url).rows == len(expected)
    stored = rows(empty_url, "SELECT * FROM t")
    assert sorted(tuple(value or "" for value in row) for row in stored) == sorted(map(tuple, expected))


def test_null_and_the_empty_text_are_told_apart(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a text, b text)")
    _load(empty_url, tmp_path, b'a,b\n,""\n"",\nx,\n')
    assert rows(empty_url, "SELECT * FROM t") == [(None, ""), ("", None), ("x", None)]


def test_what_copy_would_take_for_its_own_marks_is_text(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a text)")
    result = _load(empty_url, tmp_path, b'a\n\\.\n"x\n\\.\ny"\n\\N\n\ta\\tb\n"\\"\n')
    assert rows(empty_url, "SELECT a FROM t") == [("\\.",), ("x\n\\.\ny",), ("\\N",), ("\ta\\tb",), ("\\",)]
    assert result.rows == 5


def test_a_byte_order_mark_and_a_missing_last_line_end_are_no_matter(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    assert _load(empty_url, tmp_path, b"\xef\xbb\xbfa,b\r\n1,x\r2,y\n3,z").rows == 3
    assert rows(empty_url, "SELECT * FROM t") == [(1, "x"), (2, "y"), (3, "z")]


def test_blank_lines_at_the_end_are_left_out(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    assert _load(empty_url, tmp_path, b"a,b\n1,x\n\n\r\n\n").rows == 1


def test_a_blank_line_in_a_file_of_one_column_is_null(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    assert _load(empty_url, tmp_path, b"a\n1\n\n2\n\n").rows == 4
    assert rows(empty_url, "SELECT a FROM t") == [(1,), (None,), (2,), (None,)]


def test_a_header_alone_loads_nothing(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    for content in (b"a,b", b"a,b\n", b"a,b\r\n\r\n"):
        assert _load(empty_url, tmp_path, content).rows == 0


def test_a_header_names_columns_in_any_order_and_case_and_others_take_their_default(
    empty_url: str, tmp_path: Path
) -> None:
    _execute(empty_url, """CREATE TABLE t ("Name" text, name text, plays integer, made text DEFAULT 'now')""")
    result = _load(empty_url, tmp_path, b" PLAYS ,Name,name\n1,upper,lower\n")
    assert rows(empty_url, "SELECT * FROM t") == [("upper", "lower", 1, "now")]
    assert result.columns == ("plays", "Name", "name")


def test_hostile_names_are_only_names(empty_url: str, tmp_path: Path) -> None:
    header = ["First?", "F*G", "100%", "%s", 'say "x"', "naïve — 名", "a;b", "two\nlines", "{x}"]
    _text_table(empty_url, 'odd, 7 "%s" {table}'.replace('"', '""'), header)
    line = ",".join('"' + name.replace('"', '""') + '"' for name in header).encode()
    result = _load(empty_url, tmp_path, line + b"\n1,2,3,4,5,6,7,8,9\n", '"odd, 7 ""%s"" {table}"')
    assert (result.rows, list(result.columns)) == (1, header)


def test_a_table_is_named_as_in_sql(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        'CREATE TABLE users (a integer); CREATE TABLE "Odd Name" (a integer); CREATE SCHEMA ops;'
        'CREATE TABLE ops."x.y" (a integer)',
    )
    names = ["users", "USERS", "public.users", "public . users", '"Odd Name"', 'ops."x.y"']
    found = [_load(empty_url, tmp_path, b"a\n1\n", name).table for name in names]
    assert found == ["public.users"] * 4 + ['public."Odd Name"', 'ops."x.y"']


def test_a_partitioned_table_sends_rows_to_its_partitions(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);"
        "CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2)",
    )
    assert _load(empty_url, tmp_path, b"a\n1\n2\n2\n").rows == 3
    assert rows(empty_url, "SELECT (SELECT count(*) FROM t1), (SELECT count(*) FROM t2)") == [(1, 2)]


def test_a_time_without_a_zone_is_utc_whatever_the_server_says(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (at timestamptz)")
    _load(empty_url + "&options=-ctimezone%3DAsia/Tokyo", tmp_path, b"at\n2021-01-01T00:00:00\n")
    assert rows(empty_url, "SELECT at FROM t") == [(datetime(2021, 1, 1, tzinfo=timezone.utc),)]


def test_a_second_import_adds_the_same_rows_again(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    assert [_load(empty_url, tmp_path, b"a\n1\n2\n").rows for _ in range(2)] == [2, 2]
    assert rows(empty_url, "SELECT count(*) FROM t") == [(4,)]


def test_a_pipe_is_read_as_a_file(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = b"a,b\n" + b"".join(b'%d,"x""y"\n' % number for number in range(50_000))
    # Where nobody opens the other end it would wait for ever.
    writer = threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True)
    writer.start()
    assert bulk_import("t", pipe, url=empty_url).rows == 50_000
    writer.join()


def test_a_record_longer_than_any_block_is_loaded(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    long = b'line\n""quoted""\n' * 300_000
    _load(empty_url, tmp_path, b'a,b\n1,"' + long + b'"\n2,x\n')
    assert rows(
        empty_url, "SELECT a, length(b), md5(b) = md5(repeat(E'line\\n\"quoted\"\\n', 300000)) FROM t"
    ) == [
        (1, 300_000 * 14, True),
        (2, 1, False),
    ]


@pytest.mark.parametrize(
    "how", ["serial", "bigint GENERATED BY DEFAULT AS IDENTITY", "bigint GENERATED ALWAYS AS IDENTITY"]
)
@pytest.mark.parametrize("most", [9, 50_000])
def test_a_sequence_is_moved_past_the_values_loaded(
    empty_url: str, tmp_path: Path, how: str, most: int
) -> None:
    _execute(empty_url, f'CREATE TABLE "T" (id {how} PRIMARY KEY, name text)')
    _load(empty_url, tmp_path, b"id,name\n3,a\n%d,b\n4,\n" % most, '"T"')
    assert rows(empty_url, """INSERT INTO "T" (name) VALUES ('next') RETURNING id""") == [(most + 1,)]


def test_a_sequence_is_never_moved_back(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id serial, name text); SELECT setval('t_id_seq', 100)")
    _load(empty_url, tmp_path, b"id,name\n3,a\n-4,b\n")
    assert rows(empty_url, "SELECT nextval('t_id_seq')") == [(101,)]


def test_a_sequence_that_counts_in_tens_keeps_its_pace(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 10))")
    _load(empty_url, tmp_path, b"id\n25\n")
    assert rows(empty_url, "INSERT INTO t DEFAULT VALUES RETURNING id") == [(40,)]


def test_a_file_that_brings_no_numbers_takes_them_from_the_sequence(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id serial, name text)")
    _load(empty_url, tmp_path, b"name\na\nb\n")
    assert rows(empty_url, "SELECT id FROM t") == [(1,), (2,)]
    assert rows(empty_url, "SELECT nextval('t_id_seq')") == [(3,)]


def test_a_login_that_may_not_move_the_sequence_is_told_before_any_row(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(empty_url, "CREATE TABLE t (id serial, name text)")
    url = login(grants=("GRANT INSERT ON t TO {role}",))
    with pytest.raises(PrivilegeError) as caught:
        _load(url, tmp_path, b"id,name\n3,a\n")
    assert caught.value.problem == (
        "the file fills a column that the sequence public.t_id_seq numbers, and this login may not move it"
    )
    assert caught.value.hint == "GRANT USAGE, UPDATE ON SEQUENCE public.t_id_seq TO the login, and run again"


def test_a_login_with_usage_alone_moves_the_sequence_by_steps(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(empty_url, "CREATE TABLE t (id serial, name text)")
    url = login(grants=("GRANT INSERT ON t TO {role}", "GRANT USAGE ON SEQUENCE t_id_seq TO {role}"))
    _load(url, tmp_path, b"id,name\n30000,a\n")
    assert rows(empty_url, "SELECT nextval('t_id_seq')") == [(30_001,)]


def test_two_imports_at_once_both_load_everything(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id serial PRIMARY KEY, name text)")
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for start, path in enumerate(files):
        ids = range(start * 40_000 + 1, start * 40_000 + 40_001)
        path.write_text("id,name\n" + "".join(f"{number},x\n" for number in ids))
    threads = [
        threading.Thread(target=bulk_import, args=("t", path), kwargs={"url": empty_url}) for path in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(empty_url, "SELECT count(*), max(id) FROM t") == [(80_000, 80_000)]
    assert rows(empty_url, "SELECT nextval('t_id_seq')") == [(80_001,)]


def test_naughty_strings_are_loaded_as_they_are(empty_url: str, tmp_path: Path) -> None:
    strings = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    _execute(empty_url, "CREATE TABLE t (number integer, string text)")
    lines = [f'{number},"{string.replace(chr(34), chr(34) * 2)}"' for number, string in enumerate(strings)]
    _load(empty_url, tmp_path, "\n".join(["number,string", *lines]).encode())
    assert rows(empty_url, "SELECT string FROM t ORDER BY number") == [(string,) for string in strings]


def test_a_sequence_that_was_restarted_and_not_yet_asked_is_never_moved_back(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);"
        "ALTER TABLE t ALTER id RESTART WITH 20000",
    )
    content = b"id\n" + b"".join(b"%d\n" % number for number in range(1, 15_001))
    _load(empty_url, tmp_path, content)
    assert rows(empty_url, "SELECT nextval('t_id_seq')") == [(20_000,)]
    _execute(empty_url, "TRUNCATE t; ALTER TABLE t ALTER id RESTART WITH 20000")
    grants = ("GRANT INSERT ON t TO {role}", "GRANT USAGE, UPDATE ON SEQUENCE t_id_seq TO {role}")
    _load(login(grants=grants), tmp_path, content)
    # Where a login may not look, one value is taken to learn the place.
    assert rows(empty_url, "SELECT nextval('t_id_seq')") == [(20_001,)]


@pytest.mark.parametrize("type_", ["bigint", "numeric", "double precision"])
def test_a_sequence_asked_by_a_default_is_moved_too(empty_url: str, tmp_path: Path, type_: str) -> None:
    _execute(empty_url, f"CREATE SEQUENCE s; CREATE TABLE t (id {type_} DEFAULT nextval('s'), name text)")
    _load(empty_url, tmp_path, b"id,name\n3,a\n9,b\n")
    assert rows(empty_url, "INSERT INTO t (name) VALUES ('c') RETURNING id::bigint") == [(10,)]


def test_numbers_of_every_spelling_move_a_sequence(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE SEQUENCE s; CREATE TABLE t (id numeric DEFAULT nextval('s'), name text)")
    for spelt, following in (("7.0", 8), ("1e2", 101), ("150.5", 152), ("NaN", 153)):
        _load(empty_url, tmp_path, f"id,name\n{spelt},a\n,b\n".encode())
        assert rows(empty_url, "SELECT nextval('s')") == [(following,)]


def test_the_servers_settings_change_no_value(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (d date, a text[], x text DEFAULT current_setting('xmloption'))")
    options = "&options=-cdatestyle%3DSQL,DMY%20-carray_nulls%3Doff%20-cxmloption%3Ddocument"
    _load(empty_url + options, tmp_path, b'd,a\n10/11/2012,"{NULL,b}"\n')
    assert rows(empty_url, "SELECT d::text, a, x FROM t") == [("2012-10-11", [None, "b"], "content")]


def test_an_import_outlasts_the_statement_timeout(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "resolve_settings", lambda url: resolve_settings(url, statement_timeout_ms=200))
    _execute(empty_url, "CREATE TABLE t (a integer, b text DEFAULT pg_sleep(0.5)::text)")
    assert _load(empty_url, tmp_path, b"a\n1\n").rows == 1
