"""Locales fall back, translations pass their review, search and sorting know the language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module

import psycopg2
import pytest

from support import Databases, connected, rows


@pytest.mark.parametrize(
    ("wanted", "chain"),
    [
        ("fr-CA", ["fr-CA", "fr", "en"]),
        ("fr-HT", ["fr", "en"]),
        ("fr-CA-x-sociolect", ["fr-CA", "fr", "en"]),
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-Hant", "en"]),
        ("zh-Hans-SG", ["zh-Hans-SG", "zh-Hans", "zh", "en"]),
        ("es-MX", ["es-MX", "es-419", "es", "en"]),
        ("en", ["en"]),
        ("xx-YY", ["en"]),
        ("", ["en"]),
    ],
)
def test_a_locale_falls_back_to_the_nearest_that_is_known(url: str, wanted: str, chain: list[str]) -> None:
    assert rows(url, "SELECT tag FROM locale_chain_v1(%s) ORDER BY place", (wanted,)) == [
        (tag,) for tag in chain
    ]


def test_a_chain_without_english_ends_in_english(url: str) -> None:
    rows(url, "UPDATE locales SET parent_tag = NULL WHERE tag = 'br'")
    assert rows(url, "SELECT tag FROM locale_chain_v1('br-FR') ORDER BY place") == [("br",), ("en",)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE locales SET parent_tag = 'fr-CA' WHERE tag = 'fr'",
        "UPDATE locales SET parent_tag = 'zh-Hant-TW' WHERE tag = 'en'",
    ],
)
def test_a_circle_of_locales_is_refused(url: str, statement: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="would fall back to itself"):
        rows(url, statement)
    assert rows(url, "SELECT parent_tag FROM locales WHERE tag = 'fr'") == [("en",)]


def test_countries_and_languages_are_there_with_their_french_names(url: str) -> None:
    assert rows(url, "SELECT count(*) FROM countries") == [(249,)]
    assert rows(url, "SELECT name FROM countries WHERE code = 'NA'") == [("Namibia",)]
    assert rows(url, "SELECT count(*) FROM languages") == [(183,)]
    assert rows(url, "SELECT count(*) FROM countries WHERE gdpr_applies AND digital_consent_age IS NULL") == [
        (0,)
    ]
    assert rows(url, "SELECT count(*) FROM countries WHERE gdpr_applies") == [(38,)]
    assert rows(url, "SELECT value, locale FROM translate_v1('country', 'DE', 'name', 'fr-CA')") == [
        ("Allemagne", "fr")
    ]
    assert rows(url, "SELECT value, locale FROM translate_v1('language', 'eu', 'name', 'fr')") == [
        ("basque", "fr")
    ]
    # Nothing in Finnish: what the catalogue itself says.
    assert rows(url, "SELECT value, locale FROM translate_v1('country', 'DE', 'name', 'fi')") == [
        ("Germany", None)
    ]
    assert rows(url, "SELECT count(*) FROM stale_translations") == [(0,)]
    assert rows(url, "SELECT tag FROM locales WHERE enabled ORDER BY tag") == [("en",), ("fr",)]
    assert rows(
        url, "SELECT direction FROM locales WHERE tag IN ('ar', 'he', 'ur-PK') GROUP BY direction"
    ) == [("rtl",)]


def test_a_page_is_translated_in_the_order_of_its_keys(url: str) -> None:
    found = rows(
        url,
        "SELECT entity_key, value FROM translate_many_v1('country', ARRAY['IT', 'XX', 'FR', 'IT'], 'name', 'fr-BE')",
    )
    assert found == [("IT", "Italie"), ("XX", None), ("FR", "France"), ("IT", "Italie")]


DRAFT = (
    "INSERT INTO content_translations (entity_type, entity_key, field, locale, value, status)"
    " VALUES ('track', '1', 'title', 'fr', 'La nuit', %s)"
)


@pytest.fixture
def track(url: str) -> str:
    rows(url, "INSERT INTO tracks (id, title, source) VALUES (1, 'The night', 'internal')")
    return url


def test_a_translation_is_published_after_its_review_only(track: str) -> None:
    with connected(track) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app")
        with pytest.raises(psycopg2.errors.CheckViolation, match="begins as a draft"):
            cursor.execute(DRAFT, ("published",))
        cursor.execute(DRAFT, ("draft",))
        with pytest.raises(psycopg2.errors.CheckViolation, match="before its review"):
            cursor.execute("UPDATE content_translations SET status = 'published' WHERE entity_key = '1'")
        read = "SELECT value, locale FROM translate_v1('track', '1', 'title', 'fr-CA')"
        cursor.execute(read)
        assert cursor.fetchall() == [("The night", None)]
        for status in ("in_review", "published"):
            cursor.execute("UPDATE content_translations SET status = %s WHERE entity_key = '1'", (status,))
        cursor.execute(read)
        assert cursor.fetchall() == [("La nuit", "fr")]
        cursor.execute(
            "UPDATE content_translations SET value = 'Nuit' WHERE entity_key = '1' RETURNING status"
        )
        assert cursor.fetchall() == [("in_review",)]


def test_a_translation_whose_source_changed_is_stale_until_it_is_made_again(track: str) -> None:
    rows(track, DRAFT, ("draft",))
    stale = "SELECT entity_type, entity_key, locale FROM stale_translations"
    assert rows(track, stale) == []
    rows(track, "UPDATE tracks SET title = 'The long night' WHERE id = 1")
    assert rows(track, stale) == [("track", "1", "fr")]
    rows(track, "UPDATE content_translations SET value = 'La longue nuit' WHERE entity_key = '1'")
    assert rows(track, stale) == []
    rows(track, "DELETE FROM tracks")
    assert rows(track, stale) == [("track", "1", "fr")]


def test_who_translates_is_in_the_trail_and_the_text_is_not(track: str) -> None:
    rows(track, DRAFT, ("draft",))
    rows(track, "UPDATE content_translations SET value = 'Nuit' WHERE entity_key = '1'")
    entries = rows(
        track,
        "SELECT action::text, entity_key, changed_columns FROM audit_log WHERE entity_type = 'translation' ORDER BY id DESC LIMIT 2",
    )
    assert entries == [("update", "1", ["value", "updated_at"]), ("insert", "1", None)] or entries == [
        ("update", "1", ["value"]),
        ("insert", "1", None),
    ]
    assert rows(track, "SELECT count(*) FROM audit_log AS entry WHERE entry::text LIKE '%%nuit%%'") == [(0,)]


@pytest.fixture(scope="module")
def translated_template(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database with thousands of texts in each language, kept free of connections to be cloned."""
    name = databases.create(template)
    rows(
        databases.url(name),
        "INSERT INTO content_translations (entity_type, entity_key, field, locale, value, status)"
        " SELECT 'ui', n::text, 'label', l, md5(n::text || l), 'published'"
        " FROM generate_series(1, 4000) AS n, unnest(ARRAY['fr', 'en-GB', 'de', 'sv']) AS l",
    )
    yield name
    databases.drop(name)


