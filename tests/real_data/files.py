"""The files of the data folder: read by Python, and loaded by `bulk_import`."""

from __future__ import annotations

import csv
import io
import pathlib
import re
import tempfile
from functools import cache

from spotify_ai_agent_migrations import bulk_import
from support import ROOT, connected, data

HERE = pathlib.Path(__file__).parent
Row = dict[str, str]

CHINOOK = (
    "genre", "media_type", "employee", "artist", "album", "track", "playlist", "playlist_track", "customer",
    "invoice", "invoice_line",
)  # fmt: skip
CITIES = "geonames_world_cities/world-cities.csv"
COUNTRIES = "iso_country_codes/country-codes.csv"
LANGUAGES = "iso_language_codes/language-codes-full.csv"
TAGS = "iso_language_codes/ietf-language-tags.csv"
SONGS = "fivethirtyeight_music/classic-rock-song-list.csv"
LYRICS = "fivethirtyeight_music/genius_hip_hop_lyrics.csv"
CHARTS = tuple(f"billboard_hot100_by_year/hot-100-{year}.csv" for year in (1997, 2011, 2016))
# Quotes inside of its fields are written once: `"Step By Step (From "The Preacher's Wife")"`.
BROKEN = CHARTS[0]
# The table of each file; its columns are the header.
TABLES = {
    CITIES: "world_cities", COUNTRIES: "country_codes", LANGUAGES: "language_codes_full", TAGS: "ietf_language_tags",
    SONGS: "classic_rock_song_list", **dict.fromkeys(CHARTS, "hot_100"),
}  # fmt: skip


@cache
def text_of(file: str) -> str:
    """The text of a file, with quotes inside of fields written twice where the file does not."""
    text = data(*file.split("/")).read_text(encoding="utf-8-sig")
    return re.sub(r'(?<=[^,\n])"(?=[^,\n])', '""', text) if file == BROKEN else text


@cache
def read(file: str) -> tuple[Row, ...]:
    """The rows of a file, by their header."""
    return tuple(csv.DictReader(io.StringIO(text_of(file), newline=""), strict=True))


def load_store(url: str) -> dict[str, int]:
    """Load all of Chinook and move it into the domain; return how many rows of each file were loaded."""
    loaded = {}
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute((ROOT / "tests" / "tour" / "staging.sql").read_text())
        for name in CHINOOK:
            file = f"chinook/{name}.csv"
            loaded[file] = bulk_import(f"chinook.{name}", data("chinook", f"{name}.csv"), url=url).rows
        cursor.execute((ROOT / "tests" / "tour" / "map.sql").read_text())
    return loaded


def load_files(url: str, *files: str) -> dict[str, int]:
    """Load files into schema `files`, each into a table with the columns of its header."""
    loaded = {}
    with connected(url) as connection:
        connection.cursor().execute("CREATE SCHEMA IF NOT EXISTS files")
        for file in files:
            columns = ", ".join('"' + name.replace('"', '""') + '" text' for name in read(file)[0])
            connection.cursor().execute(f"CREATE TABLE IF NOT EXISTS files.{TABLES[file]} ({columns})")
            loaded[file] = _load(url, file)
    return loaded


def _load(url: str, file: str) -> int:
    if file != BROKEN:
        return bulk_import(f"files.{TABLES[file]}", data(*file.split("/")), url=url).rows
    with tempfile.TemporaryDirectory() as folder:
        mended = pathlib.Path(folder, "mended.csv")
        mended.write_text(text_of(file), encoding="utf-8")
        return bulk_import(f"files.{TABLES[file]}", mended, url=url).rows
