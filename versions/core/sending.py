"""Send bytes to a command or a web address outside. Nothing waits without a bound, nothing says a secret."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_NEAR: Final = ("localhost", "127.0.0.1", "::1")
_SUCCESS: Final = range(200, 300)
_MOST_BYTES: Final = 65_536


@dataclass(frozen=True)
class Answer:
    """What came back.

    problem: what went wrong, in words that hold neither an address nor what was sent; nothing is well.
    body: the beginning of what was said in return, where it went well.
    """

    problem: str = ""
    body: bytes = field(default=b"", repr=False)


def run(
    arguments: Sequence[str], sent: bytes, *, limit_s: float, environ: Mapping[str, str], heard: bool = False
) -> Answer:
    """Start a command with *sent* on its standard input, and end it when it takes too long.

    environ: all that it is shown of the environment. heard: whether what it writes is wanted.
    """
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if heard else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        return Answer(f"cannot be started: {error.strerror or 'no such command'}")
    try:
        written, _ = process.communicate(sent, timeout=limit_s)
    except subprocess.TimeoutExpired:
        # What it started would otherwise live on, and keep the pipe.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Answer(f"had not ended after {limit_s:g} s")
    if process.returncode:
        return Answer(f"ended with {process.returncode}")
    return Answer(body=(written or b"")[:_MOST_BYTES])


def post(
    url: str, sent: bytes, headers: Mapping[str, str], *, limit_s: float, left_s: float | None = None
) -> Answer:
    """Send *sent* to a web address by POST; it has arrived when the answer is 2xx.

    A redirection is no answer: nothing is sent anywhere else. left_s: how much of *limit_s* is left, which
    holds even where a name is not resolved.
    """
    wait_s = limit_s if left_s is None else left_s
    told: list[Answer | None] = []
    thread = threading.Thread(target=lambda: told.append(_post(url, sent, headers, wait_s)), daemon=True)
    if wait_s > 0:
        thread.start()
        thread.join(wait_s)
    answer = told[0] if told else None
    return answer or Answer(f"had not answered after {limit_s:g} s")


def _post(url: str, sent: bytes, headers: Mapping[str, str], wait_s: float) -> Answer | None:
    """Return what came back, None where nothing did in time."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=wait_s)
        try:
            path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
            connection.request("POST", path, sent, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            status, body = response.status, response.read(_MOST_BYTES)
        finally:
            connection.close()
    except TimeoutError:
        return None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(f"cannot be reached: {type(error).__name__}")
    return Answer(body=body) if status in _SUCCESS else Answer(f"answered {status}")


def is_address(url: str) -> bool:
    """Tell whether nobody on the way to a web address can read along; http is for this machine alone."""
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _NEAR)
        return is_safe and bool(parts.hostname) and (parts.port or 1) > 0 and parts.username is None
    except ValueError:
        return False


def program(arguments: Sequence[str]) -> str:
    """Return the name of the program that a command starts, which is all that is said of it."""
    return Path(arguments[0]).name


def host(url: str) -> str:
    """Return the host of a web address, which is all that is said of it."""
    return urlsplit(url).hostname or ""
