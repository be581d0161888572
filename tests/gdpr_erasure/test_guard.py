"""The guard: from the moment a person is hidden, whatever is written of them is refused, whoever writes it."""

from __future__ import annotations

import psycopg2
import pytest
from gdpr_erasure.hidden import certify, forget, hide, working
from gdpr_erasure.people import ADA, BOB

from support import connected, rows


def refused(url: str, statement: str, role: str | None = None) -> str:
    """What the server says when it refuses a statement of the guard's; by which trigger."""
    with connected(url) as connection, connection.cursor() as cursor:
        if role:
            cursor.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg2.errors.CheckViolation) as caught:
            cursor.execute(statement)
    assert "takes nothing of a person who is erased" in str(caught.value)
    return str(caught.value.diag.constraint_name)


def test_a_person_is_hidden_erased_swept_and_certified(entangled: str) -> None:
    erasure = hide(entangled, ADA.id, "public.listens")
    with working(entangled, erasure) as cursor:
        cursor.execute("DELETE FROM listens WHERE user_id = %s", (ADA.id,))
        cursor.execute("SELECT ops.step_done_v1(%s, 0, %s, finished => true)", (erasure, cursor.rowcount))
    assert forget(entangled, erasure) > 0
    certify(entangled, erasure)
    assert rows(entangled, "SELECT state, certificate FROM ops.erasures") == [
        ("certified", f'{{"erasure": "{erasure}"}}')
    ]
    assert rows(entangled, "SELECT status FROM users ORDER BY id") == [("active",), ("erased",)]
    assert rows(entangled, "SELECT done_rows, finished_at IS NOT NULL FROM ops.erasure_steps") == [(1, True)]
    assert hide(entangled, ADA.id) == erasure
    assert hide(entangled, BOB.id) != erasure
