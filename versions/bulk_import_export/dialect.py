"""Find how a text file is written: format, delimiter, quote, header. No database here, and no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.formats import kind_of, refuse_other_json
from spotify_ai_agent_migrations.versions.bulk_import_export.grammar import Grammar
from spotify_ai_agent_migrations.versions.bulk_import_export.options import (
    COPY_TEXT,
    Options,
    refuse_unmeant,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column
from spotify_ai_agent_migrations.versions.bulk_import_export.quoting import (
    all_in_apostrophes,
    apostrophes_are_quotes,
    is_number,
    looks_quoted,
    quotes_of,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record, records_of
from spotify_ai_agent_migrations.versions.core.errors import SettingsError

_DELIMITERS: Final = (",", ";", "\t", "|", ":", " ", "^", "~", "\x1f", "\x01", "||", "::")
# Where a header names columns of the table between them, nothing else is meant.
_RARE_DELIMITERS: Final = (
    *"#&$@/!*%=+", "    ", "   ", "  ", "\t\t", ";;", "~|~", "|~|", "<>", "<|>",
)  # fmt: skip
_ROWS_SEEN: Final = 100
_PREAMBLE_MOST: Final = 50
_SAMPLE_SCORED: Final = 64 << 10
_NUMBERS: Final = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_MOMENTS: Final = ("epoch", "infinity", "+infinity", "-infinity", "now", "today", "tomorrow", "yesterday")
_UUID_LEAST: Final = 32
_TEXTS: Final = ("text", "character", "json", "bytea", "name", "xml")


@dataclass(frozen=True)
class Dialect:
    """How a file is written. `header` says that line `skip_lines` + 1 names the fields."""

    format: str = "csv"
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    header: bool = True
    skip_lines: int = 0
    header_lines: int = 1
    nulls: tuple[str, ...] = ("",)
    trim: bool = False
    lenient: bool = False
    encoding: str = "utf-8"
    compression: str = "none"

    @property
    def grammar(self) -> Grammar:
        """How its records are read."""
        return Grammar(
            self.delimiter.encode(), self.quote.encode(), self.escape.encode(),
            frozenset(null.encode() for null in self.nulls), self.trim, self.lenient,
        )  # fmt: skip

    def __str__(self) -> str:
        """Everything of it on one line, as the options spell it."""
        said = [f"format={self.format}"]
        if self.format in {"csv", "tsv"}:
            said += [f"delimiter={self.delimiter!r}", f"quote={self.quote!r}", f"escape={self.escape!r}"]
            said += [f"header={'yes' if self.header else 'no'}", f"skip_lines={self.skip_lines}"]
            said += [f"null={','.join(map(repr, self.nulls))}"]
        return " ".join([*said, f"encoding={self.encoding}", f"compression={self.compression}"])


def sniff(
    sample: bytes, columns: Sequence[Column], options: Options, *, name: str = "", form: str | None = None
) -> Dialect:
    """Return the dialect of a file that begins with *sample*, for a table of *columns*.

    A line that names columns of the table settles it; without one, clevercsv judges the pattern of the
    delimiters. What *options* say is not looked for. *form* is a format that says of itself what it is.
    """
    if form is None and options.format in {None, "jsonl"}:
        refuse_other_json(sample, name)
    found = form or options.format or kind_of(sample, name)
    refuse_unmeant(options, found)
    if found not in {"csv", "tsv"}:
        return Dialect(found, "\t", "", "", header=False, nulls=("\\N",) if found in COPY_TEXT else ())
    text = sample[:_SAMPLE_SCORED]
    cut = max(text.rfind(b"\n"), text.rfind(b"\r"))
    text = text[: cut + 1] if len(sample) > _SAMPLE_SCORED and cut > 0 else text
    names = {folded(column.name) for column in columns} | {folded(one) for one in options.columns}
    base = Dialect(
        format=found, nulls=("",) if options.null is None else options.null, lenient=options.lenient
    )
    best = _by_header(text, names, columns, base, options)
    if best is None:
        best = _headless(_by_pattern(text, base, options), text, columns, options)
    _refuse_same(best)
    if (
        options.quote is None
        and best.quote == '"'
        and apostrophes_are_quotes(
            _first_records(text, best), [column.name for column in columns], has_header=best.header
        )
    ):
        best = replace(best, quote="'", escape="'")
    return replace(best, trim=best.trim or _pads_quotes(text, best) or _pads_all(text, best, columns))


def _refuse_same(dialect: Dialect) -> None:
    """Refuse a letter that would mean two things: one of them was said, and the other found.

    Raises:
        SettingsError: there is one.
    """
    same = [one for one in (dialect.quote, dialect.escape) if one and one in dialect.delimiter]
    if same:
        raise SettingsError(
            f"{same[0]!r} cannot be the delimiter and something else", hint="say the delimiter as well"
        )


def folded(name: str) -> str:
    """Return *name* as headers are compared: case and what surrounds it do not matter."""
    return name.strip().casefold()


def _candidates(text: bytes, base: Dialect, options: Options) -> Iterator[Dialect]:
    """Yield the dialects that *text* may be in: the usual quote first, others where something wears them."""
    common = (options.delimiter,) if options.delimiter else ("\t",) if base.format == "tsv" else _DELIMITERS
    rare = () if len(common) == 1 else tuple(one for one in _RARE_DELIMITERS if one.encode() in text)
    for delimiter in (*common, *rare):
        quotes = quotes_of(text, delimiter) if options.quote is None else (options.quote,)
        for quote in quotes:
            escapes = [options.escape or quote] if options.escape is not None else [quote]
            escaped = (b"\\" + quote.encode(), b"\\" + delimiter.encode())
            if options.escape is None and quote and any(one in text for one in escaped):
                escapes.append("\\")
            for escape in escapes:
                if (quote and quote in delimiter) or (escape and escape in delimiter):
                    continue
                found = replace(base, delimiter=delimiter, quote=quote, escape=escape)
                yield found
                if _padded(found) in text:
                    yield replace(found, trim=True)


def _by_header(
    text: bytes, names: Iterable[str], columns: Sequence[Column], base: Dialect, options: Options
) -> Dialect | None:
    """Return the dialect in which a line near the top names the most columns; None if there is none."""
    if options.header is False:
        return None
    known = set(names)
    targets = {folded(name): target or "" for name, target in options.columns.items()}

    def meant(fields: Sequence[str]) -> list[str]:
        return [targets.get(folded(name), name) for name in fields]

    best: tuple[tuple[float, ...], Dialect] | None = None
    for order, dialect in enumerate(_candidates(text, base, options)):
        for line, fields in () if _is_lined_up(text, dialect) else _top(text, dialect, options):
            score = _header_score(fields, known)
            if score <= 0 or (
                options.skip_lines is None and _rows_before(text, line, meant(fields), columns, dialect)
            ):
                continue
            whole = replace(dialect, skip_lines=line - 1, header=True)
            # A later line like the first is a row, or a header that is there twice: not the first one's end.
            rank = (score, -line, *_fitness(text, whole), -order)
            if best is None or rank > best[0]:
                repeated = options.header is None and _no_row(fields, meant(fields), columns, whole)
                best = (rank, replace(whole, header_lines=_repeats(text, whole, fields) if repeated else 1))
            if rank[:-1] == (len(known), -1, 1, 0):
                # None to come names more columns, further up, over rows that fit better.
                return best[1]
    return best[1] if best else None


def _top(text: bytes, dialect: Dialect, options: Options) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the first lines of *text* that may be a header, as fields."""
    lines = text.splitlines(keepends=True)
    starts = range(_PREAMBLE_MOST) if options.skip_lines is None else (options.skip_lines,)
    for number in starts:
        if number >= len(lines):
            return
        # A header of more than one line is found when it is read; to be told from a row, its first does.
        record = next(iter(records_of(lines[number], dialect.grammar)), None)
        if isinstance(record, Record):
            yield number + 1, tuple((value or b"").decode("utf-8", "replace") for value in record.fields)


