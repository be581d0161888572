"""Look at the disks of a server that is on this machine; of another nobody can tell from here. No SQL."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import Check, Row
from spotify_ai_agent_migrations.versions.health_check.finding import State

_ELSEWHERE: Final = "the server is not on this machine, and tells nobody how full its disks are"
_CURE: Final = "run this on the server's machine too, or leave the check out where somebody else looks"
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


def looked(check: Check, rows: Sequence[Row], *, most_s: float) -> list[Row]:
    """Return *rows*, each a directory, with how full its disk is, one a disk; what cannot be told is unknown.

    A disk that does not answer in *most_s*, a share of another machine perhaps, is waited for no longer.
    """
    if not all(_is_here(row) for row in rows):
        return [_unknown(replace(row, kind="server", name="disks"), _ELSEWHERE, _CURE) for row in rows[:1]]
    found: list[Row] = []
    asked: list[Row] = []
    # It is a daemon: what never comes back must not keep the process either.
    thread = Thread(target=_look, args=(check, rows, asked, found), daemon=True)
    thread.start()
    thread.join(most_s)
    if not thread.is_alive():
        return found
    unanswered = rows[len(asked) - 1 :] if asked else rows
    return [*found, *(_unknown(row, f"its disk did not answer in {most_s:g} s") for row in unanswered)]


def _is_here(row: Row) -> bool:
    """Tell whether the process that answered is one of this machine; a tunnel can make it look so."""
    try:
        return Path(f"/proc/{row.values['pid']}/cmdline").read_bytes().startswith(b"postgres")
    except OSError:
        return False


def _look(check: Check, rows: Sequence[Row], asked: list[Row], found: list[Row]) -> None:
    devices: set[int] = set()
    for row in rows:
        asked.append(row)
        try:
            device = os.stat(row.name).st_dev  # noqa: PTH116  (a path of the server's, as it is)
            if device not in devices:
                found.append(_measured(check, row))
            devices.add(device)
        except OSError as error:
            found.append(_unknown(row, f"this user may not look there: {error.strerror}", _CURE))


def _measured(check: Check, row: Row) -> Row:
    disk = os.statvfs(row.name)
    free = disk.f_bavail * disk.f_frsize
    taken = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    used = taken / max(1, taken + free)
    values = {"percent": round(100 * used), "free": _size(free), "free_bytes": free, "path": row.name}
    return replace(row, measure=used, state=_state(check, used, free).value, values=values)


def _state(check: Check, used: float, free: int) -> State:
    """Judge a disk; a tenth of a large one is room enough."""
    for limit, least, state in (
        (check.critical, "least_free_critical", State.CRITICAL),
        (check.warning, "least_free", State.WARNING),
    ):
        if limit is not None and used >= limit and free < int(str(check.settings[least])):
            return state
    return State.OK


def _unknown(row: Row, reason: str, cure: str = "") -> Row:
    values = {"reason": reason} | ({"cure": cure} if cure else {})
    return replace(row, state=State.UNKNOWN.value, values=values)


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.0f} {_UNITS[-1]}"
