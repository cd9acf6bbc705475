"""DICOM series: planes ordered by their position, stored values as they are; nothing of the patient is looked at."""

from __future__ import annotations

import contextlib
import itertools
import math
import warnings
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.datasets.readers.lazy import Planes
from zbench.datasets.readers.member import Member, Opened, is_companion, natural
from zbench.errors import DataError, RefusedError
from zbench.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO, TypeAlias

    from zbench.units import Shape

    Files: TypeAlias = Callable[[list[str]], Iterator[BinaryIO]]

__all__ = ["DICOM_SUFFIXES", "members", "series"]

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
# Many files have no suffix: "DICM" stands behind a preamble.
_MARK = slice(128, 132)
# These are read and no others: what is of the patient stays in the file.
_TAGS = (
    "BitsAllocated",
    "Columns",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "InstanceNumber",
    "Modality",
    "NumberOfFrames",
    "PerFrameFunctionalGroupsSequence",
    "PhotometricInterpretation",
    "PixelPaddingValue",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "Rows",
    "SamplesPerPixel",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SharedFunctionalGroupsSequence",
    "TemporalPositionIdentifier",
    "Units",
)
# A damaged header can claim any number, and each is looked at.
_MOST_FRAMES = 100_000
# Positions are written with a few digits.
_SAME_MM = 1e-3
_EVEN = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plane:
    file: str
    frame: int
    number: int
    time: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    shape: Shape
    dtype: np.dtype[Any]
    edges: tuple[float, ...] | None
    meaning: Meaning


def members(path: Path) -> list[Member]:
    """List the series of a DICOM file or a folder of them.

    Parameters
    ----------
    path
        The file or folder.

    Returns
    -------
    list of Member
        One for each series, decoded plane by plane; empty if there is none in the folder.

    Raises
    ------
    DataError
        If a file is damaged, or no DICOM.
    """
    folder = path if path.is_dir() else path.parent
    names = [path.name] if path.is_file() else [file.name for file in path.iterdir() if file.is_file()]
    found = series(names, lambda wanted: ((folder / name).open("rb") for name in wanted), path)
    if not found and path.is_file():
        msg = f"A DICOM file begins with a preamble and DICM, and holds an image: {str(path)!r} does not. Get it again."
        raise DataError(msg)
    return found


def series(names: list[str], files: Files, path: Path) -> list[Member]:
    """List the series among some files.

    Parameters
    ----------
    names
        Their names, in any order; those that are no DICOM images are left out.
    files
        From names to the files, each to be closed before the next is asked for.
    path
        Where they are, for messages.

    Returns
    -------
    list of Member
        One for each series, named by its number.

    Raises
    ------
    DataError
        If one is damaged.
    RefusedError
        If one is coloured, or packed in a way that needs another package.
    """
    found: dict[tuple[Any, ...], list[_Plane]] = {}
    ordered = sorted((name for name in names if not is_companion(name)), key=natural)
    for name, file in zip(ordered, files(ordered), strict=True):
        with file:
            key, planes = _planes(name, file, path)
        if planes:
            # A file of many frames is a volume of its own.
            found.setdefault((*key, name if len(planes) > 1 else ""), []).extend(planes)
    calls: dict[str, list[_Plane]] = {}
    for (number, *_), planes in sorted(found.items(), key=lambda one: natural(str(one[0]))):
        again = sum(call.partition("-")[0] == f"series{number}" for call in calls)
        calls[f"series{number}-{again + 1}" if again else f"series{number}"] = planes
    return [
        Member(name=call, open=lambda planes=planes: _opened(planes, files, path))  # type: ignore[misc]
        for call, planes in calls.items()
    ]


