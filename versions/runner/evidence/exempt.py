"""Read what the revisions of a folder allow that a rule forbids, and since which commit, where Git knows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.governance import discover
from spotify_ai_agent_migrations.versions.governance.checksums import checksum
from spotify_ai_agent_migrations.versions.governance.evidence.model import Row, Source
from spotify_ai_agent_migrations.versions.governance.evidence.period import instant
from spotify_ai_agent_migrations.versions.governance.suppressions import Suppression

_GIT_TIMEOUT_S: Final = 10
_UNCOMMITTED: Final = "0" * 40


def read_exempt(folder: Path) -> tuple[Source, Source]:
    """Return the suppressions of the revisions in *folder*, and the revisions; runs and imports none."""
    revisions: list[Row] = []
    allowed: list[Row] = []
    for made in discover(folder):
        text = checksum(made.path)
        known = made.revision or made.path.stem
        revisions.append(
            Row("revision", made.path.name, {"revision": known, "file": made.path.name, "checksum": text})
        )
        since = _blamed(made.path) if made.suppressions else {}
        for one in made.suppressions:
            cells = {"revision": known, "file": made.path.name, "checksum": text}
            allowed.append(_row(f"{len(allowed) + 1}-{one.code}", cells, one, since.get(one.place.line)))
    where = "the files of this installation; when a line came, by git blame"
    return (
        Source("suppression", "Suppressions", "now", where, tuple(allowed)),
        Source("revision", "Revisions", "now", "the files of this installation", tuple(revisions)),
    )


def _row(key: str, of_file: Mapping[str, str], one: Suppression, since: tuple[str, datetime] | None) -> Row:
    commit, at = (since[0], instant(since[1])) if since is not None else ("", "")
    said = {"rule": one.code, "line": str(one.place.line), "reason": one.reason, "commit": commit}
    return Row("suppression", key, {**of_file, **said}, at=at)


def _blamed(path: Path) -> Mapping[int, tuple[str, datetime]]:
    """Return of each committed line its commit and when that was made; nothing where Git cannot tell."""
    # Without its whole history the oldest commit there is would seem to have written everything.
    if (
        not (path.parents[1] / ".git").exists()
        or _git(path, "rev-parse", "--is-shallow-repository") != "false"
    ):
        return {}
    return _read(_git(path, "blame", "--porcelain", "--", path.name))


def _git(path: Path, *arguments: str) -> str:
    # In a hook, Git's own variables name another repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", *arguments],
            cwd=path.parent,
            env=environ,
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
        return done.stdout.decode("utf-8", "replace").strip("\n")
    return ""


def _read(porcelain: str) -> dict[int, tuple[str, datetime]]:
    """Return commit and moment by line; Git says the moment of a commit with the first of its lines alone."""
    moments: dict[str, datetime] = {}
    lines: dict[int, str] = {}
    commit = ""
    for line in porcelain.split("\n"):
        words = line.split(" ")
        if line.startswith("\t"):
            continue
        if len(words[0]) in {40, 64} and len(words) in {3, 4}:
            commit = words[0]
            lines[int(words[2])] = commit
        elif words[0] == "committer-time":
            moments[commit] = datetime.fromtimestamp(int(words[1]), timezone.utc)
    committed = {line: named for line, named in lines.items() if set(named) != set(_UNCOMMITTED[:1])}
    return {line: (named, moments[named]) for line, named in committed.items() if named in moments}
