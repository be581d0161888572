"""Where an export cannot be whole, or is nobody's to have, there is none: no file, and nothing left of one."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from gdpr_erasure.people import ADA, BOB, files_of, table_of
from psycopg2.sql import SQL, Composable

from spotify_ai_agent_migrations.versions.core.errors import (
    DatabaseError,
    FileError,
    MigrationError,
    PrivilegeError,
    SettingsError,
    SubjectError,
    TableError,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.export import export_subject, reading, staging
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.plan import Planned
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.select import conditions
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import complete, file_request
from support import environment, rows

NO_NUMBER = "this is no number of a person\nHint: name a person by users.id, a whole number from 1"


def refused(kind: type[MigrationError], *arguments: Any, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        export_subject(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize("number", [None, 0, -1, True, "1", 1.0, 1 << 63])
def test_what_is_no_number_of_a_person_is_refused(tmp_path: pathlib.Path, number: object) -> None:
    assert (
        refused(SubjectError, number, tmp_path / "out.zip", url="postgresql://nowhere.invalid/x") == NO_NUMBER
    )


def test_an_unknown_person_is_refused(entangled: str, tmp_path: pathlib.Path) -> None:
    assert refused(SubjectError, 4, tmp_path / "out.zip", url=entangled) == (
        "there is no person of this number\nHint: users.id is the number to name"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "status",
    [
        "status = 'erasing'",
        "status = 'erased', erased_at = now(), email = NULL, email_hmac = NULL, display_name = NULL",
    ],
)
def test_an_erased_person_is_refused(entangled: str, tmp_path: pathlib.Path, status: str) -> None:
    rows(entangled, f"UPDATE users SET {status} WHERE id = %s", (BOB.id,))
    assert refused(SubjectError, BOB.id, tmp_path / "out.zip", url=entangled) == (
        "this person is erased, or about to be\nHint: the certificate of the erasure tells what is kept"
    )
    assert list(tmp_path.iterdir()) == []
    assert rows(entangled, "SELECT count(*) FROM audit_log WHERE entity_type = 'subject_export'") == [(0,)]


def test_an_article_or_a_language_that_is_none_is_refused(entangled: str, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "out.zip"
    assert refused(SettingsError, ADA.id, place, article=16, url=entangled) == (
        "there is no export under article 16\nHint: choose 15 or 20"
    )
    assert refused(SettingsError, ADA.id, place, language="de", url=entangled) == (
        '"de" is no language of an export\nHint: choose en or fr'
    )
    assert list(tmp_path.iterdir()) == []


def test_a_request_of_somebody_else_or_answered_is_refused(entangled: str, tmp_path: pathlib.Path) -> None:
    number = file_request(BOB.id, "access", url=entangled)
    none = "this person has no open request of this number\nHint: `agentdb gdpr-erasure requests` lists the open ones"
    assert refused(SubjectError, ADA.id, tmp_path / "out.zip", request_id=number, url=entangled) == none
    complete(number, url=entangled)
    assert refused(SubjectError, BOB.id, tmp_path / "out.zip", request_id=number, url=entangled) == none
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["out.zip", "out"])
@pytest.mark.parametrize("there", ["file", "directory", "link to nothing"])
def test_what_is_there_is_not_replaced(
    entangled: str, tmp_path: pathlib.Path, place: str, there: str
) -> None:
    target = tmp_path / place
    if there == "file":
        target.write_text("of somebody else")
    elif there == "directory":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nothing")
    assert refused(FileError, ADA.id, target, url=entangled) == (
        f'"{target}" exists\nHint: name another file or directory, or remove this one'
    )
    assert list(tmp_path.iterdir()) == [target]
    assert there != "file" or target.read_text() == "of somebody else"


@pytest.mark.parametrize("place", ["out.zip", "out"])
def test_what_comes_there_meanwhile_is_not_replaced(
    entangled: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    target = tmp_path / place
    publish = staging.Package.publish

    def publish_late(self: staging.Package) -> staging.Written:
        target.write_text("of somebody else")
        return publish(self)

    monkeypatch.setattr(staging.Package, "publish", publish_late)
    assert refused(FileError, ADA.id, target, url=entangled).startswith(f'"{target}" exists\n')
    assert target.read_text() == "of somebody else"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_not_there_is_refused(entangled: str, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "nowhere" / "out.zip"
    assert refused(FileError, ADA.id, place, url=entangled) == (
        f'"{place}" cannot be written: No such file or directory\n'
        "Hint: name a file or directory in a folder that exists, with room, and that you may write to"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["out.zip", "out"])
@pytest.mark.parametrize("action", ["read", "export"])
def test_without_its_entry_in_the_trail_nothing_is_handed_out(
    entangled: str, tmp_path: pathlib.Path, action: str, place: str
) -> None:
    rows(
        entangled,
        f"ALTER TABLE audit_log ADD CONSTRAINT no_room CHECK (action <> '{action}') NOT VALID",
    )
    said = refused(DatabaseError, ADA.id, tmp_path / place, url=entangled)
    assert said.startswith("recording the look in the audit trail: new row for relation ")
    assert str(ADA.id) not in said
    assert list(tmp_path.iterdir()) == []
    # What was looked at before is told, though nobody was given it.
    assert rows(
        entangled, "SELECT DISTINCT action::text FROM audit_log WHERE entity_type = 'subject_export'"
    ) == ([("read",)] if action == "export" else [])


def test_rows_that_row_security_hides_are_missed(entangled: str, tmp_path: pathlib.Path) -> None:
    rows(entangled, "ALTER POLICY listens_privacy ON listens USING (track_id = 0)")
    assert refused(PrivilegeError, ADA.id, tmp_path / "out.zip", url=entangled) == (
        'row security hides 1 of 1 rows of "public.listens" from agent_privacy\n'
        "Hint: give the table a policy for agent_privacy by app.subject_id, as its neighbours have"
    )
    assert list(tmp_path.iterdir()) == []


@contextmanager
def login(url: str, *groups: str) -> Iterator[str]:
    """The URL for a login that is a member of these groups and nothing more."""
    name = f"r{uuid.uuid4().hex[:8]}"
    rows(url, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'; GRANT {', '.join(groups)} TO {name}")
    try:
        yield url.replace("//postgres@", f"//{name}:secret@").replace("//postgres:", f"//{name}:secret@")
    finally:
        rows(url, f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_login_that_cannot_tell_what_is_hidden_is_refused(entangled: str, tmp_path: pathlib.Path) -> None:
    with login(entangled, "agent_privacy") as url:
        said = refused(PrivilegeError, ADA.id, tmp_path / "out.zip", url=url)
    assert said == (
        "row security hides people from this login: nothing could be shown to be complete\n"
        "Hint: connect as a member of both agent_owner and agent_privacy"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_member_of_both_roles_needs_nothing_more(entangled: str, tmp_path: pathlib.Path) -> None:
    whole = export_subject(BOB.id, tmp_path / "whole", url=entangled)
    with login(entangled, "agent_owner", "agent_privacy") as url:
        done = export_subject(
            BOB.id, tmp_path / "out", request_id=file_request(BOB.id, "access", url=entangled), url=url
        )
    counts = {part.name: part.rows for part in whole.parts if part.table != "public.audit_log"}
    more = {
        part.name: part.rows
        for part in done.parts
        if part.table != "public.audit_log" and part.rows != counts[part.name]
    }
    assert more == {"data_subject_requests": 1, "data_subject_request_events": 1}


def test_a_condition_that_is_wrong_opens_nobody_elses_rows(
    entangled: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database knows whose export it is: what is asked for too much does not come."""
    asked = conditions

    def everything(planned: Planned) -> tuple[Composable, ...]:
        return (SQL("true"),) if planned.table == "public.listens" else asked(planned)

    monkeypatch.setattr(reading, "conditions", everything)
    assert rows(entangled, "SELECT count(*) FROM listens") == [(2,)]
    export_subject(ADA.id, tmp_path / "out", url=entangled)
    assert [row["user_id"] for row in table_of(files_of(tmp_path / "out"), "listens")] == [ADA.id]


