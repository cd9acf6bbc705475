"""Studies: a preset measured in the environments of the asv suite, and the page that is made of the record."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zbench.datasets import card
from zbench.errors import ResultsError, UnknownNameError
from zbench.grid import Preset, Sweep, load_preset
from zbench.harness.environments import environments
from zbench.harness.status import Status
from zbench.report.lossless import PageInfo, VolumeNote, draw, page, read_record, written
from zbench.runner import Place, RunLog, Session, tasks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from zbench.report.lossless import Record
    from zbench.runner import Progress

__all__ = ["Plan", "lossless", "report_lossless"]

_RECORD = "run.jsonl"
_PAGE = "lossless"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a study is to measure.

    Attributes
    ----------
    preset
        Name of the preset, or path of a TOML file.
    rounds
        Number of rounds.
    volume_size
        Keep at most so many voxels an axis of each volume; ``None`` keeps all.
    """

    preset: str = "full"
    rounds: int = 4
    volume_size: int | None = 128


def lossless(
    output: Path,
    work: Path,
    *,
    repository: Path,
    plan: Plan,
    report: Callable[[Status], None],
) -> tuple[Path, ...]:
    """Measure what is missing of the study of lossless storage, and write its page.

    What is measured is the commit that the record was begun with, HEAD for a new one, in one environment for each zarr
    release of ``asv.conf.json``; they are made in the work folder and kept there.

    Parameters
    ----------
    output
        Folder for the page, its figures and its table.
    work
        Folder for the record ``run.jsonl``, the environments and the stores.
    repository
        Folder with ``asv.conf.json``.
    plan
        What to measure.
    report
        Told after every step.

    Returns
    -------
    tuple of Path
        What was written, the page first.

    Raises
    ------
    ResultsError
        If the record is another study's, an environment cannot be made, or a worker dies; what was measured is kept.
    """
    # Resolved: tensorstore takes no path with ".." in it, and workers have a working folder of their own.
    work = work.resolve()
    record, output = work / _RECORD, output.resolve()
    preset = load_preset(plan.preset)
    begun = _entries(record)[:1]
    wanted = begun[0].get("commit", "HEAD") if begun else "HEAD"
    commit, pythons = environments(
        repository,
        work,
        commit=wanted,
        report=lambda made: report(
            Status(stage="environment", what=made.name, done=made.done, total=made.total, note=made.commit[:8])
        ),
    )
    places = _places(pythons, preset.engines)
    head = {
        "study": "lossless",
        "commit": commit,
        "environments": {name: list(place.engines) for name, place in places.items()},
        "preset": plan.preset,
        "rounds": plan.rounds,
        "volume_size": plan.volume_size,
    }
    log = RunLog(record, head=head)
    _keep_preset(log, preset)
    Session(
        preset=preset,
        environments=places,
        log=log,
        folder=work / "stores",
        rounds=plan.rounds,
        volume_size=plan.volume_size,
        report=_Meter(record, report).step,
    ).run()
    return report_lossless(output, work)


def report_lossless(output: Path, work: Path) -> tuple[Path, ...]:
    """Write the page of a study from its record, whole or not; a run that goes on is not disturbed.

    Parameters
    ----------
    output
        Folder for the page, its figures and its table.
    work
        Folder with the record.

    Returns
    -------
    tuple of Path
        What was written, the page first.

    Raises
    ------
    ResultsError
        If there is no record or it is damaged.
    """
    path = work / _RECORD
    entries = _entries(path)
    record = read_record(entries)
    output.mkdir(parents=True, exist_ok=True)
    figures = draw(record, output)
    day = dt.datetime.fromtimestamp(path.stat().st_mtime, tz=dt.UTC).date().isoformat()
    info = PageInfo(
        date=day,
        command=_command(record),
        tasks=_values(record, entries),
        volumes=_notes(record.datasets),
        figures=figures,
    )
    texts = {f"{_PAGE}.md": page(record, info), f"{_PAGE}.csv": written(record)}
    for name, text in texts.items():
        (output / name).write_text(text, encoding="utf-8")
    drawn = [output / f"{figure.name}.{ending}" for figure in figures for ending in ("svg", "png")]
    return (*(output / name for name in texts), *drawn)


