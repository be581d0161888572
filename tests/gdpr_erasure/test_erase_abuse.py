"""What a login that may erase cannot make of it: no other row, no other's object, no proof, no approval alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg2
import pytest
from gdpr_erasure.hidden import as_eraser, certify, forget, hide, working
from gdpr_erasure.people import ADA, BOB
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations.versions.core.errors import ApprovalError, SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.brakes import approve
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import plan_erasure
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_user
from spotify_ai_agent_migrations.versions.gdpr_erasure.retention import apply_retention
from support import Databases, rows

WRITABLE = """
SELECT class.oid::regclass::text, class.oid IN (SELECT tgrelid FROM pg_trigger WHERE tgname = class.relname || '_guard_erase')
  FROM pg_class AS class
 WHERE class.relkind IN ('r', 'p') AND NOT class.relispartition AND class.relnamespace IN ('public'::regnamespace, 'ops'::regnamespace)
   AND (has_table_privilege('agent_eraser', class.oid, 'DELETE') OR has_any_column_privilege('agent_eraser', class.oid, 'UPDATE'))
"""
AIMLESS = "a row was to be changed by who erases, and nobody is being erased"


def test_who_erases_changes_nothing_outside_an_erasure(entangled: str) -> None:
    hide(entangled, ADA.id)
    with as_eraser(entangled) as cursor:
        for statement in (
            f"DELETE FROM listens WHERE user_id = {BOB.id}",
            f"UPDATE users SET display_name = 'x' WHERE id = {BOB.id}",
            "DELETE FROM ops.restriction_permits",
            "DELETE FROM ops.subject_keys",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege) as caught:
                cursor.execute(statement)
            assert caught.value.diag.message_primary == AIMLESS, statement
    assert rows(entangled, f"SELECT count(*) > 0 FROM listens WHERE user_id = {BOB.id}") == [(True,)]


def test_every_table_that_who_erases_may_change_is_held_so(url: str) -> None:
    found = rows(url, WRITABLE)
    assert len(found) > 15
    assert [table for table, is_held in found if not is_held] == []


@pytest.mark.parametrize(
    "call", ["ops.unlink_large_object_v1(7001)", "ops.unlink_large_objects_v1('{7001}')"]
)
def test_who_erases_unlinks_large_objects_in_an_erasure_alone(entangled: str, call: str) -> None:
    rows(entangled, "SELECT lo_from_bytea(7001, 'a')")
    rows(entangled, "ALTER LARGE OBJECT 7001 OWNER TO agent_owner")
    erasure = hide(entangled, ADA.id)
    with as_eraser(entangled) as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege) as caught:
            cursor.execute(f"SELECT {call}")
    assert (
        caught.value.diag.message_primary == "a large object was to be unlinked, and nobody is being erased"
    )
    assert rows(entangled, "SELECT count(*) FROM pg_largeobject_metadata") == [(1,)]
    with working(entangled, erasure) as cursor:
        cursor.execute(f"SELECT {call}")
    assert rows(entangled, "SELECT count(*) FROM pg_largeobject_metadata") == [(0,)]


@pytest.fixture
def officer(databases: Databases, entangled: str) -> Iterator[Callable[[], str]]:
    """Makes logins that may approve and erase."""
    made: list[str] = []

    def make() -> str:
        role = f"officer_{uuid4().hex[:8]}"
        rows(entangled, f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE agent_privacy, agent_eraser")
        made.append(role)
        return databases.url(str(parse_dsn(entangled)["dbname"]), user=role, password="secret")

    yield make
    for role in made:
        rows(databases.url("postgres"), f"DROP ROLE {role}")


@pytest.mark.usefixtures("keys")
def test_who_erases_is_none_of_the_persons_who_approve(entangled: str, officer: Callable[[], str]) -> None:
    first, second, third = officer(), officer(), officer()
    plan = plan_erasure(ADA.id, entangled)
    assert [approve(plan.hash, one, user_id=ADA.id, rows=plan.rows) for one in (first, second)] == [1, 2]
    with pytest.raises(ApprovalError, match="of 2 persons, and 1 have given it"):
        erase_user(ADA.id, most_rows=0, url=first)
    assert rows(entangled, "SELECT count(*) FROM ops.erasures") == [(0,)]
    assert erase_user(ADA.id, most_rows=0, url=third).body["plan_hash"] == plan.hash


PROOFS = (
    ("ops.erasures", "hidden_at"), ("ops.tombstones", "subject_id"), ("ops.destroyed_keys", "destroyed_at"), ("ops.subject_keys", "created_at"),
    ("ops.pseudonyms", "created_at"), ("ops.suppressions", "suppressed_at"), ("ops.audit_anchor", "published_at"),
    ("ops.erasure_notices", "queued_at"), ("public.retention_policies", "keep_for"),
)  # fmt: skip


@pytest.mark.parametrize(("table", "column"), PROOFS)
def test_no_rule_of_retention_takes_what_proves_or_what_others_rest_on(
    url: str, table: str, column: str
) -> None:
    rows(url, "INSERT INTO users (id) VALUES (1)")
    rows(
        url,
        "SELECT keep_subject_key_v1(1, gen_random_uuid(), decode(repeat('00', 60), 'hex'), repeat('0', 16))",
    )
    rows(url, "SELECT ops.acting_ref()")
    before = rows(url, f"SELECT count(*) FROM {table}")
    rows(
        url,
        "INSERT INTO retention_policies (table_name, rule, time_column, keep_for, action, legal_reference)"
        f" VALUES ('{table}', 'wrong', '{column}', '1 microsecond', 'delete', 'x')",
    )
    (done,) = [one for one in apply_retention(url) if one.rule == "wrong"]
    assert (done.failed, done.note) == (True, f'rule "wrong" of "{table}" does not delete rows')
    if table != "public.retention_policies":
        assert rows(url, f"SELECT count(*) FROM {table}") == before


@pytest.mark.parametrize("most", ["NULL", "0", "-1", "1000000000"])
def test_a_batch_of_retention_has_a_bound(url: str, most: str) -> None:
    with as_eraser(url) as cursor, pytest.raises(psycopg2.errors.InvalidParameterValue) as caught:
        cursor.execute(f"SELECT ops.retain_v1('users', 'erased', {most})")
    assert caught.value.diag.message_primary == "a batch has between 1 and 100000 rows"
    with pytest.raises(SettingsError):
        apply_retention(url, batch_rows=100_001)


TELLS = """
CREATE TABLE told (query text);
GRANT INSERT ON told TO PUBLIC;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.told SELECT current_query(); RETURN OLD; END $$;
GRANT EXECUTE ON FUNCTION tell() TO PUBLIC;
CREATE TRIGGER tell BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO users (id, status, erased_at) SELECT 880000000 + n, 'erased', now() - INTERVAL '6 years' FROM generate_series(1, 5) AS n;
"""


def test_no_key_of_a_row_is_in_a_statement_of_retention(url: str) -> None:
    rows(url, TELLS)
    assert [one.deleted for one in apply_retention(url, batch_rows=2) if one.table == "users"] == [5]
    told = rows(url, "SELECT query FROM told")
    assert len(told) == 5
    assert [query for (query,) in told if "8800000" in str(query)] == []


@pytest.mark.parametrize("horizon", ["'1'", "hidden_xid"])
def test_a_horizon_lies_behind_what_hid_the_person(entangled: str, horizon: str) -> None:
    erasure = hide(entangled, ADA.id)
    forget(entangled, erasure)
    given = f"(SELECT ({horizon})::text::xid8 FROM ops.erasures)"
    with as_eraser(entangled, autocommit=False) as cursor:
        cursor.execute("SELECT ops.work_on_v1(%s)", (erasure,))
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as caught:
            cursor.execute(f"SELECT ops.erasure_reached_v1(%s, 'swept', {given})", (erasure,))
    assert caught.value.diag.message_primary == (
        f'erasure "{erasure}" is not swept: its horizon is older than what hid the person'
    )
    certify(entangled, erasure)
    assert rows(entangled, "SELECT state FROM ops.erasures") == [("certified",)]
