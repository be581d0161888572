"""Look at a schema as Citus would: where each table would live, what is in the way, in which order to go.

    for finding in lint().findings:      what would have to change
        ...                              # finding.problem, finding.citus, finding.hint
    map_tables()                         where each table would live, a line a table
    write_plan().sql                     the statements that would distribute them, to be read

When: with every revision, long before there is a second machine; a key is cheap to choose and dear to change.
Locks: ACCESS SHARE, in one transaction that may write nothing: reading and writing go on.
Citus is not needed, and its verdict is not asked: the rules are what its documentation and its source say.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.distribution.finding import Finding, Report
from spotify_ai_agent_migrations.versions.distribution.run import (
    WrittenPlan,
    lint,
    map_tables,
    read_lines,
    write_plan,
)

__all__ = ["Finding", "Report", "WrittenPlan", "lint", "map_tables", "read_lines", "write_plan"]
