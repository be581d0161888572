"""Erase as it was agreed on: the plan that somebody looked at, by its hash."""

from __future__ import annotations

from pathlib import Path

from spotify_ai_agent_migrations.versions.core.errors import FileError, RevisionError
from spotify_ai_agent_migrations.versions.core.signing import read_keyring
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import plan_erasure


def agreed(user_id: int, plan_hash: str, url: str | None = None, *, key: Path | None = None) -> ErasurePlan:
    """Return the plan for a person, which is the one of that hash.

    Raises:
        RevisionError: it is another one by now.
    """
    plan = plan_erasure(user_id, url, key=key)
    if plan.hash != plan_hash:
        raise RevisionError(
            "what would be erased now is not what was planned",
            hint="the catalogue, a hold or a table was changed: look at the plan again, and give its hash",
        )
    return plan


def read_certificate(file: Path) -> ErasureCertificate:
    """Return the certificate in *file*, which says nothing until it is verified.

    Raises:
        FileError: it cannot be read, or is none.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be read: {error.strerror}', hint="name the file of a certificate"
        ) from error
    return ErasureCertificate.from_json(text)


def is_genuine(file: Path, public_key: Path) -> bool:
    """Tell whether one of the keys in *public_key* signed the certificate in *file*; asks no database.

    Raises:
        FileError: a file cannot be read, or holds something else.
    """
    return read_certificate(file).verify(read_keyring(public_key))
