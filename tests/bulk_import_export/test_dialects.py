"""How a file is written is found out and said, whatever it is: delimiter, quote, header, encoding, compression."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from spotify_ai_agent_migrations import FileError, RowError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import opening
from support import connected, data, rows

_ROWS = [(1, "Motörhead", "Ace of Spades"), (2, "AC/DC", 'T.N.T. 12" single')]


def _table(url: str, columns: str = "id integer, artist text, title text") -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t ({columns})")


_QUOTED = 'id,artist,title\n1,Motörhead,Ace of Spades\n2,AC/DC,"T.N.T. 12"" single"\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_QUOTED.replace(",", ";"), "delimiter=';'"),
        (_QUOTED.replace(",", "|"), "delimiter='|'"),
        (_QUOTED.replace(",", "^"), "delimiter='^'"),
        ('id\tartist\ttitle\n1\tMotörhead\tAce of Spades\n2\tAC/DC\tT.N.T. 12" single\n', "quote=''"),
        ("id,artist,title\n1,'Motörhead','Ace of Spades'\n2,'AC/DC','T.N.T. 12\" single'\n", 'quote="\'"'),
        (_QUOTED.replace('""', '\\"'), r"escape='\\'"),
        (_QUOTED.replace("\n", "\r\n"), "delimiter=','"),
        (_QUOTED.replace("\n", "\r"), "delimiter=','"),
        (_QUOTED.replace(",", ", "), "delimiter=','"),
        ("Sales of 2020\n\n" + _QUOTED, "skip_lines=2"),
        ("id,artist,title\n" + _QUOTED, "header=yes"),
        (_QUOTED.partition("\n")[2], "header=no"),
        ("\ufeff" + _QUOTED, "encoding=utf-8"),
        ('artist,title,ID\nMotörhead,Ace of Spades,1\nAC/DC,"T.N.T. 12"" single",2\n', "header=yes"),
        (
            '{"id": 1, "artist": "Mot\\u00f6rhead", "title": "Ace of Spades"}\n'
            '{"title": "T.N.T. 12\\" single", "id": 2, "artist": "AC/DC"}\n',
            "format=jsonl",
        ),
    ],
)
def test_a_file_is_read_as_it_is_written(empty_url: str, tmp_path: Path, content: str, said: str) -> None:
    _table(empty_url)
    (tmp_path / "t.csv").write_bytes(content.encode())
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url)
    found = [
        (number, str(artist).strip(), str(title).strip())
        for number, artist, title in rows(empty_url, "TABLE t")
    ]
    assert found == _ROWS
    assert said in str(result.dialect)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-32"])
def test_an_encoding_is_found(empty_url: str, tmp_path: Path, encoding: str) -> None:
    _table(empty_url)
    (tmp_path / "t.csv").write_bytes(_QUOTED.encode(encoding))
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert rows(empty_url, "TABLE t") == _ROWS
    assert result.dialect.encoding == encoding


def test_a_declared_encoding_is_obeyed(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url, "a text")
    (tmp_path / "t.csv").write_bytes("a\nDvořák\n".encode("iso8859-2"))
    bulk_import("t", tmp_path / "t.csv", url=empty_url, encoding="iso8859-2")
    assert rows(empty_url, "TABLE t") == [("Dvořák",)]


_PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("name", _PACKED)
def test_a_compression_is_found_by_content_and_a_file_cut_short_is_refused(
    empty_url: str, tmp_path: Path, name: str
) -> None:
    _table(empty_url, "a bigint, b text")
    text = "a,b\n" + "".join(f"{number},{hash(str(number))}\n" for number in range(60_000))
    packed = _PACKED[name](text.encode())
    (tmp_path / "t").write_bytes(packed)
    result = bulk_import("t", tmp_path / "t", url=empty_url)
    assert (result.rows, result.dialect.compression) == (60_000, name)
    (tmp_path / "t").write_bytes(packed[: len(packed) - 20])
    with pytest.raises(FileError) as caught:
        bulk_import("t", tmp_path / "t", url=empty_url)
    assert "cannot be read any further: it ends in the middle of what" in caught.value.problem
    assert rows(empty_url, "SELECT count(*) FROM t") == [(60_000,)]


def test_a_bomb_is_refused(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_EXPANSION_FROM", 8 << 20)
    _table(empty_url, "a text")
    with gzip.open(tmp_path / "t.gz", "wb", compresslevel=9) as file:
        file.write(b"a\n")
        for _ in range(12):
            file.write(b"0\n" * (1 << 19))
    with pytest.raises(FileError) as caught:
        bulk_import("t", tmp_path / "t.gz", url=empty_url, dry_run=True)
    assert caught.value.problem == f'"{tmp_path / "t.gz"}" expands to more than 400 times its size'


def test_two_rows_that_each_hold_a_stray_quote_are_not_taken_for_one(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url, "a integer, b text")
    many = b'7,"x ""y"", z"\n' * 20_000
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + many + b'1,7" single\n2,12" single\n' + many)
    with pytest.raises(RowError) as caught:
        bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert (caught.value.line, caught.value.column) == (20_002, "b")
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, lenient=True, quote='"').rows == 40_002
    assert rows(empty_url, "SELECT b FROM t WHERE a < 3") == [('7" single',), ('12" single',)]


def test_what_differs_from_the_table_is_mapped(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url, "id integer, at date, price numeric, paid boolean, origin text")
    (tmp_path / "t.csv").write_text(
        "Nr;Datum;Preis;Bezahlt;Notiz\n1;31.12.2020;1.234,50;ja;x\n2;NA;NA;nein;y\n"
    )
    result = bulk_import(
        "t", tmp_path / "t.csv", url=empty_url,
        columns={"Nr": "id", "Datum": "at", "Preis": "price", "Bezahlt": "paid", "Notiz": None},
        constants={"origin": "shop"}, dates={"at": "%d.%m.%Y"}, booleans={"paid": ("ja", "nein")}, decimal=",",
        null=["", "NA"],
    )  # fmt: skip
    assert result.columns == ("id", "at", "price", "paid", "origin")
    assert rows(empty_url, "SELECT id, at::text, price::text, paid, origin FROM t") == [
        (1, "2020-12-31", "1234.50", True, "shop"),
        (2, None, None, False, "shop"),
    ]


def test_ragged_rows_are_evened_out_when_asked(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url, "a integer, b text, c text")
    (tmp_path / "t.csv").write_text("a,b,c\n1,x\n\n2,x,y,,\n3,x,y\nTotal: 3\n")
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url, lenient=True, footer_lines=1)
    assert rows(empty_url, "TABLE t") == [(1, "x", None), (2, "x", "y"), (3, "x", "y")]
    assert (result.read, result.rows) == (3, 3)


def test_an_open_file_and_standard_input_are_read(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _table(empty_url, "a integer")
    bulk_import("t", io.BytesIO(b"a\n1\n"), url=empty_url)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"a\n2\n"))))
    bulk_import("t", "-", url=empty_url)
    assert rows(empty_url, "TABLE t") == [(1,), (2,)]


def test_a_url_is_read(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url, "a integer")
    (tmp_path / "t.csv").write_text("a\n1\n")
    assert bulk_import("t", (tmp_path / "t.csv").as_uri(), url=empty_url).rows == 1


def test_copy_text_is_read_as_the_server_writes_it(empty_url: str) -> None:
    path = data("pgloader_test_data", "track.copy")
    width = len(path.read_bytes().split(b"\n", 1)[0].split(b"\t"))
    _table(empty_url, ", ".join(f"c{number} text" for number in range(width)))
    result = bulk_import("t", path, url=empty_url)
    assert result.rows == len(path.read_bytes().splitlines())
    assert rows(empty_url, "SELECT count(*) FROM t WHERE c0 IS NULL OR t::text LIKE '%\\\\N%'") == [(0,)]


@pytest.mark.parametrize("ragged", ["2,b,extra", '2,7" single'])
def test_a_header_that_is_there_again_takes_no_rows_with_it(
    empty_url: str, tmp_path: Path, ragged: str
) -> None:
    _table(empty_url, "id integer, name text")
    (tmp_path / "t.csv").write_text(f"id,name\n1,a\n{ragged}\n3,c\nid,name\n4,d\n5,e\n")
    with pytest.raises(RowError) as caught:
        bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert caught.value.line == 3
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url, max_rejects=2)
    assert (result.rows, [one.line for one in result.rejects]) == (4, [3, 5])


@pytest.mark.parametrize("header", [None, True])
def test_a_first_row_like_the_header_is_a_row(empty_url: str, tmp_path: Path, header: bool | None) -> None:
    _table(empty_url, "word text, kind text")
    (tmp_path / "t.csv").write_text("word,kind\nword,kind\nword,kind\na,b\n")
    options = {} if header is None else {"header": header}
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, **options).rows == 3  # type: ignore[arg-type]
    assert rows(empty_url, "SELECT count(*) FROM t WHERE word = 'word'") == [(2,)]


def test_a_second_header_that_can_be_no_row_is_left_out_unless_there_is_said_to_be_one(
    empty_url: str, tmp_path: Path
) -> None:
    _table(empty_url, "id integer, name text")
    (tmp_path / "t.csv").write_text("id,name\nid,name\n1,a\n")
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url).rows == 1
    with pytest.raises(RowError) as caught:
        bulk_import("t", tmp_path / "t.csv", url=empty_url, header=True)
    assert (caught.value.line, caught.value.column) == (2, "id")


@pytest.mark.parametrize(
    "content",
    ["id,s\n1,'x'\n2,y\n", "id,s\n1,'x'\n", "1,'x'\n2,y\n", "id,s\n1,'x'\n2,'y'\n", "1,'x'\n2,'y'\n"],
)
def test_apostrophes_around_a_text_are_the_texts_own(empty_url: str, tmp_path: Path, content: str) -> None:
    _table(empty_url, "id integer, s text")
    (tmp_path / "t.csv").write_text(content)
    bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert rows(empty_url, "SELECT s FROM t WHERE id = 1") == [("'x'",)]


_KEPT = 'all texts stand in apostrophes, which were kept; quote="\'", --quote "\'" takes them off'
_TAKEN = "took apostrophes around a text for quotes; quote='\"', --quote '\"' keeps them"


@pytest.mark.parametrize(
    ("content", "found", "notes"),
    [
        ("id,s\n1,'x'\n2,'y'\n", "'x'", (_KEPT,)),
        ("id,s\n1,'x'\n2,y\n", "'x'", ()),
        ("id,s\n1,'a,b'\n2,'y'\n", "a,b", (_TAKEN,)),
        ("id,s\n1,'a\nb'\n2,'y'\n", "a\nb", (_TAKEN,)),
        ("id,s\n1,'7\" single'\n2,'y'\n", '7" single', (_TAKEN,)),
        ("S,ID\n'it''s',1\n'y',2\n", "it's", (_TAKEN,)),
        # As an export of ours is written.
        ("id,s\n1,'it''s'\n2,'y'\n", "'it''s'", (_KEPT,)),
    ],
)
def test_apostrophes_are_quotes_where_something_says_so(
    empty_url: str, tmp_path: Path, content: str, found: str, notes: tuple[str, ...]
) -> None:
    _table(empty_url, "id integer, s text")
    (tmp_path / "t.csv").write_text(content)
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert rows(empty_url, "SELECT s FROM t WHERE id = 1") == [(found,)]
    assert result.notes == notes


@pytest.mark.parametrize(
    ("columns", "content", "found"),
    [
        ("s text", 's\n"a\nb"\ny\n', [("a\nb",), ("y",)]),
        ("id integer, s text", 'id\ts\n1\t"a\nb"\n', [(1, "a\nb")]),
        ("id integer, s text", 'id\ts\n1\t7" single\n2\tx\n', [(1, '7" single'), (2, "x")]),
        ("id integer, s text", "id\ts\n1\t\"a\nb\"\n2\t'x'\n", [(1, "a\nb"), (2, "'x'")]),
    ],
)
def test_a_line_may_end_inside_of_quotes_between_tabs(
    empty_url: str, tmp_path: Path, columns: str, content: str, found: list[tuple[object, ...]]
) -> None:
    _table(empty_url, columns)
    (tmp_path / "t.tsv").write_text(content)
    bulk_import("t", tmp_path / "t.tsv", url=empty_url)
    assert rows(empty_url, "TABLE t") == found


def test_lines_left_out_before_the_header_are_told(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url)
    (tmp_path / "t.csv").write_text("Sales of 2020\n\n" + _QUOTED)
    found = bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert found.notes == ("left out before the header: 2 lines",)
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, skip_lines=2).notes == ()


def test_rows_before_a_row_like_a_header_are_not_left_out(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url, "word text")
    (tmp_path / "t.csv").write_text("alpha\nbeta\nword\ngamma\n")
    with pytest.raises(FileError, match=r"names no column of public\.t"):
        bulk_import("t", tmp_path / "t.csv", url=empty_url)
    assert bulk_import("t", tmp_path / "t.csv", url=empty_url, header=False).rows == 4


def test_blanks_behind_a_closing_quote_are_left_out_and_said(empty_url: str, tmp_path: Path) -> None:
    _table(empty_url, "id integer, name text, note text")
    for content in (
        'id,name,note\n1,"a" ,"b"\n',
        'id,name,note\n1,"a","b" \n2,"a","b"\n',
        'id,name,note\r\n1,a,"b" \r\n',
    ):
        (tmp_path / "t.csv").write_bytes(content.encode())
        result = bulk_import("t", tmp_path / "t.csv", url=empty_url)
        assert result.notes == ("left out the blanks around the values",)
    assert rows(empty_url, "SELECT DISTINCT name, note FROM t") == [("a", "b")]


@pytest.mark.parametrize(
    ("content", "what", "command"),
    [
        ('[{"id": 1}, {"id": 2}]', "one JSON array", "jq -c '.[]'"),
        ('\ufeff\n[\n  {\n    "id": 1\n  }\n]\n', "one JSON array", "jq -c '.[]'"),
        ('{\n  "id": 1,\n  "name": "a"\n}\n', "JSON over several lines", "jq -c '.'"),
    ],
)
@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_json_that_is_no_json_lines_is_refused_in_words(
    empty_url: str, tmp_path: Path, content: str, what: str, command: str, name: str
) -> None:
    _table(empty_url, "id integer, name text")
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(FileError) as caught:
        bulk_import("t", tmp_path / name, url=empty_url)
    assert caught.value.problem == f'"{tmp_path / name}" is {what}, and JSON Lines is expected'
    assert caught.value.hint == f"write one object a line, for example with: {command}"
