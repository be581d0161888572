"""The command agentdb: every part documented, two lines for an error, the local server at hand."""

from __future__ import annotations

import sys

import pytest
from psycopg2.extensions import parse_dsn

from support import Checkout, Databases, run

COMMANDS = [
    ("check",),
    ("docs",),
    ("health-check",),
    ("plan",),
    ("rollback", "plan"),
    ("rollback", "to"),
    ("rollback", "restore"),
    ("rollback", "list"),
    ("rollback", "purge"),
    ("partitioning", "convert"),
    ("partitioning", "plan"),
    ("partitioning", "unconvert"),
    ("partitioning", "maintain"),
    ("partitioning", "split"),
    ("partitioning", "create-range"),
    ("partitioning", "create-list"),
    ("partitioning", "create-hash"),
    ("partitioning", "add-values"),
    ("partitioning", "index"),
    ("partitioning", "status"),
    ("governance", "approve"),
    ("governance", "evidence"),
    ("governance", "receipt"),
    ("governance", "promote"),
    ("governance", "new-key"),
    ("governance", "journal"),
    ("governance", "verify"),
    ("governance", "drift"),
    ("governance", "accept"),
    ("governance", "accept-drift"),
    ("governance", "checksums"),
    ("db", "url"),
    ("db", "psql"),
    ("db", "start"),
    ("db", "stop"),
    ("db", "fingerprint"),
    ("bulk-import-export", "fix"),
    ("bulk-import-export", "import"),
    ("bulk-import-export", "retry"),
    ("bulk-import-export", "export"),
    ("distribution", "lint"),
    ("distribution", "map"),
    ("distribution", "plan"),
    ("audit-trail", "seal"),
    ("audit-trail", "verify"),
    ("audit-trail", "export"),
    ("audit-trail", "verify-export"),
    ("audit-trail", "redact"),
    ("audit-trail", "new-key"),
    ("audit-trail", "status"),
    ("gdpr-erasure", "check"),
    ("gdpr-erasure", "scan"),
    ("gdpr-erasure", "records"),
    ("gdpr-erasure", "requests"),
    ("gdpr-erasure", "holidays"),
    ("gdpr-erasure", "grant"),
    ("gdpr-erasure", "withdraw"),
    ("gdpr-erasure", "export"),
    ("gdpr-erasure", "plan"),
    ("gdpr-erasure", "erase"),
    ("gdpr-erasure", "verify"),
    ("gdpr-erasure", "approve"),
    ("gdpr-erasure", "replay"),
    ("gdpr-erasure", "gate"),
    ("gdpr-erasure", "ledger"),
    ("gdpr-erasure", "residue"),
    ("gdpr-erasure", "rewrite"),
    ("gdpr-erasure", "deliver"),
    ("gdpr-erasure", "by-hand"),
    ("gdpr-erasure", "told"),
    ("gdpr-erasure", "retention"),
    ("gdpr-erasure", "work"),
    ("gdpr-erasure", "new-key"),
    ("gdpr-erasure", "request", "file"),
    ("gdpr-erasure", "request", "pause"),
    ("gdpr-erasure", "request", "resume"),
    ("gdpr-erasure", "request", "extend"),
    ("gdpr-erasure", "request", "reject"),
    ("gdpr-erasure", "request", "complete"),
    ("gdpr-erasure", "hold", "place"),
    ("gdpr-erasure", "hold", "release"),
    ("gdpr-erasure", "hold", "list"),
    ("gdpr-erasure", "restriction", "place"),
    ("gdpr-erasure", "restriction", "lift"),
    ("gdpr-erasure", "objection", "place"),
    ("gdpr-erasure", "objection", "withdraw"),
    ("gdpr-erasure", "objection", "suppressed"),
    ("zero-downtime-migration", "operations"),
    ("zero-downtime-migration", "plan"),
    ("zero-downtime-migration", "change"),
    ("zero-downtime-migration", "start"),
    ("zero-downtime-migration", "backfill"),
    ("zero-downtime-migration", "verify"),
    ("zero-downtime-migration", "complete"),
    ("zero-downtime-migration", "abort"),
    ("zero-downtime-migration", "pause"),
    ("zero-downtime-migration", "resume"),
    ("zero-downtime-migration", "cancel"),
    ("zero-downtime-migration", "acknowledge"),
    ("zero-downtime-migration", "views", "create"),
    ("zero-downtime-migration", "views", "drop"),
    ("zero-downtime-migration", "views", "list"),
    ("zero-downtime-migration", "status"),
]
GROUPS = {command[:depth] for command in COMMANDS for depth in range(1, len(command))}


