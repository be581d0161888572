"""Look at a database as Citus would, and write down how it would be distributed. Changes nothing there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Literal

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.distribution.catalogue import SQL, read_catalogue
from spotify_ai_agent_migrations.versions.distribution.finding import Finding, Report
from spotify_ai_agent_migrations.versions.distribution.placement import (
    SUBJECT,
    Line,
    map_lines,
    place_tables,
    read_map,
)
from spotify_ai_agent_migrations.versions.distribution.rules import check
from spotify_ai_agent_migrations.versions.distribution.steps import Plan, Section, Step, make_plan
from spotify_ai_agent_migrations.versions.governance.finding import visible


@dataclass(frozen=True)
class WrittenPlan:
    """The plan as SQL to be read, and the findings of error level that none of it mends."""

    sql: str
    unmended: tuple[Finding, ...]


def read_lines(file: Path | None, places: Iterable[str] = ()) -> tuple[Line, ...]:
    """Return the lines of the map in *file*, and then *places*, which win.

    Raises:
        FileError: the file cannot be read as UTF-8.
        SettingsError: a line is not one of a map.
    """
    given = read_map("\n".join(place.replace("\n", " ") for place in places), source="--place")
    if file is None:
        return given
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise FileError(f'"{file}" cannot be read: {reason}', hint="name a map in UTF-8") from error
    return (*read_map(text, source=f'"{file}"'), *given)


def lint(lines: Iterable[Line] = (), *, subject: str = SUBJECT, url: str | None = None) -> Report:
    """Return what would have to change before Citus could distribute the database, by object and code.

    *lines* say where tables live; the others are placed by *subject*, the column that names whose row it is.

    Locks: ACCESS SHARE; waits for whoever alters a table, within bounds. Citus is not needed.

    Raises:
        LockError: a table was being altered for longer than that.
        TableError: a line names a table that is not there.
        SettingsError: a line puts a table together with one that is not distributed.
    """
    with connect(resolve_settings(url), purpose="agentdb distribution") as connection:
        return check(place_tables(read_catalogue(connection), lines, subject=subject))


def map_tables(
    lines: Iterable[Line] = (), *, subject: str = SUBJECT, url: str | None = None
) -> tuple[str, ...]:
    """Return the map that `lint` would use, a line a table, fit to be written to a file and given back."""
    with connect(resolve_settings(url), purpose="agentdb distribution") as connection:
        return map_lines(place_tables(read_catalogue(connection), lines, subject=subject))


def write_plan(lines: Iterable[Line] = (), *, subject: str = SUBJECT, url: str | None = None) -> WrittenPlan:
    """Return the statements that would distribute the database, in order. Executes none of them.

    The same schema and the same map give the same text.
    """
    with connect(resolve_settings(url), purpose="agentdb distribution") as connection:
        layout = place_tables(read_catalogue(connection), lines, subject=subject)
        plan = make_plan(layout, check(layout))
        return WrittenPlan(_written(connection, plan), plan.unmended)


def _written(connection: Connection, plan: Plan) -> str:
    """Return the sections of *plan* that have something to say, numbered."""
    return "\n".join(_section(connection, number, section) for number, section in enumerate(plan.sections, 1))


def _section(connection: Connection, number: int, section: Section) -> str:
    # A name may hold a line feed, which would end the comment.
    remarks = "".join(f"--    {visible(remark)}\n" for remark in section.remarks)
    steps = "".join(f"{statement(connection, step)}\n" for step in section.steps) or "--    nothing\n"
    return f"-- {number}. {section.title}\n{remarks}{steps}"


def statement(connection: Connection, step: Step) -> str:
    """Return *step* as SQL; the names in it come from the server, as SQL wants them written."""
    lines = SQL[step.statement].splitlines()
    return (
        Statement("\n".join(line for line in lines if not line.startswith("--")))
        .format(
            table=Statement(step.table),
            name=Statement(step.name),
            schema=Statement(step.schema),
            definition=Statement(step.definition),
            relation=Literal(step.table),
            column=Literal(step.column),
            group=Literal(step.group),
            comment=Literal(step.comment),
        )
        .as_string(connection)
    )
