"""Where the digests of seals go, out of reach of whoever owns the database: a file, a command, a webhook.

None waits without a bound, and none says why it failed in words that could hold a secret.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from spotify_ai_agent_migrations.versions.audit_trail.keys import KEY
from spotify_ai_agent_migrations.versions.core import sending
from spotify_ai_agent_migrations.versions.core.errors import SettingsError

_NAME_DIGITS: Final = 8
_LINE_END: Final = b"\n"


@dataclass(frozen=True)
class Delivery:
    """How many of the lines arrived, from the first on, and what kept the others."""

    count: int
    problem: str = ""


class Sink(Protocol):
    """Somewhere that digests are sent to; `name` tells it from others and holds no secret."""

    @property
    def name(self) -> str:
        """What it is remembered by."""

    def send(self, lines: Sequence[str]) -> Delivery:
        """Send *lines*, each a digest, and say how many have arrived for good."""


@dataclass(frozen=True)
class FileSink:
    """A file that lines are added to, and synced to the disk: on another host's share, or append-only."""

    path: Path

    @property
    def name(self) -> str:
        """What it is remembered by."""
        return f"file:{self.path.absolute()}"

    def send(self, lines: Sequence[str]) -> Delivery:
        """Add *lines*; behind what a write that was cut off has left, on a line of their own."""
        try:
            with open(self.path, "ab", opener=_opened) as file:
                if file.tell() and not self._ends_a_line():
                    file.write(_LINE_END)
                file.write("".join(f"{line}\n" for line in lines).encode())
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(self.path.parent)
        except OSError as error:
            return Delivery(0, f'"{self.path}" cannot be written: {error.strerror or type(error).__name__}')
        return Delivery(len(lines))

    def _ends_a_line(self) -> bool:
        # Whoever may only add to a file cannot see how it ends; an empty line more does no harm.
        with suppress(OSError), self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == _LINE_END
        return False


@dataclass(frozen=True)
class CommandSink:
    """A command that reads the lines; they have arrived when it ends with 0. It is shown no key."""

    arguments: tuple[str, ...] = field(repr=False)
    limit_s: float = 30.0

    @property
    def name(self) -> str:
        """What it is remembered by: its program, and a hash of the whole."""
        return f"command:{self._program}:{_digits(shlex.join(self.arguments))}"

    @property
    def _program(self) -> str:
        return sending.program(self.arguments)

    def send(self, lines: Sequence[str]) -> Delivery:
        """Start the command with *lines* on its standard input; end it when it takes too long."""
        shown = {name: value for name, value in os.environ.items() if name != KEY}
        sent = "".join(f"{line}\n" for line in lines).encode()
        answer = sending.run(self.arguments, sent, limit_s=self.limit_s, environ=shown)
        return Delivery(0, f'"{self._program}" {answer.problem}') if answer.problem else Delivery(len(lines))


@dataclass(frozen=True)
class WebhookSink:
    """A web address that takes one digest a request, by POST; it has arrived when the answer is 2xx.

    `token` is sent as a bearer token. A redirection is no answer: nothing is sent anywhere else.
    """

    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    limit_s: float = 10.0

    @property
    def name(self) -> str:
        """What it is remembered by: its host, and a hash of the whole."""
        return f"webhook:{self._host}:{_digits(self.url)}"

    @property
    def _host(self) -> str:
        return sending.host(self.url)

    def send(self, lines: Sequence[str]) -> Delivery:
        """Send *lines* one after the other; what is not sent in time is left for the next call."""
        until = time.monotonic() + self.limit_s
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        for count, line in enumerate(lines):
            left_s = until - time.monotonic()
            answer = sending.post(self.url, line.encode(), headers, limit_s=self.limit_s, left_s=left_s)
            if answer.problem:
                return Delivery(count, f'"{self._host}" {answer.problem}')
        return Delivery(len(lines))


def command_sink(spoken: str) -> CommandSink:
    """Return the sink of a command line as a shell reads it; no shell runs it.

    Raises:
        SettingsError: it is empty, or a quotation mark in it is left open.
    """
    try:
        arguments = tuple(shlex.split(spoken))
    except ValueError:
        arguments = ()
    if not arguments:
        raise SettingsError(
            "the command that digests go to cannot be read", hint="say a program and arguments"
        )
    return CommandSink(arguments)


def webhook_sink(url: str, *, token: str = "") -> WebhookSink:
    """Return the sink of a web address.

    Raises:
        SettingsError: it is none, or what is sent there could be read on the way.
    """
    if not sending.is_address(url):
        raise SettingsError(
            "the webhook that digests go to is no address that can be used",
            hint="say https://HOST/PATH, without a user; http is for this machine alone",
        )
    return WebhookSink(url, token)


def _digits(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_NAME_DIGITS]


def _opened(path: str, flags: int) -> int:
    # Whoever opens a pipe that nobody reads would wait for ever.
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


def _sync_folder(folder: Path) -> None:
    """Let the name of a new file survive a crash too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
