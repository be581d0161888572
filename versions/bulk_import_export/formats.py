"""Tell CSV, TSV, JSON Lines and COPY text apart. No database here, and no file."""

from __future__ import annotations

import json
import re
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import FileError

_MEMBER: Final = re.compile(rb'\{\s*"[^"\\]*"\s*:')
# The objects of one array, or an object of which the first member is on a line of its own.
_NO_LINES: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*\{\s*["}]|\{[ \t]*\r?\n\s*"[^"\\\r\n]*"\s*:)')


def refuse_other_json(sample: bytes, name: str) -> None:
    """Refuse JSON that does not hold one object a line.

    Raises:
        FileError: says how to write it so.
    """
    if (found := _NO_LINES.match(sample)) is not None:
        is_array = b"[" in found[0]
        raise FileError(
            f'"{name}" is {"one JSON array" if is_array else "JSON over several lines"}, '
            "and JSON Lines is expected",
            hint=f"write one object a line, for example with: jq -c '{'.[]' if is_array else '.'}'",
        )


def kind_of(sample: bytes, name: str) -> str:
    """Tell the format by the content, and only where that says nothing by the name."""
    if ".copy" in name.casefold().rpartition("/")[2]:
        return "copy"
    start = sample.lstrip()
    if start.startswith(b"{"):
        first = start.splitlines()[0] if start else b""
        try:
            return "jsonl" if isinstance(json.loads(first), dict) else "csv"
        except ValueError:
            # The first line may be longer than what is looked at.
            begins = len(first) == len(start) and _MEMBER.match(first)
            return "jsonl" if begins or name.endswith((".jsonl", ".ndjson")) else "csv"
    for ending, found in ((".jsonl", "jsonl"), (".ndjson", "jsonl"), (".tsv", "tsv")):
        if ending in name.casefold().rpartition("/")[2]:
            return found
    return "csv"
