"""HEFTIE's published result files (github.com/HEFTIEProject/zarr-benchmarks, ``example_results``) as rows.

They are files of pytest-benchmark. What the columns of the table need stands in three places: the parameters of each
benchmark (chunk size, codec, format), the name of the file (``0001_zarr-python-v2.json``: the library) and that of its
folder (``heart``, ``dense``, ``sparse``: the volume). The size of the volume, versions beyond the first number,
filesystem and threads stand nowhere, and stay empty.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from zbench.codecs import parse_chain
from zbench.errors import ResultsError, ZbenchError
from zbench.results.pytest_benchmark import benchmark_file, machine_of, timing
from zbench.results.table import Row, Table, environment_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["is_heftie", "read_heftie"]

_TEST = re.compile(r"test_(?P<group>read|write)_(blosc|gzip|zstd|no_compressor)\b")
_FILE = re.compile(r"\d+_(?P<package>zarr-python|tensorstore)(?:-v(?P<major>\d+))?")
# Folders of their results; another one holds files of which nobody knows the volume.
_DATASETS = ("heart", "dense", "sparse")
_PATTERNS = {"read": "full_read", "write": "write"}


class _Library(NamedTuple):
    engine: str
    major: str


def is_heftie(raw: dict[str, Any]) -> bool:
    """Tell HEFTIE's files from others of pytest-benchmark.

    Parameters
    ----------
    raw
        Content of a file of pytest-benchmark.

    Returns
    -------
    bool
        Whether all of its benchmarks are HEFTIE's.
    """
    found = raw["benchmarks"]
    return bool(found) and all(
        isinstance(one, dict) and _TEST.match(str(one.get("name"))) and "chunk_size" in (one.get("params") or {})
        for one in found
    )


def read_heftie(path: Path) -> Table:
    """Read one of HEFTIE's result files.

    Parameters
    ----------
    path
        The file, under its own name and in its own folder, which say what was measured of what.

    Returns
    -------
    Table
        Times of reading and writing whole volumes, and compression ratios. HEFTIE's ratio is what each library says of
        itself. Nothing is marked as verified: the files do not say whether what was read was compared.

    Raises
    ------
    ResultsError
        If the file is cut, of another origin, or renamed.
    """
    raw = benchmark_file(path)
    if not is_heftie(raw):
        msg = (
            "HEFTIE's files hold test_read_... and test_write_... with a chunk_size each: "
            f"{str(path)!r} has others. Import it as --kind pytest-benchmark."
        )
        raise ResultsError(msg)
    match = _FILE.match(path.stem)
    if match is None:
        msg = (
            "The name of a HEFTIE file says which library was measured, such as 0001_zarr-python-v2.json: got "
            f"{path.name!r}. Give the file its own name."
        )
        raise ResultsError(msg)
    environment = machine_of(raw)
    common = {
        "source": "heftie",
        "run": f"{path.parent.name}/{path.stem} {raw.get('datetime', '')}".strip(),
        "environment": environment_id(environment),
        "machine": environment.machine,
        "dataset": f"heftie-{path.parent.name}" if path.parent.name in _DATASETS else "",
        "store": "local",
    }
    library = _Library(match["package"], match["major"] or "")
    try:
        rows = tuple(row for benchmark in raw["benchmarks"] for row in _rows(benchmark, common, library))
    except (KeyError, TypeError, ValueError, ZbenchError) as error:
        msg = f"A file of HEFTIE must have the form of its published ones: {str(path)!r} has not ({error!r})."
        raise ResultsError(msg) from error
    return Table(rows, {environment_id(environment): environment})


def _rows(benchmark: dict[str, Any], common: dict[str, Any], library: _Library) -> Iterator[Row]:
    match = _TEST.match(benchmark["name"])
    params = benchmark["params"]
    # zarr-python 2 writes format 2; of the early files of the other two nobody noted which they wrote.
    zarr_format = params.get("zarr_spec", 2 if library.major == "2" else None)
    row = Row(
        **common,
        benchmark=benchmark["fullname"],
        engine=library.engine,
        engine_version=library.major,
        layout=f"c{params['chunk_size']}" if zarr_format is None else f"v{zarr_format}-c{params['chunk_size']}",
        chain=_chain(params),
        pattern=_PATTERNS[match["group"] if match else ""],
        # Every benchmark reads or writes the same volume some times in a row, the first of them after writing it.
        cache_state="warm",
        note="" if zarr_format else "the file does not say which Zarr format was written",
        **timing(benchmark),
    )
    yield row
    ratio = (benchmark.get("extra_info") or {}).get("compression_ratio")
    if ratio is not None:
        yield replace(
            row, pattern="", cache_state="", metric="compression_ratio", unit="1", value=float(ratio), low=None,
            high=None, confidence=None, samples=(), processes=None,
        )  # fmt: skip


def _chain(params: dict[str, Any]) -> str:
    if "blosc_cname" in params:
        text = f"blosc-{params['blosc_cname']}-{params['blosc_clevel']}-{params['blosc_shuffle']}"
    elif "gzip_level" in params:
        text = f"gzip-{params['gzip_level']}"
    elif "zstd_level" in params:
        text = f"zstd-{params['zstd_level']}"
    elif params.get("no_compressor"):
        text = "none"
    else:
        msg = f"no codec among {', '.join(params)}"
        raise ValueError(msg)
    return parse_chain(text).text
