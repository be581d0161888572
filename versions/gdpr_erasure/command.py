"""The commands `agentdb gdpr-erasure` and `python versions/010_gdpr_erasure.py`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS
from spotify_ai_agent_migrations.versions.gdpr_erasure import finding
from spotify_ai_agent_migrations.versions.gdpr_erasure.checking import check_catalogue

_EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 findings (check, scan), something "
    "missing (records) or overdue (requests)."
)

app = typer.Typer(
    name="gdpr-erasure",
    help="Personal data: find it, account for it, answer whoever asks for it.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)
# `python versions/010_gdpr_erasure.py`: the same beside both directions of the revision.
script = typer.Typer(
    help="Personal data: find it, account for it, answer whoever asks for it.",
    epilog=_EXIT_CODES,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]


class Format(str, Enum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"


_Format = Annotated[Format, typer.Option("--format", help="how the answer is written")]


# The catalogue ------------------------------------------------------------------------------------------


@script.command("check", epilog=_EXIT_CODES)
@app.command("check", epilog=_EXIT_CODES)
def check_command(*, written: _Format = Format.TEXT, url: _Url = None) -> None:
    """Name each column that is not classified, or cannot be treated as the catalogue says."""
    _found(check_catalogue(url), written)


def _found(findings: Sequence[finding.Finding], written: Format) -> None:
    typer.echo(finding.as_json(findings) if written is Format.JSON else finding.as_text(findings))
    if findings:
        raise typer.Exit(EXIT_FINDINGS)
