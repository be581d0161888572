"""Put right what is wrong about a person (GDPR art. 16), where the catalogue says that this may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from psycopg2.sql import SQL, Composable, Identifier, Placeholder

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import SQL as STATEMENTS
from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import asked
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, reached
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import ROW, identifier, rows_of

_USERS: Final = "public.users"


def rectify(
    person: int,
    table: str,
    changes: Mapping[str, Any],
    *,
    key: Mapping[str, Any] | None = None,
    request: int | None = None,
    url: str | None = None,
) -> None:
    """Change columns of one row of *person*; the trail names the columns, and no value.

    table: with its schema, `public.playlists`. changes: new values by column, each one that the catalogue
        calls rectifiable. key: the primary key of the row; not needed of the person's own row.
    request: the request it answers, which notes what was changed and stays open.

    Raises:
        TableError: a column is not rectifiable, the key is not that of the table, or no such row is theirs.
    """
    with asked(url) as cursor:
        catalogue = read_catalogue(cursor)
        reach = _owned(catalogue, table)
        _refuse_others(catalogue, table, changes)
        named = _key_of(reach, person, key)
        cursor.execute(
            SQL(STATEMENTS["rectify"]).format(
                table=identifier(table),
                changes=SQL(", ").join(_equal(Identifier(name), f"new {name}") for name in changes),
                key=SQL(" AND ").join(_equal(Identifier(ROW, name), f"key {name}") for name in named),
                owned=rows_of(reach),
            ),
            {"subject": person, **_prefixed("new", changes), **_prefixed("key", named)},
        )
        if cursor.fetchone() is None:
            raise TableError(
                f'no row of "{table}" with that key is the person\'s', hint="name it by its primary key"
            )
        if request is not None:
            done = f"rectified {table}: {', '.join(sorted(changes))}"
            cursor.execute(STATEMENTS["note_request"], {"request": request, "done": done})


def _owned(catalogue: Catalogue, table: str) -> Reach:
    """Return how the rows of *table* that are wholly a person's are reached."""
    for reach in reached(catalogue):
        owned = reach.owned() if reach.name == table else None
        if owned is not None:
            return owned
    raise TableError(f'"{table}" has no rows of people', hint="name it with its schema: public.users")


def _refuse_others(catalogue: Catalogue, table: str, changes: Iterable[str]) -> None:
    wanted = tuple(changes)
    may = {one.name for one in catalogue.columns_of(table) if one.rectifiable}
    for name in wanted:
        if name not in may:
            raise TableError(
                f'column "{name}" of "{table}" is not rectifiable',
                hint=f"these are: {', '.join(sorted(may)) or 'none'}; ops.personal_data says so",
            )
    if not wanted:
        raise TableError("there is nothing to change", hint="name columns and their new values")


def _key_of(reach: Reach, person: int, key: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if key is None and reach.name == _USERS:
        return {reach.subject_key: person}
    if set(key or ()) != set(reach.table.key):
        raise TableError(
            f'the key of "{reach.name}" is {", ".join(reach.table.key)}',
            hint="give a value for each of these",
        )
    return key or {}


def _equal(column: Composable, value: str) -> Composable:
    return SQL("{} = {}").format(column, Placeholder(value))


def _prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix} {name}": value for name, value in values.items()}
