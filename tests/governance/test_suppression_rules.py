"""What a revision may allow itself, for how much of it, and the rules about that: MIG018 to MIG020."""

from __future__ import annotations

import pytest
from governance.history import DOCSTRING, Folder
from governance.told import IMPORTS

from spotify_ai_agent_migrations.versions.governance.checking import report
from spotify_ai_agent_migrations.versions.governance.rules import RULES, SUPPRESSIBLE

ABOUT = {"MIG018", "MIG019", "MIG020"}
CODES = {*ABOUT, "MIG031", "MIG053", "MIG069"}
INDEX = 'op.create_index("users_email_idx", "users", ["email"])'


def problems(folder: Folder, body: str, *, docstring: str = DOCSTRING) -> list[str]:
    inner = "\n".join(f"    {line}" if line.strip() else line for line in body.splitlines())
    folder.revision(1, docstring=docstring, imports=IMPORTS, upgrade=f"def upgrade() -> None:\n{inner}\n")
    return folder.problems()


INDEXED = 'MIG031 index "users_email_idx" is built under SHARE: nobody writes to "users" until it is done'
EMPTIED = 'MIG053 TRUNCATE takes every row of "{}", and no downgrade brings them back'


def test_without_a_suppression_the_finding_stands(folder: Folder) -> None:
    assert problems(folder, INDEX) == [INDEXED]


@pytest.mark.parametrize(
    "body",
    [
        f"# allow MIG031: the table holds five rows\n{INDEX}",
        f"# Why it is here at all.\n# allow MIG031: the table holds five rows\n# And more of why.\n\n{INDEX}",
        f"{INDEX}  # allow MIG031: the table holds five rows",
        f"# allow MIG069, MIG031: the table holds five rows\nop.add_column('u', sa.Column('c', sa.String)); {INDEX}",
        "op.create_index(  # allow MIG031: the table holds five rows\n    'users_email_idx',\n    'users',\n    ['email'],\n)",
        "op.create_index(\n    'users_email_idx',\n    'users',\n    ['email'],\n)  # allow MIG031: the table holds five rows",
        f"#allow  MIG031:the table holds five rows\n{INDEX}",
        'execute("""\n    SELECT 1;\n    -- allow MIG031: the table holds five rows\n    CREATE INDEX i ON users (c);\n""")',
        'execute("""\n    CREATE INDEX i\n    -- allow MIG031: the table holds five rows\n    ON users (c);\n    SELECT 1\n""")',
        'execute("""\n    CREATE INDEX i ON users (c); -- allow MIG031: the table holds five rows\n    SELECT 1\n""")',
        '# allow MIG031: the table holds five rows\nexecute("""\n    SELECT 1;\n    CREATE INDEX i ON users (c)\n""")',
        'execute("""\n    -- allow MIG031: the table holds five rows\n    DO $$ BEGIN\n    CREATE INDEX i ON users (c);\n    END $$\n""")',
    ],
)
def test_a_comment_allows_what_it_stands_at(folder: Folder, body: str) -> None:
    assert problems(folder, body) == []
    assert {one.reason for one in report(folder.path).suppressed} >= {"the table holds five rows"}


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (f"# allow MIG031: five rows\n{INDEX}\n{INDEX}", [INDEXED]),
        (
            f"# allow MIG031: five rows\nwith op.batch_alter_table('t'):\n    {INDEX}",
            [
                'MIG020 "allow MIG031" stands where nothing needs it',
                INDEXED,
            ],
        ),
        (
            'execute("""\n    -- allow MIG053: a cache\n    TRUNCATE a;\n    TRUNCATE b;\n""")',
            [EMPTIED.format("b")],
        ),
        (
            'execute("""\n    TRUNCATE a;\n    -- allow MIG053: a cache\n    TRUNCATE b;\n""")',
            [EMPTIED.format("a")],
        ),
        (
            "op.create_table(\n    'u',\n    # allow MIG069: fixed by a standard\n    sa.Column('a', sa.String(2)),\n    sa.Column('b', sa.String),\n)",
            ['MIG069 "b" of "u" is varchar, no faster than text'],
        ),
        (
            "execute(\"SELECT '-- allow MIG053: no comment'; TRUNCATE a\")",
            [EMPTIED.format("a")],
        ),
        (
            f'shown = "# allow MIG031: no comment"\n{INDEX}',
            [INDEXED],
        ),
    ],
)
def test_a_comment_allows_nothing_else(folder: Folder, body: str, left: list[str]) -> None:
    assert problems(folder, body) == left


