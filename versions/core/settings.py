"""Decide which database is meant: the URL given, then `DATABASE_URL`, then `.env`, then a local server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.url import EXAMPLE, parse_url, render_url

ENVIRONMENTS: Final = ("development", "staging", "production")


@dataclass(frozen=True)
class Settings:
    """Where to connect and how long to wait there.

    `conninfo` holds libpq parameters, the password among them, and so stays out of `repr`.
    """

    conninfo: Mapping[str, str] = field(repr=False)
    source: str
    environment: str = "development"
    lock_timeout_ms: int = 2_000
    statement_timeout_ms: int = 900_000
    idle_in_transaction_timeout_ms: int = 300_000
    connect_timeout_s: int = 10

    @property
    def shown_url(self) -> str:
        """The URL without its secrets."""
        return render_url(self.conninfo)


def resolve_settings(
    url: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    lock_timeout_ms: int = Settings.lock_timeout_ms,
    statement_timeout_ms: int = Settings.statement_timeout_ms,
) -> Settings:
    """Return the settings that *url*, the environment and `.env` make, in that order.

    With no URL anywhere, a local PostgreSQL starts below `.postgres/` (extra `embedded`), though never
    when `MIGRATIONS_ENV` is staging or production.

    Raises:
        SettingsError: no URL, a malformed one, or an unknown `MIGRATIONS_ENV`.
        ServerError: the local server does not start.
    """
    process = os.environ if environ is None else environ
    dotenv = read_dotenv()
    environment = read_environment(process, dotenv)
    conninfo, source = _choose(url, process, dotenv, environment)
    return Settings(
        conninfo=conninfo,
        source=source,
        environment=environment,
        lock_timeout_ms=lock_timeout_ms,
        statement_timeout_ms=statement_timeout_ms,
    )


def _choose(
    url: str | None, process: Mapping[str, str], dotenv: Mapping[str, str], environment: str
) -> tuple[dict[str, str], str]:
    if url is not None and not url.strip():
        # As in -x url=$UNSET: the next candidate is a database that nobody named.
        raise SettingsError(
            "the database URL is empty",
            hint=f"write it as {EXAMPLE}, or leave it out to use DATABASE_URL or .env",
        )
    candidates = (
        ("url", url),
        ("DATABASE_URL", process.get("DATABASE_URL")),
        (".env", dotenv.get("DATABASE_URL")),
    )
    for source, text in candidates:
        if text is not None and text.strip():
            return parse_url(text), source
    if environment != "development":
        raise SettingsError(
            f'no database URL is set, and in "{environment}" no local server is started in its place',
            hint=f"set DATABASE_URL={EXAMPLE}",
        )
    return parse_url(embedded.start(embedded.home()).url), "embedded"


def may_try_drafts() -> bool:
    """Tell whether this is development, where what is not finished may be tried."""
    return read_environment(os.environ, read_dotenv()) == "development"


def is_production() -> bool:
    """Tell whether this is production, where what is refused is kept."""
    return read_environment(os.environ, read_dotenv()) == "production"


def read_environment(process: Mapping[str, str], dotenv: Mapping[str, str]) -> str:
    """Return `MIGRATIONS_ENV`, checked; a misspelt "production" must never read as development."""
    name = (process.get("MIGRATIONS_ENV") or dotenv.get("MIGRATIONS_ENV") or "development").strip().lower()
    if name not in ENVIRONMENTS:
        raise SettingsError(
            f'MIGRATIONS_ENV is "{name}", which is not an environment',
            hint=f"set it to one of {', '.join(ENVIRONMENTS)}",
        )
    return name
