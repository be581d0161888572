"""The commands `agentdb gdpr-erasure` and `python versions/010_gdpr_erasure.py`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS
from spotify_ai_agent_migrations.versions.gdpr_erasure import erase_command, finding, listing, rights_command
from spotify_ai_agent_migrations.versions.gdpr_erasure.accounting import records
from spotify_ai_agent_migrations.versions.gdpr_erasure.checking import check_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.consent import grant, withdraw
from spotify_ai_agent_migrations.versions.gdpr_erasure.export import SubjectExport, export_subject
from spotify_ai_agent_migrations.versions.gdpr_erasure.holidays import load_holidays, read_years
from spotify_ai_agent_migrations.versions.gdpr_erasure.probing import probe
from spotify_ai_agent_migrations.versions.gdpr_erasure.record import as_json as record_as_json
from spotify_ai_agent_migrations.versions.gdpr_erasure.record import as_markdown as record_as_markdown
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import open_requests
from spotify_ai_agent_migrations.versions.gdpr_erasure.scanning import PAGES, ROWS, TIMEOUT_MS, scan

_EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 findings (check, scan), something "
    "missing (records), overdue (requests), refused (plan), not genuine (verify) or closed (gate, replay)."
)

app = typer.Typer(
    name="gdpr-erasure",
    help="Personal data: find it, account for it, answer whoever asks for it, erase it.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)
# `python versions/010_gdpr_erasure.py`: the same beside both directions of the revision.
script = typer.Typer(
    help="Personal data: find it, account for it, answer whoever asks for it, erase it.",
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


def _found(
    findings: Sequence[finding.Finding], written: Format, *, held: Sequence[finding.Held] | None = None
) -> None:
    """Write *findings*, and where a person is held if one was looked for."""
    shown = finding.as_json(findings, held=held) if written is Format.JSON else finding.as_text(findings)
    typer.echo(shown)
    if findings:
        raise typer.Exit(EXIT_FINDINGS)


@script.command("scan", epilog=_EXIT_CODES)
@app.command("scan", epilog=_EXIT_CODES)
def scan_command(
    *,
    subject: Annotated[
        int | None,
        typer.Option("--subject", min=1, metavar="ID", help="look for what this person is known by"),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="values of a column to look at")] = ROWS,
    pages: Annotated[int, typer.Option("--pages", min=1, help="pages that a sample comes from")] = PAGES,
    timeout_ms: Annotated[
        int, typer.Option("--timeout-ms", min=1, help="bound of one statement")
    ] = TIMEOUT_MS,
    written: _Format = Format.TEXT,
    url: _Url = None,
) -> None:
    """Look for personal data that nobody declared, by names and values; say where, and never what."""
    if subject is None:
        _found(scan(url, rows=rows, pages=pages, timeout_ms=timeout_ms), written)
        return
    probed = probe(subject, url, timeout_ms=timeout_ms)
    if written is Format.TEXT:
        for one in probed.held:
            typer.echo(f"{one.place}: rows {one.rows}, of them not the person's {one.elsewhere}")
    _found(probed.findings, written, held=probed.held)


class RecordFormat(str, Enum):
    """How the record of processing is written."""

    MARKDOWN = "md"
    JSON = "json"


@script.command("records", epilog=_EXIT_CODES)
@app.command("records", epilog=_EXIT_CODES)
def records_command(
    *,
    written: Annotated[
        RecordFormat, typer.Option("--format", help="how the record is written")
    ] = RecordFormat.MARKDOWN,
    url: _Url = None,
) -> None:
    """Write the record of processing activities (GDPR, article 30), and say what is missing in it."""
    record = records(url)
    as_written = record_as_json if written is RecordFormat.JSON else record_as_markdown
    typer.echo(as_written(record), nl=written is RecordFormat.JSON)
    for one in record.missing:
        typer.echo(f"missing: {one}", err=True)
    if record.missing:
        raise typer.Exit(EXIT_FINDINGS)


# What people ask for ------------------------------------------------------------------------------------

_ONE_BY_ONE = {
    "request": rights_command.request,
    "hold": rights_command.hold,
    "restriction": rights_command.restriction,
    "objection": rights_command.objection,
}
for _name, _group in _ONE_BY_ONE.items():
    app.add_typer(_group, name=_name)
    script.add_typer(_group, name=_name)


class TableFormat(str, Enum):
    """How requests are written."""

    TABLE = "table"
    JSON = "json"


@script.command("requests", epilog=_EXIT_CODES)
@app.command("requests", epilog=_EXIT_CODES)
def requests_command(
    *,
    due_within: Annotated[
        int | None, typer.Option("--due-within", min=0, metavar="DAYS", help="only those due by then")
    ] = None,
    written: Annotated[
        TableFormat, typer.Option("--format", help="how they are written")
    ] = TableFormat.TABLE,
    url: _Url = None,
) -> None:
    """List the requests nobody has answered, the one due first in front; exit code 3 where one is overdue."""
    found = open_requests(due_within_days=due_within, url=url)
    typer.echo(listing.as_json(found) if written is TableFormat.JSON else listing.as_table(found))
    if any(one.overdue for one in found):
        raise typer.Exit(EXIT_FINDINGS)


@script.command("holidays", epilog=_EXIT_CODES)
@app.command("holidays", epilog=_EXIT_CODES)
def holidays_command(
    *,
    country: Annotated[str, typer.Option("--country", help="DE, or a part of it as DE-BY")],
    years: Annotated[str, typer.Option("--years", help="2026, 2026-2030 or 2026,2028")],
    url: _Url = None,
) -> None:
    """Write the public holidays of a country, on which no period ends, and count open deadlines again."""
    loaded = load_holidays(country, read_years(years), url=url)
    typer.echo(f"{country}: holidays {loaded.holidays}, deadlines changed {loaded.moved}")


_Person = Annotated[int, typer.Argument(metavar="PERSON", help="users.id")]
_Purpose = Annotated[str, typer.Argument(metavar="PURPOSE", help="consent_purposes.code")]
_Channel = Annotated[str, typer.Option("--channel", help="web, ios, android, api, support or import")]


@script.command("grant", epilog=_EXIT_CODES)
@app.command("grant", epilog=_EXIT_CODES)
def grant_command(
    person: _Person,
    purpose: _Purpose,
    *,
    version: Annotated[str | None, typer.Option("--version", help="the last one published without")] = None,
    locale: Annotated[str | None, typer.Option("--locale", help="the person's without")] = None,
    channel: _Channel = "support",
    url: _Url = None,
) -> None:
    """Record that a person consents to a purpose now."""
    event = grant(person, purpose, version=version, locale=locale, channel=channel, url=url)
    typer.echo(f"event {event}")


@script.command("withdraw", epilog=_EXIT_CODES)
@app.command("withdraw", epilog=_EXIT_CODES)
def withdraw_command(
    person: _Person, purpose: _Purpose, *, channel: _Channel = "support", url: _Url = None
) -> None:
    """Record that a person withdraws their consent to a purpose now."""
    typer.echo(f"event {withdraw(person, purpose, channel=channel, url=url)}")


# What a person is given ---------------------------------------------------------------------------------


class Article(str, Enum):
    """What is asked for: all that is held, or what was provided."""

    ACCESS = "15"
    PORTABILITY = "20"


class Language(str, Enum):
    """What the page beside the data is written in."""

    ENGLISH = "en"
    FRENCH = "fr"


@script.command("export", epilog=_EXIT_CODES)
@app.command("export", epilog=_EXIT_CODES)
def export_command(
    user: Annotated[int, typer.Argument(metavar="USER", help="the person, by users.id")],
    *,
    output: Annotated[Path, typer.Option("--output", metavar="FILE.zip|DIRECTORY", help="not there yet")],
    article: Annotated[Article, typer.Option("--article", help="15: all; 20: provided")] = Article.ACCESS,
    with_observed: Annotated[
        bool, typer.Option("--with-observed", help="under 20: what their use left behind too")
    ] = False,
    request: Annotated[
        int | None, typer.Option("--request", metavar="NUMBER", help="the request it answers")
    ] = None,
    language: Annotated[Language | None, typer.Option("--language", help="if not the person's own")] = None,
    url: _Url = None,
) -> None:
    """Write what is held about one person, and about nobody else."""
    spoken = language.value if language else None
    _exported(
        export_subject(
            user, output, article=int(article.value), with_observed=with_observed, request_id=request,
            language=spoken, url=url,
        )
    )  # fmt: skip


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _exported(done: SubjectExport) -> None:
    for part in done.parts:
        if part.files:
            withheld = f", {_counted(part.replaced, 'value')} of others withheld" if part.replaced else ""
            typer.echo(f"{part.name}: {_counted(part.rows, 'row')}{withheld}")
    typer.echo(f"{done.path}: article {done.article}, {_counted(done.rows, 'row')}, sha256 {done.sha256}")
    for table in done.unreached:
        typer.echo(f"not in it: {table}, which nothing leads to from a person", err=True)


# Erasure ------------------------------------------------------------------------------------------------

erase_command.add_to(app, script)
