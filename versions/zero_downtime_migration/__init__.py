"""Change a live table so that nobody notices: start, backfill, verify, complete, or abort.

    change(SetNotNull("public.plays", "user_id"))      all of it; killed anywhere, the same call goes on
    upgrade()                                           revision 011, which makes a change of our own schema
    start(wish)  backfill(wish)  verify(wish)  complete(wish)  abort(wish)      one at a time, deploys between
    plan(wish)                                          the steps: SQL, locks, and how long they are held

When: a table is in use, and may not stand still.
Locks: a strong one for milliseconds, under a short time-out that no reader or writer waits longer than; never
behind a long transaction. What takes long takes locks that others do not wait for.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.zero_downtime_migration import ops, together
from spotify_ai_agent_migrations.versions.zero_downtime_migration.app_schemas import create_views, drop_views
from spotify_ai_agent_migrations.versions.zero_downtime_migration.applications import acknowledge, retire
from spotify_ai_agent_migrations.versions.zero_downtime_migration.contract import Missing, Proof
from spotify_ai_agent_migrations.versions.zero_downtime_migration.listing import Listed
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Phase, State, Step
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
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.widen_key import WidenKey
from spotify_ai_agent_migrations.versions.zero_downtime_migration.own import (
    abort_upgrade,
    downgrade,
    status,
    upgrade,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import Limits, Pace
from spotify_ai_agent_migrations.versions.zero_downtime_migration.progress import Progress
from spotify_ai_agent_migrations.versions.zero_downtime_migration.run import (
    abort,
    backfill,
    change,
    complete,
    plan,
    start,
    verify,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.steering import (
    cancel,
    pause,
    progress_of,
    resume,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms

__all__ = [
    "AddCheck",
    "AddColumn",
    "AddExclusion",
    "AddForeignKey",
    "AddPrimaryKey",
    "AddSyncedColumn",
    "AddUnique",
    "Backfill",
    "Change",
    "ChangeType",
    "CreateIndex",
    "DropColumn",
    "DropIndex",
    "DropNotNull",
    "DropTable",
    "EnumToLookup",
    "Limits",
    "Listed",
    "Manner",
    "MergeColumns",
    "Missing",
    "Pace",
    "Phase",
    "Progress",
    "Proof",
    "RebuildIndex",
    "RenameColumn",
    "RenameTable",
    "ReplaceIndex",
    "SetNotNull",
    "SplitColumn",
    "State",
    "Step",
    "SwapTable",
    "Terms",
    "WidenKey",
    "abort",
    "abort_upgrade",
    "acknowledge",
    "backfill",
    "cancel",
    "change",
    "complete",
    "create_views",
    "downgrade",
    "drop_views",
    "ops",
    "pause",
    "plan",
    "progress_of",
    "resume",
    "retire",
    "start",
    "status",
    "together",
    "upgrade",
    "verify",
]
