"""A change is contracted on proof, or refused with all that is missing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import Operations
from partitioning.test_replicas import own_server
from typer.testing import CliRunner
from zero_downtime_migration.conftest import make_ledger
from zero_downtime_migration.walked import settings

from spotify_ai_agent_migrations import SettingsError, TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    DropColumn,
    DropTable,
    Manner,
    RenameColumn,
    SplitColumn,
    State,
    Terms,
    acknowledge,
    backfill,
    change,
    complete,
    ops,
    retire,
    revising,
    start,
    status,
    verify,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.command import app
from spotify_ai_agent_migrations.versions.zero_downtime_migration.contract import Missing, judge
from spotify_ai_agent_migrations.versions.zero_downtime_migration.durations import lasting
from spotify_ai_agent_migrations.versions.zero_downtime_migration.evidence import (
    Application,
    Evidence,
    Reading,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import KEEPING, TAKING, Going
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import OPERATIONS
from support import Checkout, Databases, rows

MADE = """
CREATE SCHEMA shop;
CREATE TABLE shop.people (id integer PRIMARY KEY, name text, email text);
INSERT INTO shop.people SELECT i, 'A' || i || ' B', 'p' || i FROM generate_series(1, 50) AS i;
"""
RENAME = RenameColumn("shop.people", "email", "mail")
SPLIT = SplitColumn(
    "shop.people",
    "name",
    (("first", "text", "split_part(new.name, ' ', 1)"), ("last", "text", "split_part(new.name, ' ', 2)")),
    "concat_ws(' ', new.first, new.last)",
)
NOON = datetime(2026, 11, 5, 12, tzinfo=timezone.utc)
TAKEN = Going("people", ("email",))
SOAK = Manner(terms=Terms(soak_s=3_600.0), revision="012")


def ready(url: str, wish: RenameColumn | SplitColumn = RENAME, manner: Manner = SOAK) -> None:
    rows(url, MADE)
    for verb in (start, backfill, verify):
        verb(wish, settings=settings(url), manner=manner)


def demands(missing: tuple[Missing, ...]) -> list[str]:
    return [one.demand for one in missing]


def test_every_operation_is_known_to_take_a_name_away_or_to_keep_all() -> None:
    assert OPERATIONS.keys() == TAKING | KEEPING
    assert not TAKING & KEEPING


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("SELECT email FROM shop.people WHERE id = $1", True),
        ('UPDATE "people" SET "EMAIL" = $1', True),
        ("SELECT emails, people_email FROM people", False),
        ("SELECT email FROM peoples", False),
        ("ALTER TABLE people DROP COLUMN email", False),
    ],
)
def test_a_statement_names_what_goes_by_whole_words(statement: str, named: bool) -> None:
    assert TAKEN.is_named_by(statement) is named


def test_all_that_is_missing_is_said_and_what_to_do() -> None:
    old = Application("backend", "1.4", "011", NOON - timedelta(days=9))
    evidence = Evidence(
        NOON, "", NOON - timedelta(minutes=90), "012", applications=(old,), unknown="x", naming=("f()",)
    )
    found = judge(TAKEN, evidence, Terms(soak_s=86_400.0))
    assert [one.problem for one in found.missing] == [
        '"backend" 1.4 may run, which acknowledged revision 011 at 2026-10-27 12:00',
        "the new form is out for 1 h 30 min of 1 d",
        'nobody knows whether "email" is read: x',
        'the function f() names "email"',
    ]
    error = found.refusal("rename")
    assert error.problem.startswith('rename cannot be contracted yet: "backend" 1.4')
    assert "acknowledge backend 1.4 --retire; complete it after 2026-11-06 10:30, or let" in error.hint
    assert judge(TAKEN, evidence, Terms(soak_s=0.0)).missing == found.missing[:1]
    assert judge(None, evidence, Terms(soak_s=86_400.0)).missing == ()


@pytest.mark.parametrize(
    ("revision", "minutes", "known"),
    [("012", 1, True), ("013", 1, True), ("011", 1, False), ("012", -1, False)],
)
def test_an_acknowledgement_counts_for_its_revision_once_the_form_is_there(
    revision: str, minutes: int, known: bool
) -> None:
    said = Application("backend", "1.5", revision, NOON + timedelta(minutes=minutes))
    evidence = Evidence(NOON + timedelta(hours=1), "", NOON, "012", applications=(said,), unknown="x")
    found = judge(TAKEN, evidence, Terms(soak_s=86_400.0))
    assert (found.missing == ()) is known
    assert ("acknowledged" in demands(found.missing)) is not known


def test_unread_is_counted_from_the_last_execution_that_was_seen() -> None:
    before = Reading({"1": 5}, NOON, 0)
    later, reset = NOON + timedelta(hours=1), NOON - timedelta(days=1)
    assert before.looked({"1": 5}, later, reset).unread_since == NOON
    assert before.looked({"1": 6}, later, reset).unread_since == later
    assert before.looked({"1": 5, "2": 1}, later, reset).unread_since == later
    # All was forgotten since: what is counted came after, and what came before is not known.
    assert before.looked({}, later, NOON + timedelta(minutes=5)).unread_since == NOON + timedelta(minutes=5)
    assert before.looked({"1": 1}, later, NOON + timedelta(minutes=5)).unread_since == later
    # One was forgotten, and perhaps executed since.
    assert before.looked({"1": 2}, later, reset, 3) == Reading({"1": 2}, later, 3)
    assert before.looked({}, later, reset).unread_since == later


def test_what_the_server_has_forgotten_is_unread_only_by_the_word_of_applications() -> None:
    known = Application("backend", "1.5", "012", NOON + timedelta(minutes=1))
    evidence = Evidence(NOON + timedelta(days=2), "", NOON, "012", reading=Reading({}, NOON, 2))
    (missing,) = judge(TAKEN, evidence, Terms(soak_s=86_400.0)).missing
    assert missing.problem == (
        'nobody knows whether "email" is read: pg_stat_statements has forgotten some 2 times since 2026-11-05 12:00'
    )
    told = judge(TAKEN, replace(evidence, applications=(known,)), Terms(soak_s=86_400.0))
    assert (told.missing, [one.demand for one in told.proofs][-1]) == ((), "unread")
    counted = replace(evidence, reading=Reading({}, NOON, 0))
    assert judge(TAKEN, counted, Terms(soak_s=86_400.0)).missing == ()


def test_the_terms_are_those_of_the_environment_where_none_are_said() -> None:
    assert Terms().under("production", {}).soak_s == 86_400
    assert Terms().under("staging", {}).soak_s == 0
    assert Terms().under("development", {"MIGRATIONS_SOAK_HOURS": "1.5"}).soak_s == 5_400
    assert Terms(soak_s=1.0).under("production", {"MIGRATIONS_SOAK_HOURS": "9"}).soak_s == 1.0
    assert Terms().under("production", {"MIGRATIONS_CONTRACT_OVERRIDE": "outage"}).override == "outage"
    for environ in ({"MIGRATIONS_SOAK_HOURS": "nan"}, {"MIGRATIONS_CONTRACT_OVERRIDE": " "}):
        with pytest.raises(SettingsError):
            Terms().under("production", environ)
    assert [lasting(each) for each in (5, 61, 3_600, 90_000, 172_800)] == [
        "5 s",
        "1 min",
        "1 h",
        "1 d 1 h",
        "2 d",
    ]


def test_it_is_refused_until_every_application_has_acknowledged(ledger_url: str) -> None:
    given = settings(ledger_url)
    ready(ledger_url)
    acknowledge("backend", "1.4", revision="011", settings=given)
    with pytest.raises(TableError, match="cannot be contracted yet") as refused:
        complete(RENAME, settings=given, manner=SOAK)
    assert "which acknowledged revision 011" in refused.value.problem
    assert "the new form is out for" in refused.value.problem
    assert (
        'nobody knows whether "email" is read: pg_stat_statements is not installed' in refused.value.problem
    )
    # As the backend says it, which may say nothing else.
    rows(
        ledger_url,
        "SET ROLE agent_app; SELECT public.acknowledge_version_v1('backend', '1.5', '012')",
    )
    with pytest.raises(Exception, match="permission denied"):
        rows(ledger_url, "SET ROLE agent_app; DELETE FROM ops.application_version")
    with pytest.raises(TableError, match=r"1\.4 may run"):
        complete(RENAME, settings=given, manner=SOAK)
    (open_,) = status(settings=given)
    assert (open_.state, demands(open_.missing), open_.revision) == ("verified", ["acknowledged"], "012")
    assert open_.lines[1].startswith('    missing: "backend" 1.4 may run')
    told = CliRunner().invoke(app, ["status", "--format", "json", "--url", ledger_url])
    assert [one["demand"] for one in json.loads(told.stdout)[0]["missing"]] == ["acknowledged"]

    assert [one.version for one in retire("backend", "1.4", settings=given)] == ["1.5"]
    assert complete(RENAME, settings=given, manner=SOAK).state is State.COMPLETED
    ((proofs, missing, reason),) = rows(ledger_url, "SELECT proofs, missing, reason FROM ops.online_contract")
    assert ([one["demand"] for one in proofs], missing, reason) == (  # type: ignore[attr-defined]
        ["verified", "acknowledged", "released", "unread"],
        [],
        None,
    )
    # One of them comes back, and is said again.
    assert [one.version for one in acknowledge("backend", "1.4", revision="011", settings=given)] == [
        "1.4",
        "1.5",
    ]


def test_names_and_revisions_are_held_to_their_form(ledger_url: str) -> None:
    for name, revision in (("", "012"), ("a\nb", "012"), ("backend", "head")):
        with pytest.raises(TableError, match="cannot be acknowledged"):
            acknowledge(name, "1", revision=revision, settings=settings(ledger_url))
    with pytest.raises(TableError, match="has never acknowledged"):
        retire("backend", "1", settings=settings(ledger_url))
    assert rows(ledger_url, "SELECT count(*) FROM ops.application_version") == [(0,)]


def test_a_revision_that_is_none_begins_nothing(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    with pytest.raises(TableError, match='"head" is no revision'):
        start(RENAME, settings=settings(ledger_url), manner=Manner(revision="head"))
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change") == [(0,)]


def test_an_override_is_recorded_and_overrides_no_proof(ledger_url: str) -> None:
    given, forced = settings(ledger_url), Manner(terms=Terms(3_600.0, "the disk is full"))
    rows(ledger_url, MADE)
    start(RENAME, settings=given)
    with pytest.raises(TableError, match="not all of backfill is done"):
        complete(RENAME, settings=given, manner=forced)
    for verb in (backfill, verify):
        verb(RENAME, settings=given)
    # What no trigger sees, after the proof.
    rows(
        ledger_url,
        "ALTER TABLE shop.people DISABLE TRIGGER USER; UPDATE shop.people SET email = 'lost' WHERE id = 7;"
        " ALTER TABLE shop.people ENABLE ALWAYS TRIGGER zz_people_email_rename_sync",
    )
    for manner in (forced, Manner()):
        with pytest.raises(TableError, match=r"were missed|not all of backfill is done"):
            complete(RENAME, settings=given, manner=manner)
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_contract") == [(0,)]
    for verb in (backfill, verify):
        verb(RENAME, settings=given)
    assert complete(RENAME, settings=given, manner=forced).state is State.COMPLETED
    ((missing, reason),) = rows(ledger_url, "SELECT missing, reason FROM ops.online_contract")
    assert reason == "the disk is full"
    assert [one["demand"] for one in missing] == ["released", "unread"]  # type: ignore[attr-defined]
    assert rows(ledger_url, "SELECT mail FROM shop.people WHERE id = 7") == [("lost",)]


@pytest.mark.parametrize("wish", [DropColumn("shop.people", "email"), DropTable("shop.people")])
def test_what_is_dropped_is_not_put_away_before_it_may_be(
    ledger_url: str, wish: DropColumn | DropTable
) -> None:
    given = settings(ledger_url)
    rows(ledger_url, MADE)
    acknowledge("backend", "1.4", revision="011", settings=given)
    for verb in (start, backfill):
        verb(wish, settings=given, manner=SOAK)
    for verb in (verify, change):
        with pytest.raises(TableError, match=r"cannot be contracted yet: .*1\.4 may run.* is out for"):
            verb(wish, settings=given, manner=SOAK)
    with pytest.raises(TableError, match="not all of verify is done"):
        complete(wish, settings=given, manner=SOAK)
    # Old code finds what it names.
    assert rows(ledger_url, EMAIL) == [(1,)]
    (open_,) = status(settings=given)
    assert (open_.state, demands(open_.missing)) == ("filled", ["acknowledged"])
    retire("backend", "1.4", settings=given)
    acknowledge("backend", "1.5", revision="012", settings=given)
    assert verify(wish, settings=given, manner=SOAK).state is State.VERIFIED
    assert rows(ledger_url, EMAIL) == [(0,)]
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_contract") == [(1,)]
    assert complete(wish, settings=given, manner=SOAK).state is State.COMPLETED


def test_what_is_said_while_the_rows_are_proven_is_heard(ledger_url: str) -> None:
    given = settings(ledger_url)
    ready(ledger_url, manner=Manner(revision="012"))
    seen: list[str] = []

    def told(step: Step, _moment: str) -> None:
        seen.append(step.kind.value)
        acknowledge("backend", "1.4", revision="011", settings=given)

    with pytest.raises(TableError, match=r"1\.4 may run"):
        complete(RENAME, settings=given, manner=Manner(told=told))
    assert seen == ["proof"]
    assert rows(ledger_url, "SELECT email FROM shop.people WHERE id = 7") == [("p7",)]


def test_in_production_a_change_waits_a_day_and_a_plain_one_does_not(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATIONS_ENV", "production")
    rows(ledger_url, MADE)
    with pytest.raises(TableError, match="the new form is out for 0 s of 1 d"):
        change(SPLIT, settings=settings(ledger_url))
    monkeypatch.setenv("MIGRATIONS_SOAK_HOURS", "0")
    assert change(SPLIT, settings=settings(ledger_url)).state is State.COMPLETED


def test_statements_that_are_counted_tell_who_reads_it(
    server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATIONS_SOAK_HOURS", "1e-9")
    with own_server(server, "shared_preload_libraries=pg_stat_statements") as (url, _):
        rows(url, "CREATE ROLE agent_owner; CREATE ROLE agent_app; CREATE EXTENSION pg_stat_statements")
        make_ledger(url)
        ready(url, manner=Manner())
        rows(url, "SELECT mail, name FROM shop.people")
        assert "unread" not in demands(_missing(url))
        rows(url, "SELECT id FROM shop.people WHERE email = 'p1'")
        assert "unread" in demands(_missing(url))
        for setting in ("pg_stat_statements.track = none", "compute_query_id = off"):
            rows(url, f"ALTER ROLE agent_app SET {setting}")
            assert f"is read: {setting.replace(' ', '')} for a role" in _missing(url)[-1].problem
            rows(url, "ALTER ROLE agent_app RESET ALL")
        rows(
            url, "CREATE FUNCTION shop.f() RETURNS text AS 'SELECT min(email) FROM shop.people' LANGUAGE sql"
        )
        with pytest.raises(TableError) as refused:
            complete(RENAME, settings=settings(url), manner=Manner(terms=Terms(soak_s=3_600.0)))
        assert 'the function shop.f() names "email"' in refused.value.problem
        assert '"email" is unread for 0 s of 1 h' in refused.value.problem
        rows(url, "DROP FUNCTION shop.f()")
        # Looked at, and written down; nobody has read it since.
        assert complete(RENAME, settings=settings(url), manner=Manner()).state is State.COMPLETED


def _missing(url: str) -> tuple[Missing, ...]:
    (open_,) = status(settings=settings(url))
    return open_.missing


def test_what_a_revision_has_expanded_its_downgrade_retracts(ledger_url: str) -> None:
    rows(ledger_url, MADE)
    before = rows(ledger_url, COLUMNS)
    engine = sqlalchemy.create_engine(ledger_url.replace("postgresql://", "postgresql+psycopg2://"))

    def within(work: Callable[[], None]) -> None:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            with Operations.context(context), context.begin_transaction():
                work()

    rows(
        ledger_url,
        "ALTER TABLE shop.people OWNER TO agent_owner; GRANT ALL ON SCHEMA shop TO agent_owner; GRANT ALL ON ALL TABLES IN SCHEMA ops TO agent_owner; GRANT ALL ON ALL SEQUENCES IN SCHEMA ops TO agent_owner",
    )
    for _ in range(2):
        within(lambda: ops.change(RENAME, part="expand"))
        assert rows(ledger_url, COLUMNS) == [*before, ("mail",)]
    for _ in range(2):
        within(lambda: ops.change(RENAME, part="undo"))
        assert rows(ledger_url, COLUMNS) == before
    # The column stays where old code finds it, until it is contracted.
    drop = DropColumn("shop.people", "name")
    within(lambda: ops.change(drop, part="expand"))
    assert rows(ledger_url, COLUMNS) == before
    within(lambda: ops.change(drop, part="contract"))
    assert rows(ledger_url, COLUMNS) == [row for row in before if row != ("name",)]
    # The revision is being applied that would begin it, and end it.
    rows(ledger_url, JOURNAL)
    with pytest.raises(TableError, match="cannot be made in one revision: old code runs until revision 012"):
        within(lambda: whole(RENAME))
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change WHERE finished_at IS NULL") == [(0,)]
    rows(ledger_url, "DROP TABLE ops.migration_journal, alembic_version")
    within(lambda: ops.change(RENAME, part="expand"))
    within(lambda: ops.change(RENAME, part="contract"))
    with pytest.raises(TableError, match="can no longer be aborted"):
        within(lambda: ops.change(RENAME, part="undo"))
    engine.dispose()
    script = io.StringIO()
    offline = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": script}
    )
    with Operations.context(offline):
        ops.change(RENAME, part="expand")
    assert "a script cannot change % online" in script.getvalue()
    assert "RENAME" not in script.getvalue()


def whole(wish: RenameColumn) -> None:
    with revising._at(wish.table) as work:
        work.change(wish)


JOURNAL = """
CREATE TABLE alembic_version AS SELECT '011' AS version_num;
CREATE TABLE ops.migration_journal AS SELECT 1 AS id, now() AS at, '012' AS revision, 'upgrade' AS direction, 'started' AS state;
GRANT SELECT ON alembic_version, ops.migration_journal TO agent_owner;
"""
EMAIL = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('shop.people') AND attname = 'email'"
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'shop.people'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
EXPANDED = """
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.rename_column import RenameColumn
from spotify_ai_agent_migrations import ops
"""
WISHED = 'RenameColumn("public.people_of_test", "email", "mail")'


def test_one_revision_expands_and_a_later_one_contracts(
    databases: Databases, template: str, checkout: Checkout, run_of: Callable[..., str]
) -> None:
    name = databases.create(template)
    url = databases.url(name)
    checkout.add(
        'op.create_table("people_of_test", sa.Column("id", sa.Integer, nullable=False, comment="none: number"),'
        ' sa.Column("email", sa.Text, comment="none: made up"), sa.PrimaryKeyConstraint("id", name="people_of_test_pkey"),'
        ' comment="Of a test")\n'
        "execute('ALTER TABLE public.people_of_test OWNER TO agent_owner')",
        downgrade="execute('DROP TABLE public.people_of_test')",
    )
    checkout.add(
        EXPANDED + f'ops.change({WISHED}, part="expand")',
        downgrade=EXPANDED + f'ops.change({WISHED}, part="undo")',
    )
    checkout.add(EXPANDED + f'ops.change({WISHED}, part="contract")')
    names = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'people_of_test'::regclass AND attnum > 0 AND NOT attisdropped"
    acknowledge("backend", "1.4", revision="012", settings=settings(url))
    run_of(checkout, url, "upgrade", "013")
    # What was begun is told in a dry run, and stays as it is.
    told = run_of(checkout, url, "-x", "dry-run=1", "upgrade", "014")
    assert 'it would be refused: "backend" 1.4 may run' in told
    assert "needs to run alone: ALTER TABLE" in told
    assert "needs to run alone: DROP TRIGGER" in run_of(checkout, url, "-x", "dry-run=1", "downgrade", "012")
    assert rows(url, names) == [("id email mail",)]
    assert "1.4 may run, which acknowledged revision 012" in run_of(checkout, url, "upgrade", "014", code=1)
    assert rows(url, "SELECT version_num FROM alembic_version") == [("013",)]
    assert rows(url, names) == [("id email mail",)]
    assert rows(url, "SELECT revision, state FROM ops.online_change WHERE operation = 'rename_column'") == [
        ("013", "verified")
    ]
    acknowledge("backend", "1.4", revision="013", settings=settings(url))
    run_of(checkout, url, "upgrade", "014")
    assert rows(url, names) == [("id mail",)]
    databases.drop(name)


@pytest.fixture
def run_of() -> Callable[..., str]:
    """Runs Alembic, and gives what it said."""

    def run(checkout: Checkout, url: str, *arguments: str, code: int = 0) -> str:
        done = checkout.alembic(*arguments, url=url)
        assert done.returncode == code, done.stderr
        return done.stderr

    return run
