"""Read which names a parsed revision binds, where, and to what. Runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

_NESTED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def assignments(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the values assigned at the top of the module, by name; the last one counts."""
    return {name: value for statement in tree.body for name, value in assigned(statement)}


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions defined at the top of the module, by name; the last one counts."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {statement.name: statement for statement in tree.body if isinstance(statement, kinds)}


def bindings(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return every value given to a plain name in all *nodes* of a file; a loop gives its items as one."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(node.iter)
        for name, value in (*assigned(node), *_added(node)):
            found.setdefault(name, []).append(value)
    return found


def constants(tree: ast.Module, bound: Mapping[str, list[ast.expr]]) -> dict[str, str]:
    """Return the strings assigned once, at the top of the module, by name; *bound* is from `bindings`."""
    found: dict[str, str] = {}
    for name, value in assignments(tree).items():
        if len(bound.get(name, [])) == 1 and (text := folded(value, found)) is not None:
            found[name] = text
    return found


def folded(node: ast.expr | None, names: Mapping[str, str]) -> str | None:
    """Return the text of a literal, of a name among *names*, or of a sum of these."""
    parts: list[str | None] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts.append(_term(node.right, names))
        node = node.left
    parts.append(_term(node, names))
    known = [part for part in reversed(parts) if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes inside *node*, in order, without the marks of loading and storing."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = None if name == "ctx" else getattr(node, name, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def walk(tree: ast.AST) -> list[ast.AST]:
    """Return *tree* and every node inside it, parents first."""
    found = [tree]
    for node in found:
        found += children(node)
    return found


def walk_scope(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield *nodes* and what is inside them, but not what is inside a function or a class of theirs."""
    stack = list(nodes)[::-1]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _NESTED):
            stack.extend(reversed(children(node)))


def assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the plain names *node* assigns, each with its value."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    for target in targets:
        if isinstance(target, ast.Name) and (value := getattr(node, "value", None)) is not None:
            yield target.id, value


def _added(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the name of a list and what *node* adds to it."""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        verb, owner = node.func.attr, node.func.value
        if verb in {"append", "extend", "insert"} and isinstance(owner, ast.Name) and node.args:
            yield owner.id, node.args[-1]


def _term(node: ast.expr | None, names: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def rebindings(tree: ast.Module, scope: Iterable[ast.AST], name: str) -> list[ast.AST]:
    """Return what in *scope* binds, changes or deletes *name*, but for its first plain definition.

    Not seen: a starred import, and what reaches the module from outside (`setattr`, `globals().update`).
    """
    found = [node for node in scope if _binds(node, name)]
    first = next((target for node in tree.body for target in _defined(node, name)), None)
    return [] if first is None else [node for node in found if node is not first]


def module_scope(tree: ast.Module, nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield what may bind a name of the module; that of a comprehension is its own, a `global` is not."""
    own = {
        id(name) for node in nodes if isinstance(node, ast.comprehension) for name in ast.walk(node.target)
    }
    within = (node for node in walk_scope(tree.body) if id(node) not in own)
    yield from (node for node in within if not isinstance(node, ast.Call | ast.Constant | ast.Attribute))
    yield from (node for node in nodes if isinstance(node, ast.Global))


def _defined(node: ast.stmt, name: str) -> Iterator[ast.AST]:
    """Yield the target or the function by which *node* defines *name* plainly."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from [node] if node.name == name else []
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        yield from (item for item in targets if isinstance(item, ast.Name) and item.id == name)


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Name):
        return node.id == name and not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.alias):
        return (node.asname or node.name.partition(".")[0]) == name
    if isinstance(node, ast.Global):
        return name in node.names
    if isinstance(node, ast.Subscript):
        return not isinstance(node.ctx, ast.Load) and _is_global(node, name)
    named = getattr(node, "name", None) or getattr(node, "rest", None)
    return named == name and not isinstance(node, ast.Lambda)


def _is_global(node: ast.Subscript, name: str) -> bool:
    """Tell whether this is `globals()["name"]`, or the same of `locals` or `vars`."""
    function = node.value.func if isinstance(node.value, ast.Call) else None
    known = isinstance(function, ast.Name) and function.id in {"globals", "locals", "vars"}
    return known and isinstance(node.slice, ast.Constant) and node.slice.value == name
