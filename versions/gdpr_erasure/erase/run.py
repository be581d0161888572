"""Erase a person: hidden, erased, looked at again once every older transaction has ended, certified.

Each word with the database leaves a state that the next call goes on from. Nothing is certified but what was
looked at after the last transaction that could have written of the person without being refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import RevisionError, SubjectError, TableError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import hiding, sweeping
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certificate import ErasureCertificate
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.certifying import certified
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.derived import refreshed
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys, keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import State
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.order import (
    BATCH_ROWS,
    WAIT_S,
    WHOLE_ROWS,
    Order,
    Portions,
    ordered,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, eraser, patiently
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import Erasure, erasure, progress, unfinished
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.steps import do_in_batches, do_whole
