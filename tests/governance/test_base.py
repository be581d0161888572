"""`agentdb check --base`: the merge is looked at, and what it changes is judged."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import typer
from governance.history import Folder
from typer.testing import CliRunner, Result

from spotify_ai_agent_migrations.versions.core.errors import MergeError
from spotify_ai_agent_migrations.versions.governance.checksums import rendered
from spotify_ai_agent_migrations.versions.governance.command import check
from spotify_ai_agent_migrations.versions.governance.comparing import compare
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Report

# A larger repository, whose folders are called what folders are called.
INSIDE = 'apps/my "db", é: 100%'
BROKEN = "import os\n"
JSON = 'op.add_column("t", sa.Column("c", sa.JSON, comment="none: x"))'


class Repository(Folder):
    """A repository whose branch `main` holds revision 001; the branch `change` is checked out."""

    def __init__(self, top: Path) -> None:
        self.top = top
        (top / INSIDE).mkdir(parents=True)
        super().__init__(top / INSIDE)
        self.git("init", "-q", "-b", "main")
        self.revision(1, more=BROKEN)
        self.commit()
        self.git("checkout", "-q", "-b", "change")

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.top, env={**os.environ, **settings, **names},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "step")

    def on_main(self) -> None:
        """Go on on the other branch, as somebody else does meanwhile."""
        self.git("checkout", "-q", "main")

    def back(self) -> None:
        self.commit()
        self.git("checkout", "-q", "change")

    def record(self) -> None:
        files = sorted(self.path.glob("[0-9]*.py"))
        (self.path / "CHECKSUMS").write_text(rendered(files))

    def compare(self, *, edited: tuple[str, ...] = ()) -> Report:
        self.commit()
        return compare(self.path, base="main", edited=edited)

    def told(self) -> list[str]:
        return [found.code for found in self.compare().findings]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def run(folder: Path, *arguments: str) -> Result:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(check)
    return CliRunner().invoke(app, [str(folder), *arguments])


def refused(folder: Path, base: str = "main") -> MergeError:
    with pytest.raises(MergeError) as caught:
        compare(folder, base=base)
    return caught.value


def test_what_was_wrong_before_fails_nobody(repository: Repository) -> None:
    repository.revision(2)
    repository.commit()
    done = run(repository.path, "--base", "main")
    assert run(repository.path).exit_code == 3
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith(
        " rules, 2 revisions: no findings; merged into main it changes 1 file, 1 older finding left out\n"
    )


def test_what_is_new_is_told_by_its_path_in_the_repository(repository: Repository) -> None:
    file = repository.revision(2, more=BROKEN)
    line = file.read_text().splitlines().index("import os") + 1
    (found,) = repository.compare().findings
    assert (found.code, found.path, found.line) == ("MIG013", f"{INSIDE}/versions/002_step.py", line)
    assert found.file == file
    done = run(repository.path, "--base", "main", "--format", "github")
    assert done.exit_code == 3
    assert done.stdout.startswith(
        f'::error file=apps/my "db"%2C é%3A 100%25/versions/002_step.py,line={line},col=1,title=MIG013 '
    )
    assert done.stderr.endswith("1 finding; merged into main it changes 1 file, 1 older finding left out\n")


def test_an_older_finding_stays_one_where_lines_move_and_is_judged_where_its_line_changes(
    repository: Repository,
) -> None:
    repository.revision(1, more=f"\n\n# more\n{BROKEN}")
    assert repository.told() == []
    repository.revision(1, imports="# above\n", more=f"\n{BROKEN.strip()}  # why\n")
    assert repository.told() == ["MIG013"]


def test_what_the_change_breaks_elsewhere_in_a_file_is_judged(repository: Repository) -> None:
    repository.on_main()
    repository.upgrade(f"# allow MIG067: small\n{JSON}")
    repository.back()
    repository.git("merge", "-q", "main")
    repository.upgrade(JSON)
    assert repository.told() == ["MIG067"]


def test_a_number_that_both_give_is_found_in_the_merge_only(repository: Repository) -> None:
    repository.on_main()
    repository.revision(2, "theirs")
    repository.back()
    repository.revision(2, "ours")
    found = repository.compare().findings
    assert [one.problem for one in found if one.code == "MIG005"] == [
        'number "002" is taken by "002_ours.py"'
    ]
    assert "MIG005" not in run(repository.path).stdout


def test_two_heads_are_found_in_the_merge_only(repository: Repository) -> None:
    repository.on_main()
    repository.revision(2)
    repository.back()
    repository.revision(3, follows="001")
    assert "MIG010" not in run(repository.path).stdout
    assert 'there are two heads, "002" and "003"' in [one.problem for one in repository.compare().findings]


@pytest.fixture
def recorded(repository: Repository) -> Repository:
    """A repository whose branch `main` has recorded its revision."""
    repository.on_main()
    repository.record()
    repository.back()
    repository.git("merge", "-q", "main")
    return repository


def released(report: Report) -> list[Finding]:
    return [found for found in report.findings if found.code == "MIG101"]


def test_a_recorded_revision_is_not_edited_and_recorded_anew(recorded: Repository) -> None:
    recorded.revision(1, more=BROKEN, upgrade='def upgrade() -> None:\n    op.execute("SELECT 3")\n')
    (by_the_rule,) = released(recorded.compare())
    assert by_the_rule.problem == '"001_step.py" is not the file whose checksum is recorded'
    recorded.record()
    (found,) = released(recorded.compare())
    assert found.problem == '"001_step.py" is recorded in "main", and is another file now'
    assert found.hint == (
        "restore 001_step.py from main and write a new revision; "
        "where no database has applied it, say --edited 001"
    )
    line = (recorded.path / "001_step.py").read_text().splitlines().index('    op.execute("SELECT 3")') + 1
    assert (found.path, found.line) == (f"{INSIDE}/versions/001_step.py", line)


def test_one_that_no_database_has_applied_may_be(
    recorded: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.revision(1, more=f"# more\n{BROKEN}")
    recorded.record()
    assert released(recorded.compare(edited=("002",)))
    assert not released(recorded.compare(edited=("002", "001")))
    assert run(recorded.path, "--base", "main").exit_code == 3
    assert run(recorded.path, "--base", "main", "--edited", "001").exit_code == 0
    monkeypatch.setenv("EDITED_REVISIONS", "007 001")
    assert run(recorded.path, "--base", "main").exit_code == 0
    monkeypatch.setenv("EDITED_REVISIONS", "")
    assert run(recorded.path, "--base", "main").exit_code == 3


def test_a_recorded_revision_does_not_go(recorded: Repository) -> None:
    (recorded.path / "001_step.py").rename(recorded.path / "001_other.py")
    recorded.record()
    (found,) = released(recorded.compare())
    assert (found.problem, found.path) == (
        '"001_step.py" is recorded in "main", and is gone',
        f"{INSIDE}/versions/CHECKSUMS",
    )


def test_a_new_suppression_needs_a_reason_and_is_counted(repository: Repository) -> None:
    repository.on_main()
    repository.upgrade(f"# allow MIG067: small\n{JSON}")
    repository.back()
    repository.git("merge", "-q", "main")
    inner = "def upgrade() -> None:\n    # allow MIG067{}\n    " + JSON.replace('"c"', '"d"') + "\n"
    repository.revision(2, upgrade=inner.format(""))
    assert sorted(repository.told()) == ["MIG019", "MIG067"]
    repository.revision(2, upgrade=inner.format(": small, too"))
    report = repository.compare()
    assert (report.findings, [one.reason for one in report.suppressed]) == ((), ["small, too"])


def test_a_conflict_names_the_files(recorded: Repository) -> None:
    recorded.on_main()
    recorded.revision(2, "theirs")
    recorded.record()
    recorded.back()
    recorded.revision(2, "ours")
    recorded.record()
    recorded.commit()
    error = refused(recorded.path)
    assert error.problem == (f'HEAD and "main" cannot be merged: both changed "{INSIDE}/versions/CHECKSUMS"')
    assert error.hint == (
        "git merge main, give a revision whose number is taken the next one, "
        "agentdb governance checksums --write, and commit"
    )


def test_a_shallow_clone_is_told_what_it_lacks(repository: Repository, tmp_path: Path) -> None:
    repository.revision(2)
    repository.commit()
    clone = tmp_path / "clone"
    repository.git("clone", "-q", "--depth=1", "--no-single-branch", f"file://{repository.top}", str(clone))
    error = refused(clone / INSIDE / "versions", "origin/main")
    assert error.problem == (
        'HEAD and "origin/main" have no commit in common in this clone, which is shallow'
    )
    assert error.hint.startswith("fetch the whole history: fetch-depth: 0 in the checkout step")
    unknown = refused(clone / INSIDE / "versions", "origin/other")
    assert unknown.problem == '"origin/other" is no commit that this repository has, and the clone is shallow'
    assert unknown.hint == error.hint


def test_a_branch_of_another_history_is_refused(repository: Repository) -> None:
    repository.git("checkout", "-q", "--orphan", "other")
    repository.revision(2)
    repository.commit()
    assert refused(repository.path).problem == 'HEAD and "main" have no commit in common'


@pytest.mark.parametrize("base", ["nowhere", "", "-x", "--help", "main:apps", "é\n"])
def test_what_is_no_commit_is_refused(repository: Repository, base: str) -> None:
    shown = base.replace("\n", "\\n")
    assert refused(repository.path, base).problem == f'"{shown}" is no commit that this repository has'


def test_a_folder_outside_of_any_repository_is_refused(folder: Folder) -> None:
    folder.revision(1)
    error = refused(folder.path)
    assert error.problem.startswith("git rev-parse failed: fatal: not a git repository")


def test_without_a_git_that_can_merge_it_is_refused(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert refused(repository.path).problem == "git is not installed"
    (programs / "git").write_text("#!/bin/sh\necho git version 2.37.9\n")
    (programs / "git").chmod(0o755)
    error = refused(repository.path)
    assert error.problem == '"git version 2.37.9" merges in a working tree only'
    assert error.hint == "install Git 2.38 or later"


def test_a_linked_worktree_and_a_hook_are_places_to_ask_from(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = tmp_path / "lin:ked"
    repository.git("worktree", "add", "-q", "-b", "linked", str(linked))
    beside = linked / INSIDE / "versions" / "002_step.py"
    beside.write_text(repository.revision(2, more=BROKEN).read_text())
    repository.git("add", "-A", cwd=linked)
    repository.git("commit", "-q", "-m", "step", cwd=linked)
    for name, value in {"GIT_DIR": ".git", "GIT_INDEX_FILE": "nowhere", "GIT_PREFIX": "apps/"}.items():
        monkeypatch.setenv(name, value)
    (found,) = compare(beside.parent, base="main").findings
    assert (found.code, found.file) == ("MIG013", beside)


def test_nothing_is_written_and_what_is_not_committed_is_not_looked_at(repository: Repository) -> None:
    repository.on_main()
    repository.revision(2)
    repository.back()
    (repository.path / "note.txt").write_text("a note")
    repository.commit()
    repository.revision(3, more=BROKEN)
    (repository.path / "other.txt").write_text("another")
    before = repository.git("count-objects", "-v"), repository.git("status", "--porcelain")
    done = run(repository.path, "--base", "main")
    assert (done.exit_code, done.stderr) == (0, "not committed, and not looked at: 1 of the files\n")
    assert "it changes 0 files" in done.stdout
    assert (repository.git("count-objects", "-v"), repository.git("status", "--porcelain")) == before


def test_a_link_leads_nowhere(repository: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("secret")
    (repository.path / "002_step.py").symlink_to(outside)
    found = repository.compare().findings
    assert "cannot be read: not a regular file" in "".join(one.problem for one in found)
    (repository.path / "001_step.py").unlink()
    (repository.path / "001_step.py").symlink_to(outside)
    assert "MIG002" in repository.told()


def test_a_folder_that_is_new_or_the_whole_repository_is_judged(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    new = Folder(repository.top)
    new.revision(1, more=BROKEN)
    repository.commit()
    (found,) = compare(new.path, base="main").findings
    assert found.path == "versions/001_step.py"
    (whole := Repository(tmp_path / "whole")).git("init", "-q", "-b", "main", cwd=whole.path)
    for name in ("first", "second"):
        whole.git("add", "-A", cwd=whole.path)
        whole.git("commit", "-q", "-m", name, cwd=whole.path)
        whole.revision(2, more=BROKEN)
    (found,) = compare(whole.path, base="main~1").findings
    assert (found.path, found.file) == ("002_step.py", whole.path / "002_step.py")


def test_a_folder_of_which_nothing_is_committed_is_refused(repository: Repository) -> None:
    (fresh := Folder(repository.top)).revision(1)
    assert refused(fresh.path).problem == 'no revision of "versions" is committed'
