"""Say how the fields of a file become values of columns. No database here, and no file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import check, is_utf8
from spotify_ai_agent_migrations.versions.bulk_import_export.dialect import folded
from spotify_ai_agent_migrations.versions.bulk_import_export.header import match_header
from spotify_ai_agent_migrations.versions.bulk_import_export.jsonlines import elements_of
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import (
    Column,
    Table,
    listed,
    names_of,
    quoted,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record
from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError, TableError

Converter = Callable[[bytes], bytes]
_NUMBERS: Final = ("smallint", "integer", "bigint", "numeric", "real", "double precision", "money")
# A currency may stand around it.
_DECIMAL: Final = re.compile(
    rb"(?:[^0-9.,+\s-]{1,4} ?)?[+-]?(?:[0-9]+|[0-9]{1,3}(?:(?P<apart>[.' ]|\xc2\xa0|\xe2\x80\xaf)[0-9]{3})"
    rb"(?:(?P=apart)[0-9]{3})*|(?=,))(?:,[0-9]+)?(?:[eE][+-]?[0-9]+)?(?: ?[^0-9.,+\s-]{1,4})?"
)
_MARKS: Final = (
    (b".", b""), (b"'", b""), (b" ", b""), (b"\xc2\xa0", b""), (b"\xe2\x80\xaf", b""), (b",", b"."),
)  # fmt: skip
_NUL_OR_ODD: Final = "22021"


@dataclass(frozen=True)
class Layout:
    """Which columns are filled, each from which field (or None: a constant), and by which conversion."""

    header: tuple[str, ...]
    columns: tuple[Column, ...]
    picks: tuple[int | None, ...]
    constants: tuple[bytes | None, ...]
    converters: Mapping[int, Converter] = field(default_factory=dict)
    lenient: bool = False

    @property
    def plain(self) -> bool:
        """Whether the fields are the columns as they stand."""
        return self.picks == tuple(range(len(self.header))) and not self.converters and not self.lenient

    @property
    def unnamed(self) -> tuple[int, ...]:
        """The fields without a name, which have to be empty, unless anything goes."""
        if self.lenient:
            return ()
        return tuple(place for place, name in enumerate(self.header) if not name.strip())

    def values(self, record: Record) -> tuple[bytes | None, ...]:
        """Return the values of the columns that *record* gives.

        Raises:
            Malformed: it has another number of fields, or a value that its declared format does not fit.
        """
        if self.lenient:
            record = _evened(record, len(self.header))
        check(record, len(self.header))
        for place in self.unnamed:
            if record.fields[place]:
                raise Malformed(record.line, "a value in a field that has no name", field=place)
        if self.plain:
            return record.fields
        return tuple(self._value(record, index) for index in range(len(self.columns)))

    def _value(self, record: Record, index: int) -> bytes | None:
        place = self.picks[index]
        if place is None:
            return self.constants[index]
        value = record.fields[place]
        converter = self.converters.get(index)
        if value is None or converter is None:
            return value
        try:
            return converter(value)
        except ValueError as error:
            problem = "not of the format that was declared for it"
            raise Malformed(record.line, problem, field=place, sqlstate="22007") from error


def lay_out(
    header: Sequence[str],
    table: Table,
    name: str,
    options: Options,
    *,
    line: int,
    lists: frozenset[str] = frozenset(),
    is_json: bool = False,
) -> Layout:
    """Return how *header* fills *table*.

    Raises:
        FileError: a name is empty, unknown or there twice, or one is mapped that is not there.
        TableError: a generated column is named, or one is left out that has to be filled.
    """
    wanted = _renamed(header, options.columns, lenient=options.lenient)
    constants = _constants(options.constants, table)
    named = [found for found in wanted if found is not None]
    columns = match_header(named, table, name, filled=[column for column, _ in constants], line=line)
    places = [place for place, found in enumerate(wanted) if found is not None]
    spelt = [header[place] for place in places]
    every = (*columns, *(column for column, _ in constants))
    if not every:
        raise FileError(
            f'"{name}" line {line} names no column of {table.qualified}',
            hint="the first line must be a header, or say that there is none (header=False, --no-header)",
        )
    _refuse_unmeant(header, every, name, options)
    return Layout(
        tuple(header),
        every,
        (*places, *(None for _ in constants)),
        (*(None for _ in places), *(value for _, value in constants)),
        {
            index: found
            for index, (column, name) in enumerate(
                zip(every, (*spelt, *("" for _ in constants)), strict=True)
            )
            if (found := _converter(column, options, is_json=is_json or name in lists))
        },
        options.lenient,
    )


def refuse_unfit_binary(layout: Layout, options: Options) -> None:
    """Refuse what cannot be done with rows that only the server can read.

    Raises:
        SettingsError: names it.
    """
    if not layout.plain:
        raise SettingsError(
            "binary fills all columns of the table as they stand, and nothing can be mapped or converted",
            hint="load it into a table of its own columns, or export it as CSV",
        )
    if options.max_rejects > 0:
        raise SettingsError(
            "a row of binary COPY cannot be kept aside: nobody but the server can read it",
            hint="leave max_rejects out, or export it as CSV",
        )


def _refuse_unmeant(header: Sequence[str], columns: Sequence[Column], name: str, options: Options) -> None:
    """Refuse what is said of a field or a column that is none of this load.

    Raises:
        FileError: the file has no field that is to be mapped.
        TableError: a format is declared for a column that is not filled.
    """
    fields = {folded(one) for one in header}
    unknown = [one for one in options.columns if folded(one) not in fields]
    if unknown:
        raise FileError(
            f'"{name}" has no field {quoted(unknown[0])} to map',
            hint=f"it has: {listed(map(quoted, header))}",
        )
    filled = {column.name for column in columns}
    unfilled = [one for one in (*options.dates, *options.booleans) if one not in filled]
    if unfilled:
        raise TableError(
            f"a format is declared for {quoted(unfilled[0])}, which is no column that the file fills",
            hint=f"it fills: {names_of(columns)}",
        )


def _renamed(header: Sequence[str], mapping: Mapping[str, str | None], *, lenient: bool) -> list[str | None]:
    """Return the name of the column that each field is for; None is nowhere, as is a last empty name."""
    targets = {folded(source): target for source, target in mapping.items()}
    found = [targets.get(folded(name), name) for name in header]
    if lenient:
        return [name if name is None or name.strip() else None for name in found]
    for place in range(len(found) - 1, 0, -1):
        if (found[place] or "").strip() or found[place] is None:
            break
        found[place] = None
    return found


def _constants(constants: Mapping[str, str | None], table: Table) -> list[tuple[Column, bytes | None]]:
    by_name = {column.name: column for column in table.columns}
    unknown = [name for name in constants if name not in by_name or by_name[name].generated]
    if unknown:
        raise TableError(
            f"{table.qualified} has no column {quoted(unknown[0])} to fill with a constant",
            hint=f"it has: {', '.join(quoted(name) for name in by_name)}",
        )
    return [(by_name[name], None if value is None else value.encode()) for name, value in constants.items()]


def _evened(record: Record, fields: int) -> Record:
    """Return *record* with NULLs for what it lacks, and without empty fields at its end that are too many."""
    found = list(record.fields)
    while len(found) > fields and not found[-1]:
        found.pop()
    found += [None] * (fields - len(found))
    return Record(record.line, record.start, record.end, tuple(found))


def _converter(column: Column, options: Options, *, is_json: bool) -> Converter | None:
    if column.name in options.dates:
        form = options.dates[column.name]
        return lambda value: datetime.strptime(value.decode(), form).isoformat(" ").encode()
    if column.name in options.booleans:
        yes, no = options.booleans[column.name]
        said = {folded(yes).encode(): b"true", folded(no).encode(): b"false"}
        return lambda value: _meaning(said, value)
    if options.decimal == "," and column.type.startswith(_NUMBERS) and not column.type.endswith("[]"):
        return _number
    if is_json and column.type.endswith("[]"):
        return _array_of_documents if column.type in {"json[]", "jsonb[]"} else _array
    return None


def _number(value: bytes) -> bytes:
    """Return a number whose decimal mark is a comma; its groups of three may stand apart."""
    text = value.strip()
    if not _DECIMAL.fullmatch(text) and any(48 <= byte <= 57 for byte in text):
        raise ValueError
    for letter, meant in _MARKS:
        text = text.replace(letter, meant)
    return text


def _array(value: bytes) -> bytes:
    """Return a list of JSON as PostgreSQL writes an array; what is written so already stays."""
    if _is_literal(value):
        return value
    return array_literal(json.loads(value, parse_float=str, parse_int=str)).encode()


def _array_of_documents(value: bytes) -> bytes:
    """Return a list of JSON as an array of its elements, each as it stands there."""
    if _is_literal(value):
        return value
    elements = (None if raw == "null" else raw for raw in elements_of(value.decode()))
    return ("{" + ",".join("NULL" if raw is None else _element(raw) for raw in elements) + "}").encode()


def _is_literal(value: bytes) -> bool:
    return value.startswith(b"{") or re.match(rb"\[[+-]?\d+:", value) is not None


def _meaning(said: Mapping[bytes, bytes], value: bytes) -> bytes:
    meant = said.get(folded(value.decode()).encode()) if is_utf8(value) else None
    if meant is None:
        raise ValueError
    return meant


def array_literal(value: Any) -> str:
    """Return a list of JSON as PostgreSQL writes an array.

    Raises:
        ValueError: it is no list.
    """
    if not isinstance(value, list):
        raise ValueError("no array")  # noqa: TRY004  (the value of a file is wrong, not the call)
    return (
        "{" + ",".join(array_literal(one) if isinstance(one, list) else _element(one) for one in value) + "}"
    )


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
