"""Stand between Alembic and the revisions it runs: what happens around each, and which one is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy
from alembic import op
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from spotify_ai_agent_migrations.versions.core.errors import MigrationError, RevisionError

StepFunction = Callable[[Any, MigrationContext], Iterable[MigrationStep] | None]
Around = Callable[[MigrationContext, "Step"], AbstractContextManager[None]]
_AT_WORK: Final = "spotify_ai_agent_migrations.at_work"


@dataclass(frozen=True)
class Step:
    """One revision in one direction, the revisions around it, and how many steps are left after it."""

    revision: str
    file: Path
    verb: Literal["upgrade", "downgrade"]
    starts_from: tuple[str, ...]
    ends_at: tuple[str, ...]
    left: int

    def __str__(self) -> str:
        return f"{self.verb} of revision {self.file.stem}"


def surrounded(function: StepFunction, around: Around) -> StepFunction:
    """Return *function* with each revision run inside of *around*, in the revision's own transaction."""

    def steps(heads: Any, context: MigrationContext) -> Iterator[MigrationStep]:  # noqa: ANN401  (Alembic's own)
        every = list(function(heads, context) or ())
        for left, step in zip(reversed(range(len(every))), every, strict=True):
            if isinstance(step, RevisionStep):
                step.migration_fn = _surrounded(
                    _verified(step, context), around, context, _described(step, left)
                )
            yield step

    return steps


def _verified(step: RevisionStep, context: MigrationContext) -> Callable[..., None]:
    """Return an upgrade with the revision's own `verify(connection)` behind it, in the same transaction."""
    raw: Callable[..., None] = step.migration_fn
    verify = getattr(step.revision.module, "verify", None)
    if not step.is_upgrade or verify is None or context.as_sql:
        return raw

    @wraps(raw)
    def run(**arguments: object) -> None:
        raw(**arguments)
        refuse_unverified(step.revision.revision, verify, context.connection)

    return run


def refuse_unverified(
    revision: str, verify: Callable[[sqlalchemy.Connection], object], connection: sqlalchemy.Connection | None
) -> None:
    """Run a revision's own `verify(connection)`.

    Raises:
        RevisionError: it gave back False, or failed an assertion.
    """
    assert connection is not None
    try:
        held = verify(connection)
    except AssertionError as error:
        held, said = False, f": {error}" if str(error) else ""
    else:
        said = ""
    if held is False:
        raise RevisionError(
            f"what revision {revision} promises does not hold{said}",
            hint=f"read verify() of revision {revision}; what was not committed is undone",
        )


def _surrounded(
    raw: Callable[..., None], around: Around, context: MigrationContext, step: Step
) -> Callable[..., None]:
    @wraps(raw)  # Alembic logs the function's name
    def run(**arguments: object) -> None:
        with around(context, step), _own_errors_named(step), _told(context, step):
            raw(**arguments)

    return run


@contextmanager
def _told(context: MigrationContext, step: Step) -> Iterator[None]:
    context.opts[_AT_WORK] = step
    try:
        yield
    finally:
        del context.opts[_AT_WORK]


def at_work(context: MigrationContext) -> Step | None:
    """Return which revision is at work in which direction; None where none is that the runner runs."""
    found: Step | None = context.opts.get(_AT_WORK)
    return found


@contextmanager
def _own_errors_named(step: Step) -> Iterator[None]:
    """Turn what the revision's own Python raises into an error that names the revision.

    Raises:
        RevisionError: with the revision's words, as of `raise NotImplementedError("the values are gone")`.
    """
    try:
        yield
    except (CommandError, MigrationError, DBAPIError):
        raise
    except Exception as error:
        said = f": {error}" if str(error) else ""
        raise RevisionError(
            f"{step} raised {type(error).__name__}{said}",
            hint=f"read {step.file.name}; what was not committed is undone",
        ) from error


def _described(step: RevisionStep, left: int) -> Step:
    return Step(
        revision=step.revision.revision,
        file=Path(step.revision.path),
        verb="upgrade" if step.is_upgrade else "downgrade",
        starts_from=tuple(step.from_revisions_no_deps),
        ends_at=tuple(step.to_revisions_no_deps),
        left=left,
    )


@contextmanager
def proxy_removed() -> Iterator[None]:
    """Take `alembic.op` away from a migration that failed; Alembic leaves it on the dead connection."""
    try:
        yield
    finally:
        proxy = vars(op).get("_proxy")
        if proxy is not None:
            proxy._remove_proxy()


def inside_alembic() -> bool:
    """Tell whether a migration is running right now, so that `op` means its connection."""
    try:
        context = op.get_context()
    except (NameError, AttributeError):
        return False
    return context.as_sql or (context.connection is not None and not context.connection.closed)
