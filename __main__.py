"""Make `python -m spotify_ai_agent_migrations` the same as the command `agentdb`."""

from spotify_ai_agent_migrations.versions.cli import main

if __name__ == "__main__":
    main()
