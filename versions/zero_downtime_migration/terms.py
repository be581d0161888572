"""Say on what terms a change is contracted. No database here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError

_PRODUCTION_S: Final = 86_400.0


@dataclass(frozen=True)
class Terms:
    """On what terms a change is contracted.

    The expanded form is to be out for `soak_s` and the old one unread for as long; None is a day in
    production and nothing elsewhere, or what MIGRATIONS_SOAK_HOURS says. With `override`, a reason, what is
    missing is recorded instead; that all rows are there is proven in any case.
    """

    soak_s: float | None = None
    override: str | None = None

    def under(self, environment: str, environ: Mapping[str, str]) -> Terms:
        """Return the terms with what the environment says where nothing else was said.

        Raises:
            SettingsError: MIGRATIONS_SOAK_HOURS is no number of hours, or a reason is empty.
        """
        override = environ.get("MIGRATIONS_CONTRACT_OVERRIDE") if self.override is None else self.override
        if override is not None and not override.strip():
            raise SettingsError("the reason of an override is empty", hint="say why it cannot wait")
        soak_s = self.soak_s
        if soak_s is None:
            soak_s = _hours(environ, _PRODUCTION_S if environment == "production" else 0.0)
        return replace(self, soak_s=soak_s, override=override)


def _hours(environ: Mapping[str, str], otherwise_s: float) -> float:
    said = environ.get("MIGRATIONS_SOAK_HOURS")
    if said is None:
        return otherwise_s
    try:
        hours = float(said)
    except ValueError:
        hours = -1.0
    if not 0 <= hours < 100_000:
        raise SettingsError(
            f'MIGRATIONS_SOAK_HOURS is "{said}", and no number of hours', hint="set MIGRATIONS_SOAK_HOURS=24"
        )
    return hours * 3_600
