"""The list of statements with the class of each, and the tables they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection

FOLDER = Path(__file__).parent / "statements"
_HEADER = re.compile(r"^--= (?P<expected>\w+): (?P<title>.*)$", re.MULTILINE)
_CONDITION = re.compile(r" \[(?P<condition>[^\]]+)\]")


@dataclass(frozen=True)
class Entry:
    """One statement: what it shows, what comes before it in its transaction, its class, where it applies."""

    title: str
    given: tuple[str, ...]
    statement: str
    expected: str
    since: int = 0
    alone: bool = False


def entries(version: int) -> Iterator[Entry]:
    """Yield the entries that apply to this major version of PostgreSQL."""
    parts = _HEADER.split((FOLDER / "statements.sql").read_text())[1:]
    for expected, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        entry = _entry(expected, title, body, version)
        if entry.since <= version:
            yield entry


def _entry(expected: str, title: str, body: str, version: int) -> Entry:
    conditions = _CONDITION.findall(title)
    since = 0
    for condition in conditions:
        if condition.startswith("since "):
            since = int(condition.removeprefix("since "))
        elif ": " in condition and int(condition.partition(": ")[0]) <= version:
            expected = condition.partition(": ")[2]
    return Entry(
        title=_CONDITION.sub("", title),
        given=tuple(line.removeprefix("--+ ") for line in body.splitlines() if line.startswith("--+ ")),
        statement="\n".join(line for line in body.splitlines() if not line.startswith("--")).strip(),
        expected=expected,
        since=since,
        alone="alone" in conditions,
    )


def prepare(connection: Connection, *, rows: int) -> None:
    """Make the tables in an empty database, with this many rows in each."""
    with connection.cursor() as cursor:
        cursor.execute((FOLDER / "setup.sql").read_text())
        if rows:
            cursor.execute("SELECT set_config('tests.rows', %s, false)", (str(rows),))
            cursor.execute((FOLDER / "fill.sql").read_text())
