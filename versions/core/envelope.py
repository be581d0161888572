"""Sign a text and open what was signed: envelopes of DSSE, as in-toto and Sigstore read them.

What is signed are the bytes that are kept, with their kind and both lengths before them, so that nothing has
to be written the same way twice: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.signing import Keyring, SigningKey, is_signed

_WRONG: Final = (ValueError, TypeError, KeyError, RecursionError)


@dataclass(frozen=True)
class Envelope:
    """A payload of a kind, and the signatures it came with: each the name of a key and 64 bytes."""

    payload: bytes
    kind: str
    signatures: tuple[tuple[str, bytes], ...]

    def signed_by(self, keys: Keyring) -> str | None:
        """Return the name of the first of *keys* that signed it; None where none did."""
        message = _message(self.payload, self.kind)
        return next((name for name, made in self.signatures if is_signed(keys, name, made, message)), None)


def enclosed(payload: bytes, kind: str, key: SigningKey) -> bytes:
    """Return *payload* of a *kind* in an envelope that *key* signed, as it stands in a file."""
    signature = key.sign(_message(payload, kind))
    said = {
        "payloadType": kind,
        "payload": _encoded(payload),
        "signatures": [{"keyid": key.key_id, "sig": _encoded(signature)}],
    }
    return f"{json.dumps(said, indent=1)}\n".encode()


def opened(text: bytes) -> Envelope | None:
    """Return the envelope that *text* is, whoever signed it; None where it is none."""
    try:
        said = json.loads(text)
        signatures = tuple((str(one["keyid"]), _decoded(one["sig"])) for one in said["signatures"])
        kind = str(said["payloadType"])
        # JSON may hold half of a character, which no signed message can.
        kind.encode()
        return Envelope(_decoded(said["payload"]), kind, signatures)
    except _WRONG:
        return None


def _message(payload: bytes, kind: str) -> bytes:
    named = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)


def _encoded(held: bytes) -> str:
    return base64.b64encode(held).decode()


def _decoded(text: Any) -> bytes:  # noqa: ANN401  (of a file that anybody wrote)
    return base64.b64decode(text, validate=True)
