"""Let two tables have each other's names, with what belongs to a name."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration import rights_and_comments
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


def lock(table: Table, other: Table) -> Composable:
    """Return what locks both, the same one first from whichever side it is asked."""
    return SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
        SQL(", ").join(SQL("ONLY {}").format(SQL(name)) for name in sorted((table.name, other.name)))
    )


def exchanged(session: Session, table: Table, other: Table, *, back: bool = False) -> tuple[Composable, ...]:
    """Return what renames the two and dresses each as its name was, or as it was itself."""
    between = fitted(table.plain, "swapped")
    renames = ((table.plain, between), (other.plain, table.plain), (between, other.plain))
    roles = _roles(session, table, other)
    return (
        *(
            SQL("ALTER TABLE {} RENAME TO {}").format(table.beside(old), Identifier(new))
            for old, new in renames
        ),
        *_dressed(session, table.name, table, other, roles),
        *_dressed(session, other.name, other, table, roles),
        *_opened(session, table, other, back=back),
        *(_counted(session, table, other) if back else _counted(session, other, table)),
    )


def _roles(session: Session, *tables: Table) -> tuple[str, ...]:
    found = (row[1] for table in tables for row in session.ask("grants_of", oid=table.oid))
    return tuple(dict.fromkeys(found))


def _dressed(
    session: Session, name: str, like: Table, unlike: Table, roles: Iterable[str]
) -> tuple[Composable, ...]:
    """Return what gives the table of a name owner, grants and comments as *like* has them now."""
    target = SQL(name)
    said: dict[str | None, str] = dict(session.ask("comments_of", oid=like.oid))
    was: dict[str | None, str] = dict(session.ask("comments_of", oid=unlike.oid))
    owner = SQL("ALTER TABLE {} OWNER TO {}").format(target, SQL(like.owner))
    return (
        *((owner,) if like.owner != unlike.owner else ()),
        *(SQL("REVOKE ALL ON {} FROM {}").format(target, SQL(role)) for role in roles if role != like.owner),
        *map(SQL, rights_and_comments.grants(session, like.oid, target)),
        *(
            rights_and_comments.comment("TABLE", target, column, said.get(column))
            for column in (None, *(column.name for column in like.columns))
            if said.get(column) != was.get(column)
        ),
    )


def _opened(session: Session, table: Table, other: Table, *, back: bool) -> tuple[Composable, ...]:
    """Return what lets those draw from a sequence of their own who could draw from that of the same name."""
    ours, theirs = (
        {column: (name, oid, each.owner) for column, name, _, oid in session.ask("counters_of", oid=each.oid)}
        for each in (table, other)
    )
    pairs = [(ours[column], theirs[column]) for column in ours.keys() & theirs.keys()]
    given = [
        (each[0], like[1], like[2])
        for one, far in pairs
        for each, like in (((one, one), (far, far)) if back else ((one, far), (far, one)))
    ]
    roles = dict.fromkeys(row[1] for _, oid, _ in given for row in session.ask("grants_of", oid=oid))
    return tuple(
        statement
        for name, oid, owner in sorted(given)
        for target in (SQL("SEQUENCE {}").format(SQL(name)),)
        for statement in (
            *(SQL("REVOKE ALL ON {} FROM {}").format(target, SQL(role)) for role in roles if role != owner),
            *map(SQL, rights_and_comments.grants(session, oid, target)),
        )
    )


def _counted(session: Session, behind: Table, ahead: Table) -> tuple[Composable, ...]:
    """Return what lets the sequences of one table go on from where those of the other are."""
    others = {column: name for column, name, _, _ in session.ask("counters_of", oid=ahead.oid)}
    return tuple(
        SQL("DO {}").format(
            Literal(session.text(_set(name, others[column], "greatest" if upwards else "least")))
        )
        for column, name, upwards, _ in session.ask("counters_of", oid=behind.oid)
        if column in others
    )


def _set(name: str, other: str, furthest: str) -> Composable:
    return SQL(
        "BEGIN PERFORM pg_catalog.setval({}, {}(one.last_value, far.last_value))"
        " FROM {} AS one, {} AS far; END"
    ).format(Literal(name), SQL(furthest), SQL(name), SQL(other))
