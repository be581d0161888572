"""The sub-commands about single requests, holds, restrictions and objections: flags in, lines out."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS, SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure import holds as keep
from spotify_ai_agent_migrations.versions.gdpr_erasure import objection as object_
from spotify_ai_agent_migrations.versions.gdpr_erasure import requests as ask
from spotify_ai_agent_migrations.versions.gdpr_erasure import restriction as store
from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import read_instant

_EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 late (request), suppressed (objection)."
)


class Kind(str, Enum):
    """What is asked for."""

    ACCESS = "access"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    AUTOMATED_DECISION = "automated_decision"


class Channel(str, Enum):
    """How a request came."""

    WEB = "web"
    IOS = "ios"
    ANDROID = "android"
    API = "api"
    SUPPORT = "support"
    MAIL = "mail"
    IMPORT = "import"


class Ground(str, Enum):
    """Why data is restricted: GDPR art. 18(1)(a) to (d)."""

    ACCURACY_CONTESTED = "accuracy_contested"
    UNLAWFUL = "unlawful"
    LEGAL_CLAIMS = "legal_claims"
    OBJECTION_PENDING = "objection_pending"


_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]
_Number = Annotated[int, typer.Argument(metavar="NUMBER")]
_Person = Annotated[int, typer.Argument(metavar="PERSON", help="users.id")]
_Reasons = Annotated[str, typer.Option("--reasons", help="as the person was told")]
_At = Annotated[str | None, typer.Option("--at", metavar="INSTANT", help="when it happened; now without")]
_Sent = Annotated[str, typer.Option("--notice-sent", metavar="INSTANT", help="2026-01-31T12:00:00+01:00")]
_Identifiers = Annotated[
    list[str] | None, typer.Option("--identifier", help="an address or a number; may be said several times")
]


def _group(said: str) -> typer.Typer:
    return typer.Typer(help=said, epilog=_EXIT_CODES, no_args_is_help=True, rich_markup_mode=None)


request = _group("What a person asks for: take it up, pause, extend, refuse, complete.")
hold = _group("What is kept although it would be erased: place and release it.")
restriction = _group("Whose data is stored and nothing else (GDPR, article 18): place and lift it.")
objection = _group(
    "What a person objects to (GDPR, article 21): record it, take it back, look an address up."
)


# Requests -----------------------------------------------------------------------------------------------


@request.command("file", epilog=_EXIT_CODES)
def file_command(
    kind: Annotated[Kind, typer.Argument(help="what is asked for")],
    *,
    person: Annotated[int | None, typer.Option("--person", help="users.id; none has no account")] = None,
    received: Annotated[str | None, typer.Option("--received", metavar="INSTANT", help="now without")] = None,
    channel: Annotated[Channel, typer.Option("--channel", help="how it came")] = Channel.MAIL,
    country: Annotated[str | None, typer.Option("--country", help="whose holidays count: DE, DE-BY")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="of the controller")] = None,
    reference: Annotated[str | None, typer.Option("--reference", help="its number elsewhere")] = None,
    url: _Url = None,
) -> None:  # fmt: skip
    """Take up a request, and say its number."""
    number = ask.file_request(person, kind.value, received_at=read_instant(received), channel=channel.value,
                              country=country, time_zone=time_zone, reference=reference, url=url)  # fmt: skip
    typer.echo(f"request {number}")


@request.command("pause", epilog=_EXIT_CODES)
def pause_command(number: _Number, *, reasons: _Reasons, at: _At = None, url: _Url = None) -> None:
    """Stop the clock: the person was asked to prove who they are."""
    ask.pause(number, reasons, at=read_instant(at), url=url)
    typer.echo(f"request {number} stands still")


@request.command("resume", epilog=_EXIT_CODES)
def resume_command(number: _Number, *, at: _At = None, url: _Url = None) -> None:
    """Let the clock run on, and say by when it is due."""
    due = ask.resume(number, at=read_instant(at), url=url)
    typer.echo(f"request {number} is due before {due.isoformat()}")


@request.command("extend", epilog=_EXIT_CODES)
def extend_command(number: _Number, *, reasons: _Reasons, notice_sent: _Sent, url: _Url = None) -> None:
    """Add two months of which the person was told, and say by when it is due."""
    due = ask.extend(number, reasons, notice_sent_at=_sent(notice_sent), url=url)
    typer.echo(f"request {number} is due before {due.isoformat()}")


@request.command("reject", epilog=_EXIT_CODES)
def reject_command(number: _Number, *, reasons: _Reasons, notice_sent: _Sent, url: _Url = None) -> None:
    """Record that the person was refused; exit code 3 where that was late."""
    _closed(number, "rejected", ask.reject(number, reasons, notice_sent_at=_sent(notice_sent), url=url))


@request.command("complete", epilog=_EXIT_CODES)
def complete_command(
    number: _Number,
    *,
    done: Annotated[str | None, typer.Option("--done", help="what was done")] = None,
    at: _At = None,
    url: _Url = None,
) -> None:
    """Record that the person was given what they asked for; exit code 3 where that was late."""
    _closed(number, "completed", ask.complete(number, done, at=read_instant(at), url=url))


def _sent(written: str) -> Any:  # noqa: ANN401  (an instant: what is written is never None)
    return read_instant(written)


def _closed(number: int, status: str, in_time: bool) -> None:
    typer.echo(f"request {number} {status}{'' if in_time else ', late'}")
    if not in_time:
        raise typer.Exit(EXIT_FINDINGS)


# Holds --------------------------------------------------------------------------------------------------


@hold.command("place", epilog=_EXIT_CODES)
def place_command(
    *,
    basis: Annotated[str, typer.Option("--basis", help="letters of GDPR art. 17(3): e, be")],
    law: Annotated[str, typer.Option("--law", help="the law, contract or case")],
    reason: Annotated[str, typer.Option("--reason", help="why it is kept")],
    subject: Annotated[int | None, typer.Option("--subject", help="users.id; everybody without")] = None,
    table: Annotated[str | None, typer.Option("--table", help="public.listens; every one without")] = None,
    column: Annotated[str | None, typer.Option("--column", help="all without")] = None,
    key: Annotated[str | None, typer.Option("--key", help='JSON, as {"id": 5}; every row without')] = None,
    expires: Annotated[str | None, typer.Option("--expires", metavar="INSTANT", help="never without")] = None,
    url: _Url = None,
) -> None:
    """Keep a person's data, a table, a column or a row for a case, and say the number of the hold."""
    number = keep.place_hold(basis, law, reason, subject=subject, table=table, column=column, key=_key(key),
                             expires_at=read_instant(expires), url=url)  # fmt: skip
    typer.echo(f"hold {number}")


