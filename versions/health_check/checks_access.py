"""Checks of roles and rights. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.grants import HBA

ACCESS: Final = (
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
        "passwords are kept by {setting} for {whose}",
    ),
    Check(
        "sec.password_md5", "logins of which the password is kept by MD5",
        "Who has read what is kept can log in by it; and a version that is to come takes it no more.",
        "passwords are kept by MD5 for {roles}",
        probed=True,
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
