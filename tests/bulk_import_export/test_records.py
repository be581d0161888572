"""Records are read exactly, and the quick way through a block agrees with the exact one."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotify_ai_agent_migrations.versions.bulk_import_export import copy_text, records, shape
from spotify_ai_agent_migrations.versions.bulk_import_export.grammar import Grammar

_PIECES = ["a", '"', '""', ",", "\n", "\r", "\r\n", "\\", "\t", "é", "", '"a"', '1,2\n"', "\\.", "\\N", "\0"]
_TEXT = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def _fields(data: bytes) -> list[tuple[bytes | None, ...]]:
    return [record.fields for record in records.parse(data)]


def _lines(data: bytes) -> list[int]:
    return [record.line for record in records.parse(data)]


def test_an_empty_field_is_null_and_an_empty_quoted_one_is_the_empty_text() -> None:
    assert _fields(b'a,,"",b\n') == [(b"a", None, b"", b"b")]


def test_a_quote_written_twice_is_one_quote() -> None:
    assert _fields(b'"say ""hi""",""""\n') == [(b'say "hi"', b'"')]


def test_line_ends_of_every_kind_end_a_record_and_inside_quotes_are_kept() -> None:
    data = b'1\r\n2\r3\n"a\r\nb\rc\nd"\r4'
    assert _fields(data) == [(b"1",), (b"2",), (b"3",), (b"a\r\nb\rc\nd",), (b"4",)]
    assert _lines(data) == [1, 2, 3, 4, 8]


@pytest.mark.parametrize(
    ("data", "line", "field", "problem"),
    [
        (b'a,b\n1,x"y\n', 2, 1, "a quote stands inside a field that is not quoted"),
        (b'a,b\n"x"y,2\n', 2, 0, "text follows a closing quote"),
        (b'a,b\n"x" ,2\n', 2, 0, "text follows a closing quote"),
        (b'a,b\n1,2\n3,"x\ny\n', 3, 1, "a quote is opened and never closed"),
        (b'a,b\n1,"x""', 2, 1, "a quote is opened and never closed"),
        (b'a\n"x\ny"\n"z"z\n', 4, 0, "text follows a closing quote"),
    ],
)
def test_a_malformed_record_is_named_by_the_line_it_starts_on(
    data: bytes, line: int, field: int, problem: str
) -> None:
    with pytest.raises(records.Malformed) as caught:
        list(records.parse(data))
    assert (caught.value.line, caught.value.field, caught.value.problem) == (line, field, problem)


def test_an_open_quote_may_close_in_data_to_come() -> None:
    found = records.parse(b'1\n"x', final=False)
    assert [record.fields for record in found] == [(b"1",)]


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", 0), (b"a", 0), (b"a\n", 2), (b"a\nb", 2), (b"a\rb", 2), (b"a\r", 0), (b"a\r\nb", 3),
        (b'"a\n', 0), (b'1\n"a\nb', 2), (b'1\n"a\nb"\nc', 8), (b'"a\n""\nb"', 0), (b'1\n"a\n""\nb\n', 2),
    ],
)  # fmt: skip
def test_a_block_ends_where_its_last_whole_record_ends(data: bytes, end: int) -> None:
    assert records.end_of_records(data) == end


def _line(record: records.Record, fields: int) -> bytes:
    copy_text.check(record, fields)
    return copy_text.line_of(record.fields)


@given(st.lists(st.sampled_from(_PIECES), max_size=12), st.integers(1, 3))
def test_a_whole_block_is_converted_as_record_by_record(pieces: list[str], fields: int) -> None:
    block = "".join(pieces).encode() + b"\n"
    try:
        exact = b"".join(_line(record, fields) for record in records.parse(block))
    except records.Malformed:
        exact = None
    assert copy_text.quick_text(block, fields) == exact


def test_both_ways_are_taken_for_sound_records() -> None:
    assert copy_text.quick_text(b'1,"a\n""b""",\n', 3) == b'1\ta\\n"b"\t\\N\n'
    assert copy_text.quick_text(b"1,2\n", 3) is None


@given(
    st.lists(st.tuples(st.none() | _TEXT, st.none() | _TEXT), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_is_written_is_read(written: list[tuple[str | None, str | None]], line_end: str) -> None:
    def quoted(value: str | None) -> str:
        return "" if value is None else '"' + value.replace('"', '""') + '"'

    data = "".join(",".join(map(quoted, row)) + line_end for row in written).encode()
    read = [tuple(None if v is None else v.decode() for v in fields) for fields in _fields(data)]
    assert read == written
    assert records.end_of_records(data) == len(data) - (line_end == "\r") * _last_record(data)


def _last_record(data: bytes) -> int:
    """A CR at the very end may be half of a CRLF, so the last record does not count as whole yet."""
    last = list(records.parse(data))
    return len(data) - (last[-2].end if len(last) > 1 else 0)


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ([b"1", b"20", b"3"], 20),
        ([b"-5", b"\\N"], -5),
        ([b" 7 ", b"+8"], 8),
        ([b"0x10", b"1_000"], 1000),
        ([b"x", b"\\N"], None),
        ([], None),
    ],
)
def test_the_greatest_number_of_a_field_is_found(values: list[bytes], most: int | None) -> None:
    text = b"".join(b"x\t" + value + b"\ty\n" for value in values)
    assert copy_text.greatest(text, 1) == most


# Sixty-four letters are judged at once: once the seven lie across the end of these.
@pytest.mark.parametrize(("piece_bytes", "before"), [(3, b""), (1 << 17, b""), (1 << 17, b"b" * 59 + b"\n")])
def test_a_block_is_regular_where_every_record_of_it_is_read_and_only_there(
    monkeypatch: pytest.MonkeyPatch, piece_bytes: int, before: bytes
) -> None:
    monkeypatch.setattr(shape, "_PIECE_BYTES", piece_bytes)
    seen = set()
    for letters in product(b'a,"\n', repeat=7):
        block = before + bytes((*letters, 0x0A))
        read = list(records.records_of(block, Grammar()))
        whole = not any(isinstance(one, records.Malformed) for one in read)
        assert shape.regular_records(block, b",", b'"') == (len(read) if whole else None), block
        lines = block.count(b"\n") if whole and len(read) == block.count(b"\n") else None
        assert shape.single_lines(block, b",", b'"') == lines, block
        seen.add((whole, lines is None))
    assert seen == {(True, False), (True, True), (False, True)}
