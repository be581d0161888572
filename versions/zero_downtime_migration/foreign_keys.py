"""The steps that add a foreign key, to a table at once or to its partitions one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.constraints import (
    added,
    removed,
    validated,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.tree import Node, below, together

_WRITERS: Final = "SHARE ROW EXCLUSIVE"
_SIZE: Final = re.compile(r"\([^)]*\)")


@dataclass(frozen=True)
class Reference:
    """A foreign key to be added; `marks` are its actions, match and deferral as the catalogue has them."""

    table: Table
    columns: tuple[str, ...]
    other: Table
    targets: tuple[str, ...]
    name: str
    definition: str
    marks: tuple[str, str, str, bool, bool]
    said: tuple[str, ...]


def there_already(session: Session, key: Reference, table: int | None = None) -> bool | None:
    """Tell whether the foreign key is there and validated; None if it is not there.

    Raises:
        TableError: a constraint of that name is another one.
    """
    for name, columns, other, targets, *marks, valid in session.ask(
        "key_facts", table=table or key.table.oid
    ):
        if name != key.name:
            continue
        if (tuple(columns), other, tuple(targets), tuple(marks)) != (
            key.columns,
            key.other.oid,
            key.targets,
            key.marks,
        ):
            raise TableError(
                f'the foreign key "{name}" of "{key.table.name}" is another one',
                hint="give the new one another name, or drop that one first",
            )
        return bool(valid)
    return None


def refuse_unfit(session: Session, key: Reference, *, indexed: bool) -> None:
    """Refuse types that differ, a key that is not unique, and columns without an index."""
    for mine, theirs in zip(key.columns, key.targets, strict=True):
        types = [_SIZE.sub("", column.type) for column in (key.table.column(mine), key.other.column(theirs))]
        if types[0] != types[1]:
            raise TableError(
                f'"{mine}" of "{key.table.name}" is {types[0]}, '
                f'"{theirs}" of "{key.other.name}" is {types[1]}',
                hint="let them be of one type first: the change_type operation does",
            )
    asked = {"table": key.other.oid, "columns": list(key.targets), "exact": True}
    if not session.ask("leading_index", **asked):
        raise TableError(
            f'"{key.other.name}" is not unique in ({", ".join(key.targets)})',
            hint=f'AddUnique("{key.other.name}", {key.targets!r}) makes it so',
        )
    asked = {"table": key.table.oid, "columns": list(key.columns), "exact": False}
    if indexed and not session.ask("leading_index", **asked):
        raise TableError(
            f'"{key.table.name}" has no index on ({", ".join(key.columns)}): each DELETE of a referenced row '
            "would read all of it",
            hint=f'CreateIndex("{key.table.name}", {key.columns!r}) builds it; or say without_index=True',
        )


def whole(session: Session, key: Reference, *, begun: bool) -> tuple[Step, ...]:
    """Return the steps that add it to a table with all that is below it, not valid, and validate it then."""
    nodes = below(session, key.table) if key.table.partitioned else ()
    leaves = [node.name for node in nodes if not node.partitioned]
    add = _added(session, key, key.table.name, _others(session, key, nodes), key.said, " NOT VALID")
    return (
        *(() if begun else (add,)),
        _proof(session, key),
        *(_validated(session, key, table) for table in (*leaves, key.table.name)),
    )


def by_partitions(session: Session, key: Reference) -> tuple[Step, ...]:
    """Return the steps that add it to each partition, and to the table when all of them have it.

    The table then takes over what its partitions have, and reads none of them.
    """
    nodes = below(session, key.table)
    leaves = [node for node in nodes if not node.partitioned]
    fresh = [leaf for leaf in leaves if there_already(session, key, leaf.oid) is None]
    return (
        *(_of_partition(session, key, leaf) for leaf in fresh),
        _proof(session, key),
        *(_validated(session, key, leaf.name) for leaf in leaves),
        _covered(session, key),
        _taken_over(session, key, nodes),
    )


def _of_partition(session: Session, key: Reference, leaf: Node) -> Step:
    return _added(session, key, leaf.name, _others(session, key, ()), (), " NOT VALID", plain=())


def _taken_over(session: Session, key: Reference, nodes: Sequence[Node]) -> Step:
    # Taking over drops triggers of the referenced table that each partition's constraint had.
    others = (
        *(Lock(node.name, _WRITERS) for node in nodes),
        *(Lock(lock.table) for lock in _others(session, key, ())),
    )
    return replace(_added(session, key, key.table.name, others, key.said, ""), phase=Phase.COMPLETE)


def _added(
    session: Session,
    key: Reference,
    table: str,
    others: tuple[Lock, ...],
    said: tuple[str, ...],
    ending: str,
    plain: tuple[str, ...] | None = None,
) -> Step:
    locks = (Lock(table, _WRITERS), *others)
    freed = tuple(Lock(lock.table) for lock in locks)
    return Step(
        name=f"add the foreign key to {table}" + (", not valid" if ending else ""),
        phase=Phase.START,
        kind=Kind.BRIEF,
        sql=(*together(session, locks), added(session, table, key.name, key.definition, ending), *said),
        locks=locks,
        undo=(*together(session, freed), removed(session, table, key.name)),
        undo_locks=freed,
        plain=(added(session, table, key.name, key.definition), *said) if plain is None else plain,
    )


def _others(session: Session, key: Reference, nodes: Sequence[Node]) -> tuple[Lock, ...]:
    """Return the locks on the tables below, and on the one that is referred to with those below it."""
    names = [node.name for node in nodes]
    if key.other.oid != key.table.oid:
        names += [key.other.name]
    if key.other.partitioned:
        names += [node.name for node in below(session, key.other)]
    return tuple(Lock(name, _WRITERS) for name in dict.fromkeys(names))


def _validated(session: Session, key: Reference, table: str) -> Step:
    return validated(session, table, key.name, others=(Lock(key.other.name, "ROW SHARE"),))


def _proof(session: Session, key: Reference) -> Step:
    """Return the step that counts the rows that refer to nothing, which VALIDATE would show the key of."""
    given: Composable = SQL(" AND ").join(
        SQL("{} IS NOT NULL").format(Identifier("child", column)) for column in key.columns
    )
    same = SQL(" AND ").join(
        SQL("{} = {}").format(Identifier("parent", theirs), Identifier("child", mine))
        for mine, theirs in zip(key.columns, key.targets, strict=True)
    )
    lost = SQL("({} AND NOT EXISTS (SELECT FROM {} AS parent WHERE {}))").format(
        given, SQL(key.other.name), same
    )
    if key.marks[2] == "f":
        some = SQL(" OR ").join(
            SQL("{} IS NOT NULL").format(Identifier("child", column)) for column in key.columns
        )
        lost = SQL("({} OR (NOT ({}) AND ({})))").format(lost, given, some)
    query = SQL("SELECT count(*) FROM {} AS child WHERE {} HAVING count(*) > 0").format(
        SQL(key.table.name), lost
    )
    return Step(
        name="look for rows that refer to nothing",
        phase=Phase.VERIFY,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        locks=(Lock(key.table.name, "ACCESS SHARE"), Lock(key.other.name, "ACCESS SHARE")),
        held="while it reads both tables",
        plain=(),
        failure=f'{{first}} rows of "{key.table.name}" refer with ({", ".join(key.columns)}) '
        f'to no row of "{key.other.name}"',
        hint="mend or remove them, then go on",
    )


def _covered(session: Session, key: Reference) -> Step:
    return Step(
        name="look for partitions without it",
        phase=Phase.COMPLETE,
        kind=Kind.PROOF,
        sql=(session.asked("without_key", table=key.table.name, name=key.name),),
        plain=(),
        failure=f'{{count}} partitions of "{key.table.name}" were made meanwhile and have no '
        f'"{key.name}", "{{first}}" first',
        hint="abort it, and start it again",
    )
