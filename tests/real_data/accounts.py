"""What becomes of the rows of each file: the rows that are meant, those that have a place, and why others have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from real_data.files import CHARTS, CITIES, COUNTRIES, LANGUAGES, SONGS, TAGS, Row, read

Choice = Callable[[Row], bool]


@dataclass(frozen=True)
class Account:
    """What becomes of the rows of some files, or of those rows of them that `of` chooses."""

    files: tuple[str, ...]
    moved: str
    left: dict[str, Choice] = field(default_factory=dict)
    of: Choice = lambda _: True

    def rows(self) -> list[Row]:
        return [row for file in self.files for row in read(file) if self.of(row)]


def _chinook(name: str, moved: str, **more: object) -> Account:
    return Account((f"chinook/{name}.csv",), moved, **more)  # type: ignore[arg-type]


def _invoices() -> dict[str, str]:
    return {invoice["invoice_id"]: invoice["invoice_date"] for invoice in read("chinook/invoice.csv")}


def _bought_in_2025() -> set[str]:
    lines = read("chinook/invoice_line.csv")
    bought = {line["track_id"] for line in lines if _invoices()[line["invoice_id"]] >= "2025"}
    return {track["media_type_id"] for track in read("chinook/track.csv") if track["track_id"] in bought}


ACCOUNTS = {
    "genres": _chinook(
        "genre", "SELECT count(DISTINCT genre) FROM artists, unnest(genres) AS genre WHERE source = 'chinook'"
    ),
    "names of genres": _chinook(
        "genre", "SELECT count(*) FROM content_translations WHERE (entity_type, locale) = ('genre', 'en')"
    ),
    "media types": _chinook(
        "media_type",
        "SELECT count(DISTINCT properties ->> 'media_type') FROM analytics",
        left={"nobody bought such a file in 2025": lambda row: row["media_type_id"] not in _bought_in_2025()},
    ),
    "employees": _chinook("employee", "SELECT count(*) FROM users WHERE id > 200"),
    "representatives": _chinook(
        "employee",
        "SELECT count(DISTINCT actor_ref) FROM audit_log JOIN ops.pseudonyms ON audit_ref = actor_ref"
        " WHERE (entity_type, actor_type) = ('consent', 'admin') AND user_id > 200",
        left={"looks after no customer": lambda row: row["title"] != "Sales Support Agent"},
    ),
    "artists": _chinook("artist", "SELECT count(*) FROM artists WHERE source = 'chinook'"),
    "albums": _chinook("album", "SELECT count(*) FROM albums WHERE source = 'chinook'"),
    "tracks": _chinook("track", "SELECT count(*) FROM tracks WHERE source = 'chinook'"),
    "composers": _chinook(
        "track",
        "SELECT count(*) FROM track_artists WHERE role = 'composer'",
        of=lambda row: row["composer"] != "",
        left={
            "names people, and is not the name of an artist": lambda row: (
                row["composer"] not in {artist["name"] for artist in read("chinook/artist.csv")}
            )
        },
    ),
    "playlists": _chinook("playlist", "SELECT count(*) FROM playlists"),
    "entries of playlists": _chinook("playlist_track", "SELECT count(*) FROM playlist_items"),
    "customers": _chinook("customer", "SELECT count(*) FROM users WHERE id BETWEEN 101 AND 200"),
    "countries of customers": _chinook(
        "customer", "SELECT count(country_code) FROM users WHERE id BETWEEN 101 AND 200"
    ),
    "invoices as events": _chinook(
        "invoice",
        "SELECT count(DISTINCT properties ->> 'invoice_id') FROM analytics",
        left={"older than events are kept": lambda row: row["invoice_date"] < "2025"},
    ),
    "invoices as listens": _chinook(
        "invoice",
        "SELECT count(DISTINCT context_key) FROM listens",
        left={"older than listens are kept": lambda row: row["invoice_date"] < "2023-12"},
    ),
    "lines of invoices as events": _chinook(
        "invoice_line",
        "SELECT count(*) FROM analytics",
        left={"older than events are kept": lambda row: _invoices()[row["invoice_id"]] < "2025"},
    ),
    "lines of invoices as listens": _chinook(
        "invoice_line",
        "SELECT count(*) FROM listens",
        left={"older than listens are kept": lambda row: _invoices()[row["invoice_id"]] < "2023-12"},
    ),
    "cities": Account((CITIES,), "SELECT count(*) FROM places WHERE source = 'geonames'"),
    "countries of cities": Account(
        (CITIES,),
        "SELECT count(country_code) FROM places",
        left={
            "Kosovo has no code in ISO 3166-1": lambda row: (
                row["country"] == "No country found for alpha-2 code: XK"
            )
        },
    ),
    "regions of cities": Account(
        (CITIES,), "SELECT count(subdivision) FROM places", of=lambda row: row["subcountry"] != ""
    ),
    "countries": Account(
        (COUNTRIES,),
        'SELECT count(*) FROM countries JOIN files.country_codes ON "ISO3166-1-Alpha-2" = code',
    ),
    **{
        f"countries in {locale}": Account(
            (COUNTRIES,),
            f"SELECT count(*) FROM content_translations WHERE (entity_type, locale) = ('country', '{locale}')",
        )
        for locale in ("ar", "es", "fr", "ru", "zh")
    },
    "languages": Account(
        (LANGUAGES,),
        "SELECT count(*) FROM languages JOIN files.language_codes_full ON alpha2 = code",
        left={"has no code of two letters": lambda row: row["alpha2"] == ""},
    ),
    # A tag is read as the nearest locale of its language; where there is none, as English.
    "locales": Account(
        (TAGS,),
        "SELECT count(*) FROM files.ietf_language_tags CROSS JOIN LATERAL locale_chain_v1(lang) AS chain"
        " WHERE chain.place = 1 AND split_part(chain.tag, '-', 1) = split_part(lang, '-', 1)",
        left={
            "is no tag": lambda row: row["lang"] == "root",
            "its language has no code of two letters": lambda row: row["lang"] != "root" and row["lang"][2:3] not in {"", "-"},
        },
    ),
    "weeks of charts": Account(
        CHARTS, "SELECT count(*) FROM track_features WHERE feature = 'hot_100_rank@1'"
    ),
    "songs of the radio": Account((SONGS,), "SELECT count(*) FROM tracks WHERE source = 'classic-rock'"),
    "years of songs": Account(
        (SONGS,),
        "SELECT count(*) FROM albums WHERE source = 'classic-rock' AND release_date_precision = 'year'",
        of=lambda row: row["Release Year"] != "",
        left={"is no year of recorded music": lambda row: row["Release Year"] in {"1071", "SONGFACTS.COM"}},
    ),
}  # fmt: skip