def test_a_column_that_nobody_classified_is_not_left_out_in_silence(
    entangled: str, tmp_path: pathlib.Path
) -> None:
    rows(entangled, "ALTER TABLE listens ADD COLUMN mood text")
    assert refused(TableError, ADA.id, tmp_path / "out.zip", url=entangled) == (
        'column "mood" of "public.listens" is not in the catalogue of personal data\n'
        "Hint: classify it: ops.classify_column_v1(…); `agentdb gdpr-erasure check` lists all"
    )
    assert list(tmp_path.iterdir()) == []


EXPORT = """
import sys
from spotify_ai_agent_migrations.versions.gdpr_erasure.export import export_subject
export_subject(int(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.parametrize("place", ["out.zip", "out"])
def test_killed_half_way_it_leaves_nothing(entangled: str, tmp_path: pathlib.Path, place: str) -> None:
    rows(
        entangled,
        "CREATE FUNCTION wait(bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN true; END';"
        "GRANT EXECUTE ON FUNCTION wait(bigint) TO agent_privacy;"
        f"ALTER POLICY listens_privacy ON listens USING (user_id = {ADA.id} AND wait(id))",
    )
    child = subprocess.Popen(
        [sys.executable, "-c", EXPORT, str(ADA.id), str(tmp_path / place)], env=environment(entangled)
    )
    try:
        deadline = time.monotonic() + 30
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        while rows(entangled, asleep) != [(1,)]:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.05)
    finally:
        child.kill()
    assert child.wait(timeout=30) == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
    assert rows(entangled, "SELECT count(*) > 0 FROM audit_log WHERE entity_type = 'subject_export'") == [
        (True,)
    ]


@pytest.mark.parametrize("place", ["out.zip", "out"])
def test_where_files_need_names_they_are_gone_as_well(
    entangled: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(staging, "_nameless", lambda _: None)
    rows(entangled, "ALTER POLICY listens_privacy ON listens USING (track_id = 0)")
    refused(PrivilegeError, ADA.id, tmp_path / place, url=entangled)
    assert list(tmp_path.iterdir()) == []
    rows(entangled, f"ALTER POLICY listens_privacy ON listens USING (user_id = {ADA.id})")
    export_subject(ADA.id, tmp_path / place, url=entangled)
    assert list(tmp_path.iterdir()) == [tmp_path / place]
