"""A revision sets nothing for longer than its transaction.

Why: one session runs all revisions. A SET without LOCAL, or a role, goes on in the next one, and the same
revision does something else when it is run alone.
Fix: write SET LOCAL, or put the setting into the function that needs it:

    execute("SET LOCAL work_mem = '256MB'")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, begins, bracketed, split

CODE = "MIG026"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_OWN_END: Final = frozenset({"LOCAL", "TRANSACTION", "CONSTRAINTS"})


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each setting of the session, of both functions."""
    for revision, said in history.statements_of_both("PERFORM", "SELECT", "SET"):
        if (fix := _local(said)) is not None:
            yield _found(
                revision.path,
                f'the setting "{fix[0]}" outlives the revision, and every later one runs with it',
                hint=f"write {hints.execute(fix[1])} instead in {revision.file_name}",
                at=revision.place_of_act(said),
            )


def _local(said: Statement) -> tuple[str, str] | None:
    """Return what is set, and the statement that sets it for the transaction alone."""
    if said.verb != "SET":
        return _function(said.tokens)
    rest = said.tokens[1:]
    if not begins(rest, "SESSION", "AUTHORIZATION"):
        rest = without(rest, "SESSION")
    if not rest or rest[0].word in _OWN_END or begins(rest, "CHARACTERISTICS"):
        return None
    name = written(rest[: 2 if rest[0].word == "SESSION" else 1]).lower()
    return name, f"SET LOCAL {written(rest)}"


def _function(tokens: Tokens) -> tuple[str, str] | None:
    """Read a call of `set_config` whose last argument is not true."""
    at = next((place for place, token in enumerate(tokens) if token.name == "set_config"), None)
    given = split(bracketed(tokens[at + 1 :])[0]) if at is not None else []
    if len(given) != 3 or given[2][0].word == "TRUE" or given[0][0].value is None:
        return None
    return given[0][0].value, f"SELECT set_config({written(given[0])}, {written(given[1])}, true)"
