"""Memory and time stay small whatever stands in a file: quotes, delimiters, long records, hundreds of parts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from spotify_ai_agent_migrations import RowError, SettingsError, bulk_export, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import arrow_in, cutting, grammar, records
from support import connected, rows

_QUOTES = b'""' * (1 << 20)


def _peak_mib(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] >> 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "written", "found"),
    [
        (b'1,"' + _QUOTES + b'"\n', grammar.Grammar(), len(_QUOTES) // 2),
        (b'1,"' + _QUOTES + b"x", grammar.Grammar(), None),
        (b'1,"' + _QUOTES + b"x", grammar.Grammar(lenient=True), len(_QUOTES) + 2),
        (b'1,"' + _QUOTES.replace(b'""', b'\\"') + b'"\n', grammar.Grammar(escape=b"\\"), len(_QUOTES) // 2),
        (b"1," + _QUOTES.replace(b'""', b"\\,") + b"\n", grammar.Grammar(escape=b"\\"), len(_QUOTES) // 2),
        (b"1||" + _QUOTES.replace(b'""', b"xx") + b"\n", grammar.Grammar(delimiter=b"||"), len(_QUOTES)),
    ],
)
def test_a_field_of_a_million_quotes_or_escapes_takes_no_more_than_a_few_copies(
    data: bytes, written: grammar.Grammar, found: int | None
) -> None:
    lengths: list[int | None] = []

    def read() -> None:
        for one in records.records_of(data, written):
            lengths.append(len(one.fields[1] or b"") if isinstance(one, records.Record) else None)

    assert _peak_mib(read) < 12
    assert lengths == [found]


def test_a_record_of_more_fields_than_a_table_has_columns_is_refused_early(
    empty_url: str, tmp_path: Path
) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a integer, b text)")
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"," * (3 << 20) + b"\n1,x\n")
    problem = "more than 1600 fields, and no table has as many columns"
    with pytest.raises(RowError) as caught:
        bulk_import("t", path, url=empty_url)
    assert caught.value.problem == f'"{path}" line 2: {problem}'
    result = bulk_import("t", path, url=empty_url, max_rejects=1)
    assert (result.rows, [one.reason for one in result.rejects]) == (1, [problem])


def test_long_records_and_what_lies_between_them_are_loaded_in_order(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size_bytes in (("BLOCK_BYTES", 2_000), ("LARGE_BYTES", 4_000)):
        monkeypatch.setattr(cutting, name, size_bytes)
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a integer, b text)")
    inside = "x,\n"
    lengths = [10, 30_000, 5, 5, 5, 9_000, 300, 40_000, 40_000, 3]
    text = "".join(f'{number},"{inside * length}"\n' for number, length in enumerate(lengths))
    for end in ("\n", "\r\n"):
        (tmp_path / "t.csv").write_bytes(("a,b\n" + text + "99,last\n").replace("\n", end).encode())
        for options in ({}, {"max_rejects": 1, "workers": 2}, {"lenient": True}):
            bulk_import("t", tmp_path / "t.csv", url=empty_url, mode="replace", **options)
            found = rows(empty_url, "SELECT a, length(b) FROM t ORDER BY ctid")
            wide = 2 + len(end)
            assert found == [*((number, wide * length) for number, length in enumerate(lengths)), (99, 4)]


def test_a_quote_that_is_never_closed_is_one_reject_and_the_lines_behind_it_are_rows(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size_bytes in (("BLOCK_BYTES", 2_000), ("LARGE_BYTES", 4_000)):
        monkeypatch.setattr(cutting, name, size_bytes)
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a integer, b text)")
    (tmp_path / "t.csv").write_text('a,b\n1,"x\n' + "".join(f"{number},y\n" for number in range(3_000)))
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url, max_rejects=1)
    assert (result.rows, [one.line for one in result.rejects]) == (3_000, [2])
    assert rows(empty_url, "SELECT count(DISTINCT a), max(a) FROM t") == [(3_000, 2_999)]


def test_of_an_export_into_many_files_one_at_a_time_is_compressed(empty_url: str, tmp_path: Path) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t AS SELECT g AS a, g % 12 AS b FROM generate_series(1, 48) g")
    parts: list[Path] = []

    def by_rows() -> None:
        parts.extend(bulk_export("t", tmp_path / "r.csv.xz", url=empty_url, split_rows=4).parts)

    def by_value() -> None:
        parts.extend(bulk_export("t", tmp_path / "v.csv.xz", url=empty_url, split_by="b").parts)

    # Each file alone takes most of this.
    assert max(_peak_mib(by_rows), _peak_mib(by_value)) < 16
    assert len(parts) == 24
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE t")
    for part in parts[:12]:
        bulk_import("t", part, url=empty_url)
    assert rows(empty_url, "SELECT count(*), count(DISTINCT a) FROM t") == [(48, 48)]


def test_of_one_large_batch_of_arrow_a_slice_is_looked_at_alone() -> None:
    texts = pa.array(["x" * 100] * 50_000 + ["a\tb\\c\nd"], pa.large_string())
    batch = pa.record_batch([texts], names=["a"])
    assert arrow_in.copy_text(pa, batch.slice(50_000, 1)) == b"a\\tb\\\\c\\nd\n"
    assert _peak_mib(lambda: arrow_in.copy_text(pa, batch.slice(0, 10))) == 0
    assert arrow_in.copy_text(pa, batch.slice(0, 1)) == b"x" * 100 + b"\n"


def test_the_first_of_json_lines_may_be_longer_than_what_is_looked_at(empty_url: str, tmp_path: Path) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a text, b integer)")
    long = "x" * (1_200 << 10)
    for name in ("t.jsonl", "t"):
        (tmp_path / name).write_text(f'{{"a": "{long}", "b": 1}}\n{{"b": 2}}\n')
        result = bulk_import("t", tmp_path / name, url=empty_url, mode="replace")
        assert (result.dialect.format, result.columns) == ("jsonl", ("a", "b"))
        assert rows(empty_url, "SELECT length(a), b FROM t") == [(len(long), 1), (None, 2)]


@pytest.mark.parametrize(
    ("name", "content", "options", "problem"),
    [
        ("t.copy", "1\tNULL\n", {"null": ["NULL"]}, "null is said of delimited text, and the file is copy"),
        ("t.jsonl", '{"a": 1}\n', {"null": [""]}, "null is said of delimited text, and the file is jsonl"),
        ("t", '{"a": 1}\n', {"skip_lines": 1}, "skip_lines is said of delimited text, and the file is jsonl"),
        ("t.csv", "a,b\n", {"format": "copy", "quote": "'"}, "quote is said of delimited text, and the file is copy"),
        ("t.csv", "a,b\n1,x\n", {"delimiter": ",", "escape": ","}, "',' cannot be the delimiter and the escape"),
        ("t.csv", "a,b\n1,x\n", {"delimiter": "'", "quote": "'"}, '"\'" cannot be the delimiter and the quote'),
        ("t.csv", "a,b\n1,x\n", {"escape": ","}, "',' cannot be the delimiter and something else"),
    ],
)  # fmt: skip
def test_an_option_that_could_not_be_obeyed_is_refused(
    empty_url: str, tmp_path: Path, name: str, content: str, options: dict[str, object], problem: str
) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a integer, b text)")
    (tmp_path / name).write_text(content)
    with pytest.raises(SettingsError) as caught:
        bulk_import("t", tmp_path / name, url=empty_url, **options)  # type: ignore[arg-type]
    assert caught.value.problem == problem
