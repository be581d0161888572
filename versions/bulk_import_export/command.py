"""The sub-command `bulk-import-export`: flags in, lines out."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from spotify_ai_agent_migrations.versions.bulk_import_export.exporting import ExportResult
from spotify_ai_agent_migrations.versions.bulk_import_export.meter import shown_progress
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.run import (
    ImportResult,
    bulk_export,
    bulk_fix,
    bulk_import,
    bulk_retry,
)
from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS, SettingsError

_EXIT_CODES = "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 done but for rejected rows."

app = typer.Typer(
    name="bulk-import-export",
    help="Bring a file into a table, all of it or nothing, and write a table into a file.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)
# `python versions/008_bulk_import_export.py`
script = typer.Typer(help="Bring a file into a table, and write a table into a file.", epilog=_EXIT_CODES,
                     no_args_is_help=True, rich_markup_mode=None, add_completion=False,
                     pretty_exceptions_enable=False)  # fmt: skip


@script.callback()
def room() -> None:
    """Bring a file into a table, all of it or nothing, and write a table into a file."""


class Mode(str, Enum):
    """What `--mode` accepts."""

    INSERT = "insert"
    IGNORE = "ignore"
    UPSERT = "upsert"
    REPLACE = "replace"
    MERGE = "merge"


class Guarantee(str, Enum):
    """What `--guarantee` accepts."""

    ATOMIC = "atomic"
    RESUMABLE = "resumable"


class Format(str, Enum):
    """What `--format` accepts."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    COPY = "copy"
    BINARY = "binary"
    PARQUET = "parquet"
    ARROW = "arrow"


class Rebuild(str, Enum):
    """What `--rebuild` accepts."""

    INDEXES = "indexes"
    CONSTRAINTS = "constraints"


