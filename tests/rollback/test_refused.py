"""What must not be rolled back is refused before any statement, and the message says why."""

from __future__ import annotations

import pytest
from rollback.scene import accepted, agentdb, losses, planned, revise, untouched, upgraded

from support import HEAD, NEXT, NUMBERS, Checkout, rows, run

TABLE = "CREATE TABLE public.notes (id bigint CONSTRAINT notes_pkey PRIMARY KEY, said text)"
DROP = "DROP TABLE public.notes"


@pytest.fixture
def notes(checkout: Checkout, url: str) -> str:
    """The URL of a database with a table `notes` of the next revision, and three rows in it."""
    revise(checkout, TABLE, DROP)
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes SELECT n, 'said ' || n FROM generate_series(1, 3) AS n")
    return url


def test_rows_at_risk_are_refused_with_the_digest_to_accept_them(checkout: Checkout, notes: str) -> None:
    before = untouched(notes)
    digest = planned(notes, checkout=checkout)["digest"]
    done = agentdb(notes, "to", HEAD, checkout=checkout)
    assert (done.code, done.out, done.err) == (
        1,
        "",
        [
            f"error: rolling back to {HEAD} loses 3 rows; nothing was executed",
            f"Hint: read `agentdb rollback plan {HEAD}`, then say --accept-data-loss {digest}",
        ],
    )
    assert untouched(notes) == before


@pytest.mark.soak
def test_a_digest_from_before_a_row_was_written_is_refused(checkout: Checkout, notes: str) -> None:
    stale = planned(notes, checkout=checkout)["digest"]
    rows(notes, "INSERT INTO notes VALUES (4, 'late')")
    digest = planned(notes, checkout=checkout)["digest"]
    assert digest != stale
    done = agentdb(notes, "to", HEAD, "--accept-data-loss", stale, checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f"error: rolling back to {HEAD} loses 4 rows, and the digest {stale} is of another plan: rows came or "
            "went since; nothing was executed",
            f"Hint: read `agentdb rollback plan {HEAD}`, then say --accept-data-loss {digest}",
        ],
    )
    assert rows(notes, "SELECT count(*) FROM notes") == [(4,)]
    accepted(notes, HEAD, checkout=checkout)
    assert rows(notes, "SELECT to_regclass('notes')") == [(None,)]


def test_an_empty_table_goes_without_a_word_and_without_a_quarantine(checkout: Checkout, notes: str) -> None:
    rows(notes, "DELETE FROM notes")
    done = agentdb(notes, "to", "-1", checkout=checkout)
    assert (done.code, done.out, done.err) == (0, f"rolled back from {NEXT} to {HEAD}\n", [])
    assert rows(notes, "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^rollback_'") == [(0,)]


def test_an_irreversible_step_on_the_way_is_refused_before_any_statement(
    checkout: Checkout, url: str
) -> None:
    revise(checkout, "SELECT 1", "SELECT 1", reverse="irreversible; the values are gone")
    last = revise(checkout, TABLE, DROP)
    upgraded(checkout, url)
    before = untouched(url)
    done = agentdb(url, "to", HEAD, checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f"error: revision {NEXT} is irreversible: irreversible; the values are gone; nothing was executed",
            f"Hint: agentdb rollback to {NEXT} goes as far as it can; restore a backup to go further",
        ],
    )
    assert untouched(url) == before
    assert agentdb(url, "to", NEXT, checkout=checkout).out == f"rolled back from {last} to {NEXT}\n"


def test_an_edited_file_is_refused(checkout: Checkout, notes: str) -> None:
    file = checkout.versions / f"{NEXT}_added.py"
    file.write_text(file.read_text().replace("DROP TABLE", "DROP  TABLE"))
    done = agentdb(notes, "to", HEAD, checkout=checkout)
    assert (done.code, done.err[0]) == (
        1, f"error: revision {NEXT} changed after it was applied, in its code",
    )  # fmt: skip
    assert rows(notes, "SELECT count(*) FROM notes") == [(3,)]


def test_a_database_from_the_future_is_refused(url: str) -> None:
    rows(url, "UPDATE alembic_version SET version_num = '013'")
    done = agentdb(url, "plan", "-1")
    assert (done.code, done.err) == (
        1,
        [
            f"error: the database is at revision 013, and this code knows up to {HEAD}",
            "Hint: use the release that has revision 013",
        ],
    )


