"""`agentdb gdpr-erasure export`, and the same of the revision's script."""

from __future__ import annotations

import pathlib
import sys

import pytest
from gdpr_erasure.people import ADA, files_of

from support import ROOT, run

WAYS = [
    (sys.executable, "-m", "spotify_ai_agent_migrations", "gdpr-erasure", "export"),
    (sys.executable, ROOT / "versions" / "010_gdpr_erasure.py", "export"),
]


@pytest.mark.parametrize("way", WAYS, ids=["agentdb", "script"])
def test_it_tells_what_it_wrote(entangled: str, tmp_path: pathlib.Path, way: tuple[str, ...]) -> None:
    done = run(
        *way,
        str(ADA.id),
        "--article",
        "20",
        "--output",
        tmp_path / "out.zip",
        "--language",
        "en",
        url=entangled,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "playlists: 1 row" in lines
    assert "playlist_collaborators: 2 rows, 3 values of others withheld" in lines
    assert lines[-1].startswith(f"{tmp_path / 'out.zip'}: article 20, ")
    assert "READ_ME.md" in files_of(tmp_path / "out.zip")


def test_a_refusal_is_two_lines_and_says_nothing_of_the_person(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    done = run(*WAYS[0], "12345", "--output", tmp_path / "out.zip", url=entangled)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no person of this number\nHint: users.id is the number to name\n"
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_nothing_is_exported(entangled: str) -> None:
    done = run(*WAYS[0], str(ADA.id), url=entangled)
    assert done.returncode == 2
    assert "--output" in done.stderr
