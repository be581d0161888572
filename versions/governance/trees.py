"""Read the revisions of a commit or a tree of Git, as they are there, and lay them out as files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import MergeError
from spotify_ai_agent_migrations.versions.governance.checksums import LIST
from spotify_ai_agent_migrations.versions.governance.git import Repository

_REGULAR: Final = ("100644", "100755")


@dataclass(frozen=True)
class Held:
    """A file of a tree: the name Git has for its content, and the content; None of a link."""

    blob: str
    content: bytes | None


def read(repository: Repository, tree: str) -> Mapping[str, Held]:
    """Return what Alembic and the rules read in the folder of a tree, by name; empty where there is none."""
    below = [f"{repository.inside}/"] if repository.inside else []
    listed = repository.tell("ls-tree", "-z", "--full-tree", tree, *below)
    found = {name: (mode, blob) for mode, blob, name in _entries(listed)}
    regular = {blob for mode, blob in found.values() if mode in _REGULAR}
    contents = dict(_contents(repository, sorted(regular)))
    return {
        name: Held(blob, contents[blob] if mode in _REGULAR else None) for name, (mode, blob) in found.items()
    }


def write(held: Mapping[str, Held], folder: Path) -> None:
    """Make *folder* hold these files and no others; no link leads anywhere."""
    folder.mkdir(exist_ok=True)
    for before in folder.iterdir():
        before.unlink()
    for name, file in held.items():
        if file.content is None:
            # So a rule says that it is no regular file, which it is not in the tree either.
            (folder / name).symlink_to(os.devnull)
        else:
            (folder / name).write_bytes(file.content)


def uncommitted(repository: Repository) -> int:
    """Return how many files of the folder are not as HEAD has them, of those that count here."""
    folder = repository.inside or "."
    command = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", folder)
    entries = repository.tell(*command).split(b"\0")
    paths = [Path(os.fsdecode(entry[3:])) for entry in entries if entry]
    return sum(path.parent == Path(folder) and _counts(path.name) for path in paths)


def _entries(listed: bytes) -> Iterator[tuple[str, str, str]]:
    for entry in filter(None, listed.split(b"\0")):
        about, _, path = entry.partition(b"\t")
        mode, kind, blob = about.decode().split()
        name = os.fsdecode(path.rpartition(b"/")[2])
        if kind == "blob" and _counts(name):
            yield mode, blob, name


def _counts(name: str) -> bool:
    return name.endswith(".py") or name == LIST


def _contents(repository: Repository, blobs: list[str]) -> Iterator[tuple[str, bytes]]:
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    answers = io.BytesIO(repository.tell("cat-file", "--batch", given=asked))
    for blob in blobs:
        about = answers.readline().split()
        if about[1:2] != [b"blob"]:
            raise MergeError(f"Git has no object {blob}", hint="fetch what is missing: git fetch --refetch")
        yield blob, answers.read(int(about[2]))
        answers.read(1)
