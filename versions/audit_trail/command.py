"""The sub-command `audit-trail`: flags in, lines out."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.audit_trail import run
from spotify_ai_agent_migrations.versions.audit_trail.exporting import export, verify_export
from spotify_ai_agent_migrations.versions.audit_trail.fault import Verification
from spotify_ai_agent_migrations.versions.audit_trail.keys import signing_key
from spotify_ai_agent_migrations.versions.audit_trail.progress import status
from spotify_ai_agent_migrations.versions.audit_trail.run import Round
from spotify_ai_agent_migrations.versions.audit_trail.sinks import (
    FileSink,
    Sink,
    command_sink,
    webhook_sink,
)
from spotify_ai_agent_migrations.versions.audit_trail.state import remember, remembered
from spotify_ai_agent_migrations.versions.audit_trail.verification import read_published, verify
from spotify_ai_agent_migrations.versions.audit_trail.written import (
    counted,
    status_json,
    status_lines,
    verification_json,
    verification_lines,
)
from spotify_ai_agent_migrations.versions.core.errors import EXIT_FAILED, EXIT_FINDINGS, MigrationError
from spotify_ai_agent_migrations.versions.core.signing import make_keys
from spotify_ai_agent_migrations.versions.core.stopping import stopping

_EXIT_CODES = (
    "Exit codes: 0 done or whole, 1 refused or failed, 2 usage or settings, 3 the trail has faults (verify)."
)
WEBHOOK_TOKEN = "AUDIT_WEBHOOK_TOKEN"  # noqa: S105  (the name of a variable, not what it holds)

app = typer.Typer(
    name="audit-trail",
    help="Seal the audit trail, verify it, redact entries of it.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]
_Key = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="private key, in place of AUDIT_SIGNING_KEY_FILE")
]
_PublicKey = Annotated[
    Path | None, typer.Option("--public-key", metavar="FILE", help="all public keys that ever sealed, PEM")
]
_Digests = Annotated[
    Path | None, typer.Option("--digests", metavar="FILE", help="what was published, a digest a line")
]
_Files = Annotated[
    list[Path] | None, typer.Option("--append-to", metavar="FILE", help="add digests to a file")
]
_Commands = Annotated[
    list[str] | None, typer.Option("--command", metavar="COMMAND", help="give digests to a command")
]
_Webhooks = Annotated[
    list[str] | None,
    typer.Option("--webhook", metavar="URL", help=f"post digests, with {WEBHOOK_TOKEN} as bearer token"),
]
_Entries = Annotated[Path, typer.Argument(help="the CSV file of entries; gzip by .gz")]
_Seals = Annotated[Path, typer.Argument(help="the file of seals, a digest a line")]


class Format(str, Enum):
    """How it is written."""

    TEXT = "text"
    JSON = "json"


_Format = Annotated[Format, typer.Option("--format", help="how it is written")]


@app.command("seal", epilog=_EXIT_CODES)
def seal_command(
    *,
    every: Annotated[
        float | None,
        typer.Option("--every", metavar="SECONDS", min=0.1, help="again and again, until SIGTERM"),
    ] = None,
    key: _Key = None,
    append_to: _Files = None,
    command: _Commands = None,
    webhook: _Webhooks = None,
    url: _Url = None,
) -> None:
    """Seal what transactions that have ended wrote, and send the digests off."""
    signer = signing_key(key)
    sinks = _sinks(append_to or (), command or (), webhook or ())
    if every is None:
        done = run.seal(url, key=signer, sinks=sinks)
        _said(done)
        if done.problems:
            raise typer.Exit(EXIT_FAILED)
        return
    with stopping() as stopped:
        run.seal_every(
            url, key=signer, sinks=sinks, every_s=every, stopped=stopped, told=_said, failed=_failed
        )


@app.command("verify", epilog=_EXIT_CODES)
def verify_command(
    *,
    full: Annotated[bool, typer.Option("--full", help="all of it, whatever --state says")] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", help="remembers the last good seal; only later ones are read"
        ),
    ] = None,
    public_key: _PublicKey = None,
    digests: _Digests = None,
    written: _Format = Format.TEXT,
    url: _Url = None,
) -> None:
    """Look for entries and seals that were changed, taken away or put in."""
    known = remembered(state) if state else None
    done = verify(
        url=url,
        since=known.id if known else None,
        full=full,
        public_key=public_key,
        digests=[*read_published(digests).values(), *([known] if known else [])],
    )
    if state and done.whole and done.last_seal:
        remember(state, done.last_seal)
    _verified(done, written)


@app.command("export", epilog=_EXIT_CODES)
def export_command(entries: _Entries, seals: _Seals, *, url: _Url = None) -> None:
    """Write all entries and all seals to files, which are verified without a database."""
    done = export(entries=entries, seals=seals, url=url)
    typer.echo(f"{counted(done.entries, 'entry', 'entries')}, {counted(done.seals, 'seal', 'seals')}")


@app.command("verify-export", epilog=_EXIT_CODES)
def verify_export_command(
    entries: _Entries,
    seals: _Seals,
    *,
    public_key: _PublicKey = None,
    digests: _Digests = None,
    written: _Format = Format.TEXT,
) -> None:
    """Verify what `export` wrote; no database is asked."""
    _verified(verify_export(entries, seals, public_key=public_key, digests=digests), written)


@app.command("redact", epilog=_EXIT_CODES)
def redact_command(
    entries: Annotated[list[int], typer.Argument(help="numbers of entries")], *, url: _Url = None
) -> None:
    """Take from sealed entries what could name somebody; they go on to be verified."""
    typer.echo(f"{run.redact(entries, url)} of {len(set(entries))} redacted")


@app.command("new-key", epilog=_EXIT_CODES)
def new_key_command(
    private: Annotated[Path, typer.Argument(help="file of the private key, which is not there yet")],
    *,
    public: Annotated[
        Path | None,
        typer.Option("--public", metavar="FILE", help="of the public key; else the same and .pub"),
    ] = None,
) -> None:
    """Make a pair of keys; keep the private one where no database can read it."""
    beside = public or private.with_name(f"{private.name}.pub")
    typer.echo(f"key {make_keys(private, beside).key_id}: {private}, {beside}")


@app.command("status", epilog=_EXIT_CODES)
def status_command(*, written: _Format = Format.TEXT, url: _Url = None) -> None:
    """Say how far the trail is sealed, and how far its digests have got."""
    found = status(url)
    for line in [status_json(found)] if written is Format.JSON else status_lines(found):
        typer.echo(line)


def _sinks(
    files: list[Path] | tuple[()], commands: list[str] | tuple[()], hooks: list[str] | tuple[()]
) -> list[Sink]:
    token = os.environ.get(WEBHOOK_TOKEN, "")
    return [
        *(FileSink(file) for file in files),
        *(command_sink(spoken) for spoken in commands),
        *(webhook_sink(hook, token=token) for hook in hooks),
    ]


def _verified(done: Verification, written: Format) -> None:
    for line in [verification_json(done)] if written is Format.JSON else verification_lines(done):
        typer.echo(line)
    if not done.whole:
        raise typer.Exit(EXIT_FINDINGS)


def _said(done: Round) -> None:
    typer.echo(
        f"{counted(done.entry_count, 'entry', 'entries')} in {counted(len(done.seals), 'seal', 'seals')}"
    )
    for problem in done.problems:
        typer.echo(f"not sent: {problem}", err=True)


def _failed(error: MigrationError) -> None:
    typer.echo(f"error: {error.problem}\nHint: {error.hint}", err=True)
