"""Volumes in zip and tar archives: planes, DICOM series, MRC and EM files, BinaryCIF."""

from __future__ import annotations

import io
import tarfile
import zipfile
from functools import cache, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers import dicom
from zbench.datasets.readers.bcif import parse_bcif
from zbench.datasets.readers.em import parse_em
from zbench.datasets.readers.member import MRC_SUFFIXES, Member, Opened, check_bytes, is_companion, natural, stack
from zbench.datasets.readers.mrc import read_mrc
from zbench.datasets.readers.planes import stacked
from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO, TypeAlias

    _Read: TypeAlias = Callable[[list[str]], Iterator[bytes]]

__all__ = ["members"]

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
        One for a stack of planes or of many equal volumes, else one for each volume or series.

    Raises
    ------
    DataError
        If it is cut, or does not fit the memory.
    RefusedError
        If it holds nothing that can be read.
    """
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
        return _members(sizes, partial(_from_zip, path), path)
    with _open_tar(path) as tar:
        infos = {info.name: info for info in tar if info.isfile()}
        # tarfile takes a cut between two members for the end; gzip has an end of its own.
        if path.suffix.lower() == ".tar" and not _ends(path, tar.offset):
            msg = f"A tar file must be whole, with blocks of zeros at its end: {str(path)!r} has none. Get it again."
            raise DataError(msg)
    return _members({name: info.size for name, info in infos.items()}, partial(_from_tar, path, infos), path)


def _open_tar(path: Path) -> tarfile.TarFile:
    return tarfile.open(path, "r:" if path.suffix.lower() == ".tar" else "r:gz")


def _ends(path: Path, offset: int) -> bool:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


# Many members are read through one handle: a packed tar is unpacked from its beginning whenever it is opened.
def _from_zip(path: Path, names: list[str]) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        for name in names:
            yield archive.read(name)


def _from_tar(path: Path, infos: dict[str, tarfile.TarInfo], names: list[str]) -> Iterator[bytes]:
    with _open_tar(path) as tar:
        for name in names:
            found = tar.extractfile(infos[name])
            yield b"" if found is None else found.read()


def _members(sizes: dict[str, int], read: _Read, path: Path) -> list[Member]:
    names = sorted((name for name in sizes if not is_companion(name)), key=natural)
    if "volume.bcif" in names:
        check_bytes(sizes["volume.bcif"], path)
        return [Member(name="volume", open=lambda: parse_bcif(next(read(["volume.bcif"])), path))]
    check_bytes(sum(sizes[name] for name in names), path)
    kinds = {_suffix(name) for name in names}
    if names and (kinds <= {".tif", ".tiff"} or kinds == {".png"}):
        return [Member(name="data", open=lambda: Opened(array=stacked(names, read, path)))]
    if ".em" in kinds:
        planes = [name for name in names if _suffix(name) == ".em"]
        return [Member(name="data", open=lambda: Opened(array=_em_stack(planes, read, path)))]
    volumes = [name for name in names if _suffix(name) in MRC_SUFFIXES]
    if not volumes:
        found = dicom.series(names, _files(names, read, path), path)
        if not found:
            raise _refusal(names, path)
        return found
    if len(volumes) > _MOST_VOLUMES:
        return [Member(name="data", open=lambda: Opened(array=_mrc_stack(volumes, read, path)))]
    stems = [PurePosixPath(name).stem for name in volumes]
    called = stems if len(set(stems)) == len(stems) else volumes
    return [
        Member(name=call, open=lambda name=name: _mrc(next(read([name])), path))  # type: ignore[misc]
        for name, call in zip(volumes, called, strict=True)
    ]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _files(names: list[str], read: _Read, path: Path) -> Callable[[list[str]], Iterator[BinaryIO]]:
    """Open members as files, again and again: those of a tar are kept, for it is read from its beginning each time."""
    kept = cache(lambda: dict(zip(names, read(names), strict=True)))

    def files(wanted: list[str]) -> Iterator[BinaryIO]:
        is_zip = path.name.lower().endswith(".zip")
        return map(io.BytesIO, read(wanted) if is_zip else (kept()[name] for name in wanted))

    return files


def _refusal(names: list[str], path: Path) -> RefusedError:
    told = f"{len(names)} files of kinds {sorted({_suffix(name) for name in names})}" if names else "no files"
    return RefusedError(
        f"An archive is read when it holds TIFF, PNG or DICOM planes, MRC, EM or BinaryCIF files: {str(path)!r} has "
        f"{told}. Unpack it, and give the file that holds the volume."
    )


def _mrc(data: bytes, path: Path) -> Opened:
    return read_mrc(io.BytesIO(data), path)


def _mrc_stack(names: list[str], read: _Read, path: Path) -> Any:
    return stack((_mrc(data, path).array for data in read(names)), len(names), path)


def _em_stack(names: list[str], read: _Read, path: Path) -> Any:
    volumes = (parse_em(np.frombuffer(data, np.uint8), path) for data in read(names))
    if len(names) == 1:
        return next(volumes)
    return stack((values[0] if values.shape[0] == 1 else values for values in volumes), len(names), path)
