"""Seal what has been written, block by block, and send the digests of the seals out of the database.

A writer meets no lock. Each block is one transaction that sees one instant: whatever its transactions wrote
is there, for all of them have ended, and nobody can add to it behind the seal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final

from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED, ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal
from spotify_ai_agent_migrations.versions.audit_trail.digest import digest_line
from spotify_ai_agent_migrations.versions.audit_trail.merkle import Tree, leaf_hash
from spotify_ai_agent_migrations.versions.audit_trail.plan import (
    Block,
    Numbers,
    Signer,
    Standing,
    block_of,
    doubt,
    sealed,
    shortened,
)
from spotify_ai_agent_migrations.versions.audit_trail.sinks import Sink
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.core.sql import queries

BLOCK_ROWS: Final = 65_536
_SQL: Final = queries("spotify_ai_agent_migrations.versions.audit_trail")
_FETCHED_ROWS: Final = 10_000
_COMMITTED_ROWS: Final = 20_000
# What one sink is sent in one round: whoever was away for a week holds up nobody who seals.
_TOLD_SEALS: Final = 1_000

Continues = Callable[[], bool]


@dataclass(frozen=True)
class Anchored:
    """How many digests a sink got, and what kept the others from it, which the next round sends again."""

    sink: str
    seals: int
    problem: str = ""


class _BareEntryError(Exception):
    """An entry without a commitment is in the way."""


def seal_pending(
    connection: Connection, key: Signer, *, block_rows: int, goes_on: Continues
) -> Iterator[Seal]:
    """Seal all that had ended when this began, and yield each seal once it is committed.

    Stops between two blocks when *goes_on* no longer holds. Memory: as many entries as are fetched at once,
    and one hash for each bit of their number.
    """
    until: int | None = None
    reached = 0
    while goes_on():
        made, reached, until = _seal_next(connection, key, most=block_rows, reached=reached, until=until)
        if made:
            yield made
        if reached >= until:
            return


def tell(connection: Connection, sink: Sink) -> Anchored:
    """Send one sink the digests that it has not got, in their order, and remember those that arrived.

    One that arrived and could not be remembered is sent again: each comes at least once.
    """
    waiting = [seal_of(row) for row in _ask(connection, "to_be_told", sink=sink.name, most=_TOLD_SEALS)]
    connection.commit()
    if not waiting:
        return Anchored(sink.name, 0)
    arrived = sink.send([digest_line(seal) for seal in waiting])
    if arrived.count:
        told = [seal.id for seal in waiting[: arrived.count]]
        _ask(connection, "anchored", sink=sink.name, seals=told)
        connection.commit()
    return Anchored(sink.name, arrived.count, arrived.problem)


def beat(connection: Connection) -> None:
    """Say in the database that sealing goes on."""
    _ask(connection, "beat")
    connection.commit()


def redact_entries(connection: Connection, entries: Sequence[int]) -> int:
    """Take from *entries* what could name somebody; return how many had not lost it before."""
    ((count,),) = _ask(connection, "redact", entries=list(entries))
    connection.commit()
    return int(count)


def seal_of(row: Sequence[Any]) -> Seal:
    """Return the seal that *row* holds, as the server sends it."""
    values = list(row)
    for place in (3, 8, 13, 14):
        values[place] = bytes(values[place])
    values[4], values[5] = int(values[4]), int(values[5])
    return Seal(*values)


def _seal_next(
    connection: Connection, key: Signer, *, most: int, reached: int, until: int | None
) -> tuple[Seal | None, int, int]:
    """Seal one block; return it, the transaction before which all is sealed, and the one to go on to."""
    while True:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
        standing = _standing(connection, key)
        until = standing.ended if until is None else until
        block = _next_block(connection, standing, most=most, since=reached, until=until)
        try:
            made = _sealed_block(connection, standing, block, key, since=reached) if block else None
        except _BareEntryError:
            assert block is not None
            connection.rollback()
            if not _commit_entries(connection, since=block.first_xid):
                raise DatabaseError(
                    "an entry of the trail has no commitment and can be given none",
                    hint="a column of it is NULL that should never be; look for commitment IS NULL",
                ) from None
            continue
        connection.commit()
        return made, block.horizon if block else until, until


def _standing(connection: Connection, key: Signer) -> Standing:
    ((identifier, timeline, now, ended, unborn),) = _ask(connection, "standing")
    last = next((seal_of(row) for row in _ask(connection, "last_seal")), None)
    why = doubt(last, key) if last else None
    if last and why:
        raise DatabaseError(
            f"seal {last.id}, the last one, {why}; nothing was sealed behind it",
            hint="`agentdb audit-trail verify` says what is wrong; restore the seal from its digest",
        )
    return Standing(last, identifier, timeline, now, int(ended), int(unborn))


def _next_block(
    connection: Connection, standing: Standing, *, most: int, since: int, until: int
) -> Block | None:
    """Return the next block, of at most so many entries unless one transaction wrote more, or None."""
    whole = block_of(standing)
    if whole.begins:
        return whole
    bounds = {"since": str(max(since, whole.first_xid)), "until": str(until)}
    ((first, cut),) = _ask(connection, "pending", most=most, **bounds)
    if first is None:
        return None
    ends = Block(whole.epoch, whole.first_xid, until)
    return shortened(ends, first=int(first), cut=None if cut is None else int(cut))


def _sealed_block(
    connection: Connection, standing: Standing, block: Block, key: Signer, *, since: int
) -> Seal | None:
    tree, numbers = Tree(), Numbers()
    for ids, leaves in _leaves(connection, block, since=since):
        for number in ids:
            if number == numbers.last:
                raise DatabaseError(
                    f"entry {number} is there twice, so nothing was sealed from there on",
                    hint="whoever owns the table put one of them in: take it out, then seal again",
                )
            numbers.add(number)
        tree.add_all(leaves)
    if not numbers.count:
        return None
    made = sealed(
        standing, block, entry_count=numbers.count, entry_ids=str(numbers), root=tree.root(), key=key
    )
    xids = {"first_xid": str(made.first_xid), "horizon": str(made.horizon)}
    _ask(connection, "add_seal", **asdict(made) | xids)
    return made


def _leaves(connection: Connection, block: Block, *, since: int) -> Iterator[tuple[list[int], bytes]]:
    """Yield numbers of entries, and the hashes of their leaves one behind the other, thousands at once."""
    values = {"since": str(max(since, block.first_xid)), "until": str(block.horizon)}
    name = "first_block"
    if not block.begins:
        name = "block"
        ((began_with,),) = _ask(connection, "began_with", epoch=block.epoch)
        values["began_with"] = began_with
    with closing(connection.cursor("agentdb_block")) as cursor:
        cursor.itersize = _FETCHED_ROWS
        cursor.execute(_SQL[name], values)
        while rows := cursor.fetchmany(_FETCHED_ROWS):
            if any(commitment is None for _, commitment in rows):
                raise _BareEntryError
            yield [number for number, _ in rows], b"".join([leaf_hash(bytes(each)) for _, each in rows])


def _commit_entries(connection: Connection, *, since: int) -> int:
    """Let the entries that are older than commitments have one, thousands in a transaction; count them."""
    connection.set_session(isolation_level=ISOLATION_LEVEL_READ_COMMITTED)
    reached, total = str(since), 0
    while True:
        ((count, last),) = _ask(connection, "commit_entries", since=reached, most=_COMMITTED_ROWS)
        connection.commit()
        if not count:
            return total
        reached, total = last, total + count


def _ask(connection: Connection, name: str, **values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL[name], values)
        return cursor.fetchall()