def _rows_before(
    text: bytes, line: int, header: Sequence[str], columns: Sequence[Column], dialect: Dialect
) -> bool:
    """Tell whether a line before *line* may be a row under *header*: none is left out."""
    lines = text.splitlines(keepends=True)[: line - 1]
    before = (next(iter(records_of(one, dialect.grammar)), None) for one in lines if one.strip())
    return any(
        isinstance(one, Record)
        and len(one.fields) == len(header)
        and any(one.fields)
        and not _no_row(_texts(one), header, columns, dialect)
        for one in before
    )


def _header_score(fields: Sequence[str], names: set[str]) -> float:
    """Return how many of *fields* name a column: none at all unless most do, each but once."""
    found = [folded(value) for value in fields]
    known = [name for name in found if name in names]
    if not known or len(set(known)) * 2 < len([name for name in found if name]):
        return 0
    return len(set(known)) - 0.1 * (len(found) - len(known))


def _fitness(text: bytes, dialect: Dialect) -> tuple[float, float]:
    """Return how many records of *text* have the header's number of fields, and how few are malformed."""
    # As strictly as may be: a lenient reading takes anything for text.
    grammar = replace(dialect, lenient=False).grammar
    found = list(islice(records_of(_behind(text, dialect.skip_lines), grammar), _ROWS_SEEN))
    if not found or isinstance(found[0], Malformed):
        return 0, 0
    width = len(found[0].fields)
    fitting = sum(isinstance(one, Record) and len(one.fields) == width for one in found)
    if looks_quoted([one for one in found if isinstance(one, Record)], dialect.quote):
        fitting = 0
    return fitting / len(found), -sum(isinstance(one, Malformed) for one in found)


