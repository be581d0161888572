"""Who may erase: one role, which is no superuser, sees every row, and cannot touch what proves."""

from __future__ import annotations

import psycopg2
import pytest
from gdpr_erasure.hidden import as_eraser, certify, forget, hide, working
from gdpr_erasure.people import ADA, BOB

from support import connected, rows

OTHERS = (
    "agent_app", "agent_readonly", "agent_auditor", "agent_privacy", "agent_sealer", "agent_monitor",
)  # fmt: skip
# What belongs to erasing alone, each with arguments that it would take.
CALLS = (
    "ops.begin_erasure_v1(880000222, 'request', now(), '{}', sha256('x'), '[]')",
    "ops.work_on_v1(gen_random_uuid())", "ops.step_done_v1(gen_random_uuid(), 0, 1)",
    "ops.forget_subject_v1(gen_random_uuid())", "ops.erasure_reached_v1(gen_random_uuid(), 'erased')",
    "ops.certify_erasure_v1(gen_random_uuid(), '{}')", "ops.horizon_blockers_v1(gen_random_uuid())",
)  # fmt: skip
# And what no role but the owner may call at all.
INNER = (
    "ops.redact_subject(880000222)", "ops.worked_on(gen_random_uuid())", "ops.is_remembered(1, now())",
    "ops.entries_naming(1)", "ops.is_trail_held(1, now())", "ops.guard_table_v1('public.listens', 'user_id')",
    "ops.unguard_table_v1('public.listens')",
)  # fmt: skip


def denied(url: str, role: str, statement: str) -> bool:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        try:
            cursor.execute(statement)
        except psycopg2.errors.InsufficientPrivilege:
            return True
        except psycopg2.Error:
            return False
    return False


def test_nobody_but_the_eraser_erases_and_what_it_is_made_of_is_nobodys(url: str) -> None:
    rows(url, "INSERT INTO users (id, display_name) VALUES (880000222, 'Ada')")
    for role in (*OTHERS, "agent_eraser"):
        for call in CALLS:
            assert denied(url, role, f"SELECT {call}") == (role != "agent_eraser"), (role, call)
        for call in INNER:
            assert denied(url, role, f"SELECT {call}"), (role, call)
    assert rows(url, "SELECT count(*) FROM ops.erasures") == [(1,)]


def test_the_eraser_is_no_superuser_and_sees_every_row(url: str) -> None:
    assert rows(
        url,
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = 'agent_eraser'",
    ) == [(False, False, False, False, False, True)]
    assert rows(url, "SELECT count(*) FROM pg_auth_members WHERE member = 'agent_eraser'::regrole") == [(0,)]
    assert rows(url, "SELECT count(*) FROM pg_class WHERE relowner = 'agent_eraser'::regrole") == [(0,)]


PROOF = (
    "public.audit_log", "public.consent_events", "ops.audit_seal", "ops.audit_anchor", "ops.erasures",
    "ops.erasure_steps", "ops.tombstones", "ops.legal_holds", "public.data_subject_requests",
    "public.data_subject_request_events", "ops.personal_data", "ops.personal_edges",
)  # fmt: skip


