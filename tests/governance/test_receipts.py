"""A receipt is believed for whose key signed it, and proves one text, of one age, server and schema."""

from __future__ import annotations

import base64
import json
import os
import pathlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spotify_ai_agent_migrations.versions.core import dotenv_file
from spotify_ai_agent_migrations.versions.core.envelope import enclosed, opened
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.governance.approvals import Approval
from spotify_ai_agent_migrations.versions.governance.pending import Pending, Production
from spotify_ai_agent_migrations.versions.governance.persons import Person
from spotify_ai_agent_migrations.versions.governance.promotion import decide, remedy
from spotify_ai_agent_migrations.versions.governance.proof import proof
from spotify_ai_agent_migrations.versions.governance.receipts import (
    KIND,
    Receipt,
    Run,
    Tried,
    read_receipt,
    signed_receipt,
)
from spotify_ai_agent_migrations.versions.governance.trust import (
    FOLDER,
    KEYS,
    MOST_AGE,
    Trust,
    read_trust,
)

KEY, OTHER = SigningKey(Ed25519PrivateKey.generate()), SigningKey(Ed25519PrivateKey.generate())
RAN = Run("2026-11-27T10:00:00.000000Z", 12, "before", "after")
TRIED = Tried("012", "012_x.py", "a" * 64, RAN)
RECEIPT = Receipt(
    "2026-11-27T11:00:00Z", "staging", "18.1", ("012",), "after", "f" * 64, "0.1.0", None, (TRIED,)
)
PENDING = Pending("012", "012_x.py", "a" * 64)
BACK = Pending("012", "012_x.py", "a" * 64, verb="downgrade")
NOW = Production("2026-11-27T12:00:00Z", "18.3 (Debian 18.3-1)", "before")


def held(folder: pathlib.Path, **files: bytes) -> Trust:
    for name, text in files.items():
        (folder / f"{name}.json").write_bytes(text)
    return Trust(keys={KEY.key_id: KEY.public}, folder=folder)


def codes(trust: Trust, pending: Pending = PENDING, production: Production = NOW) -> list[str]:
    return [missing.code for missing in proof(pending, production, trust.held(), trust)[1]]


def test_it_is_read_as_it_was_signed() -> None:
    envelope = opened(signed_receipt(RECEIPT, KEY))
    assert envelope is not None
    assert read_receipt(envelope) == RECEIPT
    assert envelope.signed_by({KEY.key_id: KEY.public}) == KEY.key_id
    assert envelope.signed_by({OTHER.key_id: OTHER.public}) is None
    # As in-toto has it, so that its tools read it too.
    statement = json.loads(envelope.payload)
    assert statement["subject"] == [{"name": "012_x.py", "digest": {"sha256": "a" * 64}}]
    message = b"DSSEv1 %d %b %d %b" % (len(KIND), KIND.encode(), len(envelope.payload), envelope.payload)
    assert KEY.public.has_signed(message, envelope.signatures[0][1])


def test_a_key_is_known_by_its_signature_and_not_by_its_name(tmp_path: pathlib.Path) -> None:
    said = json.loads(signed_receipt(RECEIPT, OTHER))
    said["signatures"][0]["keyid"] = KEY.key_id
    assert codes(held(tmp_path, claimed=json.dumps(said).encode())) == ["receipt-forged"]
    assert codes(held(tmp_path, good=signed_receipt(RECEIPT, KEY))) == []


@pytest.mark.parametrize(
    ("receipt", "code"),
    [
        (replace(RECEIPT, environment="development"), "receipt-not-staging"),
        (replace(RECEIPT, tried=(replace(TRIED, checksum="b" * 64),)), "receipt-of-another-checksum"),
        (replace(RECEIPT, at="2026-11-20T11:59:59Z"), "receipt-expired"),
        (replace(RECEIPT, at="2026-11-27T12:05:01Z"), "receipt-from-the-future"),
        (replace(RECEIPT, server_version="17.6"), "receipt-of-another-server"),
        (replace(RECEIPT, tried=(replace(TRIED, file_name="012_X.py"),)), "no-receipt"),
        (
            replace(RECEIPT, tried=(replace(TRIED, upgrade=replace(RAN, schema_before="x")),)),
            "receipt-of-another-schema",
        ),
    ],
)
def test_what_will_not_do_is_said(tmp_path: pathlib.Path, receipt: Receipt, code: str) -> None:
    trust = held(tmp_path, one=signed_receipt(receipt, KEY))
    assert codes(trust) == [code]
    # Beside one that will, it takes nothing from it.
    assert codes(held(tmp_path, two=signed_receipt(RECEIPT, KEY))) == []


def test_the_clocks_of_two_servers_may_differ_by_minutes(tmp_path: pathlib.Path) -> None:
    for at in ("2026-11-27T12:05:00Z", "2026-11-20T12:00:00Z"):
        assert codes(held(tmp_path, one=signed_receipt(replace(RECEIPT, at=at), KEY))) == []


def test_a_schema_that_nobody_described_is_held_against_nothing(tmp_path: pathlib.Path) -> None:
    unknown = replace(RECEIPT, tried=(replace(TRIED, upgrade=replace(RAN, schema_before=None)),))
    assert codes(held(tmp_path, one=signed_receipt(unknown, KEY))) == []
    assert codes(held(tmp_path, one=signed_receipt(RECEIPT, KEY)), production=replace(NOW, schema=None)) == []


