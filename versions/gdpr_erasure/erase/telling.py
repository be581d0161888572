"""Tell one recipient of one erasure, by its web address or by a command. No database here."""

from __future__ import annotations

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.sending import Answer, is_address, post, run
from spotify_ai_agent_migrations.versions.core.signing import SigningKey

COMMAND: Final = "NOTICE_COMMAND_"
TOKEN: Final = "NOTICE_TOKEN_"  # noqa: S105  (the beginning of a variable's name)
_SECRETS: Final = frozenset(
    {"AUDIT_SIGNING_KEY", "ERASURE_SIGNING_KEY", "ERASURE_LEDGER_KEY", "SUPPRESSION_KEY", "VAULT_KEY",
     "DATABASE_URL", "PGPASSWORD"}
)  # fmt: skip
_RECEIPT: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PARTS: Final = re.compile(r"[._:-]")
# What is shorter is in many a number by chance.
_LEAST_TELLING: Final = 5


@dataclass(frozen=True)
class Told:
    """What came of it: a problem, in words that name nobody, or a receipt, where the recipient gave one."""

    problem: str = ""
    receipt: str | None = None


@dataclass(frozen=True)
class Teller:
    """How recipients are told.

    A web address gets the number of the notice as Idempotency-Key, and as Erasure-Signature the name of the
    key that certificates are signed with too, a colon, and its signature (Ed25519) of the body in base64.
    signing: that key.
    environ: commands and tokens of recipients, by `NOTICE_COMMAND_` and `NOTICE_TOKEN_` with their code in
        capitals, and what a command is shown besides: none of the secrets in it.
    limit_s: how long one recipient is waited for.
    """

    signing: SigningKey
    environ: Mapping[str, str]
    limit_s: float = 10.0

    def tell(self, recipient: str, channel: str, url: str | None, notice: str, body: bytes) -> Told:
        """Tell *recipient* what *body* says; that a notice comes twice is known by its number."""
        if channel == "command":
            return _told(self._run(recipient, body), body, from_command=True)
        return _told(self._post(recipient, url or "", notice, body), body)

    def _post(self, recipient: str, url: str, notice: str, body: bytes) -> Answer:
        if not is_address(url):
            return Answer("has no address that can be used")
        signature = b64encode(self.signing.sign(body)).decode()
        headers = {"Idempotency-Key": notice, "Erasure-Signature": f"{self.signing.key_id}:{signature}"}
        if token := self.environ.get(TOKEN + recipient.upper()):
            headers["Authorization"] = f"Bearer {token}"
        return post(url, body, headers, limit_s=self.limit_s)

    def _run(self, recipient: str, body: bytes) -> Answer:
        name = COMMAND + recipient.upper()
        arguments: list[str] = []
        with suppress(ValueError):
            arguments = shlex.split(self.environ.get(name, ""))
        if not arguments:
            return Answer(f"has no command: {name} is not set, or cannot be read")
        return run(arguments, body + b"\n", limit_s=self.limit_s, environ=self._shown(), heard=True)

    def _shown(self) -> Mapping[str, str]:
        return {
            name: value
            for name, value in self.environ.items()
            if name not in _SECRETS and not name.startswith((COMMAND, TOKEN))
        }


def _told(answer: Answer, body: bytes, *, from_command: bool = False) -> Told:
    if answer.problem:
        return Told(answer.problem)
    said = answer.body.decode(errors="replace").strip()
    number = said.partition("\n")[0].strip() if from_command else _receipt_of(said)
    values = (one["value"] for one in json.loads(body)["identifiers"])
    return Told(receipt=receipt(number, values))


def _receipt_of(said: str) -> str:
    answer: Any = None
    with suppress(ValueError, RecursionError):
        answer = json.loads(said)
    number = answer.get("receipt") if isinstance(answer, dict) else None
    return number if isinstance(number, str) else ""


def receipt(number: str, identifiers: Iterable[str]) -> str | None:
    """Return *number* if it can be kept: a number, and nothing that says who the person was."""
    parts = {part.casefold() for part in (number, *_PARTS.split(number))}
    named = any(
        value.casefold() in parts or (len(value) >= _LEAST_TELLING and value.casefold() in number.casefold())
        for value in identifiers
    )
    return number if _RECEIPT.fullmatch(number) and not named else None
