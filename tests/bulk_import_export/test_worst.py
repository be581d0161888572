"""The worst files and the worst moments: refused by line, or loaded whole, and nothing left of what was not."""

from __future__ import annotations

import gc
import gzip
import json
import random
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import (
    FileError,
    LockError,
    MigrationError,
    RowError,
    ServerError,
    bulk_export,
    bulk_import,
)
from spotify_ai_agent_migrations.versions.bulk_import_export import cutting, importing, target
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from support import connected, data, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small file have many blocks."""
    monkeypatch.setattr(cutting, "BLOCK_BYTES", 4_096)


# Files -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
def test_lines_may_end_in_every_way_in_one_file(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, s text)")
    chance = random.Random(7)  # noqa: S311  (any will do)
    kept = [chance.choice(["x", "a\nb", "a\r\nb", "a\rb", "\r", "\n\n"]) for _ in range(3_000)]
    ends = [chance.choice(["\n", "\r\n", "\r"]) for _ in kept]
    text = "".join(f'{number},"{kept[number]}"{end}' for number, end in enumerate(ends))
    (tmp_path / "t.csv").write_bytes(b"id,s\r\n" + text.encode())
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url).rows == len(kept)
    assert rows(empty_url, "SELECT s FROM t ORDER BY id") == [(one,) for one in kept]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"7,a\0b\n", "a NUL byte, which PostgreSQL cannot store"),
        (b"7,a\xffb\n", "bytes that are not UTF-8"),
        (b"7,\xed\xa0\x80\n", "bytes that are not UTF-8"),
        (b'7,"\xc3"\n', "bytes that are not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.copy", "t.jsonl"])
@pytest.mark.usefixtures("small_blocks")
def test_bytes_that_no_text_has_in_the_middle_are_one_reject(
    empty_url: str, tmp_path: Path, bad: bytes, problem: str, name: str
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, s text)")
    head, good = b"id,s\n", b"1,good\n"
    if name in {"t.tsv", "t.copy"}:
        head, good, bad = (one.replace(b",", b"\t") for one in (head, good, bad))
    if name == "t.copy":
        head, bad = b"", bad.replace(b'"', b"")
    if name == "t.jsonl":
        value = bad[2:-1].strip(b'"')
        head, good, bad = b"", b'{"id":1,"s":"good"}\n', b'{"id":7,"s":"%b"}\n' % value
    path = tmp_path / name
    path.write_bytes(head + good * 3_000 + bad + good * 3_000)
    said: dict[str, Any] = {"header": False} if name == "t.copy" else {}
    line = 3_001 + head.count(b"\n")
    with pytest.raises(RowError) as caught:
        bulk_import("t", path, url=empty_url, encoding="utf-8", **said)
    assert caught.value.line == line
    result = bulk_import("t", path, url=empty_url, encoding="utf-8", max_rejects=1, **said)
    assert [one.line for one in result.rejects] == [line]
    if name != "t.jsonl":
        assert result.rejects[0].reason == problem
    assert rows(empty_url, "SELECT s, count(*) FROM t GROUP BY s") == [("good", 6_000)]


@pytest.mark.parametrize(
    ("name", "begin", "most_mib"),
    [("t.csv", b"id,s\n1,a\n2,", 32), ("t.csv", b'id,s\n1,a\n2,"', 4), ("t.jsonl", b'{"s":"a"}\n{"s":"', 32)],
)
def test_a_record_of_a_gigabyte_is_refused_before_it_is_read(
    empty_url: str, tmp_path: Path, name: str, begin: bytes, most_mib: int
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, s text)")
    # A member of sixteen MiB that expands a hundredfold, again and again.
    member = gzip.compress((bytes(range(97, 105)) * 8_192 + b"x" * (1 << 20)) * 15, 1)
    with (tmp_path / f"{name}.gz").open("wb") as file:
        file.write(gzip.compress(begin))
        for _ in range(70):
            file.write(member)
    began = time.monotonic()
    with pytest.raises(RowError) as caught:
        bulk_import(
            "t", tmp_path / f"{name}.gz", url=empty_url, max_rejects=5, max_record_bytes=most_mib << 20
        )
    assert f": the record is longer than {most_mib} MiB" in caught.value.problem
    assert caught.value.line == (3 if name == "t.csv" else 2)
    assert time.monotonic() - began < 30
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


_FORMATS = ["t.csv.gz", "t.tsv", "t.tsv.bz2", "t.jsonl", "t.jsonl.zst", "t.copy", "t.copy.xz", "t.pgcopy",
            "t.parquet", "t.arrow"]  # fmt: skip


@pytest.mark.parametrize("name", _FORMATS)
def test_naughty_strings_go_out_and_come_in_by_every_format(
    empty_url: str, tmp_path: Path, name: str
) -> None:
    strings = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    every = [
        *strings,
        None,
        "\\.",
        "\\N",
        "a\r\nb\rc\n\t",
        '"',
        "'",
        "NULL",
        "null",
        "\ufeff",
        "\x01\x02",
        "{",
        "[",
    ]
    _execute(empty_url, "CREATE TABLE t (n integer, string text, many text[]); CREATE TABLE again (LIKE t)")
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO t SELECT n, one, ARRAY[one, NULL, one] FROM unnest(%s) WITH ORDINALITY AS x (one, n)",
            (every,),
        )
    bulk_export("t", tmp_path / name, url=empty_url)
    assert bulk_import("again", tmp_path / name, url=empty_url).rows == len(every)
    assert rows(empty_url, "SELECT string, many FROM again ORDER BY n") == [
        (one, [one, None, one]) for one in every
    ]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-16", {}), ("utf-16-le", {"encoding": "utf-16-le"}), ("utf-8-sig", {"delimiter": ";", "quote": "'"}),
        ("utf-8", {"delimiter": "|", "escape": "\\"}), ("utf-8", {"delimiter": "\x01"}),
    ],
)  # fmt: skip
def test_naughty_strings_come_in_by_every_dialect(
    empty_url: str, tmp_path: Path, encoding: str, said: dict[str, Any]
) -> None:
    strings = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    every = [*strings, "\\.", "\\N", "a\r\nb\rc\n\t", '"', "'", "NULL", ";", "|", "\\"]
    _execute(empty_url, "CREATE TABLE t (n integer, string text)")
    delimiter, quote, escape = said.get("delimiter", ","), said.get("quote", '"'), said.get("escape")
    lines = [f"n{delimiter}string\n"]
    for number, string in enumerate(every):
        inner = string.replace(escape, escape * 2) if escape else string
        inner = inner.replace(quote, (escape or quote) + quote)
        lines.append(f"{number}{delimiter}{quote}{inner}{quote}\n")
    (tmp_path / "t.csv").write_bytes("".join(lines).encode(encoding))
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, **said).rows == len(every)
    assert rows(empty_url, "SELECT string FROM t ORDER BY n") == [(one,) for one in every]


def test_naughty_strings_come_in_as_others_write_json(empty_url: str, tmp_path: Path) -> None:
    strings = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    _execute(empty_url, "CREATE TABLE t (n integer, string text, document jsonb, many text[])")
    with (tmp_path / "t.jsonl").open("w", encoding="utf-8") as file:
        for number, string in enumerate(strings):
            row = {"n": number, "string": string, "document": {string or "x": [string]}, "many": [string]}
            file.write(json.dumps(row, ensure_ascii=number % 2 == 0) + "\n")
    assert bulk_import("t", tmp_path / "t.jsonl", url=empty_url).rows == len(strings)
    assert rows(empty_url, "SELECT string, document, many FROM t ORDER BY n") == [
        (string, {string or "x": [string]}, [string]) for string in strings
    ]


@pytest.mark.parametrize(
    "parts", [("chinook", "ChinookData.json"), ("bcp47_subtag_registry", "registry.json")]
)
def test_every_list_of_real_documents_comes_back_as_it_was(
    empty_url: str, tmp_path: Path, parts: tuple[str, str]
) -> None:
    found = json.loads(data(*parts).read_text(encoding="utf-8"))
    for listed in found.values() if isinstance(found, dict) else [found]:
        names = list(dict.fromkeys(name for one in listed for name in one))
        columns = ", ".join('"' + name.replace("%", "%%") + '" jsonb' for name in names)
        _execute(
            empty_url,
            f"DROP TABLE IF EXISTS t, again; CREATE TABLE t ({columns}); CREATE TABLE again (LIKE t)",
        )
        path = tmp_path / "t.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in listed))
        assert bulk_import("t", path, url=empty_url).rows == len(listed)
        bulk_export("t", path, url=empty_url)
        # The server may put a row where there is room.
        found_again = sorted(
            json.dumps(json.loads(line), sort_keys=True) for line in path.read_text().splitlines()
        )
        assert found_again == sorted(json.dumps(one, sort_keys=True) for one in listed)
        assert bulk_import("again", path, url=empty_url).rows == len(listed)
        compared = "SELECT one::text FROM {} AS one ORDER BY 1"
        assert rows(empty_url, compared.format("again")) == rows(empty_url, compared.format("t"))


# Moments ---------------------------------------------------------------------------------------------


@pytest.fixture
def no_more_space() -> Iterator[None]:
    """Let no file of this process grow beyond half a MiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("t.csv", {}),
        ("t.csv.gz", {}),
        ("t.parquet", {}),
        ("t.jsonl.xz", {}),
        ("t.csv", {"split_rows": 17_000}),
    ],
)
@pytest.mark.usefixtures("no_more_space")
def test_an_export_that_meets_the_end_of_the_space_leaves_all_as_it_was(
    empty_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    said: dict[str, Any],
    named: bool,
) -> None:
    if named:
        monkeypatch.setattr(target, "_unnamed", lambda _: None)
    _execute(
        empty_url,
        "CREATE TABLE t (a text); INSERT INTO t SELECT md5(n::text) FROM generate_series(1, 40000) AS n",
    )
    for place in (name, "t-0001.csv"):
        (tmp_path / place).write_text("before")
    with pytest.raises(FileError) as caught:
        bulk_export("t", tmp_path / name, url=empty_url, **said)
    assert caught.value.problem.endswith(" cannot be written: file too large")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        name: "before",
        "t-0001.csv": "before",
    }


