"""Load blocks over one connection, and find the rows of a block that cannot be loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final, cast

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composed, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export.blame import (
    Blame,
    Load,
    judge,
    wrong_value,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL, Constraint, read_constraint
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column
from spotify_ai_agent_migrations.versions.bulk_import_export.prepare import (
    HEADER,
    NO_QUOTE,
    Finder,
    Prepared,
    Preparer,
    raw_null,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record
from spotify_ai_agent_migrations.versions.bulk_import_export.rejects import Reject, shown_record
from spotify_ai_agent_migrations.versions.bulk_import_export.stepwise import Bad, Steps, record_of
from spotify_ai_agent_migrations.versions.core.errors import TableError

_BUFFER_BYTES: Final = 4 << 20
_SOFT_ERRORS_SINCE: Final = 170_000


@dataclass(frozen=True)
class Outcome:
    """What came of a block: `loaded` + rejected + `skipped` is what it held."""

    prepared: Prepared
    loaded: int
    rejects: tuple[Reject, ...] = ()
    skipped: int = 0


class _Notices:
    """Takes what the server says; a list of the driver's own keeps 50."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def append(self, text: str) -> None:
        """Keep one notice."""
        self.texts.append(text)


@dataclass
class Session:
    """One connection that loads blocks in one transaction, or in one each."""

    connection: Connection
    load: Load
    preparer: Preparer
    options: Options
    into: Composed
    columns: tuple[Column, ...]
    cursor: Cursor = field(init=False)
    has_sieve: bool = False
    is_numbering: bool = False

    def __post_init__(self) -> None:
        self.cursor = self.connection.cursor()
        self._notices = _Notices()
        # A list of the driver's own keeps 50; all that it calls is `append`.
        self.connection.notices = cast(Any, self._notices)
        self._keeps = self.options.keeps_rejects and self.load.source.dialect.format != "binary"
        self._soft = self._keeps and self.connection.server_version >= _SOFT_ERRORS_SINCE
        self._by_name = columns_by_field(self.load)
        self._constraints: dict[tuple[str, str, str], Constraint | None] = {}

    def begin(self) -> None:
        """Set what a transaction of the load needs."""
        self.cursor.execute(SQL["import_session"])
        if self.options.keeps_rejects:
            # A foreign key that is checked at the end would end all of it.
            self.cursor.execute(SQL["check_constraints"])

    def send(self, prepared: Prepared) -> Outcome:
        """Load a block; without rejects, the first error is raised as the driver's.

        Raises:
            psycopg2.Error: the server refused it, and no row is at fault or none may be.
            TableError: rows went missing on the way, by a trigger.
        """
        faults = tuple(self._fault(prepared, fault) for fault in prepared.faults)
        if self.is_numbering:
            self.cursor.execute(SQL["number_from"], {"first": prepared.first})
        if not self._keeps:
            loaded = self._copy(prepared.kind, prepared.payload, prepared.sent)
            self.refuse_missing(prepared.sent, loaded)
            return Outcome(prepared, loaded)
        bad, prepared = self._with_rejects(prepared)
        rejects = tuple(self._reject(prepared, one) for one in bad)
        faults = faults or tuple(self._fault(prepared, fault) for fault in prepared.faults)
        return Outcome(
            prepared, prepared.sent - len(bad), tuple(sorted((*faults, *rejects), key=lambda one: one.offset))
        )

    def refuse_missing(self, sent: int, loaded: int) -> None:
        """Refuse to go on when the table took fewer rows than were sent.

        Raises:
            TableError: it did.
        """
        if sent != loaded:
            raise missing(self.load, sent, loaded)

    def _with_rejects(self, prepared: Prepared) -> tuple[list[Bad], Prepared]:
        """Load what can be loaded; return what cannot, and the block as it was sent in the end."""
        with self.savepoint() as undo:
            try:
                loaded = self._copy(prepared.kind, prepared.payload, prepared.sent, soft=self._soft)
                if loaded == prepared.sent:
                    return [], prepared
                found = self._skipped(prepared)
                if found is not None and loaded + len(found) == prepared.sent:
                    return found, prepared
                if found is not None and not self._notices.texts:
                    raise missing(self.load, prepared.sent, loaded + len(found))
            except psycopg2.Error as error:
                if self.blame(error, undo) is None:
                    raise
            undo()
        exact = (
            self.preparer.exact(prepared.number, prepared.block, prepared.first, keeps=True)
            if prepared.kept is None
            else prepared
        )
        return list(Steps(self, exact).load()), exact

    def _skipped(self, prepared: Prepared) -> list[Bad] | None:
        """Return the records that the server says it skipped; None where that cannot be understood."""
        if not self._soft:
            return []
        # The driver takes the notices in with the next statement only.
        self.cursor.execute(SQL["nothing"])
        # The last one says how many there were.
        finder = Finder(prepared, self.load.source)
        places = [self._place(finder, text) for text in self._notices.texts[:-1]]
        found = [place for place in places if place is not None]
        if len(found) < len(places):
            return None
        self._notices.texts.clear()
        return self._explained(found)

    def _place(self, finder: Finder, notice: str) -> tuple[Record, Column] | None:
        """Read line and column out of a notice, in whatever language it is."""
        match = re.search(r"\d+", notice)
        record = finder.at(int(match[0])) if match else None
        # The server skips a line for its first value before it misses others.
        if match is None or record is None or len(record.fields) != len(self.load.source.header):
            return None
        column = _named_first(notice[match.end() :], self.columns)
        return (record, column) if column is not None else None

    def _explained(self, found: Sequence[tuple[Record, Column]]) -> list[Bad]:
        """Ask the server why it refused each value: a notice does not say."""
        if not found:
            return []
        values = [self._text(record, column) for record, column in found]
        types = [column.type for _, column in found]
        self.cursor.execute(SQL["input_errors"], {"values": values, "types": types})
        codes = [str(code or "22P02") for (code,) in self.cursor.fetchall()]
        return [
            Bad(record, column, code, wrong_value(code, column))
            for (record, column), code in zip(found, codes, strict=True)
        ]

    def _text(self, record: Record, column: Column) -> str | None:
        index = self.columns.index(column)
        value = self.load.layout.values(record)[index] if index < len(self.load.layout.columns) else None
        return None if value is None else value.decode("utf-8", "replace")

    def blame(self, error: psycopg2.Error, undo: Callable[[], None]) -> Blame | None:
        """Return which row *error* blames, and undo what led to it; None where it is no row's fault."""
        if self.connection.closed or judge(error, self.load, None) is None:
            return None
        undo()
        return judge(error, self.load, self.constraint(error))

    def constraint(self, error: psycopg2.Error) -> Constraint | None:
        """Return the constraint that *error* names."""
        schema, table, name = error.diag.schema_name, error.diag.table_name, error.diag.constraint_name
        if not name:
            return None
        asked = schema or "", table or "", name
        if asked not in self._constraints:
            # Nobody alters the table meanwhile: the load holds a lock on it.
            self._constraints[asked] = read_constraint(self.cursor, *asked)
        return self._constraints[asked]

    def load_text(self, payload: bytes, records: int) -> None:
        """Load COPY text, all of it or none.

        Raises:
            psycopg2.Error: the server refused a row.
            TableError: a trigger kept one from the table.
        """
        self.refuse_missing(records, self._copy("text", payload, records))

    def savepoint(self) -> _Savepoint:
        """Return a savepoint for the block; what it yields undoes the block."""
        return _Savepoint(self.cursor)

    def fill_sieve(self, prepared: Prepared, sieve: Identifier) -> list[Bad] | None:
        """Load COPY text with the number of each record into *sieve*; return what no type takes.

        None where it cannot be told.
        """
        columns = (*self.columns, record_of(self.columns))
        statement = copy_statement("text", self, soft=self._soft, into=sieve, columns=columns)
        loaded = self._copy("text", prepared.payload, prepared.sent, statement=statement)
        if loaded == prepared.sent:
            return []
        found = self._skipped(prepared)
        return found if found is not None and loaded + len(found) == prepared.sent else None

    def _copy(
        self,
        kind: str,
        payload: bytes,
        records: int,
        *,
        soft: bool = False,
        statement: Composed | None = None,
    ) -> int:
        """Send *payload* and return how many rows the table took."""
        if not records:
            return 0
        statement = statement or copy_statement(kind, self, soft=soft)
        data: Any = _Behind(HEADER, payload) if kind == "csv" else BytesIO(payload)
        self._notices.texts.clear()
        self.cursor.copy_expert(statement, data, size=_BUFFER_BYTES)
        if self.options.only_checks:
            return records if not soft else self._would_load(records)
        return self.cursor.rowcount

    def _would_load(self, records: int) -> int:
        self.cursor.execute(SQL["nothing"])
        return records - max(0, len(self._notices.texts) - 1)

    def _fault(self, prepared: Prepared, fault: Malformed) -> Reject:
        header = self.load.source.header
        name = header[fault.field] if fault.field is not None and fault.field < len(header) else None
        return Reject(
            fault.line, prepared.block.offset + fault.start, fault.end - fault.start, name, fault.sqlstate,
            fault.problem, {}, tuple(header),
        )  # fmt: skip

    def _reject(self, prepared: Prepared, bad: Bad) -> Reject:
        source, record = self.load.source, bad.record
        values, masked = shown_record(source.header, record.fields, self._by_name)
        name = self._field_of(bad.column)
        return Reject(
            record.line, prepared.block.offset + record.start, record.end - record.start, name, bad.sqlstate,
            bad.reason, values, masked,
        )  # fmt: skip

    def _field_of(self, column: Column | None) -> str | None:
        """Return the name in the header of the field that fills *column*."""
        if column is None:
            return None
        return next((name for name, found in self._by_name.items() if found == column), column.name)


