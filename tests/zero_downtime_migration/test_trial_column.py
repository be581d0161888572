"""What the server is asked leaves nothing behind, in a transaction of its caller too."""

from __future__ import annotations

import pytest

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import AddColumn
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from support import connected, rows


def test_a_transaction_goes_on_after_a_question_and_after_a_refusal(ledger_url: str) -> None:
    rows(ledger_url, "CREATE TABLE t (id integer PRIMARY KEY)")
    with connected(ledger_url) as connection:
        session = Session(connection)
        session.run("BEGIN; INSERT INTO t VALUES (1)")
        assert AddColumn("public.t", "c", "bigserial").steps(session, table(session, "public.t"))
        with pytest.raises(TableError, match="does not exist"):
            AddColumn("public.t", "c", "nonsense").steps(session, table(session, "public.t"))
        session.run("COMMIT")
    assert rows(ledger_url, "SELECT count(*) FROM t") == [(1,)]
    assert rows(ledger_url, "SELECT relname FROM pg_class WHERE relname ~ '^(zz_|t_c_)'") == []
