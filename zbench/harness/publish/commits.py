"""What git knows of commits: the first line of the message, and the tag."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Self

from zbench.report.site.nouns import Position

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["Commits", "commit_address"]

_SHOW = re.compile(r'"show_commit_url"\s*:\s*"(https?://[^"]+)"')
_LONGEST = 100


def commit_address(repository: Path) -> str:
    """Read from ``asv.conf.json`` where commits can be looked at.

    Parameters
    ----------
    repository
        Folder with ``asv.conf.json``, or any other.

    Returns
    -------
    str
        What stands before the hash; empty where it is not said.
    """
    try:
        found = _SHOW.search((repository / "asv.conf.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""


class Commits:
    """Makes positions of commits. Without git, or without the commit, a position has its hash and date alone."""

    def __init__(self, repository: Path, address: str) -> None:
        self._repository, self._address = repository, address
        self._process: subprocess.Popen[bytes] | None = None
        self._known: dict[str, Position] = {}
        self._tags: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.communicate()

    def position(self, commit: str, date_ms: int | None = None) -> Position:
        """Tell where a commit stands.

        Parameters
        ----------
        commit
            Its full hash.
        date_ms
            Its date, in milliseconds since 1970; ``None`` asks git.

        Returns
        -------
        Position
            The same for the same commit.
        """
        if commit not in self._known:
            date, subject = self._told(commit)
            date = date if date_ms is None else date_ms
            self._known[commit] = Position(
                axis="commit",
                key=commit,
                order=(float(date),),
                label=self._tags.get(commit, commit[:8]),
                date_ms=date,
                subject=subject,
                url=f"{self._address}{commit}" if self._address else "",
            )
        return self._known[commit]

    def _told(self, commit: str) -> tuple[int, str]:
        if self._process is None:
            self._start()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None or process.poll() is not None:
            return 0, ""
        # A hash cannot be taken for anything else that git understands.
        if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
            return 0, ""
        process.stdin.write(f"{commit}\n".encode())
        process.stdin.flush()
        head = process.stdout.readline().split()
        if len(head) != 3:
            return 0, ""
        text = process.stdout.read(int(head[2]) + 1).decode(errors="replace")
        facts, _, message = text.partition("\n\n")
        date = re.search(r"^committer .* (\d+) [+-]\d+$", facts, re.MULTILINE)
        return int(date[1]) * 1000 if date else 0, message.strip().partition("\n")[0][:_LONGEST]

    def _start(self) -> None:
        git = ["git", "-C", str(self._repository)]
        form = "%(objectname) %(*objectname) %(refname:short)"
        try:
            tags = subprocess.run(  # noqa: S603 - fixed command
                [*git, "for-each-ref", "refs/tags", f"--format={form}"], capture_output=True, text=True, check=True
            )
            self._process = subprocess.Popen(  # noqa: S603 - fixed command
                [*git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except (OSError, subprocess.CalledProcessError):
            return
        for line in tags.stdout.splitlines():
            *hashes, name = line.split()
            self._tags[hashes[-1]] = name