def test_a_line_of_the_docstring_allows_it_in_the_whole_file(folder: Folder) -> None:
    line = "allow MIG031: comes with the first release\n"
    documented = DOCSTRING.replace('nothing\n"""', f'nothing\n\n{line}"""')
    assert problems(folder, f"{INDEX}\n{INDEX}", docstring=documented) == []
    assert len(report(folder.path).suppressed) == 2
    (found,) = folder.revisions()
    assert found.fields["Needs"] == "nothing"


def test_a_line_of_the_docstring_is_no_part_of_the_field_above(folder: Folder) -> None:
    documented = DOCSTRING.replace(
        "Needs: nothing", "Needs: nothing\nallow MIG031: comes with the first release"
    )
    assert problems(folder, INDEX, docstring=documented) == []
    assert folder.revisions()[0].fields["Needs"] == "nothing"


def test_a_suppression_holds_in_its_own_revision_only(folder: Folder) -> None:
    body = f"def upgrade() -> None:\n    # allow MIG031: five rows\n    {INDEX}\n"
    folder.revision(1, upgrade=body)
    folder.revision(2, upgrade=body.replace("    # allow MIG031: five rows\n", "\n"))
    assert [(found.path, found.code) for found in folder.findings()] == [("versions/002_step.py", "MIG031")]


@pytest.mark.parametrize("comment", ["# allow MIG031", "# allow MIG031:", "# allow MIG031 five rows"])
def test_without_a_reason_nothing_is_allowed(folder: Folder, comment: str) -> None:
    assert problems(folder, f"{comment}\n{INDEX}") == [
        'MIG019 "allow MIG031" has no reason, and allows nothing',
        INDEXED,
    ]
    assert folder.findings()[0].hint == 'write "allow MIG031: <why it is safe here>" in 001_step.py'


@pytest.mark.parametrize("code", ["MIG999", "mig031", "MIG", "MIG011", "MIG002", "MIG018", "MIG020"])
def test_a_code_that_cannot_be_allowed_is_told(folder: Folder, code: str) -> None:
    assert problems(folder, f"# allow {code}: five rows\n{INDEX}") == [
        f'MIG018 "{code}" is not the code of a rule that can be allowed',
        f'MIG020 "allow {code}" stands where nothing needs it',
        INDEXED,
    ]
    found = folder.findings()[0]
    assert found.hint == "write the code that agentdb check shows, or remove it, in 001_step.py"
    assert (found.severity, found.column) == ("error", 5)


def test_a_suppression_of_nothing_is_a_warning_with_its_line(folder: Folder) -> None:
    assert problems(folder, "# allow MIG031: five rows\nexecute('SELECT 1')") == [
        'MIG020 "allow MIG031" stands where nothing needs it'
    ]
    (found,) = folder.findings()
    assert (found.severity, found.hint) == ("warning", f"remove line {found.line} of 001_step.py")
    assert "allow MIG031" in found.file.read_text().splitlines()[found.line - 1]


@pytest.mark.parametrize("more", ["# allow MIG031: five rows", 'X = """\n-- allow MIG031: five rows\n"""'])
def test_a_suppression_before_no_statement_is_told(folder: Folder, more: str) -> None:
    folder.write("001_step.py", f'{DOCSTRING}\nrevision = "001"\ndown_revision = None\n{more}\n')
    assert folder.problems() == ['MIG020 "allow MIG031" stands before no statement']


def test_a_comment_that_speaks_of_allowing_is_no_suppression(folder: Folder) -> None:
    assert problems(
        folder,
        f"# allow everybody to read it\n# we allow MIG031: here\n#     # allow MIG031: as this\n{INDEX}",
    ) == [INDEXED]


def test_what_the_files_are_cannot_be_allowed() -> None:
    assert {rule.CODE for rule in RULES if rule.STRUCTURAL}.isdisjoint(SUPPRESSIBLE)
    assert ABOUT.isdisjoint(SUPPRESSIBLE)
    assert {f"MIG{number:03}" for number in (*range(13, 18), *range(21, 71))} == SUPPRESSIBLE


def test_a_suppressed_error_does_not_stop_an_upgrade(folder: Folder) -> None:
    problems(folder, f"# allow MIG031: the table holds five rows\n{INDEX}")
    found = report(folder.path)
    assert [(one.finding.code, one.finding.severity) for one in found.suppressed] == [("MIG031", "error")]
    assert [one.code for one in found.findings if one.code == "MIG031"] == []