@pytest.fixture
def translated(databases: Databases, translated_template: str) -> Iterator[str]:
    """The URL of such a database of one's own."""
    name = databases.create(translated_template)
    yield databases.url(name)
    databases.drop(name)


@pytest.mark.parametrize(
    ("language", "index", "text", "asked"),
    [
        ("fr", "french", "les chevaux galopent", "cheval"),
        ("en-GB", "english", "the horses were running", "horse run"),
        ("de", "german", "die Häuser", "Haus"),
        ("sv", "simple", "hästen", "hästen"),
    ],
)
def test_search_finds_words_by_their_stems_with_the_index_of_the_language(
    translated: str, language: str, index: str, text: str, asked: str
) -> None:
    with connected(translated) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO content_translations (entity_type, entity_key, field, locale, value, status)"
            " VALUES ('ui', 'wanted', 'label', %s, %s, 'published')",
            (language, text),
        )
        cursor.execute("ANALYZE content_translations")
        cursor.execute("SELECT entity_key FROM search_translations_v1(%s, %s)", (asked, language))
        assert cursor.fetchall() == [("wanted",)]
        other = "fr" if not language.startswith("fr") else "de"
        cursor.execute("SELECT entity_key FROM search_translations_v1(%s, %s)", (asked, other))
        assert cursor.fetchall() == []
        cursor.execute("LOAD 'auto_explain'")
        cursor.execute("SET auto_explain.log_min_duration = 0")
        cursor.execute("SET auto_explain.log_nested_statements = on")
        cursor.execute("SET auto_explain.log_format = json")
        cursor.execute("SET client_min_messages = log")
        connection.notices.clear()
        cursor.execute("SELECT entity_key FROM search_translations_v1(%s, %s)", (asked, language))
        plans = "".join(connection.notices)
        assert f"content_translations_{index}_idx" in plans
        assert json.dumps("Seq Scan")[1:-1] not in plans


def test_texts_are_sorted_by_the_language_or_by_letters_where_the_server_knows_no_better(url: str) -> None:
    texts = ["zèbre", "Éclair", "eclair", "Zoo", "abeille", "östlich", "ostern"]
    sort = "SELECT value FROM sort_texts_v1(%s, %s) ORDER BY place"
    without = [value for (value,) in rows(url, sort, (texts, "xx"))]
    assert without == ["abeille", "eclair", "Éclair", "ostern", "östlich", "zèbre", "Zoo"]
    assert rows(url, "SELECT sort_key_v1('Éclair ÑANDÚ ﬁn')") == [("eclair nandu fin",)]
    (known,) = rows(url, "SELECT collation_of_v1('sv')")[0]
    swedish = [value for (value,) in rows(url, sort, (texts, "sv"))]
    if known is None:
        assert swedish == without
    else:
        # In Swedish ö comes after z.
        assert swedish[-1] == "östlich"


def test_the_seeds_can_be_planted_again(url: str) -> None:
    counted = "SELECT (SELECT count(*) FROM countries), (SELECT count(*) FROM locales), (SELECT count(*) FROM content_translations)"
    before = rows(url, counted)
    rows(url, "UPDATE countries SET name = 'Deutschland' WHERE code = 'DE'")
    revision = import_module("spotify_ai_agent_migrations.versions.004_multilingual_geo")
    with connected(url) as connection, connection.cursor() as cursor:
        for seed in (revision._SOURCES, revision._COUNTRIES, revision._LANGUAGES, revision._SEED_LOCALES):
            cursor.execute(seed)
    assert rows(url, counted) == before
    assert rows(url, "SELECT name FROM countries WHERE code = 'DE'") == [("Deutschland",)]
