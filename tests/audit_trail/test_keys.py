"""Keys: made once, read from a file or the environment, never shown and never written over."""

from __future__ import annotations

import pathlib
import stat
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from spotify_ai_agent_migrations.versions.audit_trail.keys import signing_key
from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError
from spotify_ai_agent_migrations.versions.core.signing import make_keys, read_keyring
from support import run


@pytest.fixture
def files(tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    private, public = tmp_path / "audit.key", tmp_path / "audit.pub"
    make_keys(private, public)
    return private, public


def test_a_pair_signs_and_verifies_and_its_private_half_is_for_its_owner_alone(
    files: tuple[pathlib.Path, pathlib.Path],
) -> None:
    private, public = files
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    key = signing_key(private, environ={})
    ((name, read),) = read_keyring(public).items()
    assert read.has_signed(b"message", key.sign(b"message"))
    assert not read.has_signed(b"massage", key.sign(b"message"))
    assert name == read.key_id == key.key_id
    assert len(key.key_id) == 16
    secret = private.read_text().splitlines()[1]
    assert secret not in repr(key)
    assert secret not in public.read_text()


def test_a_key_that_is_there_is_never_written_over(files: tuple[pathlib.Path, pathlib.Path]) -> None:
    private, public = files
    before = private.read_bytes(), public.read_bytes()
    elsewhere = private.with_name("other.key")
    for pair in ((private, public.with_name("other.pub")), (elsewhere, public)):
        with pytest.raises(FileError) as caught:
            make_keys(*pair)
        assert caught.value.hint == "name a file that is not there yet"
    assert (private.read_bytes(), public.read_bytes()) == before
    assert not elsewhere.exists()


def test_a_key_that_does_not_fit_on_the_disk_leaves_no_half_of_it(tmp_path: pathlib.Path) -> None:
    done = run(
        sys.executable,
        "-c",
        "import resource, sys, pathlib; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "from spotify_ai_agent_migrations.versions.core.signing import make_keys\n"
        "from spotify_ai_agent_migrations.versions.core.errors import FileError\n"
        "try: make_keys(*map(pathlib.Path, sys.argv[1:]))\n"
        "except FileError as error: sys.exit(7 if error.problem.endswith(': File too large') else 8)",
        str(tmp_path / "a.pem"),
        str(tmp_path / "b.pem"),
    )
    assert done.returncode == 7, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_key_comes_from_the_file_said_then_from_the_one_named_then_from_the_variable(
    files: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    private, _ = files
    second = make_keys(tmp_path / "second.key", tmp_path / "second.pub")
    third = make_keys(tmp_path / "third.key", tmp_path / "third.pub")
    text = (tmp_path / "third.key").read_text()
    named = {"AUDIT_SIGNING_KEY_FILE": str(tmp_path / "second.key"), "AUDIT_SIGNING_KEY": text}
    assert signing_key(private, environ=named).key_id not in (second.key_id, third.key_id)
    assert signing_key(environ=named).key_id == second.key_id
    for spelt in (text, text.replace("\n", "\\n")):
        assert signing_key(environ={"AUDIT_SIGNING_KEY": spelt}).key_id == third.key_id
    with pytest.raises(SettingsError) as caught:
        signing_key(environ={})
    assert caught.value.problem == "no key to sign seals with was named"


def pem(key: Ed25519PrivateKey | X25519PrivateKey, password: bytes | None = None) -> bytes:
    kept = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept)


def test_what_is_no_such_key_is_refused_without_being_shown(
    files: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    _, public = files
    wrong = {
        "nothing": b"", "text": b"my secret", "another kind": pem(X25519PrivateKey.generate()),
        "behind a password": pem(Ed25519PrivateKey.generate(), b"secret"), "public": public.read_bytes(),
        "cut off": pem(Ed25519PrivateKey.generate())[:60],
    }  # fmt: skip
    place = tmp_path / "wrong.key"
    for text in wrong.values():
        place.write_bytes(text)
        with pytest.raises(FileError) as in_file:
            signing_key(place, environ={})
        with pytest.raises(SettingsError) as in_variable:
            signing_key(environ={"AUDIT_SIGNING_KEY": text.decode() or "-"})
        for said in (str(in_file.value), str(in_variable.value)):
            assert "holds no private key of Ed25519 in PEM" in said
            assert "secret" not in said
    for read in (read_keyring, signing_key):
        with pytest.raises(FileError) as refused:
            read(tmp_path / "none")
        assert refused.value.problem == f'"{tmp_path / "none"}" cannot be read: No such file or directory'
    with pytest.raises(FileError) as private_given:
        read_keyring(files[0])
    assert (
        private_given.value.problem == f'"{files[0]}" holds something else than public keys of Ed25519 in PEM'
    )
