"""Say what a receipt of staging is, and read one: a signed statement of which texts ran there, and how.

It is an attestation of in-toto (https://in-toto.io/Statement/v1), whose subjects are the files of revisions.
Who signed it is decided by keys from elsewhere, never by what it says itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.envelope import Envelope, enclosed
from spotify_ai_agent_migrations.versions.core.signing import SigningKey

KIND: Final = "application/vnd.in-toto+json"
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "urn:spotify-ai-agent-migrations:staging-run:1"


@dataclass(frozen=True)
class Run:
    """One revision as it ran: at (UTC), for how long, and the schema before and after, where it is known."""

    at: str
    duration_ms: int | None
    schema_before: str | None
    schema_after: str | None


@dataclass(frozen=True)
class Tried:
    """One text of a revision, how its upgrade ran last, and its downgrade, if that ever ran."""

    revision: str
    file_name: str
    checksum: str
    upgrade: Run
    downgrade: Run | None = None


@dataclass(frozen=True)
class Receipt:
    """What staging is and has run.

    `at` is in UTC, to the second, by the clock of the server. `fingerprint` is of its schema, partitions left
    out; `journal_head` the hash that its journal ended with.
    """

    at: str
    environment: str
    server_version: str
    heads: tuple[str, ...]
    fingerprint: str
    journal_head: str
    application_version: str
    git_commit: str | None
    tried: tuple[Tried, ...]

    def of(self, file_name: str) -> Tried | None:
        """Return how a revision ran; None where it did not."""
        return next((one for one in self.tried if one.file_name == file_name), None)

    @property
    def payload(self) -> bytes:
        """Return the statement that is signed."""
        told = asdict(self)
        for one in told["tried"]:
            # What the subjects say is said once.
            del one["file_name"], one["checksum"]
        said = {
            "_type": _STATEMENT,
            "subject": [{"name": one.file_name, "digest": {"sha256": one.checksum}} for one in self.tried],
            "predicateType": _PREDICATE,
            "predicate": told,
        }
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def signed_receipt(receipt: Receipt, key: SigningKey) -> bytes:
    """Return *receipt*, signed, as it stands in a file."""
    return enclosed(receipt.payload, KIND, key)


def receipt_id(payload: bytes) -> str:
    """Return the name of a receipt: the SHA-256 of its payload, in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def read_receipt(envelope: Envelope) -> Receipt | None:
    """Return what an envelope says, whoever signed it; None where that is no receipt."""
    try:
        said = json.loads(envelope.payload)
        if (envelope.kind, said["_type"], said["predicateType"]) != (KIND, _STATEMENT, _PREDICATE):
            return None
        return _receipt(said["predicate"], said["subject"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _receipt(told: Mapping[str, Any], subjects: list[Mapping[str, Any]]) -> Receipt:
    pairs = zip(subjects, told["tried"], strict=True)
    own = {**told, "heads": tuple(told["heads"]), "tried": tuple(_tried(*pair) for pair in pairs)}
    # Of what anybody may have written, no more than this is looked at before its signature is.
    datetime.strptime(own["at"], TIME)
    return Receipt(**own)


def _tried(subject: Mapping[str, Any], said: Mapping[str, Any]) -> Tried:
    upgrade, back = Run(**said["upgrade"]), said["downgrade"]
    return Tried(
        revision=said["revision"],
        file_name=subject["name"],
        checksum=subject["digest"]["sha256"],
        upgrade=upgrade,
        downgrade=None if back is None else Run(**back),
    )
