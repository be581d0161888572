"""What a column is to become, and what the server has said of it. No database here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted


@dataclass(frozen=True)
class Turn:
    """What is wished of a column; `using` and `back` are expressions of it by its own name, either way."""

    column: str
    type: str
    collation: str | None = None
    using: str | None = None
    back: str | None = None


@dataclass(frozen=True)
class Turned:
    """What a column will be, in the server's words; `up` and `down` are None where it is assigned as it is.

    `storage` and `compression` are None where they are as its type has them.
    """

    name: str
    type: str
    collation: str | None
    default: str | None
    storage: str | None
    compression: str | None
    up: str | None
    down: str | None

    @property
    def shadow(self) -> str:
        """What the new column is called beside the old one."""
        return fitted(self.name, "new")

    @property
    def old(self) -> str:
        """What the old column is called once the new one has its name."""
        return fitted(self.name, "old")


@dataclass(frozen=True)
class Trial:
    """What the server has made of a table like the real one.

    `free`: no file is written anew, and no row read. `indexes` and `statistics` are
    the definitions on the new columns, without a name, by the oid of what is there; `checks` by their name.
    """

    free: bool
    columns: tuple[Turned, ...]
    indexes: Mapping[int, str]
    checks: Mapping[str, str]
    statistics: Mapping[int, str]
