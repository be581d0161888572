"""The commands about erasure: flags in, lines out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FAILED, EXIT_FINDINGS, MigrationError
from spotify_ai_agent_migrations.versions.core.signing import make_keys
from spotify_ai_agent_migrations.versions.core.stopping import stopping
from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import read_instant
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import written
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.agreed import (
    agreed,
    is_genuine,
    read_certificate,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.brakes import approve
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.handing import by_hand, end_notice, hand_over
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.job import EVERY_S, Worked, work, work_every
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import make_ledger_key
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import export_ledger
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import deliver
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import BATCH_ROWS, WAIT_S, WHOLE_ROWS
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import plan_erasure
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.replay import replay, watch
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.residue import residue, rewrite
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.rewriting import MOST_BYTES
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.retention import apply_retention

_EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 the plan is refused (plan), the "
    "certificate is not genuine (verify), the gate is closed (replay, gate)."
)

_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]
_Person = Annotated[int, typer.Argument(metavar="PERSON", help="users.id")]
_Key = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="private key, in place of ERASURE_SIGNING_KEY_FILE"),
]
_PublicKeys = Annotated[
    Path | None, typer.Option("--public-key", metavar="FILE", help="all public keys that ever signed, PEM")
]
_Wait = Annotated[float, typer.Option("--wait-s", min=0, help="how long older transactions are waited for")]


class Format(str, Enum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


class Ended(str, Enum):
    """How a notice ends (GDPR art. 19)."""

    TOLD = "told"
    IMPOSSIBLE = "impossible"
    DISPROPORTIONATE = "disproportionate"


_Format = Annotated[Format, typer.Option("--format", help="how the answer is written")]


def plan_command(person: _Person, *, key: _Key = None, form: _Format = Format.TEXT, url: _Url = None) -> None:
    """Say what an erasure would do, what it keeps and why, and what is in its way; change nothing."""
    plan = plan_erasure(person, url, key=key)
    _said([plan.as_json()] if form is Format.JSON else written.plan_lines(plan))
    if plan.refusals:
        raise typer.Exit(EXIT_FINDINGS)


def erase_command(
    person: _Person,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="CODE", help="a code, and no text")] = "request",
    requested_at: Annotated[
        str | None, typer.Option("--requested-at", metavar="INSTANT", help="now without")
    ] = None,
    requested_by: Annotated[
        int | None, typer.Option("--requested-by", help="users.id of who orders it; the login without")
    ] = None,
    request: Annotated[
        int | None, typer.Option("--request", metavar="NUMBER", help="that it answers")
    ] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="HASH", help="do it only as this plan says")
    ] = None,
    most_rows: Annotated[int | None, typer.Option("--most-rows", help="lowers the limit of rows")] = None,
    most_share: Annotated[
        float | None, typer.Option("--most-share", help="lowers the limit of a table, 0 to 1")
    ] = None,
    wait_s: _Wait = WAIT_S,
    batch_rows: Annotated[int, typer.Option("--batch-rows", help="rows of one transaction")] = BATCH_ROWS,
    whole_rows: Annotated[
        int, typer.Option("--whole-rows", help="up to how many all is one transaction")
    ] = WHOLE_ROWS,
    scan_everything: Annotated[
        bool, typer.Option("--scan-everything", help="read all tables before the certificate")
    ] = False,
    key: _Key = None,
    form: _Format = Format.TEXT,
    url: _Url = None,
) -> None:
    """Erase a person, and write the certificate; again, or interrupted, it goes on or writes the same one."""
    _certified(
        erase_user(
            person, reason=reason, requested_at=read_instant(requested_at), requested_by=requested_by,
            request=request, plan=None if plan is None else agreed(person, plan, url, key=key),
            most_rows=most_rows, most_share=most_share, wait_s=wait_s, batch_rows=batch_rows,
            whole_rows=whole_rows, scan_everything=scan_everything, key=key, url=url,
        ),
        form,
    )  # fmt: skip


def _certified(certificate: ErasureCertificate, form: Format) -> None:
    _said([certificate.as_json()] if form is Format.JSON else written.certificate_lines(certificate))


def verify_command(
    certificate: Annotated[Path, typer.Argument(metavar="FILE", help="as it was handed out")],
    *,
    public_key: Annotated[
        Path, typer.Option("--public-key", metavar="FILE", help="all public keys that ever signed, PEM")
    ],
) -> None:
    """Tell whether a certificate is genuine, and what it says; no database is asked."""
    if not is_genuine(certificate, public_key):
        typer.echo("not genuine")
        raise typer.Exit(EXIT_FINDINGS)
    _said([*written.certificate_lines(read_certificate(certificate)), "genuine"])


def approve_command(
    plan: Annotated[str, typer.Argument(metavar="HASH", help="of the plan that was looked at")],
    *,
    person: Annotated[int, typer.Option("--person", help="users.id")],
    rows: Annotated[int, typer.Option("--rows", help="up to how many")],
    url: _Url = None,
) -> None:
    """Approve, as this login, of an erasure that does more than it may."""
    typer.echo(f"approved by {approve(plan, url, user_id=person, rows=rows)}")


def replay_command(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER")],
    *,
    public_key: _PublicKeys = None,
    doubtful: Annotated[
        bool | None,
        typer.Option("--with-doubtful/--without-doubtful", help="whom it says only that it was to begin"),
    ] = None,
    wait_s: _Wait = WAIT_S,
    key: _Key = None,
    url: _Url = None,
) -> None:
    """Erase again whom a restore has brought back, and let the application in."""
    done = replay(ledger, url, public_key=public_key, with_doubtful=doubtful, wait_s=wait_s, key=key)
    _said(written.replayed_lines(done))
    _closed(is_open=done.is_open)


def gate_command(*, public_key: _PublicKeys = None, key: _Key = None, url: _Url = None) -> None:
    """Say whether the application is let in; after a start of the server, the ledger is looked at first."""
    is_open = watch(url, public_key=public_key, key=key)
    typer.echo(f"the gate is {written.gate(is_open=is_open)}")
    _closed(is_open=is_open)


def _closed(*, is_open: bool) -> None:
    if not is_open:
        raise typer.Exit(EXIT_FINDINGS)


def ledger_command(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="made if it is not there")],
    *,
    key: _Key = None,
    url: _Url = None,
) -> None:
    """Write to a ledger what it lacks of the erasures in the database; what is in it stays."""
    typer.echo(f"{written.counted(export_ledger(ledger, url, key=key), 'line')} added")


def residue_command(
    *,
    erasure: Annotated[
        str | None, typer.Option("--erasure", metavar="ID", help="of one; all without")
    ] = None,
    form: _Format = Format.TEXT,
    url: _Url = None,
) -> None:
    """Say what is physically left of what was erased, and until when."""
    found = residue(url, erasure=erasure)
    _said([json.dumps(found.as_json())] if form is Format.JSON else written.residue_lines(found))


def rewrite_command(
    *,
    table: Annotated[list[str] | None, typer.Option("--table", help="these alone")] = None,
    due_only: Annotated[bool, typer.Option("--due-only", help="those whose time has come alone")] = False,
    most_bytes: Annotated[
        int, typer.Option("--most-bytes", help="leave larger tables as they are")
    ] = MOST_BYTES,
    wait_s: _Wait = WAIT_S,
    url: _Url = None,
) -> None:
    """Write the files anew that hold what was erased; nobody reads a table meanwhile."""
    done = rewrite(url, tables=table, due_only=due_only, most_bytes=most_bytes, wait_s=wait_s)
    _said(written.rewritten_lines(done))
    _failed_if(wrong=bool(done.left))


def deliver_command(*, url: _Url = None) -> None:
    """Tell recipients of erasures, those whose turn it is."""
    done = deliver(url)
    _said(written.delivered_lines(done))
    _failed_if(wrong=bool(done.problems))


def by_hand_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="files are written to it, 0600")],
    *,
    url: _Url = None,
) -> None:
    """Write what somebody has to tell recipients; the files name people: destroy them afterwards."""
    _said(str(file) for file in hand_over(folder, by_hand(url)))


def told_command(
    notice: Annotated[UUID, typer.Argument(metavar="NOTICE", help="its number, in the name of the file")],
    *,
    outcome: Annotated[Ended, typer.Option("--outcome", help="told, or why nobody is")] = Ended.TOLD,
    receipt: Annotated[str | None, typer.Option("--receipt", help="the recipient's number for it")] = None,
    url: _Url = None,
) -> None:
    """Record that a recipient was told by hand, or why nobody is told."""
    is_ended = end_notice(notice, outcome.value, receipt=receipt, url=url)
    typer.echo(f"notice {notice}: {outcome.value}" if is_ended else f"notice {notice}: ended before")


def retention_command(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count, and delete nothing")] = False,
    url: _Url = None,
) -> None:
    """Delete what no rule of retention keeps any longer, but for what a hold keeps."""
    done = apply_retention(url, dry_run=dry_run)
    _said(written.retained_lines(done))
    _failed_if(wrong=any(one.failed for one in done))


def work_command(
    *,
    every: Annotated[
        float | None,
        typer.Option("--every", metavar="SECONDS", min=1, help="again and again, until SIGTERM"),
    ] = None,
    wait_s: _Wait = WAIT_S,
    key: _Key = None,
    url: _Url = None,
) -> None:
    """Go on with erasures that were cut off, do what retention asks, complete, and tell recipients."""
    if every is None:
        done = work(url, key=key, wait_s=wait_s, every_s=EVERY_S)
        _worked(done)
        _failed_if(wrong=bool(done.problems))
        return
    with stopping() as stopped:
        work_every(url, key=key, wait_s=wait_s, every_s=every, stopped=stopped, told=_worked, failed=_failed)


def _worked(done: Worked) -> None:
    _said(written.worked_lines(done))


def _failed(error: MigrationError) -> None:
    typer.echo(f"error: {error.problem}\nHint: {error.hint}", err=True)


def new_key_command(
    file: Annotated[Path, typer.Argument(help="of the private key, which is not there yet")],
    *,
    public: Annotated[
        Path | None,
        typer.Option("--public", metavar="FILE", help="of the public key; else the same and .pub"),
    ] = None,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="a key that the ledger names people by, in place of a pair")
    ] = False,
) -> None:
    """Make the keys of erasures; keep them where no database can read them."""
    if ledger:
        typer.echo(f"key {make_ledger_key(file)}: {file}")
        return
    beside = public or file.with_name(f"{file.name}.pub")
    typer.echo(f"key {make_keys(file, beside).key_id}: {file}, {beside}")


def _said(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def _failed_if(*, wrong: bool) -> None:
    if wrong:
        raise typer.Exit(EXIT_FAILED)


COMMANDS: dict[str, Callable[..., Any]] = {
    "plan": plan_command,
    "erase": erase_command,
    "verify": verify_command,
    "approve": approve_command,
    "replay": replay_command,
    "gate": gate_command,
    "ledger": ledger_command,
    "residue": residue_command,
    "rewrite": rewrite_command,
    "deliver": deliver_command,
    "by-hand": by_hand_command,
    "told": told_command,
    "retention": retention_command,
    "work": work_command,
    "new-key": new_key_command,
}


def add_to(*groups: typer.Typer) -> None:
    """Add the commands to each of *groups*."""
    for group in groups:
        for name, command in COMMANDS.items():
            group.command(name, epilog=_EXIT_CODES)(command)
