"""Measure the check of many revisions beside Alembic's own loading of them, interleaved in one run.

    python benchmarks/governance.py [REVISIONS] [ROUNDS]

Alembic imports every revision and looks at the chain; the check reads them and applies every rule. The revisions
are of four kinds: a table with personal data and all it needs, a column, an index, and rows in batches.
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

REVISION = '''"""Do {what} {number}.

Locks: ACCESS EXCLUSIVE on one table, for a moment.
Reverse: lossy
Data: none
Needs: membership of agent_owner
"""

import sqlalchemy as sa
from alembic import op

from spotify_ai_agent_migrations.versions.core.ddl import as_owner, execute

revision = "{number}"
down_revision = {parent}


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''

KINDS = {
    "table": (
        '''    with as_owner():
        op.create_table(
            "visits{number}",
            sa.Column("user_id", sa.BigInteger, nullable=False, comment="identifier: who"),
            sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False, comment="none: number of the visit"),
            sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="behavioural: when"),
            sa.PrimaryKeyConstraint("user_id", "id", name="visits{number}_pkey"),
        )
        execute("""
            ALTER TABLE public.visits{number} ENABLE ROW LEVEL SECURITY;
            CREATE POLICY visits{number}_app ON public.visits{number} TO agent_app
                USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);
            SELECT ops.audit_table_v1('public.visits{number}', 'visit', entity_id => 'id', subject => 'user_id');
            INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action)
            VALUES ('visits{number}', 'raw', 'seen_at', INTERVAL '13 months', 'delete');
        """)''',
        """    op.drop_table("visits{number}")""",
    ),
    "column": (
        """    op.add_column("users", sa.Column("c{number}", sa.Text, comment="none: shown on the profile"))""",
        """    op.drop_column("users", "c{number}")""",
    ),
    "index": (
        """    with op.get_context().autocommit_block():
        op.create_index("users_i{number}_idx", "users", ["status"], postgresql_concurrently=True)""",
        """    with op.get_context().autocommit_block():
        op.drop_index("users_i{number}_idx", table_name="users", postgresql_concurrently=True)""",
    ),
    "rows": (
        """    # allow MIG030: shows how one is written; nothing needs it
    op.execute("UPDATE users SET status = 'active' WHERE status IS NULL AND id < {number}")""",
        """    op.execute("SELECT 1")""",
    ),
}


def write_revisions(folder: Path, count: int) -> None:
    """Write *count* revisions, each following the one before."""
    kinds = list(KINDS.items())
    for number in range(1, count + 1):
        what, (upgrade, downgrade) = kinds[number % len(kinds)]
        shown = {
            "number": f"{number:03d}",
            "parent": f'"{number - 1:03d}"' if number > 1 else "None",
            "what": what,
        }
        bodies = {"upgrade": upgrade.format(**shown), "downgrade": downgrade.format(**shown)}
        (folder / f"{number:03d}_step.py").write_text(REVISION.format(**shown, **bodies))


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
        assert {found.code for found in check(folder)} == {"MIG020"}
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(timed(lambda: check(folder)))
            theirs.append(timed(lambda: load(folder)))
    checked, loaded = statistics.median(ours), statistics.median(theirs)
    ratio = checked / loaded
    print(f"{count} revisions: check {checked:.2f} s, Alembic loads {loaded:.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in (sys.argv[1:] + ["999", "5"][len(sys.argv) - 1 :])))