def agentdb(*arguments: str, url: str | None = None) -> tuple[int, str, str]:
    done = run(sys.executable, "-m", "spotify_ai_agent_migrations", *arguments, url=url, COLUMNS="200")
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does(command: tuple[str, ...]) -> None:
    code, out, _ = agentdb(*command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: agentdb {' '.join(command)}")
    assert len([line for line in out.splitlines() if line.strip()]) > 3


def test_the_list_of_commands_is_whole() -> None:
    found = []
    for group in ((), *sorted(GROUPS)):
        listed = agentdb(*group, "--help")[1].partition("Commands:\n")[2].partition("\n\n")[0]
        names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]
        found += [(*group, name) for name in names]
    assert sorted(one for one in found if one not in GROUPS) == sorted(COMMANDS)


def test_the_exit_codes_are_documented() -> None:
    shown = " ".join(agentdb("--help")[1].split())
    assert (
        "0 done, 1 refused or failed, 2 usage or settings, 3 governance findings or stale documentation"
        in shown
    )


def test_an_unknown_command_is_usage() -> None:
    code, _, err = agentdb("nonsense")
    assert code == 2
    assert "No such command 'nonsense'" in err


def test_psql_runs_in_the_database_that_is_meant_with_its_own_arguments(empty_url: str) -> None:
    code, out, err = agentdb("db", "psql", "-A", "-t", "-c", "SELECT 1 + 1", url=empty_url)
    assert (code, out) == (0, "2\n"), err
    assert agentdb("db", "psql", "-c", "nonsense", url=empty_url)[0] == 1


def test_psql_gets_the_password_where_nobody_else_can_read_it(empty_url: str) -> None:
    seen = (
        "SELECT current_setting('application_name'), count(*) FROM pg_stat_activity"
        " WHERE query LIKE '%hunter2%' AND pid <> pg_backend_pid() GROUP BY 1"
    )
    command = "\\! tr '\\\\0' ' ' < /proc/$PPID/cmdline"
    code, out, err = agentdb("db", "psql", "-c", command, url=f"{empty_url}&password=hunter2")
    assert code == 0, err
    assert "psql" in out
    assert "hunter2" not in out
    assert agentdb("db", "psql", "-A", "-t", "-c", seen, url=empty_url) == (0, "", "")


def test_equal_schemas_have_equal_fingerprints(databases: Databases, url: str, empty_url: str) -> None:
    first = agentdb("db", "fingerprint", url=url)
    clone = databases.url(databases.create(str(parse_dsn(url)["dbname"])))
    assert agentdb("db", "fingerprint", url=clone) == first
    assert len(first[1]) == 65
    assert agentdb("db", "fingerprint", url=empty_url)[1] != first[1]


def test_the_local_server_is_started_to_stay_and_stopped(checkout: Checkout) -> None:
    def local(*arguments: str) -> tuple[int, str]:
        done = checkout.python("-m", "spotify_ai_agent_migrations", "db", *arguments)
        return done.returncode, done.stdout

    code, started = local("start")
    try:
        assert (code, started.split()[0]) == (0, "started:")
        assert local("start")[1].split()[0:2] == ["already", "running:"]
        assert local("psql", "-A", "-t", "-c", "SHOW server_version_num")[1].startswith("18")
        assert local("url")[1].strip() in started.replace(":@/", "@/")
    finally:
        assert local("stop") == (0, "stopped\n")
    assert local("stop") == (0, "not running\n")