class _Behind:
    """Gives one text behind the other, which are not joined for it: the second may be long."""

    def __init__(self, first: bytes, second: bytes) -> None:
        self._first = first
        self._second = BytesIO(second)

    def read(self, size_bytes: int) -> bytes:
        """Give so many bytes at most; none at the end."""
        first, self._first = self._first, b""
        return first or self._second.read(size_bytes)


class _Savepoint:
    """A savepoint that is released at the end of the block: open ones pile up on the server."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def __enter__(self) -> Callable[[], None]:
        self._cursor.execute(SQL["savepoint"])
        return lambda: self._cursor.execute(SQL["back_to_savepoint"])

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._cursor.execute(SQL["release_savepoint"])


def columns_by_field(load: Load) -> Mapping[str, Column]:
    """Return the columns by the names of the fields that fill them."""
    layout = load.layout
    pairs = zip(layout.picks, layout.columns, strict=True)
    return {layout.header[place]: column for place, column in pairs if place is not None}


def _named_first(text: str, columns: Sequence[Column]) -> Column | None:
    """Return the column that *text* names first, in the quotes of whatever language it is in."""
    found: dict[int, Column] = {}
    for column in columns:
        match = re.search(rf"[\"«„“]\s?{re.escape(column.name)}\s?[\"»“”]", text)
        if match is not None:
            found.setdefault(match.start(), column)
    return found[min(found)] if found else None


def copy_statement(
    kind: str, session: Session, *, soft: bool, into: Identifier | None = None,
    columns: Sequence[Column] | None = None,
) -> Composed:  # fmt: skip
    """Return the COPY for a payload of *kind*; no value of the caller is in it but as a literal."""
    grammar = session.load.source.grammar
    return Statement(SQL[f"import_{kind}"]).format(
        table=into or session.into,
        columns=Statement(", ").join(Identifier(column.name) for column in columns or session.columns),
        delimiter=Literal(grammar.delimiter.decode()),
        quote=Literal((grammar.quote or NO_QUOTE).decode()),
        null=Literal(raw_null(grammar) or ""),
        soft=Statement(SQL["soft_errors"] if soft else ""),
        only=Statement(SQL["nowhere"] if session.options.only_checks else ""),
    )


def missing(load: Load, sent: int, loaded: int) -> TableError:
    """Say that a trigger kept rows from the table."""
    return TableError(
        f'{load.table.qualified} took {loaded} of the {sent} rows of "{load.source.name}"; {load.left}',
        hint=f"look for a trigger on {load.table.qualified} that drops rows",
    )
