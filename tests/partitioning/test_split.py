"""The old rows are split into months while others write: none out of sight, none lost, resumable at any statement."""

from __future__ import annotations

import pytest
from partitioning.scene import converted_in_the_past, everything, in_the_past, schema, settings
from partitioning.test_writers import Writer, audited, writing, written

from killing import killed_before
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.fingerprint import lasting
from spotify_ai_agent_migrations.versions.partitioning import convert, split, unconvert, unsplit
from spotify_ai_agent_migrations.versions.partitioning.run import written_split
from spotify_ai_agent_migrations.versions.partitioning.split import Pace
from support import Databases, connected, rows

BY_PARTITION = 'SELECT tableoid::regclass::text, count(*), min(at), max(at) FROM "Odd" GROUP BY 1 ORDER BY 3'
SMALL = Pace(blocks=5)


def test_rows_are_in_the_partition_of_their_month(scene: str) -> None:
    converted_in_the_past(scene)
    before, content = schema(scene), everything(scene)
    made = split('"Odd"', pace=SMALL, settings=settings(scene))
    assert len(made) >= 16
    assert everything(scene) == content
    found = rows(scene, "SET TimeZone = 'UTC';" + BY_PARTITION)
    assert len(found) in {len(made), len(made) + 1}
    assert all(
        str(name).strip('"') == f"Odd_p{oldest:%Y_%m}" == f"Odd_p{newest:%Y_%m}"
        for name, _, oldest, newest in found
    )
    # The table is as it was, but for its partitions, and nothing of the work is left.
    assert lasting(before) == tuple(
        thing for thing in lasting(schema(scene)) if "_legacy" not in thing.identity
    )
    rest = "SELECT relname FROM pg_class WHERE relname LIKE 'Odd%split%' UNION SELECT proname FROM pg_proc WHERE proname LIKE 'Odd%split%'"
    assert (
        rows(
            scene,
            rest
            + " UNION SELECT conname FROM pg_constraint WHERE conname LIKE 'Odd%bound_check' OR NOT convalidated AND conparentid = 0",
        )
        == []
    )
    assert split('"Odd"', settings=settings(scene)) == ()
    # What refers to the table still does.
    assert rows(
        scene,
        'SELECT count(*) FROM notes WHERE odd_id IS NOT NULL AND NOT EXISTS (SELECT FROM "Odd" WHERE id = odd_id AND at = odd_id_at)',
    ) == [(0,)]
    plain = unconvert('"Odd"', settings=settings(scene))
    assert plain > 1000
    assert everything(scene) == content


def test_every_acknowledged_write_to_old_rows_is_in_the_months(scene: str) -> None:
    converted_in_the_past(scene)
    rows(scene, "ALTER TABLE \"Odd\" ALTER at SET DEFAULT now() - interval '70 days'")
    with writing(scene) as writers:
        written(writers, 25)
        assert len(split('"Odd"', pace=Pace(blocks=2, pause_s=0.02), settings=settings(scene))) >= 16
        written(writers, 25)
    assert audited(scene, writers) > 50
    assert isinstance(writers[0], Writer)


def test_killed_before_any_statement_it_goes_on(scene: str) -> None:
    converted_in_the_past(scene)
    content = everything(scene)
    tried = 0
    for number in (1, 60, 120, *range(2, 90, 5)):
        if not killed_before(number, lambda: split('"Odd"', pace=Pace(blocks=40), settings=settings(scene))):
            break
        tried += 1
        rows(scene, f'UPDATE "Odd" SET amount = {number} WHERE id = 1700')
        content = everything(scene)
    assert tried > 8
    split('"Odd"', pace=Pace(blocks=40), settings=settings(scene))
    assert everything(scene) == content
    assert rows(
        scene, "SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE relname = 'Odd_legacy'"
    ) == [(0,)]


