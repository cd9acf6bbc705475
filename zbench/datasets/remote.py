"""Buckets and web servers as obstore reaches them: which credentials are used, and how long is waited."""

from __future__ import annotations

import contextlib
import math
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zbench.errors import DataError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SCHEMES", "is_address", "object_store", "reached", "timeout_seconds"]

_TIMEOUT_SECONDS = 60.0
# After each failure the wait doubles at the most: six tries more, some seconds in all.
_RETRY: dict[str, Any] = {
    "max_retries": 6,
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=15), "base": 2},
    "retry_timeout": timedelta(minutes=10),
}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
# By scheme, the variables of which one is set where there are credentials; without any a bucket is read as a stranger.
_CREDENTIALS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    "gs": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
    ),
    "az": (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_CLIENT_ID",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_TOKEN",
        "AZURE_STORAGE_USE_EMULATOR",
    ),
}
SCHEMES = (*_CREDENTIALS, "https", "http")


def is_address(source: str) -> bool:
    """Tell an address from a name or a path.

    Parameters
    ----------
    source
        What a user gave.

    Returns
    -------
    bool
        Whether it is one, of whatever scheme.
    """
    return "://" in source


def timeout_seconds() -> float:
    """Tell how long a silent server is waited for.

    Returns
    -------
    float
        ``ZBENCH_PORTAL_TIMEOUT`` in seconds, or a minute.

    Raises
    ------
    DataError
        If the variable is no number above 0.
    """
    told = os.environ.get("ZBENCH_PORTAL_TIMEOUT", "")
    with contextlib.suppress(ValueError):
        seconds = float(told or _TIMEOUT_SECONDS)
        if 0 < seconds < math.inf:
            return seconds
    msg = f"ZBENCH_PORTAL_TIMEOUT is a number of seconds above 0: got {told!r}. Correct it, or unset it."
    raise DataError(msg)


def object_store(address: str, **settings: Any) -> Any:
    """Make the store of what lies below an address.

    Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY as they are when the process first reads one.

    Parameters
    ----------
    address
        ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``, or an http or https address.
    **settings
        Of the bucket, in place of those that the environment gives: AWS_*, GOOGLE_* and AZURE_STORAGE_* variables, and
        no signature where they hold no credentials.

    Returns
    -------
    obstore.store.ObjectStore
        Nothing was asked of it yet.

    Raises
    ------
    DataError
        If it is an address of another kind.
    ImportError
        If obstore is not installed.
    """
    from obstore import store  # noqa: PLC0415 - only for remote objects

    scheme, _, place = address.partition("://")
    bucket, _, prefix = place.partition("/")
    if scheme not in SCHEMES or not bucket:
        msg = f"Objects are read from {', '.join(f'{one}://' for one in SCHEMES)} addresses: got {address!r}."
        raise DataError(msg)
    wait = timedelta(seconds=timeout_seconds())
    # No limit for a whole transfer: a chunk of 64 MiB may take its time on a slow line, but not fall silent.
    options: dict[str, Any] = {"allow_http": True, "connect_timeout": wait, "read_timeout": wait}
    options["timeout"] = timedelta(days=1)
    common: dict[str, Any] = {"client_options": options, "retry_config": _RETRY}
    if scheme in ("http", "https"):
        return store.HTTPStore.from_url(address, **common)
    kinds = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    return kinds[scheme](bucket, prefix=prefix.strip("/"), **common, **(settings or _from_environment(scheme)))


def _from_environment(scheme: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if not any(os.environ.get(name) for name in _CREDENTIALS[scheme]):
        settings["skip_signature"] = True
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    if scheme == "s3" and endpoint:
        settings["aws_endpoint_url_s3"] = endpoint
    return settings


@contextlib.contextmanager
def reached(place: str, *, named_by: str = "an address") -> Iterator[None]:
    """Tell what goes wrong with a place on the network as bad data.

    Parameters
    ----------
    place
        The address.
    named_by
        Who says that it is there.

    Yields
    ------
    None
        While it is used.

    Raises
    ------
    DataError
        In place of what obstore raises, and what is raised for what is not there or is not what it should be.
    """
    from obstore.exceptions import BaseError  # noqa: PLC0415 - only for remote objects

    try:
        yield
    except (DataError, RefusedError):
        raise
    except (BaseError, NotImplementedError, OSError, ValueError) as error:
        # Behind the message stands a dump of all structures within.
        told = " ".join(str(error).partition("Debug source")[0].split())[:300]
        msg = (
            f"What {named_by} names must be there to read: {place} is not ({type(error).__name__}: {told}). Check the "
            "network, the proxy variables and the credentials, and try again."
        )
        raise DataError(msg) from error
