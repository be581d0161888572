"""The command `agentdb check`: flags in, lines out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS, FileError
from spotify_ai_agent_migrations.versions.governance.checking import report
from spotify_ai_agent_migrations.versions.governance.formats import FORMATS, summary


class Format(str, Enum):
    """What `--format` accepts."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
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
    written: Annotated[
        Format, typer.Option("--format", "-f", help="How to write the findings.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file, and the summary to stderr.", dir_okay=False),
    ] = None,
) -> None:
    """Check the revisions against the rules; reads the files, runs none, needs no database.

    Exit codes: 0 no finding of error level, 1 the output cannot be written, 2 usage, 3 findings.
    """
    found = report(folder)
    shown = FORMATS[written.value](found)
    if output is None:
        typer.echo(shown, nl=False)
    else:
        _write(output, shown)
        typer.echo(summary(found), err=True)
    if any(finding.severity == "error" for finding in found.findings):
        raise typer.Exit(EXIT_FINDINGS)


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as exc:
        raise FileError(
            f'"{file}" cannot be written: {exc.strerror}', hint="name a file in a folder that exists"
        ) from exc
