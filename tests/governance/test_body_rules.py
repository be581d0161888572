"""Rules about the docstring, the two functions and the imports: MIG011 to MIG013."""

from __future__ import annotations

import pytest
from governance.history import DOCSTRING, Folder


def test_each_field_that_is_missing_is_written(folder: Folder) -> None:
    folder.revision(1, docstring="")
    where = "in the docstring of 001_step.py"
    assert folder.said() == [
        (
            "MIG011",
            'the docstring has no field "Data"',
            f'write "Data: none | seed | backfill | destructive" {where}',
        ),
        ("MIG011", 'the docstring has no field "Locks"', f'write "Locks: …" {where}'),
        ("MIG011", 'the docstring has no field "Needs"', f'write "Needs: …" {where}'),
        (
            "MIG011",
            'the docstring has no field "Reverse"',
            f'write "Reverse: lossless | lossy | irreversible" {where}',
        ),
    ]


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("Locks: none", "Locks:", 'the field "Locks" is empty'),
        ("Data: none", "Data: some rows", 'the field "Data" begins with "some"'),
        ("Reverse: lossless", "Reverse: lossyish", 'the field "Reverse" begins with "lossyish"'),
    ],
)
def test_a_field_says_something_that_is_understood(folder: Folder, good: str, bad: str, problem: str) -> None:
    folder.revision(1, docstring=DOCSTRING.replace(good, bad))
    assert folder.problems() == [f"MIG011 {problem}"]


@pytest.mark.parametrize("reverse", ["lossless", "lossy; the rows go", "irreversible: rows are deleted"])
@pytest.mark.parametrize("data", ["none", "seed", "backfill: users", "destructive, old rows"])
def test_a_field_may_say_more_than_its_word(folder: Folder, reverse: str, data: str) -> None:
    text = DOCSTRING.replace("Reverse: lossless", f"Reverse: {reverse}").replace(
        "Data: none", f"Data: {data}"
    )
    folder.revision(1, docstring=text)
    assert folder.findings() == ()


def test_both_functions_are_defined(folder: Folder) -> None:
    folder.revision(1, upgrade="", downgrade="downgrade = print\n")
    assert folder.said() == [
        ("MIG012", '"001_step.py" defines no "downgrade"', "write def downgrade() -> None: in 001_step.py"),
        ("MIG012", '"001_step.py" defines no "upgrade"', "write def upgrade() -> None: in 001_step.py"),
    ]


@pytest.mark.parametrize("body", ["pass", "...", '"""Nothing."""', '"""Nothing."""\n    pass', "return"])
def test_a_function_that_does_nothing_is_filled(folder: Folder, body: str) -> None:
    folder.revision(1, downgrade=f"def downgrade() -> None:\n    {body}\n")
    assert folder.said() == [
        (
            "MIG012",
            '"downgrade" does nothing',
            "write the inverse of upgrade(), or raise with the reason why there is none, in 001_step.py",
        )
    ]


def test_a_raise_is_a_body(folder: Folder) -> None:
    folder.revision(1, downgrade='def downgrade() -> None:\n    raise RuntimeError("rows are gone")\n')
    assert folder.findings() == ()


@pytest.mark.parametrize(
    "signature",
    ["def upgrade(engine)", "def upgrade(*, engine)", "def upgrade(engine, /)", "async def upgrade()"],
)
def test_a_function_alembic_cannot_call_is_refused(folder: Folder, signature: str) -> None:
    folder.revision(1, upgrade=f'{signature} -> None:\n    op.execute("SELECT 1")\n')
    assert folder.said() == [
        ("MIG012", '"upgrade" cannot be called as upgrade()', "write def upgrade() -> None: in 001_step.py")
    ]


@pytest.mark.parametrize("arguments", ["engine=None", "*, engine=None", "*engines, **more", "a=1, /, b=2"])
def test_an_argument_with_a_default_is_no_obstacle(folder: Folder, arguments: str) -> None:
    folder.revision(1, upgrade=f'def upgrade({arguments}) -> None:\n    op.execute("SELECT 1")\n')
    assert folder.findings() == ()


@pytest.mark.parametrize(
    ("line", "name", "fix"),
    [
        ("import os.path", "os.path", 'remove the import of "os.path" and write what it gave'),
        (
            "from app.models import User",
            "app.models",
            'remove the import of "app.models" and write what it gave',
        ),
        (
            "from .core import ddl",
            ".core",
            'write "from spotify_ai_agent_migrations.versions.core import …"',
        ),
        (
            "from . import core",
            ".",
            'write "from spotify_ai_agent_migrations.versions.<room> import …"',
        ),
        (
            "from versions.core import ddl",
            "versions.core",
            'write "from spotify_ai_agent_migrations.versions.core import …"',
        ),
        ('__import__("os")', "os", 'remove the import of "os" and write what it gave'),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_foreign_import_is_refused_wherever_it_stands(
    folder: Folder, line: str, name: str, fix: str, *, inside: bool
) -> None:
    if inside:
        folder.upgrade(line)
    else:
        folder.revision(1, imports=f"{line}\n")
    assert folder.said() == [("MIG013", f'"001_step.py" imports "{name}"', f"{fix} in 001_step.py")]


def test_an_import_at_run_time_is_refused(folder: Folder) -> None:
    folder.upgrade("importlib.import_module(name)", imports="import importlib\n")
    assert folder.problems() == [
        'MIG013 "001_step.py" imports "importlib"',
        'MIG013 "001_step.py" imports "a name made at run time"',
    ]


def test_alembic_sqlalchemy_and_this_package_may_be_imported(folder: Folder) -> None:
    folder.revision(
        1,
        imports="from sqlalchemy.dialects.postgresql import JSONB\n"
        "from alembic.operations import ops\n"
        "from spotify_ai_agent_migrations.versions.core.errors import RevisionError\n",
        upgrade="def upgrade() -> None:\n    import sqlalchemy.types\n    op.execute('SELECT 1')\n",
    )
    assert folder.findings() == ()
