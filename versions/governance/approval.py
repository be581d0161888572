"""Approve of a revision as its file is now, unless whoever approves wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spotify_ai_agent_migrations.versions.core.errors import (
    ApprovalError,
    FileError,
    RevisionError,
    SettingsError,
)
from spotify_ai_agent_migrations.versions.governance.approvals import Approval, add_approval, read_approvals
from spotify_ai_agent_migrations.versions.governance.authors import authors_of, is_uncommitted, myself
from spotify_ai_agent_migrations.versions.governance.checksums import checksum
from spotify_ai_agent_migrations.versions.governance.persons import Person, read_person
from spotify_ai_agent_migrations.versions.governance.revision import discover


def approve_revision(
    folder: Path, revision: str, *, reviewer: str | None = None, authors: Iterable[str] = (), at: str
) -> tuple[Approval, bool]:
    """Write that *reviewer* approves of a revision of *folder*; return it, and whether it is new.

    The authors are those whom Git knows, and *authors*; the line names them, for a production without Git.

    Raises:
        RevisionError: there is no such revision, or it holds what is not committed.
        SettingsError: it is not said who approves, or who wrote it.
        ApprovalError: the reviewer wrote it.
        FileError: the list cannot be written.
    """
    file = _file(folder, revision)
    if is_uncommitted(file):
        raise RevisionError(
            f'"{file.name}" holds what is not committed, so that Git does not know who wrote it',
            hint="commit it; an approval is of one text",
        )
    person = _person(reviewer or myself(file) or "", "who approves")
    wrote = (*(authors_of(file) or ()), *(_person(author, "an author") for author in authors))
    if not wrote:
        raise SettingsError(
            f'it is not known who wrote "{file.name}": there is no Git here that has its whole history',
            hint='say --author "NAME <E-MAIL>", or git fetch --unshallow',
        )
    made = Approval(file.name, checksum(file), at, person, tuple(dict.fromkeys(wrote)))
    if any(person.same_as(author) for author in made.authors):
        raise ApprovalError(
            f'whoever approves of "{file.name}" wrote some of it',
            hint="let somebody else read it and approve",
        )
    before = next((one for one in read_approvals(folder) if _is_same(one, made)), None)
    if before is not None:
        return before, False
    _add(folder, made)
    return made, True


def _is_same(one: Approval, other: Approval) -> bool:
    text = (one.file_name, one.checksum) == (other.file_name, other.checksum)
    return text and not one.broken and one.reviewer.same_as(other.reviewer)


def _add(folder: Path, made: Approval) -> None:
    try:
        add_approval(folder, made)
    except OSError as error:
        raise FileError(
            f"the approvals cannot be written: {error.strerror}", hint="say it in a checkout of your own"
        ) from error


def _file(folder: Path, revision: str) -> Path:
    found = {made.name: made.path for made in discover(folder)}
    if revision not in found:
        names = f"{min(found)} to {max(found)}" if found else "none"
        raise RevisionError(f'there is no revision "{revision}"', hint=f"those there are: {names}")
    return found[revision]


def _person(text: str, who: str) -> Person:
    found = read_person(text)
    if found is None:
        raise SettingsError(
            f"{who} is to be named with an e-mail address, which tells people of one name apart",
            hint='say "Ada Lovelace <ada@example.org>"',
        )
    return found
