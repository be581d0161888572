"""The ledger of erasures: on the disk before its word returns, whole or found to be not, and about nobody."""

from __future__ import annotations

import os
import stat
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.core.signing import Keyring, SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import read_ledger, write
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Entry, Head, Kind, person
from support import ROOT, run

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
SIGNING = SigningKey(Ed25519PrivateKey.generate())
KEYRING: Keyring = {SIGNING.key_id: SIGNING.public}
KEY = bytes(range(32))
ADA = Entry(uuid.UUID(int=1), None, 880_000_222, 1_769_860_800_000_000, "request", NOON)
BOB = Entry(uuid.UUID(int=2), uuid.UUID(int=1), 770_000_111, 1_769_860_800_000_001, "completion", NOON)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(SIGNING, (KEY,), tmp_path / "erasures.ledger")


def file_of(keys: Keys) -> Path:
    assert keys.ledger_file is not None
    return keys.ledger_file


@pytest.fixture
def written(keys: Keys) -> Path:
    for entry, kind in ((ADA, Kind.INTENDED), (ADA, Kind.HIDDEN), (BOB, Kind.HIDDEN), (ADA, Kind.ERASED)):
        write(keys, entry, kind)
    return file_of(keys)


def test_lines_are_read_as_they_were_written_and_name_nobody(written: Path) -> None:
    lines = read_ledger(written, KEYRING)
    assert [(one.seq, one.erasure.int, one.kind) for one in lines] == [
        (1, 1, Kind.INTENDED), (2, 1, Kind.HIDDEN), (3, 2, Kind.HIDDEN), (4, 1, Kind.ERASED),
    ]  # fmt: skip
    assert lines[2].completes == ADA.erasure
    assert lines[2].requested_at == NOON
    assert lines[0].person == person(KEY, ADA.subject, ADA.registered_us)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    text = written.read_text()
    assert str(ADA.subject) not in text
    assert str(ADA.registered_us) not in text


def test_the_same_number_registered_at_another_instant_is_somebody_else() -> None:
    known = person(KEY, ADA.subject, ADA.registered_us)
    assert known == person(KEY, ADA.subject, ADA.registered_us)
    others = {
        person(KEY, ADA.subject, ADA.registered_us + 1), person(KEY, ADA.subject + 1, ADA.registered_us),
        person(bytes(32), ADA.subject, ADA.registered_us), person(KEY, ADA.registered_us, ADA.subject),
    }  # fmt: skip
    assert len(others) == 4
    assert known not in others


def test_every_change_of_a_line_is_found_and_named(written: Path) -> None:
    text = written.read_bytes()
    lines = text.splitlines(keepends=True)
    stranger = SigningKey(Ed25519PrivateKey.generate())
    forged = Keys(stranger, (KEY,), written.with_name("forged"))
    write(forged, ADA, Kind.HIDDEN)
    wrong = {
        b"".join(lines[1:]): "does not follow on the one before",
        b"".join([lines[0], *lines[2:]]): "does not follow on the one before",
        b"".join([lines[0], lines[2], lines[1], lines[3]]): "does not follow on the one before",
        b"".join([lines[0], lines[0], *lines[1:]]): "does not follow on the one before",
        text.replace(b'"hidden"', b'"erased"', 1): "is signed by none of the keys given",
        text.replace(lines[1], lines[1].replace(b":", b": ", 1)): "is none of a ledger",
        text.replace(b'"seq":2', b'"seq":2.0'): "is none of a ledger",
        text.replace(b'"kind":"hidden"', b'"kind":"seen"', 1): "is none of a ledger",
        text.replace(lines[2], b"\n"): "is none of a ledger",
        file_of(forged).read_bytes(): "is signed by none of the keys given",
    }  # fmt: skip
    for changed, what in wrong.items():
        assert changed != text
        written.write_bytes(changed)
        with pytest.raises(FileError) as caught:
            read_ledger(written, KEYRING)
        assert caught.value.problem.endswith(what), what
        assert caught.value.problem.startswith(("line 1", "line 2", "line 3"))
    written.write_bytes(text)
    assert len(read_ledger(written, KEYRING)) == 4


