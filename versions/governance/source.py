"""Read the source of a revision as Python would, and say why where Python could not."""

from __future__ import annotations

import ast
import codecs
import io
import stat
import tokenize
import warnings
from pathlib import Path


class UnreadableError(Exception):
    """Python cannot read a file."""

    def __init__(self, problem: str, remedy: str, line: int = 1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.line = line


def text(held: bytes, path: Path) -> str:
    """Return what file *path* holds as text, which is UTF-8 without a NUL byte."""
    if b"\0" in held:
        line = held.count(b"\n", 0, held.index(b"\0")) + 1
        raise UnreadableError("holds a NUL byte", f"remove it from line {line} of {path.name}", line)
    try:
        decoded = held.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = held.count(b"\n", 0, exc.start) + 1
        byte = f"byte 0x{held[exc.start]:02x} in line {line}"
        raise UnreadableError(f"is not UTF-8: {byte}", f"save {path.name} as UTF-8", line) from exc
    if not _says_utf8(held):
        remedy = f'save {path.name} as UTF-8 and remove the comment with "coding"'
        raise UnreadableError("declares an encoding other than UTF-8", remedy)
    return decoded


def raw(path: Path) -> bytes:
    """Return what *path* holds; a pipe or a device would block, or never end."""
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return path.read_bytes()
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise UnreadableError(f"cannot be read: {reason}", f"make {path.name} a readable file") from exc
    raise UnreadableError("cannot be read: not a regular file", f"make {path.name} a readable file")


def _says_utf8(raw: bytes) -> bool:
    """Tell whether Python would read *raw* as UTF-8, whatever its first two lines declare (PEP 263)."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError:
        return False
    return codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}


def parsed(source: str, path: Path) -> ast.Module:
    """Parse *source*, and compile it too: `return` outside a function is found only then."""
    remedy = f'correct it; "python -m py_compile {path.parent.name}/{path.name}" shows the place'
    try:
        with warnings.catch_warnings():
            # An invalid escape is a warning, and an error only to those who turned warnings into errors.
            warnings.simplefilter("ignore")
            tree = ast.parse(source, path.name)
            compile(tree, path.name, "exec", dont_inherit=True)
    except SyntaxError as exc:
        raise UnreadableError(f"is not valid Python: {exc.msg}", remedy, exc.lineno or 1) from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        reason = type(exc).__name__
        raise UnreadableError(f"is more than Python can parse: {reason}", remedy) from exc
    return tree
