"""The sub-command `health-check`, and the script of its revision: flags in, a report out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from spotify_ai_agent_migrations.versions.core.errors import (
    EXIT_INTERRUPTED,
    FileError,
    SettingsError,
)
from spotify_ai_agent_migrations.versions.health_check.allowed import default_file
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.expected import expected_settings
from spotify_ai_agent_migrations.versions.health_check.expecting import Expected, spoken
from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport
from spotify_ai_agent_migrations.versions.health_check.meter import Tell, shown_progress
from spotify_ai_agent_migrations.versions.health_check.outputs import FORMATS, Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.as_json import schema
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import (
    EXIT_CRITICAL,
    EXIT_OK,
    FailOn,
    exit_code,
)
from spotify_ai_agent_migrations.versions.health_check.outputs.explain import listing, page
from spotify_ai_agent_migrations.versions.health_check.outputs.failure import failure
from spotify_ai_agent_migrations.versions.health_check.outputs.placing import placed
from spotify_ai_agent_migrations.versions.health_check.probes import (
    READY_DEADLINE_S,
    Probed,
    live,
    ready,
    role_of,
)
from spotify_ai_agent_migrations.versions.health_check.recording import Recording
from spotify_ai_agent_migrations.versions.health_check.run import DEADLINE_S, DEEP_DEADLINE_S, check_health
from spotify_ai_agent_migrations.versions.health_check.selection import limits_of
from spotify_ai_agent_migrations.versions.health_check.serve import Asked, listening
from spotify_ai_agent_migrations.versions.health_check.stores import Store, store

EXIT_CODES = (
    "Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown and nothing worse, 64 usage or settings, "
    "70 the check itself failed; as a plugin of Nagios 3 in place of 64 and 70."
)


class Format(str, Enum):
    """What `--format` accepts."""

    TABLE = "table"
    TEXT = "text"
    JSON = "json"
    HEALTH_JSON = "health+json"
    PROMETHEUS = "prometheus"
    OPENMETRICS = "openmetrics"
    NAGIOS = "nagios"
    JUNIT = "junit"
    SARIF = "sarif"
    MARKDOWN = "markdown"
    HTML = "html"


class Probe(str, Enum):
    """What `--probe` accepts."""

    LIVE = "live"
    READY = "ready"


@contextmanager
def _coded_usage(spoken: list[str]) -> Iterator[None]:
    """Let an error of usage end with a code of its own: Typer's 2 would be read as critical."""
    try:
        yield
    except Exception as error:
        if getattr(error, "exit_code", None) == 2:
            asked = SettingsError(str(getattr(error, "message", error)), hint="see --help")
            failed = failure(asked, is_plugin=_names_nagios(spoken))
            typer.echo(failed.written, nl=False)
            vars(error)["exit_code"] = failed.code
        raise


def _names_nagios(spoken: list[str]) -> bool:
    return not {"nagios", "--format=nagios", "-fnagios"}.isdisjoint(spoken)


class _Command(TyperCommand):
    """A command whose errors of usage have a code of their own."""

    # Typer's own types are those of its version.
    def make_context(self, info_name: Any, args: list[str], *given: Any, **more: Any) -> Any:  # noqa: ANN401
        """Read the options."""
        with _coded_usage(list(args)):
            return super().make_context(info_name, args, *given, **more)


