"""Checks of migrations, extensions and the package's own tables. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.checks_migrations import known

MIGRATIONS: Final = (
    Check(
        "mig.version_table", "a version table that does not say one revision",
        "No migration knows where to begin.",
        "alembic_version has {rows} rows",
        table="public.alembic_version",
    ),
    Check(
        "mig.revision", "the revision that this build wants",
        "The code asks for what the schema does not have, or the schema has what the code does not know.",
        "the database is at {name}, {what} {head}",
        table="public.alembic_version", settings={"known": list(known()), "head": known()[-1]},
    ),
    Check(
        "mig.unfinished", "migrations that broke",
        "Part of it may be there and part not.",
        "{direction} of {name} is {state}",
        table="ops.migration_journal", settings={"after_s": 300},
    ),
    Check(
        "mig.journal_broken", "entries of the journal that do not follow on another",
        "Somebody changed what was done to the schema, or what is said of it.",
        "entry {entry} of the journal does not follow on the one before",
        table="ops.migration_journal",
    ),
    Check(
        "mig.journal_end", "the end of the journal",
        "Its last entries were taken away.",
        "the journal has {entries} entries and should have {said}",
        table="ops.migration_state", needs="GRANT SELECT ON ops.migration_journal TO the login",
    ),
    Check(
        "mig.leftovers", "tables that a migration left",
        "It is in the way of the next one, and its rows are there twice.",
        "{name} was left by a migration that did not end",
        roles=PRIMARY,
    ),
)  # fmt: skip

EXTENSIONS: Final = (
    Check(
        "ext.outdated", "extensions older than what is installed",
        "Its functions are those of the old version, with its faults.",
        "extension {name} is {installed}, and {available} is there",
    ),
    Check(
        "ext.missing", "extensions without their files",
        "What needs one fails, and neither a restore nor an upgrade of the server works.",
        "the files of extension {name} {version} are not on the server",
    ),
)  # fmt: skip

IMPORTS: Final = (
    Check(
        "app.import_unfinished", "imports that did not end",
        "Part of the file is loaded and part not.",
        "import {name} into {table} began {hours} h ago and did not end",
        warning=24, critical=7 * 24, unit="hours", table="ops.import_job",
    ),
    Check(
        "app.import_rejects", "rows that an import could not load",
        "They are in the file and not in the table, until somebody mends them.",
        "{rejected} rows of import {name} into {table} were rejected",
        table="ops.import_reject", needs="GRANT SELECT ON ops.import_job TO the login",
    ),
)  # fmt: skip

APPLICATION: Final = (*MIGRATIONS, *EXTENSIONS, *IMPORTS)
