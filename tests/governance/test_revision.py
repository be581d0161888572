"""Revisions are read as text: none is executed, and none that is broken hides another."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from governance.history import DOCSTRING, Folder

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.governance import discover
from spotify_ai_agent_migrations.versions.governance.revision import read_history


def test_a_revision_carries_what_its_file_says(folder: Folder) -> None:
    path = folder.revision(2, "tables")
    (found,) = discover(folder.path)
    assert (found.path, found.file_name, found.number, found.slug) == (path, "002_tables.py", 2, "tables")
    assert (found.revision, found.down_revision, found.title) == ("002", "001", "Do something.")
    assert dict(found.fields) == {"Locks": "none", "Reverse": "lossless", "Data": "none", "Needs": "nothing"}
    assert found.tree is not None
    assert found.problem is None


def test_revisions_come_by_file_name(folder: Folder) -> None:
    for number in (3, 1, 2):
        folder.revision(number)
    assert [found.revision for found in discover(folder.path)] == ["001", "002", "003"]


def test_without_a_folder_the_packages_own_revisions_are_read() -> None:
    assert "001_schema.py" in {found.file_name for found in discover()}


def test_a_folder_that_does_not_exist_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        discover(tmp_path / "nowhere")
    assert caught.value.problem == f'folder "{tmp_path / "nowhere"}" does not exist'
    assert caught.value.hint == "name the folder that holds the revisions"


def test_no_revision_is_executed(folder: Folder, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder.revision(1, more=f'open({str(trace)!r}, "w").close()\nraise SystemExit("executed")')
    assert [found.revision for found in discover(folder.path)] == ["001"]
    assert folder.findings() == ()
    assert not trace.exists()


def test_a_down_revision_of_none_is_not_a_missing_one(folder: Folder) -> None:
    folder.write("001_none.py", 'revision = "001"\ndown_revision = None\n')
    folder.write("002_missing.py", 'revision = "002"\n')
    none, missing = discover(folder.path)
    assert none.down_revision is missing.down_revision is None
    assert none.assigned == {"revision", "down_revision"}
    assert missing.assigned == {"revision"}


def test_annotated_variables_are_read(folder: Folder) -> None:
    folder.write("002_step.py", 'revision: str = "002"\ndown_revision: str | None = "001"\n')
    (found,) = discover(folder.path)
    assert (found.revision, found.down_revision) == ("002", "001")


def test_a_field_goes_on_until_an_empty_line_or_the_next_field(folder: Folder) -> None:
    folder.revision(
        1,
        docstring='"""Title.\n\nLocks: SHARE on users,\n    briefly,\nthen none\nReverse: lossy\n\n'
        'Locks here are prose.\nData: seed\nNeeds:\n    CREATE\n"""\n',
    )
    (found,) = discover(folder.path)
    assert dict(found.fields) == {
        "Locks": "SHARE on users, briefly, then none",
        "Reverse": "lossy",
        "Data": "seed",
        "Needs": "CREATE",
    }


@pytest.mark.parametrize(
    ("content", "problem", "line"),
    [
        (b"x = 1\nraise (\n", "is not valid Python: '(' was never closed", 2),
        (b"x = 1\nreturn 2\n", "is not valid Python: 'return' outside function", 2),
        (b"x = 1\ny = '\0'\n", "holds a NUL byte", 2),
        ("x = 1\ny = 'é'\n".encode("latin-1"), "is not UTF-8: byte 0xe9 in line 2", 2),
    ],
)
def test_a_broken_file_is_a_revision_with_a_problem(
    folder: Folder, content: bytes, problem: str, line: int
) -> None:
    folder.write("001_broken.py", content)
    folder.revision(2)
    broken, good = discover(folder.path)
    assert (broken.problem, broken.problem_line, broken.tree) == (problem, line, None)
    assert (broken.number, broken.slug, broken.name) == (1, "broken", "001")
    assert good.revision == "002"


def test_a_dangling_link_is_a_revision_with_a_problem(folder: Folder) -> None:
    (folder.path / "001_gone.py").symlink_to("nowhere.py")
    (found,) = discover(folder.path)
    assert found.problem == "cannot be read: No such file or directory"


def test_source_nested_too_deeply_is_a_problem_and_no_crash(folder: Folder) -> None:
    folder.write("001_deep.py", "x = " + "-" * 100_000 + "1\n")
    (found,) = discover(folder.path)
    assert found.problem is not None
    assert "Python" in found.problem


def test_a_byte_order_mark_is_tolerated(folder: Folder) -> None:
    path = folder.revision(1)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert folder.findings() == ()
    assert discover(folder.path)[0].title == "Do something."


def test_a_warning_of_the_parser_is_no_problem(folder: Folder) -> None:
    folder.revision(1, more='PATTERN = "\\d"\n')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert discover(folder.path)[0].problem is None


def test_other_modules_are_strays_and_not_revisions(folder: Folder) -> None:
    folder.write("__init__.py", "")
    folder.write(".#001_step.py", "")
    folder.write("notes.txt", "")
    (folder.path / "room").mkdir()
    stray = folder.write("shared.py", "")
    folder.revision(1)
    history = read_history(folder.path)
    assert [found.file_name for found in history.revisions] == ["001_step.py"]
    assert history.strays == (stray,)


def test_a_revision_under_a_random_name_is_still_a_revision(folder: Folder) -> None:
    folder.write("ae1027a6acf_step.py", DOCSTRING + 'revision = "ae1027a6acf"\ndown_revision = None\n')
    (found,) = discover(folder.path)
    assert (found.number, found.revision) == (None, "ae1027a6acf")


def test_revisions_compare_and_hash_as_values(folder: Folder) -> None:
    folder.revision(1)
    assert discover(folder.path) == discover(folder.path)
    assert len({*discover(folder.path), *discover(folder.path)}) == 1


def test_the_package_is_imported_and_checked_beside_a_broken_revision(folder: Folder) -> None:
    folder.write("001_broken.py", "raise (\n")
    script = (
        "import sys, pathlib\n"
        "from spotify_ai_agent_migrations import check, discover\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "assert discover(folder)[0].problem and check(folder)\n"
        "assert not {'alembic', 'sqlalchemy', 'psycopg2', 'typer'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder.path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
