"""Find the numbered revisions and read them as text. Nothing here imports or executes one.

What breaks a file for Python (a syntax error, a NUL byte, another encoding) is written on its `Revision`;
it never raises, so one broken file hides no other.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance import syntax
from spotify_ai_agent_migrations.versions.governance.finding import Place

FIELDS: Final = ("Locks", "Reverse", "Data", "Needs")

_HERE: Final = Path(__file__).resolve().parents[1]
_FILE: Final = re.compile(r"(?P<number>[0-9]{3})_(?P<slug>.+)\.py")
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_FIELD: Final = re.compile(rf"(?P<name>{'|'.join(FIELDS)}):(?P<text>.*)")


@dataclass(frozen=True)
class Revision:
    """One numbered revision, as it is written.

    `number` and `slug` come from the file's name, `revision` and `down_revision` from its text.
    `assigned` holds which of these two are literals, for a `down_revision` of None may be either.
    `problem` says why Python cannot read the file, `remedy` what to do; then there is no `tree`.
    """

    path: Path
    file_name: str
    number: int | None
    slug: str
    revision: str | None = None
    down_revision: str | None = None
    assigned: frozenset[str] = frozenset()
    title: str = ""
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    tree: ast.Module | None = field(default=None, repr=False, compare=False)
    source: str = field(default="", repr=False, compare=False)
    problem: str | None = None
    remedy: str = field(default="", repr=False)
    problem_line: int = field(default=1, repr=False)

    @property
    def name(self) -> str:
        """Return what the revision is called: its own word for it, or the number of its file."""
        if self.revision is not None:
            return self.revision
        return self.path.stem if self.number is None else f"{self.number:03}"

    def place_of(self, variable: str) -> Place:
        """Return where *variable* is assigned; the top of the file where it is not."""
        value = syntax.assignments(self.tree).get(variable) if self.tree else None
        return Place() if value is None else self.place(value)

    def place(self, node: ast.expr | ast.stmt) -> Place:
        """Return where *node* begins; Python counts its columns in bytes."""
        lines = _NEWLINE.split(self.source)
        before = lines[node.lineno - 1].encode("utf-8", "replace")[: node.col_offset]
        return Place(node.lineno, len(before.decode("utf-8", "replace")) + 1)


@dataclass(frozen=True)
class History:
    """The revisions of a folder, by file name, and the other modules Alembic would take for revisions."""

    folder: Path
    revisions: tuple[Revision, ...]
    strays: tuple[Path, ...] = ()

    @property
    def readable(self) -> Iterator[tuple[Revision, ast.Module]]:
        """Yield each revision that could be parsed, with its tree."""
        return ((made, made.tree) for made in self.revisions if made.tree is not None)

    @property
    def names(self) -> frozenset[str]:
        """Return what the revisions are called; one that cannot be read goes by its number."""
        return frozenset(revision.name for revision in self.revisions)

    def previous(self, revision: Revision) -> str | None:
        """Return the nearest lower number, as text: what *revision* is expected to follow."""
        own = -1 if revision.number is None else revision.number
        lower = [made.number for made in self.revisions if made.number is not None and made.number < own]
        return f"{max(lower):03}" if lower else None

    def next(self, revision: Revision) -> Revision | None:
        """Return the revision with the nearest higher number: what is expected to follow *revision*."""
        own = 0 if revision.number is None else revision.number
        higher = [made for made in self.revisions if made.number is not None and made.number > own]
        return min(higher, key=lambda made: (made.number or 0, made.file_name), default=None)

    def parent(self, revision: Revision) -> str | None:
        """Return what *revision* follows, taking the previous number where it does not say."""
        said = "down_revision" in revision.assigned
        known = revision.down_revision is None or revision.down_revision in self.names
        return revision.down_revision if said and known else self.previous(revision)


def discover(folder: Path | None = None) -> tuple[Revision, ...]:
    """Return the numbered revisions of *folder*, by file name; without one, those of this package.

    Raises:
        FileError: there is no such folder.
    """
    return read_history(folder).revisions


def read_history(folder: Path | None = None) -> History:
    """Return the revisions of *folder* and the modules beside them; see `discover`."""
    place = _HERE if folder is None else folder.resolve()
    revisions: list[Revision] = []
    strays: list[Path] = []
    for path in _modules(place):
        made = read(path)
        if path.name[0] in "0123456789" or made.revision is not None:
            revisions.append(made)
        else:
            strays.append(path)
    return History(place, tuple(revisions), tuple(strays))


def read(path: Path) -> Revision:
    """Return the revision in file *path*, readable or not."""
    match = _FILE.fullmatch(path.name)
    number, slug = (int(match["number"]), match["slug"]) if match else (None, path.stem)
    try:
        source = _text(path)
        tree = _parsed(source, path)
    except _UnreadableError as trouble:
        return Revision(
            path, path.name, number, slug,
            problem=trouble.problem, remedy=trouble.remedy, problem_line=trouble.line,
        )  # fmt: skip
    values = _variables(tree)
    title, _, _ = (documentation := _documentation(tree)).partition("\n")
    return Revision(
        path, path.name, number, slug,
        revision=values.get("revision"), down_revision=values.get("down_revision"),
        assigned=frozenset(values), title=title, fields=MappingProxyType(dict(_fields(documentation))),
        tree=tree, source=source,
    )  # fmt: skip


class _UnreadableError(Exception):
    """Python cannot read a file. Never leaves this module."""

    def __init__(self, problem: str, remedy: str, line: int = 1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.line = line


def _modules(folder: Path) -> list[Path]:
    """Return the files Alembic would load; it passes over `__init__…` and an editor's lock `.#…`."""
    if not folder.is_dir():
        # Here, and not above: the errors bring Alembic with them, and reading revisions needs none of it.
        from spotify_ai_agent_migrations.versions.core.errors import FileError

        raise FileError(f'folder "{folder}" does not exist', hint="name the folder that holds the revisions")
    found = (path for path in folder.iterdir() if path.suffix == ".py" and not path.is_dir())
    return sorted(path for path in found if not path.name.startswith(("__init__", ".#")))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise _UnreadableError(f"cannot be read: {reason}", f"make {path.name} a readable file") from exc
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise _UnreadableError("holds a NUL byte", f"remove it from line {line} of {path.name}", line)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        byte = f"byte 0x{raw[exc.start]:02x} in line {line}"
        raise _UnreadableError(f"is not UTF-8: {byte}", f"save {path.name} as UTF-8", line) from exc


