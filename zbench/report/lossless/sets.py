"""Which volumes are images and which are labels, and the compression ratios of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zbench.report.lossless.record import Record

__all__ = ["LABEL_RULE", "dtype_of", "images", "labels", "ratios_of"]

LABEL_RULE = "a volume of whole numbers of four bytes or more is taken for labels, any other for an image"
_LABEL_BYTES = 4
# The layouts of the codec sweep: a ratio does not depend on the format beyond a few bytes of metadata.
_LAYOUTS = ("v2-c64", "v3-c64")


def dtype_of(record: Record, dataset: str) -> np.dtype[Any]:
    """Tell the type of a voxel.

    Parameters
    ----------
    record
        The run.
    dataset
        A dataset with a stored cell.

    Returns
    -------
    dtype
        As recorded.
    """
    example = record.example(dataset)
    assert example is not None
    return np.dtype(example.dtype)


def labels(record: Record) -> tuple[str, ...]:
    """List the volumes of labels.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    tuple of str
        Those that have a stored cell.
    """
    return tuple(name for name in record.datasets if record.example(name) and _is_label(dtype_of(record, name)))


def images(record: Record) -> tuple[str, ...]:
    """List the volumes of intensities.

    Parameters
    ----------
    record
        The run.

    Returns
    -------
    tuple of str
        Those that have a stored cell.
    """
    return tuple(name for name in record.datasets if record.example(name) and not _is_label(dtype_of(record, name)))


def _is_label(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" and dtype.itemsize >= _LABEL_BYTES


def ratios_of(record: Record, dataset: str) -> dict[str, float]:
    """Look the compression ratios of a dataset's codec chains up.

    Parameters
    ----------
    record
        The run.
    dataset
        Name of the dataset.

    Returns
    -------
    dict
        By chain, of the first column that stored it: engines write the same codecs.
    """
    found: dict[str, float] = {}
    for layout in _LAYOUTS:
        for column in record.columns:
            for cell in record.cells(dataset, column):
                if cell.layout == layout:
                    found.setdefault(cell.chain, record.stored[cell].compression_ratio)
    return found
