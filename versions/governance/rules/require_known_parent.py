"""What a revision follows or depends on exists, and is not itself.

Why: Alembic cannot load a history with a missing parent or a circle, and says so with a bare `KeyError`.
Fix: set `down_revision` to the number before the revision's own, and `depends_on` to None.
Not seen: a circle that goes through `depends_on`, and a `depends_on` that is no literal.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from spotify_ai_agent_migrations.versions.governance import bindings, syntax
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG008"
STRUCTURAL = True

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision whose parent is missing or follows it, and each dependency."""
    parents = {made.name: history.parent(made) for made in history.revisions}
    circular = _circular(parents)
    labels = {label for _, tree in history.readable for label in _listed(tree, "branch_labels")}
    known = history.names | labels
    for revision, tree in history.readable:
        yield from _dependencies(revision, tree, known)
        problem = _problem(revision, parents, circular)
        if revision.down_revision is None or problem is None:
            continue
        previous = history.previous(revision)
        wanted = f'"{previous}"' if previous else "None"
        yield _found(
            revision.path,
            problem,
            hint=f"set down_revision = {wanted} in {revision.file_name}",
            at=revision.place_of("down_revision"),
        )


def _dependencies(revision: Revision, tree: ast.Module, known: frozenset[str]) -> Iterator[Finding]:
    for name in _listed(tree, "depends_on"):
        if name in known and name != revision.name:
            continue
        what = "itself" if name == revision.name else f'"{name}", which does not exist'
        yield _found(
            revision.path,
            f'revision "{revision.name}" depends on {what}',
            hint=f"set depends_on = None in {revision.file_name}",
            at=revision.place_of("depends_on"),
        )


def _listed(tree: ast.Module, variable: str) -> list[str]:
    """Return the literal string, or the literal strings, assigned to *variable*."""
    value = bindings.assignments(tree).get(variable)
    return [name for name in (syntax.literal(value), *syntax.literals(value)) if name is not None]


def _problem(revision: Revision, parents: Mapping[str, str | None], circular: set[str]) -> str | None:
    parent = revision.down_revision
    if parent is not None and parent not in parents:
        return f'revision "{revision.name}" follows "{parent}", which does not exist'
    if revision.name not in circular:
        return None
    first = parents[revision.name]
    through = "" if first == revision.name else f' through "{first}"'
    return f'revision "{revision.name}" follows itself{through}'


def _circular(parents: Mapping[str, str | None]) -> set[str]:
    """Return the names that come back to themselves; every name is walked from once."""
    circular: set[str] = set()
    walked: dict[str, str] = {}
    for start in parents:
        name: str | None = start
        while name is not None and name not in walked:
            walked[name] = start
            name = parents.get(name)
        if name is not None and walked[name] == start:
            circular |= _circle(name, parents)
    return circular


def _circle(name: str, parents: Mapping[str, str | None]) -> set[str]:
    found: set[str] = set()
    at: str | None = name
    while at is not None and at not in found:
        found.add(at)
        at = parents.get(at)
    return found
