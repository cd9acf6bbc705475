"""What a sweep stores: the ordinary table of results, and the releases in their order."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.sweep.composition import composition
from zbench.harness.sweep.releases import version_key
from zbench.model import Environment
from zbench.results import Row, Table, engine_package, environment_id, read_json, read_table, write_atomically
from zbench.results.tables import table_files, write_tables
from zbench.runner.ledger import CONFIDENCE, time_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from zbench.runner import RunLog

__all__ = ["SCHEMA_VERSION", "History", "Point", "history_of", "read_history", "write_history"]

SCHEMA_VERSION = 1
_FILE = "history.json"
_NANOSECONDS = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One release on the axis of a history.

    Attributes
    ----------
    run
        What the rows of this release have as their run, such as ``zarr==3.1.6``.
    release
        The release.
    python
        Version of the interpreter; empty for a gap.
    environment
        Id of the environment; empty for a gap.
    pins
        What was asked for beside the release.
    gap
        Why there are no numbers; empty if there are.
    """

    run: str
    release: str
    python: str = ""
    environment: str = ""
    pins: tuple[str, ...] = ()
    gap: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Numbers over the releases of a package.

    Attributes
    ----------
    axis
        The package.
    dataset
        Volume of the exact counts.
    date
        Day of the last measurement.
    points
        The releases, oldest first.
    command
        What measured it.
    references
        Other libraries that were timed in the same rounds; their releases are no points of the axis.
    table
        The numbers; the run of a row names its point.
    """

    axis: str
    dataset: str
    date: str
    points: tuple[Point, ...]
    command: str = ""
    references: tuple[Point, ...] = ()
    table: Table = field(default_factory=Table)


def history_of(axis: str, logs: Iterable[RunLog], *, dataset: str, date: str) -> History:
    """Turn the records of a sweep into its history.

    Parameters
    ----------
    axis
        The package.
    logs
        Records of counts and of times.
    dataset
        Volume of the exact counts.
    date
        Day of the last measurement.

    Returns
    -------
    History
        All that the records hold.
    """
    places: dict[str, dict[str, Any]] = {}
    gaps: dict[str, str] = {}
    rows: list[Row] = []
    environments: dict[str, Environment] = {}
    logs = tuple(logs)
    for log in logs:
        for entry in log.of("place"):
            places[entry["release"]] = entry
        gaps |= {entry["release"]: entry["reason"] for entry in log.of("gap")}
    known = {version: _environment(entry["environment"]) for version, entry in places.items()}
    for found in known.values():
        environments[environment_id(found)] = found
    for log in logs:
        rows.extend(_rows(axis, log, known))
    points = {
        version: _point(axis, version, places.get(version), known.get(version), gaps.get(version, ""))
        for version in (*places, *gaps)
    }
    # What is timed beside the axis has its name before its release.
    own = sorted((version for version in points if " " not in version), key=version_key)
    asked = [entry["command"] for log in logs for entry in log.of("asked")]
    return History(
        axis=axis,
        dataset=dataset,
        date=date,
        points=tuple(points[version] for version in own),
        command=asked[-1] if asked else f"zbench sweep {axis}",
        references=tuple(point for version, point in points.items() if " " in version),
        table=Table(tuple(rows), environments),
    )


def _run(axis: str, version: str) -> str:
    """Name the run of a release, or of another library, which has its own name before its release."""
    return version.replace(" ", "==") if " " in version else f"{axis}=={version}"


def _point(axis: str, version: str, place: Mapping[str, Any] | None, found: Environment | None, gap: str) -> Point:
    run = _run(axis, version)
    version = version.rpartition(" ")[2]
    if place is None or found is None:
        return Point(run=run, release=version, gap=gap)
    # It was a gap once, and is none since it could be made.
    return Point(
        run=run,
        release=version,
        python=place["python"],
        environment=environment_id(found),
        pins=tuple(place["pins"]),
    )


def _environment(raw: Mapping[str, Any]) -> Environment:
    pairs = {name: tuple((key, value) for key, value in raw[name]) for name in ("packages", "threads")}
    return Environment(**{**raw, **pairs})


def _rows(axis: str, log: RunLog, known: Mapping[str, Environment]) -> Iterator[Row]:
    for entry in log.of("requests"):
        yield from _counted(_common(axis, entry, known[entry["release"]]), entry)
    for entry in log.of("stored"):
        yield from _stored(_common(axis, entry, known[entry["release"]]), entry)
    for entry in log.of("refused"):
        # A release that could not be made when another cell was refused has no environment.
        if entry["release"] in known:
            word = "failed" if entry["error"] == "VerificationError" else "refused"
            common = _common(axis, entry, known[entry["release"]])
            yield Row(**common, metric="requests", unit="requests", value=None, note=f"{word}: {entry['message']}")
    yield from _timed(axis, log, known)


def _common(axis: str, entry: Mapping[str, Any], environment: Environment) -> dict[str, Any]:
    dataset, engine, layout, chain = entry["cell"].rsplit("|", 3)
    return {
        "source": "zbench",
        "run": _run(axis, entry["release"]),
        "environment": environment_id(environment),
        "machine": environment.machine,
        "dataset": dataset,
        "engine": engine,
        "engine_version": dict(environment.packages).get(engine_package(engine), ""),
        "store": "local",
        "layout": layout,
        "chain": chain,
    }


def _counted(common: dict[str, Any], entry: Mapping[str, Any]) -> Iterator[Row]:
    for operation, numbers in entry["operations"].items():
        requests = {name: count for name, count in numbers.items() if not name.startswith("bytes_")}
        unsteady = "; not the same twice" if operation in entry["unsteady"] else ""
        values = {
            "requests": sum(requests.values()),
            "reads": sum(count for name, count in requests.items() if name.startswith("get")),
            "writes": requests.get("put", 0),
            "bytes_fetched": numbers.get("bytes_fetched", 0),
            "bytes_written": numbers.get("bytes_written", 0),
        }
        for metric, value in values.items():
            unit = "bytes" if metric.startswith("bytes") else "requests"
            note = composition(requests) + unsteady if metric == "requests" else ""
            yield Row(
                **common, pattern=operation, metric=metric, unit=unit, value=float(value), verified=True, note=note
            )
    yield from _kept(common, entry)


def _kept(common: dict[str, Any], entry: Mapping[str, Any]) -> Iterator[Row]:
    for metric, unit in (("objects", "objects"), ("stored_bytes", "bytes")):
        yield Row(**common, metric=metric, unit=unit, value=float(entry[metric]), verified=True)


def _stored(common: dict[str, Any], entry: Mapping[str, Any]) -> Iterator[Row]:
    fields = entry["fields"]
    cell = {"shape": tuple(fields["shape"]), "dtype": fields["dtype"], "voxel_digest": fields["digest"]}
    yield from _kept({**common, **cell}, fields)
    for pattern, numbers in entry["counts"].items():
        for metric, unit in (("requests", "requests"), ("bytes_fetched", "bytes"), ("bytes_decoded", "bytes")):
            yield Row(
                **common,
                **cell,
                pattern=pattern,
                metric=metric,
                unit=unit,
                value=float(numbers[metric]),
                verified=True,
            )


def _timed(axis: str, log: RunLog, known: Mapping[str, Environment]) -> Iterator[Row]:
    values: dict[tuple[str, str, str, str, str], dict[int, float]] = {}
    for entry in log.of("samples"):
        for metric, place in (("wall_time", 0), ("cpu_time", 1)):
            key = (entry["release"], entry["cell"], entry["operation"], metric, "s")
            taken = median(sample[place] for sample in entry["samples"]) / _NANOSECONDS
            values.setdefault(key, {})[entry["round"]] = taken
    for entry in log.of("peak"):
        key = (entry["release"], entry["cell"], entry["operation"], "added_memory", "bytes")
        values.setdefault(key, {})[entry["round"]] = float(entry["added_bytes"])
    for (version, cell, operation, metric, unit), taken in values.items():
        common = _common(axis, {"release": version, "cell": cell}, known[version])
        rounds = sorted(taken)
        interval = time_interval([taken[number] for number in rounds]) if min(taken.values()) > 0 else None
        yield Row(
            **common,
            pattern=operation,
            cache_state="warm",
            metric=metric,
            unit=unit,
            value=median(taken.values()),
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            confidence=CONFIDENCE if interval else None,
            samples=tuple(taken[number] for number in rounds),
            processes=len(taken),
            verified=True,
            # Rounds are what is interleaved: the samples of two releases belong together where the rounds are the same.
            note=f"rounds {' '.join(map(str, rounds))}",
        )


def write_history(folder: Path, history: History) -> tuple[Path, ...]:
    """Write a history.

    Parameters
    ----------
    folder
        Where; it is made.
    history
        What to write.

    Returns
    -------
    tuple of Path
        ``history.json``, then the table in each of its formats.

    Raises
    ------
    ResultsError
        If a file cannot be written.
    """
    head = {
        "schema_version": SCHEMA_VERSION,
        "kind": "sweep",
        "axis": history.axis,
        "dataset": history.dataset,
        "date": history.date,
        "command": history.command,
        "points": [asdict(point) for point in history.points],
        "references": [asdict(point) for point in history.references],
    }
    tables = write_tables(folder, history.table)
    write_atomically(folder / _FILE, json.dumps(head, indent=1) + "\n")
    return (folder / _FILE, *tables)


def read_history(folder: Path) -> History:
    """Read what `write_history` wrote.

    Parameters
    ----------
    folder
        Where it is.

    Returns
    -------
    History
        With its table.

    Raises
    ------
    ResultsError
        If there is none, or it cannot be read.
    """
    path = folder / _FILE
    tables = table_files(folder)
    if not (path.is_file() and tables):
        msg = f"A history is {_FILE} with results beside it: {str(folder)!r} lacks one. Run zbench sweep first."
        raise ResultsError(msg)
    raw = read_json(path)
    if not isinstance(raw, dict) or raw.get("schema_version") != SCHEMA_VERSION:
        msg = f"A history is of version {SCHEMA_VERSION}: {str(path)!r} is not. Make it again with this zbench."
        raise ResultsError(msg)
    try:
        points, references = (
            tuple(Point(**{**one, "pins": tuple(one["pins"])}) for one in raw[name])
            for name in ("points", "references")
        )
        return History(
            axis=raw["axis"],
            dataset=raw["dataset"],
            date=raw["date"],
            points=points,
            command=raw["command"],
            references=references,
            table=read_table(tables[0]),
        )
    except (KeyError, TypeError) as error:
        msg = f"A history holds its axis and its points: {str(path)!r} does not ({error}). Make it again."
        raise ResultsError(msg) from error
