"""A diagram is Mermaid, whatever the names of the tables and columns."""

from __future__ import annotations

import pathlib
import re

import pytest

from spotify_ai_agent_migrations.versions.docs.diagram import diagram
from spotify_ai_agent_migrations.versions.docs.schema import Column, Constraint, Table
from support import ROOT

PAGES = [
    ROOT / "docs" / "schema.md",
    ROOT / "docs" / "schema.fr.md",
    pathlib.Path(__file__).with_name("everything.md"),
]

# The part of Mermaid's grammar that is used: packages/mermaid/src/diagrams/er/parser/erDiagram.jison
_QUOTED = r'"[^"%\r\n\v\b\\]+"'
_WORD = r"[A-Za-z_\u00C0-\uFFFF][A-Za-z0-9\-_\[\]()\u00C0-\uFFFF]*"
_KEY = r"(?:PK|FK|UK)"
OPENING = re.compile(rf"    {_QUOTED} \{{")
ALONE = re.compile(rf"    {_QUOTED}")
ATTRIBUTE = re.compile(rf"        {_WORD} (?!(?i:pk|fk|uk)\b){_WORD} {_KEY}(?:, {_KEY})*")
RELATION = re.compile(rf"    {_QUOTED} (?:\|\||\|o)(?:--|\.\.)(?:o\||o\{{) {_QUOTED} : {_QUOTED}")


def assert_is_mermaid(content: str) -> int:
    """Check every line of a diagram; return how many relations it has."""
    first, *lines = content.splitlines()
    assert first == "erDiagram"
    relations, inside = 0, False
    for line in lines:
        if inside:
            inside = line != "    }"
            assert not inside or ATTRIBUTE.fullmatch(line), line
        elif OPENING.fullmatch(line):
            inside = True
        else:
            relations += bool(RELATION.fullmatch(line))
            assert RELATION.fullmatch(line) or ALONE.fullmatch(line), line
    assert not inside
    return relations


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_diagram_of_a_page_is_mermaid(page: pathlib.Path) -> None:
    found = re.findall(
        r"^```mermaid\n(.*?)\n```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert sum(map(assert_is_mermaid, found)) > 3


def test_every_foreign_key_of_the_schema_is_drawn_once() -> None:
    content = PAGES[0].read_text(encoding="utf-8")
    drawn = len(re.findall(r'^    ".*" : "', content, re.MULTILINE))
    assert drawn == len(re.findall(r"\| foreign key to .* \| `FOREIGN KEY", content))
    assert drawn > 40


def column(name: str, *, type_: str = "bigint", nullable: bool = False) -> Column:
    return Column(name, type_, nullable, None, None, None)


def key(kind: str, *columns: str, target: str | None = None) -> Constraint:
    return Constraint("_".join((kind, *columns)), kind, "", columns, target, None)


def table(called: str, columns: tuple[Column, ...], *constraints: Constraint) -> Table:
    return Table(
        key=called, called=called, foreign=False, partition_key=None, row_security=False, forced=False,
        purpose=None, columns=columns, constraints=constraints,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("nullable", "keys", "line"),
    [
        (False, (key("p", "id"),), "||..o{"),
        (True, (key("p", "id"),), "|o..o{"),
        (False, (key("p", "id", "up"),), "||--o{"),
        (False, (key("p", "up"),), "||--o|"),
        (True, (key("p", "id"), key("u", "up")), "|o..o|"),
        (False, (key("p", "id"), key("u", "up", "id")), "||..o{"),
    ],
)
def test_a_line_says_how_many_are_on_either_side(
    nullable: bool, keys: tuple[Constraint, ...], line: str
) -> None:
    child = table(
        "child", (column("id"), column("up", nullable=nullable)), *keys, key("f", "up", target="parent")
    )
    assert f'    "parent" {line} "child" : "up"' in diagram([child]).splitlines()


@pytest.mark.parametrize("name", ["pk", "FK", "1st", '"a b"', '"é""q"', "id#", '"%%"', "名"])
def test_any_name_makes_a_diagram(name: str) -> None:
    drawn = diagram(
        [
            table(
                name, (column(name, type_="timestamp(3) with time zone"),), key("p", name),
                key("f", name, target=name),
            )
        ]
    )  # fmt: skip
    assert assert_is_mermaid(drawn) == 1


def test_a_table_without_a_key_is_named_only() -> None:
    assert diagram([table("loose", (column("id"),))]) == 'erDiagram\n    "loose"'
