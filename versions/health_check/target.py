"""Find out which server is meant by what a caller has: a URL, a connection, an engine. Asks no server."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as Psycopg2Connection

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.core.url import parse_url

_SAY: Final = "give a URL, a connection of psycopg2, psycopg or SQLAlchemy, or an engine"


def settings_of(given: object, url: str | None) -> Settings:
    """Return where *given* is connected, or what *url* names, or else the environment.

    A connection is used for its parameters only: its session, and a transaction it may be in, are left alone.

    Raises:
        SettingsError: it is none, or tells no server; or both were given; or as `resolve_settings`.
    """
    if given is None or isinstance(given, str):
        if given is not None and url is not None:
            raise SettingsError("two servers were named", hint="give a connection or a URL, not both")
        return resolve_settings(url if given is None else given)
    if url is not None:
        raise SettingsError("two servers were named", hint="give a connection or a URL, not both")
    return Settings(conninfo=_conninfo(given), source="the connection given")


def _conninfo(given: Any) -> Mapping[str, str]:  # noqa: ANN401  (whatever a caller has)
    if isinstance(given, Psycopg2Connection):
        return _of_psycopg2(given)
    # Only who has loaded it can have an object of it.
    if (sqlalchemy := sys.modules.get("sqlalchemy")) is not None:
        if isinstance(given, sqlalchemy.Engine):
            return _of_url(given.url)
        if isinstance(given, sqlalchemy.Connection):
            return _of_connection(given)
    if (psycopg := sys.modules.get("psycopg")) is not None and isinstance(given, psycopg.Connection):
        return _of_psycopg(given)
    raise SettingsError(f'"{type(given).__name__}" is no connection to PostgreSQL', hint=_SAY)


def _of_psycopg2(given: Psycopg2Connection) -> Mapping[str, str]:
    try:
        found = {**given.get_dsn_parameters(), "password": given.info.password}
    except psycopg2.InterfaceError:
        raise SettingsError("the connection given is closed", hint=_SAY) from None
    return {key: str(value) for key, value in found.items() if value}


def _of_psycopg(given: Any) -> Mapping[str, str]:  # noqa: ANN401  (a driver that need not be installed)
    if given.closed:
        raise SettingsError("the connection given is closed", hint=_SAY)
    found = {**given.info.get_parameters(), "password": given.info.password}
    return {key: str(value) for key, value in found.items() if value}


def _of_connection(given: Any) -> Mapping[str, str]:  # noqa: ANN401  (as above)
    if given.closed:
        raise SettingsError("the connection given is closed", hint=_SAY)
    below = given.connection.dbapi_connection
    known = isinstance(below, Psycopg2Connection) or type(below).__module__.partition(".")[0] == "psycopg"
    return _conninfo(below) if known else _of_url(given.engine.url)


def _of_url(url: Any) -> Mapping[str, str]:  # noqa: ANN401  (as above)
    """Read the URL of an engine; an empty one, of an engine that connects in its own way, is refused."""
    if not url.drivername.startswith("postgresql"):
        raise SettingsError(f'"{url.drivername}" is not PostgreSQL', hint=_SAY)
    if url.database is None and url.host is None and not url.query:
        raise SettingsError("the engine's URL names no server", hint="give a connection of it")
    return parse_url(url.render_as_string(hide_password=False))
