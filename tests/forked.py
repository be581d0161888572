"""Python programs as processes of their own, forked from one that has the libraries imported already.

Starting Python and importing SQLAlchemy and Alembic takes longer than most commands do. So does holding every revision
against the rules. What runs Alembic or this package in a checkout is forked from a process that has done that much with
these very files; any other program imports this project anew, from wherever its own path leads.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import json
import os
import pathlib
import re
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
from typing import Any, NoReturn

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARIES = (
    "alembic.autogenerate", "alembic.command", "alembic.config", "alembic.runtime.environment", "mako.template",
    "psycopg2.extras", "psycopg2.sql", "sqlalchemy.dialects.postgresql.psycopg2", "typer.main",
)  # fmt: skip
PACKAGE = "spotify_ai_agent_migrations"
# In place of a length: the revisions are others now.
_OTHERS = b"\xff" * 4
_IMPORTED = {"__init__.py", "__main__.py"}
# What Python finds behind the place of the program itself.
_BEHIND = tuple(sys.path[1:])


def run_python(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: pathlib.Path,
    timeout_s: float = 300,
    imported: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` to its end: `-m module`, `-c code` or a file, each with what follows.

    Code that does no more than change what a command does is run where this project is *imported* already.
    """
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        pathlib.Path(os.devnull).open() as none,
    ):
        request = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd), "imported": imported}
        code = run_request(request, [none.fileno(), out.fileno(), err.fileno()], timeout_s)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess([sys.executable, *arguments], code, *said)


def run_request(request: dict[str, Any], files: list[int], timeout_s: float = 300) -> int:
    """Run what a program was asked for, with these standard files; return its exit code, or minus a signal's number."""
    return _server().run(request, files, timeout_s)


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


def _serve(channel: socket.socket, warm: _Warm | None = None) -> dict[str, Any]:
    """Fork for each request; return, in the new process, with what it is to run."""
    # A process that has ended, and whose end nobody here asks for, goes by itself.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    while True:
        length, files, *_ = socket.recv_fds(channel, 4, 4)
        if not length:
            raise SystemExit
        if length == _OTHERS:
            importlib.import_module(f"{PACKAGE}.versions.governance").check()
            gc.freeze()
            continue
        message = channel.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
        request = json.loads(message)
        assert isinstance(request, dict)
        elsewhere = warm is not None and warm.passed_on(request, length, message, files)
        if not elsewhere and os.fork() == 0:
            channel.close()
            if warm is not None:
                warm.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if _watched(files.pop()):
                for number, file in enumerate(files):
                    os.dup2(file, number)
                    os.close(file)
                _reopen()
                return request
        for file in files:
            os.close(file)


def _is_ours(arguments: list[str]) -> bool:
    """Tell whether a program is Alembic, this package, or a numbered script of the checkout it is called from."""
    if arguments[:1] == ["-m"]:
        return arguments[1] in {"alembic", PACKAGE}
    return re.match(r"versions/\d{3}_\w+\.py$", arguments[0]) is not None


