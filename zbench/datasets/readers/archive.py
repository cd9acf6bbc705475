"""Volumes in zip and tar archives: planes, MRC and EM files, BinaryCIF."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.bcif import parse_bcif
from zbench.datasets.readers.em import parse_em
from zbench.datasets.readers.member import Member, check_bytes, natural, stack
from zbench.datasets.readers.mrc import open_mrc
from zbench.datasets.readers.planes import stacked
from zbench.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["members"]

_MRC = (".mrc", ".mrcs", ".map", ".rec")
# More equal files than these are the parts of one stack, fewer are volumes of their own.
_MOST_VOLUMES = 8


def members(path: Path) -> list[Member]:
    """List the arrays of an archive.

    Parameters
    ----------
    path
        A zip or tar file.

    Returns
    -------
    list of Member
        One for a stack of planes or of many equal volumes, else one for each volume.

    Raises
    ------
    RefusedError
        If it holds nothing that can be read.
    """
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
        return _members(sizes, lambda name: _from_zip(path, name), path)
    with tarfile.open(path) as tar:
        sizes = {info.name: info.size for info in tar if info.isfile()}
    return _members(sizes, lambda name: _from_tar(path, name), path)


def _from_zip(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def _from_tar(path: Path, name: str) -> bytes:
    with tarfile.open(path) as tar:
        found = tar.extractfile(name)
        return b"" if found is None else found.read()


def _members(sizes: dict[str, int], read: Callable[[str], bytes], path: Path) -> list[Member]:
    # macOS puts a "._" companion beside every file.
    names = sorted((name for name in sizes if not PurePosixPath(name).name.startswith("._")), key=natural)
    if "volume.bcif" in names:
        check_bytes(sizes["volume.bcif"], path)
        return [Member(name="volume", open=lambda: parse_bcif(read("volume.bcif"), path))]
    of_kind = {suffix: [n for n in names if PurePosixPath(n).suffix.lower() == suffix] for suffix in _suffixes(names)}
    check_bytes(sum(sizes[name] for name in names), path)
    if set(of_kind) <= {".tif", ".tiff"} or set(of_kind) == {".png"}:
        return [Member(name="data", open=lambda: stacked(names, read, path))]
    if ".em" in of_kind:
        return [Member(name="data", open=lambda: _em_stack(of_kind[".em"], read, path))]
    volumes = [name for suffix in _MRC for name in of_kind.get(suffix, [])]
    if not volumes:
        msg = (
            f"An archive is read when it holds TIFF or PNG planes, MRC, EM or BinaryCIF files: {str(path)!r} has "
            f"{sorted(of_kind)}. Unpack it, and give the file that holds the volume."
        )
        raise RefusedError(msg)
    if len(volumes) > _MOST_VOLUMES:
        return [Member(name="data", open=lambda: stack([_mrc(read(name)) for name in volumes], path))]
    return [
        Member(name=PurePosixPath(name).stem, open=lambda name=name: _mrc(read(name)))  # type: ignore[misc]
        for name in volumes
    ]


def _suffixes(names: list[str]) -> set[str]:
    return {PurePosixPath(name).suffix.lower() for name in names}


def _mrc(data: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="zbench-") as folder:
        file = Path(folder) / "volume.mrc"
        file.write_bytes(data)
        return np.array(open_mrc(file)[0])


def _em_stack(names: list[str], read: Callable[[str], bytes], path: Path) -> Any:
    planes = [parse_em(np.frombuffer(read(name), np.uint8), path) for name in names]
    return stack([plane[0] if plane.shape[0] == 1 and len(names) > 1 else plane for plane in planes], path)
