"""Watch over the workers of a backfill: hold them while something stands against going on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from spotify_ai_agent_migrations.versions.core.errors import LockError, TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import brakes, progress
from spotify_ai_agent_migrations.versions.zero_downtime_migration.gate import Gate
from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import Pace
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_FIRST_LOOK_S = 0.1
_PAUSED = "paused, as was asked"
_SHARED = "others write: it fills for a part of the time"


@dataclass(frozen=True)
class Watch:
    """What is watched: a step of a change, how it is paced, and who is told."""

    session: Session
    change_id: int
    place: int
    pace: Pace
    gate: Gate
    look: brakes.Look
    tell: Callable[[str], None]


def begin(watch: Watch) -> None:
    """Hold the workers before they begin, if another process has asked to pause; say whether others write.

    Raises:
        TableError: it was asked to end.
    """
    _heed(watch, time.monotonic())
    _set(watch, _PAUSED if _obey(watch) else None)


def _obey(watch: Watch) -> bool:
    """Tell whether another process has asked to pause; end if it has asked for that."""
    asked = watch.session.value("asked_of", id=watch.change_id)
    if asked == "end":
        raise TableError(
            f"the backfill of change {watch.change_id} was cancelled; what is filled stays filled",
            hint="abort the change, or resume it and run it again",
        )
    return bool(asked == "pause")


def watch(watch: Watch, over: Event) -> None:
    """Look again and again until *over* is set.

    Raises:
        TableError: it was asked to end.
        LockError: something stood against going on for longer than the pace allows.
    """
    meter = progress.Meter(watch.session, watch.change_id, watch.place)
    pace, held_since, told_at = watch.pace, None, time.monotonic()
    heeded_at = time.monotonic()
    # What is over in a moment need not be watched.
    over.wait(min(_FIRST_LOOK_S, pace.look_every_s))
    while not over.is_set():
        heeded_at = _heed(watch, heeded_at)
        reason, most_s = _reason(watch)
        _set(watch, reason)
        held_since = (held_since or time.monotonic()) if reason else None
        if held_since is not None and time.monotonic() - held_since >= most_s:
            raise LockError(
                f"the backfill of change {watch.change_id} has stood still for {most_s:g} s: {reason}",
                hint="run it again when that is over; what is filled stays filled",
            )
        if time.monotonic() - told_at >= pace.tell_every_s:
            told_at = time.monotonic()
            watch.tell(meter.read(watch.gate.reason).line)
        over.wait(pace.look_every_s)


def _heed(watch: Watch, last_s: float) -> float:
    """Share with others that write, or did so a moment ago; return when they were last seen to."""
    now_s, write = time.monotonic(), brakes.others_write(watch.look)
    if write and not watch.gate.is_shared and watch.pace.part < 1:
        watch.tell(_SHARED)
    if write or now_s - last_s >= watch.pace.heeded_s:
        # Who writes now and then is seen at some looks only.
        watch.gate.share(shared=write)
    return now_s if write else last_s


def _reason(watch: Watch) -> tuple[str | None, float]:
    """Return why to stop now, and how long that may last."""
    if _obey(watch):
        return _PAUSED, watch.pace.most_paused_s
    waiting = brakes.waiting(watch.look)
    if waiting:
        watch.gate.ease()
    return waiting or brakes.reason(watch.look), watch.pace.most_held_s


def _set(watch: Watch, reason: str | None) -> None:
    if reason and not watch.gate.reason:
        watch.tell(f"waiting: {reason}")
    if reason:
        watch.gate.hold(reason)
    elif watch.gate.reason:
        watch.gate.open()
        watch.tell("going on")
