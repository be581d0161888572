"""The commands `agentdb gdpr-erasure` and `python versions/010_gdpr_erasure.py`."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True, help="Personal data: find it, account for it, answer who asks for it."
)
script = typer.Typer(
    no_args_is_help=True, help="Personal data: find it, account for it, answer who asks for it."
)
