"""The command line: the script of the revision itself, and `agentdb rollback`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from rollback.scene import (
    ACCOUNTS,
    accepted,
    agentdb,
    contents,
    everything,
    planned,
    revise,
    said,
    untouched,
    upgraded,
)

from support import BEFORE_HEAD, HEAD, NEXT, ROOT, Checkout, environment, rows, run

SCRIPT = next((ROOT / "versions").glob("*_rollback.py"))


def script(url: str, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], cwd=ROOT, env=environment(url), input=answer,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def at(url: str) -> object:
    return rows(url, "SELECT max(version_num) FROM alembic_version")[0][0]


def test_the_script_with_dry_run_shows_the_plan_and_stops(url: str) -> None:
    before = untouched(url)
    done = script(url, "--dry-run")
    assert done.returncode == 0, done.stderr
    first, second, *_, last = done.stdout.splitlines()
    assert first == f"from {HEAD} back to {BEFORE_HEAD}"
    assert second.startswith(f"{HEAD} ")
    assert last.startswith("loses ")
    assert untouched(url) == before


def test_the_script_asks_and_a_no_changes_nothing(url: str) -> None:
    before = untouched(url)
    done = script(url, answer="n\n")
    assert done.returncode == 1
    assert f"Roll back to {BEFORE_HEAD}? [y/N]:" in done.stderr
    assert done.stdout.startswith(f"from {HEAD} back to {BEFORE_HEAD}\n")
    assert untouched(url) == before
    assert script(url).returncode == 1
    assert untouched(url) == before


def test_the_script_asks_and_a_yes_goes_back(url: str) -> None:
    done = script(url, answer="y\n")
    assert done.returncode == 0, done.stderr
    assert f"rolled back from {HEAD} to {BEFORE_HEAD}\n" in done.stdout
    assert at(url) == BEFORE_HEAD


@pytest.mark.soak
def test_the_script_goes_several_steps_without_asking_where_nobody_can_be_asked(store: str) -> None:
    before, accounts = everything(store), contents(store, ACCOUNTS)
    done = script(store, "--yes", "--steps", "3")
    assert done.returncode == 0, done.stderr
    target = f"{int(HEAD) - 3:03d}"
    assert at(store) == target
    kept = done.stdout.split()[-1]
    assert done.stdout.splitlines()[-2:] == [
        f"rolled back from {HEAD} to {target}", f"kept in {kept}: agentdb rollback restore {kept}",
    ]  # fmt: skip
    assert run(sys.executable, "-m", "alembic", "upgrade", "head", url=store).returncode == 0
    done = script(store, "restore", kept)
    assert done.returncode == 0, done.stderr
    after = everything(store)
    assert {table for table in before if after[table] != before[table]} <= {
        "public.audit_log",
        "ops.pseudonyms",
        "public.users",
    }
    assert contents(store, ACCOUNTS) == accounts


def test_json_holds_the_plan_whole(store: str) -> None:
    done = script(store, "plan", "003", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert set(plan) == {"start", "target", "steps", "digest", "rows_at_risk"}
    assert (plan["start"], plan["target"]) == (HEAD, "003")
    assert len(plan["digest"]) == 16
    assert plan["rows_at_risk"] == sum(loss["rows"] for step in plan["steps"] for loss in step["losses"])
    assert plan["digest"] == planned(store, f"-{int(HEAD) - 3}")["digest"]


@pytest.mark.soak
def test_a_number_of_steps_and_base_are_targets(url: str) -> None:
    assert agentdb(url, "plan", "-2").out.startswith(f"from {HEAD} back to {int(HEAD) - 2:03d}\n")
    assert agentdb(url, "plan", "base").out.startswith(f"from {HEAD} back to base\n")
    assert agentdb(url, "plan", HEAD).out == f"the database is at {HEAD}: nothing to roll back\n"
    digest = planned(url, "-2")["digest"]
    done = agentdb(url, "to", "-2", "--accept-data-loss", digest)
    assert (done.code, done.err) == (0, [])
    assert at(url) == f"{int(HEAD) - 2:03d}"


def test_an_empty_database_has_nothing_to_roll_back(empty_url: str) -> None:
    for target in ("-1", "base"):
        done = agentdb(empty_url, "to", target)
        assert (done.code, done.out, done.err) == (0, "rolled back from base to base\n", [])


def test_usage_and_settings_are_exit_code_2(url: str) -> None:
    assert agentdb(url, "to").code == 2
    assert agentdb(url, "plan", "-x", "lock-timeot-ms=5").code == 2
    assert script(url, "--steps", "0").returncode == 2
    assert said(script("postgresql://nobody@127.0.0.1:1/none", "plan")).code == 1


@pytest.mark.soak
def test_a_rollback_below_the_ledger_needs_none(url: str) -> None:
    digest = planned(url, "005")["digest"]
    assert agentdb(url, "to", "005", "--accept-data-loss", digest).code == 0
    assert rows(url, "SELECT to_regclass('ops.rollbacks')") == [(None,)]


@pytest.mark.soak
def test_a_rollback_that_keeps_the_ledger_is_written_into_it(checkout: Checkout, url: str) -> None:
    revise(checkout, "CREATE TABLE public.notes (id bigint PRIMARY KEY)", "DROP TABLE public.notes")
    upgraded(checkout, url)
    rows(url, "INSERT INTO notes VALUES (1), (2)")
    digest = planned(url, checkout=checkout)["digest"]
    kept = accepted(url, checkout=checkout)
    ledger = "SELECT run, started_from, target, digest, rows_at_risk, rows_kept FROM ops.rollbacks"
    assert rows(url, ledger) == [(kept.removeprefix("rollback_"), NEXT, HEAD, digest, 2, 2)]
