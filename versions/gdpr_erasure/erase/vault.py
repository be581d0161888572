"""Encrypt values with a key of their person, whose end makes them unreadable wherever they were copied to.

The keys of people are in `ops.subject_keys`, each encrypted with one that is in a file or the environment
and never in the database (`VAULT_KEY_FILE`, `VAULT_KEY`, the newest first). An erasure deletes the key of its
person with the other rows. A backup holds the keys that were there then: what is in it becomes unreadable
where that table is left out of it, or once the key that they are encrypted with is given up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.errors import SettingsError, SubjectError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.sealed import (
    KEY_BYTES,
    derived,
    key_id,
    opened,
    sealed,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.suppression import HashKeys

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_NAMED: Final = HashKeys("VAULT_KEY_FILE", "VAULT_KEY", "the keys of people", verb="encrypt")
_PURPOSE: Final = b"agentdb subject key 1"
_FORM: Final = b"\x01"
_ID: Final = slice(1, 17)
_MOST: Final = 1_000


@dataclass(frozen=True)
class SubjectKey:
    """The key of one person, to encrypt and decrypt many values with; it stays out of `repr`."""

    id: UUID
    key: bytes = field(repr=False)

    def encrypt(self, value: bytes, column: str) -> bytes:
        """Return *value* encrypted; it is read again as a value of that *column* alone."""
        return _FORM + self.id.bytes + sealed(self.key, value, _about(self.id, column))

    def decrypt(self, text: bytes, column: str) -> bytes:
        """Return the value that was encrypted.

        Raises:
            SubjectError: it is of another person or column, or was changed.
        """
        plain = None
        if text[:1] == _FORM and text[_ID] == self.id.bytes:
            plain = opened(self.key, text[_ID.stop :], _about(self.id, column))
        if plain is None:
            raise SubjectError(
                f'a value of "{column}" was not encrypted with the key of that person, or was changed',
                hint="name the person and the column that it was encrypted for",
            )
        return plain


def read_vault_keys(environ: Mapping[str, str] | None = None) -> tuple[bytes, ...]:
    """Return the keys that keys of people are encrypted with, the one to encrypt with first.

    They come from the file that `VAULT_KEY_FILE` names, one a line, or from `VAULT_KEY`; what the environment
    lacks is looked for in `.env`.

    Raises:
        SettingsError: there is none, or one is shorter than 32 bytes.
    """
    return _NAMED.read({**read_dotenv(), **(os.environ if environ is None else environ)})


def key_of(cursor: Cursor, subject: int, *, keys: Sequence[bytes] | None = None) -> SubjectKey:
    """Return the key of *subject*, a new one if there is none, in the transaction of *cursor*.

    Raises:
        DatabaseError: there is no such person, or they are being erased.
        SettingsError: there is no key to encrypt theirs with, or not the one it is encrypted with.
    """
    given = tuple(_wrapping(keys))
    found = _found(cursor, subject)
    if found is None:
        made, newest = uuid4(), given[0]
        values = {"subject": subject, "key": str(made), "kek_id": key_id(newest),
                  "wrapped": sealed(newest, os.urandom(KEY_BYTES), _whose(subject, made))}  # fmt: skip
        cursor.execute(_SQL["keep_subject_key"], values)
        # Whoever was first; in REPEATABLE READ what another session wrote meanwhile is not seen.
        found = _found(cursor, subject)
    if found is None:
        raise SubjectError("the key of the person was made by another session meanwhile", hint="begin again")
    return _unwrapped(given, subject, *found)


def encrypt(
    cursor: Cursor, subject: int, value: bytes, column: str, *, keys: Sequence[bytes] | None = None
) -> bytes:
    """Return *value* encrypted with the key of *subject*, as `key_of(…).encrypt` does for many."""
    return key_of(cursor, subject, keys=keys).encrypt(value, column)


def decrypt(
    cursor: Cursor, subject: int, text: bytes, column: str, *, keys: Sequence[bytes] | None = None
) -> bytes:
    """Return the value that was encrypted with the key of *subject*; makes no key.

    Raises:
        SubjectError: the key was destroyed, or the value is of another person or column, or was changed.
        SettingsError: the key that theirs is encrypted with is not among those given or named.
    """
    found = _found(cursor, subject)
    if found is None:
        raise _lost(cursor, bytes(text))
    return _unwrapped(tuple(_wrapping(keys)), subject, *found).decrypt(bytes(text), column)


def destroy_key(cursor: Cursor, subject: int) -> UUID | None:
    """Delete the key of *subject* and return its number; None where there is none.

    Whoever erases may do so in an erasure alone.
    """
    cursor.execute(_SQL["destroy_subject_key"], {"subject": subject})
    row = cursor.fetchone()
    return UUID(row[0]) if row else None


def rewrap(url: str | None = None, *, keys: Sequence[bytes] | None = None, batch_rows: int = _MOST) -> int:
    """Encrypt the keys of all people with the newest of *keys*; return how many were not before.

    No value is touched. Each batch is a transaction; interrupted, it goes on where it was. Afterwards the
    older keys are of use for older backups alone.

    Raises:
        PrivilegeError: the login is no member of agent_owner.
        SettingsError: one is encrypted with a key that is not among those given or named.
    """
    given, count = tuple(_wrapping(keys)), 0
    with connect(resolve_settings(url), purpose="agentdb gdpr-erasure") as connection:
        while done := _rewrapped(connection, given, batch_rows):
            count += sum(done)
    return count


def _rewrapped(connection: Connection, keys: Sequence[bytes], batch_rows: int) -> list[bool]:
    """Return for each key of one batch whether it was this call that encrypted it anew."""
    newest = keys[0]
    with connection.cursor() as cursor:
        cursor.execute(_SQL["old_keys"], {"kek_id": key_id(newest), "most": batch_rows})
        done = []
        for subject, number, wrapped, old in cursor.fetchall():
            plain = _unwrapped(keys, subject, number, wrapped, old)
            values = {"key": number, "wrapped": sealed(newest, plain.key, _whose(subject, plain.id)),
                      "kek_id": key_id(newest), "old": old}  # fmt: skip
            cursor.execute(_SQL["rewrap_key"], values)
            done.append(cursor.fetchone() == (True,))
    connection.commit()
    return done


def _found(cursor: Cursor, subject: int) -> tuple[Any, ...] | None:
    cursor.execute(_SQL["subject_key"], {"subject": subject})
    return cursor.fetchone()


def _unwrapped(
    keys: Sequence[bytes], subject: int, number: str, wrapped: memoryview, named: str
) -> SubjectKey:
    made = UUID(number)
    for one in keys:
        if key_id(one) == named and (plain := opened(one, bytes(wrapped), _whose(subject, made))):
            return SubjectKey(made, plain)
    raise SettingsError(
        f'the key of a person is encrypted with the key "{named}", which is not among those named',
        hint="name it too, behind the newest one, in VAULT_KEY_FILE or VAULT_KEY",
    )


def _lost(cursor: Cursor, text: bytes) -> SubjectError:
    if text[:1] == _FORM and len(text) >= _ID.stop:
        cursor.execute(_SQL["is_key_destroyed"], {"key": str(UUID(bytes=text[_ID]))})
        if cursor.fetchone() == (True,):
            return SubjectError("the key of that value was destroyed", hint="its person was erased")
    return SubjectError("the person has no key", hint="name the person that the value was encrypted for")


def _wrapping(keys: Sequence[bytes] | None) -> Sequence[bytes]:
    """Return what keys of people are encrypted with: made of *keys*, which may serve another purpose too."""
    return [derived(one, _PURPOSE) for one in (read_vault_keys() if keys is None else keys)]


def _whose(subject: int, number: UUID) -> bytes:
    return _PURPOSE + number.bytes + subject.to_bytes(8, "big", signed=True)


def _about(number: UUID, column: str) -> bytes:
    return b"agentdb subject value 1" + number.bytes + column.encode()
