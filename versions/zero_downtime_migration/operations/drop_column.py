"""Drop a column: first nobody has to write it, then nobody finds it, then it is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import psycopg2
from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import dependents
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_not_null import (
    nullable_steps,
    only_if,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.probing import PROBE, rolled_back
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_PUT_AWAY: Final = "put the column away under another name"


@dataclass(frozen=True)
class DropColumn:
    """Drop *column* of *table*, which is named with its schema, once nobody misses it.

    After `start` new code may leave it out: it may be NULL, or has the *default* given. `verify` puts it away
    as `zz_dropped_…` with its values: code that still names it fails, and `abort` gives it back as it was.
    `complete` drops its indexes CONCURRENTLY, its foreign keys, then the column itself, not before it was put
    away for `keep_days`. `trust` are functions of triggers that name the column in their text and get along
    without it.

    Locks: ACCESS EXCLUSIVE for milliseconds, once more for each foreign key, on both tables.

    Raises:
        TableError: something hangs on it that would go or break with it, by name: a view, a policy, a
            generated column, statistics, a publication, a trigger, a key or a rule of other columns too.
    """

    table: str
    column: str
    default: str | None = None
    keep_days: float = 0
    trust: tuple[str, ...] = ()
    operation: ClassVar[str] = "drop_column"

    @property
    def subject(self) -> str:
        """The column."""
        return self.column

    @property
    def away(self) -> str:
        """What it is called until it is dropped."""
        return fitted("zz_dropped", self.column)

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if there is no such column."""
        if not table.has(self.column):
            return ()
        self._refuse(session, table)
        return (
            *self._ignored(session, table),
            self._put_away(session, table),
            *self._kept(session, table),
            *self._without_indexes(session, table),
            *self._without_references(session, table),
            self._dropped(session, table),
        )

    def _refuse(self, session: Session, table: Table) -> None:
        dependents.refuse_family(session, table)
        dependents.refuse_partition_key(session, table, self.column)
        dependents.refuse_hanging(session, table, self.column)
        dependents.refuse_triggers(session, table, self.column, self.trust)
        if table.has(self.away):
            raise TableError(
                f'"{table.name}" has a column "{self.away}" already', hint="drop that one, or rename it"
            )

    def _ignored(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return what lets new code leave the column out."""
        column = table.column(self.column)
        if self.default is not None:
            return (self._given_default(session, table, column.default),)
        if column.default is not None or column.identity or column.generated:
            return ()
        self._refuse_null(session, table)
        return nullable_steps(session, table, self.column) if column.not_null else ()

    def _refuse_null(self, session: Session, table: Table) -> None:
        """Refuse a column whose checks or domain would not let it be NULL."""
        number = session.value("column_number", oid=table.oid, column=self.column)
        checks = session.ask("checks_of_column", oid=table.oid, number=number)
        column = table.column(self.column)
        with rolled_back(session):
            session.run(
                SQL("CREATE TEMP TABLE {} ({} {})").format(PROBE, Identifier(self.column), SQL(column.type))
            )
            try:
                session.run(SQL("INSERT INTO {} VALUES (NULL)").format(PROBE))
            except psycopg2.IntegrityError as error:
                raise self._needs_value(table, f"its type {column.type}") from error
            for name, said in checks:
                if session.value(SQL("SELECT ({}) FROM {}").format(SQL(said), PROBE)) is False:
                    raise self._needs_value(table, f"the check {name}")

    def _needs_value(self, table: Table, reason: str) -> TableError:
        return TableError(
            f'"{self.column}" of "{table.name}" cannot be left out by new code: {reason} refuses NULL',
            hint="say with default=… what it gets, or take that away first",
        )

    def _given_default(self, session: Session, table: Table, before: str | None) -> Step:
        alter = SQL("ALTER TABLE {} ALTER COLUMN {} ").format(SQL(table.name), Identifier(self.column))
        given = SQL("{}SET DEFAULT {}")
        return Step(
            name="give it a default for whoever leaves it out",
            phase=Phase.START,
            kind=Kind.BRIEF,
            sql=(session.text(given.format(alter, SQL(self.default or "NULL"))),),
            locks=(Lock(table.name),),
            undo=(session.text(given.format(alter, SQL(before)) if before else alter + SQL("DROP DEFAULT")),),
            plain=(),
        )

    def _put_away(self, session: Session, table: Table) -> Step:
        rename = SQL("ALTER TABLE {} RENAME COLUMN {} TO {}")
        is_away = SQL(
            "SELECT FROM pg_catalog.pg_attribute AS part"
            " WHERE part.attrelid = pg_catalog.to_regclass({}) AND part.attname = {}"
        ).format(Literal(table.name), Literal(self.away))
        there, back = Identifier(self.column), Identifier(self.away)
        return Step(
            name=_PUT_AWAY,
            phase=Phase.VERIFY,
            kind=Kind.BRIEF,
            sql=(session.text(rename.format(SQL(table.name), there, back)),),
            locks=(Lock(table.name),),
            undo=(only_if(session, is_away, session.text(rename.format(SQL(table.name), back, there))),),
            plain=(),
        )

    def _kept(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return what refuses to go on before the time is over."""
        if not self.keep_days:
            return ()
        query = SQL(_UNTIL).format(
            table=Literal(table.name),
            operation=Literal(self.operation),
            subject=Literal(self.subject),
            step=Literal(_PUT_AWAY),
            days=Literal(self.keep_days),
        )
        return (
            Step(
                name="wait until its values were kept for long enough",
                phase=Phase.COMPLETE,
                kind=Kind.PROOF,
                sql=(session.text(query),),
                plain=(),
                failure="the values of the column are kept until {first}",
                hint="complete it then; until then abort gives the column back",
            ),
        )

    def _without_indexes(self, session: Session, table: Table) -> tuple[Step, ...]:
        if table.partitioned:
            # An index of all partitions cannot be dropped CONCURRENTLY: it goes with the column.
            return ()
        return tuple(
            _dropped_index(session, table, session.text(table.beside(name)))
            for name, _, _, _, is_rule in session.ask("indexes_with", table=table.name, column=self.column)
            if not is_rule
        )

    def _without_references(self, session: Session, table: Table) -> tuple[Step, ...]:
        number = session.value("column_number", oid=table.oid, column=self.column)
        drop = SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}")
        return tuple(
            Step(
                name=f"drop the foreign key {name}",
                phase=Phase.COMPLETE,
                kind=Kind.BRIEF,
                sql=(session.text(drop.format(SQL(table.name), Identifier(name))),),
                locks=(Lock(table.name), Lock(referred)),
                plain=(),
                final=True,
            )
            for name, referred in session.ask("refers_to", oid=table.oid, number=number)
        )

    def _dropped(self, session: Session, table: Table) -> Step:
        drop = SQL("ALTER TABLE {} DROP COLUMN {}")
        return Step(
            name="drop the column",
            phase=Phase.COMPLETE,
            kind=Kind.BRIEF,
            sql=(session.text(drop.format(SQL(table.name), Identifier(self.away))),),
            locks=(Lock(table.name),),
            plain=(session.text(drop.format(SQL(table.name), Identifier(self.column))),),
            final=True,
        )


def _dropped_index(session: Session, table: Table, index: str) -> Step:
    return Step(
        name=f"drop the index {index}",
        phase=Phase.COMPLETE,
        kind=Kind.ALONE,
        sql=(f"DROP INDEX CONCURRENTLY IF EXISTS {index}",),
        locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
        held="while those end who use it; others read and write meanwhile",
        done=session.text(SQL("SELECT pg_catalog.to_regclass({}) IS NULL").format(Literal(index))),
        plain=(),
        final=True,
    )


_UNTIL: Final = """
SELECT (step.finished_at + pg_catalog.make_interval(secs => {days} * 86400))::timestamptz(0)::text AS until
  FROM ops.online_step AS step
  JOIN ops.online_change AS change ON change.id = step.change_id
 WHERE (change.table_name, change.operation, change.subject) = ({table}, {operation}, {subject})
   AND change.finished_at IS NULL
   AND step.name = {step}
   AND step.finished_at + pg_catalog.make_interval(secs => {days} * 86400) > pg_catalog.clock_timestamp()
"""
