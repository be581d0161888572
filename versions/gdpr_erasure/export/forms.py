"""Decide how a value is written in JSON and in CSV, and what its schema calls it. No database here.

A value comes from the server as a JSON text, so that a number keeps all of its digits. Bytes are base64; what
no number of JSON can say is the text NaN, INF or -INF; the moment "infinity" is that text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NULL: Final = "null"

_NOT_A_NUMBER: Final = {'"NaN"': '"NaN"', '"Infinity"': '"INF"', '"-Infinity"': '"-INF"'}
_TYPES: Final[Mapping[str, str]] = {
    "bool": "boolean",
    "int2": "integer", "int4": "integer", "int8": "integer", "oid": "integer", "xid8": "integer",
    "numeric": "number", "float4": "number", "float8": "number",
    "date": "date", "time": "time", "timestamp": "datetime", "timestamptz": "datetime",
    "interval": "duration", "json": "any", "jsonb": "any",
}  # fmt: skip
_NUMBERS: Final = {"integer", "number"}

# What a reader of the schema takes for one; a value that is none makes the whole field a text.
_CONFORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "integer": re.compile(r"-?\d+"),
    "number": re.compile(r'-?\d+(\.\d+)?([eE][+-]?\d+)?|"(NaN|-?INF)"'),
    "date": re.compile(r'"\d{4}-\d\d-\d\d"'),
    "time": re.compile(r'"\d\d:\d\d:\d\d(\.\d+)?"'),
    "datetime": re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?"'),
    "duration": re.compile(r'"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"'),
}


@dataclass(frozen=True)
class Form:
    """How the values of one column are written.

    type: of the field, as a Table Schema calls it; `format` is its format.
    is_bytes: the server is asked for base64.
    is_json: the value is a document already, which CSV holds as it is.
    """

    type: str
    format: str = "default"
    is_bytes: bool = False
    is_json: bool = False

    def conforms(self, literal: str) -> bool:
        """Tell whether a value is one of its type, as the schema understands it."""
        known = _CONFORMS.get(self.type)
        return known is None or known.fullmatch(literal) is not None

    def written(self, literal: str) -> str:
        """Return the JSON text of a value, from the one that the server gives."""
        if self.type in _NUMBERS:
            return _NOT_A_NUMBER.get(literal, literal)
        if self.type == "datetime" and literal.endswith('+00:00"'):
            return f'{literal[:-7]}Z"'
        return literal

    def cell(self, literal: str) -> str:
        """Return what a CSV file has for a value, from its JSON text; documents and lists stay JSON."""
        if literal == NULL:
            return ""
        return json.loads(literal) if literal.startswith('"') and not self.is_json else literal


TEXT: Final = Form("string")
MIXED: Final = Form("any")


def form_of(base_type: str, *, category: str, is_array: bool = False, is_composite: bool = False) -> Form:
    """Return the form of a column whose type, domains taken away, is *base_type* of this *category*."""
    if is_array:
        return Form("array", is_json=True)
    if is_composite:
        return Form("object", is_json=True)
    if base_type == "bytea":
        return Form("string", "binary", is_bytes=True)
    if base_type == "uuid":
        return Form("string", "uuid")
    if base_type in {"json", "jsonb"}:
        return Form("any", is_json=True)
    if base_type == "hstore":
        return Form("object", is_json=True)
    # A type of somebody's own may have a cast to json, which then decides.
    return Form(_TYPES[base_type]) if base_type in _TYPES else (TEXT if category != "U" else MIXED)