def _cut(url: str) -> None:
    rows(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'agentdb bulk%%' AND pid <> pg_backend_pid()",
    )


@pytest.mark.parametrize(
    "said", [{"workers": 2}, {"mode": "upsert", "max_rejects": 3}, {"mode": "replace"}], ids=str
)
@pytest.mark.parametrize("after", [1, 8])
@pytest.mark.usefixtures("small_blocks")
def test_an_atomic_import_whose_connections_are_cut_loads_nothing(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], after: int
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (-1)")
    path = tmp_path / "t.csv"
    path.write_text("id\n" + "".join(f"{number}\n" for number in range(20_000)))
    note = importing.Import._note
    noted: list[int] = []

    def cutting_off(self: importing.Import, outcome: Any) -> None:
        note(self, outcome)
        noted.append(1)
        if len(noted) == after:
            _cut(empty_url)

    monkeypatch.setattr(importing.Import, "_note", cutting_off)
    with pytest.raises(ServerError):
        bulk_import("t", path, url=empty_url, **said)
    assert len(noted) >= after
    assert rows(empty_url, "SELECT count(*) FROM t") == [(1,)]
    monkeypatch.setattr(importing.Import, "_note", note)
    assert bulk_import("t", path, url=empty_url, **said).rows == 20_000


@pytest.mark.parametrize("workers", [1, 2])
def test_an_export_whose_connection_is_cut_leaves_the_file_as_it_was(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a text); INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 45000)",
    )
    (tmp_path / "t.csv").write_text("before")
    write = target.Target.write
    written: list[int] = []

    def cutting_off(self: target.Target, part: bytes) -> int:
        if not written:
            _cut(empty_url)
        written.append(len(part))
        return write(self, part)

    monkeypatch.setattr(target.Target, "write", cutting_off)
    with pytest.raises(ServerError):
        bulk_export("t", tmp_path / "t.csv", url=empty_url, workers=workers)
    # What was read ahead is closed: a file that is not would be told here.
    gc.collect()
    assert written
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"t.csv": "before"}


