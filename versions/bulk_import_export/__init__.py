"""Bring a file into a table, all of it or nothing, and write a table into a file.

    bulk_import("users", "users.csv")     rows in;  ROW EXCLUSIVE: others read and write the table meanwhile
    bulk_export("users", "users.csv")     rows out; ACCESS SHARE: nobody waits

    bulk_retry("rejects.jsonl")           the rows that an import kept aside, once more
    bulk_fix("rejects.jsonl", "fix.csv")  the same, to be mended by hand

What an export writes an import reads back as the same values.
For loads of any size, of tables that are in use. An error names the line of the file, never its values.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.bulk_import_export.run import (
    ExportResult,
    ImportResult,
    bulk_export,
    bulk_fix,
    bulk_import,
    bulk_retry,
)

__all__ = ["ExportResult", "ImportResult", "bulk_export", "bulk_fix", "bulk_import", "bulk_retry"]
