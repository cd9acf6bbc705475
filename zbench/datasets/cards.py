"""One card a dataset: what it is, where it comes from, what may be done with it."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.errors import PresetError
from zbench.model import Provenance

if TYPE_CHECKING:
    from zbench.units import Shape

__all__ = ["Card"]


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
        Kind of data: ``cryoet``, ``cryoem``, ``et``, ``labels``, ``microscopy``, ``medical``, ``astro``, ``climate``.
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
        """Bytes of the voxels."""
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
            If it is no TOML, lacks a key, has an unknown one, or a value of the wrong kind.
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
            msg = f"A card has the keys of its kind: {where} lacks {missing} and has unknown {unknown}."
            raise PresetError(msg)
        for name, value in raw.items():
            raw[name] = tuple(value) if isinstance(value, list) else value
        card = cls(**raw)
        card._check(where)
        return card

    def _check(self, where: str) -> None:
        rules = {
            "shape is whole numbers, at least 1": _whole(self.shape),
            "axes has one letter an axis": isinstance(self.axes, str) and len(self.axes) == len(self.shape),
            "dtype is one of numpy's numbers": _is_number(self.dtype),
            "voxel_digest begins with 'blake2b:'": str(self.voxel_digest).startswith("blake2b:"),
            "a file has path, sha256 and bytes, a generated dataset has none of them": (
                bool(self.path and len(self.sha256) == 64 and self.bytes > 0) != bool(self.generator)
            ),
            "spacing has one number an axis, and a unit": self.spacing is None
            or (len(self.spacing) == len(self.shape) and bool(self.spacing_unit)),
        }
        for rule, holds in rules.items():
            if not holds:
                msg = f"On a card, {rule}: {where} breaks this."
                raise PresetError(msg)


def _whole(shape: Any) -> bool:
    return isinstance(shape, tuple) and bool(shape) and all(isinstance(extent, int) and extent > 0 for extent in shape)


def _is_number(text: Any) -> bool:
    try:
        return np.dtype(text).kind in "iuf"
    except TypeError:
        return False
