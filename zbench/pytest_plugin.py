"""The pytest plugin: a fixture that stores a cell, proves it, and measures it with pytest-benchmark."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from zbench.cell import StoredCell
    from zbench.engines import Array
    from zbench.model import Counts, Environment

__all__ = ["ZarrWorkload", "zarr_workload"]

_ENVIRONMENT: pytest.StashKey[Environment] = pytest.StashKey()
_WRITE_ROUNDS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ZarrWorkload:
    """What the fixture gives: call it once in a test to measure one workload.

    Attributes
    ----------
    benchmark
        The fixture of pytest-benchmark.
    folder
        For the stores.
    config
        Of pytest; keeps the environment until the results are saved.
    """

    benchmark: Any
    folder: Path
    config: pytest.Config

    def __call__(
        self,
        *,
        dataset: str,
        layout: str,
        chain: str,
        engine: str = "zarr-python",
        pattern: str = "full_read",
        volume_size: int | None = None,
    ) -> StoredCell:
        """Store a volume, read it back and compare; then measure, and note down what was measured.

        Parameters
        ----------
        dataset
            Name in the registry, or path of a file.
        layout
            Format, chunks and shards, such as ``v3-c64``; it may follow the volume.
        chain
            Codec chain, such as ``blosc-zstd-5-shuffle``.
        engine
            Zarr implementation.
        pattern
            Access pattern, or ``write`` for the whole volume into an empty store.
        volume_size
            Keep at most so many voxels an axis, from the middle; ``None`` keeps all.

        Returns
        -------
        StoredCell
            What was measured, with its exact numbers. The test is skipped with the reason where the engine or the
            volume cannot, and fails where wrong bytes came back.
        """
        # A plugin is imported by every run of pytest, so it loads zarr only for tests that ask for it.
        from zbench.cell import store_cell, voxels  # noqa: PLC0415
        from zbench.errors import RefusedError, VerificationError  # noqa: PLC0415
        from zbench.grid import CellSpec  # noqa: PLC0415

        values = voxels(dataset, volume_size)
        try:
            cell = store_cell(CellSpec(dataset, engine, layout, chain), values, self.folder)
            if pattern == "write":
                self._write(cell, values)
            else:
                self._read(cell, pattern)
        except RefusedError as error:
            pytest.skip(str(error))
        except VerificationError as error:
            pytest.fail(str(error), pytrace=False)
        return cell

    def _read(self, cell: StoredCell, pattern: str) -> None:
        from zbench.cell import cell_pattern, open_array, read  # noqa: PLC0415
        from zbench.counting import count_read  # noqa: PLC0415

        boxes = cell_pattern(cell, pattern)
        self._note(cell, pattern, count_read(cell, boxes))
        array = open_array(cell)
        with ThreadPoolExecutor(boxes.concurrency) if boxes.concurrency > 1 else nullcontext() as threads:
            self.benchmark(read, array, boxes, threads)

    def _write(self, cell: StoredCell, values: npt.NDArray[Any]) -> None:
        from zbench.cell import blank_array  # noqa: PLC0415

        def empty() -> tuple[tuple[Array], dict[str, Any]]:
            return (blank_array(cell, self.folder / "written"),), {}

        self._note(cell, "write", None)
        self.benchmark.pedantic(lambda array: array.write(values), setup=empty, rounds=_WRITE_ROUNDS, warmup_rounds=1)

    def _note(self, cell: StoredCell, pattern: str, counts: Counts | None) -> None:
        from zbench.cell import cell_fields  # noqa: PLC0415
        from zbench.engines import engine  # noqa: PLC0415
        from zbench.environment import environment  # noqa: PLC0415
        from zbench.results import EXTRA_KEY, engine_package  # noqa: PLC0415

        self.config.stash[_ENVIRONMENT] = environment(self.folder)
        self.benchmark.extra_info[EXTRA_KEY] = cell_fields(cell) | {
            "dataset": cell.spec.dataset,
            "engine": cell.spec.engine,
            "engine_version": engine(cell.spec.engine).versions()[engine_package(cell.spec.engine)],
            "store": cell.store.kind.value,
            "layout": cell.config.layout.text,
            "chain": cell.config.chain.text,
            "pattern": pattern,
            # The cell was read when it was verified, and is read again for every sample.
            "cache_state": "warm",
            "compression_ratio": cell.compression_ratio,
            "counts": None if counts is None else asdict(counts) | {"amplification": counts.amplification},
        }


@pytest.fixture
def zarr_workload(request: pytest.FixtureRequest, tmp_path: Path) -> ZarrWorkload:
    """Measure a Zarr workload with pytest-benchmark: stored, verified, counted, and told in ``extra_info``.

    Parameters
    ----------
    request
        Of pytest.
    tmp_path
        Folder of the test, in which stores are made.

    Returns
    -------
    ZarrWorkload
        To be called once with ``dataset``, ``layout``, ``chain``, and as wished ``engine``, ``pattern`` and
        ``volume_size``.
    """
    if not request.config.pluginmanager.hasplugin("benchmark"):
        msg = "The fixture zarr_workload needs pytest-benchmark: it is not installed. Run: pip install pytest-benchmark"
        pytest.fail(msg, pytrace=False)
    return ZarrWorkload(benchmark=request.getfixturevalue("benchmark"), folder=tmp_path, config=request.config)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Keep the environment once beside the results.

    Parameters
    ----------
    config
        Of pytest.
    output_json
        What pytest-benchmark is about to write.
    """
    if _ENVIRONMENT in config.stash:
        from zbench.results import EXTRA_KEY, environment_fields  # noqa: PLC0415 - as above

        output_json[EXTRA_KEY] = {"environment": environment_fields(config.stash[_ENVIRONMENT])}
