"""Write the statements of one step: a batch, all of it at once, and what is left. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Placeholder

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS, Live
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.treating import Change, own
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import Escaped, rows_of, source_of

_BATCH = "subject_batch"
_AFTER = Placeholder("after")


@dataclass(frozen=True)
class Work:
    """What one step is written from.

    reach: the rows. changes: what becomes of columns; none where rows are deleted.
    spared: the condition of rows that are kept, on alias `subject_row`.
    """

    reach: Reach
    action: Action
    live: Mapping[str, Live]
    changes: Sequence[Change] = ()
    spared: Composable | None = None


def batch(work: Work, cursor: Cursor) -> str:
    """Return the statement that does some rows, in the order of the key, from one on."""
    key = work.reach.table.key
    names = [Escaped(Identifier(name)) for name in key]
    form = STATEMENTS[f"{work.action.value}_batch"]
    return _written(
        cursor,
        SQL(form).format(
            keys=SQL(", ").join([own(name) for name in key]),
            source=source_of(work.reach),
            rows=rows(work),
            after=_after(work),
            fence=SQL("" if _is_ordered(work.reach) else " OFFSET 0"),
            same=_same(key),
            order=SQL(", ").join([SQL("{} DESC").format(name) for name in names]),
            changes=_changes(work),
        ),
    )


def whole(work: Work, cursor: Cursor) -> str:
    """Return the statement that does all rows."""
    form = STATEMENTS[f"{work.action.value}_whole"]
    return _written(
        cursor,
        SQL(form).format(source=source_of(work.reach), rows=rows(work), changes=_changes(work)),
    )


def left(work: Work, cursor: Cursor) -> str:
    """Return the statement that counts the rows that are still to be done."""
    return _written(cursor, SQL(STATEMENTS["left"]).format(source=source_of(work.reach), rows=rows(work)))


def rows(work: Work, *, with_chance: bool = True) -> Composable:
    """Return the condition of the rows that are still to be done.

    with_chance: whether to compare with values that are known in an erasure alone.
    """
    conditions = [rows_of(work.reach)]
    if work.spared is not None:
        conditions.append(SQL("({}) IS NOT TRUE").format(work.spared))
    differing = [one.differs for one in work.changes if with_chance or not one.is_chance]
    if differing and (with_chance or len(differing) == len(work.changes)):
        conditions.append(SQL("({})").format(SQL(" OR ").join(differing)))
    return SQL(" AND ").join(conditions)


def _changes(work: Work) -> Composable:
    return SQL(", ").join([one.assignment for one in work.changes])


def _written(cursor: Cursor, statement: Composable) -> str:
    return statement.as_string(cursor)


def _same(key: Sequence[str]) -> Composable:
    pairs = [SQL("{} = {}").format(own(name), Escaped(Identifier(_BATCH, name))) for name in key]
    return SQL(" AND ").join(pairs)


def _after(work: Work) -> Composable:
    """Return the condition that the key of a row is behind the last one done; true before the first."""
    key = work.reach.table.key
    values = [
        SQL("CAST(({})::jsonb ->> {} AS {})").format(
            _AFTER,
            Escaped(SQL("'{}'").format(SQL(name.replace("'", "''")))),
            Escaped(SQL(work.live[name].type)),
        )
        for name in key
    ]
    return SQL("(({})::jsonb IS NULL OR ({}) > ({}))").format(
        _AFTER, SQL(", ").join([own(name) for name in key]), SQL(", ").join(values)
    )


def _is_ordered(reach: Reach) -> bool:
    """Tell whether the rows follow each other in the key itself, all ways fixing its first column."""
    first = reach.table.key[:1]
    return (
        bool(first)
        and not reach.loops
        and all(len(way) == 1 and way[0].is_equality and way[0].from_columns == first for way in reach.ways)
    )