class _Group(TyperGroup):
    """A group of which `check` is meant where no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  (as above)
        """Find the command that is meant."""
        named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["check", *args])


@contextmanager
def _coded_errors(*, is_plugin: bool) -> Iterator[None]:
    """Say what kept the server from being asked, and end with a code that no state of a server has."""
    try:
        yield
    except BrokenPipeError as error:
        # Whoever read it has gone; Python would complain once more when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(failure(error, is_plugin=is_plugin).code) from None
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        typer.echo("error: interrupted\nHint: nothing is known of the server", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except Exception as error:  # noqa: BLE001  (else Python ends with 1, which is a warning)
        failed = failure(error, is_plugin=is_plugin)
        typer.echo(failed.told, err=True)
        typer.echo(failed.written, nl=False)
        raise typer.Exit(failed.code) from None


_DEADLINES = f"[default: {DEADLINE_S:.0f}; with --deep {DEEP_DEADLINE_S:.0f}]"


def check(
    *,
    written: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="[default: table on a terminal, else text]", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file, whole or not at all."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="A check, a group or a pattern: conn.usage, conn, 'idx.*'."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="The same, to be left out.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read the data too: corruption, orphans, exact bloat.")
    ] = False,
    deadline_s: Annotated[
        float | None,
        typer.Option("--deadline", metavar="SECONDS", min=0.05, help=f"Answer by then. {_DEADLINES}"),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK=WARN,CRIT", help="Other limits: conn.usage=0.7,0.9; one may be empty."),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="From which state on the exit code is not 0.")
    ] = FailOn.WARNING,
    suppressions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What is allowed for now. [default: health-suppressions.toml]"),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Keep there what is measured; `table` is ops.health_history."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What settings should be, as in postgresql.conf.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The database; else DATABASE_URL, else .env.")
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK.NAME=VALUE", help="Tell a check what you know: avail.role_expected.role=primary."
        ),
    ] = None,
    probe: Annotated[
        Probe | None,
        typer.Option(help="live asks no server; ready asks for its role and its revision: 0, or 2 if not."),
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Answer there: /live, /ready, /metrics and /health."),
    ] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="CHECK", help="Tell what a check asks, and why; ask no server.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name every check; ask no server.")] = False,
    schema_: Annotated[
        bool, typer.Option("--schema", help="Write the JSON Schema of --format json; ask no server.")
    ] = False,
) -> None:
    """Ask the server how it is; reads only, and answers by the deadline whatever the server does."""
    with _coded_errors(is_plugin=written is Format.NAGIOS):
        if explain is not None or list_ or schema_:
            _put(page(explain) if explain is not None else listing() if list_ else schema(), output)
            return
        expected = spoken(CHECKS, expect or ())
        if probe is not None:
            raise typer.Exit(_probed(probe, url, expected, deadline_s))
        most_s = deadline_s or (DEEP_DEADLINE_S if deep else DEADLINE_S)
        asked = partial(
            check_health, url=url, only=only, exclude=exclude or (), deep=deep, limits=limits_of(limit or ()),
            expected=expected, settings=expected_settings(settings) if settings else None,
            suppressions=suppressions or default_file(),
        )  # fmt: skip
        run = _Run(asked, store(history, url=url) if history else None, most_s)
        if serve is not None:
            _serve(serve, run.kept, partial(ready, url, role=role_of(expected)), most_s)
            return
        with shown_progress(wanted=deep) as tell:
            report, extra, recording = run.recorded(tell)
        _put(_shown(report, written, extra, is_for_file=output is not None), output)
        recording.keep(report)
        _tell(recording)
    raise typer.Exit(exit_code(report, fail_on))


@dataclass(frozen=True)
class _Run:
    """What is asked, with which history, and how long it may take."""

    asked: Callable[..., HealthReport]
    store: Store | None
    most_s: float

    def recorded(self, tell: Tell | None = None) -> tuple[HealthReport, Extra, Recording]:
        """Ask once; return what was found, what some outputs need beside it, and where it is to be kept."""
        recording = Recording(self.store, datetime.now(timezone.utc))
        report, measured = recording.asked(
            lambda past, left_s: self.asked(history=past, deadline_s=left_s, tell=tell),
            deadline_s=self.most_s,
        )
        return report, Extra(recording.now, measured), recording

    def kept(self) -> HealthReport:
        """Ask once, and keep what was found."""
        report, _, recording = self.recorded()
        recording.keep(report)
        _tell(recording)
        return report


def _tell(recording: Recording) -> None:
    for problem in recording.problems:
        typer.echo(f"warning: {problem.problem}\nHint: {problem.hint}", err=True)


def _probed(probe: Probe, url: str | None, expected: Expected, deadline_s: float | None) -> int:
    """Write what a probe says; return the exit code."""
    found = live()
    if probe is Probe.READY:
        found = ready(url, role=role_of(expected), deadline_s=deadline_s or READY_DEADLINE_S)
    typer.echo(found.said)
    return EXIT_OK if found.is_ok else EXIT_CRITICAL


def _serve(
    place: str, asked: Callable[[], HealthReport], is_ready: Callable[[], Probed], most_s: float
) -> None:
    """Answer at *place* until the process is told to end."""
    with listening(place, Asked(asked, is_ready, report_most_s=most_s + 1)) as endpoint:
        typer.echo(f"listening at http://{endpoint.place}", err=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            endpoint.serve_forever()


def _shown(report: HealthReport, written: Format | None, extra: Extra, *, is_for_file: bool) -> str:
    from rich.console import Console  # late: `agentdb` is more than this

    console = Console()
    is_seen = console.is_terminal and not is_for_file
    chosen = written or (Format.TABLE if is_seen else Format.TEXT)
    is_colored = is_seen and not console.no_color
    seen = replace(extra, width_columns=console.width, is_colored=is_colored)
    return FORMATS[chosen.value](report, seen)


def _put(content: str, output: Path | None) -> None:
    if output is not None:
        placed(output, content)
        return
    try:
        # What programs read is UTF-8, whatever the terminal speaks.
        typer.echo(content.encode(), nl=False)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise FileError(
            f"standard output cannot be written: {error.strerror}", hint="name a file by --output"
        ) from error


# `python versions/009_health_check.py`: the check, and both directions of the revision beside it.
script = typer.Typer(
    cls=_Group, epilog=EXIT_CODES, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False
)
script.command("check", cls=_Command, epilog=EXIT_CODES)(check)


@script.callback()
def room() -> None:
    """Ask the server how it is: `check` is meant where no command is named."""


def mounted(app: typer.Typer) -> None:
    """Make the check a command of *app*."""
    app.command("health-check", cls=_Command, epilog=EXIT_CODES)(check)
