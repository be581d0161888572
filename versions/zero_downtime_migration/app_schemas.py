"""Give each released revision a schema of views, `app_v010`, and drop it when no application needs it.

An application of revision 010 sets `search_path = app_v010, public` and is otherwise as it was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import app_views, applications
from spotify_ai_agent_migrations.versions.zero_downtime_migration.evidence import Application
from spotify_ai_agent_migrations.versions.zero_downtime_migration.locking import strongly
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened

_PURPOSE: Final = "agentdb zero-downtime"
_KEY: Final = lock_key("schemas of views")


@dataclass(frozen=True)
class AppSchema:
    """The views of a revision: how many, and the applications that may run and read by them.

    `by_table_only` are roles that may read some columns of a table: they need the table itself, since a view
    reads all that it shows.
    """

    name: str
    revision: str
    views: int
    used_by: tuple[str, ...]
    by_table_only: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """All of it on one line."""
        users = ", ".join(self.used_by) or "no application that acknowledged it"
        others = "".join(f"; {each} reads by the table" for each in self.by_table_only)
        return f"{self.name}: {self.views} views, for {users}{others}"


def create_views(
    revision: str, *, settings: Settings | None = None, manner: Manner | None = None
) -> AppSchema:
    """Make the views of a revision over every table of schema public, or make them anew.

    Tables that come later are seen through `public` on the search path until it is called again.
    Locks: ACCESS SHARE on each table, ACCESS EXCLUSIVE on each view that is made anew, one at a time.

    Raises:
        TableError: the revision is no three digits, or somebody else has a schema of that name.
        LockError: somebody is at a view for too long, those before it are made; or others are at making some.
    """
    chosen = manner or Manner()
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection)
        with _alone(session, chosen):
            _prepare(session, revision)
            for oid, name in session.ask("tables_shown"):
                views = tuple(
                    Lock(view)
                    for view in app_views.views(session, oid)
                    if view.startswith(f"{app_views.schema_of(revision)}.")
                )
                work = partial(_replace, session, oid, name, revision, [view.table for view in views])
                strongly(session, chosen, (*views, Lock(name, "ACCESS SHARE")), work, lambda _who: None)
            return _one(session, revision)


def drop_views(revision: str, *, settings: Settings | None = None, manner: Manner | None = None) -> None:
    """Drop the views of a revision.

    Locks: ACCESS EXCLUSIVE on the views, all in one transaction; on no table.

    Raises:
        TableError: there are none, or an application that may run reads by them.
        LockError: a session is in a transaction that has used one, and is named; an idle one is not seen.
    """
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection)
        chosen = manner or Manner()
        _refuse_name(session, revision)
        with _alone(session, chosen):
            if revision not in app_views.revisions(session):
                raise TableError(f"there are no views of revision {revision}", hint="`views list` lists them")
            one = _one(session, revision)
            if one.used_by:
                raise TableError(
                    f"{one.name} is what {', '.join(one.used_by)} may read by",
                    hint="once none of it runs: "
                    "agentdb zero-downtime-migration acknowledge APPLICATION VERSION --retire",
                )
            _drop(session, chosen, revision)


def drop_older(session: Session, manner: Manner, revision: str | None) -> None:
    """Drop the views of all revisions before one: what they showed of a change is gone."""
    if revision is None or not any(each < revision for each in app_views.revisions(session)):
        return
    with _alone(session, manner):
        for each in app_views.revisions(session):
            if each < revision:
                _drop(session, manner, each)
                session.note(f"dropped the views of revision {each}")


def listed_views(*, settings: Settings | None = None) -> tuple[AppSchema, ...]:
    """Return the revisions that have views, the oldest one first."""
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        session = Session(connection)
        return tuple(_one(session, revision) for revision in app_views.revisions(session))


def read_by(revision: str, revisions: Collection[str], known: Sequence[Application]) -> tuple[str, ...]:
    """Return the applications whose views are those of *revision*: the last that is not after their own."""
    return tuple(
        f"{one.name} {one.version}"
        for one in known
        if max((each for each in revisions if each <= one.revision), default=None) == revision
    )


def _alone(session: Session, manner: Manner) -> AbstractContextManager[None]:
    """Let nobody else make or drop views for the block."""
    return advisory_lock(
        session.connection, _KEY, wait_ms=manner.lock_wait_ms, called="the lock of the schemas of views"
    )


def _one(session: Session, revision: str) -> AppSchema:
    schema = app_views.schema_of(revision)
    known = applications.may_run(session) if session.value("has_ledger") else ()
    users = read_by(revision, app_views.revisions(session), known)
    views = session.ask("views_in", schema=schema)
    columns_only = session.ask("reading_columns", schema=schema)
    return AppSchema(
        schema, revision, len(views), users, tuple(f"{role} on {name}" for role, name in columns_only)
    )


def _marked(revision: str) -> dict[str, str]:
    return {"schema": app_views.schema_of(revision), "mark": app_views.MARK}


def _refuse_name(session: Session, revision: str) -> None:
    if not re.fullmatch(r"[0-9]{3}", revision):
        raise TableError(f'"{revision}" is no revision', hint="say it in three digits, as 010")
    if session.value("has_mark", **_marked(revision)) is False:
        raise TableError(
            f'there is a schema "{app_views.schema_of(revision)}" that was not made for views of a revision',
            hint="give that one another name",
        )


def _prepare(session: Session, revision: str) -> None:
    """Make the schema, of which the tables' owner is the owner, for whoever may do something with a table."""
    _refuse_name(session, revision)
    schema = Identifier(app_views.schema_of(revision))
    roles = session.ask("who_enters")
    if not roles:
        raise TableError("schema public has no tables", hint="apply the revisions first")
    grant = "GRANT USAGE, CREATE ON SCHEMA {} TO {}", "GRANT USAGE ON SCHEMA {} TO {}"

    def work() -> None:
        session.run(SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(schema, SQL(roles[0][0])))
        session.run(SQL("COMMENT ON SCHEMA {} IS {}").format(schema, Literal(app_views.MARK)))
        for role, owns in roles[1:]:
            session.run(SQL(grant[0] if owns else grant[1]).format(schema, SQL(role)))

    session.transaction(work)


def _replace(session: Session, oid: int, name: str, revision: str, views: Sequence[str]) -> None:
    """Make the view of one table anew; nobody changes the table while it and its changes are read."""
    session.run(SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(SQL(name)))
    for view in views:
        session.run(SQL("DROP VIEW {}").format(SQL(view)))
    for statement in app_views.made(session, oid, revision, app_views.open_changes(session)):
        session.run(statement)


def _drop(session: Session, manner: Manner, revision: str) -> None:
    schema = app_views.schema_of(revision)
    views = tuple(row[0] for row in session.ask("views_in", schema=schema))
    own = {view for oid, _ in session.ask("tables_shown") for view in app_views.views(session, oid)}
    app_views.refuse_others(view for view in views if view not in own)

    def work() -> None:
        for view in views:
            session.run(SQL("DROP VIEW IF EXISTS {}").format(SQL(view)))
        session.run(SQL("DROP SCHEMA {}").format(Identifier(schema)))

    strongly(session, manner, tuple(map(Lock, views)), work, lambda _who: None)
