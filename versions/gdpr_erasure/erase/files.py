"""Files that several processes write: one at a time, and what is written is on the disk before it counts."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import FileError, LockError

_OWNER_ONLY: Final = 0o600
_POLL_S: Final = 0.01


@contextmanager
def exclusively(file: Path, *, wait_s: float = 10) -> Iterator[int]:
    """Yield a descriptor of *file*, made if it is not there, which nobody else has for the block.

    The operating system gives back what a killed process had.

    Raises:
        LockError: somebody else had it for longer than *wait_s*.
        FileError: it cannot be opened.
    """
    try:
        is_new = not file.exists()
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be opened: {error.strerror}', hint="name a file in a folder that takes it"
        ) from error
    try:
        _lock(descriptor, file, wait_s)
        if is_new:
            settle(file.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def settle(folder: Path) -> None:
    """Let the names of the files in *folder* be on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, file: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockError(
                    f'waited {wait_s:g} s for "{file}", which another process writes, and gave up',
                    hint="run it again when that process has ended",
                ) from None
            time.sleep(_POLL_S)
        else:
            return
