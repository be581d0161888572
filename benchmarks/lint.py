"""Measure the lint by execution beside squawk and beside what a second session really meets, in one run.

    python benchmarks/lint.py [ROWS]

The list of statements in tests/core/statements says of each what PostgreSQL's documentation says. It is held
against three things. A second session tries to read and to write every table after the statement and before its
transaction ends, and the statement's duration on tables of ROWS rows is compared with that on tables of 100: whoever
is kept away, by something that takes longer the more rows there are, is kept away for long. Ours classifies on
tables without a row. squawk (`pip install squawk-cli`) reads the statement, told the server's version and that
it runs in a transaction; only its rules that claim a long block count.
False alarms leave out statements that may be refused for another reason: dropped, renamed, detached, truncated,
triggers. Runs on DATABASE_URL, or on the local server; makes two databases and drops them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from core.listing import Entry, entries, prepare

from versions.core.measurement import Verdict
from versions.core.meter import Meter
from versions.core.sampler import measure_alone
from versions.core.settings import resolve_settings

FEW, MOST_WAIT_MS = 100, 25
# Slower by this much, and not by a trifle: the work grows with the rows.
RATIO, AT_LEAST_S = 4.0, 0.01
CLAIMS_A_LONG_BLOCK = frozenset(
    {
        "adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field",
        "adding-serial-primary-key-field", "ban-alter-domain-with-add-constraint",
        "changing-column-type", "constraint-missing-not-valid",
        "disallowed-unique-constraint", "prefer-repack", "require-concurrent-index-creation",
        "require-concurrent-reindex",
    }
)  # fmt: skip
OTHERWISE_REFUSED = re.compile(r"\b(DROP|RENAME|DETACH|TRUNCATE|TRIGGER|RULE)\b")
LONG, BRIEF, NONE = (verdict.value for verdict in Verdict)
Probes = frozenset[tuple[str, str]]


class Databases:
    """The databases of this run, and connections to them."""

    def __init__(self) -> None:
        self._conninfo = dict(resolve_settings().conninfo)

    def connect(self, name: str | None = None) -> Connection:
        """Open a connection to one of them, or to where they are made."""
        return psycopg2.connect(make_dsn(**{**self._conninfo, **({"dbname": name} if name else {})}))

    @contextmanager
    def made(self, name: str, *, rows: int) -> Iterator[str]:
        """Make one with this many rows a table, and drop it in the end."""
        self._admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._admin("CREATE DATABASE {} TEMPLATE template0", name)
        try:
            with closing(self.connect(name)) as connection:
                connection.autocommit = True
                prepare(connection, rows=rows)
                connection.cursor().execute("VACUUM")
            yield name
        finally:
            self._admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _admin(self, statement: str, name: str) -> None:
        with closing(self.connect()) as connection:
            connection.autocommit = True
            connection.cursor().execute(sql.SQL(statement).format(sql.Identifier(name)))


def kept_away(connection: Connection) -> Probes:
    """Try to read and to write everything; return what did not come about."""
    found = set()
    with connection.cursor() as cursor:
        for name, kind, column in relations(connection):
            writes = f"UPDATE ONLY {name} SET {column} = {column} WHERE false"
            tries = {"S": ("SELECT nextval('{}')",), "r": ("SELECT FROM {} LIMIT 0", writes)}
            tries["p"] = tries["r"]
            for attempt in tries.get(kind, ("SELECT FROM {} LIMIT 0",)):
                try:
                    cursor.execute(attempt.format(name))
                except psycopg2.errors.LockNotAvailable:
                    found.add((name, attempt.partition(" ")[0]))
    return frozenset(found)


def relations(connection: Connection) -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT format('%I.%I', nspname, relname), relkind,
                   (SELECT attname FROM pg_attribute
                     WHERE attrelid = class.oid AND attnum > 0 AND attgenerated = '' AND NOT attisdropped
                     ORDER BY attnum LIMIT 1)
              FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
             WHERE nspname IN ('public', 'archive') AND relkind IN ('r', 'p', 'v', 'm', 'S')""")
        return cursor.fetchall()


def timed(connection: Connection, entry: Entry, beside: Connection) -> tuple[float, Probes, Probes]:
    """Run the statement and roll it back; return how long it took, and who was kept away before and after."""
    with connection.cursor() as cursor:
        for statement in entry.given:
            cursor.execute(statement)
        before = kept_away(beside) if entry.given else frozenset()
        started = time.perf_counter()
        cursor.execute(entry.statement)
        duration_s = time.perf_counter() - started
        after = kept_away(beside)
    connection.rollback()
    return duration_s, before, after


