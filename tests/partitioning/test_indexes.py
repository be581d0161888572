"""An index comes on every partition without keeping a writer waiting, and goes on where it was cut off."""

from __future__ import annotations

import pytest

from killing import killed_before
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import create_index, maintain
from support import rows

PARTS = (
    "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indexrelid IN"
    " (SELECT relid FROM pg_partition_tree('analytics_session_id_idx'))"
)


def made(url: str) -> tuple[str, ...]:
    return create_index(
        "analytics", "analytics_session_id_idx", "(session_id, created_at)", settings=resolve_settings(url)
    )


def test_every_partition_has_it_and_one_that_comes_later_too(url: str) -> None:
    ((partitions,),) = rows(url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'analytics'::regclass")
    assert len(made(url)) == partitions
    assert rows(url, PARTS) == [(int(str(partitions)) + 1, True)]
    assert made(url) == ()
    ((last,),) = rows(
        url, "SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'analytics'::regclass"
    )
    rows(url, f"DROP TABLE {last}")
    assert [one.name for one in maintain("analytics", settings=resolve_settings(url))] == [last]
    assert rows(url, PARTS) == [(int(str(partitions)) + 1, True)]
    with pytest.raises(TableError, match='index "listens_pkey" belongs to another table'):
        create_index("analytics", "listens_pkey", "(session_id)", settings=resolve_settings(url))


def test_cut_off_anywhere_it_goes_on(url: str) -> None:
    for number in (1, 2, 5, 6, 9, 14, 23):
        assert killed_before(number, lambda: made(url))
    rows(
        url,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = (SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE relname LIKE 'analytics_%_session_id_idx' AND relkind = 'i' AND NOT relispartition LIMIT 1)",
    )
    assert len(made(url)) >= 5
    assert rows(url, PARTS + " HAVING bool_and(indisvalid)") != []
