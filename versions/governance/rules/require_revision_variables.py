"""A revision assigns `revision` and `down_revision` as literals, each once.

Why: they say where the revision stands without being executed: to a reader, to this check and to a merge.
Alembic refuses a revision without them.
Fix: write `revision = "004"` and `down_revision = "003"` (`None` in 001) at the top of the module.
Not seen: a starred import that brings one of them, and what changes the module from outside (`setattr`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import bindings
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG004"
STRUCTURAL = True

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each variable that is missing, computed or bound again."""
    for revision, tree in history.readable:
        values = bindings.assignments(tree)
        for variable, wanted in _wanted(history, revision).items():
            value = values.get(variable)
            for again in revision.rebindings(variable):
                yield _found(
                    revision.path,
                    f'"{variable}" is bound more than once',
                    hint=f"write {variable} = {wanted} once, and nothing else, in {revision.file_name}",
                    at=revision.place(again),
                )
            if variable in revision.assigned:
                continue
            kind = "a string" if variable == "revision" else "a string or None"
            yield _found(
                revision.path,
                f'"{revision.file_name}" does not assign "{variable}"'
                if value is None
                else f'"{variable}" is not the literal of {kind}',
                hint=f"write {variable} = {wanted} in {revision.file_name}",
                at=revision.place_of(variable),
            )


def _wanted(history: History, revision: Revision) -> dict[str, str]:
    number = "NNN" if revision.number is None else f"{revision.number:03}"
    previous = history.previous(revision)
    return {"revision": f'"{number}"', "down_revision": f'"{previous}"' if previous else "None"}