def test_a_target_that_is_not_behind_is_refused(url: str) -> None:
    assert agentdb(url, "plan", "042").err == [
        f'error: the database is at {HEAD}, and "042" is no revision',
        f"Hint: name one of {', '.join(reversed(NUMBERS))} or base",
    ]


@pytest.mark.parametrize(
    ("dependent", "named"),
    [
        ("CREATE VIEW loud AS SELECT upper(said) FROM public.notes", "view loud depends on table notes"),
        (
            "CREATE TABLE mine (note_id bigint CONSTRAINT mine_note_id_fkey REFERENCES public.notes)",
            "constraint mine_note_id_fkey on table mine depends on table notes",
        ),
    ],
)
def test_what_somebody_else_made_on_top_is_named_in_the_plan(
    checkout: Checkout, notes: str, dependent: str, named: str
) -> None:
    rows(notes, dependent)
    assert (
        checkout.alembic("-x", "accept-drift=1", "-x", "reason=ours", "upgrade", "head", url=notes).returncode
        == 0
    )
    before = untouched(notes)
    done = agentdb(notes, "plan", "-1", checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f"error: downgrade of revision {NEXT}_added failed: cannot drop table notes because other objects depend "
            f"on it: {named}; nothing was executed",
            "Hint: drop what depends on it, or move it elsewhere, and plan again",
        ],
    )
    assert untouched(notes) == before


def test_a_downgrade_that_raises_is_refused_in_the_plan(checkout: Checkout, url: str) -> None:
    checkout.add("execute('SELECT 1')", downgrade="raise NotImplementedError('no way back')")
    upgraded(checkout, url)
    before = untouched(url)
    done = agentdb(url, "to", "-1", checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f"error: downgrade of revision {NEXT}_added raised NotImplementedError: no way back",
            f"Hint: read {NEXT}_added.py; what was not committed is undone",
        ],
    )
    assert untouched(url) == before


def test_a_downgrade_that_commits_by_itself_is_refused_in_the_plan(checkout: Checkout, url: str) -> None:
    number = revise(checkout, TABLE, f"{DROP}; COMMIT")
    file = checkout.versions / f"{number}_added.py"
    file.write_text(file.read_text().replace("COMMIT')", "COMMIT')  # allow MIG023: the plan is asked"))
    upgraded(checkout, url)
    before = untouched(url)
    done = agentdb(url, "plan", "-1", checkout=checkout)
    assert (done.code, done.out, done.err) == (
        1,
        "",
        [
            f"error: downgrade of revision {number}_added begins or ends a transaction itself, and a dry run could "
            "not roll it back",
            "Hint: use an autocommit block for what has to run alone; a clone (--shadow) executes it",
        ],
    )
    assert untouched(url) == before


def test_a_session_that_counts_no_rows_is_refused(store: str) -> None:
    done = agentdb(f"{store}&options=-c%20track_counts%3Doff", "plan", "-1")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        [
            "error: track_counts is off for this session, so that no scan can be seen",
            "Hint: set track_counts to on for this role, or connect as one that may",
        ],
    )
    assert agentdb(store, "plan", "-1").code == 0


def test_a_later_step_that_cannot_run_leaves_nothing_half_rolled_back(checkout: Checkout, url: str) -> None:
    revise(checkout, "SELECT 1", "SELECT 1 / 0")
    revise(checkout, TABLE, DROP)
    upgraded(checkout, url)
    before = untouched(url)
    done = agentdb(url, "to", HEAD, checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f"error: downgrade of revision {NEXT}_added failed: division by zero",
            "Hint: SQLSTATE 22012 at: SELECT ? / ?",
        ],
    )
    assert untouched(url) == before


def test_a_downgrade_that_forgets_something_is_refused(checkout: Checkout, url: str) -> None:
    revise(checkout, f"{TABLE}; CREATE TABLE public.forgotten ()", DROP)
    upgraded(checkout, url)
    before = untouched(url)
    done = agentdb(url, "to", HEAD, checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f"error: downgrade of revision {NEXT}_added ends in another schema than {HEAD} had; nothing of it is done",
            f"Hint: mend {NEXT}_added.py: its downgrade() does not take back what its upgrade() makes",
        ],
    )
    assert untouched(url) == before


@pytest.mark.soak
def test_a_change_that_was_accepted_meanwhile_does_not_bar_the_way_back(
    checkout: Checkout, notes: str
) -> None:
    rows(notes, "CREATE TABLE public.mine ()")
    assert (
        checkout.alembic("-x", "accept-drift=1", "-x", "reason=ours", "upgrade", "head", url=notes).returncode
        == 0
    )
    accepted(notes, HEAD, checkout=checkout)
    assert rows(notes, "SELECT to_regclass('mine')::text, to_regclass('notes')") == [("mine", None)]


