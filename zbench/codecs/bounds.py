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


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """How far a voxel may come back from where it was: at most ``absolute + relative * |x|``.

    Attributes
    ----------
    absolute
        In the unit of the voxels.
    relative
        Share of the magnitude of the voxel.
    """

    absolute: float = 0.0
    relative: float = 0.0

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
            wrong = _bits(original) != _bits(read)
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
        wide_original, wide_read = original.astype(np.float64), read.astype(np.float64)
        # The arithmetic of the codec itself rounds to the type of the voxels: allow two units in the last place.
        slack = 2 * float(np.finfo(original.dtype).eps) if original.dtype.kind == "f" else 0.0
        allowed = self.absolute + (self.relative + slack) * np.abs(wide_original)
        with np.errstate(invalid="ignore"):
            near = np.abs(wide_read - wide_original) <= allowed
        same = (wide_original == wide_read) | (np.isnan(wide_original) & np.isnan(wide_read))
        outside: npt.NDArray[np.bool_] = ~(near | same)
        return outside

    def __str__(self) -> str:
        return f"absolute error {self.absolute:.3g}, relative error {self.relative:.3g}"


def _bits(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """View as unsigned integers, so that NaN equals itself and the two zeros differ."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.view(f"u{little.dtype.itemsize}") if little.dtype.kind == "f" else little


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
        If the scale of a step gives no bound.
    """
    bound = Bound()
    for step in chain:
        bound = bound.then(_step_bound(step))
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
        return Bound(absolute=0.5 / abs(scale))
    return Bound()
