"""Production runs what was approved and what staging has run, and its journal says what was refused and why."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import py_compile
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from alembic.util import load_python_file

from spotify_ai_agent_migrations.versions.core.envelope import opened
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.signing import make_keys
from spotify_ai_agent_migrations.versions.governance import discover
from spotify_ai_agent_migrations.versions.governance.approval import approve_revision
from spotify_ai_agent_migrations.versions.governance.approvals import Approval, add_approval
from spotify_ai_agent_migrations.versions.governance.checksums import checksum, rendered
from spotify_ai_agent_migrations.versions.governance.pending import Missing, Pending
from spotify_ai_agent_migrations.versions.governance.persons import Person
from spotify_ai_agent_migrations.versions.governance.receipts import Receipt, read_receipt, signed_receipt
from spotify_ai_agent_migrations.versions.runner.promotion import judge
from support import HEAD, NEXT, Checkout, Databases, connected, rows, run, run_alembic

ADA = "Ada Lovelace <ada@example.org>"
ANSWERS = "SELECT state, direction, revision, reason, details FROM ops.migration_journal WHERE details IS NOT NULL ORDER BY id"


class Scene:
    """A checkout under Git with one more revision by Bob, a staging, a production, and the keys between them."""

    def __init__(self, checkout: Checkout, folder: pathlib.Path, staging: str, production: str) -> None:
        self.checkout, self.staging, self.production = checkout, staging, production
        self.key, self.receipts = folder / "staging.pem", folder / "receipts"
        self.receipts.mkdir()
        self.signing = make_keys(self.key, folder / "staging.pub")
        self.variables = {
            "PYTHONPATH": str(checkout.root.parent),
            "MIGRATIONS_RECEIPTS": str(self.receipts),
            "MIGRATIONS_RECEIPT_KEYS": str(folder / "staging.pub"),
        }
        number = checkout.add(_commented("'People'"), downgrade=_commented("NULL"))
        self.file = checkout.versions / f"{number}_added.py"
        self.git("init", "-q")
        self.commit()

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=Bob Martin", "-c", "user.email=bob@example.org")
        subprocess.run(["git", *who, *arguments], cwd=self.checkout.root, check=True, capture_output=True)

    def commit(self) -> None:
        """Record the checksums, and let Bob commit the revision."""
        files = [revision.path for revision in discover(self.checkout.versions)]
        (self.checkout.versions / "CHECKSUMS").write_text(rendered(files))
        self.git("add", str(self.file))
        self.git("commit", "-qm", "revisions: comment on people")

    def edit(self, comment: str) -> None:
        self.file.write_text(self.file.read_text().replace("People", comment))
        self.commit()

    def agentdb(self, *arguments: str, url: str | None = None, **more: str) -> tuple[int, str]:
        command = (sys.executable, "-m", "spotify_ai_agent_migrations", "governance", *arguments)
        done = run(*command, url=url, cwd=self.checkout.root, **self.variables, **more)
        return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def alembic(self, *arguments: str, url: str, environment: str = "production") -> tuple[int, str]:
        command = (sys.executable, "-m", "alembic", *arguments)
        done = run(*command, url=url, cwd=self.checkout.root, MIGRATIONS_ENV=environment, **self.variables)
        return done.returncode, done.stderr

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in production."""
        more = {"MIGRATIONS_ENV": "production", **self.variables}
        return run(sys.executable, *arguments, url=self.production, cwd=self.checkout.root, **more)

    def upgrade(self) -> tuple[int, str]:
        return self.alembic("upgrade", "head", url=self.production)

    def refused(self) -> list[str]:
        """Try to upgrade production; it is refused, says so, changes nothing, and journals what is missing."""
        before = len(self.answers())
        code, told = self.upgrade()
        assert code == 3, told
        assert f"error: production does not run the upgrade of {self.file.stem} (" in told
        assert "; nothing was executed\nHint: " in told
        assert rows(self.production, "SELECT version_num FROM alembic_version") == [(HEAD,)]
        (answer,) = self.answers()[before:]
        state, direction, revision, reason, details = answer
        assert (state, direction, revision, details["gate"]) == ("refused", "upgrade", NEXT, "promotion")
        assert reason == "; ".join(one["said"] for one in details["missing"])
        assert reason in told
        return [one["code"] for one in details["missing"]]

    def answers(self) -> list[tuple[Any, ...]]:
        return rows(self.production, ANSWERS)

    def approve(self) -> None:
        approve_revision(self.checkout.versions, NEXT, reviewer=ADA, at="2026-01-01T00:00:00Z")

    def receipt(self, out: pathlib.Path) -> Receipt:
        code, told = self.agentdb(
            "receipt", "--key", str(self.key), "--out", str(out), url=self.staging, MIGRATIONS_ENV="staging"
        )
        assert code == 0, told
        return said_by(out)

    def put(self, name: str, text: bytes) -> pathlib.Path:
        """Let a file lie among the receipts."""
        file = self.receipts / f"{name}.json"
        file.write_bytes(text)
        return file


