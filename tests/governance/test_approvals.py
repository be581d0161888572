"""An approval is of one text, by somebody who did not write it; two by one person are one."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from spotify_ai_agent_migrations.versions.core.errors import ApprovalError, RevisionError, SettingsError
from spotify_ai_agent_migrations.versions.governance.approval import approve_revision
from spotify_ai_agent_migrations.versions.governance.approvals import (
    LIST,
    Approval,
    add_approval,
    read_approvals,
)
from spotify_ai_agent_migrations.versions.governance.approving import approved
from spotify_ai_agent_migrations.versions.governance.authors import authors_of
from spotify_ai_agent_migrations.versions.governance.pending import Pending
from spotify_ai_agent_migrations.versions.governance.persons import Person, read_person, read_persons

ADA, BOB, EVE = Person("Ada", "ada@example.org"), Person("Bob", "bob@example.org"), Person("Eve", "eve@x.org")
AT = "2026-11-27T12:00:00Z"
PENDING = Pending("012", "012_x.py", "a" * 64)


def line(reviewer: Person, *, checksum: str = "a" * 64, author: Person = BOB) -> Approval:
    return Approval("012_x.py", checksum, AT, reviewer, (author,), line=1)


def codes(pending: Pending, *approvals: Approval) -> list[str]:
    return [missing.code for missing in approved(pending, approvals)[1]]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada Lovelace <ada@example.org>", "ADA  LOVELACE\u200b <x@y>", True),
        ("Ada <ada@example.org>", "A. Lovelace <ADA+review@example.org>", True),
        ("Ada <ada@example.org>", "Ad\u00e0 <other@example.org>", False),
        ("\uff21da <x@y>", "ada <ada@example.org>", True),
        ("Ada <ada@example.org>", "Bob <ada@example.com>", False),
    ],
)
def test_people_are_told_apart_by_name_and_mailbox(one: str, other: str, same: bool) -> None:
    first, second = read_person(one), read_person(other)
    assert first is not None
    assert second is not None
    assert first.same_as(second) is same


@pytest.mark.parametrize("text", ["", "Ada", "ada@example.org", "<ada@example.org>", "Ada <>", "A;B <a@b>", "A <a@b> B <c@d>"])  # fmt: skip
def test_a_reviewer_has_a_name_and_an_address(text: str) -> None:
    assert read_person(text) is None
    assert read_person(f"  {ADA} ") == ADA


def test_one_person_approves_and_two_of_what_loses_data() -> None:
    destructive = Pending("012", "012_x.py", "a" * 64, destructive=True)
    back = Pending("012", "012_x.py", "a" * 64, verb="downgrade")
    assert codes(PENDING, line(ADA)) == []
    for two in (destructive, back):
        assert codes(two) == ["no-approval"]
        assert codes(two, line(ADA)) == ["too-few-approvals"]
        assert codes(two, line(ADA), line(Person("ada ", "other@example.org"))) == ["too-few-approvals"]
        assert codes(two, line(ADA), line(BOB)) == ["too-few-approvals", "approved-by-author"]
        assert codes(two, line(ADA), line(EVE, checksum="b" * 64)) == ["too-few-approvals"]
        assert codes(two, line(ADA), line(EVE)) == []


def test_what_does_not_count_is_said() -> None:
    assert codes(PENDING, line(BOB)) == ["approved-by-author"]
    assert codes(PENDING, line(ADA, checksum="b" * 64)) == ["approval-of-another-checksum"]
    # Git knows an author whom the line hides.
    by_git = Pending("012", "012_x.py", "a" * 64, authors=(ADA,))
    assert codes(by_git, line(ADA)) == ["approved-by-author"]
    assert codes(Pending("012", "012_X.py", "a" * 64), line(ADA)) == ["no-approval"]


def test_a_line_that_was_edited_by_hand_counts_for_nothing(tmp_path: pathlib.Path) -> None:
    add_approval(tmp_path, line(ADA))
    file = tmp_path / LIST
    written = file.read_text()
    assert [one.broken for one in read_approvals(tmp_path)] == [False]
    # What an editor may do to a line is no edit of what it says.
    file.write_bytes(("\ufeff" + written.rstrip("\n") + "  ").replace("\n", "\r\n").encode())
    assert [(one.reviewer, one.broken) for one in read_approvals(tmp_path)] == [(ADA, False)]
    for old, new in [("a" * 64, "b" * 64), ("Ada", "Eve"), ("; Bob <bob@example.org>", ""), (AT, "2026")]:
        file.write_text(written.replace(old, new))
        (edited,) = read_approvals(tmp_path)
        assert edited.broken, (old, new)
        assert codes(Pending("012", "012_x.py", edited.checksum), edited) == ["approval-edited"]
    sealed = str(line(ADA, checksum="\x00" * 64))
    for garbage in (
        "012_x.py",
        "012_x.py approved by Ada",
        "\x00 ; <<>>",
        sealed,
        "a b c d " + "e+" * 500_000,
    ):
        file.write_text(f"{garbage}\n")
        assert [one.broken for one in read_approvals(tmp_path)] == [True]


def test_a_line_that_was_left_open_is_not_written_into(tmp_path: pathlib.Path) -> None:
    add_approval(tmp_path, line(ADA))
    (tmp_path / LIST).write_bytes(b"# Ren\xe9\n" + (tmp_path / LIST).read_bytes().rstrip(b"\n"))
    add_approval(tmp_path, line(EVE))
    assert [(one.reviewer, one.broken) for one in read_approvals(tmp_path)] == [(ADA, False), (EVE, False)]


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """The revisions of a checkout, one of which Bob committed together with Cleo."""
    made = tmp_path / "versions"
    made.mkdir()
    (made / "012_x.py").write_text('revision = "012"\n')
    git(made, BOB, "init", "-q")
    commit(made, BOB, "add\n\nCo-authored-by: Cleo <cleo@example.org>")
    return made


def git(folder: pathlib.Path, who: Person, *arguments: str) -> None:
    named = ("-c", f"user.name={who.name}", "-c", f"user.email={who.email}")
    subprocess.run(["git", *named, *arguments], cwd=folder.parent, check=True, capture_output=True)


def commit(folder: pathlib.Path, who: Person, message: str) -> None:
    git(folder, who, "add", ".")
    git(folder, who, "commit", "-qm", message)


def test_the_authors_are_everyone_who_changed_the_file(folder: pathlib.Path) -> None:
    file = folder / "012_x.py"
    cleo = Person("Cleo", "cleo@example.org")
    assert authors_of(file) == (BOB, cleo)
    renamed = file.rename(folder / "013_x.py")
    commit(folder, EVE, "renumber")
    assert set(authors_of(renamed) or ()) == {BOB, cleo, EVE}
    (folder.parent / ".mailmap").write_text("Zed <zed@example.org> <eve@x.org>\n")
    assert set(authors_of(renamed) or ()) == {BOB, cleo, EVE, Person("Zed", "zed@example.org")}
    git(folder, EVE, "clone", "-q", "--depth", "1", f"file://{folder.parent}", str(folder / "clone"))
    assert authors_of(folder / "clone" / "versions" / "013_x.py") is None


def test_who_committed_wrote_it_too_unless_it_is_a_forge(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "012_x.py"
    by = ("commit", "-q", "--amend", "--no-edit", "--reset-author")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ren\u00e9")
    git(folder, Person("GitHub", "noreply@github.com"), "-c", "i18n.logOutputEncoding=UTF-8", *by)
    assert authors_of(file) == (
        Person("Ren\u00e9", "noreply@github.com"),
        Person("Cleo", "cleo@example.org"),
    )
    git(folder, EVE, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--amend", "--no-edit")
    git(folder, EVE, "config", "i18n.logOutputEncoding", "ISO-8859-1")
    assert EVE in (authors_of(file) or ())
    assert any(one.name == "Ren\ufffd" for one in authors_of(file) or ())


def test_a_repository_that_cannot_answer_is_no_answer(folder: pathlib.Path) -> None:
    (folder / "099_x.py").write_text("")
    assert authors_of(folder / "099_x.py") is None
    (folder.parent / ".git" / "HEAD").unlink()
    assert authors_of(folder / "012_x.py") is None
    (folder.parent / ".git").rename(folder / "elsewhere")
    assert authors_of(folder / "012_x.py") == ()


def test_a_revision_is_approved_by_somebody_else_once_it_is_committed(folder: pathlib.Path) -> None:
    for author in ("Robert <bob@example.org>", "cleo <c@x>"):
        with pytest.raises(ApprovalError) as refused:
            approve_revision(folder, "012", reviewer=author, at=AT)
        assert refused.value.problem == 'whoever approves of "012_x.py" wrote some of it'
    with pytest.raises(SettingsError):
        approve_revision(folder, "012", reviewer="Ada", at=AT)
    with pytest.raises(RevisionError):
        approve_revision(folder, "099", reviewer=str(ADA), at=AT)
    assert not (folder / LIST).exists()
    made, added = approve_revision(folder, "012", reviewer=str(ADA), at=AT)
    assert (made.authors, added) == ((BOB, Person("Cleo", "cleo@example.org")), True)
    assert (
        approve_revision(folder, "012", reviewer=" ada <ADA@example.org>", at="2027-01-01T00:00:00Z")[1]
        is False
    )
    assert len(read_approvals(folder)) == 1
    (folder / "012_x.py").write_text('revision = "012"\nx = 1\n')
    with pytest.raises(RevisionError) as uncommitted:
        approve_revision(folder, "012", reviewer=str(ADA), at=AT)
    assert uncommitted.value.problem.startswith('"012_x.py" holds what is not committed')


def test_without_git_the_author_is_to_be_named(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "versions"
    folder.mkdir()
    (folder / "012_x.py").write_text('revision = "012"\n')
    with pytest.raises(SettingsError) as unknown:
        approve_revision(folder, "012", reviewer=str(ADA), at=AT)
    assert unknown.value.hint.startswith("say --author")
    with pytest.raises(ApprovalError):
        approve_revision(folder, "012", reviewer=str(ADA), authors=[str(ADA)], at=AT)
    assert approve_revision(folder, "012", reviewer=str(ADA), authors=[str(BOB)], at=AT)[0].authors == (BOB,)


def test_git_may_leave_a_name_or_an_address_empty() -> None:
    assert read_persons(";Ada <>;; <bob@example.org>;nobody") == (
        Person("Ada", ""),
        Person("", "bob@example.org"),
    )
