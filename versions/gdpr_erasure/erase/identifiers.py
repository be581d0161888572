"""Gather on the server what a person is known by, in a temporary table: none of it passes through here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from psycopg2.extensions import AsIs
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import STATEMENTS, Seen, seen
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import Escaped, rows_of, source_of

# What stands for the number of a person in a statement: no log and no view of activity shows it.
SUBJECT: Final = AsIs("pg_catalog.current_setting('agentdb.subject')::bigint")
_KNOWN_BY: Final = frozenset({"identifier", "contact"})


def name_subject(cursor: Cursor, subject: int) -> None:
    """Let `SUBJECT` stand for *subject* in this session."""
    cursor.execute("SELECT pg_catalog.set_config('agentdb.subject', %s, false)", (str(subject),))


def remember(cursor: Cursor, subject: int, erasure: UUID | None = None, *, known: Seen | None = None) -> None:
    """Keep in this session what *subject* is known by, before any of it is erased.

    erasure: keeps it in the database as well, until nothing is left, and has from there what is gone by now.
    known: what the erasure was planned by; read anew without.

    pg_temp.subject_known (value): each text, as it is. pg_temp.subject_sought (pattern): one regular
    expression of all of it, in small letters and of compatible form; NULL where nothing is known.
    Locks: ACCESS SHARE on the tables that identify people. Writes: the two temporary tables.
    """
    name_subject(cursor, subject)
    cursor.execute(STATEMENTS["forget_sought"])
    cursor.execute(STATEMENTS["keep_known"])
    for reach, column in _identifying(known or seen(cursor)):
        statement = SQL(STATEMENTS["add_known"]).format(
            column=Escaped(Identifier(column)), source=source_of(reach), rows=rows_of(reach)
        )
        cursor.execute(statement, {"subject": SUBJECT})
    if erasure is not None:
        cursor.execute(STATEMENTS["share_known"], {"erasure": str(erasure)})
    cursor.execute(STATEMENTS["keep_sought"])


def _identifying(known: Seen) -> Iterator[tuple[Reach, str]]:
    """Yield the columns of texts that people are known by, with the rows that are the person's."""
    for reach in known.reaches:
        owned = reach.owned()
        if owned is None or reach.table.kind == "m":
            continue
        for one in known.catalogue.columns_of(reach.name):
            shape = known.live.get(reach.name, {}).get(one.name)
            # What is made from others is known by those, and where they are empty says nothing.
            is_known_by = one.class_ in _KNOWN_BY and one.people == "users" and not one.follows
            if is_known_by and shape is not None and shape.is_text:
                yield owned, one.name
