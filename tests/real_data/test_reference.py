"""What revision 004 seeds is what the registers say, code by code and name by name."""

from __future__ import annotations

import json

import pytest
from real_data.conftest import World
from real_data.files import COUNTRIES, LANGUAGES, TAGS, read

from support import data, rows

CODE = "ISO3166-1-Alpha-2"


def seeded(url: str, statement: str) -> dict[str, str]:
    return {str(code): str(name) for code, name in rows(url, statement)}


def typeset(name: str) -> str:
    """A name with the apostrophe of print; the registers write both, the seeds only this one."""
    return name.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


@pytest.mark.parametrize("column", ["official_name_en", "official_name_fr"])
def test_every_country_has_the_name_of_the_register(world: World, column: str) -> None:
    register = {row[CODE]: row[column] for row in read(COUNTRIES)}
    names = seeded(
        world.url,
        "SELECT code, name FROM countries"
        if column.endswith("en")
        else "SELECT entity_key, value FROM content_translations WHERE (entity_type, locale) = ('country', 'fr')",
    )
    assert len(register) == 249
    assert names == {code: typeset(name) for code, name in register.items()}
    # Beside the apostrophe nothing differs.
    differs = {code for code, name in register.items() if name != names[code]}
    assert differs == ({"KP", "LA"} if column.endswith("en") else {"IO"})


def test_namibia_is_a_country_and_not_a_missing_value(world: World) -> None:
    code = f"SELECT \"{CODE}\" FROM files.country_codes WHERE official_name_en = 'Namibia'"
    assert rows(world.url, code) == [("NA",)]
    assert rows(world.url, f'SELECT count(*) FROM files.country_codes WHERE "{CODE}" IS NULL') == [(0,)]
    assert rows(world.url, "SELECT name FROM countries WHERE code = 'NA'") == [("Namibia",)]
    cities = [row for row in read("geonames_world_cities/world-cities.csv") if row["country"] == "Namibia"]
    assert rows(world.url, "SELECT count(*) FROM places WHERE country_code = 'NA'") == [(len(cities),)]
    assert len(cities) > 10


def test_every_language_has_the_first_name_of_the_register(world: World) -> None:
    register = {row["alpha2"]: row for row in read(LANGUAGES) if row["alpha2"]}
    assert len(register) == 183

    # "Spanish; Castilian" is two names; the file ends each French one with a carriage return, inside of its quotes.
    def first(text: str) -> str:
        return typeset(text.split(";")[0].strip())

    english = seeded(world.url, "SELECT code, name FROM languages")
    assert english == {code: first(row["English"]) for code, row in register.items()}
    french = seeded(
        world.url,
        "SELECT entity_key, value FROM content_translations WHERE (entity_type, locale) = ('language', 'fr')",
    )
    assert french == {code: first(row["French"]) for code, row in register.items()}


def test_the_short_list_of_languages_says_the_same_as_the_long_one() -> None:
    short = {row["alpha2"]: row["English"] for row in read("iso_language_codes/language-codes.csv")}
    assert short == {row["alpha2"]: row["English"] for row in read(LANGUAGES) if row["alpha2"]}


def test_every_locale_is_a_language_or_a_tag_of_the_register(world: World) -> None:
    locales = {str(tag) for (tag,) in rows(world.url, "SELECT tag FROM locales")}
    languages = {row["alpha2"] for row in read(LANGUAGES) if row["alpha2"]}
    tags = {row["lang"] for row in read(TAGS)}
    assert languages <= locales
    assert locales - languages - tags == set()
    assert len(locales & tags) > 100


def test_every_tag_of_the_register_is_a_locale_tag_and_ends_in_english(world: World) -> None:
    tags = [row["lang"] for row in read(TAGS) if row["lang"] != "root"]
    taken = rows(world.url, "SELECT lang::locale_tag FROM files.ietf_language_tags WHERE lang <> 'root'")
    assert [tag for (tag,) in taken] == tags
    chains = rows(
        world.url,
        "SELECT lang, array_agg(chain.tag ORDER BY chain.place) FROM files.ietf_language_tags"
        " CROSS JOIN LATERAL locale_chain_v1(lang) AS chain WHERE lang <> 'root' GROUP BY lang",
    )
    assert len(chains) == len(tags) == 1121
    for tag, chain in chains:
        assert isinstance(chain, list)
        assert chain[-1] == "en", tag
        assert chain == ["en"] or str(tag).split("-")[0] == chain[0].split("-")[0], (tag, chain)


def test_every_subtag_is_registered_and_every_direction_is_that_of_the_script(world: World) -> None:
    registry = json.loads(data("bcp47_subtag_registry", "registry.json").read_text(encoding="utf-8"))
    living = {entry["Subtag"]: entry for entry in registry if "Subtag" in entry and "Deprecated" not in entry}
    found = rows(world.url, "SELECT tag, direction FROM locales")
    assert len(found) > 200
    assert [tag for tag, _ in found if not set(str(tag).split("-")) <= set(living)] == []
    # Where the registry knows the usual script of a language, it is the one that is left out of the tag.
    scripts = {
        str(tag): living[str(tag).split("-")[0]].get("Suppress-Script", "")
        for tag, _ in found
        if len(str(tag)) < 6
    }
    right_to_left = {tag for tag, script in scripts.items() if script in {"Arab", "Hebr", "Thaa"}}
    directions = {str(tag): direction for tag, direction in found}
    assert {"ar", "dv", "fa", "he", "ur-PK"} <= right_to_left
    assert {directions[tag] for tag in right_to_left} == {"rtl"}
    assert {directions[tag] for tag, script in scripts.items() if script == "Latn"} == {"ltr"}
