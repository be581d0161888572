"""What stands at the address of a server. Frozen values, no connection here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Answers(str, Enum):
    """What stands at an address."""

    ADMITS = "admits"
    ASKS = "asks who it is"
    REFUSES = "refuses"
    HANGS = "hangs"
    NOBODY = "nobody"
    NO_TLS = "no TLS"
    OTHER = "not PostgreSQL"


@dataclass(frozen=True)
class Answer:
    """Who answers at `place`, and the code with which it refuses, or the reason why nobody answers."""

    place: str
    kind: Answers
    code: str = ""
