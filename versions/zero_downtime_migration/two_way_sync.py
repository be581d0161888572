"""Keep two forms of the same columns in step while old and new code both write: a trigger, both ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

# A setting of the transaction that fills: which columns. Their trigger leaves such rows as they are written.
FILLING: Final = "agentdb.filling"


@dataclass(frozen=True)
class Direction:
    """One way: when a column of `watched` is written, each column of `values` gets its expression, of NEW."""

    watched: tuple[str, ...]
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sync:
    """What makes and what takes away a trigger that keeps columns in step."""

    create: tuple[str, ...]
    drop: tuple[str, ...]


def two_way(session: Session, table: Table, name: str, up: Direction, down: Direction | None) -> Sync:
    """Return what keeps the old columns (`up.watched`) and the new ones in step; *down* may be missing.

    Whoever writes one form gets the other one from it. Whoever writes both is believed in the new one. It
    fires after the table's other triggers BEFORE a row is written, and for replicated rows too.
    """
    routine = table.beside(fitted(name, "sync"))
    trigger = Identifier(fitted("zz", name, "sync"))
    body = SQL(_BODY).format(
        filling=Literal(FILLING),
        filled=Literal(filled([name for name, _ in up.values])),
        new_given=_given(down.watched if down else ()),
        old_given=_given(up.watched),
        new_changed=_changed(down.watched if down else ()),
        old_changed=_changed(up.watched),
        up=_assigned(up.values),
        down=_assigned(down.values if down else ()),
    )
    create = (
        SQL(
            "CREATE OR REPLACE FUNCTION {routine}() RETURNS trigger LANGUAGE plpgsql\n"
            "    SET search_path = pg_catalog, pg_temp AS {body}"
        ).format(routine=routine, body=Literal(body.as_string(session.connection))),
        SQL("ALTER FUNCTION {}() OWNER TO {}").format(routine, SQL(table.owner)),
        SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(routine),
        SQL(
            "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION {}()"
        ).format(trigger, SQL(table.name), routine),
        SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(SQL(table.name), trigger),
    )
    drop = (
        SQL("DROP TRIGGER IF EXISTS {} ON {}").format(trigger, SQL(table.name)),
        SQL("DROP FUNCTION IF EXISTS {}()").format(routine),
    )
    return Sync(tuple(map(session.text, create)), tuple(map(session.text, drop)))


def filled(columns: Sequence[str]) -> str:
    """Return what the setting is while *columns* are filled: the triggers of other columns go on."""
    return json.dumps(list(columns))


def _given(names: Sequence[str]) -> Composable:
    """Whether an inserted row brings one of the columns."""
    if not names:
        return SQL("false")
    return SQL("({})").format(
        SQL(" OR ").join(SQL("num_nonnulls({}) > 0").format(Identifier("new", name)) for name in names)
    )


def _changed(names: Sequence[str]) -> Composable:
    """Whether an update writes another value into one of the columns."""
    if not names:
        return SQL("false")
    return SQL("({})").format(
        SQL(" OR ").join(differing(Identifier("new", name), Identifier("old", name)) for name in names)
    )


def differing(one: Composable, other: Composable) -> Composable:
    """Whether two values differ, whatever type they are of: as they are stored, not as its operators see it.

    To json no operator compares, to citext 'A' is 'a', and those of an extension are not on the path.
    """
    return SQL("pg_catalog.record_image_ne(ROW({}), ROW({}))").format(one, other)


def _assigned(values: Sequence[tuple[str, str]]) -> Composable:
    if not values:
        return SQL("NULL;")
    return SQL("\n            ").join(
        SQL("{} := {};").format(Identifier("new", name), SQL(value)) for name, value in values
    )


_BODY: Final = """
BEGIN
    -- Not in what other triggers write because of a fill.
    IF current_setting({filling}, true) = {filled} AND pg_trigger_depth() = 1 THEN
        RETURN new;
    ELSIF tg_op = 'INSERT' THEN
        IF {new_given} THEN
            {down}
        ELSIF {old_given} THEN
            {up}
        END IF;
    ELSIF {new_changed} THEN
        {down}
    ELSIF {old_changed} THEN
        {up}
    END IF;
    RETURN new;
END
"""
