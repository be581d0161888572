"""Say what production is about to run, and what is missing for it. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spotify_ai_agent_migrations.versions.governance.persons import Person

Verb = Literal["upgrade", "downgrade", "stamp"]


@dataclass(frozen=True)
class Missing:
    """Something that is missing: a word for programs, and words for people, which name nobody."""

    code: str
    said: str


@dataclass(frozen=True)
class Pending:
    """A revision that is to run, as its file is now.

    destructive: it says `Data: destructive`. back: should it fail, its downgrade runs. authors: by Git;
    authors_unknown: there is a checkout, and it cannot say.
    """

    revision: str
    file_name: str = ""
    checksum: str | None = None
    code: str | None = None
    verb: Verb = "upgrade"
    destructive: bool = False
    back: bool = False
    authors: tuple[Person, ...] = ()
    authors_unknown: bool = False

    @property
    def reverts(self) -> bool:
        """Whether its downgrade may run, which drops what was written since."""
        return self.back or self.verb == "downgrade"

    @property
    def approvers(self) -> int:
        """How many persons have to approve: two where data may be lost."""
        return 2 if self.destructive or self.reverts else 1


@dataclass(frozen=True)
class Production:
    """What a receipt is held against: the server's time (UTC), version and, where it is known, schema."""

    now: str
    server_version: str
    schema: str | None
