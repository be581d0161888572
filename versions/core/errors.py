"""Every error this package raises, in one tree.

    MigrationError            catch this one to catch all of them
    ├── SettingsError         what to connect to, or how, is missing or malformed
    ├── ServerError           the server cannot be reached, refuses us or is too old
    ├── PrivilegeError        the login lacks a privilege, which is named
    ├── LockError             somebody else held a lock for longer than we may wait
    ├── RevisionError         the database and the revisions on disk do not fit together
    ├── GovernanceError       a rule of error level was broken; nothing was executed
    │   └── PromotionError    what production has to see first is missing; nothing was executed
    ├── MergeError            Git is not there, knows no such commit, or cannot merge the two
    ├── DatabaseError         any other statement the server refused
    ├── TableError            a table or column that is not there, or not usable
    ├── SubjectError          a person who is not there, or of whom this cannot be asked
    ├── ApprovalError         what persons have to approve of first; nothing was changed
    ├── FileError             a file that is missing, empty, not UTF-8 or has a wrong header
    ├── RowError              one row of a file, by line and column, that cannot be loaded
    ├── DocumentationError    a page that no longer says what the database says
    └── PeriodError           a period of time that is empty, runs backwards or is not over

Each carries one line of `problem` and one of `hint`, and the exit code a command line ends with.
Neither line ever holds a password, a value of a row or any other personal datum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_FINDINGS = 3
EXIT_INTERRUPTED = 130


class MigrationError(Exception):
    """The root of the tree; no Alembic `CommandError`, since most of the package does without Alembic."""

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, problem: str, *, hint: str) -> None:
        self.problem = " ".join(problem.split())
        self.hint = " ".join(hint.split())
        super().__init__(f"{self.problem}\nHint: {self.hint}")


class SettingsError(MigrationError):
    """What to connect to, or how, is missing or malformed."""

    exit_code = EXIT_USAGE


class ServerError(MigrationError):
    """The server cannot be reached, refuses the login or is too old."""


class PrivilegeError(MigrationError):
    """The login lacks a privilege."""


class LockError(MigrationError):
    """Somebody else held a lock for longer than we may wait."""


class RevisionError(MigrationError):
    """The database and the revisions on disk do not fit together."""


class GovernanceError(MigrationError):
    """A rule of error level was broken; nothing was executed."""

    exit_code = EXIT_FINDINGS


class MergeError(MigrationError):
    """Git is not there, knows no such commit, or cannot merge the two."""


class PromotionError(GovernanceError):
    """What production has to see first is missing; nothing was executed.

    `missing` says by revision what, in a word each, such as "no-approval" or "receipt-expired".
    """

    def __init__(self, problem: str, *, hint: str, missing: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(problem, hint=hint)
        self.missing = missing


class DatabaseError(MigrationError):
    """A statement the server refused."""

    def __init__(self, problem: str, *, hint: str, sqlstate: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.sqlstate = sqlstate


class TableError(MigrationError):
    """A table or column that is not there, or not usable."""


class SubjectError(MigrationError):
    """A person who is not there, or of whom this cannot be asked; their number is not in the text."""


class ApprovalError(MigrationError):
    """What persons have to approve of first; nothing was changed."""


class FileError(MigrationError):
    """A file that is missing, empty, not UTF-8 or has a wrong header."""


class RowError(MigrationError):
    """One row of a file that cannot be loaded.

    `line` is the physical line the row starts on, the header being line 1; `column` is None where the
    server blames the row as a whole.
    """

    def __init__(
        self,
        problem: str,
        *,
        hint: str,
        path: str,
        line: int | None,
        column: str | None = None,
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(problem, hint=hint)
        self.path = path
        self.line = line
        self.column = column
        self.sqlstate = sqlstate


class DocumentationError(MigrationError):
    """A page that no longer says what the database says."""

    exit_code = EXIT_FINDINGS


class PeriodError(MigrationError):
    """A period of time that is malformed, empty, runs backwards or is not over."""

    exit_code = EXIT_USAGE
