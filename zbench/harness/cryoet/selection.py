"""The cells of one volume: a preset, fitted to the shape and to what the user wants to know."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import resources
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from zbench.engines import ENGINE_NAMES, engine
from zbench.errors import LayoutError, PresetError, RefusedError, UnknownNameError
from zbench.grid import CellSpec, load_preset
from zbench.layouts import resolve_layout
from zbench.model import ArrayLayout, CacheState
from zbench.patterns import PATTERN_FORMS, access_pattern
from zbench.runner import WRITE
from zbench.runner.campaign import CellPlan
from zbench.runner.deep_sampling import LARGE_BYTES
from zbench.runner.disk import bound_bytes

if TYPE_CHECKING:
    from zbench.grid import Preset, Sweep
    from zbench.units import Shape

__all__ = [
    "CACHE_STATES",
    "TEST_CONFIGS",
    "Selected",
    "Selection",
    "fitted_layout",
    "is_uncut",
    "select",
    "selected_layouts",
]

TEST_CONFIGS = ("quick", "full", "scale")
CACHE_STATES = {"warm": ("warm",), "cold": ("cold",), "both": ("warm", "cold")}

_FORMATS = (2, 3)
# Large enough for the boxes of every access pattern: what does not fit the volume itself is refused cell by cell.
_PROBE = (2048, 2048, 2048)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What is to be measured of a volume.

    Attributes
    ----------
    test_configs
        One of `TEST_CONFIGS`, or the path of a preset.
    workloads
        Access patterns, and ``write``, instead of those of the preset.
    engines
        Instead of those of the preset.
    formats
        Zarr formats to keep; none means all.
    cache_state
        One of `CACHE_STATES`.
    instructions
        Whether the instructions of every operation are counted, under valgrind.
    """

    test_configs: str = "quick"
    workloads: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    formats: tuple[int, ...] = ()
    cache_state: str = CacheState.WARM.value
    instructions: bool = False

    def __post_init__(self) -> None:
        for name in self.engines:
            if name not in ENGINE_NAMES:
                raise UnknownNameError.of(kind="engine", name=name, known=ENGINE_NAMES)
        for name in self.workloads:
            if name != WRITE:
                _check_workload(name)
        if not set(self.formats) <= set(_FORMATS):
            msg = (
                f"A Zarr format is 2 or 3: got {', '.join(map(str, self.formats))}. Give one of them, or leave it out."
            )
            raise PresetError(msg)
        if self.cache_state not in CACHE_STATES:
            raise UnknownNameError.of(kind="cache state", name=self.cache_state, known=CACHE_STATES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """What that means for the volume.

    Attributes
    ----------
    plans
        The cells, those of different engines that are otherwise alike beside each other.
    notes
        What was left out and why, one sentence each.
    """

    plans: tuple[CellPlan, ...]
    notes: tuple[str, ...]


def select(selection: Selection, name: str, shape: Shape, itemsize: int) -> Selected:
    """Fit a preset to a volume.

    Parameters
    ----------
    selection
        What is to be measured.
    name
        Of the volume, as it stands in the keys of results.
    shape
        Extent in voxels, ``(z, y, x)``.
    itemsize
        Bytes of a voxel.

    Returns
    -------
    Selected
        At least one cell.

    Raises
    ------
    PresetError
        If the preset cannot be used, or nothing is left of it.
    RefusedError
        If none of the engines can run here.
    """
    preset = _preset(selection.test_configs)
    engines, notes = _available(selection.engines or preset.engines)
    writing = preset.sweeps
    # Writing a large volume takes longer than all else together, and the chunk shape changes it little.
    if prod(shape) * itemsize >= LARGE_BYTES and not selection.workloads and len(writing) > 1:
        writing = preset.sweeps[:1]
        notes.append(
            f"The volume is large, so writing is timed for the question {writing[0].name!r} alone; --workloads with "
            "write among them times it for every cell."
        )
    operations: dict[CellSpec, dict[str, None]] = {}
    for sweep in preset.sweeps:
        layouts = dict.fromkeys(fitted_layout(text, shape) for text in _kept_layouts(sweep, selection.formats))
        for layout, chain, chosen in product(layouts, sweep.chains, engines):
            wanted = selection.workloads or (*((WRITE,) if sweep in writing else ()), *sweep.patterns)
            operations.setdefault(CellSpec(name, chosen, layout, chain), {}).update(dict.fromkeys(wanted))
    if not operations:
        msg = (
            f"At least one layout of the preset is of a format that is asked for: {selection.test_configs!r} has none "
            f"of format {', '.join(map(str, selection.formats))}. Ask for another format."
        )
        raise PresetError(msg)
    plans = tuple(
        CellPlan(spec=spec, operations=tuple(wanted), most_bytes=_most_bytes(spec.layout, shape, itemsize))
        for spec, wanted in operations.items()
    )
    return Selected(plans=plans, notes=tuple(notes))


def fitted_layout(text: str, shape: Shape) -> str:
    """Cut chunks and shards that are larger than the volume down to it, lest the numbers be those of padding.

    Parameters
    ----------
    text
        A layout; it may follow the volume.
    shape
        Extent of the volume in voxels.

    Returns
    -------
    str
        Canonical text. A layout of another number of axes, or one that no volume of this shape can have, is given back
        as it is, for its cells to be refused.
    """
    head, one_shard, tail = text.partition("-sall")
    try:
        layout = ArrayLayout.parse(head + tail)
    except LayoutError:
        with suppress(RefusedError, LayoutError):
            layout = resolve_layout(text, shape)
            return layout.text
        return text
    if len(layout.chunks) != len(shape):
        return text
    chunks = tuple(map(min, layout.chunks, shape))
    whole = tuple(-(-extent // chunk) * chunk for extent, chunk in zip(shape, chunks, strict=True))
    shards = layout.shards and tuple(
        # Whole chunks, at least one.
        max(min(shard, most) // chunk, 1) * chunk
        for shard, most, chunk in zip(layout.shards, whole, chunks, strict=True)
    )
    return replace(layout, chunks=chunks, shards=whole if one_shard else shards).text


def is_uncut(text: str, shape: Shape) -> bool:
    """Tell whether a volume is large enough for the chunks and shards of a layout.

    Parameters
    ----------
    text
        A layout; one that follows the volume fits all.
    shape
        Extent of the volume in voxels.

    Returns
    -------
    bool
        False if `fitted_layout` makes them smaller.
    """
    try:
        asked = ArrayLayout.parse(text.replace("-sall", "", 1))
        found = ArrayLayout.parse(fitted_layout(text, shape))
    except LayoutError:
        return True
    return found.chunks == asked.chunks and asked.shards in (None, found.shards)


def selected_layouts(selection: Selection) -> tuple[str, ...]:
    """List the layouts that are to be measured, as the preset writes them.

    Parameters
    ----------
    selection
        What is to be measured.

    Returns
    -------
    tuple of str
        Each once.

    Raises
    ------
    PresetError
        If the preset cannot be used.
    """
    sweeps = _preset(selection.test_configs).sweeps
    return tuple(dict.fromkeys(text for sweep in sweeps for text in _kept_layouts(sweep, selection.formats)))


def _check_workload(name: str) -> None:
    try:
        access_pattern(name, _PROBE)
    except UnknownNameError as error:
        raise UnknownNameError.of(kind="workload", name=name, known=(WRITE, *PATTERN_FORMS)) from error


def _preset(name: str) -> Preset:
    if name not in TEST_CONFIGS:
        if not name.endswith(".toml"):
            raise UnknownNameError.of(
                kind="test configuration", name=name, known=[*TEST_CONFIGS, "path/of/a/file.toml"]
            )
        return load_preset(name)
    with resources.as_file(resources.files("zbench") / "presets" / f"cryoet-{name}.toml") as path:
        return load_preset(str(path))


def _available(names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    found, notes, reason = [], [], None
    for name in names:
        try:
            engine(name)
        except RefusedError as error:
            reason = error
            notes.append(f"Engine {name} is left out: {error}")
        else:
            found.append(name)
    if not found:
        msg = f"A run needs at least one engine that is installed: {' '.join(notes)}"
        raise RefusedError(msg) from reason
    return found, notes


def _kept_layouts(sweep: Sweep, formats: tuple[int, ...]) -> list[str]:
    return [text for text in sweep.layouts if not formats or int(text[1]) in formats]


def _most_bytes(layout: str, shape: Shape, itemsize: int) -> int:
    try:
        return bound_bytes(shape, ArrayLayout.parse(layout), itemsize)
    except (LayoutError, ValueError):
        return 0  # It will be refused before anything is written.
