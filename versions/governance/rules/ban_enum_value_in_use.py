"""A value that is added to an enum is used in a later revision.

Why: PostgreSQL refuses to use it in the transaction that added it, and with it the whole revision.
Fix: move what uses the value into the next revision. Enums made in the same revision are exempt.
Not seen: a value that comes from a query or a function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.tokens import begins, qualified

CODE = "MIG050"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each statement that uses a value of the same revision."""
    for revision in history.revisions:
        added: dict[str, str] = {}
        new_types: set[str] = set()
        for said in revision.upgrade.of(Statement):
            if begins(said.tokens, "CREATE", "TYPE"):
                new_types.add(qualified(said.tokens[2:])[0])
            elif begins(said.tokens, "ALTER", "TYPE") and (value := _added(said, new_types)) is not None:
                added[value] = qualified(said.tokens[2:])[0]
            elif added and (used := _used(said, added)) is not None:
                yield _found(
                    revision.path,
                    f'the value "{used}" of "{added[used]}" cannot be used in the transaction that adds it',
                    hint=f"move this statement from {revision.file_name} into the next revision",
                    at=revision.place_of_act(said),
                )


def _added(said: Statement, new_types: set[str]) -> str | None:
    """Return the value that an ALTER TYPE … ADD VALUE adds inside of the transaction."""
    name, rest = qualified(said.tokens[2:])
    if said.autocommit or name in new_types or not begins(rest, "ADD", "VALUE"):
        return None
    return next((token.value for token in rest if token.value is not None), None)


def _used(said: Statement, added: Mapping[str, str]) -> str | None:
    return next((token.value for token in said.tokens if token.value in added), None)
