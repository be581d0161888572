"""What env.py does: read the request, refuse what must be refused, then write or run the migration."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from alembic.config import Config

from spotify_ai_agent_migrations.versions.core.settings import Settings, may_try_drafts
from spotify_ai_agent_migrations.versions.core.shadow import shadow
from spotify_ai_agent_migrations.versions.runner import gate, offline, online
from spotify_ai_agent_migrations.versions.runner.autogenerate import Rewrite, comparison, number_revision
from spotify_ai_agent_migrations.versions.runner.options import Options, parse_options
from spotify_ai_agent_migrations.versions.runner.plan import Where
from spotify_ai_agent_migrations.versions.runner.refusal import asked, findings_kept
from spotify_ai_agent_migrations.versions.runner.steps import proxy_removed
from spotify_ai_agent_migrations.versions.runner.texts import Texts

# The revisions were held against the rules already, before any of them was imported.
GATED_ATTRIBUTE = "spotify_ai_agent_migrations.gated"
AROUND_ATTRIBUTE = "spotify_ai_agent_migrations.around"
OPTIONS_ATTRIBUTE = "spotify_ai_agent_migrations.options"
PLAN_ATTRIBUTE = "spotify_ai_agent_migrations.plan"
TEXTS_ATTRIBUTE = "spotify_ai_agent_migrations.texts"


def run_environment(
    context: Any,  # noqa: ANN401  (the module alembic.context)
    file: str,
    rewrite: Rewrite | None = None,
) -> None:
    """Run the Alembic command that *context* holds; *file* is the env.py that was asked.

    *rewrite* makes of what `--autogenerate` would write what is written.

    Raises:
        MigrationError: whatever stands in the way; see the tree in `core.errors`.
        CommandError: Alembic's own refusals, such as an unknown revision argument.
    """
    gate.refuse_foreign_checkout(file)
    # Before the rules read them; and not kept, since a configuration may serve a second command.
    texts = context.config.attributes.pop(TEXTS_ATTRIBUTE, None) or Texts()
    options = read_options(context)
    request = _request(context)
    # Only upgrade, downgrade and stamp have somewhere to go; the other commands look.
    mutating = "destination_rev" in request
    if not context.config.attributes.get(GATED_ATTRIBUTE):
        # What a rule fears of a revision, a clone may find out.
        running = mutating and not context.is_offline_mode()
        with findings_kept(options, asked(request.get("fn")), running=running):
            gate.refuse_findings(mutating=mutating and not options.shadow, drafts=may_try_drafts())
    with proxy_removed():
        if _needs_no_database(context.config, request):
            context.configure(
                dialect_name="postgresql", as_sql=True, process_revision_directives=number_revision
            )
            context.run_migrations()
            return
        if context.is_offline_mode():
            offline.write_script(context, request["fn"], options)
            return
        settings = options.settings()
        if mutating:
            _migrate(context, request, settings, options, texts)
            return
        with online.connected(settings) as connection:
            online.look(context, connection, **comparison(context.config, options, connection, rewrite))


def _migrate(
    context: Any,  # noqa: ANN401  (the module alembic.context)
    request: dict[str, Any],
    settings: Settings,
    options: Options,
    texts: Texts,
) -> None:
    """Migrate the database that is meant, or a clone; leave the plan of a dry run in the configuration."""
    texts.load(context.script)
    with ExitStack() as stack:
        where = Where.ROLLED_BACK
        if options.shadow:
            clone = stack.enter_context(shadow(settings, kept=("public.alembic_version",)))
            settings, where = clone.settings, Where.CLONE if clone.filled else Where.EMPTY_CLONE
        connection = stack.enter_context(online.connected(settings))
        context.config.attributes[PLAN_ATTRIBUTE] = online.migrate(
            context,
            connection,
            request["fn"],
            settings,
            options,
            texts,
            purge=bool(request.get("purge")),
            where=where,
            around=context.config.attributes.get(AROUND_ATTRIBUTE),
        )


def read_options(context: Any) -> Options:  # noqa: ANN401  (the module alembic.context)
    """Return the options of the command that *context* holds."""
    given = context.config.attributes.get(OPTIONS_ATTRIBUTE)
    if isinstance(given, Options):
        return given
    return parse_options(context.get_x_argument(as_dictionary=True))


def _request(context: Any) -> dict[str, Any]:  # noqa: ANN401  (the module alembic.context)
    """Return a copy of what the command told Alembic, which has no public name before it is configured."""
    return dict(vars(context)["_proxy"].context_opts)


def _needs_no_database(config: Config, request: dict[str, Any]) -> bool:
    """Tell `alembic revision` from its form with `--autogenerate`, and `alembic history` from one with `-i`.

    Alembic runs env.py for both, since new revisions are numbered here.
    """
    asked = request.get("revision_context")
    if asked is not None:
        return not asked.command_args["autogenerate"]
    spoken = config.cmd_opts
    return (
        spoken is not None
        and hasattr(spoken, "cmd")
        and spoken.cmd[0].__name__ == "history"
        and not spoken.indicate_current
        and "current" not in (spoken.rev_range or "")
    )
