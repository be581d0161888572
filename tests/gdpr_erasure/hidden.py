"""A person hidden and erased by the functions of the database alone, as whoever erases calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor

from support import connected

ERASE = """
UPDATE users SET email = NULL, email_hmac = NULL, display_name = NULL, country_code = NULL, birth_year = NULL,
       locale = 'en', time_zone = 'UTC'
 WHERE id = %s
"""
BEGIN = """
SELECT ops.begin_erasure_v1(%(subject)s, 'request', now(), '{}', sha256('plan'), %(steps)s)::text
"""


@contextmanager
def as_eraser(url: str, *, autocommit: bool = True) -> Iterator[Cursor]:
    """A cursor of a session in the eraser's role."""
    with connected(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_eraser; SET row_security = off")
        connection.autocommit = autocommit
        yield cursor


def hide(url: str, subject: int, *tables: str) -> str:
    """Begin to erase a person, with one step a table; return the number of the erasure."""
    steps = [
        {"position": place, "table": table, "action": "delete", "rows": 1}
        for place, table in enumerate(tables)
    ]
    with as_eraser(url) as cursor:
        cursor.execute(BEGIN, {"subject": subject, "steps": json.dumps(steps)})
        return str(cursor.fetchone()[0])  # type: ignore[index]


@contextmanager
def working(url: str, erasure: str) -> Iterator[Cursor]:
    """A cursor of a transaction that works on an erasure; committed at the end of the block."""
    with as_eraser(url, autocommit=False) as cursor:
        cursor.execute("SELECT ops.work_on_v1(%s)", (erasure,))
        yield cursor
        cursor.connection.commit()


def forget(url: str, erasure: str) -> int:
    """Blank the person's row, forget them, and note that they are erased; return how many entries were redacted."""
    with working(url, erasure) as cursor:
        cursor.execute("SELECT subject_id FROM ops.erasures WHERE id = %s", (erasure,))
        cursor.execute(ERASE, cursor.fetchone())
        cursor.execute("SELECT ops.forget_subject_v1(%s)", (erasure,))
        (redacted,) = cursor.fetchone() or (0,)
        cursor.execute("SELECT ops.erasure_reached_v1(%s, 'erased')", (erasure,))
    return int(redacted)


def certify(url: str, erasure: str) -> None:
    """Bring an erasure that is erased to its end, with a certificate that says nothing else."""
    with working(url, erasure) as cursor:
        cursor.execute("SELECT ops.erasure_reached_v1(%s, 'erased', pg_current_xact_id())", (erasure,))
    with working(url, erasure) as cursor:
        cursor.execute("SELECT ops.erasure_reached_v1(%s, 'swept')", (erasure,))
        cursor.execute("SELECT ops.certify_erasure_v1(%s, %s)", (erasure, json.dumps({"erasure": erasure})))
