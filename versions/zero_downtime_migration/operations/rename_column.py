"""Give a column another name while old code goes on with the old one: both are there until the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import refusals, two_way_sync
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.missed_rows import proof_of_fill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.twin_indexes import twin_indexes
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass(frozen=True)
class RenameColumn:
    """Rename *column* of *table*, which is named with its schema, *to* another name.

    Between start and complete a second column has the new name, and a trigger keeps the two in step,
    whichever is written. In the end that one is dropped and the column itself is renamed, so that whatever
    hangs on it (indexes, keys, defaults, grants, policies, views, statistics, publications) is as a plain
    rename leaves it. Until then the rules of the column hold for what is written by the new name, and its
    indexes have twins. A row that leaves the new name out, or gives it as NULL, gets the default of the old
    one. Where the table is published, subscribers need the second column too.

    With `expand=False` it is one brief rename, for a column that no running code names. `trust` are functions
    of triggers that name the column in their text and get along without it.

    Locks: ACCESS EXCLUSIVE for milliseconds when it starts and when it ends.

    Raises:
        TableError: the new name is taken or too long, rows are partitioned by the column, it is generated,
            a trigger names it, or no key is there to walk along.
    """

    table: str
    column: str
    to: str
    expand: bool = True
    trust: tuple[str, ...] = ()
    operation: ClassVar[str] = "rename_column"

    @property
    def subject(self) -> str:
        """Its old name and its new one."""
        return f"{self.column} to {self.to}"

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if only the new name is there."""
        if table.has(self.to) and not table.has(self.column):
            return ()
        table.column(self.column)
        self._refuse(session, table)
        rename = session.text(
            SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(
                SQL(table.name), Identifier(self.column), Identifier(self.to)
            )
        )
        if not self.expand:
            return (_ended(table, (rename,)),)
        kept = self._kept(session, table)
        drop = session.text(
            SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}").format(SQL(table.name), Identifier(self.to))
        )
        return (
            Step(
                name="add a column of the new name, kept in step with the old one",
                phase=Phase.START,
                kind=Kind.BRIEF,
                sql=(*self._added(session, table), *kept.create),
                locks=(Lock(table.name),),
                undo=(*kept.drop, drop),
                plain=(rename,),
            ),
            self._filled(session, table),
            *twin_indexes(session, table, self.column, self.to),
            self._analyzed(session, table),
            proof_of_fill(session, table, session.text(self._differing(session, table))),
            _ended(table, (*kept.drop, drop, rename), plain=()),
        )

    def _refuse(self, session: Session, table: Table) -> None:
        refusals.refuse_family(session, table)
        refusals.refuse_long(self.to)
        if table.has(self.to):
            raise TableError(
                f'"{table.name}" has a column "{self.to}" already', hint="choose a name that is free"
            )
        refusals.refuse_triggers(session, table, self.column, self.trust)
        if not self.expand:
            return
        refusals.refuse_partition_key(session, table, self.column)
        refusals.refuse_watchers(session, table, self.column)
        if table.column(self.column).generated:
            raise TableError(
                f'"{self.column}" of "{table.name}" is generated, so that nobody writes it by either name',
                hint="rename it at once, with expand=False",
            )

    def _kept(self, session: Session, table: Table) -> two_way_sync.Sync:
        name = fitted(table.plain, self.column, "rename")
        old, new = (session.text(Identifier("new", name)) for name in (self.column, self.to))
        return two_way_sync.two_way(
            session,
            table,
            name,
            up=two_way_sync.Direction((self.column,), ((self.to, old),)),
            down=two_way_sync.Direction((self.to,), ((self.column, new),)),
        )

    def _added(self, session: Session, table: Table) -> tuple[str, ...]:
        """Return what adds the column: of the type below a domain, whose rules the old column keeps."""
        collation = table.column(self.column).collation
        add = SQL("ALTER TABLE {} ADD COLUMN {} {}{}").format(
            SQL(table.name),
            Identifier(self.to),
            SQL(session.value("base_type", oid=table.oid, column=self.column)),
            SQL(f" COLLATE {collation}" if collation else ""),
        )
        grants = (
            SQL("GRANT {} ({}) ON {} TO {}{}").format(
                SQL(right),
                Identifier(self.to),
                SQL(table.name),
                SQL(role),
                SQL(" WITH GRANT OPTION" if passed_on else ""),
            )
            for right, role, passed_on in session.ask("column_grants", oid=table.oid, column=self.column)
        )
        return tuple(map(session.text, (add, *grants)))

    def _filled(self, session: Session, table: Table) -> Step:
        return Step(
            name="fill it from the old one",
            phase=Phase.BACKFILL,
            kind=Kind.FILL,
            locks=(Lock(table.name, "ROW EXCLUSIVE"),),
            held="while a batch is written",
            fill=Fill(
                table.name,
                ((self.to, session.text(Identifier("t", self.column))),),
                session.text(self._differing(session, table)),
            ),
            plain=(),
        )

    def _analyzed(self, session: Session, table: Table) -> Step:
        analyze = SQL("ANALYZE {} ({})").format(SQL(table.name), Identifier(self.to))
        return Step(
            name="let the planner know its values",
            phase=Phase.BACKFILL,
            kind=Kind.ALONE,
            sql=(session.text(analyze),),
            locks=(Lock(table.name, "SHARE UPDATE EXCLUSIVE"),),
            held="while it samples the table; others read and write meanwhile",
            plain=(),
        )

    def _differing(self, session: Session, table: Table) -> Composable:
        """Return whether a row `t` has two values; a domain is compared as the type below it."""
        below = SQL(session.value("base_type", oid=table.oid, column=self.column))
        old = SQL("{}::{}").format(Identifier("t", self.column), below)
        return two_way_sync.differing(Identifier("t", self.to), old)


def _ended(table: Table, statements: tuple[str, ...], *, plain: tuple[str, ...] | None = None) -> Step:
    return Step(
        name="rename the column",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        sql=statements,
        locks=(Lock(table.name),),
        plain=plain,
        final=True,
    )
