"""Codec chains from their text."""

from __future__ import annotations

from zbench.codecs.catalogue import codec_kind
from zbench.errors import CodecError
from zbench.model import ArrayLayout, CodecChain, CodecStep, Role, StorageConfig

__all__ = ["parse_chain", "parse_config"]

_ORDER = (Role.FILTER, Role.SERIALIZER, Role.COMPRESSOR)


def parse_chain(text: str) -> CodecChain:
    """Read the text of a codec chain.

    Parameters
    ----------
    text
        Steps joined by ``+`` in the order of writing: filters, at most one serializer, compressors. ``none`` for no
        step. Trailing parameters may be left out.

    Returns
    -------
    CodecChain
        Its ``text`` is the canonical form of what was given.

    Raises
    ------
    CodecError
        If the steps stand in an order that cannot be, or a parameter is out of range.
    UnknownNameError
        If a codec does not exist.
    """
    parts = [] if text.strip() == "none" else [part.strip() for part in text.split("+")]
    steps = [codec_kind(part.split("-", 1)[0]).step(part) for part in parts]
    roles = [_ORDER.index(step.role) for step in steps]
    if roles != sorted(roles) or roles.count(1) > 1:
        told = ", ".join(f"{step.text} ({step.role})" for step in steps)
        msg = f"A codec chain is filters, then at most one serializer, then compressors: got {told}. Reorder the steps."
        raise CodecError(msg)
    serializers = _with_role(steps, Role.SERIALIZER)
    return CodecChain(
        filters=_with_role(steps, Role.FILTER),
        serializer=serializers[0] if serializers else None,
        compressors=_with_role(steps, Role.COMPRESSOR),
    )


def _with_role(steps: list[CodecStep], role: Role) -> tuple[CodecStep, ...]:
    return tuple(step for step in steps if step.role is role)


def parse_config(text: str) -> StorageConfig:
    """Read the text of a storage configuration.

    Parameters
    ----------
    text
        Layout and chain joined by ``:``, for example ``v3-c32-s256:blosc-zstd-5-shuffle``.

    Returns
    -------
    StorageConfig
        What the text means.

    Raises
    ------
    CodecError
        If the colon is missing or the chain cannot be.
    LayoutError
        If the layout cannot be.
    UnknownNameError
        If a codec does not exist.
    """
    layout, colon, chain = text.partition(":")
    if not colon:
        msg = f"A storage configuration is LAYOUT:CHAIN, such as v3-c64:blosc-zstd-5-shuffle: got {text!r}."
        raise CodecError(msg)
    return StorageConfig(layout=ArrayLayout.parse(layout), chain=parse_chain(chain))
