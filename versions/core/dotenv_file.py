"""Read what `.env` says, where there is one. No connection here."""

from __future__ import annotations

from pathlib import Path

from dotenv import dotenv_values

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import SettingsError


def read_dotenv() -> dict[str, str]:
    """Return what `.env` beside alembic.ini says, or else the one in the current directory."""
    for folder in (PACKAGE_ROOT, Path.cwd()):
        path = folder / ".env"
        if path.is_file():
            return _read_file(path)
    return {}


def _read_file(path: Path) -> dict[str, str]:
    try:
        found = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        # The text itself may hold a password.
        raise SettingsError(
            f'"{path}" cannot be read: {type(error).__name__}', hint="save it as UTF-8, readable by this user"
        ) from None
    return {key: value for key, value in found.items() if value is not None}
