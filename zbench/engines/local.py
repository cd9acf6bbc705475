"""The metadata of an array as it stands in the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.errors import RefusedError, VerificationError
from zbench.model import StoreKind, StoreSpec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_metadata"]

_NAMES = ("zarr.json", ".zarray")


def read_metadata(source: StoreSpec | Callable[[str], bytes | bytearray | None]) -> dict[str, Any]:
    """Read the metadata document of an array without any Zarr library.

    Parameters
    ----------
    source
        A local store, or a function from a key to its bytes (``None`` if it is not there).

    Returns
    -------
    dict
        The document.

    Raises
    ------
    RefusedError
        If the store is not local.
    VerificationError
        If there is none, or it is no JSON object.
    """
    get = _local(source) if isinstance(source, StoreSpec) else source
    for name in _NAMES:
        data = get(name)
        if data is not None:
            try:
                document = json.loads(bytes(data))
            except ValueError as error:
                msg = f"The metadata of an array is JSON: {name} is not ({error})."
                raise VerificationError(msg) from error
            if isinstance(document, dict):
                return document
    msg = f"An array has metadata under {' or '.join(_NAMES)}: there is none. Store the array first."
    raise VerificationError(msg)


def _local(store: StoreSpec) -> Callable[[str], bytes | None]:
    if store.kind is not StoreKind.LOCAL:
        msg = (
            f"Only a local store can be read without a library: got a {store.kind} store. Use a local one, "
            "or an engine that has such stores."
        )
        raise RefusedError(msg)

    def get(key: str) -> bytes | None:
        path = Path(store.location, key)
        return path.read_bytes() if path.is_file() else None

    return get
