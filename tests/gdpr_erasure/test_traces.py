"""After an erasure nothing that identifies the person is anywhere on a server that is set up as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest
from gdpr_erasure.erasing import found_in
from gdpr_erasure.people import ADA, BOB, bring_in
from partitioning.test_replicas import own_server

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.core.signing import Keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.residue import rewrite
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from support import rows, run_alembic

# What is told in the certificate: the number in proofs and in what keeps the person away; that a playlist and a
# conversation were there, in the trail, and no more whose. Bob's own document names her, as the catalogue knows.
STAYS: Mapping[str, set[str]] = {
    "public.users": {str(ADA.id)},
    "public.consent_events": {str(ADA.id)},
    "ops.erasures": {str(ADA.id)},
    "ops.tombstones": {str(ADA.id)},
    "public.agent_tool_calls": {str(ADA.id)},
    "public.audit_log_legacy": {str(ADA.id), str(ADA.playlist), str(ADA.conversation)},
}
SEEN = {
    "pg_stats": "SELECT concat_ws(' ', tablename, attname, most_common_vals, histogram_bounds, most_common_elems) FROM pg_stats",
    "pg_stats_ext": "SELECT most_common_vals::text FROM pg_stats_ext",
    "pg_stat_statements": "SELECT query FROM pg_stat_statements",
    "pg_stat_activity": "SELECT concat_ws(' ', application_name, query) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    "descriptions": "SELECT description FROM pg_description",
    "settings": "SELECT array_to_string(setconfig, ' ') FROM pg_db_role_setting",
}
KNOWN = """
SELECT DISTINCT tablename || '.' || attname
  FROM pg_stats
 WHERE concat_ws(' ', most_common_vals, histogram_bounds, most_common_elems) LIKE ANY (%s)
"""
KEPT = {
    "users.id", "consent_events.user_id", "erasures.subject_id", "tombstones.subject_id", "agent_tool_calls.arguments",
    "audit_log.entity_id", "audit_log_legacy.entity_id", "users.email_canonical",
}  # fmt: skip
VIEW = """
CREATE MATERIALIZED VIEW names AS SELECT id, display_name FROM users WHERE display_name IS NOT NULL;
COMMENT ON COLUMN names.id IS 'identifier: whose';
COMMENT ON COLUMN names.display_name IS 'identifier: their name';
ALTER MATERIALIZED VIEW names OWNER TO agent_owner;
SELECT ops.classify_table_v1('public.names', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');
INSERT INTO ops.personal_edges (from_table, from_columns, to_table, to_columns, kind, note)
VALUES ('public.names', '{id}', 'public.users', '{id}', 'column', 'a view has no keys');
"""
BREAKS = """
CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not yet'; END $$;
CREATE TRIGGER breaks BEFORE DELETE ON listens FOR EACH ROW EXECUTE FUNCTION breaks();
"""


@pytest.fixture(scope="module")
def place(server: dict[str, str]) -> Iterator[tuple[str, Path]]:
    """The URL of a database with the two in it on a server of its own, and the folder with its log."""
    # A preload is the one setting without which there are no such statistics at all.
    with own_server(server, "shared_preload_libraries=pg_stat_statements") as (url, folder):
        done = run_alembic("upgrade", "head", url=url)
        assert done.returncode == 0, done.stderr
        bring_in(url)
        rows(
            url, "CREATE EXTENSION pg_stat_statements; CREATE ROLE erases LOGIN; GRANT agent_eraser TO erases"
        )
        rows(url, VIEW)
        rows(url, "ANALYZE")
        yield url, folder


def _seen(url: str, *values: str) -> dict[str, set[str]]:
    """Return where else than in tables one of *values* is, with those of them."""
    found = {}
    for name, query in SEEN.items():
        text = "\n".join(str(row) for (row,) in rows(url, query))
        if held := {value for value in values if value in text}:
            found[name] = held
    return found


def _as_eraser(url: str) -> str:
    return url.replace("//postgres@", "//erases@")


def test_nothing_of_the_person_is_anywhere(place: tuple[str, Path], keys: Keyring) -> None:
    url, folder = place
    log = folder / "log"
    # It is where it is looked for.
    before = found_in(url, *ADA.identifiers)
    assert len(before) > 15
    assert set(ADA.identifiers) == {value for values in before.values() for value in values}
    rows(url, "DO $$ BEGIN PERFORM 'ada.lovelace'; END $$")
    assert _seen(url, *ADA.identifiers).keys() >= {"pg_stats", "pg_stat_statements"}
    with suppress(psycopg2.Error):
        rows(url, "SELECT 'ada.lovelace' FROM nowhere")
    assert "ada.lovelace" in log.read_text()
    # From here on whatever is there is of the erasure: one that fails half-way, and goes on.
    rows(url, "SELECT pg_stat_statements_reset()")
    begun = log.stat().st_size
    rows(url, BREAKS)
    with pytest.raises(DatabaseError) as caught:
        erase_user(ADA.id, url=_as_eraser(url), whole_rows=0, batch_rows=1)
    assert caught.value.problem == "not yet"
    rows(url, "DROP TRIGGER breaks ON listens")
    certificate = erase_user(ADA.id, url=_as_eraser(url), whole_rows=0, batch_rows=1)
    assert certificate.verify(keys)
    after = found_in(url, *ADA.identifiers)
    assert {name: set(values) for name, values in after.items()} == STAYS
    assert _seen(url, *ADA.identifiers).keys() <= {"pg_stats"}
    # What is kept is known as well, and nothing beside it.
    known = rows(url, KNOWN, ([f"%{value}%" for value in ADA.identifiers],))
    empty = certificate.residue["statistics"]
    assert {str(name) for (name,) in known if f"public.{str(name).split('.')[0]}" not in empty} <= KEPT
    # Where there is no address, the number of the row stands in its place.
    others = [f"%{value}%" for value in ADA.identifiers if value != str(ADA.id)]
    assert "users.email_canonical" not in {name for (name,) in rows(url, KNOWN, (others,))}
    # Of a table without rows, servers before 18 forget what they knew when it is rewritten.
    assert bool(empty) is (rows(url, "SHOW server_version_num") < [("180000",)])
    rewrite(url)
    known = rows(url, KNOWN, ([f"%{value}%" for value in ADA.identifiers],))
    assert {name for (name,) in known} <= KEPT
    said = log.read_text()[begun:]
    assert "not yet" in said
    assert not [value for value in ADA.identifiers if value in said]
    assert any("ops." in str(query) for (query,) in rows(url, SEEN["pg_stat_statements"]))
    assert set(BOB.identifiers) == {
        value for values in found_in(url, *BOB.identifiers).values() for value in values
    }
