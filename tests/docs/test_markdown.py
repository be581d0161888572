"""What is in the catalogue is shown as it is, whatever characters it has."""

from __future__ import annotations

import pathlib
import re

import pytest

from spotify_ai_agent_migrations.versions.docs.markdown import anchor, code, fenced, paragraph, table, text
from support import ROOT

PAGES = [
    ROOT / "docs" / "schema.md",
    ROOT / "docs" / "schema.fr.md",
    pathlib.Path(__file__).with_name("everything.md"),
]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a *b* [c](d) <e> `f`", r"a \*b\* \[c\](d) \<e> \`f\`"),
        ("audit_table_v1 and _this_", r"audit_table_v1 and \_this\_"),
        ("R&D, &amp; and &#39;", r"R&D, \&amp; and \&#39;"),
        ("costs $5 or $6", r"costs \$5 or \$6"),
        (r"C:\*", r"C:\\\*"),
        ("two\n  lines\t| here", "two lines | here"),
        ("-1 is none", "-1 is none"),
    ],
)
def test_text_shows_as_text(value: str, shown: str) -> None:
    assert text(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("- no list", r"\- no list"), ("# no heading", r"\# no heading"), ("1. no list", r"1\. no list"),
     ("> no quotation", r"\> no quotation"), ("2 rows", "2 rows")],
)  # fmt: skip
def test_a_paragraph_begins_nothing_else(value: str, shown: str) -> None:
    assert paragraph(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "`a`"), ("a `b`", "`` a `b` ``"), ("``", "``` `` ```"), ("a\n b", "`a b`"), ("", "`  `"),
     (r"a\|b", "<code>a&#92;&#124;b</code>"), (r"a\b|c", r"`a\b|c`")],
)  # fmt: skip
def test_code_shows_as_code(value: str, shown: str) -> None:
    assert code(value) == shown


def test_a_bar_stays_in_its_cell() -> None:
    assert (
        table(("A", "B"), [(code("a|b"), text("c|d"))]) == "| A | B |\n| --- | --- |\n| `a\\|b` | c\\|d |\n"
    )


def test_nothing_ends_a_block_of_code_but_its_own_fence() -> None:
    assert fenced("sql", "SELECT '```'") == "````sql\nSELECT '```'\n````\n"


@pytest.mark.parametrize(
    ("heading", "place"),
    [("`users`", "users"), ("`ops.pseudonyms`", "opspseudonyms"), ("Trail, events and retention", "trail-events-and-retention"),
     ("L'agent", "lagent"), ("Modèles et prompts", "modèles-et-prompts"), ('`s."Odd | table"`', "sodd--table")],
)  # fmt: skip
def test_an_anchor_is_that_of_github(heading: str, place: str) -> None:
    assert anchor(heading) == place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_has_as_many_cells_as_its_header(page: pathlib.Path) -> None:
    tables = 0
    cells = 0
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("| "):
            cells = 0
            continue
        found = len(re.findall(r"(?<!\\)\|", line)) - 1
        tables += cells == 0
        cells = cells or found
        assert found == cells, line
    assert tables > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_heading(page: pathlib.Path) -> None:
    content = page.read_text(encoding="utf-8")
    places = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", content, re.MULTILINE)}
    links = re.findall(r"\]\(#([^)]+)\)", content)
    assert len(links) > 10
    assert set(links) <= places
