"""Ask Git about the repository that a folder is in. Writes nothing into it; waits two minutes at most."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import MergeError
from spotify_ai_agent_migrations.versions.governance.finding import visible

_OLDEST: Final = (2, 38)  # merges without a working tree from then on
_LIMIT_S: Final = 120
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")
_LOGIN: Final = re.compile(r"//[^/@\s]*@")
_INSTALL: Final = "install Git 2.38 or later"
_SETTLED: Final = {
    "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1",
}  # fmt: skip

_Done = subprocess.CompletedProcess[bytes]


@dataclass(frozen=True)
class Repository:
    """A repository: where the names of its files begin, the folder that is meant, how Git is asked.

    `inside` is that folder as such a name; empty where it is the whole repository.
    """

    top: Path
    inside: str
    environment: Mapping[str, str]

    def ask(self, *arguments: str, given: bytes = b"") -> _Done:
        """Run Git to its end, whatever it ends with."""
        return _run(self.top, self.environment, arguments, given)

    def tell(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return what Git writes.

        Raises:
            MergeError: it fails; what Git says of it is in the text.
        """
        done = self.ask(*arguments, given=given)
        if done.returncode:
            raise failure(arguments, done)
        return done.stdout


def open_repository(folder: Path, spare: Path) -> Repository:
    """Return the repository that *folder* is in; what Git would write into it goes below *spare*.

    Raises:
        MergeError: there is none, no Git, or one that is too old.
    """
    # Without the repository that a hook of Git works in.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or "CONFIG" in key}
    environment = {**kept, **_SETTLED}
    said = _run(folder, environment, ("version",)).stdout.decode(errors="replace")
    version = _VERSION.search(said)
    if version is None or (int(version[1]), int(version[2])) < _OLDEST:
        raise MergeError(f'"{visible(said.strip())}" merges in a working tree only', hint=_INSTALL)
    top = _place(folder, environment, "--show-toplevel")
    inside = _place(folder, environment, "--show-prefix").rstrip("/")
    objects = _place(folder, environment, "--path-format=absolute", "--git-path", "objects")
    (spare / "objects").mkdir()
    environment["GIT_OBJECT_DIRECTORY"] = str(spare / "objects")
    # Quoted, since a colon would part it in two.
    quoted = objects.replace("\\", "\\\\").replace('"', '\\"')
    environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{quoted}"'
    return Repository(Path(top), inside, environment)


def _place(folder: Path, environment: Mapping[str, str], *asked: str) -> str:
    done = _run(folder, environment, ("rev-parse", *asked))
    if done.returncode:
        hint = "name the folder of revisions in a checkout that Git may read: agentdb check FOLDER --base …"
        raise failure(("rev-parse",), done, hint=hint)
    return os.fsdecode(done.stdout.removesuffix(b"\n"))


def failure(arguments: tuple[str, ...], done: _Done, *, hint: str | None = None) -> MergeError:
    """Return what is wrong where Git fails, in its own first words, without a login that a URL holds."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    said = _LOGIN.sub("//", visible(lines[0])) if lines else f"exit code {done.returncode}"
    command = f"git {arguments[0]}"
    return MergeError(f"{command} failed: {said}", hint=hint or f"{command} by hand shows more")


def _run(
    folder: Path, environment: Mapping[str, str], arguments: tuple[str, ...], given: bytes = b""
) -> _Done:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=environment, input=given, capture_output=True, check=False, timeout=_LIMIT_S,
        )  # fmt: skip
    except FileNotFoundError:
        raise MergeError("git is not installed", hint=_INSTALL) from None
    except subprocess.TimeoutExpired as exc:
        hint = "look whether its disk or, in a partial clone, its remote answers"
        raise MergeError(f"git {arguments[0]} had not ended after {_LIMIT_S} s", hint=hint) from exc
