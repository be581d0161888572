"""Read which functions a revision makes, and with whose rights they run. Executes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.revision import Revision
from spotify_ai_agent_migrations.versions.governance.tokens import outside_brackets, qualified

KINDS: Final = frozenset({"FUNCTION", "PROCEDURE", "ROUTINE"})


@dataclass(frozen=True, eq=False)
class Function:
    """A function or a procedure, as its CREATE says."""

    statement: Statement
    kind: str
    name: str
    is_definer: bool
    is_trigger: bool
    sets_path: bool


def functions(revision: Revision) -> Iterator[Function]:
    """Yield the functions and procedures that `upgrade()` of *revision* makes."""
    for said in revision.upgrade.statements("CREATE"):
        rest = without(said.tokens[1:], "OR", "REPLACE")
        if rest and rest[0].word in KINDS:
            name, after = qualified(rest[1:])
            words = list(pairwise(token.word for token in outside_brackets(after)))
            yield Function(
                said, rest[0].word, name,
                is_definer=("SECURITY", "DEFINER") in words,
                is_trigger=("RETURNS", "TRIGGER") in words or ("RETURNS", "EVENT_TRIGGER") in words,
                sets_path=("SET", "SEARCH_PATH") in words,
            )  # fmt: skip
