"""Tell whether two names are one person's, however they are spelt."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_PERSON: Final = re.compile(r"[\s;]*(?P<name>[^<>;]*?)\s*<(?P<email>[^<>;]*)>")


@dataclass(frozen=True)
class Person:
    """Somebody, as Git and people write it: `Ada Lovelace <ada@example.org>`."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>".lstrip()

    def same_as(self, other: Person) -> bool:
        """Tell whether both are one person: the same mailbox, or the same name.

        Two people of one name are taken for one: nobody is to approve of their own work by a second address.
        """
        return bool(self._marks & other._marks)

    @property
    def _marks(self) -> frozenset[str]:
        box, at, host = _folded(self.email).partition("@")
        # Tags of a mailbox, as in ada+review@example.org, are the same mailbox.
        mailbox, name = (f"{box.partition('+')[0]}@{host}" if at else box), _folded(self.name)
        return frozenset(mark for mark in (mailbox, name) if mark)


def read_person(text: str) -> Person | None:
    """Return who *text* names; None where it is not a name and an e-mail address in angle brackets."""
    shown = _shown(text)
    found = _PERSON.fullmatch(shown)
    if found is None or not found["name"] or not re.fullmatch(r"[^@\s]+@[^@\s]+", found["email"]):
        return None
    return Person(found["name"], found["email"])


def read_persons(text: str) -> tuple[Person, ...]:
    """Return everyone whom *text* names, as Git writes them: a name or an address may be empty."""
    found = (_closed(part) for part in _shown(text).split(">")[:-1])
    return tuple(dict.fromkeys(person for person in found if person.name or person.email))


def _closed(part: str) -> Person:
    """Return whom the last of *part* names, a text that ends before a closing bracket; else nobody."""
    before, opening, email = part.rpartition("<")
    if not opening or ";" in email:
        return Person("", "")
    # No expression that looks for its beginning again at each character: a line may be very long.
    return Person(re.split("[<;]", before)[-1].strip(), email.strip())


def distinct(persons: tuple[Person, ...]) -> tuple[Person, ...]:
    """Return *persons* without those who are the same as an earlier one."""
    kept: list[Person] = []
    for person in persons:
        if not any(person.same_as(earlier) for earlier in kept):
            kept.append(person)
    return tuple(kept)


def _shown(text: str) -> str:
    """Return *text* with what nobody sees taken out, and single spaces."""
    composed = unicodedata.normalize("NFKC", text)
    # Cf: of no width, such as U+200B; a control character is a space.
    seen = (char for char in composed if unicodedata.category(char) != "Cf")
    return " ".join("".join(" " if unicodedata.category(char)[0] == "C" else char for char in seen).split())


def _folded(text: str) -> str:
    return _shown(text).casefold()
