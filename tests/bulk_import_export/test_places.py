"""Addresses without their passwords, transfers that break off, and files of rejects that nobody else reads."""

from __future__ import annotations

import http.server
import io
import json
import os
import stat
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import (
    FileError,
    MigrationError,
    bulk_export,
    bulk_fix,
    bulk_import,
    bulk_retry,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.remote import without_secrets
from support import connected, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Gives one file to whoever has the password; a part of it, where that is asked for."""

    body = b"id,name\n1,a\nx,b\n"
    cut = False

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if "Basic " not in self.headers.get("Authorization", ""):
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body) + 1_000 * self.cut))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The host and port of a server with one file."""
    pytest.importorskip("fsspec")
    # Nobody in between.
    monkeypatch.setenv("NO_PROXY", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{found.server_address[1]}"
        found.shutdown()
        thread.join()


def test_the_password_of_an_address_is_nowhere_to_be_read(url: str, site: str, tmp_path: Path) -> None:
    _execute(url, "CREATE TABLE t (id integer, name text)")
    kept, address = tmp_path / "r.jsonl", f"http://alice:s3cret@{site}/f.csv"
    shown = f"http://{site}/f.csv"
    with pytest.raises(MigrationError) as caught:
        bulk_import("t", address, url=url)
    assert caught.value.problem == f'"{shown}" line 3, column "id": not a valid integer'
    result = bulk_import("t", address, url=url, max_rejects=1, rejects=kept)
    assert (result.rows, str(result.path)) == (1, shown)
    assert rows(url, "SELECT DISTINCT source FROM ops.import_job") == [(shown,)]
    assert json.loads(kept.read_text().splitlines()[0])["source"] == shown
    missing = address.replace("f.csv", "f.csv?token=s3cret").replace("alice:s3cret@", "")
    for wrong, options in (
        (missing, {}),
        (f"http://alice:s3cret@{site.partition(':')[0]}:9/f.csv", {}),
        (f"nope://alice:s3cret@{site}/f.csv", {}),
        (address, {"verify": True}),
        (address, {"verify": True, "manifest": address}),
    ):
        with pytest.raises(FileError) as refused:
            bulk_import("t", wrong, url=url, **options)
        assert "s3cret" not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(MigrationError) as export:
        bulk_export("t", address, url=url)
    assert "s3cret" not in str(export.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://bucket/a@b.csv", "s3://bucket/a@b.csv"),
        ("https://h:8080/@scope/f.csv?sig=x", "https://h:8080/@scope/f.csv"),
        ("ftp://a:b@c@h/f.csv", "ftp://h/f.csv"),
        ("http://a:b/c@h/f.csv", "http://h/f.csv"),
        ("http://[::1]:80/f.csv", "http://[::1]:80/f.csv"),
        ("simplecache::https://a:b@h/f.csv", "simplecache::https://h/f.csv"),
        ("zip://f.csv::https://a:b@h/f.zip", "zip://h/f.zip"),
    ],
)
def test_an_address_is_shown_without_what_gives_access(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


def test_a_transfer_that_breaks_off_loads_nothing(
    empty_url: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, name text)")
    monkeypatch.setattr(_Handler, "cut", True)
    monkeypatch.setattr(_Handler, "body", b"id,name\n" + b"1,a\n" * 100)
    with pytest.raises(FileError) as caught:
        bulk_import("t", f"http://alice:s3cret@{site}/f.csv", url=empty_url)
    assert caught.value.problem == (
        f'"http://{site}/f.csv" cannot be read any further: the transfer broke off'
    )
    assert caught.value.hint == "nothing was loaded; mend the file and run again"
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]
    monkeypatch.setattr(_Handler, "cut", False)
    assert bulk_import("t", f"http://alice:s3cret@{site}/f.csv", url=empty_url).rows == 100


def test_rejects_of_an_address_are_taken_up_again_when_it_is_given_again(
    empty_url: str, site: str, tmp_path: Path
) -> None:
    _execute(empty_url, "CREATE TABLE t (id text CHECK (id <> 'x'), name text)")
    kept, address = tmp_path / "r.jsonl", f"http://alice:s3cret@{site}/f.csv"
    assert bulk_import("t", address, url=empty_url, max_rejects=1, rejects=kept).rejected == 1
    with pytest.raises(FileError) as caught:
        bulk_retry(kept, url=empty_url)
    assert caught.value.hint == "mend the URL, or what gives access to it; say it whole: source=…, --source"
    _execute(empty_url, "ALTER TABLE t DROP CONSTRAINT t_id_check")
    assert bulk_retry(kept, url=empty_url, source=address).rows == 1
    assert bulk_fix(kept, tmp_path / "mend.csv", source=address) == 1
    assert (tmp_path / "mend.csv").read_text() == "id,name\nx,b\n"


def test_rejects_are_taken_up_again_from_another_folder(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    (tmp_path / "t.csv").write_text("id\n1\nx\n")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    assert bulk_import("t", "t.csv", url=empty_url, max_rejects=1, rejects="r.jsonl").rejected == 1
    monkeypatch.chdir(tmp_path / "other")
    assert bulk_fix("../r.jsonl", "mend.csv") == 1
    _execute(empty_url, "ALTER TABLE t ALTER id TYPE text")
    assert bulk_retry("../r.jsonl", url=empty_url).rows == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_file_of_rejects_is_its_owners_alone_and_no_link(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer)")
    (tmp_path / "t.csv").write_text("id\n1\nx\n")
    kept, link, other = tmp_path / "r.jsonl", tmp_path / "link", tmp_path / "other"
    other.write_text("mine")
    link.symlink_to(other)
    os.mkfifo(tmp_path / "pipe")
    expected = {
        link: ("is a symbolic link", "name the file itself"),
        tmp_path / "pipe": ("is not a regular file", "name a file to write or to replace"),
        tmp_path: ("is not a regular file", "name a file to write or to replace"),
        Path("/dev/full"): ("is not a regular file", "name a file to write or to replace"),
    }
    before = stat.S_IMODE(Path("/dev/full").stat().st_mode)
    for place, (problem, hint) in expected.items():
        with pytest.raises(FileError) as caught:
            bulk_import("t", tmp_path / "t.csv", url=empty_url, max_rejects=1, rejects=place)
        assert (caught.value.problem, caught.value.hint) == (f'"{place}" {problem}', hint)
    assert (other.read_text(), stat.S_IMODE(Path("/dev/full").stat().st_mode)) == ("mine", before)
    kept.write_text("before, and longer than what comes instead of it" * 40)
    kept.chmod(0o644)
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, dry_run=True, rejects=kept).rejected == 1
    assert kept.read_text().startswith("before")
    bulk_import("t", tmp_path / "t.csv", url=empty_url, max_rejects=1, rejects=kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [json.loads(line).get("line") for line in kept.read_text().splitlines()] == [None, 3]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_standard_output_is_said(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer); INSERT INTO t SELECT generate_series(1, 10)")
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(FileError) as caught:
            bulk_export("t", "-", url=empty_url)
        # Nothing is left that Python would try to write once more at its end.
        full.flush()
    assert caught.value.problem == "standard output cannot be written: no space left on device"
    assert caught.value.hint == "make space where it goes, and run again"


def test_a_text_in_memory_is_loaded_whatever_encoding_is_said(empty_url: str) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer, name text)")
    said: tuple[dict[str, Any], ...] = ({}, {"encoding": "cp1252"})
    for options in said:
        text = io.StringIO('id,name\n1,"é\r\nforêt"\n')
        assert bulk_import("t", text, url=empty_url, **options).rows == 1
    assert rows(empty_url, "SELECT DISTINCT id, name FROM t") == [(1, "é\r\nforêt")]


@pytest.mark.parametrize("where", [None, 1, b"t.csv", [1]])
def test_what_is_no_file_is_refused_in_words(empty_url: str, where: Any) -> None:
    with pytest.raises(FileError) as caught:
        bulk_import("t", where, url=empty_url)
    assert caught.value.problem == f"a file cannot be of type {type(where).__name__}"