def _parsed(source: str, path: Path) -> ast.Module:
    """Parse *source*, and compile it too: `return` outside a function is found only then."""
    remedy = f'correct it; "python -m py_compile {path.parent.name}/{path.name}" shows the place'
    try:
        with warnings.catch_warnings():
            # An invalid escape is a warning, and an error only to those who turned warnings into errors.
            warnings.simplefilter("ignore")
            tree = ast.parse(source, path.name)
            compile(tree, path.name, "exec", dont_inherit=True)
    except SyntaxError as exc:
        raise _UnreadableError(f"is not valid Python: {exc.msg}", remedy, exc.lineno or 1) from exc
    except (ValueError, RecursionError, MemoryError) as exc:
        reason = type(exc).__name__
        raise _UnreadableError(f"is more than Python can parse: {reason}", remedy) from exc
    return tree


def _variables(tree: ast.Module) -> dict[str, str | None]:
    """Return `revision` and `down_revision` where they are literals; only the latter may be None."""
    found: dict[str, str | None] = {}
    for name, value in syntax.assignments(tree).items():
        if name not in {"revision", "down_revision"} or not isinstance(value, ast.Constant):
            continue
        if isinstance(value.value, str) or (value.value is None and name == "down_revision"):
            found[name] = value.value
    return found


def _documentation(tree: ast.Module) -> str:
    return cleandoc(ast.get_docstring(tree, clean=False) or "")


def _fields(documentation: str) -> Iterator[tuple[str, str]]:
    """Yield each field of a docstring; its text goes on until a blank line or the next field."""
    name, text = "", ""
    for line in [*documentation.splitlines(), ""]:
        match = _FIELD.match(line)
        if name and (match or not line.strip()):
            yield name, text.strip()
            name = ""
        if match:
            name, text = match["name"], match["text"]
        elif name:
            text = f"{text} {line.strip()}"
