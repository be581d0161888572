"""Find PostgreSQL's own programs, and tell them where to connect without showing a password."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from psycopg2.extensions import make_dsn

from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.errors import ServerError, SettingsError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.url import SECRETS

_MAJOR: Final = re.compile(r"\(PostgreSQL\) (\d+)")


def spoken_conninfo(settings: Settings, *, program: str) -> str:
    """Return the libpq string without the password, which every user of the machine could read.

    Raises:
        SettingsError: another secret is among the settings, which the environment cannot carry.
    """
    unspoken = sorted(SECRETS & set(settings.conninfo) - {"password"})
    if unspoken:
        raise SettingsError(
            f'{program} can be given "{unspoken[0]}" only where others can read it',
            hint="use a service file of libpq",
        )
    return make_dsn(**{key: value for key, value in settings.conninfo.items() if key != "password"})


def client_environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment, with the password for PostgreSQL's programs."""
    password = settings.conninfo.get("password")
    return {**os.environ, **({"PGPASSWORD": password} if password else {})}


def program_for(name: str, server: int) -> Path:
    """Return the program *name* of the server's major version, or of the next later one that is there.

    Raises:
        ServerError: there is none; an earlier one cannot read what this server says.
    """
    found = {version: place for place in _places(name, server) if (version := _major(place)) >= server}
    if not found:
        raise ServerError(
            f"{name} of PostgreSQL {server} or later is not installed",
            hint=f"install PostgreSQL's client programs of version {server}",
        )
    return found[min(found)]


def _places(name: str, server: int) -> Iterator[Path]:
    beside = Path(f"/usr/lib/postgresql/{server}/bin") / name
    on_path = shutil.which(name)
    ours = embedded.program(name)
    yield from (Path(place) for place in (on_path, ours, beside if beside.exists() else None) if place)


def _major(program: Path) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30)
    match = _MAJOR.search(done.stdout)
    return int(match[1]) if match else 0
