"""The grid as data: presets that say which volumes, engines, layouts, chains and patterns are measured."""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.codecs import parse_chain
from zbench.errors import LayoutError, PresetError, RefusedError, UnknownNameError, ZbenchError
from zbench.layouts import resolve_layout
from zbench.model import ArrayLayout
from zbench.patterns import access_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRESET_NAMES", "CellSpec", "Preset", "Sweep", "active_preset", "load_preset"]

PRESET_NAMES = ("quick", "full")

_PRESET_KEYS = {"title": str, "datasets": list, "engines": list, "sweeps": list}
_SWEEP_KEYS = {"name": str, "question": str, "layouts": list, "chains": list, "patterns": list}
# They become names of classes of the asv suite.
_SWEEP_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
# Any shape does for checking the spelling of layouts and patterns; this one is large enough for all boxes.
_PROBE = (2048, 2048, 2048)


@dataclass(frozen=True, order=True, slots=True)
class CellSpec:
    """One way to store one dataset with one engine, by name.

    Attributes
    ----------
    dataset
        Name in the registry, or path of a file.
    engine
        Name of the engine.
    layout
        Layout text, canonical if it is of numbers; it may follow the volume.
    chain
        Canonical text of the codec chain.
    """

    dataset: str
    engine: str
    layout: str
    chain: str

    @property
    def text(self) -> str:
        """The cell in one line, the key of its results."""
        return f"{self.dataset}|{self.engine}|{self.layout}|{self.chain}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """One question: every layout with every chain, read by some patterns.

    Attributes
    ----------
    name
        Words of small letters and digits with hyphens between.
    question
        What the sweep answers.
    layouts, chains, patterns
        Texts in the order in which they are shown.
    """

    name: str
    question: str
    layouts: tuple[str, ...]
    chains: tuple[str, ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """What is measured.

    Attributes
    ----------
    name
        Name, or path of the file.
    title
        One line for people.
    datasets, engines
        Names.
    sweeps
        The questions.
    """

    name: str
    title: str
    datasets: tuple[str, ...]
    engines: tuple[str, ...]
    sweeps: tuple[Sweep, ...]

    @property
    def chains(self) -> tuple[str, ...]:
        """Every codec chain once."""
        return tuple(dict.fromkeys(chain for sweep in self.sweeps for chain in sweep.chains))

    def cells(self) -> tuple[CellSpec, ...]:
        """List every cell once.

        Returns
        -------
        tuple of CellSpec
            In the order of the file.
        """
        cells = (
            CellSpec(dataset, engine, layout, chain)
            for dataset in self.datasets
            for engine in self.engines
            for sweep in self.sweeps
            for layout in sweep.layouts
            for chain in sweep.chains
        )
        return tuple(dict.fromkeys(cells))


def load_preset(name: str) -> Preset:
    """Read a preset.

    Parameters
    ----------
    name
        One of `PRESET_NAMES`, or the path of a TOML file.

    Returns
    -------
    Preset
        Checked: every text in it means something. Datasets that are relative paths start from the folder of the file.

    Raises
    ------
    PresetError
        If the file cannot be read or says something that means nothing.
    UnknownNameError
        If there is no preset of that name and no such file.
    """
    if name in PRESET_NAMES:
        text = resources.files("zbench").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            msg = f"A preset is a readable TOML file in UTF-8: {name!r} is not ({error})."
            raise PresetError(msg) from error
    else:
        raise UnknownNameError.of(kind="preset", name=name, known=[*PRESET_NAMES, "path/of/a/file.toml"])
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"A preset is TOML: {name!r} is not, {error}."
        raise PresetError(msg) from error
    return _preset(name, raw)


def active_preset() -> Preset:
    """Read the preset that the environment variables ask for, as the asv suite does.

    Returns
    -------
    Preset
        ``ZBENCH_PRESET`` (``quick`` unless set) with the datasets and engines of ``ZBENCH_DATASETS`` and
        ``ZBENCH_ENGINES`` (comma-separated) in place of its own. Relative paths start where asv was started.

    Raises
    ------
    PresetError
        If the preset cannot be used.
    UnknownNameError
        If there is no such preset.
    """
    # asv runs the suite in folders of its own, and says in which one it was started.
    base = Path(os.environ.get("ASV_CONF_DIR", ""))
    name = os.environ.get("ZBENCH_PRESET") or "quick"
    preset = load_preset(str(base / name) if name.endswith(".toml") else name)
    datasets = tuple(_located(dataset, base) for dataset in _listed("ZBENCH_DATASETS")) or preset.datasets
    return replace(preset, datasets=datasets, engines=_listed("ZBENCH_ENGINES") or preset.engines)


def _located(dataset: str, base: Path) -> str:
    """Make the path of a file absolute; a dataset of the registry has no folder in its name."""
    return str((base / dataset).absolute()) if os.sep in dataset else dataset


def _listed(variable: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in os.environ.get(variable, "").split(",") if part.strip())


def _preset(name: str, raw: dict[str, Any]) -> Preset:
    _check_keys(name, raw, _PRESET_KEYS)
    if not raw["sweeps"]:
        msg = f"A preset asks at least one question: {name!r} has no [[sweeps]]. Add one."
        raise PresetError(msg)
    sweeps = tuple(_sweep(name, entry) for entry in raw["sweeps"])
    names = [sweep.name for sweep in sweeps]
    if not all(_SWEEP_NAME.fullmatch(sweep) for sweep in names) or len(set(names)) < len(names):
        msg = (
            "The sweeps of a preset have names of their own, words of small letters and digits with hyphens between "
            f"them, such as codec-v3: {name!r} has {', '.join(map(repr, names))}."
        )
        raise PresetError(msg)
    return Preset(
        name=name,
        title=raw["title"],
        datasets=tuple(_located(text, Path(name).parent) for text in _texts(name, "datasets", raw["datasets"])),
        engines=_texts(name, "engines", raw["engines"]),
        sweeps=sweeps,
    )


def _sweep(name: str, entry: Any) -> Sweep:
    if not isinstance(entry, dict):
        msg = f"In preset {name}, sweeps are tables headed [[sweeps]]: got {entry!r}."
        raise PresetError(msg)
    where = f"{name}, sweep {entry.get('name', '?')}"
    _check_keys(where, entry, _SWEEP_KEYS)
    layouts, chains, patterns = (_texts(where, key, entry[key]) for key in ("layouts", "chains", "patterns"))
    try:
        for layout in layouts:
            # A layout for volumes of another number of axes is spelled well; cells refuse it where it does not fit.
            with suppress(RefusedError):
                resolve_layout(layout, _PROBE)
        for pattern in patterns:
            access_pattern(pattern, _PROBE)
        layouts = tuple(_layout_text(layout) for layout in layouts)
        chains = tuple(parse_chain(chain).text for chain in chains)
    except ZbenchError as error:
        msg = f"In preset {where}: {error}"
        raise PresetError(msg) from error
    return Sweep(name=entry["name"], question=entry["question"], layouts=layouts, chains=chains, patterns=patterns)


def _layout_text(layout: str) -> str:
    """Write layouts of numbers in their one way, so that a cell is not measured twice under two names."""
    try:
        return ArrayLayout.parse(layout).text
    except LayoutError:
        return layout.strip()


def _check_keys(where: str, raw: dict[str, Any], keys: Mapping[str, type]) -> None:
    wrong = sorted(set(raw) ^ set(keys))
    if wrong:
        msg = f"A preset says {', '.join(keys)} and nothing else: {where} differs in {', '.join(wrong)}."
        raise PresetError(msg)
    for key, kind in keys.items():
        if not isinstance(raw[key], kind):
            msg = f"In preset {where}, {key} is a {kind.__name__}: got {raw[key]!r}."
            raise PresetError(msg)


def _texts(where: str, key: str, values: list[Any]) -> tuple[str, ...]:
    if not values or not all(isinstance(value, str) for value in values):
        msg = f"In preset {where}, {key} is a list of texts, at least one: got {values!r}."
        raise PresetError(msg)
    return tuple(values)
