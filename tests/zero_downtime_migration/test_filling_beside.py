"""A backfill beside a change that is under way: what it writes is a write like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    Backfill,
    ChangeType,
    State,
    backfill,
    change,
    complete,
    start,
    verify,
)
from support import rows

MADE = """
CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL);
CREATE TABLE u (id integer PRIMARY KEY, seen boolean);
INSERT INTO t SELECT i, i FROM generate_series(1, 20) AS i;
INSERT INTO u SELECT i FROM generate_series(1, 10) AS i;
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE public.t SET a = a + 1000 WHERE id = new.id; RETURN NULL; END';
CREATE TRIGGER told AFTER UPDATE ON u FOR EACH ROW EXECUTE FUNCTION told();
"""


def test_what_other_wishes_write_is_not_lost_to_a_verified_change(ledger_url: str) -> None:
    given = resolve_settings(ledger_url)
    rows(ledger_url, MADE)
    wish = ChangeType("public.t", "a", "bigint")
    start(wish, settings=given)
    backfill(wish, settings=given)
    with pytest.raises(
        TableError, match=r"a on public\.t \(change 1\) was begun as another wish: .* in type"
    ):
        change(replace(wish, type="numeric"), settings=given)
    assert verify(replace(wish, table="t"), settings=given).state is State.VERIFIED
    # One by a trigger of another table, one by itself.
    change(Backfill("public.u", (("seen", "true"),), "seen IS NULL"), settings=given)
    change(Backfill("public.t", (("a", "t.a + 1000"),), "a < 1000"), settings=given)
    assert complete(wish, settings=given).state is State.COMPLETED
    assert rows(ledger_url, "SELECT count(*), count(*) FILTER (WHERE a = id + 1000) FROM t") == [(20, 20)]
