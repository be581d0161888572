"""How a page speaks: in which language, and of which tables and views it can say where they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.docs.language import Language
from spotify_ai_agent_migrations.versions.docs.markdown import anchor, code
from spotify_ai_agent_migrations.versions.docs.schema import Schema


@dataclass(frozen=True)
class Voice:
    """A language, and the names that have a heading on the page."""

    language: Language
    known: frozenset[str] = frozenset()

    def say(self, english: str, *values: object) -> str:
        """Return a word or sentence of this room; see `Language.say`."""
        return self.language.say(english, *values)

    def link(self, called: str) -> str:
        """Return the name of a table or view as code, leading to its heading where it has one."""
        return f"[{code(called)}](#{anchor(called)})" if called in self.known else code(called)


def voice(schema: Schema, language: Language) -> Voice:
    """Return how the page of *schema* speaks in *language*."""
    return Voice(language, frozenset(one.called for one in schema.relations))