def test_a_downgrade_has_to_have_run_in_staging(tmp_path: pathlib.Path) -> None:
    assert codes(held(tmp_path, one=signed_receipt(RECEIPT, KEY)), BACK) == ["receipt-without-downgrade"]
    both = replace(RECEIPT, tried=(replace(TRIED, downgrade=replace(RAN, schema_before="after")),))
    trust = held(tmp_path, one=signed_receipt(both, KEY))
    assert codes(trust, BACK) == ["receipt-of-another-schema"]
    assert codes(trust, BACK, replace(NOW, schema="after")) == []


def encoded(statement: object) -> bytes:
    return enclosed(json.dumps(statement).encode(), KIND, KEY)


STATEMENT = json.loads(RECEIPT.payload)
PREDICATE = STATEMENT["predicate"]
GARBAGE = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "deep": b"[" * 100_000,
    "large": b" " * (1 << 20) + signed_receipt(RECEIPT, KEY),
    "half a character": b'{"payloadType": "\\ud800", "payload": "", "signatures": []}',
    "no base 64": json.dumps({"payloadType": KIND, "payload": "\u00e9", "signatures": []}).encode(),
    "no signature that can be": json.dumps(
        {"payloadType": KIND, "payload": base64.b64encode(b"{}").decode(), "signatures": [{"keyid": KEY.key_id, "sig": 1}]}
    ).encode(),
    "another statement": encoded({**STATEMENT, "predicateType": "urn:other"}),
    "another version": encoded({**STATEMENT, "predicateType": STATEMENT["predicateType"].replace(":1", ":2")}),
    "no time": encoded({**STATEMENT, "predicate": {**PREDICATE, "at": 12}}),
    "another time": encoded({**STATEMENT, "predicate": {**PREDICATE, "at": "yesterday"}}),
    "more": encoded({**STATEMENT, "predicate": {**PREDICATE, "more": 1}}),
    "fewer subjects": encoded({**STATEMENT, "subject": []}),
    "no run": encoded({**STATEMENT, "predicate": {**PREDICATE, "tried": [{"revision": "012"}]}}),
    "another kind": enclosed(RECEIPT.payload, "text/plain", KEY),
}  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_receipt_is_said_and_stands_in_nobodys_way(tmp_path: pathlib.Path, name: str) -> None:
    assert codes(held(tmp_path, bad=GARBAGE[name])) == ["receipt-unreadable"]
    assert codes(held(tmp_path, good=signed_receipt(RECEIPT, KEY))) == []


def test_what_lies_among_the_receipts_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "dangling.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / os.fsdecode(b"\xff.json")).write_bytes(b"")
    assert codes(held(tmp_path)) == ["receipt-unreadable"] * 3
    assert {one.file_name for one in held(tmp_path).held()} >= {"pipe.json", "?.json"}
    assert codes(held(tmp_path, good=signed_receipt(RECEIPT, KEY))) == []
    assert codes(Trust(keys={KEY.key_id: KEY.public}, folder=tmp_path / "nowhere")) == ["no-receipt"]


def test_keys_come_from_the_environment_alone(tmp_path: pathlib.Path) -> None:
    trust = read_trust({})
    assert trust.trouble == f"{KEYS} names no file of public keys"
    assert codes(replace(trust, folder=tmp_path)) == ["no-keys"]
    assert read_trust({KEYS: str(tmp_path / "none")}).trouble.endswith(
        "cannot be read: No such file or directory"
    )
    (tmp_path / "keys.pem").write_bytes(KEY.public.pem + OTHER.public.pem)
    assert set(read_trust({KEYS: str(tmp_path / "keys.pem")}).keys) == {KEY.key_id, OTHER.key_id}


def test_a_file_of_the_checkout_does_not_say_who_is_believed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dotenv_file, "PACKAGE_ROOT", tmp_path)
    (tmp_path / "keys.pem").write_bytes(KEY.public.pem)
    (tmp_path / ".env").write_text(f"{KEYS}={tmp_path}/keys.pem\n{FOLDER}={tmp_path}\n")
    told = f'{KEYS} names no file of public keys; "{tmp_path}/keys.pem" in .env does not count'
    assert read_trust({}).trouble.startswith(told)
    assert (read_trust({}).folder, len(read_trust({KEYS: f"{tmp_path}/keys.pem"}).keys)) == (tmp_path, 1)
    (tmp_path / ".env").write_text(f"{MOST_AGE}=900000\n")
    with pytest.raises(SettingsError) as refused:
        read_trust({})
    assert refused.value.problem.startswith(f"{MOST_AGE} is said in .env")
    assert read_trust({MOST_AGE: "24"}).most_age_h == 24


def test_who_approved_is_doubted_where_git_cannot_say_who_wrote_it(tmp_path: pathlib.Path) -> None:
    trust = held(tmp_path, good=signed_receipt(RECEIPT, KEY))
    ada, bob = Person("Ada", "ada@example.org"), Person("Bob", "bob@example.org")
    by_ada = Approval("012_x.py", "a" * 64, RECEIPT.at, ada, (bob,))
    unknown = replace(PENDING, authors_unknown=True)
    (verdict,) = decide((unknown,), (by_ada,), trust, NOW)
    assert [one.code for one in verdict.missing] == ["authors-unknown"]
    assert remedy((verdict,)).startswith("let Git answer: git fetch --unshallow, ")
    assert [one.missing for one in decide((PENDING,), (by_ada,), trust, NOW)] == [()]


@pytest.mark.parametrize("hours", ["0", "-1", "1.5", "week", "\u0665", "10000000"])
def test_the_age_is_a_number_of_hours(hours: str) -> None:
    assert read_trust({MOST_AGE: "24"}).most_age_h == 24
    with pytest.raises(SettingsError):
        read_trust({MOST_AGE: hours})
