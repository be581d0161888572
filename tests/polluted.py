"""The same six rows, written as badly as files are in the wild; each file a name, its bytes and what is special."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

COLUMNS = ("id", "artist", "title", "price", "released")
TYPES = "id integer, artist text, title text, price numeric, released date"
Row = tuple[str | None, ...]
ROWS: tuple[Row, ...] = (
    ("1", "Motörhead", "Ace of Spades", "9.90", "1980-11-08"),
    ("2", "AC/DC", 'T.N.T. 12" single', "12.00", "1975-12-01"),
    ("3", "Earth, Wind & Fire", "September; remix", "7.50", "1978-11-18"),
    ("4", "Björk", None, "0.99", "1993-07-05"),
    ("5", "Sigur Rós", "Ágætis byrjun|live", "15.25", "1999-06-12"),
    ("6", "Nina Simone", "Don't Let Me Be\nMisunderstood", "11.00", "1964-11-01"),
)
# Without what only quotes can hold.
PLAIN: tuple[Row, ...] = tuple(
    tuple(None if value is None else value.replace("\n", " ").replace('"', "''").replace(",", "").replace(";", "").replace("|", "") for value in row)
    for row in ROWS
)  # fmt: skip


@dataclass(frozen=True)
class Polluted:
    """A file, the rows that are in it, and how many of its lines are none."""

    name: str
    content: bytes
    rows: tuple[Row, ...] = ROWS
    strangers: int = 0


def written(
    rows: tuple[Row, ...] = ROWS, *, delimiter: str = ",", quote: str = '"', escape: str | None = None,
    end: str = "\n", header: tuple[str, ...] | None = COLUMNS, every: bool = False, blank: str = "",
) -> str:  # fmt: skip
    """Write *rows* as asked."""

    def field(value: str | None) -> str:
        if value is None:
            return ""
        special = any(letter in value for letter in (delimiter, quote or "\0", "\n", "\r", escape or "\0"))
        if not (special or every) or not quote:
            return value
        inside = value.replace(escape, escape * 2) if escape else value
        return quote + inside.replace(quote, (escape or quote) + quote) + quote

    lines = [*([header] if header else []), *rows]
    return "".join((delimiter + blank).join(map(field, line)) + end for line in lines)


def _cases() -> list[Polluted]:
    found: list[Polluted] = []

    def add(
        name: str, text: str, rows: tuple[Row, ...] = ROWS, *, encoding: str = "utf-8", strangers: int = 0
    ) -> None:
        found.append(Polluted(name, text.encode(encoding), rows, strangers))

    add("nothing wrong", written())
    for delimiter in (";", "\t", "|", "^", "~", ":", "\x1f"):
        add(f"delimiter {delimiter!r}", written(delimiter=delimiter))
    add("delimiter ' '", written(delimiter=" ", every=True))
    add("delimiter ', '", written(blank=" ", every=True))
    add("quote '", written(quote="'"))
    add("every field in quotes", written(every=True))
    add("every field in '", written(quote="'", every=True))
    add("no quotes", written(PLAIN, quote="", delimiter="\t"), PLAIN)
    add("escape \\", written(escape="\\"))
    add("escape \\ and ;", written(escape="\\", delimiter=";"))
    for encoding in (
        "cp1252",
        "iso8859-1",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-8-sig",
        "utf-32",
    ):
        add(f"encoding {encoding}", written() * 1, encoding=encoding)
    for end in ("\r\n", "\r"):
        # A line end inside of quotes stays as it is.
        add(f"line end {end!r}", written(end=end))
    text = written(PLAIN)
    mixed = "".join(line + ("\r\n", "\n", "\r")[number % 3] for number, line in enumerate(text.splitlines()))
    add("mixed line ends", mixed, PLAIN)
    add("no last line end", written().removesuffix("\n"))
    add("blank lines at the end", written() + "\n\n\r\n")
    add("preamble of one line", "Sales of the year\n" + written())
    add("preamble of five lines", "# exported\n# by nobody\n#\n\n\n" + written())
    add("preamble of fields", "Report,2024\nBy,somebody\n\n" + written())
    for delimiter in ("#", "@", "!", "*", "%", "=", "+", "    ", "  ", "\t\t", ";;", "~|~", "<>"):
        add(f"delimiter {delimiter!r}", written(delimiter=delimiter, every=True))
    for delimiter in (" | ", " ; ", ", "):
        add(f"delimiter {delimiter!r} without quotes", written(PLAIN, delimiter=delimiter), PLAIN)
    add("encoding utf-32-le", written(), encoding="utf-32-le")
    add("preamble of fields and empty ones", "Report,,,,\n,,,,\n" + written())
    add("preamble and ;", "Report\n\n" + written(delimiter=";"))
    add("footer", written() + "Total: 6\n", strangers=1)
    add(
        "footer of fields",
        written() + ",,,56.64,\n" if False else written() + "Total,,,56.64,\n",
        strangers=1,
    )
    add("footer behind a blank line", written() + "\nend of file\n", strangers=1)
    add("header twice", written(header=COLUMNS).replace("\n", "\n" + ",".join(COLUMNS) + "\n", 1))
    add("two header lines", "number,name,name,amount,day\n" + written())
    add("no header", written(header=None))
    add("no header and ;", written(header=None, delimiter=";"))
    add("header in upper case", written(header=tuple(name.upper() for name in COLUMNS)))
    add("header with blanks", written(header=tuple(f" {name} " for name in COLUMNS)))
    order = (4, 2, 0, 1, 3)
    shuffled = tuple(tuple(row[place] for place in order) for row in ROWS)
    add("columns in another order", written(shuffled, header=tuple(COLUMNS[place] for place in order)))
    add("a delimiter at the end of each line", written(end=",\n"))
    short = tuple(row[:4] for row in PLAIN)
    add("a row too short", written(PLAIN[:3]) + "7,Short\n" + written(PLAIN[3:], header=None),
        (*PLAIN[:3], ("7", "Short", None, None, None), *PLAIN[3:]))  # fmt: skip
    add("rows all too short", ",".join(COLUMNS) + "\n" + written(short, header=None),
        tuple((*row, None) for row in short))  # fmt: skip
    add("a row with empty fields too many", written(PLAIN[:3]) + "7,Long,x,1,2000-01-01,,\n" + written(PLAIN[3:], header=None),
        (*PLAIN[:3], ("7", "Long", "x", "1", "2000-01-01"), *PLAIN[3:]))  # fmt: skip
    add("a row with fields too many", written(PLAIN[:3]) + "7,Long,x,1,2000-01-01,more,and more\n" + written(PLAIN[3:], header=None),
        PLAIN, strangers=1)  # fmt: skip
    add("a blank line in the middle", written(PLAIN[:3]) + "\n" + written(PLAIN[3:], header=None), PLAIN)
    add("a stray quote", written(PLAIN[:3]) + '7,AC/DC,T.N.T. 12" single,1,2000-01-01\n' + written(PLAIN[3:], header=None),
        (*PLAIN[:3], ("7", "AC/DC", 'T.N.T. 12" single', "1", "2000-01-01"), *PLAIN[3:]))  # fmt: skip
    add("two stray quotes", written(PLAIN[:3]) + '7,Saxon,12" and 7" single,1,2000-01-01\n' + written(PLAIN[3:], header=None),
        (*PLAIN[:3], ("7", "Saxon", '12" and 7" single', "1", "2000-01-01"), *PLAIN[3:]))  # fmt: skip
    for delimiter in ("||", "::"):
        add(f"delimiter {delimiter!r}", written(delimiter=delimiter, every=True))
    indexed = tuple((str(number), *row) for number, row in enumerate(ROWS))
    add("a first column without a name", written(indexed, header=("", *COLUMNS)), ROWS)
    add("a line that says the delimiter", "sep=;\n" + written(delimiter=";"))
    add("a header behind a hash, and another", "# id,artist,title,price,released\n" + written())
    add("two tables", written(PLAIN) + "\n\ncode,name\nFR,France\n", PLAIN, strangers=2)
    add("a row in another delimiter",
        written(PLAIN[:3]) + written(PLAIN[3:4], delimiter=";", header=None) + written(PLAIN[4:], header=None),
        (*PLAIN[:3], *PLAIN[4:]), strangers=1)  # fmt: skip
    add("one line end of another kind",
        written(ROWS[:3]) + written(ROWS[3:4], header=None, end="\r\n") + written(ROWS[4:], header=None))  # fmt: skip
    add("an open quote", written(PLAIN[:3]) + '7,"Saxon,x,1,2000-01-01\n' + written(PLAIN[3:], header=None),
        (*PLAIN[:3], ("7", '"Saxon', "x", "1", "2000-01-01"), *PLAIN[3:]))  # fmt: skip
    add("a header alone", ",".join(COLUMNS) + "\n", ())
    add("one row", written(ROWS[:1]), ROWS[:1])
    add("values like the marks of COPY", written((("1", "\\.", "\\N", "1", "2000-01-01"), ("2", "\\.", "a\n\\.\nb", "1", "2000-01-01"))),
        (("1", "\\.", "\\N", "1", "2000-01-01"), ("2", "\\.", "a\n\\.\nb", "1", "2000-01-01")))  # fmt: skip
    return found


CASES = _cases()
Load = Callable[[Polluted], list[tuple[Any, ...]]]


def score(case: Polluted, found: list[tuple[Any, ...]]) -> float:
    """Return how much of *case* is among *found*, and nothing else: from 0 to 1."""
    left = list(case.rows)
    right = 0
    for row in found:
        if row in left:
            left.remove(row)
            right += 1
    most = max(len(case.rows), len(found))
    return right / most if most else 1.0
