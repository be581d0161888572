"""`agentdb governance evidence`: one report for an auditor, in one form or in all three."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer

from spotify_ai_agent_migrations.versions.cli.report import made_folder, written
from spotify_ai_agent_migrations.versions.cli.trail import verified_trail
from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.governance.evidence import Report
from spotify_ai_agent_migrations.versions.governance.evidence.as_json import as_json
from spotify_ai_agent_migrations.versions.governance.evidence.html import html
from spotify_ai_agent_migrations.versions.governance.evidence.markdown import markdown
from spotify_ai_agent_migrations.versions.runner.evidence import STATEMENT_TIMEOUT_MS, gather


class Form(str, Enum):
    """What `--format` accepts."""

    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


_FORMS: Final[Mapping[Form, tuple[str, Callable[[Report], str]]]] = MappingProxyType(
    {Form.MARKDOWN: ("md", markdown), Form.JSON: ("json", as_json), Form.HTML: ("html", html)}
)


def evidence(
    since: Annotated[
        str, typer.Option("--from", metavar="DATE", help="its first moment, a date or an instant in UTC")
    ],
    until: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="its end, which is no part of it; else now")
    ] = None,
    *,
    form: Annotated[Form, typer.Option("--format", "-f", help="how it is written")] = Form.MARKDOWN,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write it to this file", dir_okay=False)
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", metavar="FOLDER", help="write all three forms of one reading there", file_okay=False
        ),
    ] = None,
    verify_trail: Annotated[
        bool, typer.Option("--verify-trail", help="read the whole audit trail, and verify it too")
    ] = False,
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", metavar="FILE", help="with --verify-trail: what seals are signed with"),
    ] = None,
    url: Annotated[str | None, typer.Option(help="in place of DATABASE_URL and .env")] = None,
) -> None:
    """Show what a period shows of SOC 2 CC6, CC7, CC8 and ISO/IEC 27001:2022 A.8.10, A.8.11, A.8.15, A.8.32.

    Each claim leads to the rows that show it; what no row shows is listed as not shown.

    Exit codes: 0 written, 1 refused or failed, 2 usage, 3 written, and the chain of the journal is broken.
    """
    settings = resolve_settings(url, statement_timeout_ms=STATEMENT_TIMEOUT_MS)
    trail = partial(verified_trail, url, public_key)
    report = gather(settings, since, until, more=trail if verify_trail else tuple)
    if into is not None:
        _write_all(report, into)
    else:
        written(_FORMS[form][1](report), output)
    if report.evidence.chain.broken:
        typer.echo(f"the chain of the journal is broken, at {report.evidence.chain.faults[0]}", err=True)
        raise typer.Exit(EXIT_FINDINGS)


def _write_all(report: Report, folder: Path) -> None:
    """Write the three forms, and say the SHA-256 of each, as `sha256sum --check` reads it."""
    made_folder(folder)
    for suffix, render in _FORMS.values():
        file = folder / f"evidence.{suffix}"
        text = render(report)
        written(text, file)
        typer.echo(f"{hashlib.sha256(text.encode()).hexdigest()}  {file}")
