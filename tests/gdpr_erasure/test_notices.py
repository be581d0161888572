"""Recipients: who is told of an erasure, what of, and what the database keeps of it until then."""

from __future__ import annotations

import json
import os
import pathlib
from uuid import UUID

import pytest
from gdpr_erasure.people import ADA, BOB
from gdpr_erasure.telling import RECIPIENTS, begun, queued

from spotify_ai_agent_migrations.versions.core.errors import SubjectError, TableError
from spotify_ai_agent_migrations.versions.gdpr_erasure.checking import check_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import deliver, pending
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from support import connected, rows


@pytest.fixture
def scene(entangled: str) -> str:
    rows(entangled, RECIPIENTS)
    return entangled


def test_who_knows_the_person_is_told_and_nobody_else(scene: str) -> None:
    ada, told = queued(scene, ADA.id)
    assert told == ("mailer", "printer", "spotify")
    assert rows(scene, "SELECT recipient, outcome, attempts FROM ops.erasure_notices WHERE erasure_id = %s ORDER BY 1", (str(ada),)) == [
        ("mailer", None, 0), ("printer", None, 0), ("spotify", None, 0),
    ]  # fmt: skip


def test_nothing_of_the_person_can_be_read_in_what_is_queued(scene: str) -> None:
    queued(scene, ADA.id)
    ((text,),) = rows(
        scene, "SELECT string_agg(n::text || encode(payload, 'escape'), '') FROM ops.erasure_notices AS n"
    )
    assert "mailer" in str(text)
    assert [word for word in (*ADA.identifiers, *BOB.identifiers) if word in str(text)] == []


def test_what_is_queued_is_there_with_the_erasure_or_not_at_all(scene: str) -> None:
    with pytest.raises(SubjectError), connected(scene, autocommit=False) as connection:
        with connection, connection.cursor() as cursor:
            begun(cursor, ADA.id)
            raise SubjectError("something else failed", hint="none")
    assert rows(scene, "SELECT FROM ops.erasure_notices") == rows(scene, "SELECT FROM ops.erasures") == []
    queued(scene, ADA.id)
    assert rows(scene, "SELECT count(*)::int FROM ops.erasure_notices") == [(3,)]


def test_without_recipients_nobody_is_told(entangled: str) -> None:
    assert queued(entangled, ADA.id)[1] == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "notice_channel = NULL, notice_url = NULL",
            'recipient "mailer" has no channel that it is told of an erasure by',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.users", "column": "gone"}]'""",
            'recipient "mailer" knows people by the column "gone" of "public.users", which the catalogue lacks',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.tracks", "column": "title"}]'""",
            'recipient "mailer" knows people by "public.tracks", where no row is of one person alone',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.users"}]'""",
            'recipient "mailer" knows people by something that cannot be read',
        ),
    ],
)
@pytest.mark.usefixtures("keys")
def test_whoever_could_not_be_told_afterwards_stops_the_erasure_before(
    scene: str, change: str, problem: str
) -> None:
    rows(scene, f"UPDATE ops.recipients SET {change} WHERE code = 'mailer'")
    with pytest.raises(SubjectError) as caught:
        queued(scene, ADA.id)
    assert caught.value.problem == problem
    with pytest.raises(TableError) as refused:
        erase_user(ADA.id, url=scene)
    assert refused.value.problem == problem
    found = {f"{one.place} {one.problem}" for one in check_catalogue(scene)}
    assert problem in found
    assert rows(scene, "SELECT FROM ops.erasure_notices") == []


@pytest.mark.usefixtures("keys")
def test_a_whole_erasure_queues_what_recipients_are_told_and_certifies_who_has_yet_to_be(
    scene: str, tmp_path: pathlib.Path
) -> None:
    certificate = erase_user(ADA.id, url=scene)
    assert certificate.pending == ("mailer", "printer", "spotify")
    assert rows(scene, "SELECT email FROM users WHERE id = %s", (ADA.id,)) == [(None,)]
    script = f"tee {tmp_path / 'told'}"
    done = deliver(scene, environ={**os.environ, "NOTICE_COMMAND_SPOTIFY": script}, limit_s=0.5)
    assert (done.told, [recipient for recipient, _ in done.problems]) == (1, ["mailer"])
    assert json.loads((tmp_path / "told").read_text())["identifiers"] == [
        {"as": "account", "value": "ada-at-spotify"}
    ]
    with connected(scene) as connection, connection.cursor() as cursor:
        assert pending(cursor, UUID(str(certificate.id))) == ("mailer", "printer")
