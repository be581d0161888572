"""Parquet and Arrow come in as the values they hold, whoever wrote them; COPY's binary form as it stands."""

from __future__ import annotations

import datetime
import io
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import (
    FileError,
    RowError,
    SettingsError,
    TableError,
    bulk_export,
    bulk_import,
)
from support import connected, rows

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

_UTC = datetime.timezone.utc


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _table() -> Any:
    at = datetime.datetime(2020, 2, 3, 4, 5, 6, 789_000)
    return pa.table(
        {
            "i": pa.array([1, None, -(2**63)], pa.int64()),
            "n": pa.array([Decimal("1.10"), None, Decimal("-0.01")], pa.decimal128(12, 2)),
            "f": pa.array([0.1, float("nan"), float("-inf")], pa.float64()),
            "t": pa.array(["a\tb\\c\r\nd", "", None], pa.string()),
            "k": pa.array(["x", "y", "x"]).dictionary_encode(),
            "z": pa.array([at, None, at], pa.timestamp("ns", "Asia/Tokyo")),
            "d": pa.array([datetime.date(1969, 7, 20), None, None], pa.date32()),
            "w": pa.array([datetime.timedelta(days=1, seconds=1.5), None, None], pa.duration("ms")),
            "b": pa.array([b"\0\xff", b"", None], pa.binary()),
            "u": pa.array([uuid.UUID(int=5).bytes, None, None], pa.uuid()),
            "a": pa.array([["x", None, 'q"'], [], None], pa.list_(pa.string())),
            "m": pa.array([[[1, 2], [3, 4]], None, None], pa.list_(pa.list_(pa.int32()))),
            "j": pa.array([{"x": 1, "y": ["z"]}, None, None]),
            "o": pa.array([True, False, None]),
            "x": pa.nulls(3),
        }
    )


_COLUMNS = (
    "i bigint, n numeric, f double precision, t text, k text, z timestamptz, d date, w interval, b bytea, "
    "u uuid, a text[], m integer[], j jsonb, o boolean, x text"
)
_FIRST = (
    1, Decimal("1.10"), 0.1, "a\tb\\c\r\nd", "x", datetime.datetime(2020, 2, 3, 4, 5, 6, 789_000, _UTC),
    datetime.date(1969, 7, 20), datetime.timedelta(days=1, seconds=1.5), b"\0\xff",
    "00000000-0000-0000-0000-000000000005", ["x", None, 'q"'], [[1, 2], [3, 4]], {"x": 1, "y": ["z"]}, True, None,
)  # fmt: skip


def _write(path: Path, table: Any) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=2)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    else:
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.arrows"])
def test_values_of_every_type_arrive_as_they_are(empty_url: str, tmp_path: Path, name: str) -> None:
    _execute(empty_url, f"CREATE TABLE t ({_COLUMNS})")
    result = bulk_import("t", _write(tmp_path / name, _table()), url=empty_url)
    assert (result.rows, result.dialect.format) == (3, "parquet" if "parquet" in name else "arrow")
    first, second, third = rows(empty_url, "SELECT * FROM t")
    assert tuple(bytes(one) if isinstance(one, memoryview) else one for one in first) == _FIRST
    assert (second[3], second[8] == b"", second[10]) == ("", True, [])
    assert (third[0], str(third[2]), third[3]) == (-(2**63), "-inf", None)


