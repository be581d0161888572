"""The questions of a music backend have the answers that the files hold."""

from __future__ import annotations

import datetime
import hmac
import re
from decimal import Decimal

from real_data.conftest import KEY, World
from real_data.files import CHARTS, read

from support import ROOT, connected, rows

Answer = list[tuple[object, ...]]
# What none of the files knows.
NOT_ASKED = {"track_by_its_code", "track_by_its_spotify_id", "tracks_like_this", "last_messages"}
ROLES = {
    "who_refused": "agent_owner", "events_of_a_month": "agent_owner", "an_hour_of_listening": "agent_owner",
    "who_listens_to_a_track": "agent_owner", "who_touched_a_user": "agent_auditor",
    "events_of_a_person": "agent_privacy",
}  # fmt: skip


def questions(file: str) -> dict[str, str]:
    parts = re.split(r"^-- ([a-z_]+) --$", (ROOT / "tests" / file).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def ask(world: World, name: str, *, signed_in: int = 130) -> Answer:
    """The answer to a question as the role that asks it; nothing of it stays."""
    email = read("chinook/customer.csv")[22]["email"]
    with connected(world.url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {ROLES.get(name, 'agent_app')}")
        cursor.execute(f"SET app.user_id = '{signed_in}'; SET app.subject_id = '{signed_in}'")
        hashed = hmac.digest(KEY, email.encode(), "sha256")
        cursor.execute(questions("real_data/questions.sql")[name].replace("%(hmac)s", f"'\\x{hashed.hex()}'"))
        return cursor.fetchall()


def bought(
    *, by: int | None = None, since: str = "2021", until: str = "2026"
) -> list[tuple[int, datetime.datetime]]:
    """The tracks on the invoices of the file, each with the day, the last first."""
    invoices = {
        invoice["invoice_id"]: datetime.datetime.fromisoformat(invoice["invoice_date"]).replace(
            tzinfo=datetime.timezone.utc
        )
        for invoice in read("chinook/invoice.csv")
        if by in (None, int(invoice["customer_id"])) and since <= invoice["invoice_date"] < until
    }
    lines = [line for line in read("chinook/invoice_line.csv") if line["invoice_id"] in invoices]
    return sorted(
        ((int(line["track_id"]), invoices[line["invoice_id"]]) for line in lines),
        key=lambda one: one[1],
        reverse=True,
    )


def test_every_question_is_asked_of_what_is_real_or_left_out_for_a_reason() -> None:
    asked = set(questions("real_data/questions.sql"))
    assert asked | NOT_ASKED == set(questions("questions/questions.sql"))
    assert not asked & NOT_ASKED
    assert len(asked) >= 20


def in_order(answer: Answer) -> Answer:
    """The answer, which is in the order of its last column, with the ties of that in the order of the first."""
    days = [str(row[-1]) for row in answer]
    assert days in (sorted(days), sorted(days, reverse=True))
    return sorted(answer, key=lambda row: (str(row[-1]), row[0]))


def test_a_customer_reads_what_the_invoices_say_that_was_heard(world: World) -> None:
    assert in_order(ask(world, "recently_played")) == in_order(list(bought(by=30, since="2023-12")))
    assert len(ask(world, "recently_played")) == 25
    assert in_order(ask(world, "played_before")) == in_order(
        list(bought(by=30, since="2023-12", until="2025"))
    )
    assert len(ask(world, "played_before")) == 16
    # Nobody else's.
    assert ask(world, "recently_played", signed_in=129) == []


def test_a_playlist_is_read_by_pages_and_as_it_was(world: World) -> None:
    grunge = sorted(
        int(row["track_id"]) for row in read("chinook/playlist_track.csv") if row["playlist_id"] == "16"
    )
    page = ask(world, "playlist_page", signed_in=100)
    assert page == [(Decimal(place), track) for place, track in enumerate(grunge, 1) if place > 10]
    assert len(page) == 5
    # The store's lists are public.
    assert ask(world, "playlist_page", signed_in=130) == page
    (only,) = (row["track_id"] for row in read("chinook/playlist_track.csv") if row["playlist_id"] == "18")
    assert ask(world, "playlist_before", signed_in=100) == [(int(only),)]


def test_names_come_in_the_nearest_language_that_has_them(world: World) -> None:
    assert ask(world, "translated_titles") == [
        ("Alemania", "es"), ("Namibia", "es"), ("Côte d\N{RIGHT SINGLE QUOTATION MARK}Ivoire", "es"), ("Bossa Nova", "en"),
    ]  # fmt: skip
    assert ask(world, "words_in_french") == [
        ("CD", "République démocratique du Congo"),
        ("KP", "République populaire démocratique de Corée"),
        ("LA", "République démocratique populaire lao"),
    ]


def test_what_is_near_is_found_across_the_date_line(world: World) -> None:
    assert ask(world, "nearest_places") == [
        ("Suva", "FJ", 200),
        ("Nuku\N{LEFT SINGLE QUOTATION MARK}alofa", "TO", 691),
        ("Apia", "WS", 960),
    ]
    near = ask(world, "artists_near")
    assert set(near[:3]) == {("Black Sabbath", 11), ("Judas Priest", 11), ("UB40", 11)}
    assert set(near[3:]) == {("Queen", 151), ("Iron Maiden", 151)}


def test_consent_holds_from_its_answer_until_it_has_to_be_asked_again(world: World) -> None:
    assert min(day for _, day in bought(by=23)).year == 2021
    assert ask(world, "consent_at_an_instant", signed_in=123) == [(None, True, False)]
    assert ask(world, "may_recommend", signed_in=123) == [(False, True)]
    companies = {int(row["customer_id"]) + 100 for row in read("chinook/customer.csv") if row["company"]}
    assert {row[0] for row in ask(world, "who_refused")} == companies
    assert len(companies) == 10


def test_the_trail_tells_who_did_what_to_whom(world: World) -> None:
    assert ask(world, "who_touched_a_user") == [
        ("insert", "service", None),
        ("update", "service", ["email_hmac"]),
    ]
    # Each answer to marketing was written down by the employee who looks after the customer.
    written = rows(
        world.url,
        "SELECT employee.user_id, customer.user_id FROM audit_log JOIN ops.pseudonyms AS employee ON employee.audit_ref = actor_ref"
        " JOIN ops.pseudonyms AS customer ON customer.audit_ref = subject_ref WHERE entity_type = 'consent' ORDER BY 2",
    )
    assert written == [
        (200 + int(row["support_rep_id"]), 100 + int(row["customer_id"]))
        for row in read("chinook/customer.csv")
    ]


def test_purchases_and_plays_are_those_of_the_invoices(world: World) -> None:
    march = bought(since="2025-03", until="2025-04")
    prices = {int(track["track_id"]): Decimal(track["unit_price"]) for track in read("chinook/track.csv")}
    assert ask(world, "events_of_a_month") == [(len(march), sum(prices[track] for track, _ in march))]
    mine = bought(by=30, since="2025")
    assert ask(world, "events_of_a_person") == [("track.purchased", day) for _, day in reversed(mine)]
    assert len(mine) == 9
    # Nobody knows for how long.
    assert ask(world, "an_hour_of_listening") == [(len(bought(since="2024-01-01", until="2024-01-02")), None)]
    assert (
        ask(world, "who_listens_to_a_track")
        == [([track for track, _ in bought(since="2023-12")].count(1089),)]
        == [(2,)]
    )


def test_the_catalogue_is_found_by_parts_by_misspelling_and_by_genre(world: World) -> None:
    titles = [
        (row["name"], "chinook") for row in read("chinook/track.csv") if "smells like" in row["name"].lower()
    ]
    assert ask(world, "titles_with_a_part") == [*titles, ("Smells Like Teen Spirit", "classic-rock")]
    assert len(titles) == 3
    assert ask(world, "misspelt_artist") == [("Iron Maiden",)]
    assert ask(world, "artists_of_a_genre") == [("Toquinho & Vinícius", ["bossa nova"])]
    assert ask(world, "tracks_of_an_album") == [
        (row["name"],) for row in read("chinook/track.csv") if row["album_id"] == "4"
    ]
    assert ask(world, "tracks_of_an_artist") == [
        ("For Those About To Rock We Salute You", "main", 10),
        ("Let There Be Rock", "composer", 8),
        ("Let There Be Rock", "main", 8),
    ]


def test_a_customer_signs_in_and_plays_what_is_listed_nowhere(world: World) -> None:
    assert ask(world, "signing_in") == [(123,)]
    assert ask(world, "in_this_market") == [(True, None)]


def test_the_rank_of_a_song_is_that_of_the_last_chart_that_was_known(world: World) -> None:
    ranks = {
        row["date"]: int(row["current"])
        for file in CHARTS
        for row in read(file)
        if (row["title"], row["artist"]) == ("Rolling In The Deep", "Adele")
    }
    then = ranks[max(day for day in ranks if day <= "2011-06-01")]
    assert ask(world, "features_then") == [(then, None, ranks[max(ranks)])] == [(1, None, 41)]
