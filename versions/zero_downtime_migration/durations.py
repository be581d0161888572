"""Write moments and durations as people say them. No database here."""

from __future__ import annotations

from datetime import datetime


def spelled(moment: datetime) -> str:
    """Return a moment to the minute."""
    return f"{moment:%Y-%m-%d %H:%M}"


def lasting(seconds: float) -> str:
    """Return a duration as people say it, in its two greatest units at most."""
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1_440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{max(0, int(seconds))} s"
