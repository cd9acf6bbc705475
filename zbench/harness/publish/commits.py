"""What git knows of commits: the first line of the message, and the tag."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, TypeAlias

from zbench.report.site.nouns import Position

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Commits", "commit_address"]

_SHOW = re.compile(r'"show_commit_url"\s*:\s*"(https?://[^"]+)"')
_TAG = re.compile(r"\btag: ([^,]+)")
_HASH = re.compile(r"[0-9a-f]+")
_LONGEST = 100
# So many commits are asked for one by one.
_FEW = 4
# Date, tag and first line of the message.
_Told: TypeAlias = "tuple[int, str, str]"


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
    """Makes positions of commits. Without git, or without the commit, a position has its hash and date alone.

    Parameters
    ----------
    repository
        Git repository.
    address
        What stands before the hash in the address of a commit; empty where there is none.
    """

    def __init__(self, repository: Path, address: str) -> None:
        self._repository, self._address = repository, address
        self._positions: dict[str, Position] = {}
        self._told: dict[str, _Told] | None = None

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
        if commit not in self._positions:
            date, tag, subject = self._tell(commit)
            date = date if date_ms is None else date_ms
            self._positions[commit] = Position(
                axis="commit",
                key=commit,
                order=(float(date),),
                label=tag or commit[:8],
                date_ms=date,
                subject=subject,
                url=f"{self._address}{commit}" if self._address else "",
            )
        return self._positions[commit]

    def _tell(self, commit: str) -> _Told:
        """Ask git for one commit while there are few; a repository may have many more than have results."""
        if not _HASH.fullmatch(commit):
            # Whatever else a result file says is no word for git.
            return 0, "", ""
        if self._told is None and len(self._positions) < _FEW:
            told = _log(self._repository, "--no-walk", commit)
        else:
            told = self._told = _log(self._repository, "--all") if self._told is None else self._told
        return told.get(commit, (0, "", ""))


def _log(repository: Path, *which: str) -> dict[str, _Told]:
    """Ask git for date, tag and first line of commits."""
    command = ["git", "-C", str(repository), "log", "--format=%H%x00%ct%x00%D%x00%s", *which, "--"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - fixed command
    except (OSError, subprocess.CalledProcessError):
        return {}
    told = {}
    for line in done.stdout.decode(errors="replace").splitlines():
        commit, date, names, subject = line.split("\0", 3)
        tag = _TAG.search(names)
        told[commit] = int(date) * 1000, tag[1] if tag else "", subject[:_LONGEST]
    return told
