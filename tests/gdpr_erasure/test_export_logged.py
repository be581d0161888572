"""Every look at what is held about a person is in the trail: which table, for whom, by whom, and no value."""

from __future__ import annotations

import pathlib

import pytest
from gdpr_erasure.people import ADA, BOB, files_of
from psycopg2.sql import Composable

from spotify_ai_agent_migrations.versions.gdpr_erasure.export import export_subject, staging
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.reading import Reader
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import file_request, open_requests
from spotify_ai_agent_migrations.versions.gdpr_erasure.restriction import restrict
from support import rows

ENTRIES = """
SELECT entry.action::text, entry.entity_key, entry.entity_id, entry.actor_type::text, entry.request_id::text,
       person.user_id, actor.role_name = session_user, entry.changed_columns, entry.payload
  FROM audit_log AS entry
  LEFT JOIN ops.pseudonyms AS person ON person.audit_ref = entry.subject_ref
  LEFT JOIN ops.pseudonyms AS actor ON actor.audit_ref = entry.actor_ref
 WHERE entry.entity_type = 'subject_export'
 ORDER BY entry.id
"""


def test_each_table_is_told_and_the_export_last(entangled: str, tmp_path: pathlib.Path) -> None:
    done = export_subject(ADA.id, tmp_path / "out.zip", article=20, url=entangled)
    entries = rows(entangled, ENTRIES)
    looked = dict.fromkeys(part.table for part in done.parts if part.part != "reference")
    assert [entry[:2] for entry in entries] == [
        *(("read", table) for table in looked),
        ("export", "article 20"),
    ]
    # By pseudonym alone: the number of the person is nowhere, and nothing of what was seen.
    assert {entry[2:] for entry in entries} == {(0, "admin", None, ADA.id, True, None, None)}


def test_an_entry_names_the_request_and_the_request_what_was_done(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    number = file_request(BOB.id, "access", url=entangled)
    export_subject(BOB.id, tmp_path / "one.zip", request_id=number, url=entangled)
    assert {(entry[2], entry[5]) for entry in rows(entangled, ENTRIES)} == {(number, BOB.id)}
    events = "SELECT kind, told FROM data_subject_request_events WHERE request_id = %s ORDER BY id"
    assert rows(entangled, events, (number,)) == [("received", None), ("noted", "exported under article 15")]
    assert [one.number for one in open_requests(url=entangled)] == [number]


def test_a_restricted_person_is_given_theirs(entangled: str, tmp_path: pathlib.Path) -> None:
    """Storage only (GDPR art. 18) is no refusal of art. 15."""
    free = export_subject(ADA.id, tmp_path / "free", url=entangled)
    restrict(ADA.id, "accuracy_contested", url=entangled)
    bound = export_subject(ADA.id, tmp_path / "bound", url=entangled)
    more = {one.name: one.rows for one in bound.parts if one.table != "public.audit_log"}
    less = {one.name: one.rows for one in free.parts if one.table != "public.audit_log"}
    assert {name for name in more if more[name] != less[name]} == {"ops.restrictions"}


def test_it_is_told_before_anybody_has_the_file(
    entangled: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    publish = staging.Package.publish

    def publish_watched(self: staging.Package) -> staging.Written:
        seen.append((list(tmp_path.iterdir()), rows(entangled, ENTRIES)[-1][:2]))
        return publish(self)

    monkeypatch.setattr(staging.Package, "publish", publish_watched)
    export_subject(ADA.id, tmp_path / "out.zip", url=entangled)
    assert seen == [([], ("export", "article 15"))]
    assert "manifest.json" in files_of(tmp_path / "out.zip")


def test_no_statement_that_reads_rows_names_the_person(
    entangled: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log, or pg_stat_statements, keeps the text of a cursor as it is."""
    sent: list[str] = []
    text = Reader._text

    def text_kept(self: Reader, statement: Composable) -> str:
        sent.append(text(self, statement))
        return sent[-1]

    monkeypatch.setattr(Reader, "_text", text_kept)
    export_subject(ADA.id, tmp_path / "out.zip", url=entangled)
    assert len(sent) > 30
    assert not any(identifier in statement for identifier in ADA.identifiers for statement in sent)