def _commented(text: str) -> str:
    return f'execute("COMMENT ON INDEX users_pkey IS {text}")'


def said_by(file: pathlib.Path) -> Receipt:
    envelope = opened(file.read_bytes())
    assert envelope is not None
    receipt = read_receipt(envelope)
    assert receipt is not None
    return receipt


@pytest.fixture
def scene(
    checkout: Checkout, tmp_path: pathlib.Path, databases: Databases, template: str, url: str
) -> Iterator[Scene]:
    staging = databases.create(template)
    yield Scene(checkout, tmp_path, databases.url(staging), url)
    databases.drop(staging)


def test_production_is_refused_in_turn_then_let_in_then_broken_open(
    scene: Scene, tmp_path: pathlib.Path
) -> None:
    # No approval; and no receipt, all that is missing at once.
    assert scene.refused() == ["no-approval", "no-receipt"]

    # Its author approves: the command refuses, and a line that hides the author is held against Git.
    code, told = scene.agentdb("approve", NEXT, "--reviewer", "bob MARTIN <other@example.org>")
    assert (code, "wrote some of it" in told) == (1, True)
    hidden = Approval(scene.file.name, checksum(scene.file), "2026-01-01T00:00:00Z", Person("Bob Martin", "b@x"), (Person("Eve", "e@x"),))  # fmt: skip
    add_approval(scene.checkout.versions, hidden)
    assert scene.refused() == ["approved-by-author", "no-receipt"]

    # Ada approves, staging runs it and signs a receipt, goes back; and then Bob changes the text.
    scene.approve()
    assert scene.alembic("upgrade", "head", url=scene.staging, environment="staging")[0] == 0
    earlier = scene.receipt(tmp_path / "earlier.json")
    assert scene.alembic("downgrade", "-1", url=scene.staging, environment="staging")[0] == 0
    scene.edit("Listeners")
    assert scene.refused() == ["approval-of-another-checksum"] * 2 + ["no-receipt"]

    # No receipt.
    told = f"{scene.file.name} {checksum(scene.file)[:12]} approved by {ADA}\n"
    assert scene.agentdb("approve", NEXT, "--reviewer", ADA) == (0, told)
    assert scene.refused() == ["no-receipt"]

    # A receipt of another checksum.
    scene.put("earlier", (tmp_path / "earlier.json").read_bytes())
    assert earlier.of(scene.file.name) is not None
    assert scene.refused() == ["receipt-of-another-checksum"]

    # An expired receipt.
    assert scene.alembic("upgrade", "head", url=scene.staging, environment="staging")[0] == 0
    good = scene.receipt(tmp_path / "good.json")
    (scene.receipts / "earlier.json").unlink()
    old = scene.put("old", signed_receipt(replace(good, at="2026-01-01T00:00:00Z"), scene.signing))
    assert scene.refused() == ["receipt-expired"]

    # A forged signature: by a key of somebody else's, and of another payload.
    old.unlink()
    other = make_keys(tmp_path / "other.pem", tmp_path / "other.pub")
    by_other = scene.put("other", signed_receipt(good, other))
    assert scene.refused() == ["receipt-forged"]
    by_other.unlink()
    said = json.loads((tmp_path / "good.json").read_text())
    stolen = json.loads(signed_receipt(replace(good, at="2026-06-01T00:00:00Z"), other))
    forged = scene.put("forged", json.dumps({**stolen, "signatures": said["signatures"]}).encode())
    assert scene.refused() == ["receipt-forged"]

    # Let in: the forged receipt that lies beside takes nothing from the good one.
    scene.put("good", (tmp_path / "good.json").read_bytes())
    assert forged.exists()
    ready = f'{scene.file.name}: ready; 1 of 1 approve, receipt "good.json"\n'
    assert scene.agentdb("promote", "--check", url=scene.production, MIGRATIONS_ENV="production") == (
        0,
        ready,
    )
    code, told = scene.upgrade()
    assert code == 0, told
    state, _, revision, reason, details = scene.answers()[-1]
    assert (state, revision, reason, details["missing"]) == ("allowed", NEXT, None, [])
    assert [one["reviewer"] for one in details["approvals"]] == [ADA]
    assert (details["receipt"]["file"], details["receipt"]["key"]) == ("good.json", scene.signing.key_id)
    runs = "SELECT state FROM ops.migration_journal WHERE run = (SELECT run FROM ops.migration_journal ORDER BY id DESC LIMIT 1) ORDER BY id"
    assert rows(scene.production, runs) == [("allowed",), ("started",), ("applied",)]

    # The way back takes two persons and a way back in staging; an empty reason breaks no glass; a reason does.
    back = ("downgrade", "-1")
    code, told = scene.alembic(*back, url=scene.production)
    assert (code, "nothing was executed" in told) == (3, True)
    missing = [one["code"] for one in scene.answers()[-1][4]["missing"]]
    assert missing == ["too-few-approvals", "receipt-without-downgrade", "receipt-forged"]
    for reason in ("", "  ", "\u200b", "-"):
        code, told = scene.alembic(
            "-x", "break-glass=1", "-x", f"reason={reason}", *back, url=scene.production
        )
        assert (code, "an exception is made for a reason" in told) == (2, True)
    spoken = ("-x", "break-glass=1", "-x", "reason=outage 42")
    code, told = scene.alembic(*spoken, *back, url=scene.production)
    assert code == 0, told
    assert (
        f"BREAK-GLASS: the downgrade of {scene.file.stem} goes on though 1 person of 2 approves of it" in told
    )
    state, direction, revision, reason, details = scene.answers()[-1]
    assert (state, direction, revision, reason) == ("overridden", "downgrade", NEXT, "outage 42")
    assert [one["code"] for one in details["missing"]] == missing
    assert rows(scene.production, "SELECT version_num FROM alembic_version") == [(HEAD,)]

    # All of it is in the journal, which is whole.
    assert [state for state, *_ in scene.answers()] == ["refused"] * 8 + ["allowed", "refused", "overridden"]
    code, told = scene.agentdb("journal", "--verify", url=scene.production)
    assert (code, "whole" in told) == (0, True), told
    listed = scene.agentdb("journal", url=scene.production)[1]
    assert f"downgrade {NEXT} overridden  (outage 42)" in listed


