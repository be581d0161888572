"""Disks are looked at where the server is; what cannot be told from here is unknown."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from faults import lower
from spotify_ai_agent_migrations.versions.health_check import State, check_health
from spotify_ai_agent_migrations.versions.health_check.catalogue import CHECKS
from spotify_ai_agent_migrations.versions.health_check.check import Row
from spotify_ai_agent_migrations.versions.health_check.disks import looked
from support import rows

(FREE,) = (one for one in CHECKS if one.id == "disk.free")
CURE = "run this on the server's machine too, or leave the check out where somebody else looks"


def _row(url: str, name: Path) -> Row:
    ((pid,),) = rows(url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    return Row("directory", None, str(name), None, None, {"pid": pid}, (), "SELECT 1")


def test_the_disk_of_the_server_is_measured_once(empty_url: str) -> None:
    report = check_health(url=empty_url, only=["disk.free"], limits={"disk.free": (1.1, 1.1)})
    ((folder,),) = rows(empty_url, "SHOW data_directory")
    (ran,) = report.checks
    (one,) = ran.measured
    disk = os.statvfs(str(folder))
    assert (ran.state, one.subject.kind, one.subject.name) == (State.OK, "directory", folder)
    assert one.measure == pytest.approx(
        1 - disk.f_bavail / (disk.f_blocks - disk.f_bfree + disk.f_bavail), abs=0.05
    )


def test_a_disk_is_full_where_little_is_left_and_not_where_a_tenth_is_much(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"disk.free": (0.0, 0.0)}
    lower(monkeypatch, "disk.free", {"least_free": 1, "least_free_critical": 1})
    assert check_health(url=empty_url, only=["disk.free"], limits=limits).state is State.OK
    lower(monkeypatch, "disk.free", {"least_free": 1 << 60, "least_free_critical": 1})
    (found,) = check_health(url=empty_url, only=["disk.free"], limits=limits).findings
    assert found.state is State.WARNING
    assert (
        found.summary
        == f"{found.values['percent']} % of {found.subject.name} are used, and {found.values['free']} are left"
    )
    lower(monkeypatch, "disk.free", {"least_free": 1 << 60, "least_free_critical": 1 << 60})
    assert check_health(url=empty_url, only=["disk.free"], limits=limits).state is State.CRITICAL


def test_a_server_that_is_not_here_tells_nothing_of_its_disks(empty_url: str, tmp_path: Path) -> None:
    here = _row(empty_url, tmp_path)
    assert [row.state for row in looked(FREE, [here], most_s=1)] != ["unknown"]
    # As through a tunnel: the folder is there, and the process that answered is none of the server's.
    elsewhere = replace(here, values={"pid": os.getpid()})
    (row,) = looked(FREE, [elsewhere, elsewhere], most_s=1)
    assert (row.kind, row.name, row.state, row.measure) == ("server", "disks", "unknown", None)
    assert row.values == {
        "reason": "the server is not on this machine, and tells nobody how full its disks are", "cure": CURE,
    }  # fmt: skip


def test_a_folder_that_cannot_be_seen_is_unknown_beside_those_that_can(
    empty_url: str, tmp_path: Path
) -> None:
    seen, hidden = looked(FREE, [_row(empty_url, tmp_path), _row(empty_url, tmp_path / "none")], most_s=1)
    assert seen.measure is not None
    assert (hidden.state, hidden.values) == (
        "unknown", {"reason": "this user may not look there: No such file or directory", "cure": CURE},
    )  # fmt: skip


def test_a_disk_that_does_not_answer_keeps_nobody(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_ = [_row(empty_url, tmp_path), _row(empty_url, tmp_path / "x"), _row(empty_url, tmp_path / "y")]
    measure = os.statvfs
    (tmp_path / "x").mkdir()

    def slowly(path: str) -> os.statvfs_result:
        time.sleep(3 if path.endswith("x") else 0)
        return measure(path)

    monkeypatch.setattr(os, "statvfs", slowly)
    monkeypatch.setattr(os, "stat", lambda path, **_: type("", (), {"st_dev": hash(path)}))
    began = time.monotonic()
    seen = looked(FREE, rows_, most_s=0.2)
    assert time.monotonic() - began < 0.2 + 1.0
    assert [row.values.get("reason") for row in seen] == [None, *["its disk did not answer in 0.2 s"] * 2]
