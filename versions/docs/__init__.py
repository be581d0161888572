"""Write the documentation of a schema from its own catalogue, in English and French, and keep it true.

    write_docs("docs")      schema.md and schema.fr.md: tables, keys, rules, views, functions, diagrams
    check_docs("docs")      raises where a page is not what the database says

When: after a change of the schema; `agentdb docs --check` in CI finds the one that was forgotten.
Locks: ACCESS SHARE, as a SELECT takes; nothing is written to the database.
Works on any schema: what has no comment is shown with the remark that it has none.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.docs.run import check_docs, write_docs

__all__ = ["check_docs", "write_docs"]