def test_a_row_that_the_table_refuses_is_named_by_its_number(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (i integer, t varchar(3))")
    path = _write(
        tmp_path / "t.parquet", pa.table({"T": ["a", "four", "b\n", None], "I": ["1", "2", "x", "4"]})
    )
    with pytest.raises(RowError) as caught:
        bulk_import("t", path, url=empty_url)
    assert caught.value.problem == f'"{path}" line 2, column "t": too long for character varying(3)'
    result = bulk_import("t", path, url=empty_url, max_rejects=2)
    assert [(one.line, one.column) for one in result.rejects] == [(2, "T"), (3, "I")]
    assert rows(empty_url, "SELECT i, t FROM t") == [(1, "a"), (4, None)]


def test_what_arrow_cannot_hold_is_refused_without_the_value(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, d date); INSERT INTO t VALUES (1, 'infinity')")
    with pytest.raises(TableError) as caught:
        bulk_export("t", tmp_path / "t.parquet", url=empty_url)
    assert (caught.value.problem, caught.value.hint) == (
        '"d" holds a value that parquet has no form for, such as infinity or a year before 1',
        'write it as text: --query with "d"::text, or another format',
    )
    assert list(tmp_path.iterdir()) == []
    bulk_export("SELECT a, d::text AS d FROM t", tmp_path / "t.parquet", url=empty_url, query=True)
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == [{"a": 1, "d": "infinity"}]


def test_an_export_has_the_types_of_its_table_and_rows_by_the_group(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (i integer, n numeric(9, 3), z timestamptz, b bytea, t text);"
        "INSERT INTO t SELECT n, n / 8.0, 'epoch'::timestamptz + n * interval '1 s', '\\x00ff', repeat('x', 200)"
        "  FROM generate_series(1, 80000) AS n",
    )
    _execute(empty_url, "ANALYZE t")
    result = bulk_export("t", tmp_path / "t.parquet", url=empty_url, columns=["i", "n", "z", "b", "t"])
    found = parquet.ParquetFile(tmp_path / "t.parquet")
    assert [str(field.type) for field in found.schema_arrow] == [
        "int32", "decimal128(9, 3)", "timestamp[us, tz=UTC]", "binary", "string",
    ]  # fmt: skip
    assert found.num_row_groups > 1
    assert found.metadata.num_rows == result.rows == 80_000
    assert found.read().slice(8, 1).to_pylist()[0] == {
        "i": 9, "n": Decimal("1.125"), "z": datetime.datetime(1970, 1, 1, 0, 0, 9, tzinfo=_UTC), "b": b"\0\xff",
        "t": "x" * 200,
    }  # fmt: skip


def test_a_table_without_rows_and_one_column_of_nulls_come_back(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE none (a text); CREATE TABLE t (a text); CREATE TABLE again (a text)")
    _execute(empty_url, "INSERT INTO t VALUES (NULL), (''), (NULL), ('x')")
    for name in ("e.parquet", "e.arrow"):
        bulk_export("none", tmp_path / name, url=empty_url)
        assert bulk_import("again", tmp_path / name, url=empty_url).rows == 0
        bulk_export("t", tmp_path / name, url=empty_url)
        _execute(empty_url, "TRUNCATE again")
        bulk_import("again", tmp_path / name, url=empty_url)
        assert rows(empty_url, "SELECT a FROM again") == [(None,), ("",), (None,), ("x",)]


def test_files_that_are_broken_or_come_from_a_pipe_are_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    path = _write(tmp_path / "t.parquet", pa.table({"a": [1, 2]}))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileError) as broken:
        bulk_import("t", path, url=empty_url)
    assert broken.value.problem == f'"{path}" cannot be read as parquet: ArrowInvalid'

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(FileError) as pipe:
        bulk_import("t", Pipe(b"PAR1" + bytes(100)), url=empty_url)
    assert pipe.value.problem == '"the file object" is parquet and comes from a pipe, where nobody can leap'


def _binary(url: str, path: Path) -> Path:
    _execute(url, "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text)")
    _execute(url, "INSERT INTO t (a) SELECT NULLIF(n % 7, 0)::text FROM generate_series(1, 30000) AS n")
    bulk_export("t", path, url=url)
    return path


def test_binary_is_loaded_by_blocks_into_every_mode(empty_url: str, tmp_path: Path) -> None:
    path = _binary(empty_url, tmp_path / "t.pgcopy")
    total = "SELECT count(*), sum(id), count(a) FROM t"
    before = rows(empty_url, total)
    _execute(empty_url, "UPDATE t SET a = 'old' WHERE id <= 10; DELETE FROM t WHERE id > 20000")
    assert bulk_import("t", path, url=empty_url, mode="upsert").rows == 10_010
    assert rows(empty_url, total) == before
    _execute(empty_url, "TRUNCATE t RESTART IDENTITY")
    assert bulk_import("t", path, url=empty_url, workers=2).rows == 30_000
    assert rows(empty_url, total) == before
    assert rows(empty_url, "INSERT INTO t (a) VALUES ('next') RETURNING id") == [(30_001,)]


def test_binary_says_which_record_is_wrong_and_what_it_cannot_do(empty_url: str, tmp_path: Path) -> None:
    path = _binary(empty_url, tmp_path / "t.pgcopy")
    with pytest.raises(RowError) as there:
        bulk_import("t", path, url=empty_url)
    assert there.value.problem == (
        f'"{path}" line 1, column "id": the key is there already, and "t_pkey" allows it once'
    )
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(RowError) as cut:
        bulk_import("t", path, url=empty_url, mode="ignore")
    assert cut.value.problem == f'"{path}" line 29999: the file ends in the middle of it'
    path.write_bytes(whole[:19] + b"\x00\x05" + whole[21:])
    with pytest.raises(RowError) as wide:
        bulk_import("t", path, url=empty_url)
    assert wide.value.problem == f'"{path}" line 1: 5 fields where the table has 2'
    with pytest.raises(SettingsError) as kept:
        bulk_import("t", path, url=empty_url, max_rejects=1)
    assert (
        kept.value.problem == "a row of binary COPY cannot be kept aside: nobody but the server can read it"
    )
    with pytest.raises(SettingsError) as mapped:
        bulk_import("t", path, url=empty_url, constants={"a": "x"}, columns={"a": None})
    assert mapped.value.hint == "load it into a table of its own columns, or export it as CSV"