def _no_row(
    values: Sequence[str], header: Sequence[str], columns: Sequence[Column], dialect: Dialect
) -> bool:
    """Tell whether *values* could not be those of the columns that *header* names."""
    types = {folded(column.name): column.type for column in columns}
    pairs = zip(values, (types.get(folded(name), "text") for name in header), strict=True)
    return any(value not in dialect.nulls and not _may_be(value.strip(), type_) for value, type_ in pairs)


def _may_be(value: str, type_: str) -> bool:
    """Tell whether a column of *type_* might take *value*."""
    if type_.endswith("[]"):
        return True
    if type_.startswith(_NUMBERS):
        return is_number(value.encode())
    if type_.startswith(("date", "timestamp")):
        return value.casefold() in _MOMENTS or any(letter.isdigit() for letter in value)
    return type_ != "uuid" or len(value) >= _UUID_LEAST


def _repeats(text: bytes, dialect: Dialect, fields: Sequence[str]) -> int:
    """Return how many lines in a row are the same header."""
    rows = islice(records_of(_behind(text, dialect.skip_lines), dialect.grammar), 5)
    count = 0
    for row in rows:
        if not isinstance(row, Record) or _texts(row) != tuple(fields):
            break
        count += 1
    return max(count, 1)


def _texts(record: Record) -> tuple[str, ...]:
    return tuple((value or b"").decode("utf-8", "replace") for value in record.fields)


def _behind(text: bytes, lines: int) -> bytes:
    return b"".join(text.splitlines(keepends=True)[lines:])


def _by_pattern(text: bytes, base: Dialect, options: Options) -> Dialect:
    """Return what clevercsv finds, where no line names a column.

    https://doi.org/10.1007/s10618-019-00646-y
    """
    if options.delimiter and options.quote is not None:
        return replace(
            base, delimiter=options.delimiter, quote=options.quote, escape=options.escape or options.quote
        )
    import clevercsv  # late: it takes longer to import than a small file takes to load

    skipped = _behind(text, options.skip_lines or 0)
    delimiters = [options.delimiter] if options.delimiter else [one for one in _DELIMITERS if len(one) == 1]
    # A NUL, which it cannot take, is refused by line where it is read.
    shown = skipped[:16_384].replace(b"\0", b"").decode("utf-8", "replace")
    seen = clevercsv.Detector().detect(shown, delimiters=delimiters)
    delimiter = options.delimiter or ("\t" if base.format == "tsv" else (seen and seen.delimiter) or ",")
    quote = options.quote if options.quote is not None else (seen and seen.quotechar) or '"'
    escape = options.escape or (seen and seen.escapechar) or quote
    found = replace(base, delimiter=delimiter, quote=quote, escape=escape)
    if options.quote is not None or options.escape is not None:
        return found
    usual = replace(found, quote='"', escape='"')
    return usual if _fitness(skipped, usual) >= _fitness(skipped, found) else found


