"""Objections (GDPR art. 21): of a person to a purpose, and of an address whoever it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import answer
from spotify_ai_agent_migrations.versions.gdpr_erasure.suppression import hashes, key_id, read_keys


def object_to(
    person: int | None,
    purpose: str,
    *,
    identifiers: Iterable[str] = (),
    grounds: str | None = None,
    keys: Sequence[bytes] | None = None,
    signed_in: int | None = None,
    url: str | None = None,
) -> int | None:
    """Record that *person* objects to *purpose*, and return the number of the objection.

    person: None has no account, and the answer is None then.
    identifiers: addresses and numbers that must not be used for it, even once the person is erased; only
        their keyed hashes are kept.
    keys: to hash with, the first of them; from outside the database without, see `suppression.read_keys`.
    signed_in: the person who acts, if it is the application that asks.

    Raises:
        SettingsError: there are identifiers and no key.
        DatabaseError: the purpose rests on a contract or a law.
    """
    given = tuple(identifiers)
    first = _keys(given, keys)[:1]
    values = {"person": person, "purpose": purpose, "grounds": grounds, "hmacs": hashes(given, first),
              "key_id": key_id(first[0]) if first else None}  # fmt: skip
    number = answer("object_to", values, url=url, signed_in=signed_in)
    return None if number is None else int(number)


def withdraw_objection(
    person: int | None,
    purpose: str,
    *,
    identifiers: Iterable[str] = (),
    keys: Sequence[bytes] | None = None,
    signed_in: int | None = None,
    url: str | None = None,
) -> bool:
    """Record that *person* takes the objection back, also for *identifiers*; return whether there was one."""
    given = tuple(identifiers)
    values = {"person": person, "purpose": purpose, "hmacs": hashes(given, _keys(given, keys))}
    return bool(answer("withdraw_objection", values, url=url, signed_in=signed_in))


def override_objection(person: int, purpose: str, reasons: str, *, url: str | None = None) -> datetime:
    """Record that compelling grounds outweigh an objection, as the person was told with *reasons*.

    Raises:
        DatabaseError: it is to direct marketing, which nothing outweighs; or there is none.
    """
    values = {"person": person, "purpose": purpose, "reasons": reasons}
    overridden: datetime = answer("override_objection", values, url=url)
    return overridden


def is_suppressed(
    identifier: str, purpose: str, *, keys: Sequence[bytes] | None = None, url: str | None = None
) -> bool:
    """Tell whether an address or number must not be used for *purpose*, in whatever spelling it objected.

    To be asked before the first use of any address, one that came from elsewhere above all.
    """
    given = (identifier,)
    return bool(
        answer("is_suppressed", {"hmacs": hashes(given, _keys(given, keys)), "purpose": purpose}, url=url)
    )


def _keys(identifiers: Sequence[str], keys: Sequence[bytes] | None) -> Sequence[bytes]:
    if not identifiers:
        return ()
    return read_keys() if keys is None else keys
