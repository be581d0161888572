"""The sub-command `partitioning`: flags in, lines out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FAILED, EXIT_FINDINGS
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import run
from spotify_ai_agent_migrations.versions.partitioning import status as seen
from spotify_ai_agent_migrations.versions.partitioning.create import (
    add_values,
    addition_written,
    create,
    creation_written,
)
from spotify_ai_agent_migrations.versions.partitioning.maintain import maintain, maintenance_written
from spotify_ai_agent_migrations.versions.partitioning.periods import Period
from spotify_ai_agent_migrations.versions.partitioning.schemes import (
    ByHash,
    ByList,
    ByRange,
    Scheme,
    listing,
)
from spotify_ai_agent_migrations.versions.partitioning.session import Bounds
from spotify_ai_agent_migrations.versions.partitioning.split import Pace

_EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 partitions that want attention (status)."
)

app = typer.Typer(
    name="partitioning",
    help="Partition live tables by time, keep their partitions, take it back.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)
# `python versions/007_partitioning.py`: the same beside both directions of the revision.
script = typer.Typer(
    help="Partition analytics and audit_log by month, and keep their partitions.",
    epilog=_EXIT_CODES,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]
_Table = Annotated[str, typer.Argument(help="schema.table, as SQL writes it")]
_Key = Annotated[str, typer.Argument(help="the column that holds the time")]
_Period = Annotated[Period, typer.Option("--period", help="span of one partition")]
_Premake = Annotated[int, typer.Option("--premake", min=1, max=1000, help="how many periods ahead")]
_Wait = Annotated[int, typer.Option("--lock-timeout-ms", min=1, help="how long others may wait for one try")]
_New = Annotated[str, typer.Argument(help="schema.table that is to be made, as SQL writes it")]
_Like = Annotated[
    str, typer.Option("--like", metavar="TABLE", help="the model: its columns and all about it")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="write the SQL, and execute nothing")]


class Format(str, Enum):
    """How a status is written."""

    TEXT = "text"
    JSON = "json"
    PROMETHEUS = "prometheus"


@app.command("convert", epilog=_EXIT_CODES)
def convert_command(
    table: _Table,
    key: _Key,
    *,
    period: _Period = Period.MONTH,
    premake: _Premake = run.PREMAKE,
    lock_timeout_ms: _Wait = Bounds.lock_timeout_ms,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write the SQL, and execute nothing")] = False,
    url: _Url = None,
) -> None:
    """Make TABLE partitioned by KEY, while others read and write it."""
    settings = resolve_settings(url)
    if dry_run:
        said(run.written(table, key, period=period, premake=premake, settings=settings))
        return
    bounds = Bounds(lock_timeout_ms=lock_timeout_ms)
    done = run.convert(table, key, period=period, premake=premake, settings=settings, bounds=bounds)
    typer.echo(
        f"{done.table}: rows before {done.bound} are its first partition"
        if done.bound
        else f"{done.table}: partitioned already"
    )
    for name in done.made:
        typer.echo(f"made: {name}")


@script.command("plan", epilog=_EXIT_CODES)
@app.command("plan", epilog=_EXIT_CODES)
def plan_command(
    table: _Table = "public.analytics",
    key: _Key = "created_at",
    *,
    period: _Period = Period.MONTH,
    premake: _Premake = run.PREMAKE,
    url: _Url = None,
) -> None:
    """Write the SQL that `convert` would execute from here on; execute nothing."""
    said(run.written(table, key, period=period, premake=premake, settings=resolve_settings(url)))


@app.command("unconvert", epilog=_EXIT_CODES)
def unconvert_command(
    table: _Table,
    *,
    max_rows: Annotated[
        int, typer.Option("--max-rows", help="how many may be moved while nobody can read or write")
    ] = 1_000_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write the SQL, and execute nothing")] = False,
    url: _Url = None,
) -> None:
    """Make TABLE a plain one again, all its rows and everything about it kept."""
    settings = resolve_settings(url)
    if dry_run:
        said(run.written_back(table, settings=settings))
        return
    typer.echo(f"{table}: {run.unconvert(table, settings=settings, max_rows=max_rows)} rows moved")


@script.command("maintain", epilog=_EXIT_CODES)
@app.command("maintain", epilog=_EXIT_CODES)
def maintain_command(
    table: Annotated[str | None, typer.Argument(help="without it, every table that has a policy")] = None,
    *,
    archive: Annotated[Path | None, typer.Option("--archive", help="folder for what is over")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write the SQL, and execute nothing")] = False,
    url: _Url = None,
) -> None:
    """Make the partitions to come, fill gaps, and take away what is over."""
    if dry_run:
        said(maintenance_written(table, settings=resolve_settings(url)))
        return
    done = maintain(table, settings=resolve_settings(url), archive=archive)
    for one in done:
        typer.echo(f"{one.what}: {one.name}" + (f" ({one.why})" if one.why else ""), err=one.what == "failed")
    if any(one.what == "failed" for one in done):
        raise typer.Exit(EXIT_FAILED)


@script.command("split", epilog=_EXIT_CODES)
@app.command("split", epilog=_EXIT_CODES)
def split_command(
    table: _Table = "public.analytics",
    *,
    period: Annotated[
        Period | None, typer.Option("--period", help="how long one is  [default: as its policy says]")
    ] = None,
    blocks: Annotated[
        int, typer.Option("--blocks", min=1, help="how many blocks are copied at a time")
    ] = Pace.blocks,
    pause_s: Annotated[float, typer.Option("--pause-s", min=0, help="rest after each")] = Pace.pause_s,
    abort: Annotated[bool, typer.Option("--abort", help="take away what was begun")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write the SQL, and execute nothing")] = False,
    url: _Url = None,
) -> None:
    """Split the first partition of TABLE, once its end has passed, into periods."""
    settings = resolve_settings(url)
    if dry_run:
        said(run.written_split(table, period=period, pace=Pace(blocks, pause_s), settings=settings))
        return
    if abort:
        typer.echo("taken away" if run.unsplit(table, settings=settings) else "nothing was begun")
        return
    made = run.split(table, period=period, pace=Pace(blocks, pause_s), settings=settings)
    for name in made:
        typer.echo(f"made: {name}")
    if not made:
        typer.echo("nothing to split: no partition holds the rows from before the conversion")


@app.command("create-range", epilog=_EXIT_CODES)
def create_range_command(
    table: _New,
    *,
    like: _Like,
    key: Annotated[str, typer.Option("--key", help="the column that holds the time")],
    period: _Period = Period.MONTH,
    premake: _Premake = run.PREMAKE,
    dry_run: _DryRun = False,
    url: _Url = None,
) -> None:
    """Make TABLE after a model, divided by time; `maintain` keeps it."""
    _create(table, like, ByRange(key, period, premake), dry_run=dry_run, url=url)


@app.command("create-list", epilog=_EXIT_CODES)
def create_list_command(
    table: _New,
    *,
    like: _Like,
    key: Annotated[str, typer.Option("--key", help="the column whose values divide it")],
    partition: Annotated[
        list[str], typer.Option("--partition", metavar="NAME=VALUE,VALUE", help="one partition; repeat it")
    ],
    null: Annotated[str | None, typer.Option("--null", metavar="NAME", help="which one takes NULL")] = None,
    default: Annotated[
        str | None, typer.Option("--default", metavar="NAME", help="one for all other values; else refused")
    ] = None,
    dry_run: _DryRun = False,
    url: _Url = None,
) -> None:
    """Make TABLE after a model, divided by the values of a column."""
    by = ByList(key, listing(partition, null=null), default)
    _create(table, like, by, dry_run=dry_run, url=url)


@app.command("create-hash", epilog=_EXIT_CODES)
def create_hash_command(
    table: _New,
    *,
    like: _Like,
    key: Annotated[list[str], typer.Option("--key", help="a column whose hash divides it; repeat it")],
    modulus: Annotated[int, typer.Option("--modulus", help="how many partitions, for good")],
    dry_run: _DryRun = False,
    url: _Url = None,
) -> None:
    """Make TABLE after a model, divided evenly by a hash."""
    _create(table, like, ByHash(tuple(key), modulus), dry_run=dry_run, url=url)


def _create(table: str, like: str, by: Scheme, *, dry_run: bool, url: str | None) -> None:
    settings = resolve_settings(url)
    if dry_run:
        said(creation_written(table, like, by, settings=settings))
        return
    for name in create(table, like, by, settings=settings).made:
        typer.echo(f"made: {name}")


@app.command("add-values", epilog=_EXIT_CODES)
def add_values_command(
    table: _Table,
    name: Annotated[str, typer.Argument(help="of the partition, without that of the table")],
    values: Annotated[list[str], typer.Argument(help="that it takes")],
    *,
    dry_run: _DryRun = False,
    url: _Url = None,
) -> None:
    """Give VALUES of a TABLE that is divided by list a partition of their own."""
    settings = resolve_settings(url)
    if dry_run:
        said(addition_written(table, name, values, settings=settings))
        return
    for one in add_values(table, name, values, settings=settings).made:
        typer.echo(f"made: {one}")


@app.command("index", epilog=_EXIT_CODES)
def index_command(
    table: _Table,
    name: Annotated[str, typer.Argument(help="of the new index")],
    what: Annotated[str, typer.Argument(help='SQL from there on: "(country_code, created_at)"')],
    url: _Url = None,
) -> None:
    """Make an index on a partitioned TABLE, partition by partition, while others write."""
    for part in run.create_index(table, name, what, settings=resolve_settings(url)):
        typer.echo(f"built: {part}")


@script.command("status", epilog=_EXIT_CODES)
@app.command("status", epilog=_EXIT_CODES)
def status_command(
    *,
    form: Annotated[
        Format, typer.Option("--format", help="for people, programs or Prometheus")
    ] = Format.TEXT,
    url: _Url = None,
) -> None:
    """Show how far ahead partitions are, gaps, sizes, and what is due."""
    found = seen.status(settings=resolve_settings(url))
    typer.echo(seen.FORMATS[form.value](found), nl=False)
    if any(one.problems for one in found):
        raise typer.Exit(EXIT_FINDINGS)


def said(statements: tuple[str, ...]) -> None:
    """Write statements to standard output, as psql takes them."""
    for statement in statements:
        typer.echo(f"{statement};")
