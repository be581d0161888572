"""Revision 007: the same catalogue whichever way it came, online where tables are large, back with every row."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import pytest
from partitioning.scene import schema

from support import ROOT, connected, rows, run, run_alembic

LARGE = """
    INSERT INTO analytics (user_id, event_name, properties, created_at)
    SELECT n, 'a.b', jsonb_build_object('x', (SELECT string_agg(md5(n::text || m), '') FROM generate_series(1, 40) AS m)),
           now() - n * interval '1 hour'
      FROM generate_series(1, 6500) AS n
"""
CONTENT = "SELECT count(*), sum(hashtextextended(event::text, 0)::numeric)::text FROM analytics AS event"


def script(url: str, *arguments: str) -> tuple[int, str, list[str]]:
    done = run(sys.executable, ROOT / "versions" / "007_partitioning.py", *arguments, url=url)
    return (
        done.returncode,
        done.stdout,
        [line for line in done.stderr.splitlines() if line.startswith(("error", "Hint", "swapping"))],
    )


def test_a_large_table_is_converted_online_and_comes_to_the_same_catalogue(url: str) -> None:
    assert run_alembic("downgrade", "007", url=url).returncode == 0
    small, large = schema(url), url
    assert script(url, "downgrade") == (0, "007_partitioning: reverted\n", [])
    rows(url, LARGE)
    before, content = schema(large), rows(large, CONTENT)
    longest, errors, over = [0.0], [], threading.Event()

    def write() -> None:
        with connected(large) as connection, connection.cursor() as cursor:
            while not over.is_set():
                began_s = time.monotonic()
                try:
                    cursor.execute(
                        "INSERT INTO analytics (user_id, event_name) VALUES (0, 'w.w'); DELETE FROM analytics WHERE event_name = 'w.w'"
                    )
                except Exception as error:  # noqa: BLE001  (told below)
                    errors.append(error)
                longest[0] = max(longest[0], time.monotonic() - began_s)
                time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done, converted = script(large), schema(large)
        back = script(large, "downgrade")
    finally:
        over.set()
        writer.join(timeout=30)
    assert done == (
        0,
        "007_partitioning: applied\n",
        ["swapping public.audit_log", "swapping public.analytics"],
    )
    assert back == (
        0,
        "007_partitioning: reverted\n",
        ["swapping public.analytics back", "swapping public.audit_log back"],
    )
    assert errors == []
    assert longest[0] < 1.5
    assert converted == small
    assert rows(large, CONTENT) == content
    assert schema(large) == before
    # A dry run tells what has to run alone, and executes none of it.
    tried = run(sys.executable, ROOT / "versions" / "007_partitioning.py", "--dry-run", url=large)
    assert tried.stdout == "007_partitioning: executed and rolled back\n"
    assert (
        'dry run: not executed, needs to run alone: CREATE UNIQUE INDEX CONCURRENTLY "analytics_legacy_pkey"'
        in tried.stderr
    )
    assert schema(large) == before


def test_the_way_back_cannot_be_written_out(url: str) -> None:
    done = run_alembic("downgrade", "007:006", "--sql", url=url)
    assert done.stderr.splitlines()[-2:] == [
        "error: which partitions there are is known to the database alone, so the way back cannot be written out",
        "Hint: alembic downgrade 006, connected to it",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("status",), lambda out: out.count("12 ahead of now") + out.count("13 ahead of now") == 2),
        (("status", "--format", "json"), lambda out: '"problems": []' in out),
        (
            ("status", "--format", "prometheus"),
            lambda out: 'agentdb_partitioning_gaps{table="public.analytics"} 0\n' in out,
        ),
        (("maintain",), lambda out: out == ""),
    ],
)
def test_the_script_says_how_partitions_are(
    url: str, arguments: tuple[str, ...], told: Callable[[str], bool]
) -> None:
    code, out, err = script(url, *arguments)
    assert (code, err) == (0, [])
    assert told(out)


def test_a_gap_is_an_exit_code(url: str) -> None:
    names = rows(
        url,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'analytics'::regclass ORDER BY 1",
    )
    rows(url, f"DROP TABLE {names[3][0]}")
    code, out, _ = script(url, "status")
    assert code == 3
    assert "  problem: 1 gaps, whose rows are refused\n" in out
    assert script(url, "maintain")[:2] == (0, f"made: {names[3][0]}\n")
    assert script(url, "status")[0] == 0
