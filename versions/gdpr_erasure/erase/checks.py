"""Try the rows of a person, as they are to be left, against the checks of their tables; changes none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.gdpr_erasure.asking import asked
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import statements
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.identifiers import SUBJECT
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Refusal
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.parts import Part
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.statements import Work
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.treating import own
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import Escaped, source_of

# A person is hidden when their row is changed.
_HIDDEN: Final = {("public.users", "status"): "erasing"}
_HINT: Final = "choose another strategy, or let the check allow it"

Check = tuple[str, str, str, Sequence[str]]


def of_checks(cursor: Cursor, parts: Sequence[Part]) -> Iterator[Refusal]:
    """Yield the checks that rows of the person would break when *parts* are done."""
    checks: dict[str, list[Check]] = defaultdict(list)
    tables = [part.work.reach.name for part in parts if part.work.action is Action.UPDATE]
    for table, alias, name, expression, columns in asked(cursor, "checks", tables=tables):
        checks[table].append((alias, name, expression, columns))
    for part in parts:
        work = part.work
        changed = {one.column for one in work.changes}
        # What a trigger makes anew is known when it is made.
        later = {name for name, live in work.live.items() if live.is_kept}
        concerned = [
            one for one in checks[work.reach.name] if changed & set(one[3]) and not later & set(one[3])
        ]
        if work.action is Action.UPDATE and concerned:
            yield from _broken(cursor, work, concerned)


def _broken(cursor: Cursor, work: Work, checks: Sequence[Check]) -> Iterator[Refusal]:
    names = dict.fromkeys(name for check in checks for name in check[3])
    statement = SQL(STATEMENTS["broken_checks"]).format(
        broken=SQL(", ").join(
            [SQL("pg_catalog.bool_or(({}) IS FALSE)").format(Escaped(SQL(one[2]))) for one in checks]
        ),
        values=SQL(", ").join(
            [SQL("{} AS {}").format(_left(work, name), Escaped(Identifier(name))) for name in names]
        ),
        source=source_of(work.reach),
        rows=statements.rows(work, with_chance=False),
        alias=Escaped(Identifier(checks[0][0])),
    )
    cursor.execute(statement, {"subject": SUBJECT})
    for check, is_broken in zip(checks, cursor.fetchone() or (), strict=True):
        if is_broken:
            place = f"{work.reach.name}.{check[3][0]}"
            yield Refusal(place, f'would be what the check "{check[1]}" refuses', _HINT)


def _left(work: Work, name: str) -> Composable:
    """Return what is in a column when the work has been done; what chance puts there is like what it was."""
    hidden = _HIDDEN.get((work.reach.name, name))
    if hidden is not None:
        return Escaped(Literal(hidden))
    values = {one.column: one.value for one in work.changes if not one.is_chance}
    return values.get(name) or own(name)
