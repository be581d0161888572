"""Drop a column: first nobody has to write it, then nobody finds it, then it is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import refusals
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.leaving_out import left_out
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.taking_along import (
    without_indexes,
    without_references,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import only_if

_PUT_AWAY: Final = "put the column away under another name"


@dataclass(frozen=True)
class DropColumn:
    """Drop *column* of *table*, which is named with its schema, once nobody misses it.

    After `start` new code may leave it out: it may be NULL, or has the *default* given. `verify` puts it away
    as `zz_dropped_…` with its values, on the proof that a contract demands: code that still names it fails,
    and `abort` gives it back as it was.
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
            *left_out(session, table, self.column, self.default),
            self._put_away(session, table),
            *self._kept(session, table),
            *without_indexes(session, table, self.column),
            *without_references(session, table, self.column),
            self._dropped(session, table),
        )

    def _refuse(self, session: Session, table: Table) -> None:
        refusals.refuse_family(session, table)
        refusals.refuse_partition_key(session, table, self.column)
        refusals.refuse_hanging(session, table, self.column)
        refusals.refuse_triggers(session, table, self.column, self.trust)
        if table.has(self.away):
            raise TableError(
                f'"{table.name}" has a column "{self.away}" already', hint="drop that one, or rename it"
            )

    def _put_away(self, session: Session, table: Table) -> Step:
        rename = SQL("ALTER TABLE {} RENAME COLUMN {} TO {}")
        is_away = SQL(
            "EXISTS (SELECT FROM pg_catalog.pg_attribute AS part"
            " WHERE part.attrelid = pg_catalog.to_regclass({}) AND part.attname = {})"
        ).format(Literal(table.name), Literal(self.away))
        there, back = Identifier(self.column), Identifier(self.away)
        return Step(
            name=_PUT_AWAY,
            phase=Phase.VERIFY,
            kind=Kind.BRIEF,
            sql=(session.text(rename.format(SQL(table.name), there, back)),),
            locks=(Lock(table.name),),
            undo=(only_if(session, is_away, rename.format(SQL(table.name), back, there)),),
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


_UNTIL: Final = """
SELECT (step.finished_at + pg_catalog.make_interval(secs => {days} * 86400))::timestamptz(0)::text AS until
  FROM ops.online_step AS step
  JOIN ops.online_change AS change ON change.id = step.change_id
 WHERE (change.table_name, change.operation, change.subject) = ({table}, {operation}, {subject})
   AND change.finished_at IS NULL
   AND step.name = {step}
   AND step.finished_at + pg_catalog.make_interval(secs => {days} * 86400) > pg_catalog.clock_timestamp()
"""
