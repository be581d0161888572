"""Find the rows of a block that the server refuses, and load all others, at a bounded cost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import psycopg2
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composed, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export.blame import Blame, judge
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column
from spotify_ai_agent_migrations.versions.bulk_import_export.prepare import Prepared, numbered
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Record

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session

_SIEVE: Final = Identifier("pg_temp", "agentdb_sieve")
_STEP_LEAST: Final = 64
# Each costs a few trips to the server; from so many in one block on, it goes on by itself.
_SIEVED_FROM: Final = 32
_POLICY: Final = "42501"
ANY_NUMBER: Final = (1 << 62) - 1
# What the stretch is called in the block that tries one after another.
STRETCH: Final = {"low": Statement("agentdb_low"), "high": Statement("agentdb_high")}


def record_of(columns: Sequence[Column]) -> Column:
    """Return the number of a record in the file: a column beside *columns*, where they are staged."""
    name = "agentdb_record"
    while name in {column.name for column in columns}:
        name += "_"
    return Column(name, "bigint")


@dataclass
class Bad:
    """A record that was refused, and why."""

    record: Record
    column: Column | None
    sqlstate: str
    reason: str


@dataclass(frozen=True)
class _Told:
    """What the server kept of an error, in the shape of the driver's."""

    record: int
    pgcode: str
    schema_name: str
    table_name: str
    constraint_name: str | None
    column_name: str | None
    message_primary: str
    context: str
    source_function: str | None = None

    @property
    def diag(self) -> _Told:
        return self


class Steps:
    """The rows of one block, loaded in parts: long ones while that goes well, short ones where not."""

    def __init__(self, session: Session, exact: Prepared) -> None:
        assert exact.kept is not None
        self._session = session
        self._exact = exact
        self._kept = exact.kept
        self._lines = _lines(exact.payload)
        self._at, self._step = 0, len(self._lines)
        self._refused = 0

    def load(self) -> Iterator[Bad]:
        """Load what can be loaded, and yield what cannot."""
        while self._at < len(self._lines):
            # What is only checked is kept nowhere, and so there is nothing to load from there.
            if self._refused >= _SIEVED_FROM and not self._session.options.only_checks:
                self._refused = 0
                sieved = Sieve(self._session).load(self._rest())
                if sieved is not None:
                    yield from sieved
                    return
            bad = self._next()
            if bad is not None:
                self._refused += 1
                yield bad

    def _next(self) -> Bad | None:
        """Load one part; where it holds a row that is refused and the place is told, up to that row."""
        size = min(self._step, len(self._lines) - self._at)
        found = self._try(size)
        if found is None:
            self._at, self._step = self._at + size, size * 2
            return None
        number = 1 if size == 1 else found.number
        if number is None or (number > 1 and self._try(number - 1) is not None):
            self._step = max(1, size // 2)
            return None
        bad = self._bad(number, found)
        # Behind it as far as was good before it: what is sent in vain stays in proportion.
        self._at, self._step = self._at + number, max(_STEP_LEAST, 4 * number)
        return bad

    def _rest(self) -> Prepared:
        """Return what is not loaded yet, with the number of each record."""
        payload = numbered(b"".join(self._lines[self._at :]), 1)
        kept = self._kept[self._at :]
        return replace(self._exact, payload=payload, sent=len(kept), kept=kept)

    def _bad(self, number: int, found: Blame) -> Bad:
        return Bad(self._kept[self._at + number - 1], found.column, found.sqlstate, found.reason)

    def _try(self, size: int) -> Blame | None:
        """Load *size* records; return what is at fault in them, and then none was loaded."""
        payload = b"".join(self._lines[self._at : self._at + size])
        with self._session.savepoint() as undo:
            try:
                self._session.load_text(payload, size)
            except psycopg2.Error as error:
                blamed = self._session.blame(error, undo)
                if blamed is None:
                    raise
                return blamed
        return None


class Sieve:
    """A temporary table from which the server itself loads row by row where it must."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cursor = session.cursor
        self._record = Identifier(record_of(session.columns).name)

    def load(self, rest: Prepared) -> list[Bad] | None:
        """Load COPY text that is numbered from 1; return what is refused.

        None, and nothing is loaded, where this cannot be done: the login may have no temporary tables, or
        the server is too old to pass over a value that its type refuses.
        """
        assert rest.kept is not None
        with self._session.savepoint() as undo:
            try:
                self._create()
                odd = self._session.fill_sieve(rest, _SIEVE)
                told = self._run(rest.sent, rest.sent - len(odd)) if odd is not None else []
            except psycopg2.Error:
                if self._session.connection.closed:
                    raise
                odd, told = None, []
            refused = [self._bad(rest.kept, one) for one in told]
            if odd is None or None in refused:
                undo()
                self._session.has_sieve = False
                return None
            self._cursor.execute(SQL["empty_sieve"])
        return [*odd, *filter(None, refused)]

    def _create(self) -> None:
        if self._session.has_sieve:
            return
        self._session.has_sieve = True
        names = _names(self._session.columns)
        self._cursor.execute(
            Statement(SQL["create_sieve"]).format(
                columns=names, table=self._session.into, record=self._record
            )
        )

    def _run(self, most: int, staged: int) -> list[_Told]:
        """Let the server load what it can, and return what it could not."""
        session = self._session
        values = Statement(", ").join(
            Statement("staged.{}").format(Identifier(column.name)) for column in session.columns
        )
        load = Statement(SQL["load_sieve"]).format(
            table=session.into, columns=_names(session.columns), values=values, record=self._record, **STRETCH
        )
        taken, refused = sift(session, load, first=1, most=most)
        session.refuse_missing(staged, taken + len(refused))
        return refused

    def _bad(self, kept: Sequence[Record], told: _Told) -> Bad | None:
        found = blame_of(self._session, told)
        return Bad(kept[told.record - 1], found.column, found.sqlstate, found.reason) if found else None


def sift(
    session: Session, load: Composed, *, first: int, most: int, allowed: int = ANY_NUMBER
) -> tuple[int, list[_Told]]:
    """Let the server do *load* in stretches; return how many rows were taken, and which were refused.

    Time: in proportion to the rows, with a few tries for each refused. One more than *allowed* ends it.
    """
    cursor = session.cursor
    cursor.execute(SQL["create_refused"])
    cursor.execute(
        Statement(SQL["run_sieve"]).format(
            load=load,
            first=Literal(first),
            most=Literal(most),
            allowed=Literal(allowed),
            # No name of a column can hold it, and so end the text of the block.
            tag=Statement("$agentdb_" + secrets.token_hex(16) + "$"),
        )
    )
    cursor.execute(SQL["refused_by_sieve"])
    told = [_Told(*row) for row in cursor.fetchall()]
    cursor.execute(SQL["empty_refused"])
    taken = sum(int(one.message_primary) for one in told if not one.record)
    return taken, [one for one in told if one.record]


def blame_of(session: Session, told: _Told) -> Blame | None:
    """Return what is at fault in a row that was refused; None where it is not the row."""
    if told.pgcode == _POLICY and not told.context and session.options.row_security:
        # The login may do what it does, or not one row would have come so far.
        told = replace(told, source_function="ExecWithCheckOptions")
    # It has all that is asked of an error of the driver.
    error = cast(Any, told)
    return judge(error, session.load, session.constraint(error))


def _names(columns: Sequence[Column]) -> Composed:
    return Statement(", ").join(Identifier(column.name) for column in columns)


def _lines(payload: bytes) -> list[bytes]:
    return [line + b"\n" for line in payload.split(b"\n")[:-1]]
