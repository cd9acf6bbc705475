"""What can go wrong, one root: every message says the rule, what was given and what to do next."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CodecError",
    "DataError",
    "InsufficientSamplesError",
    "LayoutError",
    "PresetError",
    "RefusedError",
    "ResultsError",
    "UnknownNameError",
    "VerificationError",
    "ZbenchError",
]

# Every class takes one message, so that it survives pickling: asv and process pools send errors through pipes.


class ZbenchError(Exception):
    """Root of all errors that zbench raises on purpose."""


class CodecError(ZbenchError, ValueError):
    """A codec chain that no Zarr release can mean."""


class LayoutError(ZbenchError, ValueError):
    """A shape, box, chunk or shard that does not fit together."""


class PresetError(ZbenchError, ValueError):
    """A preset or card whose text says something that cannot be used."""


class DataError(ZbenchError, OSError):
    """A dataset that cannot be had, read or trusted."""


class ResultsError(ZbenchError, ValueError):
    """A result file that cannot be read, or results that must not be put together."""


class InsufficientSamplesError(ZbenchError, ValueError):
    """Too few samples for the statistic that was asked for."""


class VerificationError(ZbenchError, ArithmeticError):
    """What was read or stored is not what was written or asked for."""


class RefusedError(ZbenchError, NotImplementedError):
    """A sound request that this engine, store or release cannot express.

    It is a ``NotImplementedError`` because asv takes that, raised in ``setup``, for a skip.
    """


class UnknownNameError(ZbenchError, LookupError):
    """A name that is in no registry."""

    @classmethod
    def of(cls, *, kind: str, name: str, known: Iterable[str]) -> Self:
        """Say which names there are, nearest first.

        Parameters
        ----------
        kind
            What was looked for, for example ``"dataset"``.
        name
            The name that was given.
        known
            All names that exist.

        Returns
        -------
        UnknownNameError
            The error, ready to raise.
        """
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return cls(f"Unknown {kind} {name!r}.{hint} Known {kind}s: {', '.join(names) or 'none'}.")