def _key(written: str | None) -> dict[str, Any] | None:
    try:
        key = None if written is None else json.loads(written)
    except ValueError:
        key = ()
    if key is None or isinstance(key, dict):
        return key
    raise SettingsError("the key is no JSON object", hint="""write it as '{"id": 5}'""")


@hold.command("release", epilog=_EXIT_CODES)
def release_command(
    number: _Number, *, reason: Annotated[str, typer.Option("--reason")], url: _Url = None
) -> None:
    """Release a hold; what it kept may be erased from then on."""
    released = keep.release_hold(number, reason, url=url)
    typer.echo(f"hold {number} released at {released.isoformat()}")


@hold.command("list", epilog=_EXIT_CODES)
def list_command(
    *,
    subject: Annotated[int | None, typer.Option("--subject", help="what keeps something of one")] = None,
    url: _Url = None,
) -> None:
    """List the holds in force."""
    for one in keep.held_now(subject, url=url):
        whose = "everybody" if one.subject is None else f"person {one.subject}"
        place = ".".join(part for part in (one.table or "all tables", one.column) if part)
        until = one.expires_at.isoformat() if one.expires_at else "released"
        ground = f"art. 17(3)({', '.join(one.basis)}), {one.law}"
        typer.echo(f"hold {one.number}: {place} of {whose}, {ground}, until {until}")


# Restrictions -------------------------------------------------------------------------------------------


@restriction.command("place", epilog=_EXIT_CODES)
def restrict_command(
    person: _Person,
    *,
    ground: Annotated[Ground, typer.Option("--ground", help="GDPR art. 18(1)(a) to (d), in this order")],
    asked: Annotated[int | None, typer.Option("--request", help="that asked for it")] = None,
    url: _Url = None,
) -> None:
    """Restrict a person's data to being stored, and say the number of the restriction."""
    typer.echo(f"restriction {store.restrict(person, ground.value, request=asked, url=url)}")


@restriction.command("lift", epilog=_EXIT_CODES)
def lift_command(
    number: _Number,
    *,
    reason: Annotated[str, typer.Option("--reason")],
    notice_sent: _Sent,
    url: _Url = None,
) -> None:
    """Lift a restriction of which the person was told before."""
    lifted = store.lift(number, reason, notice_sent_at=_sent(notice_sent), url=url)
    typer.echo(f"restriction {number} lifted at {lifted.isoformat()}")


# Objections ---------------------------------------------------------------------------------------------

_Purpose = Annotated[str, typer.Argument(metavar="PURPOSE", help="consent_purposes.code")]
_MaybePerson = Annotated[int | None, typer.Option("--person", help="users.id; none has no account")]


@objection.command("place", epilog=_EXIT_CODES)
def object_command(
    purpose: _Purpose,
    *,
    person: _MaybePerson = None,
    identifier: _Identifiers = None,
    grounds: Annotated[str | None, typer.Option("--grounds", help="as they said them")] = None,
    url: _Url = None,
) -> None:
    """Record an objection; of addresses only hashes are kept, whose key SUPPRESSION_KEY_FILE names."""
    object_.object_to(person, purpose, identifiers=identifier or (), grounds=grounds, url=url)
    typer.echo(f'no more "{purpose}"')
    if not identifier:
        typer.echo(
            "no address is kept: the objection ends with the account; --identifier keeps one", err=True
        )


@objection.command("withdraw", epilog=_EXIT_CODES)
def withdraw_objection_command(
    purpose: _Purpose, *, person: _MaybePerson = None, identifier: _Identifiers = None, url: _Url = None
) -> None:
    """Record that an objection is taken back."""
    ended = object_.withdraw_objection(person, purpose, identifiers=identifier or (), url=url)
    typer.echo("taken back" if ended else "there was none")


@objection.command("suppressed", epilog=_EXIT_CODES)
def suppressed_command(
    purpose: _Purpose, identifier: Annotated[str, typer.Argument(metavar="ADDRESS")], *, url: _Url = None
) -> None:
    """Tell whether an address must not be used for a purpose; exit code 3 where it must not."""
    suppressed = object_.is_suppressed(identifier, purpose, url=url)
    typer.echo("suppressed" if suppressed else "not suppressed")
    if suppressed:
        raise typer.Exit(EXIT_FINDINGS)
