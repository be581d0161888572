"""Keys of people: what they encrypt is read by nobody once they are destroyed, in whatever copy."""

from __future__ import annotations

import pathlib
import threading
from uuid import UUID

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.core.errors import SettingsError, SubjectError, TableError
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.checking import check_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import vault
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.sealed import derived, key_id
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import place_hold, release_hold
from support import connected, rows

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
LETTER = "public.letters.body"


@pytest.fixture
def people(url: str) -> str:
    rows(url, "INSERT INTO users (id, email) VALUES (1, 'anna@example.org'), (2, 'bob@example.org')")
    return url


def encrypted(
    url: str, subject: int, value: bytes = b"dear diary", keys: tuple[bytes, ...] = (KEY,)
) -> bytes:
    with connected(url) as connection, connection.cursor() as cursor:
        return vault.encrypt(cursor, subject, value, LETTER, keys=keys)


def decrypted(
    url: str, subject: int, text: bytes, column: str = LETTER, keys: tuple[bytes, ...] = (KEY,)
) -> bytes:
    with connected(url) as connection, connection.cursor() as cursor:
        return vault.decrypt(cursor, subject, text, column, keys=keys)


def test_a_value_is_encrypted_with_the_key_of_its_person_and_read_again(people: str) -> None:
    first, again = encrypted(people, 1), encrypted(people, 1)
    assert first != again
    assert b"diary" not in first
    assert decrypted(people, 1, first) == decrypted(people, 1, again) == b"dear diary"
    assert decrypted(people, 1, encrypted(people, 1, b"")) == b""
    assert rows(people, "SELECT subject_id, kek_id FROM ops.subject_keys") == [
        (1, key_id(derived(KEY, b"agentdb subject key 1")))
    ]
    assert rows(people, "SELECT ops.key_of_v1(%s) = key_id, ops.key_of_v1('dear diary') FROM ops.subject_keys", (first,)) == [
        (True, None)
    ]  # fmt: skip


def test_many_values_take_the_key_once(people: str) -> None:
    with connected(people) as connection, connection.cursor() as cursor:
        key = vault.key_of(cursor, 1, keys=(KEY,))
    assert [key.decrypt(key.encrypt(str(n).encode(), LETTER), LETTER) for n in range(3)] == [b"0", b"1", b"2"]
    assert key.key.hex() not in repr(key)


def test_neither_the_database_nor_its_copy_holds_a_key_that_decrypts(people: str) -> None:
    text = encrypted(people, 1)
    ((stored,),) = rows(people, "SELECT encode(wrapped, 'hex') FROM ops.subject_keys")
    with connected(people) as connection, connection.cursor() as cursor:
        key = vault.key_of(cursor, 1, keys=(KEY,))
    assert key.key.hex() not in str(stored)
    with pytest.raises(SettingsError) as caught:
        decrypted(people, 1, text, keys=(OTHER,))
    assert caught.value.problem == (
        f'the key of a person is encrypted with the key "{key_id(derived(KEY, b"agentdb subject key 1"))}", '
        "which is not among those named"
    )


def test_a_byte_that_was_changed_is_noticed_wherever_it_is(people: str) -> None:
    whole = encrypted(people, 1)
    for place in (0, 1, 17, 30, -1):
        text = bytearray(whole)
        text[place] ^= 1
        with pytest.raises(SubjectError) as caught:
            decrypted(people, 1, bytes(text))
        assert caught.value.problem == (
            f'a value of "{LETTER}" was not encrypted with the key of that person, or was changed'
        )
    assert decrypted(people, 1, whole) == b"dear diary"


def test_a_value_of_another_person_or_column_is_not_read_as_ones_own(people: str) -> None:
    hers, his = encrypted(people, 1), encrypted(people, 2)
    for text, column in ((his, LETTER), (hers, "public.letters.title")):
        with pytest.raises(SubjectError):
            decrypted(people, 1, text, column)
    # Nor is a key that was put in another's place.
    rows(
        people,
        "UPDATE ops.subject_keys AS one SET wrapped = other.wrapped FROM ops.subject_keys AS other WHERE one.subject_id = 1 AND other.subject_id = 2",
    )
    with pytest.raises(SettingsError):
        decrypted(people, 1, hers)


def test_a_key_that_is_destroyed_takes_every_copy_with_it_and_leaves_no_name(people: str) -> None:
    text, his = encrypted(people, 1), encrypted(people, 2)
    with connected(people) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_owner")
        destroyed = vault.destroy_key(cursor, 1)
        assert isinstance(destroyed, UUID)
        assert vault.destroy_key(cursor, 1) is None
    with pytest.raises(SubjectError) as caught:
        decrypted(people, 1, text)
    assert (caught.value.problem, caught.value.hint) == (
        "the key of that value was destroyed",
        "its person was erased",
    )
    assert decrypted(people, 2, his) == b"dear diary"
    assert rows(people, "SELECT key_id::text FROM ops.destroyed_keys") == [(str(destroyed),)]
    # A key that is made anew reads nothing of before.
    encrypted(people, 1)
    with pytest.raises(SubjectError):
        decrypted(people, 1, text)


