"""Rules about files, numbers and what follows what: MIG001 to MIG010."""

from __future__ import annotations

import pytest
from governance.history import DOCSTRING, DOWNGRADE, HEAD, UPGRADE, Folder


def test_a_file_under_another_name_is_renamed(folder: Folder) -> None:
    folder.write(
        "1-Gap Year.py",
        f'{DOCSTRING}{HEAD}\nrevision = "001"\ndown_revision = None\n{UPGRADE}\n{DOWNGRADE}',
    )
    assert folder.said() == [
        (
            "MIG001",
            '"1-Gap Year.py" is not named NNN_slug.py',
            "rename 1-Gap Year.py to 001_gap_year.py",
        )
    ]


@pytest.mark.parametrize("slug", ["Step", "1step", "step-two", "étape", "_step"])
def test_a_slug_is_lower_case_letters_digits_and_underscores(folder: Folder, slug: str) -> None:
    folder.revision(1, slug)
    assert [found.code for found in folder.findings()] == ["MIG001"]


def test_a_slug_may_hold_digits(folder: Folder) -> None:
    folder.revision(1, "step_2b")
    assert folder.findings() == ()


def test_a_file_python_cannot_compile_is_reported_at_its_line(folder: Folder) -> None:
    folder.write("001_step.py", "x = 1\nraise (\n")
    (found,) = folder.findings()
    assert (found.code, found.line, found.problem, found.hint) == (
        "MIG002",
        2,
        """"001_step.py" is not valid Python: '(' was never closed""",
        'correct it; "python -m py_compile versions/001_step.py" shows the place',
    )


def test_a_file_in_another_encoding_is_saved_anew(folder: Folder) -> None:
    folder.write("001_step.py", "# é\n".encode("latin-1"))
    assert folder.said() == [
        ("MIG002", '"001_step.py" is not UTF-8: byte 0xe9 in line 1', "save 001_step.py as UTF-8")
    ]


def test_a_nul_byte_is_removed(folder: Folder) -> None:
    folder.write("001_step.py", b"\n\0")
    assert folder.said() == [
        ("MIG002", '"001_step.py" holds a NUL byte', "remove it from line 2 of 001_step.py")
    ]


@pytest.mark.parametrize("content", ["def shared(): ...\n", "raise (\n", b"\0"])
def test_a_stray_module_is_moved_into_a_room(folder: Folder, content: str | bytes) -> None:
    folder.revision(1)
    folder.write("shared.py", content)
    assert folder.said() == [
        (
            "MIG003",
            '"shared.py" is not a revision, and Alembic would load it as one',
            "move versions/shared.py into the folder of a room, as versions/<room>/shared.py",
        )
    ]


def test_a_missing_variable_is_written(folder: Folder) -> None:
    folder.revision(1)
    folder.write("002_step.py", f"{DOCSTRING}{HEAD}{UPGRADE}\n{DOWNGRADE}")
    assert folder.said() == [
        (
            "MIG004",
            '"002_step.py" does not assign "down_revision"',
            'write down_revision = "001" in 002_step.py',
        ),
        ("MIG004", '"002_step.py" does not assign "revision"', 'write revision = "002" in 002_step.py'),
    ]


def test_a_computed_variable_is_written_out(folder: Folder) -> None:
    folder.write(
        "001_step.py",
        f'{DOCSTRING}{HEAD}revision = "00" + "1"\ndown_revision = ()\n{UPGRADE}\n{DOWNGRADE}',
    )
    assert folder.said() == [
        ("MIG004", '"revision" is not the literal of a string', 'write revision = "001" in 001_step.py'),
        (
            "MIG004",
            '"down_revision" is not the literal of a string or None',
            "write down_revision = None in 001_step.py",
        ),
    ]


def test_two_branches_with_one_number_are_told_the_next_free_one(folder: Folder) -> None:
    for number, slug in ((1, "step"), (2, "mine"), (2, "yours"), (3, "step")):
        folder.revision(number, slug)
    assert folder.said() == [
        (
            "MIG005",
            'number "002" is taken by "002_mine.py"',
            'rename 002_yours.py to 004_yours.py and set revision = "004", down_revision = "003" in it',
        )
    ]


