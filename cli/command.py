"""Click commands with the options that all commands have, and groups that load their commands late.

The common options may stand anywhere: ``cfy --json cluster nodes list`` and ``cfy cluster nodes list --json``
are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from cli.errors import CliError, Interrupted, Unexpected, WrongUsage
from cli.settings import Settings


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    # Every level has the option, with a default: only a level where it was really given may set it.
    settings = ctx.ensure_object(Settings)
    if value and param.name:
        setattr(settings, param.name, value)


def _common(names: tuple[str, ...], **attributes: Any) -> click.Option:
    return click.Option(names, expose_value=False, callback=_set, **attributes)


def common_options() -> list[click.Parameter]:
    """The options that every command, and every group on the way to it, understands."""
    return [
        _common(("--json", "json"), is_flag=True, help="Print JSON."),
        _common(("-q", "--quiet"), is_flag=True, help="Print neither progress nor confirmations."),
        _common(
            ("-v", "--verbose", "verbosity"),
            count=True,
            help="-v shows requests and debug messages, -vv tracebacks.",
        ),
    ]


def profile_option() -> click.Parameter:
    """The option of ``cfy`` that names the profile for one call."""
    return _common(("--profile",), metavar="NAME", help="Use this profile for this call.")


def config_option() -> click.Parameter:
    """The option of ``cfy_manager`` that names the node."""
    return _common(
        ("--config-file",), metavar="FILE", help="The node's configuration. Default: CLOUDIFY_CONFIG."
    )


class ShortHelp(click.Command):
    """A command whose help has a short name, too."""

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- Click's signature.
        """``-h`` and ``--help``: of each command, whoever made the context."""
        return ["-h", "--help"]


class Command(ShortHelp):
    """A command with the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()


class Group(ShortHelp, click.Group):
    """A group with the common options.

    ``late``: command name -> (``module:attribute``, its line in the help), imported only when it is called.
    """

    command_class = Command

    def __init__(self, *args: Any, late: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()
        self.late = dict(late or {})
        self.all_late = dict(self.late)
        # Placeholders carry the help, and let Click suggest the right name for a mistyped one.
        for name, (_, line) in self.late.items():
            self.add_command(click.Command(name, help=line))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now if it is a late one."""
        if cmd_name in self.late:
            module, _, attribute = self.late.pop(cmd_name)[0].partition(":")
            self.add_command(getattr(import_module(module), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- Click's signature.
        """List the commands without importing the late ones."""
        rows = [(name, command.get_short_help_str(100)) for name, command in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class RootGroup(Group):
    """The outermost group: whatever goes wrong leaves it as a message, never as a traceback."""

    json_wanted = False

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the command line. Raises what Click knows how to show."""
        # A command line that cannot be understood is not read to its end, where the option may stand.
        self.json_wanted = "--json" in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise self._told(error) from error

    def _told(self, error: click.UsageError) -> click.ClickException:
        if not self.json_wanted:
            return error
        told = WrongUsage(error)
        told.settings.json = True
        return told

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises only what Click knows how to show."""
        try:
            return self._run(ctx)
        except click.UsageError as error:
            raise self._told(error) from error
        except CliError as error:
            error.settings = ctx.ensure_object(Settings)
            raise

    def _run(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError, EOFError):
            raise
        except Exception as error:
            # The last stop before the user, who is not to see a traceback.
            raise Unexpected(error) from error
