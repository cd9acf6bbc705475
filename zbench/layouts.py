"""Layouts that follow the volume: exact divisors, slabs and pencils become numbers once the shape is known."""

from __future__ import annotations

import math
import re

from zbench.errors import LayoutError, RefusedError
from zbench.model import ArrayLayout
from zbench.units import Shape, format_shape, parse_shape

__all__ = ["LAYOUT_FORMS", "divisor_near", "resolve_layout"]

LAYOUT_FORMS = (
    "v{2,3}-c64: cubes of 64 voxels",
    "v{2,3}-c16x128x128: chunks of that extent, z first",
    "v{2,3}-cdiv64: on each axis the exact divisor of the extent that is nearest to 64, so that no chunk is padded",
    "v{2,3}-cslab4: 4 planes thick in z, whole in y and x",
    "v{2,3}-cpencil16: whole in z, 16 voxels wide in y and x",
    "v3-c32-s256: chunks of 32 voxels in shards of 256",
    "v3-c32-sall: one shard for the whole volume",
)
_RULE = re.compile(
    r"(?P<head>v[23])-c(?P<chunks>[a-z]*[0-9x]+)(?:-s(?P<shards>[0-9x]+|all))?(?P<tail>(?:-[a-z]+=[^-]+)*)"
)
# The CryoET Data Portal stores tomograms of 184 planes in chunks of 256, 2.07 times their voxels: more than that.
_MOST_STORED = 4
_WORD = re.compile(r"(?P<word>div|slab|pencil)(?P<size>[1-9]\d*)")


def divisor_near(extent: int, target: int) -> int:
    """Find the divisor that is nearest to a target by ratio.

    Parameters
    ----------
    extent
        Number to divide, at least 1.
    target
        Wished size, at least 1.

    Returns
    -------
    int
        Divides the extent without remainder.
    """
    divisors = [number for number in range(1, extent + 1) if extent % number == 0]
    # There is no tie: the product of two divisors equally near is the target squared, so the target divides too.
    return min(divisors, key=lambda number: abs(math.log(number / target)))


def resolve_layout(text: str, shape: Shape) -> ArrayLayout:
    """Turn a layout that may follow the volume into numbers.

    Parameters
    ----------
    text
        One of `LAYOUT_FORMS`, or any canonical text of a layout.
    shape
        Extent of the volume in voxels, ``(z, y, x)``.

    Returns
    -------
    ArrayLayout
        With the extents of chunks and shards in voxels.

    Raises
    ------
    LayoutError
        If the text means no layout.
    RefusedError
        If the layout does not suit the volume: another number of axes, or chunks that are mostly padding.
    """
    match = _RULE.fullmatch(text.strip())
    if match is None:
        msg = f"A layout is written in one of the forms {'; '.join(LAYOUT_FORMS)}: got {text!r}."
        raise LayoutError(msg)
    chunks = _chunks(match["chunks"], shape, text)
    if len(chunks) != len(shape):
        msg = (
            f"A layout has as many axes as the volume: {text!r} has {len(chunks)}, the volume {shape} has {len(shape)}."
        )
        raise RefusedError(msg)
    shards = match["shards"]
    if shards == "all":
        whole = tuple(-(-extent // chunk) * chunk for extent, chunk in zip(shape, chunks, strict=True))
        shards = format_shape(whole)
    parts = [match["head"], f"c{format_shape(chunks)}", *([f"s{shards}"] if shards else [])]
    layout = ArrayLayout.parse("-".join(parts) + match["tail"])
    _refuse_padding(layout, shape, text)
    return layout


def _chunks(text: str, shape: Shape, rule: str) -> Shape:
    match = _WORD.fullmatch(text)
    if match is None:
        if not text[0].isdigit():
            msg = f"Chunks that follow the volume are div, slab or pencil and a number: got {rule!r}."
            raise LayoutError(msg)
        return parse_shape(text)
    size = int(match["size"])
    if match["word"] == "div":
        return tuple(divisor_near(extent, size) for extent in shape)
    if match["word"] == "slab":
        return (min(size, shape[0]), *shape[1:])
    return (shape[0], *(min(size, extent) for extent in shape[1:]))


def _refuse_padding(layout: ArrayLayout, shape: Shape, rule: str) -> None:
    """Refuse chunks whose padding dwarfs the volume: their numbers would be those of zeros."""
    stored = math.prod(-(-extent // chunk) * chunk for extent, chunk in zip(shape, layout.chunks, strict=True))
    if stored > _MOST_STORED * math.prod(shape) and any(c > s for c, s in zip(layout.chunks, shape, strict=True)):
        msg = (
            f"Chunks should not be mostly padding: {rule!r} stores {stored / math.prod(shape):.1f} times the voxels of "
            f"the volume {shape}. Take smaller chunks or a larger volume."
        )
        raise RefusedError(msg)
