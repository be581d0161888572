"""Say who wrote a revision: everyone whose commits changed its file, by Git.

Not the file's own word: whoever writes it can name somebody else, and an edit by a second person would not
show. Git knows both, and co-authors; where there is no checkout, as in an installed package, nobody is known.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.governance.persons import Person, read_persons

_TIMEOUT_S: Final = 10
# As Git knows them and as they called themselves: a mailmap may say another name, and is of the repository.
# Who committed may have changed it on the way, as a rebase does.
_WRITTEN_BY: Final = (
    "--format=%aN <%aE>%n%an <%ae>%n%cN <%cE>%n%cn <%ce>%n%(trailers:key=Co-authored-by,valueonly)"
)
# What commits at the press of a button there is nobody, and changes nothing.
_FORGES: Final = frozenset({Person("GitHub", "noreply@github.com")})


def authors_of(file: Path) -> tuple[Person, ...] | None:
    """Return everyone who changed *file*, or the file it was renamed from; nobody where there is no checkout.

    None where there is one and it cannot say: without its whole history, where the last commit would seem to
    have written everything, without Git, as somebody whom Git does not trust with it, with a file that is in
    no commit.
    """
    if not _is_checkout(file):
        return ()
    if _git(file, "rev-parse", "--is-shallow-repository") != "false":
        return None
    said = _git(file, "log", "--follow", "--use-mailmap", _WRITTEN_BY, "--", file.name)
    found = read_persons((said or "").replace("\n", ";"))
    return tuple(person for person in found if person not in _FORGES) or None


def is_uncommitted(file: Path) -> bool:
    """Tell whether *file* is in a checkout, and holds what no commit there does."""
    return _is_checkout(file) and _git(file, "status", "--porcelain", "--", file.name) != ""


def myself(file: Path) -> str | None:
    """Return as whom Git would commit in the checkout of *file*; None where it would not."""
    name, email = _git(file, "config", "user.name"), _git(file, "config", "user.email")
    return f"{name} <{email}>" if name and email else None


def _is_checkout(file: Path) -> bool:
    # That the package stands somewhere inside of another repository says nothing of who wrote it.
    return (file.parents[1] / ".git").exists()


def _git(file: Path, *arguments: str) -> str | None:
    """Return what Git says in the folder of *file*; None where it fails, or is not there."""
    # In a hook, Git's own variables name another repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", *arguments],
            cwd=file.parent,
            env=environ,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=True,
        )
        return done.stdout.strip()
    return None
