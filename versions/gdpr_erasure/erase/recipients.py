"""Who else holds data of a person, how they are told of an erasure, and what they know the person by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from psycopg2.extensions import AsIs
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composed, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Refusal
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import ROW, Escaped, rows_of, source_of

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_KEYS: Final = frozenset({"as", "table", "column", "where"})
_FORM: Final = 'write {"as": "email", "table": "public.users", "column": "email"} into knows_by'


@dataclass(frozen=True)
class KnownBy:
    """A column whose values a recipient knows a person by.

    called: what the recipient calls it. where: what other columns of the row have to hold, as texts.
    """

    called: str
    table: str
    column: str
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipient:
    """Somebody who holds data; `channel` is None where nobody has decided how they are told."""

    code: str
    channel: str | None
    knows_by: tuple[KnownBy, ...]
    malformed: int = 0


def read_recipients(cursor: Cursor) -> tuple[Recipient, ...]:
    """Return those who have to be told of an erasure; an authority need not be (GDPR art. 4(9))."""
    cursor.execute(_SQL["recipients_to_tell"])
    return tuple(_recipient(*row) for row in cursor.fetchall())


def _recipient(code: str, channel: str | None, written: Sequence[Any]) -> Recipient:
    found = [_known_by(one) for one in written]
    known = tuple(one for one in found if one is not None)
    return Recipient(code, channel, known, len(found) - len(known))


def _known_by(one: Any) -> KnownBy | None:  # noqa: ANN401  (whatever JSON holds)
    """Return what is written, None where it is not of the form."""
    if not isinstance(one, dict) or not {"as", "table", "column"} <= set(one) <= _KEYS:
        return None
    where = one.get("where", {})
    texts = [one["as"], one["table"], one["column"], *(where.values() if isinstance(where, dict) else [None])]
    if not all(isinstance(text, str) for text in texts):
        return None
    return KnownBy(one["as"], one["table"], one["column"], where)


def untellable(
    catalogue: Catalogue, reaches: Sequence[Reach], recipients: Sequence[Recipient]
) -> Iterator[Refusal]:
    """Yield why recipients could not be told: once a person is erased, nobody knows them any more."""
    owned = {reach.name: reach.owned() for reach in reaches}
    for one in recipients:
        place = f'recipient "{one.code}"'
        if one.channel is None:
            yield Refusal(
                place,
                "has no channel that it is told of an erasure by",
                "set notice_channel and knows_by of ops.recipients; 'none' is for who holds no copy",
            )
        for _ in range(one.malformed):
            yield Refusal(place, "knows people by something that cannot be read", _FORM)
        for known in one.knows_by:
            problem = _unreadable(catalogue, owned, known)
            if problem is not None:
                yield Refusal(place, problem, "set knows_by of ops.recipients to columns of a person's rows")


def _unreadable(catalogue: Catalogue, owned: Mapping[str, Reach | None], known: KnownBy) -> str | None:
    columns = {column.name: column for column in catalogue.columns_of(known.table)}
    for name in (known.column, *known.where):
        if name not in columns:
            return f'knows people by the column "{name}" of "{known.table}", which the catalogue lacks'
        if columns[name].strategy is Strategy.SHRED:
            return f'knows people by the column "{name}" of "{known.table}", which is encrypted'
    if owned.get(known.table) is None:
        return f'knows people by "{known.table}", where no row is of one person alone'
    return None


def identifiers(
    cursor: Cursor, erasure: UUID, recipient: Recipient, reaches: Mapping[str, Reach]
) -> tuple[tuple[str, str], ...]:
    """Return what *recipient* knows the person of an erasure by: names of its own, and values.

    The server finds the number of the person by the erasure: no statement holds it.
    """
    found: dict[tuple[str, str], None] = {}
    for known in recipient.knows_by:
        cursor.execute(_values(reaches[known.table], known), {"subject": _subject(cursor, erasure)})
        found.update(((known.called, row[0]), None) for row in cursor.fetchall())
    return tuple(found)


def _subject(cursor: Cursor, erasure: UUID) -> AsIs:
    """Return what stands for the person in a statement."""
    return AsIs(SQL(_SQL["subject_of"]).format(Literal(str(erasure))).as_string(cursor))


def _values(reach: Reach, known: KnownBy) -> Composed:
    column = Escaped(Identifier(ROW, known.column))
    conditions = [rows_of(reach), SQL("{} IS NOT NULL").format(column)]
    for name, value in known.where.items():
        conditions.append(
            SQL("{}::text = {}").format(Escaped(Identifier(ROW, name)), Escaped(Literal(value)))
        )
    return SQL("SELECT DISTINCT {}::text FROM {} WHERE {} ORDER BY 1").format(
        column, source_of(reach), SQL(" AND ").join(conditions)
    )
