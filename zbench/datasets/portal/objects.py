"""Objects of a public bucket or web server, read whole or in part; a transfer that breaks off is taken up again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from zbench.datasets.remote import object_store, reached
from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["Objects"]

# Where the portal keeps its bucket. It is said, for AWS_REGION is where the user's own buckets are.
_REGION = "us-west-2"
_ENDPOINTS = ("ZBENCH_PORTAL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_STREAM_BYTES = 1 << 20


class Objects:
    """The objects below an address.

    Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY as they are when the process first reads one.

    Parameters
    ----------
    address
        ``s3://bucket/prefix``, read without credentials, from the service that ``ZBENCH_PORTAL_S3_ENDPOINT``,
        ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` names (the first that is set) or else from the public one; or an
        http or https address of a folder.

    Attributes
    ----------
    address
        As it was given.

    Raises
    ------
    DataError
        If it is an address of another kind.
    RefusedError
        If the library for it is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        try:
            with _reached(self.address):
                self._store = _store(self.address)
        except ImportError as error:
            msg = (
                f"Reading {self.address} needs obstore: it is not installed ({error}). Run: pip install "
                "'zbench[portal]'."
            )
            raise RefusedError(msg) from error

    def size(self, key: str) -> int | None:
        """Ask how long an object is.

        Parameters
        ----------
        key
            Below the address.

        Returns
        -------
        int or None
            Bytes; ``None`` if there is no such object.

        Raises
        ------
        DataError
            If the server does not tell.
        """
        import obstore  # noqa: PLC0415 - only for remote objects

        with _reached(f"{self.address}/{key}"):
            try:
                return int(obstore.head(self._store, key)["size"])
            except FileNotFoundError:
                return None

    def read(
        self, key: str, span: tuple[int, int] | None = None, *, report: Callable[[int], None] = lambda _: None
    ) -> bytearray:
        """Read an object.

        Parameters
        ----------
        key
            Below the address.
        span
            First byte and one past the last; ``None`` reads all.
        report
            Told the number of bytes of each part that arrives; may raise to give up.

        Returns
        -------
        bytearray
            As many as asked for, or as there are.

        Raises
        ------
        DataError
            If it cannot be had, though it was tried again.
        """
        return self.read_sized(key, span, report=report)[0]

    def read_sized(
        self, key: str, span: tuple[int, int] | None = None, *, report: Callable[[int], None] = lambda _: None
    ) -> tuple[bytearray, int]:
        """Read an object and learn its size.

        Parameters
        ----------
        key
            Below the address.
        span
            First byte and one past the last; ``None`` reads all.
        report
            Told the number of bytes of each part that arrives; may raise to give up.

        Returns
        -------
        data : bytearray
            As many as asked for, or as there are.
        size_bytes : int
            Of the whole object.

        Raises
        ------
        DataError
            If it cannot be had, though it was tried again.
        """
        import obstore  # noqa: PLC0415 - only for remote objects

        place = f"{self.address}/{key}"
        with _reached(place):
            answer = obstore.get(self._store, key, options={"range": span} if span is not None else None)
            first, last = answer.range
            size_bytes = int(answer.meta["size"])
        data = bytearray()
        for part in _parts(answer, place):
            data += part
            report(len(part))
        if len(data) != last - first:
            msg = f"A server sends what it promised: {place} gave {len(data)} of {last - first} bytes. Try again."
            raise DataError(msg)
        return data, size_bytes


def _store(address: str) -> Any:
    if not address.startswith("s3://"):
        return object_store(address)
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    # What is left out the library takes from AWS_* variables, which are for the user's own buckets.
    settings = {"region": _REGION, "skip_signature": True, "virtual_hosted_style_request": False}
    return object_store(address, **settings, **({"aws_endpoint_url_s3": endpoint} if endpoint else {}))


def _reached(place: str) -> AbstractContextManager[None]:
    return reached(place, named_by="the portal")


def _parts(answer: Any, place: str) -> Iterator[Any]:
    # A generator, so that what goes wrong with those who are told of the parts is not taken for the transfer's fault.
    with _reached(place):
        yield from answer.stream(min_chunk_size=_STREAM_BYTES)
