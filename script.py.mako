<%!
    import re
%><%
    if not (len(up_revision) == 3 and up_revision.isdigit()):
        raise ValueError("a revision has the next three-digit number: set revision_environment = true")
    # What is known of a revision that was written from models; whoever writes one by hand says it.
    told = config.attributes.get("spotify_ai_agent_migrations.fields", {}).get(up_revision) or {}
    field = lambda name: f"{name}: {told[name]}" if name in told else f"{name}:"
    title = (message or "").replace("\\", r"\\").replace('"' * 3, r'\"' * 3)
    body = f"{upgrades or ''}{downgrades or ''}"
    uses = lambda module: re.search(rf"\b{module}\.", body) or not re.search(r"\bops\.", body)
%>"""${title}

${field("Locks")}
${field("Reverse")}
${field("Data")}
${field("Needs")}
"""
# Locks:   which lock on which table, and how long it is held under a long-running reader
# Reverse: lossless, lossy or irreversible; what the way back loses
# Data:    none, seed, backfill or destructive; which rows are touched
# Needs:   the privileges, extensions and settings it stands on

% if uses("sa"):
import sqlalchemy as sa
% endif
% if uses("op"):
from alembic import op
% endif
${imports + "\n" if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "..."}


def downgrade() -> None:
    ${downgrades if downgrades else "..."}


# Every new column says what it holds and why:
#     sa.Column("city", sa.Text, comment="location: shown on the profile")
# with one of none, identifier, contact, location, behavioural, content, derived.
# SQL text is executed by spotify_ai_agent_migrations.versions.core.ddl.execute. What a rule forbids, and is safe
# here, is allowed by a comment above the statement, with the reason:
#     # allow MIG031: the table holds five rows

if __name__ == "__main__":
    from spotify_ai_agent_migrations.versions.cli import revision_main

    raise SystemExit(revision_main(__file__))
