"""The codecs that a chain can be built of: role, parameters with their ranges, and where each is specified."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from zbench.errors import CodecError, UnknownNameError
from zbench.model import CodecStep, Parameter, Role

__all__ = ["CODEC_NAMES", "CodecKind", "Field", "codec_kind"]

_WHOLE = r"-?[0-9]{1,9}"
_REAL = r"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?"
_INTEGERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One parameter of a codec.

    Attributes
    ----------
    name
        As numcodecs calls it.
    default
        Taken when the text ends before this parameter; its type is the type of the parameter.
    low, high
        Range of a whole number, both ends included.
    choices
        Words that are allowed.
    """

    name: str
    default: Parameter
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """Regular expression of the value."""
        if self.choices:
            return "|".join(map(re.escape, self.choices))
        return _REAL if isinstance(self.default, float) else _WHOLE

    def value(self, text: str) -> Parameter:
        """Read the value.

        Parameters
        ----------
        text
            What `pattern` matched.

        Returns
        -------
        Parameter
            Of the type of the default.

        Raises
        ------
        CodecError
            If a whole number is out of range, or a real one larger than floating-point numbers reach.
        """
        if isinstance(self.default, int) and not self.low <= int(text) <= self.high:
            msg = f"{self.name} is a whole number from {self.low} to {self.high}: got {text}."
            raise CodecError(msg)
        if not isinstance(self.default, float):
            return type(self.default)(text)
        if not math.isfinite(float(text)):
            msg = f"{self.name} is a finite number: got {text}."
            raise CodecError(msg)
        # Adding nothing makes -0.0 zero: equal chains have equal texts.
        return float(text) + 0.0

    @property
    def form(self) -> str:
        """The value as a user may write it."""
        if self.choices:
            return "|".join(self.choices)
        if isinstance(self.default, int):
            return f"{self.low}..{self.high}"
        return f"{self.name} such as {self.default}"


@dataclass(frozen=True, kw_only=True)
class CodecKind:
    """A codec that exists, without values for its parameters.

    Attributes
    ----------
    name
        Name in the canonical text.
    role
        Filter, serializer or compressor.
    fields
        Parameters in the order of the text.
    summary
        What it does, in one line.
    """

    name: str
    role: Role
    fields: tuple[Field, ...] = ()
    summary: str

    @property
    def form(self) -> str:
        """How it is written, for messages and help."""
        return "-".join([self.name, *(f"<{field.form}>" for field in self.fields)])

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        tail = ""
        for field in reversed(self.fields):
            tail = f"(?:-(?P<{field.name}>{field.pattern}){tail})?"
        return re.compile(re.escape(self.name) + tail)

    def step(self, text: str) -> CodecStep:
        """Read one step of a chain.

        Parameters
        ----------
        text
            Name and parameters, for example ``blosc-zstd-5-shuffle``; trailing parameters may be left out.

        Returns
        -------
        CodecStep
            With all parameters.

        Raises
        ------
        CodecError
            If a parameter is none of those allowed.
        """
        match = self._pattern.fullmatch(text)
        if match is None:
            msg = f"Codec {self.name!r} is written {self.form}: got {text!r}."
            raise CodecError(msg)
        try:
            parameters = tuple(
                (field.name, field.default if match[field.name] is None else field.value(match[field.name]))
                for field in self.fields
            )
        except CodecError as error:
            msg = f"In {text!r}, {error}"
            raise CodecError(msg) from error
        return CodecStep(self.name, self.role, parameters)


_KINDS = (
    CodecKind(
        name="blosc",
        role=Role.COMPRESSOR,
        fields=(
            Field(name="cname", default="zstd", choices=("zstd", "lz4hc", "lz4", "zlib", "blosclz")),
            Field(name="clevel", default=5, low=0, high=9),
            Field(name="shuffle", default="shuffle", choices=("shuffle", "bitshuffle", "noshuffle")),
        ),
        summary="Blosc 1: shuffle, then one of five compressors, in blocks and with threads of its own",
    ),
    CodecKind(
        name="zstd",
        role=Role.COMPRESSOR,
        fields=(Field(name="level", default=3, low=0, high=22),),
        summary="Zstandard, RFC 8878; level 0 means the library's default",
    ),
    CodecKind(
        name="gzip",
        role=Role.COMPRESSOR,
        fields=(Field(name="level", default=5, low=0, high=9),),
        summary="gzip, RFC 1952",
    ),
    CodecKind(
        name="lz4",
        role=Role.COMPRESSOR,
        fields=(Field(name="acceleration", default=1, low=1, high=65537),),
        summary="LZ4 block behind its length, as numcodecs writes it",
    ),
    CodecKind(name="crc32c", role=Role.COMPRESSOR, summary="CRC-32C checksum behind the bytes, RFC 3720"),
    CodecKind(
        name="shuffle", role=Role.COMPRESSOR, summary="bytes of equal significance side by side, element by type"
    ),
    CodecKind(name="delta", role=Role.FILTER, summary="difference to the voxel before; integers only"),
    CodecKind(
        name="bitround",
        role=Role.FILTER,
        fields=(Field(name="keepbits", default=10, low=1, high=52),),
        summary="rounds the mantissa to some bits (lossy), Kloewer et al. 2021, doi:10.1038/s43588-021-00156-2",
    ),
    CodecKind(
        name="fixedscaleoffset",
        role=Role.FILTER,
        fields=(
            Field(name="offset", default=0.0),
            Field(name="scale", default=1.0),
            Field(name="astype", default="i2", choices=_INTEGERS),
        ),
        summary="stores round((x - offset) * scale) as an integer (lossy)",
    ),
    CodecKind(
        name="quantize",
        role=Role.FILTER,
        fields=(Field(name="digits", default=2, low=0, high=12),),
        summary="keeps decimal digits (lossy)",
    ),
    CodecKind(
        name="pcodec",
        role=Role.SERIALIZER,
        fields=(Field(name="level", default=8, low=0, high=12),),
        summary="Pcodec, numbers of 16 bits and more, arXiv:2502.06112",
    ),
)
_BY_NAME = {kind.name: kind for kind in _KINDS}

CODEC_NAMES = tuple(_BY_NAME)


def codec_kind(name: str) -> CodecKind:
    """Look a codec up.

    Parameters
    ----------
    name
        Name in the canonical text.

    Returns
    -------
    CodecKind
        The codec without values for its parameters.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownNameError.of(kind="codec", name=name, known=CODEC_NAMES) from None
