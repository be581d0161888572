"""A large file: memory stays small, and a process that is killed leaves nothing behind."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from spotify_ai_agent_migrations import RowError, bulk_import
from support import ROOT, beside, connected, environment, heard, rows, until

_WORK = """
import sys
from versions.bulk_import_export import bulk_export, bulk_import
{work}("t", sys.argv[1], url=sys.argv[2])
# Not ru_maxrss: to that, what the process was forked from belongs.
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024)
"""


def _table(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text, extra jsonb)")


def _file(path: Path, count: int) -> Path:
    with path.open("w") as file:
        file.write("id,name,extra\n")
        for number in range(count):
            file.write(f'{number},name {number},"{{""number"": {number}, ""text"": ""{"x" * 40}""}}"\n')
    return path


def _peak_mib(path: Path, url: str, work: str = "bulk_import") -> int:
    command = (sys.executable, "-c", _WORK.format(work=work), path, url)
    with beside(*command, env=environment(None), cwd=ROOT) as process:
        output, complaint = process.communicate(timeout=300)
    assert process.returncode == 0, complaint
    return int(output)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read where Linux tells it")
def test_memory_does_not_grow_with_the_file(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url)
    small = _peak_mib(_file(tmp_path / "small.csv", 180_000), empty_url)
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE t")
    large = _peak_mib(_file(tmp_path / "large.csv", 400_000), empty_url)
    assert rows(empty_url, "SELECT count(*), sum((extra->>'number')::bigint) FROM t") == [
        (400_000, sum(range(400_000)))
    ]
    # The large file has 21 MB more; blocks and what is made of them come and go.
    assert large - small < 12
    assert large < 200


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read where Linux tells it")
def test_memory_stays_small_where_values_are_a_hundred_times_their_pages(
    empty_url: str, tmp_path: Path
) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t AS SELECT n AS id, repeat(chr(65 + n % 26), 60000) AS note, "
            "CASE WHEN n % 4 = 0 THEN repeat(md5(n::text), 50) END AS more FROM generate_series(1, 14000) AS n;"
            "CREATE TABLE again (LIKE t); INSERT INTO again TABLE t;"
            "INSERT INTO t TABLE again; INSERT INTO t SELECT id, NULL, repeat(md5(id::text), 100) FROM again"
        )
    path = tmp_path / "t.parquet"
    assert _peak_mib(path, empty_url, "bulk_export") < 200
    path.unlink()


def test_what_is_read_of_a_record_without_end_is_bounded(empty_url: str) -> None:
    _table(empty_url)
    for begin in (b"id,name\n1,", b'id,name\n1,"'):
        endless = _Endless(begin)
        with pytest.raises(RowError) as caught:
            bulk_import("t", cast(BinaryIO, endless), url=empty_url, max_record_bytes=4 << 20)
        assert caught.value.problem == '"the file object" line 2: the record is longer than 4 MiB'
        assert endless.given < 16 << 20


class _Endless(io.RawIOBase):
    """A gigabyte of one record, and more if anybody asks."""

    def __init__(self, begin: bytes) -> None:
        super().__init__()
        self.given = 0
        self._begin = begin

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._begin or b"x" * len(buffer)
        self._begin = b""
        buffer[: len(part)] = part
        self.given += len(part)
        return len(part)


# It stops for good once the server has taken some rows, and not all: whoever looks for that moment may miss it.
_STOPPED = """
import sys
from versions.bulk_import_export import bulk_import
def stop(progress):
    print("loaded", flush=True)
    sys.stdin.read()
bulk_import("t", sys.argv[1], url=sys.argv[2], progress=stop)
"""


def test_a_killed_import_leaves_the_table_as_it_was_and_a_second_one_loads_it(
    empty_url: str, tmp_path: Path
) -> None:
    _table(empty_url)
    path = _file(tmp_path / "t.csv", 300_000)
    command = (sys.executable, "-c", _STOPPED, path, empty_url)
    with beside(*command, env=environment(None), cwd=ROOT, stdin=subprocess.PIPE) as process:
        heard(process.stdout, "loaded")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    loading = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'agentdb bulk import'"
    until(lambda: rows(empty_url, f"{loading} AND datname = current_database()") == [])
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]
    assert bulk_import("t", path, url=empty_url).rows == 300_000