def test_a_byte_changed_anywhere_is_found(written: Path) -> None:
    text = written.read_bytes()
    # Without its end the last line is one that was cut off.
    for place in range(0, len(text) - 1, 7):
        changed = bytearray(text)
        changed[place] ^= 1
        written.write_bytes(changed)
        with pytest.raises(FileError):
            read_ledger(written, KEYRING)


def test_a_line_that_was_cut_off_by_a_crash_is_left_out_and_written_over(written: Path, keys: Keys) -> None:
    text = written.read_bytes()
    last = text.splitlines(keepends=True)[-1]
    for length in (1, 5, len(last) // 2, len(last) - 1):
        written.write_bytes(text + last[:length])
        assert len(read_ledger(written, KEYRING)) == 4
    head = write(keys, BOB, Kind.ERASED)
    assert head == read_ledger(written, KEYRING)[-1].head
    assert head.seq == 5


def test_a_file_that_is_no_ledger_is_left_as_it_is(keys: Keys) -> None:
    for text in (b"precious", b"precious\n", b'{"at":"x"}\n', b"{}\n{", b"\n"):
        file_of(keys).write_bytes(text)
        with pytest.raises(FileError) as caught:
            write(keys, ADA, Kind.HIDDEN)
        assert caught.value.problem == f'"{file_of(keys)}" is no ledger of erasures'
        assert file_of(keys).read_bytes() == text
    with pytest.raises(FileError):
        write(replace(keys, ledger_file=file_of(keys) / "below"), ADA, Kind.HIDDEN)


def test_several_keys_are_known_again_and_an_unknown_one_is_not(written: Path, keys: Keys) -> None:
    newer = SigningKey(Ed25519PrivateKey.generate())
    write(replace(keys, signing=newer), BOB, Kind.ERASED)
    with pytest.raises(FileError) as caught:
        read_ledger(written, KEYRING)
    assert caught.value.problem == f'line 5 of "{written}" is signed by none of the keys given'
    ring = written.with_name("all.pub")
    ring.write_bytes(SIGNING.public.pem + newer.public.pem)
    assert len(read_ledger(written, ring)) == 5


def test_writers_at_once_make_one_chain(keys: Keys) -> None:
    def append(number: int) -> Head:
        return write(keys, replace(ADA, erasure=uuid.UUID(int=number)), Kind.HIDDEN)

    with ThreadPoolExecutor(8) as pool:
        heads = list(pool.map(append, range(64)))
    lines = read_ledger(file_of(keys), KEYRING)
    assert {one.erasure.int for one in lines} == set(range(64))
    assert sorted(one.seq for one in heads) == list(range(1, 65))


def test_a_full_disk_is_an_error_and_takes_no_line_with_it(written: Path) -> None:
    size = written.stat().st_size
    script = (
        "import resource, signal, sys\n"
        "from gdpr_erasure.test_ledger import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 100}, {size + 100}))\n"
        "try: write(Keys(SIGNING, (KEY,), Path(sys.argv[1])), BOB, Kind.ERASED)\n"
        "except FileError as error: sys.exit(7 if error.problem.endswith('cannot be written: File too large') else 8)\n"
    )
    done = run(sys.executable, "-c", script, written, PYTHONPATH=str(ROOT / "tests"))
    assert done.returncode == 7, done.stderr
    assert written.stat().st_size == size
    assert len(read_ledger(written, KEYRING)) == 4


def test_whoever_is_killed_while_writing_leaves_a_ledger_that_goes_on(keys: Keys) -> None:
    writer = os.fork()
    if writer == 0:
        try:
            while True:
                write(keys, ADA, Kind.HIDDEN)
        finally:
            os._exit(1)
    try:
        while not file_of(keys).exists() or file_of(keys).stat().st_size < 20_000:
            pass
    finally:
        os.kill(writer, 9)
        os.waitpid(writer, 0)
    before = len(read_ledger(file_of(keys), KEYRING))
    assert before > 10
    assert write(keys, BOB, Kind.HIDDEN).seq == before + 1
    assert read_ledger(file_of(keys), KEYRING)[-1].erasure == BOB.erasure
