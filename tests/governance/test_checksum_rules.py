"""Rules about the list of checksums: MIG101 and MIG102."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from governance.history import Folder

from spotify_ai_agent_migrations.versions.governance.checksums import checksum, code_checksum, rendered
from support import ROOT, Checkout, run, run_alembic

ANEW = "where no database has applied it, run agentdb governance checksums --write"


def record(folder: Folder) -> Path:
    listed = folder.path / "CHECKSUMS"
    listed.write_text(rendered(sorted(folder.path.glob("*.py"))))
    return listed


def test_a_folder_without_a_list_has_drafts_only(folder: Folder) -> None:
    folder.revision(1)
    assert folder.findings() == ()


def test_recorded_revisions_are_accepted(folder: Folder) -> None:
    folder.revision(1)
    folder.revision(2)
    listed = record(folder)
    assert len(listed.read_text().splitlines()) == 3
    assert folder.findings() == ()


def test_line_ends_and_a_byte_order_mark_do_not_count(folder: Folder) -> None:
    path = folder.revision(1)
    record(folder)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert folder.findings() == ()


def test_a_changed_revision_is_refused(folder: Folder) -> None:
    path = folder.revision(1)
    record(folder)
    path.write_text(path.read_text() + "# more\n")
    assert folder.said() == [
        (
            "MIG101",
            '"001_step.py" is not the file whose checksum is recorded',
            f"restore 001_step.py from Git and write a new revision; {ANEW}",
        )
    ]


def test_a_revision_that_is_gone_is_refused_at_its_line(folder: Folder) -> None:
    folder.revision(1)
    path = folder.revision(2)
    record(folder)
    path.unlink()
    (found,) = folder.findings()
    assert (found.code, found.path, found.line) == ("MIG101", "versions/CHECKSUMS", 3)
    assert found.problem == '"002_step.py" is recorded, and there is no such file'
    assert found.hint == f"restore 002_step.py from Git; {ANEW}"


@pytest.mark.parametrize(
    "mend", [lambda lines: [lines[0], *lines[:0:-1]], lambda lines: [lines[0], lines[2]]]
)
def test_a_list_whose_lines_do_not_follow_from_one_another_is_refused(folder: Folder, mend: object) -> None:
    folder.revision(1)
    folder.revision(2)
    listed = record(folder)
    lines = mend(listed.read_text().splitlines(keepends=True))  # type: ignore[operator]
    listed.write_text("".join(lines))
    found = [finding for finding in folder.findings() if finding.code == "MIG101"]
    assert [(one.line, one.problem, one.hint) for one in found] == [
        (
            2,
            'the line of "002_step.py" does not follow from the lines before it',
            "restore CHECKSUMS from Git; after a merge run agentdb governance checksums --write",
        )
    ]


def test_two_branches_that_add_a_revision_write_different_last_lines(folder: Folder) -> None:
    folder.revision(1)
    one = folder.revision(2, "one")
    left = record(folder).read_text()
    one.unlink()
    folder.revision(2, "two")
    right = record(folder).read_text()
    assert left.splitlines()[:2] == right.splitlines()[:2]
    assert left.splitlines()[2] != right.splitlines()[2]


def test_a_revision_that_is_not_recorded_is_a_draft(folder: Folder) -> None:
    folder.revision(1)
    record(folder)
    folder.revision(2)
    (found,) = folder.findings()
    assert (found.code, found.severity) == ("MIG102", "warning")
    assert found.problem == '"002_step.py" is not in CHECKSUMS: it is a draft'
    assert found.hint == "when it is ready run agentdb governance checksums --write"


def test_our_own_revisions_are_recorded() -> None:
    done = run(sys.executable, "-m", "spotify_ai_agent_migrations", "governance", "checksums")
    assert done.stdout == (ROOT / "versions" / "CHECKSUMS").read_text()


def test_a_draft_is_tried_in_development_and_refused_in_production(checkout: Checkout, url: str) -> None:
    (checkout.versions / "CHECKSUMS").write_text((ROOT / "versions" / "CHECKSUMS").read_text())
    number = checkout.add("execute(\"COMMENT ON TABLE users IS 'People'\")")
    done = run(
        sys.executable, "-m", "alembic", "upgrade", "head", url=url, cwd=checkout.root,
        PYTHONPATH=str(checkout.root.parent), MIGRATIONS_ENV="production",
    )  # fmt: skip
    assert done.returncode == 3
    problem, hint = done.stderr.splitlines()[-2:]
    assert problem == (
        f'error: versions/{number}_added.py:1: MIG102 "{number}_added.py" is not in CHECKSUMS: it is a draft; '
        "nothing was executed"
    )
    assert hint.startswith("Hint: when it is ready run agentdb governance checksums --write")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    assert run_alembic("current", url=url).returncode == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('"""One."""\nx = (1,\n   2)\n', '"""Two."""\nx = (1, 2)  # pair\n', True),
        ("x = 'a'\n", 'x = "a"\n', True),
        ("x = 'a'\n", "x = 'b'\n", False),
        ("x = None\n", "x = 0\n", False),
        ("def f():\n    return\n", "def f():\n    return None\n", False),
        ("x = f'{a}b'\n", "x = f'{a}c'\n", False),
        ("'''SELECT 1'''\n", "1\n", False),
    ],
)
def test_code_is_told_from_its_layout(tmp_path: Path, one: str, other: str, same: bool) -> None:
    files = [tmp_path / "one.py", tmp_path / "other.py"]
    for file, text in zip(files, (one, other), strict=True):
        file.write_text(text)
    assert checksum(files[0]) != checksum(files[1])
    assert (code_checksum(files[0]) == code_checksum(files[1])) is same
