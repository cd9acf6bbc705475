"""Which releases there are, and with which interpreter of this machine each can be had."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbench.errors import ResultsError, UnknownNameError
from zbench.harness.sweep.tools import Interpreter, find_uv, interpreters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["LATEST", "Release", "chosen_releases", "place_releases", "released", "releases", "version_key"]

LATEST = "latest"
# Final releases only: nobody should be told that a release candidate is slow.
_FINAL = re.compile(r"\d+(\.\d+)*")
_AVAILABLE = re.compile(r"^Available versions: (?P<versions>.+)$", re.MULTILINE)
_LONGEST_S = 120


@dataclass(frozen=True, slots=True)
class Release:
    """A release, and the interpreter that it is measured with.

    Attributes
    ----------
    version
        Of the package.
    python
        The interpreter; ``None`` if no interpreter of this machine can have it.
    """

    version: str
    python: Interpreter | None


def version_key(version: str) -> tuple[int, ...]:
    """Turn a final release into what sorts as releases follow each other.

    Parameters
    ----------
    version
        Whole numbers joined by points.

    Returns
    -------
    tuple of int
        The numbers.

    Raises
    ------
    UnknownNameError
        If the text is anything else.
    """
    if not _FINAL.fullmatch(version):
        raise UnknownNameError.of(kind="release", name=version, known=("2.18.7", "3.1", LATEST))
    return tuple(int(part) for part in version.split("."))


def released(package: str, python: str) -> tuple[str, ...]:
    """Ask the package index that is configured for pip which releases an interpreter can have.

    Parameters
    ----------
    package
        Name of the package.
    python
        Version of Python, such as ``"3.12"``.

    Returns
    -------
    tuple of str
        Final releases that were not withdrawn, oldest first.

    Raises
    ------
    ResultsError
        If the index cannot be asked or does not know the package.
    """
    asked = ["index", "versions", package, "--python-version", python, "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603 - pip itself with names of ours
        [*_pip(), *asked], check=False, capture_output=True, text=True, timeout=_LONGEST_S
    )
    told = _AVAILABLE.search(done.stdout)
    if told is None:
        said = " ".join(done.stderr.split())[-500:] or "nothing"
        msg = (
            f"The releases of a package are listed by the configured index: pip could not list {package!r}. Check the "
            f"network and pip's configuration; it said: {said}"
        )
        raise ResultsError(msg)
    versions = (version.strip() for version in told["versions"].split(","))
    return tuple(sorted((one for one in versions if _FINAL.fullmatch(one)), key=version_key))


def _pip() -> list[str]:
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], check=False, capture_output=True).returncode == 0:  # noqa: S603 - as above
        return own
    # Environments that uv made hold no pip.
    return [find_uv(), "tool", "run", "--quiet", "pip"]


def chosen_releases(versions: Iterable[str], *, since: str, until: str, each: str = "release") -> tuple[str, ...]:
    """Keep the releases of a span.

    Parameters
    ----------
    versions
        Any releases.
    since, until
        First and last one; ``3.1`` as an end takes all of 3.1, and ``latest`` all there are.
    each
        ``release`` keeps every one, ``minor`` the last of each minor release.

    Returns
    -------
    tuple of str
        Oldest first.

    Raises
    ------
    UnknownNameError
        If an end is no release.
    """
    first = version_key(since)
    last = None if until == LATEST else version_key(until)
    kept = [
        version
        for version in sorted(set(versions), key=version_key)
        if version_key(version) >= first and (last is None or version_key(version)[: len(last)] <= last)
    ]
    if each == "release":
        return tuple(kept)
    return tuple({version_key(version)[:2]: version for version in kept}.values())


def releases(
    package: str, *, since: str, until: str = LATEST, each: str = "release", also: Sequence[str] = ()
) -> tuple[Release, ...]:
    """List the releases of a span with an interpreter for each, as few interpreters as can be.

    Parameters
    ----------
    package
        Name of the package.
    since, until, each
        As for `chosen_releases`.
    also
        More releases, withdrawn ones too.

    Returns
    -------
    tuple of Release
        Oldest first.

    Raises
    ------
    ResultsError
        If the index cannot be asked, or there is no interpreter or no release in the span.
    UnknownNameError
        If an end or one more release is none.
    """
    offers = {python: released(package, python.minor) for python in interpreters()}
    every = {version for versions in offers.values() for version in versions}
    wanted = {*chosen_releases(every, since=since, until=until, each=each), *also}
    if not wanted:
        msg = (
            f"A sweep needs a release: {package} has none from {since} to {until} for Python "
            f"{', '.join(python.minor for python in offers) or 'none'}. Give another span, or install a newer Python."
        )
        raise ResultsError(msg)
    return place_releases(sorted(wanted, key=version_key), offers)


def place_releases(versions: Sequence[str], offers: dict[Interpreter, tuple[str, ...]]) -> tuple[Release, ...]:
    """Choose an interpreter for each release, as few different ones as can be.

    Parameters
    ----------
    versions
        Releases, oldest first.
    offers
        From each interpreter to the releases that it can have.

    Returns
    -------
    tuple of Release
        In the same order; one that the index lists for no interpreter but withdrew is tried with the first.
    """
    able = Counter(python for version in versions for python, offered in offers.items() if version in offered)
    # The interpreter that most releases can have comes first; of equals the older, which more wheels are made for.
    order = sorted(offers, key=lambda python: (-able[python], version_key(python.minor)))
    placed = []
    for version in versions:
        having = [python for python in order if version in offers[python]]
        # The index tells nothing of releases that were withdrawn: they are tried.
        is_listed = any(version in offered for offered in offers.values())
        placed.append(Release(version, having[0] if having else None if is_listed or not order else order[0]))
    return tuple(placed)
