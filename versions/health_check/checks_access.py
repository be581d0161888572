"""Checks of roles and rights, of migrations, extensions and the package's own tables. No database."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.grants import HBA


@cache
def _known() -> tuple[str, ...]:
    """Return the numbers of the revisions in this build, by the names of their files."""
    names = (file.name for file in files("spotify_ai_agent_migrations.versions").iterdir())
    return tuple(sorted(name[:3] for name in names if re.fullmatch(r"[0-9]{3}_\w+\.py", name)))


SECURITY: Final = (
    Check(
        "sec.public_create", "schemas in which everybody may create",
        "Whoever can log in can put a function there that others call in place of their own.",
        "everybody may create in schema {name}",
    ),
    Check(
        "sec.secdef_search_path", "functions that run as their owner and look where the caller says",
        "The caller puts another function in its way, and that runs as the owner.",
        "{name} runs as {owner} with the search path of its caller",
    ),
    Check(
        "sec.superusers", "logins that may do anything",
        "No policy, grant or audit holds for them.",
        "{name} may log in and do anything",
    ),
    Check(
        "sec.role_powers", "logins that reach beyond what is granted",
        "They pass by policies, make roles, or run programs and write files as the server.",
        "{name} has {power}",
    ),
    Check(
        "sec.rls_off", "policies that nobody applies",
        "Everybody sees every row, and the policies look as if that were not so.",
        "{name} has {policies} policies, and row level security is off",
    ),
    Check(
        "sec.rls_no_policy", "tables that show no row",
        "Nobody but the owner sees any, which is seldom meant.",
        "{name} has row level security and no policy",
    ),
    Check(
        "sec.policy_always_true", "policies that let everybody write",
        "It is true for any row and anybody.",
        "policy {policy} of {table} lets everybody write any row",
    ),
    Check(
        "sec.rls_not_forced", "policies that do not hold for a login that owns the table",
        "Whoever logs in as the owner sees and writes every row.",
        "{owner} owns {name}, and its policies do not hold for the owner",
    ),
    Check(
        "sec.policies_overlap", "policies that overlap",
        "A row passes by any of them, which is easily overlooked, and each is asked for each row.",
        "{policies} permissive policies of {name} hold for the same role and command",
    ),
    Check(
        "sec.view_bypass", "views that pass by policies",
        "Whoever may read the view sees the rows that its owner sees.",
        "view {name} reads {tables} as its owner, and passes by the policies",
    ),
    Check(
        "sec.public_grants", "tables that everybody may read or write",
        "Whoever can log in can, whatever the login was made for.",
        "everybody has {privileges} on {name}",
    ),
    Check(
        "sec.password_hash", "passwords kept in a weak way",
        "Such a hash, once read, is as good as the password.",
        "passwords are kept by {setting}",
    ),
    Check(
        "sec.password_expiry", "passwords that end",
        "From then on the login is refused.",
        "the password of {name} ends at {until}",
        warning=14, critical=3, falling=True, unit="days",
    ),
    Check(
        "sec.hba_trust", "networks that get in without a password, or show it",
        "Whoever reaches the port is in, or reads the password on its way.",
        "line {line} of pg_hba.conf lets others in by {method}",
        needs=HBA,
    ),
    Check(
        "sec.ssl_off", "connections that nobody encrypts",
        "What is asked and answered can be read on its way.",
        "the server listens at {addresses} without TLS",
    ),
    Check(
        "sec.ext_public", "extensions in schema public",
        "Their functions stand beside the application's, and are found in place of them.",
        "extension {name} is in schema public",
    ),
    Check(
        "sec.reg_columns", "columns that an upgrade refuses",
        "They hold numbers of the catalogue, which are others afterwards.",
        "{column} of {table} is {type}",
    ),
)  # fmt: skip

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
        table="public.alembic_version", settings={"known": list(_known()), "head": _known()[-1]},
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

APPLICATION: Final = (
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

ACCESS: Final = (*SECURITY, *MIGRATIONS, *EXTENSIONS, *APPLICATION)
