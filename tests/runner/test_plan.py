"""A plan says what each statement really locks and does, and leaves the database as it was."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from spotify_ai_agent_migrations import MigrationError, check
from spotify_ai_agent_migrations.versions.core.fingerprint import fingerprint
from spotify_ai_agent_migrations.versions.runner import Options, plan_upgrade
from spotify_ai_agent_migrations.versions.runner.plan import Where
from spotify_ai_agent_migrations.versions.runner.plan.script import pieces
from support import HEAD, Checkout, connected, rows, run, run_alembic, until

NUMBERS = [f"{number:03d}" for number in range(1, int(HEAD) + 1)]
PLAN = ("-m", "spotify_ai_agent_migrations", "plan")
SHADOWS = "SELECT datname FROM pg_database WHERE datname LIKE 'agentdb_shadow_%'"

# Upgrades for real, and notes after each call what the session holds that it did not hold before, as another
# session sees it.
WATCH = '''
import json, pathlib, sys
import psycopg2
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.engine import Engine

beside = psycopg2.connect(sys.argv[1])
beside.autocommit = True
noted, names, held, seen, known = [], {}, set(), set(), False
# What the session held after the last call, as long as nothing can have come or gone since.
last = None

def locks(pid):
    cursor = beside.cursor()
    cursor.execute("""SELECT relation, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND granted
                         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""", (pid,))
    return set(cursor.fetchall())

def called(connection):
    global known
    known = True
    cursor = connection.cursor()
    cursor.execute("""SELECT class.oid, CASE nspname WHEN 'public' THEN quote_ident(relname)
                             ELSE format('%I.%I', nspname, relname) END
                        FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
                       WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'""")
    names.update(cursor.fetchall())

def of_a_revision():
    frame = sys._getframe()
    while frame is not None:
        file = pathlib.Path(frame.f_code.co_filename)
        if file.parent.name == "versions" and file.name[:3].isdigit():
            return True
        frame = frame.f_back

@event.listens_for(Engine, "before_cursor_execute")
def before(connection, cursor, statement, parameters, context, many):
    held.clear()
    held.update(locks(cursor.connection.info.backend_pid) if last is None or cursor.connection.autocommit else last)
    if not known:
        called(cursor.connection)

@event.listens_for(Engine, "after_cursor_execute")
def after(connection, cursor, statement, parameters, context, many):
    global known, last
    mine = of_a_revision()
    known, last = known and mine, None
    if mine:
        taken = last = locks(cursor.connection.info.backend_pid)
        oids = {oid for oid, _ in taken}
        # What is made or renamed is locked for that, and what runs alone holds no lock any more.
        if cursor.connection.autocommit or not oids <= seen or "RENAME" in statement or "SET SCHEMA" in statement:
            called(cursor.connection)
            seen.update(oids)
        text = statement if many else cursor.mogrify(statement, parameters).decode()
        noted.append({
            "text": text,
            "taken": sorted([names[oid], mode] for oid, mode in taken - held if oid in names),
            "held": sorted([names[oid], mode] for oid, mode in taken if oid in names),
        })

