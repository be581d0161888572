"""Do what is to be done again and again: the gate, unfinished erasures, retention, completions, notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, SettingsError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.completion import Completed, complete_erasures
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import Delivered, deliver
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import WAIT_S
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.replay import watch
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import resume
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, eraser, patiently
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import unfinished
from spotify_ai_agent_migrations.versions.gdpr_erasure.retention import Retained, apply_retention

EVERY_S: Final = 3_600.0
_KEY: Final = lock_key("gdpr-erasure work")
_CALLED: Final = "the lock of the job that erases"
_LONGEST_PAUSE_S: Final = 300.0
_CLOSED: Final = "gate: the database was restored, and lets nobody in before agentdb gdpr-erasure replay"


@dataclass(frozen=True)
class Worked:
    """What one round did.

    resumed: certificates of erasures that had been interrupted. problems: what went wrong, and at what; the
    next round tries again.
    """

    resumed: tuple[ErasureCertificate, ...] = ()
    retained: tuple[Retained, ...] = ()
    completed: tuple[Completed, ...] = ()
    delivered: Delivered | None = None
    problems: tuple[str, ...] = ()


def work(
    url: str | None = None,
    *,
    key: SigningKey | Path | str | None = None,
    wait_s: float = WAIT_S,
    every_s: float = EVERY_S,
) -> Worked:
    """Do one round, and say in the database that it ended well, and how soon the next is expected.

    First the ledger is looked at, where the server has started since. Then come erasures that were
    interrupted, then what no rule of retention keeps, then what erasures had left
    because of a hold or a rule that is over, then the notices to recipients. None of them keeps another from
    its turn. wait_s: how long each erasure waits for older transactions.

    Raises:
        LockError: another process does one at this moment.
        SettingsError: a key is missing; nothing was done.
        PrivilegeError: the login may not act as agent_eraser.
    """
    keys = keys_for(resolve_settings(url), key=key)
    with (
        eraser(url) as connection,
        advisory_lock(connection, _KEY, wait_ms=0, called=_CALLED),
    ):
        problems: list[str] = []
        with _noted("gate", problems):
            problems += [] if watch(url, key=key) else [_CLOSED]
        resumed = tuple(_resumed(url, patiently(connection, unfinished), key, wait_s, problems))
        retained: tuple[Retained, ...] = ()
        completed: tuple[Completed, ...] = ()
        delivered: Delivered | None = None
        with _noted("retention", problems):
            retained = apply_retention(url)
        with _noted("completions", problems):
            completed = complete_erasures(url, key=key, wait_s=wait_s)
        with _noted("notices", problems):
            delivered = deliver(url, keys=keys)
        problems += _said(retained, completed, delivered)
        if not problems:
            patiently(connection, lambda cursor: cursor.execute(STATEMENTS["beat"], {"every_s": every_s}))
    return Worked(resumed, retained, completed, delivered, tuple(problems))


def work_every(
    url: str | None = None,
    *,
    key: SigningKey | Path | str | None = None,
    wait_s: float = WAIT_S,
    every_s: float = EVERY_S,
    stopped: threading.Event,
    told: Callable[[Worked], None],
    failed: Callable[[MigrationError], None],
) -> None:
    """Do a round every so many seconds until *stopped* is set, which ends it after the one at hand.

    A round that cannot be done at all is told to *failed*, and tried again after five minutes at the latest.

    Raises:
        SettingsError: what to connect to, or a key, is missing or malformed.
    """
    while not stopped.is_set():
        pause_s = every_s
        try:
            told(work(url, key=key, wait_s=wait_s, every_s=every_s))
        except SettingsError:
            raise
        except MigrationError as error:
            failed(error)
            pause_s = min(every_s, _LONGEST_PAUSE_S)
        stopped.wait(pause_s)


def _resumed(
    url: str | None,
    numbers: Iterable[object],
    key: SigningKey | Path | str | None,
    wait_s: float,
    problems: list[str],
) -> Iterator[ErasureCertificate]:
    """Yield the certificates of the erasures of these *numbers*; one that is stuck stops none."""
    for number in numbers:
        with _noted(f"erasure {number}", problems):
            yield from resume(str(number), wait_s=wait_s, key=key, url=url)


@contextmanager
def _noted(what: str, problems: list[str]) -> Iterator[None]:
    """Note an error of the block, so that what comes after it has its turn."""
    try:
        with translated():
            yield
    except MigrationError as error:
        problems.append(f"{what}: {error.problem}")


def _said(
    retained: Iterable[Retained], completed: Iterable[Completed], delivered: Delivered | None
) -> Iterator[str]:
    """Yield what went wrong inside of them."""
    yield from (f"retention of {one.table}, {one.rule}: {one.note}" for one in retained if one.failed)
    yield from (f"completion of erasure {one.erasure}: {one.problem}" for one in completed if one.problem)
    yield from (
        f"notices to {name}: {problem}" for name, problem in (delivered.problems if delivered else ())
    )
