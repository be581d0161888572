"""Find the numbered revisions and read them as text. Nothing here imports or executes one.

What breaks a file for Python (a syntax error, a NUL byte, another encoding) is written on its `Revision`;
it never raises, so one broken file hides no other.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from inspect import cleandoc
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar, cast

from spotify_ai_agent_migrations.versions.governance import bindings, source, syntax
from spotify_ai_agent_migrations.versions.governance.acts import Act, OnTable, Part, Statement
from spotify_ai_agent_migrations.versions.governance.comments import comments_of
from spotify_ai_agent_migrations.versions.governance.course import Course, course
from spotify_ai_agent_migrations.versions.governance.facts import Facts, read_facts
from spotify_ai_agent_migrations.versions.governance.finding import Place
from spotify_ai_agent_migrations.versions.governance.flow import Source
from spotify_ai_agent_migrations.versions.governance.strings import SqlText, sql_texts
from spotify_ai_agent_migrations.versions.governance.suppressions import Suppression, suppressions
from spotify_ai_agent_migrations.versions.governance.tokens import Token

Kind = TypeVar("Kind", bound=Act)
Table = TypeVar("Table", bound=OnTable)

FIELDS: Final = ("Locks", "Reverse", "Data", "Needs")

HERE: Final = Path(__file__).resolve().parents[1]
_FILE: Final = re.compile(r"(?P<number>[0-9]{3})_(?P<slug>.+)\.py")
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
# What a docstring allows is no part of the field above it.
_FIELD: Final = re.compile(rf"(?P<name>{'|'.join(FIELDS)}):(?P<text>.*)|allow MIG\w*")


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
        value = bindings.assignments(self.tree).get(variable) if self.tree else None
        return Place() if value is None else self.place(value)

    def place(self, node: ast.AST) -> Place:
        """Return where *node* begins; Python counts its columns in bytes."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        before = self.lines[line - 1].encode("utf-8", "replace")[:column]
        return Place(line, len(before.decode("utf-8", "replace")) + 1)

    def place_in(self, text: SqlText, token: Token) -> Place:
        """Return where *token* of *text* stands, to the line where the string spans lines."""
        line = text.line(token.offset)
        return self.place(text.node) if line is None else Place(line)

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines of the source, as Python counts them."""
        return _NEWLINE.split(self.source)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Return every node of the tree, parents first."""
        return tuple(bindings.walk(self.tree)) if self.tree else ()

    def rebindings(self, name: str) -> list[ast.AST]:
        """Return what binds a name of the module once more; see `bindings.rebindings`."""
        return bindings.rebindings(self.tree, self._scope, name) if self.tree else []

    @cached_property
    def _scope(self) -> tuple[ast.AST, ...]:
        return tuple(bindings.module_scope(self.tree, self.nodes)) if self.tree else ()

    @cached_property
    def origins(self) -> Mapping[str, str]:
        """Return the full names behind the names of the file; see `syntax.origins`."""
        return syntax.origins(self.nodes)

    @cached_property
    def calls(self) -> tuple[syntax.Call, ...]:
        """Return every call of the file."""
        return syntax.calls(self.tree, self.origins) if self.tree else ()

    @cached_property
    def bindings(self) -> Mapping[str, list[ast.expr]]:
        """Return every value given to a plain name; see `bindings.bindings`."""
        return bindings.bindings(self.nodes)

    @cached_property
    def constants(self) -> Mapping[str, str]:
        """Return the strings assigned once, at the top of the module, by name."""
        return bindings.constants(self.tree, self.bindings) if self.tree else {}

    @cached_property
    def sql_texts(self) -> tuple[SqlText, ...]:
        """Return every string that may hold SQL."""
        return tuple(sql_texts(self.tree)) if self.tree else ()

    @cached_property
    def comments(self) -> Mapping[str, str]:
        """Return the comments that the revision gives to columns; see `comments.comments_of`."""
        return comments_of(self.sql_texts, self.calls, self.constants)

    @cached_property
    def suppressions(self) -> tuple[Suppression, ...]:
        """Return what the revision allows itself; see `suppressions.suppressions`."""
        return suppressions(self)

    @cached_property
    def upgrade(self) -> Course:
        """Return what `upgrade()` does."""
        return self._course("upgrade")

    @cached_property
    def downgrade(self) -> Course:
        """Return what `downgrade()` does."""
        return self._course("downgrade")

    def place_of_act(self, act: Act, part: Part = None) -> Place:
        """Return where *act* is written, or the *part* of it that is meant."""
        text = act.where.step.text
        if text is None or isinstance(part, ast.expr):
            return self.place(part if isinstance(part, ast.expr) else act.where.step.node)
        return self.place_in(text, act.tokens[0] if part is None else part)

    def _course(self, function: str) -> Course:
        return Course() if self._source is None else course(self._source, self.constants, function)

    @cached_property
    def _source(self) -> Source | None:
        if self.tree is None:
            return None
        calls = {call.node: call for call in self.calls}
        texts = {text.node: text for text in self.sql_texts}
        return Source(self.tree, self.origins, calls, texts, self.bindings)


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

    @cached_property
    def facts(self) -> Facts:
        """Return what the revisions say together; see `facts.read_facts`."""
        return read_facts(self.revisions)

    def acts(self, kind: type[Kind]) -> Iterator[tuple[Revision, Kind]]:
        """Yield each act of exactly this kind that an `upgrade()` does, with its revision."""
        return ((made, cast("Kind", act)) for made, act in self._by_kind.get(kind, ()))

    def changes(self, kind: type[Table]) -> Iterator[tuple[Revision, Table]]:
        """Yield the acts of this kind on tables that were there before their revision."""
        return ((made, act) for made, act in self.acts(kind) if made.upgrade.found(act.table, act))

    def statements(self, *verbs: str) -> Iterator[tuple[Revision, Statement]]:
        """Yield the statements of every `upgrade()` that begin with one of these words."""
        return (pair for verb in verbs for pair in self._by_verb.get(verb, ()))

    def statements_of_both(self, *verbs: str) -> Iterator[tuple[Revision, Statement]]:
        """Yield the same, of every `upgrade()` and of every `downgrade()`."""
        yield from self.statements(*verbs)
        yield from (pair for verb in verbs for pair in self._by_verb_down.get(verb, ()))

    @cached_property
    def _by_verb(self) -> Mapping[str, list[tuple[Revision, Statement]]]:
        return _sorted_by_verb(self.acts(Statement))

    @cached_property
    def _by_verb_down(self) -> Mapping[str, list[tuple[Revision, Statement]]]:
        return _sorted_by_verb(
            (made, said) for made in self.revisions for said in made.downgrade.of(Statement)
        )

    @cached_property
    def _by_kind(self) -> Mapping[type[Act], list[tuple[Revision, Act]]]:
        found: dict[type[Act], list[tuple[Revision, Act]]] = {}
        for revision in self.revisions:
            for act in revision.upgrade.acts:
                found.setdefault(type(act), []).append((revision, act))
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Return what the revisions are called; one that cannot be read goes by its number."""
        return frozenset(revision.name for revision in self.revisions)

    def previous(self, revision: Revision) -> str | None:
        """Return the nearest lower number, as text: what *revision* is expected to follow."""
        own = -1 if revision.number is None else revision.number
        at = bisect_left(self._numbers, own)
        return f"{self._numbers[at - 1]:03}" if at else None

    def next(self, revision: Revision) -> Revision | None:
        """Return the revision with the nearest higher number: what is expected to follow *revision*."""
        own = 0 if revision.number is None else revision.number
        at = bisect_right(self._numbers, own)
        return self._numbered[at] if at < len(self._numbered) else None

    def parent(self, revision: Revision) -> str | None:
        """Return what *revision* follows, taking the previous number where it does not say."""
        said = "down_revision" in revision.assigned
        known = revision.down_revision is None or revision.down_revision in self.names
        return revision.down_revision if said and known else self.previous(revision)

    @cached_property
    def _numbered(self) -> list[Revision]:
        numbered = (made for made in self.revisions if made.number is not None)
        return sorted(numbered, key=lambda made: (made.number or 0, made.file_name))

    @cached_property
    def _numbers(self) -> list[int]:
        return [made.number or 0 for made in self._numbered]


def _sorted_by_verb(
    found: Iterable[tuple[Revision, Statement]],
) -> dict[str, list[tuple[Revision, Statement]]]:
    by_verb: dict[str, list[tuple[Revision, Statement]]] = {}
    for made, said in found:
        by_verb.setdefault(said.verb, []).append((made, said))
    return by_verb


def discover(folder: Path | None = None) -> tuple[Revision, ...]:
    """Return the numbered revisions of *folder*, by file name; without one, those of this package.

    Raises:
        FileError: there is no such folder.
    """
    return read_history(folder).revisions


def read_history(folder: Path | None = None) -> History:
    """Return the revisions of *folder* and the modules beside them; see `discover`."""
    place = HERE if folder is None else folder.resolve()
    revisions: list[Revision] = []
    strays: list[Path] = []
    for path in modules(place):
        made = read(path)
        if path.name[0] in "0123456789" or made.revision is not None:
            revisions.append(made)
        else:
            strays.append(path)
    return History(place, tuple(revisions), tuple(strays))


def read(path: Path) -> Revision:
    """Return the revision in file *path*, readable or not."""
    try:
        return _read(path, source.raw(path))
    except source.UnreadableError as trouble:
        return _unreadable(path, trouble)


@lru_cache(maxsize=256)
def _read(path: Path, held: bytes) -> Revision:
    """Return the revision that *path* holds; it is looked into once, however often its neighbours change."""
    try:
        written = source.text(held, path)
        tree = source.parsed(written, path)
    except source.UnreadableError as trouble:
        return _unreadable(path, trouble)
    values = _variables(tree)
    title, _, _ = (documentation := _documentation(tree)).partition("\n")
    return Revision(
        path, path.name, *_numbered(path),
        revision=values.get("revision"), down_revision=values.get("down_revision"),
        assigned=frozenset(values), title=title, fields=MappingProxyType(dict(_fields(documentation))),
        tree=tree, source=written,
    )  # fmt: skip


def _unreadable(path: Path, trouble: source.UnreadableError) -> Revision:
    return Revision(
        path, path.name, *_numbered(path),
        problem=trouble.problem, remedy=trouble.remedy, problem_line=trouble.line,
    )  # fmt: skip


def _numbered(path: Path) -> tuple[int | None, str]:
    match = _FILE.fullmatch(path.name)
    return (int(match["number"]), match["slug"]) if match else (None, path.stem)


def modules(folder: Path) -> list[Path]:
    """Return the files Alembic would load; it passes over `__init__…` and an editor's lock `.#…`."""
    if not folder.is_dir():
        # Here, and not above: the errors bring Alembic with them, and reading revisions needs none of it.
        from spotify_ai_agent_migrations.versions.core.errors import FileError

        raise FileError(f'folder "{folder}" does not exist', hint="name the folder that holds the revisions")
    found = (path for path in folder.iterdir() if path.suffix == ".py" and not path.is_dir())
    return sorted(path for path in found if not path.name.startswith(("__init__", ".#")))


def _variables(tree: ast.Module) -> dict[str, str | None]:
    """Return `revision` and `down_revision` where they are literals; only the latter may be None."""
    found: dict[str, str | None] = {}
    for name, value in bindings.assignments(tree).items():
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
            name, text = match["name"] or "", match["text"] or ""
        elif name:
            text = f"{text} {line.strip()}"