def _planes(name: str, file: BinaryIO, path: Path) -> tuple[tuple[Any, ...], list[_Plane]]:
    """Read the header of a file: the key of its series, and its planes."""
    start = file.read(_MARK.stop)
    file.seek(0)
    if start[_MARK] != b"DICM":
        if PurePosixPath(name).suffix.lower() in DICOM_SUFFIXES:
            msg = f"A DICOM file begins with a preamble and DICM: {name!r} of {str(path)!r} does not. Get it again."
            raise DataError(msg)
        return (), []
    import pydicom  # noqa: PLC0415 - only for this format

    with _told(name, path):
        told = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS))
        if "Rows" not in told:
            kind = told.file_meta.get("MediaStorageSOPClassUID")
            if kind is not None and kind.name.endswith("Image Storage"):
                msg = f"A DICOM image says how many rows it has: {name!r} of {str(path)!r} does not. Get it again."
                raise DataError(msg)
            return (), []
        _check(told, name, path)
        frames = int(told.get("NumberOfFrames") or 1)
        if frames > _MOST_FRAMES:
            msg = f"A DICOM file has {_MOST_FRAMES} frames at most: {name!r} of {str(path)!r} says {frames}. Split it."
            raise DataError(msg)
        key = (told.get("SeriesNumber") or 0, str(told.get("SeriesInstanceUID")))
        return key, [_plane(told, name, frame) for frame in range(frames)]


def _check(told: Any, name: str, path: Path) -> None:
    from pydicom.pixels import get_decoder  # noqa: PLC0415 - only for this format

    kind = told.get("PhotometricInterpretation", "")
    if told.get("SamplesPerPixel", 1) != 1 or not kind.startswith("MONOCHROME"):
        msg = (
            f"Voxels are single numbers: {name!r} of {str(path)!r} is {kind}, with colours. Convert it to grey values."
        )
        raise RefusedError(msg)
    packing = told.file_meta.TransferSyntaxUID
    if packing.is_compressed and packing.is_encapsulated:
        try:
            known = get_decoder(packing).is_available
        except NotImplementedError:
            known = False
        if not known:
            msg = (
                f"This compression of DICOM needs another package: {name!r} of {str(path)!r} is {packing.name}. Run: "
                "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg."
            )
            raise RefusedError(msg)


def _plane(told: Any, name: str, frame: int) -> _Plane:
    many = "NumberOfFrames" in told and told.NumberOfFrames > 1

    def find(macro: str, tag: str) -> Any:
        """Look a value up where files of one image have it, then where those of many frames do."""
        # Frames have places of their own, whatever is said of the whole.
        groups = [] if many and tag == "ImagePositionPatient" else [told]
        for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            items = told.get(sequence) or []
            item = items[frame if sequence.startswith("Per") else 0] if items else {}
            groups += list(item.get(macro) or []) if items else []
        return next((group.get(tag) for group in groups if group.get(tag) is not None), None)

    position = find("PlanePositionSequence", "ImagePositionPatient")
    orientation = find("PlaneOrientationSequence", "ImageOrientationPatient")
    edges = find("PixelMeasuresSequence", "PixelSpacing")
    scale, offset, unit = (
        find("PixelValueTransformationSequence", f"Rescale{tag}") for tag in ("Slope", "Intercept", "Type")
    )
    if unit is None and scale is not None and told.get("Modality") == "CT":
        unit = "HU"
    unit = told.get("Units") if unit in (None, "US") else unit
    fill = told.get("PixelPaddingValue")
    bits, signed = int(told.BitsAllocated), bool(told.get("PixelRepresentation"))
    return _Plane(
        file=name,
        frame=frame,
        number=frame if many else int(told.get("InstanceNumber") or 0),
        time=int(told.get("TemporalPositionIdentifier") or 0),
        position=_numbers(position, 3),
        orientation=_numbers(orientation, 6),
        shape=(int(told.Rows), int(told.Columns)),
        # Single bits are unpacked to bytes.
        dtype=np.dtype(f"{'i' if signed else 'u'}{max(bits // 8, 1)}"),
        edges=_numbers(edges, 2),
        meaning=Meaning(
            unit=str(unit) if unit else None,
            scale=float(1 if scale is None else scale),
            offset=float(0 if offset is None else offset),
            fill=None if fill is None or isinstance(fill, bytes) else float(fill),
        ),
    )


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    numbers = tuple(float(part) for part in value) if value is not None else ()
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _opened(planes: list[_Plane], files: Files, path: Path) -> Opened:
    if len({(plane.shape, plane.dtype) for plane in planes}) > 1:
        told = sorted({f"{plane.shape} {plane.dtype}" for plane in planes})
        msg = f"The planes of a series have one shape and type: {str(path)!r} has {', '.join(told)}. Sort them apart."
        raise DataError(msg)
    times = {time: [plane for plane in planes if plane.time == time] for time in sorted({one.time for one in planes})}
    placed = [_placed(of_one, path) for of_one in times.values()]
    if len({len(of_one) for of_one, _ in placed}) > 1:
        told = [f"{len(of_one)}" for of_one, _ in placed]
        msg = f"A series has all planes at all times: {str(path)!r} has {', '.join(told)} of them. Get what is missing."
        raise DataError(msg)
    ordered = [plane for of_one, _ in placed for plane in of_one]
    first, step = ordered[0], placed[0][1]
    whole = (len(placed), len(placed[0][0]), *first.shape)
    # A single image is no stack of one.
    shape = whole[1:] if whole[0] == 1 < whole[1] else whole[2:] if whole[0] == 1 else whole
    edges = first.edges if all(plane.edges == first.edges for plane in planes) else None
    spacing = (*((step,) if step else ()), *edges) if edges and (step or len(shape) == 2) else None
    known = spacing is not None and all(edge > 0 for edge in spacing)
    return Opened(
        array=Planes(
            shape, first.dtype, lambda numbers: _decoded([ordered[one] for one in numbers], files, path), path
        ),
        spacing=spacing if known else None,
        spacing_unit="millimeter" if known else None,
        meaning=first.meaning if all(plane.meaning == first.meaning for plane in planes) else None,
    )


