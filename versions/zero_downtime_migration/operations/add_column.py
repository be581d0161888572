"""Add a column without rewriting the table, while old code goes on writing rows without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import refusals
from spotify_ai_agent_migrations.versions.zero_downtime_migration.adding import Declared, declared
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table, version
from spotify_ai_agent_migrations.versions.zero_downtime_migration.missed_rows import proof_of_fill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import not_null_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.validating import late, validated

FIRST_WITH_VIRTUAL: Final = 18


@dataclass(frozen=True)
class AddColumn:
    """Add *column* of a *type* to *table*, which is named with its schema.

    The server is asked, on an empty temporary table, whether it would rewrite the table. If not, the column
    is added as it is declared, in milliseconds. If so (a volatile *default*, a serial type, an *identity*
    that is "always" or "by default") it is added empty, the default is set for new rows, and the rows that
    are there are filled in batches; a NULL that is written meanwhile is filled too. A domain that has rules
    would be a rewrite as well: the column gets the type below it, and a check that a value is one of the
    domain. *not_null* without a default holds from `complete` on; until then old code leaves the column out.
    A *check* is added NOT VALID and validated. Whoever may insert may draw from the sequence of a serial
    column. Expressions are as SQL writes them. Subscribers of a publication need the column first.

    A *generated* column is *virtual* (PostgreSQL 18), or, since the server cannot add a stored one without
    rewriting the table, *emulated*: a trigger computes it whenever a row is written, and stays.

    Locks: ACCESS EXCLUSIVE for milliseconds; SHARE UPDATE EXCLUSIVE while rules are validated.

    Raises:
        TableError: there is such a column of another type; the declaration is not valid; it *references* a
            table or is *unique*, which are operations of their own; rows are to be filled, and no key is
            there to walk along; when verified, rows without a value.
    """

    table: str
    column: str
    type: str
    default: str | None = None
    not_null: bool = False
    check: str | None = None
    collation: str | None = None
    identity: str | None = None
    generated: str | None = None
    virtual: bool = False
    emulated: bool = False
    comment: str | None = None
    references: str | None = None
    unique: bool = False
    operation: ClassVar[str] = "add_column"

    @property
    def subject(self) -> str:
        """The column."""
        return self.column

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the column is there and of that type."""
        self._refuse(session, table)
        wanted = declared(session, table, self)
        if table.has(self.column):
            self._refuse_other(table, wanted)
            return ()
        if wanted.fill is not None:
            refusals.refuse_family(session, table)
        return (
            self._added(session, table, wanted),
            *self._filled(session, table, wanted),
            *(validated(session, table, check.name, Phase.VERIFY) for check in wanted.checks),
            *(late(not_null_steps(session, table, self.column)) if wanted.not_null else ()),
            *wanted.last,
        )

    def _refuse(self, session: Session, table: Table) -> None:
        refusals.refuse_long(self.column)
        if table.is_partition:
            refusals.refuse_family(session, table)
        if self.references or self.unique:
            other = "add_foreign_key" if self.references else "add_unique"
            raise TableError(
                f'"{self.column}" cannot be added to "{table.name}" together with its key',
                hint=f"add the column without, then the key by the operation {other}",
            )
        if self.generated is None or self.emulated:
            return
        if not self.virtual:
            raise TableError(
                f'a stored generated column "{self.column}" rewrites "{table.name}" while all wait',
                hint="say virtual=True (PostgreSQL 18), or emulated=True to have it computed by a trigger",
            )
        if version(session) < FIRST_WITH_VIRTUAL:
            raise TableError(
                f"PostgreSQL {version(session)} has no virtual generated columns",
                hint="say emulated=True to have it computed by a trigger",
            )

    def _refuse_other(self, table: Table, wanted: Declared) -> None:
        found = table.column(self.column).type
        if found not in {wanted.type, wanted.said}:
            raise TableError(
                f'"{table.name}" has a column "{self.column}" already, of type {found} and not {wanted.said}',
                hint="change its type, or choose another name",
            )

    def _added(self, session: Session, table: Table, wanted: Declared) -> Step:
        """Return the step after which new rows have their value; old ones too, where none is to be filled."""
        name = Identifier(self.column)
        add = SQL("ALTER TABLE {} ADD COLUMN {} {}")
        drop = SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}").format(SQL(table.name), name)
        said = SQL("COMMENT ON COLUMN {}.{} IS {}").format(SQL(table.name), name, Literal(self.comment))
        comment = (said,) if self.comment is not None else ()
        checks = () if wanted.fill else tuple(check.added(table) for check in wanted.checks)
        whole = (wanted.whole, *(check.inline for check in wanted.checks))
        first = add.format(SQL(table.name), name, wanted.first)
        plain = add.format(SQL(table.name), name, SQL(" ").join(whole))
        return Step(
            name="add the column",
            phase=Phase.START,
            kind=Kind.BRIEF,
            sql=tuple(map(session.text, (first, *wanted.then, *checks, *comment))),
            locks=(Lock(table.name),),
            undo=tuple(map(session.text, (*wanted.forget, drop))),
            plain=tuple(map(session.text, (plain, *wanted.plain_then, *comment))),
        )

    def _filled(self, session: Session, table: Table, wanted: Declared) -> tuple[Step, ...]:
        """Return the steps that fill old rows, for which a check may hold only after that."""
        if wanted.fill is None:
            return ()
        expression, due = wanted.fill
        filled = Step(
            name="fill the rows that are there",
            phase=Phase.BACKFILL,
            kind=Kind.FILL,
            locks=(Lock(table.name, "ROW EXCLUSIVE"),),
            held="while a batch is written",
            fill=Fill(table.name, ((self.column, expression),), due),
            plain=None if self.emulated else (),
        )
        held = Step(
            name="add the check, not valid",
            phase=Phase.BACKFILL,
            kind=Kind.BRIEF,
            sql=tuple(session.text(check.added(table)) for check in wanted.checks),
            locks=(Lock(table.name),),
            plain=(),
        )
        # Where NULL may be written, one that is found is no proof of a row that was missed.
        proved = replace(proof_of_fill(session, table, due), only_said=not (wanted.not_null or self.emulated))
        return (filled, *((held,) if wanted.checks else ()), proved)
