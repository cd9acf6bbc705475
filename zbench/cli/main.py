"""The command group that holds all others, and what every command has in common."""

from __future__ import annotations

import traceback
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

from zbench import __version__
from zbench.errors import ZbenchError

__all__ = ["main"]

_COULD_NOT_ANSWER = 2
# Each is a module of this package, loaded when it is asked for: the statistics of some take a second to import.
_COMMANDS = (
    "bisect", "calibrate", "compare", "configs", "cryoet", "data", "env", "export", "gate", "history", "import",
    "publish", "scale", "study", "summary", "sweep",
)  # fmt: skip


class _Group(click.Group):
    """Turns every error that zbench raises on purpose into one line and exit status 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click asks
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as click asks
        if cmd_name not in _COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"zbench.cli.{name}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ZbenchError as error:
            click.echo(f"zbench: {error}", err=True)
            ctx.exit(_COULD_NOT_ANSWER)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001 - Python's own status, 1, would say that there is a regression
            traceback.print_exc()
            ctx.exit(_COULD_NOT_ANSWER)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="zbench")
def main() -> None:
    """Measure how Zarr stores scientific volumes: codecs, chunks, shards, formats, libraries.

    Every number comes from bytes that were checked first, and every time comes with an interval. The benchmark suite
    itself runs under asv: see 'make bench' and 'asv run'.

    Exit status: 0 done, 1 a regression, 2 the question could not be answered.
    """
