"""A module is one object, whichever of its names it was imported by."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from support import ROOT, run

PACKAGE = "spotify_ai_agent_migrations"


def python(code: str, *, cwd: pathlib.Path = ROOT) -> list[str]:
    done = run(sys.executable, "-c", code, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("first", ["versions", f"{PACKAGE}.versions"])
def test_errors_have_one_class_under_both_names(first: str) -> None:
    code = (
        f"import {first}.core.errors\n"
        "import versions.core.errors as a\n"
        f"import {PACKAGE}.versions.core.errors as b\n"
        f"import versions, {PACKAGE}.versions as c\n"
        "print(a is b, versions is c, a.__spec__.name == a.__name__, a.MigrationError is b.MigrationError)"
    )
    assert python(code) == ["True"] * 4


def test_a_revision_is_found_by_number_and_by_slug() -> None:
    code = (
        "from importlib import import_module\n"
        f"names = ('versions.001_schema', 'versions.schema', '{PACKAGE}.versions.001_schema')\n"
        "found = [import_module(name) for name in names]\n"
        "from versions.schema import upgrade\n"
        "print(len(set(map(id, found))), upgrade is found[0].upgrade, found[0].__spec__.name)"
    )
    assert python(code) == ["1", "True", f"{PACKAGE}.versions.001_schema"]


def test_an_unknown_name_is_an_ordinary_import_error() -> None:
    done = run(sys.executable, "-c", "import versions.nothing_of_the_kind")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: No module named '{PACKAGE}.versions.nothing_of_the_kind'"
    )


def test_the_helpers_are_had_from_the_package_anywhere(tmp_path: pathlib.Path) -> None:
    code = (
        f"from {PACKAGE} import bulk_import, check, discover\n"
        f"import {PACKAGE} as p\n"
        "print(bulk_import.__module__, set(p.__all__) <= set(dir(p)))"
    )
    module, listed = python(code, cwd=tmp_path)
    assert module.startswith(f"{PACKAGE}.versions.bulk_import_export")
    assert listed == "True"


def test_importing_the_package_loads_no_database_driver() -> None:
    code = (
        f"import sys, {PACKAGE}, versions\n"
        "print(*[name in sys.modules for name in ('psycopg2', 'sqlalchemy', 'alembic')])"
    )
    # A process that nothing was imported into before.
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split() == ["False"] * 3
