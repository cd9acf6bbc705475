"""The machine and the packages that a time holds for."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from zbench.model import Environment

__all__ = ["PACKAGES", "THREAD_VARIABLES", "environment", "filesystem_of"]

PACKAGES = (
    "asv",
    "cryoet-data-portal",
    "google-crc32c",
    "numcodecs",
    "numpy",
    "obstore",
    "pcodec",
    "pooch",
    "s3fs",
    "scipy",
    "tensorstore",
    "zarr",
    "zarrs",
    "zbench",
)
THREAD_VARIABLES = (
    "BLOSC_NTHREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "ZARR_THREADING__MAX_WORKERS",
    "ZBENCH_THREADS",
)


def environment(store_folder: Path) -> Environment:
    """Look at this process, its machine and the filesystem that stores lie on.

    Parameters
    ----------
    store_folder
        Folder in which stores are made; it or the nearest parent that exists is looked at.

    Returns
    -------
    Environment
        What times measured here hold for.
    """
    return Environment(
        machine=platform.node() or "unknown",
        os=f"{platform.system()} {platform.release()}",
        cpu=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        python=platform.python_version(),
        packages=tuple((name, version) for name in PACKAGES if (version := _version(name))),
        threads=tuple((name, os.environ[name]) for name in THREAD_VARIABLES if name in os.environ),
        filesystem=filesystem_of(store_folder),
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    # platform.processor() is empty or the bare architecture on most Linux systems.
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def filesystem_of(folder: Path) -> str:
    """Name the type of the filesystem of a folder.

    Parameters
    ----------
    folder
        It or its nearest parent that exists is looked at.

    Returns
    -------
    str
        For example ``"ext4"``; ``"unknown"`` where the system does not list its mounts.
    """
    mounts = Path("/proc/self/mounts")
    if not mounts.is_file():
        return "unknown"
    found, depth = "unknown", -1
    place = folder.resolve()
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, mount, kind, *_ = line.split()
        mounted = Path(mount.replace("\\040", " "))
        # A later mount on the same point hides the earlier one.
        if (place == mounted or mounted in place.parents) and len(mounted.parts) >= depth:
            found, depth = kind, len(mounted.parts)
    return found
