"""Where the cuts go when a volume is stored, and the whole of a storage configuration."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast

from zbench.errors import LayoutError
from zbench.units import format_shape, parse_shape

if TYPE_CHECKING:
    from zbench.model.codec import CodecChain
    from zbench.units import Shape

__all__ = ["ArrayLayout", "StorageConfig"]

_TEXT = re.compile(
    r"v(?P<zarr_format>[23])-c(?P<chunks>[0-9x]+)(-s(?P<shards>[0-9x]+))?"
    r"(-index=(?P<index_location>start|end))?(-order=(?P<order>[CF]))?(-sep=(?P<separator>[./]))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayLayout:
    """Where the cuts go when a volume is stored.

    Attributes
    ----------
    zarr_format
        2 or 3.
    chunks
        Extent of one chunk in voxels, the smallest unit that can be read alone.
    shards
        Extent of one shard in voxels, the unit that is written as one object. ``None`` stores each chunk as its own
        object.
    index_location
        Where a shard keeps its index.
    order
        Order of the voxels within a chunk.
    separator
        Between the numbers of a chunk key. ``None`` takes the format's own: ``.`` in 2, ``/`` in 3.

    Raises
    ------
    LayoutError
        If the parts do not fit together.
    """

    zarr_format: Literal[2, 3] = 3
    chunks: Shape
    shards: Shape | None = None
    index_location: Literal["start", "end"] = "end"
    order: Literal["C", "F"] = "C"
    separator: Literal[".", "/"] | None = None

    def __post_init__(self) -> None:
        if self.zarr_format not in (2, 3):
            msg = f"A Zarr format is 2 or 3: got {self.zarr_format!r}."
            raise LayoutError(msg)
        _require_extent(self.chunks, "chunks")
        if self.shards is not None:
            self._check_shards(self.shards)
        elif self.index_location != "end":
            msg = f"Only shards have an index: index_location={self.index_location!r} needs shards. Give shards."
            raise LayoutError(msg)
        if self.separator == self._own_separator:
            # One layout has one text: the format's own separator is not written down.
            object.__setattr__(self, "separator", None)

    def _check_shards(self, shards: Shape) -> None:
        if self.zarr_format == 2:
            msg = (
                f"Sharding belongs to Zarr format 3: shards {shards} cannot be stored in format 2. "
                "Use zarr_format=3 or leave out the shards."
            )
            raise LayoutError(msg)
        _require_extent(shards, "shards")
        if len(shards) != len(self.chunks) or any(s % c for s, c in zip(shards, self.chunks, strict=False)):
            msg = (
                f"A shard must hold a whole number of chunks: shards {shards} are not a multiple of chunks "
                f"{self.chunks}. Take shards that are."
            )
            raise LayoutError(msg)

    @property
    def _own_separator(self) -> Literal[".", "/"]:
        return "." if self.zarr_format == 2 else "/"

    @property
    def key_separator(self) -> Literal[".", "/"]:
        """The separator that chunk keys really have."""
        return self.separator or self._own_separator

    @property
    def objects_shape(self) -> Shape:
        """Extent in voxels of what is stored as one object: the shard, or the chunk without shards."""
        return self.shards or self.chunks

    @property
    def text(self) -> str:
        """The canonical text, for example ``v3-c32-s256``."""
        parts = [f"v{self.zarr_format}", f"c{format_shape(self.chunks)}"]
        if self.shards is not None:
            parts.append(f"s{format_shape(self.shards)}")
        if self.index_location != "end":
            parts.append(f"index={self.index_location}")
        if self.order != "C":
            parts.append(f"order={self.order}")
        if self.separator is not None:
            parts.append(f"sep={self.separator}")
        return "-".join(parts)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the canonical text.

        Parameters
        ----------
        text
            For example ``v2-c64``, ``v3-c16x128x128`` or ``v3-c32-s256``.

        Returns
        -------
        ArrayLayout
            The layout that the text means.

        Raises
        ------
        LayoutError
            If the text means none.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            msg = f"A layout is written as v3-c64, v2-c16x128x128 or v3-c32-s256: got {text!r}."
            raise LayoutError(msg)
        return cls(
            zarr_format=cast("Literal[2, 3]", int(match["zarr_format"])),
            chunks=parse_shape(match["chunks"]),
            shards=parse_shape(match["shards"]) if match["shards"] else None,
            index_location=cast("Literal['start', 'end']", match["index_location"] or "end"),
            order=cast("Literal['C', 'F']", match["order"] or "C"),
            separator=cast("Literal['.', '/'] | None", match["separator"]),
        )

    def __str__(self) -> str:
        return self.text


def _require_extent(shape: Shape, name: str) -> None:
    if not shape or any(not isinstance(extent, int) or extent < 1 for extent in shape):
        msg = f"The extent of {name} is a whole number of voxels, at least 1, for each axis: got {shape!r}."
        raise LayoutError(msg)


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageConfig:
    """How a volume is stored: a layout and a codec chain.

    Attributes
    ----------
    layout
        Format, chunks, shards.
    chain
        Filters, serializer, compressors.
    """

    layout: ArrayLayout
    chain: CodecChain

    @property
    def text(self) -> str:
        """The canonical text, layout and chain joined by ``:``."""
        return f"{self.layout.text}:{self.chain.text}"

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for this configuration in file names."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return self.text
