"""Words of SQL that several repairs need: names taken apart, comments, grants. No database here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

Fields = Mapping[str, Any]

_NAME: Final = r'(?:"(?:[^"]|"")*"|[^".\s]+)'
_PARTS: Final = re.compile(rf"({_NAME}\.{_NAME})\.({_NAME})")
_ACL: Final = re.compile(r'(?P<to>(?:"(?:[^"]|"")*"|[^=])*)=(?P<may>[a-zA-Z*]*)/.*')
_PRIVILEGES: Final = MappingProxyType(
    {
        "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "D": "TRUNCATE", "x": "REFERENCES",
        "t": "TRIGGER", "m": "MAINTAIN", "X": "EXECUTE", "U": "USAGE", "C": "CREATE", "c": "CONNECT",
        "T": "TEMPORARY",
    }
)  # fmt: skip


def grants(kind: str, name: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """Yield what gives back the grants that were, and takes those that were not."""
    on = f"{kind} {name}" if kind not in {"VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"} else f"TABLE {name}"
    for role, privileges in _more(after, before):
        yield f"REVOKE {privileges} ON {on} FROM {role};"
    for role, privileges in _more(before, after):
        yield f"GRANT {privileges} ON {on} TO {role};"


def _more(some: Sequence[str], than: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the privileges by role that *some* has and *than* has not."""
    others = dict(map(_read_acl, than))
    for role, letters in map(_read_acl, some):
        missing = [_PRIVILEGES[letter] for letter in letters if letter not in others.get(role, "")]
        if missing:
            yield role or "PUBLIC", ", ".join(missing)


def _read_acl(item: str) -> tuple[str, str]:
    read = _ACL.fullmatch(item)
    assert read is not None
    return read["to"], read["may"].replace("*", "")


def comment(kind: str, name: str, was: Fields) -> Iterator[str]:
    """Yield what gives a comment back, or takes it away."""
    yield f"COMMENT ON {kind} {name} IS {literal(was['comment'])};"


def literal(text: str | None) -> str:
    """Return *text* as SQL writes it."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def split(identity: str) -> tuple[str, str]:
    """Return the relation and the name of what belongs to it."""
    read = _PARTS.fullmatch(identity)
    return (read[1], read[2]) if read else ("", identity)


def owner(identity: str) -> str:
    """Return the relation that something belongs to; nothing where it belongs to none."""
    return split(identity)[0]


def owned_name(identity: str) -> str:
    """Return the name of what belongs to a relation."""
    return split(identity)[1]


def quoted(role: str) -> str:
    """Return the name of a role as SQL writes it."""
    return role if re.fullmatch("[a-z_][a-z0-9_]*", role) else '"' + role.replace('"', '""') + '"'
