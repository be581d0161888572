"""The command writes pages whole or not at all, and tells which of them are stale."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import stat
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from spotify_ai_agent_migrations import DocumentationError, FileError
from spotify_ai_agent_migrations.versions.cli.agentdb import composed
from spotify_ai_agent_migrations.versions.docs import check_docs, write_docs
from support import ROOT, Checkout, environment, rows, run

RUN = "run `agentdb docs` and commit what it writes"


def agentdb(*arguments: object, url: str, cwd: pathlib.Path = ROOT) -> tuple[int, str, str]:
    command = (sys.executable, "-m", "spotify_ai_agent_migrations", "docs", *map(str, arguments))
    done = run(*command, url=url, cwd=cwd, COLUMNS="200")
    return done.returncode, done.stdout, done.stderr


def test_the_committed_pages_are_up_to_date(url: str) -> None:
    shown = "docs/schema.md: up to date\ndocs/schema.fr.md: up to date\n"
    assert agentdb("--check", url=url) == (0, shown, "")


def test_pages_are_written_once_and_checked(url: str, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert list(write_docs(folder, url=url).values()) == [True, True]
    assert list(write_docs(folder, url=url).values()) == [False, False]
    assert check_docs(folder, url=url) == (folder / "schema.md", folder / "schema.fr.md")
    assert sorted(path.name for path in folder.iterdir()) == ["schema.fr.md", "schema.md"]


def test_a_changed_schema_is_found_out_and_mended(
    url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_docs(url=url)
    rows(url, "ALTER TABLE users ALTER birth_year SET DEFAULT 1970")
    line = pathlib.Path("docs/schema.md").read_text().splitlines().index(
        next(line for line in pathlib.Path("docs/schema.md").read_text().splitlines() if "`birth_year`" in line)
    ) + 1  # fmt: skip
    code, out, err = agentdb("--check", url=url, cwd=tmp_path)
    assert (code, out) == (3, "")
    assert err == (
        f'error: "docs/schema.md" is stale from line {line}, "docs/schema.fr.md" is stale from line {line}\nHint: {RUN}\n'
    )
    pathlib.Path("docs/schema.md").unlink()
    assert agentdb("--check", "--lang", "en", url=url, cwd=tmp_path) == (
        3,
        "",
        'error: "docs/schema.md" is missing\nHint: run `agentdb docs --lang en` and commit what it writes\n',
    )
    written = "docs/schema.md: written\ndocs/schema.fr.md: written\n"
    assert agentdb(url=url, cwd=tmp_path) == (0, written, "")
    assert agentdb("--check", url=url, cwd=tmp_path)[0] == 0


def test_a_page_cut_short_is_stale_from_where_it_was_cut(url: str, tmp_path: pathlib.Path) -> None:
    write_docs(tmp_path, languages=("en",), url=url)
    page = tmp_path / "schema.md"
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    page.write_text("".join(lines[:100]), encoding="utf-8")
    with pytest.raises(DocumentationError) as raised:
        check_docs(tmp_path, languages=("en",), url=url)
    assert raised.value.problem == f'"{tmp_path}/schema.md" is stale from line 101'
    assert raised.value.hint == f"run `agentdb docs --output {tmp_path} --lang en` and commit what it writes"


def test_a_text_without_french_is_shown_in_english_and_reported(url: str, tmp_path: pathlib.Path) -> None:
    rows(
        url,
        "COMMENT ON TABLE users IS 'Who is who'; COMMENT ON COLUMN users.email IS 'contact: where they read'",
    )
    write_docs(tmp_path, url=url)
    assert "\nWho is who.\n" in (tmp_path / "schema.fr.md").read_text(encoding="utf-8")
    with pytest.raises(DocumentationError) as raised:
        check_docs(tmp_path, url=url)
    assert raised.value.problem == "2 texts have no French"
    assert raised.value.hint == (
        'add to versions/docs/french.json: "Who is who", "where they read", '
        f"then run `agentdb docs --output {tmp_path}` and commit what it writes"
    )
    assert check_docs(tmp_path, languages=("en",), url=url) == (tmp_path / "schema.md",)


def test_a_revision_needs_its_page_and_its_french(checkout: Checkout, url: str) -> None:
    checkout.add("execute(\"COMMENT ON TABLE public.users IS 'People'\")")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    command = ("-m", "spotify_ai_agent_migrations", "docs")
    done = checkout.python(*command, "--check", url=url)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith(
        f'1 text has no French\nHint: add to versions/docs/french.json: "People", then {RUN}\n'
    )
    held = checkout.versions / "docs" / "french.json"
    french = json.loads(held.read_text(encoding="utf-8"))
    french["texts"]["People"] = "Les personnes"
    held.write_text(json.dumps(french, ensure_ascii=False), encoding="utf-8")
    assert checkout.python(*command, url=url).returncode == 0
    assert checkout.python(*command, "--check", url=url).returncode == 0
    assert "\nLes personnes.\n" in (checkout.root / "docs" / "schema.fr.md").read_text(encoding="utf-8")


def test_schemas_are_named_in_the_hint(empty_url: str, tmp_path: pathlib.Path) -> None:
    rows(empty_url, 'CREATE SCHEMA "my schema"; CREATE TABLE "my schema".t (); CREATE SCHEMA other')
    code, out, err = agentdb(
        "--schema", "my schema", "--schema", "other", "--check", "-o", tmp_path, url=empty_url
    )
    assert (code, out) == (3, "")
    assert err == (
        f'error: "{tmp_path}/schema.md" is missing, "{tmp_path}/schema.fr.md" is missing\n'
        f"Hint: run `agentdb docs --output {tmp_path} --schema 'my schema' --schema other` and commit what it writes\n"
    )


def test_a_link_stays_a_link_and_a_page_is_as_readable_as_any_file(url: str, tmp_path: pathlib.Path) -> None:
    folder, real = tmp_path / "docs", tmp_path / "real.md"
    folder.mkdir()
    real.write_text("old")
    (folder / "schema.md").symlink_to(real)
    before = os.umask(0o027)
    try:
        write_docs(folder, languages=("en",), url=url)
    finally:
        os.umask(before)
    assert (folder / "schema.md").is_symlink()
    assert real.read_text(encoding="utf-8").startswith("# The schema\n")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.parametrize("killed", [False, True], ids=["refused", "killed"])
def test_a_page_that_is_half_written_leaves_the_old_one(
    url: str, tmp_path: pathlib.Path, killed: bool
) -> None:
    (tmp_path / "schema.md").write_text("old")
    # The kernel ends the process in the middle of the file, or refuses to go on, if Python ignores the signal.
    code = (
        "import resource, signal, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))\n"
        f"signal.signal(signal.SIGXFSZ, signal.{'SIG_DFL' if killed else 'SIG_IGN'})\n"
        "from spotify_ai_agent_migrations.versions.docs import write_docs; write_docs(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment(url), cwd=ROOT,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    left = sorted(path.name.partition("-")[0] for path in tmp_path.iterdir())
    if killed:
        assert (done.returncode, left) == (-signal.SIGXFSZ, [".schema.md", "schema.md"])
    else:
        assert f'FileError: "{tmp_path}/schema.md" cannot be written: File too large' in done.stderr
        assert left == ["schema.md"]
    assert (tmp_path / "schema.md").read_text() == "old"
    write_docs(tmp_path, url=url)
    assert check_docs(tmp_path, url=url) == (tmp_path / "schema.md", tmp_path / "schema.fr.md")


def test_a_folder_in_the_place_of_a_page_is_refused(url: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "schema.md").mkdir()
    for verb in (write_docs, check_docs):
        with pytest.raises(FileError) as raised:
            verb(tmp_path, url=url)
        assert raised.value.problem == f'"{tmp_path}/schema.md" cannot be read: Is a directory'
        assert raised.value.hint == "mend its permissions, or name another folder with --output"


def test_the_help_lists_the_exit_codes() -> None:
    result = CliRunner().invoke(composed(["docs"]), ["docs", "--help"])
    assert result.exit_code == 0
    assert "3 a page is stale or missing, or a text has no French" in " ".join(result.output.split())
    assert CliRunner().invoke(composed(["docs"]), ["docs", "--lang", "de"]).exit_code == 2
