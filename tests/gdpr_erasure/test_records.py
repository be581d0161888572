"""The record of processing: what it holds, and that it says loudly what it lacks."""

from __future__ import annotations

import json

from spotify_ai_agent_migrations.versions.gdpr_erasure.accounting import Kept, Recipient, records
from spotify_ai_agent_migrations.versions.gdpr_erasure.record import as_json, as_markdown
from support import rows

_COMPLETE = (
    "INSERT INTO ops.controller (name, address, contact, dpo_name, dpo_contact)"
    " VALUES ('Music | Co', '1 rue x', 'a@example.org', 'D. Officer', 'dpo@example.org');"
    "INSERT INTO ops.recipients (code, name, kind, purpose, country_code, categories)"
    " VALUES ('host', 'Host SA', 'processor', 'Hosting', 'FR', '{identifier,contact}');"
    "UPDATE ops.processing_activities SET recipients = '{host}'"
)


def test_a_new_database_lacks_its_controller_and_its_recipients_and_nothing_else(url: str) -> None:
    record = records(url)
    assert record.missing == (
        "the controller: INSERT INTO ops.controller (name, address, contact, dpo_name, dpo_contact)",
        "recipients: ops.recipients is empty; whoever hosts the database is one",
    )
    written = as_markdown(record)
    assert written.startswith(
        "# Record of processing activities (GDPR art. 30)\n\n"
        "**MISSING, and this record is not complete without it:**\n\n"
        "- the controller: INSERT INTO ops.controller"
    )


def test_every_activity_says_what_for_whose_which_data_how_long_and_how_it_is_protected(url: str) -> None:
    rows(url, _COMPLETE)
    record = records(url)
    assert record.missing == ()
    assert [one.code for one in record.activities] == [
        "accountability", "marketing", "measurement", "recommendation", "security", "streaming", "training",
    ]  # fmt: skip
    for activity in record.activities:
        assert activity.purposes
        assert activity.people
        assert activity.security_measures
        assert activity.recipients
    measurement = record.activities[2]
    assert [(one.legal_basis, one.description) for one in measurement.purposes] == [
        ("consent", "Measure how the service is used")
    ]
    assert {one.class_ for one in measurement.categories} == {"identifier", "behavioural", "location"}
    assert measurement.retention == (
        Kept("public.analytics", "1 year 1 mon from created_at, then drop partition"),
    )


def test_rows_without_a_rule_of_their_own_are_kept_with_what_they_hang_on(url: str) -> None:
    kept = {one.table: one.how_long for activity in records(url).activities for one in activity.retention}
    assert kept["public.playlists"] == "as long as its row of public.users"
    assert kept["public.playlist_items"] == "as long as its row of public.playlists"
    assert kept["ops.pseudonyms"] == "until the person is erased"
    assert None not in kept.values()


def test_the_markdown_has_every_part_and_no_text_breaks_a_table(url: str) -> None:
    rows(url, _COMPLETE)
    written = as_markdown(records(url))
    assert "MISSING" not in written
    for line in (
        r"- Controller: Music \| Co, 1 rue x",
        "- Data protection officer: D. Officer, dpo@example.org",
        "## Measuring how the service is used",
        "- Purpose: Measure how the service is used (consent, GDPR art. 6(1))",
        "| location | public.analytics |",
        "| public.analytics | 1 year 1 mon from created_at, then drop partition |",
        "| Host SA (processor) | Hosting: identifier, contact, in FR |",
    ):
        assert line in written.splitlines()


def test_a_transfer_says_its_safeguards_or_that_they_are_missing(url: str) -> None:
    rows(
        url,
        _COMPLETE + ";INSERT INTO ops.recipients (code, name, kind, purpose, country_code, categories)"
        " VALUES ('mail', 'Mail Inc', 'processor', 'E-mail', 'US', '{contact}');"
        "UPDATE ops.processing_activities SET recipients = '{host,mail}' WHERE code = 'marketing'",
    )
    record = records(url)
    assert record.missing == ('safeguards of recipient "mail" in US, where the GDPR does not apply',)
    assert "| Mail Inc (processor) | E-mail: contact, in US; transfer under **MISSING** |" in as_markdown(
        record
    )
    rows(url, "UPDATE ops.recipients SET safeguards = 'standard contractual clauses' WHERE code = 'mail'")
    record = records(url)
    assert record.missing == ()
    assert record.activities[1].recipients[1] == Recipient(
        "mail", "Mail Inc", "processor", "E-mail", "US", False, "standard contractual clauses", ("contact",)
    )


def test_what_names_nothing_and_what_nobody_told_is_missing(url: str) -> None:
    rows(
        url,
        _COMPLETE + ";UPDATE ops.controller SET dpo_contact = NULL;"
        "UPDATE ops.processing_activities SET recipients = '{host,ghost}', purposes = '{service,spying}' WHERE code = 'streaming';"
        "DELETE FROM ops.processing_activities WHERE code = 'measurement';"
        "SELECT ops.classify_column_v1('public.consent_events', column_name, retention_rule => '') FROM ops.personal_data"
        " WHERE table_name = 'public.consent_events'",
    )
    assert records(url).missing == (
        "the data protection officer: dpo_contact of ops.controller (GDPR art. 37 says who needs none)",
        'an activity with purpose "analytics", for which data is processed',
        'how long "public.consent_events" is kept: retention_rule of ops.personal_data',
        'purpose "spying" of activity "streaming"',
        'recipient "ghost" of activity "streaming"',
    )


def test_the_json_is_the_same_record(url: str) -> None:
    rows(url, _COMPLETE)
    record = records(url)
    written = json.loads(as_json(record))
    assert written["missing"] == []
    assert written["controller"]["name"] == "Music | Co"
    assert len(written["activities"]) == len(record.activities)
    assert written["activities"][2]["categories"][0] == {
        "class": "behavioural",
        "tables": ["public.analytics"],
    }