def test_a_person_who_goes_takes_their_key_along(people: str) -> None:
    text = encrypted(people, 1)
    rows(people, "DELETE FROM users WHERE id = 1")
    with pytest.raises(SubjectError) as caught:
        decrypted(people, 1, text)
    assert caught.value.problem == "the key of that value was destroyed"


def test_nobody_makes_a_key_for_who_is_erased_or_never_was(people: str) -> None:
    with connected(people) as connection, connection.cursor() as cursor:
        with pytest.raises(Exception, match="subject_keys_subject_id_fkey"):
            vault.key_of(cursor, 404, keys=(KEY,))
    rows(people, "INSERT INTO ops.erasures (subject_id, subject_created_at, reason, requested_at, requested_by, plan, plan_hash)"
                 " SELECT id, created_at, 'request', now(), 1, '{}', sha256('') FROM users WHERE id = 1;"
                 " INSERT INTO ops.tombstones (subject_id, erasure_id) SELECT subject_id, id FROM ops.erasures")  # fmt: skip
    with connected(people) as connection, connection.cursor() as cursor:
        with pytest.raises(Exception, match="takes nothing of a person who is erased"):
            vault.key_of(cursor, 1, keys=(KEY,))
    assert rows(people, "SELECT FROM ops.subject_keys") == []


