"""A report claims what rows show, leads to each of them, and says what it does not show."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from psycopg2.extensions import parse_dsn

from forked import run_python
from spotify_ai_agent_migrations.versions.audit_trail.run import seal
from spotify_ai_agent_migrations.versions.audit_trail.sinks import FileSink
from spotify_ai_agent_migrations.versions.core.errors import PeriodError, PrivilegeError, RevisionError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import make_keys
from spotify_ai_agent_migrations.versions.governance.approval import approve_revision
from spotify_ai_agent_migrations.versions.governance.evidence import read_period
from spotify_ai_agent_migrations.versions.governance.evidence.as_json import as_json
from spotify_ai_agent_migrations.versions.runner.entry import Entry, Written
from spotify_ai_agent_migrations.versions.runner.evidence import gather
from spotify_ai_agent_migrations.versions.runner.inspection import accept_drift, locked
from support import ROOT, Checkout, Databases, Processes, connected, rows, run

HOSTILE = '<script>alert(1)</script> "x" | [y](javascript:z) @team `'
AGENTDB = "spotify_ai_agent_migrations"
NOW = "2026-11-01T08:00:00Z"
READY = "INSERT INTO ops.job_heartbeat (job, every) VALUES ('ready', INTERVAL '1 day') RETURNING job"
BOUNDS = """
SELECT to_char(min(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  FROM ops.migration_journal
"""
JOURNAL = "SELECT id, hash FROM ops.migration_journal ORDER BY id"
VOID = frozenset({"br", "meta"})


@dataclass(frozen=True)
class Lived:
    """A production with a past: two releases, a refusal, a failed run, a rollback, a break-glass, an exception."""

    url: str
    checkout: Checkout
    since: str
    until: str


@pytest.fixture(scope="module")
def lived(databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    processes = Processes()
    production, staging = databases.create(template), databases.create(template)
    url = databases.url(production)
    checkout = Checkout(tmp_path_factory.mktemp("evidence"), processes)
    since = moment(url)
    live(checkout, url, databases.url(staging))
    yield Lived(url, checkout, since, moment(url))
    processes.end()
    databases.drop(production)
    databases.drop(staging)


def live(checkout: Checkout, url: str, staging: str) -> None:
    """Let the runner do what the report is to tell."""
    keys = make_keys(checkout.root / "key", checkout.root / "key.pub")
    assert keys.key_id

    def rehearse(*arguments: str) -> str:
        return said(at("staging", checkout, staging, *arguments))

    def produce(*arguments: str, code: int = 0) -> str:
        done = at("production", checkout, url, *arguments)
        assert done.returncode == code, done.stderr
        return str(done.stdout)

    first = checkout.add(
        "execute('CREATE SEQUENCE ops.first')", downgrade="execute('DROP SEQUENCE ops.first')"
    )
    second = checkout.add(
        """
        execute('CREATE SEQUENCE ops.second')
        execute("SELECT 1 / count(*) FROM ops.job_heartbeat WHERE job = 'ready'")
        """,
        downgrade="execute('DROP SEQUENCE ops.second')",
    )
    approve(checkout, first, "Ada Lovelace")
    rows(staging, READY)
    for arguments in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
        rehearse("alembic", *arguments)
    rehearse(AGENTDB, "governance", "receipt")
    produce("alembic", "upgrade", first)
    produce("alembic", "upgrade", "head", code=3)
    approve(checkout, second, "Ada Lovelace", "Grace Hopper")
    produce("alembic", "upgrade", "head", code=1)
    rows(url, READY)
    produce("alembic", "upgrade", "head")
    plan = json.loads(produce(AGENTDB, "rollback", "plan", first, "--json"))
    produce(AGENTDB, "rollback", "to", first, "--accept-data-loss", plan["digest"])
    max(checkout.versions.glob("[0-9]*.py")).unlink()
    checkout.add("execute('CREATE SEQUENCE ops.third')")
    produce(AGENTDB, "governance", "promote", "--break-glass", "--reason", HOSTILE)
    with connected(url) as connection:
        connection.cursor().execute("COMMENT ON SEQUENCE ops.first IS 'made beside the migrations'")
    accept_drift(resolve_settings(url), reason="seen, and wanted")


def approve(checkout: Checkout, revision: str, *reviewers: str) -> None:
    for name in reviewers:
        reviewer = f"{name} <{name.partition(' ')[0].lower()}@example.org>"
        approve_revision(
            checkout.versions, revision, reviewer=reviewer, authors=["Bob <bob@example.org>"], at=NOW
        )


def at(environment: str, checkout: Checkout, url: str, program: str, *arguments: str) -> Any:
    """Run a program of the checkout in staging, which signs, or in production, which believes it."""
    more = {
        "MIGRATIONS_ENV": environment,
        "MIGRATIONS_RECEIPT_KEY_FILE" if environment == "staging" else "MIGRATIONS_RECEIPT_KEYS": str(
            checkout.root / ("key" if environment == "staging" else "key.pub")
        ),
    }
    env = {**checkout.environment(url), **more}
    return run_python(["-m", program, *arguments], env=env, cwd=checkout.root)


def agentdb(checkout: Checkout, url: str, *arguments: str) -> Any:
    return checkout.python("-m", AGENTDB, *arguments, url=url)


def said(done: Any) -> str:
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def moment(url: str) -> str:
    return str(
        rows(
            url, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        )[0][0]
    )


def evidence(lived: Lived, *arguments: str, code: int = 0) -> str:
    done = agentdb(lived.checkout, lived.url, "governance", "evidence", *arguments)
    assert done.returncode == code, done.stderr
    return str(done.stdout if code in {0, 3} else done.stderr)


@pytest.fixture(scope="module")
def made(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three forms of one report."""
    folder = tmp_path_factory.mktemp("made")
    listed = evidence(lived, "--from", lived.since, "--to", lived.until, "--into", str(folder))
    assert len(listed.splitlines()) == 3
    return folder


@pytest.fixture(scope="module")
def report(made: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((made / "evidence.json").read_text())
    return read


def control(report: dict[str, Any], code: str) -> dict[str, Any]:
    return next(one for one in report["controls"] if one["code"] == code)


def claims(report: dict[str, Any], code: str, words: str) -> list[dict[str, Any]]:
    return [claim for claim in control(report, code)["claims"] if words in claim["text"]]


def source(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in report["sources"] if one["name"] == name)


def row(report: dict[str, Any], anchor: str) -> dict[str, Any]:
    return next(one for each in report["sources"] for one in each["rows"] if one["anchor"] == anchor)


def gaps(report: dict[str, Any], code: str) -> list[str]:
    return [gap["text"] for gap in control(report, code)["gaps"]]


def test_every_control_is_spoken_of_and_every_claim_leads_to_a_row(report: dict[str, Any]) -> None:
    codes = [one["code"] for one in report["controls"]]
    assert codes == [
        "CC6.1",
        "CC6.3",
        "CC7.1",
        "CC7.2",
        "CC7.4",
        "CC8.1",
        "A.8.10",
        "A.8.11",
        "A.8.15",
        "A.8.32",
    ]
    anchors = [one["anchor"] for each in report["sources"] for one in each["rows"]]
    assert len(anchors) == len(set(anchors))
    said = [claim for one in report["controls"] for claim in one["claims"]]
    assert len(said) > 20
    assert all(claim["rows"] and set(claim["rows"]) <= set(anchors) for claim in said)
    assert all(one["gaps"] for one in report["controls"])


def test_releases_the_rollback_and_the_failure_are_told_with_their_entries(
    lived: Lived, report: dict[str, Any]
) -> None:
    for code in ("CC8.1", "A.8.32"):
        assert [one["exception"] for one in claims(report, code, "Release at")] == [False, False]
        (forced,) = claims(report, code, "Release under break-glass at")
        assert forced["exception"]
        (back,) = claims(report, code, "Rollback at")
        assert [row(report, anchor)["cells"]["state"] for anchor in back["rows"]] == ["started", "applied"]
        (failed,) = claims(report, code, "A run failed")
        assert (
            "upgrade of revision 013 with SQLSTATE 22012; all of it was undone; it was done at"
            in failed["text"]
        )
        (planned,) = claims(report, code, "A planned rollback from")
        assert row(report, planned["rows"][0])["cells"]["to"] == "012"
    hashes = {str(number): digest for number, digest in rows(lived.url, JOURNAL)}
    shown = source(report, "journal")["rows"]
    assert len(shown) == 17
    assert all(hashes[one["key"]] == one["hash"] for one in shown)


def test_approvals_and_receipts_lead_to_the_entries_that_name_them(report: dict[str, Any]) -> None:
    found = claims(report, "CC8.1", "Allowed at")
    assert [one["text"].partition(": ")[2] for one in found] == [
        f"{what}, written by Bob, approved by {who}, with a receipt of its rehearsal."
        for what, who in (
            ("upgrade of revision 012", "Ada Lovelace"),
            ("upgrade of revision 013", "Ada Lovelace, Grace Hopper"),
            ("upgrade of revision 013", "Ada Lovelace, Grace Hopper"),
            ("downgrade of revision 013", "Ada Lovelace, Grace Hopper"),
        )
    ]
    entry, first, second, receipt = found[1]["rows"]
    assert row(report, first)["hash"] == row(report, entry)["hash"]
    assert row(report, second)["cells"]["reviewer"] == "Grace Hopper"
    assert row(report, receipt)["cells"]["entry"] == row(report, entry)["key"]
    assert "example.org" not in json.dumps(report)


def test_a_refusal_and_break_glass_are_told_with_their_reasons(report: dict[str, Any]) -> None:
    (refused,) = claims(report, "CC7.4", "Refused at")
    assert refused["text"].endswith("upgrade of revision 013: nobody approves of it in APPROVALS")
    for code in ("CC6.3", "CC8.1"):
        (forced,) = claims(report, code, "Break-glass at")
        missing = "in spite of: approval-of-another-checksum, receipt-of-another-checksum"
        assert f"{missing}; the reason given: {HOSTILE}; it ended as applied." in forced["text"]
        states = [row(report, anchor)["cells"]["state"] for anchor in forced["rows"]]
        assert states == ["overridden", "applied"]


def test_the_comparisons_of_the_schema_are_told_and_what_was_accepted(report: dict[str, Any]) -> None:
    (same,) = claims(report, "CC7.1", "the schema was the one the journal knew")
    assert len(same["rows"]) == 5
    assert claims(report, "CC7.1", "nothing differs")
    (accepted,) = claims(report, "CC8.1", "accepted the schema as it was")
    assert accepted["exception"]
    assert accepted["text"].endswith(": seen, and wanted")


def test_the_chain_is_said_to_be_whole(report: dict[str, Any]) -> None:
    journal = report["journal"]
    assert journal["whole_up_to_period"]
    assert journal["entries"] == journal["last"]
    assert journal["faults"] == []
    (whole,) = claims(report, "A.8.15", "The journal is as it was written up to entry")
    assert whole["rows"] == [f"journal-{journal['first']}", f"journal-{journal['last']}"]


def test_what_no_row_shows_is_a_gap(report: dict[str, Any]) -> None:
    assert "revision 013 had another text when applied than here: what it allowed is not known" in gaps(
        report, "CC8.1"
    )
    assert "no health check of the period is recorded" in gaps(report, "CC7.2")
    assert "no erasure began or ended in the period" in gaps(report, "A.8.10")
    assert "no seal of the audit trail was made in the period" in gaps(report, "A.8.15")
    assert "the entries of the audit trail were not verified for this report" in gaps(report, "A.8.15")
    # Beside the absence: what is asked for is found where it is.
    assert claims(report, "A.8.10", "rules of retention hold now")
    assert claims(report, "A.8.11", "are classified as personal data")


def test_suppressions_are_told_with_their_reasons(report: dict[str, Any]) -> None:
    found = source(report, "suppression")["rows"]
    assert found
    assert all(one["cells"]["reason"] and one["cells"]["rule"].startswith("MIG") for one in found)
    assert len(claims(report, "CC8.1", "of a rule stand in")[0]["rows"]) == len(found)


def test_json_is_what_its_schema_says(report: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "versions/governance/evidence/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(report)


class Page(HTMLParser):
    """What a page is made of; an element that is not closed is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.headings: list[int] = []
        self.bare: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given["href"])] if "href" in given else []
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.bare += [tag] if tag == "th" and "scope" not in given else []
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_leads_only_within_itself_and_runs_nothing(
    made: Path, report: dict[str, Any]
) -> None:
    text = (made / "evidence.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)
    assert {anchor for one in report["controls"] for claim in one["claims"] for anchor in claim["rows"]} <= {
        link[1:] for link in page.links
    }
    assert not page.tags & {"script", "img", "link", "iframe", "form", "object"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert page.bare == []
    assert page.headings[0] == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))


def test_markdown_obeys_nothing_that_a_reason_says(made: Path, report: dict[str, Any]) -> None:
    text = (made / "evidence.md").read_text()
    assert "\\<script\\>" in text
    assert re.findall(r"(?<!\\)<(?!a id=|/a>)", text) == []
    assert "[y](javascript" not in text
    assert "@team" not in text
    for one in report["controls"]:
        for anchor in (anchor for claim in one["claims"] for anchor in claim["rows"]):
            assert f"(#{anchor})" in text
            assert f'<a id="{anchor}"></a>' in text
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(tables) > 100


@pytest.mark.parametrize(
    ("since", "until", "problem"),
    [
        ("2026-13-01", None, '--from "2026-13-01" is neither a date nor an instant'),
        ("2026-01-01", "soon", '--to "soon" is neither a date nor an instant'),
        ("2020-02-01", "2020-01-01", 'the period ends at "2020-01-01T00:00:00Z", before it begins'),
        ("2020-01-01", "2020-01-01T01:00:00+01:00", "to the same moment is empty"),
        ("2999-01-01", None, 'begins at "2999-01-01T00:00:00Z", which is still to come'),
        ("2020-01-01", "2999-01-01", 'ends at "2999-01-01T00:00:00Z", which is still to come'),
    ],
)
def test_what_is_no_period_is_refused(since: str, until: str | None, problem: str) -> None:
    with pytest.raises(PeriodError) as raised:
        read_period(since, until, now=datetime(2026, 11, 27, tzinfo=timezone.utc))
    assert problem in raised.value.problem
    assert raised.value.hint


def test_a_command_ends_with_the_code_of_its_usage(lived: Lived) -> None:
    told = evidence(lived, "--from", "2999-01-01", code=2)
    assert 'error: the period begins at "2999-01-01T00:00:00Z", which is still to come' in told


def test_a_date_is_its_first_moment_in_utc() -> None:
    period = read_period(
        "2026-11-01", "2026-11-02T02:00:00+02:00", now=datetime(2026, 11, 27, tzinfo=timezone.utc)
    )
    assert str(period) == "2026-11-01T00:00:00Z to 2026-11-02T00:00:00Z"
    assert period.holds("2026-11-01T00:00:00.000000Z")
    assert not period.holds("2026-11-02T00:00:00.000000Z")


def read(url: str, since: str, until: str | None = None) -> dict[str, Any]:
    """The report as JSON, made in this process."""
    made: dict[str, Any] = json.loads(as_json(gather(resolve_settings(url), since, until)))
    return made


def test_the_end_is_no_part_of_the_period(lived: Lived) -> None:
    times = "SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM ops.migration_journal ORDER BY id DESC LIMIT 2"
    (last, end), (before, begin) = rows(lived.url, times)
    found = read(lived.url, str(begin), str(end))
    keys = [one["key"] for one in source(found, "journal")["rows"]]
    assert keys == [str(before)]
    assert str(last) not in keys


def test_a_period_without_entries_claims_nothing_of_changes(lived: Lived) -> None:
    found = read(lived.url, "2001-01-01", "2001-02-01")
    assert source(found, "journal")["rows"] == []
    assert found["journal"]["entries"] > 0
    assert claims(found, "CC8.1", "Release") == []
    assert any("has no entry of the period" in gap for gap in gaps(found, "CC8.1"))


def test_the_auditor_role_may_make_it_and_another_login_may_not(lived: Lived, databases: Databases) -> None:
    name = str(parse_dsn(lived.url)["dbname"])
    with connected(lived.url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE evidence_reader LOGIN PASSWORD 'secret'")
        cursor.execute("CREATE ROLE evidence_nobody LOGIN PASSWORD 'secret'")
        cursor.execute("GRANT agent_auditor TO evidence_reader")
    try:
        auditor = databases.url(name, user="evidence_reader", password="secret")
        found = read(auditor, lived.since)
        assert [one["name"] for one in found["sources"] if one["unread"]] == []
        assert found["login"] == "evidence_reader"
        stranger = databases.url(name, user="evidence_nobody", password="secret")
        with pytest.raises(PrivilegeError) as raised:
            gather(resolve_settings(stranger), lived.since)
        assert "connect as a member of agent_auditor" in str(raised.value.hint)
    finally:
        with connected(lived.url) as connection:
            connection.cursor().execute("DROP ROLE evidence_reader, evidence_nobody")


def test_a_database_without_a_journal_is_told(empty_url: str) -> None:
    with pytest.raises(RevisionError) as raised:
        gather(resolve_settings(empty_url), "2020-01-01")
    assert "this database has no journal" in raised.value.problem


@pytest.fixture
def copy(lived: Lived, databases: Databases) -> Iterator[str]:
    """The URL of the same past, for whoever changes it."""
    name = databases.create(str(parse_dsn(lived.url)["dbname"]))
    yield databases.url(name)
    databases.drop(name)


def test_a_broken_chain_is_said_first_and_ends_with_its_own_code(lived: Lived, copy: str) -> None:
    edit = "UPDATE ops.migration_journal SET reason = 'nothing happened' WHERE state = 'failed' RETURNING id"
    ((edited,),) = rows(copy, edit)
    done = agentdb(lived.checkout, copy, "governance", "evidence", "--from", lived.since, "--format", "json")
    assert done.returncode == 3
    assert f"the chain of the journal is broken, at entry {edited}" in done.stderr
    found = json.loads(done.stdout)
    assert not found["journal"]["whole_up_to_period"]
    assert claims(found, "CC8.1", "The journal is as it was written") == []
    assert any(f"broken, at entry {edited}" in gap for gap in gaps(found, "CC8.1"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ops.migration_journal SET at = 'infinity' WHERE state = 'failed' RETURNING id",
        "DELETE FROM ops.migration_journal WHERE state = 'failed' RETURNING id",
        "DELETE FROM ops.migration_journal WHERE id > 3 RETURNING id",
        "DELETE FROM ops.migration_journal RETURNING id",
    ],
)
def test_an_entry_that_was_moved_or_taken_away_breaks_the_chain(lived: Lived, copy: str, change: str) -> None:
    assert rows(copy, change)
    assert gather(resolve_settings(copy), lived.since).evidence.chain.broken


def test_what_came_after_the_period_breaks_nothing_of_it(copy: str) -> None:
    ((since, until),) = rows(copy, BOUNDS)
    assert rows(copy, "UPDATE ops.migration_journal SET reason = 'x' WHERE direction = 'accept' RETURNING id")
    found = gather(resolve_settings(copy), str(since), str(until))
    assert not found.evidence.chain.broken
    assert len(found.evidence.chain.faults) == 1
    gaps = [gap.text for one in found.controls for gap in one.gaps]
    assert any(gap.startswith("behind the period the journal is not as it was written") for gap in gaps)


def journaled(url: str, *entries: Entry) -> list[Written]:
    """Write what one run of its own would; it ends behind the last of them."""
    with locked(resolve_settings(url)) as (_, into):
        return [into.write(entry) for entry in entries]


def test_a_run_that_asked_no_gate_is_an_exception_with_its_entry(copy: str, report: dict[str, Any]) -> None:
    for code in ("CC8.1", "A.8.32"):
        assert len(claims(report, code, "Allowed at")) == 4
        assert claims(report, code, "Ran outside the gate") == []
    since = moment(copy)
    step = Entry("upgrade", "started", revision="014")
    _, applied = journaled(copy, step, replace(step, state="applied"))
    found = read(copy, since)
    first = row(report, claims(report, "CC8.1", "Allowed at")[0]["rows"][0])["key"]
    for code in ("CC8.1", "A.8.32"):
        (beside,) = claims(found, code, "Ran outside the gate")
        assert beside["exception"]
        assert beside["rows"] == [f"journal-{applied.id}"]
        assert "upgrade of revision 014; it reached the database, and no answer" in beside["text"]
        assert beside["text"].endswith(f"answered in this database first with entry {first}.")


def test_a_killed_run_is_told_whatever_was_refused_behind_it(copy: str) -> None:
    since, none = moment(copy), "No entry of the period says that a run failed."
    step = Entry("upgrade", "started", revision="014")
    journaled(copy, Entry("upgrade", "allowed", revision="014"), step, replace(step, state="applied"))
    assert claims(read(copy, since), "CC7.4", none)
    killed = replace(step, revision="015")
    (tried,) = journaled(copy, killed)
    journaled(copy, Entry("upgrade", "refused", reason="a rule", details={"gate": "findings"}))
    journaled(copy, Entry("accept", "applied", reason="seen"))
    found = read(copy, since)
    told = f"how the attempt of entry {tried.id} ended, upgrade of revision 015, is not recorded"
    for code in ("CC7.4", "CC8.1"):
        assert [gap for gap in gaps(found, code) if gap.startswith(told)]
    assert claims(found, "CC7.4", none) == []
    journaled(copy, replace(killed, state="failed", reason="its process ended without a word"))
    mended = read(copy, since)
    assert [gap for gap in gaps(mended, "CC7.4") if gap.startswith(told)] == []
    assert claims(mended, "CC7.4", "A run failed at")


def test_more_entries_than_a_report_lists_are_refused(lived: Lived) -> None:
    settings = resolve_settings(lived.url)
    assert len(gather(settings, lived.since, most_entries=17).evidence.rows("journal")) == 17
    with pytest.raises(PeriodError) as raised:
        gather(settings, lived.since, most_entries=16)
    assert (
        raised.value.problem
        == "the period has more than 16 entries of the journal, and a report lists no more"
    )


KEPT = """
INSERT INTO users (email, display_name) VALUES ('evidence@example.org', 'Evidence Person');
INSERT INTO ops.erasures (subject_id, subject_created_at, reason, requested_at, requested_by, state, plan, plan_hash,
                          erased_at, swept_at, certified_at, certificate)
VALUES (424242, now(), 'request', now(), 515151, 'certified', '{}', sha256('plan'), now(), now(), now(), 'certificate'),
       (424243, now(), 'request', now(), 515151, 'hidden', '{}', sha256('plan'), NULL, NULL, NULL, NULL);
INSERT INTO ops.destroyed_keys (key_id) VALUES (gen_random_uuid());
INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid, dropped_at)
VALUES ('public.audit_log', 'audit_log_2020_01', 1, now());
CREATE TABLE ops.unknown (id bigint);
CREATE ROLE evidence_everywhere;
GRANT pg_write_all_data TO evidence_everywhere;
GRANT SELECT (email) ON users TO PUBLIC;
DO $$ BEGIN
    EXECUTE (SELECT format('GRANT SELECT ON %s TO PUBLIC, agent_auditor', min(inhrelid::regclass::text))
               FROM pg_inherits WHERE inhparent = 'audit_log'::regclass);
END $$;
"""


@pytest.fixture(scope="module")
def kept(
    databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The report of a database where people were erased, and the trail is sealed, told and verified."""
    name, folder = databases.create(template), tmp_path_factory.mktemp("kept")
    url = databases.url(name)
    since = moment(url)
    with connected(url) as connection:
        connection.cursor().execute(KEPT)
    key = make_keys(folder / "seal", folder / "seal.pub")
    assert seal(url, key=key, sinks=[FileSink(folder / "digests")]).entry_count > 0
    agent = ("-m", AGENTDB)
    run(sys.executable, *agent, "health-check", "--only", "mig.revision", "--history", "table", url=url)
    made = run(
        sys.executable, *agent, "governance", "evidence", "--from", since, "--format", "json",
        "--verify-trail", "--public-key", folder / "seal.pub", url=url,
    )  # fmt: skip
    yield json.loads(said(made))
    with connected(url) as connection:
        connection.cursor().execute("DROP ROLE evidence_everywhere")
    databases.drop(name)


def test_what_was_deleted_is_counted_and_nobody_is_named(kept: dict[str, Any]) -> None:
    (ended,) = claims(kept, "A.8.10", "1 erasure of a person ended in the period with a certificate.")
    counted, certificate = (row(kept, anchor) for anchor in ended["rows"])
    assert counted["cells"]["erasures"] == "1"
    assert certificate["hash"] == hashlib.sha256(b"certificate").hexdigest()
    (running,) = claims(kept, "A.8.10", "Not certified yet, of those that began in the period: 1 erasure.")
    assert running["exception"]
    assert claims(kept, "A.8.10", "Recorded as destroyed in the period: 1 key of people.")
    assert claims(
        kept, "A.8.10", "1 partition of the past: detached or dropped in the period; by now 1 are dropped."
    )
    text = json.dumps(kept)
    for person in ("424242", "424243", "515151", "evidence@example.org", "Evidence Person"):
        assert person not in text


def test_a_column_in_no_class_is_an_exception(kept: dict[str, Any], report: dict[str, Any]) -> None:
    (found,) = claims(kept, "A.8.11", "in no class")
    assert found["exception"]
    assert claims(report, "A.8.11", "in no class") == []
    assert claims(report, "A.8.11", "Every column of the schemas public and ops is in the catalogue")


def test_rights_on_columns_on_partitions_and_by_roles_of_postgresql_are_exceptions(
    kept: dict[str, Any], report: dict[str, Any]
) -> None:
    assert claims(report, "CC6.1", "granted to PUBLIC") == []
    (public,) = claims(kept, "CC6.1", "granted to PUBLIC")
    given = {
        one["cells"]["privilege"]: one["cells"]["names"] for one in map(partial(row, kept), public["rows"])
    }
    assert given.keys() == {"SELECT", "SELECT of columns"}
    assert given["SELECT"].startswith("public.audit_log_")
    assert given["SELECT of columns"] == "public.users.email"
    # What the table itself grants is not told again of each of its partitions.
    assert "public.audit_log" in row(kept, "grant-agent_5f_auditor_20_SELECT")["cells"]["names"].split(", ")
    assert given["SELECT"] not in row(kept, "grant-agent_5f_auditor_20_SELECT")["cells"]["names"]
    for code in ("CC6.1", "CC6.3"):
        (beyond,) = claims(kept, code, "Role evidence_everywhere needs no grant on a table")
        assert beyond["text"].endswith("as a member of pg_write_all_data.")
        assert beyond["exception"]
        assert row(kept, beyond["rows"][0])["cells"]["of_package"] == "no"


def test_what_is_read_outside_of_the_snapshot_is_named(made: Path) -> None:
    text = (made / "evidence.md").read_text()
    assert "tables in one read-only snapshot; outside of it: The schema now, Suppressions, Revisions" in text


def test_seals_anchors_and_the_verified_trail_are_told(kept: dict[str, Any]) -> None:
    (sealed,) = claims(kept, "A.8.15", "1 seal of the period, over")
    assert "of their numbers none are missing" in sealed["text"]
    assert re.fullmatch("[0-9a-f]{64}", row(kept, sealed["rows"][1])["hash"])
    assert claims(kept, "A.8.15", "The audit trail has")
    assert claims(kept, "A.8.15", "Digests of seals were sent to 1 place outside of the database.")
    (verified,) = claims(kept, "A.8.15", "was verified for this report")
    assert verified["text"].endswith("1 seals, whole.")
    assert row(kept, verified["rows"][0])["cells"]["signatures"] == "checked"


def test_health_checks_that_left_a_record_are_told(kept: dict[str, Any]) -> None:
    (found,) = claims(kept, "CC7.2", "left a record in the period")
    assert "health-run" in found["rows"]


def test_what_differs_now_is_an_exception(kept: dict[str, Any]) -> None:
    (found,) = claims(kept, "CC7.1", "the schema was compared with the journal")
    assert found["exception"]
    assert "differ" in row(kept, found["rows"][0])["cells"]["result"]
