"""What an export may hold, in which form, and that it is of one moment however many read."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from spotify_ai_agent_migrations import (
    DatabaseError,
    FileError,
    PrivilegeError,
    TableError,
    bulk_export,
    bulk_import,
)
from spotify_ai_agent_migrations.versions.bulk_import_export import catalogue, exporting, selection, wish
from support import connected, data, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


_TYPES = (
    "i bigint, n numeric, f double precision, d date, z timestamptz, w interval, b bytea, j jsonb, a text[], "
    "u uuid, o boolean, t text, g int4range, h inet"
)


@pytest.mark.parametrize(
    "name",
    [
        "t.csv",
        "t.tsv.gz",
        "t.jsonl",
        "t.copy.zst",
        "t.jsonl.xz",
        "t.csv.bz2",
        "t.pgcopy",
        "t.parquet",
        "t.arrow",
    ],
)
def test_every_form_comes_back_as_it_was(empty_url: str, tmp_path: Path, name: str) -> None:
    strings = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    _execute(empty_url, f"CREATE TABLE t ({_TYPES}); CREATE TABLE again (LIKE t)")
    _execute(
        empty_url,
        """INSERT INTO t VALUES (-9223372036854775808, 1e-20, 'infinity', '0044-03-15 BC', '2020-02-03 04:05:06.7+09',
        '-1 year 3 days', '\\x00ff', '{"a": ["\\\\", 1.50]}', '{NULL,"",a\\,b,"NULL"}', gen_random_uuid(), true, '',
        '[1,5)', '::1'), (NULL, 'NaN', '-0', NULL, NULL, NULL, '', '"x"', '{}', NULL, false, NULL, 'empty', NULL)""",
    )
    with connected(empty_url) as connection, connection.cursor() as cursor:
        every = [*strings, "\\.", "\\N", "a\r\nb\rc\n\t", '"', "'", "NULL"]
        cursor.execute("INSERT INTO t (t) SELECT unnest(%s::text[])", (every,))
        if name.endswith(("parquet", "arrow")):
            # There is no year 44 before Christ in these.
            cursor.execute("UPDATE t SET d = '1044-03-15' WHERE d < '0001-01-01'")
    exported = bulk_export("t", tmp_path / name, url=empty_url)
    loaded = bulk_import("again", tmp_path / name, url=empty_url, format=wish.format_of(name))  # type: ignore[arg-type]
    assert exported.rows == loaded.rows > len(strings)
    missing = "SELECT count(*) FROM (SELECT t::text FROM {} AS t EXCEPT ALL SELECT t::text FROM {} AS t) AS x"
    assert (
        rows(empty_url, missing.format("t", "again"))
        == rows(empty_url, missing.format("again", "t"))
        == [(0,)]
    )


def test_columns_filter_order_and_parameters_are_chosen(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url, "CREATE TABLE t (a integer, b text); INSERT INTO t VALUES (1, 'x'), (3, 'y'), (2, 'z')"
    )
    path = tmp_path / "t.csv"
    bulk_export(
        "t",
        path,
        url=empty_url,
        columns=["b", "a"],
        where="a > %(least)s",
        order_by=["a"],
        parameters={"least": 1},
    )
    assert path.read_text() == "b,a\nz,2\ny,3\n"
    result = bulk_export(
        "SELECT a * 2 AS twice FROM t WHERE b = %(b)s;",
        path,
        url=empty_url,
        query=True,
        parameters={"b": "x"},
    )
    assert (result.table, path.read_text()) == ("the query", "twice\n2\n")
    with pytest.raises(TableError) as caught:
        bulk_export("t", path, url=empty_url, columns=["c"])
    assert (caught.value.problem, caught.value.hint) == ('public.t has no column "c"', 'it has: "a", "b"')
    _execute(empty_url, "CREATE SEQUENCE s")
    with pytest.raises(DatabaseError) as written:
        bulk_export("SELECT nextval('s')", path, url=empty_url, query=True)
    assert written.value.problem == "exporting the query: cannot execute nextval() in a read-only transaction"


def test_sessions_side_by_side_write_one_moment_in_order(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_SERIAL_BELOW_BYTES", 1)
    monkeypatch.setattr(selection, "_RANGE_BYTES", 1 << 18)
    _execute(
        empty_url,
        "CREATE TABLE t (a integer, b text) PARTITION BY RANGE (a);"
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (50000);"
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (50000) TO (100000);"
        "INSERT INTO t SELECT n, repeat('x', 40) FROM generate_series(0, 99999) AS n",
    )
    reader = exporting._Export._reader
    changed = threading.Event()

    def late(self: exporting._Export, stack: object, snapshot: str) -> object:
        if not changed.is_set():
            changed.set()
            _execute(
                empty_url, "DELETE FROM t WHERE a < 1000; INSERT INTO t VALUES (999, 'new'), (99999, 'new')"
            )
        return reader(self, stack, snapshot)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting._Export, "_reader", late)
    result = bulk_export("t", tmp_path / "t.csv", url=empty_url, workers=3)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert changed.is_set()
    assert result.rows == 100_000
    assert lines[1:] == [f"{number},{'x' * 40}" for number in range(100_000)]
    with connected(empty_url) as connection, connection.cursor() as cursor:
        assert len(catalogue.read_ranges(cursor, _oid(empty_url), range_bytes=1 << 18, least_bytes=1)) > 4


def _oid(url: str) -> int:
    return int(str(rows(url, "SELECT 't'::regclass::oid")[0][0]))


def test_personal_columns_are_for_those_who_may_see_them(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer, mail text); INSERT INTO t VALUES (1, 'a@b.example'), (2, NULL);"
        "COMMENT ON COLUMN t.id IS 'none: number'; COMMENT ON COLUMN t.mail IS 'contact: address'",
    )
    other = login(grants=("GRANT SELECT ON t TO {role}",))
    path = tmp_path / "t.csv"
    for personal in (None, "keep", "refuse"):
        with pytest.raises(PrivilegeError) as caught:
            bulk_export("t", path, url=other, personal=personal)
    assert caught.value.problem == 'public.t holds personal data in "mail", and this export may not hold it'
    assert bulk_export("t", path, url=other, personal="mask").masked == ("mail",)
    assert path.read_text() == "id,mail\n1,***\n2,\n"
    assert bulk_export("t", path, url=other, columns=["id"]).rows == 2
    assert bulk_export("t", path, url=empty_url).masked == ()


def test_no_value_is_a_formula_when_a_spreadsheet_reads_it(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a text, n integer); INSERT INTO t VALUES ('=1+1', -1), ('@x', 2), ('x=1', 3)",
    )
    bulk_export("t", tmp_path / "t.csv", url=empty_url, for_spreadsheets=True)
    assert (tmp_path / "t.csv").read_text() == "a,n\n'=1+1,-1\n'@x,2\nx=1,3\n"


@pytest.mark.parametrize("query", [False, True])
def test_a_formula_is_found_in_whatever_can_hold_a_text_and_in_a_name(
    empty_url: str, tmp_path: Path, query: bool
) -> None:
    _execute(
        empty_url,
        "CREATE DOMAIN words AS varchar(9); CREATE DOMAIN debt AS integer; CREATE TYPE label AS ENUM ('=1');"
        'CREATE TABLE t (w words, e label, c "char", n name, l text, "=h()" text, d debt, f numeric, i interval,'
        " a integer[]);"
        "INSERT INTO t VALUES ('=1', '=1', '=', '=1', E'\\n=1', 'h', -1, -1.5, '-1 day', '{-1}')",
    )
    path = tmp_path / "t.csv"
    bulk_export("SELECT * FROM t" if query else "t", path, url=empty_url, for_spreadsheets=True, query=query)
    assert path.read_text() == ("w,e,c,n,l,'=h(),d,f,i,a\n'=1,'=1,'=,'=1,\"'\n=1\",h,-1,-1.5,P-1D,{-1}\n")
    bulk_export("t", path, url=empty_url)
    assert path.read_text().startswith("w,e,c,n,l,=h(),d,f,i,a\n=1,=1,=,")


def test_a_manifest_tells_the_file_from_any_other(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (2)")
    path = tmp_path / "t.csv.gz"
    result = bulk_export("t", path, url=empty_url, manifest=True)
    said = json.loads((tmp_path / "t.csv.gz.manifest.json").read_text())
    assert (said["rows"], said["sha256"], said["bytes"]) == (2, result.sha256, path.stat().st_size)
    assert bulk_import("t", path, url=empty_url, verify=True).rows == 2
    path.write_bytes(gzip.compress(b"a\n1\n"))
    with pytest.raises(FileError) as caught:
        bulk_import("t", path, url=empty_url, verify=True)
    assert caught.value.problem == f'"{path}" is not the file that "{path}.manifest.json" was written for'
    assert rows(empty_url, "SELECT count(*) FROM t") == [(4,)]