def test_ten_who_are_first_make_one_key(people: str) -> None:
    texts: list[bytes] = []
    threads = [threading.Thread(target=lambda: texts.append(encrypted(people, 1))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({bytes(text[1:17]) for text in texts}) == 1
    assert [decrypted(people, 1, text) for text in texts] == [b"dear diary"] * 10


def test_keys_are_encrypted_anew_and_values_are_not_touched(people: str) -> None:
    texts = {subject: encrypted(people, subject) for subject in (1, 2)}
    assert vault.rewrap(people, keys=(OTHER, KEY), batch_rows=1) == 2
    assert vault.rewrap(people, keys=(OTHER, KEY)) == 0
    for subject, text in texts.items():
        assert decrypted(people, subject, text, keys=(OTHER,)) == b"dear diary"
        with pytest.raises(SettingsError):
            decrypted(people, subject, text, keys=(KEY,))


def test_a_rotation_that_is_interrupted_goes_on_and_one_without_the_old_key_changes_nothing(
    people: str,
) -> None:
    first = encrypted(people, 1, keys=(KEY,))
    second = encrypted(people, 2, keys=(OTHER,))
    newest = bytes(range(2, 34))
    with pytest.raises(SettingsError):
        vault.rewrap(people, keys=(newest, OTHER))
    assert decrypted(people, 1, first, keys=(KEY,)) == b"dear diary"
    assert vault.rewrap(people, keys=(newest, OTHER, KEY)) in (1, 2)
    assert decrypted(people, 1, first, keys=(newest,)) == decrypted(people, 2, second, keys=(newest,))


def test_the_key_of_keys_is_named_outside_the_database(
    people: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_KEY", raising=False)
    with (
        pytest.raises(SettingsError) as caught,
        connected(people) as connection,
        connection.cursor() as cursor,
    ):
        vault.key_of(cursor, 1)
    assert caught.value.problem == "there is no key to encrypt the keys of people with"
    assert rows(people, "SELECT FROM ops.subject_keys") == []
    file = tmp_path / "keys"
    file.write_text(f"{OTHER.hex()}\n{KEY.hex()}\n")
    monkeypatch.setenv("VAULT_KEY_FILE", str(file))
    assert vault.read_vault_keys() == (OTHER, KEY)
    with connected(people) as connection, connection.cursor() as cursor:
        assert vault.decrypt(cursor, 1, encrypted(people, 1), LETTER) == b"dear diary"


def test_whoever_is_signed_in_gets_their_own_key_and_nobody_elses(people: str) -> None:
    text = encrypted(people, 1)
    with connected(people) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SET app.user_id = 1")
        assert vault.decrypt(cursor, 1, text, LETTER, keys=(KEY,)) == b"dear diary"
        cursor.execute("SET app.user_id = 2")
        assert (
            vault.decrypt(
                cursor, 2, vault.encrypt(cursor, 2, b"own", LETTER, keys=(KEY,)), LETTER, keys=(KEY,)
            )
            == b"own"
        )
        with pytest.raises(Exception, match="whoever is signed in has no key but their own"):
            vault.decrypt(cursor, 1, text, LETTER, keys=(KEY,))


_REFUSED = (
    ("agent_app", "SELECT wrapped FROM ops.subject_keys"),
    ("agent_app", "DELETE FROM ops.subject_keys"),
    ("agent_app", "SELECT ops.old_keys_v1('', 1)"),
    ("agent_readonly", "SELECT subject_key_v1(1)"),
    ("agent_auditor", "SELECT wrapped FROM ops.subject_keys"),
    ("agent_eraser", "SELECT wrapped FROM ops.subject_keys"),
    ("agent_eraser", "SELECT subject_key_v1(1)"),
    ("agent_eraser", "UPDATE ops.subject_keys SET wrapped = wrapped"),
    ("agent_eraser", "DELETE FROM ops.destroyed_keys"),
    ("agent_privacy", "DELETE FROM ops.subject_keys"),
    ("agent_privacy", "SELECT ops.rewrap_key_v1(gen_random_uuid(), '', '', '')"),
)


def test_keys_are_read_and_destroyed_by_those_who_may(people: str) -> None:
    encrypted(people, 1)
    with connected(people) as connection, connection.cursor() as cursor:
        for role, statement in _REFUSED:
            cursor.execute(f"SET ROLE {role}")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"):
                cursor.execute(statement)
    assert rows(people, "SELECT count(*)::int FROM ops.subject_keys") == [(1,)]


_LETTERS = """
CREATE TABLE letters (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id), body bytea{not_null});
ALTER TABLE letters OWNER TO agent_owner;
COMMENT ON TABLE letters IS 'Letters';
COMMENT ON COLUMN letters.id IS 'none: number';
COMMENT ON COLUMN letters.user_id IS 'identifier: who wrote it';
COMMENT ON COLUMN letters.body IS 'content: what it says';
SELECT ops.classify_table_v1('public.letters', strategy => 'shred', origin => 'provided', purposes => '{{service}}', legal_basis => 'contract');
SELECT ops.classify_column_v1('public.letters', 'user_id', strategy => 'null');
SELECT ops.guard_table_v1('public.letters', 'user_id');
"""


@pytest.mark.parametrize(("not_null", "emptied"), [("", None), (" NOT NULL", b"")], ids=["null", "not null"])
def test_an_erasure_destroys_the_key_and_touches_no_value_that_it_encrypted(
    people: str, keys: Keyring, not_null: str, emptied: bytes | None
) -> None:
    rows(people, _LETTERS.format(not_null=not_null))
    hers, his = encrypted(people, 1), encrypted(people, 2)
    rows(people, "INSERT INTO letters VALUES (1, 1, %s), (2, 1, 'in clear'), (3, 1, %s), (4, 2, %s), (5, 2, 'in clear')",
         (hers, his, his))  # fmt: skip
    before = rows(people, "SELECT id, ctid::text FROM letters WHERE user_id = 2 ORDER BY id")
    certificate = erase_user(1, url=people)
    left = rows(people, "SELECT id, user_id, body FROM letters ORDER BY id")
    # What is in clear, or would still be read by the key of another person, is emptied.
    assert [(number, person, text if text is None else bytes(text)) for number, person, text in left] == [  # type: ignore[call-overload]
        (1, None, hers), (2, None, emptied), (3, None, emptied), (4, 2, his), (5, 2, b"in clear"),
    ]  # fmt: skip
    assert rows(people, "SELECT id, ctid::text FROM letters WHERE user_id = 2 ORDER BY id") == before
    with pytest.raises(SubjectError) as caught:
        decrypted(people, 1, hers)
    assert caught.value.problem == "the key of that value was destroyed"
    assert decrypted(people, 2, his) == b"dear diary"
    (letters,) = [one for one in certificate.tables if one.table == "public.letters"]
    (body,) = [one for one in letters.columns if one.name == "body"]
    assert (body.strategy, body.outcome) == ("shred", "anonymised")
    assert certificate.verify(keys)


@pytest.mark.usefixtures("keys")
def test_a_hold_on_the_key_alone_stops_the_erasure_and_one_on_the_values_does_not(people: str) -> None:
    rows(people, _LETTERS.format(not_null=""))
    text = encrypted(people, 1)
    rows(people, "INSERT INTO letters VALUES (1, 1, %s)", (text,))
    number = place_hold("e", "a law", "a case", subject=1, table="ops.subject_keys", url=people)
    with pytest.raises(TableError) as caught:
        erase_user(1, url=people)
    assert caught.value.problem.startswith(
        'public.letters.body stays readable while a hold keeps "ops.subject_keys"'
    )
    place_hold("e", "a law", "a case", subject=1, table="public.letters", url=people)
    release_hold(number, "it is over", url=people)
    erase_user(1, url=people)
    assert rows(people, "SELECT user_id, body = %s FROM letters", (text,)) == [(1, True)]


def test_a_column_that_holds_no_bytes_cannot_be_shredded(people: str) -> None:
    rows(people, _LETTERS.format(not_null="").replace("body bytea", "body text"))
    problems = {f"{one.place} {one.problem}" for one in check_catalogue(people)}
    assert "public.letters.body is to be encrypted with a key of the person, which text cannot be" in problems
