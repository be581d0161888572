"""A backfill: along any key, in batches that grow, killed anywhere, under a stream of inserts, to its proof."""

from __future__ import annotations

import pytest

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Backfill,
    Change,
    Manner,
    Pace,
    State,
    change,
)
from support import rows

DUE = "SELECT count(*), count(*) FILTER (WHERE b IS NULL), count(*) FILTER (WHERE b <> a + 1) FROM t"
RANGES = "SELECT table_name, walked_count, row_count, low, high, reached, finished_at IS NOT NULL FROM ops.online_range ORDER BY number"
WISH = Backfill("public.t", (("b", "t.a + 1"),), "b IS NULL")
SMALL = Manner(pace=Pace(first_rows=7, most_rows=50, least_rows=1, look_every_s=0.02))


def made(url: str, key: str = "id integer PRIMARY KEY", value: str = "i", many: int = 1_000) -> str:
    """A table of that key, and rows whose column `b` is due."""
    rows(url, f"CREATE TABLE t ({key}, a integer NOT NULL, b integer)")
    rows(url, f"INSERT INTO t SELECT {value}, i FROM generate_series(1, {many}) AS i")
    return url


def run(url: str, wish: Backfill = WISH, manner: Manner = SMALL) -> Change:
    return change(wish, settings=resolve_settings(url), manner=manner)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id integer PRIMARY KEY", "i * 3"),
        ("id uuid PRIMARY KEY", "md5(i::text)::uuid"),
        ("id text PRIMARY KEY", "'it''s %s \\ {x} ' || i"),
        ("x text, y timestamptz, PRIMARY KEY (x, y)", "i % 7, 'epoch'::timestamptz + i * interval '1.000001 s'"),
        ("x numeric NOT NULL, y bytea NOT NULL, UNIQUE (y, x)", "i / 7.0, decode(md5(i::text), 'hex')"),
        ('many float8 NOT NULL, "t" char(9) NOT NULL, z date, UNIQUE (many, t) INCLUDE (z)', "i / 3.0::float8, i, NULL"),
        ('id integer NOT NULL, j integer, UNIQUE (id)', "-i, i"),
    ],
    ids=["integer", "uuid", "text", "composite", "unique index", "odd names", "unique of several"],
)  # fmt: skip
def test_every_row_is_filled_once_along_any_key(ledger_url: str, key: str, value: str) -> None:
    made(ledger_url, key, value)
    done = run(ledger_url)
    assert (done.state, rows(ledger_url, DUE)) == (State.COMPLETED, [(1_000, 0, 0)])
    # A second round has found nothing to write; of neither are there keys left.
    assert rows(ledger_url, RANGES) == [
        ("public.t", 1_000, 1_000, None, None, None, True),
        ("public.t", 1_000, 0, None, None, None, True),
    ]
    assert run(ledger_url) == done
