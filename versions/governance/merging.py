"""Merge HEAD into another commit, and touch neither."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import MergeError
from spotify_ai_agent_migrations.versions.governance.checksums import LIST
from spotify_ai_agent_migrations.versions.governance.finding import visible
from spotify_ai_agent_migrations.versions.governance.git import Repository, failure

_NAMED: Final = 5
_DEEPEN: Final = (
    "fetch the whole history: fetch-depth: 0 in the checkout step, GIT_DEPTH: 0, or git fetch --unshallow"
)


def merge(repository: Repository, base: str) -> tuple[str, str]:
    """Return the commit that *base* names, and the tree that merging HEAD into it gives.

    Raises:
        MergeError: there is no such commit, no common history, or a conflict, whose files are named.
    """
    ours = _commit(repository, base)
    theirs = _commit(repository, "HEAD")
    if repository.ask("merge-base", ours, theirs).returncode:
        raise _unrelated(repository, base)
    command = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs)
    done = repository.ask(*command)
    tree, *conflicts = done.stdout.split(b"\0")
    if done.returncode == 1 and any(conflicts):
        raise _conflict(base, [os.fsdecode(name) for name in conflicts if name])
    if done.returncode:
        raise failure(command, done)
    return ours, tree.decode().strip()


def _commit(repository: Repository, name: str) -> str:
    if name and not name.startswith("-"):
        command = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        done = repository.ask(*command)
        if done.returncode == 0:
            return done.stdout.decode().strip()
    problem = f'"{visible(name)}" is no commit that this repository has'
    if _is_shallow(repository):
        raise MergeError(f"{problem}, and the clone is shallow", hint=_DEEPEN)
    raise MergeError(problem, hint="fetch it, and name a branch with its remote: --base origin/main")


def _unrelated(repository: Repository, base: str) -> MergeError:
    problem = f'HEAD and "{visible(base)}" have no commit in common'
    if _is_shallow(repository):
        return MergeError(f"{problem} in this clone, which is shallow", hint=_DEEPEN)
    return MergeError(problem, hint="name the branch that HEAD was made from")


def _is_shallow(repository: Repository) -> bool:
    return repository.tell("rev-parse", "--is-shallow-repository").strip() == b"true"


def _conflict(base: str, names: list[str]) -> MergeError:
    shown = ", ".join(f'"{visible(name)}"' for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    listed = any(Path(name).name == LIST for name in names)
    anew = " give a revision whose number is taken the next one, agentdb governance checksums --write,"
    return MergeError(
        f'HEAD and "{visible(base)}" cannot be merged: both changed {shown}{more}',
        hint=f"git merge {visible(base)},{anew if listed else ' settle it'} and commit",
    )
