"""Notices: told by a web address, a command or by hand, again until they are taken, and never readable here."""

from __future__ import annotations

import base64
import json
import pathlib
import stat
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import psycopg2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gdpr_erasure.people import ADA, BOB
from gdpr_erasure.telling import KEYS, RECIPIENTS, queued

from listener import Listener, listening
from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey, make_keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.handing import (
    by_hand,
    end_notice,
    hand_over,
    recipients_of,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import (
    Delivered,
    deliver,
    pending,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.telling import receipt
from support import ROOT, beside, connected, environment, rows, until

_STATE = "SELECT recipient, attempts, problem, outcome, receipt, payload IS NULL FROM ops.erasure_notices ORDER BY recipient"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def scene(entangled: str, listener: Listener) -> str:
    rows(entangled, RECIPIENTS)
    rows(entangled, "UPDATE ops.recipients SET notice_url = %s WHERE code = 'mailer'", (listener.url,))
    return entangled


@pytest.fixture
def heard(tmp_path: pathlib.Path) -> dict[str, str]:
    """Commands that write down what they are told, and what they are shown."""
    script = tmp_path / "tell"
    script.write_text(
        f"#!{sys.executable}\nimport os, sys\nopen({str(tmp_path / 'told')!r}, 'a').write(sys.stdin.read())\n"
        f"open({str(tmp_path / 'shown')!r}, 'w').write(repr(dict(os.environ)))\nprint('R-17')\n"
    )
    script.chmod(0o755)
    return {
        "NOTICE_COMMAND_SPOTIFY": str(script),
        "NOTICE_TOKEN_MAILER": "opens-sesame",
        "ERASURE_LEDGER_KEY": "opens-everything",
        "PATH": "/usr/bin:/bin",
    }


def told(url: str, environ: dict[str, str], **options: object) -> Delivered:
    return deliver(url, keys=KEYS, environ=environ, **options)  # type: ignore[arg-type]


def test_each_is_told_by_its_own_channel_what_it_knows_the_person_by(
    scene: str, listener: Listener, heard: dict[str, str], tmp_path: pathlib.Path
) -> None:
    listener.answers, listener.body = [200], b'{"receipt": "M:2026-1"}'
    erasure, _ = queued(scene, ADA.id)
    assert told(scene, heard) == Delivered(told=2, problems=(), pending=1, by_hand=1)
    ((_, headers, body),) = listener.heard
    assert json.loads(body) == {
        "event": "erasure",
        "law": "GDPR art. 19",
        "notice": headers["Idempotency-Key"],
        "recipient": "mailer",
        "identifiers": [
            {"as": "customer", "value": str(ADA.id)},
            {"as": "email", "value": "ada.lovelace@example.org"},
        ],
    }
    assert headers["Authorization"] == "Bearer opens-sesame"
    named, _, signature = headers["Erasure-Signature"].partition(":")
    assert named == KEYS.signing.key_id
    assert KEYS.signing.public.has_signed(body, base64.b64decode(signature))
    said = json.loads((tmp_path / "told").read_text())
    assert said["identifiers"] == [{"as": "account", "value": "ada-at-spotify"}]
    shown = (tmp_path / "shown").read_text()
    assert "PATH" in shown
    assert "opens-" not in shown
    assert rows(scene, _STATE) == [
        ("mailer", 1, None, "told", "M:2026-1", True),
        ("printer", 0, None, None, None, False),
        ("spotify", 1, None, "told", "R-17", True),
    ]
    with connected(scene) as connection, connection.cursor() as cursor:
        assert pending(cursor, erasure) == ("printer",)
    assert [(one.recipient, one.outcome, one.receipt) for one in recipients_of(erasure, url=scene)] == [
        ("mailer", "told", "M:2026-1"), ("printer", None, None), ("spotify", "told", "R-17"),
    ]  # fmt: skip
    assert told(scene, heard) == Delivered(told=0, problems=(), pending=1, by_hand=1)
    assert len(listener.heard) == 1


def test_what_fails_is_tried_again_after_pauses_that_double(
    scene: str, listener: Listener, heard: dict[str, str]
) -> None:
    listener.answers = [503, 302, 503, 204]
    queued(scene, ADA.id)
    pauses: list[float] = []
    for turn, problem in enumerate(("answered 503", "answered 302", "answered 503", None), 1):
        done = told(scene, heard, first_pause=timedelta(minutes=1))
        assert done.problems == ((("mailer", problem),) if problem else ())
        assert rows(scene, _STATE)[0][1:3] == (turn, problem)
        # Nothing is due until the pause is over.
        assert told(scene, heard) == Delivered(0, (), done.pending, 1)
        ((pause_s,),) = rows(
            scene,
            "SELECT extract(epoch FROM due_at - tried_at)::float FROM ops.erasure_notices WHERE recipient = 'mailer'",
        )
        pauses.append(float(str(pause_s)))
        rows(scene, "UPDATE ops.erasure_notices SET due_at = clock_timestamp()")
    assert len(listener.heard) == 4
    for count, pause_s in enumerate(pauses):
        assert 60 * 2**count * 0.75 <= pause_s <= 60 * 2**count * 1.25
    assert rows(scene, _STATE)[0] == ("mailer", 4, None, "told", None, True)


def test_no_pause_is_longer_than_the_longest(scene: str, listener: Listener, heard: dict[str, str]) -> None:
    listener.answers = [500]
    queued(scene, ADA.id)
    rows(scene, "UPDATE ops.erasure_notices SET attempts = 1000000")
    told(scene, heard, longest_pause=timedelta(hours=1))
    ((latest,),) = rows(
        scene, "SELECT max(due_at) - clock_timestamp() FROM ops.erasure_notices WHERE attempts > 1000000"
    )
    assert timedelta(minutes=44) < latest < timedelta(minutes=76)  # type: ignore[operator]


def test_one_that_fails_is_asked_once_a_round_and_keeps_nobody_else_waiting(
    scene: str, listener: Listener, heard: dict[str, str]
) -> None:
    listener.pause_s = 2
    queued(scene, ADA.id)
    queued(scene, BOB.id)
    began = time.monotonic()
    done = told(scene, heard, limit_s=0.5)
    assert time.monotonic() - began < 5
    assert done == Delivered(2, (("mailer", "had not answered after 0.5 s"),), 4, 2)
    assert len(listener.heard) == 1


def test_rounds_at_once_tell_each_notice_once(scene: str, listener: Listener, heard: dict[str, str]) -> None:
    for person in range(1, 9):
        rows(scene, "INSERT INTO users (id, email) VALUES (%s, %s)", (person, f"person{person}@example.org"))
        queued(scene, person)
    listener.pause_s = 0.05
    done: list[Delivered] = []
    threads = [threading.Thread(target=lambda: done.append(told(scene, heard))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.told for one in done) == 8
    assert len({headers["Idempotency-Key"] for _, headers, _ in listener.heard}) == len(listener.heard) == 8


def test_a_process_that_is_killed_while_it_tells_has_lost_nothing(
    scene: str, listener: Listener, heard: dict[str, str], tmp_path: pathlib.Path
) -> None:
    queued(scene, ADA.id)
    make_keys(tmp_path / "key", tmp_path / "pub")
    environ = {"ERASURE_SIGNING_KEY_FILE": str(tmp_path / "key"), "ERASURE_LEDGER_KEY": KEYS.ledger[0].hex()}
    listener.pause_s = 30
    program = (
        "import sys; from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import deliver;"
        " deliver(sys.argv[1], limit_s=30)"
    )
    with beside(sys.executable, "-c", program, scene, cwd=ROOT, env=environment(scene, **environ)) as process:
        until(lambda: bool(listener.heard))
        process.kill()
        process.wait()
    listener.pause_s = 0
    assert rows(scene, _STATE)[0] == ("mailer", 1, None, None, None, False)
    assert told(scene, heard).told == 1, "the other one, for it is not due"
    rows(scene, "UPDATE ops.erasure_notices SET due_at = clock_timestamp()")
    assert told(scene, heard).told == 1
    numbers = [headers["Idempotency-Key"] for _, headers, _ in listener.heard]
    assert len(numbers) == 2
    assert len(set(numbers)) == 1, "the recipient knows it again"


def test_problems_are_told_in_words_that_name_nobody(
    scene: str, listener: Listener, heard: dict[str, str]
) -> None:
    listener.answers = [500]
    listener.body = b"ada.lovelace@example.org is unknown"
    queued(scene, ADA.id)
    del heard["NOTICE_COMMAND_SPOTIFY"]
    assert told(scene, heard).problems == (
        ("mailer", "answered 500"),
        ("spotify", "has no command: NOTICE_COMMAND_SPOTIFY is not set, or cannot be read"),
    )
    heard["NOTICE_COMMAND_SPOTIFY"] = "sh -c 'exit 3' ada-at-spotify"
    rows(scene, "UPDATE ops.erasure_notices SET due_at = clock_timestamp()")
    assert told(scene, heard).problems == (("spotify", "ended with 3"),)


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("M:2026-1", True), ("550e8400-e29b-41d4-a716-446655440000", True), ("x" * 128, True),
        ("x" * 129, False), ("", False), ("two words", False), ("é", False),
        ("880000222", False), ("user:880000222", False), ("X880000222X", False), ("ADA-AT-SPOTIFY", False),
        ("no-17", False), ("no-170", True),
    ],
)  # fmt: skip
def test_a_receipt_is_a_number_and_names_nobody(number: str, kept: bool) -> None:
    assert receipt(number, ["880000222", "ada-at-spotify", "17"]) == (number if kept else None)


def test_what_is_told_by_hand_is_handed_over_in_files_of_its_owner_until_it_is_done(
    scene: str, heard: dict[str, str], tmp_path: pathlib.Path
) -> None:
    queued(scene, ADA.id)
    (one,) = by_hand(scene, keys=KEYS)
    assert (one.recipient, json.loads(one.body)["identifiers"]) == (
        "printer", [{"as": "name", "value": "Ada Lovelace"}],
    )  # fmt: skip
    assert "Ada" not in repr(one)
    (file,) = hand_over(tmp_path, [one])
    assert hand_over(tmp_path, [one]) == (file,)
    assert file.read_bytes() == one.body + b"\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert end_notice(one.id, receipt="letter-4", url=scene)
    assert not end_notice(one.id, "impossible", url=scene)
    assert rows(scene, _STATE)[1] == ("printer", 0, None, "told", "letter-4", True)
    assert by_hand(scene, keys=KEYS) == ()
    assert told(scene, heard).by_hand == 0


def test_whoever_cannot_be_told_is_written_down_as_such(scene: str, heard: dict[str, str]) -> None:
    queued(scene, ADA.id)
    ((number,),) = rows(scene, "SELECT id::text FROM ops.erasure_notices WHERE recipient = 'mailer'")
    assert end_notice(UUID(str(number)), "disproportionate", url=scene)
    assert rows(scene, _STATE)[0] == ("mailer", 0, None, "disproportionate", None, True)
    assert told(scene, heard).told == 1


def test_a_notice_is_read_with_an_older_key_and_not_without_it(
    scene: str, listener: Listener, heard: dict[str, str]
) -> None:
    queued(scene, ADA.id)
    other = Keys(SigningKey(Ed25519PrivateKey.generate()), (bytes(range(1, 33)),))
    unreadable = "cannot be told: the key that its notice is encrypted with is not among those given"
    assert deliver(scene, keys=other, environ=heard).problems == (
        ("mailer", unreadable),
        ("spotify", unreadable),
    )
    with pytest.raises(SubjectError) as caught:
        by_hand(scene, keys=other)
    assert caught.value.problem == f'recipient "printer" {unreadable}'
    assert listener.heard == []
    rows(scene, "UPDATE ops.erasure_notices SET due_at = clock_timestamp()")
    both = Keys(other.signing, (*other.ledger, *KEYS.ledger))
    assert deliver(scene, keys=both, environ=heard).told == 2


def test_a_notice_that_was_changed_or_exchanged_is_told_to_nobody(
    scene: str, listener: Listener, heard: dict[str, str]
) -> None:
    queued(scene, ADA.id)
    queued(scene, BOB.id)
    rows(scene, "UPDATE ops.erasure_notices AS one SET payload = other.payload FROM ops.erasure_notices AS other"
                " WHERE one.recipient = 'mailer' AND other.recipient = 'mailer' AND one.id <> other.id")  # fmt: skip
    rows(
        scene,
        "UPDATE ops.erasure_notices SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE recipient = 'spotify'",
    )
    assert told(scene, heard).told == 0
    assert listener.heard == []


def test_nothing_is_open_while_a_recipient_is_waited_for(
    scene: str, listener: Listener, heard: dict[str, str]
) -> None:
    queued(scene, ADA.id)
    listener.pause_s = 1
    thread = threading.Thread(target=lambda: told(scene, heard))
    thread.start()
    while not listener.heard:
        time.sleep(0.01)
    ((state, xmin),) = rows(
        scene,
        "SELECT state, backend_xmin::text FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'agentdb gdpr-erasure%%'",
    )
    thread.join()
    assert (state, xmin) == ("idle", None)


def test_the_application_and_the_auditor_read_no_payload_and_tell_nobody(scene: str) -> None:
    queued(scene, ADA.id)
    for role in ("agent_app", "agent_auditor", "agent_readonly"):
        with connected(scene) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
            for statement in (
                "SELECT payload FROM ops.erasure_notices",
                "SELECT FROM ops.claim_notice_v1('{}', INTERVAL '1 min', INTERVAL '1 day')",
                "SELECT ops.end_notice_v1(gen_random_uuid(), 'told')",
                "DELETE FROM ops.erasure_notices",
            ):
                with pytest.raises(Exception, match="permission denied"):
                    cursor.execute(statement)
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_auditor")
        cursor.execute("SELECT recipient FROM ops.erasure_notices ORDER BY 1")
        assert cursor.fetchall() == [("mailer",), ("printer",), ("spotify",)]


_UNSAFE = (
    ("notice_url = 'http://mailer.example/x'", "recipients_notice_url_safe_check"),
    ("notice_url = 'https://user:secret@mailer.example/x'", "recipients_notice_url_safe_check"),
    ("notice_url = 'ftp://mailer.example/x'", "recipients_notice_url_safe_check"),
    ("notice_url = 'http://localhost.mailer.example/x'", "recipients_notice_url_safe_check"),
    ("notice_url = NULL", "recipients_notice_url_check"),
    ("notice_channel = 'hand'", "recipients_notice_url_check"),
    ("notice_channel = 'fax', notice_url = NULL", "recipients_notice_channel_check"),
    ("knows_by = '[]'", "recipients_knows_by_check"),
    ("knows_by = '{}'", "recipients_knows_by_check"),
    ("code = 'Mail-er'", "recipients_code_check"),
)


def test_a_recipient_who_could_not_be_told_safely_is_refused(scene: str) -> None:
    for change, check in _UNSAFE:
        with pytest.raises(psycopg2.errors.CheckViolation) as refused:
            rows(scene, f"UPDATE ops.recipients SET {change} WHERE code = 'mailer'")
        assert refused.value.diag.constraint_name == check
