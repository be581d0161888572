"""Read a database URL into libpq parameters, and write one without its secrets. No connection here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote_to_bytes

import psycopg2
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.errors import SettingsError

EXAMPLE = "postgresql://user:password@host:5432/database"

_SCHEME = re.compile(r"^(?P<scheme>postgres(?:ql)?)(?:\+[a-z0-9_]+)?://", re.IGNORECASE)
SECRETS = frozenset(
    {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)
_PORTS = re.compile(r"\d{1,5}(,\d{1,5})*")


def parse_url(url: str) -> dict[str, str]:
    """Return the libpq parameters that *url* names.

    Takes `postgres://`, `postgresql://` and `postgresql+<driver>://`; hosts, lists of hosts and Unix
    sockets; passwords percent-encoded or as they are, even with `%`, `@`, `/` or `:` in them.

    Raises:
        SettingsError: the URL is malformed; the message never repeats it, since it may hold a password.
    """
    match = _SCHEME.match(url.strip())
    if match is None:
        raise _malformed("it does not start with postgresql://")
    try:
        rest = _requote_login(url.strip()[match.end() :])
        found = parse_dsn(f"postgresql://{rest}")
    except (psycopg2.Error, UnicodeError):
        # libpq quotes the offending part, which may be the password: its words and the cause stay out.
        raise _malformed("libpq cannot read it") from None
    if not _PORTS.fullmatch(found.get("port", "5432")):
        raise _malformed("its port is not a number")
    return {key: str(value) for key, value in found.items()}


def render_url(conninfo: Mapping[str, str]) -> str:
    """Write *conninfo* as a URL with no password, fit to be shown."""
    host, port = conninfo.get("host", ""), conninfo.get("port", "")
    shown = {key: value for key, value in conninfo.items() if key not in SECRETS}
    query = {key: shown[key] for key in shown if key not in {"host", "port", "user", "dbname"}}
    named = f"[{host}]" if ":" in host else host
    authority = f"{named}:{port}" if port else named
    if "/" in host or "," in host:
        authority = ""
        query |= {key: shown[key] for key in ("host", "port") if key in shown}
    login = f"{quote(conninfo['user'], safe='')}@" if conninfo.get("user") else ""
    tail = "&".join(f"{key}={quote(value, safe='/,:')}" for key, value in sorted(query.items()))
    return f"postgresql://{login}{authority}/{quote(conninfo.get('dbname', ''), safe='')}" + (
        f"?{tail}" if tail else ""
    )


def _requote_login(rest: str) -> str:
    """Percent-encode the user and the password in *rest*, the URL behind its scheme.

    The login ends at the last `@` before the query, so a password may hold any character but `?`.
    """
    address, mark, query = rest.partition("?")
    login, at, location = address.rpartition("@")
    if not at:
        return rest
    user, colon, password = login.partition(":")
    requoted = quote(unquote_to_bytes(user), safe="") + colon + quote(unquote_to_bytes(password), safe="")
    return requoted + at + location + mark + query


def _malformed(reason: str) -> SettingsError:
    return SettingsError(
        f"the database URL is malformed: {reason}",
        hint=f"write it as {EXAMPLE}; percent-encode special characters in the password (@ is %40)",
    )
