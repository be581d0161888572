"""Read what an export holds from one snapshot, as the role that sees one person at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.sql import Composable

from spotify_ai_agent_migrations.versions.core.database import hides_rows
from spotify_ai_agent_migrations.versions.core.errors import (
    PrivilegeError,
    SubjectError,
    TableError,
)
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.facts import Facts, read_facts
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.forms import Form, form_of
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.plan import Planned, Reference
from spotify_ai_agent_migrations.versions.gdpr_erasure.export.select import (
    conditions,
    count_rows,
    select_reference,
    select_rows,
    tables_of,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.export")
_SUBJECT: Final = "pg_catalog.current_setting('app.subject_id')::bigint"
_PARAMETER: Final = re.compile(r"%%|%\(subject\)s")
_FETCHED_ROWS: Final = 500
PRIVACY: Final = "agent_privacy"
LOGIN: Final = "login"

Row = Sequence[str | None]


@dataclass(frozen=True)
class Person:
    """The person the export is about, and the moment it is of."""

    locale: str
    as_of: datetime


class Reader:
    """One snapshot of the database, read for one person."""

    def __init__(self, connection: Connection, subject: int) -> None:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        self._connection = connection
        self._subject = subject
        self._ask("session")
        self._ask("name_subject", subject=str(subject))

    def person(self) -> Person:
        """Return the person.

        Raises:
            SubjectError: there is none, or none any more.
        """
        try:
            found = self._ask("subject", subject=self._subject)
        except psycopg2.Error as error:
            if hides_rows(error):
                raise PrivilegeError(
                    "row security hides people from this login: nothing could be shown to be complete",
                    hint="connect as a member of both agent_owner and agent_privacy",
                ) from error
            raise
        if not found:
            raise SubjectError("there is no person of this number", hint="users.id is the number to name")
        status, locale, as_of = found[0]
        if status in {"erasing", "erased"}:
            raise SubjectError(
                "this person is erased, or about to be",
                hint="the certificate of the erasure tells what is kept",
            )
        return Person(locale, as_of)

    def refuse_request_of_others(self, number: int) -> None:
        """Raise where this is no open request of the person.

        Raises:
            SubjectError: it is none.
        """
        if not self._ask("request", request=number, subject=self._subject):
            raise SubjectError(
                "this person has no open request of this number",
                hint="`agentdb gdpr-erasure requests` lists the open ones",
            )

    def catalogue(self) -> Catalogue:
        """Return the catalogue, as it is in this snapshot."""
        with self._connection.cursor() as cursor:
            return read_catalogue(cursor)

    def facts(self, tables: Sequence[str]) -> Facts:
        """Return what is told beside the rows of *tables*."""
        with self._connection.cursor() as cursor:
            return read_facts(cursor, list(tables))

    def forms(self, catalogue: Catalogue, tables: Sequence[str]) -> Mapping[str, Mapping[str, Form]]:
        """Return the form of each column, by table and name.

        Raises:
            TableError: a column that nobody has classified: it would be missing, and nothing would say so.
        """
        found: dict[str, dict[str, Form]] = {table: {} for table in tables}
        for table, column, name, category, is_array, is_composite in self._ask("types", tables=list(tables)):
            found[table][column] = form_of(
                name, category=category, is_array=is_array, is_composite=is_composite
            )
        for table, columns in found.items():
            known = {column.name for column in catalogue.columns_of(table)}
            for column in columns:
                if column not in known:
                    raise TableError(
                        f'column "{column}" of "{table}" is not in the catalogue of personal data',
                        hint="classify it: ops.classify_column_v1(…); `agentdb gdpr-erasure check` lists all",
                    )
        return found

    def readable(self, tables: Sequence[str]) -> frozenset[str]:
        """Return those of *tables* that agent_privacy may read."""
        return frozenset(name for (name,) in self._ask("readable", tables=list(tables)))

    def rows(self, planned: Planned, forms: Mapping[str, Form], *, acted_as: str) -> Iterator[Row]:
        """Yield the rows of a part, each column as a JSON text; read as agent_privacy, or as the login.

        Memory: a few hundred rows.

        Raises:
            PrivilegeError: row security hides rows that the catalogue leads to.
        """
        count = 0
        self._ask("act_as_privacy" if acted_as == PRIVACY else "act_as_login")
        for condition in conditions(planned):
            for row in self._stream(select_rows(planned, forms, condition)):
                count += 1
                yield row
        self._ask("act_as_login")
        self._refuse_hidden(planned, count)

    def references(
        self, reference: Reference, parts: Sequence[Planned], forms: Mapping[str, Form]
    ) -> Iterator[Row]:
        """Yield the rows that *parts* name, as agent_privacy."""
        self._ask("act_as_privacy")
        yield from self._stream(select_reference(reference, parts, forms))
        self._ask("act_as_login")

    def acts_as(self, planned: Planned, readable: frozenset[str]) -> str:
        """Return which role reads a part: the one that sees one person only, where it may."""
        return PRIVACY if tables_of(planned) <= readable else LOGIN

    def _refuse_hidden(self, planned: Planned, count: int) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(self._text(count_rows(planned)))
            row = cursor.fetchone()
        there = row[0] if row else 0
        if there != count:
            raise PrivilegeError(
                f'row security hides {there - count} of {there} rows of "{planned.table}" from agent_privacy',
                hint="give the table a policy for agent_privacy by app.subject_id, as its neighbours have",
            )

    def _stream(self, statement: Composable) -> Iterator[Row]:
        with self._connection.cursor(name="subject_export") as cursor:
            cursor.itersize = _FETCHED_ROWS
            cursor.execute(self._text(statement))
            yield from cursor

    def _text(self, statement: Composable) -> str:
        """Return the statement without parameters: the person is named by the session."""
        text = str(statement.as_string(self._connection))
        return _PARAMETER.sub(lambda found: "%" if found[0] == "%%" else _SUBJECT, text)

    def _ask(self, name: str, **values: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(_SQL[name], values or None)
            return cursor.fetchall() if cursor.description else []


def checked_subject(user_id: object) -> int:
    """Return *user_id* if a person can have it.

    Raises:
        SubjectError: it is no number, or none that anybody has: NULL, 0, a negative one.
    """
    is_number = isinstance(user_id, int) and not isinstance(user_id, bool)
    if not is_number or not 0 < int(str(user_id)) < 1 << 63:
        raise SubjectError(
            "this is no number of a person", hint="name a person by users.id, a whole number from 1"
        )
    return int(str(user_id))
