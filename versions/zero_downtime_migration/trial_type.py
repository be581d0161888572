"""Try what a change of type would do: on a table like the real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Row, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import refused, rolled_back, unpathed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.turning import Trial, Turn, Turned

_TRIAL: Final = "agentdb_trial"
_FROM: Final = "agentdb_trial_from"
_INTO: Final = "agentdb_trial_into"


def is_so(session: Session, table: Table, turn: Turn) -> bool:
    """Tell whether a column is of the type already, whatever the type was called."""
    with rolled_back(session), _refused(table, turn.column, turn.type, "using"):
        _one_column(session, _FROM, turn.column, _sort(turn.type, turn.collation))
        made = session.value(
            SQL("SELECT pg_catalog.to_regclass({})::oid").format(Literal(f"pg_temp.{_FROM}"))
        )
        found = [session.ask("made_columns", oid=oid, names=[turn.column])[0] for oid in (table.oid, made)]
    return bool(found[0][1:3] == found[1][1:3])


def asked(session: Session, table: Table, turns: Sequence[Turn], *, back_wanted: bool = True) -> Trial:
    """Return what the server would make of *table*. Locks: ACCESS SHARE on it while it asks.

    Raises:
        TableError: the server refuses it, or cannot translate back what new code writes.
    """
    with rolled_back(session):
        ways = [_ways(session, table, turn, back_wanted=back_wanted) for turn in turns]
        return _tried(session, table, turns, ways)


def _tried(
    session: Session,
    table: Table,
    turns: Sequence[Turn],
    ways: Sequence[tuple[str | None, str | None]],
) -> Trial:
    session.run(
        SQL("CREATE TEMP TABLE {} (LIKE {} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING COMMENTS)").format(
            Identifier(_TRIAL), SQL(table.name)
        )
    )
    oid = session.value(SQL("SELECT pg_catalog.to_regclass('pg_temp.agentdb_trial')::oid"))
    names = [row[1] for row in session.ask("all_indexes", oid=oid)]
    objects = [row[2] for row in session.ask("all_statistics", oid=oid, numbers=[])]
    files = session.ask("files_of", oid=oid)
    _alter(session, table, _TRIAL, turns)
    free = files == session.ask("files_of", oid=oid)
    made = [Turned(*(*row, *way)) for row, way in zip(_columns(session, oid, turns), ways, strict=True)]
    for one in made:
        session.run(
            SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(
                Identifier(_TRIAL), Identifier(one.name), Identifier(one.shadow)
            )
        )
    was = session.ask("all_indexes", oid=table.oid)
    had = session.ask("all_statistics", oid=table.oid, numbers=[])
    unpathed(session)
    tails = {row[1]: row[2][len(row[3]) :] for row in session.ask("all_indexes", oid=oid)}
    bodies = {
        row[2]: row[3][len(f"CREATE STATISTICS {row[1]}") :].rsplit(" FROM ", 1)[0]
        for row in session.ask("all_statistics", oid=oid, numbers=[])
    }
    numbers = [row[1] for row in session.ask("column_marks", oid=oid, names=[one.shadow for one in made])]
    return Trial(
        free=free,
        columns=tuple(_qualified(session, oid, made)),
        indexes={row[0]: tails[name] for row, name in zip(was, names, strict=True)},
        checks={row[0]: row[2] for row in session.ask("turned_checks", oid=oid, numbers=numbers)},
        statistics={row[0]: bodies[name] for row, name in zip(had, objects, strict=True)},
    )


def _columns(session: Session, oid: int, turns: Sequence[Turn]) -> list[Row]:
    return session.ask("made_columns", oid=oid, names=[turn.column for turn in turns])


def _qualified(session: Session, oid: int, made: Sequence[Turned]) -> Iterator[Turned]:
    """The columns once more, now that every name is written with its schema."""
    for one in made:
        ((_, *facts),) = session.ask("made_columns", oid=oid, names=[one.shadow])
        yield Turned(*(one.name, *facts, one.up, one.down))


def _alter(session: Session, table: Table, trial: str, turns: Sequence[Turn]) -> None:
    statement = SQL("ALTER TABLE {} {}").format(Identifier(trial), SQL(", ").join(map(altered, turns)))
    with _refused(table, turns[0].column, turns[0].type, "using"):
        session.run(statement)


def altered(turn: Turn) -> Composable:
    """Return the clause of ALTER TABLE that does at once what is wished."""
    using = SQL(f" USING {turn.using}" if turn.using else "")
    return SQL("ALTER COLUMN {} TYPE {}{}").format(
        Identifier(turn.column), _sort(turn.type, turn.collation), using
    )


def _ways(session: Session, table: Table, turn: Turn, *, back_wanted: bool) -> tuple[str | None, str | None]:
    """Return the translations there and back as the server writes them.

    Raises:
        TableError: one is none, or the one back is missing and not certain.
    """
    was = table.column(turn.column)
    old, new = _sort(was.type, was.collation), _sort(turn.type, turn.collation)
    with _refused(table, turn.column, turn.type, "using"):
        _one_column(session, _FROM, turn.column, new)
        _one_column(session, _INTO, turn.column, old)
        sure = session.value("translates_surely", source=f"pg_temp.{_FROM}", target=f"pg_temp.{_INTO}")
        up = _translation(session, _INTO, turn.column, new, turn.using)
    with _refused(table, turn.column, was.type, "back"):
        down = _translation(session, _FROM, turn.column, old, turn.back) if turn.back or sure else None
    if back_wanted and not turn.back and not sure:
        raise TableError(
            f'what new code writes into "{turn.column}" of "{table.name}" as {turn.type} cannot be told for '
            f"certain as {was.type}, which old code reads",
            hint=f'say how by `back`, an expression of the column: "CAST({turn.column} AS {was.type})"',
        )
    session.run(SQL("DROP TABLE {}, {}").format(Identifier(_FROM), Identifier(_INTO)))
    return up, down


def _sort(name: str, collation: str | None) -> Composable:
    return SQL(f"{name} COLLATE {collation}" if collation else name)


def _one_column(session: Session, trial: str, column: str, sort: Composable) -> None:
    session.run(SQL("CREATE TEMP TABLE {} ({} {})").format(Identifier(trial), Identifier(column), sort))


def _translation(
    session: Session, trial: str, column: str, into: Composable, expression: str | None
) -> str | None:
    """Return *expression* with every name in full, once the server has taken it for a translation."""
    parts = {
        "trial": Identifier(trial),
        "made": Identifier(f"{trial}_check"),
        "column": Identifier(column),
        "into": into,
        "expression": SQL(expression or "NULL"),
    }
    written = None
    if expression:
        session.run(
            SQL("ALTER TABLE {trial} ADD CONSTRAINT {made} CHECK (({expression}) IS NULL)").format(**parts)
        )
        path = session.value(SQL("SELECT pg_catalog.current_setting('search_path')"))
        unpathed(session)
        # The server writes a test for NULL as (… IS NULL).
        written = str(session.value("check_text", table=f"pg_temp.{trial}"))[1 : -len(" IS NULL)")]
        session.ask(SQL("SELECT pg_catalog.set_config('search_path', {}, true)").format(Literal(path)))
        session.run(SQL("ALTER TABLE {trial} DROP CONSTRAINT {made}").format(**parts))
    using = SQL(" USING {expression}" if expression else "").format(**parts)
    session.run(
        SQL("ALTER TABLE {trial} ALTER COLUMN {column} TYPE {into}{using}").format(**parts, using=using)
    )
    return written


def _refused(table: Table, column: str, sort: str, field: str) -> AbstractContextManager[None]:
    return refused(
        f'PostgreSQL does not turn "{column}" of "{table.name}" into {sort}',
        f"say how by `{field}`, an expression of the column alone; drop a default that does not fit",
    )
