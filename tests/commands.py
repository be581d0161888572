"""`agentdb`, `alembic` and `python` as programs that a script finds, forked from a process that has imported them."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator

from forked import PACKAGE, run_request

BEGINNINGS = {"agentdb": ["-m", PACKAGE], "alembic": ["-m", "alembic"], "python": []}
# Hands its arguments, surroundings and standard files over, and ends as what is run with them ends.
PROGRAM = """#!{python} -IS
import json, os, socket, sys
there = socket.socket(socket.AF_UNIX)
there.connect({place!r})
request = {{"arguments": [*{beginning!r}, *sys.argv[1:]], "env": dict(os.environ), "cwd": os.getcwd(), "imported": False}}
message = json.dumps(request).encode()
socket.send_fds(there, [len(message).to_bytes(4, "big")], [0, 1, 2])
there.sendall(message)
code = int(there.makefile().readline())
os._exit(code if code >= 0 else 128 - code)
"""


@contextlib.contextmanager
def programs() -> Iterator[pathlib.Path]:
    """The folder of the programs, which work within the block."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listening:
        folder = pathlib.Path(name)
        place = folder / "socket"
        listening.bind(str(place))
        listening.listen()
        for program, beginning in BEGINNINGS.items():
            file = folder / program
            file.write_text(PROGRAM.format(python=sys.executable, place=str(place), beginning=beginning))
            file.chmod(0o755)
        threading.Thread(target=_listen, args=(listening,), daemon=True).start()
        yield folder
        listening.shutdown(socket.SHUT_RDWR)


def _listen(listening: socket.socket) -> None:
    """Answer each call in a thread of its own, since one may read what another writes; end with the socket."""
    with contextlib.suppress(OSError):
        while True:
            call, _ = listening.accept()
            threading.Thread(target=_answer, args=(call,), daemon=True).start()


def _answer(call: socket.socket) -> None:
    with call:
        length, files, *_ = socket.recv_fds(call, 4, 3)
        message = call.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
        try:
            code = run_request(json.loads(message), files)
        finally:
            for file in files:
                os.close(file)
        call.sendall(f"{code}\n".encode())
