"""Tell whether a revision is still the file it was: checksums, and the chained list of them in CHECKSUMS.

A line of the list holds a file's name, the SHA-256 of its text, and the SHA-256 of all lines so far. Two
branches that both add a revision therefore conflict in Git, even where they add different files.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIST: Final = "CHECKSUMS"

_BOM: Final = b"\xef\xbb\xbf"
_HEADING: Final = (
    "# By `agentdb governance checksums --write`: file, SHA-256 of its text, SHA-256 of all lines so far.\n"
)


@dataclass(frozen=True)
class Line:
    """One line of the list; `broken` says that it does not follow from the lines before it."""

    number: int
    file_name: str
    checksum: str
    broken: bool = False


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's text, in hexadecimal: without a BOM, CRLF read as LF."""
    raw = path.read_bytes().removeprefix(_BOM).replace(b"\r\n", b"\n")
    return hashlib.sha256(raw).hexdigest()


def code_checksum(path: Path) -> str | None:
    """Return a hash of what a file makes Python do; None where it is not Python.

    Comments, layout and the module's docstring do not count. It tells a cosmetic change from a semantic
    one and decides nothing: a later Python may see the same code otherwise.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return None
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return hashlib.sha256("".join(_described(tree)).encode("utf-8", "surrogatepass")).hexdigest()


def _described(node: object) -> Iterator[str]:
    """Yield *node* as text. Not `ast.dump`, whose words for the same code change with every Python."""
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            # What is empty was not yet a field in an older Python.
            if name not in {"ctx", "kind", "type_comment"} and value not in (None, []):
                yield f" {name}="
                yield from _described(value)
        # A constant None is a value, unlike a field that is not there.
        yield " None)" if isinstance(node, ast.Constant) and node.value is None else ")"
    elif isinstance(node, list):
        for item in node:
            yield from _described(item)
    else:
        yield repr(node)


def recorded(folder: Path) -> tuple[Line, ...] | None:
    """Return the list of *folder*; None where it has none."""
    try:
        text = (folder / LIST).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    return tuple(_lines(text))


def _lines(text: str) -> Iterator[Line]:
    chained = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        file_name, own, said = (*line.split(), "", "", "")[:3]
        chained = _chained(chained, file_name, own)
        yield Line(number, file_name, own, broken=said != chained)


def rendered(files: Iterable[Path]) -> str:
    """Return the list of *files*, in their order."""
    chained, lines = "", [_HEADING]
    for file in files:
        own = checksum(file)
        chained = _chained(chained, file.name, own)
        lines.append(f"{file.name} {own} {chained}\n")
    return "".join(lines)


def _chained(before: str, file_name: str, own: str) -> str:
    return hashlib.sha256(f"{before}\n{file_name}\n{own}".encode()).hexdigest()