@pytest.mark.parametrize("table", PROOF)
def test_the_eraser_reads_what_proves_and_cannot_write_it(url: str, table: str) -> None:
    assert not denied(url, "agent_eraser", f"SELECT FROM {table}")
    for statement in (f"INSERT INTO {table} DEFAULT VALUES", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        assert denied(url, "agent_eraser", statement), statement
    ((column,),) = rows(url, f"SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1")  # fmt: skip
    assert denied(url, "agent_eraser", f"UPDATE {table} SET {column} = NULL")


def test_the_eraser_adds_no_row_anywhere(url: str) -> None:
    assert rows(
        url,
        "SELECT class.oid::regclass::text FROM pg_class AS class WHERE relkind IN ('r', 'p') AND relnamespace IN ('public'::regnamespace, 'ops'::regnamespace)"
        " AND (has_table_privilege('agent_eraser', class.oid, 'INSERT, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege('agent_eraser', class.oid, 'INSERT'))",
    ) == []  # fmt: skip
    assert denied(url, "agent_eraser", "DELETE FROM listens")
    assert rows(url, "SELECT has_table_privilege('agent_eraser', 'listens', 'DELETE')") == [(True,)]


def test_the_eraser_takes_the_pseudonym_of_the_person_it_erases_and_no_other(entangled: str) -> None:
    erasure = hide(entangled, ADA.id)
    rows(entangled, "INSERT INTO ops.pseudonyms (role_name) VALUES ('somebody')")
    for whose in (f"user_id = {BOB.id}", "role_name = 'somebody'", "true", f"user_id = {ADA.id}"):
        assert denied(entangled, "agent_eraser", f"DELETE FROM ops.pseudonyms WHERE {whose}"), whose
    with working(entangled, erasure) as cursor:
        cursor.execute("DELETE FROM ops.pseudonyms WHERE user_id = %s", (ADA.id,))
        assert cursor.rowcount == 1
    assert rows(entangled, "SELECT user_id FROM ops.pseudonyms WHERE user_id IS NOT NULL") == [(BOB.id,)]


def test_a_restriction_goes_with_its_person_by_the_eraser_and_by_nobody_else(entangled: str) -> None:
    rows(entangled, f"SELECT ops.restrict_person_v1({ADA.id}, 'unlawful')")
    with connected(entangled) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="is append-only"):
            cursor.execute("DELETE FROM ops.restrictions")
    assert denied(entangled, "agent_eraser", "UPDATE ops.restrictions SET ground = 'legal_claims'")
    with working(entangled, hide(entangled, ADA.id)) as cursor:
        cursor.execute("DELETE FROM ops.restrictions WHERE user_id = %s", (ADA.id,))
        assert cursor.rowcount == 1


@pytest.mark.parametrize("subject", [None, 0, -1, 123])
def test_nobody_who_is_not_there_is_erased(entangled: str, subject: int | None) -> None:
    with as_eraser(entangled) as cursor, pytest.raises(psycopg2.Error, match="nobody has that number"):
        cursor.execute("SELECT ops.begin_erasure_v1(%s, 'request', now(), '{}', sha256('x'), '[]')", (subject,))  # fmt: skip
    assert rows(entangled, "SELECT count(*) FROM ops.tombstones") == [(0,)]


def test_no_state_is_skipped(entangled: str) -> None:
    erasure = hide(entangled, ADA.id, "public.listens")

    def says(statement: str) -> str:
        with as_eraser(entangled, autocommit=False) as cursor:
            cursor.execute("SELECT ops.work_on_v1(%s)", (erasure,))
            with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState) as caught:
                cursor.execute(statement, {"id": erasure})
        return str(caught.value.diag.message_primary)

    called = f'erasure "{erasure}" is not'
    assert says("SELECT ops.erasure_reached_v1(%(id)s, 'erased')") == f"{called} erased: a step of it has not ended"  # fmt: skip
    assert says("SELECT ops.erasure_reached_v1(%(id)s, 'swept')") == f"{called} swept: it has not been erased"
    assert says("SELECT ops.erasure_reached_v1(%(id)s, 'certified')") == f"{called} certified: there is no such state to be reached"  # fmt: skip
    assert says("SELECT ops.certify_erasure_v1(%(id)s, '{}')") == f"{called} to be certified"
    assert says("SELECT ops.forget_subject_v1(%(id)s)") == 'the row of the person in "public.users" is not erased yet'  # fmt: skip
    with working(entangled, erasure) as cursor:
        cursor.execute("SELECT ops.step_done_v1(%s, 0, 1, finished => true)", (erasure,))
    assert says("SELECT ops.erasure_reached_v1(%(id)s, 'erased')") == f"{called} erased: the person is not forgotten"  # fmt: skip
    forget(entangled, erasure)
    assert says("SELECT ops.erasure_reached_v1(%(id)s, 'swept')") == f"{called} swept: it has no horizon"
    certify(entangled, erasure)
    with as_eraser(entangled) as cursor:
        # The same certificate again is the same; another is none.
        ((certificate,),) = rows(entangled, "SELECT certificate FROM ops.erasures")
        cursor.execute("SELECT ops.certify_erasure_v1(%s, %s)", (erasure, certificate))
        assert [cursor.fetchone()] == rows(entangled, "SELECT certified_at FROM ops.erasures")
        for statement in ("SELECT ops.certify_erasure_v1(%(id)s, %(id)s)", "SELECT ops.work_on_v1(%(id)s)"):
            with pytest.raises(psycopg2.Error):
                cursor.execute(statement, {"id": erasure})


