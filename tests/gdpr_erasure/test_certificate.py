"""The certificate of an erasure: signed, verified without a database, and of nobody."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import uuid
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as some

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.core.signing import Keyring, SigningKey, make_keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.canonical import canonical, document
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import (
    CertificateFacts,
    ErasureCertificate,
    StepDone,
    Whole,
    issue,
    verify_certificate,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import (
    Action,
    Kept,
    Outcome,
    Step,
    Treated,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Strategy

KEY = SigningKey(Ed25519PrivateKey.generate())
KEYS: Keyring = {KEY.key_id: KEY.public}
NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@dataclasses.dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...]
    kept: tuple[Kept, ...] = ()
    derived: tuple[str, ...] = ()
    hash: str = "ab" * 32


def step(position: int, action: Action, *outcomes: Outcome) -> Step:
    columns = tuple(Treated(f"c{n}", Strategy.NULL, one, {"value": "x"}) for n, one in enumerate(outcomes))
    return Step(
        position, f"public.t{position}", action, columns, 1, by_index=True, cost_rows=1, lock="rows", batch=str, whole="", left=""
    )  # fmt: skip


DELETED = step(1, Action.DELETE, Outcome.DELETED)
CHANGED = step(2, Action.UPDATE, Outcome.ANONYMISED, Outcome.KEPT)
RENAMED = step(3, Action.UPDATE, Outcome.PSEUDONYMISED)


def facts(plan: Plan | None = None, **others: Any) -> CertificateFacts:
    plan = plan or Plan((DELETED, CHANGED))
    values = {
        "id": uuid.UUID(int=1), "subject_ref": uuid.UUID(int=2), "reason": "request", "requested_at": NOON,
        "hidden_at": NOON, "erased_at": NOON + timedelta(seconds=1), "swept_at": NOON + timedelta(seconds=2),
        "plan": plan, "done": tuple(StepDone(one.position, 3, 1) for one in plan.steps), "pending": ("mailer",),
        "residue": {"dead_rows": 3, "until": NOON}, "now": NOON + timedelta(seconds=3), "ledger": "cd" * 32,
    }  # fmt: skip
    return CertificateFacts(**{**values, **others})


def test_a_certificate_says_what_was_done_and_verifies_by_itself() -> None:
    made = issue(facts(), KEY)
    read = ErasureCertificate.from_json(made.as_json())
    assert read == made
    assert read.as_json() == made.as_json()
    assert read.verify(KEYS)
    assert read.id == uuid.UUID(int=1)
    assert read.outcome is Whole.ANONYMISED
    assert [(one.table, one.action, one.rows, one.swept) for one in read.tables] == [
        ("public.t1", Action.DELETE, 4, 1),
        ("public.t2", Action.UPDATE, 4, 1),
    ]
    assert read.tables[1].columns == (
        Treated("c0", Strategy.NULL, Outcome.ANONYMISED),
        Treated("c1", Strategy.NULL, Outcome.KEPT),
    )
    assert read.pending == ("mailer",)
    assert read.residue == {"dead_rows": 3, "until": "2026-01-31T12:00:00.000000Z"}
    assert read.issued_at == NOON + timedelta(seconds=3)
    assert read.completes is None


def test_another_key_or_none_verifies_nothing() -> None:
    made = issue(facts(), KEY)
    other = SigningKey(Ed25519PrivateKey.generate())
    assert made.verify(KEYS)
    assert not made.verify({})
    assert not made.verify({other.key_id: other.public})
    # Whoever gives out a key under another's name is not believed for its name.
    assert not made.verify({KEY.key_id: other.public})


def test_nothing_can_be_changed_or_added_or_taken_away() -> None:
    outer = json.loads(issue(facts(), KEY).as_json())
    genuine = []
    for name, value in outer["certificate"].items():
        changed = {**outer["certificate"], name: _another(value)}
        genuine += [name] if _is_genuine(changed, outer["signature"]) else []
        fewer = {key: one for key, one in outer["certificate"].items() if key != name}
        with pytest.raises(FileError):
            ErasureCertificate.from_json(json.dumps({"certificate": fewer, "signature": outer["signature"]}))
    assert genuine == []
    assert len(outer["certificate"]) == 20
    assert _is_genuine(outer["certificate"], outer["signature"])
    with pytest.raises(FileError):
        ErasureCertificate.from_json(json.dumps({**outer, "note": "and all backups"}))


def _is_genuine(body: Any, signature: str) -> bool:
    with suppress(FileError):
        return ErasureCertificate.from_json(json.dumps({"certificate": body, "signature": signature})).verify(
            KEYS
        )
    return False


def _another(value: Any) -> Any:
    if isinstance(value, list):
        return value[1:] if value else ["x"]
    if isinstance(value, dict):
        return {**value, "x": 1}
    return "deleted" if value == "anonymised" else f"{value}0"


def test_layout_does_not_matter_and_letters_outside_ascii_are_letters() -> None:
    made = issue(facts(pending=("é\u2028 😀 \x00", "a/b")), KEY)
    for text in (
        json.dumps(json.loads(made.as_json()), indent=4),
        json.dumps(json.loads(made.as_json()), ensure_ascii=False, sort_keys=False),
        made.as_json().encode(),
    ):
        assert ErasureCertificate.from_json(text).verify(KEYS)


def test_what_is_no_certificate_is_refused() -> None:
    good = issue(facts(), KEY).as_json()
    doubled = good.replace('"pending"', '"id":"00000000-0000-0000-0000-000000000009","pending"')
    wrong: list[str | bytes] = [
        "", "{}", "[]", "null", "x", good[:-1], good.replace("certificate 1", "certificate 2"), doubled,
        good.replace('"swept":1', '"swept":1.0'), good.replace('"swept":1', '"swept":NaN'),
        '{"certificate": 1, "signature": ""}', '{"certificate": {}, "signature": 1}', "[" * 100_000,
        good.replace('"mailer"', '"\\ud800"'), b"\xff\xfe",
    ]  # fmt: skip
    for text in wrong:
        with pytest.raises(FileError) as caught:
            ErasureCertificate.from_json(text)
        assert caught.value.problem == "this is no certificate of an erasure"
    assert ErasureCertificate.from_json(good).verify(KEYS)


def test_the_outcome_is_the_weakest_of_what_was_touched() -> None:
    plan = Plan((DELETED, CHANGED, RENAMED))
    nothing = (StepDone(1, 0), StepDone(2, 0), StepDone(3, 0))
    for done, expected in (
        ((StepDone(1, 1), *nothing[1:]), Whole.DELETED),
        ((StepDone(1, 1), StepDone(2, 0, 1), nothing[2]), Whole.ANONYMISED),
        ((StepDone(1, 1), nothing[1], StepDone(3, 1)), Whole.PSEUDONYMISED),
        (nothing, Whole.PSEUDONYMISED),
    ):
        assert issue(facts(plan, done=done), KEY).outcome is expected
    assert issue(facts(Plan(())), KEY).outcome is Whole.DELETED
    for kept, expected in ((0, Whole.DELETED), (1, Whole.DELETED_WITH_EXCEPTIONS)):
        stays = Kept("public.u", ("b",), kept, "contract", "")
        assert issue(facts(Plan((DELETED,), (stays,))), KEY).outcome is expected


def test_nothing_that_somebody_typed_about_a_hold_gets_in() -> None:
    typed = Kept("public.t", ("a",), 2, "e", "Lovelace v. Babbage", NOON, 7, None)
    by_law = dataclasses.replace(typed, basis="Lovelace v. Babbage")
    by_rule = Kept(
        "public.u", ("b",), 1, "legal_obligation", "the books have to be kept", NOON, None, "books"
    )
    made = issue(facts(Plan((DELETED,), (typed, by_law, by_rule))), KEY)
    assert "Lovelace" not in made.as_json()
    assert [(one.basis, one.why, one.hold, one.rule, one.until) for one in made.kept] == [
        ("e", "", 7, None, NOON), ("law", "", 7, None, NOON),
        ("legal_obligation", "the books have to be kept", None, "books", NOON),
    ]  # fmt: skip


def test_what_has_not_ended_is_not_certified() -> None:
    with pytest.raises(ValueError, match="what was done is not what was planned"):
        issue(facts(done=(StepDone(1, 1),)), KEY)
    wrong: dict[str, Any]
    for wrong in ({"swept_at": NOON}, {"now": NOON}, {"hidden_at": NOON + timedelta(hours=1)}):
        with pytest.raises(ValueError, match="in this order"):
            issue(facts(None, **wrong), KEY)


def test_a_file_is_verified_by_the_keys_of_another(tmp_path: Path) -> None:
    key = make_keys(tmp_path / "a.key", tmp_path / "a.pub")
    make_keys(tmp_path / "b.key", tmp_path / "b.pub")
    file = tmp_path / "certificate.json"
    file.write_text(issue(facts(), key).as_json())
    assert verify_certificate(file, tmp_path / "a.pub") == issue(facts(), key)
    with pytest.raises(FileError) as caught:
        verify_certificate(file, tmp_path / "b.pub")
    assert caught.value.problem == (
        f'"{file}" is not genuine: it was changed, or none of the keys in "{tmp_path / "b.pub"}" signed it'
    )
    with pytest.raises(FileError, match="cannot be read"):
        verify_certificate(tmp_path / "none", tmp_path / "a.pub")


def test_whoever_has_the_text_and_the_public_key_needs_nothing_of_ours(tmp_path: Path) -> None:
    key = make_keys(tmp_path / "a.key", tmp_path / "a.pub")
    (tmp_path / "certificate.json").write_text(issue(facts(), key).as_json())
    script = (
        "import json, pathlib, sys\n"
        "from cryptography.hazmat.primitives.serialization import load_pem_public_key\n"
        "outer = json.loads(pathlib.Path('certificate.json').read_text())\n"
        "body = json.dumps(outer['certificate'], sort_keys=True, separators=(',', ':'), ensure_ascii=False)\n"
        "message = outer['certificate']['format'].encode() + b'\\0' + body.encode()\n"
        "key = load_pem_public_key(pathlib.Path('a.pub').read_bytes())\n"
        "key.verify(bytes.fromhex(outer['signature']), message)\n"
        "assert 'psycopg2' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@given(
    some.recursive(
        some.none()
        | some.booleans()
        | some.integers(-(2**53), 2**53)
        | some.text(some.characters(codec="utf-8")),
        lambda inner: some.lists(inner) | some.dictionaries(some.text(some.characters(codec="utf-8")), inner),
    )
)
def test_a_document_is_spelt_one_way_only(value: Any) -> None:
    once = canonical({"x": value})
    assert canonical(document(once)) == once
    assert document(json.dumps({"x": value}, indent=2)) == document(once)
