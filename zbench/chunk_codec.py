"""A codec chain on one chunk in memory, by numcodecs: what encoding and decoding cost without a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zbench.codecs import error_bound, v2_codecs
from zbench.errors import RefusedError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbench.model import CodecChain

__all__ = ["ChunkCodec"]


class ChunkCodec:
    """A chain ready to encode and decode chunks of one shape and type.

    Parameters
    ----------
    chain
        The chain; its steps are taken from numcodecs.
    chunk
        A chunk to work on; the chain is tried on it once and must give it back within its bound.

    Attributes
    ----------
    encoded
        The chunk, encoded.

    Raises
    ------
    RefusedError
        If a step cannot take such voxels or numcodecs lacks it.
    VerificationError
        If the chunk does not come back.
    """

    def __init__(self, chain: CodecChain, chunk: npt.NDArray[Any]) -> None:
        import numcodecs  # noqa: PLC0415 - F0-F4 import numcodecs only where it is used
        from numcodecs.registry import get_codec  # noqa: PLC0415

        filters, compressor = v2_codecs(chain, chunk.dtype)
        configurations = [*(filters or []), *([compressor] if compressor else [])]
        try:
            self._codecs = [get_codec(configuration) for configuration in configurations]
        except (ValueError, ImportError) as error:
            msg = (
                f"A chain needs all its codecs: numcodecs {numcodecs.__version__} lacks part of {chain.text!r}: "
                f"{error}. Install the extra that brings it, or leave it out."
            )
            raise RefusedError(msg) from error
        self._chunk = np.ascontiguousarray(chunk)
        self.encoded = self.encode()
        error_bound(chain).check(self._chunk, self.decode())

    def encode(self) -> Any:
        """Encode the chunk.

        Returns
        -------
        buffer
            The encoded bytes.
        """
        value: Any = self._chunk
        for codec in self._codecs:
            value = codec.encode(value)
        return value

    def decode(self) -> npt.NDArray[Any]:
        """Decode the encoded chunk.

        Returns
        -------
        ndarray
            Of the shape and type of the chunk.
        """
        value: Any = self.encoded
        for codec in reversed(self._codecs):
            value = codec.decode(value)
        flat = np.asarray(value).reshape(-1)
        return flat.view(self._chunk.dtype).reshape(self._chunk.shape)

    @property
    def encoded_bytes(self) -> int:
        """Bytes of the encoded chunk."""
        return int(np.asarray(self.encoded).nbytes) if self._codecs else int(self._chunk.nbytes)
