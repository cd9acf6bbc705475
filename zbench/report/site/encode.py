"""Numbers and nouns as text that a page can load from a folder: scripts that hand over what they hold."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["from_script", "pack", "read_values", "to_script", "unpack", "unpack_rows"]

# A page that lies in a folder may load scripts and nothing else.
_HEAD, _TAIL = 'zbench("', ");\n"
# Below it, writing down where a row changes is shorter than writing each number.
_SPARSE = 0.4


def to_script(key: str, content: Any) -> bytes:
    """Write what the page knows by a key.

    Parameters
    ----------
    key
        Name of the file below ``data``, without its ending.
    content
        What JSON can hold.

    Returns
    -------
    bytes
        A script.
    """
    # No text of a result may end the script; in JSON these two characters may stand as escapes.
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
    return f'{_HEAD}{key}",{text}{_TAIL}'.encode()


def from_script(data: bytes) -> Any:
    """Read what `to_script` wrote.

    Parameters
    ----------
    data
        The script.

    Returns
    -------
    object
        Its content.

    Raises
    ------
    ValueError
        If it is no such script, or cut short.
    """
    _check_whole(data)
    text = data.decode()
    begin = text.index('",') + 2
    return json.loads(text[begin : -len(_TAIL)])


def _check_whole(data: bytes) -> None:
    if not data.startswith(_HEAD.encode()) or not data.endswith(_TAIL.encode()):
        msg = "it is not whole"
        raise ValueError(msg)


def read_values(data: bytes, line: int) -> Any:
    """Read of a file with numbers the values of one line, and nothing else of it.

    Parameters
    ----------
    data
        The script, of `to_script`: numbers stand in it as base64, which has no quotes.
    line
        Number of the line.

    Returns
    -------
    dict
        For `unpack`.

    Raises
    ------
    ValueError
        If it is no such script, cut short, or without the line.
    """
    _check_whole(data)
    begin = data.index(b'"v":', data.index(b'"%d":{"v":' % line)) + 4
    return json.loads(data[begin : data.index(b"}", begin) + 1])


def pack(matrix: np.ndarray, *, single: bool) -> dict[str, Any]:
    """Write numbers down.

    Parameters
    ----------
    matrix
        A row for each cell, a column for each position.
    single
        Whether seven digits are enough; counts need all of theirs.

    Returns
    -------
    dict
        For `unpack`: all numbers, or the places where a row changes with what it is from there on.
    """
    kind = "<f4" if single else "<f8"
    numbers = np.ascontiguousarray(matrix, dtype=kind)
    # Bits tell NaN from NaN as they tell any two numbers.
    bits = numbers.view(kind.replace("f", "u"))
    changes = np.ones(numbers.shape, dtype=bool)
    changes[:, 1:] = bits[:, 1:] != bits[:, :-1]
    packed: dict[str, Any] = {"shape": list(numbers.shape), "type": kind[1:]}
    if np.count_nonzero(changes) < _SPARSE * changes.size:
        packed["at"] = _text(np.flatnonzero(changes).astype("<u4"))
        numbers = numbers[changes]
    return packed | {"data": _text(numbers)}


def unpack(packed: Mapping[str, Any]) -> np.ndarray:
    """Read what `pack` wrote down.

    Parameters
    ----------
    packed
        What it returned.

    Returns
    -------
    numpy.ndarray
        The matrix, in double precision.
    """
    return unpack_rows(packed, range(packed["shape"][0]))


def unpack_rows(packed: Mapping[str, Any], rows: Sequence[int]) -> np.ndarray:
    """Read some rows of what `pack` wrote down; of the others nothing is decoded.

    Parameters
    ----------
    packed
        What it returned.
    rows
        Their numbers, ascending; what lies beyond the last row is NaN.

    Returns
    -------
    numpy.ndarray
        The rows, in double precision.
    """
    count, width = packed["shape"]
    found = np.full((len(rows), width), np.nan)
    places = np.frombuffer(base64.b64decode(packed["at"]), dtype="<u4") if "at" in packed else None
    for begin, end in _runs([row for row in rows if row < count]):
        first, last = begin * width, end * width
        low, high = (first, last) if places is None else np.searchsorted(places, (first, last)).tolist()
        numbers = _decoded(packed["data"], packed["type"], low, high)
        if places is not None:
            numbers = np.repeat(numbers, np.diff(np.append(places[low:high], last)))
        at = rows.index(begin)
        found[at : at + end - begin] = numbers.reshape(-1, width)
    return found


def _runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Put rows that follow one another together; first and end of each run."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return runs


def _decoded(text: str, kind: str, begin: int, end: int) -> np.ndarray:
    """Read the numbers of a stretch; four letters stand for three bytes."""
    size = np.dtype(kind).itemsize
    first, last = begin * size, end * size
    data = base64.b64decode(text[first // 3 * 4 : -(-last // 3) * 4])
    return np.frombuffer(data, dtype=f"<{kind}", count=end - begin, offset=first % 3)


def _text(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.tobytes()).decode()
