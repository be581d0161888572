"""Measure the check of many revisions beside Alembic's own loading of them, interleaved in one run.

    python benchmarks/governance.py [REVISIONS] [ROUNDS]

Alembic imports every revision and looks at the chain; the check reads them and applies every rule.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from versions.governance import check

REVISION = '''"""Add column c{number} to users.

Locks: ACCESS EXCLUSIVE on users, for a moment.
Reverse: lossy
Data: none
Needs: membership of agent_owner
"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {parent}


def upgrade() -> None:
    op.add_column("users", sa.Column("c{number}", sa.Text, comment="none: shown on the profile"))
    op.create_index("users_c{number}_idx", "users", ["c{number}"])
    op.execute("UPDATE users SET c{number} = 'none' WHERE c{number} IS NULL")


def downgrade() -> None:
    op.drop_column("users", "c{number}")
'''


def write_revisions(folder: Path, count: int) -> None:
    """Write *count* revisions, each following the one before."""
    for number in range(1, count + 1):
        parent = f'"{number - 1:03d}"' if number > 1 else "None"
        (folder / f"{number:03d}_step.py").write_text(REVISION.format(number=f"{number:03d}", parent=parent))


def load(folder: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("path_separator", "newline")
    assert list(ScriptDirectory.from_config(config).walk_revisions())


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(count: int, rounds: int) -> None:
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_revisions(folder, count)
        assert check(folder) == ()
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(timed(lambda: check(folder)))
            theirs.append(timed(lambda: load(folder)))
    checked, loaded = statistics.median(ours), statistics.median(theirs)
    ratio = checked / loaded
    print(f"{count} revisions: check {checked:.2f} s, Alembic loads {loaded:.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["999", "5"][len(sys.argv) - 1 :])))