def test_what_was_begun_can_be_taken_away(scene: str) -> None:
    converted_in_the_past(scene)
    before = schema(scene)
    assert killed_before("FOR SHARE OF old", lambda: split('"Odd"', pace=SMALL, settings=settings(scene)))
    assert schema(scene) != before
    assert unsplit('"Odd"', settings=settings(scene))
    assert schema(scene) == before
    assert not unsplit('"Odd"', settings=settings(scene))


def test_a_partition_that_still_takes_rows_is_refused(scene: str) -> None:
    convert('"Odd"', "at", premake=1, settings=settings(scene))
    with pytest.raises(TableError, match=r'partition "public."Odd_legacy"" takes rows until'):
        split('"Odd"', settings=settings(scene))


SHORT = """
CREATE TABLE tenants (id bigint PRIMARY KEY); INSERT INTO tenants VALUES (1);
CREATE TABLE ev (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenants (id), at timestamptz NOT NULL);
INSERT INTO ev SELECT n, 1, date_trunc('month', now()) - n * interval '25 days' FROM generate_series(1, 3) AS n;
CREATE TABLE notes (id bigint PRIMARY KEY, ev_id bigint REFERENCES ev (id)); INSERT INTO notes VALUES (1, 1), (2, 2);
"""


def test_killed_before_any_statement_it_converges_from_the_beginning(
    databases: Databases, request: pytest.FixtureRequest
) -> None:
    every = bool(request.config.getoption("--soak"))
    template = databases.create()
    rows(databases.url(template), SHORT)
    in_the_past(databases.url(template), "ev")

    def run(number: int) -> tuple[bool, object, object]:
        name = databases.create(template)
        url = databases.url(name)
        killed = killed_before(number, lambda: split("ev", settings=settings(url)))
        # Whoever writes meanwhile is not kept from it, and nothing of it is lost.
        rows(url, "INSERT INTO ev SELECT 9, 1, at - interval '1 day' FROM ev WHERE id = 3")
        split("ev", settings=settings(url))
        found = (killed, schema(url), everything(url, "ev"))
        databases.drop(name)
        return found

    _, whole, content = run(0)
    tried = 0
    for number in range(1, 400, 1 if every else 31):
        killed, *found = run(number)
        if not killed:
            break
        assert (number, *found) == (number, whole, content)
        tried += 1
    assert tried > (80 if every else 2)


def test_the_statements_are_shown_and_do_the_same(databases: Databases) -> None:
    template = databases.create()
    rows(databases.url(template), SHORT)
    in_the_past(databases.url(template), "ev")
    shown, split_url = (databases.url(databases.create(template)) for _ in range(2))
    before = schema(shown)
    statements = written_split("ev", period=None, pace=Pace(), settings=settings(shown))
    assert schema(shown) == before
    with connected(shown) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    split("ev", settings=settings(split_url))
    assert schema(shown) == schema(split_url) != before
    assert everything(shown, "ev") == everything(split_url, "ev")
    with pytest.raises(TableError, match="was begun, and goes on as it was begun"):
        killed_before("FOR SHARE OF old", lambda: split("ev", settings=settings(databases.url(template))))
        written_split("ev", period=None, pace=Pace(), settings=settings(databases.url(template)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("CREATE INDEX ev_tenant_idx ON ev (tenant_id)", "index USING btree (tenant_id)"),
        ("ALTER TABLE ev ADD COLUMN said text", "column said text"),
        ("ALTER TABLE ev ADD CONSTRAINT ev_id_check CHECK (id > 0)", "constraint CHECK ((id > 0))"),
    ],
)
def test_a_table_that_has_changed_since_is_not_swapped(databases: Databases, change: str, told: str) -> None:
    url = databases.url(databases.create())
    rows(url, SHORT)
    in_the_past(url, "ev")
    assert killed_before("FOR SHARE OF old", lambda: split("ev", settings=settings(url)))
    rows(url, change)
    with pytest.raises(TableError, match="has changed since its split was begun") as refused:
        split("ev", settings=settings(url))
    assert refused.value.problem.endswith(told)
    assert unsplit("ev", settings=settings(url))
    assert split("ev", settings=settings(url))
