"""The READMEs say the same in both languages, and what they show is what happens."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from commands import programs
from support import DATA, ROOT, Checkout, data

FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
README, LISEZMOI = ROOT / "README.md", ROOT / "README.fr.md"
# What CI runs word for word, since it makes the environment that everything else runs in.
RUN_BY_CI = ("python3 -m venv", "pytest\n")
CHINOOK = DATA / "chinook" / "ChinookData.json"
# What a rollback loses is what the tour has loaded.
NEED_CHINOOK = {"A tour with real music", "bulk-import-export", "rollback"}


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text and the line it starts on."""

    language: str
    body: str
    line: int


def blocks(file: pathlib.Path) -> list[Block]:
    text = file.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["body"], text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


def prose(file: pathlib.Path) -> list[str]:
    return FENCE.sub("", file.read_text(encoding="utf-8")).splitlines()


def test_the_code_is_the_same_in_both_languages() -> None:
    assert len(blocks(README)) > 20
    assert [(one.language, one.body) for one in blocks(README)] == [
        (one.language, one.body) for one in blocks(LISEZMOI)
    ]


def test_the_structure_is_the_same_in_both_languages() -> None:
    def shape(file: pathlib.Path) -> list[str]:
        kinds = {"#": "heading", "|": "row", "-": "item"}
        return [
            line.split(" ")[0] if line.startswith("#") else kinds[line[0]]
            for line in prose(file)
            if line and line[0] in kinds
        ]

    assert len(shape(README)) > 60
    assert shape(README) == shape(LISEZMOI)


def test_neither_has_a_paragraph_the_other_lacks() -> None:
    def paragraphs(file: pathlib.Path) -> int:
        return len(re.split(r"\n\s*\n", "\n".join(prose(file)).strip()))

    assert paragraphs(README) == paragraphs(LISEZMOI)


def test_a_capability_has_a_heading_by_its_slug() -> None:
    headings = {line.removeprefix("## ") for line in prose(README) if line.startswith("## ")}
    assert {"governance", "bulk-import-export"} <= headings
    assert {"governance", "bulk-import-export"} <= {line.removeprefix("## ") for line in prose(LISEZMOI)}


def test_every_rule_is_in_the_table() -> None:
    from spotify_ai_agent_migrations.versions.governance.rules import RULES

    for rule in RULES:
        row = f"| {rule.CODE} | `{rule.__name__.rpartition('.')[2]}` |"
        for file in (README, LISEZMOI):
            assert row in file.read_text(encoding="utf-8")


def test_ci_runs_the_two_commands_word_for_word() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    first, second = blocks(README)[:2]
    assert first.body.strip() in script
    assert second.body.strip() in script


@pytest.fixture
def tour(checkout: Checkout) -> Checkout:
    shutil.copytree(ROOT / "tests" / "tour", checkout.root / "tests" / "tour")
    shutil.copy(ROOT / "versions" / "CHECKSUMS", checkout.versions)
    return checkout


def run_block(block: Block, tour: Checkout, url: str, folder: pathlib.Path) -> str:
    command = ["bash", "-eo", "pipefail", "-c", block.body]
    if block.language == "python":
        command = [str(folder / "python"), "-c", block.body]
    environment = {
        **tour.environment(url),
        "CHINOOK_JSON": str(CHINOOK),
        "PATH": os.pathsep.join((str(folder), str(pathlib.Path(sys.executable).parent), os.environ["PATH"])),
        "COLUMNS": "100",
    }
    done = subprocess.run(
        command, cwd=tour.root, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"README.md:{block.line}\n{done.stdout}{done.stderr}"
    return done.stdout


def matches(expected: str, found: str, *, ordered: bool) -> bool:
    """Whether *found* is *expected*, `…` standing for what cannot be known; a SELECT has no order."""
    wanted, left = expected.splitlines(), found.splitlines()
    if not ordered:
        wanted, left = sorted(wanted), sorted(left)
    return len(wanted) == len(left) and all(
        re.fullmatch(re.escape(line).replace("…", ".*"), one) for line, one in zip(wanted, left, strict=True)
    )


def section_of(block: Block) -> str:
    before = README.read_text(encoding="utf-8").splitlines()[: block.line]
    return next(line.removeprefix("## ") for line in reversed(before) if line.startswith("## "))


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """Where `agentdb` and `alembic` are."""
    with programs() as made:
        yield made


def test_what_is_shown_is_what_happens(tour: Checkout, empty_url: str, folder: pathlib.Path) -> None:
    shown = [block for block in blocks(README) if not block.body.startswith(RUN_BY_CI)]
    if not CHINOOK.exists():
        shown = [block for block in shown if section_of(block) not in NEED_CHINOOK]
    compared = 0
    for block, following in zip(shown, [*shown[1:], Block("", "", 0)], strict=True):
        if block.language not in {"sh", "python"}:
            continue
        found = run_block(block, tour, empty_url, folder)
        expected = following.body if following.language == "text" else ""
        assert matches(expected, found, ordered="SELECT" not in block.body), (
            f"README.md:{block.line} shows otherwise:\n{found}"
        )
        compared += bool(expected)
    assert compared > 8


def test_the_tour_is_among_what_is_executed() -> None:
    data("chinook", "ChinookData.json")
    assert {section_of(block) for block in blocks(README)} >= NEED_CHINOOK
