"""What a rollback keeps is put back once and unchanged, read by nobody else, listed and purged."""

from __future__ import annotations

import pytest
from rollback.scene import accepted, agentdb, planned, quarantine, revise, upgraded

from support import HEAD, Checkout, rows


@pytest.mark.soak
def test_to_restore_before_the_table_is_there_again_is_refused_with_the_upgrade(
    checkout: Checkout, url: str
) -> None:
    number = revise(checkout, "CREATE TABLE public.notes (said text)", "DROP TABLE public.notes")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES ('a')")
    kept = accepted(url, checkout=checkout)
    done = agentdb(url, "restore", kept, checkout=checkout)
    assert (done.code, done.out, done.err) == (
        1,
        "",
        [
            'error: "public.notes" is not there to be restored',
            f"Hint: alembic upgrade {number} brings it back, then run this again",
        ],
    )
    upgraded(checkout, url)
    assert agentdb(url, "restore", kept, checkout=checkout).out == "public.notes: 1 row\n"
    done = agentdb(url, "restore", kept, checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f'error: what "{kept}" keeps was put back already',
            f"Hint: `agentdb rollback purge {kept}` drops it",
        ],
    )
    assert rows(url, "SELECT count(*) FROM notes") == [(1,)]


@pytest.mark.parametrize(
    "tampering", ["UPDATE {0} SET said = 'x' WHERE id = 1", "DELETE FROM {0} WHERE id = 1"]
)
def test_what_was_changed_in_the_quarantine_is_not_restored(
    checkout: Checkout, url: str, tampering: str
) -> None:
    revise(checkout, "CREATE TABLE public.notes (id bigint PRIMARY KEY, said text)", "SELECT 1")
    revise(checkout, "SELECT 1", "DELETE FROM public.notes")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    kept = accepted(url, checkout=checkout)
    ((name,),) = rows(url, f"SELECT kept_as FROM {kept}.contents")
    rows(url, tampering.format(f"{kept}.{name}"))
    upgraded(checkout, url)
    done = agentdb(url, "restore", kept, checkout=checkout)
    left = 2 if tampering.startswith("UPDATE") else 1
    assert (done.code, done.err) == (
        1,
        [
            f'error: "{kept}"."{name}" is not what was kept: {left} rows, and 2 were',
            "Hint: somebody changed it since; restore from a backup",
        ],
    )
    assert rows(url, "SELECT count(*) FROM notes") == [(0,)]


def test_nobody_else_reads_the_quarantine(store: str) -> None:
    kept = accepted(store, "001")
    names = [
        str(name) for (name,) in rows(store, f"SELECT kept_as FROM {kept}.contents WHERE kept_as IS NOT NULL")
    ]
    assert any("users" in name for name in names)
    for role in ("agent_app", "agent_readonly", "agent_owner"):
        assert rows(store, "SELECT has_schema_privilege(%s, %s, 'USAGE')", (role, kept)) == [(False,)]


@pytest.mark.soak
def test_what_is_kept_is_listed_and_purged_by_name_and_by_time(checkout: Checkout, url: str) -> None:
    revise(checkout, "CREATE TABLE public.notes (said text)", "DROP TABLE public.notes")
    names = []
    for _ in range(2):
        upgraded(checkout, url)
        rows(url, "INSERT INTO notes VALUES ('a'), ('b')")
        digest = planned(url, checkout=checkout)["digest"]
        out = agentdb(url, "to", HEAD, "--accept-data-loss", digest, checkout=checkout).out
        names.append(out.split()[-1])
    until = rows(url, "SELECT to_char(now() + INTERVAL '30 days', 'YYYY-MM-DD')")[0][0]
    listed = agentdb(url, "list", checkout=checkout).out
    assert sorted(listed.splitlines()) == sorted(
        f"{name}: 2 rows of 1 table, kept until {until}" for name in names
    )
    assert agentdb(url, "purge", checkout=checkout).out == ""
    assert agentdb(url, "purge", names[0], checkout=checkout).out == f"{names[0]}: gone\n"
    assert quarantine(url) == names[1]
    rows(url, f"UPDATE {names[1]}.contents SET keep_until = now()")
    assert agentdb(url, "purge", checkout=checkout).out == f"{names[1]}: gone\n"
    done = agentdb(url, "purge", names[1], checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [f'error: there is no quarantine "{names[1]}"', "Hint: `agentdb rollback list` names them"],
    )
    done = agentdb(url, "restore", "public", checkout=checkout)
    assert (done.code, done.err[0]) == (1, 'error: "public" is not the name of a run')