def met(entry: Entry, many: tuple[Connection, Connection], few: tuple[Connection, Connection]) -> str:
    """Return the class of *entry* as a second session meets it."""
    # The quickest of several: what else the machine does must not count.
    short_s = min(timed(few[0], entry, few[1])[0] for _ in range(3))
    runs = [timed(many[0], entry, many[1]) for _ in range(3)]
    long_s, (_, before, after) = min(run[0] for run in runs), runs[0]
    grows = long_s > AT_LEAST_S and long_s > RATIO * short_s
    if grows and before | after:
        return LONG
    return BRIEF if after - before else NONE


def met_alone(entry: Entry, connection: Connection, beside: Connection) -> str:
    """Return whether a second session was kept away for long by a statement that runs by itself."""
    connection.autocommit = True
    thread = threading.Thread(target=lambda: connection.cursor().execute(entry.statement))
    thread.start()
    since: dict[tuple[str, str], float] = {}
    longest_s = 0.0
    while thread.is_alive():
        now, away = time.perf_counter(), kept_away(beside)
        since = {probe: since.get(probe, now) for probe in away}
        longest_s = max([longest_s, *(time.perf_counter() - start for start in since.values())])
    thread.join()
    connection.autocommit = False
    return LONG if longest_s > 2 * MOST_WAIT_MS / 1_000 else entry.expected.replace(LONG, NONE)


def ours(entry: Entry, databases: Databases, empty: str) -> str:
    """Return our verdict, on tables without a row."""
    with closing(databases.connect(empty)) as connection:
        if entry.alone:
            connection.autocommit = True
            cursor = connection.cursor()
            return measure_alone(
                cursor, lambda: cursor.execute(entry.statement), lambda: databases.connect(empty)
            ).verdict.value
        meter, cursor = Meter(connection), connection.cursor()
        meter.begin()
        for statement in entry.given:
            cursor.execute(statement)
        meter.look()
        verdict = meter.measure(
            cursor, lambda: cursor.execute(entry.statement), entry.statement
        ).verdict.value
        connection.rollback()
        return verdict


def squawk(entry: Entry, version: int) -> str:
    """Return what squawk says, reading the statement after those that come before it."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(";\n".join((*entry.given, entry.statement)))
        file.flush()
        inside = [] if entry.alone else ["--assume-in-transaction"]
        done = subprocess.run(
            ["squawk", "--reporter", "json", "--pg-version", str(version), *inside, file.name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    said = {finding["rule_name"] for finding in json.loads(done.stdout or "[]")}
    return LONG if said & CLAIMS_A_LONG_BLOCK else NONE


def score(name: str, said: dict[Entry, str]) -> None:
    long = [entry for entry in said if entry.expected == LONG]
    quiet = [e for e in said if e.expected != LONG and not OTHERWISE_REFUSED.search(e.statement)]
    found = sum(said[entry] == LONG for entry in long)
    false = [entry for entry in quiet if said[entry] == LONG]
    print(f"{name:28} found {found}/{len(long)}   false alarms {len(false)}/{len(quiet)}")
    for entry in (*(e for e in long if said[e] != LONG), *false):
        print(
            f"    {'missed' if entry.expected == LONG else 'false '}  {entry.title}: {entry.statement[:90]}"
        )


def main(rows: int) -> None:
    databases = Databases()
    with (
        databases.made("agentdb_lint_many", rows=rows) as many,
        databases.made("agentdb_lint_few", rows=FEW) as few,
        databases.made("agentdb_lint_empty", rows=0) as empty,
        closing(databases.connect(many)) as on_many,
        closing(databases.connect(many)) as beside_many,
        closing(databases.connect(few)) as on_few,
        closing(databases.connect(few)) as beside_few,
    ):
        for beside in (beside_many, beside_few):
            beside.autocommit = True
            beside.cursor().execute("SELECT set_config('lock_timeout', %s, false)", (f"{MOST_WAIT_MS}ms",))
        version = on_many.server_version // 10_000
        listed = sorted(entries(version), key=lambda entry: entry.alone)
        really, mine, theirs = {}, {}, {}
        for entry in listed:
            if entry.alone:
                really[entry] = met_alone(entry, on_many, beside_many)
            else:
                really[entry] = met(entry, (on_many, beside_many), (on_few, beside_few))
            mine[entry] = ours(entry, databases, empty)
            theirs[entry] = squawk(entry, version)
        agree = sum(really[entry] == entry.expected for entry in listed)
        print(f"PostgreSQL {version}, {len(listed)} statements, {rows} rows")
        print(f"a second session meets what the list says: {agree}/{len(listed)}")
        for entry in listed:
            if really[entry] != entry.expected:
                print(f"    {entry.expected}, met {really[entry]}: {entry.title}: {entry.statement[:90]}")
        print(f"ours, all three classes: {sum(mine[e] == e.expected for e in listed)}/{len(listed)}")
        score("ours, by execution", mine)
        score("squawk, by reading", theirs)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
