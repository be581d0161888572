"""Open what lies elsewhere, and name it without what gives access to it. No database here."""

from __future__ import annotations

import errno
import re
from importlib import import_module
from typing import Any, BinaryIO, Final, cast

from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.core.errors import FileError

# The user before the host; or where what stands there is no host and port, all before the last @.
_SECRET: Final = re.compile(r"(?<=://)(?:[^/]*@|[^/\[]*:(?!\d+(?:/|$)).*@)")


def is_address(text: str) -> bool:
    """Tell whether *text* is a URL and no path."""
    return "://" in text


def without_secrets(text: str) -> str:
    """Return a URL without a user, a password and what is asked of the server; a path as it is."""
    return _SECRET.sub("", text.partition("?")[0], count=1) if is_address(text) else text


def open_remote(url: str) -> BinaryIO:
    """Open a URL by fsspec.

    Raises:
        FileError: it cannot be opened; the error below may name the URL whole, and is left out.
    """
    name = shown(without_secrets(url))
    try:
        fsspec = import_module("fsspec")
    except ImportError:
        raise FileError(
            f'"{name}" is a URL, and fsspec is not installed',
            hint="pip install 'spotify-ai-agent-migrations[remote]'",
        ) from None
    try:
        return cast(BinaryIO, _Transfer(fsspec.open(url, "rb").open()))
    except Exception as error:  # noqa: BLE001  (each file system raises errors of its own)
        raise FileError(
            f'"{name}" cannot be read: {type(error).__name__}',
            hint="mend the URL, or what gives access to it",
        ) from None


class _Transfer:
    """A remote file; whatever ends the reading of it is an `OSError` that names nothing."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size_bytes: int = -1) -> bytes:
        try:
            return cast(bytes, self._file.read(size_bytes))
        except Exception:  # noqa: BLE001  (each file system raises errors of its own)
            raise OSError(errno.EIO, "the transfer broke off") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
