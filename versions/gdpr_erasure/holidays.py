"""Tell the database on which days no period ends, from the library `holidays`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib import import_module

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.calling import SQL, asked


@dataclass(frozen=True)
class Loaded:
    """How many holidays were written, and how many open requests are due on another day for it."""

    holidays: int
    moved: int


def load_holidays(country: str, years: Iterable[int], *, url: str | None = None) -> Loaded:
    """Write the public holidays of *country* in *years*, and count the deadlines of open requests again.

    country: as `DE`, or a part of it as `DE-BY`, whose own holidays count as well. What was known of those
    years is written anew.

    Raises:
        SettingsError: the library is not installed, or knows no such country.
    """
    wanted = sorted(set(years))
    known = known_holidays(country, wanted)
    with asked(url) as cursor:
        cursor.execute(SQL["forget_holidays"], {"country": country, "years": wanted})
        values = {"country": country, "days": list(known), "names": list(known.values())}
        cursor.execute(SQL["add_holidays"], values)
        cursor.execute(SQL["recount_requests"])
        ((moved,),) = cursor.fetchall()
    return Loaded(len(known), moved)


def known_holidays(country: str, years: Iterable[int]) -> dict[date, str]:
    """Return the public holidays of *country* by day; asks no database.

    Raises:
        SettingsError: as `load_holidays`.
    """
    try:
        library = import_module("holidays")
    except ModuleNotFoundError as missing:
        raise SettingsError(
            "the library that knows public holidays is not installed",
            hint='pip install "spotify-ai-agent-migrations[holidays]"',
        ) from missing
    state, _, part = country.partition("-")
    try:
        found = library.country_holidays(state, subdiv=part or None, years=list(years), language="en_US")
    except NotImplementedError as unknown:
        raise SettingsError(
            f'the library knows no holidays of "{country}"',
            hint="name a country as DE, or a part of it as DE-BY",
        ) from unknown
    return dict(sorted(found.items()))


def read_years(written: str) -> tuple[int, ...]:
    """Return the years of `2026`, `2026-2030` or `2026,2028`.

    Raises:
        SettingsError: it is none of these.
    """
    years: list[int] = []
    for part in written.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise SettingsError(f'"{written}" names no years', hint="write 2026, 2026-2030 or 2026,2028")
        years.extend(range(int(first), int(last or first) + 1))
    if not years or len(years) > 200:
        raise SettingsError(f'"{written}" names no years', hint="write the first one first, as 2026-2030")
    return tuple(years)