def test_two_files_with_one_revision_are_told_apart_by_their_numbers(folder: Folder) -> None:
    folder.revision(1)
    folder.revision(2, name="001", follows="001")
    assert ("MIG005", 'revision "001" is taken by "001_step.py"', 'set revision = "002" in 002_step.py') in (
        folder.said()
    )


def test_a_gap_in_the_numbers_is_closed(folder: Folder) -> None:
    folder.revision(1)
    folder.revision(3, follows="001")
    assert folder.said() == [
        (
            "MIG006",
            'number "002" is missing before "003_step.py"',
            (
                'bring it back, or rename 003_step.py to 002_step.py and set revision = "002", '
                'down_revision = "001" in it'
            ),
        )
    ]


def test_the_numbers_begin_at_001(folder: Folder) -> None:
    folder.revision(2, follows=None)
    assert folder.said() == [
        (
            "MIG006",
            'number "001" is missing before "002_step.py"',
            (
                'bring it back, or rename 002_step.py to 001_step.py and set revision = "001", '
                "down_revision = None in it"
            ),
        )
    ]


def test_number_000_is_no_number(folder: Folder) -> None:
    folder.revision(0, follows=None)
    assert folder.problems() == ['MIG006 number "001" is missing before "000_step.py"']


def test_a_revision_is_called_by_the_number_of_its_file(folder: Folder) -> None:
    folder.revision(1, name="abc")
    assert folder.said() == [
        ("MIG007", '"001_step.py" calls itself revision "abc"', 'set revision = "001" in 001_step.py')
    ]


def test_a_parent_that_does_not_exist_is_replaced_by_the_number_before(folder: Folder) -> None:
    folder.revision(1)
    folder.revision(2, follows="009")
    assert folder.said() == [
        (
            "MIG008",
            'revision "002" follows "009", which does not exist',
            'set down_revision = "001" in 002_step.py',
        )
    ]


def test_a_circle_is_opened(folder: Folder) -> None:
    folder.revision(1, follows="002")
    folder.revision(2)
    assert (
        "MIG008",
        'revision "001" follows itself through "002"',
        "set down_revision = None in 001_step.py",
    ) in (folder.said())


def test_a_revision_does_not_follow_itself(folder: Folder) -> None:
    folder.revision(1, follows="001")
    assert (
        "MIG008",
        'revision "001" follows itself',
        "set down_revision = None in 001_step.py",
    ) in folder.said()


def test_a_revision_follows_the_number_before_its_own(folder: Folder) -> None:
    for number in (1, 2):
        folder.revision(number)
    folder.revision(3, follows="001")
    assert folder.said() == [
        ("MIG009", 'revision "003" follows "001", not "002"', 'set down_revision = "002" in 003_step.py'),
        ("MIG010", 'there are two heads, "002" and "003"', 'set down_revision = "002" in 003_step.py'),
    ]


def test_the_first_revision_follows_nothing_and_only_it(folder: Folder) -> None:
    folder.revision(1)
    folder.revision(2, follows=None)
    assert folder.said()[:2] == [
        ("MIG009", 'revision "002" follows nothing, not "001"', 'set down_revision = "001" in 002_step.py'),
        ("MIG010", 'there are two bases, "001" and "002"', 'set down_revision = "001" in 002_step.py'),
    ]


def test_two_heads_are_joined_where_the_line_was_left(folder: Folder) -> None:
    for number in (1, 2, 4):
        folder.revision(number)
    folder.revision(3, follows="001")
    assert folder.said() == [
        ("MIG009", 'revision "003" follows "001", not "002"', 'set down_revision = "002" in 003_step.py'),
        ("MIG010", 'there are two heads, "002" and "004"', 'set down_revision = "002" in 003_step.py'),
    ]


def test_the_fix_of_two_heads_leaves_no_finding(folder: Folder) -> None:
    for number in (1, 2):
        folder.revision(number)
    path = folder.revision(3, follows="001")
    assert folder.findings() != ()
    path.write_text(path.read_text().replace('down_revision = "001"', 'down_revision = "002"'))
    assert folder.findings() == ()


def test_a_folder_without_revisions_does_not_pass(folder: Folder) -> None:
    assert folder.said() == [
        ("MIG010", '"versions" holds no revision', "name the folder that holds the revisions")
    ]
    assert folder.findings()[0].path == "versions"