class Compression(str, Enum):
    """What `--compression` accepts."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZ2 = "bz2"
    XZ = "xz"


class Personal(str, Enum):
    """What `--personal` accepts."""

    KEEP = "keep"
    MASK = "mask"
    REFUSE = "refuse"


_Table = Annotated[
    str, typer.Argument(metavar="TABLE", help="As in SQL: users, public.users, '\"Odd Name\"'.")
]
_Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The database; else DATABASE_URL, else .env."),
]
_Pairs = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE")]
_Source = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Where their file is now; a URL with a password, once more."),
]
_Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]


@script.command("import", epilog=_EXIT_CODES)
@app.command("import", epilog=_EXIT_CODES)
def import_(
    table: _Table,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A path, a URL, or - for standard input.")],
    *,
    mode: Annotated[Mode, typer.Option(help="What becomes of rows whose key is there.")] = Mode.INSERT,
    guarantee: Annotated[
        Guarantee, typer.Option(help="All or nothing, or block by block to go on later.")
    ] = Guarantee.ATOMIC,
    key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="In place of the primary key.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="FIELD= is left out.")
    ] = None,
    constant: _Pairs = None,
    form: Annotated[Format | None, typer.Option("--format", help="In place of what is found.")] = None,
    compression: Annotated[Compression | None, typer.Option(help="In place of what is found.")] = None,
    encoding: Annotated[str | None, typer.Option(help="In place of what is found.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="One character, or \\t.")] = None,
    quote: Annotated[str | None, typer.Option(help='One character; "" is none.')] = None,
    escape: Annotated[str | None, typer.Option(help="What precedes a quote inside of quotes.")] = None,
    header: Annotated[bool | None, typer.Option("--header/--no-header", help="Is there one?")] = None,
    skip_lines: Annotated[int | None, typer.Option(help="Lines before the header.")] = None,
    footer_lines: Annotated[int, typer.Option(help="Lines at the end that are no rows.")] = 0,
    null: Annotated[list[str] | None, typer.Option(help="What stands for NULL, outside of quotes.")] = None,
    date: Annotated[list[str] | None, typer.Option(metavar="COLUMN=FORMAT", help="As for strptime.")] = None,
    decimal: Annotated[str, typer.Option(help="The decimal mark: . or ,")] = ".",
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Even out ragged rows; stray quotes are text.")
    ] = False,
    max_rejects: Annotated[float, typer.Option(help="Rows to keep aside at most, or a share below 1.")] = 0,
    rejects: Annotated[Path | None, typer.Option(help="Write rejected rows to this file.")] = None,
    workers: Annotated[int | None, typer.Option(help="Sessions side by side.")] = None,
    job: Annotated[str | None, typer.Option(help="The name by which a resumable import goes on.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Load it though it was loaded.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every value, and load nothing.")] = False,
    rebuild: Annotated[
        Rebuild | None, typer.Option(help="Drop and make again: indexes, or foreign keys as well.")
    ] = None,
    swap: Annotated[
        bool, typer.Option("--swap", help="Replace: load beside first, so that readers wait for less.")
    ] = False,
    row_security: Annotated[bool, typer.Option("--row-security", help="Load under the policies.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check FILE against its manifest first.")] = False,
    url: _Url = None,
    as_json: _Json = False,
) -> None:
    """Load every row of FILE into TABLE, or none."""
    given: dict[str, Any] = {
        "mode": mode.value, "guarantee": guarantee.value, "key": key, "columns": _mapping("--map", column),
        "constants": _pairs("--constant", constant),
        "format": form and form.value, "compression": compression and compression.value,
        "encoding": encoding, "delimiter": _letter(delimiter), "quote": quote, "escape": escape,
        "header": header,
        "skip_lines": skip_lines, "footer_lines": footer_lines, "null": null, "dates": _pairs("--date", date),
        "decimal": decimal, "lenient": lenient, "max_rejects": max_rejects, "rejects": rejects,
        "workers": workers,
        "job": job, "again": again, "dry_run": dry_run, "row_security": row_security, "verify": verify,
        "swap": swap, "rebuild": rebuild and rebuild.value,
    }  # fmt: skip
    with shown_progress() as tell:
        result = bulk_import(table, file, url=url, progress=tell, **given)
    _say_import(result, as_json=as_json)
    if result.rejected:
        raise typer.Exit(EXIT_FINDINGS)


@script.command("retry", epilog=_EXIT_CODES)
@app.command("retry", epilog=_EXIT_CODES)
def retry(
    rejects: Annotated[Path, typer.Argument(metavar="REJECTS", help="What an import wrote by --rejects.")],
    *,
    table: Annotated[str | None, typer.Option(help="In place of the table that refused them.")] = None,
    source: _Source = None,
    max_rejects: Annotated[float, typer.Option(help="Rows to keep aside at most, or a share below 1.")] = 0,
    again: Annotated[Path | None, typer.Option("--rejects", help="Write what is rejected again.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every value, and load nothing.")] = False,
    url: _Url = None,
    as_json: _Json = False,
) -> None:
    """Load the rows once more that an import kept aside, from the file that they came from."""
    given: dict[str, Any] = {"max_rejects": max_rejects, "rejects": again, "dry_run": dry_run}
    with shown_progress() as tell:
        result = bulk_retry(rejects, table=table, source=source, url=url, progress=tell, **given)
    _say_import(result, as_json=as_json)
    if result.rejected:
        raise typer.Exit(EXIT_FINDINGS)


@script.command("fix", epilog=_EXIT_CODES)
@app.command("fix", epilog=_EXIT_CODES)
def fix(
    rejects: Annotated[Path, typer.Argument(metavar="REJECTS", help="What an import wrote by --rejects.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the rows go, to be mended there.")],
    *,
    source: _Source = None,
) -> None:
    """Write the rows that an import kept aside, whole and under their header, into FILE."""
    typer.echo(f"wrote {_rows(bulk_fix(rejects, file, source=source))} to {file}")


@script.command("export", epilog=_EXIT_CODES)
@app.command("export", epilog=_EXIT_CODES)
def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table or view; with --query, a SELECT.")],
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Written anew when all rows are there; - is standard output."),
    ],
    *,
    query: Annotated[bool, typer.Option("--query", help="TABLE is a query.")] = False,
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="COLUMN", help="Only these.")
    ] = None,
    where: Annotated[str | None, typer.Option(help="Only rows for which this SQL holds.")] = None,
    order_by: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="In the order of these.")
    ] = None,
    form: Annotated[Format | None, typer.Option("--format", help="In place of what the name says.")] = None,
    compression: Annotated[Compression | None, typer.Option(help="In place of what the name says.")] = None,
    personal: Annotated[Personal | None, typer.Option(help="What becomes of personal columns.")] = None,
    for_spreadsheets: Annotated[
        bool, typer.Option("--for-spreadsheets", help="No value is a formula.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Sessions side by side.")] = None,
    manifest: Annotated[
        bool, typer.Option("--manifest", help="Write rows and SHA-256 into FILE.manifest.json.")
    ] = False,
    split_rows: Annotated[int | None, typer.Option(help="Several files of so many rows.")] = None,
    split_by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A file for each value of it.")
    ] = None,
    url: _Url = None,
    as_json: _Json = False,
) -> None:
    """Write TABLE, a view, a materialized view or a query into FILE."""
    with shown_progress() as tell:
        result = bulk_export(
            table, file, url=url, progress=tell, query=query, columns=column, where=where,
            order_by=order_by or (),
            format=form and form.value, compression=compression and compression.value,
            personal=personal and personal.value, for_spreadsheets=for_spreadsheets, workers=workers,
            manifest=manifest, split_rows=split_rows, split_by=split_by,
        )  # fmt: skip
    _say_export(result, as_json=as_json)


def _say_import(result: ImportResult, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_import_as_json(result), default=str, ensure_ascii=False))
        return
    if result.dry_run:
        typer.echo(f"{result.dialect}")
        for name, kind in result.types.items():
            typer.echo(f"{name}: {kind}")
        for row in result.sample:
            typer.echo(json.dumps(row, ensure_ascii=False))
    for one in result.rejects[:10]:
        column = f', column "{one.column}"' if one.column else ""
        typer.echo(f"{result.path} line {one.line}{column}: {one.reason}", err=True)
    for note in result.notes:
        typer.echo(f"{result.path}: {note}", err=True)
    done = "would load" if result.dry_run else "had loaded" if result.already else "loaded"
    others = [f"{count} {name}" for name, count in _others(result).items() if count]
    also = f" ({', '.join(others)})" if others else ""
    typer.echo(f"{done} {_rows(result.rows)} into {result.table} from {result.path}{also}")


def _others(result: ImportResult) -> dict[str, int]:
    return {"rejected": result.rejected, "skipped": result.skipped, "deleted": result.deleted}


def _import_as_json(result: ImportResult) -> dict[str, Any]:
    return {
        "table": result.table, "path": str(result.path), "columns": list(result.columns), "read": result.read,
        "loaded": result.rows, **_others(result), "dialect": asdict(result.dialect),
        "rejects": [one.as_json() for one in result.rejects], "sample": list(result.sample),
        "types": dict(result.types), "dry_run": result.dry_run,
        "already": result.already, "notes": list(result.notes), "seconds": round(result.seconds, 3),
    }  # fmt: skip


def _say_export(result: ExportResult, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(result), default=str, ensure_ascii=False))
    else:
        to_stdout = str(result.path) == "-"
        typer.echo(f"exported {_rows(result.rows)} from {result.table} to {result.path}", err=to_stdout)


def _pairs(flag: str, spoken: list[str] | None) -> dict[str, str]:
    without = next((one for one in spoken or () if "=" not in one), None)
    if without is not None:
        raise SettingsError(
            f'{flag} says "{shown(without)}", where NAME=VALUE is expected', hint=f"say {flag} NAME=VALUE"
        )
    return {name: value for name, _, value in (one.partition("=") for one in spoken or ())}


def _mapping(flag: str, spoken: list[str] | None) -> dict[str, str | None]:
    return {name: value or None for name, value in _pairs(flag, spoken).items()}


def _letter(spoken: str | None) -> str | None:
    return "\t" if spoken == "\\t" else spoken


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
