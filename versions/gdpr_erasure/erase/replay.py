"""Erase again whom a restore has brought back: whoever is in the ledger and not erased in the database.

In the order of the ledger, each by the same erasure as the first time. A person is known by number and
instant of registration together, so nobody is erased who was given a number again, or came back and
registered anew. Again it finds nothing to do. The application is let in once nobody is left and nothing is
in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, SettingsError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import LEDGER, Keys, keys_for, ledger_key_id
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.ledger import SQL, read_ledger
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import Line
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import REPLAY, WAIT_S
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.returned import (
    Case,
    Returned,
    cases,
    named,
    returned,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.run import erase_again, go_on
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import eraser, patiently
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import unfinished

_LOCK: Final = lock_key("replay of erasures")
_CALLED: Final = "the replay of erasures"
_FETCHED_ROWS: Final = 10_000


@dataclass(frozen=True)
class Failure:
    """An erasure that could not be done again, and what to do; it is tried again by the next replay."""

    erasure: UUID
    problem: str
    hint: str


@dataclass(frozen=True)
class Replayed:
    """What a replay found and did.

    lines: of the ledger. missing: erasures of the database that the ledger lacks, which then is another's, or
    an older copy; `export_ledger` writes them to it where it is not. known: erasures that the database has,
    or has one of that person. resumed: those of them whose end it had lost. erased: people erased again.
    absent: nobody here is meant, as in a backup from before they registered. in_doubt: erasures of people who
    are here, of which the ledger says only that they were to begin. completions: what was completed since the
    backup, and is completed again when its hold is released again or has run out. is_open: whether the
    application is let in.
    """

    lines: int
    missing: int
    known: int
    resumed: int
    erased: int
    absent: int
    in_doubt: tuple[UUID, ...]
    completions: int
    failures: tuple[Failure, ...]
    is_open: bool


def replay(
    ledger: Path | str | Sequence[Path | str],
    url: str | None = None,
    *,
    public_key: Path | None = None,
    with_doubtful: bool | None = None,
    wait_s: float = WAIT_S,
    key: SigningKey | Path | str | None = None,
) -> Replayed:
    """Erase again everybody in *ledger* whom the database at *url* still has, and let the application in.

    ledger: one file, or several in their order. public_key: all keys that ever signed it; without, the one
    that signs now. with_doubtful: whether to erase whom the ledger says only that it was to begin, as where
    a process was killed at that moment; without a word they stay, and the application stays out.

    Reads the number and the registration of everybody once. Locks: as `erase_user`.

    Raises:
        FileError: the ledger is not whole, or of another key; nothing is done then.
        LockError: another replay is at work.
        MigrationError: as `erase_user`, but for one person's failure, which is told in the result.
    """
    keys = keys_for(resolve_settings(url), key=key)
    lines: list[Line] = []
    for file in [ledger] if isinstance(ledger, (Path, str)) else ledger:
        lines += _read(file, keys, public_key)
    with (
        eraser(url) as connection,
        advisory_lock(connection, _LOCK, wait_ms=int(wait_s * 1_000), called=_CALLED),
    ):
        return _Replay(connection, keys, wait_s).of(lines, with_doubtful=with_doubtful)


def watch(
    url: str | None = None, *, public_key: Path | None = None, key: SigningKey | Path | str | None = None
) -> bool:
    """Look at the ledger once after each start of the server, and tell whether the application is let in.

    A server whose disks were put back as they had been starts as after any stop: it is told apart by nothing
    but a ledger that knows more. Then the gate is closed, until a replay; else the server is trusted until it
    starts anew. Where no ledger is named there is nothing to look at, and it is trusted as it is. What is on
    its way in a database that lets nobody in is made ready to be gone on with.

    Raises:
        FileError: the ledger is not whole, or of another key.
    """
    keys = keys_for(resolve_settings(url), key=key)
    with eraser(url) as connection:
        work = _Replay(connection, keys, WAIT_S)
        if not work.asked("is_recognised"):
            word = "close_gate" if _is_behind(work, keys, public_key) else "recognise_server"
            patiently(connection, lambda cursor: cursor.execute(SQL[word]))
        patiently(connection, lambda cursor: cursor.execute(SQL["begin_again"]))
        return work.asked("gate_is_open")


def _is_behind(work: _Replay, keys: Keys, public_key: Path | None) -> bool:
    """Tell whether somebody is here whom the ledger says was erased."""
    if keys.ledger_file is None or not keys.ledger_file.exists():
        return False
    lines = _read(keys.ledger_file, keys, public_key)
    return bool(work.found(work.unknown(cases(lines))).again)


class _Replay:
    """One replay, on a session of the eraser."""

    def __init__(self, connection: Connection, keys: Keys, wait_s: float) -> None:
        self._connection = connection
        self._keys = keys
        self._wait_s = wait_s
        self._failures: list[Failure] = []

    def of(self, lines: Sequence[Line], *, with_doubtful: bool | None) -> Replayed:
        patiently(self._connection, lambda cursor: cursor.execute(SQL["begin_again"]))
        told = cases(lines)
        unknown = self.unknown(told)
        missing = self._lacked(told)
        resumed = sum(self._gone_on(number) for number in patiently(self._connection, unfinished))
        found = self.found(unknown)
        wanted = [*found.again, *(found.doubtful if with_doubtful else ())]
        erased = sum(self._erased_again(case, subject) for case, subject in wanted) + self._revived()
        doubts = () if with_doubtful is not None else tuple(case.erasure for case, _ in found.doubtful)
        return Replayed(
            lines=len(lines),
            missing=missing,
            known=len(told) - len(unknown) + found.known,
            resumed=resumed,
            erased=erased,
            absent=found.absent,
            in_doubt=doubts,
            completions=sum(case.completes is not None for case in unknown),
            failures=tuple(self._failures),
            is_open=self._opened(lines, erased, is_sure=not (missing or doubts or self._failures)),
        )

    def unknown(self, told: Sequence[Case]) -> list[Case]:
        """Return the cases whose erasure is not in the database."""
        here = {UUID(number) for number, _ in self._rows("numbers_here")}
        return [case for case in told if case.erasure not in here]

    def _lacked(self, told: Sequence[Case]) -> int:
        """Return how many erasures the ledger should tell of, and does not."""
        there = {case.erasure for case in told}
        # One that repeats another need not be told: the other one is.
        return sum(
            UUID(number) not in there for number, reason in self._rows("numbers_here") if reason != REPLAY
        )

    def found(self, unknown: Sequence[Case]) -> Returned:
        """Return who of the *unknown* cases is here, and not erased."""
        firsts = [case for case in unknown if case.completes is None]
        erased_here = self._people("erased_here", {case.person for case in firsts})
        wanted = {case.person for case in firsts} - erased_here.keys()
        return returned(firsts, erased_here, self._people("people_here", wanted))

    def _people(self, query: str, wanted: Set[str]) -> Mapping[str, int]:
        """Return the numbers of those of *wanted* whom *query* gives, by what the ledger calls them."""
        if not wanted:
            return {}
        names = named(self._rows(query), self._keys.ledger)
        return {called: subject for called, subject in names if called in wanted}

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield what *query* gives, however many there are; its transaction ends with them."""
        with self._connection, self._connection.cursor(name="replay") as cursor:
            cursor.itersize = _FETCHED_ROWS
            cursor.execute(SQL[query])
            yield from cursor

    def _gone_on(self, number: UUID) -> bool:
        return self._tried(
            number, lambda: go_on(self._connection, number, keys=self._keys, wait_s=self._wait_s)
        )

    def _erased_again(self, case: Case, subject: int) -> bool:
        return self._tried(case.erasure, partial(self._erase, subject, case.requested_at))

    def _revived(self) -> int:
        """Erase whoever is erased here already but for their row; return how many."""
        found = [(UUID(number), subject, at) for number, subject, at in self._rows("revived")]
        return sum(
            self._tried(number, partial(self._erase, subject, at, number)) for number, subject, at in found
        )

    def _erase(self, subject: int, requested_at: datetime, completes: UUID | None = None) -> None:
        erase_again(
            self._connection, subject, requested_at,
            keys=self._keys, wait_s=self._wait_s, completes=completes,
        )  # fmt: skip

    def _tried(self, erasure: UUID, work: Callable[[], object]) -> bool:
        """Tell whether *work* was done; one person's failure keeps nobody else from being erased."""
        try:
            with translated():
                work()
        except MigrationError as error:
            self._failures.append(Failure(erasure, error.problem, error.hint))
            return False
        return True

    def _opened(self, lines: Sequence[Line], erased: int, *, is_sure: bool) -> bool:
        values = {"ledger": bytes.fromhex(lines[-1].hash) if lines else None, "erased": erased}
        if is_sure:
            patiently(self._connection, lambda cursor: cursor.execute(SQL["open_gate"], values))
        return self.asked("gate_is_open")

    def asked(self, query: str) -> bool:
        """Return what the database answers to *query*, yes or no."""

        def ask(cursor: Cursor) -> bool:
            cursor.execute(SQL[query])
            ((answer,),) = cursor.fetchall()
            return bool(answer)

        return patiently(self._connection, ask)


def _read(ledger: Path | str, keys: Keys, public_key: Path | None) -> tuple[Line, ...]:
    """Return the lines of *ledger*, whose people can be found by the keys there are."""
    lines = read_ledger(ledger, public_key or {keys.signing.key_id: keys.signing.public})
    known = {ledger_key_id(key) for key in keys.ledger}
    unknown = next((line for line in lines if line.hashed_with not in known), None)
    if unknown is not None:
        raise SettingsError(
            f'line {unknown.seq} of "{ledger}" names its person by a key that is not here',
            hint=f"add the older keys to {LEDGER.file_setting} or {LEDGER.setting}, behind the newest",
        )
    return lines
