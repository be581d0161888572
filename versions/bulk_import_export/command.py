"""The sub-command `bulk-import-export`: flags in, one line out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.bulk_import_export.run import bulk_export, bulk_import

_EXIT_CODES = "Exit codes: 0 done, 1 refused or failed, 2 usage."

app = typer.Typer(
    name="bulk-import-export",
    help="Bring a file into a table, all of it or nothing, and write a table into a file.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
)

_Table = Annotated[
    str, typer.Argument(metavar="TABLE", help="As in SQL: users, public.users, '\"Odd Name\"'.")
]
_Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The database; else DATABASE_URL, else .env."),
]


@app.command("import", epilog=_EXIT_CODES)
def import_(
    table: _Table,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8 with a header.")],
    url: _Url = None,
) -> None:
    """Load every row of FILE into TABLE, or none."""
    result = bulk_import(table, file, url=url)
    typer.echo(f"loaded {_rows(result.rows)} into {result.table} from {result.path}")


@app.command("export", epilog=_EXIT_CODES)
def export(
    table: _Table,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written anew when all rows are there.")],
    url: _Url = None,
) -> None:
    """Write TABLE, a view or a materialized view, into FILE as CSV."""
    result = bulk_export(table, file, url=url)
    typer.echo(f"exported {_rows(result.rows)} from {result.table} to {result.path}")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
