"""The operations, a file each: what is wished, as a frozen value, and the steps that it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Final, Protocol

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_check import AddCheck
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_column import AddColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_exclusion import AddExclusion
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_foreign_key import (
    AddForeignKey,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_primary_key import (
    AddPrimaryKey,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.add_unique import AddUnique
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.backfill import Backfill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.change_type import ChangeType
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.create_index import CreateIndex
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_column import DropColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_index import DropIndex
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_not_null import DropNotNull
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_table import DropTable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.enum_to_lookup import (
    EnumToLookup,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.merge_columns import MergeColumns
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import SetNotNull
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.rename_column import RenameColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.rename_table import RenameTable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.replace_index import (
    RebuildIndex,
    ReplaceIndex,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.split_column import SplitColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.swap_table import SwapTable
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.synced_column import (
    AddSyncedColumn,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


class Wish(Protocol):
    """What is wished of a table: a frozen dataclass whose fields JSON can hold."""

    operation: ClassVar[str]

    @property
    def table(self) -> str:
        """The table, with its schema."""

    @property
    def subject(self) -> str:
        """What of the table it is about; one change of a kind of it at a time."""

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps it comes to, by what the catalogue says now; none if it is so already.

        Raises:
            TableError: it cannot be done online; nothing was changed, and the hint says what can.
        """


_WISHES: Final[tuple[type[Wish], ...]] = (
    AddCheck,
    AddColumn,
    AddExclusion,
    AddForeignKey,
    AddPrimaryKey,
    AddSyncedColumn,
    AddUnique,
    Backfill,
    ChangeType,
    CreateIndex,
    DropColumn,
    DropIndex,
    DropNotNull,
    DropTable,
    EnumToLookup,
    MergeColumns,
    RebuildIndex,
    RenameColumn,
    RenameTable,
    ReplaceIndex,
    SetNotNull,
    SplitColumn,
    SwapTable,
)
OPERATIONS: Final[Mapping[str, type[Wish]]] = {wish.operation: wish for wish in _WISHES}


def wish_of(operation: str, arguments: Mapping[str, Any]) -> Wish:
    """Return the wish that was recorded.

    Raises:
        TableError: there is no such operation.
    """
    if operation not in OPERATIONS:
        raise TableError(
            f'there is no operation "{operation}"', hint=f"there are {', '.join(sorted(OPERATIONS))}"
        )
    return OPERATIONS[operation](**{key: _frozen(value) for key, value in arguments.items()})


def _frozen(value: Any) -> Any:  # noqa: ANN401  (whatever JSON holds)
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def arguments_of(wish: Wish) -> dict[str, Any]:
    """Return what was wished, as JSON takes it."""
    return asdict(wish)  # type: ignore[call-overload, no-any-return]  # every wish is a dataclass
