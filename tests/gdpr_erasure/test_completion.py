"""What an erasure had to leave is erased when it may be, with a further certificate; and the job that does it."""

from __future__ import annotations

import threading

import pytest
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.completion import complete_erasures
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.job import Worked, work, work_every
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import place_hold, release_hold
from support import rows


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    monkeypatch.setenv("ERASURE_SIGNING_KEY", pem.decode())
    monkeypatch.setenv("ERASURE_LEDGER_KEY", "ab" * 32)


def test_released(entangled: str) -> None:
    hold = place_hold("e", "3 O 12/26", "a claim", subject=ADA.id, table="public.listens", url=entangled)
    first = erase_user(ADA.id, url=entangled, wait_s=5)
    print(first.kept)
    print(complete_erasures(entangled))
    release_hold(hold, "over", url=entangled)
    print(complete_erasures(entangled))
    print(complete_erasures(entangled))
