"""What a codec chain may lose, and the check that it lost no more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zbench.errors import RefusedError, VerificationError
from zbench.model import CodecChain, CodecStep, voxel_digest

__all__ = ["Bound", "chain_is_lossless", "error_bound"]

_LOSSY = ("bitround", "quantize", "fixedscaleoffset")
# Decoding sums up (delta) or scales (fixedscaleoffset) the errors of what stands behind.
_MAGNIFYING = ("delta", "fixedscaleoffset")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """How far a voxel ``x`` may come back from where it was: at most ``absolute + relative * |x|``.

    Two things come on top, because no codec can do better: the rounding of its own arithmetic, and, for subnormal
    numbers, that their last bit is as large as that of the smallest normal number.

    Attributes
    ----------
    absolute
        In the unit of the voxels.
    relative
        Share of the magnitude of the voxel.
    shift
        What the codec subtracts from a voxel and adds again; its arithmetic rounds by a share of this too.
    """

    absolute: float = 0.0
    relative: float = 0.0
    shift: float = 0.0

    def then(self, other: Bound) -> Bound:
        """Add the loss of a later step.

        Parameters
        ----------
        other
            Bound of the later step.

        Returns
        -------
        Bound
            Bound of both.
        """
        return Bound(
            absolute=self.absolute + other.absolute + other.relative * self.absolute,
            relative=self.relative + other.relative + self.relative * other.relative,
            shift=self.shift + other.shift,
        )

    def check(self, original: npt.NDArray[Any], read: npt.NDArray[Any]) -> None:
        """Compare voxels with what came back.

        Parameters
        ----------
        original
            What was written.
        read
            What was read, of the same shape and type.

        Raises
        ------
        VerificationError
            If shape or type differ, or a voxel is further off than the bound; the first such voxel is named.
        """
        if original.shape != read.shape or original.dtype.newbyteorder("=") != read.dtype.newbyteorder("="):
            msg = (
                f"Reading must give the shape and type that were written: wrote {original.shape} {original.dtype}, "
                f"read {read.shape} {read.dtype}."
            )
            raise VerificationError(msg)
        if not (self.absolute or self.relative):
            if voxel_digest(original) == voxel_digest(read):
                return
            wrong = (_bytes(original) != _bytes(read)).any(axis=-1)
        else:
            wrong = self._outside(original, read)
        if wrong.any():
            place = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
            msg = (
                f"What is read must be what was written (within {self}): {int(wrong.sum())} of {wrong.size} voxels "
                f"differ, the first at {place}, wrote {original[place]!r}, read {read[place]!r}."
            )
            raise VerificationError(msg)

    def _outside(self, original: npt.NDArray[Any], read: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        if original.dtype.kind == "f":
            kind, cut = np.finfo(original.dtype), 0.0
            smallest = float(kind.smallest_normal)
        else:
            # numcodecs computes integers as float64, and then cuts the fraction off where it should round.
            kind, cut = np.finfo(np.float64), 1.0
            smallest = 0.0
        # Signalling NaN and differences of infinities are told apart below; numpy need not warn of them.
        with np.errstate(invalid="ignore"):
            wide_original, wide_read = original.astype(np.float64), read.astype(np.float64)
            size = np.maximum(np.abs(wide_original), smallest)
            # A handful of operations, each half a unit in the last place off.
            rounding = 4 * float(kind.eps) * (size + self.shift) + cut
            near = np.abs(wide_read - wide_original) <= self.absolute + self.relative * size + rounding
        # Nothing finite is near to an infinity, though infinity is no more than infinity.
        near &= np.isfinite(wide_original)
        same = (wide_original == wide_read) | (np.isnan(wide_original) & np.isnan(wide_read))
        outside: npt.NDArray[np.bool_] = ~(near | same)
        return outside

    def __str__(self) -> str:
        return f"absolute error {self.absolute:.3g}, relative error {self.relative:.3g}"


def _bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """View as bytes, a row for each voxel, so that NaN equals itself and the two zeros differ."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).reshape(*array.shape, little.dtype.itemsize)


def chain_is_lossless(chain: CodecChain) -> bool:
    """Tell whether every bit comes back.

    Parameters
    ----------
    chain
        The chain.

    Returns
    -------
    bool
        False if one step is lossy.
    """
    return not any(step.name in _LOSSY for step in chain)


def error_bound(chain: CodecChain) -> Bound:
    """Work out how much a chain may lose.

    Parameters
    ----------
    chain
        The chain.

    Returns
    -------
    Bound
        Of all its steps together; zero for a lossless chain.

    Raises
    ------
    RefusedError
        If the chain gives no bound: a scale of zero, or a lossy step behind one whose decoding would magnify the loss.
    """
    bound = Bound()
    before = ""
    for step in chain:
        if before and step.name in _LOSSY:
            msg = (
                f"A lossy codec must take the voxels themselves, or its loss has no bound: {step.text!r} stands behind "
                f"{before!r}, which would magnify it. Put the lossy codec first, and at most one fixedscaleoffset."
            )
            raise RefusedError(msg)
        bound = bound.then(_step_bound(step))
        if step.name in _MAGNIFYING:
            before = step.text
    return bound


def _step_bound(step: CodecStep) -> Bound:
    if step.name == "bitround":
        # Round to nearest: half of the last bit that is kept.
        return Bound(relative=2.0 ** -(int(step["keepbits"]) + 1))
    if step.name == "quantize":
        # numcodecs rounds to the power of two that is at least as fine as the decimal digits.
        return Bound(absolute=0.5 / 2.0 ** math.ceil(math.log2(10.0 ** int(step["digits"]))))
    if step.name == "fixedscaleoffset":
        scale = float(step["scale"])
        if not scale:
            msg = f"A fixed scale must not be zero: got {step.text!r}. Give a scale."
            raise RefusedError(msg)
        return Bound(absolute=0.5 / abs(scale), shift=abs(float(step["offset"])))
    return Bound()
