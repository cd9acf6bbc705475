"""``zbench publish``: the dashboard."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbench.harness.publish import default_sources
from zbench.harness.publish import publish as use_case

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["publish"]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no cycles meanwhile: a publication ends soon and makes none to speak of."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@click.command(short_help="Make a dashboard of results as a site of plain files.")
@click.argument("paths", metavar="[FOLDER_OR_FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".zbench/dashboard"),
    show_default=True,
    help="Folder of the site; open index.html in it, or serve it.",
)
@click.option(
    "--repository",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Git repository of the commits, for their messages and tags.",
)
@click.option("--title", default="Benchmarks", show_default=True, help="Name of the site.")
@click.option(
    "--commit-url", help="What stands before the hash in the address of a commit; asv.conf.json tells unless given."
)
@click.option("--rebuild", is_flag=True, help="Read all results anew, not only those that are new.")
def publish(
    *, paths: tuple[Path, ...], output: Path, repository: Path, title: str, commit_url: str | None, rebuild: bool
) -> None:
    """Make a dashboard of results: asv suites, runs of zbench, sweeps over releases, all machines together.

    Without FOLDER_OR_FILE it takes the results that 'make bench' and 'zbench sweep' left. What is there already stays;
    new commits are added to it. A file that cannot be read is named and skipped. Numbers of different machines are
    never joined by a line.
    """
    with _without_collection():
        done = use_case(
            paths or default_sources(repository),
            output,
            repository=repository,
            title=title,
            commit_url=commit_url,
            rebuild=rebuild,
        )
    for problem in done.problems:
        click.echo(problem, err=True)
    how = "added to" if done.added else "made anew"
    click.echo(
        f"{done.page}: {how}, {done.pages} benchmarks, {done.cells} cells, up to {done.columns} positions, "
        f"{done.written} files written"
    )
