"""Tell CSV, TSV, JSON Lines and COPY text apart. No database here, and no file."""

from __future__ import annotations

import json
import re
from typing import Final

_MEMBER: Final = re.compile(rb'\{\s*"[^"\\]*"\s*:')


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
