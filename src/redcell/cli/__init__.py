"""The command line. Results on stdout, messages on stderr."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module

import click

from redcell.cli.options import EXIT_CODES, kept_lines
from redcell.errors import RedcellError
from redcell.version import __version__

COMMANDS = {
    "assess": "patient:assess",
    "forecast": "model:forecast",
    "why": "patient:why",
    "check": "patient:check",
    "knowledge": "patient:browse",
    "cohort": "population:cohort",
    "demand": "demand:demand",
    "quality": "quality:quality",
    "calibrate": "calibrate:calibrate",
    "synthesize": "synthesize:synthesize",
    "demo": "demo:demo",
    "init": "service:init",
    "serve": "service:serve",
    "import": "feeds:import_",
    "export": "feeds:export",
    "pull": "feeds:pull",
    "user": "users:user",
    "client": "clients:client",
    "backup": "service:backup",
    "restore": "service:restore",
    "doctor": "service:doctor",
    "config": "service:config",
    "audit": "audit:audit",
    "cds-validate": "cds:validate",
    "cds-feedback": "cds:report",
    "simulate": "cds:simulate",
}
"""Verb -> module of this package and name in it; a module loads when its verb is used."""


class Verbs(click.Group):
    """A group that loads a verb when it is used, and suggests the nearest one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, one patient first, then many, then the service."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"redcell.cli.{module}"), name)
        assert isinstance(found, click.Command)  # noqa: S101  (the table above names commands)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the nearest one."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="redcell")
def cli() -> None:
    r"""The care loop for anemia in people with metastatic breast cancer.

    One patient's record goes in; out comes whether they are anemic and how badly, why, and what to
    consider doing, each statement with its evidence and its source. For professionals, who decide.
    Not cleared as a medical device.

    \b
    Examples:
      redcell assess demo::okafor --at 2026-11-22T09:00:00Z
      redcell why demo::okafor S-R9 --at 2026-11-22T09:00:00Z
    """


cli.help = kept_lines(cli.help)


def main() -> None:
    """Run the command; every expected error is one clear message and its own exit code."""
    try:
        cli.main(prog_name="redcell", standalone_mode=False)
    except RedcellError as error:
        click.echo(f"redcell: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