def test_grants_of_roles_that_are_not_ours_are_told(checkout: Checkout, notes: str) -> None:
    rows(notes, "GRANT SELECT ON notes TO pg_monitor, agent_readonly")
    assert (
        checkout.alembic("-x", "accept-drift=1", "-x", "reason=ours", "upgrade", "head", url=notes).returncode
        == 0
    )
    plan = planned(notes, checkout=checkout)
    assert plan["steps"][0]["grants"] == ["pg_monitor on public.notes"]
    assert (
        "    takes from others: pg_monitor on public.notes\n" in agentdb(notes, "plan", checkout=checkout).out
    )


def test_rows_written_past_a_point_of_no_return_are_counted_and_refused(checkout: Checkout, url: str) -> None:
    query = "point_of_no_return = \"SELECT count(*) FROM users WHERE display_name LIKE 'new%'\""
    revise(checkout, "SELECT 1", "SELECT 1", more=query)
    upgraded(checkout, url)
    assert planned(url, checkout=checkout)["steps"][0]["written_since"] == 0
    rows(url, "INSERT INTO users (display_name) VALUES ('new 1'), ('new 2'), ('old')")
    plan = planned(url, checkout=checkout)
    assert (plan["steps"][0]["written_since"], plan["rows_at_risk"]) == (2, 0)
    done = agentdb(url, "to", HEAD, checkout=checkout)
    assert (done.code, done.err[0]) == (
        1, f"error: rolling back to {HEAD} loses 2 rows; nothing was executed",
    )  # fmt: skip
    assert agentdb(url, "to", HEAD, "--accept-data-loss", plan["digest"], checkout=checkout).code == 0


@pytest.mark.parametrize(
    ("key", "downgrade", "upgrade", "what", "keeps"),
    [
        ("", "ALTER TABLE public.notes DROP COLUMN said", "ALTER TABLE public.notes ADD said text",
         "public.notes.said", "has no primary key"),
        ("", "UPDATE public.notes SET said = ''", "SELECT 1", "public.notes", "has no primary key"),
        ("", "TRUNCATE public.notes", "SELECT 1", "public.notes", "has no primary key"),
        ("PRIMARY KEY", "ALTER TABLE public.notes DROP COLUMN id", "ALTER TABLE public.notes ADD id serial PRIMARY KEY",
         "public.notes.id", "keeps no primary key"),
    ],
)  # fmt: skip
def test_values_that_no_key_would_put_back_are_refused(
    checkout: Checkout, url: str, key: str, downgrade: str, upgrade: str, what: str, keeps: str
) -> None:
    made = (
        "CREATE TABLE public.notes (said text)"
        if "DROP COLUMN id" in downgrade
        else "CREATE TABLE public.notes (id bigint)"
    )
    revise(
        checkout,
        made if upgrade != "SELECT 1" else f"CREATE TABLE public.notes (id bigint {key}, said text)",
        "SELECT 1",
    )
    number = revise(checkout, upgrade, downgrade)
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes (id, said) VALUES (1, 'a')")
    before = untouched(url)
    done = agentdb(url, "plan", checkout=checkout)
    assert (done.code, done.err) == (
        1,
        [
            f'error: revision {number} takes values of "{what}", and public.notes {keeps} to put them back by; '
            "nothing was executed",
            "Hint: add one to public.notes, or export it and empty it first",
        ],
    )
    assert untouched(url) == before


def test_a_rename_destroys_nothing(checkout: Checkout, url: str) -> None:
    revise(checkout, TABLE, DROP)
    revise(
        checkout,
        "ALTER TABLE public.notes RENAME said TO spoken; ALTER TABLE public.notes RENAME TO remarks",
        "ALTER TABLE public.remarks RENAME TO notes; ALTER TABLE public.notes RENAME spoken TO said",
    )
    upgraded(checkout, url)
    rows(url, "INSERT INTO remarks VALUES (1, 'a')")
    assert losses(planned(url, checkout=checkout)) == []
    assert agentdb(url, "to", NEXT, checkout=checkout).code == 0
    assert rows(url, "SELECT * FROM notes") == [(1, "a")]


def test_without_a_journal_the_plan_still_works(url: str) -> None:
    rows(url, "DROP TABLE ops.migration_journal, ops.migration_state")
    done = run("agentdb", "rollback", "plan", "-1", url=url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"from {HEAD} back to ")
