"""Python programs as processes of their own, forked from one that has the libraries imported already.

Starting Python and importing SQLAlchemy and Alembic takes longer than most commands do. Nothing of this project is
imported before the fork: each process imports it anew, from wherever its own path leads.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import pathlib
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from typing import Any

LIBRARIES = (
    "alembic.autogenerate", "alembic.command", "alembic.config", "alembic.runtime.environment", "mako.template",
    "psycopg2.extras", "psycopg2.sql", "sqlalchemy.dialects.postgresql.psycopg2", "typer.main",
)  # fmt: skip


def run_python(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: pathlib.Path, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` to its end: `-m module`, `-c code` or a file, each with what follows."""
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        pathlib.Path(os.devnull).open() as none,
    ):
        request = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}
        code = _server().run(request, [none.fileno(), out.fileno(), err.fileno()], timeout_s)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess([sys.executable, *arguments], code, *said)


@functools.cache
def _server() -> _Server:
    return _Server()


class _Server:
    """The process that is forked from; it ends when this one does."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._one_at_a_time = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )

    def run(self, request: dict[str, Any], files: list[int], timeout_s: float) -> int:
        """Run one program with these standard files; return its exit code, or minus a signal's number."""
        answer, theirs = os.pipe()
        with open(answer, "rb", buffering=0) as answered:  # noqa: PTH123  (a number, not a path)
            message = json.dumps(request).encode()
            with self._one_at_a_time:
                socket.send_fds(self._channel, [len(message).to_bytes(4, "big")], [*files, theirs])
                self._channel.sendall(message)
            os.close(theirs)
            pid = int(answered.readline())
            if not select.select([answered], [], [], timeout_s)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(request["arguments"], timeout_s)
            return int(answered.readline())


def _serve(channel: socket.socket) -> dict[str, Any]:
    """Fork for each request; return, in the new process, with what it is to run."""
    # A process that has ended, and whose end nobody here asks for, goes by itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while True:
        length, files, *_ = socket.recv_fds(channel, 4, 4)
        if not length:
            raise SystemExit
        message = channel.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
        if os.fork() == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if _watched(files.pop()):
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                found = json.loads(message)
                assert isinstance(found, dict)
                return found
        for file in files:
            os.close(file)


def _watched(answer: int) -> bool:
    """Fork once more: true in the program, while the other process waits for its end and reports that."""
    pid = os.fork()
    if pid == 0:
        os.close(answer)
        return True
    os.write(answer, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(answer, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any]) -> None:
    """Run what was asked for, as `python` itself would."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    first, *rest = request["arguments"]
    searched = [path for path in request["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    # The place of the program itself comes first, then PYTHONPATH; behind them, what there was without both.
    here = sys.path.index(str(pathlib.Path(__file__).parent))
    sys.path[: here + 1] = ["", *searched]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    if first == "-m":
        sys.path[0] = request["cwd"]
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)  # noqa: S102
    else:
        sys.path[0] = str(pathlib.Path(first).resolve().parent)
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


def _import() -> None:
    """Import the libraries, with what the one for command lines leaves until it reads its first number."""
    for library in LIBRARIES:
        importlib.import_module(library)
    typer = importlib.import_module("typer")
    app = typer.Typer()
    app.command()(_count)
    app(["1"], standalone_mode=False)


def _count(number: int) -> int:
    return number


if __name__ == "__main__":
    _import()
    with contextlib.closing(socket.socket(fileno=int(sys.argv[1]))) as listening:
        asked = _serve(listening)
    _become(asked)
