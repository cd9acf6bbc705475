"""What the CryoET Data Portal has, asked with its own client."""

from __future__ import annotations

import contextlib
import math
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zbench.datasets.portal.nouns import Tomogram
from zbench.datasets.remote import timeout_seconds
from zbench.errors import DataError, RefusedError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["find_tomograms", "portal_address", "written_up"]

_PUBLIC = "https://graphql.cryoetdataportal.czscience.com/graphql"
_SITE = "https://cryoetdataportal.czscience.com"
# The portal gives spacings with three decimals, people type fewer.
_SPACING_TOLERANCE = 1e-3
_NAMES_SHOWN = 12
_AUTHORS_SHOWN = 3
# What the client raises for answers that are GraphQL but not of the portal, and for those that are neither.
_STRANGE = (AssertionError, AttributeError, LookupError, OSError, TypeError, ValueError)


def portal_address() -> str:
    """Tell where the portal is asked.

    Returns
    -------
    str
        ``ZBENCH_PORTAL_URL``, or the public address.
    """
    return os.environ.get("ZBENCH_PORTAL_URL") or _PUBLIC


def find_tomograms(
    dataset: int, *, run: str | None = None, tomogram: int | None = None, voxel_spacing: float | None = None
) -> tuple[Tomogram, ...]:
    """Ask the portal for the tomograms of a dataset.

    Parameters
    ----------
    dataset
        Number of the dataset.
    run
        Keep those of one run, by its name or number; what is both is the name.
    tomogram
        Keep this one.
    voxel_spacing
        Keep those of this spacing in angstrom; 0.1 % off is the same.

    Returns
    -------
    tuple of Tomogram
        Those that fit, at least one; by run, spacing, number.

    Raises
    ------
    DataError
        If there is none, or the portal cannot be asked.
    RefusedError
        If the client is not installed.
    UnknownNameError
        If the dataset has no such run.
    """
    library = _library()
    with _asked():
        client = _client(portal_address())
        found = library.Dataset.get_by_id(client, dataset)
        if found is None:
            msg = f"A dataset of the portal has a number there: it has no {dataset}. Look it up at {_SITE}."
            raise DataError(msg)
        runs = {one.id: one.name or "" for one in library.Run.find(client, [library.Run.dataset_id == dataset])}
        chosen = None if run is None else _run(runs, run, dataset)
        rows = library.Tomogram.find(client, _filters(library.Tomogram, dataset, chosen, tomogram))
        authors = _authors(library, client, dataset, chosen)
        # Written out here, so that a strange answer is told as one.
        known = [_tomogram(row, runs, found, authors.get(row.id, ())) for row in rows]
    kept = [one for one in known if voxel_spacing is None or _alike(one.spacing, voxel_spacing)]
    if not kept:
        spacings = sorted({f"{one.spacing:g}" for one in known}, key=float)
        there = f"spacings there are {', '.join(spacings)} angstrom" if spacings else "it has none"
        told = {"run": run, "tomogram": tomogram, "voxel spacing": voxel_spacing}
        asked = ", ".join(f"{name} {value}" for name, value in told.items() if value is not None) or "any"
        msg = (
            f"A tomogram must be in its dataset: {dataset} of the portal has none for {asked} ({there}). Ask for less."
        )
        raise DataError(msg)
    return tuple(sorted(kept, key=lambda one: (one.run_name, one.spacing, one.id)))


def written_up(tomogram: Tomogram) -> dict[str, Any]:
    """Ask the portal how a tomogram is cited.

    Parameters
    ----------
    tomogram
        The one.

    Returns
    -------
    dict of str to object
        ``citation``, a text, and ``doi``, a list of identifiers.

    Raises
    ------
    DataError
        If the portal cannot be asked.
    """
    library = _library()
    with _asked():
        client = _client(portal_address())
        people = library.DatasetAuthor.find(client, [library.DatasetAuthor.dataset_id == tomogram.dataset_id])
        names = [one.name for one in sorted(people, key=lambda one: (one.author_list_order or 0, one.id)) if one.name]
        number = tomogram.deposition_id
        deposition = None if number is None else library.Deposition.get_by_id(client, number)
        published = [*tomogram.publications, *_listed(deposition and deposition.deposition_publications)]
    identifiers = list(dict.fromkeys(published))
    shown = ", ".join(names[:_AUTHORS_SHOWN]) + (" et al." if len(names) > _AUTHORS_SHOWN else "")
    parts = [
        shown,
        tomogram.dataset_title,
        f"CryoET Data Portal ({_SITE}), dataset {tomogram.dataset_id}, run {tomogram.run_name}, tomogram {tomogram.id}"
        + (f", deposition {number}" if number is not None else ""),
        ", ".join(identifiers),
    ]
    return {"citation": ". ".join(part for part in parts if part), "doi": identifiers}


