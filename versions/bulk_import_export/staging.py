"""Bring rows that are staged in a temporary table into their own, where they meet those that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import psycopg2
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composable, Composed, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export.blame import NOT_A_ROWS, Blame, Load, row_error
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column, Table, names_of, quoted
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Record
from spotify_ai_agent_migrations.versions.bulk_import_export.rejects import Reject, shown_record
from spotify_ai_agent_migrations.versions.bulk_import_export.session import (
    Session,
    columns_by_field,
    missing,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.stepwise import (
    ANY_NUMBER,
    STRETCH,
    blame_of,
    record_of,
    sift,
)
from spotify_ai_agent_migrations.versions.core.errors import TableError

STAGING: Final = "agentdb_staging"
# Types that know no equality: their text is compared.
_INCOMPARABLE: Final = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")
_NO_SUCH_KEY: Final = "42P10"


@dataclass(frozen=True)
class Applied:
    """What came of staged rows: `skipped` were there already, or not the last of their key."""

    loaded: int
    skipped: int
    refused: tuple[tuple[int, Blame], ...] = ()
    deleted: int = 0


def find_key(table: Table, columns: Sequence[Column], options: Options) -> tuple[str, ...]:
    """Return the columns by which rows of the file and of the table are told apart.

    Raises:
        TableError: none are given and there is no primary key, or the file does not fill one of them.
    """
    if options.mode not in {"ignore", "upsert", "merge"} or (options.mode == "ignore" and not options.key):
        return ()
    key = options.key or table.primary_key
    if not key:
        raise TableError(
            f"{table.qualified} has no primary key to {options.mode} by",
            hint="name the columns of a unique index: key=…",
        )
    names = [column.name for column in columns]
    lacking = [name for name in key if name not in names]
    if lacking:
        raise TableError(
            f"the file does not fill {', '.join(map(quoted, lacking))}, "
            f"by which rows of {table.qualified} are told apart",
            hint=f"it fills {names_of(columns)}; name others of a unique index: key=…",
        )
    return tuple(key)


class Staging:
    """The staged rows of one session."""

    def __init__(self, session: Session, key: tuple[str, ...]) -> None:
        self._session = session
        self._cursor = session.cursor
        self._table = session.load.table
        self._columns = session.load.layout.columns
        self._key = key
        self._twice = False
        # Whether the index of the key takes one NULL for another.
        self._alike = False

    def create(self) -> None:
        """Create the temporary table."""
        names = _names(self._columns)
        self._cursor.execute(Statement(SQL["create_staging"]).format(columns=names, table=self._into))
        self._cursor.execute(Statement(SQL["number_staging"]).format(record=self._record))
        if self._key:
            values = {"relation": self._table.oid, "key": list(self._key)}
            self._cursor.execute(SQL["nulls_alike"], values)
            row = self._cursor.fetchone()
            self._alike = bool(row and row[0])

    def apply(self, low: int, high: int) -> Applied:
        """Bring records *low* to *high* of the file into the table.

        Raises:
            psycopg2.Error: a row is refused, and none may be.
            TableError: no unique index is on the key.
        """
        self._cursor.execute(SQL["analyze_staging"])
        staged = self._count(low, high)
        loaded, refused = self._apply(low, high)
        insists = self._session.options.mode in {"insert", "replace"} and len(refused) <= self._allowed
        if insists and loaded + len(refused) != staged:
            raise missing(self._session.load, staged, loaded + len(refused))
        if self._session.options.mode == "merge":
            self._refuse_unknown()
        deleted = self._delete_others() if self._session.options.mode == "merge" else 0
        return Applied(loaded, staged - loaded - len(refused), tuple(refused), deleted)

    def _apply(self, low: int, high: int) -> tuple[int, list[tuple[int, Blame]]]:
        """Apply a stretch of the file; where a row of it is refused, all others."""
        found = self._try(low, high)
        if isinstance(found, int):
            return found, []
        return self._sift(low, high) or self._halve(low, high)

    def _sift(self, low: int, high: int) -> tuple[int, list[tuple[int, Blame]]] | None:
        """Let the server find what it refuses; None, and nothing is applied, where it cannot be told."""
        keyed = self._session.options.mode in {"upsert", "merge"}
        load = self._statement("apply_last" if keyed else "apply_all", STRETCH)
        with self._session.savepoint() as undo:
            try:
                self._cursor.execute(Statement(SQL["index_staging"]).format(record=self._record))
                taken, told = sift(self._session, load, first=low, most=high, allowed=self._allowed)
            except psycopg2.Error as error:
                if self._session.connection.closed or (error.pgcode or "").startswith(NOT_A_ROWS):
                    raise
                undo()
                return None
            blamed = [(one.record, blame_of(self._session, one)) for one in told]
            refused = [(number, found) for number, found in blamed if found is not None]
            if len(refused) == len(told):
                return taken, refused
            undo()
        return None

    @property
    def _allowed(self) -> int:
        """How many rows may be refused; a share of all of them is known at the end of the file only."""
        options = self._session.options
        if not options.keeps_rejects:
            return 0
        return int(options.max_rejects) if options.max_rejects >= 1 and not options.dry_run else ANY_NUMBER

    def _halve(self, low: int, high: int) -> tuple[int, list[tuple[int, Blame]]]:
        """Apply each half of a stretch, and each half of what is refused of it, in order."""
        found = self._try(low, high)
        if isinstance(found, int):
            return found, []
        if low == high:
            return 0, [(low, found)]
        middle = (low + high) // 2
        first, second = self._halve(low, middle), self._halve(middle + 1, high)
        return first[0] + second[0], first[1] + second[1]

    def _try(self, low: int, high: int) -> int | Blame:
        stretch = {"low": Literal(low), "high": Literal(high)}
        if not self._session.options.keeps_rejects:
            return self._insert_all(low, high, stretch)
        with self._session.savepoint() as undo:
            try:
                return self._insert(stretch)
            except psycopg2.Error as error:
                blamed = self._session.blame(error, undo)
                if blamed is None:
                    raise
                return blamed

    def _insert_all(self, low: int, high: int, stretch: Mapping[str, Composable]) -> int:
        """Insert a stretch; where the server refuses a row of it without saying which, find the first.

        Raises:
            psycopg2.Error: a row is refused.
            RowError: names it.
        """
        with self._session.savepoint() as undo:
            try:
                return self._insert(stretch)
            except psycopg2.Error as error:
                if self._session.blame(error, undo) is None:
                    raise
                _, refused = self._sift(low, high) or (0, [])
                if not refused:
                    raise
                number, found = refused[0]
                records = self._session.load.source.numbered({number})
                record = records[number][0] if number in records else None
                raise row_error(replace(found, number=number), self._session.load, record) from error

    def _insert(self, stretch: Mapping[str, Composable]) -> int:
        if not self._twice and self._session.options.mode in {"upsert", "merge"}:
            with self._session.savepoint() as undo:
                try:
                    return self._execute("apply_all", stretch)
                except psycopg2.errors.CardinalityViolation:
                    # A key stands in the file twice: to find which row of it is the last takes long.
                    undo()
                    self._twice = True
        return self._execute("apply_last" if self._twice else "apply_all", stretch)

    def _execute(self, name: str, stretch: Mapping[str, Composable]) -> int:
        try:
            self._cursor.execute(self._statement(name, stretch))
        except psycopg2.ProgrammingError as error:
            if error.pgcode != _NO_SUCH_KEY:
                raise
            raise TableError(
                f"{self._table.qualified} has no unique index on ({', '.join(self._key)})",
                hint="create one, or name the columns of another: key=…",
            ) from error
        return self._cursor.rowcount

    def _count(self, low: int, high: int) -> int:
        stretch = {"low": Literal(low), "high": Literal(high)}
        self._cursor.execute(Statement(SQL["staged"]).format(record=self._record, **stretch))
        row = self._cursor.fetchone()
        return int(row[0]) if row else 0

    def _refuse_unknown(self) -> None:
        """Refuse a key with a NULL, which is like no other: its row would be deleted as it comes.

        Raises:
            TableError: there is one.
        """
        self._cursor.execute(Statement(SQL["any_unknown"]).format(unknown=self._is_null))
        row = self._cursor.fetchone()
        if row and row[0]:
            raise TableError(
                f"a key of the file is NULL in {', '.join(self._key)}, and merge would not find its row",
                hint='fill it, or say mode="upsert"; nothing was loaded',
            )

    @property
    def _record(self) -> Identifier:
        return Identifier(record_of(self._columns).name)

    @property
    def _unknown(self) -> Composed:
        """Whether the key is like no other, because a part of it is NULL."""
        return Composed([Statement("false")]) if self._alike else self._is_null

    @property
    def _is_null(self) -> Composed:
        """Whether a part of the key is NULL; none of a primary key is."""
        loose = () if self._key == self._table.primary_key else self._key
        names = [Statement("staged.{} IS NULL").format(Identifier(key)) for key in loose]
        return Statement(" OR ").join(names or [Statement("false")])

    def _delete_others(self) -> int:
        same = Statement(" AND ").join(
            Statement("staged.{name} = target.{name}").format(name=Identifier(name)) for name in self._key
        )
        self._cursor.execute(Statement(SQL["delete_others"]).format(table=self._into, same=same))
        return self._cursor.rowcount

    def _statement(self, name: str, stretch: Mapping[str, Composable]) -> Composed:
        return Statement(SQL[name]).format(
            table=self._into,
            columns=_names(self._columns),
            key=Statement(", ").join(Statement("staged.{}").format(Identifier(key)) for key in self._key),
            unknown=self._unknown,
            conflict=self._conflict(),
            record=self._record,
            **stretch,
        )

    def _conflict(self) -> Composable:
        mode = self._session.options.mode
        if mode in {"insert", "replace"}:
            return Statement("")
        # A number that the server always gives itself cannot be updated.
        others = [column for column in self._columns if column.name not in self._key and not column.always]
        if mode == "ignore" and not self._key:
            return Statement("ON CONFLICT DO NOTHING")
        key = Statement(", ").join(map(Identifier, self._key))
        if mode == "ignore" or not others:
            return Statement(SQL["conflict_ignore"]).format(key=key)
        return Statement(SQL["conflict_update"]).format(
            key=key,
            changes=Statement(", ").join(
                Statement("{name} = excluded.{name}").format(name=Identifier(column.name))
                for column in others
            ),
            differs=Statement(" OR ").join(map(_differs, others)),
        )

    @property
    def _into(self) -> Identifier:
        return Identifier(self._table.schema, self._table.name)


def rejects_of(
    load: Load, refused: Sequence[tuple[int, Blame]], found: Mapping[int, tuple[Record, int]]
) -> tuple[Reject, ...]:
    """Return the rows that were staged and then refused, *found* again in the file by their number."""
    by_name = columns_by_field(load)
    return tuple(_reject(load, blamed, found.get(number), by_name) for number, blamed in refused)


def _reject(
    load: Load, blamed: Blame, found: tuple[Record, int] | None, by_name: Mapping[str, Column]
) -> Reject:
    column = blamed.column.name if blamed.column else None
    if found is None:
        return Reject(0, 0, 0, column, blamed.sqlstate, blamed.reason, {}, load.source.header)
    record, offset = found
    values, masked = shown_record(load.source.header, record.fields, by_name)
    size = record.end - record.start
    return Reject(record.line, offset, size, column, blamed.sqlstate, blamed.reason, values, masked)


def _differs(column: Column) -> Composed:
    comparable = not column.type.startswith(_INCOMPARABLE) or column.type.startswith("jsonb")
    text = "target.{name} IS DISTINCT FROM excluded.{name}"
    return Statement(
        text if comparable else "target.{name}::text IS DISTINCT FROM excluded.{name}::text"
    ).format(name=Identifier(column.name))


def _names(columns: Sequence[Column]) -> Composed:
    return Statement(", ").join(Identifier(column.name) for column in columns)
