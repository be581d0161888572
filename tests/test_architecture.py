"""The house as it was drawn: one slug, one way of imports, small parts, nothing printed by the library."""

from __future__ import annotations

import ast
import sys

import pytest

from spotify_ai_agent_migrations import discover
from support import ROOT, run

VERSIONS = ROOT / "versions"
MODULES = sorted([*VERSIONS.rglob("*.py"), *ROOT.glob("*.py")])


def test_imports_go_one_way() -> None:
    pytest.importorskip("importlinter")
    done = run(
        sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    assert done.returncode == 0, done.stdout
    assert "5 kept, 0 broken" in done.stdout


def test_alembic_looks_for_revisions_in_one_folder_only() -> None:
    text = (ROOT / "alembic.ini").read_text()
    assert "\nrecursive_version_locations = false\n" in text
    assert "prepend_sys_path" not in text


def test_every_room_with_a_revision_has_its_slug() -> None:
    slugs = {revision.slug for revision in discover()}
    foundation = {"core", "governance", "runner", "cli"}
    without_revision = {"audit_trail", "distribution", "docs"}
    to_come: set[str] = set()
    rooms = {file.parent.name for file in VERSIONS.glob("*/__init__.py")}
    assert rooms - foundation - slugs - without_revision <= to_come


def test_every_module_opens_with_a_sentence() -> None:
    assert len(MODULES) > 40
    without = [str(file) for file in MODULES if not ast.get_docstring(ast.parse(file.read_text()))]
    assert without == []


def test_no_module_outgrows_its_reader() -> None:
    # A revision is read as a list of tables, not as a program.
    lines = {file: len(file.read_text().splitlines()) for file in MODULES if not file.name[:3].isdigit()}
    assert {str(file.relative_to(ROOT)): count for file, count in lines.items() if count > 400} == {}
    assert sorted(lines.values())[len(lines) // 2] <= 100


def test_the_library_neither_prints_nor_exits() -> None:
    faces = {"cli"}
    found = []
    for file in MODULES:
        inside = file.relative_to(ROOT).parts
        if (
            file.name.endswith("command.py")
            or (len(inside) > 1 and inside[1] in faces)
            or file.name[:3].isdigit()
        ):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "print",
                "sys.exit",
                "exit",
                "typer.echo",
            }:
                found.append(f"{file}:{node.lineno}")
    assert found == []


def test_every_lint_exception_names_its_rule() -> None:
    lines = [
        f"{file}:{number}"
        for file in MODULES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if "# noqa" in line and "# noqa: " not in line
    ]
    assert lines == []
