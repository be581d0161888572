"""The controls a report answers to: what each asks, in our own words, and who speaks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.governance.evidence.access import access, members
from spotify_ai_agent_migrations.versions.governance.evidence.changes import changes
from spotify_ai_agent_migrations.versions.governance.evidence.drift import drift
from spotify_ai_agent_migrations.versions.governance.evidence.exempted import exempted
from spotify_ai_agent_migrations.versions.governance.evidence.keeping import deletion, logging, masking
from spotify_ai_agent_migrations.versions.governance.evidence.model import Claim, Evidence, Gap
from spotify_ai_agent_migrations.versions.governance.evidence.promotion import (
    break_glass,
    promotion,
    refusals,
)
from spotify_ai_agent_migrations.versions.governance.evidence.watching import health, incidents, journal_whole

SOC: Final = "SOC 2 (Trust Services Criteria)"
ISO: Final = "ISO/IEC 27001:2022, Annex A"

Speaker = Callable[[Evidence], Iterator[Claim | Gap]]


@dataclass(frozen=True)
class Asked:
    """A control, what it asks, and what speaks of it, in order."""

    framework: str
    code: str
    title: str
    asks: str
    speakers: tuple[Speaker, ...]


CONTROLS: Final = (
    Asked(
        SOC,
        "CC6.1",
        "Logical access",
        "that access to data is limited, by what is built into the system",
        (access,),
    ),
    Asked(
        SOC,
        "CC6.3",
        "Roles and least privilege",
        "that rights are given by role and kept small",
        (members, break_glass),
    ),
    Asked(
        SOC,
        "CC7.1",
        "Changes are noticed",
        "that changes beside the known ones are looked for",
        (journal_whole, drift),
    ),
    Asked(SOC, "CC7.2", "Operation is watched", "that the system is watched for what is unusual", (health,)),
    Asked(
        SOC,
        "CC7.4",
        "Incidents are answered",
        "that what went wrong is known, and what came of it",
        (incidents, refusals),
    ),
    Asked(
        SOC,
        "CC8.1",
        "Changes are managed",
        "that changes are authorised, tested, approved and recorded",
        (journal_whole, promotion, changes, exempted),
    ),
    Asked(
        ISO,
        "A.8.10",
        "Information deletion",
        "that information is deleted when it is no longer needed",
        (deletion,),
    ),
    Asked(
        ISO,
        "A.8.11",
        "Data masking",
        "that personal data are masked where rules or law ask for it",
        (masking,),
    ),
    Asked(
        ISO,
        "A.8.15",
        "Logging",
        "that what happens is logged, and logs are kept from change",
        (logging, journal_whole),
    ),
    Asked(
        ISO,
        "A.8.32",
        "Change management",
        "that changes of the system follow a procedure",
        (promotion, changes, drift, exempted),
    ),
)
