"""Answer over HTTP: `/live`, `/ready`, `/metrics` and `/health`, at a cost that does not grow with who asks.

An answer is kept for a while, and one session at a time finds the next. So many connections are open at
once: who takes long to say what it wants gives way to who comes, and has to hang up soon.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.errors import MigrationError, SettingsError
from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport, State
from spotify_ai_agent_migrations.versions.health_check.kept import Kept
from spotify_ai_agent_migrations.versions.health_check.outputs import FORMATS, Extra
from spotify_ai_agent_migrations.versions.health_check.probes import Probed, live

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
HEALTH_JSON: Final = "application/health+json"
JSON: Final = "application/json"
MOST_OPEN: Final = 32
# How long one may take to say what it wants, and how long between two bytes of that.
_READING_MOST_S: Final = 5.0
_STEP_S: Final = 2.0
_BUSY: Final = b"HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_NOBODY_KNOWS: Final = "nobody knows yet"


@dataclass(frozen=True)
class Asked:
    """What an endpoint asks, for how long it keeps what it was told, and how long that takes at most."""

    report: Callable[[], HealthReport]
    ready: Callable[[], Probed]
    fresh_s: float = 30.0
    report_most_s: float = 11.0
    ready_fresh_s: float = 1.0
    ready_most_s: float = 2.0


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    status: HTTPStatus
    kind: str
    body: str


class Endpoint(ThreadingMixIn, HTTPServer):
    """A server of HTTP; listens from when it is made, and answers in `serve_forever`, a thread for each."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], asked: Asked) -> None:
        self.reports = Kept(asked.report, fresh_s=asked.fresh_s, most_s=asked.report_most_s)
        self.readiness = Kept(asked.ready, fresh_s=asked.ready_fresh_s, most_s=asked.ready_most_s)
        self._open: set[socket.socket] = set()
        # In the order in which they came.
        self._reading: dict[socket.socket, float] = {}
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    @property
    def place(self) -> str:
        """Where it listens, as in a URL."""
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def server_bind(self) -> None:
        """Bind, and ask no name server what this machine is called."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def service_actions(self) -> None:
        """End the connections that do not say what they want; this is called twice a second."""
        before = time.monotonic() - _READING_MOST_S
        for request, since in list(self._reading.items()):
            if since < before:
                self._hang_up(request)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (socketserver's own)
        """Let a connection in where there is room, or somebody who makes room."""
        if len(self._open) >= MOST_OPEN:
            slow = next(iter(self._reading), None)
            if slow is None:
                with suppress(OSError):
                    request.settimeout(0)
                    request.send(_BUSY)
                self.shutdown_request(request)
                return
            self._hang_up(slow)
        self._open.add(request)
        self._reading[request] = time.monotonic()
        super().process_request(request, client_address)

    def has_read(self, request: socket.socket) -> None:
        """Take note that a connection has said what it wants."""
        self._reading.pop(request, None)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  (socketserver's own)
        """Close a connection, and forget it."""
        self._reading.pop(request, None)
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (socketserver's own)
        """Say nothing: who hangs up before the answer is no fault of anybody here."""

    def _hang_up(self, request: socket.socket) -> None:
        """End a connection; its thread meets the end of it, and closes it."""
        self._reading.pop(request, None)
        self._open.discard(request)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request: answered, and over."""

    server: Endpoint
    server_version = "agentdb"
    sys_version = ""
    timeout = _STEP_S

    def parse_request(self) -> bool:
        """Read what is wanted."""
        is_read = super().parse_request()
        self.server.has_read(self.connection)
        return is_read

    def do_GET(self) -> None:
        """Answer."""
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without what it says."""
        self._send(with_body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, *, with_body: bool) -> None:
        reply = replied(self.server, self.path.partition("?")[0], self.headers.get("Accept", ""))
        body = reply.body.encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def replied(server: Endpoint, path: str, accepted: str) -> Reply:
    """Return the answer to a path; what keeps the server from being asked is one too."""
    try:
        if path == "/live":
            return _probed(live())
        if path == "/ready":
            found = server.readiness.get()
            return _probed(found.value if found else Probed("ready", is_ok=False, said=_NOBODY_KNOWS))
        if path in {"/metrics", "/health"}:
            return _reported(server, path, accepted)
    except MigrationError as error:
        return _said(HTTPStatus.SERVICE_UNAVAILABLE, error.problem)
    except Exception as error:  # noqa: BLE001  (who asked would else be told nothing at all)
        return _said(HTTPStatus.INTERNAL_SERVER_ERROR, f"the check itself failed: {type(error).__name__}")
    return _said(HTTPStatus.NOT_FOUND, "there are /live, /ready, /metrics and /health")


def _reported(server: Endpoint, path: str, accepted: str) -> Reply:
    aged = server.reports.get()
    if aged is None:
        return _said(HTTPStatus.SERVICE_UNAVAILABLE, _NOBODY_KNOWS)
    report = aged.value
    extra = Extra(datetime.now(timezone.utc) - timedelta(seconds=aged.age_s))
    if path == "/health":
        is_bad = report.state is State.CRITICAL
        status = HTTPStatus.SERVICE_UNAVAILABLE if is_bad else HTTPStatus.OK
        return Reply(status, HEALTH_JSON, FORMATS["health+json"](report, extra))
    # A scrape that fails when the server does would tell nothing of it.
    if "application/openmetrics-text" in accepted:
        return Reply(HTTPStatus.OK, OPENMETRICS, FORMATS["openmetrics"](report, extra))
    return Reply(HTTPStatus.OK, TEXT, FORMATS["prometheus"](report, extra))


def _probed(found: Probed) -> Reply:
    status = HTTPStatus.OK if found.is_ok else HTTPStatus.SERVICE_UNAVAILABLE
    return Reply(status, JSON, json.dumps(asdict(found)) + "\n")


def _said(status: HTTPStatus, what: str) -> Reply:
    return Reply(status, JSON, json.dumps({"said": what}) + "\n")


def listening(spoken: str, asked: Asked) -> Endpoint:
    """Return an endpoint that listens at HOST:PORT; without a host, to this machine alone.

    Raises:
        SettingsError: it is written otherwise, or nobody can listen there.
    """
    host, colon, port = spoken.rpartition(":")
    is_written = colon and port.isdecimal() and int(port) <= 65_535 and (":" not in host or host[:1] == "[")
    if not is_written:
        raise SettingsError(f'"{spoken}" is no place to listen at', hint="say 127.0.0.1:8009, or [::1]:8009")
    try:
        return Endpoint((host.strip("[]") or "127.0.0.1", int(port)), asked)
    except OSError as error:
        raise SettingsError(
            f'nobody can listen at "{spoken}": {error.strerror or type(error).__name__}',
            hint="name another port, or an address of this machine",
        ) from error
