"""Read what `alembic -x key=value` says into one frozen value. No connection here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings

_TRUE = frozenset({"", "1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Options:
    """How to run: where, against which models, for real or not, and with how much patience.

    On the command line each name is written with hyphens: `-x lock-timeout-ms=500 -x dry-run`.
    """

    url: str | None = None
    metadata: str | None = None
    compare_defaults: bool = False
    dry_run: bool = False
    shadow: bool = False
    lock_timeout_ms: int = Settings.lock_timeout_ms
    statement_timeout_ms: int = Settings.statement_timeout_ms
    wait_ms: int = 300_000
    tries: int = 8
    on_failure: Literal["stop", "rollback"] = "stop"
    accept_drift: bool = False
    break_glass: bool = False
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.accept_drift or self.break_glass:
            require_reason(self.reason)
        if self.shadow and not self.dry_run:
            # Whoever asks for a clone means to leave the database as it is.
            raise SettingsError(
                "a clone is for a dry run, and none was asked for", hint="say -x dry-run=1 too"
            )

    def settings(self) -> Settings:
        """Return how to reach the database that is meant, with these bounds; see `resolve_settings`."""
        found = resolve_settings(
            self.url,
            lock_timeout_ms=self.lock_timeout_ms,
            statement_timeout_ms=self.statement_timeout_ms,
        )
        if self.break_glass and found.environment != "production":
            # Whoever breaks it takes this for production, and may be somewhere else altogether.
            raise SettingsError(
                f'there is no glass to break: MIGRATIONS_ENV is "{found.environment}"',
                hint="set MIGRATIONS_ENV=production if this is; or leave break-glass out",
            )
        return found

    def __repr__(self) -> str:
        shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self)[1:])
        return f"Options(url={'…' if self.url else None}, {shown})"


def require_reason(reason: str | None) -> None:
    """Refuse an exception that nobody gives a reason for.

    Raises:
        SettingsError: there is none.
    """
    if not any(map(str.isalnum, reason or "")):
        raise SettingsError(
            "an exception is made for a reason, and none was given",
            hint='say -x reason="…" (--reason "…" for agentdb); the journal keeps it',
        )


def parse_options(spoken: Mapping[str, object]) -> Options:
    """Return the options that the `-x` arguments *spoken* make.

    Raises:
        SettingsError: an unknown key, since a misspelt `dry-run` must never migrate for real; a bad value.
    """
    known = {field.name.replace("_", "-"): field for field in fields(Options)}
    unknown = sorted(set(spoken) - set(known))
    if unknown:
        nearest = difflib.get_close_matches(unknown[0], known, n=1)
        meant = f"did you mean -x {nearest[0]}=…?" if nearest else f"known keys: {', '.join(known)}"
        raise SettingsError(f'"-x {unknown[0]}" is not an option', hint=meant)
    return Options(**{known[key].name: _read(key, str(value)) for key, value in spoken.items()})  # type: ignore[arg-type]


def _read(key: str, value: str) -> str | int | bool:
    if key in {"dry-run", "shadow", "accept-drift", "compare-defaults", "break-glass"}:
        if value.lower() not in _TRUE | _FALSE:
            raise SettingsError(f'"-x {key}={value}" is neither yes nor no', hint=f"say -x {key}=1")
        return value.lower() in _TRUE
    if key == "on-failure":
        if value not in {"stop", "rollback"}:
            raise SettingsError(
                f'"-x on-failure={value}" is neither "stop" nor "rollback"', hint="say -x on-failure=rollback"
            )
        return value
    if key in {"url", "metadata", "reason"}:
        return value
    if not value.isdecimal() or int(value) == 0:
        # 0 would mean "no limit" to PostgreSQL, and nothing waits without one.
        raise SettingsError(f'"-x {key}={value}" is not a positive number', hint=f"say -x {key}=5000")
    return int(value)
