"""What a run leaves: the table, the environment, the command that does it again, the report."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zbench
from zbench.engines import engine
from zbench.harness.cryoet.record import RunIdentity, campaign_table
from zbench.harness.cryoet.request import arguments
from zbench.report.volume import ReportInfo, volume_facts, write_report
from zbench.results import environment_fields, environment_id, write_atomically, write_tables
from zbench.units import format_shape

if TYPE_CHECKING:
    from zbench.harness.cryoet.crop import Crop
    from zbench.harness.cryoet.request import CryoetRequest
    from zbench.model import Environment, Volume
    from zbench.runner.campaign import Campaign

__all__ = ["Made", "commit_of", "rerun_script", "write_outputs"]

# What makes the same command find the same volume and take the same threads.
_VARIABLES = (
    "ZBENCH_DATA_MIRROR",
    "ZBENCH_CACHE_DIR",
    "ZBENCH_PORTAL_URL",
    "ZBENCH_PORTAL_S3_ENDPOINT",
    "ZBENCH_THREADS",
    "BLOSC_NTHREADS",
    "OMP_NUM_THREADS",
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A run that has ended.

    Attributes
    ----------
    request
        What was asked for.
    crop
        Which part of which volume.
    volume
        Its voxels.
    digest
        Of them.
    campaign
        With its record.
    environment
        What the times hold for.
    begun
        When the first session began, ISO 8601.
    remarks
        Sentences about the run as a whole.
    """

    request: CryoetRequest
    crop: Crop
    volume: Volume
    digest: str
    campaign: Campaign
    environment: Environment
    begun: str
    remarks: tuple[str, ...]


def write_outputs(made: Made) -> tuple[Path, ...]:
    """Write the files of a run, each whole or not at all.

    Parameters
    ----------
    made
        The run.

    Returns
    -------
    tuple of Path
        The report first.

    Raises
    ------
    ResultsError
        If one cannot be written.
    """
    folder, volume = made.request.output, made.volume
    now = datetime.now(UTC).isoformat(timespec="seconds")
    identity = RunIdentity(
        run=made.begun,
        commit=commit_of(Path(zbench.__file__).parents[1]),
        environment=made.environment,
        shape=volume.shape,
        dtype=volume.array.dtype.str,
    )
    table = campaign_table(made.campaign, identity)
    tables = write_tables(folder, table)
    facts = {
        "schema": 1,
        "zbench": zbench.__version__,
        "commit": identity.commit,
        "begun": made.begun,
        "ended": now,
        "command": ["zbench", "cryoet", *arguments(made.request)],
        "environment_id": environment_id(made.environment),
        "environment": environment_fields(made.environment),
        "engines": {
            name: engine(name).versions() for name in dict.fromkeys(p.spec.engine for p in made.campaign.plans)
        },
        "volume": _volume_fields(made),
        "remarks": list(made.remarks),
    }
    environment, rerun = folder / "environment.json", folder / "rerun.sh"
    write_atomically(environment, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    write_atomically(rerun, rerun_script(made.request))
    rerun.chmod(0o755)
    is_part = made.crop.box.shape != made.crop.whole
    report = write_report(
        folder,
        table,
        volume=volume_facts(
            volume,
            title=made.crop.title,
            crop=made.crop.box if is_part else None,
            whole=made.crop.whole if is_part else None,
        ),
        info=ReportInfo(
            command=shlex.join(["zbench", "cryoet", *arguments(made.request)]),
            date=now,
            version=zbench.__version__,
            remarks=made.remarks,
        ),
    )
    return (*report, *tables, environment, rerun)


def rerun_script(request: CryoetRequest) -> str:
    """Write a shell script that measures the same again.

    Parameters
    ----------
    request
        What was asked for.

    Returns
    -------
    str
        For ``/bin/sh``; its first argument is the folder for the new results.
    """
    command = shlex.join([sys.executable, "-m", "zbench", "cryoet", *arguments(request)])
    lines = [
        "#!/bin/sh",
        "# Measures the same volume in the same way again: rerun.sh [FOLDER FOR THE RESULTS]",
        "set -eu",
        *(f"export {name}={shlex.quote(os.environ[name])}" for name in _VARIABLES if os.environ.get(name)),
        f'exec {command} --yes --output-dir "${{1:-rerun-$(date +%Y%m%d-%H%M%S)}}"',
    ]
    return "\n".join(lines) + "\n"


def commit_of(repository: Path) -> str:
    """Tell which commit of zbench this is.

    Parameters
    ----------
    repository
        Folder that zbench is in.

    Returns
    -------
    str
        Full hash, with ``-dirty`` behind it if there are changes beside it; empty if it is no clone.
    """
    if not (repository / ".git").exists():
        return ""

    def git(*words: str) -> str:
        # Our own words; git is looked up as the user's shell would.
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(repository), *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit}-dirty" if commit and git("status", "--porcelain", "--untracked-files=no") else commit
    except OSError:
        return ""


def _volume_fields(made: Made) -> dict[str, Any]:
    volume, crop = made.volume, made.crop
    return {
        "name": volume.name,
        "title": crop.title,
        "whole_shape": crop.whole,
        "box": {"start": crop.box.start, "stop": crop.box.stop},
        "shape": volume.shape,
        "dtype": volume.array.dtype.str,
        "logical_bytes": volume.nbytes,
        "voxel_digest": made.digest,
        "spacing": volume.spacing,
        "spacing_unit": volume.spacing_unit,
        "meaning": asdict(volume.meaning) if volume.meaning else None,
        "provenance": asdict(volume.provenance),
        "text": f"{volume.name}, {format_shape(volume.shape)} {volume.array.dtype.name}",
    }
