"""The command `agentdb audit-trail`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Seal the audit trail, verify it, redact entries of it.")
