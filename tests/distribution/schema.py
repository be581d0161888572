"""A schema of a test's own, looked at as Citus would, and the proof that a rule sees what it should."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.distribution import Finding, lint, map_tables, read_lines
from support import connected

# Read after them: who leads, and one table beside it.
PEOPLE = """
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE notes (user_id bigint NOT NULL REFERENCES users, id bigint NOT NULL, PRIMARY KEY (user_id, id));
"""


class Schema:
    """A database: execute SQL in it, then ask what the rules say and where tables live."""

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, script: str) -> None:
        with connected(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(script)

    def findings(self, *places: str) -> tuple[Finding, ...]:
        return lint(read_lines(None, places), url=self.url).findings

    def said(self, code: str, places: Iterable[str] = ()) -> list[tuple[str, str, str, str]]:
        """The findings of one rule: severity, object, problem, hint."""
        return [
            (found.severity, found.table, found.problem, found.hint)
            for found in self.findings(*places)
            if found.code == code
        ]

    def map(self, *places: str) -> dict[str, str]:
        """Where each table lives."""
        lines = map_tables(read_lines(None, places), url=self.url)
        pairs = (line.partition("  ") for line in lines)
        return {table: place.strip() for table, _, place in pairs}


@dataclass(frozen=True)
class Case:
    """What breaks a rule and what keeps it, both on top of `PEOPLE`.

    `mend` are the parts of the hint that are SQL; once they were executed nothing is left to say. `places` are
    lines of a map.
    """

    code: str
    called: str
    broken: str
    found: tuple[str, str, str, str]
    kept: str
    mend: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    def prove(self, schema: Schema) -> None:
        """Find what is broken, in full, and nothing once it was mended."""
        schema.execute(PEOPLE + self.broken)
        assert schema.said(self.code, self.places) == [self.found]
        for statements in self.mend:
            assert statements in self.found[3]
            schema.execute(statements)
        assert bool(schema.said(self.code, self.places)) is not bool(self.mend)

    def pass_over(self, schema: Schema) -> None:
        """Find nothing in what keeps the rule, though the table is there and has a place."""
        schema.execute(PEOPLE + self.kept)
        placed = schema.map(*self.places)
        assert {"public.users", "public.notes"} <= set(placed)
        assert all(placed.values()), "a table is undecided"
        assert schema.said(self.code, self.places) == []


def called(case: Case) -> str:
    """How a case is called among the tests."""
    return f"{case.code}-{case.called}"