command.upgrade(Config("alembic.ini"), sys.argv[2])
print(json.dumps(noted))
'''


def add(checkout: Checkout, body: str) -> str:
    """Add a revision that allows itself whatever the rules forbid, so that it is executed."""
    number = checkout.add(body)
    file = checkout.versions / f"{number}_added.py"
    codes = sorted({found.code for found in check(checkout.versions) if found.severity == "error"})
    allowed = "".join(f"allow {code}: the plan is asked\n" for code in codes)
    # What is not allowed by that is refused when it is executed.
    file.write_text(file.read_text().replace("\nLocks:", f"\n{allowed}Locks:", 1))
    return number


def planned(checkout: Checkout, url: str, *arguments: str) -> Any:
    done = checkout.python(*PLAN, "--format", "json", *arguments, url=url)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def spoken(mode: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()


def compare(checkout: Checkout, url: str, plan: Any, revision: str = "head") -> int:
    """Upgrade for real, and compare call by call; return how many locks were compared."""
    done = checkout.python("-c", WATCH, url, revision, url=url, imported=True)
    assert done.returncode == 0, done.stderr
    statements, compared = list(plan["statements"]), 0
    for call in json.loads(done.stdout.splitlines()[-1]):
        mine = [statements.pop(0) for _ in range(max(len(pieces(call["text"])), 1))]
        said = {(lock["relation"], lock["mode"]) for one in mine for lock in one["locks"]}
        seen = {(name, spoken(mode)) for name, mode in call["taken"]}
        weak = {lock for lock in said | seen if lock[1] == "ACCESS SHARE"}
        assert said - weak == seen - weak, (call["text"][:300], said ^ seen)
        # The journal has read some of them before the revision begins.
        assert said & weak <= {(name, spoken(mode)) for name, mode in call["held"]}
        compared += len(said - weak)
    assert statements == []
    return compared


@pytest.mark.soak
def test_the_locks_of_every_revision_are_those_that_another_session_sees_in_a_real_run(
    checkout: Checkout, empty_url: str
) -> None:
    # Revision 001 hands the journal over, which only a real run makes, and a downgrade keeps.
    for arguments in (("upgrade", "001"), ("downgrade", "base")):
        assert run_alembic(*arguments, url=empty_url).returncode == 0
    compared = {}
    for number in NUMBERS:
        plan = planned(checkout, empty_url, number)
        assert plan["revisions"] == [number]
        compared[number] = compare(checkout, empty_url, plan, number)
    assert rows(empty_url, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert all(count > 0 for count in compared.values())
    assert sum(compared.values()) > 400


# Each with what it is caught for: the verdict, whom it keeps away, the work.
BAD = {
    "op.add_column('users', sa.Column('shuffled', sa.Float, server_default=sa.text('random()'), comment='none: a'))":
        ("long_blocking", "reads and writes", "rewrite of users"),
    "execute(\"ALTER TABLE users ADD COLUMN city text CONSTRAINT users_city_check CHECK (city <> '')\"); execute(\"COMMENT ON COLUMN users.city IS 'location: x'\")":
        ("long_blocking", "reads and writes", "scan of users"),
    "op.create_index('users_bad_idx', 'users', ['display_name'])":
        ("long_blocking", "writes", "index build of users"),
    "execute('CREATE UNIQUE INDEX tracks_bad_key ON tracks (id, title)')":
        ("long_blocking", "writes", "index build of tracks"),
    "op.create_check_constraint('tracks_bad_check', 'tracks', \"title <> ''\")":
        ("long_blocking", "reads and writes", "scan of tracks"),
    "op.alter_column('albums', 'upc', nullable=False)":
        ("long_blocking", "reads and writes", "scan of albums"),
    "execute('ALTER TABLE tracks ALTER COLUMN duration_ms TYPE bigint')":
        ("long_blocking", "reads and writes", "rewrite of tracks"),
    "execute('CLUSTER artists USING artists_pkey')":
        ("long_blocking", "reads and writes", "rewrite of artists"),
    "execute('LOCK TABLE users'); execute('UPDATE users SET locale = locale')":
        ("long_blocking", "reads and writes", "scan of users"),
    "execute('DO $$ BEGIN ALTER TABLE artists ADD CONSTRAINT artists_bad_check CHECK (length(name) < 9999); END $$')":
        ("long_blocking", "reads and writes", "scan of artists"),
    "op.create_table('reviews', sa.Column('track_id', sa.BigInteger, sa.ForeignKey('tracks.id', name='reviews_track_id_fkey'), comment='none: a'))":
        ("brief_blocking", "writes", None),
    "op.drop_column('users', 'city')":
        ("brief_blocking", "reads and writes", None),
    "execute('TRUNCATE listens')":
        ("brief_blocking", "reads and writes", None),
    "execute('DROP TABLE reviews')":
        ("brief_blocking", "reads and writes", None),
}  # fmt: skip


def test_the_locks_of_bad_revisions_are_those_too_and_each_is_caught(
    checkout: Checkout, url: str, request: pytest.FixtureRequest
) -> None:
    some = slice(None) if request.config.getoption("--soak") else slice(6)
    for body, (verdict, away, work) in [*BAD.items()][some]:
        number = add(checkout, body)
        plan = planned(checkout, url)
        worst = min(plan["statements"], key=lambda one: list(plan["verdicts"]).index(one["verdict"]))
        assert (worst["verdict"], worst["keeps_away"]) == (verdict, away), body
        done = [f"{one['kind']} of {one['relation']}" for one in worst["work"] if not one["new"]]
        assert work is None or done[0] == work, body
        assert compare(checkout, url, plan) > 0
        assert rows(url, "SELECT version_num FROM alembic_version") == [(number,)]


def test_what_a_rule_forbids_is_executed_on_a_clone_only(checkout: Checkout, url: str) -> None:
    checkout.add("execute('CREATE INDEX users_bad_idx ON users (display_name)')")
    refused = checkout.python(*PLAN, url=url)
    assert refused.returncode == 3
    assert "MIG031" in refused.stderr
    assert planned(checkout, url, "--shadow")["verdicts"]["long_blocking"] == 1


def test_on_a_clone_the_locks_of_several_revisions_are_those_of_each_by_itself(
    checkout: Checkout, url: str
) -> None:
    add(checkout, "execute('ALTER TABLE users ADD CONSTRAINT a_check CHECK (id > 0) NOT VALID')")
    add(checkout, "execute('ALTER TABLE users VALIDATE CONSTRAINT a_check')")
    plan = planned(checkout, url, "--shadow")
    assert [one["verdict"] for one in plan["statements"]] == ["brief_blocking", "nonblocking"]
    assert (plan["certain"], plan["where"]) == (True, Where.CLONE.value)
    # In one transaction with the first the second cannot be told from a revision that is bad, and is said to be.
    rolled_back = planned(checkout, url)
    assert [one["verdict"] for one in rolled_back["statements"]] == ["brief_blocking", "long_blocking"]
    assert [one["certain"] for one in rolled_back["statements"]] == [True, False]
    assert rolled_back["certain"] is False
    assert compare(checkout, url, plan) > 1


def described(url: str) -> tuple[str, list[tuple[object, ...]]]:
    with connected(url) as connection:
        sequences = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
        return fingerprint(connection), rows(url, sequences)


@pytest.mark.parametrize("shadow", [False, True])
def test_a_plan_leaves_schema_sequences_and_rows_as_they_were(
    checkout: Checkout, url: str, shadow: bool
) -> None:
    add(checkout, "execute(\"CREATE SEQUENCE other; UPDATE users SET locale = 'en'\")")
    before = described(url)
    plan = planned(checkout, url, *(["--shadow"] if shadow else []))
    assert len(plan["statements"]) == 2
    assert plan["sequences"] == []
    assert described(url) == before
    assert rows(url, "SELECT version_num, to_regclass('other') FROM alembic_version") == [(HEAD, None)]
    assert rows(url, SHADOWS) == []


def test_a_sequence_that_moved_is_named_and_on_a_clone_none_moves(checkout: Checkout, url: str) -> None:
    with connected(url) as connection:
        connection.cursor().execute("CREATE SEQUENCE ticket; SELECT nextval('ticket')")
    add(checkout, "execute(\"SELECT nextval('ticket') FROM generate_series(1, 3)\")")
    assert planned(checkout, url, "--shadow")["sequences"] == []
    assert rows(url, "SELECT last_value FROM ticket") == [(1,)]
    assert planned(checkout, url)["sequences"] == [{"sequence": "ticket", "before": 1, "after": 4}]
    done = checkout.python(*PLAN, url=url)
    assert (
        "sequence ticket moved from 4 to 7 meanwhile, which no rollback takes back"
        in done.stdout.splitlines()
    )


def test_rows_log_and_work_are_counted(checkout: Checkout, url: str) -> None:
    with connected(url) as connection:
        connection.cursor().execute("""
            CREATE TABLE heard (id integer PRIMARY KEY, note text);
            INSERT INTO heard SELECT generate_series(1, 1000)""")
    add(checkout, "execute(\"UPDATE heard SET note = 'x'; CREATE INDEX heard_note_idx ON heard (note)\")")
    update, index = planned(checkout, url)["statements"]
    assert (update["rows"], update["verdict"], update["keeps_away"]) == (1000, "nonblocking", None)
    assert update["wal_bytes"] > 50_000
    assert update["duration_ms"] > 0
    assert index["rows"] is None
    (work,) = index["work"]
    assert (work["kind"], work["relation"], work["new"]) == ("index build", "heard", False)
    assert work["rows_read"] >= 1000  # those that the update left behind among them


CONCURRENTLY = """
with op.get_context().autocommit_block():
    execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS users_time_zone_idx ON users (time_zone)")
    execute("VACUUM FULL artists")
"""


def test_what_runs_alone_is_named_where_it_is_written_and_executed_on_a_clone_only(
    checkout: Checkout, url: str
) -> None:
    number = add(checkout, CONCURRENTLY)
    lines = (checkout.versions / f"{number}_added.py").read_text().splitlines()
    left_out = planned(checkout, url)
    for one, word in zip(left_out["statements"], ("CONCURRENTLY", "VACUUM"), strict=True):
        assert one["executed"] is False
        assert word in one["statement"]
        assert word in lines[one["line"] - 1]
    assert left_out["verdicts"]["not executed"] == 2
    index, vacuum = planned(checkout, url, "--shadow")["statements"]
    assert (index["verdict"], index["executed"]) == ("nonblocking", True)
    assert {"relation": "users", "mode": "SHARE UPDATE EXCLUSIVE", "new": False} in index["locks"]
    assert (vacuum["verdict"], vacuum["keeps_away"]) == ("long_blocking", "reads and writes")
    assert {"relation": "artists", "mode": "ACCESS EXCLUSIVE", "new": False} in vacuum["locks"]
    assert rows(url, "SELECT to_regclass('users_time_zone_idx')") == [(None,)]


def test_several_statements_in_one_script_fail_alone_as_they_would_for_real(
    checkout: Checkout, url: str
) -> None:
    add(
        checkout,
        """
        with op.get_context().autocommit_block():
            execute("DROP INDEX CONCURRENTLY IF EXISTS a; DROP INDEX CONCURRENTLY IF EXISTS b")
        """,
    )
    done = checkout.python(*PLAN, "--shadow", url=url)
    assert done.returncode == 1
    assert "cannot run inside a transaction block" in done.stderr
    assert rows(url, SHADOWS) == []


# What is pending, with arguments, and the code that it ends with.
ASKED: dict[str, list[tuple[list[str], int]]] = {
    "execute('ALTER TABLE users SET (fillfactor = 90)')": [(["--fail-on", "brief_blocking"], 0)],
    "execute('ALTER TABLE users ENABLE ROW LEVEL SECURITY')":
        [(["--fail-on", "long_blocking"], 0), (["--fail-on", "brief_blocking"], 3)],
    "execute('CREATE INDEX users_time_zone_idx ON users (time_zone)')": [(["--fail-on", "long_blocking"], 3), ([], 0)],
    CONCURRENTLY: [([], 0)],
    CONCURRENTLY.replace("VACUUM FULL", "VACUUM"):
        [(["--fail-on", "long_blocking"], 3), (["--fail-on", "long_blocking", "--shadow"], 0)],
}  # fmt: skip


def test_it_fails_on_what_is_asked_and_on_what_nobody_judged(checkout: Checkout, url: str) -> None:
    for body, asked in ASKED.items():
        number = add(checkout, body)
        for arguments, code in asked:
            done = checkout.python(*PLAN, *arguments, url=url)
            assert done.returncode == code, (body, arguments, done.stdout + done.stderr)
        # A plan leaves the database as it was, and the next one is to be about one revision.
        (checkout.versions / f"{number}_added.py").unlink()


def test_it_fails_where_an_earlier_revision_hides_the_locks_of_a_later_one(
    checkout: Checkout, url: str
) -> None:
    for name in ("a", "b"):
        add(checkout, f"execute('ALTER TABLE users SET (fillfactor = 90); CREATE TABLE {name} ()')")
    assert checkout.python(*PLAN, "--fail-on", "brief_blocking", url=url).returncode == 3
    assert checkout.python(*PLAN, "--fail-on", "brief_blocking", "--shadow", url=url).returncode == 0


TEXT = """\
where                    verdict         keeps away        lock                            work                  rows  WAL  time
versions/{0}_added.py:{1}  brief_blocking  reads and writes  ACCESS EXCLUSIVE on users                                   …
    ALTER TABLE users ADD COLUMN stars integer
versions/{0}_added.py:{2}  long_blocking   reads and writes  ACCESS EXCLUSIVE on users, held already  scan of users  0  …
    UPDATE users SET stars = ? WHERE locale <> ?
1 more keep nobody away
1 revision, 3 statements: 1 long_blocking, 1 brief_blocking, 1 nonblocking
executed and rolled back
"""
HELD = """
execute("ALTER TABLE users ADD COLUMN stars integer")
execute("UPDATE users SET stars = 1 WHERE locale <> 'fr'")
execute("COMMENT ON COLUMN users.stars IS 'none: how much it is liked'")
"""


def squeezed(text: str) -> list[str]:
    """Without the widths of the columns, and without what differs from run to run."""
    text = re.sub(r"[\d.]+ [kM]?B +[\d.]+ ms", "…", text)
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_text_says_where_what_whom_and_how_much(checkout: Checkout, url: str) -> None:
    number = add(checkout, HELD)
    lines = (checkout.versions / f"{number}_added.py").read_text().splitlines()
    first = lines.index(f"    {HELD.splitlines()[1]}") + 1
    done = checkout.python(*PLAN, url=url)
    expected = TEXT.format(number, first, first + 1)
    assert squeezed(done.stdout) == squeezed(expected)


def test_markdown_is_a_table_whatever_the_statement_holds(checkout: Checkout, url: str) -> None:
    number = add(
        checkout,
        "execute('ALTER TABLE users ADD COLUMN \"a|b`c\" text'); "
        'execute("COMMENT ON COLUMN users.\\"a|b`c\\" IS \'none: x\'")',
    )
    lines = checkout.python(*PLAN, "--format", "markdown", url=url).stdout.splitlines()
    assert lines[0] == ("| where | verdict | keeps away | lock | work | rows | WAL | time | statement |")
    assert lines[1] == "|---|---|---|---|---|---|---|---|---|"
    assert lines[2].startswith(f"| versions/{number}_added.py:")
    assert lines[2].endswith(' | `` ALTER TABLE users ADD COLUMN "a\\|b`c" text `` |')
    assert lines[3:] == [
        "",
        "1 more keep nobody away  ",
        "1 revision, 2 statements: 1 brief_blocking, 1 nonblocking  ",
        "executed and rolled back",
    ]


def test_a_name_is_nothing_but_text_wherever_it_is_shown(checkout: Checkout, url: str) -> None:
    with connected(url) as connection:
        connection.cursor().execute('CREATE TABLE "a|b<i>`[x](y)\n\x1b[1m" (id integer)')
    add(checkout, "execute('LOCK TABLE \\\"a|b<i>`[x](y)\\n\\x1b[1m\\\"')")
    markdown = checkout.python(*PLAN, "--format", "markdown", url=url).stdout
    assert r'ACCESS EXCLUSIVE on "a\|b\<i\>\`\[x\](y)\\n\\x1b\[1m"' in markdown
    assert len(markdown.splitlines()) == 6
    text = checkout.python(*PLAN, url=url).stdout
    assert "\x1b" not in text
    assert r'ACCESS EXCLUSIVE on "a|b<i>`[x](y)\n\x1b[1m"' in text


def test_a_revision_that_commits_by_itself_is_refused_where_it_would_stay(
    checkout: Checkout, url: str
) -> None:
    number = add(checkout, 'execute("CREATE TABLE extra ()"); execute("COMMIT")')
    done = checkout.python(*PLAN, url=url)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [
            f"error: upgrade of revision {number}_added begins or ends a transaction itself, "
            "and a dry run could not roll it back",
            "Hint: use an autocommit block for what has to run alone; a clone (--shadow) executes it",
        ],
    )
    assert rows(url, "SELECT to_regclass('extra')") == [(None,)]


def test_nothing_pending_is_said(url: str) -> None:
    done = run(sys.executable, *PLAN, url=url)
    assert (done.returncode, done.stdout) == (0, "no statement is pending\n")


def test_it_is_written_to_a_file_that_can_be_written(url: str, tmp_path: Any) -> None:
    file = tmp_path / "plan.json"
    done = run(sys.executable, *PLAN, "--format", "json", "--output", file, url=url)
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(file.read_text())["statements"] == []
    done = run(sys.executable, *PLAN, "--output", tmp_path / "no" / "plan", url=url)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [
            f'error: "{tmp_path}/no/plan" cannot be written: No such file or directory',
            "Hint: name a file in a folder that exists",
        ],
    )


def test_no_value_of_the_revision_is_shown(checkout: Checkout, url: str) -> None:
    add(checkout, "execute(\"UPDATE users SET locale = 'en' WHERE email = 'luisg@example.org'\")")
    for form in ("text", "json", "markdown"):
        done = checkout.python(*PLAN, "--format", form, url=url)
        assert done.returncode == 0, done.stderr
        assert "luisg" not in done.stdout + done.stderr
        if form == "json":
            assert "email = ?" in done.stdout


def test_the_dry_run_of_alembic_shows_the_same(checkout: Checkout, url: str) -> None:
    add(checkout, HELD)
    plan = checkout.python(*PLAN, url=url).stdout
    done = checkout.alembic("-x", "dry-run=1", "upgrade", "head", url=url)
    assert squeezed(done.stdout) == squeezed(plan)
    done = checkout.alembic("-x", "dry-run=1", "-x", "shadow=1", "upgrade", "head", url=url)
    assert squeezed(done.stdout)[:-1] == squeezed(plan)[:-1]
    assert done.stdout.splitlines()[-1] == Where.CLONE.value
    done = checkout.alembic("-x", "dry-run=1", "downgrade", "-1", url=url)
    assert "DROP" in done.stdout


def test_a_clone_without_a_dry_run_is_refused(url: str) -> None:
    done = run_alembic("-x", "shadow=1", "downgrade", "-1", url=url)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        ["error: a clone is for a dry run, and none was asked for", "Hint: say -x dry-run=1 too"],
    )
    assert rows(url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_from_python_a_plan_is_a_value_and_an_error_is_raised(empty_url: str) -> None:
    plan = plan_upgrade("002", Options(url=empty_url))
    assert plan.revisions == ("001", "002")
    assert plan.where is Where.ROLLED_BACK
    assert plan.verdicts["nonblocking"] > 100
    assert rows(empty_url, "SELECT to_regclass('users')") == [(None,)]
    with pytest.raises(MigrationError) as caught:
        plan_upgrade("002", Options(url=f"{empty_url}&options=-c%20track_counts%3Doff"))
    assert caught.value.problem == "track_counts is off for this session, so that no scan can be seen"


def test_a_statement_that_fails_is_told_as_in_a_real_run(checkout: Checkout, url: str) -> None:
    number = add(checkout, "execute(\"CREATE TABLE extra (); SELECT 'luisg@example.org'::integer\")")
    for arguments in ((), ("--shadow",)):
        done = checkout.python(*PLAN, *arguments, url=url)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-2:] == [
            f'error: upgrade of revision {number}_added failed: invalid input syntax for type integer: "…"',
            "Hint: SQLSTATE 22P02 at: CREATE TABLE extra (); SELECT ?::integer",
        ]
    assert rows(url, SHADOWS) == []


def test_a_lock_that_is_not_free_is_waited_for_within_the_bound_and_then_nothing_is_left(
    checkout: Checkout, url: str
) -> None:
    add(checkout, "execute('LOCK TABLE users')")
    with connected(url, autocommit=False) as reader:
        reader.cursor().execute("SELECT count(*) FROM users")
        done = checkout.alembic(
            "-x", "dry-run=1", "-x", "lock-timeout-ms=200", "-x", "tries=2", "upgrade", "head", url=url
        )
    assert done.returncode == 1
    assert "gave up after 2 tries of 200 ms" in done.stderr
    assert done.stdout == ""


def test_somebody_else_at_the_database_makes_the_clone_one_without_rows(checkout: Checkout, url: str) -> None:
    add(
        checkout,
        "execute(\"CREATE INDEX users_time_zone_idx ON users (time_zone); COMMENT ON TABLE users IS 'x'\")",
    )
    with connected(url):
        plan = planned(checkout, url, "--shadow")
    assert plan["where"] == Where.EMPTY_CLONE.value
    assert [one["verdict"] for one in plan["statements"]] == ["long_blocking", "nonblocking"]
    assert rows(url, SHADOWS) == []


def test_in_production_a_database_is_never_copied(url: str) -> None:
    done = run(sys.executable, *PLAN, "--shadow", url=url, MIGRATIONS_ENV="production")
    assert done.returncode == 0, done.stderr
    assert "working on a clone without rows" in done.stderr


def test_a_clone_by_dump_is_the_same_schema(url: str) -> None:
    from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
    from spotify_ai_agent_migrations.versions.core.shadow import shadow
    from spotify_ai_agent_migrations.versions.core.url import render_url

    settings = resolve_settings(url)
    with connected(url) as connection:
        original = fingerprint(connection)
        with shadow(settings, kept=("public.alembic_version", "public.nowhere")) as clone:
            assert not clone.filled
            there = render_url(clone.settings.conninfo)
            with connected(there) as copy:
                assert fingerprint(copy) == original
            assert rows(there, "SELECT version_num FROM alembic_version") == [(HEAD,)]
            locale = (
                "SELECT encoding, datcollate, datctype FROM pg_database WHERE datname = current_database()"
            )
            assert rows(there, locale) == rows(url, locale)
    assert rows(url, SHADOWS) == []


def test_who_may_not_make_databases_is_told(login: Callable[..., str]) -> None:
    limited = login()
    done = run(sys.executable, *PLAN, "--shadow", url=limited)
    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        1,
        [
            "error: this login may not create databases, and so make no clone",
            "Hint: ALTER ROLE … CREATEDB, or plan without a clone",
        ],
    )


def test_the_clone_of_a_killed_process_is_dropped_by_the_next_and_a_living_one_is_not(
    checkout: Checkout, url: str
) -> None:
    add(checkout, "execute('SELECT pg_sleep(200)')")
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(200)%'"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = checkout.start_python(*PLAN, "--shadow", url=url, **quiet)
    until(lambda: rows(url, asleep) == [(1,)])
    living = rows(url, SHADOWS)
    assert len(living) == 1
    assert run(sys.executable, *PLAN, "--shadow", url=url).returncode == 0
    assert rows(url, SHADOWS) == living
    process.send_signal(signal.SIGKILL)
    process.wait()

    def planned_again() -> bool:
        assert run(sys.executable, *PLAN, "--shadow", url=url).returncode == 0
        return rows(url, SHADOWS) != living

    # The server notices that the maker is gone, and the next plan cleans up behind it.
    until(planned_again)
    assert rows(url, SHADOWS) == []


def test_interrupted_by_the_keyboard_while_something_runs_alone_it_ends_at_once_and_leaves_no_clone(
    checkout: Checkout, url: str
) -> None:
    add(
        checkout,
        """
        with op.get_context().autocommit_block():
            execute("SELECT pg_sleep(400)")
        """,
    )
    process = checkout.start_python(*PLAN, "--shadow", url=url)
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%(400)%'"
    until(lambda: rows(url, asleep) == [(1,)])
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 15
    assert process.returncode in {1, 130}
    assert "Traceback" not in err
    assert rows(url, SHADOWS) == []


@pytest.mark.soak
def test_a_login_that_owns_the_database_and_no_more_plans_both_ways(
    login: Callable[..., str], empty_url: str
) -> None:
    limited = login(
        "CREATEROLE",
        "CREATEDB",
        grants=("GRANT agent_owner TO {role}", "ALTER DATABASE {database} OWNER TO {role}"),
    )
    if rows(empty_url, "SELECT current_setting('is_superuser')") != [("on",)]:
        pytest.skip("the server's login is not a superuser")
    for arguments in ((), ("--shadow",)):
        done = run(sys.executable, *PLAN, "002", *arguments, url=limited)
        assert done.returncode == 0, done.stderr
        assert "2 revisions, " in done.stdout
    assert run_alembic("upgrade", "002", url=limited).returncode == 0
    with connected(limited):
        done = run(sys.executable, *PLAN, "003", "--shadow", url=limited)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == Where.EMPTY_CLONE.value
