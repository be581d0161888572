"""Partition a live table by time without losing a write, keep its partitions, and take it back.

    convert("public.analytics", "created_at")      the rows there are become the first partition, in place
    maintain()                                     months ahead, gaps filled, what is over archived and gone
    split("public.analytics")                      the first partition into months, once its end has passed
    create_index("public.analytics", "analytics_x_idx", "(country_code)")    on each partition, CONCURRENTLY
    create("public.plays", "public.model", ByHash(("user_id",), 8))    a new one; or ByRange, or ByList
    add_values("public.plays", "iberia", ("ES", "PT"))    a partition of a list, for values that come later
    unconvert("public.analytics")                  a plain table again, all its rows and all about it kept

When: a table only grows, and old rows have to go by whole months.
Locks: one ACCESS EXCLUSIVE of some milliseconds, waited for no longer than the lock time-out; what takes
long is done before it, and blocks nobody.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.partitioning.create import Creation, add_values, create
from spotify_ai_agent_migrations.versions.partitioning.maintain import maintain
from spotify_ai_agent_migrations.versions.partitioning.periods import Period
from spotify_ai_agent_migrations.versions.partitioning.plan import Done
from spotify_ai_agent_migrations.versions.partitioning.run import (
    Conversion,
    convert,
    create_index,
    split,
    unconvert,
    unsplit,
)
from spotify_ai_agent_migrations.versions.partitioning.schemes import ByHash, ByList, ByRange

__all__ = [
    "ByHash",
    "ByList",
    "ByRange",
    "Conversion",
    "Creation",
    "Done",
    "Period",
    "add_values",
    "convert",
    "create",
    "create_index",
    "maintain",
    "split",
    "unconvert",
    "unsplit",
]
