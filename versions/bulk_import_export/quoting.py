"""Tell which letter quotes the fields of a text. No database here, and no file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record


def quotes_of(text: bytes, delimiter: str) -> tuple[str, ...]:
    """Return the quotes that fields between *delimiter* may stand in, the usual one first."""
    worn = [quote for quote in ('"', "'") if _wears(text, delimiter, quote)]
    if worn == ["'"]:
        return ('"', "'")
    # Without quotes tabs part fields, and a quote in one is a letter; or a line ends inside of quotes.
    return ('"',) if worn or delimiter != "\t" or b'"' not in text else ('"', "")


def _wears(text: bytes, delimiter: str, quote: str) -> bool:
    """Tell whether a field stands in quotes, from delimiter to delimiter."""
    mark, place = re.escape(quote.encode()), re.escape(delimiter.encode())
    edge = rb"(?:\A|\Z|[\r\n]|" + place + rb")"
    worn = rb" *" + mark + rb"(?:[^" + mark + rb"\r\n]|" + mark * 2 + rb")*" + mark
    return quote.encode() in text and re.search(edge + worn + rb"(?=" + edge + rb")", text) is not None


def looks_quoted(records: Sequence[Record], quote: str) -> bool:
    """Tell whether all texts behind the first line still wear double quotes: *quote* is not meant then."""
    texts = _texts(records[1:])
    return quote != '"' and len(texts) > 1 and all(_is_worn(text, b'"') for text in texts)


def all_in_apostrophes(records: Sequence[Record | Malformed]) -> bool:
    """Tell whether every text of *records* stands in apostrophes."""
    texts = _texts([one for one in records if isinstance(one, Record)])
    return bool(texts) and all(_is_worn(text, b"'") for text in texts)


def apostrophes_are_quotes(
    records: Sequence[Record | Malformed], columns: Sequence[str], *, has_header: bool
) -> bool:
    """Tell whether the apostrophes that every text of *records* stands in are quotes and no part of it.

    They are where one inside is written twice, as quotes are. A file that may be an export of ours, by the
    names of *columns* in their order, would have double quotes.
    """
    rows = records[int(has_header) :]
    texts = _texts([one for one in rows if isinstance(one, Record)])
    if len(texts) < 2 or len(rows) < len(records) - 1 or not all_in_apostrophes(rows):
        return False
    if has_header and isinstance(records[0], Record) and _is_ours(records[0], columns):
        return False
    inside = [text[1:-1] for text in texts]
    return any(b"''" in one for one in inside) and not any(b"'" in one.replace(b"''", b"") for one in inside)


def _is_ours(header: Record, columns: Sequence[str]) -> bool:
    names = [(name or b"").decode("utf-8", "replace") for name in header.fields]
    return names == [name for name in columns if name in names]


def _texts(records: Sequence[Record]) -> list[bytes]:
    return [value for one in records for value in one.fields if value and not is_number(value)]


def _is_worn(text: bytes, mark: bytes) -> bool:
    return len(text) > 1 and text[:1] == text[-1:] == mark


def is_number(value: bytes) -> bool:
    """Tell whether *value* reads as a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True
