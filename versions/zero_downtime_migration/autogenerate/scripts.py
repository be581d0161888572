"""Make of the one revision that Alembic would write as many as are needed, each to be applied by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.differences import Differences
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.fields import PLAIN, fields_of
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.moves import (
    Half,
    Move,
    comment,
)

_IMPORT = "from spotify_ai_agent_migrations import ops"


class Call(ops.MigrateOperation):
    """A call of `ops` in a revision, as its text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def to_diff_tuple(self) -> tuple[str, str]:
        """Return how `alembic check` tells of it."""
        return ("online", self.text)


@renderers.dispatch_for(Call)
def _rendered(_: AutogenContext, op: Call) -> str:
    return op.text


@dataclass(frozen=True)
class Part:
    """What one revision does, and what its docstring says of it; `label` follows the message."""

    label: str
    there: list[ops.MigrateOperation]
    back: list[ops.MigrateOperation]
    fields: dict[str, str] = field(default_factory=dict)


def parts(found: Differences) -> Iterator[Part]:
    """Yield the parts in the order in which they are applied: tables, expand, contract, tables that go."""
    if found.plain:
        there = list(found.plain)
        # What is not known is for its author to say: the gate asks for it.
        fields = {} if found.unknown else dict(PLAIN)
        yield Part("plain" if found.unknown else "tables", there, ops.UpgradeOps(there).reverse().ops, fields)
    for half in (Half.EXPAND, Half.CONTRACT):
        moves = sorted((move for move in found.moves if move.half is half), key=lambda move: move.rank)
        if moves:
            yield Part(half.value, _calls(moves), _calls_back(moves), fields_of(moves))
    if found.gone:
        moves = [one.move for one in found.gone]
        again = [op for one in reversed(found.gone) for op in one.made_again]
        yield Part("drop tables", _calls(moves), again, fields_of(moves))


def scripts(first: ops.MigrationScript, found: Differences) -> list[ops.MigrationScript]:
    """Return the revisions, of which the *first* keeps where it stands; the others follow one another."""
    every = tuple(parts(found))
    return [
        _script(first, part, place, message=_message(first.message, part, alone=len(every) == 1))
        for place, part in enumerate(every)
    ]


def _script(first: ops.MigrationScript, part: Part, place: int, *, message: str) -> ops.MigrationScript:
    upgrade, downgrade = ops.UpgradeOps(part.there), ops.DowngradeOps(part.back)
    upgrade.upgrade_token, downgrade.downgrade_token = (
        first.upgrade_ops_list[0].upgrade_token,
        first.downgrade_ops_list[0].downgrade_token,
    )
    made = ops.MigrationScript(
        first.rev_id,
        upgrade,
        downgrade,
        message=message,
        imports={_IMPORT} if any(isinstance(op, Call) for op in (*part.there, *part.back)) else set(),
        head=first.head,
        splice=first.splice and not place,
        branch_label=None if place else first.branch_label,
        version_path=first.version_path,
        depends_on=None if place else first.depends_on,
    )
    vars(made)["fields"] = part.fields
    return made


def _message(said: str | None, part: Part, *, alone: bool) -> str:
    if alone:
        return said or part.label
    return f"{said}: {part.label}" if said else part.label


def _calls(moves: Iterable[Move]) -> list[ops.MigrateOperation]:
    return [
        Call(text)
        for move in moves
        for text in (*(line for note in move.notes for line in comment(note)), *move.there)
    ]


def _calls_back(moves: list[Move]) -> list[ops.MigrateOperation]:
    return [Call(text) for move in reversed(moves) for text in move.back]
