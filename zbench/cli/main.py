"""The command group that holds all others, and what every command has in common."""

from __future__ import annotations

from typing import Any

import click

from zbench import __version__
from zbench.cli.configs import configs
from zbench.cli.data import data
from zbench.cli.env import env
from zbench.cli.study import study
from zbench.cli.summary import summary
from zbench.errors import ZbenchError

__all__ = ["main"]

_COULD_NOT_ANSWER = 2


class _Group(click.Group):
    """Turns every error that zbench raises on purpose into one line and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ZbenchError as error:
            click.echo(f"zbench: {error}", err=True)
            ctx.exit(_COULD_NOT_ANSWER)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="zbench")
def main() -> None:
    """Measure how Zarr stores scientific volumes: codecs, chunks, shards, formats, libraries.

    Every number comes from bytes that were checked first, and every time comes with an interval. The benchmark suite
    itself runs under asv: see 'make bench' and 'asv run'.

    Exit status: 0 done, 1 a regression, 2 the question could not be answered.
    """


for _command in (configs, data, env, study, summary):
    main.add_command(_command)
