"""The same rows come out of files as badly written as they are in the wild, without a word of how."""

from __future__ import annotations

from pathlib import Path

import pytest

from polluted import CASES, TYPES, Polluted
from spotify_ai_agent_migrations import bulk_import
from support import connected, rows


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_polluted_file_gives_its_rows(empty_url: str, tmp_path: Path, case: Polluted) -> None:
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t ({TYPES})")
    (tmp_path / "t.csv").write_bytes(case.content)
    result = bulk_import("t", tmp_path / "t.csv", url=empty_url, lenient=True, max_rejects=3)
    found = rows(
        empty_url, "SELECT id::text, artist, title, price::text, released::text FROM t ORDER BY t.ctid"
    )
    assert found == list(case.rows), str(result.dialect)
    assert result.rejected == case.strangers
