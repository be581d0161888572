"""Every row of the files is accounted for: what was loaded is what was moved and what was left out, with the reason."""

from __future__ import annotations

import pytest
from real_data.accounts import ACCOUNTS
from real_data.conftest import World
from real_data.files import BROKEN, CHARTS, CHINOOK, LYRICS, SONGS, TABLES, read

from spotify_ai_agent_migrations import RowError, bulk_import
from support import connected, data, rows


def test_every_row_of_every_file_is_loaded(world: World) -> None:
    assert world.loaded == {
        file: len(read(file)) for file in (*(f"chinook/{name}.csv" for name in CHINOOK), *TABLES)
    }
    assert sum(world.loaded.values()) == 69_526


def test_every_file_has_an_account(world: World) -> None:
    assert {file for account in ACCOUNTS.values() for file in account.files} == set(world.loaded)


@pytest.mark.parametrize("name", ACCOUNTS)
def test_what_was_loaded_is_what_was_moved_and_what_was_left_out(world: World, name: str) -> None:
    account = ACCOUNTS[name]
    loaded = account.rows()
    left = {reason: sum(map(choice, loaded)) for reason, choice in account.left.items()}
    assert all(left.values()), left
    moved = int(str(rows(world.url, account.moved)[0][0]))
    assert moved > 0
    assert len(loaded) == moved + sum(left.values()), left


@pytest.mark.parametrize(
    ("file", "columns", "problem", "hint"),
    [
        (
            BROKEN,
            "date, title, artist, current, previous, peak, weeks",
            'line 22, column "artist": text follows a closing quote',
            'write a quote inside a quoted field twice (""); or an earlier quote is never closed',
        ),
        (
            LYRICS,
            "id, candidate, song, artist, sentiment, theme, album_release_date, line, url",
            'line 13, column "line": bytes that are not UTF-8',
            "convert the file, for example with: iconv -f WINDOWS-1252 -t UTF-8; or name its encoding",
        ),
    ],
)
def test_a_file_that_is_broken_is_refused_by_its_line(
    empty_url: str, file: str, columns: str, problem: str, hint: str
) -> None:
    path = data(*file.split("/"))
    rows(empty_url, f"CREATE TABLE broken ({columns.replace(',', ' text,')} text)")
    with pytest.raises(RowError) as refused:
        bulk_import("broken", path, url=empty_url)
    assert (refused.value.problem, refused.value.hint) == (f'"{path}" {problem}', hint)
    assert rows(empty_url, "SELECT count(*) FROM broken") == [(0,)]


def test_of_where_people_live_only_the_country_is_kept(world: World) -> None:
    people = [*read("chinook/customer.csv"), *read("chinook/employee.csv")]
    with connected(world.url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, country_code, row_to_json(users)::text FROM users WHERE id > 100 ORDER BY id"
        )
        kept = cursor.fetchall()
    assert len(people) == len(kept)
    for person, (number, country, text) in zip(people, kept, strict=True):
        assert person["email"] in text, number
        assert country is not None, number
        for column in ("address", "city", "postal_code", "phone", "fax"):
            assert not person[column] or f'"{person[column]}"' not in text, (number, column)


def test_credits_read_as_the_charts_print_them(world: World) -> None:
    printed = rows(
        world.url,
        "SELECT track.title, string_agg(coalesce(credit.credited_as, artist.name) || credit.join_phrase, '' ORDER BY position)"
        " FROM tracks AS track JOIN track_artists AS credit ON credit.track_id = track.id"
        " JOIN artists AS artist ON artist.id = credit.artist_id"
        " WHERE track.source IN ('hot-100', 'classic-rock') GROUP BY track.id",
    )
    charts = {(row["title"], row["artist"]) for file in CHARTS for row in read(file)}
    radio = [(row["Song Clean"], row["ARTIST CLEAN"]) for row in read(SONGS)]
    assert sorted(printed) == sorted([*charts, *radio])
    assert 'Missy "Misdemeanor" Elliott Featuring Da Brat' in {credit for _, credit in printed}


def test_purchases_add_up_to_the_totals_of_the_invoices(world: World) -> None:
    paid = rows(
        world.url,
        "SELECT properties ->> 'invoice_id', sum((properties ->> 'price')::numeric * (properties ->> 'quantity')::integer)::text"
        " FROM analytics GROUP BY 1",
    )
    totals = {
        row["invoice_id"]: float(row["total"])
        for row in read("chinook/invoice.csv")
        if row["invoice_date"] >= "2025"
    }
    assert len(paid) == 80
    assert {invoice: float(str(total)) for invoice, total in paid} == totals
