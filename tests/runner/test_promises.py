"""A revision may tell whether what it promises holds, and a failed upgrade go back to where it began."""

from __future__ import annotations

from support import AFTER_NEXT, HEAD, NEXT, Checkout, rows

TABLE = "execute('CREATE TABLE promised (id bigint CONSTRAINT promised_pkey PRIMARY KEY)')\nexecute(\"COMMENT ON COLUMN promised.id IS 'none: number'\")"
VERIFY = """

def verify(connection):
    assert connection.exec_driver_sql("SELECT count(*) FROM promised").scalar() == {rows}, "rows are missing"
"""


def promise(checkout: Checkout, rows: int) -> str:
    number = checkout.add(TABLE, downgrade="execute('DROP TABLE promised')")
    file = checkout.versions / f"{number}_added.py"
    text = file.read_text()
    footer = text.index("\n\nif __name__")
    file.write_text(text[:footer] + VERIFY.format(rows=rows) + text[footer:])
    return number


def test_a_promise_that_does_not_hold_undoes_the_upgrade(checkout: Checkout, url: str) -> None:
    number = promise(checkout, 1)
    done = checkout.alembic("upgrade", "head", url=url)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [
            f"error: what revision {number} promises does not hold: rows are missing",
            f"Hint: read verify() of revision {number}; what was not committed is undone",
        ],
    )
    assert rows(url, "SELECT to_regclass('promised')") == [(None,)]
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_promises_can_be_asked_for_at_any_time(checkout: Checkout, url: str) -> None:
    number = promise(checkout, 0)
    assert checkout.alembic("upgrade", "head", url=url).returncode == 0
    command = ("-m", "spotify_ai_agent_migrations", "governance", "verify")
    done = checkout.python(*command, url=url)
    assert (done.returncode, done.stdout) == (0, f"asked: {number}; what they promise holds\n"), done.stderr
    rows(url, "INSERT INTO promised VALUES (1)")
    done = checkout.python(*command, url=url)
    assert done.returncode == 1
    assert f"error: what revision {number} promises does not hold: rows are missing" in done.stderr


def test_a_failed_upgrade_goes_back_to_where_it_began(checkout: Checkout, url: str) -> None:
    promise(checkout, 0)
    checkout.add("execute('SELECT 1 / 0')")
    done = checkout.alembic("-x", "on-failure=rollback", "upgrade", "head", url=url)
    assert done.returncode == 1
    problem, hint = done.stderr.splitlines()[-2:]
    assert problem == (
        f"error: upgrade of revision {AFTER_NEXT}_added failed: division by zero; rolled back to {HEAD}"
    )
    assert hint == "Hint: SQLSTATE 22012 at: SELECT ? / ?"
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert rows(url, "SELECT to_regclass('promised')") == [(None,)]
    assert rows(
        url, "SELECT direction, revision, state FROM ops.migration_journal ORDER BY id DESC LIMIT 2"
    ) == [
        ("downgrade", NEXT, "applied"),
        ("downgrade", NEXT, "started"),
    ]


def test_without_it_what_was_applied_stays(checkout: Checkout, url: str) -> None:
    promise(checkout, 0)
    checkout.add("execute('SELECT 1 / 0')")
    assert checkout.alembic("upgrade", "head", url=url).returncode == 1
    assert rows(url, "SELECT version_num FROM alembic_version") == [(NEXT,)]


def test_another_word_than_stop_or_rollback_is_refused(checkout: Checkout, url: str) -> None:
    done = checkout.alembic("-x", "on-failure=undo", "upgrade", "head", url=url)
    assert done.returncode == 2
    assert 'error: "-x on-failure=undo" is neither "stop" nor "rollback"' in done.stderr
