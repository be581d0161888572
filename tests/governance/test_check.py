"""The check runs every rule, in one order, and knows which findings stop Alembic itself."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from governance import (
    test_access_rules,
    test_column_change_rules,
    test_lock_rules,
    test_loss_rules,
    test_statement_rules,
    test_type_rules,
)
from governance.history import Folder

from spotify_ai_agent_migrations.versions import governance
from spotify_ai_agent_migrations.versions.governance import CLASSES, check, structural
from spotify_ai_agent_migrations.versions.governance.rules import RULES, Rule, documentation, name

ROOM = Path(str(governance.__file__)).parent


def test_a_good_history_has_no_finding(folder: Folder) -> None:
    folder.revision(1)
    folder.revision(2)
    assert folder.findings() == ()


def test_the_packages_own_revisions_have_no_finding() -> None:
    assert check() == ()


def test_every_module_of_a_rule_is_listed_once() -> None:
    files = {path.stem for path in (ROOM / "rules").glob("*.py")} - {"__init__"}
    assert sorted(map(name, RULES)) == sorted(files)
    assert all(file.startswith(("ban_", "prefer_", "require_")) for file in files)


def test_the_codes_are_unique_and_in_order() -> None:
    codes = [rule.CODE for rule in RULES]
    assert codes == sorted(set(codes))


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_the_documentation_of_a_rule_says_why_and_how_to_fix_it(rule: Rule) -> None:
    text = documentation(rule)
    assert re.fullmatch(r"[A-Z`].*\.", text.partition("\n")[0])
    assert "\nWhy: " in text
    assert "\nFix: " in text


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_the_findings_of_a_rule_are_tested(rule: Rule) -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*_rules.py"))
    assert rule.CODE in tests


def test_each_rule_about_statements_has_what_is_wrong_and_what_is_right() -> None:
    modules = (
        test_statement_rules, test_lock_rules, test_column_change_rules, test_loss_rules, test_access_rules,
        test_type_rules,
    )  # fmt: skip
    about = [rule.CODE for rule in RULES if "MIG020" < rule.CODE < "MIG100"]
    for listed in ("WRONG", "RIGHT"):
        assert [
            code for module in modules for code, found in getattr(module, listed).items() if found
        ] == about


def test_what_is_required_or_banned_is_an_error_and_what_is_preferred_a_warning(folder: Folder) -> None:
    folder.upgrade('op.add_column("t", sa.Column("c", sa.JSON, nullable=False, comment="none: x"))')
    found = {one.rule: one.severity for one in folder.findings()}
    assert found == {"ban_required_column": "error", "prefer_jsonb": "warning"}


def test_the_documentation_of_the_column_rule_names_every_class() -> None:
    rule = next(rule for rule in RULES if rule.CODE == "MIG014")
    assert all(name_of_class in documentation(rule) for name_of_class in CLASSES)


def test_findings_come_by_path_line_and_code(folder: Folder) -> None:
    folder.write("zzz.py", "")
    folder.revision(2, docstring="", upgrade="", more="import os\n")
    folder.revision(1, docstring="")
    found = folder.findings()
    assert [(f.path, f.line, f.code) for f in found] == sorted((f.path, f.line, f.code) for f in found)
    assert {f.path for f in found} == {"versions/001_step.py", "versions/002_step.py", "versions/zzz.py"}


def test_a_broken_file_hides_no_other_finding(folder: Folder) -> None:
    folder.write("001_broken.py", "raise (\n")
    folder.revision(2, more="import os\n")
    assert folder.problems() == [
        """MIG002 "001_broken.py" is not valid Python: '(' was never closed""",
        'MIG013 "002_step.py" imports "os"',
    ]


def test_a_finding_names_its_file_from_the_projects_root_and_on_disk(folder: Folder) -> None:
    path = folder.revision(1, more="import os\n")
    (found,) = folder.findings()
    assert (found.path, found.file) == ("versions/001_step.py", path)
    assert path.read_text().splitlines()[found.line - 1][found.column - 1 :] == "import os"


def test_a_column_is_counted_in_characters(folder: Folder) -> None:
    folder.upgrade('"é"; import os')
    (found,) = folder.findings()
    assert found.column == 10


def test_what_a_terminal_cannot_show_is_escaped(folder: Folder) -> None:
    folder.write("001_\x1b[31m\n.py", "")
    assert folder.findings()[0].path == "versions/001_\\x1b[31m\\n.py"


def test_only_what_stops_alembic_is_structural(folder: Folder) -> None:
    folder.write("shared.py", "")
    folder.revision(1, docstring="")
    folder.write("002_broken.py", "raise (\n")
    folder.revision(3, follows="009")
    folder.revision(3, "twin")
    assert [found.code for found in structural(folder.findings())] == ["MIG002", "MIG008", "MIG005", "MIG003"]
    assert {found.code for found in folder.findings()} > {"MIG002", "MIG003", "MIG005", "MIG008"}


def test_the_same_files_have_the_same_findings(folder: Folder) -> None:
    folder.revision(1, docstring="", upgrade="", downgrade="")
    assert folder.findings() == folder.findings() != ()


def test_governance_imports_no_driver_and_no_alembic() -> None:
    imported = set()
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    assert "spotify_ai_agent_migrations" in imported
    assert not imported & {"alembic", "sqlalchemy", "psycopg2"}


def test_the_same_files_are_read_once_and_an_edit_is_seen(folder: Folder) -> None:
    file = folder.revision(1)
    first = check(folder.path)
    assert check(folder.path) is first
    file.write_text(file.read_text().replace("SELECT 1", "COMMIT"))
    assert check(folder.path) != first
