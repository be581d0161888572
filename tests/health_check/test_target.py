"""A server is named by whatever a caller has, and each names the same one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
import sqlalchemy

from spotify_ai_agent_migrations import SettingsError
from spotify_ai_agent_migrations.versions.core.database import engine as own_engine
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.health_check import State, check_health
from spotify_ai_agent_migrations.versions.health_check.target import settings_of
from support import connected


def sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://")


def test_every_way_to_name_a_server_names_the_same(empty_url: str, login: Callable[..., str]) -> None:
    url = login()
    engine = sqlalchemy.create_engine(sqlalchemy_url(url))
    ways = {
        "url": settings_of(url, None),
        "keyword": settings_of(None, url),
        "engine": settings_of(engine, None),
    }
    with closing(psycopg2.connect(url)) as connection:
        ways["psycopg2"] = settings_of(connection, None)
    with engine.connect() as open_one:
        ways["sqlalchemy"] = settings_of(open_one, None)
    engine.dispose()
    with own_engine(resolve_settings(url)).connect() as own:
        ways["creator"] = settings_of(own, None)
    wanted = ("host", "user", "dbname", "password")
    named = {way: tuple(settings.conninfo.get(key) for key in wanted) for way, settings in ways.items()}
    assert len(set(named.values())) == 1, named
    assert named["url"][3] == "secret"
    # With the password, and without showing it.
    for way, settings in ways.items():
        assert "secret" not in settings.shown_url + repr(settings), way
    assert check_health(engine, only="con").state is State.OK
    assert check_health(empty_url, only="con").state is State.OK


def test_a_connection_is_used_for_its_parameters_alone(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.UndefinedTable):
            cursor.execute("SELECT * FROM nothing")
        report = check_health(connection, only="con")
        assert (report.state, report.role) == (State.OK, "primary")
        # Its transaction is as broken as it was.
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("SELECT 1")


def test_what_names_no_server_is_refused(empty_url: str) -> None:
    closed = psycopg2.connect(empty_url)
    closed.close()
    engine = sqlalchemy.create_engine(sqlalchemy_url(empty_url))
    with engine.connect() as left:
        pass
    engine.dispose()
    refused = {
        "the connection given is closed": (closed, left),
        "two servers were named": (),
        '"int" is no connection to PostgreSQL': (5,),
        '"sqlite" is not PostgreSQL': (sqlalchemy.create_engine("sqlite://"),),
        "the engine's URL names no server": (own_engine(resolve_settings(empty_url)),),
    }
    for problem, given in refused.items():
        for one in given:
            with pytest.raises(SettingsError) as caught:
                check_health(one)
            assert caught.value.problem == problem
    for both in (empty_url, engine):
        with pytest.raises(SettingsError, match="two servers were named"):
            check_health(both, url=empty_url)


@pytest.mark.parametrize("deadline_s", [0, -1, float("nan")])
def test_no_time_to_ask_in_is_refused(deadline_s: float) -> None:
    with pytest.raises(SettingsError) as caught:
        check_health(deadline_s=deadline_s)
    assert caught.value.problem == "there is no time to ask in"


def test_one_name_is_taken_for_a_name(empty_url: str) -> None:
    assert [ran.check for ran in check_health(empty_url, only="conn.usage").checks] == ["conn.usage"]
    left = check_health(empty_url, only=["con"], exclude="con.not_valid").checks
    assert left
    assert "con.not_valid" not in {ran.check for ran in left}