def _library() -> Any:
    try:
        import cryoet_data_portal  # type: ignore[import-untyped] # noqa: PLC0415 - only for the portal
    except ImportError as error:
        msg = (
            f"Asking the CryoET Data Portal needs its client: it is not installed ({error}). Run: pip install "
            "'zbench[portal]'."
        )
        raise RefusedError(msg) from error
    return cryoet_data_portal


# Making one parses the schema of the whole portal, about a second.
@lru_cache(maxsize=4)
def _client(address: str) -> Any:
    library = _library()

    class Patient(library.Client):  # type: ignore[misc, name-defined] # the library has no types
        def get_client(self) -> Any:
            client = super().get_client()
            # As it comes it waits for ever on a server that accepts and says nothing.
            client.transport.default_timeout = timeout_seconds()
            return client

    return Patient(url=address)


@contextlib.contextmanager
def _asked() -> Iterator[None]:
    from gql.transport.exceptions import TransportError  # noqa: PLC0415 - only for the portal
    from graphql import GraphQLError  # noqa: PLC0415 - only for the portal

    try:
        yield
    except (DataError, RefusedError, UnknownNameError):
        raise
    except (TransportError, GraphQLError, *_STRANGE) as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        msg = (
            f"The portal must answer what its client asks: {portal_address()} did not ({told}). Check the network and "
            "the proxy variables, or set ZBENCH_PORTAL_URL."
        )
        raise DataError(msg) from error


def _run(runs: dict[int, str], wanted: str, dataset: int) -> int:
    for number, name in runs.items():
        if name == wanted:
            return number
    if wanted.isascii() and wanted.isdigit() and int(wanted) in runs:
        return int(wanted)
    names = sorted(runs.values())
    shown = ", ".join(names[:_NAMES_SHOWN]) + (f" and {len(names) - _NAMES_SHOWN} more" * (len(names) > _NAMES_SHOWN))
    msg = f"Unknown run {wanted!r} of portal dataset {dataset}. Its runs: {shown or 'none'}."
    raise UnknownNameError(msg)


def _filters(kind: Any, dataset: int, run: int | None, tomogram: int | None) -> list[Any]:
    filters = [kind.run.dataset_id == dataset]
    if run is not None:
        filters.append(kind.run_id == run)
    if tomogram is not None:
        filters.append(kind.id == tomogram)
    return filters


def _authors(library: Any, client: Any, dataset: int, run: int | None) -> dict[int, tuple[str, ...]]:
    """Ask for the authors of all tomograms at once: the client would send a query for each."""
    kind = library.TomogramAuthor
    filters = [kind.tomogram.run.dataset_id == dataset]
    if run is not None:
        filters.append(kind.tomogram.run_id == run)
    found: dict[int, tuple[str, ...]] = {}
    for one in sorted(kind.find(client, filters), key=lambda one: (one.author_list_order or 0, one.id)):
        found[one.tomogram_id] = (*found.get(one.tomogram_id, ()), one.name)
    return found


def _tomogram(row: Any, runs: dict[int, str], dataset: Any, authors: tuple[str, ...]) -> Tomogram:
    return Tomogram(
        id=row.id,
        run_id=row.run_id,
        dataset_id=dataset.id,
        deposition_id=row.deposition_id,
        name=row.name or "",
        run_name=runs.get(row.run_id, ""),
        dataset_title=dataset.title or "",
        shape=(int(row.size_z), int(row.size_y), int(row.size_x)),
        spacing=float(row.voxel_spacing),
        processing=row.processing or "",
        reconstruction=row.reconstruction_method or "",
        authors=authors,
        publications=tuple(dict.fromkeys([*_listed(row.publications), *_listed(dataset.dataset_publications)])),
        omezarr=row.s3_omezarr_dir or "",
        mrc=row.https_mrc_file or "",
        size_bytes=int((row.file_size_omezarr if row.s3_omezarr_dir else row.file_size_mrc) or 0),
    )


def _listed(text: str | None) -> Iterable[str]:
    return (part.strip() for part in (text or "").split(",") if part.strip())


def _alike(spacing: float, wanted: float) -> bool:
    return math.isclose(spacing, wanted, rel_tol=_SPACING_TOLERANCE)
