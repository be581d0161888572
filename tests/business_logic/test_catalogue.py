"""The catalogue keeps to what codes, dates and names can be; updated_at tells when a row changed."""

from __future__ import annotations

import psycopg2
import pytest

from support import connected, rows


@pytest.mark.parametrize(
    ("gtin", "valid"),
    [("042282826824", True), ("5099749534728", True), ("00042282826824", True), ("042282826825", False),
     ("5099749534729", False), ("", False), ("04228282682x", False)],
)  # fmt: skip
def test_a_product_code_has_its_check_digit(url: str, gtin: str, valid: bool) -> None:
    assert rows(url, "SELECT coalesce(gtin_is_valid_v1(%s), false)", (gtin,)) == [(valid,)]
    insert = "INSERT INTO albums (title, upc, source) VALUES ('x', %s, 'internal') RETURNING upc"
    if valid:
        assert rows(url, insert, (gtin,)) == [(gtin,)]
    else:
        with pytest.raises(psycopg2.errors.CheckViolation, match=r"upc_(digit_)?check"):
            rows(url, insert, (gtin,))


def test_a_recording_code_is_stored_in_one_form(url: str) -> None:
    assert rows(url, "SELECT isrc_v1('gb-um7 15-05078')") == [("GBUM71505078",)]
    with pytest.raises(psycopg2.errors.CheckViolation, match="isrc_check"):
        rows(url, "SELECT isrc_v1('GB-UM7-15-0507')")


@pytest.mark.parametrize(
    ("date", "precision", "accepted"),
    [("1997-01-01", "year", True), ("1997-03-01", "year", False), ("1997-01-02", "year", False), ("1997-03-01", "month", True),
     ("1997-03-02", "month", False), ("1997-03-02", "day", True)],
)  # fmt: skip
def test_a_date_says_no_more_than_is_known(url: str, date: str, precision: str, accepted: bool) -> None:
    insert = "INSERT INTO albums (title, release_date, release_date_precision, source) VALUES ('x', %s, %s, 'internal') RETURNING id"
    if accepted:
        assert len(rows(url, insert, (date, precision))) == 1
    else:
        with pytest.raises(psycopg2.errors.CheckViolation, match="albums_release_date_first_day_check"):
            rows(url, insert, (date, precision))


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("external_ids", '{"spotify": 1}', "artists_external_ids_text_check"),
        ("external_ids", '{"spotify": ""}', "artists_external_ids_text_check"),
        ("external_ids", "[]", "artists_external_ids_check"),
        ("genres", "{rock,NULL}", "artists_genres_check"),
        ("name", "e\u0301", "nfc_text_check"),
        ("name", "", "artists_name_check"),
    ],
)
def test_an_artist_is_written_as_the_catalogue_asks(
    url: str, column: str, value: str, constraint: str
) -> None:
    rows(url, "INSERT INTO artists (id, name, sort_name, source) VALUES (1, 'n', 'n', 'internal')")
    rows(url, "UPDATE artists SET external_ids = '{\"spotify\": \"4tZ\"}', genres = '{rock}'")
    with pytest.raises(psycopg2.errors.CheckViolation, match=constraint):
        rows(url, f"UPDATE artists SET {column} = %s", (value,))


def test_updated_at_is_the_time_of_a_change_and_not_of_a_touch(url: str) -> None:
    rows(url, "INSERT INTO users (id, updated_at) VALUES (1, '2020-01-01')")
    read = "SELECT updated_at > now() - INTERVAL '1 minute' FROM users"
    rows(url, "UPDATE users SET locale = 'en'")
    assert rows(url, read) == [(False,)]
    rows(url, "UPDATE users SET locale = 'fr'")
    assert rows(url, read) == [(True,)]
    rows(url, "UPDATE users SET locale = 'en', updated_at = '2020-01-01'")
    assert rows(url, read) == [(True,)]


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "", "x; DROP TABLE users"])
def test_a_time_zone_is_one_the_server_knows(url: str, zone: str) -> None:
    rows(url, "INSERT INTO users (time_zone) VALUES ('America/Argentina/Ushuaia'), ('UTC')")
    with pytest.raises(psycopg2.errors.CheckViolation, match="names no time zone"):
        rows(url, "INSERT INTO users (time_zone) VALUES (%s)", (zone,))
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchall() == [(2,)]


def test_every_stream_of_personal_data_has_an_end(url: str) -> None:
    kept = {str(table) for (table,) in rows(url, "SELECT DISTINCT table_name FROM retention_policies")}
    assert {
        "listens",
        "analytics",
        "audit_log",
        "consent_events",
        "agent_conversations",
        "recommendations",
    } <= kept
    wrong = rows(
        url,
        "SELECT table_name, time_column FROM retention_policies WHERE NOT EXISTS (SELECT FROM pg_attribute"
        " WHERE attrelid = to_regclass(table_name) AND attname = time_column)",
    )
    assert wrong == []
