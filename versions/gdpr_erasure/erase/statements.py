"""Write the statements of one step: a batch, all of it at once, and what is left. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Literal, Placeholder

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS, Live
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.treating import Change, own
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach, Way
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import ROW, Escaped, joined, rows_of, source_of

_BATCH: Final = "subject_batch"
_AFTER: Final = Placeholder("after")
_MOST: Final = Placeholder("most")
_CHILD: Final = "subject_child"
_TREE: Final = "subject_tree"
_TRUE: Final = SQL("true")


@dataclass(frozen=True)
class Work:
    """What one step is written from.

    reach: the rows. changes: what becomes of columns; none where rows are deleted.
    spared: the condition of rows that are kept, on alias `subject_row`.
    objects: columns with the numbers of large objects that go with the rows, or with their values.
    is_early: it has to be done before anything else is. lets_go: it has to be done before rows are deleted.
    """

    reach: Reach
    action: Action
    live: Mapping[str, Live]
    changes: Sequence[Change] = ()
    spared: Composable | None = None
    objects: Sequence[str] = ()
    is_early: bool = False
    lets_go: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """Return the columns of the primary key."""
        return self.reach.table.key

    @property
    def is_at_once(self) -> bool:
        """Tell whether rows that name each other have to be deleted together."""
        names_itself = any(loop.constraint for loop in self.reach.loops)
        return (self.action is Action.DELETE and names_itself) or self.reach.table.kind == "f"


@dataclass(frozen=True)
class Texts:
    """What the statements of one step are put together from, each written once.

    rows: the condition of the rows that are still to be done. known: the same, but for values that are known
    in an erasure alone. changes: what stands after SET.
    """

    work: Work
    source: Composable
    rows: Composable
    known: Composable
    changes: Composable

    @classmethod
    def of(cls, work: Work, cursor: Cursor) -> Texts:
        """Return them of *work*, as the session of *cursor* writes names and values."""

        def text(part: Composable) -> Composable:
            return SQL(part.as_string(cursor))

        all_rows, is_chance = text(rows(work)), any(one.is_chance for one in work.changes)
        known = text(rows(work, with_chance=False)) if is_chance else all_rows
        return cls(work, text(source_of(work.reach)), all_rows, known, text(_changes(work)))


def batch(texts: Texts, cursor: Cursor) -> str:
    """Return the statement that does some rows, in the order of the key, from one on."""
    if texts.work.is_at_once:
        return whole(texts, cursor)
    return _written(cursor, _in_order(texts) if texts.work.key else _as_they_come(texts))


def whole(texts: Texts, cursor: Cursor) -> str:
    """Return the statement that does all rows."""
    if texts.work.objects:
        return _written(cursor, _batch(texts, after=_TRUE, most=SQL("NULL")))
    form = SQL(STATEMENTS[f"{texts.work.action.value}_whole"])
    return _written(cursor, form.format(source=texts.source, rows=texts.rows, changes=texts.changes))


def left(texts: Texts, cursor: Cursor) -> str:
    """Return the statement that counts the rows that are still to be done."""
    return _written(cursor, SQL(STATEMENTS["left"]).format(source=texts.source, rows=texts.rows))


def there(texts: Texts) -> Composable:
    """Return the statement that counts the rows that are to be done, as far as a plan can know them."""
    return SQL(STATEMENTS["left"]).format(source=texts.source, rows=texts.known)


def rows(work: Work, *, with_chance: bool = True) -> Composable:
    """Return the condition of the rows that are still to be done.

    with_chance: whether to compare with values that are known in an erasure alone.
    """
    conditions = [located(work.reach)]
    if work.spared is not None:
        conditions.append(SQL("({}) IS NOT TRUE").format(work.spared))
    if work.changes and (with_chance or not any(one.is_chance for one in work.changes)):
        conditions.append(SQL("({})").format(SQL(" OR ").join([one.differs for one in work.changes])))
    return SQL(" AND ").join(conditions)


def located(reach: Reach) -> Composable:
    """Return the condition of the rows of a person, each way asked by itself where no index serves several.

    Of conditions that ask other tables, with OR between them, the server reads the whole table.
    """
    if not reach.table.key:
        return rows_of(reach)
    if reach.loops:
        return _with_those_below(reach)
    if len(reach.ways) == 1 or all(map(_is_direct, reach.ways)):
        return rows_of(reach)
    key = _listed(ROW, reach.table.key)
    parts = [
        SQL("SELECT {} FROM {} WHERE {}").format(key, source_of(reach), rows_of(replace(reach, ways=ways)))
        for ways in _asked_together(reach.ways)
    ]
    return SQL("({}) IN ({})").format(key, SQL(" UNION ").join(parts))


def _with_those_below(reach: Reach) -> Composable:
    """Return the condition of the rows of a person, and of those that name them, however far."""
    key = reach.table.key
    names = tuple(dict.fromkeys((*key, *(name for loop in reach.loops for name in loop.to_columns))))
    return SQL(
        "({key}) IN (WITH RECURSIVE subject_tree AS (SELECT {own} FROM {source} WHERE {rows}"
        " UNION SELECT {below} FROM {child} JOIN subject_tree ON {joined})"
        " SELECT {found} FROM subject_tree)"
    ).format(
        key=_listed(ROW, key),
        own=_listed(ROW, names),
        source=source_of(reach),
        rows=located(replace(reach, loops=())),
        below=_listed(_CHILD, names),
        child=source_of(reach, _CHILD),
        joined=SQL(" OR ").join([SQL("({})").format(joined(one, _CHILD, _TREE)) for one in reach.loops]),
        found=_listed(_TREE, key),
    )


def _listed(alias: str, names: Sequence[str]) -> Composable:
    return SQL(", ").join([Escaped(Identifier(alias, name)) for name in names])


def _asked_together(ways: Sequence[Way]) -> list[tuple[Way, ...]]:
    """Return *ways*, those together that compare the same columns with the person's own key."""
    found: dict[object, tuple[Way, ...]] = {}
    for place, way in enumerate(ways):
        together = way[0].from_columns if way and _is_direct(way) else place
        found[together] = (*found.get(together, ()), way)
    return list(found.values())


