"""A URL becomes libpq parameters, and is never shown with its password."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.core.url import parse_url, render_url

WHOLE = {"user": "u", "password": "secret", "host": "h", "port": "5433", "dbname": "d"}


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg", "POSTGRESQL"]
)
def test_every_scheme_means_the_same(scheme: str) -> None:
    assert parse_url(f"{scheme}://u:secret@h:5433/d") == WHOLE


@pytest.mark.parametrize("password", ["p%40%2F%3A%25w", "p@/:%w"])
def test_special_characters_in_a_password_may_be_encoded_or_not(password: str) -> None:
    assert parse_url(f"postgresql://u:{password}@h:5433/d") == {**WHOLE, "password": "p@/:%w"}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_every_encoded_password_comes_out_as_it_was(password: str) -> None:
    found = parse_url(f"postgresql://u:{quote(password, safe='')}@h/d")
    assert found["password"] == password


def test_a_socket_is_read_from_the_query_and_from_the_host() -> None:
    assert parse_url("postgresql://u@/d?host=/run/pg") == {"user": "u", "dbname": "d", "host": "/run/pg"}
    assert parse_url("postgresql://u@%2Frun%2Fpg/d") == {"user": "u", "dbname": "d", "host": "/run/pg"}


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert render_url(parse_url("postgresql://u@[::1]:5433/d")) == "postgresql://u@[::1]:5433/d"


def test_a_list_of_hosts_is_kept() -> None:
    found = parse_url("postgresql://u@a:1,b:2/d?target_session_attrs=read-write")
    assert (found["host"], found["port"]) == ("a,b", "1,2")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://u:hunter2@h/d", "the database URL is malformed: it does not start with postgresql://"),
        ("host=h password=hunter2", "the database URL is malformed: it does not start with postgresql://"),
        ("postgresql://u:hunter2@h:abc/d", "the database URL is malformed: its port is not a number"),
        ("postgresql://u:hunter2@h/d?nonsense=1", "the database URL is malformed: libpq cannot read it"),
        ("postgresql://u:hunter2\udcff@h/d", "the database URL is malformed: libpq cannot read it"),
        ("postgresql://u:hunter2@h/%zz", "the database URL is malformed: libpq cannot read it"),
    ],
)
def test_a_malformed_url_is_refused_without_being_repeated(url: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_url(url)
    assert caught.value.problem == problem
    assert caught.value.hint.startswith("write it as postgresql://user:password@host:5432/database")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)).replace(url, "")


def test_a_shown_url_can_be_read_again_and_lacks_only_the_password() -> None:
    for url in ("postgresql://u:secret@h:5433/d", "postgresql://u:secret@/d?host=/run/pg&sslmode=require"):
        found = parse_url(url)
        shown = render_url(found)
        assert "secret" not in shown
        assert parse_url(shown) == {key: value for key, value in found.items() if key != "password"}
