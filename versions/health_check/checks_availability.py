"""Checks of whether a server can be had at all, and is the one that is meant. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import Check

REFUSED: Final = Check(
    "avail.refused_kind", "whether the server lets anybody in",
    "A server that starts, or is full, is mended in another way than one that is not there.",
    "{said}",
)  # fmt: skip
HANG: Final = Check(
    "avail.hang", "whether the server answers",
    "It takes connections and says nothing: nobody gets an error, and everybody waits.",
    "{said}",
)  # fmt: skip
ROLE: Final = Check(
    "avail.role_expected", "whether this is the primary, or the standby, that it should be",
    "Whoever writes is refused by a standby; and a standby that was promoted is a second primary.",
    "the server is a {is}, and should be a {expected}",
    settings={"role": ""}, told="role",
)  # fmt: skip

AVAILABILITY: Final = (REFUSED, HANG, ROLE)