def test_a_new_production_is_refused_for_every_revision_at_once(empty_url: str) -> None:
    done = run_alembic("upgrade", "head", url=empty_url, MIGRATIONS_ENV="production")
    assert done.returncode == 3
    told = "nobody approves of it in APPROVALS; no receipt can be verified: MIGRATIONS_RECEIPT_KEYS names no file of public keys"
    assert done.stderr.count(told) == int(HEAD)
    assert "Hint: let a reviewer say agentdb governance approve 001 --reviewer " in done.stderr
    assert rows(empty_url, "SELECT to_regclass('public.alembic_version')") == [(None,)]
    refused = rows(empty_url, "SELECT revision, state, reason FROM ops.migration_journal ORDER BY id")
    assert refused == [(f"{number:03}", "refused", told) for number in range(1, int(HEAD) + 1)]


def test_glass_is_broken_where_what_is_asked_cannot_be_read(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATIONS_RECEIPT_MAX_AGE_HOURS", "week")
    with connected(url, autocommit=False) as connection:
        with pytest.raises(SettingsError):
            judge(connection, (Pending(NEXT),))
        (verdict,) = judge(connection, (Pending(NEXT),), glass=True)
    told = 'MIGRATIONS_RECEIPT_MAX_AGE_HOURS is "week", which is no number of hours'
    assert verdict.missing == (Missing("unreadable", told),)


def test_every_way_in_is_asked_and_what_is_no_run_is_not(scene: Scene) -> None:
    script, added = str(scene.file), scene.file.stem
    calling = (
        f"import importlib; importlib.import_module('spotify_ai_agent_migrations.versions.{added}').upgrade()"
    )
    for name, command, told in [
        ("a script", (script,), "error: production does not run"),
        ("a call", ("-c", calling), "PromotionError: production does not run"),
        ("promote", ("-m", "spotify_ai_agent_migrations", "governance", "promote"), "error: production does not run"),
        ("a stamp", ("-m", "alembic", "stamp", NEXT), "a stamp says that it ran, and nothing shows that"),
        ("a purge", ("-m", "alembic", "stamp", "--purge", "base"), "the stamp of base (a stamp says that it ran"),
    ]:  # fmt: skip
        done = scene.python(*command)
        assert done.returncode != 0, name
        assert told in done.stderr, (name, done.stderr)
    assert [row[:3] for row in scene.answers()] == [
        *[("refused", "upgrade", NEXT)] * 3,
        ("refused", "stamp", NEXT),
        ("refused", "stamp", None),
    ]
    assert rows(scene.production, "SELECT version_num FROM alembic_version") == [(HEAD,)]

    # What a rule refuses before anybody has connected is journaled too.
    draft = scene.checkout.versions / f"{scene.checkout.add(_commented('NULL'))}_added.py"
    assert scene.upgrade()[0] == 3
    draft.unlink()
    assert (scene.answers()[-1][3] or "").startswith(f"versions/{draft.name}:1: MIG102 ")
    assert [(row[0], row[4]["gate"]) for row in scene.answers()][-1] == ("refused", "findings")

    # To execute and roll back, to write a script and to look is no run.
    written = scene.python("-m", "alembic", "upgrade", f"{HEAD}:{NEXT}", "--sql")
    assert (written.returncode, "IS 'People'" in written.stdout) == (0, True), written.stderr
    rehearsed = scene.python(script, "--dry-run")
    assert (rehearsed.returncode, rehearsed.stdout) == (0, f"{added}: executed and rolled back\n")
    assert scene.python("-m", "alembic", "current").returncode == 0
    assert len(scene.answers()) == 6

    # With a way back at its failure, the way back is asked for too.
    done = scene.python("-m", "alembic", "-x", "on-failure=rollback", "upgrade", "head")
    assert done.returncode == 3
    assert "nobody approves, and two persons have to" in done.stderr
    assert "no receipt of staging has it, its downgrade included" in done.stderr

    # Glass is broken in production only, by a script as by the other ways.
    code, told = scene.alembic(
        "-x",
        "break-glass=1",
        "-x",
        "reason=outage",
        "upgrade",
        "head",
        url=scene.production,
        environment="staging",
    )
    assert (code, 'there is no glass to break: MIGRATIONS_ENV is "staging"' in told) == (2, True)
    assert scene.python(script, "--break-glass").returncode == 2
    # What lies in a cache of bytecode is not what was judged, though Python would believe it.
    other = scene.checkout.root / "other.txt"
    other.write_text(scene.file.read_text().replace("People", "Cached"))
    cached = importlib.util.cache_from_source(script)
    py_compile.compile(
        str(other), cfile=cached, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    found = load_python_file(scene.checkout.versions, scene.file.name)
    assert "Cached" in str(found.upgrade.__code__.co_consts)
    broken = scene.python(script, "--break-glass", "--reason", "outage 42")
    pathlib.Path(cached).unlink()
    assert rows(scene.production, "SELECT obj_description('users_pkey'::regclass)") == [("People",)]
    assert (broken.returncode, broken.stdout) == (0, f"{added}: applied\n"), broken.stderr
    assert (
        f"BREAK-GLASS: the upgrade of {added} goes on though nobody approves of it in APPROVALS"
        in broken.stderr
    )
    assert [(state, reason) for state, _, _, reason, _ in scene.answers()][-1] == ("overridden", "outage 42")

    # What other gates refuse in production is journaled as well.
    rows(scene.production, "COMMENT ON INDEX users_pkey IS 'by hand'")
    assert scene.upgrade()[0] == 3
    scene.edit("Others")
    assert scene.upgrade()[0] == 1
    assert [(state, details["gate"]) for state, *_, details in scene.answers()][-2:] == [
        ("refused", "drift"),
        ("refused", "edited"),
    ]
    assert scene.answers()[-1][3] == f"revision {NEXT} changed after it was applied, in its code"
