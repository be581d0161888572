"""Recipients: who is told of an erasure, what of, and what the database keeps of it until then."""

from __future__ import annotations

import pytest
from gdpr_erasure.people import ADA, BOB
from gdpr_erasure.telling import RECIPIENTS, queued

from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from support import rows


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


def test_without_recipients_nobody_is_told(entangled: str) -> None:
    assert queued(entangled, ADA.id)[1] == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "notice_channel = NULL, notice_url = NULL",
            'recipient "mailer": nobody has decided how it is told of an erasure',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.users", "column": "gone"}]'""",
            'recipient "mailer": knows people by the column "gone" of "public.users", which the catalogue lacks',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.tracks", "column": "title"}]'""",
            'recipient "mailer": knows people by "public.tracks", where no row is of one person alone',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.users"}]'""",
            'recipient "mailer": knows people by something that cannot be read',
        ),
    ],
)
def test_whoever_could_not_be_told_afterwards_stops_the_erasure_before(
    scene: str, change: str, problem: str
) -> None:
    rows(scene, f"UPDATE ops.recipients SET {change} WHERE code = 'mailer'")
    with pytest.raises(SubjectError) as caught:
        queued(scene, ADA.id)
    assert caught.value.problem == problem
    assert rows(scene, "SELECT FROM ops.erasure_notices") == []