def _is_direct(way: Sequence[object]) -> bool:
    return len(way) <= 1


def _in_order(texts: Texts) -> Composable:
    return _batch(texts, after=_after(texts.work), most=_MOST)


def _batch(texts: Texts, *, after: Composable, most: Composable) -> Composable:
    work, key = texts.work, texts.work.key
    names = [Escaped(Identifier(name)) for name in key]
    listed = SQL(", ").join([own(name) for name in dict.fromkeys((*key, *work.objects))])
    return SQL(STATEMENTS[f"{work.action.value}_batch"]).format(
        listed=listed,
        keys=SQL(", ").join([own(name) for name in key]),
        names=SQL(", ").join(names),
        source=texts.source,
        rows=texts.rows,
        after=after,
        most=most,
        fence=SQL("" if _is_ordered(work.reach) else " OFFSET 0"),
        same=_same(key),
        order=SQL(", ").join([SQL("{} DESC").format(name) for name in names]),
        changes=texts.changes,
        unlinked=_unlinked(work),
    )


def _as_they_come(texts: Texts) -> Composable:
    """Return the statement for rows that have no key: by their place, until none is left."""
    work = texts.work
    return SQL(STATEMENTS[f"{work.action.value}_places"]).format(
        row=Escaped(Identifier(ROW)),
        source=texts.source,
        rows=texts.rows,
        most=_MOST,
        changes=texts.changes,
        listed=SQL("").join([SQL(", {}").format(own(name)) for name in work.objects]),
        unlinked=_unlinked(work),
    )


def _unlinked(work: Work) -> Composable:
    """Return how many large objects went with the rows of a batch."""
    counts = [
        SQL(
            "(SELECT pg_catalog.count(ops.unlink_large_object_v1({0})) FROM batch AS subject_batch"
            " WHERE {0} IS NOT NULL)"
        ).format(Escaped(Identifier(_BATCH, name)))
        for name in work.objects
    ]
    return SQL(" + ").join(counts) if counts else SQL("0")


def _changes(work: Work) -> Composable:
    return SQL(", ").join([one.assignment for one in work.changes])


def _written(cursor: Cursor, statement: Composable) -> str:
    return statement.as_string(cursor)


def _same(key: Sequence[str]) -> Composable:
    pairs = [SQL("{} = {}").format(own(name), Escaped(Identifier(_BATCH, name))) for name in key]
    return SQL(" AND ").join(pairs)


def _after(work: Work) -> Composable:
    """Return the condition that the key of a row is behind the last one done; true before the first."""
    values = [
        SQL("CAST(({})::jsonb ->> {} AS {})").format(
            _AFTER, Escaped(Literal(name)), Escaped(SQL(work.live[name].type))
        )
        for name in work.key
    ]
    return SQL("(({})::jsonb IS NULL OR ({}) > ({}))").format(
        _AFTER, SQL(", ").join([own(name) for name in work.key]), SQL(", ").join(values)
    )


def _is_ordered(reach: Reach) -> bool:
    """Tell whether the rows follow each other in the key itself, all ways fixing its first column."""
    first = reach.table.key[:1]
    return (
        bool(first)
        and not reach.loops
        and all(len(way) == 1 and way[0].is_equality and way[0].from_columns == first for way in reach.ways)
    )
