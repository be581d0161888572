"""A file with a row of an erased person: it is said what is wrong, and nothing is lost in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from gdpr_erasure.hidden import hide
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations import RowError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Mode
from support import rows

NEW = "SELECT user_id, provider_user_id FROM user_identities WHERE provider = 'apple'"
REASON = "the row names a person who is erased"
TABLE = "public.user_identities"


@pytest.fixture
def file(entangled: str, tmp_path: Path) -> Path:
    """A file with a row of somebody who is being erased, and one of somebody else."""
    hide(entangled, ADA.id)
    path = tmp_path / "identities.csv"
    path.write_text(f"user_id,provider,provider_user_id\n{ADA.id},apple,adax\n{BOB.id},apple,bobx\n")
    return path


@pytest.mark.parametrize(("mode", "line"), [("insert", "(the line cannot be told)"), ("upsert", "line 2")])
def test_it_is_refused_as_a_whole_and_says_why(entangled: str, file: Path, mode: Mode, line: str) -> None:
    with pytest.raises(RowError) as caught:
        bulk_import(TABLE, file, url=entangled, mode=mode)
    assert caught.value.problem == f'"{file}" {line}: {REASON}'
    assert caught.value.hint == (
        "take the lines of that person out and run again (max_rejects puts them aside); nothing was loaded"
    )
    assert rows(entangled, NEW) == []


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_the_row_is_put_aside_with_its_reason_where_rejects_are_allowed(
    entangled: str, file: Path, mode: Mode
) -> None:
    done = bulk_import(TABLE, file, url=entangled, mode=mode, max_rejects=1)
    assert (done.rows, [(one.line, one.reason) for one in done.rejects]) == (1, [(2, REASON)])
    assert rows(entangled, NEW) == [(BOB.id, "bobx")]
    assert rows(entangled, "SELECT line, reason FROM ops.import_reject") == [(2, REASON)]