@pytest.mark.parametrize("said", [{}, {"mode": "upsert"}, {"max_rejects": 5}], ids=str)
@pytest.mark.usefixtures("small_blocks")
def test_of_several_equal_resumable_imports_at_once_each_row_is_loaded_by_one(
    url: str, tmp_path: Path, said: dict[str, Any]
) -> None:
    _execute(url, f"CREATE TABLE t (id integer {'PRIMARY KEY' if 'mode' in said else ''})")
    path = tmp_path / "t.csv"
    path.write_text("id\n" + "".join(f"{number}\n" for number in range(20_000)))
    told: list[object] = []

    def load() -> None:
        try:
            told.append(bulk_import("t", path, url=url, guarantee="resumable", workers=2, **said).rows)
        except Exception as error:  # noqa: BLE001  (it is looked at below)
            told.append(error)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {type(one) for one in told} <= {int, LockError}, told
    assert len(told) == 3
    assert 20_000 in told
    assert rows(url, "SELECT count(*), count(DISTINCT id) FROM t") == [(20_000, 20_000)]


@pytest.mark.usefixtures("small_blocks")
def test_a_table_cannot_be_altered_under_an_atomic_import(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, s text)")
    path = tmp_path / "t.csv"
    path.write_text("id,s\n" + "".join(f"{number},x\n" for number in range(5_000)))
    send = Session.send
    refused: list[BaseException] = []

    def altering(self: Session, prepared: Any) -> Any:
        outcome = send(self, prepared)
        if not refused:
            with pytest.raises(Exception, match="lock timeout") as caught:
                _execute(empty_url, "SET lock_timeout = '50ms'; ALTER TABLE t DROP COLUMN s")
            refused.append(caught.value)
        return outcome

    monkeypatch.setattr(Session, "send", altering)
    assert bulk_import("t", path, url=empty_url).rows == 5_000
    assert refused
    assert rows(empty_url, "SELECT count(*), count(s) FROM t") == [(5_000, 5_000)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE t ALTER COLUMN s TYPE integer USING NULL", {}),
        ("ALTER TABLE t ADD CONSTRAINT short CHECK (id < 0) NOT VALID", {}),
        ("DROP TABLE t", {}),
        ("DROP TABLE t; CREATE TABLE t (id integer, s text)", {}),
        ("ALTER TABLE t ADD COLUMN z integer NOT NULL DEFAULT 1", None),
    ],
)
@pytest.mark.usefixtures("small_blocks")
def test_a_table_altered_between_blocks_keeps_what_the_ledger_says(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, said: dict[str, Any] | None
) -> None:
    _execute(url, "CREATE TABLE t (id integer, s text)")
    path = tmp_path / "t.csv"
    path.write_text("id,s\n" + "".join(f"{number},x\n" for number in range(5_000)))
    note = importing.Import._note
    altered: list[int] = []

    def altering(self: importing.Import, outcome: Any) -> None:
        note(self, outcome)
        if not altered:
            altered.append(1)
            _execute(url, f"SET lock_timeout = '10s'; {change}")

    monkeypatch.setattr(importing.Import, "_note", altering)
    if said is None:
        assert bulk_import("t", path, url=url, guarantee="resumable", workers=1).rows == 5_000
        assert rows(url, "SELECT count(*), sum(z) FROM t") == [(5_000, 5_000)]
        return
    with pytest.raises(MigrationError):
        bulk_import("t", path, url=url, guarantee="resumable", workers=1)
    assert altered
    [(loaded, finished)] = rows(url, "SELECT loaded_count, finished_at FROM ops.import_job")
    assert 0 < int(str(loaded)) < 5_000
    assert finished is None
    if "DROP" not in change:
        assert rows(url, "SELECT count(*) FROM t") == [(loaded,)]
