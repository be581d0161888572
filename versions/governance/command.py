"""The command `agentdb check`: flags in, lines out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS, FileError
from spotify_ai_agent_migrations.versions.governance.checking import report
from spotify_ai_agent_migrations.versions.governance.comparing import compare
from spotify_ai_agent_migrations.versions.governance.formats import FORMATS, summary


class Format(str, Enum):
    """What `--format` accepts."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"
    SARIF = "sarif"


def check(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="The folder of revisions. [default: this package's own]",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    *,
    base: Annotated[
        str | None,
        typer.Option("--base", help="Check HEAD as merged into this commit, and judge what that changes."),
    ] = None,
    edited: Annotated[
        list[str] | None,
        typer.Option(
            "--edited",
            envvar="EDITED_REVISIONS",
            metavar="NNN",
            help="With --base: a revision that is recorded there and may change, as no database applied it.",
        ),
    ] = None,
    written: Annotated[
        Format, typer.Option("--format", "-f", help="How to write the findings.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file, and the summary to stderr.", dir_okay=False),
    ] = None,
) -> None:
    """Check the revisions against the rules; reads the files, runs none, needs no database.

    With --base it looks at what is committed, and paths begin at the top of the repository.

    Exit codes: 0 no finding of error level, 1 the output cannot be written or HEAD not be merged, 2 usage,
    3 findings.
    """
    found = report(folder) if base is None else compare(folder, base=base, edited=edited or ())
    shown = FORMATS[written.value](found)
    if output is None:
        typer.echo(shown, nl=False)
    else:
        _write(output, shown)
    if output is not None or (base is not None and written is not Format.TEXT):
        typer.echo(summary(found), err=True)
    if found.compared is not None and found.compared.unseen:
        typer.echo(f"not committed, and not looked at: {found.compared.unseen} of the files", err=True)
    if any(finding.severity == "error" for finding in found.findings):
        raise typer.Exit(EXIT_FINDINGS)


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as exc:
        raise FileError(
            f'"{file}" cannot be written: {exc.strerror}', hint="name a file in a folder that exists"
        ) from exc
