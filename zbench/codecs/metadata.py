"""What a codec chain is called in the metadata of Zarr formats 2 and 3.

The two specifications: https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html (``filters`` and ``compressor``,
numcodecs' configurations) and https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html (``codecs``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from zbench.errors import RefusedError
from zbench.model import CodecChain, CodecStep, Role

__all__ = ["Json", "v2_codecs", "v3_codecs"]

Json: TypeAlias = dict[str, Any]

_BLOSC_SHUFFLE = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
# Registered in the v3 specification or zarr-extensions under their own name; the others carry numcodecs' prefix.
_V3_NAMES = {"blosc": "blosc", "zstd": "zstd", "gzip": "gzip", "crc32c": "crc32c"}


def v2_codecs(chain: CodecChain, dtype: np.dtype[Any]) -> tuple[list[Json] | None, Json | None]:
    """Say a chain in format 2.

    Parameters
    ----------
    chain
        The chain.
    dtype
        Type of a voxel.

    Returns
    -------
    filters : list of dict or None
        All steps but the last one that makes bytes, as numcodecs configurations.
    compressor : dict or None
        The last step that makes bytes.

    Raises
    ------
    RefusedError
        If a step cannot take what it would be given.
    """
    configurations = [{"id": step.name, **parameters} for step, parameters in _configured(chain, dtype, _v2_parameters)]
    has_compressor = chain.serializer is not None or bool(chain.compressors)
    compressor = configurations.pop() if has_compressor else None
    return configurations or None, compressor


def v3_codecs(chain: CodecChain, dtype: np.dtype[Any]) -> list[Json]:
    """Say a chain in format 3.

    Parameters
    ----------
    chain
        The chain.
    dtype
        Type of a voxel.

    Returns
    -------
    list of dict
        The ``codecs`` of an unsharded array, or of the inner chunks of a sharded one.

    Raises
    ------
    RefusedError
        If a step cannot take what it would be given.
    """
    codecs: list[Json] = []
    for step, parameters in _configured(chain, dtype, _v3_parameters):
        name = _V3_NAMES.get(step.name, f"numcodecs.{step.name}")
        codecs.append({"name": name, "configuration": parameters} if parameters else {"name": name})
    if chain.serializer is None:
        codecs.insert(len(chain.filters), {"name": "bytes", "configuration": {"endian": "little"}})
    return codecs


_Parameters: TypeAlias = Callable[[CodecStep, "np.dtype[Any]"], Json]


def _configured(chain: CodecChain, dtype: np.dtype[Any], parameters: _Parameters) -> list[tuple[CodecStep, Json]]:
    """Give every step the type of what reaches it, which a filter may change."""
    configured = []
    current = dtype.newbyteorder("<")
    before: list[CodecStep] = []
    for step in chain:
        _require_type(step, current)
        _require_place(step, before)
        before.append(step)
        configured.append((step, parameters(step, current)))
        if step.name == "fixedscaleoffset":
            current = np.dtype(f"<{step['astype']}")
    return configured


def _require_type(step: CodecStep, dtype: np.dtype[Any]) -> None:
    rules = {
        "bitround": (
            dtype.kind == "f" and int(_or_zero(step, "keepbits")) <= _mantissa_bits(dtype),
            "floating-point voxels with at least that many mantissa bits",
        ),
        "quantize": (
            dtype.kind == "f" and 10.0 ** _or_zero(step, "digits") <= _largest(dtype),
            "floating-point voxels that reach ten to the power of the digits",
        ),
        # The running sum of rounded differences drifts, so a float would come back as other bits.
        "delta": (dtype.kind in "iu", "integer voxels"),
        "pcodec": (dtype.kind in "iuf" and dtype.itemsize in (2, 4, 8), "numbers of 16, 32 or 64 bits"),
        "fixedscaleoffset": (dtype.kind in "iuf", "real numbers"),
    }
    holds, wanted = rules.get(step.name, (True, ""))
    if not holds:
        msg = f"Codec {step.text!r} takes {wanted}: the voxels that reach it are {dtype.name}. Leave it out."
        raise RefusedError(msg)


def _require_place(step: CodecStep, before: list[CodecStep]) -> None:
    if step.name == "shuffle" and any(other.role is not Role.FILTER for other in before):
        msg = (
            f"Codec {step.text!r} takes the bytes of whole voxels: {before[-1].text!r} in front of it leaves any "
            "number of bytes. Put it first among the compressors."
        )
        raise RefusedError(msg)
    if step.name == "bitround" and any(other.name == "bitround" for other in before):
        msg = f"Codec {step.text!r} takes floating-point voxels: a bitround before it makes integers. Take one of them."
        raise RefusedError(msg)


def _or_zero(step: CodecStep, name: str) -> int:
    return int(dict(step.parameters).get(name, 0))


def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max) if dtype.kind == "f" else 0.0


def _mantissa_bits(dtype: np.dtype[Any]) -> int:
    return int(np.finfo(dtype).nmant) if dtype.kind == "f" else 0


def _v2_parameters(step: CodecStep, dtype: np.dtype[Any]) -> Json:
    parameters: Json = dict(step.parameters)
    if step.name == "blosc":
        parameters["shuffle"] = _BLOSC_SHUFFLE[parameters["shuffle"]]
        parameters["blocksize"] = 0
        return parameters
    return _shared_parameters(step, dtype)


def _v3_parameters(step: CodecStep, dtype: np.dtype[Any]) -> Json:
    parameters: Json = dict(step.parameters)
    if step.name == "blosc":
        return {"typesize": dtype.itemsize, **parameters, "blocksize": 0}
    if step.name == "zstd":
        return {**parameters, "checksum": False}
    return _shared_parameters(step, dtype)


def _shared_parameters(step: CodecStep, dtype: np.dtype[Any]) -> Json:
    parameters: Json = dict(step.parameters)
    if step.name == "shuffle":
        parameters["elementsize"] = dtype.itemsize
    if step.name in ("delta", "quantize", "fixedscaleoffset"):
        parameters["dtype"] = dtype.str
    if step.name == "fixedscaleoffset":
        parameters["astype"] = np.dtype(f"<{parameters['astype']}").str
    return parameters
