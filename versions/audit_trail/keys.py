"""The key that seals are signed with: where it is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.signing import NamedKey, SigningKey

KEY: Final = "AUDIT_SIGNING_KEY"
_NAMED: Final = NamedKey("AUDIT_SIGNING_KEY_FILE", KEY, "seals", "agentdb audit-trail new-key")


def signing_key(file: Path | str | None = None, *, environ: Mapping[str, str] | None = None) -> SigningKey:
    """Return the key in *file*, the file that AUDIT_SIGNING_KEY_FILE names, or AUDIT_SIGNING_KEY itself.

    What the environment lacks is looked for in `.env`.

    Raises:
        SettingsError: none is named, or what AUDIT_SIGNING_KEY holds is none.
        FileError: the file cannot be read, or holds something else.
    """
    return _NAMED.read(file, environ=environ)
