"""What an import refuses: the message whole, the line right, no value repeated, and nothing loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from spotify_ai_agent_migrations import (
    DatabaseError,
    FileError,
    LockError,
    MigrationError,
    PrivilegeError,
    RowError,
    TableError,
    bulk_import,
)
from spotify_ai_agent_migrations.versions.bulk_import_export import cutting, opening
from support import connected, data, rows

_ALBUM = """
    CREATE TABLE artist (artist_id integer PRIMARY KEY, name text);
    INSERT INTO artist VALUES (1, 'AC/DC');
    CREATE TABLE album (
        album_id integer PRIMARY KEY,
        title varchar(40) NOT NULL,
        artist_id integer REFERENCES artist,
        released date,
        price numeric(4, 2) CHECK (price >= 0),
        extra jsonb
    );
    INSERT INTO album (album_id, title) VALUES (1000, 'kept');
"""


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _refused(url: str, tmp_path: Path, content: bytes, table: str = "t") -> MigrationError:
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    with pytest.raises(MigrationError) as caught:
        bulk_import(table, path, url=url)
    # The path of a test is long and its own; what matters stands behind it.
    error = caught.value
    error.problem = error.problem.replace(str(path), "f.csv")
    error.hint = error.hint.replace(str(path), "f.csv")
    error.args = tuple(str(part).replace(str(path), "f.csv") for part in error.args)
    return error


# Files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem", "hint"),
    [
        (b"", '"f.csv" is empty', "give it at least a header: a line with the names of columns"),
        (
            b"\x1f\x8b\x08\0\0\0",
            '"f.csv" cannot be read any further: it ends in the middle of what gzip compressed',
            "nothing was loaded; mend the file and run again",
        ),
        (
            b"\x28\xb5\x2f\xfd\0",
            '"f.csv" cannot be read any further: it ends in the middle of what zstd compressed',
            "nothing was loaded; mend the file and run again",
        ),
        (
            b"PK\x03\x04\0",
            '"f.csv" is a zip archive, as an .xlsx is, and CSV is expected',
            "decompress or export it to CSV first",
        ),
        (
            b"a,b\xff\n1,2\n",
            '"f.csv" line 1: bytes that are not UTF-8',
            "convert the file, for example with: iconv -f WINDOWS-1252 -t UTF-8; or name its encoding",
        ),
        (
            b"a,b\0\n1,2\n",
            '"f.csv" line 1: a NUL byte, which PostgreSQL cannot store',
            "remove it and run again",
        ),
        (
            b'"a\n1\n',
            '"f.csv" line 1: a quote is opened and never closed',
            'close it; inside, write "" for a quote',
        ),
        (
            b"\n1\n",
            '"f.csv" line 1: name 1 of the header is empty',
            'line 1 must name columns of public.t: "a", "b"',
        ),
        (
            b"a,,b\n",
            '"f.csv" line 1: name 2 of the header is empty',
            'line 1 must name columns of public.t: "a", "b"',
        ),
        (
            b"\xef\xbb\xbf",
            '"f.csv" line 1: name 1 of the header is empty',
            'line 1 must name columns of public.t: "a", "b"',
        ),
        (
            b"A,a\n",
            '"f.csv" line 1 names a column twice: "a"',
            "rename or remove all but one of the fields",
        ),
        (
            b"a,artst\n",
            '"f.csv" line 1 names what public.t has no column for: "artst"',
            'public.t has: "a", "b"',
        ),
        (
            b"anna@example.org,17\n",
            '"f.csv" line 1 names no column of public.t',
            "the first line must be a header, or say that there is none (header=False, --no-header); "
            'public.t has: "a", "b"',
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    empty_url: str, tmp_path: Path, content: bytes, problem: str, hint: str
) -> None:
    _execute(empty_url, "CREATE TABLE t (a text, b text)")
    error = _refused(empty_url, tmp_path, content)
    assert (type(error), error.problem, error.hint) == (FileError, problem, hint)
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


def test_a_misspelt_name_in_the_header_is_guessed(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (title text, artist_id integer)")
    error = _refused(empty_url, tmp_path, b"title,artistid\n")
    assert error.problem == '"f.csv" line 1 names what public.t has no column for: "artistid"'
    assert error.hint == 'did you mean "artist_id" for "artistid"? public.t has: "title", "artist_id"'


def test_a_missing_file_a_folder_and_a_forbidden_file_are_refused_without_a_database() -> None:
    # A short path is shown whole.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forbidden = folder / "forbidden"
        forbidden.mkdir(mode=0o700)
        found = [str(_unread(folder / "none.csv")), str(_unread(folder))]
        if os.geteuid() == 0:
            os.seteuid(65_534)
            try:
                found.append(str(_unread(forbidden / "f.csv")))
            finally:
                os.seteuid(0)
    hint = "Hint: mend the path or the permissions of the file"
    expected = [
        f'"{folder / "none.csv"}" cannot be read: no such file or directory\n{hint}',
        f'"{folder}" cannot be read: is a directory\n{hint}',
        f'"{forbidden / "f.csv"}" cannot be read: permission denied\n{hint}',
    ]
    assert found == expected[: len(found)]


def _unread(path: Path) -> FileError:
    with pytest.raises(FileError) as caught:
        bulk_import("t", path, url="postgresql://nobody@127.0.0.1:1/none")
    return caught.value


# Tables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "problem", "hint"),
    [
        ("artsts", "there is no table artsts", "did you mean public.artists?"),
        ("public.artist", "there is no table public.artist", "did you mean public.artists?"),
        ("zzz", "there is no table zzz", "this database has public.artists, public.t"),
        ("v", "public.v is a view and cannot be loaded", "what can be loaded: tables, partitioned tables"),
        (
            "m",
            "public.m is a materialized view and cannot be loaded",
            "what can be loaded: tables, partitioned tables",
        ),
        (
            "s",
            "public.s is a sequence and cannot be loaded",
            "what can be loaded: tables, partitioned tables",
        ),
        (
            "t_i",
            "public.t_i is an index and cannot be loaded",
            "what can be loaded: tables, partitioned tables",
        ),
        (
            "pg_class",
            "pg_catalog.pg_class belongs to the system catalogue and cannot be loaded",
            "name a table of yours",
        ),
        (
            "my-table",
            '"my-table" is not the name of a table',
            """write it as in SQL: users, public.users, or in double quotes: '"my-table"'""",
        ),
        (
            "",
            '"" is not the name of a table',
            """write it as in SQL: users, public.users, or in double quotes: '"Odd Name"'""",
        ),
        (
            "a.b.c",
            '"a.b.c" is not the name of a table',
            """write it as in SQL: users, public.users, or in double quotes: '"a.b.c"'""",
        ),
        (
            "t\0",
            '"t\\x00" is not the name of a table',
            """write it as in SQL: users, public.users, or in double quotes: '"t\\x00"'""",
        ),
        (
            "t; DROP TABLE t",
            '"t; DROP TABLE t" is not the name of a table',
            """write it as in SQL: users, public.users, or in double quotes: '"t; DROP TABLE t"'""",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    empty_url: str, tmp_path: Path, table: str, problem: str, hint: str
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE artists (a integer); CREATE TABLE t (a integer); CREATE INDEX t_i ON t (a);"
        "CREATE VIEW v AS SELECT a FROM t; CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE SEQUENCE s",
    )
    error = _refused(empty_url, tmp_path, b"a\n1\n", table)
    assert (type(error), error.problem, error.hint) == (TableError, problem, hint)


def test_an_empty_database_says_so(empty_url: str, tmp_path: Path) -> None:
    error = _refused(empty_url, tmp_path, b"a\n1\n")
    assert (error.problem, error.hint) == (
        "there is no table t",
        "this database has no tables yet; run the migrations first",
    )


def test_a_foreign_table_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
        "CREATE FOREIGN TABLE t (a integer) SERVER s",
    )
    assert (
        _refused(empty_url, tmp_path, b"a\n1\n").problem == "public.t is a foreign table and cannot be loaded"
    )


def test_columns_that_must_be_filled_are_all_named_before_any_row(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id serial, a text NOT NULL, b text NOT NULL, c text NOT NULL DEFAULT 'c', d text)",
    )
    error = _refused(empty_url, tmp_path, b"d\nx\n")
    assert (type(error), error.problem, error.hint) == (
        TableError,
        'public.t needs "a", "b", and the header of "f.csv" lacks it',
        'add "a", "b" to the file, or give it a default in the table',
    )


def test_a_column_that_a_trigger_fills_may_be_missing(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a text NOT NULL, b text);"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := ''set''; RETURN NEW; END';"
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    )
    (tmp_path / "t.csv").write_text("b\nx\n")
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url).rows == 1


def test_a_generated_column_is_refused_with_the_fix(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, twice integer GENERATED ALWAYS AS (a * 2) STORED)")
    error = _refused(empty_url, tmp_path, b"a,twice\n1,2\n")
    assert (type(error), error.problem, error.hint) == (
        TableError,
        'public.t generates "twice" itself, and "f.csv" brings values for it',
        'remove "twice" from the file',
    )


def test_a_trigger_that_drops_rows_undoes_the_load(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer);"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN IF NEW.a = 2 THEN RETURN NULL; END IF; RETURN NEW; END';"
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    )
    error = _refused(empty_url, tmp_path, b"a\n1\n2\n3\n")
    assert error.problem == 'public.t took 2 of the 3 rows of "f.csv"; nothing was loaded'
    assert error.hint == "look for a trigger on public.t that drops rows"
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


def test_row_security_that_applies_is_refused_and_the_owner_loads(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer); ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    other = login(grants=("GRANT INSERT ON t TO {role}",))
    error = _refused(other, tmp_path, b"a\n1\n")
    assert isinstance(error, TableError)
    assert error.problem.startswith('row security of public.t applies to "r')
    assert error.hint == "connect as the owner of public.t, or as a role with BYPASSRLS"
    assert bulk_import("t", tmp_path / "f.csv", url=empty_url).rows == 1


def test_a_login_that_may_not_load_is_told_so(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    error = _refused(login(), tmp_path, b"a\n1\n")
    assert (type(error), error.problem) == (
        PrivilegeError,
        'loading "f.csv" into public.t: permission denied for table t',
    )


def test_a_table_that_is_locked_is_given_up(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer)")
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE t")
        pid = connection.info.backend_pid
        error = _refused(empty_url, tmp_path, b"a\n1\n")
    assert isinstance(error, LockError)
    assert error.problem.startswith(
        'loading "f.csv" into public.t: waited 2000 ms for a lock on public.t and gave up; '
        f"nothing was changed; in the way: pid {pid}, "
    )
    assert f"pg_terminate_backend({pid})" in error.hint


# Rows: what the reader refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line", "column", "problem"),
    [
        (b'a,b\n1,secret\n2,sec"ret\n', 3, "b", "a quote stands inside a field that is not quoted"),
        (b'a,b\n1,"x\ny"\n2,"secret"s\n', 4, "b", "text follows a closing quote"),
        (b'a,b\n1,x\n2,"secret\n3,y\n', 3, "b", "a quote is opened and never closed"),
        (b"a,b\n1,x\nsecret\n", 3, None, "1 field where the header has 2"),
        (b"a,b\r1,x\rsecret,2,3\r", 3, None, "3 fields where the header has 2"),
        (b"a,b\n1,x\n\n2,y\n", 3, None, "the line is blank"),
        (b"a,b\n\n2,y\n", 2, None, "the line is blank"),
        (b"a,b\n1,x\0secret\n", 2, "b", "a NUL byte, which PostgreSQL cannot store"),
        (b'a,b\n1,"x\r\ny"\nsecret\xff,2\n', 4, "a", "bytes that are not UTF-8"),
    ],
)
@pytest.mark.parametrize("before", [0, 70_000])
def test_a_record_that_is_no_csv_is_refused_by_line(
    empty_url: str, tmp_path: Path, content: bytes, line: int, column: str | None, problem: str, before: int
) -> None:
    _execute(empty_url, "CREATE TABLE t (a text, b text)")
    header, rest = content[:4], content[4:]
    error = _refused(empty_url, tmp_path, header + b"some text,more text\n" * before + rest)
    assert isinstance(error, RowError)
    place = f'"f.csv" line {line + before}' + (f', column "{column}"' if column else "")
    assert error.problem == f"{place}: {problem}"
    assert (error.line, error.column, error.path) == (line + before, column, str(tmp_path / "f.csv"))
    assert "secret" not in str(error) + error.hint
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


def test_a_blank_line_between_blocks_is_refused(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "BLOCK_BYTES", 8)
    _execute(empty_url, "CREATE TABLE t (a text, b text)")
    error = _refused(empty_url, tmp_path, b"a,b\n1,2\n\n\n\n\n\n\n\n\n\n3,4\n")
    assert error.problem == '"f.csv" line 3: the line is blank'


def test_a_quote_never_closed_does_not_fill_the_memory(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a text, b text)")
    (tmp_path / "f.csv").write_bytes(b'a,b\n1,"x\n' + b"2,y\n" * 2_000_000)
    with pytest.raises(RowError) as caught:
        bulk_import("t", tmp_path / "f.csv", url=empty_url, max_record_bytes=1 << 20)
    assert caught.value.problem == f'"{tmp_path / "f.csv"}" line 2: the record is longer than 1 MiB'
    assert caught.value.hint == (
        "look for a quote that is opened and never closed; or allow more by max_record_bytes"
    )


def test_real_files_at_fault_are_refused_by_line(empty_url: str) -> None:
    chart = data("billboard_hot100_by_year", "hot-100-1997.csv")
    lyrics = data("fivethirtyeight_music", "genius_hip_hop_lyrics.csv")
    for name, path in (("chart", chart), ("lyrics", lyrics)):
        header = path.read_text(encoding="latin-1").splitlines()[0].strip().replace('"', "").split(",")
        columns = ", ".join(f'"{column}" text' for column in header)
        _execute(empty_url, f"CREATE TABLE {name} ({columns})")
    with pytest.raises(RowError) as quote:
        bulk_import("chart", chart, url=empty_url)
    assert (quote.value.line, quote.value.column) == (22, "artist")
    with pytest.raises(RowError) as encoding:
        bulk_import("lyrics", lyrics, url=empty_url)
    assert encoding.value.problem == f'"{lyrics}" line 13, column "line": bytes that are not UTF-8'


# Rows: what the server refuses -----------------------------------------------------------------------

_UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
_GOOD = b'1,"two\nlines",1,2020-01-01,1.5,{}\n'
_VALUE = "mend the value and run again"
_LINE = "mend the line and run again"
_EMPTY = 'fill the field; "" in quotes is the empty text'
_TWICE = 'the key is there already, and "album_pkey" allows it once'
_REMOVE = "remove the line, or the row of public.album with this key"
_ORPHAN = 'artist has no row with this key, and "album_artist_id_fkey" needs one'
_HEADER = b"album_id,title,artist_id,released,price,extra\n"


@pytest.mark.parametrize(
    ("row", "column", "sqlstate", "problem", "hint"),
    [
        (b"s3cret,x,1,,,", "album_id", "22P02", "not a valid integer", _VALUE),
        (b"99999999999,x,1,,,", "album_id", "22003", "out of range for integer", _VALUE),
        (b'9,x,1,"s3 "", column extra: "" s3cret",,', "released", "22007", "not a valid date", _VALUE),
        (b"9,x,1,2020-13-45,,", "released", "22008", "out of range for date", _VALUE),
        (b"9," + b"s3cret" * 9 + b",1,,,", "title", "22001", "too long for character varying(40)", _VALUE),
        (b"9,x,1,,1000,", "price", "22003", "out of range for numeric(4,2)", _VALUE),
        (b'9,x,1,,,"{""a"": 1,\n\n s3cret}"', "extra", "22P02", "not a valid jsonb", _VALUE),
        (b"9,,1,,,", "title", "23502", "no value where the table must have one", _EMPTY),
        (b"9,s3cret,1,,-7,", "price", "23514", 'the row breaks the check "album_price_check"', _LINE),
        (b"1,s3cret,1,,,", "album_id", "23505", _TWICE, _REMOVE),
        (b"1000,s3cret,1,,,", "album_id", "23505", _TWICE, _REMOVE),
        (b"9,s3cret,0777,,,", "artist_id", "23503", _ORPHAN, "load artist first"),
    ],
)
@pytest.mark.parametrize("before", [0, 6_000])
def test_a_row_the_server_refuses_is_named_by_line_and_column(
    empty_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    row: bytes,
    column: str,
    sqlstate: str,
    problem: str,
    hint: str,
    before: int,
) -> None:
    # Some blocks of the file before the row, with little to load.
    monkeypatch.setattr(cutting, "BLOCK_BYTES", 1 << 15)
    _execute(empty_url, _ALBUM)
    filler = b"".join(b"%d,x,1,,,\n" % number for number in range(2_000, 2_000 + before))
    error = _refused(empty_url, tmp_path, _HEADER + _GOOD + filler + row + b"\n2,y,1,,,\n", "album")
    assert isinstance(error, RowError), error
    line = 4 + before
    assert error.problem == f'"f.csv" line {line}, column "{column}": {problem}'
    assert error.hint == f"{hint}; nothing was loaded"
    assert (error.line, error.column, error.sqlstate) == (line, column, sqlstate)
    for secret in ("s3cret", "99999999999", "777", "-7"):
        assert secret not in str(error)
    assert rows(empty_url, "SELECT title FROM album") == [("kept",)]


def test_a_key_of_two_columns_is_found_by_its_line(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE parent (a integer, b text, PRIMARY KEY (a, b)); INSERT INTO parent VALUES (1, 'x');"
        "CREATE TABLE t (n integer, b text, a integer, FOREIGN KEY (a, b) REFERENCES parent)",
    )
    error = _refused(empty_url, tmp_path, b'n,b,a\n1,x,1\n2,,7\n3,"y, (z)",1\n')
    assert error.problem == '"f.csv" line 4: parent has no row with this key, and "t_a_b_fkey" needs one'


def test_a_key_the_file_writes_otherwise_is_not_guessed(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE parent (d date PRIMARY KEY); CREATE TABLE t (d date REFERENCES parent)",
    )
    error = _refused(empty_url, tmp_path, b"d\n1 January 2020\n")
    assert isinstance(error, RowError)
    assert error.problem == (
        '"f.csv" (the line cannot be told), column "d": '
        'parent has no row with this key, and "t_d_fkey" needs one'
    )
    assert error.line is None


@pytest.mark.parametrize("constraint", ["a integer UNIQUE DEFERRABLE INITIALLY DEFERRED", "a integer"])
def test_what_is_checked_at_the_end_is_found_by_its_line(
    empty_url: str, tmp_path: Path, constraint: str
) -> None:
    deferred = "REFERENCES parent DEFERRABLE INITIALLY DEFERRED"
    reference = "" if "UNIQUE" in constraint else deferred
    _execute(
        empty_url, f"CREATE TABLE parent (a integer PRIMARY KEY); CREATE TABLE t ({constraint} {reference})"
    )
    _execute(empty_url, "INSERT INTO parent VALUES (1), (2)")
    error = _refused(empty_url, tmp_path, b"a\n1\n2\n3\n1\n" if not reference else b"a\n1\n2\n1\n3\n")
    assert isinstance(error, RowError)
    assert (error.line, error.column) == (5, "a")
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


def test_a_row_for_no_partition_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)",
    )
    error = _refused(empty_url, tmp_path, b"a\n1\n7\n")
    assert error.problem == '"f.csv" line 3: no partition of public.t takes the row'
    assert error.hint == "create the partition and run again; nothing was loaded"


def test_a_key_twice_in_a_partition_is_found(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer PRIMARY KEY) PARTITION BY LIST (a);"
        "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)",
    )
    error = _refused(empty_url, tmp_path, b"a\n1\n1\n")
    assert error.problem == (
        '"f.csv" line 3, column "a": the key is there already, and "t1_pkey" allows it once'
    )


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("BEFORE", '"f.csv" line 3: a trigger or function refused the row (SQLSTATE {})'),
        ("AFTER", '"f.csv" (the line cannot be told): a trigger or function refused the row (SQLSTATE {})'),
    ],
)
@pytest.mark.parametrize("code", ["P0001", "XX123", "42501", "23505", "54000", "22023", "22ABC"])
def test_what_a_trigger_raises_is_refused_without_its_words(
    empty_url: str, tmp_path: Path, when: str, problem: str, code: str
) -> None:
    _execute(
        empty_url,
        f"""
        CREATE TABLE t (name text, plays integer);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.plays < 3 THEN RAISE EXCEPTION '% has too few plays', upper(NEW.name)
                USING ERRCODE = '{code}', HINT = NEW.name, CONSTRAINT = NEW.name; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER f {when} INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()
        """,
    )
    error = _refused(empty_url, tmp_path, b"name,plays\nx,7\nAnna Secret,1\n")
    assert (type(error), error.problem) == (RowError, problem.format(code))
    assert error.hint == "mend the line and run again; nothing was loaded"
    assert "anna" not in str(error).lower()


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        ("tsquery", "s3cret |", "not a valid tsquery (SQLSTATE 42601)"),
        ("tsvector", "'s3cret", "not a valid tsvector (SQLSTATE 42601)"),
        ("regclass", "s3cret", "not a valid regclass (SQLSTATE 42P01)"),
        ("regtype", "s3cret", "not a valid regtype (SQLSTATE 42704)"),
        ("jsonpath", "$.s3cret[", "not a valid jsonpath (SQLSTATE 42601)"),
    ],
)
def test_a_value_that_its_type_refuses_by_any_code_is_named_by_line(
    empty_url: str, tmp_path: Path, type_: str, value: str, reason: str
) -> None:
    _execute(empty_url, f"CREATE TABLE t (a integer, b {type_})")
    error = _refused(empty_url, tmp_path, f"a,b\n1,\n2,{value}\n".encode())
    assert error.problem == f'"f.csv" line 3, column "b": {reason}'
    assert "s3cret" not in str(error)


def test_a_row_too_long_for_an_index_names_it(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a text); ALTER TABLE t ALTER a SET STORAGE EXTERNAL; CREATE INDEX t_a_idx ON t (a)",
    )
    error = _refused(empty_url, tmp_path, b"a\nx\n" + b"s3cret" * 600 + b"\n")
    assert error.problem.startswith('"f.csv" line 3')
    assert error.problem.endswith('"t_a_idx"')
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("change", ["truncate", "append"])
def test_a_file_that_changes_during_the_load_is_not_taken_for_whole(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    _execute(empty_url, "CREATE TABLE t (a integer, b text)")
    content = b"a,b\n" + b"1,some text\n" * 400_000
    path = tmp_path / "f.csv"
    read, begun = opening.Opened.read, False

    def changing(self: opening.Opened, size: int) -> bytes:
        nonlocal begun
        if not begun:
            begun = True
            if change == "truncate":
                os.truncate(path, 4 + 12 * 200_000)
            else:
                with path.open("ab") as file:
                    file.write(b"2,more\n")
        return read(self, size)

    monkeypatch.setattr(opening.Opened, "read", changing)
    error = _refused(empty_url, tmp_path, content)
    assert (type(error), error.problem, error.hint) == (
        FileError,
        '"f.csv" changed while it was read',
        "wait until it is written; nothing was loaded",
    )
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize(
    ("type_", "values", "line"),
    [
        ("text", ["fr", "FR"], 3),
        ("text", ["x", "x) y"], 3),
        ("text", ["007", "7"], 3),
        ("text", ["FR", "FR"], 2),
        ("integer", ["8", "007"], 3),
        ("uuid", [_UUID.replace("0", "1"), _UUID.upper()], 3),
    ],
)
def test_a_key_that_is_missing_is_found_as_it_is_spelt(
    empty_url: str, tmp_path: Path, type_: str, values: list[str], line: int
) -> None:
    _execute(
        empty_url, f"CREATE TABLE p (k {type_} PRIMARY KEY); CREATE TABLE t (k {type_} REFERENCES p, n text)"
    )
    if values[0] != values[1]:
        _execute(empty_url, f"INSERT INTO p VALUES ('{values[0]}')")
    error = _refused(empty_url, tmp_path, "\n".join(["k,n", *(f"{value},z" for value in values)]).encode())
    assert isinstance(error, RowError)
    assert error.line == line


@pytest.mark.parametrize(
    ("type_", "values", "line"),
    [("text", ["x", "X", "a", "x", "x"], 5), ("integer", ["1", "2", "01"], 4), ("text", ["A", "a", "A"], 4)],
)
def test_the_second_of_two_equal_keys_is_named(
    empty_url: str, tmp_path: Path, type_: str, values: list[str], line: int
) -> None:
    _execute(empty_url, f"CREATE TABLE t (k {type_} UNIQUE DEFERRABLE INITIALLY DEFERRED, n text)")
    error = _refused(empty_url, tmp_path, "\n".join(["k,n", *(f"{value},z" for value in values)]).encode())
    assert isinstance(error, RowError)
    assert error.line == line


def test_a_quote_in_the_name_of_a_column_is_doubled(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, """CREATE TABLE t ("e""f" integer)""")
    error = _refused(empty_url, tmp_path, b'"e""f"\nx\n')
    assert error.problem == '"f.csv" line 2, column "e""f": not a valid integer'


def test_a_domain_and_an_enum_are_named(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE DOMAIN mail AS text CHECK (value LIKE '%@%'); CREATE TYPE mood AS ENUM ('calm');"
        "CREATE TABLE t (mail mail, mood mood)",
    )
    domain = _refused(empty_url, tmp_path, b"mail,mood\na@b,calm\nsecret,calm\n")
    assert domain.problem == '"f.csv" line 3, column "mail": the row breaks the check "mail_check"'
    enum = _refused(empty_url, tmp_path, b"mail,mood\na@b,secret\n")
    assert enum.problem == '"f.csv" line 2, column "mood": not a valid mood'


def test_a_column_with_a_hostile_name_is_named(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, 'CREATE TABLE "t, line 9" ("a: b" integer, "column a" integer)')
    error = _refused(empty_url, tmp_path, b"a: b,column a\n1,2\nx,2\n", '"t, line 9"')
    assert error.problem == '"f.csv" line 3, column "a: b": not a valid integer'


def test_a_server_that_ends_the_session_is_no_fault_of_a_row(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer);"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';"
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    )
    error = _refused(empty_url, tmp_path, b"a\n1\n")
    assert not isinstance(error, (RowError, DatabaseError)) or error.sqlstate == "57P01"
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]
