"""Everything that a page says has its French, and nothing else has."""

from __future__ import annotations

import json
import pathlib
import re

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.docs.catalogue import read_schema
from spotify_ai_agent_migrations.versions.docs.language import Language, english, french
from spotify_ai_agent_migrations.versions.docs.page import page
from spotify_ai_agent_migrations.versions.docs.plan import SCHEMAS
from spotify_ai_agent_migrations.versions.docs.schema import Schema, purposes
from support import ROOT, rows

HERE = pathlib.Path(__file__).parent


class Heard(dict[str, str]):
    """Words that are asked for, noted down."""

    def get(self, key: str, default: str | None = None) -> str:  # type: ignore[override]
        assert default is not None
        return self.setdefault(key, default)


def schema_of(url: str, *schemas: str) -> Schema:
    with connect(resolve_settings(url)) as connection:
        return read_schema(connection, schemas)


def test_no_text_of_the_schema_lacks_its_french_and_none_is_left_over(url: str) -> None:
    texts = set(purposes(schema_of(url, *SCHEMAS)))
    assert len(texts) > 400
    assert set(french().texts) == texts


def test_no_word_of_a_page_lacks_its_french_and_none_is_left_over(url: str, empty_url: str) -> None:
    rows(empty_url, (HERE / "everything.sql").read_text(encoding="utf-8"))
    heard = Heard()
    listening = Language("fr", "schema.fr.md", heard, {})
    for schema in (schema_of(url, *SCHEMAS), schema_of(empty_url, "s")):
        page(schema, listening)
    assert len(heard) > 60
    assert set(french().words) == set(heard)


def test_a_sentence_has_the_same_gaps_in_both_languages() -> None:
    gaps = {said: (said.count("{}"), its_french.count("{}")) for said, its_french in french().words.items()}
    assert sum(one for one, _ in gaps.values()) > 15
    assert {said: two for said, two in gaps.items() if two[0] != two[1]} == {}


def test_french_is_written_as_in_the_readme() -> None:
    """A space before a colon, a semicolon and a question mark; straight apostrophes; no space at either end."""
    texts = [*french().words.values(), *french().texts.values()]
    assert any(" ; " in text for text in texts)
    wrong = [
        text
        for text in texts
        if text != text.strip()
        or "\u2019" in text
        or re.search(r"[^\s:][;?!]|\w:(?=\s|$)", text.replace("in English:", ""))
    ]
    assert wrong == []


def test_the_file_is_sorted_so_that_two_changes_meet_only_where_they_differ() -> None:
    held = json.loads((ROOT / "versions" / "docs" / "french.json").read_text(encoding="utf-8"))
    assert list(held) == ["words", "texts"]
    assert list(held["texts"]) == sorted(held["texts"])


def test_our_own_pages_need_no_excuse(url: str) -> None:
    """Every table has its area, and everything its comment."""
    schema = schema_of(url, *SCHEMAS)
    for language, said in (
        (english(), ("## Schema", "*no comment*")),
        (french(), ("## Schéma", "*sans commentaire*")),
    ):
        content = page(schema, language)
        assert content.count("\n## ") > 8
        assert [excuse for excuse in said if excuse in content] == []