def _headless(dialect: Dialect, text: bytes, columns: Sequence[Column], options: Options) -> Dialect:
    """Say whether the first line is a row already: it has a value of the right kind for every column."""
    skip = options.skip_lines or 0
    header = options.header if options.header is not None else not _is_row(text, skip, dialect, columns)
    return replace(dialect, header=header, skip_lines=skip, header_lines=int(header))


def _is_row(text: bytes, skip: int, dialect: Dialect, columns: Sequence[Column]) -> bool:
    row = next(iter(records_of(_behind(text, skip), dialect.grammar)), None)
    filled = [column for column in columns if not column.generated]
    if not isinstance(row, Record) or len(row.fields) != len(filled):
        return False
    telling = [
        (column, value)
        for column, value in zip(filled, row.fields, strict=True)
        if not column.type.startswith(_TEXTS)
    ]
    return bool(telling) and all(_fits(column, value) for column, value in telling)


def _fits(column: Column, value: bytes | None) -> bool:
    if value is None:
        return not column.required
    if column.type.startswith(_NUMBERS):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return any(48 <= byte <= 57 for byte in value) or value.lower() in {b"t", b"f", b"true", b"false"}


def _pads_quotes(text: bytes, dialect: Dialect) -> bool:
    """Tell whether blanks stand between delimiter and quote."""
    if not dialect.quote or dialect.delimiter in {" ", "\t"}:
        return False
    quote = dialect.quote
    behind = (f"{quote} {after}".encode() for after in (dialect.delimiter, "\n", "\r"))
    if not any(one in text for one in (_padded(dialect), *behind)) or _first_fault(text, dialect) is None:
        return False
    return _first_fault(text, replace(dialect, trim=True)) is None


def _pads_all(text: bytes, dialect: Dialect, columns: Sequence[Column]) -> bool:
    """Tell whether blanks stand around every delimiter, also in the header: of no value are they a part."""
    if not dialect.header or not dialect.delimiter.strip():
        return False
    found = [one for one in _first_records(text, dialect) if isinstance(one, Record)]
    width = len(found[0].fields) if found else 0
    whole = [one.fields for one in found if len(one.fields) == width]
    names = {column.name.encode() for column in columns}
    return (
        width > 1
        and len(whole) > 1
        and not names & {*whole[0][1:]}
        and (all(value is None or value.startswith(b" ") for fields in whole for value in fields[1:]))
    )


def _is_lined_up(text: bytes, dialect: Dialect) -> bool:
    """Tell whether some columns are further apart than a delimiter of several blanks: then it is none."""
    blanks = dialect.delimiter
    return (
        len(blanks) > 1
        and not blanks.strip(" ")
        and any(
            value is not None and value.startswith(b" ")
            for one in _first_records(text, dialect)
            if isinstance(one, Record)
            for value in one.fields
        )
    )


def _padded(dialect: Dialect) -> bytes:
    return (dialect.delimiter + " " + (dialect.quote or "\0")).encode()


def _first_records(text: bytes, dialect: Dialect) -> list[Record | Malformed]:
    return list(islice(records_of(_behind(text, dialect.skip_lines), dialect.grammar), _ROWS_SEEN))


def wears_apostrophes(text: bytes, dialect: Dialect) -> bool:
    """Tell whether every text of a file that begins with *text* stands in apostrophes, which are kept."""
    return (
        dialect.format in {"csv", "tsv"}
        and dialect.quote == '"'
        and all_in_apostrophes(_first_records(text[:_SAMPLE_SCORED], dialect)[int(dialect.header) :])
    )


def _first_fault(text: bytes, dialect: Dialect) -> Malformed | None:
    return next((row for row in _first_records(text, dialect) if isinstance(row, Malformed)), None)
