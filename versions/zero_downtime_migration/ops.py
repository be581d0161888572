"""What a revision calls to change a table that is in use: `from spotify_ai_agent_migrations import ops`.

    def upgrade() -> None:
        ops.add_column("public.users", "nickname", "text", comment="contact: shown on the profile")

Tables are named with their schema, as SQL writes them; columns, indexes and constraints by their own names.
Each call is a sequence of steps that commit, and that the same revision goes on from when it was cut off:
nothing of Alembic's own `op` may stand beside it in the same function. What is so already is left alone.
Locks: strong ones for milliseconds, waited for no longer than half a second at a time; see each operation.
With `--sql` each call writes what refuses to go on, for a script knows no table.

Raises:
    TableError: it cannot be done online, or rows stand against it; what is done stays done.
    LockError: somebody was in the way at every try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_check import AddCheck
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_column import AddColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_foreign_key import (
    AddForeignKey,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_unique import AddUnique
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.backfill import Backfill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.change_type import ChangeType
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.create_index import CreateIndex
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_column import DropColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_index import DropIndex
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_not_null import DropNotNull
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_table import DropTable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import SetNotNull
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.rename_column import RenameColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.replace_index import ReplaceIndex
from spotify_ai_agent_migrations.versions.zero_downtime_migration.ops_briefly import (
    drop_constraint,
    set_comment,
    set_default,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.revising import Part, carry_out

__all__ = [
    "Part",
    "add_check",
    "add_column",
    "add_foreign_key",
    "add_unique",
    "backfill",
    "change",
    "change_type",
    "create_index",
    "drop_column",
    "drop_constraint",
    "drop_index",
    "drop_not_null",
    "drop_table",
    "rename_column",
    "replace_index",
    "set_comment",
    "set_default",
    "set_not_null",
]


def change(wish: Wish, *, part: Part = "whole") -> None:
    """Make any operation of the room, or a part of it: "expand" is what old code runs with.

    "contract" is the rest of it, in a later revision; "undo" takes an expand back, and is nothing where the
    change was never begun or was made back since.

    Raises:
        TableError: it may not be contracted yet, and what is missing; or it is, and there is no way back.
    """
    carry_out(wish, part)


def add_column(
    table: str,
    column: str,
    type: str,  # noqa: A002  (what SQL calls it)
    *,
    default: str | None = None,
    not_null: bool = False,
    collation: str | None = None,
    identity: str | None = None,
    generated: str | None = None,
    virtual: bool = False,
    emulated: bool = False,
    comment: str | None = None,
) -> None:
    """Add a column without rewriting the table; *type*, *default* and *generated* are SQL. See `AddColumn`.

    Locks: ACCESS EXCLUSIVE for milliseconds. Rows are filled in batches where the default differs for each.
    """
    carry_out(
        AddColumn(
            table,
            column,
            type,
            default=default,
            not_null=not_null,
            collation=collation,
            identity=identity,
            generated=generated,
            virtual=virtual,
            emulated=emulated,
            comment=comment,
        ),
        "whole",
    )


def drop_column(
    table: str,
    column: str,
    *,
    default: str | None = None,
    keep_days: float = 0,
    trust: Sequence[str] = (),
    part: Part = "whole",
) -> None:
    """Drop a column: after "expand" new code may leave it out, "contract" puts it away and drops it.

    See `DropColumn`. Locks: ACCESS EXCLUSIVE for milliseconds; its indexes go CONCURRENTLY before.
    """
    wish = DropColumn(table, column, default=default, keep_days=keep_days, trust=tuple(trust))
    carry_out(wish, part)


def rename_column(table: str, column: str, new: str, *, part: Part = "whole") -> None:
    """Rename a column: after "expand" it has both names, and whoever writes one writes both."""
    carry_out(RenameColumn(table, column, new), part)


def change_type(
    table: str,
    column: str,
    type: str,  # noqa: A002  (what SQL calls it)
    *,
    using: str | None = None,
    back: str | None = None,
    collation: str | None = None,
    part: Part = "whole",
) -> None:
    """Give a column another type: after "expand" the new form is beside it, named with "_new" behind.

    See `ChangeType`. What the server does in the catalogue alone is done so, by the contraction.
    Locks: ACCESS EXCLUSIVE for milliseconds at a time; rows are filled in batches.
    """
    carry_out(ChangeType(table, column, type, using, back, collation), part)


def set_not_null(table: str, column: str) -> None:
    """Make a column NOT NULL without reading the table under a strong lock.

    Raises:
        TableError: rows have no value; how many is said, and the column may still be NULL.
    """
    carry_out(SetNotNull(table, column), "whole")


def drop_not_null(table: str, column: str) -> None:
    """Let a column be NULL."""
    carry_out(DropNotNull(table, column), "whole")


def backfill(table: str, values: Mapping[str, str], *, due: str) -> None:
    """Write *values*, SQL by column, into the rows that are *due*, in batches that each commit."""
    carry_out(Backfill(table, tuple(values.items()), due), "whole")


def add_check(table: str, condition: str, name: str | None = None, *, comment: str | None = None) -> None:
    """Add a check NOT VALID, then validate it; see `AddCheck`."""
    carry_out(AddCheck(table, condition, name, comment), "whole")


def add_foreign_key(
    table: str,
    columns: Sequence[str],
    referenced: str,
    referenced_columns: Sequence[str] = (),
    *,
    name: str | None = None,
    on_delete: str = "NO ACTION",
    on_update: str = "NO ACTION",
    full: bool = False,
    deferrable: str = "",
    without_index: bool = False,
    comment: str | None = None,
) -> None:
    """Add a foreign key NOT VALID, then validate it; see `AddForeignKey`.

    Locks: SHARE ROW EXCLUSIVE on both tables for milliseconds; rows are read under weaker ones.
    """
    wish = AddForeignKey(
        table,
        tuple(columns),
        referenced,
        tuple(referenced_columns),
        name=name,
        on_delete=on_delete,
        on_update=on_update,
        full=full,
        deferrable=deferrable,
        without_index=without_index,
        comment=comment,
    )
    carry_out(wish, "whole")


def add_unique(
    table: str,
    columns: Sequence[str],
    name: str | None = None,
    *,
    include: Sequence[str] = (),
    nulls_not_distinct: bool = False,
    deferrable: str = "",
    comment: str | None = None,
) -> None:
    """Add a unique constraint on an index that is built CONCURRENTLY; see `AddUnique`."""
    wish = AddUnique(table, tuple(columns), name, tuple(include), nulls_not_distinct, deferrable, comment)
    carry_out(wish, "whole")


def create_index(
    table: str,
    columns: Sequence[str] = (),
    name: str | None = None,
    *,
    keys: str = "",
    unique: bool = False,
    using: str = "btree",
    include: Sequence[str] = (),
    where: str = "",
    nulls_not_distinct: bool = False,
    storage: str = "",
    comment: str | None = None,
) -> None:
    """Build an index CONCURRENTLY, of *columns* or of *keys*, which are SQL; see `CreateIndex`."""
    wish = CreateIndex(
        table, tuple(columns), keys, name, unique, using, tuple(include), where, nulls_not_distinct, storage,
        comment,
    )  # fmt: skip
    carry_out(wish, "whole")


def replace_index(
    table: str,
    columns: Sequence[str] = (),
    *,
    name: str,
    keys: str = "",
    unique: bool = False,
    using: str = "btree",
    include: Sequence[str] = (),
    where: str = "",
    nulls_not_distinct: bool = False,
    storage: str = "",
    at_once: bool = False,
) -> None:
    """Put an index of another definition in the place of the one of that name; see `ReplaceIndex`."""
    wish = ReplaceIndex(
        table, tuple(columns), keys, name, unique, using, tuple(include), where, nulls_not_distinct, storage,
        at_once=at_once,
    )  # fmt: skip
    carry_out(wish, "whole")


def drop_index(table: str, name: str, *, at_once: bool = False) -> None:
    """Drop an index CONCURRENTLY; see `DropIndex`."""
    carry_out(DropIndex(table, name, at_once), "whole")


def drop_table(table: str, *, unused_s: int = 0, reads_ignored: int = 0, part: Part = "whole") -> None:
    """Drop a table: its uses are counted from "expand" on; without any, "contract" puts it away and drops it.

    See `DropTable`. Locks: ACCESS EXCLUSIVE for milliseconds, on one table at a time.
    """
    carry_out(DropTable(table, unused_s, reads_ignored), part)
