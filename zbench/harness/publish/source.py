"""A folder or file with results: what is in it, and whether that changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ResultsError
from zbench.results.traces import TRACE_ENDING, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zbench.harness.publish.commits import Commits
    from zbench.report.site.nouns import Batch
    from zbench.results.traces import StoredTrace

__all__ = ["GATE", "HISTORY", "Source", "TraceSource", "result_files"]

# Names of the files that gates and sweeps leave.
GATE = "gate.json"
HISTORY = "history.json"


def result_files(folder: Path) -> Iterator[Path]:
    """Look for results that are no traces.

    Parameters
    ----------
    folder
        Where to look, below it too.

    Yields
    ------
    Path
        Files of the formats that results have.
    """
    for form in ("json", "csv", "parquet"):
        yield from (path for path in folder.rglob(f"*.{form}") if not path.name.endswith(TRACE_ENDING))


@dataclass(frozen=True, slots=True)
class Source:
    """A folder or file with results.

    Attributes
    ----------
    path
        Where it is.
    """

    path: Path

    def files(self) -> tuple[Path, ...]:
        """List the files that tell whether anything changed.

        Returns
        -------
        tuple of Path
            In the order in which they are read.
        """
        if not self.path.is_dir():
            return (self.path,)
        return tuple(sorted(result_files(self.path)))

    def digest(self, path: Path) -> str:
        """Stand for what a file says.

        Parameters
        ----------
        path
            One of `files`.

        Returns
        -------
        str
            Another text for another content.
        """
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]

    def grows_by(self, paths: Iterable[Path]) -> bool:
        """Tell whether new files can be read without the others.

        Parameters
        ----------
        paths
            Some of `files`.

        Returns
        -------
        bool
            Whether `batches` takes them alone.
        """
        return set(paths) == set(self.files())

    def batches(self, paths: Iterable[Path], commits: Commits, problems: dict[str, str]) -> Iterator[Batch]:
        """Read files.

        Parameters
        ----------
        paths
            Some of `files`.
        commits
            Makes positions of commits.
        problems
            Takes in why a file is skipped, by its path.

        Yields
        ------
        Batch
            What they hold.
        """
        raise NotImplementedError

    def traces(self, problems: dict[str, str]) -> Iterator[StoredTrace]:
        """Read the traces that lie among the results.

        Parameters
        ----------
        problems
            Takes in why a file is skipped, by its path.

        Yields
        ------
        StoredTrace
            In the order of the names of the files.
        """
        for path in self.trace_files():
            try:
                yield read_trace(path)
            except ResultsError as error:
                problems[str(path)] = str(error)

    def trace_files(self) -> tuple[Path, ...]:
        """List the files with traces.

        Returns
        -------
        tuple of Path
            By name.
        """
        return tuple(sorted(self.path.rglob(f"*{TRACE_ENDING}"))) if self.path.is_dir() else ()


class TraceSource(Source):
    """Traces and nothing else."""

    def files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        return ()

    def batches(  # noqa: D102 - as in the base
        self,
        paths: Iterable[Path],  # noqa: ARG002 - there are no numbers
        commits: Commits,  # noqa: ARG002
        problems: dict[str, str],  # noqa: ARG002
    ) -> Iterator[Batch]:
        yield from ()

    def trace_files(self) -> tuple[Path, ...]:  # noqa: D102 - as in the base
        return super().trace_files() if self.path.is_dir() else (self.path,)
