"""Execute the statements of revisions one by one, and note what each of them did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import encodings
from sqlalchemy import event

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.measurement import Measurement
from spotify_ai_agent_migrations.versions.core.meter import Meter, require_counts
from spotify_ai_agent_migrations.versions.core.sampler import measure_alone
from spotify_ai_agent_migrations.versions.core.sql import ends_transaction, without_literals
from spotify_ai_agent_migrations.versions.runner.plan.place import Source
from spotify_ai_agent_migrations.versions.runner.plan.script import Piece, pieces
from spotify_ai_agent_migrations.versions.runner.plan.value import Planned
from spotify_ai_agent_migrations.versions.runner.steps import Step

_MOST: Final = 400


class Observer:
    """Notes the statements of the revisions that run on *connection*.

    A script of several statements is executed one by one, which inside a transaction is the same. Outside of
    one it is executed as it is, watched from sessions that *opener* makes. Not *measured*, statements are
    executed as they are, and only those that run alone are noted.
    """

    def __init__(
        self, connection: sqlalchemy.Connection, opener: Callable[[], Connection], *, measured: bool = True
    ) -> None:
        self._connection = connection
        self._opener = opener
        self._measures = measured
        self._step: Step | None = None
        self._rolled_back = True
        self._sources: dict[Path, Source] = {}
        self._meter: Meter | None = None
        self.statements: list[Planned] = []
        for name, executes in (
            ("do_execute", self._execute),
            ("do_execute_no_params", self._execute_plain),
            ("do_executemany", self._execute_many),
        ):
            event.listen(connection.engine, name, executes)

    @contextmanager
    def watching(self, step: Step, *, inherit: bool) -> Iterator[None]:
        """Note what *step* executes.

        With *inherit* it is rolled back with the revisions before it, whose locks are held now.

        Raises:
            SettingsError: the server does not count scans, and so no rows that are changed either.
        """
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, Connection)
        if self._measures:
            self._meter = Meter(driver)
            self._meter.begin(inherit=inherit)
        else:
            require_counts(driver)
        self._rolled_back = inherit
        self._step = step
        try:
            yield
        finally:
            self._step = None

    def skip(self, script: str) -> None:
        """Note the statements of *script* as not executed."""
        line = self._source.calling_line() or 1
        for piece in pieces(script):
            self._note(script, piece, None, line)

    def _execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:  # noqa: ANN401
        line = self._source.calling_line() if self._step else None
        if line is None:
            return False
        script = self._sent(cursor, statement, parameters)
        found = pieces(script)
        if self._rolled_back:
            self._refuse_control(found)
        if not self._measures:
            return False
        if len(found) < 2 or self._runs_alone:
            whole = Piece(script, found[0].offset if found else 0)
            measured = self._measured(
                cursor, lambda: context.dialect.do_execute(cursor, statement, parameters, context), script
            )
            self._note(script, whole, measured, line)
            return True
        for piece in found:
            measured = self._measured(cursor, partial(cursor.execute, piece.text), piece.text)
            self._note(script, piece, measured, line)
        return True

    def _execute_plain(self, cursor: Any, statement: str, context: Any) -> bool:  # noqa: ANN401
        return self._execute(cursor, statement, None, context)

    def _execute_many(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:  # noqa: ANN401
        """Measure one statement with many rows of values as one."""
        line = self._source.calling_line() if self._step and self._measures else None
        if line is None:
            return False
        measured = self._measured(
            cursor, lambda: context.dialect.do_executemany(cursor, statement, parameters, context)
        )
        self._note(statement, Piece(statement, 0), measured, line)
        return True

    def _refuse_control(self, found: tuple[Piece, ...]) -> None:
        """Refuse what would end the transaction that is to be rolled back, with all it has done."""
        if any(ends_transaction(piece.text) for piece in found):
            raise RevisionError(
                f"{self._step} begins or ends a transaction itself, and a dry run could not roll it back",
                hint="use an autocommit block for what has to run alone; a clone (--shadow) executes it",
            )

    def _measured(self, cursor: Cursor, run: Callable[[], object], sent: str = "") -> Measurement:
        assert self._meter is not None
        if self._runs_alone:
            measured = measure_alone(cursor, run, self._opener, old=self._meter.old)
            self._meter.look()
            return measured
        return self._meter.measure(cursor, run, sent)

    @property
    def _runs_alone(self) -> bool:
        return bool(self._connection.connection.driver_connection.autocommit)  # type: ignore[union-attr]

    @property
    def _source(self) -> Source:
        assert self._step is not None
        return self._sources.setdefault(self._step.file, Source(self._step.file))

    def _sent(self, cursor: Cursor, statement: str, parameters: Any) -> str:  # noqa: ANN401
        """Return the text that the server gets."""
        encoding = encodings[cursor.connection.encoding]
        return statement if parameters is None else cursor.mogrify(statement, parameters).decode(encoding)

    def _note(self, script: str, piece: Piece, measured: Measurement | None, calling_line: int) -> None:
        assert self._step is not None
        self.statements.append(
            Planned(
                revision=self._step.revision,
                path=self._step.file.relative_to(PACKAGE_ROOT).as_posix(),
                line=self._source.line(script, piece, calling_line=calling_line),
                statement=without_literals(piece.text, most=_MOST),
                measurement=measured,
            )
        )
