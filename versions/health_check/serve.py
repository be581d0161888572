"""Answer over HTTP: `/live`, `/ready`, `/metrics`, `/health`; however many ask, one session at a time asks the server.

Four things bound it: an answer is kept for a while; one thread finds the next; so many connections are open at once,
the oldest giving way; and none is open for longer than it takes.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any, Final

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport, State
from spotify_ai_agent_migrations.versions.health_check.kept import Kept
from spotify_ai_agent_migrations.versions.health_check.probes import Probed, live

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
HEALTH_JSON: Final = "application/health+json"
JSON: Final = "application/json"
_MOST_OPEN: Final = 32
_MOST_OPEN_S: Final = 15.0
_STEP_S: Final = 5.0
_BUSY: Final = b"HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

Written = Callable[[HealthReport, float], str]


@dataclass(frozen=True)
class Asked:
    """What an endpoint asks, how it writes a report of an age, and for how long it keeps one.

    `wait_s` is how long the first who asks may wait; both asking functions have bounds of their own.
    """

    report: Callable[[], HealthReport]
    ready: Callable[[], Probed]
    prometheus: Written
    openmetrics: Written
    health_json: Written
    fresh_s: float = 30.0
    ready_fresh_s: float = 1.0
    wait_s: float = 15.0


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    status: HTTPStatus
    kind: str
    body: str


class Endpoint(ThreadingMixIn, HTTPServer):
    """A server of HTTP that cannot be kept busy; listens from its construction, answers in `serve_forever`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], asked: Asked) -> None:
        self.asked = asked
        self.reports = Kept(asked.report, fresh_s=asked.fresh_s, most_s=asked.wait_s)
        self.readiness = Kept(asked.ready, fresh_s=asked.ready_fresh_s, most_s=asked.wait_s)
        self._open: dict[socket.socket, float] = {}
        self._opening = threading.Lock()
        self.address_family = _family(address)
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

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (socketserver's own)
        """Let a connection in where there is room, and send it away where there is none."""
        with self._opening:
            self._make_room()
            if len(self._open) >= _MOST_OPEN:
                _send_away(request)
                self.shutdown_request(request)
                return
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  (socketserver's own)
        """Close a connection, and forget it."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (socketserver's own)
        """Say nothing: whoever hangs up early is no fault of anybody here."""

    def _make_room(self) -> None:
        """End the connections that have been open for longer than any answer takes."""
        before = time.monotonic() - _MOST_OPEN_S
        for request, since in list(self._open.items()):
            if since < before:
                # Its thread meets the end of it, and closes it.
                _hang_up(request)


class _Handler(BaseHTTPRequestHandler):
    """One request: answered, and over."""

    server: Endpoint
    server_version = "agentdb"
    sys_version = ""
    timeout = _STEP_S

    def do_GET(self) -> None:  # noqa: N802  (http.server's own)
        """Answer."""
        self._send(with_body=True)

    def do_HEAD(self) -> None:  # noqa: N802  (http.server's own)
        """Answer without what it says."""
        self._send(with_body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, *, with_body: bool) -> None:
        reply = _reply(self.server, self.path.partition("?")[0], self.headers.get("Accept", ""))
        body = reply.body.encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _reply(server: Endpoint, path: str, accepted: str) -> Reply:
    if path == "/live":
        return _probed(live())
    if path == "/ready":
        found = server.readiness.get()
        return _probed(found.value if found else Probed("ready", is_ok=False, said="nobody knows yet"))
    if path not in {"/metrics", "/health"}:
        return Reply(HTTPStatus.NOT_FOUND, JSON, '{"paths": ["/live", "/ready", "/metrics", "/health"]}\n')
    aged = server.reports.get()
    if aged is None:
        return Reply(HTTPStatus.SERVICE_UNAVAILABLE, JSON, '{"said": "nobody knows yet"}\n')
    if path == "/health":
        bad = aged.value.state is State.CRITICAL
        status = HTTPStatus.SERVICE_UNAVAILABLE if bad else HTTPStatus.OK
        return Reply(status, HEALTH_JSON, server.asked.health_json(aged.value, aged.age_s))
    # A scrape that fails for what it is to tell of tells nothing.
    if "application/openmetrics-text" in accepted:
        return Reply(HTTPStatus.OK, OPENMETRICS, server.asked.openmetrics(aged.value, aged.age_s))
    return Reply(HTTPStatus.OK, TEXT, server.asked.prometheus(aged.value, aged.age_s))


def _probed(found: Probed) -> Reply:
    status = HTTPStatus.OK if found.is_ok else HTTPStatus.SERVICE_UNAVAILABLE
    return Reply(status, JSON, json.dumps(asdict(found)) + "\n")


def _send_away(request: socket.socket) -> None:
    try:
        request.settimeout(0)
        request.send(_BUSY)
    except OSError:
        return


def _hang_up(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _family(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def listening_place(spoken: str) -> tuple[str, int]:
    """Return the host and the port that HOST:PORT names; `:PORT` is this machine alone.

    Raises:
        SettingsError: it is written otherwise.
    """
    host, colon, port = spoken.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535 or (":" in host and host[:1] != "["):
        raise SettingsError(f'"{spoken}" is no place to listen at', hint="say 127.0.0.1:8009, or [::1]:8009")
    return host.strip("[]") or "127.0.0.1", int(port)


def listening(place: str, asked: Asked) -> Endpoint:
    """Return an endpoint that listens at *place*, HOST:PORT.

    Raises:
        SettingsError: nobody can listen there.
    """
    address = listening_place(place)
    try:
        return Endpoint(address, asked)
    except OSError as error:
        raise SettingsError(
            f'nobody can listen at "{place}": {error.strerror or type(error).__name__}',
            hint="name another port, or an address of this machine",
        ) from error
