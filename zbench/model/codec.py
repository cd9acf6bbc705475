"""Codec chains: filters, one serializer, compressors, and their one canonical text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from zbench.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CodecChain", "CodecStep", "Parameter", "Role"]

Parameter: TypeAlias = int | float | str


class Role(StrEnum):
    """What a codec turns into what, the terms of the Zarr v3 specification, section "codecs"."""

    FILTER = "filter"  # array -> array
    SERIALIZER = "serializer"  # array -> bytes
    COMPRESSOR = "compressor"  # bytes -> bytes


def _parameter_text(value: Parameter) -> str:
    # "+" joins the steps of a chain, so an exponent is written without it.
    return repr(value).replace("e+", "e") if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class CodecStep:
    """One codec with all its parameters.

    Attributes
    ----------
    name
        Name in the canonical text, for example ``"blosc"``.
    role
        Filter, serializer or compressor.
    parameters
        Name and value of every parameter, in the order in which the text gives them.
    """

    name: str
    role: Role
    parameters: tuple[tuple[str, Parameter], ...] = ()

    @property
    def text(self) -> str:
        """The canonical text, for example ``blosc-zstd-5-shuffle``."""
        return "-".join([self.name, *(_parameter_text(value) for _, value in self.parameters)])

    def __getitem__(self, name: str) -> Parameter:
        return dict(self.parameters)[name]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class CodecChain:
    """What is done to a chunk on its way to the store, in order.

    Attributes
    ----------
    filters
        Array to array.
    serializer
        Array to bytes. ``None`` is the plain one: little-endian bytes in C order.
    compressors
        Bytes to bytes.

    Raises
    ------
    CodecError
        If a codec stands where its role does not allow it.
    """

    filters: tuple[CodecStep, ...] = ()
    serializer: CodecStep | None = None
    compressors: tuple[CodecStep, ...] = ()

    def __post_init__(self) -> None:
        serializers = () if self.serializer is None else (self.serializer,)
        places = ((self.filters, Role.FILTER), (serializers, Role.SERIALIZER), (self.compressors, Role.COMPRESSOR))
        for steps, role in places:
            for step in steps:
                if step.role is not role:
                    msg = (
                        f"A {role} must turn {_TURNS[role]}: {step.text!r} is a {step.role}, which turns "
                        f"{_TURNS[step.role]}. Pass it as one of the {step.role}s."
                    )
                    raise CodecError(msg)

    def __iter__(self) -> Iterator[CodecStep]:
        yield from self.filters
        if self.serializer is not None:
            yield self.serializer
        yield from self.compressors

    @property
    def text(self) -> str:
        """The canonical text: steps joined by ``+``, ``none`` for no step at all."""
        return "+".join(step.text for step in self) or "none"

    def __str__(self) -> str:
        return self.text


_TURNS = {Role.FILTER: "arrays into arrays", Role.SERIALIZER: "arrays into bytes", Role.COMPRESSOR: "bytes into bytes"}
