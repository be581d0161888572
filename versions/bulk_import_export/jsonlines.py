"""Read JSON Lines and COPY text: one record a line. No file and no database here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from json.decoder import JSONDecodeError
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import fields_of
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record

_DECODER: Final = json.JSONDecoder()
_BLANK: Final = " \t\r\n"


def names_of_objects(sample: bytes) -> tuple[str, ...]:
    """Return the names in the objects of *sample*, in the order in which they first appear."""
    names: dict[str, None] = {}
    for line in sample.splitlines():
        try:
            names.update(dict.fromkeys(name for name, _ in _members(line.decode())))
        except (ValueError, RecursionError):
            continue
    return tuple(names)


def json_records(
    data: bytes, names: Sequence[str], *, line: int, verbatim: frozenset[str] = frozenset()
) -> Iterator[Record | Malformed]:
    """Yield the objects of *data* as records, in the order of *names*; what an object lacks is NULL.

    A text is what it says and null is NULL, but in the fields *verbatim*; anything else is the JSON that
    stands there, digit by digit.
    """
    for number, start, end in _lines(data, line):
        text = data[start:end].strip()
        try:
            found = dict(_unique(text.decode())) if text else {}
            fields = tuple(_value(found.get(name), verbatim=name in verbatim) for name in names)
            problem = _unknown(found, names)
        except UnicodeDecodeError:
            problem = "bytes that are not UTF-8"
        except JSONDecodeError as error:
            problem = f"no JSON object: {error.msg.lower()} at character {error.pos + 1}"
        except ValueError as error:
            problem = str(error)
        except RecursionError:
            problem = "nested too deeply"
        if not text:
            problem = "the line is blank"
        yield (
            _placed(Malformed(number, problem), start, end) if problem else Record(number, start, end, fields)
        )


def copy_records(data: bytes, *, line: int) -> Iterator[Record | Malformed]:
    """Yield the records of COPY text."""
    for number, start, end in _lines(data, line):
        text = data[start:end].rstrip(b"\r\n")
        if text == b"\\.":
            continue
        if (len(text) - len(text.rstrip(b"\\"))) % 2:
            yield _placed(Malformed(number, "the line ends in a backslash"), start, end)
        else:
            yield Record(number, start, end, fields_of(text))


def _lines(data: bytes, line: int) -> Iterator[tuple[int, int, int]]:
    at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        yield line, at, end
        line, at = line + 1, end


def _placed(fault: Malformed, start: int, end: int) -> Malformed:
    fault.start, fault.end = start, end
    return fault


def _unique(text: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for name, raw in _members(text):
        if name in seen:
            raise ValueError("a name stands in the object twice")
        seen.add(name)
        yield name, raw


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each member as they are written: to parse 1e400 would lose it."""
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise JSONDecodeError("an object is expected", text, at)
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        yield from _nothing_behind(text, at)
        return
    while True:
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if not isinstance(name, str) or text[at : at + 1] != ":":
            raise JSONDecodeError("a name and a colon are expected", text, at)
        start = _skip(text, at + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield name, text[start:end]
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            yield from _nothing_behind(text, at)
            return
        if text[at : at + 1] != ",":
            raise JSONDecodeError("a comma is expected", text, at)
        at = _skip(text, at + 1)


def elements_of(text: str) -> Iterator[str]:
    """Yield the elements of a list as they are written.

    Raises:
        ValueError: it is none.
    """
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise JSONDecodeError("a list is expected", text, at)
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise JSONDecodeError("a comma is expected", text, at)


def _nothing_behind(text: str, at: int) -> Iterator[tuple[str, str]]:
    if _skip(text, at + 1) != len(text):
        raise JSONDecodeError("more text behind the object", text, at + 1)
    return iter(())


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _value(raw: str | None, *, verbatim: bool) -> bytes | None:
    if raw is None or (raw == "null" and not verbatim):
        return None
    text = str(json.loads(raw)) if raw.startswith('"') and not verbatim else raw
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a character, written as \\ud800 to \\udfff") from None


def _unknown(found: dict[str, str], names: Sequence[str]) -> str | None:
    unknown = len(set(found) - set(names))
    return f"{unknown} of its names are not among those of the first lines" if unknown else None
