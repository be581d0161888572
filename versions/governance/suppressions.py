"""Read where a revision allows what a rule forbids, and part the findings accordingly.

    # allow MIG031: the table holds five rows
    op.create_index("plans_name_idx", "plans", ["name"])

The comment stands above a statement of Python, or behind it, and covers that statement, or the argument it
stands above; before a `with` or a `def` it covers that line. In SQL text it is `-- allow MIG031: …` and
covers one statement of SQL. A line of its own in the docstring, without a mark, covers the whole file.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Place, Suppressed, project_path
from spotify_ai_agent_migrations.versions.governance.strings import SqlText
from spotify_ai_agent_migrations.versions.governance.tokens import line_comments

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

_SPEAKS: Final = re.compile(r"allow +MIG", re.IGNORECASE)
_ALLOWS: Final = re.compile(
    r"\s*(?:#|--)?\s*allow +(?P<codes>MIG\w*(?: *, *MIG\w*)*) *(?::(?P<reason>.*))?", re.IGNORECASE
)
_COMMENTED: Final = re.compile(r"#\s*allow +MIG", re.IGNORECASE)
_PASSED_OVER: Final = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
)

_COMPOUND: Final = (
    ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.FunctionDef, ast.If, ast.Try, ast.While, ast.With,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Suppression:
    """One code that is allowed, why, where it says so, and the lines it holds for, both included."""

    code: str
    reason: str
    place: Place
    first: int
    last: int

    @property
    def covers_nothing(self) -> bool:
        """Tell whether no statement stands behind it."""
        return self.last < self.first

    def covers(self, finding: Finding) -> bool:
        """Tell whether *finding*, in the same file, is what it allows; without a reason it allows nothing."""
        return finding.code == self.code and bool(self.reason) and self.first <= finding.line <= self.last


def suppressions(revision: Revision) -> tuple[Suppression, ...]:
    """Return what *revision* allows, by line."""
    if revision.tree is None or not _SPEAKS.search(revision.source):
        return ()
    found = (*_of_file(revision, revision.tree), *_of_python(revision), *_of_sql(revision))
    return tuple(sorted(found, key=lambda one: one.place))


def part(
    history: History, findings: Iterable[Finding], allowed: frozenset[str]
) -> tuple[list[Finding], list[Suppressed], list[tuple[Revision, Suppression]]]:
    """Part *findings* into those that stand, those that are suppressed, and the suppressions of none.

    Only the codes *allowed* can be suppressed.
    """
    said = {project_path(made.path): (made, made.suppressions) for made in history.revisions}
    stand: list[Finding] = []
    suppressed: list[Suppressed] = []
    used: set[Suppression] = set()
    for finding in findings:
        _, given = said.get(finding.path, (None, ()))
        by = [one for one in given if finding.code in allowed and one.covers(finding)]
        used.update(by)
        if by:
            suppressed.append(Suppressed(finding, by[0].reason))
        else:
            stand.append(finding)
    unused = [(made, one) for made, given in said.values() for one in given if one not in used]
    return stand, suppressed, unused


def _read(text: str, place: Place, lines: range) -> Iterator[Suppression]:
    match = _ALLOWS.match(text)
    if match is not None:
        reason = (match["reason"] or "").strip()
        for code in match["codes"].split(","):
            yield Suppression(code.strip(), reason, place, lines.start, lines.stop - 1)


def _of_file(revision: Revision, tree: ast.Module) -> Iterator[Suppression]:
    """Yield what the docstring allows, for every line of the file."""
    text = ast.get_docstring(tree, clean=False) or ""
    everywhere = range(1, len(revision.lines) + 1)
    for number, line in enumerate(text.splitlines(), tree.body[0].lineno if tree.body else 1):
        if line.lstrip().lower().startswith("allow "):
            yield from _read(line, Place(number), everywhere)


def _of_python(revision: Revision) -> Iterator[Suppression]:
    """Yield what the comments of the file allow; read backwards, to know what comes behind each."""
    tokens = _tokens(revision.source)
    lines = _Lines(revision.nodes)
    code_line = 0
    for token in reversed(tokens):
        if token.type not in _PASSED_OVER:
            code_line = token.start[0]
        elif token.type == tokenize.COMMENT and _ALLOWS.match(token.string):
            line, column = token.start
            behind = bool(token.line[:column].strip())
            place = Place(line, column + 1)
            yield from _read(token.string, place, lines.of_statement(line if behind else code_line))


def _tokens(source: str) -> list[tokenize.TokenInfo]:
    """Return the tokens of a file up to the code behind its last comment that allows something.

    None where the library reads less than Python does.
    """
    allowing = [number for number, line in enumerate(io.StringIO(source), 1) if _COMMENTED.search(line)]
    read: list[tokenize.TokenInfo] = []
    if not allowing:
        return read
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            read.append(token)
            if token.start[0] > allowing[-1] and token.type not in _PASSED_OVER:
                break
    except (tokenize.TokenError, SyntaxError):
        return []
    return read


class _Lines:
    """What begins on each line of a file, and which statements end there."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self._begun: dict[int, list[ast.expr | ast.stmt | ast.keyword]] = {}
        self._ended: dict[int, int] = {}
        for node in nodes:
            if isinstance(node, ast.expr | ast.stmt | ast.keyword):
                self._begun.setdefault(node.lineno, []).append(node)
            if isinstance(node, ast.stmt) and not isinstance(node, _COMPOUND):
                end = node.end_lineno or node.lineno
                self._ended[end] = min(self._ended.get(end, end), node.lineno)

    def of_statement(self, line: int) -> range:
        """Return the lines of what begins on *line*, else of the statement that ends there."""
        begun = self._begun.get(line, [])
        heads = [node.body[0].lineno for node in begun if isinstance(node, _COMPOUND)]
        if heads:
            return range(line, max(min(heads), line + 1))
        if begun:
            return range(line, max(node.end_lineno or line for node in begun) + 1)
        return range(self._ended[line], line + 1) if line in self._ended else range(0)


def _of_sql(revision: Revision) -> Iterator[Suppression]:
    """Yield what the comments inside of SQL texts allow."""
    for text in revision.sql_texts:
        if _SPEAKS.search(text.text):
            spans = [
                (found[0].offset, found[-1].offset + len(found[-1].text))
                for found in text.every_statement
                if found
            ]
            for offset, comment in line_comments(text.text):
                if _ALLOWS.match(comment):
                    place = Place(text.line(offset) or text.node.lineno)
                    yield from _read(comment, place, _lines_of(text, _statement(text, spans, offset)))


def _statement(text: SqlText, spans: Sequence[tuple[int, int]], offset: int) -> tuple[int, int] | None:
    """Return the span of the statement around *offset*, on the same line before it, or after it."""
    after = bisect_right(spans, (offset, len(text.text)))
    before = spans[after - 1] if after else None
    if before is not None and "\n" not in text.text[before[1] : offset]:
        return before
    return spans[after] if after < len(spans) else None


def _lines_of(text: SqlText, span: tuple[int, int] | None) -> range:
    if span is None:
        return range(0)
    first, last = (text.line(at) or text.node.lineno for at in span)
    return range(first, last + 1)
