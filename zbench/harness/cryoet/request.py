"""What is asked for: as a value, as it is recorded, and as a command that asks the same again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbench.errors import ResultsError
from zbench.harness.cryoet.crop import VolumeRequest
from zbench.harness.cryoet.folder import begun_head
from zbench.harness.cryoet.selection import Selection
from zbench.units import GIB

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["CryoetRequest", "arguments", "options_of", "resumed"]

_BUDGETS_S = {"quick": 600.0, "full": 7200.0}
# How options are called on the command line, where it is not the name of the field.
_CALLED = {"source": "dataset"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CryoetRequest:
    """What is to be measured, how far, and where the results go.

    Attributes
    ----------
    volume
        Which voxels.
    selection
        Which cells and operations.
    output
        Folder for the results.
    budget_s
        Seconds after which no more is measured than there must be; ``None`` takes ten minutes for the quick
        configurations and two hours for others.
    max_disk_bytes
        Most that may be on the disk at one time.
    resume
        Whether a run that was begun in the folder goes on.
    """

    volume: VolumeRequest = field(default_factory=VolumeRequest)
    selection: Selection = field(default_factory=Selection)
    output: Path = Path("results")
    budget_s: float | None = None
    max_disk_bytes: int = 20 * GIB
    resume: bool = False

    @property
    def seconds(self) -> float:
        """The budget, given or not."""
        return self.budget_s or _BUDGETS_S.get(self.selection.test_configs, _BUDGETS_S["full"])


def options_of(request: CryoetRequest) -> dict[str, Any]:
    """Write down what decides which numbers a run has, as JSON can hold it.

    Parameters
    ----------
    request
        What was asked for.

    Returns
    -------
    dict
        Budget, room and folder may change from session to session, and are not in it.
    """
    told = asdict(request.volume) | asdict(request.selection)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


def resumed(request: CryoetRequest, given: Collection[str]) -> CryoetRequest:
    """Take up what was asked for when a run began.

    Parameters
    ----------
    request
        What is asked for now.
    given
        Names of the options that the user gave now; the others come from the record.

    Returns
    -------
    CryoetRequest
        The same, if there is no record to go on from.

    Raises
    ------
    ResultsError
        If an option is given now as another than it was.
    """
    head = begun_head(request.output) if request.resume else None
    if head is None:
        return request
    now, then = options_of(request), head["options"]
    differing = [name for name in now if name in given and now[name] != then[name]]
    if differing:
        told = "; ".join(f"--{_option(name)} was {then[name]!r} and is {now[name]!r}" for name in differing)
        msg = (
            f"A run goes on only as it began: in {str(request.output)!r} {told}. Leave these out, or give another "
            "--output-dir."
        )
        raise ResultsError(msg)
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in then.items()}
    volume: dict[str, Any] = {one.name: values[one.name] for one in fields(VolumeRequest)}
    selection: dict[str, Any] = {one.name: values[one.name] for one in fields(Selection)}
    return replace(request, volume=VolumeRequest(**volume), selection=Selection(**selection))


def arguments(request: CryoetRequest) -> list[str]:
    """Write a request as arguments of ``zbench cryoet``, the output folder left out.

    Parameters
    ----------
    request
        What was asked for.

    Returns
    -------
    list of str
        Every option that makes a difference, given or not.
    """
    told = options_of(request) | {"volume_size": request.volume.volume_size or "full"}
    found: list[str] = []
    for name, value in told.items():
        if value in (None, [], False):
            continue
        if value is True:
            found.append(f"--{_option(name)}")
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        found += [f"--{_option(name)}", text]
    gib, rest = divmod(request.max_disk_bytes, GIB)
    room = f"{request.max_disk_bytes}B" if rest else f"{gib}GiB"
    found += ["--budget", f"{request.seconds:g}s", "--max-disk", room]
    return found


def _option(name: str) -> str:
    return _CALLED.get(name, name).replace("_", "-")
