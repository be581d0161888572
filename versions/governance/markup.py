"""Put text into a page or into Markdown so that it comes out as text only. Pure."""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, tostring

from spotify_ai_agent_migrations.versions.governance.finding import visible

Child = Element | str

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>|~&$])")
# A backslash keeps nobody from being mentioned; what has no width does.
_MENTION: Final = re.compile(r"([@#])(?=\w)")


def element(tag: str, *children: Child | None, **attributes: str | float) -> Element:
    """Return an element with *children*; None among them is none, `_` at the end of a name is dropped.

    What no page can carry, or would turn what follows it around, is written as an escape.
    """
    made = Element(tag, {name.rstrip("_").replace("_", "-"): _said(it) for name, it in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + _visible(child)
        elif child is not None:
            made.text = (made.text or "") + _visible(child)
    return made


def page(root: Element) -> str:
    """Return *root* as a page of HTML 5."""
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def escaped(text: str) -> str:
    """Return *text* as it is read, with nothing in it that Markdown would obey."""
    return _MENTION.sub("\\1\u2060", _MARKUP.sub(r"\\\1", visible(text)))


def _said(value: str | float) -> str:
    return _visible(value) if isinstance(value, str) else f"{value:.6g}"


def _visible(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))
