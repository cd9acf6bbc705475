"""Files of datasets: from a mirror or their public source, never without their checksum."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from zbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbench.datasets.cards import Card

__all__ = ["cache_folder", "checksum", "fetch", "locate", "write_whole"]


def cache_folder() -> Path:
    """Tell where downloads and prepared volumes are kept.

    Returns
    -------
    Path
        ``ZBENCH_CACHE_DIR``, or the user's cache folder.
    """
    import pooch  # noqa: PLC0415 - importing zbench stays light

    chosen = os.environ.get("ZBENCH_CACHE_DIR")
    return Path(chosen) if chosen else Path(pooch.os_cache("zbench"))


def fetch(card: Card, *, progressbar: bool = False) -> Path:
    """Get the file of a dataset.

    ``ZBENCH_DATA_MIRROR``, a folder or an http address, is tried first: a folder is read in place, an address is
    downloaded from. Without it, or where the mirror has not the right file, the public source is used.

    Parameters
    ----------
    card
        Card of a dataset that is a file.
    progressbar
        Show the download (with tqdm, if it is installed).

    Returns
    -------
    Path
        The file, its checksum verified.

    Raises
    ------
    DataError
        If it cannot be had, or what could be had is something else.
    """
    if not card.path:
        msg = f"Only datasets that are files are fetched: {card.name!r} is generated. It needs no fetching."
        raise DataError(msg)
    kept = locate(card)
    if kept is not None:
        _verify_in_place(kept, card)
        return kept
    mirror = os.environ.get("ZBENCH_DATA_MIRROR", "")
    addresses = [f"{mirror.rstrip('/')}/{card.path}"] if _is_address(mirror) else []
    if card.downloadable:
        addresses.append(card.source)
    # A mirror that is a folder was looked into already.
    failures = [f"{str(Path(mirror).absolute())!r} has no {card.path!r}"] if mirror and not _is_address(mirror) else []
    for address in addresses:
        try:
            return _download(address, card, progressbar=progressbar)
        except (OSError, ValueError) as error:
            failures.append(f"{address} did not give it ({' '.join(str(error).split())})")
    if not card.downloadable:
        failures.append(f"it was packed from {card.source}, so only a mirror has it as one file")
    msg = (
        f"Dataset {card.name!r} must come whole and with the SHA-256 of its card: {'; '.join(failures)}. Check the "
        "network, or set ZBENCH_DATA_MIRROR to a folder or address that has it."
    )
    raise DataError(msg)


def locate(card: Card) -> Path | None:
    """Find the file of a dataset on this machine, without getting or verifying it.

    Parameters
    ----------
    card
        Card of a dataset.

    Returns
    -------
    Path or None
        Its file in a mirror that is a folder, or in the cache.
    """
    mirror = os.environ.get("ZBENCH_DATA_MIRROR", "")
    places = [cache_folder() / "files" / card.path]
    if mirror and not _is_address(mirror):
        places.insert(0, Path(mirror) / card.path)
    return next((place for place in places if card.path and place.is_file()), None)


def checksum(path: Path) -> str:
    """Hash a file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_address(mirror: str) -> bool:
    return "://" in mirror


def _verify_in_place(path: Path, card: Card) -> None:
    """Hash a file once; as long as its size and time stay, it is not hashed again."""
    try:
        told = path.stat()
        stamp = cache_folder() / "verified" / f"{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]}.json"
        state = {"sha256": card.sha256, "size": told.st_size, "mtime_ns": told.st_mtime_ns}
        if _read_json(stamp) == state:
            return
        found = checksum(path)
    except OSError as error:
        msg = f"The file of a dataset must be readable: {str(path)!r} of {card.name!r} is not ({error}). Check it."
        raise DataError(msg) from error
    if found != card.sha256:
        msg = (
            f"A dataset has fixed bytes: {str(path)!r} has SHA-256 {found}, the card of {card.name!r} says "
            f"{card.sha256}. The file is kept; replace or remove it, or take another mirror."
        )
        raise DataError(msg)
    # A cache that cannot be written to costs no more than hashing again.
    with contextlib.suppress(OSError):
        write_whole(stamp, lambda file: file.write(json.dumps(state).encode()))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None  # None, or a damaged one: it says nothing.


def write_whole(target: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Make a file that others see whole or not at all.

    Parameters
    ----------
    target
        The file; its folder is made if needed.
    write
        Writes the content to the open file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Several processes and threads may make the same file at once: each has a temporary one of its own.
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            write(file)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _download(address: str, card: Card, *, progressbar: bool) -> Path:
    import pooch  # noqa: PLC0415 - importing zbench stays light

    target = cache_folder() / "files" / card.path
    target.parent.mkdir(parents=True, exist_ok=True)
    shown = progressbar and importlib.util.find_spec("tqdm") is not None
    # pooch downloads to a temporary name, verifies, and only then moves the file to its own.
    pooch.retrieve(
        address,
        known_hash=f"sha256:{card.sha256}",
        fname=target.name,
        path=target.parent,
        downloader=pooch.HTTPDownloader(progressbar=shown, timeout=60),
    )
    return target