class _Warm:
    """The processes that have imported this project from a checkout: of this one, and of the last other one.

    What they have imported is not the revisions: where these are others now, the rules are asked anew, and no more.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._kept: dict[bool, tuple[str, socket.socket | None]] = {}
        self._revisions: dict[bool, str] = {}

    def passed_on(self, request: dict[str, Any], length: bytes, message: bytes, files: list[int]) -> bool:
        """Let another process fork for this request, if there can be one that has its files."""
        place = pathlib.Path(request["cwd"])
        searched = request["env"].get("PYTHONPATH", "")
        ours = place == ROOT and not searched
        named = _is_ours(request["arguments"])
        if not (named or request["imported"]) or not (
            ours or (place.name == PACKAGE and searched == str(place.parent))
        ):
            return False
        state, revisions = _state(place)
        fresh = self._kept.get(ours, ("", None))[0] != state
        if fresh:
            self._replace(ours, state, request, files)
        there = self._kept[ours][1]
        if there is None:
            return False
        if self._revisions.get(ours) != revisions and not fresh:
            there.sendall(_OTHERS)
        self._revisions[ours] = revisions
        socket.send_fds(there, [length], files)
        there.sendall(message)
        return True

    def close(self) -> None:
        """Let go of the processes: what is forked here does not hold them."""
        for _, there in self._kept.values():
            if there is not None:
                there.close()

    def _replace(self, ours: bool, state: str, request: dict[str, Any], files: list[int]) -> None:
        """Start the process of a checkout; where this project cannot be imported, each command is to find out."""
        _, before = self._kept.pop(ours, ("", None))
        if before is not None:
            before.close()
        here, there = socket.socketpair()
        if os.fork() == 0:
            self._channel.close()
            self.close()
            here.close()
            # It stays, and who reads what this request writes waits for its end.
            for file in files:
                os.close(file)
            _warmed(request, there)
        there.close()
        self._kept[ours] = state, here if here.recv(1) else None


def _warmed(request: dict[str, Any], channel: socket.socket) -> NoReturn:
    """Import what every command needs, hold the revisions against the rules, and fork from then on."""
    _look_in(request)
    try:
        importlib.import_module(f"{PACKAGE}.versions.cli.environment")
        _import_rooms()
        importlib.import_module(f"{PACKAGE}.versions.governance").check()
    except Exception:  # noqa: BLE001  (a broken checkout)
        os._exit(1)
    channel.sendall(b"1")
    _become(_serve(channel))
    raise SystemExit


def _import_rooms() -> None:
    """Import every module that a command or a revision may ask for; what only some installations have is left out."""
    versions = importlib.import_module(f"{PACKAGE}.versions")
    for place in pathlib.Path(versions.__path__[0]).glob("*/**/*.py"):
        name = ".".join(place.relative_to(versions.__path__[0]).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        with contextlib.suppress(ImportError):
            importlib.import_module(f"{PACKAGE}.versions.{name}")


def _state(root: pathlib.Path) -> tuple[str, str]:
    """Return what stands for the files of a checkout, their names, sizes and times: for modules, and for revisions."""
    states = hashlib.sha256(str(root).encode()), hashlib.sha256()
    for folder, folders, files in os.walk(root):
        folders[:] = ["versions"] if folder == str(root) else sorted({*folders} - {"__pycache__"})
        # Of its first folder only what Python imports of the package: a test writes files there.
        for file in sorted({*files} & _IMPORTED if folder == str(root) else files):
            revision = folder == f"{root}/versions" and (file[0].isdigit() or file == "CHECKSUMS")
            # What another test has written for a moment is gone by now.
            with contextlib.suppress(FileNotFoundError):
                found = pathlib.Path(folder, file).lstat()
                states[revision].update(f"{folder}/{file}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return states[0].hexdigest(), states[1].hexdigest()


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


def _reopen() -> None:
    """Let Python know its standard files anew: one may be a pipe now that was a file, and cannot be sought in."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        was = getattr(sys, name)
        mode, buffering = ("w", 1 if number == 2 or os.isatty(number) else -1) if number else ("r", -1)
        again = open(number, mode, buffering, was.encoding, was.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, again)


def _look_in(request: dict[str, Any]) -> None:
    """Search for modules where the program would."""
    searched = [path for path in request["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    # The place of the program itself comes first, then PYTHONPATH; behind them, what there was without both.
    sys.path[:] = [_place(request), *searched, *_BEHIND]
    sys.dont_write_bytecode = bool(request["env"].get("PYTHONDONTWRITEBYTECODE"))


def _place(request: dict[str, Any]) -> str:
    first = request["arguments"][0]
    places = {"-m": request["cwd"], "-c": ""}
    return places[first] if first in places else str(pathlib.Path(first).resolve().parent)


def _become(request: dict[str, Any]) -> None:
    """Run what was asked for, as `python` itself would."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    _look_in(request)
    first, *rest = request["arguments"]
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)  # noqa: S102
    else:
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
        asked = _serve(listening, _Warm(listening))
    _become(asked)