def _entries(path: Path) -> list[dict[str, Any]]:
    """Read a record without touching it: a line that is still being written is left out, not cut off."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    try:
        return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
    except ValueError as error:
        msg = f"A run's record is JSON on every line: {str(path)!r} is not ({error}). It is kept; look at it."
        raise ResultsError(msg) from error


def _keep_preset(log: RunLog, preset: Preset) -> None:
    """Write the grid into the record, so that its page can be made after the preset has changed."""
    fields = json.loads(json.dumps(asdict(preset)))
    known = next(log.of("preset"), None)
    if known is None:
        log.add("preset", preset=fields)
    elif known["preset"] != fields:
        msg = (
            f"A run goes on with the grid it began with: the preset {preset.name!r} has changed since. "
            "Give another work folder or move the record away."
        )
        raise ResultsError(msg)


def _preset_of(entries: list[dict[str, Any]]) -> Preset | None:
    for entry in entries:
        if entry["kind"] == "preset":
            fields = {name: _tuples(value) for name, value in entry["preset"].items() if name != "sweeps"}
            sweeps = tuple(
                Sweep(**{name: _tuples(value) for name, value in sweep.items()}) for sweep in entry["preset"]["sweeps"]
            )
            return Preset(**fields, sweeps=sweeps)
    return None


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _values(record: Record, entries: list[dict[str, Any]]) -> int:
    """Count the values of a whole run: every task of every cell that was not refused, once a round."""
    preset, head = _preset_of(entries), record.head
    if preset is None:
        return sum(len(times.wall_ns) for times in record.times.values())
    refused = {"|".join(cell) for cell in record.refused}
    silent = {f"{'|'.join(cell)}|{operation}" for cell, operation in record.failures}
    engines = {name: tuple(chosen) for name, chosen in head.get("environments", {}).items()}
    tasks = [task for dataset in preset.datasets for task in tasks_of(preset, dataset, engines)]
    kept = [task for task in tasks if task.key not in silent and task.key.rsplit("|", 1)[0] not in refused]
    return len(kept) * int(head.get("rounds", 0))


def _notes(datasets: Iterable[str]) -> dict[str, VolumeNote]:
    notes = {}
    for name in datasets:
        # A record may hold datasets that have left the registry, or of another one: the page then says n/a.
        with contextlib.suppress(UnknownNameError):
            found = card(name)
            notes[name] = VolumeNote(title=found.title, licence=found.licence, citation=found.citation)
    return notes


def _command(record: Record) -> str:
    head = record.head
    size = f" --volume-size {head['volume_size']}" if head.get("volume_size") else ""
    return f"zbench study lossless --preset {head.get('preset')} --rounds {head.get('rounds')}{size}"


class _Meter:
    """Turns the steps of a run into how far the study is, and how long it still takes."""

    def __init__(self, path: Path, report: Callable[[Status], None]) -> None:
        self._path, self._report = path, report
        self._begin = time.monotonic()
        self._sampled, self._there, self._total = 0, 0, 0
        self._stage = ("", "")

    def step(self, progress: Progress) -> None:
        if (progress.stage, progress.dataset) != self._stage:
            # Cells that were refused meanwhile are no longer to be done; counting anew costs little once a stage.
            entries = _entries(self._path)
            record = read_record(entries)
            self._total = _values(record, entries)
            self._there = sum(len(times.wall_ns) for times in record.times.values()) - self._sampled
            self._stage = progress.stage, progress.dataset
            # The value that is told of now is already in the record, and counted again below.
            self._there -= progress.stage == "sample"
        self._sampled += progress.stage == "sample"
        done = self._there + self._sampled
        pace = (time.monotonic() - self._begin) / self._sampled if self._sampled else None
        self._report(
            Status(
                stage=progress.stage,
                what=progress.dataset,
                done=progress.done,
                total=progress.total,
                note=progress.note,
                values_done=done,
                values_total=self._total,
                left_s=None if pace is None else pace * max(self._total - done, 0),
            )
        )


def _places(pythons: dict[str, Path], engines: tuple[str, ...]) -> dict[str, Place]:
    """Measure zarr-python in every release, and all that stands beside it in the newest alone."""
    newest = list(pythons)[-1]
    own = tuple(engine for engine in engines if engine == "zarr-python")
    return {name: Place(python, engines if name == newest else own) for name, python in pythons.items()}
