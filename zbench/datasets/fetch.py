"""Files of datasets: from a mirror or their public source, never without their checksum."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from zbench.errors import DataError

if TYPE_CHECKING:
    from zbench.datasets.cards import Card

__all__ = ["cache_folder", "checksum", "fetch"]


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
    downloaded from. Without it, or where the mirror lacks the file, the public source is used.

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
    mirror = os.environ.get("ZBENCH_DATA_MIRROR", "")
    if mirror and "://" not in mirror:
        local = Path(mirror) / card.path
        if local.is_file():
            _verify_in_place(local, card)
            return local
    elif mirror:
        return _download(f"{mirror.rstrip('/')}/{card.path}", card, progressbar=progressbar)
    if not card.downloadable:
        kept = cache_folder() / "files" / card.path
        if kept.is_file():
            _verify_in_place(kept, card)
            return kept
        msg = (
            f"Dataset {card.name!r} was packed from {card.source}, so only a mirror has it as one file: "
            f"ZBENCH_DATA_MIRROR is {mirror!r}, without {card.path!r}. Set it to a folder or address that has."
        )
        raise DataError(msg)
    return _download(card.source, card, progressbar=progressbar)


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


def _verify_in_place(path: Path, card: Card) -> None:
    """Hash a file once; as long as its size and time stay, it is not hashed again."""
    told = path.stat()
    stamp = cache_folder() / "verified" / f"{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]}.json"
    state = {"sha256": card.sha256, "size": told.st_size, "mtime_ns": told.st_mtime_ns}
    try:
        if json.loads(stamp.read_text()) == state:
            return
    except (OSError, ValueError):
        pass  # No stamp, or a damaged one: the file is hashed.
    found = checksum(path)
    if found != card.sha256:
        msg = (
            f"A dataset has fixed bytes: {str(path)!r} has SHA-256 {found}, the card of {card.name!r} says "
            f"{card.sha256}. The file is kept; replace it or take another mirror."
        )
        raise DataError(msg)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    temporary = stamp.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(state))
    temporary.replace(stamp)


def _download(address: str, card: Card, *, progressbar: bool) -> Path:
    import pooch  # noqa: PLC0415 - importing zbench stays light
    import requests  # noqa: PLC0415 - comes with pooch

    target = cache_folder() / "files" / card.path
    if target.is_file():
        _verify_in_place(target, card)
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # pooch downloads to a temporary name, verifies, and only then moves the file to its own.
        downloader = pooch.HTTPDownloader(progressbar=progressbar, timeout=60)
        pooch.retrieve(
            address, known_hash=f"sha256:{card.sha256}", fname=target.name, path=target.parent, downloader=downloader
        )
    except (OSError, ValueError, requests.RequestException) as error:
        told = " ".join(str(error).split())
        msg = (
            f"Dataset {card.name!r} must come whole and with the SHA-256 of its card: {address} did not give it "
            f"({told}). Check the network, or set ZBENCH_DATA_MIRROR to a folder or address that has it."
        )
        raise DataError(msg) from error
    return target
