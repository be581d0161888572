"""What is installed is what is in the tree: every module, revision and data file, and nothing of the tests."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from support import HEAD, ROOT, environment, rows, run

PACKAGE = "spotify_ai_agent_migrations"
SHIPPED = {".py", ".pyi", ".sql", ".json", ".css"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A wheel built by way of the sdist, from a copy of the tree: a stale build/ would ship old revisions."""
    source = tmp_path_factory.mktemp("source") / "tree"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    )
    out = source / "dist"
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def expected() -> set[str]:
    top = {file.name for file in ROOT.glob("*.py")} | {"alembic.ini", "script.py.mako", "py.typed"}
    below = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "versions").rglob("*")
        if (file.suffix in SHIPPED or file.name in {"CHECKSUMS", "APPROVALS"})
        and "__pycache__" not in file.parts
    }
    return {f"{PACKAGE}/{name}" for name in top | below}


def test_the_wheel_holds_the_tree_and_nothing_of_the_tests(wheel: pathlib.Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert f"{PACKAGE}/versions/001_schema.py" in names
    assert names == expected()


def test_the_installed_wheel_migrates_and_is_the_same_revision_by_revision(
    wheel: pathlib.Path, empty_url: str, tmp_path: pathlib.Path
) -> None:
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    ini = tmp_path / "alembic.ini"
    ini.write_text(f"[alembic]\nscript_location = {PACKAGE}:.\npath_separator = os\n")
    for arguments, shown in [
        (("upgrade", "head"), ""),
        (("current",), f"{HEAD} (head)\n"),
        (("downgrade", "base"), ""),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(ini), *arguments], cwd=tmp_path, check=False,
            env=environment(empty_url, PYTHONPATH=str(target)), capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, shown), done.stderr
    assert rows(empty_url, "SELECT FROM alembic_version") == []
    code = f"import {PACKAGE}; print({PACKAGE}.__file__)"
    found = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(target)).stdout
    assert found.startswith(str(target))


def test_the_metadata_names_the_pythons_that_are_supported(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        assert f"Classifier: Programming Language :: Python :: {version}\n" in metadata
    assert "Requires-Python: >=3.10\n" in metadata
    assert "License-Expression: MIT\n" in metadata


def test_the_oldest_and_newest_python_at_hand_can_read_the_source(tmp_path: pathlib.Path) -> None:
    tried = 0
    for version in ("3.10", "3.12", "3.13", "3.14"):
        program = shutil.which(f"python{version}")
        if program is None or run(program, "--version").returncode != 0:
            continue
        code = (
            "import compileall, sys; sys.exit(not compileall.compile_dir(sys.argv[1], quiet=1, force=True))"
        )
        copy = tmp_path / version
        shutil.copytree(ROOT / "versions", copy, ignore=shutil.ignore_patterns("__pycache__"))
        done = run(program, "-c", code, copy)
        assert done.returncode == 0, done.stdout
        tried += 1
    if not tried:
        pytest.skip("no other Python is installed here")
