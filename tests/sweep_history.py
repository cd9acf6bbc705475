"""A sweep over releases, as `zbench sweep` leaves one behind."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from zbench.model import Environment
from zbench.results import Row, Table, environment_id, write_table

ENVIRONMENT = Environment(
    machine="box", os="Linux", cpu="a cpu", cores=2, memory_bytes=1, python="3.11.9", packages=(("zarr", "2.16.0"),),
    threads=(), filesystem="ext4",
)  # fmt: skip
CELL = {"source": "zbench", "dataset": "tomogram", "engine": "zarr-python", "store": "local", "layout": "v2-c64",
        "chain": "none"}  # fmt: skip


def write_sweep(parent, rng):
    """Write three releases and one that could not be had; reading is three times slower, and chattier, from 3.0.0 on.

    With 3.0.0 numcodecs becomes another, too. Returns the folder of the history.
    """
    folder = parent / "zarr" / "history"
    releases = {"2.16.0": (1.0, "0.13.1"), "2.18.7": (1.0, "0.13.1"), "3.0.0": (3.0, "0.14.1")}
    rows, environments, points = [], {}, []
    for release, (factor, numcodecs) in releases.items():
        environment = replace(ENVIRONMENT, packages=(("numcodecs", numcodecs), ("zarr", release)))
        identity = environment_id(environment)
        environments[identity] = environment
        samples = tuple((0.01 * factor * np.exp(0.02 * rng.normal(size=6))).tolist())
        place = CELL | {"run": f"zarr=={release}", "environment": identity, "pattern": "read_whole"}
        rows.append(Row(**place, metric="wall_time", unit="s", value=float(np.median(samples)), samples=samples,
                        cache_state="warm", processes=6))  # fmt: skip
        rows.append(Row(**place, metric="requests", unit="requests", value=10 * factor))
        points.append({"run": f"zarr=={release}", "release": release, "gap": "", "pins": []})
    # Beside the releases stands another library, as sweeps keep one for comparison.
    rows.append(replace(rows[0], run="tensorstore==0.1.86"))
    beside = [{"run": "tensorstore==0.1.86", "release": "0.1.86", "gap": "", "pins": []}]
    points.insert(2, {"run": "zarr==2.99", "release": "2.99", "gap": "it cannot be installed", "pins": []})
    write_table(folder / "results.json", Table(tuple(rows), environments))
    raw = {"schema_version": 1, "kind": "sweep", "axis": "zarr", "dataset": "tomogram", "points": points}
    raw["references"] = beside
    (folder / "history.json").write_text(json.dumps(raw), encoding="utf-8")
    return folder