def _placed(planes: list[_Plane], path: Path) -> tuple[list[_Plane], float | None]:
    """Put planes in their order, along their normal where they say where they lie, and tell the step between them."""
    first = planes[0].orientation
    if first is None or any(plane.position is None or plane.orientation is None for plane in planes):
        return sorted(planes, key=lambda plane: plane.number), None
    orientations = np.array([plane.orientation for plane in planes])
    if np.abs(orientations - np.array(first)).max() > _SAME_MM:
        msg = f"The planes of a volume are parallel: {str(path)!r} has a series with others. Sort them apart."
        raise DataError(msg)
    normal = np.cross(first[:3], first[3:])
    along = {id(plane): float(np.dot(normal, np.array(plane.position))) for plane in planes}
    ordered = sorted(planes, key=lambda plane: along[id(plane)])
    steps = [along[id(after)] - along[id(before)] for before, after in itertools.pairwise(ordered)]
    if steps and min(steps) < _SAME_MM:
        place = steps.index(min(steps))
        names = " and ".join(f"{plane.file!r} (frame {plane.frame})" for plane in ordered[place : place + 2])
        msg = (
            f"The planes of a volume lie at places of their own: in {str(path)!r}, {names} lie at the same. Sort the "
            "volumes apart, or leave copies out."
        )
        raise DataError(msg)
    even = bool(steps) and max(steps) - min(steps) <= _EVEN * max(steps)
    return ordered, sum(steps) / len(steps) if even else None


def _decoded(planes: list[_Plane], files: Files, path: Path) -> Iterator[Any]:
    from pydicom.pixels import pixel_array  # noqa: PLC0415 - only for this format

    # Each file is opened once for all of its frames.
    groups = [list(group) for _, group in itertools.groupby(planes, key=lambda plane: plane.file)]
    for group, file in zip(groups, files([group[0].file for group in groups]), strict=True):
        with file:
            for plane in group:
                with _told(plane.file, path):
                    file.seek(0)
                    values = pixel_array(file, index=plane.frame)
                yield values


@contextlib.contextmanager
def _told(name: str, path: Path) -> Iterator[None]:
    """Turn what pydicom raises beyond what Python has into what zbench does; its warnings would quote the file."""
    import pydicom  # noqa: PLC0415 - only for this format

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (pydicom.errors.BytesLengthException, pydicom.errors.InvalidDicomError) as error:
        msg = f"A DICOM file follows the rules of DICOM: {name!r} of {str(path)!r} does not. Get it again."
        raise DataError(msg) from error
