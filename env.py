"""What Alembic runs for every command: hands over to `versions/runner`."""

from alembic import context

from spotify_ai_agent_migrations.versions.cli import environment_main

# Importing this file (a doctest run, an editor) must run nothing.
if getattr(context, "config", None) is not None:
    environment_main(context, __file__)
