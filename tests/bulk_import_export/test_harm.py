"""What would have lost, altered or let in something in silence is refused, or done as it is said."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import (
    FileError,
    MigrationError,
    RowError,
    TableError,
    bulk_export,
    bulk_import,
)
from spotify_ai_agent_migrations.versions.bulk_import_export import exporting
from support import connected, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _file(tmp_path: Path, content: str | bytes, name: str = "t.csv") -> Path:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return tmp_path / name


def test_two_sessions_are_all_or_nothing_where_transactions_are_serializable(
    empty_url: str, tmp_path: Path
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id serial PRIMARY KEY, name text);"
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', "
        "current_database()); END $$",
    )
    try:
        lines = "".join(f"{number},{'n' * 60}\n" for number in range(1, 100_001))
        path = _file(tmp_path, f"id,name\n{lines}")
        assert bulk_import("t", path, url=empty_url, workers=2).rows == 100_000
        assert rows(empty_url, "SELECT count(*) FROM t") == [(100_000,)]
    finally:
        _execute(
            empty_url,
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$",
        )


def test_what_a_file_says_means_the_same_whatever_the_settings(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (v interval)")
    url = f"{empty_url}{'&' if '?' in empty_url else '?'}options=-c%20intervalstyle%3Dsql_standard"
    bulk_import("t", _file(tmp_path, "v\n-1 2:03:04\n"), url=url)
    assert rows(empty_url, "SELECT extract(epoch FROM v)::integer FROM t") == [(-79016,)]


def test_merge_deletes_no_row_whose_line_was_rejected(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url, "CREATE TABLE t (id integer PRIMARY KEY, n integer); INSERT INTO t VALUES (1,1),(2,2)"
    )
    path = _file(tmp_path, "id,n\n1,7\n2,bad\n")
    with pytest.raises(RowError) as caught:
        bulk_import("t", path, url=empty_url, mode="merge", max_rejects=5)
    assert caught.value.problem == (
        f'"{path}" line 3 cannot be loaded, and merge would delete the row that it stands for'
    )
    assert caught.value.hint == 'mend it, or say mode="upsert"; nothing was loaded'
    assert rows(empty_url, "SELECT * FROM t ORDER BY id") == [(1, 1), (2, 2)]
    assert bulk_import("t", path, url=empty_url, mode="upsert", max_rejects=5).rejected == 1


def test_merge_refuses_a_key_that_is_null(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer UNIQUE, n integer); INSERT INTO t VALUES (1,1)")
    with pytest.raises(TableError) as caught:
        bulk_import("t", _file(tmp_path, "id,n\n1,7\n,20\n"), url=empty_url, mode="merge", key=["id"])
    assert caught.value.problem == ("a key of the file is NULL in id, and merge would not find its row")
    assert rows(empty_url, "TABLE t") == [(1, 1)]


def test_a_number_that_is_not_in_the_declared_form_is_rejected(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (n numeric, a integer[])")
    good = ["1,5", "-1.234.567,50", "1 234,5", "12", ",5", "1,5e3", "NaN"]
    bad = ["12.34", "1.23.456", "1,5,5", "1.2345", "1.5"]
    lines = "".join(f"{one};" + "{1,2}\n" for one in (*good, *bad))
    path = _file(tmp_path, "n;a\n" + lines)
    result = bulk_import("t", path, url=empty_url, decimal=",", delimiter=";", max_rejects=len(bad))
    assert [one.line for one in result.rejects] == [9, 10, 11, 12, 13]
    assert rows(empty_url, "SELECT n::text FROM t") == [
        ("1.5",), ("-1234567.50",), ("1234.5",), ("12",), ("0.5",), ("1500",), ("NaN",),
    ]  # fmt: skip
    assert rows(empty_url, "SELECT DISTINCT a FROM t") == [([1, 2],)]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            {"dates": {"created": "%d/%m/%Y"}},
            'a format is declared for "created", which is no column that the file fills',
        ),
        (
            {"booleans": {"Paid": ("ja", "nein")}},
            'a format is declared for "Paid", which is no column that the file fills',
        ),
        ({"columns": {"day": None}}, '"{path}" has no field "day" to map'),
    ],
)
def test_what_is_said_of_nothing_is_refused(
    empty_url: str, tmp_path: Path, said: dict[str, Any], problem: str
) -> None:
    _execute(empty_url, "CREATE TABLE t (at date)")
    path = _file(tmp_path, "at\n03/04/2024\n")
    with pytest.raises(MigrationError) as caught:
        bulk_import("t", path, url=empty_url, **said)
    assert caught.value.problem == problem.format(path=path)
    bulk_import("t", path, url=empty_url, dates={"at": "%d/%m/%Y"})
    assert rows(empty_url, "SELECT at::text FROM t") == [("2024-04-03",)]


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_what_follows_a_compressed_stream_is_one_or_is_refused(
    empty_url: str, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    first, second = compress(b"id\n1\n"), compress(b"2\n")
    assert bulk_import("t", _file(tmp_path, first + second, "t"), url=empty_url).rows == 2
    assert bulk_import("t", _file(tmp_path, first + bytes(512), "t"), url=empty_url).rows == 1
    with pytest.raises(FileError, match="cannot be read any further"):
        bulk_import("t", _file(tmp_path, first + b"x" + second[1:], "t"), url=empty_url)
    assert rows(empty_url, "SELECT count(*) FROM t") == [(3,)]


def test_a_dictionary_that_would_fill_the_memory_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    packed = bytearray(lzma.compress(b"id\n1\n"))
    assert bulk_import("t", _file(tmp_path, bytes(packed), "t"), url=empty_url).rows == 1
    # The properties of the filter say how large it is, and its header has a sum of its own.
    place = packed.index(b"\x21\x01") + 2
    packed[place] = 35
    size = (packed[12] + 1) * 4
    packed[12 + size - 4 : 12 + size] = zlib.crc32(bytes(packed[12 : 12 + size - 4])).to_bytes(4, "little")
    with pytest.raises(FileError, match="it is no valid xz"):
        bulk_import("t", _file(tmp_path, bytes(packed), "t"), url=empty_url)


def test_a_footer_over_the_edge_of_a_block_is_left_out(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id text, name text)")
    row, head = f"1,{'n' * 61}\n", f"id,{'name'}\n"
    # The first block is as long as this, and ends between the two lines.
    many, total = (1 << 20) // len(row), "Total,x\n"
    body = head + row * (many - 1)
    body += "1," + "n" * ((1 << 20) - len(body) - len(total) - 3) + "\n" + total
    assert len(body) == 1 << 20
    path = _file(tmp_path, body + "end of file\n\n")
    assert bulk_import("t", path, url=empty_url, footer_lines=2).rows == many
    assert rows(empty_url, "SELECT count(*) FROM t WHERE id <> '1'") == [(0,)]


@pytest.mark.parametrize(
    "said",
    [
        {
            "table": "SELECT 1) AS exported LIMIT 0; COMMIT; DROP TABLE victim; SELECT * FROM (SELECT 1",
            "query": True,
        },
        {
            "table": "victim",
            "where": "true)) TO STDOUT; COMMIT; DROP TABLE victim; COPY (SELECT 1 WHERE (true",
        },
        {"table": "SELECT 1) TO PROGRAM 'true' --", "query": True},
        {"table": "victim", "where": "true); COMMIT; DROP TABLE victim; SELECT (true", "split_by": "id"},
    ],
)
def test_sql_of_the_caller_is_one_query_that_reads(
    empty_url: str, tmp_path: Path, said: dict[str, Any]
) -> None:
    _execute(empty_url, "CREATE TABLE victim (id integer); INSERT INTO victim VALUES (1), (2)")
    with pytest.raises(MigrationError):
        bulk_export(path=tmp_path / "t.csv", url=empty_url, **said)
    found = bulk_export("victim", tmp_path / "t.csv", url=empty_url, where="id > 1 -- not the first")
    assert found.rows == 1


def test_a_plain_table_is_read_side_by_side_and_one_with_heirs_whole(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer, s text); INSERT INTO t SELECT n, repeat('x', 400) "
        "FROM generate_series(1, 90000) AS n",
    )
    readers = []
    reader = exporting._Export._reader

    def counting(self: Any, *arguments: Any) -> Any:
        readers.append(1)
        return reader(self, *arguments)

    monkeypatch.setattr(exporting._Export, "_reader", counting)
    assert bulk_export("t", tmp_path / "t.csv", url=empty_url, workers=2).rows == 90_000
    assert len(readers) == 2
    again = (tmp_path / "t.csv").read_text()
    assert [line.partition(",")[0] for line in again.splitlines()[1:]] == [
        str(number) for number in range(1, 90_001)
    ]
    _execute(empty_url, "CREATE TABLE heir () INHERITS (t); INSERT INTO heir VALUES (0, 'heir')")
    assert bulk_export("t", tmp_path / "t.csv", url=empty_url, workers=2).rows == 90_001


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.bin"])
def test_values_that_do_not_fit_into_the_memory_wait_on_the_disk(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer, s text); CREATE TABLE again (LIKE t); "
        "INSERT INTO t SELECT n, E'a\\n' || repeat('\"x', 200) FROM generate_series(1, 90000) AS n",
    )
    monkeypatch.setattr(exporting, "_RANGE_MOST_BYTES", 1 << 20)
    bulk_export("t", tmp_path / name, url=empty_url, workers=2, format="binary" if name == "t.bin" else None)
    assert bulk_import("again", tmp_path / name, url=empty_url).rows == 90_000
    counted = "SELECT sum(hashtext(one::text)::bigint) FROM"
    assert rows(empty_url, f"{counted} again AS one") == rows(empty_url, f"{counted} t AS one")