def test_a_step_is_noted_only_by_the_transaction_that_works_on_the_person(entangled: str) -> None:
    erasure, other = hide(entangled, ADA.id, "public.listens"), hide(entangled, BOB.id, "public.listens")
    refused = 'this transaction does not work on erasure "{}"'
    with as_eraser(entangled) as cursor:
        for call in (f"ops.step_done_v1('{erasure}', 0, 1)", f"ops.forget_subject_v1('{erasure}')"):
            with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=refused.format(erasure)):
                cursor.execute(f"SELECT {call}")
    with working(entangled, erasure) as cursor:
        cursor.execute("SELECT ops.step_done_v1(%s, 0, 5, '{\"id\": 5}')", (erasure,))
        cursor.execute("SELECT ops.step_done_v1(%s, 0, 2, finished => true)", (erasure,))
        cursor.execute("SELECT ops.step_done_v1(%s, 0, 1, swept => true)", (erasure,))
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=refused.format(other)):
            cursor.execute("SELECT ops.step_done_v1(%s, 0, 1)", (other,))
        cursor.connection.rollback()
    assert rows(entangled, "SELECT DISTINCT done_rows FROM ops.erasure_steps") == [(0,)]
    with working(entangled, erasure) as cursor:
        cursor.execute("SELECT ops.step_done_v1(%s, 0, 5, '{\"id\": 5}')", (erasure,))
        cursor.execute("SELECT ops.step_done_v1(%s, 0, 2, finished => true)", (erasure,))
        cursor.execute("SELECT ops.step_done_v1(%s, 0, 1, '{\"id\": 9}', swept => true)", (erasure,))
    of_it = f"SELECT done_rows, swept_rows, after_key, finished_at IS NOT NULL FROM ops.erasure_steps WHERE erasure_id = '{erasure}'"
    assert rows(entangled, of_it) == [(7, 1, None, True)]


def test_an_erasure_works_at_read_committed_alone(entangled: str) -> None:
    erasure = hide(entangled, ADA.id)
    with as_eraser(entangled) as cursor, pytest.raises(psycopg2.Error, match="that are READ COMMITTED"):
        cursor.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT ops.work_on_v1('{erasure}')")


def test_every_function_that_acts_as_its_owner_has_a_path_of_its_own_and_is_not_everybodys(url: str) -> None:
    loose = rows(
        url,
        "SELECT routine.oid::regprocedure::text FROM pg_proc AS routine WHERE routine.prosecdef AND routine.pronamespace IN ('public'::regnamespace, 'ops'::regnamespace)"
        " AND (NOT coalesce(routine.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp'] OR has_function_privilege('public', routine.oid, 'EXECUTE'))",
    )  # fmt: skip
    assert loose == []
    assert len(rows(url, "SELECT 1 FROM pg_proc WHERE prosecdef AND proname ~ '_guard_(insert|update)$'")) > 30  # fmt: skip


def test_the_application_sees_nothing_of_somebody_who_is_being_erased(entangled: str) -> None:
    def seen(person: int) -> list[tuple[object, ...]]:
        with connected(entangled) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET ROLE agent_app; SET app.user_id = '{person}'")
            cursor.execute("SELECT id FROM users UNION ALL SELECT user_id FROM listens")
            return cursor.fetchall()

    assert len(seen(ADA.id)) == 2
    erasure = hide(entangled, ADA.id)
    assert (len(seen(ADA.id)), len(seen(BOB.id))) == (0, 2)
    assert rows(entangled, "SET ROLE agent_readonly; SELECT count(*) FROM analyst_users") == [(1,)]
    forget(entangled, erasure)
    certify(entangled, erasure)
    assert rows(entangled, "SET ROLE agent_readonly; SELECT count(*) FROM analyst_users") == [(2,)]
