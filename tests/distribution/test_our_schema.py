"""Our own schema at head: laid out to be distributed, and what would still have to change is what we know.

A revision that adds to these lists makes the way past one machine longer: change the revision, or the list.
"""

from __future__ import annotations

import pytest

from spotify_ai_agent_migrations.versions.distribution import Finding, lint
from spotify_ai_agent_migrations.versions.distribution.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.distribution.plan import Catalogue
from support import connected


@pytest.fixture
def catalogue(url: str) -> Catalogue:
    with connected(url, autocommit=False) as connection:
        return read_catalogue(connection)


@pytest.fixture
def findings(url: str) -> tuple[Finding, ...]:
    return lint(url=url).findings


def test_every_number_that_we_give_is_a_bigint_from_a_sequence(catalogue: Catalogue) -> None:
    numbered = {
        f"{table.qualified}.{column.name}": (column.type, column.sequence and column.sequence.type)
        for table in catalogue.tables
        for column in table.columns
        if column.sequence is not None or (table.schema, column.name) == ("public", "id")
    }
    assert {"public.users.id", "public.listens.id", "public.tracks.id", "public.audit_log.id"} < set(numbered)
    assert set(numbered.values()) == {("bigint", "bigint")}


def test_no_column_is_an_identity_column(catalogue: Catalogue) -> None:
    columns = [column for table in catalogue.tables for column in table.columns]
    assert len(columns) > 250
    assert [column.name for column in columns if column.identity] == []


def test_every_key_of_a_person_or_a_row_elsewhere_is_a_bigint(catalogue: Catalogue) -> None:
    keys = {
        f"{table.qualified}.{name}": column.type
        for table in catalogue.tables
        for key in table.foreign_keys
        for name in key.columns
        # An erasure is called by what tells nobody how many there were.
        if (column := table.column(name)) is not None and name.endswith("_id") and name != "erasure_id"
    }
    assert {"public.consent.user_id", "public.playlist_items.track_id"} < set(keys)
    assert set(keys.values()) == {"bigint"}


def test_the_primary_key_of_a_personal_table_begins_with_the_person(catalogue: Catalogue) -> None:
    first = {
        table.qualified: table.primary_key.columns[0] if table.primary_key else None
        for table in catalogue.tables
        if table.schema == "public" and table.root is None and table.column("user_id") is not None
    }
    assert {"public.consent", "public.listens", "public.analytics", "public.agent_messages"} < set(first)
    # Who asks for something need not have an account.
    assert first.pop("public.data_subject_requests") == "id"
    assert len(first) >= 15
    assert set(first.values()) == {"user_id"}


def test_what_citus_would_refuse_is_what_we_know(findings: tuple[Finding, ...]) -> None:
    errors = [found for found in findings if found.severity == "error" and found.code != "CIT013"]
    restricting = [found.table for found in errors if str(found.name).endswith("_restricted")]
    assert {found.code for found in errors if str(found.name).endswith("_restricted")} == {"CIT017"}
    assert [table.removeprefix("public.") for table in restricting] == [
        "agent_conversations", "agent_messages", "agent_tool_calls", "analytics", "listens", "playlist_collaborators", "playlist_item_versions",
        "playlist_items", "playlist_snapshots", "playlists", "recommendations", "user_features", "user_identities", "users",
    ]  # fmt: skip
    assert [
        (found.code, found.table, found.name)
        for found in errors
        if not str(found.name).endswith("_restricted")
    ] == [
        ("CIT009", "ops.restrictions", "restrictions_user_id_fkey"),
        ("CIT009", "ops.subject_keys", "subject_keys_subject_id_fkey"),
        ("CIT001", "public.data_subject_requests", None),
        ("CIT011", "public.playlist_collaborators", "playlist_collaborators_collaborator_id_fkey"),
        ("CIT017", "public.playlist_items", "playlist_items_collaborator"),
        ("CIT017", "public.playlist_items", "playlist_items_shared"),
        ("CIT017", "public.playlists", "playlists_shared"),
        ("CIT004", "public.user_identities", "user_identities_provider_provider_user_id_key"),
        ("CIT004", "public.users", "users_email_canonical_key"),
        ("CIT004", "public.users", "users_email_hmac_key"),
        ("CIT004", "public.users", "users_public_id_key"),
    ]
    assert [found.problem for found in errors if found.code == "CIT011"] == [
        'foreign key "playlist_collaborators_collaborator_id_fkey" does not join distribution column "user_id" '
        'to "id" of public.users'
    ]


def test_the_tables_without_a_trigger_are_those_we_know(
    catalogue: Catalogue, findings: tuple[Finding, ...]
) -> None:
    kept_by_triggers = {found.table for found in findings if found.code == "CIT013"}
    everywhere = {
        table.qualified for table in catalogue.tables if table.schema == "public" and table.root is None
    }
    assert len(kept_by_triggers) > 30
    assert everywhere - kept_by_triggers == {
        "public.alembic_version",
        "public.countries",
        "public.data_subject_requests",
        "public.languages",
        "public.market_availability",
        "public.places",
        "public.track_artists",
        "public.track_audio_features",
    }


def test_what_would_work_otherwise_is_what_we_know(findings: tuple[Finding, ...]) -> None:
    warnings = [found for found in findings if found.severity == "warning"]
    by_code = {
        code: [found.table.removeprefix("public.") for found in warnings if found.code == code]
        for code in sorted({found.code for found in warnings})
    }
    assert by_code == {
        "CIT018": [
            "agent_conversations",
            "agent_messages",
            "agent_tool_calls",
            "analytics",
            "consent",
            "consent_events",
            "listens",
            "objections",
            "playlist_collaborators",
            "playlist_item_versions",
            "playlist_items",
            "playlist_snapshots",
            "playlists",
            "recommendations",
            "user_features",
            "user_identities",
            "users",
        ],
        "CIT021": [
            "ops.forget_subject_v1(uuid)",
            "ops.override_objection_v1(bigint,text,text)",
            "ops.redact_subject(bigint)",
            "withdraw_objection_v1(bigint,text,bytea[])",
        ],
        "CIT022": ["analyst_events", "analyst_listens", "analyst_recommendations", "analyst_users"],
    }
    assert [(found.code, found.table) for found in findings if found.severity == "note"] == [
        ("CIT025", "public.audit_log"),
        ("CIT016", "public.track_embeddings"),
    ]
