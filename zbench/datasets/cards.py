"""One card a dataset: what it is, where it comes from, what may be done with it."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import PresetError
from zbench.model import Provenance

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbench.units import Shape

__all__ = ["DOMAINS", "Card"]

DOMAINS = ("astro", "climate", "cryoem", "cryoet", "et", "labels", "medical", "microscopy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A dataset of the registry: fixed voxels with a checksum.

    Attributes
    ----------
    name
        Name in the registry.
    title
        One line for people.
    domain
        Kind of data, one of `DOMAINS`.
    shape
        Extent in voxels, slowest axis first.
    dtype
        Type of a voxel in numpy's words.
    axes
        One letter an axis, slowest first.
    licence
        Licence of the data.
    citation
        How to cite it.
    voxel_digest
        `zbench.model.voxel_digest` of the voxels.
    source
        Public address, or what the file was packed from.
    licence_note
        What is known of how sure the licence is.
    spacing, spacing_unit
        Size of a voxel on each axis, where the source says so.
    aliases
        Other names.
    path
        File below a mirror; empty for a generated dataset.
    sha256, bytes
        Of the file.
    downloadable
        Whether the source is that very file; otherwise only a mirror has it.
    member
        Which array of a file that holds several.
    generator, seed
        What makes a dataset that is not a file.
    """

    name: str
    title: str
    domain: str
    shape: Shape
    dtype: str
    axes: str
    licence: str
    citation: str
    voxel_digest: str
    source: str
    licence_note: str = ""
    spacing: tuple[float, ...] | None = None
    spacing_unit: str | None = None
    aliases: tuple[str, ...] = ()
    path: str = ""
    sha256: str = ""
    bytes: int = 0
    downloadable: bool = False
    member: str | None = None
    generator: str | None = None
    seed: int = 0

    @property
    def logical_bytes(self) -> int:
        """Size of the voxels in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    @property
    def provenance(self) -> Provenance:
        """Source, licence, citation."""
        return Provenance(source=self.source, licence=self.licence, citation=self.citation)

    @classmethod
    def parse(cls, text: str, *, where: str) -> Card:
        """Read a card.

        Parameters
        ----------
        text
            TOML.
        where
            File that it stands in, for messages.

        Returns
        -------
        Card
            Checked.

        Raises
        ------
        PresetError
            If it is no TOML, lacks a key, has an unknown one, or a value that breaks a rule.
        """
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            msg = f"A card is TOML: {where} is not ({error})."
            raise PresetError(msg) from error
        known = {field.name: field for field in fields(cls)}
        missing = [name for name, field in known.items() if field.default is MISSING and name not in raw]
        unknown = sorted(set(raw) - set(known))
        if missing or unknown:
            msg = (
                f"A card has the keys of its kind: {where} lacks {missing} and has unknown {unknown}. The keys are "
                f"{', '.join(known)}."
            )
            raise PresetError(msg)
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()
        }
        for name, value in values.items():
            kind, holds = _KINDS[str(known[name].type)]
            if not holds(value):
                msg = f"On a card, {name} is {kind}: {where} has {raw[name]!r}. Correct the card."
                raise PresetError(msg)
        card = cls(**values)
        card._check(where)
        return card

    def _check(self, where: str) -> None:
        spacing = self.spacing or (1.0,) * len(self.shape)
        rules = {
            "name is small letters, digits and hyphens": (
                re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name),
                self.name,
            ),
            "domain is one that is known": (self.domain in DOMAINS, self.domain),
            "axes has one letter an axis, none twice": (
                len(set(self.axes)) == len(self.axes) == len(self.shape) and self.axes.isalpha(),
                (self.axes, self.shape),
            ),
            "dtype is one of numpy's numbers of up to 64 bits": (_is_number(self.dtype), self.dtype),
            "voxel_digest is 'blake2b:' and 32 hexadecimal digits": (
                re.fullmatch(r"blake2b:[0-9a-f]{32}", self.voxel_digest),
                self.voxel_digest,
            ),
            "spacing has one number an axis": (len(spacing) == len(self.shape), self.spacing),
            "spacing and spacing_unit come together": (
                bool(self.spacing) == bool(self.spacing_unit),
                (self.spacing, self.spacing_unit),
            ),
        }
        _refuse(rules | (self._generated_rules() if self.generator else self._file_rules()), where)

    def _generated_rules(self) -> dict[str, tuple[Any, Any]]:
        of_a_file = (self.path, self.sha256, self.bytes, self.downloadable, self.member)
        return {
            "a generated dataset has no path, sha256, bytes, downloadable and member": (not any(of_a_file), of_a_file)
        }

    def _file_rules(self) -> dict[str, tuple[Any, Any]]:
        parts = PurePosixPath(self.path).parts
        return {
            "a dataset without a generator has the path of its file, below a mirror": (
                parts and not self.path.startswith("/") and ".." not in parts,
                self.path,
            ),
            "sha256 is 64 hexadecimal digits": (re.fullmatch(r"[0-9a-f]{64}", self.sha256), self.sha256),
            "bytes is the size of the file, at least 1": (self.bytes > 0, self.bytes),
            "source is a public address": (self.source.startswith("https://"), self.source),
            "a downloadable source is the address of one file, without spaces": (
                not self.downloadable or not re.search(r"\s", self.source),
                self.source,
            ),
        }


def _refuse(rules: dict[str, tuple[Any, Any]], where: str) -> None:
    for rule, (holds, given) in rules.items():
        if not holds:
            msg = f"On a card, {rule}: {where} has {given!r}. Correct the card."
            raise PresetError(msg)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(text: str) -> bool:
    try:
        dtype = np.dtype(text)
    except TypeError:
        return False
    return dtype.kind in "iuf" and dtype.itemsize <= 8


# By the annotation of the field: what it is called in a message, and whether a value of the TOML is one.
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a text that says something", _is_text),
    "str | None": ("a text that says something", _is_text),
    "int": ("a whole number", _is_whole),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "Shape": (
        "a list of whole numbers, at least 1",
        lambda value: isinstance(value, tuple) and bool(value) and all(_is_whole(v) and v > 0 for v in value),
    ),
    "tuple[float, ...] | None": (
        "a list of numbers above 0",
        lambda value: (
            isinstance(value, tuple)
            and all(isinstance(v, int | float) and not isinstance(v, bool) and 0 < v < math.inf for v in value)
        ),
    ),
    "tuple[str, ...]": (
        "a list of texts",
        lambda value: isinstance(value, tuple) and all(_is_text(v) for v in value),
    ),
}
