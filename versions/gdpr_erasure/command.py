"""The commands `agentdb gdpr-erasure` and `python versions/010_gdpr_erasure.py`."""

from __future__ import annotations

import typer

_HELP = "Personal data: find it, account for it, answer whoever asks for it."

app = typer.Typer(no_args_is_help=True, help=_HELP)
script = typer.Typer(no_args_is_help=True, help=_HELP)
