"""Keep objections in force when the addresses they were made for are gone (GDPR art. 21)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Refusal
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, SUBJECT, about
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.probing import texts_of
from spotify_ai_agent_migrations.versions.gdpr_erasure.scanning import searched
from spotify_ai_agent_migrations.versions.gdpr_erasure.suppression import hashes, key_id, read_keys


def of_objections(cursor: Cursor) -> tuple[Refusal, ...]:
    """Return why the person whom the session is about cannot be erased: objections would be forgotten.

    There is nothing to say where they object to nothing, are known by no address, or there is a key to hash
    addresses with (`SUPPRESSION_KEY`).
    """
    if not _addresses(cursor):
        return ()
    try:
        read_keys()
    except SettingsError as missing:
        problem = (
            f"holds objections that would be forgotten with the addresses they are about: {missing.problem}"
        )
        return (Refusal("public.objections", problem, missing.hint),)
    return ()


def suppress(cursor: Cursor, erasure: UUID, subject: int, keys: Sequence[bytes] | None = None) -> int:
    """Keep the addresses of *subject* from what they object to; return how many are that were not before.

    In the transaction that hides them, before an address is erased. No address leaves this process, and no
    hash stands in a statement.

    Raises:
        SettingsError: there is no key to hash with.
    """
    about(cursor, subject)
    found = _addresses(cursor)
    if not found:
        return 0
    first = (read_keys() if keys is None else keys)[0]
    made = sorted({one.hex() for one in hashes(found, (first,))})
    cursor.execute(STATEMENTS["hashes"], {"hashes": ",".join(made)})
    cursor.execute(STATEMENTS["suppress"], {"erasure": str(erasure), "key_id": key_id(first)})
    ((count,),) = cursor.fetchall()
    return int(count)


def _addresses(cursor: Cursor) -> tuple[str, ...]:
    """Return the addresses of the person whom the session is about, if they object to anything."""
    cursor.execute(STATEMENTS["objects"], {"subject": SUBJECT})
    if cursor.fetchone() == (False,):
        return ()
    return tuple(sorted(set(_contacts(cursor))))


def _contacts(cursor: Cursor) -> Iterator[str]:
    """Yield the texts of the catalogue's columns of contact, in the rows that are theirs."""
    catalogue = read_catalogue(cursor)
    texts = {(one.table, one.name) for one in searched(cursor)}
    for owned in filter(None, (reach.owned() for reach in reached(catalogue))):
        for column in catalogue.columns_of(owned.name):
            is_theirs = column.class_ == "contact" and column.people == "users" and not column.follows
            if is_theirs and (owned.name, column.name) in texts:
                yield from texts_of(cursor, owned, column.name, SUBJECT)
