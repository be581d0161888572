"""What a check asked can be asked again by a person, in psql, as it stands."""

from __future__ import annotations

import pathlib
import time
from contextlib import closing

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.health_check import asking, check_health
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.session import Session
from support import client, rows
from support import run as started


def test_every_statement_goes_into_psql_as_it_is_shown(url: str, tmp_path: pathlib.Path) -> None:
    for extension in ("amcheck", "pgstattuple"):
        rows(url, f"CREATE EXTENSION {extension}")
    answered = {ran.check for ran in check_health(url=url, deep=True).checks if not ran.reason}
    asked = [check for check in CHECKS if check.id in answered]
    # The others are of a standby, or of another version.
    assert len(asked) > 120
    with closing(Session(resolve_settings(url), deadline=time.monotonic() + 60)) as session:
        session.open()
        shown = [asking.shown(session, check) for check in asked]
    script = tmp_path / "shown.sql"
    script.write_text("\n".join(["BEGIN READ ONLY;", *shown, "COMMIT;"]), encoding="utf-8")
    done = started(client("psql", url), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("row") >= len(asked)


def test_the_evidence_of_one_thing_among_many_is_what_was_asked_of_it(empty_url: str) -> None:
    for name in ("t", "u", "v%s"):
        rows(empty_url, f'CREATE TABLE "{name}" (a serial PRIMARY KEY)')
        rows(empty_url, f'INSERT INTO "{name}" VALUES (7)')
    found = check_health(url=empty_url, only=["seq.behind_max"]).findings
    assert {one.subject.name: [row[2] for row in rows(empty_url, one.evidence_sql)] for one in found} == {
        name: [name] for name in ("t_a_seq", "u_a_seq", "v%s_a_seq")
    }
